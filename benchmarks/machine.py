"""How quiet the machine is while something is measured.

    with quietness(twin.pid) as found:
        measure()
    found["busy_elsewhere"]

A load average cannot tell our own threads from others'. Processor time can: what all processes
used, less what this one, its children and the twin used, as a share of all cores. On a machine that
others use, threads that wait for each other wait for others too, and ratios say little.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psutil


@contextmanager
def quietness(pid: int | None = None) -> Iterator[dict[str, Any]]:
    """Give a dictionary that holds, when the block has ended, how busy others kept the machine.

    Parameters
    ----------
    pid
        Of the twin's process, whose work counts as ours.

    Yields
    ------
    dict
        ``busy_elsewhere`` (0 to 1), ``load_average`` before and after, ``seconds``.
    """
    found: dict[str, Any] = {"load_average": [os.getloadavg()]}
    started, busy, ours = time.perf_counter(), _busy(), _ours(pid)
    try:
        yield found
    finally:
        seconds = time.perf_counter() - started
        others = (_busy() - busy) - (_ours(pid) - ours)
        found["seconds"] = seconds
        found["busy_elsewhere"] = max(0.0, others / (seconds * (psutil.cpu_count() or 1)))
        found["load_average"].append(os.getloadavg())


def _busy() -> float:
    """Return the seconds of processor time that all processes have used."""
    times = psutil.cpu_times()
    idle = times.idle + getattr(times, "iowait", 0.0)
    return float(sum(times[:8]) - idle)  # after the eighth come guests, counted in user already


def _ours(pid: int | None) -> float:
    """Return the seconds of processor time that this process, its children and the twin used."""
    mine = sum(psutil.Process().cpu_times()[:4])
    return float(mine + (sum(psutil.Process(pid).cpu_times()[:4]) if pid is not None else 0.0))
