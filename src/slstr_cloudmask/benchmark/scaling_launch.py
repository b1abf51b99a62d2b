"""Ranks started by ``torchrun``, and the rank named that failed.

    measured = launch(task, folder)

What the ranks write goes to ``NAME.log`` beside the answer. Where this process is stopped, so are
they.
"""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from slstr_cloudmask.atomic import write_bytes
from slstr_cloudmask.benchmark.scaling_task import Measured, Task
from slstr_cloudmask.errors import InputError, WriteError

RANK_MODULE = "slstr_cloudmask.benchmark.scaling_rank"
STOP_SECONDS = 30.0  # that the launcher has to stop its ranks

# As the launcher reports its ranks (torch/distributed/elastic/multiprocessing/errors).
_FAILED_RANK = re.compile(r"rank\s*:\s*(\d+) .*\n\s*exitcode\s*:\s*(-?\d+)")
_SAID = re.compile(r"^cloudmask: (.+)$", re.MULTILINE)
_RAISED = re.compile(r"^(?:\[rank\d+\]: ?)?(\w[\w.]*(?:Error|Exception): .+)$", re.MULTILINE)


def launch(task: Task, folder: Path) -> Measured:
    """Start a task's ranks and wait for their answer, which they leave in ``folder``.

    Parameters
    ----------
    task
        What to measure.
    folder
        Where answer and log go.

    Raises
    ------
    InputError
        A rank failed.
    WriteError
        The operating system refused to write.
    """
    place, log = folder / f"{task.name}.json", folder / f"{task.name}.log"
    asked = folder / f"{task.name}.task.json"
    write_bytes(asked, task.model_dump_json().encode(), overwrite=True)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += [f"--nproc-per-node={task.ranks}", "-m", RANK_MODULE, str(asked), str(place)]
    try:
        with _running(command, task.threads, log) as launcher:
            code = launcher.wait()
    finally:
        asked.unlink(missing_ok=True)
    if code or not place.is_file():
        reason = failure(log.read_text(errors="replace"), task.ranks)
        raise InputError(f"{task}: {reason} All that was said: {log}")
    return Measured.model_validate_json(place.read_bytes())


@contextmanager
def _running(command: list[str], threads: int, log: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a launcher for the length of the block."""
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    try:
        output = log.open("wb")
    except OSError as error:
        raise WriteError(f"Could not write {log}: {error.strerror}.") from error
    with output:
        launcher = subprocess.Popen(
            command, env=environment, stdout=output, stderr=subprocess.STDOUT
        )
        try:
            yield launcher
        finally:
            _stop(launcher)


def _stop(launcher: "subprocess.Popen[bytes]") -> None:
    if launcher.poll() is not None:
        return
    launcher.terminate()  # it stops its ranks
    try:
        launcher.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        launcher.kill()
        launcher.wait()


def failure(log: str, ranks: int) -> str:
    """Say which rank failed first, and why, from what the launcher and the ranks wrote."""
    failed = [(int(rank), int(code)) for rank, code in _FAILED_RANK.findall(log)]
    # Ranks that lose a partner fail too, and those that are left the launcher ends by SIGTERM.
    killed = [(rank, code) for rank, code in failed if code < 0 and -code != signal.SIGTERM]
    if killed:
        rank, code = killed[0]
        return (
            f"rank {rank} of {ranks} was killed by {signal.Signals(-code).name}, for want of "
            "memory perhaps."
        )
    words = _SAID.search(log) or _RAISED.search(log)
    why = words.group(1) if words else "no reason was given."
    if not failed:
        return f"the launcher failed: {why}"
    rank, code = failed[0]
    return f"rank {rank} of {ranks} ended with exit code {code}: {why}"
