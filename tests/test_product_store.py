import io
import pickle
import re
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest

from slstr_cloudmask.errors import (
    BrokenFileError,
    InputError,
    MissingFileError,
)
from slstr_cloudmask.io import product_zip
from slstr_cloudmask.io.product_store import open_product
from tests.product_places import (
    DEFLATED,
    FILES,
    MANIFEST,
    check_same,
    listed_product,
    packed,
    packed_product,
)
from tests.sen3_product import NAME, NAME_005


@pytest.fixture
def product(tmp_path: Path) -> Path:
    return listed_product(tmp_path / "local")


# -- on this machine ------------------------------------------------------------------------------


def test_a_folder_is_read_where_it_is(product: Path) -> None:
    (product / "folder").mkdir()

    opened = open_product(product)

    assert opened.location == str(product)
    assert opened.open("S8_BT_in.nc") == product / "S8_BT_in.nc"
    (product / "folder").rmdir()
    check_same(opened, product)


def test_a_manifest_stands_for_its_folder(product: Path) -> None:
    opened = open_product(str(product / MANIFEST))

    assert opened.location == str(product / MANIFEST)
    check_same(opened, product)


def test_a_folder_from_within(product: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(product)
    check_same(open_product("."), product)
    check_same(open_product(MANIFEST), product)
    (product / "below").mkdir()
    monkeypatch.chdir(product / "below")
    assert open_product("..").name == NAME


def test_a_file_url_is_a_local_path(product: Path, tmp_path: Path) -> None:
    opened = open_product(product.as_uri())

    assert opened.open("S8_BT_in.nc") == product / "S8_BT_in.nc"
    check_same(opened, product)
    check_same(open_product(packed_product(product, tmp_path / "a.zip").as_uri()), product)


def test_a_renamed_folder_is_known_by_its_files(product: Path) -> None:
    (product / MANIFEST).unlink()
    renamed = product.rename(product.parent / "lakes")

    assert open_product(renamed).name == "lakes"


def test_a_folder_named_as_a_zip_is_a_folder(product: Path) -> None:
    assert open_product(product.rename(product.parent / "a.zip")).name == "a.zip"


def test_an_empty_folder_of_the_right_name_is_a_product(tmp_path: Path) -> None:
    (tmp_path / NAME).mkdir()
    assert open_product(tmp_path / NAME).names == frozenset()


def test_what_is_no_product(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"There is no product at .*gone\.SEN3\."):
        open_product(tmp_path / "gone.SEN3")
    with pytest.raises(MissingFileError, match=r"There is no product at .*gone\.zip\."):
        open_product(tmp_path / "gone.zip")
    with pytest.raises(InputError, match=r"no SLSTR Level-1 product.*found a folder with nothing"):
        open_product(tmp_path)
    for name in "abcd":
        (tmp_path / f"{name}.txt").write_text("hello")
    with pytest.raises(InputError, match=r"found a folder with a\.txt, b\.txt, c\.txt, \.\.\."):
        open_product(tmp_path)
    with pytest.raises(InputError, match=r"expected a folder such as S3A_SL_1_RBT.*found a file"):
        open_product(tmp_path / "a.txt")


def test_a_name_that_is_too_long(tmp_path: Path) -> None:
    with pytest.raises(BrokenFileError, match="cannot be read"):
        open_product(tmp_path / ("a" * 5000))


def test_a_file_that_the_product_has_not(product: Path) -> None:
    opened = open_product(product)

    for ask in (opened.open, opened.read, opened.size):
        with pytest.raises(MissingFileError, match=r"There is no file S1\.nc in .*\.SEN3\."):
            ask("S1.nc")


def test_a_file_that_goes_away(product: Path) -> None:
    opened = open_product(product)
    (product / "S8_BT_in.nc").unlink()

    for ask in (opened.read, opened.size):
        with pytest.raises(MissingFileError, match=r"no file S8_BT_in\.nc in"):
            ask("S8_BT_in.nc")


# -- in a zip -------------------------------------------------------------------------------------


def test_a_zip_of_a_folder(product: Path, tmp_path: Path) -> None:
    path = packed_product(product, tmp_path / "download.zip")

    opened = open_product(path)

    assert opened.location == str(path)
    assert isinstance(opened.open("S8_BT_in.nc"), io.BytesIO)
    check_same(opened, product)
    assert {entry.name for entry in tmp_path.iterdir()} == {"download.zip", "local"}  # no more


def test_a_product_goes_to_another_process(product: Path, tmp_path: Path) -> None:
    path = packed_product(product, tmp_path / "a.zip")
    for opened in (open_product(product), open_product(path)):
        check_same(pickle.loads(pickle.dumps(opened)), product)


def test_a_zip_that_is_not_compressed(product: Path, tmp_path: Path) -> None:
    members = {f"{NAME}/{file.name}": file.read_bytes() for file in product.iterdir()}
    check_same(open_product(packed(tmp_path / "a.ZIP", members, zipfile.ZIP_STORED)), product)


@pytest.mark.parametrize("name", [NAME.replace(".SEN3", ".zip"), f"{NAME}.zip"])
def test_a_zip_of_files_is_named_by_itself(product: Path, tmp_path: Path, name: str) -> None:
    check_same(open_product(packed_product(product, tmp_path / name, folder="")), product)


def test_a_zip_of_files_with_another_name(product: Path, tmp_path: Path) -> None:
    path = packed_product(product, tmp_path / "lakes.zip", folder="./")

    assert open_product(path).name == "lakes"
    assert "S8_BT_in.nc" in open_product(path).names


def test_what_a_mac_adds_to_a_zip_is_passed_over(product: Path, tmp_path: Path) -> None:
    path = packed_product(product, tmp_path / "a.zip")
    with zipfile.ZipFile(path, "a") as file:
        file.writestr(f"__MACOSX/{NAME}/._S8_BT_in.nc", b"")
        file.mkdir(f"{NAME}/folder")

    check_same(open_product(path), product)


def test_two_products_in_one_zip(product: Path, tmp_path: Path) -> None:
    path = packed_product(product, tmp_path / "a.zip")
    with zipfile.ZipFile(path, "a") as file:
        file.writestr(f"{NAME_005}/S8_BT_in.nc", b"")

    with pytest.raises(InputError, match=f"more than one product: {NAME}, {NAME_005}"):
        open_product(path)


def test_no_product_in_a_zip(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds no SLSTR Level-1 product.*found nothing"):
        open_product(packed(tmp_path / "empty.zip", {}))
    with pytest.raises(InputError, match=r"expected a folder such as S3A.*found a/notes\.txt"):
        open_product(packed(tmp_path / "a.zip", {"a/notes.txt": b"hello"}))


@pytest.mark.parametrize("keep", [0, 2, 3000, -10])
def test_a_zip_that_is_cut_off(product: Path, tmp_path: Path, keep: int) -> None:
    path = packed_product(product, tmp_path / "a.zip")
    path.write_bytes(path.read_bytes()[:keep])

    with pytest.raises(BrokenFileError, match=r"a\.zip is damaged: expected a zip.*Download"):
        open_product(path)


def test_a_byte_of_a_member_that_is_changed(tmp_path: Path) -> None:
    path = packed(tmp_path / "a.zip", {f"{NAME}/S8_BT_in.nc": b"S8" * 50}, zipfile.ZIP_STORED)
    path.write_bytes(path.read_bytes().replace(b"S8S8S8", b"S8S9S8", 1))

    with pytest.raises(BrokenFileError, match=r"a\.zip is damaged.*Bad CRC-32"):
        open_product(path).read("S8_BT_in.nc")


def test_an_encrypted_zip(tmp_path: Path) -> None:
    path = packed(tmp_path / "a.zip", {f"{NAME}/S8_BT_in.nc": b""})
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\1\2") + 8] |= 1  # APPNOTE 4.3.12: the flags of a member
    path.write_bytes(content)

    with pytest.raises(InputError, match=r"is encrypted\. Unpack it with its password"):
        open_product(path)


@pytest.mark.parametrize(
    "name",
    [
        "../S8_BT_in.nc",
        f"{NAME}/../../S8_BT_in.nc",
        "/etc/S8_BT_in.nc",
        "C:/S8_BT_in.nc",
        "c:S8_BT_in.nc",
        f"{NAME}\\S8_BT_in.nc",
        "..",
        f"{NAME}/..",
    ],
)
def test_names_that_lead_out_of_the_folder(product: Path, tmp_path: Path, name: str) -> None:
    path = packed_product(product, tmp_path / "a.zip")
    with zipfile.ZipFile(path, "a") as file:
        file.writestr(name, b"")

    with pytest.raises(InputError, match=r"a\.zip is not unpacked.*leads out of the product"):
        open_product(path)


def test_names_with_dots_that_lead_nowhere(product: Path, tmp_path: Path) -> None:
    path = packed_product(product, tmp_path / "a.zip")
    with zipfile.ZipFile(path, "a") as file:
        file.writestr(f"{NAME}/..S8..nc", b"")

    assert "..S8..nc" in open_product(path).names


def test_two_files_of_one_name(tmp_path: Path) -> None:
    path = packed(tmp_path / "a.zip", {f"{NAME}/S8_BT_in.nc": b"1"})
    with zipfile.ZipFile(path, "a") as file, pytest.warns(UserWarning, match="Duplicate"):
        file.writestr(f"{NAME}/S8_BT_in.nc", b"2")

    with pytest.raises(InputError, match="two files of the name"):
        open_product(path)


# A bomb tells its size in the zip's directory, and is refused before anything is unpacked.


def with_declared_size(path: Path, size: int, *, local: bool = False) -> Path:
    """Let a zip of one member declare another size."""
    content = bytearray(path.read_bytes())
    struct.pack_into("<I", content, content.index(b"PK\1\2") + 24, size)  # APPNOTE 4.3.12
    if local:
        struct.pack_into("<I", content, content.index(b"PK\3\4") + 22, size)  # APPNOTE 4.3.7
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("size", "message"),
    [
        (2**30 + 1, "is 1073741825 bytes, and 1073741824 are the most allowed"),
        # 100 zeros are a few bytes compressed: more than 100:1.
        (2**26 + 1, "is compressed 100 times and more"),
    ],
)
def test_a_member_that_declares_too_much(tmp_path: Path, size: int, message: str) -> None:
    path = packed(tmp_path / "a.zip", {f"{NAME}/S8_BT_in.nc": bytes(100)})

    with pytest.raises(InputError, match=re.escape(message)):
        open_product(with_declared_size(path, size))


def test_members_that_declare_too_much_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = packed(tmp_path / "a.zip", {f"{NAME}/{name}": bytes(60) for name in FILES})
    monkeypatch.setattr(product_zip, "MAX_TOTAL_BYTES", 120)
    assert open_product(path).names == set(FILES)
    monkeypatch.setattr(product_zip, "MAX_TOTAL_BYTES", 119)

    with pytest.raises(InputError, match="its files are 120 bytes, and 119 are the most"):
        open_product(path)


def test_too_many_members(tmp_path: Path) -> None:
    path = packed(tmp_path / "a.zip", {f"{NAME}/{number}": b"" for number in range(10_001)})

    with pytest.raises(InputError, match="it holds 10001 files, and 10000 are the most"):
        open_product(path)


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, DEFLATED])
@pytest.mark.parametrize("declared", [0, 50, 99, 101])
def test_a_member_of_another_size_than_declared(
    tmp_path: Path, compression: int, declared: int
) -> None:
    path = packed(tmp_path / "a.zip", {f"{NAME}/S8_BT_in.nc": bytes(100)}, compression)
    opened = open_product(with_declared_size(path, declared, local=True))

    with pytest.raises(BrokenFileError, match=rf"a\.zip is damaged.*({declared} bytes|Bad CRC)"):
        opened.read("S8_BT_in.nc")


def test_a_member_of_another_size_whose_checksum_fits(tmp_path: Path) -> None:
    path = packed(tmp_path / "a.zip", {f"{NAME}/S8_BT_in.nc": bytes(100)})
    content = with_declared_size(path, 50, local=True).read_bytes()
    right, forged = (struct.pack("<I", zlib.crc32(bytes(size))) for size in (100, 51))
    path.write_bytes(content.replace(right, forged))

    with pytest.raises(BrokenFileError, match="is not the 50 bytes that the zip declares"):
        open_product(path).read("S8_BT_in.nc")


def test_a_member_that_unpacks_to_more_than_declared_is_cut_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = packed(tmp_path / "a.zip", {f"{NAME}/S8_BT_in.nc": bytes(10_000_000)})
    opened = open_product(with_declared_size(path, 1000, local=True))
    lengths = []
    read1 = zipfile.ZipExtFile._read1  # type: ignore[attr-defined]

    def counted(self: zipfile.ZipExtFile, n: int) -> bytes:
        data: bytes = read1(self, n)
        lengths.append(len(data))
        return data

    monkeypatch.setattr(zipfile.ZipExtFile, "_read1", counted)

    with pytest.raises(BrokenFileError, match="Bad CRC"):
        opened.read("S8_BT_in.nc")
    assert sum(lengths) <= 1001


def test_compression_that_is_not_known(tmp_path: Path) -> None:
    path = packed(tmp_path / "a.zip", {f"{NAME}/S8_BT_in.nc": b"S8"})
    content = bytearray(path.read_bytes())
    struct.pack_into("<H", content, content.index(b"PK\1\2") + 10, 99)  # APPNOTE 4.3.12: method
    path.write_bytes(content)

    with pytest.raises(BrokenFileError, match="compression method is not supported"):
        open_product(path).read("S8_BT_in.nc")


def test_a_zip_of_random_changes_is_never_another_error(product: Path, tmp_path: Path) -> None:
    content = packed_product(product, tmp_path / "a.zip").read_bytes()
    begin = content.index(b"PK\1\2")
    random = np.random.default_rng(0)
    for _ in range(300):
        changed = bytearray(content)
        changed[random.integers(begin, len(content))] = random.integers(256)
        (tmp_path / "a.zip").write_bytes(changed)
        try:
            opened = open_product(tmp_path / "a.zip")
            for name in opened.names:
                opened.read(name)
        except (InputError, BrokenFileError, MissingFileError):
            pass
