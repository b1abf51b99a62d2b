"""What others published of the benchmark: runs, one epoch on many machines, scaling.

    for run in published_runs():
        run.test_accuracy, run.seconds_per_epoch, run.source
    published_machines(), published_scaling(), published_all_cloud()

The tables lie in ``published/``; each row names its source. They hold what was printed; what
follows from it is worked out here.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import resources

TRAINING_SCENES, TRAINING_PATCHES, TEST_SCENES = 970, 19_400, 100
# In ``runs.csv``: no run, but the mask that says cloud everywhere.
ALL_CLOUD = "all cloud"

# What is to be known of the published numbers before they are read.
FLAWS = (
    "Greene's printed seconds per epoch are the time of training through the 200 epochs that were "
    "configured; where a run stopped earlier they are too low. Here they are through the epochs "
    "that were run.",
    "All published networks answer on the empty columns at the sides of a scene, where the label "
    "is clear, and the metric counts them: about three points lost, as follows from their logs.",
    "Seeds were not varied: what differs between the runs of a set is chance of the hardware. Two "
    "runs that differ by less than 0.008, two standard deviations of 35 runs, are not told apart.",
    "The last weights were scored, not the best ones of validation.",
    "The split into training and validation depends on the order in which the file system listed "
    "the scenes, so that validation agreements of two sites are of different scenes.",
    "Until January 2023 every mask was taken for cloud everywhere: the 0.809 of that time is no "
    "run's accuracy, but the share that the label calls cloud.",
)


@dataclass(frozen=True)
class PublishedRun:
    """One run.

    Attributes
    ----------
    series
        Which; runs of a series with the same ``epochs_configured`` differ by chance alone.
    machine
        GPU, as far as it is told.
    epochs_configured, epochs
        Asked for, and run.
    train_accuracy, validation_accuracy
        Of patches, after the last epoch.
    test_accuracy
        The published metric.
    printed_seconds_per_epoch
        Training through ``epochs_configured``.
    total_seconds
        Training, its loading, and inference, as printed.
    seconds_per_scene
        Of inference.
    source, note
        Where it stands, and what to know.
    """

    series: str
    machine: str
    epochs_configured: int
    epochs: int
    train_accuracy: float
    validation_accuracy: float
    test_accuracy: float
    printed_seconds_per_epoch: float | None
    total_seconds: float | None
    seconds_per_scene: float | None
    source: str
    note: str

    @property
    def seconds_per_epoch(self) -> float | None:
        """Training through the epochs that were run."""
        if self.printed_seconds_per_epoch is None:
            return None
        return self.printed_seconds_per_epoch * self.epochs_configured / self.epochs

    @property
    def seconds(self) -> float | None:
        """Training and inference: the total, or what the two of them add up to."""
        if self.total_seconds is not None:
            return self.total_seconds
        if self.printed_seconds_per_epoch is None or self.seconds_per_scene is None:
            return None
        training = self.printed_seconds_per_epoch * self.epochs_configured
        return training + TEST_SCENES * self.seconds_per_scene


@dataclass(frozen=True)
class PublishedMachine:
    """One epoch on a machine, with loading and inference; lowest and highest of several runs."""

    machine: str
    total_seconds: float
    lowest_seconds: float | None
    highest_seconds: float | None
    source: str
    note: str


@dataclass(frozen=True)
class PublishedScaling:
    """Seconds per epoch of a system with so many GPUs."""

    system: str
    gpus: int
    seconds_per_epoch: float
    source: str
    note: str


@cache
def published_runs() -> tuple[PublishedRun, ...]:
    """List the runs, series by series."""
    return tuple(
        PublishedRun(
            series=row["series"],
            machine=row["machine"],
            epochs_configured=int(row["epochs_configured"]),
            epochs=int(row["epochs"]),
            train_accuracy=float(row["train_accuracy"]),
            validation_accuracy=float(row["validation_accuracy"]),
            test_accuracy=float(row["test_accuracy"]),
            printed_seconds_per_epoch=_number(row["printed_seconds_per_epoch"]),
            total_seconds=_number(row["total_seconds"]),
            seconds_per_scene=_number(row["seconds_per_scene"]),
            source=row["source"],
            note=row["note"],
        )
        for row in _rows("runs")
        if row["series"] != ALL_CLOUD
    )


@cache
def published_all_cloud() -> tuple[float, str]:
    """Return what a mask scores that says cloud everywhere, and the source of that."""
    (row,) = (row for row in _rows("runs") if row["series"] == ALL_CLOUD)
    return float(row["test_accuracy"]), row["source"]


@cache
def published_machines() -> tuple[PublishedMachine, ...]:
    """List the machines, slowest first."""
    return tuple(
        PublishedMachine(
            machine=row["machine"],
            total_seconds=float(row["total_seconds"]),
            lowest_seconds=_number(row["lowest_seconds"]),
            highest_seconds=_number(row["highest_seconds"]),
            source=row["source"],
            note=row["note"],
        )
        for row in _rows("machines")
    )


@cache
def published_scaling() -> tuple[PublishedScaling, ...]:
    """List the times by GPUs, one first."""
    return tuple(
        PublishedScaling(
            system=row["system"],
            gpus=int(row["gpus"]),
            seconds_per_epoch=float(row["seconds_per_epoch"]),
            source=row["source"],
            note=row["note"],
        )
        for row in _rows("scaling")
    )


def _rows(table: str) -> Iterator[dict[str, str]]:
    path = resources.files("slstr_cloudmask.benchmark") / "published" / f"{table}.csv"
    lines = [line for line in path.read_text("utf-8").splitlines() if not line.startswith("#")]
    yield from csv.DictReader(lines)


def _number(text: str) -> float | None:
    return float(text) if text else None
