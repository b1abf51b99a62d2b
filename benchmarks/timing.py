"""Timings that can be compared: synchronised, warmed up, taken in turns.

samples = take_turns({"ours": ours, "theirs": theirs}, repeats=5, warm_up=1)

A subject is a function that runs once and returns its own seconds; ``stopwatch`` makes one of any
function. Subjects run A B A B …, so that what else the machine does falls on all of them alike.
"""

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

Subject = Callable[[], float]


@dataclass
class Sample:
    """Seconds of one subject.

    Attributes
    ----------
    seconds
        Of every run that counts.
    warm_up_seconds
        Of the runs before, which count for nothing.
    """

    seconds: list[float] = field(default_factory=list)
    warm_up_seconds: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        """Median of the runs, s."""
        return statistics.median(self.seconds)

    @property
    def spread(self) -> float:
        """Slowest less fastest run, as a share of the median."""
        return (max(self.seconds) - min(self.seconds)) / self.median

    def describe(self) -> dict[str, Any]:
        """Return what goes into the JSON file."""
        return {
            "median_s": self.median,
            "min_s": min(self.seconds),
            "max_s": max(self.seconds),
            "spread": self.spread,
            "runs_s": self.seconds,
            "warm_up_s": self.warm_up_seconds,
        }

    def text(self, scale: float = 1.0, digits: int = 2) -> str:
        """Return ``median (min–max)``, each times ``scale``."""
        low, middle, high = (
            f"{scale * value:.{digits}f}"
            for value in (min(self.seconds), self.median, max(self.seconds))
        )
        return f"{middle} ({low}–{high})"


def synchronise(device: torch.device) -> None:
    """Wait until everything that was asked of the device is done."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def stopwatch(run: Callable[[], object], device: torch.device) -> Subject:
    """Return a subject that times ``run``, with the device idle before and after."""

    def timed() -> float:
        synchronise(device)
        started = time.perf_counter()
        run()
        synchronise(device)
        return time.perf_counter() - started

    return timed


def device_stopwatch(run: Callable[[], object], device: torch.device) -> Subject:
    """Return a subject that gives the device's own time, by events where it has them."""
    if device.type != "cuda":
        return stopwatch(run, device)

    def timed() -> float:
        start, stop = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
        synchronise(device)
        start.record()
        run()
        stop.record()
        synchronise(device)
        return float(start.elapsed_time(stop)) / 1000

    return timed


def take_turns(
    subjects: Mapping[str, Subject], *, repeats: int, warm_up: int = 1
) -> dict[str, Sample]:
    """Run every subject in turn, ``warm_up`` rounds that do not count and ``repeats`` that do."""
    samples = {name: Sample() for name in subjects}
    for turn in range(warm_up + repeats):
        for name, subject in subjects.items():
            seconds = subject()
            sample = samples[name]
            (sample.warm_up_seconds if turn < warm_up else sample.seconds).append(seconds)
    return samples


def best_of(run: Callable[[], object], device: torch.device, seconds: float) -> Sample:
    """Time something short again and again for about ``seconds``, after one run that counts not."""
    timed = device_stopwatch(run, device)
    sample = Sample(warm_up_seconds=[timed()])
    until = time.perf_counter() + seconds
    while len(sample.seconds) < 3 or time.perf_counter() < until:
        sample.seconds.append(timed())
    return sample
