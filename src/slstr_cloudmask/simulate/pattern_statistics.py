"""Shapes in a simulated scene, in numbers that add over scenes: spectra, edges, patches, the coast.

    numbers = pattern_statistics(scene, flagged, cloudy, known, at_sea)

Pixels are 1 km. Sums, not means, are kept wherever scenes are to be added.
"""

import itertools
import math
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr
from scipy import fft, ndimage

from slstr_cloudmask.flags import BoolArray
from slstr_cloudmask.scene import Regime, regime

# Rings of the spectrum: three an octave, from 512 km to the 2 km that pixels resolve.
WAVELENGTHS_KM = tuple(2.0 ** (9 - step / 3) for step in range(25))
FITTED_KM = (8.0, 128.0)
_MIN_FITTED_RINGS = 4
_MIN_LIT_SHARE = 0.5  # of a scene's pixels, for a spectrum of sunlight
PATCH_BINS = 22  # areas of 1, 2-3, 4-7, ... km2; the last holds all from 2 ** 21 on
COAST_PAIRS_KM = 5.0


def pattern_statistics(
    scene: xr.Dataset, flagged: BoolArray, cloudy: BoolArray, known: BoolArray, at_sea: BoolArray
) -> dict[str, Any]:
    """Describe the shapes in a scene.

    Parameters
    ----------
    scene
        A Scene with ``S8`` and ``coast_distance``.
    flagged, cloudy, known, at_sea
        Boolean (rows, columns): the provider's mask, the truth, where both are known, and where
        the surface is sea or sea ice.

    Returns
    -------
    dict
        ``spectra`` by band: ``power`` per ring of `WAVELENGTHS_KM` (unit squared times km2, null
        where the scene has no such wave) and ``slope`` (null where too few rings);
        ``edges``, ``patches`` and ``coast_pairs`` by mask, ``provider`` and ``truth``.
    """
    near = known & (scene["coast_distance"].values <= COAST_PAIRS_KM)
    masks = {"provider": flagged, "truth": cloudy}
    return {
        "spectra": _spectra(scene, known),
        "edges": {name: list(_differing(mask, known)) for name, mask in masks.items()},
        "patches": {
            name: {
                "cloud": patch_sizes(mask & known).tolist(),
                "clear": patch_sizes(~mask & known).tolist(),
            }
            for name, mask in masks.items()
        },
        "coast_pairs": {name: _coast_pairs(mask, near, at_sea) for name, mask in masks.items()},
    }


def spectrum(values: npt.NDArray[np.floating[Any]], where: BoolArray) -> list[float | None]:
    """Power spectral density, averaged over directions.

    A Hann window keeps the borders from leaking into short waves; gaps hold the mean.

    Parameters
    ----------
    values
        (rows, columns).
    where
        Pixels to use.

    Returns
    -------
    list
        One density per ring between two `WAVELENGTHS_KM`, longest first; None where it is empty.
    """
    rows, columns = values.shape
    mean = float(values[where].mean(dtype=np.float64))
    window = np.hanning(rows)[:, np.newaxis] * np.hanning(columns)
    field = np.where(where, values - mean, 0).astype(np.float32) * window.astype(np.float32)
    power = np.abs(fft.rfft2(field)) ** 2
    rings, sizes = _rings(rows, columns)
    sums = np.bincount(rings.ravel(), power.ravel(), len(WAVELENGTHS_KM) + 1)
    # Parseval: a density per wavenumber squared, of the field that the window weakens.
    norm = float((window**2).sum())
    return [
        float(f"{total / size / norm:.5g}") if size else None
        for total, size in zip(sums[1:-1], sizes[1:-1], strict=True)
    ]


def slope(power: list[float | None]) -> float | None:
    """Slope of a spectrum against wavenumber in log-log axes, between 8 and 128 km."""
    centres = ring_centres_km()
    points = {
        -math.log(centre): math.log(value)
        for centre, value in zip(centres, power, strict=True)
        if value and FITTED_KM[0] <= centre <= FITTED_KM[1]
    }
    if len(points) < _MIN_FITTED_RINGS:
        return None
    return round(float(np.polyfit(list(points), list(points.values()), 1)[0]), 4)


def ring_centres_km() -> list[float]:
    """Wavelength in the middle of every ring, km, longest first."""
    return [math.sqrt(long * short) for long, short in itertools.pairwise(WAVELENGTHS_KM)]


@lru_cache(maxsize=4)
def _rings(rows: int, columns: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Ring of every wave, 0 and the last for those beyond; and how many waves each ring has."""
    wavenumber = np.hypot(fft.fftfreq(rows)[:, np.newaxis], fft.rfftfreq(columns))
    limits = 1 / np.array(WAVELENGTHS_KM)
    rings = np.searchsorted(limits, wavenumber.ravel(), side="right").astype(np.uint8)
    sizes = np.bincount(rings, minlength=len(WAVELENGTHS_KM) + 1)
    return rings.reshape(wavenumber.shape), sizes


def patch_sizes(mask: BoolArray) -> npt.NDArray[np.int64]:
    """Count patches of pixels that touch along a side, by area: 1, 2-3, 4-7, ... pixels."""
    labelled, count = ndimage.label(mask)
    areas = np.bincount(labelled.ravel(), minlength=count + 1)[1:]
    # frexp: area = m 2 ** e with m in .5 to 1, so that e - 1 is the floor of the logarithm.
    place = np.minimum(np.frexp(areas.astype(np.float64))[1] - 1, PATCH_BINS - 1)
    return np.bincount(place, minlength=PATCH_BINS)


def _spectra(scene: xr.Dataset, known: BoolArray) -> dict[str, Any]:
    result = {}
    lit = known & (regime(scene) == Regime.DAY)
    for name, where in (("S8", known), ("S1", lit)):
        if name not in scene:
            continue
        values = scene[name].values
        where = where & np.isfinite(values)
        if np.count_nonzero(where) < _MIN_LIT_SHARE * where.size:
            continue
        power = spectrum(values, where)
        result[name] = {"power": power, "slope": slope(power)}
    return result


def _differing(mask: BoolArray, where: BoolArray) -> tuple[int, int]:
    """Pairs of neighbours that differ, and all pairs, side by side and one above the other."""
    differing = pairs = 0
    for one, other in _neighbours():
        both = where[one] & where[other]
        pairs += int(np.count_nonzero(both))
        differing += int(np.count_nonzero(both & (mask[one] != mask[other])))
    return differing, pairs


def _coast_pairs(mask: BoolArray, near: BoolArray, at_sea: BoolArray) -> list[int]:
    """Count pairs of neighbours near the coast.

    Returns
    -------
    list
        Pairs across the coast that differ, all pairs across it, pairs on one side that differ,
        all pairs on one side.
    """
    counts = [0, 0, 0, 0]
    for one, other in _neighbours():
        both = near[one] & near[other]
        across = both & (at_sea[one] != at_sea[other])
        differ = mask[one] != mask[other]
        beside = both & ~across
        for place, pairs in enumerate((across & differ, across, beside & differ, beside)):
            counts[place] += int(np.count_nonzero(pairs))
    return counts


def _neighbours() -> tuple[tuple[tuple[slice, slice], tuple[slice, slice]], ...]:
    everything, first, last = slice(None), slice(None, -1), slice(1, None)
    return (((first, everything), (last, everything)), ((everything, first), (everything, last)))
