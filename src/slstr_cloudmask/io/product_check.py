"""Whether a product came over whole: each file against the size and MD5 sum in the manifest.

for fault in verify_product(open_product(path)):
    print(fault)
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from slstr_cloudmask.errors import BrokenFileError, InputError, MissingFileError
from slstr_cloudmask.io.product_manifest import ManifestFile, read_manifest
from slstr_cloudmask.io.product_name import MANIFEST
from slstr_cloudmask.io.product_store import Product
from slstr_cloudmask.progress import track

CHUNK_BYTES = 2**20


@dataclass(frozen=True, slots=True)
class Fault:
    """One file that is not as the manifest says.

    Attributes
    ----------
    kind
        ``absent``; ``unreadable``; another ``size``; another ``checksum``; or ``unlisted``: not in
        the manifest, which is no harm.
    message
        What was expected and found, in a few words.
    """

    name: str
    kind: Literal["absent", "unreadable", "size", "checksum", "unlisted"]
    message: str

    @property
    def is_fault(self) -> bool:
        """The product is not as its manifest says."""
        return self.kind != "unlisted"

    @property
    def is_damage(self) -> bool:
        """The file is there, and is not what it should be."""
        return self.kind in ("unreadable", "size", "checksum")

    def __str__(self) -> str:
        return f"{self.name}: {self.message}"


def verify_product(product: Product) -> list[Fault]:
    """Compare every file of a product with its manifest: there, its size, its MD5 sum.

    Returns
    -------
    list of Fault
        Nothing where all is well. Files that the manifest does not list come last, and are no harm.

    Raises
    ------
    MissingFileError, BrokenFileError, InputError
        There is no manifest, or none that can be read.
    """
    files = read_manifest(product).files
    found = [file_fault(product, file) for file in track(files.values(), "Verifying")]
    unlisted = sorted(product.names - files.keys() - {MANIFEST})
    return [fault for fault in found if fault] + [
        Fault(name, "unlisted", "not in the manifest, so not checked") for name in unlisted
    ]


def check_product(product: Product) -> list[str]:
    """Refuse a product with a damaged file.

    Returns
    -------
    list of str
        Files that the manifest lists and that are absent: a product of some of its files is fine.

    Raises
    ------
    BrokenFileError
        A file cannot be read, or is not the one that the manifest lists.
    MissingFileError, InputError
        As `verify_product`.
    """
    faults = verify_product(product)
    if damaged := [fault for fault in faults if fault.is_damage]:
        more = f", and {len(damaged) - 3} more files" if len(damaged) > 3 else ""
        raise BrokenFileError(
            f"{product.location} is not as its manifest says: "
            f"{'; '.join(map(str, damaged[:3]))}{more}. Download the product again."
        )
    return [fault.name for fault in faults if fault.kind == "absent"]


def absent_files(product: Product) -> list[str] | None:
    """Files that the manifest lists and the product does not hold, at a glance.

    None where the product has no manifest that can be read.
    """
    try:
        files = read_manifest(product).files
    except (MissingFileError, BrokenFileError, InputError):
        return None
    return [name for name in files if name not in product.names]


def file_fault(product: Product, file: ManifestFile) -> Fault | None:
    """Compare one file with its line of the manifest, its size first; None where it is whole."""
    if file.name not in product.names:
        return Fault(file.name, "absent", "absent")
    try:
        size = product.size(file.name)
        if file.size is not None and size != file.size:
            return Fault(file.name, "size", f"expected {file.size} bytes, found {size}")
        if file.md5 is not None and (found := _md5(product, file.name)) != file.md5:
            return Fault(file.name, "checksum", f"expected MD5 {file.md5}, found {found}")
    except MissingFileError:
        return Fault(file.name, "absent", "absent")
    except BrokenFileError as error:
        return Fault(file.name, "unreadable", str(error))
    return None


def _md5(product: Product, name: str) -> str:
    content = product.open(name)
    digest = hashlib.md5(usedforsecurity=False)
    if isinstance(content, Path):
        try:
            with content.open("rb") as file:
                while chunk := file.read(CHUNK_BYTES):
                    digest.update(chunk)
        except OSError as error:
            raise BrokenFileError(f"it cannot be read: {error}") from error
    else:
        digest.update(content.read())
    return digest.hexdigest()
