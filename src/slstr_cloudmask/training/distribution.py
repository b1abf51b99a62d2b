"""One process among all that train together, as the launcher (``torchrun``) started it.

Rank and world size come from the launcher's environment, never from a configuration. A single
process needs no launcher, and nothing below then communicates.
"""

import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from slstr_cloudmask.errors import InputError
from slstr_cloudmask.network.device import resolve_device

Item = TypeVar("Item")

# The others wait while the first process packs, which takes its time on a slow file system; a
# process that died is the launcher's to notice.
PATIENCE = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Ranks:
    """One process among all.

    Attributes
    ----------
    rank, world_size
        Number of this process, from 0, and of all.
    local_rank, local_world_size
        The same on this machine: which GPU it takes.
    """

    rank: int = 0
    world_size: int = 1
    local_rank: int = 0
    local_world_size: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this process is the one that writes and speaks."""
        return self.rank == 0

    def sum(self, values: Tensor) -> Tensor:
        """Return the sum of ``values`` over all processes."""
        if self.world_size > 1:
            distributed.all_reduce(values)
        return values

    def share(self, module: nn.Module, *, one_backward: bool) -> nn.Module:
        """Return a module as it is trained: its gradients are averaged over all processes.

        ``one_backward`` says that gradients come from one pass a step; where several are added up
        the graph cannot be static (pytorch/pytorch#143580).
        """
        if self.world_size == 1:
            return module
        return DistributedDataParallel(
            module, gradient_as_bucket_view=True, static_graph=one_backward
        )

    def gather(self, mine: list[Item]) -> list[Item]:
        """Return the items of all processes, on every process."""
        if self.world_size == 1:
            return mine
        everyone: list[list[Item]] = [[] for _ in range(self.world_size)]
        distributed.all_gather_object(everyone, mine)
        return [item for items in everyone for item in items]

    def wait(self) -> None:
        """Wait until every process is here."""
        if self.world_size > 1:
            distributed.barrier()


def launched() -> Ranks:
    """Read rank and world size as the launcher set them."""
    return Ranks(
        rank=int(os.environ.get("RANK", "0")),
        world_size=int(os.environ.get("WORLD_SIZE", "1")),
        local_rank=int(os.environ.get("LOCAL_RANK", "0")),
        local_world_size=int(os.environ.get("LOCAL_WORLD_SIZE", "1")),
    )


def launched_device(name: str) -> torch.device:
    """Return this process's device: of several GPUs, each process of a launch takes its own.

    Raises
    ------
    InputError
        No such device on this machine, or fewer than processes.
    """
    device = resolve_device(name)
    ranks = launched()
    if device.type != "cuda" or device.index is not None or ranks.world_size == 1:
        return device
    if ranks.local_rank >= torch.cuda.device_count():
        raise InputError(
            f"Process {ranks.local_rank} of this machine has no GPU: {torch.cuda.device_count()} "
            "found. Start no more processes a machine than it has GPUs."
        )
    return torch.device("cuda", ranks.local_rank)


@contextmanager
def joined(device: torch.device) -> Iterator[Ranks]:
    """Join the other processes for the length of the block: NCCL on GPU, gloo on CPU.

    Within such a block another one changes nothing.
    """
    ranks = launched()
    if ranks.world_size == 1 or distributed.is_initialized():
        yield ranks
        return
    if device.type == "cuda":
        torch.cuda.set_device(device)
    backend = "nccl" if device.type == "cuda" else "gloo"
    distributed.init_process_group(backend, timeout=PATIENCE)
    try:
        yield ranks
        ranks.wait()  # one that leaves early would break the connections of the others
    finally:
        # The network's wrapper lives on in reference cycles and holds the group: its threads would
        # outlast the interpreter, and now and then abort it (pytorch/pytorch#179291).
        gc.collect()
        distributed.destroy_process_group()
