"""The operational cloud masks that a product carries, each as a mask by its own name.

    operational_masks(scene)["esa_summary_cloud"]  # 0 clear, 1 cloud, 255 unknown
    mask = carry(mask, scene)  # they travel along, with a map of agreement

Names begin with ``esa_``; where the scene was simulated they begin with ``provider_``, for nobody
but the simulator made them. Bits are found by the meanings that the flags themselves name.
"""

import numpy as np
import xarray as xr

from slstr_cloudmask.flags import (
    DIMS,
    UNKNOWN,
    BoolArray,
    decode_flag,
    flag_masks,
    integer_flags,
    known_pixels,
    paired,
    value_flag_variable,
)
from slstr_cloudmask.scene import PIXEL_KM, valid_pixels

# As `paired` numbers them.
AGREEMENT_VALUES = {"both_clear": 0, "both_cloud": 1, "only_this_mask": 2, "only_operational": 3}
# What a mask is compared with: the first of these that the scene knows, without their prefix. The
# summary is the product's own verdict; of the Bayesian bits, users are told to take this one.
REFERENCES = ("summary_cloud", "bayes_single_moderate", "basic")
# What the oblique view sees at least, to either side of the track: in a product of August 2021 its
# thermal bands reach from 406 to 401 km in every row.
OBLIQUE_REACH_KM = 400.0


def operational_masks(scene: xr.Dataset) -> dict[str, xr.Variable]:
    """Find the product's own cloud masks.

    Parameters
    ----------
    scene
        A Scene with any of ``summary_cloud``, ``bayes``, ``cloud``.

    Returns
    -------
    dict
        By name, ``esa_`` or ``provider_`` before each: ``summary_cloud``; ``bayes_<meaning>`` for
        each bit of the Bayesian flag; ``basic``, where any of the threshold tests found cloud.
        Each is uint8 (rows, columns), 0 clear, 1 cloud, 255 unknown, with CF ``flag_values`` and
        ``flag_meanings``. A mask of which nothing is known is left out, and so is a Bayesian bit
        that is set nowhere, for nobody says whether its test was made; only ``single_moderate``
        stays where another bit is set. Bits of both views are unknown where the oblique view may
        not see, and left out where the scene does not say where its track is.
    """
    scene = integer_flags(scene)
    seen = valid_pixels(scene)
    prefix = mask_prefix(scene)
    found: dict[str, xr.Variable] = {}

    def keep(name: str, cloud: BoolArray, known: BoolArray, words: str) -> None:
        known = known & seen
        if known.any():
            values = np.where(known, cloud, UNKNOWN).astype(np.uint8)
            meanings = {"clear": 0, "cloud": 1}
            long_name = f"{words} of {_provider(scene)}"
            found[prefix + name] = value_flag_variable(values, meanings, long_name=long_name)

    if "summary_cloud" in scene:
        values = scene["summary_cloud"].values
        keep("summary_cloud", values == 1, values != UNKNOWN, "summary cloud flag")
    if "bayes" in scene:
        for meaning, (cloud, known) in _bayes_bits(scene, seen).items():
            keep(f"bayes_{meaning}", cloud, known, f"Bayesian cloud flag {meaning}")
    if "cloud" in scene:
        keep("basic", *_any_test(scene["cloud"]), "any of the threshold cloud tests")
    return found


def _bayes_bits(scene: xr.Dataset, seen: BoolArray) -> dict[str, tuple[BoolArray, BoolArray]]:
    """Where each Bayesian bit is set and where it is known, of those whose test was made."""
    flag = scene["bayes"]
    bits = {meaning: decode_flag(flag, meaning) for meaning in flag_masks(flag.attrs)}
    made = {meaning for meaning, (cloud, _) in bits.items() if cloud[seen].any()}
    if made:
        made.add("single_moderate")
    both_views = _seen_obliquely(scene)
    return {
        meaning: (cloud, known & (both_views if meaning.startswith("dual") else True))
        for meaning, (cloud, known) in bits.items()
        if meaning in made
    }


def _seen_obliquely(scene: xr.Dataset) -> BoolArray:
    """Columns that the oblique view sees as well; none where it is not known where they lie."""
    columns = np.arange(scene.sizes["columns"])
    track, pixel_km = scene.attrs.get("track_offset"), PIXEL_KM.get(str(scene.attrs.get("grid")))
    if track is None or pixel_km is None:
        return np.zeros(columns.size, bool)
    return np.asarray(np.abs(columns - float(track)) * pixel_km <= OBLIQUE_REACH_KM)


def mask_prefix(scene: xr.Dataset) -> str:
    """Tell what the names of a scene's operational masks begin with: ``esa_`` or ``provider_``."""
    return "provider_" if _simulated(scene) else "esa_"


def reference_name(scene: xr.Dataset, masks: dict[str, xr.Variable]) -> str | None:
    """Name of the operational mask that a mask is compared with; None where there is none."""
    names = [mask_prefix(scene) + name for name in REFERENCES]
    return next((name for name in [*names, *masks] if name in masks), None)


def carry(mask: xr.Dataset, scene: xr.Dataset) -> xr.Dataset:
    """Let the product's own masks travel along with a Mask.

    Parameters
    ----------
    mask
        The Mask that was made of ``scene``.
    scene
        The Scene.

    Returns
    -------
    xarray.Dataset
        The Mask, with the variables of `operational_masks`; ``<prefix>cloud_tests``, the threshold
        tests as the product's own bit field; and ``agreement``, uint8: 0 both clear, 1 both
        cloud, 2 only this mask finds cloud, 3 only the operational mask does, 255 where either
        is unknown. Its attribute ``compared_with`` names the operational mask. Unchanged where
        the scene holds no operational mask.
    """
    scene = integer_flags(scene)
    masks = operational_masks(scene)
    against = reference_name(scene, masks)
    if against is None:
        return mask
    carried = mask.assign(masks)
    prefix = mask_prefix(scene)
    if f"{prefix}basic" in masks:
        values, attributes = np.array(scene["cloud"].values), dict(scene["cloud"].attrs)
        attributes["long_name"] = f"threshold cloud tests of {_provider(scene)}"
        if "_FillValue" in attributes:
            values[~valid_pixels(scene)] = attributes["_FillValue"]
        carried[f"{prefix}cloud_tests"] = xr.Variable(DIMS, values, attributes)
    carried["agreement"] = agreement(mask["cloud_mask"].variable, masks[against], against)
    described = carried["cloud_mask"]
    ancillary = described.attrs.get("ancillary_variables", "").split()
    described.attrs["ancillary_variables"] = " ".join([*ancillary, "agreement"])
    return carried


def agreement(mask: xr.Variable, operational: xr.Variable, name: str) -> xr.Variable:
    """Map where two masks agree; ``AGREEMENT_VALUES``, 255 where either is unknown.

    Parameters
    ----------
    mask, operational
        0 clear, 1 cloud, 255 unknown, on the same dims.
    name
        Name of the operational mask.
    """
    variable = value_flag_variable(
        paired(mask.values, operational.values),
        AGREEMENT_VALUES,
        long_name=f"agreement of the cloud mask with {name}",
    )
    variable.attrs["compared_with"] = name
    return variable


def _simulated(scene: xr.Dataset) -> bool:
    return "(simulated)" in str(scene.attrs.get("platform", "")) or "truth" in scene


def _provider(scene: xr.Dataset) -> str:
    return "the simulated provider" if _simulated(scene) else "ESA"


def _any_test(flag: xr.DataArray) -> tuple[BoolArray, BoolArray]:
    """Where any named bit is set, and where the pixel has a value."""
    tests = sum(flag_masks(flag.attrs).values())
    known = known_pixels(flag)
    return known & ((flag.values & tests) != 0), known
