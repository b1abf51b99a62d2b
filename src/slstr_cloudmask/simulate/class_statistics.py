"""Brightness of each class of pixels in a simulated scene, as histograms that add over scenes.

    numbers = class_statistics(scene, cloudy, known)

The classes are those of the table of typical values that scenes of this instrument are known by:
clear surfaces without any cloud above them, and kinds of cloud, by day or by night.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from slstr_cloudmask.flags import BoolArray
from slstr_cloudmask.scene import Regime, regime
from slstr_cloudmask.simulate.statistics_bins import QUANTITIES, quantity

Codes = npt.NDArray[np.uint8]

# Clear classes by surface and regime.
CLEAR_CLASSES = {
    "clear ocean, day": (Regime.DAY, ("ocean",)),
    "clear ocean, night": (Regime.NIGHT, ("ocean",)),
    "vegetation, day": (Regime.DAY, ("forest", "grass")),
    "desert, day": (Regime.DAY, ("desert",)),
    "snow, day": (Regime.DAY, ("old_snow", "fresh_snow")),
    "sea ice, day": (Regime.DAY, ("sea_ice",)),
    "snow or ice, night": (Regime.NIGHT, ("old_snow", "fresh_snow", "sea_ice")),
}
# Cloudy ones by kind of cloud and regime.
CLOUD_CLASSES = {
    "stratus, day": (Regime.DAY, ("stratus", "closed_cells")),
    "stratus or fog, night": (Regime.NIGHT, ("stratus", "closed_cells", "fog")),
    "broken cumulus, day": (Regime.DAY, ("cumulus", "open_cells")),
    "altocumulus, day": (Regime.DAY, ("altocumulus",)),
    "cirrus, day": (Regime.DAY, ("cirrus", "cirrostratus", "contrail", "contrails")),
    "cirrus, night": (Regime.NIGHT, ("cirrus", "cirrostratus", "contrail", "contrails")),
    "storms or fronts, day": (Regime.DAY, ("storms", "front")),
}
GLINT_CLASS, DUST_CLASS = "ocean glint, day", "dust over ocean, day"
CLASSES = (*CLEAR_CLASSES, *CLOUD_CLASSES, GLINT_CLASS, DUST_CLASS)
_CLEAR_DEPTH, _CIRRUS_DEPTHS, _DUST_DEPTH = 0.02, (0.3, 2.0), 0.3
_GLINT_BELOW, _GLINT_FROM = 0.02, 0.15
_S7_SATURATED_KELVIN = 311.95  # the instrument saturates at 312 K; hundredths are rounding


def class_statistics(scene: xr.Dataset, cloudy: BoolArray, known: BoolArray) -> dict[str, Any]:
    """Describe the classes of a scene.

    Parameters
    ----------
    scene
        A simulated Scene with its strata.
    cloudy, known
        Boolean (rows, columns): the truth, and where labels are known.

    Returns
    -------
    dict
        ``histograms`` by class and quantity: the first bin of `QUANTITIES` that is not empty, and
        the counts from there on; ``desert_saturated``: pixels of clear desert by day at which S7
        is saturated, and all of them.
    """
    classes = _classes(scene, cloudy, known).ravel()
    places = np.flatnonzero(classes < len(CLASSES))
    classes = classes[places]
    histograms: dict[str, dict[str, Any]] = {}
    for name, bins in QUANTITIES.items():
        values = quantity(scene, name)
        if values is None:
            continue
        taken = values.ravel()[places]
        finite = np.isfinite(taken)
        joint = classes[finite].astype(np.intp) * bins.count + bins.index(taken[finite])
        table = np.bincount(joint, minlength=len(CLASSES) * bins.count).reshape(-1, bins.count)
        for place in np.flatnonzero(table.any(axis=1)):
            filled = np.flatnonzero(table[place])
            first, last = int(filled[0]), int(filled[-1])
            row = table[place, first : last + 1].tolist()
            histograms.setdefault(CLASSES[place], {})[name] = [first, row]
    desert = places[classes == CLASSES.index("desert, day")]
    kelvin = scene["S7"].values.ravel()[desert] if "S7" in scene else np.empty(0)
    saturated = int(np.count_nonzero(kelvin >= _S7_SATURATED_KELVIN))
    return {"histograms": histograms, "desert_saturated": [saturated, int(kelvin.size)]}


def _classes(scene: xr.Dataset, cloudy: BoolArray, known: BoolArray) -> Codes:
    """Place of each pixel's class in `CLASSES`; past the last one where it is in none."""
    none = len(CLASSES)
    part = regime(scene)
    clear = _class_of(scene["surface_kind"], part, CLEAR_CLASSES)
    depth, glint = scene["optical_depth"].values, scene["glint_reflectance"].values
    ocean = clear == CLASSES.index("clear ocean, day")
    clear[ocean & (glint >= _GLINT_BELOW)] = none
    clear[ocean & (glint >= _GLINT_FROM)] = CLASSES.index(GLINT_CLASS)
    dusty = scene["dust_optical_depth"].values > _DUST_DEPTH
    clear[dusty] = np.where(ocean[dusty], CLASSES.index(DUST_CLASS), none)
    clear[depth >= _CLEAR_DEPTH] = none
    cloud = _class_of(scene["cloud_kind"], part, CLOUD_CLASSES)
    thick = depth > _CIRRUS_DEPTHS[1]
    for name in ("cirrus, day", "cirrus, night"):
        cloud[thick & (cloud == CLASSES.index(name))] = none
    result = np.where(cloudy, cloud, clear)
    result[~known] = none
    return np.asarray(result, np.uint8)


def _class_of(
    flag: xr.DataArray, part: Codes, classes: dict[str, tuple[Regime, tuple[str, ...]]]
) -> Codes:
    result = np.full(part.shape, len(CLASSES), np.uint8)
    for value in Regime:
        here = {name: kinds for name, (when, kinds) in classes.items() if when == value}
        if not here:
            continue
        places = np.full(len(here) + 2, len(CLASSES), np.uint8)
        places[: len(here)] = [CLASSES.index(name) for name in here]
        np.copyto(result, places[take(flag, here)], where=part == value)
    return result


def meanings(flag: xr.DataArray) -> dict[str, int]:
    """Value by meaning, from a flag's own attributes."""
    values = np.atleast_1d(flag.attrs["flag_values"]).tolist()
    return dict(zip(str(flag.attrs["flag_meanings"]).split(), values, strict=True))


def take(flag: xr.DataArray, groups: Mapping[str, tuple[str, ...]]) -> Codes:
    """Place of each pixel's group; past the last one where it is in none.

    One more place is left free, for a group that is laid over the others.
    """
    values = meanings(flag)
    places = np.full(256, len(groups) + 1, np.uint8)
    for place, group in enumerate(groups.values()):
        for meaning in group:
            if meaning in values:
                places[values[meaning]] = place
    return np.asarray(places[flag.values])
