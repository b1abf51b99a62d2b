"""A tiny product in other places than a folder: in a zip, behind a URL."""

import zipfile
from collections.abc import Iterable
from pathlib import Path

import h5py
import numpy as np

from slstr_cloudmask.io.product_store import Product
from tests.sen3_product import NAME, THERMAL, write_product

MANIFEST = "xfdumanifest.xml"
FILES = ("S8_BT_in.nc", "flags_in.nc")
DEFLATED = zipfile.ZIP_DEFLATED


def listed_product(parent: Path) -> Path:
    """Write a product whose manifest lists its files."""
    folder = write_product(parent, bands=THERMAL)
    (folder / MANIFEST).write_text(manifest(path.name for path in folder.glob("*.nc")))
    return folder


def manifest(names: Iterable[str]) -> str:
    streams = "".join(
        f'<dataObject><byteStream><fileLocation href="./{name}"/></byteStream></dataObject>'
        for name in names
    )
    return f"<x>{streams}</x>"


def packed(path: Path, members: dict[str, bytes], compression: int = DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as file:
        for name, content in members.items():
            file.writestr(zipfile.ZipInfo(name), content, compression)
    return path


def packed_product(product: Path, path: Path, folder: str = f"{NAME}/") -> Path:
    return packed(path, {folder + file.name: file.read_bytes() for file in product.iterdir()})


def check_same(opened: Product, product: Path) -> None:
    """The files, by name, size and content, are those of the local folder."""
    assert opened.name == NAME
    assert opened.names == {path.name for path in product.iterdir()}
    for name in FILES:
        assert opened.size(name) == (product / name).stat().st_size
        assert opened.read(name) == (product / name).read_bytes()
    with h5py.File(opened.open("S8_BT_in.nc")) as file:
        assert np.array(file["S8_BT_in"]).shape == (4, 32)
