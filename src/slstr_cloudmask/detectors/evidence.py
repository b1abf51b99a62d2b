"""What a pixel's bands say for cloud and against it: likelihoods from tables.

    place = place_index(background_kelvin, sigma_kelvin, land)
    for part in evidence("night", ("cooling", "spread", "difference")):
        log_odds += part.log_ratio(features, place)  # of veil and of cloud against bare ground

The tables are ``data/evidence.npz``: how often pixels of bare, veiled and cloudy sky, drawn by
`sky_samples`, fall into each cell of some features, by light, sea or land, and warmth of the clear
background. A band that is not there is a feature that the table is summed over. The background is
exact there; how far it may be wrong is put in here, as a blur of the anomaly.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files

import numpy as np
import numpy.typing as npt
from scipy.special import erf

Flat = npt.NDArray[np.float32]
Index = npt.NDArray[np.intp]
Table = npt.NDArray[np.float64]

TABLES = "evidence.npz"
SURFACES = ("sea", "land")
# What there is above the ground: nothing, a veil that does not count as cloud, or cloud.
SKIES = ("bare", "veil", "cloud")
# Edges of bins; values beyond the ends count to the outermost bins.
EDGES: dict[str, Flat] = {
    name: np.array(edges, np.float32)
    for name, edges in {
        # S8 minus that of clear sky, K
        "anomaly": (-95, -30, -16, -10, -6.5, -4, -2.4, -1.2, -0.4, 0.4, 1.2, 2.5, 6, 40),
        # the same, where no sunlight tells more
        "cooling": (
            *(-95, -45, -32, -24, -18, -14, -11, -9, -7.5, -6.2, -5.2, -4.3, -3.6, -3, -2.5, -2),
            *(-1.6, -1.2, -0.9, -0.6, -0.3, 0, 0.3, 0.7, 1.2, 2, 3.5, 7, 40),
        ),
        # S8 - S9 minus that of clear sky, K
        "split": (-9, -0.6, -0.2, 0.1, 0.45, 0.9, 1.6, 9),
        # the same, finer
        "spread": (-9, -1.0, -0.5, -0.3, -0.15, 0, 0.15, 0.3, 0.5, 0.7, 1, 1.4, 2, 3, 9),
        # S7 - S8 minus that of clear sky, K; by night
        "difference": (
            *(-40, -4, -3, -2.2, -1.6, -1.1, -0.75, -0.45, -0.15, 0.15, 0.45, 0.8, 1.2, 2, 3.2, 5),
            *(8, 90),
        ),
        # S7 - S8 in sunlight, K
        "sunlit": (-40, 1, 2.5, 4.5, 7, 10, 14, 19, 26, 36, 90),
        # S2, reflectance
        "red": (-0.3, 0.03, 0.05, 0.075, 0.11, 0.16, 0.24, 0.35, 0.5, 0.7, 3),
        # logarithm of S5 / S2
        "colour": (-9, -1.8, -1.1, -0.6, -0.25, 0.1, 0.5, 1.1, 9),
        # logarithm of S3 / S2
        "green": (-9, -0.6, -0.25, -0.08, 0.08, 0.3, 0.8, 9),
        # S4, reflectance
        "cirrus": (-0.3, 0.002, 0.005, 0.010, 0.018, 0.03, 0.05, 0.09, 0.16, 3),
    }.items()
}
# S8 of the clear background, K: the kind of ground and the moisture go with it.
BACKGROUND_EDGES: Flat = np.array((0, 258, 269, 277, 288, 400), np.float32)
# What the tables of each light are of: one of all that goes together, and chains of one feature
# given others, `(feature, given)`.
Features = Mapping[str, Flat]
JOINT: dict[str, tuple[str, ...]] = {
    "day_high": ("anomaly", "split", "sunlit", "red", "colour"),
    "day_low": ("anomaly", "split", "sunlit", "red", "colour"),
    "twilight": ("anomaly", "split", "red", "colour"),
    "night": ("cooling", "spread", "difference"),
}
CHAINS: tuple[tuple[str, ...], ...] = (
    ("green", "red", "colour"),
    ("cirrus", "anomaly"),
)

# Errors of the background that tables are blurred by, K; in between the nearest is taken.
SIGMAS_KELVIN: Flat = np.array((0.5, 0.9, 1.6, 3.5, 8.0), np.float32)
# What was never drawn may still occur.
_FLOOR = 2e-7


def bins(name: str) -> int:
    """Count the bins of a feature."""
    return len(EDGES[name]) - 1


def cell_index(features: Features, names: tuple[str, ...]) -> Index:
    """Cell of a table, flat, in which each pixel falls."""
    index: Index = np.zeros(features[names[0]].shape, np.intp)
    for name in names:
        index *= bins(name)
        index += np.searchsorted(EDGES[name][1:-1], features[name])
    return index


def background_index(kelvin: Flat) -> Index:
    """Bin of the background's warmth."""
    return np.searchsorted(BACKGROUND_EDGES[1:-1], kelvin)


@dataclass(frozen=True, slots=True)
class Evidence:
    """Logarithms of P(seen | sky) / P(seen | bare) by sigma, surface, background, cell."""

    names: tuple[str, ...]
    ratio: npt.NDArray[np.float16]  # (sigmas x surfaces x backgrounds x cells, 2: veil and cloud)

    def log_ratio(self, features: Features, place: Index) -> Flat:
        """Look pixels up, (pixels, 2); ``place`` is `place_index` of theirs."""
        cells = int(np.prod([bins(name) for name in self.names]))
        found = self.ratio[place * cells + cell_index(features, self.names)]
        return np.asarray(found, np.float32)


def place_index(background_kelvin: Flat, sigma_kelvin: Flat, land: Index) -> Index:
    """Row of `Evidence.ratio`; ``land`` is 0 at sea, 1 on land, 2 where it is not known."""
    middles = np.sqrt(SIGMAS_KELVIN[1:] * SIGMAS_KELVIN[:-1])
    sigma = np.searchsorted(middles, sigma_kelvin)
    index = sigma * 3 + land
    return index * (len(BACKGROUND_EDGES) - 1) + background_index(background_kelvin)


# Of a scene few combinations occur; the largest takes 22 MB.
@lru_cache(maxsize=16)
def evidence(light: str, names: tuple[str, ...]) -> tuple[Evidence, ...]:
    """Make what is to be looked up for a light with some features: the joint one, and chains.

    Parameters
    ----------
    light
        A key of `JOINT`.
    names
        Features that pixels have.
    """
    joint = tuple(name for name in JOINT[light] if name in names)
    found = [_joint(light, joint)] if joint else []
    chains = [chain for chain in CHAINS if f"{light}_{chain[0]}" in _tables()]
    found += [_chain(light, chain) for chain in chains if set(chain) <= set(names)]
    return tuple(found)


def feature_names(light: str) -> tuple[str, ...]:
    """Name all features that a light's tables are of."""
    chained = [name for chain in CHAINS if chain[1] in JOINT[light] for name in chain[:1]]
    return (*JOINT[light], *chained)


def _joint(light: str, names: tuple[str, ...]) -> Evidence:
    table = _table(f"{light}_joint", JOINT[light])
    gone = tuple(3 + axis for axis, name in enumerate(JOINT[light]) if name not in names)
    return Evidence(names, _ratios(table.sum(axis=gone), names))


def _chain(light: str, chain: tuple[str, ...]) -> Evidence:
    """Give the ratio of the first feature where the others are known: joint less marginal."""
    table = _table(f"{light}_{chain[0]}", chain)
    rest = table.sum(axis=3, keepdims=True)
    # Where hardly anything was drawn nothing is said.
    weight = rest / (rest + 1e-5)
    conditional = weight * table / np.maximum(rest, 1e-30) + (1 - weight) / bins(chain[0])
    return Evidence(chain, _ratios(conditional, chain))


def _ratios(table: Table, names: tuple[str, ...]) -> npt.NDArray[np.float16]:
    """Blur (skies, surfaces, backgrounds, *bins) by each sigma, and take ratios."""
    table = np.concatenate([table, table.mean(axis=1, keepdims=True)], axis=1)
    found = []
    for sigma in SIGMAS_KELVIN:
        blurred = table
        for name in {"anomaly", "cooling"} & set(names):
            axis = 3 + names.index(name)
            blur = _blur(name, float(sigma))
            blurred = np.moveaxis(np.moveaxis(table, axis, -1) @ blur, -1, axis)
        logs = np.log(blurred + _FLOOR)
        found.append(logs[1:] - logs[:1])
    return np.ascontiguousarray(np.stack(found, axis=1).reshape(2, -1).T, np.float16)


def _blur(name: str, sigma: float) -> Table:
    """Share of each bin of an anomaly (rows) that an error moves to each bin (columns)."""
    edges = EDGES[name].astype(np.float64)
    # The outermost bins are open: what is in them lies near their inner edges.
    edges[0], edges[-1] = edges[1] - 20, edges[-2] + 5
    within = (np.arange(8) + 0.5) / 8
    places = edges[:-1, np.newaxis] + np.diff(edges)[:, np.newaxis] * within
    open_edges = np.concatenate([[-1e3], edges[1:-1], [1e3]])
    distance = (open_edges - places[..., np.newaxis]) / (sigma * np.sqrt(2))
    return np.asarray(np.diff((1 + erf(distance)) / 2, axis=-1).mean(axis=1))


def _table(name: str, features: tuple[str, ...]) -> Table:
    shape = (len(SKIES), len(SURFACES), len(BACKGROUND_EDGES) - 1, *(bins(key) for key in features))
    return unpacked(_tables()[name]).reshape(shape)


STEP = 0.2  # of the packed logarithms


def packed(share: Table) -> npt.NDArray[np.uint8]:
    """Keep shares as logarithms in steps of .2, from 1 down to 1e-7; 255 is less, or none."""
    steps = np.rint(-np.log(np.maximum(share, 1e-12)) / STEP)
    return np.where(share < 1e-7, 255, np.clip(steps, 0, 254)).astype(np.uint8)


def unpacked(values: npt.NDArray[np.uint8]) -> Table:
    """Undo `packed`."""
    return np.where(values == 255, 0.0, np.exp(-STEP * values.astype(np.float64)))


@cache
def _tables() -> dict[str, npt.NDArray[np.uint8]]:
    source = files("slstr_cloudmask.detectors") / "data" / TABLES
    with source.open("rb") as file, np.load(file) as archive:
        return {name: archive[name] for name in archive.files if archive[name].dtype == np.uint8}
