"""The clear sky behind each pixel, from the scene itself and the climate: S8 and how sure it is.

    first = first_guess(scene_s8, place)
    later = refined(scene_s8, clear_probability, first, place)

The first guess is the warmth around a pixel, as far as the climate lets it be that of the surface
and not of a wide overcast. Once it is known which pixels are probably clear, their own temperatures
near by take its place.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from slstr_cloudmask.detectors.background import warm_background
from slstr_cloudmask.detectors.climatology import Flat, usual_kelvin, usual_vapour_mm
from slstr_cloudmask.flags import BoolArray

_BLOCK_PX = 8
# Scales over which clear pixels are averaged, km, nearest first; and how many of them weigh as much
# as what is known from farther away.
_SCALES_KM = (15.0, 60.0)
_ENOUGH = 20.0


@dataclass(frozen=True, slots=True)
class Ground:
    """What is known of the ground: 0 sea, 1 land, 2 unknown; latitude and day where known."""

    land: np.ndarray
    latitude_deg: Flat | None
    day: int | None
    sunlit: BoolArray
    pixel_km: float = 1.0


@dataclass(frozen=True, slots=True)
class Background:
    """Clear S8 of each pixel, K, and its standard error."""

    kelvin: Flat
    sigma_kelvin: Flat


# The warm background is the warmest tenth within 150 km. Derived: how far below it clear ground is
# on average, and by how much that varies: sea has slopes of about 1 K, land 4 K of cover, height
# and slope.
_OFFSET_KELVIN = np.array((0.7, 4.0, 2.0), np.float32)
_SPREAD_KELVIN = np.array((1.2, 4.5, 3.0), np.float32)
# About its own smooth mean clear ground varies by this: eddies at sea; fields, woods, hills.
_ROUGH_KELVIN = np.array((0.4, 1.8, 1.0), np.float32)


def first_guess(s8: Flat, ground: Ground) -> Background:
    """Take the warmth around, bounded from below by the climate."""
    kelvin = np.full(s8.shape, np.nan, np.float32)
    for side in np.unique(ground.land):
        here = ground.land == side
        warm = warm_background(np.where(here, s8, np.float32(np.nan)))
        np.copyto(kelvin, warm - _OFFSET_KELVIN[side], where=here)
    sigma = _SPREAD_KELVIN[ground.land]
    if ground.latitude_deg is None:
        return Background(kelvin, sigma)
    climate, spread = _climate(ground)
    # Warmer than the climate is clear ground that is warm. Colder by more than its spread is
    # rather cloud, and the climate takes over.
    short = np.clip((climate - kelvin) / spread - 1, 0, 1)
    low = np.maximum(kelvin, climate - 1.5 * spread)
    return Background(
        np.asarray(low, np.float32), np.asarray(sigma + short * (spread - sigma), np.float32)
    )


def _climate(ground: Ground) -> tuple[Flat, Flat]:
    """Clear S8 by the climate, and its spread, K."""
    assert ground.latitude_deg is not None
    usual = usual_kelvin(ground.latitude_deg, ground.day)
    # Land is warmer than its air by day, colder by night, by 4 K or so.
    skin = usual.land_kelvin + np.where(ground.sunlit, np.float32(4), np.float32(-4))
    land_spread = np.hypot(usual.land_spread_kelvin, np.float32(6))
    sea = ground.land == 0
    kelvin = np.where(sea, usual.sea_kelvin, skin)
    spread = np.where(sea, usual.sea_spread_kelvin, land_spread)
    # The air takes .3 K at 5 mm of vapour and 4.4 K at 50 mm, at nadir.
    vapour = usual_vapour_mm(np.minimum(kelvin, np.float32(303)))
    deficit = 0.15 + vapour * (np.float32(0.03) + np.float32(0.0011) * vapour)
    return np.asarray(kelvin - 1.1 * deficit, np.float32), np.asarray(spread, np.float32)


def refined(s8: Flat, clear: Flat, first: Background, ground: Ground) -> Background:
    """Let probably clear pixels near by tell the background.

    Parameters
    ----------
    s8
        K, NaN where missing.
    clear
        Probability of clear sky, NaN where unknown.
    first
        What is believed where none is near.
    ground
        Sea and land are averaged apart.
    """
    kelvin, sigma = first.kelvin.copy(), first.sigma_kelvin.copy()
    for side in np.unique(ground.land):
        here = ground.land == side
        weight = np.where(here & np.isfinite(clear) & np.isfinite(s8), clear, 0) ** 3
        guess = _Averages.of(s8, weight, first, here, ground.pixel_km).background(side)
        np.copyto(kelvin, guess.kelvin, where=here)
        np.copyto(sigma, guess.sigma_kelvin, where=here)
    return Background(kelvin, sigma)


@dataclass(frozen=True, slots=True)
class _Averages:
    """Sums over blocks of pixels: weights, weighted S8 and its square, and the first guess."""

    shape: tuple[int, int]
    weight: Flat
    mean: Flat  # about 270 K
    square: Flat
    first: Flat
    first_sigma: Flat
    pixel_km: float

    @classmethod
    def of(
        cls, s8: Flat, weight: Flat, first: Background, here: BoolArray, pixel_km: float
    ) -> "_Averages":
        value = np.where(weight > 0, s8 - np.float32(270), 0).astype(np.float32)
        count = _block_sum(here.astype(np.float32))
        scale = np.maximum(count, 1)
        known = np.where(here, np.nan_to_num(first.kelvin, nan=270.0) - np.float32(270), 0)
        return cls(
            s8.shape,
            _block_sum(weight.astype(np.float32)),
            _block_sum(weight * value),
            _block_sum(weight * value * value),
            _block_sum(known) / scale,
            _block_sum(np.where(here, first.sigma_kelvin, 0)) / scale,
            pixel_km,
        )

    def background(self, side: int) -> Background:
        """Go from far to near: each scale's clear pixels correct what was known so far."""
        # Where this side has no pixel its neighbours' guess is spread out, so that edges are right.
        mean, sigma = self.first, self.first_sigma
        for scale_km in reversed(_SCALES_KM):
            blur = scale_km / self.pixel_km / _BLOCK_PX
            # The number of clear pixels within the scale, about.
            share, first, second = (
                ndimage.gaussian_filter(values, blur, mode="nearest")
                for values in (self.weight, self.mean, self.square)
            )
            trust = share / (share + _ENOUGH / _BLOCK_PX)
            safe = np.maximum(share, 1e-6)
            here = first / safe
            variance = np.maximum(second / safe - here * here, 0)
            mean = mean + trust * (here - mean)
            sigma = np.sqrt(trust * variance + (1 - trust) * sigma**2)
        sigma = np.hypot(sigma, _ROUGH_KELVIN[side])
        return Background(self._spread(mean) + np.float32(270), self._spread(sigma))

    def _spread(self, blocks: Flat) -> Flat:
        """Interpolate blocks to pixels."""
        position = [
            np.clip((np.arange(n, dtype=np.float32) + 0.5) / _BLOCK_PX - 0.5, 0, None)
            for n in self.shape
        ]
        return _interpolated(_interpolated(blocks, position[0]).T, position[1]).T


def _block_sum(values: Flat) -> Flat:
    rows, columns = (-(-n // _BLOCK_PX) * _BLOCK_PX for n in values.shape)
    padded = np.pad(values, ((0, rows - values.shape[0]), (0, columns - values.shape[1])))
    shape = (rows // _BLOCK_PX, _BLOCK_PX, columns // _BLOCK_PX, _BLOCK_PX)
    return np.asarray(padded.reshape(shape).sum(axis=(1, 3)), np.float32)


def _interpolated(values: Flat, position: Flat) -> Flat:
    """Interpolate between rows; positions beyond the last take its value."""
    position = np.minimum(position, values.shape[0] - 1)
    low = position.astype(np.intp)
    high = np.minimum(low + 1, values.shape[0] - 1)
    part = (position - low)[:, np.newaxis].astype(np.float32)
    return np.asarray(values[low] * (1 - part) + values[high] * part, np.float32)


def sharpened(background: Background, factor: float) -> Background:
    """Widen or narrow the standard error by a factor."""
    return replace(background, sigma_kelvin=background.sigma_kelvin * np.float32(factor))
