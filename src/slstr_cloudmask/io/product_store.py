"""A product as a set of named files, wherever it lies: a folder, a zip, a server.

    product = open_product("https://example.org/S3A_SL_1_RBT____....SEN3.zip")
    if "S8_BT_in.nc" in product.names:
        file = h5py.File(product.open("S8_BT_in.nc"))

Files in a local folder are opened where they are. All others are read into memory, each when it
is asked for and none before: nothing is unpacked, and nothing is written to the disk.
"""

import re
import zipfile
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from slstr_cloudmask.errors import InputError, MissingFileError
from slstr_cloudmask.io.product_manifest import parse_manifest
from slstr_cloudmask.io.product_name import (
    EXAMPLE,
    MANIFEST,
    parse_product_name,
    product_folder_name,
)
from slstr_cloudmask.io.product_zip import PackedProduct
from slstr_cloudmask.io.remote import (
    RemoteFolder,
    RemoteZip,
    connect,
    location_of,
    reaching,
    without_query,
    without_secrets,
)

_REQUESTS_AT_A_TIME = 16  # of a web server
# A measurement, of any band, grid and view.
_MEASUREMENT = re.compile(r"[SF][1-9]_(BT|radiance)_[abcfi][no]\.nc")


class Files(Protocol):
    """Where the files of a product are read from."""

    def open(self, name: str) -> Path | BinaryIO:
        """Open one file."""

    def size(self, name: str) -> int:
        """Size of one file, bytes."""


@dataclass(frozen=True, slots=True)
class Product:
    """The files of one product.

    Attributes
    ----------
    name
        Name of its folder, ``S3A_SL_1_RBT____....SEN3``.
    location
        Path or URL as it was given, for messages: without user, password and query.
    names
        The files that it holds. On a web server these are those of its manifest that are there.
    """

    name: str
    location: str
    names: frozenset[str] = field(repr=False)
    files: Files = field(repr=False, compare=False)

    def open(self, name: str) -> Path | BinaryIO:
        """Open one file.

        Returns
        -------
        Path or BinaryIO
            What ``h5py.File`` takes: the path of a local file, else the file in memory.

        Raises
        ------
        MissingFileError
            There is no such file.
        BrokenFileError
            It cannot be read.
        """
        with self._reaching(name):
            return self.files.open(name)

    def read(self, name: str) -> bytes:
        """Read one file whole; errors as of `open`."""
        with self._reaching(name):
            file = self.files.open(name)
            return file.read_bytes() if isinstance(file, Path) else file.read()

    def size(self, name: str) -> int:
        """Size of one file, bytes; errors as of `open`."""
        with self._reaching(name):
            return self.files.size(name)

    @contextmanager
    def _reaching(self, name: str) -> Iterator[None]:
        missing = f"There is no file {name} in {self.location}."
        if name not in self.names:
            raise MissingFileError(missing)
        with reaching(f"{name} in {self.location}", missing):
            yield


def open_product(path: str | Path) -> Product:
    """Find the product at a path or URL. Of its files only the manifest may be read, on the web.

    Parameters
    ----------
    path
        A ``.SEN3`` folder, the manifest in it, or a ``.zip`` of one; or the URL of one of these
        in any file system that fsspec knows: ``https://``, ``s3://``, ``memory://``. How to sign
        in to S3 is said in `slstr_cloudmask.io.remote`.

    Raises
    ------
    MissingFileError
        There is nothing at ``path``.
    InputError
        ``path`` is no product, a zip with several, or one that is not safe to unpack.
    BrokenFileError
        A zip or a manifest is damaged, or a server does not let it be read.
    MissingExtraError
        The library for such a URL is not installed.
    """
    location = location_of(path)
    if isinstance(location, Path):
        return _open_local(location)
    filesystem, inner = connect(location)
    if "file" in _protocols(filesystem):
        return _open_local(Path(inner))
    shown = without_secrets(location)
    with reaching(shown, f"There is no product at {shown}."):
        if without_query(inner).lower().endswith(".zip"):
            return _from_zip(RemoteZip(filesystem, inner), shown)
        if _protocols(filesystem) & {"http", "https"}:
            return _from_web(filesystem, inner, shown)
        return _from_remote_folder(filesystem, inner, shown)


# -- a folder on this machine ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _LocalFolder:
    folder: Path

    def open(self, name: str) -> Path:
        return self.folder / name

    def size(self, name: str) -> int:
        return (self.folder / name).stat().st_size


def _open_local(path: Path) -> Product:
    with reaching(str(path), f"There is no product at {path}."):
        if not path.exists():
            raise FileNotFoundError(path)
        if path.suffix.lower() == ".zip" and path.is_file():
            return _from_zip(partial(zipfile.ZipFile, path), str(path))
        folder = path.parent if path.name == MANIFEST else path
        if not folder.is_dir():
            raise InputError(_not_a_product(str(path), "found a file"))
        entries = list(folder.iterdir())
        names = frozenset(entry.name for entry in entries if entry.is_file())
        name = product_folder_name(folder)
        _check_is_product(str(path), name, names, [entry.name for entry in entries])
    return Product(name, str(path), names, _LocalFolder(folder))


# -- a folder behind a URL ------------------------------------------------------------------------


def _from_remote_folder(filesystem: Any, path: str, location: str) -> Product:
    """Open a folder of a file system that lists its folders."""
    path = path.rstrip("/")
    folder = path.removesuffix(f"/{MANIFEST}")
    entries = filesystem.ls(folder, detail=True)
    if [entry["name"].rstrip("/") for entry in entries if entry["type"] == "file"] == [folder]:
        raise InputError(_not_a_product(location, "found a file"))
    found = {entry["name"].rstrip("/").rpartition("/")[2]: entry["type"] for entry in entries}
    names = frozenset(name for name, kind in found.items() if kind == "file" and name)
    name = product_folder_name(location)
    _check_is_product(location, name, names, found)
    return Product(name, location, names, RemoteFolder(filesystem, folder))


def _from_web(filesystem: Any, path: str, location: str) -> Product:
    """Open a folder of a web server, which need not list its folders: the manifest does.

    The server is asked for each file, a few at a time, since a product need not be whole.
    """
    folder = path
    if (bare := without_query(path)).endswith(f"/{MANIFEST}"):
        folder = bare.removesuffix(f"/{MANIFEST}") + path[len(bare) :]
    files = RemoteFolder(filesystem, folder)
    try:
        content = files.open(MANIFEST).read()
    except FileNotFoundError as error:
        raise MissingFileError(
            f"There is no product at {location}: expected {MANIFEST} in it, which tells the files "
            "of a product on a web server."
        ) from error
    listed = sorted(parse_manifest(content, location).files)
    with ThreadPoolExecutor(_REQUESTS_AT_A_TIME) as pool:
        there = pool.map(files.holds, listed)
    names = frozenset(name for name, held in zip(listed, there, strict=True) if held) | {MANIFEST}
    name = product_folder_name(location)
    _check_is_product(location, name, names, names)
    return Product(name, location, names, files)


# -- a zip ----------------------------------------------------------------------------------------


def _from_zip(archive: Any, location: str) -> Product:
    packed = PackedProduct(archive, location, _is_product)
    return Product(packed.name, location, packed.names, packed)


# -- what a product looks like --------------------------------------------------------------------


def _is_product(name: str, files: Collection[str]) -> bool:
    """Tell a product by the name of its folder, or by the files in it."""
    return bool(parse_product_name(name)) or any(
        file == MANIFEST or _MEASUREMENT.fullmatch(file) for file in files
    )


def _check_is_product(
    location: str, name: str, names: Collection[str], found: Collection[str]
) -> None:
    if not _is_product(name, names):
        shown = ", ".join(sorted(found)[:3]) + (", ..." if len(found) > 3 else "")
        raise InputError(
            _not_a_product(location, f"found a folder with {shown or 'nothing in it'}")
        )


def _not_a_product(location: str, found: str) -> str:
    return (
        f"{location} is no SLSTR Level-1 product: expected a folder such as {EXAMPLE} with files "
        f"such as S8_BT_in.nc, {found}."
    )


def _protocols(filesystem: Any) -> set[str]:
    protocol = filesystem.protocol
    return {protocol} if isinstance(protocol, str) else set(protocol)
