"""The outline of a scene on the globe, as GeoJSON has it (RFC 7946).

    geometry, bbox = footprint(latitude_deg, longitude_deg, known)

The outline follows the first and last known pixel of the rows, thinned to about forty points. One
that crosses the anti-meridian is cut there into two polygons (section 3.1.9); one around a pole
runs along the anti-meridian to the pole and back.
"""

from typing import Any

import numpy as np

from slstr_cloudmask.extras import require
from slstr_cloudmask.flags import BoolArray
from slstr_cloudmask.scene import FloatArray

MAX_POINTS = 40
DECIMALS = 4  # degrees: eleven metres
HALF_PIXEL_DEG = 0.005  # half a kilometre
SMALLEST_AREA = 1e-6  # square degrees: a hundredth of a square kilometre


def footprint(
    latitude_deg: FloatArray, longitude_deg: FloatArray, known: BoolArray
) -> tuple[dict[str, Any], list[float]]:
    """Outline the known pixels.

    Parameters
    ----------
    latitude_deg, longitude_deg
        Positions (rows, columns).
    known
        Which pixels to outline (rows, columns), all with finite positions, at least one.

    Returns
    -------
    geometry
        A GeoJSON Polygon or MultiPolygon, counterclockwise.
    bbox
        West, south, east, north in degrees; west is greater than east across the anti-meridian.

    Raises
    ------
    MissingExtraError
        The extra ``geo`` is not installed.
    """
    shapely = require("shapely", extra="geo")
    rows, columns = _ring(known)
    latitude = np.asarray(latitude_deg[rows, columns], np.float64)
    longitude = np.unwrap(np.asarray(longitude_deg[rows, columns], np.float64), period=360.0)
    turn = longitude[-1] - longitude[0]  # the ring is closed: 0, or 360 around a pole
    around_pole = abs(turn) > 180.0
    kept = _thinned(rows, columns)
    ring = list(zip(longitude[kept], latitude[kept], strict=True))
    if around_pole:
        pole = float(np.copysign(90.0, latitude.mean()))
        ring += [(longitude[-1], pole), (longitude[0], pole)]
    flat = min(np.unique(rows).size, np.unique(columns).size) == 1
    outline = _polygon(shapely, ring, flat=flat)
    pieces = _cut_at_anti_meridian(shapely, outline)
    return _geojson(shapely, shapely.union_all(pieces)), _bbox(pieces, whole_turn=around_pole)


def outline_pixels(known: BoolArray) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Rows and columns of a closed ring of about forty pixels around the known ones, any at all."""
    rows, columns = _ring(known)
    kept = _thinned(rows, columns)
    return rows[kept], columns[kept]


def _ring(known: BoolArray) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Rows and columns of the outline's pixels, each next to the last, closed."""
    filled = np.flatnonzero(known.any(axis=1))
    first = known[filled].argmax(axis=1)
    last = known.shape[1] - 1 - known[filled][:, ::-1].argmax(axis=1)
    top = first[0] + np.flatnonzero(known[filled[0], first[0] : last[0] + 1])
    bottom = first[-1] + np.flatnonzero(known[filled[-1], first[-1] : last[-1] + 1])
    rows = [np.full(top.size, filled[0]), filled, np.full(bottom.size, filled[-1]), filled[::-1]]
    columns = [top, last, bottom[::-1], first[::-1]]
    return (
        np.concatenate([*rows, rows[0][:1]]),
        np.concatenate([*columns, columns[0][:1]]),
    )


def _thinned(rows: np.ndarray[Any, Any], columns: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Choose about ``MAX_POINTS`` points of a ring: its corners, and others evenly between."""
    corner = np.flatnonzero((np.diff(rows[:-1]) != 0) != (np.diff(rows[1:]) != 0)) + 1
    even = np.linspace(0, rows.size - 1, MAX_POINTS - 4).astype(int)
    corners = corner if corner.size <= 6 else np.array([], int)
    return np.unique(np.concatenate([even, corners, [0, rows.size - 1]]))


def _polygon(shapely: Any, ring: list[tuple[float, float]], *, flat: bool) -> Any:
    """Make a valid polygon; a single line of pixels is widened to one."""
    outline = shapely.make_valid(shapely.Polygon(ring))
    if flat or outline.area < SMALLEST_AREA:
        return shapely.LineString(ring).buffer(HALF_PIXEL_DEG, quad_segs=1)
    return outline


def _cut_at_anti_meridian(shapely: Any, outline: Any) -> list[Any]:
    """Cut an outline whose longitudes run on beyond 180 degrees into pieces within them."""
    west, _, east, _ = outline.bounds
    pieces = []
    for turn in range(int((west + 180) // 360), int((east + 180) // 360) + 1):
        world = shapely.box(360 * turn - 180, -90, 360 * turn + 180, 90)
        part = shapely.affinity.translate(outline.intersection(world), xoff=-360 * turn)
        parts = getattr(part, "geoms", [part])
        pieces += [
            piece for piece in parts if piece.geom_type == "Polygon" and piece.area > SMALLEST_AREA
        ]
    return pieces


def _geojson(shapely: Any, geometry: Any) -> dict[str, Any]:
    rounded = shapely.set_precision(geometry, 10**-DECIMALS)
    oriented = shapely.orient_polygons(rounded)
    found: dict[str, Any] = _as_lists(shapely.geometry.mapping(oriented))
    return found


def _as_lists(value: Any) -> Any:
    """Turn tuples into lists and trim what rounding leaves, so that JSON comes back as it was."""
    if isinstance(value, dict):
        return {key: _as_lists(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_as_lists(item) for item in value]
    return round(value, DECIMALS) if isinstance(value, float) else value


def _bbox(pieces: list[Any], *, whole_turn: bool) -> list[float]:
    bounds = np.array([piece.bounds for piece in pieces])
    south, north = bounds[:, 1].min(), bounds[:, 3].max()
    west, east = bounds[:, 0].min(), bounds[:, 2].max()
    if whole_turn:
        west, east = -180.0, 180.0
    elif len(pieces) > 1 and west <= -180.0 and east >= 180.0:
        # Pieces on both sides of the anti-meridian: from the eastern hemisphere to the western.
        eastern = bounds[:, 2] >= 180.0
        west, east = bounds[eastern, 0].min(), bounds[~eastern, 2].max()
    return [round(float(value), DECIMALS) for value in (west, south, east, north)]
