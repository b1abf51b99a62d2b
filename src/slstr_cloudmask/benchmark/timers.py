"""Named timers of a run, read off its events: rows for the result, and ``# csv`` lines.

    rows = timer_rows(events, outcome.seconds)
    write_timers(rows, run / TIMERS_NAME, "a laptop")

Two events ``NAME_start`` and ``NAME_stop`` are a lap of the timer NAME, so what is not listened to
costs nothing. Names and lines are those of the published university runs, which used cloudmesh's
StopWatch: ``time`` is the last lap and ``sum`` all of them. A start without its stop, of a sitting
that was killed, counts for nothing but in ``total``.
"""

import getpass
import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from slstr_cloudmask.atomic import write_bytes
from slstr_cloudmask.events import Event

TIMERS_NAME = "timers.csv"
# In the order of the rows; what each of them is stands in docs/benchmark.md.
NAMES = (
    *("total", "staging", "init", "run"),
    *("training block", "training", "loaddata", "compile", "epoch", "validation", "save model"),
    *("inference block", "load model", "inference"),
)
SCENE_NAMES = {"read": "read files", "predict": "predict scene", "write": "write mask"}
WHOLE_SCENE = "whole scene"
# cloudmesh-common, cloudmesh/common/StopWatch.py: StopWatch.benchmark.
CSV_HEADER = (
    "# csv,timer,status,time,sum,start,tag,msg,uname.node,user,uname.system,platform.version"
)
QUANTILES = {"min": 0.0, "median": 0.5, "p90": 0.9, "p99": 0.99, "max": 1.0}


@dataclass
class _Timer:
    laps: list[float] = field(default_factory=list)
    start_ns: int | None = None  # of the last lap
    good: bool = True

    def row(self, name: str) -> dict[str, Any]:
        spread = np.quantile(self.laps, list(QUANTILES.values())).tolist()
        start = None
        if self.start_ns is not None:
            moment = datetime.fromtimestamp(self.start_ns / 1e9, UTC)
            start = moment.strftime("%Y-%m-%d %H:%M:%S")
        return {
            "name": name,
            "status": "ok" if self.good else "failed",
            "count": len(self.laps),
            "last_s": self.laps[-1],
            "sum_s": sum(self.laps),
            "start": start,
            **{f"{key}_s": value for key, value in zip(QUANTILES, spread, strict=True)},
        }


def timer_rows(
    events: Iterable[Event], seconds_by_scene: Sequence[Mapping[str, float]] = ()
) -> list[dict[str, Any]]:
    """Gather the timers of a run.

    Parameters
    ----------
    events
        All of them in their order, those of earlier sittings too.
    seconds_by_scene
        By stage, as `inference.Outcome` holds them.

    Returns
    -------
    list of dict
        ``name``, ``status``, ``count`` of laps, ``last_s``, ``sum_s``, ``start`` of the last lap
        (UTC), and ``min_s``, ``median_s``, ``p90_s``, ``p99_s``, ``max_s`` of the laps.
    """
    timers = _Stopwatch()
    for event in events:
        timers.hear(event)
    timers.end_sitting()
    rows = [timers[name].row(name) for name in NAMES if name in timers]
    return rows + _scene_rows(seconds_by_scene)


class _Stopwatch(dict[str, _Timer]):
    """Timers by name, kept up event by event."""

    def __init__(self) -> None:
        super().__init__()
        self._open: dict[str, int] = {}
        self._span: tuple[int, int] | None = None  # of the sitting

    def hear(self, event: Event) -> None:
        if event.name == "sitting_start":
            self.end_sitting()
        first = event.time_ns if self._span is None else self._span[0]
        self._span = first, max(first, event.time_ns)
        name, _, what = event.name.rpartition("_")
        if what == "start":
            self._open[name] = event.time_ns
            if name == "epoch" and "loaddata" in self._open:
                self._lap("loaddata", event)
            elif name == "training":
                self._open["loaddata"] = event.time_ns
        elif what == "stop":
            self._lap(name, event)
        elif event.name == "evaluation":  # which ends what evaluation_start began
            self._lap("evaluation", event)

    def end_sitting(self) -> None:
        """Add the sitting to ``total``."""
        if self._span is not None:
            self._open = {"total": self._span[0]}
            self._lap("total", Event("total_stop", time_ns=self._span[1]))
            self._span = None

    def _lap(self, name: str, event: Event) -> None:
        if (start := self._open.pop(name, None)) is None:
            return
        words = {"evaluation": "validation"}.get(name, name.replace("_", " "))
        timer = self.setdefault(words, _Timer())
        timer.laps.append((event.time_ns - start) / 1e9)
        timer.start_ns = start
        timer.good = event.data.get("status", "success") == "success"


def _scene_rows(seconds_by_scene: Sequence[Mapping[str, float]]) -> list[dict[str, Any]]:
    """Rows of each stage over the scenes, and of all stages of a scene together."""
    if not seconds_by_scene:
        return []
    stages = {
        words: [scene[stage] for scene in seconds_by_scene] for stage, words in SCENE_NAMES.items()
    }
    whole = [sum(scene.values()) for scene in seconds_by_scene]
    return [_Timer(laps).row(name) for name, laps in {**stages, WHOLE_SCENE: whole}.items()]


def csv_lines(rows: Iterable[Mapping[str, Any]], tag: str) -> list[str]:
    """Return timers as lines that start with ``# csv``, as cloudmesh's StopWatch prints them."""
    system = platform.uname()
    fixed = [tag, "None", system.node, _user(), system.system, system.version]
    lines = [CSV_HEADER]
    for row in rows:
        numbers = [str(round(row[name], 3)) for name in ("last_s", "sum_s")]
        cells = [row["name"], row["status"], *numbers, row["start"] or "", *fixed]
        lines.append(",".join(["# csv", *(cell.replace(",", " ") for cell in cells)]))
    return lines


def write_timers(rows: Iterable[Mapping[str, Any]], path: Path, tag: str) -> None:
    """Write the ``# csv`` lines, whole or not at all; an older file is replaced."""
    text = "".join(line + "\n" for line in csv_lines(rows, tag))
    write_bytes(path, text.encode(), overwrite=True)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user without a name, as in some containers
        return "unknown"
