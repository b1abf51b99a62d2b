"""Where each pixel of an overpass lies, and how the sun and the satellite stand over it.

    geometry = scene_geometry(overpass, Window(400, 500, 256, 320))
    row, column = image_position(overpass, coast_latitude_deg, coast_longitude_deg)

Rows of the image run along the ground track, 0.15 s each; columns lie on great circles
perpendicular to it, 1 km each, counted from the right of the flight. Both views scan cones, so a
pixel far from the track is seen later than one on it, from farther ahead: `_VIEWS` says when.
Directions are worked out as unit vectors on every 16th pixel and interpolated, so that neither the
poles nor the anti-meridian are special.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from slstr_cloudmask.errors import InputError
from slstr_cloudmask.flags import BoolArray
from slstr_cloudmask.simulate.orbit import (
    Float64,
    Overpass,
    geocentric,
    geodetic,
    ground_track,
    satellite_radius_km,
    surface_radius_km,
    vertical,
)
from slstr_cloudmask.sun import seconds_since_2000, sun_direction

Field = npt.NDArray[np.float32]

FULL_ROWS, FULL_COLUMNS = 1200, 1500
# Sub-satellite track of the nadir view, 1 km column: ORAC's and slstr-preprocessor's readers.
TRACK_COLUMN = 998
# The oblique view's 900 columns on this grid, its column 450 on the track: first, and one past.
OBLIQUE_COLUMNS = (548, 1448)
ROW_SECONDS = 0.15

# A column is 1 km on a sphere of this radius.
EARTH_RADIUS_KM = 6371.0

_SPACING = 16  # of the nodes that are interpolated between, pixels
# Beyond this angle from the middle of the frame a position needs no exact row and column.
_FAR_RAD = math.radians(40)
# The satellite's turn per second as seen from the rotating Earth, about; steps of the search.
_TRACK_RATE, _STEPS = 2 * math.pi / 6000, 4
_TINY = np.float32(1e-12)


@dataclass(frozen=True, slots=True)
class Window:
    """Part of the frame, pixels of 1 km; the whole frame is ``Window(0, 0, 1200, 1500)``.

    It may reach beyond the frame: rows go on along the orbit, columns lie outside the swath.
    """

    row: int
    column: int
    rows: int
    columns: int


@dataclass(frozen=True, slots=True)
class Geometry:
    """Per pixel of the window, float32 (rows, columns).

    Angles are in degrees; azimuths are from north, clockwise, -180 to 180, and that of the view is
    the direction to the satellite. Positions are geodetic.
    """

    latitude_deg: Field
    longitude_deg: Field
    solar_zenith_deg: Field
    solar_azimuth_deg: Field
    view_zenith_deg: Field
    view_azimuth_deg: Field
    mu_sun: Field
    mu_view: Field
    cos_azimuth: Field  # of sun minus satellite azimuth: -1 where glint can be seen
    in_swath: BoolArray


class _View(NamedTuple):
    """How a view scans; fitted to the tie points of a product of August 2021.

    ``delay_s``: a pixel is seen this long after the satellite passed its row, polynomial in the
    squared distance from the track (1000 km squared), up to ``reach_km`` either side of the track.
    ``first`` and ``last``: outermost columns seen, at ``_SWATH_HEIGHT_KM``; the swath widens by
    ``first_per_km`` and ``last_per_km`` columns per km of height.
    """

    delay_s: tuple[float, float, float]
    reach_km: tuple[float, float]
    first: float
    last: float
    first_per_km: float
    last_per_km: float


_VIEWS = {
    "nadir": _View((-11.47, 87.0, -8.0), (-998.0, 502.0), 36.1, 1479.6, 0.85, 0.4),
    "oblique": _View((139.1, -79.7, -27.5), (-450.0, 450.0), 590.5, 1401.8, 0.8, 0.4),
}
# Height above the ellipsoid in the middle of that product.
_SWATH_HEIGHT_KM = 806.7


def scene_geometry(overpass: Overpass, window: Window, view: str = "nadir") -> Geometry:
    """Work out positions and angles of every pixel.

    Parameters
    ----------
    overpass
        Which frame of which orbit.
    window
        Part of the nadir view's frame, whatever the view.
    view
        ``nadir``, or ``oblique``: backwards along the track at 55 degrees, in the swath only
        within `OBLIQUE_COLUMNS`.

    Raises
    ------
    InputError
        Another view, or a window without pixels.
    """
    if view not in _VIEWS:
        raise InputError(f"Expected the view nadir or oblique, found {view!r}: choose one of them.")
    if window.rows < 1 or window.columns < 1:
        raise InputError(
            "Expected a window of at least 1 x 1 pixels, "
            f"found {window.rows} x {window.columns}: enlarge it."
        )
    row = window.row + _nodes(window.rows)
    column = window.column + _nodes(window.columns)
    vectors = _directions(overpass, row, column, view)
    normal, sun, satellite = (
        [_refine(component, window) for component in np.moveaxis(vector, -1, 0)]
        for vector in vectors
    )
    return _angles(normal, sun, satellite, _in_swath(overpass, window, _VIEWS[view]))


def seen_after_s(column: npt.ArrayLike, view: str = "nadir") -> Float64:
    """Say how long after the satellite passed its row a pixel is seen, s; before it where negative.

    ``column`` is of the nadir view's frame, any shape, whatever the view.
    """
    scan = _VIEWS[view]
    across_km = np.clip(np.asarray(column, np.float64) - TRACK_COLUMN, *scan.reach_km)
    return np.asarray(np.polynomial.polynomial.polyval((across_km / 1000) ** 2, scan.delay_s))


def image_position(
    overpass: Overpass, latitude_deg: npt.ArrayLike, longitude_deg: npt.ArrayLike
) -> tuple[Float64, Float64]:
    """Find positions in the frame; the inverse of the geometry's latitude and longitude.

    Parameters
    ----------
    overpass
        Which frame of which orbit.
    latitude_deg, longitude_deg
        Geodetic, any one shape.

    Returns
    -------
    row, column
        Full-frame coordinates, float64, pixel centres at integers. Places more than 40 degrees
        from the frame's middle get values far outside of it, without meaning otherwise.
    """
    point = geocentric(vertical(latitude_deg, longitude_deg))
    middle = np.float64(overpass.frame + FULL_ROWS / 2 * ROW_SECONDS)
    up, along, left = ground_track(middle, overpass.relative_orbit)
    seconds = np.asarray(middle + np.arctan2(point @ along, point @ up) / _TRACK_RATE)
    across = np.asarray(np.arcsin(np.clip(point @ left, -1, 1)))
    near = point @ up > math.cos(_FAR_RAD)
    close, found = point[near], seconds[near]
    for _ in range(_STEPS):  # each is forty times closer: the track is nearly a great circle
        up, along, left = ground_track(found, overpass.relative_orbit)
        found = found + np.arctan2(_dot(close, along), _dot(close, up)) / _TRACK_RATE
    seconds[near], across[near] = found, np.arcsin(np.clip(_dot(close, left), -1, 1))
    row = (seconds - overpass.frame) / ROW_SECONDS
    return np.asarray(row), np.asarray(TRACK_COLUMN + across * EARTH_RADIUS_KM)


def across_track(up: Float64, left: Float64, column: npt.ArrayLike) -> Float64:
    """Go from the track to a column, along the great circle: Earth-fixed unit vectors (..., 3)."""
    gamma = (np.asarray(column, np.float64) - TRACK_COLUMN)[..., np.newaxis] / EARTH_RADIUS_KM
    return np.asarray(np.cos(gamma) * up + np.sin(gamma) * left)


def _directions(
    overpass: Overpass, row: Float64, column: Float64, view: str
) -> tuple[Float64, Float64, Float64]:
    """Point upwards, to the sun, to the satellite: unit vectors (rows, columns, 3)."""
    passed = overpass.frame + row * ROW_SECONDS
    up, _, left = ground_track(passed, overpass.relative_orbit)
    point = across_track(up[:, np.newaxis], left[:, np.newaxis], column)
    normal = geodetic(point)
    seen = passed[:, np.newaxis] + seen_after_s(column, view)
    satellite, _, _ = ground_track(seen, overpass.relative_orbit)
    ray = satellite * satellite_radius_km(seen)[..., np.newaxis]
    ray -= point * surface_radius_km(point)[..., np.newaxis]
    ray /= np.linalg.norm(ray, axis=-1, keepdims=True)
    start = seconds_since_2000(overpass.start) - overpass.frame
    return normal, sun_direction(start + seen), ray


def _nodes(pixels: int) -> Float64:
    """Every 16th pixel, from the first to the last or beyond it."""
    return _SPACING * np.arange((pixels - 1) // _SPACING + 2, dtype=np.float64)


def _refine(nodes: Float64, window: Window) -> Field:
    """Interpolate linearly from the nodes to the window's pixels."""
    fine = _refine_rows(nodes.T.astype(np.float32), window.columns).T
    return _refine_rows(np.ascontiguousarray(fine), window.rows)


def _refine_rows(nodes: Field, rows: int) -> Field:
    weight = (np.arange(_SPACING, dtype=np.float32) / _SPACING)[:, np.newaxis]
    low, step = nodes[:-1, np.newaxis], np.diff(nodes, axis=0)[:, np.newaxis]
    return np.asarray((low + weight * step).reshape(-1, nodes.shape[1])[:rows])


def _angles(
    normal: list[Field], sun: list[Field], satellite: list[Field], in_swath: BoolArray
) -> Geometry:
    """From components of unit vectors to angles."""
    x, y, z = normal
    mu_sun, mu_view = _cosine(normal, sun), _cosine(normal, satellite)
    # Spherical trigonometry: cosine of the side opposite to the zenith, solved for its angle.
    sines = np.sqrt((1 - mu_sun**2) * (1 - mu_view**2))
    cos_azimuth = (_cosine(sun, satellite) - mu_sun * mu_view) / np.maximum(sines, _TINY)
    return Geometry(
        latitude_deg=np.degrees(np.arctan2(z, np.hypot(x, y))),
        longitude_deg=np.degrees(np.arctan2(y, x)),
        solar_zenith_deg=np.degrees(np.arccos(mu_sun)),
        solar_azimuth_deg=_azimuth_deg(normal, sun, mu_sun),
        view_zenith_deg=np.degrees(np.arccos(mu_view)),
        view_azimuth_deg=_azimuth_deg(normal, satellite, mu_view),
        mu_sun=mu_sun,
        mu_view=mu_view,
        cos_azimuth=np.clip(cos_azimuth, -1, 1),
        in_swath=in_swath,
    )


def _cosine(one: list[Field], two: list[Field]) -> Field:
    cosine: Field = one[0] * two[0] + one[1] * two[1] + one[2] * two[2]
    return np.clip(cosine, -1, 1)


def _azimuth_deg(normal: list[Field], direction: list[Field], mu: Field) -> Field:
    """From north, clockwise; both components times the cosine of latitude."""
    x, y, z = normal
    east = x * direction[1] - y * direction[0]
    return np.asarray(np.degrees(np.arctan2(east, direction[2] - z * mu)))


def _in_swath(overpass: Overpass, window: Window, view: _View) -> BoolArray:
    """Pixels that the instrument sees: the swath is wider where the satellite is higher."""
    seconds = overpass.frame + (window.row + np.arange(window.rows)) * ROW_SECONDS
    up, _, _ = ground_track(seconds, overpass.relative_orbit)
    higher_km = satellite_radius_km(seconds) - surface_radius_km(up) - _SWATH_HEIGHT_KM
    first = np.rint(view.first - view.first_per_km * higher_km)[:, np.newaxis]
    last = np.rint(view.last + view.last_per_km * higher_km)[:, np.newaxis]
    column = window.column + np.arange(window.columns)
    return np.asarray((column >= first) & (column <= last))


def _dot(one: Float64, two: Float64) -> Float64:
    return np.asarray(np.einsum("...i,...i->...", one, two))
