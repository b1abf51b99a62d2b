"""Where in a scene each stratum lies: masks are judged apart by light, surface, cloud and angle.

    scene_strata(scene)[("surface", "coast")]           # by light and surface
    scene_strata(scene, EVERY_KIND)[("optical depth", "0.1 to 0.3")]

A stratum is there only where the scene tells of it: a product knows light and surface, a simulated
scene its cloud too. Strata of one kind may lie in one another.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import xarray as xr

from slstr_cloudmask.flags import BoolArray, decode_flag, flag_masks, integer_flags
from slstr_cloudmask.scene import FloatArray, Regime, regime

Stratum = tuple[str, str]  # what it is by, and its name: ("surface", "ocean")

EVERYTHING = ("all", "all")
# By the meanings of the flag `confidence`; inland water is land, too, where the product says so.
SURFACE_FLAGS = {
    "land": "land",
    "ocean": "ocean",
    "inland water": "inland_water",
    "coast": "coastline",
    "snow or ice": "snow",
    "sun glint": "sun_glint",
}
# By the meanings of the simulator's `surface_kind`, where a scene has it.
SURFACE_KINDS = {
    "land": ("forest", "grass", "shrub", "desert"),
    "ocean": ("ocean",),
    "inland water": ("inland_water",),
    "snow or ice": ("old_snow", "fresh_snow", "sea_ice", "thin_ice"),
    "desert": ("desert",),
}
REGIMES = tuple(item.name.lower() for item in reversed(Regime))
SURFACES = ("ocean", "land", "desert", "inland water", "coast", "snow or ice", "sun glint")
# Optical depth of cloud at 0.55 um; 0.3 is where truth begins to be cloud.
DEPTH_EDGES = (0.0, 0.01, 0.1, 0.3, 0.6, 1.0, 3.0, 10.0, np.inf)
# Between these even people who label do not agree whether there is cloud.
AMBIGUOUS_DEPTH = (0.1, 0.5)
# The nadir view reaches 55 degrees: thirds of what is beside the track.
VIEW_EDGES_DEG = (0.0, 20.0, 40.0, 90.0)
# Reflectance of glint at 0.87 um, where a scene has no flag: as bright as thin cloud.
GLINT_REFLECTANCE = 0.1
NEAR_COAST_KM = 5.0  # of the shore, on either side: both are in one pixel's surroundings
POLAR_FROM_LATITUDE_DEG = 60.0


def scene_strata(scene: xr.Dataset, kinds: Sequence[str] | None = None) -> dict[Stratum, BoolArray]:
    """Where each stratum is.

    Parameters
    ----------
    scene
        A Scene.
    kinds
        Of `EVERY_KIND`, in this order; by default ``regime`` and ``surface``.

    Returns
    -------
    dict
        Boolean arrays (rows, columns) by `Stratum`; what is unknown or nowhere has none.
    """
    scene = integer_flags(scene)
    found = {
        (kind, name): where
        for kind in (SHOWN if kinds is None else kinds)
        for name, where in _KINDS[kind](scene).items()
    }
    return {stratum: where for stratum, where in found.items() if where.any()}


def rank(stratum: Stratum) -> tuple[int, int, str]:
    """Tell where a stratum stands in a table, as a key to sort by: all pixels first."""
    by, name = stratum
    kind = EVERY_KIND.index(by) if by in EVERY_KIND else -1
    names = {"regime": REGIMES, "surface": SURFACES}.get(by, ())
    return kind, names.index(name) if name in names else len(names), name


def depth_strata(depth: FloatArray) -> dict[Stratum, BoolArray]:
    """Where the optical depth of cloud is in each bin, and where it is not ambiguous."""
    low, high = AMBIGUOUS_DEPTH
    certain = {f"outside {low:g} to {high:g}": (depth < low) | (depth > high)}
    return {("optical depth", name): where for name, where in _bins(depth, DEPTH_EDGES).items()} | {
        ("certainty", name): where for name, where in certain.items()
    }


def _bins(values: FloatArray, edges: Sequence[float]) -> dict[str, BoolArray]:
    """Where values lie from each edge up to the next; NaN in none."""
    return {
        f"{low:g} to {high:g}" if np.isfinite(high) else f"from {low:g}": np.asarray(
            (values >= low) & (values < high)
        )
        for low, high in pairwise(edges)
    }


def _by_regime(scene: xr.Dataset) -> dict[str, BoolArray]:
    parts = regime(scene)
    return {name: np.asarray(parts == Regime[name.upper()]) for name in REGIMES}


def surface_strata(scene: xr.Dataset) -> dict[str, BoolArray]:
    """Where each kind of surface is, as far as the scene tells.

    By the product's flag ``confidence``; kinds of simulated scenes by ``surface_kind``, which is
    true. Strata may lie in one another: coast and sun glint in the ocean, snow on land.

    Returns
    -------
    dict
        Boolean arrays (rows, columns) by name.
    """
    scene = integer_flags(scene)
    found: dict[str, BoolArray] = {}
    if "confidence" in scene:
        there = flag_masks(scene["confidence"].attrs)
        found = {
            name: decode_flag(scene["confidence"], meaning)[0]
            for name, meaning in SURFACE_FLAGS.items()
            if meaning in there
        }
        if "land" in found and "inland water" in found:
            # ESA's flag calls lakes land as well.
            found["land"] = found["land"] & ~found["inland water"]
    if "surface_kind" in scene:
        found |= _named(scene["surface_kind"], SURFACE_KINDS)
    if "glint_reflectance" in scene and "sun glint" not in found:
        found["sun glint"] = scene["glint_reflectance"].values > GLINT_REFLECTANCE
    return found


def _by_coast(scene: xr.Dataset) -> dict[str, BoolArray]:
    if "coast_distance" not in scene:
        return {}
    near = scene["coast_distance"].values <= NEAR_COAST_KM
    return {f"within {NEAR_COAST_KM:g} km": near}


def _by_latitude(scene: xr.Dataset) -> dict[str, BoolArray]:
    if "latitude" not in scene.coords:
        return {}
    polar = np.abs(scene["latitude"].values) >= POLAR_FROM_LATITUDE_DEG
    return {"polar": polar, "below 60": np.isfinite(scene["latitude"].values) & ~polar}


def _by_view(scene: xr.Dataset) -> dict[str, BoolArray]:
    if "satellite_zenith_angle" not in scene.coords:
        return {}
    return _bins(scene["satellite_zenith_angle"].values, VIEW_EDGES_DEG)


def _by_depth(kind: str) -> Callable[[xr.Dataset], dict[str, BoolArray]]:
    def strata(scene: xr.Dataset) -> dict[str, BoolArray]:
        if "optical_depth" not in scene:
            return {}
        found = depth_strata(scene["optical_depth"].values)
        return {name: where for (by, name), where in found.items() if by == kind}

    return strata


def _by_cloud(scene: xr.Dataset) -> dict[str, BoolArray]:
    if "cloud_kind" not in scene:
        return {}
    kinds = str(scene["cloud_kind"].attrs["flag_meanings"]).split()
    words = {name.replace("_", " "): (name,) for name in kinds}
    return _named(scene["cloud_kind"], {"none" if k == "clear" else k: v for k, v in words.items()})


def _named(kind: xr.DataArray, groups: dict[str, tuple[str, ...]]) -> dict[str, BoolArray]:
    """Where a flag of exclusive values has any of a group's meanings."""
    meanings = str(kind.attrs["flag_meanings"]).split()
    numbers = dict(zip(meanings, np.atleast_1d(kind.attrs["flag_values"]), strict=True))
    values: npt.NDArray[np.uint8] = kind.values
    return {
        name: np.isin(values, [numbers[item] for item in items if item in numbers])
        for name, items in groups.items()
    }


_KINDS: dict[str, Callable[[xr.Dataset], dict[str, BoolArray]]] = {
    "regime": _by_regime,
    "surface": surface_strata,
    "coast": _by_coast,
    "latitude": _by_latitude,
    "view zenith angle": _by_view,
    "optical depth": _by_depth("optical depth"),
    "certainty": _by_depth("certainty"),
    "cloud": _by_cloud,
}
EVERY_KIND: tuple[str, ...] = tuple(_KINDS)
SHOWN = ("regime", "surface")
