"""Patches read from the disk ahead of their use, in one order, and given out in another.

    with Reader(store, shares, arrivals) as reader:
        for inputs_NHWC, labels_NHW in reader:
            ...

A thread reads what will be needed in the order of ``arrivals``, which suits the disk. It holds a
patch from when it was read until it is used, and only as many as the two orders ask for, with some
read ahead. Patches are read, not mapped: a file that is cut short or a disk that fails is an error
in words, where a mapped page would end the process.
"""

import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from slstr_cloudmask.errors import BrokenFileError, InputError
from slstr_cloudmask.training.memory import available_bytes
from slstr_cloudmask.training.store import INPUTS_NAME, LABELS_NAME, Store

AHEAD_BYTES = 1 << 28  # read beyond what the order asks for
BLOCK_BYTES = 1 << 24  # read before those that wait are told
GRACE_S = 3.0  # for a read that is under way when the work ends; the thread is a daemon

Indices = npt.NDArray[np.int64]


class Reader:
    """Reads ahead for the length of a ``with`` block.

    Parameters
    ----------
    store
        Where patches lie.
    shares
        Which ones are used together, one share after the other; no patch is in two.
    arrivals
        The order in which they are read, of these and perhaps others; by default that of use.

    Raises
    ------
    InputError
        What must be held does not fit into the memory that is available.
    """

    def __init__(
        self, store: Store, shares: Sequence[Indices], arrivals: Indices | None = None
    ) -> None:
        self._store, self._shares = store, shares
        uses = np.concatenate([*shares, np.empty(0, np.int64)])
        self._coming = uses if arrivals is None else arrivals[np.isin(arrivals, uses)]
        patch_bytes = (store.inputs_NHWC.nbytes + store.labels_NHW.nbytes) // len(store.labels_NHW)
        self._block = max(1, BLOCK_BYTES // patch_bytes)
        most = max(map(len, shares), default=0) + self._block + AHEAD_BYTES // patch_bytes
        self.room = min(len(uses), held_at_most(uses, self._coming) + most)
        _check_memory(self.room * patch_bytes, store)
        self._inputs = torch.empty((self.room, *store.inputs_NHWC.shape[1:]), dtype=torch.float16)
        self._labels = torch.empty((self.room, *store.labels_NHW.shape[1:]), dtype=torch.uint8)
        self._free = list(range(self.room))
        self._place: dict[int, int] = {}
        self._failure: BaseException | None = None
        self._stopped = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="patches", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop reading, whatever is left."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        self._thread.join(GRACE_S)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield inputs (n, P, P, C), float16, and labels (n, P, P), uint8, share by share.

        Raises
        ------
        BrokenFileError
            The store cannot be read.
        """
        for share in self._shares:
            places = self._wait_for(share.tolist())
            chosen = torch.tensor(places, dtype=torch.int64)
            taken = self._inputs[chosen], self._labels[chosen]  # copies
            with self._changed:
                self._free += places
                self._changed.notify_all()
            yield taken

    def _wait_for(self, share: list[int]) -> list[int]:
        """Return the places of patches, when all of them have been read."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._failure is not None or all(index in self._place for index in share)
            )
            if self._failure is not None:
                raise self._failure
            return [self._place.pop(index) for index in share]

    def _run(self) -> None:
        try:
            self._read()
        except BaseException as error:  # raised by who waits
            with self._changed:
                self._failure = _in_words(error, self._store.folder)
                self._changed.notify_all()

    def _read(self) -> None:
        names = (INPUTS_NAME, LABELS_NAME)
        arrays = (self._inputs, self._labels)
        with ExitStack() as stack:
            files = [
                stack.enter_context((self._store.folder / name).open("rb", buffering=0))
                for name in names
            ]
            for start in range(0, len(self._coming), self._block):
                block = self._coming[start : start + self._block].tolist()
                places = self._places(len(block))
                if places is None:
                    return
                for index, place in zip(block, places, strict=True):
                    for file, array in zip(files, arrays, strict=True):
                        _read_into(file, index, array[place])
                with self._changed:
                    self._place.update(zip(block, places, strict=True))
                    self._changed.notify_all()

    def _places(self, count: int) -> list[int] | None:
        """Wait for free places, and take them; None once the work has ended."""
        with self._changed:
            self._changed.wait_for(lambda: self._stopped or len(self._free) >= count)
            if self._stopped:
                return None
            return [self._free.pop() for _ in range(count)]


def held_at_most(uses: Indices, arrivals: Indices) -> int:
    """Return how many patches are held at once if each is read when it must, and not before."""
    position = np.empty(uses.max(initial=-1) + 1, np.int64)
    position[arrivals] = np.arange(len(arrivals))
    read = np.maximum.accumulate(position[uses]) + 1
    return int((read - np.arange(len(uses))).max(initial=0))


def _read_into(file: FileIO, index: int, patch: Tensor) -> None:
    """Read a patch of a file of patches."""
    content = patch.reshape(-1).view(torch.uint8).numpy().data
    file.seek(index * len(content))
    read = 0
    while read < len(content):
        count = file.readinto(content[read:])
        if not count:
            raise BrokenFileError(f"{file.name} ends within patch {index}")
        read += count


def _in_words(error: BaseException, folder: Path) -> BaseException:
    if not isinstance(error, OSError):
        return error
    said = BrokenFileError(
        f"The packed store in {folder} cannot be read: {error.strerror or error}. A run goes on "
        "from its checkpoint once the store is whole: mend the disk, or pack again."
    )
    said.__cause__ = error
    return said


def _check_memory(needed: int, store: Store) -> None:
    available = available_bytes()
    if needed > available:
        raise InputError(
            f"Streaming {store.folder} holds {needed / 1e9:.1f} GB of patches in memory, and "
            f"{available / 1e9:.1f} GB are available: choose fewer train.window_shards, or a "
            "smaller train.shard_patches."
        )
