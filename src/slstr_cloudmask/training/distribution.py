"""One process among all that train together, as the launcher (``torchrun``) started it.

Rank and world size come from the launcher's environment, never from a configuration. A single
process needs no launcher, and nothing below then communicates.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel


@dataclass(frozen=True, slots=True)
class Ranks:
    """One process among all.

    Attributes
    ----------
    rank, world_size
        Number of this process, from 0, and of all.
    local_rank
        Number of this process on its machine: which GPU it takes.
    """

    rank: int = 0
    world_size: int = 1
    local_rank: int = 0

    @property
    def is_first(self) -> bool:
        """Whether this process is the one that writes and speaks."""
        return self.rank == 0

    def sum(self, values: Tensor) -> Tensor:
        """Return the sum of ``values`` over all processes."""
        if self.world_size > 1:
            distributed.all_reduce(values)
        return values

    def share(self, network: nn.Module) -> nn.Module:
        """Return the network as it is trained: its gradients are averaged over all processes."""
        if self.world_size == 1:
            return network
        return DistributedDataParallel(network, gradient_as_bucket_view=True)

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
    )


@contextmanager
def joined(device: torch.device) -> Iterator[Ranks]:
    """Join the other processes for the length of the block: NCCL on GPU, gloo on CPU."""
    ranks = launched()
    if ranks.world_size == 1:
        yield ranks
        return
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield ranks
    finally:
        distributed.destroy_process_group()
