"""The clear sky behind each pixel, from the scene itself and the climate, and how sure it is.

    first = first_guess(s8, ground)
    later = refined(s8, clear_probability, first, ground, ROUGH_KELVIN)

The first guess is the warmth around a pixel, as far as the climate lets it be that of the surface
and not of a wide overcast. Once it is known which pixels are probably clear, their own temperatures
near by take its place.
"""

from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from slstr_cloudmask.detectors.climatology import Flat, usual_kelvin, usual_vapour_mm
from slstr_cloudmask.detectors.fields import from_blocks, in_blocks
from slstr_cloudmask.detectors.surroundings import (
    FREEZING_KELVIN,
    ICE_LATITUDE_DEG,
    warm_background,
)
from slstr_cloudmask.flags import BoolArray

_BLOCK_PX = 8
# Scales over which clear pixels are averaged, km, nearest first; and how many of them weigh as much
# as what is known from farther away.
_SCALES_KM = (15.0, 60.0)
_ENOUGH = 20.0


# Kinds of ground: either where it is not known which, ice where sea may be frozen.
SEA, LAND, EITHER, ICE = range(4)


@dataclass(frozen=True, slots=True)
class Ground:
    """What is known of the ground: its kind; latitude and day of the year where known."""

    land: npt.NDArray[np.intp]
    latitude_deg: Flat | None
    day: int | None
    sunlit: BoolArray
    pixel_km: float = 1.0

    @property
    def kinds(self) -> npt.NDArray[np.intp]:
        """Which kinds there are."""
        return np.flatnonzero(np.bincount(self.land.ravel()))


@dataclass(frozen=True, slots=True)
class ClearSky:
    """What S8, or a difference of bands, would be without cloud, K, and its standard error."""

    kelvin: Flat
    sigma_kelvin: Flat


# The warm background is the warmest tenth within 150 km. Derived: how far below it clear ground is
# on average, and by how much that varies: sea has slopes of about 1 K, land 4 K of cover, height
# and slope. Ice: chosen on simulated scenes among 1 to 4 K below and 3 to 6 K of spread.
_OFFSET_KELVIN = np.array((0.7, 4.0, 2.0, 1.0), np.float32)
_SPREAD_KELVIN = np.array((1.2, 4.5, 3.0, 3.0), np.float32)
# Of the spread of clear pixels around, this is error of their smooth mean: the rest is its slope,
# and the cloud that was taken for clear. Chosen on simulated scenes: .35 of .35, .5 and .7.
_OWN_SHARE = np.float32(0.35)
# About its own smooth mean clear ground varies by this: eddies at sea; fields, woods, hills; floes
# of different age, and leads.
ROUGH_KELVIN = np.array((0.3, 1.8, 1.0, 2.0), np.float32)


def first_guess(s8: Flat, ground: Ground) -> ClearSky:
    """Take the warmth around, bounded from below by the climate."""
    kelvin = np.full(s8.shape, np.nan, np.float32)
    for side in ground.kinds:
        here = ground.land == side
        warm = warm_background(np.where(here, s8, np.float32(np.nan)))
        np.copyto(kelvin, warm - _OFFSET_KELVIN[side], where=here)
    sigma = _SPREAD_KELVIN[ground.land]
    if ground.latitude_deg is None:
        return ClearSky(kelvin, sigma)
    climate, spread = _climate(ground)
    # Warmer than the climate is clear ground that is warm. Colder by more than its spread is
    # rather cloud, and the climate takes over.
    short = np.clip((climate - kelvin) / spread - 1, 0, 1)
    low = np.maximum(kelvin, climate - 1.5 * spread)
    placed = np.isfinite(ground.latitude_deg)
    return ClearSky(
        np.asarray(np.where(placed, low, kelvin), np.float32),
        np.asarray(np.where(placed, sigma + short * (spread - sigma), sigma), np.float32),
    )


def may_be_frozen(s8: Flat, ground: Ground) -> BoolArray:
    """Tell where sea may be ice: polewards, too cold for water, and no water within 150 km.

    Cloud over open water that covers all within that distance is taken for possible ice, too, which
    says no more than that the water's temperature is no measure of it.
    """
    sea: BoolArray = ground.land == SEA
    if ground.latitude_deg is None:
        return np.zeros_like(sea)
    cold: BoolArray = (
        sea & (np.abs(ground.latitude_deg) >= ICE_LATITUDE_DEG) & (s8 < FREEZING_KELVIN)
    )
    if not cold.any():
        return cold
    warmest = warm_background(np.where(sea, s8, np.float32(np.nan)))
    return cold & (warmest < FREEZING_KELVIN)


def _climate(ground: Ground) -> tuple[Flat, Flat]:
    """Clear S8 by the climate, and its spread, K."""
    assert ground.latitude_deg is not None
    usual = usual_kelvin(ground.latitude_deg, ground.day)
    # Land is warmer than its air by day, colder by night, by 4 K or so; and ice is as land.
    skin = usual.land_kelvin + np.where(ground.sunlit, np.float32(4), np.float32(-4))
    land_spread = np.hypot(usual.land_spread_kelvin, np.float32(6))
    sea = ground.land == SEA
    kelvin = np.where(sea, usual.sea_kelvin, skin)
    spread = np.where(sea, usual.sea_spread_kelvin, land_spread)
    # The air takes .3 K at 5 mm of vapour and 4.4 K at 50 mm, at nadir.
    vapour = usual_vapour_mm(np.minimum(kelvin, np.float32(303)))
    deficit = 0.15 + vapour * (np.float32(0.03) + np.float32(0.0011) * vapour)
    return np.asarray(kelvin - 1.1 * deficit, np.float32), np.asarray(spread, np.float32)


def refined(
    values: Flat, clear: Flat, first: ClearSky, ground: Ground, rough: npt.NDArray[np.float32]
) -> ClearSky:
    """Let probably clear pixels near by tell what clear sky is.

    Parameters
    ----------
    values
        S8, or a difference of bands; K, NaN where missing.
    clear
        Probability of clear sky, NaN where unknown.
    first
        What is believed where none is near.
    ground
        Its kinds are averaged apart.
    rough
        By how much clear pixels differ from their own smooth mean, by kind of ground.
    """
    kelvin, sigma = first.kelvin.copy(), first.sigma_kelvin.copy()
    for side in ground.kinds:
        here = ground.land == side
        weight = np.where(here & np.isfinite(clear) & np.isfinite(values), clear, 0) ** 3
        mean, error = _averaged(values - first.kelvin, weight, first.sigma_kelvin, here, ground)
        np.add(kelvin, mean, out=kelvin, where=here)
        np.copyto(sigma, np.hypot(_OWN_SHARE * error, rough[side]), where=here)
    return ClearSky(kelvin, sigma)


def _averaged(
    values: Flat, weight: Flat, sigma: Flat, here: BoolArray, ground: Ground
) -> tuple[Flat, Flat]:
    """Average around each pixel, going from far to near; and the standard error."""
    values = np.where(weight > 0, values, np.float32(0))
    summed = partial(in_blocks, block_px=_BLOCK_PX)
    sums = [summed(v) for v in (weight, weight * values, weight * values * values)]
    count = np.maximum(summed(here.astype(np.float32)), 1)
    error = np.asarray(summed(np.where(here, sigma, np.float32(0))) / count, np.float32)
    mean = np.zeros_like(error)
    for scale_km in reversed(_SCALES_KM):
        blur = scale_km / ground.pixel_km / _BLOCK_PX
        share, first, second = (ndimage.gaussian_filter(v, blur, mode="nearest") for v in sums)
        trust = share / (share + _ENOUGH / _BLOCK_PX)
        safe = np.maximum(share, 1e-6)
        here_mean = first / safe
        variance = np.maximum(second / safe - here_mean * here_mean, 0)
        mean = np.asarray(mean + trust * (here_mean - mean), np.float32)
        error = np.asarray(np.sqrt(trust * variance + (1 - trust) * error**2), np.float32)
    return (
        from_blocks(mean, values.shape, _BLOCK_PX),
        from_blocks(error, values.shape, _BLOCK_PX),
    )
