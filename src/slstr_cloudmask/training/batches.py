"""Batches from a store, drawn with a true global shuffle and shared among processes.

The order of an epoch follows from seed and epoch alone, so a resumed run and a run on more
processes see the same global batches. Each process takes every n-th patch of a global batch.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from slstr_cloudmask.flags import UNKNOWN
from slstr_cloudmask.training.pack import PackedScene, Store


@dataclass(frozen=True)
class Batch:
    """What one process computes of a global batch.

    Attributes
    ----------
    x_NCHW
        Normalised channels, float32.
    label_NHW
        1.0 cloud, 0.0 clear.
    valid_NHW
        Whether the pixel has a label.
    """

    x_NCHW: Tensor
    label_NHW: Tensor
    valid_NHW: Tensor


def patch_indices(scenes: Sequence[PackedScene]) -> npt.NDArray[np.int64]:
    """Return the indices in the store of all patches of these scenes."""
    ranges = [np.arange(scene.first, scene.first + scene.count) for scene in scenes]
    return np.concatenate(ranges).astype(np.int64)


def shuffled(indices: npt.NDArray[np.int64], seed: int, epoch: int) -> npt.NDArray[np.int64]:
    """Return the order of an epoch: a permutation of all patches by seed and epoch."""
    return np.random.default_rng((seed, epoch)).permutation(indices)


def draw(
    store: Store,
    order: npt.NDArray[np.int64],
    batch_size: int,
    *,
    device: torch.device,
    rank: int = 0,
    world_size: int = 1,
) -> Iterator[Batch]:
    """Yield this process's part of every global batch.

    Parameters
    ----------
    store, order
        Patches, and the order in which they come. The last batch may be smaller.
    batch_size
        Patches of a global batch, over all processes.
    device
        Where the tensors go.
    rank, world_size
        This process among all.
    """
    for start in range(0, len(order), batch_size):
        mine = order[start : start + batch_size][rank::world_size]
        labels_NHW = torch.from_numpy(store.labels_NHW[mine]).to(device)
        inputs_NHWC = torch.from_numpy(store.inputs_NHWC[mine]).to(device)
        yield Batch(
            x_NCHW=inputs_NHWC.float().permute(0, 3, 1, 2),
            label_NHW=(labels_NHW == 1).float(),
            valid_NHW=labels_NHW != UNKNOWN,
        )
