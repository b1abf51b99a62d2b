"""One scene as a row of small pictures: colours, bands, the truth, and where the provider errs.

    for caption, png in gallery_panels(scene).items(): ...

Works for real scenes too; what a scene lacks (the truth, reflectances by night) has no picture.
"""

import io

import numpy as np
import numpy.typing as npt
import xarray as xr
from matplotlib import colormaps
from PIL import Image

from slstr_cloudmask.report.composite import NO_DATA_RGB, colour_bands, composite
from slstr_cloudmask.report.page import ERROR_COLOURS, MASK_COLOURS
from slstr_cloudmask.scene import FloatArray, Regime, label, regime

PANEL_WIDTH = 240  # pixels, about
# What a picture's shades mean; lower and upper limits are percentiles, at least this far apart.
_PERCENTILES = (1.0, 99.0)
_MIN_SPAN = {"S8": 10.0, "S4": 0.02, "S7-S8": 6.0}
_STEPS = 48  # shades of a band: enough for the eye, and small files
_COLOURS = 64
_SUNLIT_KELVIN = 12.0  # S7 - S8 beyond this is reflected sunlight: a scale of its own
# Night-time colours as EUMETSAT's microphysics RGB has them: 12 - 11 um, 11 - 3.7 um, 11 um.
_NIGHT_LIMITS_KELVIN = ((-4.0, 2.0), (-3.0, 6.0))

Rgb = npt.NDArray[np.uint8]


def gallery_panels(scene: xr.Dataset) -> dict[str, bytes]:
    """Draw a scene's row of the gallery.

    Parameters
    ----------
    scene
        A Scene, simulated or real.

    Returns
    -------
    dict
        PNG files by caption, about 240 pixels wide each. Pictures of bands tell their limits in
        the caption.
    """
    step = max(1, round(scene.sizes["columns"] / PANEL_WIDTH))
    every = slice(None, None, step)
    scene = scene.isel(rows=every, columns=every)
    pictures = [_colours(scene), *_bands(scene), *_masks(scene)]
    return {caption: _png(picture) for caption, picture in pictures}


def shares(scene: xr.Dataset) -> dict[str, float]:
    """Share of the pixels seen that ``bayes`` and ``truth`` call cloud, as far as there are any."""
    labels = {name: label(scene, name) for name in ("bayes", "truth") if name in scene}
    return {
        name: float(cloud[known].mean()) for name, (cloud, known) in labels.items() if known.any()
    }


def _colours(scene: xr.Dataset) -> tuple[str, Rgb]:
    names = colour_bands(scene)
    if names is not None and bool((regime(scene) == Regime.DAY).any()):
        return f"{', '.join(names)} as red, green, blue", composite(scene)
    if not {"S7", "S8", "S9"} <= set(scene):
        return "thermal", composite(scene)
    s7, s8, s9 = (scene[name].values for name in ("S7", "S8", "S9"))
    warm = _stretched(s8, *_limits(s8, _MIN_SPAN["S8"]))
    split, low_cloud = (
        _stretched(difference, *limits)
        for difference, limits in zip((s9 - s8, s8 - s7), _NIGHT_LIMITS_KELVIN, strict=True)
    )
    return "S9-S8, S8-S7, S8 as red, green, blue", _rgb(np.stack([split, low_cloud, warm], -1))


def _bands(scene: xr.Dataset) -> list[tuple[str, Rgb]]:
    pictures = []
    if "S8" in scene:
        kelvin = scene["S8"].values
        low, high = _limits(kelvin, _MIN_SPAN["S8"])
        shown = _grey(1 - _stretched(kelvin, low, high))
        pictures.append((f"S8, 11 µm: {high:.0f} K black to {low:.0f} K white", shown))
    if "S4" in scene and np.isfinite(scene["S4"].values).any():
        reflectance = scene["S4"].values
        high = _limits(reflectance, _MIN_SPAN["S4"])[1]
        shown = _grey(np.sqrt(_stretched(reflectance, 0, high)))
        pictures.append((f"S4, 1.37 µm: 0 black to {high:.2g} white", shown))
    elif pictures:  # by night: rows stay in line
        pictures.append(
            ("S4, 1.37 µm: no sunlight", _rgb(np.full_like(pictures[0][1], np.nan, float)))
        )
    if {"S7", "S8"} <= set(scene):
        pictures.append(_difference(scene["S7"].values - scene["S8"].values))
    return pictures


def _difference(kelvin: FloatArray) -> tuple[str, Rgb]:
    """Draw S7 - S8: sunlight in one hue, or colder and warmer than 11 um in two."""
    low, high = _limits(kelvin, _MIN_SPAN["S7-S8"])
    if high > _SUNLIT_KELVIN:
        low, words = min(low, 0.0), "blue to yellow"
        colours = colormaps["cividis"]
    else:
        high = max(abs(low), abs(high))
        low, words = -high, "orange to violet"
        colours = colormaps["PuOr"]
    shades = colours(np.round(np.nan_to_num(_stretched(kelvin, low, high)) * _STEPS) / _STEPS)
    caption = f"S7-S8, 3.7-11 µm: {low:.0f} to {high:+.0f} K, {words}"
    return caption, _where(np.isfinite(kelvin), (shades[..., :3] * 255).astype(np.uint8))


def _masks(scene: xr.Dataset) -> list[tuple[str, Rgb]]:
    pictures = []
    for name, words in (("truth", "truth"), ("bayes", "provider")):
        if name in scene:
            cloud, known = label(scene, name)
            pictures.append((words, MASK_COLOURS[np.where(known, cloud, 2)]))
    if "truth" in scene and "bayes" in scene:
        (truth, known), (flag, flag_known) = label(scene, "truth"), label(scene, "bayes")
        known = known & flag_known
        codes = np.select([~known, truth & ~flag, flag & ~truth], [3, 1, 2], 0)
        missed, false = ((codes == code).sum() / max(known.sum(), 1) for code in (1, 2))
        caption = f"provider's errors: {missed:.1%} missed, {false:.0%} false cloud"
        pictures.append((caption, ERROR_COLOURS[codes]))
    return pictures


def _limits(values: FloatArray, min_span: float) -> tuple[float, float]:
    finite = values[np.isfinite(values)]
    if finite.size == 0:
        return 0.0, min_span
    low, high = (float(value) for value in np.percentile(finite, _PERCENTILES))
    spread = max(0.0, min_span - (high - low)) / 2
    return low - spread, high + spread


def _stretched(values: FloatArray, low: float, high: float) -> FloatArray:
    return np.asarray(np.clip((values - low) / (high - low), 0, 1))


def _grey(values: FloatArray) -> Rgb:
    return _rgb(np.repeat(np.round(values * _STEPS)[..., np.newaxis] / _STEPS, 3, axis=-1))


def _rgb(values: FloatArray) -> Rgb:
    """Colours from 0 to 1 as bytes; pixels without data in their own colour."""
    shown = np.asarray(np.isfinite(values).all(axis=-1))
    return _where(shown, (np.nan_to_num(values) * 255 + 0.5).astype(np.uint8))


def _where(shown: npt.NDArray[np.bool_], picture: Rgb) -> Rgb:
    return np.where(shown[..., np.newaxis], picture, np.array(NO_DATA_RGB, np.uint8))


def _png(picture: Rgb) -> bytes:
    """Encode with few colours, which makes files a quarter as large."""
    buffer = io.BytesIO()
    few = Image.fromarray(picture).quantize(_COLOURS, dither=Image.Dither.NONE)
    few.save(buffer, format="png", optimize=True)
    return buffer.getvalue()
