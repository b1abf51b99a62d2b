"""Batches of patches, in the order of an epoch and shared among processes.

The order follows from seed and epoch alone, and so do flips and rotations: a resumed run and a run
on more processes see the same global batches. Each process takes every n-th patch of a global
batch. Here is the true global shuffle; ``stream`` has the one for stores larger than memory.

Shape legend: N patches, C channels, H rows, W columns.
"""

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Literal, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from slstr_cloudmask.network.inputs import network_inputs
from slstr_cloudmask.training.dropout import without_bands
from slstr_cloudmask.training.residence import Patches
from slstr_cloudmask.training.store import PackedScene, StoreManifest

Augment = Literal["none", "flips", "d4"]

# Bits of a symmetry of the square: any of its eight is a flip of rows, then of columns, then a
# transposition, each done or not.
FLIP_ROWS, FLIP_COLUMNS, TRANSPOSE = 1, 2, 4
SYMMETRIES = {"none": 1, "flips": 4, "d4": 8}


@dataclass(frozen=True)
class Batch:
    """What one process computes of a global batch.

    Attributes
    ----------
    x_NCHW
        The network's inputs, float32, channels last in memory.
    label_NHW
        1.0 cloud, 0.0 clear, or a probability between.
    valid_NHW
        Whether the pixel has a label.
    stratum_NHW
        Where the label is, where a store tells: see ``labels``.
    """

    x_NCHW: Tensor
    label_NHW: Tensor
    valid_NHW: Tensor
    stratum_NHW: Tensor | None = None

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """All that there is of these."""
        always = (self.x_NCHW, self.label_NHW, self.valid_NHW)
        return always if self.stratum_NHW is None else (*always, self.stratum_NHW)

    def parts(self, size: int) -> Iterator[Self]:
        """Yield the batch in parts of at most ``size`` patches; an empty one as it is."""
        for start in range(0, max(1, len(self.label_NHW)), size):
            yield type(self)(*(tensor[start : start + size] for tensor in self.tensors))


@dataclass(frozen=True)
class Order:
    """In which order patches come, and how each is turned.

    Attributes
    ----------
    indices
        Of the patches in the store.
    symmetries
        One of the eight of the square for each of them, as bits.
    arrivals
        The same patches, and maybe others, in the order in which they are best read from a disk;
        None: as they come.
    absent
        Bands that are taken away from each of them (see ``dropout``); None: none is.
    """

    indices: npt.NDArray[np.int64]
    symmetries: npt.NDArray[np.uint8]
    arrivals: npt.NDArray[np.int64] | None = None
    absent: npt.NDArray[np.uint16] | None = None

    def __len__(self) -> int:
        return len(self.indices)


def patch_indices(scenes: Sequence[PackedScene]) -> npt.NDArray[np.int64]:
    """Return the indices in the store of all patches of these scenes."""
    ranges = [np.arange(scene.first, scene.first + scene.count) for scene in scenes]
    return np.concatenate(ranges).astype(np.int64)


def in_turn(indices: npt.NDArray[np.int64]) -> Order:
    """Return patches as they are, one after the other."""
    return Order(indices, np.zeros(len(indices), np.uint8))


def shuffled(
    indices: npt.NDArray[np.int64], seed: int, epoch: int, augment: Augment = "none"
) -> Order:
    """Return the order of an epoch: a permutation of all patches by seed and epoch."""
    rng = np.random.default_rng((seed, epoch))
    order = rng.permutation(indices)  # first, so that it is the same however patches are turned
    return Order(order, rng.integers(SYMMETRIES[augment], size=len(order), dtype=np.uint8))


def first(order: Order, count: int) -> Order:
    """Return the first ``count`` patches of an order."""
    absent = None if order.absent is None else order.absent[:count]
    return replace(
        order, indices=order.indices[:count], symmetries=order.symmetries[:count], absent=absent
    )


def draw(
    patches: Patches, order: Order, batch_size: int, *, rank: int = 0, world_size: int = 1
) -> Generator[Batch, None, None]:
    """Yield this process's part of every global batch.

    Parameters
    ----------
    patches, order
        Patches at their place, and the order in which they come. The last batch may be smaller.
    batch_size
        Patches of a global batch, over all processes.
    rank, world_size
        This process among all.
    """
    manifest = patches.store.manifest
    starts = range(0, len(order), batch_size)
    shares = [slice(start + rank, start + batch_size, world_size) for start in starts]
    indices = [order.indices[mine] for mine in shares]
    with closing(patches.shares(indices, order.arrivals)) as gathered:
        for mine, (inputs_NHWC, labels_NHW) in zip(shares, gathered, strict=True):
            turns = order.symmetries[mine]
            x_NCHW = turned(inputs_NHWC, turns).permute(0, 3, 1, 2)
            if order.absent is not None:
                x_NCHW = without_bands(x_NCHW, order.absent[mine], manifest.normaliser)
            yield _batch(x_NCHW, turned(labels_NHW, turns), manifest)


def _batch(x_NCHW: Tensor, codes_NHW: Tensor, manifest: StoreManifest) -> Batch:
    label_NHW, valid_NHW, stratum_NHW = manifest.coding.decoded(codes_NHW)
    inputs_NCHW = network_inputs(x_NCHW, manifest.normaliser)
    return Batch(
        x_NCHW=inputs_NCHW.contiguous(memory_format=torch.channels_last),
        label_NHW=label_NHW.float() * valid_NHW,
        valid_NHW=valid_NHW,
        stratum_NHW=stratum_NHW * valid_NHW if manifest.strata > 1 else None,
    )


def turned(values: Tensor, symmetries: npt.NDArray[np.uint8]) -> Tensor:
    """Return square maps (N, P, P, …), each flipped and transposed as its symmetry says."""
    steps = ((FLIP_ROWS, (1,)), (FLIP_COLUMNS, (2,)), (TRANSPOSE, None))
    for bit, dims in steps:
        wanted = (symmetries & bit) > 0
        if not wanted.any():
            continue
        chosen = torch.from_numpy(wanted).to(values.device, non_blocking=True)
        other = values.transpose(1, 2).contiguous() if dims is None else values.flip(dims)
        values = torch.where(chosen.view(-1, *[1] * (values.ndim - 1)), other, values)
    return values
