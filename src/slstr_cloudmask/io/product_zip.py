"""A product packed in a zip, read without unpacking it to the disk.

    packed = PackedProduct(archive, "S3A_SL_1_RBT____....SEN3.zip", is_product)
    content = packed.read("S8_BT_in.nc")

Only the members that are asked for are read, each into memory. What a zip says of itself is not
believed: names that lead out of the folder and sizes that are out of all proportion are refused,
and a member is never unpacked beyond the size that it declares.
"""

import copy
import io
import re
import struct
import zipfile
import zlib
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import PurePosixPath

from slstr_cloudmask.errors import BrokenFileError, InputError
from slstr_cloudmask.io.product_name import EXAMPLE, parse_product_name, product_stem

# A product is about 450 MB in 100 files, the largest of them 20 MB, and hardly compressible.
MAX_MEMBERS = 10_000
MAX_MEMBER_BYTES = 2**30
MAX_TOTAL_BYTES = 2**34
# Compression by more than this is suspect in a large member.
MAX_COMPRESSION = 100
COMPRESSION_CHECKED_BYTES = 2**26

_UNSAFE = re.compile(r"^/|^[A-Za-z]:|\\|(^|/)\.\.(/|$)|\x00")
_ENCRYPTED = 0x1  # bit 0 of the general purpose flags (PKWARE APPNOTE.TXT 4.4.4)
_MAC_FOLDER = "__MACOSX"  # in it a Mac puts what other systems have no place for
# What zipfile raises at content that is damaged or made to mislead.
_DAMAGE = (
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    NotImplementedError,
    RuntimeError,
    TypeError,
    ValueError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)

Archive = Callable[[], AbstractContextManager[zipfile.ZipFile]]


class PackedProduct:
    """The files of the one product in a zip.

    Parameters
    ----------
    archive
        Gives the open zip; called for each reading.
    location
        Where the zip lies, for messages.
    is_product
        Tells from a folder's name and its files whether it is a product.

    Attributes
    ----------
    name
        Name of the product's folder in the zip, else of the zip itself.
    names
        Its files.

    Raises
    ------
    InputError
        The zip holds no product, or more than one; it is encrypted, or unsafe to unpack.
    BrokenFileError
        It is damaged.
    """

    def __init__(
        self, archive: Archive, location: str, is_product: Callable[[str, Collection[str]], bool]
    ) -> None:
        self._archive = archive
        self._location = location
        with self._whole(), archive() as opened:
            entries = opened.infolist()
        _check_entries(entries, location)
        folder, self._members = _one_product(entries, location, is_product)
        self.name = PurePosixPath(folder).name or _name_of_zip(location)
        self.names = frozenset(self._members)

    def open(self, name: str) -> io.BytesIO:
        """Open one member, unpacked in memory."""
        return io.BytesIO(self._read(self._members[name]))

    def size(self, name: str) -> int:
        """Size of one member, bytes, as the zip declares it."""
        return self._members[name].file_size

    def _read(self, entry: zipfile.ZipInfo) -> bytes:
        declared = entry.file_size
        # One byte more than is declared shows whether there is more. Left to itself, zipfile would
        # cut the member off there.
        entry = copy.copy(entry)
        entry.file_size = declared + 1
        with self._whole(), self._archive() as opened, opened.open(entry) as member:
            content = member.read(declared + 1)
        if len(content) != declared:
            raise BrokenFileError(
                f"{self._location} is damaged: {entry.filename} in it is not the {declared} bytes "
                "that the zip declares. Download the product again."
            )
        return content

    @contextmanager
    def _whole(self) -> Iterator[None]:
        try:
            yield
        except _DAMAGE as error:
            reason = " ".join(str(error).split()).rstrip(".") or type(error).__name__
            raise BrokenFileError(
                f"{self._location} is damaged: expected a zip, {reason}. "
                "Download the product again."
            ) from error


def _check_entries(entries: list[zipfile.ZipInfo], location: str) -> None:
    """Refuse what an honest product never has.

    Raises
    ------
    InputError
        The zip is encrypted, or unsafe to unpack.
    """
    found = _unsafe_list(entries) or next(filter(None, map(_unsafe_entry, entries)), None)
    if found:
        raise InputError(
            f"{location} is not unpacked: {found}. Get the product from a source that you trust."
        )
    if any(entry.flag_bits & _ENCRYPTED for entry in entries):
        raise InputError(
            f"{location} is encrypted. Unpack it with its password, and give the .SEN3 folder in "
            "it."
        )


def _unsafe_list(entries: list[zipfile.ZipInfo]) -> str | None:
    if len(entries) > MAX_MEMBERS:
        return f"it holds {len(entries)} files, and {MAX_MEMBERS} are the most that is allowed"
    total = sum(entry.file_size for entry in entries)
    if total > MAX_TOTAL_BYTES:
        return f"its files are {total} bytes, and {MAX_TOTAL_BYTES} are the most that is allowed"
    names = set()
    for entry in entries:
        if entry.filename in names:
            return f"it holds two files of the name {entry.filename!r}"
        names.add(entry.filename)
    return None


def _unsafe_entry(entry: zipfile.ZipInfo) -> str | None:
    name, size = entry.orig_filename, entry.file_size
    if _UNSAFE.search(name):
        return f"the name {name!r} in it leads out of the product's folder"
    if size > MAX_MEMBER_BYTES:
        return f"{name!r} in it is {size} bytes, and {MAX_MEMBER_BYTES} are the most allowed"
    if size > COMPRESSION_CHECKED_BYTES and size > MAX_COMPRESSION * entry.compress_size:
        return f"{name!r} in it is compressed {MAX_COMPRESSION} times and more, as a trap is"
    return None


def _one_product(
    entries: list[zipfile.ZipInfo],
    location: str,
    is_product: Callable[[str, Collection[str]], bool],
) -> tuple[str, dict[str, zipfile.ZipInfo]]:
    """Find the folder in the zip that is a product, and its files by name."""
    folders: defaultdict[str, dict[str, zipfile.ZipInfo]] = defaultdict(dict)
    for entry in entries:
        path = PurePosixPath(entry.filename)
        if _MAC_FOLDER in path.parts:
            continue
        if entry.is_dir():
            folders[str(path)].update()
        else:
            folders[str(path.parent)][path.name] = entry
    products = {
        folder: files
        for folder, files in folders.items()
        if is_product(PurePosixPath(folder).name, files)
    }
    if len(products) > 1:
        names = ", ".join(sorted(PurePosixPath(folder).name or "." for folder in products))
        raise InputError(
            f"{location} holds more than one product: {names}. Unpack it, and give their folders."
        )
    if not products:
        shown = ", ".join(sorted(entry.filename for entry in entries)[:3]) or "nothing"
        raise InputError(
            f"{location} holds no SLSTR Level-1 product: expected a folder such as {EXAMPLE} with "
            f"files such as S8_BT_in.nc, found {shown}."
        )
    return products.popitem()


def _name_of_zip(location: str) -> str:
    """Name of a product whose files are at the top of a zip."""
    return product_stem(location) + (".SEN3" if parse_product_name(location) else "")
