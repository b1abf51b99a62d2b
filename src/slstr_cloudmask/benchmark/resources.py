"""What a run takes of each machine that it is on: one process a machine samples it.

with sampled(folder, device, ranks) as machine:
    machine(Event("run_start"))
    ...
    resources = gather_resources(machine, ranks)
"""

import logging
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import torch

from slstr_cloudmask.benchmark.environment import gpu_uuids
from slstr_cloudmask.benchmark.meters import Meter, find_meters
from slstr_cloudmask.benchmark.sampling import SAMPLES_NAME, Sampler, summarise_samples
from slstr_cloudmask.events import Event
from slstr_cloudmask.training.distribution import Ranks

logger = logging.getLogger(__name__)


class Machine:
    """The sampler of this machine, in the process that has one; an event listener in all.

    Attributes
    ----------
    sampler, path
        None in the other processes.
    meters
        What it reads, in words.
    not_told
        By what would be told, why it is not.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self.sampler: Sampler | None = None
        self.meters: list[str] = []
        self.not_told: dict[str, str] = {}

    def __call__(self, event: Event) -> None:
        """Take an event in."""
        if self.sampler is not None:
            self.sampler(event)

    def summary(self) -> dict[str, Any] | None:
        """Say what this machine told so far, of earlier sittings too; None in other processes."""
        if self.path is None:
            return None
        told = summarise_samples(self.path) or {"samples": 0, "phases": {}, "peak": {}}
        return {
            "node": platform.node(),
            "file": self.path.name,
            "meters": self.meters,
            "not_told": self.not_told,
            **told,
        }


@contextmanager
def sampled(
    folder: Path, device: torch.device, ranks: Ranks, *, anew: bool = False
) -> Iterator[Machine]:
    """Sample this machine for the length of the block, from the first of its processes.

    Parameters
    ----------
    folder
        Where ``samples.csv`` goes; of further machines ``samples-RANK.csv``.
    device, ranks
        What is run on, and this process among all.
    anew
        Forget the samples of an earlier run.
    """
    if ranks.local_rank != 0:
        yield Machine()
        return
    path = folder / _name(ranks)
    if anew:
        with suppress(OSError):
            path.unlink()
    machine = Machine(path)
    with Sampler(path, _meters(machine, device, ranks)) as machine.sampler:
        yield machine


def gather_resources(machine: Machine, ranks: Ranks) -> list[dict[str, Any]]:
    """Return the summaries of all machines, on every process."""
    mine = machine.summary()
    return ranks.gather([] if mine is None else [mine])


def _name(ranks: Ranks) -> str:
    path = Path(SAMPLES_NAME)
    return SAMPLES_NAME if ranks.is_first else f"{path.stem}-{ranks.rank}{path.suffix}"


def _meters(machine: Machine, device: torch.device, ranks: Ranks) -> list[Meter]:
    """Find the meters and have the machine name them; a failure does not stop a run."""
    # Of several processes here the launcher is the parent, and counts all of them.
    pid = os.getppid() if ranks.local_world_size > 1 else os.getpid()
    try:
        meters, machine.not_told = find_meters(pid=pid, gpus=gpu_uuids(device, ranks))
    except Exception as error:  # whatever it is, the run is worth more
        logger.warning("Nothing is sampled: %s", error)
        machine.not_told = {"everything": str(error)}
        return []
    machine.meters = [meter.about for meter in meters]
    return meters
