"""Runs in processes of their own, which tests kill: forked from one that has all imported already.

A `Victim` is slow enough that any point of a run can be hit: each event, each packed scene and
each scored mask takes `PAUSE_S` longer.
"""

import importlib
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from slstr_cloudmask.benchmark.config import BenchmarkConfig
from slstr_cloudmask.benchmark.event_log import EventLog, read_events
from slstr_cloudmask.benchmark.repeats import run_repeats
from slstr_cloudmask.benchmark.run import run_benchmark
from slstr_cloudmask.benchmark.scene_records import SceneRecords
from slstr_cloudmask.events import Event
from slstr_cloudmask.training.journal import Journal

PAUSE_S, PATIENCE_S = 0.1, 120
CPU = torch.device("cpu")

# What a run imports only when it needs it takes five seconds, which each victim would spend anew.
for lazy in ("torch._dynamo", "torch.onnx", "h5netcdf", "onnx", "openvino"):
    with suppress(ImportError):
        importlib.import_module(lazy)


def _slowly(function: Callable[..., Any]) -> Callable[..., Any]:
    def slow(*given: Any, **named: Any) -> Any:
        answer = function(*given, **named)
        time.sleep(PAUSE_S)
        return answer

    return slow


def work(config: BenchmarkConfig, repeats: int, words: Path) -> None:
    """Run, as slowly; what is said on stderr goes to a file."""
    sys.stderr = words.open("w", buffering=1)
    torch.set_num_threads(1)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # as `cloudmask` does
    for kind, name in ((EventLog, "__call__"), (Journal, "add"), (SceneRecords, "keep")):
        setattr(kind, name, _slowly(getattr(kind, name)))
    if repeats:
        run_repeats(config, repeats, device=CPU)
    else:
        run_benchmark(config, device=CPU)


class Victim:
    """A run of a configuration in another process."""

    def __init__(self, config: BenchmarkConfig, repeats: int = 0) -> None:
        self._words = config.output_dir.with_suffix(".stderr")
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["tests.killing"])
        self.process = context.Process(target=work, args=(config, repeats, self._words))
        self.process.start()

    def end(self, number: int, when: Callable[[], bool]) -> int | None:
        """Send a signal as soon as a condition holds; return the exit code."""
        deadline = time.monotonic() + PATIENCE_S
        while not when():
            assert self.process.is_alive(), self._words.read_text()
            assert time.monotonic() < deadline
            time.sleep(0.005)
        assert self.process.pid is not None
        os.kill(self.process.pid, number)
        self.process.join(PATIENCE_S)
        return self.process.exitcode


def happened(out: Path, name: str, **data: object) -> Callable[[], bool]:
    """Whether the run's last event is this one."""

    def check() -> bool:
        events = read_events(out)
        last = events[-1] if events else Event("nothing")
        return last.name == name and data.items() <= last.data.items()

    return check


def scenes_packed(store: Path, count: int) -> Callable[[], bool]:
    """Whether so many scenes are packed, of a store that is not finished."""
    path = store.with_name(f"{store.name}.packing") / "journal.jsonl"
    return lambda: path.is_file() and path.read_bytes().count(b"\n") == 1 + count
