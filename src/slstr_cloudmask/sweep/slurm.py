"""Trials in Slurm's queue, by submitit: arrays, and jobs that are saved and go on.

    launcher = SlurmLauncher(load_profile("slurm-gpu"), sweep)
    jobs = launcher.start(folders, running=[])

Slurm sends USR2 before it ends a job, at its time limit or for one of a higher priority; submitit
answers by requeuing the job, which then goes on from the trial's checkpoint. Trials wait, run and
end in the queue whether or not the sweep that submitted them is still there.
"""

import getpass
import signal
import subprocess
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any

from slstr_cloudmask.errors import ConfigError, InputError
from slstr_cloudmask.extras import require
from slstr_cloudmask.sweep.profile import Profile
from slstr_cloudmask.sweep.trial import LOG_NAME, Job

EXTRA = "slurm"
FOLDER = "slurm"  # in the sweep's: scripts, pickles and logs of submitit
TIMES_SAVED = 100  # that a trial may reach its time limit and go on
ENDING_S = 60.0  # of a job that is saved before it is requeued
ANSWER_S = 60.0  # for Slurm's own commands


class TrialJob:
    """One trial in the queue, as submitit calls it on a node.

    Parameters
    ----------
    profile
        What it is given.
    folder
        The trial's.
    """

    def __init__(self, profile: Profile, folder: Path) -> None:
        # Where a container starts Python, the job is in it already.
        self._profile, self._folder = profile.model_copy(update={"python": None}), folder

    def __call__(self) -> None:
        """Run the trial, and end as it ends."""
        environment = require("submitit", extra=EXTRA).JobEnvironment()
        command = self._profile.command(self._folder, meeting_at=environment.hostnames[0])
        with (self._folder / LOG_NAME).open("ab") as log:
            process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
            try:
                code = process.wait()
            finally:  # submitit leaves this way where the job is requeued
                _end(process)
        if code:
            raise RuntimeError(f"The trial ended with code {code}: see {self._folder / LOG_NAME}.")

    def checkpoint(self) -> Any:
        """Return what is submitted where the job is requeued: the same, which goes on."""
        return require("submitit", extra=EXTRA).helpers.DelayedSubmission(self)


class SlurmLauncher:
    """Puts trials into Slurm's queue.

    Parameters
    ----------
    profile
        What a trial is given.
    sweep
        The sweep's folder, on a file system that the nodes see.
    """

    name = "slurm"

    def __init__(self, profile: Profile, sweep: Path) -> None:
        self._profile, self.pause_s = profile, profile.pause
        self.slots = profile.workers
        submitit = require("submitit", extra=EXTRA)
        try:
            self._executor = submitit.SlurmExecutor(
                folder=(sweep / FOLDER).absolute(),
                max_num_timeout=TIMES_SAVED,
                python=profile.python,
            )
            self._executor.update_parameters(**_parameters(profile, sweep))
        except RuntimeError as error:
            raise ConfigError(
                "This machine has no Slurm: srun is not found. Log in where it is, choose another "
                "--launcher, or --print a script to submit elsewhere."
            ) from error

    def start(self, folders: Sequence[Path], running: Collection[Job]) -> list[Job]:
        """Submit trials, several as one array.

        Raises
        ------
        InputError
            Slurm refused.
        """
        utils = require("submitit.core.utils", extra=EXTRA)
        try:
            with self._executor.batch():
                jobs = [
                    self._executor.submit(TrialJob(self._profile, folder.absolute()))
                    for folder in folders
                ]
        except (utils.FailedJobError, utils.FailedSubmissionError, OSError) as error:
            raise InputError(
                f"Slurm refused {len(folders)} trials: {_reason(error)}. Mend the profile, or what "
                "is asked for on the command line, and run the same command again."
            ) from error
        return [Job("slurm", job.job_id) for job in jobs]

    def alive(self, jobs: Collection[Job]) -> set[str]:
        """Return the numbers of those that the queue still has, all where it does not answer."""
        there = queued_jobs()
        return {job.id for job in jobs if there is None or job.id in there}

    def stop(self, jobs: Iterable[Job]) -> None:
        """Cancel jobs."""
        if ids := [job.id for job in jobs]:
            _ask("scancel", *ids)

    def leave(self, jobs: Collection[Job]) -> str:
        """Leave them in the queue."""
        ids = " ".join(sorted({job.id.partition("_")[0] for job in jobs}))
        return (
            f"{len(jobs)} trials stay in the queue; scancel {ids} would end them." if jobs else ""
        )


def queued_jobs() -> dict[str, str] | None:
    """Return our jobs in Slurm's queue and why they wait; None where Slurm does not answer."""
    fields = "--format=%i|%T|%r"
    answer = _ask("squeue", "--noheader", "--array", f"--user={getpass.getuser()}", fields)
    if answer is None:
        return None
    rows = (line.split("|", 2) for line in answer.splitlines() if line.count("|") >= 2)
    return {row[0].strip(): f"{row[1].lower()}, {row[2]}" for row in rows}


def trial_options(profile: Profile) -> dict[str, object]:
    """Return what each trial is given, by Slurm's long options; None for what is not asked for."""
    return {
        "time": profile.minutes,
        "nodes": profile.nodes,
        "ntasks-per-node": 1,
        "cpus-per-task": profile.cpus,
        "gpus-per-node": profile.gpus or None,
        "mem": f"{profile.memory:g}G" if profile.memory else None,
        "partition": profile.partition,
        "account": profile.account,
        "qos": profile.qos,
    }


def _parameters(profile: Profile, sweep: Path) -> dict[str, Any]:
    """Return a profile in submitit's words."""
    wanted = {
        "job_name": sweep.absolute().name,
        **{option.replace("-", "_"): value for option, value in trial_options(profile).items()},
        "setup": profile.shell or None,
        "array_parallelism": profile.workers,
        "stderr_to_stdout": True,
        "additional_parameters": profile.options or None,
    }
    return {name: value for name, value in wanted.items() if value is not None}


def _end(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is not None:
        return
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(ENDING_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _ask(*command: str) -> str | None:
    """Return what a command of Slurm's says; None where it fails."""
    try:
        answer = subprocess.run(
            command, capture_output=True, text=True, timeout=ANSWER_S, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout


def _reason(error: Exception) -> str:
    """Return what sbatch said, on one line."""
    lines = [line for line in str(error).splitlines() if "sbatch:" in line]
    return "; ".join(lines) or str(error).strip().splitlines()[-1]
