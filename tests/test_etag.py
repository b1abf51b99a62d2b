import hashlib
from pathlib import Path

import pytest

from slstr_cloudmask.io.etag import Checked, check_etag, part_guesses

MIB = 2**20
CONTENT = bytes(range(256)) * 4096 * 12 + b"end"  # twelve MiB and three bytes


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "a.hdf"
    path.write_bytes(CONTENT)
    return path


def etag_of_parts(part_bytes: int) -> str:
    parts = [CONTENT[start : start + part_bytes] for start in range(0, len(CONTENT), part_bytes)]
    digests = b"".join(hashlib.md5(part).digest() for part in parts)
    return f"{hashlib.md5(digests).hexdigest()}-{len(parts)}"


def test_the_md5_sum_of_an_object(file: Path) -> None:
    etag = hashlib.md5(CONTENT).hexdigest()
    assert check_etag(file, etag) == (Checked.MD5, None)
    file.write_bytes(CONTENT[:-1] + b"D")
    assert check_etag(file, etag) == (Checked.WRONG, None)


@pytest.mark.parametrize("mib", [5, 6, 8])
def test_the_md5_sums_of_parts_of_a_size_that_is_guessed(file: Path, mib: int) -> None:
    etag = etag_of_parts(mib * MIB)
    assert check_etag(file, etag) == (Checked.PARTS, mib * MIB)


def test_one_part_is_the_whole(file: Path) -> None:
    assert check_etag(file, etag_of_parts(100 * MIB)) == (Checked.PARTS, len(CONTENT))


def test_parts_of_a_size_that_only_the_store_knows(file: Path) -> None:
    etag = etag_of_parts(7_000_000)
    assert check_etag(file, etag) == (Checked.SIZE, None)
    assert check_etag(file, etag, lambda: 7_000_000) == (Checked.PARTS, 7_000_000)
    file.write_bytes(CONTENT[:-1] + b"D")
    assert check_etag(file, etag, lambda: 7_000_000) == (Checked.WRONG, 7_000_000)
    assert check_etag(file, etag_of_parts(8 * MIB), lambda: 8 * MIB) == (Checked.WRONG, 8 * MIB)


@pytest.mark.parametrize("etag", ["", "anything", "a" * 31, "A" * 32, "a" * 32 + "-0"])
def test_an_etag_that_tells_nothing(file: Path, etag: str) -> None:
    assert check_etag(file, etag) == (Checked.SIZE, None)


def test_sizes_of_parts_that_give_a_number_of_parts() -> None:
    # 170 MiB in 22 parts: 170 / 22 = 7.7 to 170 / 21 = 8.1 MiB, which is 8 alone.
    assert part_guesses(170 * MIB, 22) == [8 * MIB]
    # In three: 57 to 84 MiB, of which 64 is usual; twelve readings are enough.
    guesses = part_guesses(170 * MIB, 3)
    assert guesses[0] == 64 * MIB
    assert len(guesses) == 12
    assert all(-(-170 * MIB // part) == 3 for part in guesses)
    # Seventeen bytes cannot be in two parts of whole MiB.
    assert part_guesses(17, 2) == []
    assert part_guesses(0, 1) == [1]
