"""Where trials run: started, looked after, stopped; the same words for a process and a queue.

    launcher = make_launcher(profile, sweep)
    jobs = launcher.start([folder], running=[])
    launcher.alive(jobs)       # {number of the job in the list: "queued" or "running"}

``here`` runs a trial to its end in this process. ``local`` starts processes, which share the
machine's processors and GPUs; they outlive a sweep that is killed, and are found again.
"""

import os
import subprocess
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path
from typing import Protocol

import psutil

from slstr_cloudmask.errors import CloudMaskError, WriteError
from slstr_cloudmask.sweep.profile import Profile
from slstr_cloudmask.sweep.trial import LOG_NAME, Job, process_of

ENDING_S = 10.0  # for a process that was asked to end; then it is killed
THREADS = "OMP_NUM_THREADS"
GPUS = "CUDA_VISIBLE_DEVICES"


class Launcher(Protocol):
    """Starts trials.

    Attributes
    ----------
    name
        As it is typed.
    slots
        Trials at once; None for as many as there are, and the queue decides.
    pause_s
        Between two looks.
    """

    name: str
    slots: int | None
    pause_s: float

    def start(self, folders: Sequence[Path], running: Collection[Job]) -> list[Job]:
        """Start trials, beside those that run; return a job for each."""

    def alive(self, jobs: Collection[Job]) -> set[str]:
        """Return the ids of jobs that wait or run."""

    def stop(self, jobs: Iterable[Job]) -> None:
        """End jobs."""

    def leave(self, jobs: Collection[Job]) -> str:
        """End what should not go on without the sweep; say what does."""


class HereLauncher:
    """Runs a trial in this process, to its end: nothing can be pruned."""

    name, pause_s = "here", 0.0

    def __init__(self, run: Callable[[Path], object]) -> None:
        self.slots: int | None = 1
        self._run = run

    def start(self, folders: Sequence[Path], running: Collection[Job]) -> list[Job]:
        """Run trials, one after the other; how they failed is in their folders."""
        for folder in folders:
            try:
                self._run(folder)
            except CloudMaskError:
                continue
        return [Job("here", str(os.getpid())) for _ in folders]

    def alive(self, jobs: Collection[Job]) -> set[str]:
        """Nothing runs any more when `start` is back."""
        return set()

    def stop(self, jobs: Iterable[Job]) -> None:
        """Nothing runs."""

    def leave(self, jobs: Collection[Job]) -> str:
        """Nothing runs."""
        return ""


class LocalLauncher:
    """Runs trials in processes of this machine.

    Parameters
    ----------
    profile
        What a trial is given.
    gpus
        Names of the GPUs that are shared out.
    """

    name, pause_s = "local", 0.5

    def __init__(self, profile: Profile, gpus: Sequence[str]) -> None:
        self._profile, self._gpus = profile, gpus
        self.slots: int | None = profile.workers or max(1, len(gpus) or _processors() // 4)
        self._children: list[subprocess.Popen[bytes]] = []

    def start(self, folders: Sequence[Path], running: Collection[Job]) -> list[Job]:
        """Start a process for each trial, in a slot that no other one has."""
        taken = {job.slot for job in running}
        free = (slot for slot in range(len(taken) + len(folders)) if slot not in taken)
        return [self._started(folder, slot) for folder, slot in zip(folders, free, strict=False)]

    def alive(self, jobs: Collection[Job]) -> set[str]:
        """Return the process numbers of those that run."""
        self._children = [child for child in self._children if child.poll() is None]
        return {job.id for job in jobs if process_of(job)}

    def stop(self, jobs: Iterable[Job]) -> None:
        """Ask processes to end, and kill those that do not."""
        asked = [process for job in jobs if (process := process_of(job))]
        everyone = [*asked, *(child for process in asked for child in _children_of(process))]
        for process in asked:
            process.terminate()
        for process in psutil.wait_procs(everyone, ENDING_S)[1]:
            process.kill()

    def leave(self, jobs: Collection[Job]) -> str:
        """End all of them: they would take the machine unseen."""
        self.stop(jobs)
        return ""

    def share(self, slot: int) -> dict[str, str]:
        """Return the environment of a slot: its processors and its GPUs."""
        slots = self.slots or 1
        environment = {THREADS: str(max(1, _processors() // slots))}
        if THREADS in os.environ:
            environment[THREADS] = os.environ[THREADS]
        if self._gpus:
            mine = self._gpus[slot % slots :: slots] or [self._gpus[slot % len(self._gpus)]]
            environment[GPUS] = ",".join(mine)
        return environment

    def _started(self, folder: Path, slot: int) -> Job:
        try:
            with (folder / LOG_NAME).open("ab") as log:
                child = subprocess.Popen(
                    self._profile.command(folder),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env=os.environ | self.share(slot),
                    start_new_session=True,  # Ctrl-C is for the sweep, which ends its trials
                )
        except OSError as error:
            raise WriteError(f"{folder.name} cannot be started: {error}.") from error
        self._children.append(child)
        return Job("local", str(child.pid), slot=slot)


def visible_gpus(count: int) -> list[str]:
    """Return the names of the GPUs that this process may use, of ``count`` that it sees."""
    named = os.environ.get(GPUS)
    return named.split(",")[:count] if named else [str(number) for number in range(count)]


def _processors() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _children_of(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.Error:
        return []
