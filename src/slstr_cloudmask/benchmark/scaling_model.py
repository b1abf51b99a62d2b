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
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

from slstr_cloudmask.errors import ConfigError, InputError, MissingFileError
from slstr_cloudmask.validation import validated

Mode = Literal["strong", "weak"]
MODES: tuple[Mode, ...] = ("strong", "weak")

MACHINES = Path(__file__).parents[1] / "machines"
SHARED = "compute"  # the one term that all ranks share evenly


class Quantity(BaseModel):
    """A number of a machine, in the unit that its name says, and where it comes from.

    Attributes
    ----------
    value
        The number.
    basis
        ``measured`` here, ``published`` by somebody, or ``assumed``.
    note
        How it was measured, by whom published, or why it is assumed.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    value: float = Field(gt=0)
    basis: Literal["measured", "published", "assumed"]
    note: str = Field(min_length=1)


class Link(BaseModel):
    """What a message takes between two ranks of a node, or between two nodes.

    Attributes
    ----------
    latency_seconds
        Of a message without content.
    bytes_per_second
        Of long ones, in one direction; between nodes, all links of a node together.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    latency_seconds: Quantity
    bytes_per_second: Quantity


class Machine(BaseModel):
    """A computer, or many of one kind; a YAML file.

    Attributes
    ----------
    name
        In words.
    ranks_per_node
        GPUs of a node, or processes.
    within_node, between_nodes
        Links; without the second there is one node and no more.
    seconds_per_patch, step_overhead_seconds
        What a rank computes for one patch of training, and once for each step. Both or neither;
        left out, they are those that were measured here.
    input_bytes_per_second_per_node, input_bytes_per_second
        What a node reads, and what the file system gives all nodes together, where patches are
        read in every epoch; left out where they are in memory, as GPUs hold them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    ranks_per_node: int = Field(ge=1)
    within_node: Link
    between_nodes: Link | None = None
    seconds_per_patch: Quantity | None = None
    step_overhead_seconds: Quantity | None = None
    input_bytes_per_second_per_node: Quantity | None = None
    input_bytes_per_second: Quantity | None = None

    @model_validator(mode="after")
    def _check(self) -> "Machine":
        if (self.seconds_per_patch is None) != (self.step_overhead_seconds is None):
            raise ValueError("seconds_per_patch and step_overhead_seconds go together")
        return self

    @property
    def step_time(self) -> "StepTime | None":
        """What the file says of a step, if it says it."""
        if self.seconds_per_patch is None or self.step_overhead_seconds is None:
            return None
        return StepTime(self.seconds_per_patch.value, self.step_overhead_seconds.value)

    def most_ranks(self) -> float:
        """Return how many ranks there can be."""
        return math.inf if self.between_nodes else self.ranks_per_node

    def input_rate(self, nodes: int) -> float:
        """Return the bytes that so many nodes read in a second, together."""
        own, shared = self.input_bytes_per_second_per_node, self.input_bytes_per_second
        return min(nodes * own.value if own else math.inf, shared.value if shared else math.inf)


@dataclass(frozen=True)
class StepTime:
    """What one rank's step costs: seconds for each of its patches, and seconds whatever it has."""

    seconds_per_patch: float
    overhead_seconds: float

    @classmethod
    def through(cls, few: tuple[int, float], many: tuple[int, float]) -> "StepTime":
        """Return the line through two measured steps, each patches and seconds.

        Where noise makes the overhead or the slope negative there is no overhead.
        """
        (small, fast), (large, slow) = few, many
        slope = (slow - fast) / (large - small)
        overhead = slow - large * slope
        if slope <= 0 or overhead < 0:
            return cls(slow / large, 0.0)
        return cls(slope, overhead)

    def seconds(self, patches: int) -> float:
        """Return how long a step of so many patches takes."""
        return self.overhead_seconds + patches * self.seconds_per_patch


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


def machine_names() -> list[str]:
    """Return the names of the machines that ship with the package."""
    return sorted(path.stem for path in MACHINES.glob("*.yaml"))


def load_machine(name: str | Path) -> Machine:
    """Read a machine by its name, or a file by its path.

    Raises
    ------
    MissingFileError
        No such machine and no such file.
    ConfigError
        Not YAML, an unknown key, or a value that cannot be.
    """
    path = MACHINES / f"{name}.yaml" if str(name) in machine_names() else Path(name)
    if not path.is_file():
        raise MissingFileError(
            f"There is no machine {str(name)!r}: expected {', '.join(machine_names())}, or the "
            "path of a YAML file."
        )
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}.") from error
    except (yaml.YAMLError, ValueError) as error:  # the second: not text
        raise ConfigError(f"{path} is not YAML: {error}") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{path} holds no keys: expected those of a machine (docs/scaling.md).")
    return validated(Machine, content, str(path))
