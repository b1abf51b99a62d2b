"""What the instrument adds: blur, noise, saturation, rounding, lost lines and copied pixels.

Numbers from the literature are quoted from memory, not checked against the sources named.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from slstr_cloudmask.flags import BoolArray
from slstr_cloudmask.simulate.clear import Bands
from slstr_cloudmask.simulate.fractal import Field
from slstr_cloudmask.simulate.geometry import FULL_ROWS, TRACK_COLUMN, Window
from slstr_cloudmask.simulate.observe import reflectance_divisor
from slstr_cloudmask.simulate.radiation import (
    THERMAL_WAVELENGTH_UM,
    brightness_temperature,
    planck_radiance,
)

_BLUR_PX = 0.42  # standard deviation of the point spread function
_SHIFT_PX = 0.5  # the visible grid lies up to this far off the thermal one
# Noise-equivalent temperature differences at 270 K: Coppo et al. (2010), J. Mod. Opt. 57, 1815.
NOISE_KELVIN_AT_270 = {"S7": 0.045, "S8": 0.013, "S9": 0.018}
# The fire channels see what these bands see, do not saturate, and have as many times their noise:
# black-body noise in the quality files of a product of August 2021.
FIRE_TWINS = {"F1": ("S7", 24.0), "F2": ("S8", 2.0)}
# Signal-to-noise ratio in bright scenes, and a floor in reflectance at an overhead sun: same.
_SIGNAL_TO_NOISE, _DARK_NOISE = 250.0, 0.0006
S7_SATURATES_KELVIN = 312.0
_COLDEST_KELVIN = 195.0
BT_STEP_KELVIN = 0.01  # scale factor of the products' brightness temperatures
_LOST_LINES_SHARE = 0.1  # of scenes with one to three lost lines
_OUTER_KM = 500  # beyond this far from the track, scans leave gaps, which are filled with copies


@dataclass(frozen=True, slots=True)
class Gaps:
    """Per pixel: whether it was seen, and whether it is a copy of its left neighbour."""

    seen: BoolArray
    cosmetic: BoolArray


def draw_gaps(rng: np.random.Generator, in_swath: BoolArray, window: Window) -> Gaps:
    """Draw which pixels are lost or copied.

    Parameters
    ----------
    rng
        Source of randomness.
    in_swath
        Pixels that the instrument scans (rows, columns).
    window
        Where in the frame they lie.
    """
    seen = in_swath.copy()
    if rng.random() < _LOST_LINES_SHARE:
        lost = rng.integers(0, FULL_ROWS, int(rng.integers(1, 4))) - window.row
        seen[lost[(lost >= 0) & (lost < window.rows)]] = False
    # Scans leave more gaps the farther out they are; all in all in up to two of a hundred pixels.
    across_km = np.abs(np.arange(window.columns) + (window.column - TRACK_COLUMN))
    share = np.clip((across_km - _OUTER_KM) / _OUTER_KM, 0, 1) * rng.uniform(0.01, 0.04)
    copied = rng.random(seen.shape, np.float32) < share
    copied[:, 0] = False
    copied[:, 1:] &= seen[:, 1:] & seen[:, :-1]
    copied[:, 1:] &= ~copied[:, :-1]  # a copy is of what was seen, not of another copy
    return Gaps(seen, copied)


def measured(
    rng: np.random.Generator, bands: Bands, mu_sun: Field, *, noise_factor: float = 1.0
) -> Bands:
    """Blur the bands and add noise; saturate and round the brightness temperatures.

    Parameters
    ----------
    rng
        Source of randomness.
    bands
        Without noise.
    mu_sun
        Cosine of the solar zenith angle, by which reflectances were divided where it is above 0.
    noise_factor
        Multiplies the noise.
    """
    down, right = rng.uniform(-_SHIFT_PX, _SHIFT_PX, 2)
    floor = (_DARK_NOISE / reflectance_divisor(mu_sun)) ** 2
    result = {}
    for name in sorted(bands):
        if name in THERMAL_WAVELENGTH_UM:
            result[name] = _measured_kelvin(rng, name, bands[name], noise_factor)
        else:
            seen = blurred(bands[name], down, right)
            noise = np.sqrt((seen / np.float32(_SIGNAL_TO_NOISE)) ** 2 + floor)
            noise *= noise_factor * rng.standard_normal(seen.shape, np.float32)
            result[name] = np.asarray(seen + noise, np.float32)
    return result


def measured_fire(rng: np.random.Generator, bands: Bands, *, noise_factor: float = 1.0) -> Bands:
    """Measure the fire channels F1 and F2, from ``S7`` and ``S8`` without noise; as `measured`."""
    return {
        name: _measured_kelvin(rng, twin, bands[twin], noise_factor * factor, saturates=False)
        for name, (twin, factor) in FIRE_TWINS.items()
    }


def fill_gaps(bands: Bands, gaps: Gaps) -> Bands:
    """Copy pixels into gaps, and leave NaN where nothing was seen."""
    result = {}
    for name, values in bands.items():
        filled = values.copy()
        filled[:, 1:][gaps.cosmetic[:, 1:]] = values[:, :-1][gaps.cosmetic[:, 1:]]
        filled[~gaps.seen] = np.nan
        result[name] = filled
    return result


def blurred(values: Field, down_px: float = 0.0, right_px: float = 0.0) -> Field:
    """Spread a band by the point spread function.

    Parameters
    ----------
    values
        A band.
    down_px, right_px
        How far from each pixel's middle the instrument looks.
    """
    result = values
    for axis, shift in enumerate((down_px, right_px)):
        kernel = _kernel(float(shift))
        result = ndimage.correlate1d(result, kernel, axis, mode="nearest", output=np.float32)
    return np.asarray(result, np.float32)


def _kernel(shift_px: float) -> npt.NDArray[np.float64]:
    """Integrate a Gaussian over each of five pixels, off the middle by ``shift_px``."""
    edges = (np.arange(6) - 2.5 - shift_px) / (_BLUR_PX * math.sqrt(2))
    weights = np.diff([math.erf(edge) for edge in edges])
    return np.asarray(weights / weights.sum())


def _measured_kelvin(
    rng: np.random.Generator,
    name: str,
    kelvin: Field,
    noise_factor: float,
    *,
    saturates: bool = True,
) -> Field:
    """Add noise that is constant in radiance, so that it grows where it is cold."""
    wavelength_um = THERMAL_WAVELENGTH_UM[name]
    step = planck_radiance(wavelength_um, np.array([270.0, 271.0], np.float64))
    noise = np.float32(noise_factor * NOISE_KELVIN_AT_270[name] * (step[1] - step[0]))
    floor = planck_radiance(wavelength_um, np.array(_COLDEST_KELVIN)).astype(np.float32)
    radiance = blurred(planck_radiance(wavelength_um, kelvin).astype(np.float32))
    radiance += noise * rng.standard_normal(kelvin.shape, np.float32)
    result = brightness_temperature(wavelength_um, np.maximum(radiance, floor))
    if name == "S7" and saturates:
        result = np.minimum(result, S7_SATURATES_KELVIN)
    return np.asarray(np.rint(result / BT_STEP_KELVIN) * BT_STEP_KELVIN, np.float32)
