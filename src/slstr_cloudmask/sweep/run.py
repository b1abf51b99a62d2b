"""A sweep from beginning to end: trials taken, started, followed, told, until all have ended.

    run_sweep(sweep, plan, launcher, own_storage(sweep))

Everything is in the trials' folders, so that a sweep that was stopped, however hard, goes on with
the same command: what is done is kept, what runs is followed, what was stopped goes on from its
checkpoint, what failed is named.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch

from slstr_cloudmask.errors import InputError
from slstr_cloudmask.sweep.launch import HereLauncher, Launcher, LocalLauncher, visible_gpus
from slstr_cloudmask.sweep.ledger import Ledger, locked
from slstr_cloudmask.sweep.plan import SweepPlan
from slstr_cloudmask.sweep.profile import Profile
from slstr_cloudmask.sweep.script import SUBMIT, script_path, write_script
from slstr_cloudmask.sweep.slurm import SlurmLauncher
from slstr_cloudmask.sweep.trial import (
    JOB_NAME,
    Job,
    Outcome,
    follow,
    log_tail,
    read_job,
    write_record,
)

logger = logging.getLogger(__name__)

MAX_ATTEMPTS = 3  # of a trial that is killed before it finishes another epoch


def make_launcher(profile: Profile, sweep: Path, run: Callable[[Path], object]) -> Launcher:
    """Return what starts trials.

    Parameters
    ----------
    profile
        What a trial is given; its ``launcher`` says which one.
    sweep
        The sweep's folder.
    run
        Runs a trial in this process, for ``here``.
    """
    if profile.launcher == "here":
        return HereLauncher(run)
    if profile.launcher == "local":
        gpus = torch.cuda.device_count() if profile.device in ("auto", "cuda") else 0
        return LocalLauncher(profile, visible_gpus(gpus))
    if profile.launcher == "slurm":
        return SlurmLauncher(profile, sweep)
    raise InputError("Trials are not started with LSF from here: --print writes a script for it.")


def run_sweep(
    sweep: Path, plan: SweepPlan, launcher: Launcher, storage: str, *, retry_failed: bool = False
) -> None:
    """Run a sweep until every trial has ended, or go on with it.

    Parameters
    ----------
    sweep
        Its folder.
    plan
        What it is to do.
    launcher
        Where trials run.
    storage
        URL of the study.
    retry_failed
        Start trials again that failed.

    Raises
    ------
    OutputExistsError
        Another process runs this sweep.
    InputError
        The queue refuses, or there is nothing to train on.
    WriteError
        The storage does not answer.
    """
    with locked(sweep):
        ledger = Ledger(sweep, plan, storage)
        under_way = _UnderWay(ledger, launcher, ledger.open_trials(retry_failed=retry_failed))
        try:
            while under_way.step():
                time.sleep(launcher.pause_s)
        except BaseException:
            under_way.leave()
            logger.warning("The sweep goes on with: cloudmask sweep -o %s", sweep)
            raise


def prepare_script(
    sweep: Path, plan: SweepPlan, profile: Profile, storage: str, *, retry_failed: bool = False
) -> tuple[str, str]:
    """Take the trials of a sweep and write a script for a queue that runs them.

    What has ended is told to the study, so that to prepare again is to gather. Of a search as many
    new trials are taken as there are workers.

    Returns
    -------
    str, str
        The script, and the command that submits it; empty when all trials have ended.

    Raises
    ------
    ConfigError
        The profile has no queue.
    """
    with locked(sweep):
        ledger = Ledger(sweep, plan, storage)
        folders = ledger.open_trials(retry_failed=retry_failed)
        room = plan.runs if plan.parsed_space.is_grid else profile.workers or 1
        while len(folders) < room and (folder := ledger.take()) is not None:
            folders.append(folder)
        if not folders:
            return "", ""
        text = write_script(profile, folders, sweep)
    return text, f"{SUBMIT[profile.launcher]} {script_path(profile, sweep)}"


class _UnderWay:
    """The trials that wait and that run."""

    def __init__(self, ledger: Ledger, launcher: Launcher, unfinished: list[Path]) -> None:
        self._ledger, self._launcher = ledger, launcher
        jobs = {folder: read_job(folder) for folder in unfinished}
        self._waiting = [folder for folder, job in jobs.items() if job is None]
        self._running = {
            folder: self._checked(folder, job) for folder, job in jobs.items() if job is not None
        }

    def step(self) -> bool:
        """Look once at everything, and start what there is room for; say whether any is left."""
        alive = self._launcher.alive(self._running.values())
        for folder, job in list(self._running.items()):
            if job.id not in alive:
                del self._running[folder]
                self._settle(folder, job)
            elif self._ledger.is_hopeless(folder):
                self._prune(folder, job)
        self._start(self._next())
        return bool(self._running or self._waiting)

    def leave(self) -> None:
        """Say what becomes of the trials that run."""
        if words := self._launcher.leave(self._running.values()):
            logger.warning("%s", words)

    def _checked(self, folder: Path, job: Job) -> Job:
        """Refuse a job that only another launcher can look after."""
        if job.launcher not in (self._launcher.name, "here"):
            raise InputError(
                f"{folder.name} was started by the launcher {job.launcher} as {job.id} on "
                f"{job.host}: go on with --launcher {job.launcher}, or, if it has ended, remove "
                f"{folder / JOB_NAME}."
            )
        return job

    def _next(self) -> list[Path]:
        """Return trials to start: those that wait, then new ones, as many as there is room for."""
        slots = self._launcher.slots or self._ledger.plan.runs
        room = max(0, slots - len(self._running))
        chosen = self._waiting[:room]
        del self._waiting[: len(chosen)]
        while len(chosen) < room and (folder := self._ledger.take()) is not None:
            chosen.append(folder)
        return chosen

    def _start(self, folders: list[Path]) -> None:
        if not folders:
            return
        jobs = self._launcher.start(folders, self._running.values())
        for folder, job in zip(folders, jobs, strict=True):
            self._running[folder] = _counted(job, read_job(folder), len(follow(folder)))
            write_record(folder, self._running[folder])
            attempt = self._running[folder].attempt
            words = f" once more, attempt {attempt} of {MAX_ATTEMPTS}" if attempt > 1 else ""
            logger.info("%s: started%s", folder.name, words)

    def _settle(self, folder: Path, job: Job) -> None:
        """Take up a trial whose process has ended: it said how, or it is started again."""
        if self._ledger.settle(folder):
            return
        if job.attempt < MAX_ATTEMPTS or len(follow(folder)) > job.epochs:
            logger.warning("%s: ended without a word, and is started again", folder.name)
            self._waiting.insert(0, folder)
            return
        words = f"killed {job.attempt} times without finishing another epoch"
        self._ledger.end(folder, Outcome("failed", f"{words}; its last words:\n{log_tail(folder)}"))

    def _prune(self, folder: Path, job: Job) -> None:
        self._launcher.stop([job])
        del self._running[folder]
        epochs = len(follow(folder))
        words = f"after {epochs} epochs its validation loss was above the median of the others"
        self._ledger.end(folder, Outcome("pruned", words))


def _counted(job: Job, before: Job | None, epochs: int) -> Job:
    """Return a job with its attempt: starts since the last one that finished an epoch."""
    stuck = before is not None and before.epochs == epochs
    return replace(job, attempt=before.attempt + 1 if before and stuck else 1, epochs=epochs)
