"""Sweeps whose trials do not train, for tests: a launcher that writes what a run would."""

from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path
from typing import Any

from slstr_cloudmask.benchmark.event_log import EVENTS_NAME, EventLog
from slstr_cloudmask.benchmark.result_file import FORMAT_VERSION, write_result
from slstr_cloudmask.events import Event
from slstr_cloudmask.sweep.plan import SweepPlan, make_plan
from slstr_cloudmask.sweep.plan_file import settle_plan
from slstr_cloudmask.sweep.run import run_sweep
from slstr_cloudmask.sweep.study import own_storage
from slstr_cloudmask.sweep.trial import Job, Outcome, read_trial, write_record

# Nothing is read from these: no trial below trains.
DATA = ["data.store=store", "inference_dir=ssts"]


def plan_of(*settings: str, **options: Any) -> SweepPlan:
    return make_plan("smoke", [*DATA, *settings], **options)


class AtOnce:
    """A launcher whose trials have ended, or stand still, as soon as they are started.

    ``fate`` writes into a trial's folder what a run would, and returns whether it still runs.
    """

    name, pause_s = "at once", 0.0

    def __init__(self, fate: Callable[[Path], bool], slots: int = 1) -> None:
        self.slots: int | None = slots
        self.fate = fate
        self.started: list[str] = []
        self.stopped: list[str] = []
        self._alive: set[str] = set()

    def start(self, folders: Sequence[Path], running: Collection[Job]) -> list[Job]:
        for folder in folders:
            self.started.append(folder.name)
            if self.fate(folder):
                self._alive.add(folder.name)
        return [Job(self.name, folder.name) for folder in folders]

    def alive(self, jobs: Collection[Job]) -> set[str]:
        return {job.id for job in jobs} & self._alive

    def stop(self, jobs: Iterable[Job]) -> None:
        for job in jobs:
            self.stopped.append(job.id)
            self._alive.discard(job.id)

    def leave(self, jobs: Collection[Job]) -> str:
        return f"{len(jobs)} left"


def train_for(folder: Path, losses: Sequence[float]) -> None:
    """Write the events of epochs with these validation losses."""
    log = EventLog(folder / EVENTS_NAME)
    done = sum(event.name == "evaluation" for event in log.events)
    for epoch, loss in enumerate(losses, start=done + 1):
        data = {"epoch": epoch, "validation_loss": loss, "train_seconds": 1.0}
        log(Event("evaluation", {**data, "validation_seconds": 0.5}))
    log.close()


def finish(folder: Path, loss: float) -> None:
    """Write a result with a validation loss, and that the trial is done."""
    row = {"name": "validation loss", "value": loss, "unit": "nat/pixel", "label": None}
    write_result({"format_version": FORMAT_VERSION, "measurements": [row]}, folder)
    write_record(folder, Outcome("done"))


def by_rate(folder: Path) -> bool:
    """A run whose loss is least at a learning rate of 1e-3: its distance in decades."""
    rate = read_trial(folder).config["train"]["learning_rate"]
    loss = abs(float(f"{rate:e}".split("e")[1]) + 3 + float(f"{rate:e}".split("e")[0]) / 10 - 0.1)
    train_for(folder, [loss + 0.2, loss])
    finish(folder, loss)
    return False


def run(folder: Path, plan: SweepPlan, launcher: AtOnce, **options: Any) -> None:
    storage = options.pop("storage", own_storage(folder))
    run_sweep(folder, settle_plan(folder, plan), launcher, storage, **options)
