"""Where a simulated overpass is, when, and how the sun and the satellite stand over it.

Sentinel-3 crosses the equator southwards at 10:00 local time and northwards at 22:00; a scene is
three minutes of one pass, seen with the sub-satellite track two thirds of the way to the right.

Numbers from the literature are quoted from memory, not checked against the sources named.
"""

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt

Field = npt.NDArray[np.float32]
Angles = npt.NDArray[np.floating]

FULL_ROWS, FULL_COLUMNS = 1200, 1500
# Sub-satellite track of the nadir view, 1 km column: ORAC's and slstr-preprocessor's readers.
TRACK_COLUMN = 998
# Columns outside the swath at the left and right edge: about as in the data set's masks.
EMPTY_LEFT, EMPTY_RIGHT = 31, 16
EARTH_RADIUS_KM, ORBIT_RADIUS_KM = 6371.0, 7186.0
KM_PER_DEGREE = 111.2

# Latitude ranges (degrees) and how often, day and night: the data set's 100 test scenes.
_LATITUDES_DAY = ((18, 33, 7), (30, 45, 10), (49, 65, 18), (59, 72, 17))
_LATITUDES_NIGHT = (
    (18, 33, 7),
    (30, 45, 4),
    (49, 65, 15),
    (59, 75, 4),
    (68, 80, 14),
    (-40, -35, 1),
)
_HEADING_DAY_DEG, _HEADING_NIGHT_DEG = 195.0, 345.0
_TERMINATOR_SHARE = 0.08  # of night scenes that are seen near sunrise instead


@dataclass(frozen=True, slots=True)
class Overpass:
    """Place and time of a scene's centre: degrees, degrees, UTC."""

    latitude_deg: float
    longitude_deg: float
    start: datetime
    night: bool


@dataclass(frozen=True, slots=True)
class Geometry:
    """Per pixel, float32 (rows, columns): degrees, cosines, and whether it lies in the swath."""

    latitude_deg: Field
    longitude_deg: Field
    solar_zenith_deg: Field
    view_zenith_deg: Field
    mu_sun: Field
    mu_view: Field
    cos_azimuth: Field  # of sun minus satellite azimuth: -1 where glint can be seen
    in_swath: npt.NDArray[np.bool_]


def draw_overpass(rng: np.random.Generator, *, night: bool) -> Overpass:
    """Draw place and time as in the data set: October 2019, mostly the North Atlantic."""
    ranges = _LATITUDES_NIGHT if night else _LATITUDES_DAY
    weights = np.array([share for *_, share in ranges], float)
    low, high, _ = ranges[rng.choice(len(ranges), p=weights / weights.sum())]
    latitude = float(rng.uniform(low, high))
    longitude = float(rng.uniform(-50, 30) if latitude > 45 else rng.uniform(-165, -15))
    local_hour = 22.0 if night else 10.0
    if night and rng.random() < _TERMINATOR_SHARE:
        local_hour = 6.0
    day = datetime(2019, 10, 1, tzinfo=UTC) + timedelta(days=int(rng.integers(31)))
    utc_hour = (local_hour - longitude / 15 + float(rng.normal(0, 0.2))) % 24
    start = day + timedelta(seconds=round(utc_hour * 3600))
    return Overpass(latitude, longitude, start, night)


def scene_geometry(overpass: Overpass, shape: tuple[int, int]) -> Geometry:
    """Work out the angles of every pixel; pixels are 1 km, angles span the whole swath.

    A scene narrower than the instrument's 1500 columns shows the same range of view angles, so
    that small scenes are as varied as large ones.
    """
    rows, columns = shape
    row = np.arange(rows, dtype=np.float32)[:, np.newaxis] - np.float32((rows - 1) / 2)
    column = np.arange(columns, dtype=np.float32)[np.newaxis, :]
    x_km = (column / columns * FULL_COLUMNS - TRACK_COLUMN) * np.ones_like(row)
    latitude, longitude = _positions(overpass, row, column - (columns - 1) / 2)
    solar_zenith, solar_azimuth = _sun(overpass, latitude, longitude)
    # Viewing geometry on a sphere: law of sines in the triangle pixel, satellite, Earth's centre.
    gamma = np.abs(x_km) / EARTH_RADIUS_KM
    view_zenith = np.arctan2(np.sin(gamma), np.cos(gamma) - EARTH_RADIUS_KM / ORBIT_RADIUS_KM)
    to_the_right = math.degrees(_heading_rad(overpass)) + 90
    satellite_azimuth = np.where(x_km > 0, to_the_right, to_the_right - 180)
    return Geometry(
        latitude_deg=latitude.astype(np.float32),
        longitude_deg=longitude.astype(np.float32),
        solar_zenith_deg=np.degrees(solar_zenith).astype(np.float32),
        view_zenith_deg=np.degrees(view_zenith).astype(np.float32),
        mu_sun=np.cos(solar_zenith).astype(np.float32),
        mu_view=np.cos(view_zenith).astype(np.float32),
        cos_azimuth=np.cos(solar_azimuth - np.radians(satellite_azimuth)).astype(np.float32),
        in_swath=swath(shape),
    )


def swath(shape: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """Pixels that the instrument sees: all but a slightly curved strip at either side."""
    rows, columns = shape
    bend = np.sin(np.linspace(0, math.pi, rows, dtype=np.float32))[:, np.newaxis]
    scale = columns / FULL_COLUMNS
    left = np.maximum(1, np.rint((EMPTY_LEFT + 5 * (bend - 0.64)) * scale))
    right = np.maximum(1, np.rint((EMPTY_RIGHT + 5 * (0.64 - bend)) * scale))
    column = np.arange(columns)[np.newaxis, :]
    return np.asarray((column >= left) & (column < columns - right))


def _heading_rad(overpass: Overpass) -> float:
    return math.radians(_HEADING_NIGHT_DEG if overpass.night else _HEADING_DAY_DEG)


def _positions(overpass: Overpass, row: Field, column: Field) -> tuple[Angles, Angles]:
    """Latitude and longitude of every pixel, degrees; flat around the centre.

    Rows run along the flight and the image's left is the right of the flight direction.
    """
    heading = _heading_rad(overpass)
    north_km = math.cos(heading) * row + math.sin(heading) * column
    east_km = math.sin(heading) * row - math.cos(heading) * column
    latitude = np.clip(overpass.latitude_deg + north_km / KM_PER_DEGREE, -89.0, 89.0)
    parallel = np.cos(np.radians(np.clip(latitude, -80, 80)))
    longitude = overpass.longitude_deg + east_km / (KM_PER_DEGREE * parallel)
    return latitude, (longitude + 180) % 360 - 180


def _sun(overpass: Overpass, latitude: Angles, longitude: Angles) -> tuple[Angles, Angles]:
    """Solar zenith angle and azimuth (from north, clockwise), radians."""
    start = overpass.start
    day_of_year = start.timetuple().tm_yday
    # Cooper (1969), Solar Energy 12, 333: declination from the day of the year.
    declination = math.radians(23.45) * math.sin(2 * math.pi * (284 + day_of_year) / 365)
    utc_hour = start.hour + start.minute / 60 + start.second / 3600
    hour_angle = np.radians(15 * (utc_hour - 12) + longitude)
    phi = np.radians(latitude)
    # Spherical trigonometry of the triangle pole, zenith, sun.
    cosine = np.sin(phi) * math.sin(declination)
    cosine = cosine + np.cos(phi) * math.cos(declination) * np.cos(hour_angle)
    azimuth = np.arctan2(
        -math.cos(declination) * np.sin(hour_angle),
        np.cos(phi) * math.sin(declination)
        - np.sin(phi) * math.cos(declination) * np.cos(hour_angle),
    )
    return np.arccos(np.clip(cosine, -1, 1)), azimuth
