"""One simulated scene in numbers that add over scenes.

    numbers = scene_statistics(scene, folder="day")

`slstr_cloudmask.report.realism` adds them up and compares them with what is known of the real data
set. Everything is plain JSON: counts are lists of tp, fp, tn, fn of the provider's mask against the
truth, histograms have fixed bins and say where their first count stands.
"""

from typing import Any

import numpy as np
import xarray as xr

from slstr_cloudmask.errors import InputError
from slstr_cloudmask.flags import BoolArray
from slstr_cloudmask.scene import STRATUM_NAMES, Regime, label, regime
from slstr_cloudmask.simulate.class_statistics import Codes, class_statistics, meanings, take
from slstr_cloudmask.simulate.pattern_statistics import pattern_statistics

VERSION = 1  # goes up whenever the numbers of the same scene change

Counts = list[int]  # tp, fp, tn, fn

# Scenes that were written before shadows were kept have no such stratum, and none is counted here.
NEEDED = ("bayes", "truth", *(name for name in STRATUM_NAMES if name != "cloud_shadow"))
REGIMES = {Regime.DAY: "day", Regime.TWILIGHT: "twilight", Regime.NIGHT: "night"}
SURFACE_GROUPS = {
    "ocean": ("ocean",),
    "inland water": ("inland_water",),
    "vegetation": ("forest", "grass"),
    "bare": ("shrub", "desert"),
    "snow": ("old_snow", "fresh_snow"),
    "sea ice": ("sea_ice", "thin_ice"),
}
SEA_KINDS = ("ocean", "sea_ice", "thin_ice")
COAST_KM = 5.0
GLINT = 0.05  # reflectance at 0.87 um from which sun glint matters
POLAR_LATITUDE_DEG = 66.0
OPTICAL_DEPTHS = (0.02, 0.1, 0.3, 0.6, 1.0, 3.0, 10.0)  # edges, at 0.55 um
DEPTH_NAMES = ("0-0.02", "0.02-0.1", "0.1-0.3", "0.3-0.6", "0.6-1", "1-3", "3-10", ">10")
AMBIGUOUS_DEPTHS = (0.02, 0.3)
PROBABILITY_BINS = 10


def scene_statistics(scene: xr.Dataset, *, folder: str) -> dict[str, Any]:
    """Describe a simulated scene.

    Parameters
    ----------
    scene
        A simulated Scene, with the provider's mask, the truth and the strata of `NEEDED`.
    folder
        ``day`` or ``night``: the folder of the data set that the scene belongs in.

    Returns
    -------
    dict
        Numbers, lists and text only. ``pixels`` counts the whole frame, ``valid`` the pixels with
        both labels; ``flagged``, ``cloudy`` and ``ambiguous`` (optical depth 0.02 to 0.3) are
        pixels too. ``counts`` holds tp, fp, tn, fn by stratum, ``histograms`` the bands by class.

    Raises
    ------
    InputError
        The scene lacks a label, a stratum or a coordinate.
    """
    missing = [name for name in (*NEEDED, "latitude", "longitude") if name not in scene.variables]
    if missing:
        raise InputError(
            f"Statistics need a simulated scene with {', '.join(NEEDED)}, latitude and longitude: "
            f"{scene.attrs.get('source', 'this one')} lacks {', '.join(missing)}."
        )
    flagged, known = label(scene, "bayes")
    cloudy, has_truth = label(scene, "truth")
    known &= has_truth
    flagged &= known
    cloudy &= known
    depth = scene["optical_depth"].values
    low, high = AMBIGUOUS_DEPTHS
    return {
        "version": VERSION,
        "name": str(scene.attrs.get("source", "")),
        "start_time": str(scene.attrs.get("start_time", "")),
        "latitude_deg": _centre(scene, "latitude"),
        "longitude_deg": _centre(scene, "longitude"),
        "folder": folder,
        "pixels": int(known.size),
        "valid": int(np.count_nonzero(known)),
        "flagged": int(np.count_nonzero(flagged)),
        "cloudy": int(np.count_nonzero(cloudy)),
        "ambiguous": int(np.count_nonzero(known & (depth > low) & (depth < high))),
        "counts": _counts_by_stratum(scene, flagged, cloudy, known),
        "reliability": _reliability(scene, cloudy, known),
        **class_statistics(scene, cloudy, known),
        **pattern_statistics(scene, flagged, cloudy, known, _at_sea(scene)),
    }


def _centre(scene: xr.Dataset, name: str) -> float:
    """Coordinate of the middle pixel, degrees."""
    values = scene[name].values
    return round(float(values[values.shape[0] // 2, values.shape[1] // 2]), 3)


def _counts_by_stratum(
    scene: xr.Dataset, flagged: BoolArray, cloudy: BoolArray, known: BoolArray
) -> dict[str, dict[str, Counts]]:
    """Count tp, fp, tn, fn in every part of every stratum."""
    code = flagged.astype(np.uint8) + 2 * cloudy.astype(np.uint8)
    code[~known] = 4
    strata = {"all": (("all",), np.zeros(known.shape, np.uint8)), **_strata(scene)}
    result = {}
    for stratum, (names, index) in strata.items():
        joint = index.astype(np.uint16) * np.uint16(8) + code
        table = np.bincount(joint.ravel(), minlength=8 * 256).reshape(-1, 8)
        # Codes: 3 flagged and cloudy, 1 flagged alone, 0 neither, 2 cloudy alone.
        rows = table[: len(names), [3, 1, 0, 2]].tolist()
        result[stratum] = dict(zip(names, rows, strict=True))
    return result


def _strata(scene: xr.Dataset) -> dict[str, tuple[tuple[str, ...], Codes]]:
    """Give each pixel its place among the names of every stratum; one beyond the last is none."""
    coast = scene["coast_distance"].values
    surface = take(scene["surface_kind"], SURFACE_GROUPS)
    surface[coast <= COAST_KM] = len(SURFACE_GROUPS)
    kinds = meanings(scene["cloud_kind"])
    day_parts = np.full(256, len(REGIMES), np.uint8)
    for place, value in enumerate(REGIMES):
        day_parts[value] = place
    part = day_parts[regime(scene)]
    glint = np.where(scene["glint_reflectance"].values > GLINT, np.uint8(1), np.uint8(0))
    glint[(part != 0) | (take(scene["surface_kind"], {"sea": ("ocean",)}) != 0)] = 2
    polar = np.abs(scene["latitude"].values) > POLAR_LATITUDE_DEG
    # Which side of the coast, for the provider's step there: beyond mixed pixels, and near.
    side = np.where(_at_sea(scene), np.uint8(0), np.uint8(1))
    side[~((coast > 2) & (coast <= 2 * COAST_KM))] = 2
    edges = np.array(OPTICAL_DEPTHS, np.float32)
    depth = np.searchsorted(edges, scene["optical_depth"].values, side="right")
    return {
        "regime": (tuple(REGIMES.values()), part),
        "surface": ((*SURFACE_GROUPS, "coast"), surface),
        "sea by day": (("no glint", "glint"), glint),
        "latitude": (("other", "polar"), polar.astype(np.uint8)),
        "optical depth": (DEPTH_NAMES, depth.astype(np.uint8)),
        "cloud kind": (
            tuple(kinds),
            take(scene["cloud_kind"], {kind: (kind,) for kind in kinds}),
        ),
        "coast": (("sea side", "land side"), side),
    }


def _at_sea(scene: xr.Dataset) -> BoolArray:
    return np.asarray(take(scene["surface_kind"], {"sea": SEA_KINDS}) == 0)


def _reliability(scene: xr.Dataset, cloudy: BoolArray, known: BoolArray) -> list[list[int]]:
    """Pixels, and truly cloudy pixels, in ten bins of the provider's probability of cloud."""
    probability = scene["cloud_probability_provider"].values
    where = known & np.isfinite(probability)
    index = np.minimum((probability[where] * PROBABILITY_BINS).astype(int), PROBABILITY_BINS - 1)
    pixels = np.bincount(index, minlength=PROBABILITY_BINS)
    cloud = np.bincount(index[cloudy[where]], minlength=PROBABILITY_BINS)
    return [pixels.tolist(), cloud.tolist()]
