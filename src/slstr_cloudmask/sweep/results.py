"""What came of a sweep: trials best first, and points with their spread over repeats.

write_csv(standings(sweep), sweep, goal)
for point in ranked_points(standings(sweep), goal):
    point.values, point.mean, point.deviation, point.count
"""

import csv
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from slstr_cloudmask.atomic import write_bytes
from slstr_cloudmask.sweep.objective import Objective
from slstr_cloudmask.sweep.standing import Standing

CSV_NAME = "sweep.csv"


@dataclass(frozen=True)
class Point:
    """A point and what its repeats gave.

    Attributes
    ----------
    values
        By key.
    objective
        Of each repeat that is done.
    others
        Repeats that are not done: pruned, failed, or under way.
    """

    values: dict[str, Any]
    objective: tuple[float, ...]
    others: int

    @property
    def mean(self) -> float | None:
        """Mean over the repeats that are done."""
        return fmean(self.objective) if self.objective else None

    @property
    def deviation(self) -> float | None:
        """Standard deviation over repeats, n - 1; None with fewer than two."""
        return stdev(self.objective) if len(self.objective) > 1 else None


def ranked(stands: Iterable[Standing], goal: Objective) -> list[Standing]:
    """Return trials best first; those without a result come last, in their order."""
    sign = 1 if goal.direction == "minimise" else -1
    return sorted(
        stands,
        key=lambda one: (one.objective is None, sign * one.objective if one.objective else 0.0),
    )


def ranked_points(stands: Sequence[Standing], goal: Objective) -> list[Point]:
    """Return points best first by the mean over their repeats; those without a result last."""
    groups: dict[str, list[Standing]] = {}
    for stand in stands:
        groups.setdefault(json.dumps(stand.values, default=str), []).append(stand)
    points = [
        Point(
            group[0].values,
            tuple(one.objective for one in group if one.objective is not None),
            sum(one.objective is None for one in group),
        )
        for group in groups.values()
    ]
    sign = 1 if goal.direction == "minimise" else -1
    return sorted(points, key=lambda one: (one.mean is None, sign * (one.mean or 0.0)))


def write_csv(stands: Sequence[Standing], sweep: Path, goal: Objective) -> Path:
    """Write ``sweep.csv``: a row for each trial, best first."""
    keys = list(stands[0].values) if stands else []
    names = ["trial", "state", *keys, "repeat", "seed", goal.name, "epoch", "loss", "seconds"]
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(names)
    for one in ranked(stands, goal):
        values = [one.values[key] for key in keys]
        shown = [value if not isinstance(value, list) else json.dumps(value) for value in values]
        told = [one.objective, one.epoch, one.loss, round(one.seconds, 3)]
        rows.writerow([one.name, one.state, *shown, one.repeat, one.seed, *told])
    path = sweep / CSV_NAME
    write_bytes(path, text.getvalue().encode(), overwrite=True)
    return path
