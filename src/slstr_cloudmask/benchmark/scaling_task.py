"""What one launch of ranks measures, and what it answers; both are JSON files.

    OUT/measured/training-2-ranks-batch-32.json    {"task": ..., "answer": ...}

A task holds all that its answer depends on, so that a second run knows what it need not measure
again, and refuses to mix what was measured otherwise.
"""

import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from slstr_cloudmask import __version__
from slstr_cloudmask.training.config import TrainConfig


class Task(BaseModel):
    """What one launch measures.

    Attributes
    ----------
    kind
        ``training`` on a store, or ``inference`` of scenes.
    ranks, threads
        Processes, and threads of each on a CPU.
    device, machine
        Kind of device, and its name.
    repeats
        Epochs, or rounds through the scenes, that count; one before them warms up.
    train
        How is trained; its batch is the global one.
    store, digest, steps
        Of training: the packed store, what its scenes are, and steps of an epoch.
    scenes, model
        Of inference: files, and the model's folder.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["training", "inference"]
    ranks: int = Field(ge=1)
    threads: int = Field(ge=1)
    device: str
    machine: str
    repeats: int = Field(ge=1)
    train: TrainConfig
    store: Path | None = None
    digest: str = ""
    steps: int = 0
    scenes: tuple[Path, ...] = ()
    model: Path | None = None
    version: str = __version__

    @property
    def name(self) -> str:
        """Of its file."""
        words = f"{self.kind}-{self.ranks}-ranks"
        return words if self.kind == "inference" else f"{words}-batch-{self.train.batch_size}"

    def __str__(self) -> str:
        """Name it in a sentence."""
        ranks = f"{self.ranks} rank{'s' if self.ranks > 1 else ''}"
        if self.kind == "inference":
            return f"inference on {ranks}"
        return f"training on {ranks}, batch {self.train.batch_size}"


class AllReduce(BaseModel):
    """Median seconds of a sum over all ranks of so many bytes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    bytes: int
    seconds: float


class Answer(BaseModel):
    """What was measured.

    Attributes
    ----------
    items
        Patches of an epoch, or scenes of a round.
    steps
        Of an epoch; 0 for inference.
    seconds
        Of every epoch or round that counts, all ranks waiting for each other before and after.
    warm_up_seconds
        Of the first one, which counts for nothing: compiling, first touches of memory, files.
    first_losses
        Of training in the first few steps from fresh weights, and of validation after them: what
        is compared with other numbers of ranks. None for inference.
    losses
        Of training and of validation, in every epoch that was timed and the warm-up. Rounding
        grows from step to step, so that these differ in the end.
    precision
        What it ran in.
    all_reduce
        Of next to nothing, and of the gradients.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    items: int
    steps: int = 0
    seconds: tuple[float, ...] = Field(min_length=1)
    warm_up_seconds: float
    first_losses: tuple[float, float] | None = None
    losses: tuple[tuple[float, float], ...] = ()
    precision: str
    all_reduce: tuple[AllReduce, ...] = ()

    @property
    def median_seconds(self) -> float:
        """Of the runs that count."""
        return statistics.median(self.seconds)

    @property
    def rate(self) -> float:
        """Items a second."""
        return self.items / self.median_seconds

    @property
    def step_seconds(self) -> float:
        """Of a step of training."""
        return self.median_seconds / self.steps


class Measured(BaseModel):
    """A task and its answer, as they are kept."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    task: Task
    answer: Answer


def spread(seconds: Sequence[float]) -> dict[str, Any]:
    """Return median, least, most, and every run."""
    return {
        "median": statistics.median(seconds),
        "min": min(seconds),
        "max": max(seconds),
        "runs": list(seconds),
    }
