"""What a product's manifest says of it: name, time, and which files there should be.

    manifest = read_manifest(open_product(path))
    manifest.files["S8_BT_in.nc"].size

The manifest (``xfdumanifest.xml``) lists each file with its size and MD5 sum; `product_check`
compares them.
"""

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Never

from slstr_cloudmask.errors import BrokenFileError, InputError, MissingFileError
from slstr_cloudmask.io.product_name import MANIFEST

if TYPE_CHECKING:
    from slstr_cloudmask.io.product_store import Product

MAX_MANIFEST_BYTES = 2**24  # a real one is 170 kB

# A file in the product's own folder. Anything else would lead out of it.
_HREF = re.compile(r"(?:\./)?(?P<name>[A-Za-z0-9_-][A-Za-z0-9_.-]*)")
_MD5 = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class ManifestFile:
    """One file that a manifest lists.

    Attributes
    ----------
    size
        Bytes; None where the manifest does not say.
    md5
        MD5 sum in lower-case hexadecimal; None where the manifest does not say.
    """

    name: str
    size: int | None
    md5: str | None


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a manifest says of its product; None or nothing where it does not say.

    Attributes
    ----------
    product_name
        Name that the product was made under.
    baseline
        Baseline collection, ``004`` for example.
    start_time, stop_time
        Of the measurement, as written.
    files
        The product's files by name, without the manifest itself.
    """

    product_name: str | None
    baseline: str | None
    start_time: str | None
    stop_time: str | None
    files: dict[str, ManifestFile]


def parse_manifest(content: bytes, location: str) -> Manifest:
    """Read a manifest.

    No entity is ever expanded and no other document is read: a manifest with a document type,
    which is where entities are declared, is refused. (Expat from 2.4.1 on also guards against
    expansion without end by itself.)

    Parameters
    ----------
    content
        The whole file.
    location
        Where it was found, for messages.

    Raises
    ------
    BrokenFileError
        It is no XML, or does not list files as a manifest does.
    InputError
        It is larger than any manifest, has a document type, or names files outside the product.
    """
    if len(content) > MAX_MANIFEST_BYTES:
        raise InputError(
            f"{MANIFEST} of {location} is {len(content)} bytes, and {MAX_MANIFEST_BYTES} are the "
            "most that is read. Download the product again."
        )
    try:
        root = ET.fromstring(content, ET.XMLParser(target=_Plain(location)))
    except (ET.ParseError, LookupError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise BrokenFileError(
            f"{MANIFEST} of {location} is damaged: expected XML, found {error}. "
            "Download the product again."
        ) from error
    files = {file.name: file for file in _listed_files(root, location)}
    return Manifest(
        product_name=_text(root, "productName"),
        baseline=_text(root, "baselineCollection"),
        start_time=_text(root, "startTime"),
        stop_time=_text(root, "stopTime"),
        files=files,
    )


def read_manifest(product: "Product") -> Manifest:
    """Read the manifest of a product.

    Raises
    ------
    MissingFileError
        The product has none.
    BrokenFileError, InputError
        As `parse_manifest`.
    """
    if MANIFEST not in product.names:
        raise MissingFileError(
            f"{product.location} has no {MANIFEST}, which says what its files should be. "
            "Download it too."
        )
    if product.size(MANIFEST) > MAX_MANIFEST_BYTES:  # before it is read
        parse_manifest(bytes(MAX_MANIFEST_BYTES + 1), product.location)
    return parse_manifest(product.read(MANIFEST), product.location)


class _Plain(ET.TreeBuilder):
    """Builds the tree of a document that declares nothing of its own."""

    def __init__(self, location: str) -> None:
        super().__init__()
        self._location = location

    def doctype(self, name: str, pubid: str | None, system: str | None) -> Never:
        """Refuse the document: called where a document type begins."""
        raise InputError(
            f"{MANIFEST} of {self._location} declares a document type ({name}), which no manifest "
            "does. Get the product from a source that you trust."
        )


def _listed_files(root: ET.Element, location: str) -> Iterator[ManifestFile]:
    for stream in root.iter("byteStream"):
        place, checksum = stream.find("fileLocation"), stream.find("checksum")
        href = "" if place is None else place.get("href", "")
        match = _HREF.fullmatch(href)
        if match is None:
            raise InputError(
                f"{MANIFEST} of {location} lists {href!r}: expected a file in the product's own "
                "folder, such as ./S8_BT_in.nc. Get the product from a source that you trust."
            )
        size = stream.get("size", "")
        md5 = None
        if checksum is not None and checksum.get("checksumName", "").upper() == "MD5":
            md5 = (checksum.text or "").strip().lower()
        if not re.fullmatch("[0-9]{0,18}", size) or (md5 is not None and not _MD5.fullmatch(md5)):
            raise BrokenFileError(
                f"{MANIFEST} of {location} is damaged: expected a size and an MD5 sum of {href}, "
                f"found {size!r} and {md5!r}. Download the product again."
            )
        yield ManifestFile(match["name"], int(size) if size else None, md5)


def _text(root: ET.Element, name: str) -> str | None:
    """Text of the first element of a name, in whichever namespace."""
    return (root.findtext(f".//{{*}}{name}") or "").strip() or None
