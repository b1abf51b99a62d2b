"""Grids of maps that a swath is resampled to: latitude/longitude, UTM, polar stereographic.

    target = map_grid(latitude_deg, longitude_deg, "auto", resolution=None, spacing_m=1000)
    target.epsg, target.shape, target.west_south_east_north

Longitudes of a swath across the anti-meridian go on beyond 180 degrees, so that its map is as
narrow as the swath. Around a pole, where no map in latitude and longitude can be, the map is
polar stereographic.
"""

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from slstr_cloudmask.errors import InputError
from slstr_cloudmask.extras import require
from slstr_cloudmask.scene import FloatArray

GridName = Literal["auto", "latlon", "utm", "polar"]
GRID_NAMES: tuple[str, ...] = get_args(GridName)
# Beyond this latitude a swath of 1400 km spans more than 140 degrees of longitude.
POLAR_FROM_LATITUDE_DEG = 85.0
# UTM is defined from 80 S to 84 N (NGA.SIG.0012, section 9).
UTM_LATITUDES_DEG = (-80.0, 84.0)
# The scale of the transverse Mercator projection is 0.9996 (1 + (x / R)^2 / 2) at distance x from
# the central meridian: 1.7 % too large here, where R is 6371 km.
UTM_MAX_EASTING_M = 1_200_000.0
# NSIDC Sea Ice Polar Stereographic North; WGS 84 / Antarctic Polar Stereographic.
POLAR_EPSG = {"north": 3413, "south": 3031}
METRES_PER_DEGREE = 111_195.0  # of a great circle of radius 6371 km
MAX_PIXELS = 40_000_000  # each takes a hundred bytes while it is looked up


@dataclass(frozen=True, slots=True)
class MapGrid:
    """A raster on a map, row 0 in the north.

    Attributes
    ----------
    epsg
        The coordinate reference system.
    resolution
        Side of a pixel: degrees in latitude/longitude, else metres.
    west, north
        Outer corner of pixel (0, 0), in the same units.
    rows, columns
        How many pixels.
    """

    epsg: int
    resolution: float
    west: float
    north: float
    rows: int
    columns: int

    @property
    def south(self) -> float:
        """Lower edge."""
        return self.north - self.rows * self.resolution

    @property
    def east(self) -> float:
        """Right edge."""
        return self.west + self.columns * self.resolution


def map_grid(
    latitude_deg: FloatArray,
    longitude_deg: FloatArray,
    name: str = "auto",
    *,
    resolution: float | None = None,
    spacing_m: float = 1000.0,
) -> MapGrid:
    """Lay a grid over positions.

    Parameters
    ----------
    latitude_deg, longitude_deg
        Where there is something to show, finite, of one shape.
    name
        ``latlon`` (EPSG:4326), ``utm`` (the zone of the scene's middle, WGS 84), ``polar``
        (EPSG:3413 in the north, EPSG:3031 in the south), or ``auto``: ``polar`` where a position
        is nearer to a pole than 5 degrees, else ``latlon``.
    resolution
        Side of a pixel in degrees (``latlon``) or metres. [default: ``spacing_m``, or a hundredth
        of a degree for each 1000 m]
    spacing_m
        Distance between pixels of the scene.

    Raises
    ------
    InputError
        The scene does not fit such a map, or the map would be too large.
    MissingExtraError
        The extra ``geo`` is not installed.
    """
    if name not in GRID_NAMES:
        raise InputError(f"Unknown map grid {name!r}: expected one of {', '.join(GRID_NAMES)}.")
    if resolution is not None and not resolution > 0:
        raise InputError(f"Expected a resolution above 0, found {resolution:g}.")
    polar = bool(np.abs(latitude_deg).max() > POLAR_FROM_LATITUDE_DEG)
    if name == "auto":
        name = "polar" if polar else "latlon"
    if name == "latlon":
        if polar:
            raise InputError(
                f"The scene reaches {np.abs(latitude_deg).max():.1f} degrees of latitude, too near "
                "to the pole for a map in latitude and longitude. Choose the map grid polar."
            )
        x, y = continuous_longitude(longitude_deg), latitude_deg
        return _around(4326, x, y, resolution or spacing_m / 100_000)
    epsg = _utm_epsg(latitude_deg, longitude_deg) if name == "utm" else _polar_epsg(latitude_deg)
    x, y = _project(epsg, longitude_deg, latitude_deg)
    if name == "utm":
        _check_easting(x)
    return _around(epsg, x, y, resolution or spacing_m)


def continuous_longitude(longitude_deg: FloatArray) -> FloatArray:
    """Shift longitudes by whole turns so that a swath across the anti-meridian is in one piece.

    The widest gap between the longitudes is the outside: what lies east of it comes first.
    Values from -180 to 180 stay where no piece lies across the anti-meridian; others run on
    beyond 180.
    """
    wrapped = (longitude_deg + 180.0) % 360.0 - 180.0
    values = np.unique(np.round(wrapped, 2))
    if values.size < 2:
        return np.asarray(wrapped)
    gaps = np.diff(values)
    widest = int(np.argmax(gaps))
    if gaps[widest] <= values[0] + 360.0 - values[-1]:
        return np.asarray(wrapped)
    west = (values[widest] + values[widest + 1]) / 2
    return np.asarray(np.where(wrapped < west, wrapped + 360.0, wrapped))


def middle(latitude_deg: FloatArray, longitude_deg: FloatArray) -> tuple[float, float]:
    """Mean position, degrees, of positions on the sphere, also across the anti-meridian."""
    latitude, longitude = np.radians(latitude_deg), np.radians(longitude_deg)
    x = float((np.cos(latitude) * np.cos(longitude)).mean())
    y = float((np.cos(latitude) * np.sin(longitude)).mean())
    z = float(np.sin(latitude).mean())
    return float(np.degrees(np.arctan2(z, np.hypot(x, y)))), float(np.degrees(np.arctan2(y, x)))


def _utm_epsg(latitude_deg: FloatArray, longitude_deg: FloatArray) -> int:
    south, north = float(latitude_deg.min()), float(latitude_deg.max())
    if south < UTM_LATITUDES_DEG[0] or north > UTM_LATITUDES_DEG[1]:
        raise InputError(
            f"The scene reaches from {south:.1f} to {north:.1f} degrees of latitude, and UTM from "
            "-80 to 84. Choose another map grid: auto, latlon or polar."
        )
    latitude, longitude = middle(latitude_deg, longitude_deg)
    zone = int((longitude + 180.0) // 6.0) % 60 + 1
    return (32600 if latitude >= 0 else 32700) + zone


def _polar_epsg(latitude_deg: FloatArray) -> int:
    return POLAR_EPSG["north" if latitude_deg.mean() >= 0 else "south"]


def _project(
    epsg: int, longitude_deg: FloatArray, latitude_deg: FloatArray
) -> tuple[FloatArray, FloatArray]:
    pyproj = require("pyproj", extra="geo")
    transformer = pyproj.Transformer.from_crs(4326, epsg, always_xy=True)
    x, y = transformer.transform(longitude_deg, latitude_deg)
    return np.asarray(x), np.asarray(y)


def _check_easting(x_m: FloatArray) -> None:
    distance_m = np.abs(x_m - 500_000.0)
    if not np.isfinite(distance_m).all() or distance_m.max() > UTM_MAX_EASTING_M:
        raise InputError(
            f"The scene reaches {distance_m.max() / 1000:.0f} km from the middle of its UTM zone, "
            f"too far for a map without distortion (at most {UTM_MAX_EASTING_M / 1000:.0f} km). "
            "Choose another map grid: auto, latlon or polar."
        )


def _around(epsg: int, x: FloatArray, y: FloatArray, resolution: float) -> MapGrid:
    """Lay a grid whose pixels have edges at multiples of the resolution, one pixel wider."""

    def cells(low: Any, high: Any) -> tuple[int, int]:
        first = int(np.floor(float(low) / resolution + 1e-6)) - 1
        return first, int(np.ceil(float(high) / resolution - 1e-6)) + 1

    west, east = cells(x.min(), x.max())
    south, north = cells(y.min(), y.max())
    if epsg == 4326:
        north = min(north, int(np.floor(90 / resolution)))
        south = max(south, -int(np.floor(90 / resolution)))
    rows, columns = north - south, east - west
    if rows * columns > MAX_PIXELS:
        raise InputError(
            f"The map would have {rows} x {columns} pixels, more than {MAX_PIXELS:,}. "
            "Choose a coarser resolution, or the map grid polar."
        )
    return MapGrid(epsg, resolution, west * resolution, north * resolution, rows, columns)
