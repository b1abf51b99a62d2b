"""What a pixel is compared with: the warmth around it, its unevenness, the coldest clear surface.

Arrays are (rows, columns) of brightness temperature in K, NaN where missing.
"""

from typing import Any

import numpy as np
from scipy import ndimage

from slstr_cloudmask.detectors.cloud_tests import Array
from slstr_cloudmask.detectors.fields import from_blocks
from slstr_cloudmask.flags import BoolArray

# Nothing on the ground but the Antarctic plateau in winter is colder: MOD35's high cloud limit.
COLDEST_SURFACE_KELVIN = 233.0
# Sea freezes at 271.35 K and clear cold air takes 1 to 2 K away: MOD35, 270 K over ocean.
COLDEST_SEA_KELVIN = 270.0
FREEZING_KELVIN = 271.0  # of the sea, less what clear cold air takes away
# World Ocean Atlas 2018, zonal annual mean of the sea surface temperature, K.
_SST_LATITUDE_DEG = (0.0, 10.0, 20.0, 30.0, 40.0, 50.0, 60.0)
_SST_KELVIN = (300.2, 300.5, 298.5, 294.0, 287.2, 280.5, 275.5)
# Derived: regions differ from the zonal mean by up to 8 K, and moist air takes up to 6 K away.
_SST_DEFICIT_KELVIN = 14.0
# Sea ice and snow can lie polewards of this, so cold is not cloud there without a look around.
ICE_LATITUDE_DEG = 60.0
# Derived: within 150 km the sea hardly varies by more than 8 K (strong fronts), land of 2 km
# relief by 13 K (6.5 K/km), to which gross cloud's own half ramp of 3 K comes.
_UNKNOWN_DEFICIT_KELVIN, _LAND_DEFICIT_KELVIN = 10.0, 18.0

_BLOCK_PX = 50  # the background is the warmest of 3 x 3 blocks of this size: 150 km
_BACKGROUND_QUANTILE = 0.9


def gross_limit(
    background_kelvin: Array, latitude_deg: Array | None, sea: BoolArray | None
) -> Array:
    """Temperature (K) below which 11 um counts as cloud, by what is known of the surface.

    Parameters
    ----------
    background_kelvin
        Warmth of what is likely clear around each pixel.
    latitude_deg
        Absolute latitude, where known.
    sea
        Where the surface is known to be sea; None if nothing is known.
    """
    limit = np.full(background_kelvin.shape, COLDEST_SEA_KELVIN, np.float32)
    ice_free = np.zeros(limit.shape, bool)
    if latitude_deg is not None:
        climate = np.interp(latitude_deg, _SST_LATITUDE_DEG, _SST_KELVIN).astype(np.float32)
        ice_free = latitude_deg < ICE_LATITUDE_DEG
        limit = np.where(ice_free, np.maximum(climate - _SST_DEFICIT_KELVIN, limit), limit)
    deficit = np.full(limit.shape, _UNKNOWN_DEFICIT_KELVIN, np.float32)
    if sea is not None:
        deficit[~sea] = _LAND_DEFICIT_KELVIN
        # Open sea has its limit whatever is around it: no ice can be there.
        deficit[sea & ice_free] = -np.inf
    limit = np.fmin(limit, background_kelvin - deficit)
    return np.asarray(np.maximum(limit, COLDEST_SURFACE_KELVIN), np.float32)


def warm_background(kelvin: Array) -> Array:
    """Find how warm the clear surface is around each pixel.

    The 0.9 quantile of blocks of 50 x 50 pixels, the warmest of 3 x 3 such blocks, interpolated.
    In a wide overcast it is the cloud's own temperature, so it finds only cloud that is colder
    than something near.

    Parameters
    ----------
    kelvin
        Brightness temperature (rows, columns), NaN where missing.

    Returns
    -------
    numpy.ndarray
        float32 of the same shape; NaN where there is nothing within 150 km.
    """
    padding = [(0, -n % _BLOCK_PX) for n in kelvin.shape]
    filled = np.pad(
        np.where(np.isfinite(kelvin), kelvin, -np.inf), padding, constant_values=-np.inf
    )
    down, across = (n // _BLOCK_PX for n in filled.shape)
    blocks = filled.reshape(down, _BLOCK_PX, across, _BLOCK_PX).swapaxes(1, 2)
    ordered = np.sort(blocks.reshape(down, across, -1), axis=-1)
    known = np.isfinite(ordered).sum(axis=-1)
    # The missing sort first, so the quantile counts from the end.
    place = ordered.shape[-1] - 1 - ((1 - _BACKGROUND_QUANTILE) * known).astype(int)
    warm = np.take_along_axis(ordered, place[..., np.newaxis], axis=-1)[..., 0]
    warm = ndimage.maximum_filter(warm, 3, mode="nearest")
    # A block with nothing around it takes the scene's coldest block: it has no pixels to judge.
    seen = np.isfinite(warm)
    if not seen.any():
        return np.full(kelvin.shape, np.nan, np.float32)
    warm = np.where(seen, warm, warm[seen].min())
    return from_blocks(warm.astype(np.float32), kelvin.shape, _BLOCK_PX)


def mean_around(values: Array, where: BoolArray, width_px: int) -> Array:
    """Average what lies around each pixel: of a square, the pixels ``where`` holds.

    Parameters
    ----------
    values
        Numbers (rows, columns), finite ``where`` they count.
    where
        Which of them count.
    width_px
        Of the square, pixels; at the edge it is cut.

    Returns
    -------
    numpy.ndarray
        float32; NaN where less than a hundredth of the square counts.
    """
    options: dict[str, Any] = {"size": width_px, "mode": "constant"}
    share = ndimage.uniform_filter(where.astype(np.float32), **options)
    total = ndimage.uniform_filter(np.where(where, values, 0).astype(np.float32), **options)
    enough = share >= 0.01
    return np.where(enough, total / np.where(enough, share, 1), np.float32(np.nan))


def local_spread(kelvin: Array) -> Array:
    """Measure the standard deviation in 3 x 3 pixels, K; NaN where one of them is missing."""
    missing = ~np.isfinite(kelvin)
    # About a middle value, so that float32 keeps hundredths of a kelvin.
    offset = np.where(missing, 0.0, kelvin - 270.0).astype(np.float64)
    mean = ndimage.uniform_filter(offset, 3, mode="nearest")
    square = ndimage.uniform_filter(offset * offset, 3, mode="nearest")
    spread = np.sqrt(np.maximum(square - mean * mean, 0.0)).astype(np.float32)
    spread[ndimage.maximum_filter(missing, 3, mode="nearest")] = np.nan
    return spread
