"""What the instrument adds: blur, noise, saturation, rounding, empty columns and lost lines.

Numbers from the literature are quoted from memory, not checked against the sources named.
"""

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from slstr_cloudmask.simulate.fractal import Field
from slstr_cloudmask.simulate.radiation import (
    THERMAL_WAVELENGTH_UM,
    brightness_temperature,
    planck_radiance,
)

Bands = dict[str, Field]

_BLUR_PX = 0.4  # standard deviation of the point spread function
# Noise-equivalent temperature differences at 270 K: Coppo et al. (2010), J. Mod. Opt. 57, 1815.
_NOISE_KELVIN_AT_270 = {"S7": 0.045, "S8": 0.013, "S9": 0.018}
S7_SATURATES_KELVIN = 312.0
_COLDEST_KELVIN = 195.0
BT_STEP_KELVIN = 0.01  # scale factor of the products' brightness temperatures
_LOST_LINES_SHARE = 0.1  # of scenes with one to three lost lines


def blurred(values: Field) -> Field:
    """Spread a band by the point spread function; NaN spreads too."""
    return np.asarray(ndimage.gaussian_filter(values, _BLUR_PX, truncate=2.5), np.float32)


def measured(rng: np.random.Generator, bands: Bands) -> Bands:
    """Blur the bands and add noise; saturate and round the brightness temperatures."""
    result = {}
    for name, values in bands.items():
        seen = blurred(values)
        if name in THERMAL_WAVELENGTH_UM:
            result[name] = _measured_kelvin(rng, name, seen)
        else:
            # Signal-to-noise ratio of 250 in bright scenes, and a floor: Coppo et al. (2010).
            noise = np.sqrt((seen / np.float32(250)) ** 2 + np.float32(0.0006**2))
            result[name] = seen + noise * rng.standard_normal(seen.shape, np.float32)
    return result


def draw_seen(rng: np.random.Generator, in_swath: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Pixels with data: the swath, now and then without a few lines."""
    seen = in_swath.copy()
    if rng.random() < _LOST_LINES_SHARE:
        for row in rng.integers(0, seen.shape[0], int(rng.integers(1, 4))):
            seen[row] = False
    return seen


def _measured_kelvin(rng: np.random.Generator, name: str, kelvin: Field) -> Field:
    """Add noise that is constant in radiance, so that it grows where it is cold."""
    wavelength_um = THERMAL_WAVELENGTH_UM[name]
    step = planck_radiance(wavelength_um, np.array([270.0, 271.0], np.float64))
    noise = np.float32(_NOISE_KELVIN_AT_270[name] * (step[1] - step[0]))
    floor = planck_radiance(wavelength_um, np.array(_COLDEST_KELVIN)).astype(np.float32)
    radiance = planck_radiance(wavelength_um, kelvin).astype(np.float32)
    radiance = radiance + noise * rng.standard_normal(kelvin.shape, np.float32)
    result = brightness_temperature(wavelength_um, np.maximum(radiance, floor))
    if name == "S7":
        result = np.minimum(result, S7_SATURATES_KELVIN)
    return np.asarray(np.rint(result / BT_STEP_KELVIN) * BT_STEP_KELVIN, np.float32)
