"""A machine to predict scaling for, as a file: its links, its input, and what a step takes there.

    machine = load_machine("h200-infiniband")        # or the path of a YAML file
    machine.within_node.latency_seconds.basis        # "assumed"

Every number has its unit in its name, and says where it comes from.
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from slstr_cloudmask.errors import MissingFileError
from slstr_cloudmask.validation import read_yaml, validated

MACHINES = Path(__file__).parents[1] / "machines"


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
    def step_time(self) -> StepTime | None:
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
    content = read_yaml(path, expected="those of a machine (docs/scaling.md)")
    return validated(Machine, content, str(path))
