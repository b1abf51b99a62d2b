"""The format of a Level-1 product as data: every file, its variables, types and attributes.

    format = product_format()
    format.files["S8_BT_in.nc"].variables["S8_BT_in"].attributes["scale_factor"]

Read from ``data/product_format.json``, which `product_format_maker` makes from genuine products
and which says of each file where its description is from.
"""

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np

# A text, or an array of numbers with its type; None is an empty text.
Attribute = str | np.ndarray[Any, Any] | None

TEXT = "text"  # dtype of variables that hold text


@dataclass(frozen=True, slots=True)
class VariableFormat:
    """A variable: NumPy's name of its type (or `TEXT`), dimensions, fill value, attributes.

    The fill value is there even where no attribute says so; NaN for `TEXT`, which has none.
    """

    dtype: str
    dims: tuple[str, ...]
    fill: float | int
    attributes: dict[str, Attribute]


@dataclass(frozen=True, slots=True)
class FileFormat:
    """A file of a product.

    Attributes
    ----------
    name
        With its ending.
    kind
        ``BT``, ``radiance``, ``quality``, ``flags``, ``geodetic``, ``cartesian``, ``geometry``,
        ``indices``, ``time``, ``met`` or ``viscal``.
    band
        ``S1`` ... ``S9``, ``F1``, ``F2``; empty for other files.
    grid
        Two letters, grid and view: ``an``, ``io``, ``tx``; empty for ``viscal.nc``.
    source
        Where the description is from: ``product``, ``export+`` or ``like`` another file.
    sizes
        Of the dimensions that do not depend on the scene.
    """

    name: str
    kind: str
    band: str
    grid: str
    source: str
    sizes: dict[str, int]
    variables: dict[str, VariableFormat]


@dataclass(frozen=True, slots=True)
class Unit:
    """An entry of the manifest: identifier, type, words, file, and what belongs to the file."""

    identifier: str
    kind: str
    text: str
    file: str
    annotations: tuple[str, ...]

    @property
    def data(self) -> str:
        """Identifier of the file's own entry."""
        return f"{self.identifier.removesuffix('Unit')}Data"


@dataclass(frozen=True, slots=True)
class ProductFormat:
    """Files by name, global attributes by name (value None: of the one product), manifest."""

    files: dict[str, FileFormat]
    attributes: dict[str, Any]
    viscal_attributes: dict[str, Any]
    units: tuple[Unit, ...]
    annotations: tuple[str, ...]


@cache
def product_format() -> ProductFormat:
    """Read the format; the result is shared and must not be changed."""
    text = (files("slstr_cloudmask.simulate") / "data" / "product_format.json").read_text("utf-8")
    table = json.loads(text)
    units = tuple(
        Unit(row["id"], row["type"], row["text"], row["file"], tuple(row.get("annotations", ())))
        for row in table["manifest"]["units"]
    )
    return ProductFormat(
        files={name: _file(name, row, table) for name, row in table["files"].items()},
        attributes=table["attributes"]["image"],
        viscal_attributes=table["attributes"]["viscal"],
        units=units,
        annotations=tuple(table["manifest"]["annotations"]),
    )


def _file(name: str, row: dict[str, Any], table: dict[str, Any]) -> FileFormat:
    stem, band = name.removesuffix(".nc"), row["band"]
    variables = {}
    for hidden, number in table["templates"][row["template"]].items():
        variable = hidden.replace("<band>", band).replace("<grid>", row["grid"])
        variables[variable] = _variable(table["variables"][number], band, row["where"])
    parts = stem.split("_")
    return FileFormat(
        name=name,
        kind=parts[1] if band else parts[0],
        band=band,
        grid=parts[-1] if len(parts) > 1 else "",
        source=row["from"],
        sizes=row.get("sizes", {}),
        variables=variables,
    )


def _variable(row: dict[str, Any], band: str, where: str) -> VariableFormat:
    attributes: dict[str, Attribute] = {}
    for name, value in row["attributes"].items():
        if isinstance(value, str):
            attributes[name] = value.replace("<band>", band).replace("<where>", where)
        else:
            ((dtype, numbers),) = value.items()
            attributes[name] = np.array(
                [np.nan if number is None else number for number in numbers], dtype
            )
    fill = np.nan if row["fill"] is None else row["fill"]
    return VariableFormat(row["dtype"], tuple(row["dims"]), fill, attributes)
