"""The order of a streamed epoch against a global shuffle, and the memory that streaming holds.

    PYTHONPATH=. python benchmarks/streaming.py                 # how well patches are mixed
    PYTHONPATH=. python benchmarks/streaming.py --memory STORE  # what a pass over a store holds

The orders are those of the benchmark's 776 scenes of 20 patches, in batches of 32.
"""

import argparse
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import psutil
import torch

from slstr_cloudmask.training.batches import draw
from slstr_cloudmask.training.ordering import Ordering
from slstr_cloudmask.training.residence import Residence, place
from slstr_cloudmask.training.store import Store, open_store

SCENES, PATCHES, BATCH, EPOCHS = 776, 20, 32, 5
SHARD_PATCHES = 200
WINDOWS = (1, 5, 10, 20)  # shards
WHERE: tuple[Residence, ...] = ("streamed", "mapped")


def mixing(ordering: Ordering) -> dict[str, float]:
    """Return how well epochs are mixed, as means over a few of them.

    ``scenes`` and ``shards``: from how many a batch is; ``moved``: how far a patch stands from its
    place in the epoch before, as a share of the epoch; ``correlation`` of the two places.
    """
    count = SCENES * PATCHES
    orders = [ordering.epoch(np.arange(count), 1234, epoch).indices for epoch in range(EPOCHS + 1)]
    places = [np.argsort(order) for order in orders]
    pairs = list(pairwise(places))
    return {
        "scenes": _distinct(orders, PATCHES),
        "shards": _distinct(orders, SHARD_PATCHES),
        "moved": float(np.mean([np.abs(a - b).mean() for a, b in pairs]) / count),
        "correlation": float(np.mean([np.corrcoef(a, b)[0, 1] for a, b in pairs])),
    }


def _distinct(orders: list[npt.NDArray[np.int64]], size: int) -> float:
    """Return from how many runs of ``size`` patches a batch comes."""
    batches = [order[: len(order) // BATCH * BATCH].reshape(-1, BATCH) // size for order in orders]
    return float(np.mean([len(np.unique(batch)) for rows in batches for batch in rows]))


def memory(store: Store, ordering: Ordering) -> dict[str, float]:
    """Return by how many bytes this process grows in a pass over a store, by residence."""
    order = ordering.epoch(np.arange(store.manifest.patches), 1234, 1)
    grown: dict[str, float] = {}
    for where in WHERE:
        before = most = psutil.Process().memory_info().rss
        for _ in draw(place(store, torch.device("cpu"), where), order, BATCH):
            most = max(most, psutil.Process().memory_info().rss)
        grown[where] = float(most - before)
    return grown


def main() -> None:
    """Print what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--memory", type=Path, metavar="STORE")
    parser.add_argument("--shard-patches", type=int, default=SHARD_PATCHES)
    parser.add_argument("--window-shards", type=int, default=10)
    given = parser.parse_args()
    if given.memory is None:
        for window in WINDOWS:
            _say(f"{window} shards", mixing(Ordering("stream", SHARD_PATCHES, window)))
        _say("global", mixing(Ordering("global", SHARD_PATCHES, 1)))
        return
    store = open_store(given.memory)
    ordering = Ordering("stream", given.shard_patches, given.window_shards)
    size = store.inputs_NHWC.nbytes + store.labels_NHW.nbytes
    window_bytes = ordering.shard_patches * ordering.window_shards * size / store.manifest.patches
    _say("GB", {"store": size / 1e9, "window": window_bytes / 1e9})
    _say("grown by GB", {where: grown / 1e9 for where, grown in memory(store, ordering).items()})


def _say(what: str, numbers: dict[str, float]) -> None:
    told = "  ".join(f"{name} {number:.3f}" for name, number in numbers.items())
    sys.stdout.write(f"{what}: {told}\n")


if __name__ == "__main__":
    main()
