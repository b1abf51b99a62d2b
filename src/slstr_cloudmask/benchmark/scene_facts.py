"""What is in one scene of a data set, in numbers that add: sizes, values, labels, what is missing.

    facts = read_facts(Path("data/ssts/day/S3A_SL_1_RBT____....hdf"))
    facts.bands["S8"].counts

The scene's pixels are let go: a data set of any size is summed in little memory.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt
import xarray as xr

from slstr_cloudmask import channels
from slstr_cloudmask.flags import UNKNOWN, BoolArray
from slstr_cloudmask.io import BENCHMARK_SUFFIXES, open_scene
from slstr_cloudmask.io.benchmark_hdf import day_or_night
from slstr_cloudmask.io.hdf_layers import opened, read_bands, read_flags
from slstr_cloudmask.scene import bands_present, label, valid_pixels
from slstr_cloudmask.simulate.statistics_bins import Bins

# Reflectances to 4, in steps of 0.001 at 0.01 and 0.02 at 4; temperatures in steps of 0.5 K.
BINS = {
    **dict.fromkeys(channels.REFLECTANCE_NAMES, Bins(0.0, 0.005, 400, square_root=True)),
    **dict.fromkeys(channels.THERMAL_NAMES, Bins(150.0, 0.5, 500)),
}
_LAYERS = {"refs": channels.REFLECTANCE_NAMES, "bts": channels.THERMAL_NAMES}

Counts = npt.NDArray[np.int64]


@dataclass(slots=True)
class BandFacts:
    """The values of a band; they add.

    Attributes
    ----------
    scenes
        How many have the band.
    values
        Pixels with a value.
    missing
        Pixels that were seen and have none.
    lowest, highest, total
        Of the values.
    counts
        Histogram in the bins of `BINS`; what lies beyond is in the first and last bin.
    """

    scenes: int
    values: int
    missing: int
    lowest: float
    highest: float
    total: float
    counts: Counts

    def add(self, other: "BandFacts") -> None:
        """Add those of another scene."""
        self.scenes += other.scenes
        self.values += other.values
        self.missing += other.missing
        self.lowest = min(self.lowest, other.lowest)
        self.highest = max(self.highest, other.highest)
        self.total += other.total
        self.counts = self.counts + other.counts


@dataclass(slots=True)
class SceneFacts:
    """One scene.

    Attributes
    ----------
    folder
        ``day`` or ``night``.
    rows, columns
        Its size.
    pixels, seen
        All of them, and those with any brightness temperature.
    empty_left, empty_right, empty_columns
        Columns of which no pixel was seen: at the sides, and in all.
    labels
        Pixels by value of ``bayes``, of those that were seen; empty where there is no label.
    flagged, labelled
        Seen pixels with ``bayes`` above 0, and with any known ``bayes``.
    flagged_empty
        Pixels that are empty, and flagged nevertheless.
    not_finite
        Values by band that are NaN or infinite in the file; no file of the published layout
        should hold any.
    layout
        Type and shape of each data set of the file, and how it is stored.
    bands
        By name, those that the scene has.
    """

    folder: str
    rows: int
    columns: int
    pixels: int
    seen: int
    empty_left: int
    empty_right: int
    empty_columns: int
    labels: dict[int, int] = field(default_factory=dict)
    flagged: int = 0
    labelled: int = 0
    flagged_empty: int = 0
    not_finite: dict[str, int] = field(default_factory=dict)
    layout: dict[str, str] = field(default_factory=dict)
    bands: dict[str, BandFacts] = field(default_factory=dict)


def read_facts(path: Path) -> SceneFacts:
    """Read a scene, whatever it is stored as; errors as `slstr_cloudmask.io.open_scene`."""
    scene = open_scene(path)
    seen = valid_pixels(scene)
    facts = _frame(scene, seen, day_or_night(path, scene))
    facts.bands = {name: _band(name, scene[name].values, seen) for name in bands_present(scene)}
    if "bayes" in scene:
        cloud, known = label(scene, "bayes")
        facts.flagged, facts.labelled = (int(np.count_nonzero(a)) for a in (cloud & known, known))
        values = np.bincount(scene["bayes"].values[known].astype(np.int64))
        facts.labels = {int(value): int(values[value]) for value in np.flatnonzero(values)}
    if path.suffix.lower() in BENCHMARK_SUFFIXES:
        _add_raw(facts, path, seen)
    return facts


def _frame(scene: xr.Dataset, seen: BoolArray, folder: str) -> SceneFacts:
    columns = seen.any(axis=0)
    used = np.flatnonzero(columns)
    left, right = (int(used[0]), int(columns.size - 1 - used[-1])) if used.size else (0, 0)
    return SceneFacts(
        folder=folder,
        rows=scene.sizes["rows"],
        columns=scene.sizes["columns"],
        pixels=seen.size,
        seen=int(np.count_nonzero(seen)),
        empty_left=left,
        empty_right=right,
        empty_columns=int(columns.size - used.size),
    )


def _band(name: str, values: npt.NDArray[np.floating[Any]], seen: BoolArray) -> BandFacts:
    there = values[np.isfinite(values) & seen]
    bins = BINS[name]
    return BandFacts(
        scenes=1,
        values=there.size,
        missing=int(np.count_nonzero(seen)) - there.size,
        lowest=float(there.min(initial=np.inf)),
        highest=float(there.max(initial=-np.inf)),
        total=float(there.sum(dtype=np.float64)),
        counts=np.bincount(bins.index(there), minlength=bins.count),
    )


def _add_raw(facts: SceneFacts, path: Path, seen: BoolArray) -> None:
    """Add what reading hides: how the file is laid out, its NaN, labels where nothing was seen."""
    with opened(path) as file:
        facts.layout = {name: _describe(file[name]) for name in sorted(file)}
        for layer, names in _LAYERS.items():
            values = read_bands(file, layer, len(names), path)
            counts = np.count_nonzero(~np.isfinite(values), axis=(1, 2))
            facts.not_finite |= dict(zip(names, map(int, counts), strict=True))
        bayes = read_flags(file, seen.shape, path).get("bayes")
    if bayes is not None:
        empty = bayes[~seen]
        facts.flagged_empty = int(np.count_nonzero((empty > 0) & (empty < UNKNOWN)))


def _describe(item: h5py.Dataset | h5py.Group) -> str:
    if not isinstance(item, h5py.Dataset):
        return "a group"
    storage = item.compression or ("chunked" if item.chunks else "contiguous")
    return f"{item.dtype} {'×'.join(map(str, item.shape))}, {storage}"
