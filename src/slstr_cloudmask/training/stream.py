"""The order of an epoch for a store that memory does not hold: shards, and a window to draw from.

    ordering = Ordering("stream", shard_patches=200, window_shards=10)
    order = ordering.epoch(indices, seed=1234, epoch=3)

Patches come off the disk in shards: runs of the store, read one after the other, the shards in
another order in every epoch. A window of several shards is kept in memory; each step draws from it
at random, and the next patch off the disk takes the place of the one that was drawn. No patch
comes twice or is missed, and all follows from seed and epoch: the same on any number of processes,
each of which reads its own patches of a shard only (see ``reader``).
"""

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from slstr_cloudmask.errors import ConfigError
from slstr_cloudmask.training.batches import SYMMETRIES, Augment, Order, shuffled

OrderName = Literal["auto", "global", "stream"]
Indices = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Ordering:
    """How the order of every epoch of a run is drawn.

    Attributes
    ----------
    name
        ``global``: one permutation of all patches; ``stream``: from a window of shards.
    shard_patches, window_shards
        Patches of a shard, and shards of a window.
    """

    name: Literal["global", "stream"]
    shard_patches: int
    window_shards: int

    @classmethod
    def chosen(
        cls, name: OrderName, shard_patches: int, window_shards: int, *, streaming: bool
    ) -> "Ordering":
        """Return what was asked for; ``auto`` streams where patches are read as they are used."""
        resolved = ("stream" if streaming else "global") if name == "auto" else name
        return cls(resolved, shard_patches, window_shards)

    def epoch(self, indices: Indices, seed: int, epoch: int, augment: Augment = "none") -> Order:
        """Return the order of an epoch of these patches."""
        if self.name == "global":
            return shuffled(indices, seed, epoch, augment)
        return streamed(
            indices,
            seed,
            epoch,
            augment,
            shard_patches=self.shard_patches,
            window_patches=self.shard_patches * self.window_shards,
        )

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


def streamed(
    indices: Indices,
    seed: int,
    epoch: int,
    augment: Augment = "none",
    *,
    shard_patches: int,
    window_patches: int,
) -> Order:
    """Return the order of an epoch: drawn at random from a window that slides over the shards.

    Parameters
    ----------
    indices
        Of the patches in the store, ascending.
    seed, epoch
        What the order follows from.
    augment
        How patches are turned.
    shard_patches, window_patches
        Patches of a shard, the last one may be smaller, and of the window.
    """
    rng = np.random.default_rng((seed, epoch))
    shards = np.split(indices, range(shard_patches, len(indices), shard_patches))
    arrivals = np.concatenate([shards[number] for number in rng.permutation(len(shards))])
    # At the end nothing comes to take a place, and the window shrinks.
    left = np.minimum(window_patches, np.arange(len(indices), 0, -1))
    drawn = _drawn(arrivals.tolist(), rng.integers(left).tolist(), window_patches)
    turns = rng.integers(SYMMETRIES[augment], size=len(indices), dtype=np.uint8)
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
