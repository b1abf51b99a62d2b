"""How long an epoch takes on any number of ranks: a small model, for machines not at hand.

    machine = load_machine("h200-infiniband")
    step = StepTime(seconds_per_patch=4e-4, overhead_seconds=2e-3)
    predict(machine, step, Workload(), ranks=16).limit          # "fixed overhead", say

An epoch is the sum of what its steps cost: the patches of the rank that has most of them, a fixed
overhead, the all-reduce of the gradients and, where patches are not in memory, their reading.
Nothing is taken to overlap, as in the loop itself: the gradients are fewer than fit one bucket, and
a batch is gathered when the one before it is done.

Symbols: N ranks, g of them in a node, m nodes, S bytes of gradients, B patches of a global batch.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from slstr_cloudmask.benchmark.scaling_machine import Link, Machine, StepTime
from slstr_cloudmask.errors import InputError

Mode = Literal["strong", "weak"]
MODES: tuple[Mode, ...] = ("strong", "weak")

SHARED = "compute"  # the one term that all ranks share evenly


@dataclass(frozen=True)
class Workload:
    """What is trained: the benchmark's epoch by default.

    Attributes
    ----------
    patches
        Of an epoch.
    batch_size
        Of a global batch (strong), or for each rank (weak).
    gradient_bytes, patch_bytes
        S: four for each of the U-Net's 1,948,609 parameters; and 256×256 pixels of nine float16
        and a label.
    """

    # performance.md 0: the published runs' epoch, 968 scenes of 20 patches, four fifths of them.
    patches: int = 15_488
    batch_size: int = 32
    gradient_bytes: int = 4 * 1_948_609
    patch_bytes: int = 256 * 256 * (9 * 2 + 1)

    def batches(self, ranks: int, mode: Mode) -> Iterator[tuple[int, int]]:
        """Yield how many steps there are of how many patches: the whole batches, and the rest."""
        batch = self.batch_size * (ranks if mode == "weak" else 1)
        whole, rest = divmod(self.patches, batch)
        if whole:
            yield whole, batch
        if rest:
            yield 1, rest


@dataclass(frozen=True)
class Prediction:
    """An epoch on so many ranks.

    Attributes
    ----------
    ranks, nodes, mode
        Where, and whether the global batch grows with the ranks.
    terms
        Seconds by what they are spent on; ``compute`` is what they all share evenly.
    efficiency
        Of 1: time on one rank through ranks times this time.
    """

    ranks: int
    nodes: int
    mode: Mode
    terms: dict[str, float]
    efficiency: float

    @property
    def seconds(self) -> float:
        """Of an epoch."""
        return sum(self.terms.values())

    @property
    def speed_up(self) -> float:
        """Over one rank."""
        return self.efficiency * self.ranks

    @property
    def limit(self) -> str:
        """The term that takes most time."""
        return max(self.terms, key=lambda name: self.terms[name])

    @property
    def loss(self) -> str | None:
        """The term that takes most beside what is shared evenly; None where there is no other."""
        others = {name: value for name, value in self.terms.items() if name != SHARED and value > 0}
        return max(others, key=lambda name: others[name]) if others else None


def predict(
    machine: Machine, step: StepTime, workload: Workload, *, ranks: int, mode: Mode = "strong"
) -> Prediction:
    """Predict an epoch.

    Parameters
    ----------
    machine
        Links and input.
    step
        What a step costs on one rank.
    workload
        What is trained.
    ranks, mode
        On how many ranks, and whether each of them has a batch of its own.

    Raises
    ------
    InputError
        The machine has no second node, and one does not hold so many ranks.
    """
    terms = _terms(machine, step, workload, ranks, mode)
    alone = sum(_terms(machine, step, workload, 1, mode).values())
    return Prediction(
        ranks, _nodes(machine, ranks), mode, terms, alone / (ranks * sum(terms.values()))
    )


def _terms(
    machine: Machine, step: StepTime, workload: Workload, ranks: int, mode: Mode
) -> dict[str, float]:
    batches = list(workload.batches(ranks, mode))
    steps = sum(count for count, _ in batches)
    # A batch waits for the rank that has most of it; ranks without a patch are idle.
    most = sum(count * math.ceil(patches / ranks) for count, patches in batches)
    latency, transfer = all_reduce_seconds(machine, ranks, workload.gradient_bytes)
    read = workload.patches * workload.patch_bytes / machine.input_rate(_nodes(machine, ranks))
    shared = workload.patches / ranks
    return {
        SHARED: step.seconds_per_patch * shared,
        "idle ranks": step.seconds_per_patch * (most - shared),
        "fixed overhead": step.overhead_seconds * steps,
        "all-reduce latency": latency * steps,
        "all-reduce bandwidth": transfer * steps,
        "input": read,
    }


def all_reduce_seconds(machine: Machine, ranks: int, size: int) -> tuple[float, float]:
    """Return what latency and what bandwidth cost the all-reduce of ``size`` bytes.

    In a node it is a ring; between nodes a ring or a double tree, whichever is faster.

    Raises
    ------
    InputError
        See `predict`.
    """
    nodes = _nodes(machine, ranks)
    latency, transfer = _ring(machine.within_node, min(ranks, machine.ranks_per_node), size)
    if nodes == 1 or machine.between_nodes is None:
        return latency, transfer
    ways = (way(machine.between_nodes, nodes, size) for way in (_ring, _double_tree))
    between = min(ways, key=sum)
    return latency + between[0], transfer + between[1]


def _ring(link: Link, members: int, size: int) -> tuple[float, float]:
    # Patarasuk and Yuan 2009, J. Parallel Distrib. Comput. 69, 117: 2(n - 1) messages of S/n bytes.
    messages = 2 * (members - 1)
    return (
        messages * link.latency_seconds.value,
        messages / members * size / link.bytes_per_second.value,
    )


def _double_tree(link: Link, members: int, size: int) -> tuple[float, float]:
    # Sanders, Speck and Träff 2009, Parallel Comput. 35, 581: up and down two trees at once, at
    # full bandwidth each way.
    depth = math.ceil(math.log2(members))
    return 2 * depth * link.latency_seconds.value, 2 * size / link.bytes_per_second.value


def _nodes(machine: Machine, ranks: int) -> int:
    if ranks > machine.most_ranks():
        raise InputError(
            f"{machine.name} has {machine.ranks_per_node} ranks in one node and no link "
            f"between_nodes: {ranks} ranks cannot be predicted."
        )
    return math.ceil(ranks / machine.ranks_per_node)
