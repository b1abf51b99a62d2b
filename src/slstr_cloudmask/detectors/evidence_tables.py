"""Counts the Bayesian detector's tables from pixels drawn by `sky_samples`.

    python -m slstr_cloudmask.detectors.evidence_tables

writes ``data/evidence.npz``, in a few minutes on one core. To be run again whenever the
prior, the radiative transfer or the features change.
"""

import io
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from slstr_cloudmask.atomic import write_bytes
from slstr_cloudmask.detectors.evidence import (
    BACKGROUND_EDGES,
    CHAINS,
    JOINT,
    SKIES,
    SURFACES,
    TABLES,
    Flat,
    background_index,
    bins,
    cell_index,
    packed,
)
from slstr_cloudmask.detectors.features import Clear, reflected_features, thermal_features
from slstr_cloudmask.detectors.sky_samples import Sample, draw_sample
from slstr_cloudmask.progress import track

SEED, BLOCKS, SIZE = 20_240, 24, 60_000
# How well S8 - S9 and S7 - S8 of clear sky are known, at sea and on land, K: moisture varies within
# the scene, and on land emissivity by a hundredth or two (assumed).
_SPLIT_ERROR_KELVIN, _DIFFERENCE_ERROR_KELVIN = (0.2, 0.35), (0.2, 0.6)
_BLUR_BINS, _ENOUGH = 0.5, 5.0  # cells with fewer counts are smoothed
Table = npt.NDArray[np.float64]


def make_tables(blocks: int = BLOCKS) -> dict[str, npt.NDArray[np.uint8]]:
    """Count ``blocks`` of 60,000 pixels for each light and surface, by night four times as many."""
    tables: dict[str, npt.NDArray[np.uint8]] = {}
    for light in JOINT:
        for name, counts in _count(light, blocks).items():
            tables[f"{light}_{name}"] = packed(_shares(counts))
    return tables


def _count(light: str, blocks: int) -> dict[str, Table]:
    names = {"joint": JOINT[light]}
    names |= {chain[0]: chain for chain in CHAINS if set(chain[1:]) <= set(JOINT[light])}
    counts = {
        key: np.zeros((len(SKIES), 2, len(BACKGROUND_EDGES) - 1, *map(bins, used)))
        for key, used in names.items()
    }
    jobs = [
        (number, surface)
        for number in range(blocks * (4 if light == "night" else 1))
        for surface in range(len(SURFACES))
    ]
    for number, surface in track(jobs, f"Drawing {light}"):
        rng = np.random.default_rng([SEED, list(JOINT).index(light), number, surface])
        sample = draw_sample(rng, light, SURFACES[surface], SIZE)
        features = _features(rng, sample, surface, sunlit=light.startswith("day"))
        warmth = background_index(sample.clear["S8"])
        for key, used in names.items():
            table = counts[key]
            cells = int(np.prod(table.shape[3:]))
            cell = warmth * cells + cell_index(features, used)
            for sky in range(len(SKIES)):
                chosen = cell[sample.sky == sky]
                found = np.bincount(chosen, minlength=table.shape[2] * cells)
                table[sky, surface] += found.reshape(table.shape[2:])
    return counts


def _features(
    rng: np.random.Generator, sample: Sample, surface: int, *, sunlit: bool
) -> dict[str, Flat]:
    def known(first: str, second: str, error_kelvin: float) -> Flat:
        noise = rng.standard_normal(sample.sky.shape, np.float32)
        exact = sample.clear[first] - sample.clear[second]
        return np.asarray(exact + np.float32(error_kelvin) * noise, np.float32)

    clear = Clear(
        sample.clear["S8"],
        known("S8", "S9", _SPLIT_ERROR_KELVIN[surface]),
        known("S7", "S8", _DIFFERENCE_ERROR_KELVIN[surface]),
    )
    return thermal_features(sample.bands, clear, sunlit=sunlit) | reflected_features(sample.bands)


def _shares(counts: Table) -> Table:
    """Shares of the cells for each sky, surface and background; where nothing fell, of all."""
    features = tuple(range(3, counts.ndim))
    smooth = ndimage.gaussian_filter(
        counts, (0, 0, 0, *[_BLUR_BINS] * len(features)), mode="nearest"
    )
    # A cell that holds enough stands for itself: smoothing would spread what is common over what
    # is rare.
    trust = counts / (counts + _ENOUGH)
    smooth = trust * counts + (1 - trust) * np.minimum(smooth, _ENOUGH)
    total = smooth.sum(axis=features, keepdims=True)
    every = smooth.sum(axis=(1, 2), keepdims=True)
    every = every / every.sum(axis=features, keepdims=True)
    # A hundred pixels' worth of all surfaces stands for what was too rarely drawn.
    return np.asarray((smooth + 100 * every) / (total + 100))


def main() -> None:
    """Make the tables and put them into the package's data."""
    content = io.BytesIO()
    provenance = f"slstr_cloudmask.detectors.evidence_tables: {BLOCKS} x {SIZE} pixels, seed {SEED}"
    np.savez_compressed(
        content,
        provenance=np.array(provenance),
        **make_tables(),  # type: ignore[arg-type]
    )
    target = Path(__file__).parent / "data" / TABLES
    write_bytes(target, content.getbuffer(), overwrite=True)


if __name__ == "__main__":
    main()
