"""In which order an epoch takes its patches: three ways, each by seed and epoch alone.

    ordering = Ordering("stream", shard_patches=200, window_shards=10)
    order = ordering.epoch(indices, seed=1234, epoch=3)

``global``
    One permutation of all patches.
``stream``
    For a store that memory does not hold. Patches come off the disk in shards: runs of the store,
    read one after the other, the shards in another order in every epoch. A window of several
    shards is kept in memory; each step draws from it at random, and the next patch off the disk
    takes the place of the one that was drawn.
``buffer``
    The reference's. The order of its files is drawn once (`shuffled_files`), and their patches
    follow each other in every epoch through a window of one batch
    (``tf.data.Dataset.shuffle``): patches of one scene meet in a batch.

No patch comes twice or is missed, whichever it is and on any number of processes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from slstr_cloudmask.errors import ConfigError
from slstr_cloudmask.training.batches import SYMMETRIES, Augment, Order, shuffled
from slstr_cloudmask.training.store import PackedScene

OrderName = Literal["auto", "global", "stream", "buffer"]
Indices = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Ordering:
    """How the order of every epoch of a run is drawn.

    Attributes
    ----------
    name
        ``global``, ``stream`` or ``buffer``.
    shard_patches, window_shards
        Patches of a shard, and shards of a window; of a ``buffer`` every patch is a shard.
    """

    name: Literal["global", "stream", "buffer"]
    shard_patches: int = 1
    window_shards: int = 1

    def epoch(self, indices: Indices, seed: int, epoch: int, augment: Augment = "none") -> Order:
        """Return the order of an epoch.

        Parameters
        ----------
        indices
            Of the patches in the store; for ``buffer`` in the order in which their files come.
        seed, epoch
            What the order follows from.
        augment
            How patches are turned.
        """
        if self.name == "global":
            return shuffled(indices, seed, epoch, augment)
        rng = np.random.default_rng((seed, epoch))
        arrivals = indices
        if self.name == "stream":
            shards = np.split(indices, range(self.shard_patches, len(indices), self.shard_patches))
            arrivals = np.concatenate([shards[number] for number in rng.permutation(len(shards))])
        return through_window(arrivals, self.shard_patches * self.window_shards, rng, augment)

    @property
    def record(self) -> dict[str, Any]:
        """What a checkpoint keeps: all that the order depends on."""
        if self.name == "global":
            return {"name": self.name}
        return {
            "name": self.name,
            "shard_patches": self.shard_patches,
            "window_shards": self.window_shards,
        }

    def resumed(self, saved: dict[str, Any], asked: OrderName) -> "Ordering":
        """Return the ordering of a run that goes on, whose checkpoint kept ``saved``.

        ``auto`` stays with what it was when the run began: how much memory is free may differ.

        Raises
        ------
        ConfigError
            Another one is asked for.
        """
        same = replace(self, name=saved["name"]) if asked == "auto" else self
        if same.record != saved:
            raise ConfigError(
                f"The checkpoint is of a run with the order {_words(saved)}, and "
                f"{_words(same.record)} is asked for: ask for the same, or remove the checkpoint "
                "to start anew."
            )
        return same


def shuffled_files(scenes: Sequence[PackedScene], seed: int) -> list[PackedScene]:
    """Return scenes in an order that follows from the seed alone."""
    return [scenes[number] for number in np.random.default_rng(seed).permutation(len(scenes))]


def through_window(
    arrivals: Indices, size: int, rng: np.random.Generator, augment: Augment = "none"
) -> Order:
    """Return patches drawn at random from a window that slides over them as they arrive."""
    # At the end nothing comes to take a place, and the window shrinks.
    left = np.minimum(size, np.arange(len(arrivals), 0, -1))
    drawn = _drawn(arrivals.tolist(), rng.integers(left).tolist(), size)
    turns = rng.integers(SYMMETRIES[augment], size=len(arrivals), dtype=np.uint8)
    return Order(np.array(drawn, np.int64), turns, arrivals)


def _drawn(arrivals: list[int], places: list[int], size: int) -> list[int]:
    """Draw from these places of a window; the next to arrive, or else the last one, moves there."""
    window, coming = arrivals[:size], iter(arrivals[size:])
    drawn = []
    for place in places:
        drawn.append(window[place])
        following = next(coming, None)
        if following is None:
            following = window.pop()
            if place == len(window):
                continue
        window[place] = following
    return drawn


def _words(record: dict[str, Any]) -> str:
    name, *sizes = record.values()
    return f"{name} ({sizes[1]} shards of {sizes[0]} patches)" if sizes else str(name)
