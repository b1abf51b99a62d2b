"""Where clouds keep the sunlight from clear ground: by geometry, and by how dark it is there.

    shadow = cloud_shadow(scene, mask["cloud_mask"].values, snow)   # 0 none, 1 shadow, 255 unknown

A cloud that is colder than the clear ground around it stands as high as air cools by that much; the
sun, found from position and time, throws its shadow so many times tan(solar zenith angle) that
far. Clear ground there that is darker at 0.87 um than the clear ground around it is in shadow.

By day only. A scene needs latitude, longitude, `start_time`, S3 and S8. Dark water shows no shadow,
and under a cloud nobody sees the ground: both are unknown. The sun's place is that of the scene's
first moment, within 0.8 degrees of it during a frame of three minutes. Hills are not known.

Nor is parallax undone: a cloud of height h is seen h * tan(satellite zenith angle) beyond the
place that it stands over, and its shadow is looked for that far off. For 10 km of height these are
5.8 km at 30 degrees, 14.3 km in the oblique view (55) and 16.5 km at the nadir swath's far edge
(58.9). A Scene has the angle, but no azimuth to say which way. Where the angle grows is not that
way either, since both views scan cones and see what is beside the track from farther along it: in
a simulated frame it is 21 degrees off, in the median, beyond 50 degrees of the nadir view, and 118
in the oblique one.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import xarray as xr

from slstr_cloudmask.detectors.cloud_tests import Array
from slstr_cloudmask.detectors.surroundings import mean_around, warm_background
from slstr_cloudmask.flags import UNKNOWN, BoolArray
from slstr_cloudmask.io.mask_attributes import parse_time
from slstr_cloudmask.scene import FloatArray, Regime, regime, surface_flag
from slstr_cloudmask.sun import seconds_since_2000, sun_direction

NEEDED = ("S3", "S8")
EARTH_RADIUS_KM = 6371.0
# US Standard Atmosphere: the troposphere's lapse rate.
KELVIN_PER_KM = 6.5
# A cloud lies above the ground even if it is as warm; above the tropopause it does not go on
# cooling, and no cloud reaches much farther.
LOWEST_KM, HIGHEST_KM = 0.5, 15.0
# Shadows are looked for from a little below the top that is found, since a cloud has a body, to
# well above it: inversions, thin tops and cold snow make a cloud seem lower than it is, by a
# kilometre or two.
LOWEST_SHARE, HIGHEST_SHARE, DOUBT_KM = 0.8, 1.2, 1.5
HEIGHTS = 9  # that are tried between
# Ground counts as shaded below this share of what is near it. Chosen on simulated land of .75, .8,
# .85 and .9: at the last a tenth more of the shadows is found, and half more of what is none.
DARK_SHARE = 0.85
# Ground must be bright enough to be judged: open water reflects .03 and less at 0.87 um.
BRIGHT_GROUND = 0.08
# Of 21 and 41 pixels the narrower square errs less: land differs from place to place.
NEAR_PX = 21
# Clear ground near a cloud says how warm the ground under it is.
AROUND_PX = 41
_STEP_PX = 8  # positions this far to either side give the directions of rows and columns


class Throw(NamedTuple):
    """Rows and columns that a shadow lies from its cloud, per km of height (rows, columns)."""

    down: FloatArray
    right: FloatArray


def cloud_shadow(
    scene: xr.Dataset, cloud: npt.NDArray[np.uint8], snow: BoolArray
) -> npt.NDArray[np.uint8] | None:
    """Tell which clear ground is in the shadow of a cloud.

    Parameters
    ----------
    scene
        A Scene.
    cloud
        Its cloud mask: 0 clear, 1 cloud, 255 unknown (rows, columns).
    snow
        Where clear ground is snow or ice: it is compared with its like, as other ground is.

    Returns
    -------
    numpy.ndarray or None
        0 none, 1 shadow, 255 unknown: cloud, no data, no daylight, or water that would show none.
        None where the scene lacks a band, positions, its time, or daylight anywhere.
    """
    day = regime(scene) == Regime.DAY
    throw = shadow_throw(scene)
    if throw is None or not day.any() or any(name not in scene for name in NEEDED):
        return None
    s3, s8 = (np.asarray(scene[name].values, np.float32) for name in NEEDED)
    clear = (cloud == 0) & day & np.isfinite(s3)
    reached = shaded_places(cloud == 1, top_km(s8, cloud), throw)
    ground = clear & ~reached & ~_water(scene)
    around = np.where(
        snow,
        mean_around(s3, ground & snow, NEAR_PX),
        mean_around(s3, ground & ~snow, NEAR_PX),
    )
    codes = np.where(clear, np.uint8(0), np.uint8(UNKNOWN))
    codes[clear & reached] = UNKNOWN
    judged = clear & reached & (around >= BRIGHT_GROUND) & ~_water(scene)
    codes[judged] = s3[judged] < DARK_SHARE * around[judged]
    return codes


def top_km(s8: Array, cloud: npt.NDArray[np.uint8]) -> FloatArray:
    """Height of the tops above the ground, km, from how much colder they are than clear ground."""
    ground = mean_around(s8, (cloud == 0) & np.isfinite(s8), AROUND_PX)
    ground = np.where(np.isfinite(ground), ground, warm_background(s8))
    return np.clip((ground - s8) / KELVIN_PER_KM, LOWEST_KM, HIGHEST_KM)


def shadow_throw(scene: xr.Dataset) -> Throw | None:
    """Say how far a shadow lies from what throws it; None where position or time are not known.

    NaN where the sun is down. In vectors that are fixed to the Earth, so that neither the poles nor
    the anti-meridian are special.
    """
    time = parse_time(scene.attrs.get("start_time"))
    if time is None or not {"latitude", "longitude"} <= set(scene.coords):
        return None
    up = _vertical(scene["latitude"].values, scene["longitude"].values)
    if min(up.shape[:2]) < 2:
        return None  # one row or column does not tell where the other axis points
    sun = sun_direction(seconds_since_2000(time))
    height = up @ sun
    # From a cloud of 1 km along the ray to the ground, km.
    with np.errstate(divide="ignore", invalid="ignore"):
        away = up - sun / np.where(height > 0, height, np.nan)[..., np.newaxis]
    row, column = (EARTH_RADIUS_KM * _per_pixel(up, axis) for axis in (0, 1))
    # The nearest whole steps along both axes, which need not be perpendicular.
    rr, cc, rc = (_dot(a, b) for a, b in ((row, row), (column, column), (row, column)))
    along_row, along_column = _dot(away, row), _dot(away, column)
    area = rr * cc - rc * rc
    with np.errstate(divide="ignore", invalid="ignore"):
        area = np.where(area > 0, area, np.nan)
        return Throw(
            (along_row * cc - along_column * rc) / area, (along_column * rr - along_row * rc) / area
        )


def shaded_places(cloud: BoolArray, top_km: FloatArray, throw: Throw) -> BoolArray:
    """Find where shadows of clouds of these heights may lie, as wide as the doubt about them."""
    reached = np.zeros(cloud.shape, bool)
    row, column = np.nonzero(cloud & np.isfinite(throw.down) & np.isfinite(top_km))
    down, right, height = throw.down[row, column], throw.right[row, column], top_km[row, column]
    lowest, highest = LOWEST_SHARE * height, HIGHEST_SHARE * height + DOUBT_KM
    for part in np.linspace(0, 1, HEIGHTS):
        tried = lowest + part * (highest - lowest)
        to_row = np.rint(row + tried * down).astype(np.int32)
        to_column = np.rint(column + tried * right).astype(np.int32)
        inside = (to_row >= 0) & (to_row < cloud.shape[0])
        inside &= (to_column >= 0) & (to_column < cloud.shape[1])
        reached[to_row[inside], to_column[inside]] = True
    return reached


def _vertical(latitude_deg: Array, longitude_deg: Array) -> FloatArray:
    """Point straight up: unit vectors (rows, columns, 3), Earth-fixed as `sun_direction`."""
    latitude = np.radians(latitude_deg, dtype=np.float64)
    longitude = np.radians(longitude_deg, dtype=np.float64)
    level = np.cos(latitude)
    return np.stack(
        [level * np.cos(longitude), level * np.sin(longitude), np.sin(latitude)], axis=-1
    )


def _per_pixel(vectors: FloatArray, axis: int) -> FloatArray:
    """Change from one row or column to the next, over a few pixels: places of pixels are jagged."""
    count = vectors.shape[axis]
    place = np.arange(count)
    before, after = np.maximum(place - _STEP_PX, 0), np.minimum(place + _STEP_PX, count - 1)
    change = np.take(vectors, after, axis) - np.take(vectors, before, axis)
    return np.asarray(change / (after - before).reshape([-1 if i == axis else 1 for i in range(3)]))


def _dot(first: FloatArray, second: FloatArray) -> FloatArray:
    return np.asarray(np.einsum("...i,...i", first, second))


def _water(scene: xr.Dataset) -> BoolArray:
    """Where the product says that there is water."""
    water = np.zeros((scene.sizes["rows"], scene.sizes["columns"]), bool)
    for meaning in ("ocean", "inland_water"):
        flag = surface_flag(scene, meaning)
        if flag is not None:
            water |= flag
    return water
