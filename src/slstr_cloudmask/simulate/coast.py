"""Where the land and the lakes lie in a scene: Natural Earth's outlines on the pixels of an image.

    land = layer_fraction("land", position, centre=(78.5, 16.0), reach_km=960, shape=(1200, 1500))
    far = coast_distance_km(land)

``position`` maps latitude and longitude to rows and columns of any image of about 1 km a pixel.
The outlines come with the package (``data/natural_earth.npz``, which ``natural_earth.py`` makes):
closed rings, cut into tiles of 5 by 5 degrees, of which those near the scene are projected.

A pixel's fraction is the exact area of the projected rings in it, not a count of samples: each
piece of an edge adds its signed area to its pixel and its height to all pixels on the right. Rings
that bound a hole run the other way round, and the common borders of tiles cancel.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from io import BytesIO
from typing import Any

import numpy as np
import numpy.typing as npt

from slstr_cloudmask.errors import InputError

Field = npt.NDArray[np.float32]
Vector = npt.NDArray[np.float64]
Position = Callable[[Vector, Vector], tuple[Vector, Vector]]

LAYERS = ("land", "lakes")
TILE_DEG, TILE_STEPS = 5, 8192  # a step is 0.0006 degrees, at most 68 m
TILE_COLUMNS = 360 // TILE_DEG

# Mean radius of the Earth (IUGG R1, from memory); enough to tell which tiles are near.
EARTH_RADIUS_KM = 6371.0
# What remains where tiles meet, as their corners are rounded to steps.
_SEAM_FRACTION = 2e-3


@dataclass(frozen=True, slots=True)
class Layer:
    """The rings of a layer, tile by tile.

    Attributes
    ----------
    latitude_deg, longitude_deg
        Points of closed rings, one ring after another; outer rings counter-clockwise.
    is_last
        Whether a point is its ring's last, which repeats the first.
    tile
        Tiles that hold something: row from 90 S times `TILE_COLUMNS` plus column from 180 W.
    first_point
        Where each tile's points start, and where the last tile's end.
    """

    latitude_deg: Vector
    longitude_deg: Vector
    is_last: npt.NDArray[np.bool_]
    tile: npt.NDArray[np.int64]
    first_point: npt.NDArray[np.int64]


@cache
def read_layer(name: str) -> Layer:
    """Read a layer of the package's data; it is kept for the next call.

    Raises
    ------
    InputError
        There is no such layer.
    """
    if name not in LAYERS:
        raise InputError(
            f"Expected one of the layers {', '.join(LAYERS)}; found {name!r}. Name one of them."
        )
    content = files("slstr_cloudmask.simulate").joinpath("data/natural_earth.npz").read_bytes()
    with np.load(BytesIO(content), allow_pickle=False) as store:
        tile = store[f"{name}_tile"].astype(np.int64)
        rings_of_tile = store[f"{name}_rings"].astype(np.int64)
        points_of_ring = store[f"{name}_points"].astype(np.int64)
        # Differences of successive points, modulo 2**16.
        x, y = (np.cumsum(store[f"{name}_{axis}"], dtype=np.uint16) for axis in "xy")
    ring_ends = np.cumsum(points_of_ring)
    first_point = np.concatenate([[0], ring_ends[np.cumsum(rings_of_tile) - 1]])
    tile_of_point = np.repeat(tile, np.diff(first_point))
    is_last = np.zeros(x.size, np.bool_)
    is_last[ring_ends - 1] = True
    return Layer(
        latitude_deg=(tile_of_point // TILE_COLUMNS + y / TILE_STEPS) * TILE_DEG - 90,
        longitude_deg=(tile_of_point % TILE_COLUMNS + x / TILE_STEPS) * TILE_DEG - 180,
        is_last=is_last,
        tile=tile,
        first_point=first_point,
    )


def layer_fraction(
    layer: str,
    position: Position,
    centre: tuple[float, float],
    reach_km: float,
    shape: tuple[int, int],
    *,
    origin: tuple[int, int] = (0, 0),
) -> Field:
    """Find how much of each pixel a layer covers.

    Parameters
    ----------
    layer
        One of `LAYERS`: "land" (all that is not sea; the Caspian is sea) or "lakes" (on the land).
    position
        Maps latitude and longitude (degrees, (n,)) to row and column, pixel centres at integers.
        It must be smooth within ``reach_km`` and some 800 km beyond.
    centre
        Latitude and longitude, degrees, of a point in the image.
    reach_km
        No pixel is farther than this from ``centre``.
    shape
        Rows and columns.
    origin
        Row and column of the image's first pixel, as ``position`` counts.

    Returns
    -------
    (rows, columns) array
        Fractions, 0 ... 1, unit 1.

    Raises
    ------
    InputError
        There is no such layer.
    """
    outlines = read_layer(layer)
    chosen = _points_near(outlines, centre, reach_km)
    if not chosen.size:
        return np.zeros(shape, np.float32)
    row, column = position(outlines.latitude_deg[chosen], outlines.longitude_deg[chosen])
    edge = np.flatnonzero(~outlines.is_last[chosen])
    x, y = column - (origin[1] - 0.5), row - (origin[0] - 0.5)
    covered = _covered(x[edge], y[edge], x[edge + 1], y[edge + 1], shape)
    covered *= _handedness(position, centre)
    covered[covered < _SEAM_FRACTION] = 0
    covered[covered > 1 - _SEAM_FRACTION] = 1
    return covered


def _points_near(
    layer: Layer, centre: tuple[float, float], reach_km: float
) -> npt.NDArray[np.intp]:
    """List the points of all tiles that may touch a circle."""
    south_deg = (layer.tile // TILE_COLUMNS) * TILE_DEG - 90.0
    west_deg = (layer.tile % TILE_COLUMNS) * TILE_DEG - 180.0
    middle = _unit(south_deg + TILE_DEG / 2, west_deg + TILE_DEG / 2)
    corners = (_unit(south_deg + step, west_deg) for step in (0, TILE_DEG))
    radius = np.maximum(*(_angle(middle, corner) for corner in corners))
    away = _angle(middle, _unit(*centre))
    near = np.flatnonzero((away - radius) * EARTH_RADIUS_KM <= reach_km)
    spans = [np.arange(*layer.first_point[i : i + 2]) for i in near]
    return np.concatenate([np.empty(0, np.intp), *spans])


def _unit(latitude_deg: Any, longitude_deg: Any) -> Vector:
    """Give unit vectors, (..., 3)."""
    latitude, longitude = np.radians(latitude_deg), np.radians(longitude_deg)
    across = np.cos(latitude)
    parts = (across * np.cos(longitude), across * np.sin(longitude), np.sin(latitude))
    return np.stack(parts, axis=-1)


def _angle(one: Vector, other: Vector) -> Vector:
    """Give the angle, radians, between unit vectors (..., 3)."""
    return np.asarray(np.arccos(np.clip((one * other).sum(axis=-1), -1, 1)))


def _handedness(position: Position, centre: tuple[float, float]) -> int:
    """Say whether counter-clockwise rings count -1 (north is east turned right-hand) or 1."""
    # At the poles there is no east.
    latitude, step = float(np.clip(centre[0], -89.8, 89.8)), 0.1
    east_deg = step / np.cos(np.radians(latitude))
    row, column = position(
        np.array([latitude, latitude, latitude + step]),
        np.array([centre[1], centre[1] + east_deg, centre[1]]),
    )
    (east_x, north_x), (east_y, north_y) = column[1:] - column[0], row[1:] - row[0]
    return -1 if east_x * north_y > east_y * north_x else 1


def _covered(x0: Vector, y0: Vector, x1: Vector, y1: Vector, shape: tuple[int, int]) -> Field:
    """Sum the signed area of rings in each pixel, from edges in units of pixels.

    Pixel (row, column) spans ``row`` ... ``row + 1`` in y and ``column`` ... ``column + 1`` in x.
    """
    rows, columns = shape
    low, high = np.minimum(y0, y1), np.maximum(y0, y1)
    kept = (high > 0) & (low < rows) & (low < high) & (np.minimum(x0, x1) < columns)
    y0, x0, y1, x1 = _split(y0[kept], x0[kept], y1[kept], x1[kept], rows)
    x0, y0, x1, y1 = _split(x0, y0, x1, y1, columns)
    middle_y = (y0 + y1) / 2
    inside = (middle_y > 0) & (middle_y < rows)
    # What lies left of the image counts for its first pixel on; on the right it counts nowhere.
    middle_x = np.clip((x0 + x1) / 2, 0, columns)[inside]
    height = (y1 - y0)[inside]
    column = middle_x.astype(np.intp)
    beyond = (middle_x - column) * height  # of this pixel's part, left of the edge
    pixel = middle_y[inside].astype(np.intp) * (columns + 2) + column
    size = rows * (columns + 2)
    steps = np.bincount(pixel, height - beyond, size) + np.bincount(pixel + 1, beyond, size)
    summed = np.cumsum(steps.reshape(rows, columns + 2), axis=1)
    return summed[:, :columns].astype(np.float32)


def _split(
    a0: Vector, b0: Vector, a1: Vector, b1: Vector, size: int
) -> tuple[Vector, Vector, Vector, Vector]:
    """Cut edges at the lines a = 0, 1 ... size; b is the other coordinate."""
    first = np.maximum(np.floor(np.minimum(a0, a1)) + 1, 0)
    last = np.minimum(np.ceil(np.maximum(a0, a1)) - 1, size)
    cuts = np.maximum(last - first + 1, 0).astype(np.intp)
    ends = np.cumsum(cuts + 1)
    edge = np.repeat(np.arange(a0.size), cuts + 1)
    cut = np.arange(edge.size) - (ends - cuts - 1)[edge]
    start, length = a0[edge], (a1 - a0)[edge]
    line = np.where(length > 0, first[edge] + cut, last[edge] - cut)
    share = (line - start) / np.where(length == 0, 1, length)
    end_a, end_b = line, b0[edge] + share * (b1 - b0)[edge]
    end_a[ends - 1], end_b[ends - 1] = a1, b1
    start_a, start_b = np.roll(end_a, 1), np.roll(end_b, 1)
    start_a[ends - cuts - 1], start_b[ends - cuts - 1] = a0, b0
    return start_a, start_b, end_a, end_b


def coast_distance_km(land_fraction: npt.NDArray[np.floating[Any]], cap_km: int = 64) -> Field:
    """Find how far each pixel is from the nearest coast in the image.

    Parameters
    ----------
    land_fraction
        (rows, columns), unit 1; a pixel is land from one half on.
    cap_km
        No distance is larger; also what pixels have where there is no coast. 1 ... 127.

    Returns
    -------
    (rows, columns) array
        Distance, km at one pixel a kilometre, to the shore between two pixels: 0.5 next to it.

    Raises
    ------
    InputError
        ``cap_km`` is not 1 ... 127.
    """
    if not 1 <= cap_km <= 127:  # the sum of two such distances' squares is an int16
        raise InputError(f"Expected a cap_km of 1 ... 127; found {cap_km}. Choose one of these.")
    is_land = np.asarray(land_fraction) >= 0.5
    squared = np.where(
        is_land, _squared_distance(~is_land, cap_km + 1), _squared_distance(is_land, cap_km + 1)
    )
    # The shore is half a pixel before the centre of the first pixel behind it.
    distance = np.sqrt(squared, dtype=np.float32) - np.float32(0.5)
    return np.minimum(distance, np.float32(cap_km))


def _squared_distance(marked: npt.NDArray[np.bool_], cap: int) -> npt.NDArray[np.int16]:
    """Give the squared distance, in pixels, to the nearest marked pixel; at most cap squared."""
    rows, columns = marked.shape
    along = np.where(marked, 0, cap).astype(np.int16)  # distance within the column
    for row in range(1, rows):
        np.minimum(along[row], along[row - 1] + 1, out=along[row])
    for row in range(rows - 2, -1, -1):
        np.minimum(along[row], along[row + 1] + 1, out=along[row])
    along *= along
    nearest = along.copy()
    block = 32  # rows that fit a processor's cache
    for start in range(0, rows, block):
        here, best = along[start : start + block], nearest[start : start + block]
        if here.min() == cap * cap:
            continue
        for step in range(1, min(cap, columns)):
            reach = np.int16(step * step)
            np.minimum(best[:, step:], here[:, :-step] + reach, out=best[:, step:])
            np.minimum(best[:, :-step], here[:, step:] + reach, out=best[:, :-step])
    return nearest
