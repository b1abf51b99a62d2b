"""The reference's order of patches: files shuffled once, then a buffer of one batch.

    scenes = shuffled_files(scenes, seed=1234)
    order = through_buffer(patch_indices(scenes), 32, seed=1234, epoch=1)

The reference draws the order of its files once; the patches of a file follow each other, and that
order is kept in memory for all epochs. Each epoch passes it through a buffer of a batch's size,
from which the next patch is drawn at random (``tf.data.Dataset.shuffle``). So patches of one scene
meet in a batch, and the same scenes in every epoch.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from slstr_cloudmask.training.batches import SYMMETRIES, Augment, Order
from slstr_cloudmask.training.store import PackedScene


def shuffled_files(scenes: Sequence[PackedScene], seed: int) -> list[PackedScene]:
    """Return scenes in an order that follows from the seed alone."""
    return [scenes[number] for number in np.random.default_rng(seed).permutation(len(scenes))]


def through_buffer(
    indices: npt.NDArray[np.int64], size: int, seed: int, epoch: int, augment: Augment = "none"
) -> Order:
    """Return the order of an epoch: patches drawn from a buffer that the next ones refill.

    Parameters
    ----------
    indices
        Of the patches, in the order in which they come to the buffer.
    size
        Patches that the buffer holds: none comes more than so many places early.
    seed, epoch
        The order follows from them alone.
    augment
        How patches are turned.
    """
    rng = np.random.default_rng((seed, epoch))
    buffer, drawn = indices[:size].tolist(), []
    draws = iter(rng.random(len(indices)).tolist())
    for patch in indices[size:].tolist():
        slot = int(next(draws) * len(buffer))
        drawn.append(buffer[slot])
        buffer[slot] = patch
    while buffer:
        drawn.append(buffer.pop(int(next(draws) * len(buffer))))
    turns = rng.integers(SYMMETRIES[augment], size=len(drawn), dtype=np.uint8)
    return Order(np.array(drawn, np.int64), turns)
