"""One trial of a sweep: a run folder with three small files beside the run's own.

    SWEEP/trial-0001/trial.json    which point it tries, and its whole configuration
    SWEEP/trial-0001/job.json      where it was started, and for the how manieth time
    SWEEP/trial-0001/outcome.json  how it ended: done, failed, pruned
    SWEEP/trial-0001/trial.log     what the run said

The files say everything: whoever reads them, on whatever machine, knows how the trial stands
(`find_state`), and a sweep that was killed goes on from them.
"""

import json
import os
import socket
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

import psutil

from slstr_cloudmask.atomic import write_bytes
from slstr_cloudmask.benchmark.event_log import SITTING_START, read_events
from slstr_cloudmask.errors import BrokenFileError
from slstr_cloudmask.events import Event

TRIAL_NAME, JOB_NAME, OUTCOME_NAME = "trial.json", "job.json", "outcome.json"
LOG_NAME = "trial.log"
TAIL_LINES = 12  # of a log, where a failure is shown

Ending = Literal["done", "failed", "pruned"]
State = Literal["queued", "running", "stopped", "done", "failed", "pruned"]


@dataclass(frozen=True)
class Trial:
    """What a trial is to do.

    Attributes
    ----------
    folder
        Its run folder.
    number
        From 0; the folder's name counts from 1.
    values
        Of the point that it tries, by key.
    repeat
        Which repeat of the point it is, from 1.
    config
        The run's configuration, whole.
    """

    folder: Path
    number: int
    values: dict[str, Any]
    repeat: int
    config: dict[str, Any]


@dataclass(frozen=True)
class Job:
    """Where a trial was started last.

    Attributes
    ----------
    launcher, id
        Who started it, and its name there: a process number, or that of a queue.
    host, started
        Machine, and seconds since 1970, at which it was started.
    attempt
        Starts since it last finished an epoch, this one included.
    epochs
        Epochs that were done when it was started.
    slot
        Its share of the machine, where processes share one.
    """

    launcher: str
    id: str
    host: str = field(default_factory=socket.gethostname)
    started: float = field(default_factory=time.time)
    attempt: int = 1
    epochs: int = 0
    slot: int = 0


@dataclass(frozen=True)
class Outcome:
    """How a trial ended, and what is to be said of it."""

    state: Ending
    message: str = ""


Record = TypeVar("Record", Job, Outcome)


def trial_folder(sweep: Path, number: int) -> Path:
    """Return the folder of a trial; numbers count from 0, names from 1."""
    return sweep / f"trial-{number + 1:04d}"


def trial_folders(sweep: Path) -> list[Path]:
    """Return the folders of all trials that are there, in their order."""
    return sorted(path.parent for path in sweep.glob(f"trial-*/{TRIAL_NAME}"))


def write_trial(trial: Trial) -> None:
    """Write ``trial.json``, whole or not at all."""
    content = asdict(trial)
    del content["folder"]
    _write(trial.folder / TRIAL_NAME, content)


def read_trial(folder: Path) -> Trial:
    """Read what a trial is to do.

    Raises
    ------
    BrokenFileError
        ``trial.json`` is not there or cannot be read.
    """
    content = _read(folder / TRIAL_NAME)
    if content is None:
        raise BrokenFileError(f"{folder} is no trial of a sweep: it has no {TRIAL_NAME}.")
    try:
        return Trial(folder=folder, **content)
    except TypeError as error:
        raise BrokenFileError(f"{folder / TRIAL_NAME} is of another version: {error}") from error


def write_record(folder: Path, record: Job | Outcome) -> None:
    """Write where a trial was started, or how it ended."""
    _write(folder / (JOB_NAME if isinstance(record, Job) else OUTCOME_NAME), asdict(record))


def read_job(folder: Path) -> Job | None:
    """Read where a trial was started last; None where it never was."""
    return _record(Job, folder / JOB_NAME)


def read_outcome(folder: Path) -> Outcome | None:
    """Read how a trial ended; None where it has not."""
    return _record(Outcome, folder / OUTCOME_NAME)


def follow(folder: Path) -> list[Event]:
    """Return the validations of a run so far, one for each epoch, in order."""
    evaluations: dict[int, Event] = {}
    for event in read_events(folder):
        if event.name == "evaluation":
            evaluations[event.data["epoch"]] = event
    return [evaluations[epoch] for epoch in sorted(evaluations)]


def find_state(folder: Path) -> State:
    """Say how a trial stands, from its files alone; see `sitting_state`."""
    if outcome := read_outcome(folder):
        return outcome.state
    job = read_job(folder)
    if job is not None and is_process(job) and job.host == socket.gethostname():
        return "running" if process_of(job) else "stopped"
    return sitting_state(read_events(folder))


def sitting_state(events: Sequence[Event]) -> State:
    """Say from its events how a run stands that has not ended.

    One whose process on this machine is gone is ``stopped``; one of another machine is taken to
    run. Without events it is ``queued``.
    """
    starts = [event for event in events if event.name == SITTING_START]
    if not starts or starts[-1].data["host"] != socket.gethostname():
        return "running" if events else "queued"
    began = Job("", str(starts[-1].data["pid"]), started=starts[-1].time_ns / 1e9)
    return "running" if process_of(began) else "stopped"


def is_process(job: Job) -> bool:
    """Whether a job is a process of a machine, and not in a queue."""
    return job.launcher in ("here", "local")


def process_of(job: Job) -> psutil.Process | None:
    """Return the process of a job of this machine, or None where it has ended."""
    try:
        process = psutil.Process(int(job.id))
        # Another process may have the number by now: ours was there when the job was noted.
        alive = process.status() != psutil.STATUS_ZOMBIE
        return process if alive and process.create_time() <= job.started + 1 else None
    except (psutil.Error, ValueError):
        return None


def log_tail(folder: Path, lines: int = TAIL_LINES) -> str:
    """Return the last lines of what a run said."""
    path = folder / LOG_NAME
    if not path.is_file():
        return ""
    with path.open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - 16_384))
        text = file.read().decode(errors="replace")
    return "\n".join(text.splitlines()[-lines:])


def _record(kind: type[Record], path: Path) -> Record | None:
    content = _read(path)
    try:
        return None if content is None else kind(**content)
    except TypeError as error:
        raise BrokenFileError(f"{path} is of another version: {error}") from error


def _write(path: Path, content: dict[str, Any]) -> None:
    write_bytes(path, (json.dumps(content, indent=1) + "\n").encode(), overwrite=True)


def _read(path: Path) -> dict[str, Any] | None:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise BrokenFileError(f"{path} cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise BrokenFileError(f"{path} holds no record.")
    return content
