"""Tables of labelled points: CSV, or Parquet with the extra ``labels``.

    points = read_label_points("pixbox.csv", columns={"label": "PIXEL_CLASS"})

Columns are found by the names that such tables use, or by those that are given. Without a label, an
optical depth, as of a lidar, tells cloud from clear.
"""

import csv
import logging
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from slstr_cloudmask.errors import BrokenFileError, InputError, MissingFileError
from slstr_cloudmask.extras import require
from slstr_cloudmask.flags import UNKNOWN
from slstr_cloudmask.io.label_points import LabelPoints, seconds_of
from slstr_cloudmask.io.label_words import label_codes, plain
from slstr_cloudmask.scene import FloatArray

logger = logging.getLogger(__name__)

SUFFIXES = (".csv", ".parquet")
# By what a column holds, as `plain` writes them.
COLUMN_NAMES = {
    "latitude": ("latitude", "lat", "latdeg", "latitudedeg"),
    "longitude": ("longitude", "lon", "lng", "long", "londeg", "longitudedeg"),
    "time": ("time", "datetime", "timeutc", "utc", "timestamp", "utctime", "acquisitiontime"),
    "label": ("label", "class", "cloud", "cloudmask", "cloudclass", "category", "skycondition"),
    "optical_depth": ("opticaldepth", "cod", "cloudopticaldepth", "columnopticaldepth", "tau"),
}
NEEDED = ("latitude", "longitude")
# Lidar studies take cloud from an optical depth of 0.2 to 0.4.
CLOUD_OPTICAL_DEPTH = 0.3


def read_label_points(
    path: str | Path,
    *,
    columns: Mapping[str, str] | None = None,
    label_map: Mapping[str, str] | None = None,
) -> LabelPoints:
    """Read a table of labelled points.

    Parameters
    ----------
    path
        ``.csv`` or ``.parquet``.
    columns
        Name of the column by what it holds (of `COLUMN_NAMES`), where it is called otherwise.
    label_map
        As `slstr_cloudmask.io.label_words.label_codes`.

    Returns
    -------
    LabelPoints
        The rows that have a place.

    Raises
    ------
    MissingFileError, BrokenFileError
        The file is not there, or is no such table.
    InputError
        A column is missing, a label or time cannot be read, or no row has a place and a label.
    MissingExtraError
        Parquet, without the extra ``labels``.
    """
    path = Path(path)
    if not path.is_file():
        raise MissingFileError(f"There is no table of labels {path}.")
    table = _read_parquet(path) if path.suffix.lower() == ".parquet" else _read_csv(path)
    found = _find_columns(path, table, columns or {})
    latitude_deg, longitude_deg, depth = (
        _numbers(found.get(name), found["latitude"])
        for name in ("latitude", "longitude", "optical_depth")
    )
    if filled := np.count_nonzero(depth < 0):
        logger.warning(
            "%s: %d of %d optical depths are below 0, which is unknown", path, filled, len(depth)
        )
        depth[depth < 0] = np.nan
    if "label" in found:
        cloud = label_codes(found["label"], label_map, where=str(path))
    else:
        cloud = np.where(np.isnan(depth), UNKNOWN, depth >= CLOUD_OPTICAL_DEPTH).astype(np.uint8)
    if "time" not in found:
        logger.warning(
            "%s has no column of times that is known, so its points lie in scenes of any time. It "
            "has %s: if one is the time, say --columns time=NAME.",
            path,
            ", ".join(table),
        )
    times = found.get("time", [None] * len(cloud))
    time_s = np.array([_time_of(path, row, value) for row, value in enumerate(times)], float)
    placed = (np.abs(latitude_deg) <= 90) & (np.abs(longitude_deg) <= 360)
    if not (placed & (cloud != UNKNOWN)).any():
        raise InputError(
            f"{path}: none of {len(cloud)} rows has a place and a label that is clear or cloud."
        )
    if not placed.all():
        logger.warning("%s: %d of %d rows have no place", path, (~placed).sum(), len(placed))
    return LabelPoints(
        latitude_deg[placed], longitude_deg[placed], time_s[placed], cloud[placed], depth[placed]
    )


def _read_csv(path: Path) -> dict[str, list[Any]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            start = file.read(4096)
            file.seek(0)
            delimiter = max(",;\t", key=start.partition("\n")[0].count)
            rows = csv.DictReader(file, delimiter=delimiter)
            names = list(rows.fieldnames or [])
            every = list(rows)
    except (UnicodeDecodeError, csv.Error) as error:
        raise BrokenFileError(f"{path} cannot be read as CSV: {error}.") from error
    return {name: [row[name] for row in every] for name in names}


def _read_parquet(path: Path) -> dict[str, list[Any]]:
    parquet = require("pyarrow.parquet", extra="labels")
    try:
        table: dict[str, list[Any]] = parquet.read_table(path).to_pydict()
    except (OSError, ValueError) as error:  # of pyarrow, which derives its errors from these
        raise BrokenFileError(f"{path} cannot be read as Parquet: {error}.") from error
    return table


def _find_columns(
    path: Path, table: Mapping[str, list[Any]], given: Mapping[str, str]
) -> dict[str, list[Any]]:
    """Return the columns that are known, by what they hold."""
    if strange := [name for name in given if name not in COLUMN_NAMES]:
        raise InputError(
            f"Unknown column {strange[0]!r}: expected any of {', '.join(COLUMN_NAMES)}."
        )
    if absent := [name for name in given.values() if name not in table]:
        raise InputError(f"{path} has no column {absent[0]!r}: it has {', '.join(table)}.")
    plain_names = {plain(name): name for name in reversed(list(table))}
    found = {}
    for what, names in COLUMN_NAMES.items():
        there = [plain_names[name] for name in names if name in plain_names]
        if what in given or there:
            found[what] = table[given.get(what) or there[0]]
    missing = [name for name in NEEDED if name not in found]
    if not {"label", "optical_depth"} & set(found):
        missing.append("label")
    if missing:
        raise InputError(
            f"{path} has no column of {', '.join(missing)}: it has "
            f"{', '.join(table) or 'no columns'}. Name them: --columns {missing[0]}=NAME."
        )
    return found


def _numbers(values: Iterable[Any] | None, like: list[Any]) -> FloatArray:
    if values is None:
        return np.full(len(like), np.nan)
    return np.array([_number(value) for value in values], np.float64)


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return math.nan


def _time_of(path: Path, row: int, value: Any) -> float:
    if value is None or str(value).strip() == "":
        return math.nan
    try:
        return seconds_of(value)
    except ValueError as error:
        raise InputError(
            f"{path}: cannot read the time {str(value)!r} of row {row + 1}: expected ISO 8601 in "
            "UTC, such as 2019-10-01T10:30:00Z."
        ) from error
