"""Whether a file is what an object store's ETag says.

    how, part_bytes = check_etag(path, "9e107d9d372bb6826bd81d3542a419d6-21")

An ETag is the MD5 sum of an object, or of an object that was put there in parts the MD5 sum of the
parts' MD5 sums, with their number behind it. How large the parts were it does not say: usual sizes
that give this number are tried, and then the store is asked.
"""

import hashlib
import re
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO

_MIB = 2**20
_READ_BYTES = 4 * _MIB
# Defaults of clients, MiB: aws and boto3 8, rclone 5, s3cmd 15, mc 16, s3fs 50, and round numbers.
_USUAL_MIB = (8, 5, 15, 16, 50, 10, 20, 25, 32, 64, 100, 128, 200, 250, 256, 500, 512, 1000, 1024)
_MOST_GUESSES = 12  # each is a reading of the file
_WHOLE = re.compile(r"[0-9a-f]{32}")
_IN_PARTS = re.compile(r"(?P<sum>[0-9a-f]{32})-(?P<parts>[1-9]\d{0,4})")


class Checked(StrEnum):
    """How far a file is known to be right."""

    MD5 = "md5"
    PARTS = "md5 of parts"
    SIZE = "size alone"  # the ETag tells nothing that can be computed
    WRONG = "wrong"


def check_etag(
    path: Path, etag: str, ask_part_bytes: Callable[[], int | None] = lambda: None
) -> tuple[Checked, int | None]:
    """Compare a file of the right size with an ETag.

    Parameters
    ----------
    path
        The file.
    etag
        Without its quotes.
    ask_part_bytes
        Finds out the size of the parts where guesses do not fit; None where nobody knows.

    Returns
    -------
    Checked, int or None
        The verdict, and the size of the parts that gave the ETag.
    """
    if _WHOLE.fullmatch(etag):
        return (Checked.MD5 if _md5(path) == etag else Checked.WRONG), None
    match = _IN_PARTS.fullmatch(etag)
    if match is None:
        return Checked.SIZE, None
    guesses = part_guesses(path.stat().st_size, int(match["parts"]))
    for part_bytes in guesses:
        if _md5_of_parts(path, part_bytes) == match["sum"]:
            return Checked.PARTS, part_bytes
    known = ask_part_bytes()
    if known is None or known <= 0:
        return Checked.SIZE, None
    if known not in guesses and _md5_of_parts(path, known) == match["sum"]:
        return Checked.PARTS, known
    return Checked.WRONG, known


def part_guesses(size: int, parts: int) -> list[int]:
    """List sizes of parts, bytes, of which an object has this number; the likeliest first."""
    if parts == 1:
        return [max(size, 1)]
    # Of whole MiB, those p with (parts - 1) p < size <= parts p.
    lowest = -(-size // (parts * _MIB))
    highest = (size - 1) // ((parts - 1) * _MIB)
    fitting = range(max(lowest, 1), highest + 1)
    usual = [mib for mib in _USUAL_MIB if mib in fitting]
    others = (mib for mib in fitting if mib not in usual)
    return [mib * _MIB for mib, _ in zip((*usual, *others), range(_MOST_GUESSES), strict=False)]


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, _new_md5).hexdigest()


def _md5_of_parts(path: Path, part_bytes: int) -> str:
    total = _new_md5()
    with path.open("rb") as file:
        while digest := _md5_of_next(file, part_bytes):
            total.update(digest)
    return total.hexdigest()


def _md5_of_next(file: BinaryIO, part_bytes: int) -> bytes:
    """MD5 sum of the next part; nothing at the end of the file."""
    part, left = _new_md5(), part_bytes
    while left and (block := file.read(min(_READ_BYTES, left))):
        part.update(block)
        left -= len(block)
    return part.digest() if left < part_bytes else b""


def _new_md5() -> "hashlib._Hash":
    return hashlib.md5(usedforsecurity=False)
