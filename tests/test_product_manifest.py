import hashlib
import json
import os
import re
import zipfile
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from slstr_cloudmask.cli.info import info
from slstr_cloudmask.cli.inputs import expand_inputs, expand_products
from slstr_cloudmask.cli.predict import predict
from slstr_cloudmask.errors import BrokenFileError, InputError, MissingFileError
from slstr_cloudmask.io.product_check import Fault, absent_files, check_product, verify_product
from slstr_cloudmask.io.product_manifest import (
    MAX_MANIFEST_BYTES,
    ManifestFile,
    parse_manifest,
    read_manifest,
)
from slstr_cloudmask.io.product_store import open_product
from tests.product_places import packed_product
from tests.sen3_product import NAME, NAME_005, THERMAL, write_product
from tests.test_geolocation import REAL, needs_real_product

MANIFEST = "xfdumanifest.xml"
HELLO_MD5 = "5d41402abc4b2a76b9719d911017c592"  # echo -n hello | md5sum
# As in a product: the metadata in namespaces, what lists the files in none.
BEGIN = """<?xml version="1.0" encoding="UTF-8"?>
<xfdu:XFDU xmlns:xfdu="urn:ccsds:schema:xfdu:1"
  xmlns:sentinel-safe="http://www.esa.int/safe/sentinel/1.1"
  xmlns:sentinel3="http://www.esa.int/safe/sentinel/sentinel-3/1.0">
<metadataSection>
  <sentinel-safe:startTime>2021-08-27T07:43:35.980881Z</sentinel-safe:startTime>
  <sentinel-safe:stopTime>2021-08-27T07:46:35.980881Z</sentinel-safe:stopTime>
  <sentinel3:productName>S3B.SEN3</sentinel3:productName>
  <sentinel3:baselineCollection>004</sentinel3:baselineCollection>
</metadataSection>
<dataObjectSection>"""
END = "</dataObjectSection></xfdu:XFDU>"


def listed(href: str, size: object = 5, md5: str = HELLO_MD5, algorithm: str = "MD5") -> str:
    return (
        f'<dataObject ID="a"><byteStream mimeType="application/x-netcdf" size="{size}">'
        f'<fileLocation locatorType="URL" href="{href}"/>'
        f'<checksum checksumName="{algorithm}">{md5}</checksum></byteStream></dataObject>'
    )


def parse(*entries: str) -> dict[str, ManifestFile]:
    return parse_manifest((BEGIN + "".join(entries) + END).encode(), "here").files


def list_files(folder: Path, *more: str) -> None:
    """Write the manifest of what is in a folder, and of more."""
    entries = [
        listed(f"./{path.name}", path.stat().st_size, hashlib.md5(path.read_bytes()).hexdigest())
        for path in sorted(folder.glob("*.nc"))
    ]
    (folder / MANIFEST).write_text(BEGIN + "".join([*entries, *more]) + END)


@pytest.fixture
def product(tmp_path: Path) -> Path:
    folder = write_product(tmp_path, bands=THERMAL)
    list_files(folder)
    return folder


# -- the manifest ---------------------------------------------------------------------------------


def test_a_manifest_is_read() -> None:
    manifest = parse_manifest((BEGIN + listed("./S8_BT_in.nc") + END).encode(), "here")

    assert manifest.product_name == "S3B.SEN3"
    assert manifest.baseline == "004"
    assert manifest.start_time == "2021-08-27T07:43:35.980881Z"
    assert manifest.stop_time == "2021-08-27T07:46:35.980881Z"
    assert manifest.files == {"S8_BT_in.nc": ManifestFile("S8_BT_in.nc", 5, HELLO_MD5)}


def test_what_a_manifest_does_not_say() -> None:
    manifest = parse_manifest(b"<x><byteStream><fileLocation href='a.nc'/></byteStream></x>", "")

    assert manifest.product_name is manifest.baseline is manifest.start_time is None
    assert manifest.files == {"a.nc": ManifestFile("a.nc", None, None)}


def test_other_spellings() -> None:
    assert parse(listed("a.nc", md5=f" {HELLO_MD5.upper()}\n", algorithm="md5")) == {
        "a.nc": ManifestFile("a.nc", 5, HELLO_MD5)
    }
    assert parse(listed("a.nc", md5="00", algorithm="SHA3-256"))["a.nc"].md5 is None


@pytest.mark.parametrize(
    "href",
    [
        "",
        ".",
        "./",
        "..",
        "../x.nc",
        "./../x.nc",
        "/etc/passwd",
        "a/b.nc",
        "a\\b.nc",
        "C:x.nc",
        "http://h/x.nc",
        "file:///x.nc",
        "x.nc?y",
        "x.nc\n",
        "%2e%2e%2fx.nc",
        ".hidden",
    ],
)
def test_files_outside_the_folder_are_refused(href: str) -> None:
    with pytest.raises(InputError, match=r"of here lists .*own folder"):
        parse(listed(href.replace("\n", "&#10;")))


def test_a_file_without_a_place() -> None:
    with pytest.raises(InputError, match="lists ''"):
        parse("<byteStream size='1'/>")


@pytest.mark.parametrize(
    "entry", [listed("a.nc", -1), listed("a.nc", "many"), listed("a.nc", md5="5d41")]
)
def test_sizes_and_sums_that_are_none(entry: str) -> None:
    with pytest.raises(BrokenFileError, match=r"expected a size and an MD5 sum of a\.nc"):
        parse(entry)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<?xml version='1.0'?>",
        b"<x><y></x>",
        BEGIN.encode(),
        b"<x>\xff</x>",
        b"<?xml version='1.0' encoding='nonsense'?><x/>",
        b"\x89HDF\r\n",
        b"<x>&lol;</x>",
    ],
)
def test_what_is_no_manifest(content: bytes) -> None:
    with pytest.raises(BrokenFileError, match=r"xfdumanifest\.xml of here is damaged"):
        parse_manifest(content, "here")


LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))


@pytest.mark.parametrize(
    "doctype",
    [
        "<!DOCTYPE x>",
        f'<!DOCTYPE x [<!ENTITY l0 "lol">{LAUGHS}]>',
        '<!DOCTYPE x [<!ENTITY l9 SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE x SYSTEM "http://127.0.0.1:1/x.dtd">',
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_document_type_is_refused(doctype: str, encoding: str) -> None:
    text = f"<?xml version='1.0' encoding='{encoding}'?>{doctype}<x>&l9;</x>"

    with pytest.raises(InputError, match="declares a document type"):
        parse_manifest(text.encode(encoding), "here")


def test_a_manifest_that_is_too_large(product: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="16777217 bytes, and 16777216 are the most"):
        parse_manifest(bytes(MAX_MANIFEST_BYTES + 1), "here")
    with (product / MANIFEST).open("ab") as file:
        file.truncate(MAX_MANIFEST_BYTES + 1)
    monkeypatch.setattr(Path, "read_bytes", lambda path: pytest.fail("was read"))
    with pytest.raises(InputError, match="are the most"):
        read_manifest(open_product(product))


def test_a_manifest_of_great_depth() -> None:
    assert parse_manifest(b"<x>" * 300_000 + b"</x>" * 300_000, "here").files == {}


# -- the files ------------------------------------------------------------------------------------


def test_a_whole_product_has_no_fault(product: Path, tmp_path: Path) -> None:
    assert verify_product(open_product(product)) == []
    packed = packed_product(product, tmp_path / "a.zip")
    assert verify_product(open_product(packed)) == []
    assert check_product(open_product(packed)) == []


def test_every_kind_of_fault(product: Path) -> None:
    (product / "S7_BT_in.nc").unlink()
    with (product / "S8_BT_in.nc").open("ab") as file:
        file.write(b"x")
    size = (product / "S8_BT_in.nc").stat().st_size
    content = bytearray((product / "S9_BT_in.nc").read_bytes())
    md5 = hashlib.md5(content).hexdigest()
    content[100] ^= 1
    (product / "S9_BT_in.nc").write_bytes(content)
    changed_md5 = hashlib.md5(content).hexdigest()
    (product / "more.nc").write_bytes(b"")

    faults = verify_product(open_product(product))

    assert faults == [
        Fault("S7_BT_in.nc", "absent", "absent"),
        Fault("S8_BT_in.nc", "size", f"expected {size - 1} bytes, found {size}"),
        Fault("S9_BT_in.nc", "checksum", f"expected MD5 {md5}, found {changed_md5}"),
        Fault("more.nc", "unlisted", "not in the manifest, so not checked"),
    ]
    assert [fault.is_fault for fault in faults] == [True, True, True, False]
    assert [fault.is_damage for fault in faults] == [False, True, True, False]
    assert absent_files(open_product(product)) == ["S7_BT_in.nc"]


def test_files_of_more_than_one_piece(product: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("slstr_cloudmask.io.product_check.CHUNK_BYTES", 100)
    assert verify_product(open_product(product)) == []


def test_a_file_that_cannot_be_read(product: Path, tmp_path: Path) -> None:
    path = packed_product(product, tmp_path / "a.zip")
    with zipfile.ZipFile(path) as file:
        place = file.getinfo(f"{NAME}/S8_BT_in.nc").header_offset
        offset = place + 30 + len(f"{NAME}/S8_BT_in.nc") + 20
    content = bytearray(path.read_bytes())
    content[offset] ^= 1
    path.write_bytes(content)

    (fault,) = verify_product(open_product(path))

    assert (fault.name, fault.kind, fault.is_damage) == ("S8_BT_in.nc", "unreadable", True)
    assert "is damaged" in fault.message


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission(product: Path) -> None:
    (product / "S8_BT_in.nc").chmod(0)
    (fault,) = verify_product(open_product(product))
    assert fault.kind == "unreadable"


def test_a_file_that_cannot_be_opened(product: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = open_product(product)
    read = Path.open

    def refuse(path: Path, *arguments: Any, **options: Any) -> Any:
        if path.name == "S8_BT_in.nc":
            raise PermissionError(13, "Permission denied")
        return read(path, *arguments, **options)

    monkeypatch.setattr(Path, "open", refuse)
    (fault,) = verify_product(opened)
    assert fault.kind == "unreadable"
    assert "Permission denied" in fault.message


def test_a_product_without_a_manifest(product: Path) -> None:
    (product / MANIFEST).unlink()
    opened = open_product(product)

    assert absent_files(opened) is None
    with pytest.raises(MissingFileError, match=r"has no xfdumanifest\.xml.*Download it too"):
        verify_product(opened)


def test_a_manifest_that_cannot_be_read_tells_nothing_of_absent_files(product: Path) -> None:
    (product / MANIFEST).write_text("<")
    assert absent_files(open_product(product)) is None


def test_only_damage_is_refused(product: Path) -> None:
    (product / "S7_BT_in.nc").unlink()
    (product / "more.nc").write_bytes(b"")
    assert check_product(open_product(product)) == ["S7_BT_in.nc"]

    for name in ("S8_BT_in.nc", "S9_BT_in.nc", "flags_in.nc", "geodetic_tx.nc"):
        (product / name).write_bytes(b"")
    message = r"not as its manifest says: S8_BT_in\.nc: expected .*and 1 more files\. Download"
    with pytest.raises(BrokenFileError, match=message):
        check_product(open_product(product))


@needs_real_product
def test_real_product() -> None:
    assert REAL is not None
    opened = open_product(REAL)

    manifest = read_manifest(opened)
    faults = verify_product(opened)

    assert manifest.baseline == "004"
    assert manifest.product_name == opened.name
    # As documented beside the product: 64 of 97 files.
    assert len(manifest.files) == 97
    assert {fault.kind for fault in faults} == {"absent"}
    assert len(faults) == 97 - 64


# -- the commands ---------------------------------------------------------------------------------

app = typer.Typer()
app.command()(predict)
app.command()(info)


def run(*arguments: str | Path) -> Any:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_info_of_a_whole_product(product: Path) -> None:
    result = run("info", product, "--verify")

    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    assert re.search(r"files absent\W+none", result.stdout)


def test_info_of_a_faulty_product(product: Path) -> None:
    list_files(product, *(listed(f"a{number}.nc") for number in range(4)))
    (product / "notes.txt").write_text("")

    plain, verified = run("info", product), run("info", product, "--verify", "--json")

    assert plain.exit_code == 0, plain.output
    assert re.search(r"4: a0\.nc, a1\.nc, a2\.nc, \.\.\.", plain.stdout)
    assert verified.exit_code == 1
    assert verified.stderr.splitlines() == [
        *(f"fault: {NAME}: a{number}.nc: absent" for number in range(4)),
        f"note: {NAME}: notes.txt: not in the manifest, so not checked",
    ]
    described = json.loads(verified.stdout)[0]
    assert described["files_absent"] == ["a0.nc", "a1.nc", "a2.nc", "a3.nc"]


def test_info_without_a_manifest(product: Path) -> None:
    (product / MANIFEST).unlink()

    plain, verified = run("info", product), run("info", product, "--verify")

    assert plain.exit_code == 0, plain.output
    assert "files absent" not in plain.stdout
    assert verified.exit_code == 2
    assert "has no xfdumanifest.xml" in verified.stderr


def test_predict_verifies_first(product: Path, tmp_path: Path) -> None:
    list_files(product, listed("S1_radiance_an.nc"))
    broken = write_product(tmp_path, name=NAME_005, bands=THERMAL)
    list_files(broken)
    content = bytearray((broken / "S8_BT_in.nc").read_bytes())
    content[-1] ^= 1
    (broken / "S8_BT_in.nc").write_bytes(content)
    arguments = ("predict", product, broken, "--detector", "thresholds", "-o", tmp_path / "out")

    result = run(*arguments, "--verify")

    assert result.exit_code == 1
    assert result.stdout.startswith(f"{NAME}: ")
    assert f"{NAME}: absent: S1_radiance_an.nc" in result.stderr
    assert re.search(f"failed: {NAME_005}: .*S8_BT_in.nc: expected MD5", result.stderr)
    assert run(*arguments, "--overwrite").exit_code == 0  # unseen without it


def test_a_zip_is_described_and_masked(product: Path, tmp_path: Path) -> None:
    path = packed_product(product, tmp_path / "a.zip")

    described = run("info", path, path.as_uri(), "--json")
    result = run("predict", path.as_uri(), "--detector", "thresholds", "-o", tmp_path / "a.nc")

    assert described.exit_code == 0, described.output
    assert [entry["name"] for entry in json.loads(described.stdout)] == [NAME, NAME]
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("a.zip: ")


def test_a_url_is_passed_on_as_it_is(tmp_path: Path) -> None:
    url = "s3://bucket/a*?token=1//2"
    assert expand_products([url, str(tmp_path), url]) == [url, tmp_path]
    with pytest.raises(InputError, match=r"s3://bucket/a\* is a URL: expected a file or folder"):
        expand_inputs([url])


def test_a_url_with_nothing_behind_it() -> None:
    result = run("predict", "memory://far/gone.SEN3?token=1", "--detector", "thresholds")

    assert result.exit_code == 2
    assert result.stderr == ("failed: gone.SEN3: There is no product at memory://far/gone.SEN3.\n")
