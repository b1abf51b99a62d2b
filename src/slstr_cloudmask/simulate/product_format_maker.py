"""Make the table of a product's files that `product_format` reads, from genuine products.

    python -m slstr_cloudmask.simulate.product_format_maker FOLDER.SEN3 EXPORT.nc

FOLDER is a product of baseline 004; what it does not have comes from EXPORT, a whole product that
SNAP exported to one NetCDF-3 file. Names, types, dimensions, packing, flags and the manifest's
entries are kept: facts of the format. What belongs to the one product (times, orbit, sizes,
checksums) is not. ``data/product_format.json`` says of every file where its description is from.
"""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py

from slstr_cloudmask.atomic import write_bytes
from slstr_cloudmask.errors import InputError
from slstr_cloudmask.io.product_name import MANIFEST
from slstr_cloudmask.simulate.product_format_export import Variables, absent_file, product_file

# Global attributes whose text is the same in every product; others are of the one product.
_CONSTANT = ("title", "references", "resolution")
_UNIT = re.compile(
    r'<xfdu:contentUnit ID="([^"]+)" unitType="([^"]+)" textInfo="([^"]+)"(?: dmdID="([^"]+)")?>\s*'
    r'<dataObjectPointer dataObjectID="([^"]+)"'
)
_OBJECT = re.compile(r'<dataObject ID="([^"]+)">.*?href="\./([^"]+)"', re.DOTALL)
_ANNOTATION = re.compile(r'<metadataObject ID="([^"]+)"[^>]*>\s*<dataObjectPointer')
_WHERE = re.compile(r"\((?:A stripe|B stripe|1km TIR|1km F1) grid, (?:nadir|oblique) view\)")


def main(arguments: list[str]) -> None:
    """Write the table from a product's folder and an exported product."""
    if len(arguments) != 2:
        raise InputError(f"Expected a .SEN3 folder and an exported file; found {arguments}.")
    target = Path(__file__).parent / "data" / "product_format.json"
    text = format_text(Path(arguments[0]), Path(arguments[1]))
    write_bytes(target, text.encode(), overwrite=True)


def format_text(folder: Path, export: Path) -> str:
    """Return the text of ``data/product_format.json``."""
    manifest = (folder / MANIFEST).read_text("utf-8")
    table = _Table()
    for name in [href for _, href in _OBJECT.findall(manifest)]:
        if (folder / name).is_file():
            table.add(name, "product", *product_file(folder / name))
        else:
            table.add(name, *absent_file(name, folder, export))
    content = {
        "provenance": {
            "product": folder.name,
            "export": export.name,
            "export+": "the export; orphans and what SNAP leaves out are like the product's",
            "export+, assumed": "in neither: dimensions and NaN fill of met_tx.nc, standard_name "
            "and add_offset of geodetic_*, long_name of orphan radiances",
        },
        "attributes": _global_attributes(folder),
        "manifest": _manifest(manifest),
        **table.content(),
    }
    return _lines(content)


class _Table:
    """Files by template, so that what differs in band and grid alone is written once."""

    def __init__(self) -> None:
        self._files: dict[str, dict[str, Any]] = {}
        self._templates: list[str] = []
        self._kinds: list[str] = []

    def add(self, name: str, source: str, variables: Variables, sizes: dict[str, int]) -> None:
        band, grid, where = _placeholders(name, variables)
        template = {}
        for variable, kind in variables.items():
            text = _hidden(json.dumps(kind), band, "", where)
            template[_hidden(variable, band, grid, "")] = _index(self._kinds, text)
        entry: dict[str, Any] = {"template": _index(self._templates, json.dumps(template))}
        entry |= {"band": band, "grid": grid, "where": where, "from": source}
        self._files[name] = entry | ({"sizes": sizes} if sizes else {})

    def content(self) -> dict[str, Any]:
        return {
            "files": self._files,
            "templates": [json.loads(text) for text in self._templates],
            "variables": [json.loads(text) for text in self._kinds],
        }


def _index(known: list[str], text: str) -> int:
    if text not in known:
        known.append(text)
    return known.index(text)


def _placeholders(name: str, variables: Variables) -> tuple[str, str, str]:
    """Band, grid and the words for it, of a file."""
    stem = name.removesuffix(".nc")
    band = stem[:2] if re.match(r"[SF]\d_", stem) else ""
    grid = stem.rpartition("_")[2] if "_" in stem else ""
    if name.startswith("time_"):
        grid = grid[0]  # its variables end in the stripe alone
    found = _WHERE.search(json.dumps(variables))
    return band, grid, found.group() if found else ""


def _hidden(text: str, band: str, grid: str, where: str) -> str:
    """Put placeholders for what differs from file to file; `product_format` undoes it."""
    if grid:
        text = re.sub(rf"_{grid}$", "_<grid>", text)
    if band:
        text = re.sub(rf"\b{band}(?=_|\b)", "<band>", text)
    return text.replace(where, "<where>") if where else text


def _global_attributes(folder: Path) -> dict[str, dict[str, Any]]:
    """Global attributes: the text that is always the same, else the type, null where empty."""
    described = {}
    for name in ("S8_BT_in.nc", "viscal.nc"):
        with h5py.File(folder / name) as file:
            described[name] = {key: _global(key, value) for key, value in file.attrs.items()}
    return {"image": described["S8_BT_in.nc"], "viscal": described["viscal.nc"]}


def _global(key: str, value: Any) -> Any:
    if isinstance(value, h5py.Empty):
        return None
    if isinstance(value, bytes):
        return value.decode() if key in _CONSTANT and key != "resolution" else {"text": None}
    return {value.dtype.name: None}


def _manifest(text: str) -> dict[str, Any]:
    """Entries of the manifest, in its order."""
    files = dict(_OBJECT.findall(text))
    units = [
        {"id": unit, "type": kind, "text": words, "file": files[data]}
        | ({"annotations": annotations.split()} if annotations else {})
        for unit, kind, words, annotations, data in _UNIT.findall(text)
    ]
    return {"units": units, "annotations": _ANNOTATION.findall(text)}


def _lines(content: dict[str, Any]) -> str:
    """JSON with one line for each entry of a list or table."""
    return "\n".join(_pieces(content)) + "\n"


def _pieces(content: dict[str, Any]) -> Iterator[str]:
    yield "{"
    for index, (key, value) in enumerate(content.items()):
        comma = "," if index < len(content) - 1 else ""
        rows = value if isinstance(value, list) else [{k: v} for k, v in value.items()]
        texts = [json.dumps(row) for row in rows]
        opening, closing = "[]" if isinstance(value, list) else "{}"
        texts = texts if isinstance(value, list) else [text[1:-1] for text in texts]
        yield f"{json.dumps(key)}: {opening}"
        yield ",\n".join(texts)
        yield closing + comma
    yield "}"


if __name__ == "__main__":
    main(sys.argv[1:])
