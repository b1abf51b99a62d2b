"""Where a store's patches live while they are trained on, and how a batch is gathered there.

    patches = place(store, torch.device("cuda"))
    x_NHWC, label_NHW = patches.gather(indices)

By itself a set goes to the GPU's memory if it fits there, else to page-locked memory of the host,
which the GPU reads fastest, else it stays mapped from the disk. On a CPU it stays mapped: the
system keeps in memory what was read, and a copy would only take it twice. What does not fit into
the host's memory either is streamed: read as it is needed, ahead of use (see ``reader``).
"""

import logging
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from slstr_cloudmask.training.memory import available_bytes
from slstr_cloudmask.training.reader import Indices, Reader
from slstr_cloudmask.training.store import Store

logger = logging.getLogger(__name__)

Residence = Literal["auto", "device", "pinned", "mapped", "streamed"]

DEVICE_SHARE = 0.8  # of the GPU's free memory that a set may take; training needs the rest
HOST_SHARE = 0.5  # of the host's available memory, which may not be ours alone
CACHE_SHARE = 0.8  # the same of mapped pages, which the system takes back when others need it
PIECE = 256  # patches that are copied at once: 300 MB of 256×256×9


@dataclass(frozen=True)
class Patches:
    """A set of patches at a place.

    Attributes
    ----------
    store
        The whole set on its disk.
    inputs_NHWC, labels_NHW
        float16 and uint8, on the device, in page-locked memory or mapped from the disk.
    device
        Where gathered batches go.
    residence
        Which of these it is; ``streamed`` patches are read when they are used one share after the
        other, and mapped otherwise.
    """

    store: Store
    inputs_NHWC: Tensor | npt.NDArray[np.float16]
    labels_NHW: Tensor | npt.NDArray[np.uint8]
    device: torch.device
    residence: Residence

    def gather(self, indices: Indices) -> tuple[Tensor, Tensor]:
        """Return inputs (n, P, P, C), float16, and labels (n, P, P), uint8, on the device."""
        return self._take(self.inputs_NHWC, indices), self._take(self.labels_NHW, indices)

    def shares(
        self, shares: Sequence[Indices], arrivals: Indices | None = None
    ) -> Generator[tuple[Tensor, Tensor], None, None]:
        """Yield the same of one share of patches after the other, no patch in two of them.

        ``arrivals`` is the order in which they are best read from a disk. To close the generator
        stops the reading.

        Raises
        ------
        BrokenFileError
            Streamed patches cannot be read.
        """
        if self.residence != "streamed":
            yield from map(self.gather, shares)
            return
        with Reader(self.store, shares, arrivals) as reader:
            for inputs_NHWC, labels_NHW in reader:
                yield self._brought(inputs_NHWC), self._brought(labels_NHW)

    def _take(self, values: Tensor | npt.NDArray[np.generic], indices: Indices) -> Tensor:
        if isinstance(values, np.ndarray):
            return self._brought(torch.from_numpy(values[indices]))
        return self._brought(values[torch.from_numpy(indices).to(values.device)])

    def _brought(self, taken: Tensor) -> Tensor:
        if self.device.type == "cuda" and taken.device.type == "cpu":
            taken = taken.pin_memory()  # so that the copy waits for nobody
        return taken.to(self.device, non_blocking=True)


def place(
    store: Store, device: torch.device, residence: Residence = "auto", *, sharing: int = 1
) -> Patches:
    """Bring a store to where it is trained on.

    Parameters
    ----------
    store
        The set.
    device
        Where batches are wanted.
    residence
        ``device``, ``pinned``, ``mapped``, ``streamed``; ``auto`` takes the first that has room.
    sharing
        Processes of this machine that each hold a set.
    """
    if residence == "auto":
        residence = _roomiest(store, device, sharing)
    logger.debug("%.1f GB of patches: %s", _bytes(store) / 1e9, residence)
    if residence in ("mapped", "streamed"):
        return Patches(store, store.inputs_NHWC, store.labels_NHW, device, residence)
    inputs, labels = (
        _copied(values, device, residence) for values in (store.inputs_NHWC, store.labels_NHW)
    )
    return Patches(store, inputs, labels, device, residence)


def _bytes(store: Store) -> int:
    return store.inputs_NHWC.nbytes + store.labels_NHW.nbytes


def _roomiest(store: Store, device: torch.device, sharing: int) -> Residence:
    """Return the nearest place to the device that the set fits into."""
    needed, available = _bytes(store), available_bytes()
    if device.type == "cuda":
        free_on_device, _ = torch.cuda.mem_get_info(device)
        if needed <= DEVICE_SHARE * free_on_device:
            return "device"
        if needed * sharing <= HOST_SHARE * available:
            return "pinned"
    if needed <= CACHE_SHARE * available:
        return "mapped"
    logger.info("%.1f GB of patches are streamed: memory does not hold them", needed / 1e9)
    return "streamed"


def _copied(values: npt.NDArray[np.generic], device: torch.device, residence: Residence) -> Tensor:
    """Copy mapped patches into memory, piece by piece."""
    pinned = residence == "pinned" and device.type == "cuda"
    where = torch.device("cpu") if residence == "pinned" else device
    dtype = torch.from_numpy(np.empty(0, values.dtype)).dtype
    copied = torch.empty(values.shape, dtype=dtype, device=where, pin_memory=pinned)
    for mine in _pieces(len(values)):
        copied[mine].copy_(torch.from_numpy(np.array(values[mine])))
    return copied


def _pieces(count: int) -> Iterator[slice]:
    return (slice(start, start + PIECE) for start in range(0, count, PIECE))
