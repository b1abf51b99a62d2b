"""A Scene as a picture.

    rgb = composite(scene)      # uint8 (rows, columns, 3)
    rgb = composite(scene, NATURAL_COLOUR)

By day false colour: 1.6 um, 0.87 um and 0.55 um as red, green and blue, in which cloud of water
is white, ice and snow are cyan, vegetation is green and the sea is black. Where the Sun is down,
or those bands are not there, the temperature at 11 um in greys: cold is white.
"""

import numpy as np
import numpy.typing as npt
import xarray as xr

from slstr_cloudmask.flags import BoolArray
from slstr_cloudmask.scene import FloatArray, Regime, bands_present, regime, valid_pixels

Rgb = npt.NDArray[np.uint8]

NO_DATA_RGB = (140, 128, 115)  # a warm grey, which no temperature has
# Red, green and blue; the first set of which the scene holds all three is used.
NATURAL_COLOUR = ("S3", "S2", "S1")
FALSE_COLOUR = ("S5", "S3", "S1")
COLOUR_BANDS = (FALSE_COLOUR, NATURAL_COLOUR)
THERMAL_BANDS = ("S8", "S9", "S7")  # the first of these that the scene holds
GAMMA = 1.8  # brightens what is between dark sea and bright cloud
THERMAL_GAMMA = 1.3  # and between warm ground and cold cloud
LOW_PERCENTILE, HIGH_PERCENTILE = 1.0, 99.0
MIN_SPAN_KELVIN = 15.0  # so that noise over an even sea is not stretched into a picture
MIN_SPAN_REFLECTANCE = 0.2
MAX_HAZE_REFLECTANCE = 0.1  # taken off as the light of the air; what is brighter is the scene's
SAMPLE_SIZE = 200_000  # pixels that percentiles are taken from


def composite(scene: xr.Dataset, names: tuple[str, str, str] | None = None) -> Rgb:
    """Draw a scene.

    Parameters
    ----------
    scene
        A Scene.
    names
        Bands of red, green and blue; by default those of `colour_bands`.

    Returns
    -------
    numpy.ndarray
        Red, green and blue, uint8 (rows, columns, 3); `NO_DATA_RGB` where there is nothing to
        show.
    """
    rgb = np.empty((*scene[bands_present(scene)[0]].shape, 3), np.uint8)
    rgb[...] = NO_DATA_RGB
    thermal = next((name for name in THERMAL_BANDS if name in scene), None)
    if thermal is not None:
        _paint(rgb, _thermal(scene[thermal].values), valid_pixels(scene))
    names = names or colour_bands(scene)
    if names is not None:
        day = regime(scene) == Regime.DAY
        _paint(rgb, _false_colour(scene, names, day), day)
    return rgb


def colour_bands(scene: xr.Dataset) -> tuple[str, str, str] | None:
    """Bands that make red, green and blue by day; None where the scene lacks them."""
    return next((names for names in COLOUR_BANDS if set(names) <= set(scene)), None)


def cloud_outline(flag: npt.NDArray[np.uint8]) -> BoolArray:
    """Find the edges of cloud against clear sky, not against pixels without data.

    Edges are those of the majority around each pixel, so that fields of small cloud do not hide
    the scene under their outlines.

    Parameters
    ----------
    flag
        0 clear, 1 cloud, 255 unknown (rows, columns).

    Returns
    -------
    numpy.ndarray
        True on the outline, boolean (rows, columns).
    """
    cloud, clear = _neighbours(flag == 1), _neighbours(flag == 0)
    majority = cloud.sum(axis=0) >= clear.sum(axis=0)
    inside, outside = (flag == 1) & majority, (flag == 0) | ((flag == 1) & ~majority)
    return np.asarray(inside & _neighbours(outside)[[1, 3, 5, 7]].any(axis=0))


def _neighbours(where: BoolArray) -> BoolArray:
    """Stack the 3 x 3 pixels around each one; odd places are those above, below and beside it."""
    padded = np.pad(where, 1)
    rows, columns = where.shape
    return np.stack([padded[i : i + rows, j : j + columns] for i in range(3) for j in range(3)])


def _paint(rgb: Rgb, picture: FloatArray, where: BoolArray) -> None:
    """Lay ``picture``, 0 to 1, over ``rgb`` where it is finite and wanted."""
    shown = where & np.isfinite(picture).all(axis=-1)
    rgb[shown] = (picture[shown] * 255 + 0.5).astype(np.uint8)


def _thermal(bt_kelvin: FloatArray) -> FloatArray:
    low, high = stretch_limits(bt_kelvin, MIN_SPAN_KELVIN)
    grey = 1 - np.clip((bt_kelvin - low) / (high - low), 0, 1)
    return np.repeat(grey[..., np.newaxis] ** (1 / THERMAL_GAMMA), 3, axis=-1)


def _false_colour(scene: xr.Dataset, names: tuple[str, str, str], day: BoolArray) -> FloatArray:
    bands = [scene[name].values for name in names]
    limits = [stretch_limits(band[day], MIN_SPAN_REFLECTANCE) for band in bands]
    # One upper limit for all three keeps white cloud white; the lower ones take off the haze,
    # which is blue.
    high = max(limit[1] for limit in limits)
    stretched = [
        _stretch(band, min(low, MAX_HAZE_REFLECTANCE), high)
        for band, (low, _) in zip(bands, limits, strict=True)
    ]
    return np.stack(stretched, axis=-1)


def _stretch(reflectance: FloatArray, low: float, high: float) -> FloatArray:
    return np.asarray(np.clip((reflectance - low) / (high - low), 0, 1) ** (1 / GAMMA))


def stretch_limits(values: FloatArray, min_span: float) -> tuple[float, float]:
    """Percentiles 1 and 99 of the finite values, at least ``min_span`` apart, in their unit."""
    finite = values[np.isfinite(values)]
    if finite.size == 0:
        return 0.0, min_span
    sample = finite[:: max(1, finite.size // SAMPLE_SIZE)]
    low, high = np.percentile(sample, (LOW_PERCENTILE, HIGH_PERCENTILE))
    spread = max(0.0, min_span - float(high - low)) / 2
    return float(low) - spread, float(high) + spread
