"""Sets of finished runs: what they measured, and how two sets compare.

    runs = find_runs([Path("runs/open")])
    table = statistics_of(runs)
    rows = compare_sets(runs, find_runs([Path("runs/reference")]))

A set is one run, or the runs that lie in a folder, as repeats do.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from slstr_cloudmask.benchmark.differences import PLACES, differences
from slstr_cloudmask.benchmark.result_file import RESULT_NAME, read_result
from slstr_cloudmask.benchmark.statistics import (
    Difference,
    compare_paired,
    compare_unpaired,
    describe,
)
from slstr_cloudmask.errors import InputError, MissingFileError

logger = logging.getLogger(__name__)

# In which runs of one set may differ: what changes no number but for chance.
WITHIN_A_SET = PLACES | {"train.seed", "train.residence", "baselines", "on_failed_scene"}


@dataclass(frozen=True)
class Target:
    """What a run is to reach in validation; a loss is to fall to it, all else to rise to it."""

    value: float = 0.9
    measure: str = "validation_agreement"

    def reached(self, history: Sequence[dict[str, Any]]) -> tuple[int, float] | None:
        """Return the first epoch that reached it, with the seconds until then; None if none did.

        Raises
        ------
        InputError
            There is no such measure.
        """
        seconds = 0.0
        for epoch in history:
            if self.measure not in epoch:
                raise InputError(
                    f"There is no measure {self.measure!r}: expected one of "
                    f"{', '.join(key for key in epoch if key.partition('_')[2])}."
                )
            seconds += epoch["train_seconds"] + epoch["validation_seconds"]
            found = epoch[self.measure]
            falls = self.measure.endswith("loss")
            if found is not None and (found <= self.value if falls else found >= self.value):
                return epoch["epoch"], seconds
        return None


@dataclass(frozen=True)
class Run:
    """A finished run."""

    folder: Path
    document: dict[str, Any]

    @property
    def seed(self) -> int:
        """Its seed."""
        return int(self.document["config"]["train"]["seed"])

    @property
    def scenes(self) -> set[str]:
        """Names of the scenes that it masked."""
        return {row["scene"] for row in self.document["scenes"]}

    def values(self, target: Target) -> "dict[Key, float | None]":
        """Return every measurement, the epochs, and what it took to reach a target."""
        training = self.document["training"]
        values = {
            Key(row["name"], row["unit"], row["label"]): row["value"]
            for row in self.document["measurements"]
        }
        values[Key("epochs", "epochs", None)] = training["epochs"]
        reached = target.reached(training["history"]) or (None, None)
        goal = f"until {target.measure.replace('_', ' ')} {target.value:g}"
        values[Key(f"epochs {goal}", "epochs", None)] = reached[0]
        values[Key(f"training time {goal}", "s", None)] = reached[1]
        return values


@dataclass(frozen=True)
class Key:
    """Which measurement: numbers of another label are another measurement."""

    name: str
    unit: str
    label: str | None


def find_runs(folders: Sequence[Path]) -> list[Run]:
    """Read finished runs: the folders themselves, or the runs that lie in them.

    Raises
    ------
    MissingFileError
        A folder holds no finished run.
    InputError
        Runs masked different scenes, or one is named twice.
    """
    runs = [run for folder in folders for run in _runs_in(folder)]
    if len({run.folder.resolve() for run in runs}) < len(runs):
        raise InputError("A run is named twice: name each one once.")
    _check_scenes(runs)
    for run in runs[1:]:
        first, other = (one.document["config"] for one in (runs[0], run))
        if differing := differences(first, other, ignoring=WITHIN_A_SET):
            logger.warning(
                "%s and %s differ in %s: the spread is not that of one configuration.",
                *(runs[0].folder, run.folder, ", ".join(differing)),
            )
    return runs


def statistics_of(runs: Sequence[Run], target: Target | None = None) -> list[dict[str, Any]]:
    """Return the statistics of every measurement that all runs have.

    Returns
    -------
    list of dict
        ``name``, ``unit``, ``label``, the fields of `Spread` and how many are ``undefined``.

    Raises
    ------
    InputError
        The runs masked different scenes.
    """
    _check_scenes(runs)
    return [
        {
            **asdict(key),
            "undefined": values.count(None),
            **asdict(describe(values)),
            "values": values,
        }
        for key, values in _columns(runs, target or Target()).items()
    ]


def compare_sets(
    first: Sequence[Run], second: Sequence[Run], target: Target | None = None
) -> list[dict[str, Any]]:
    """Compare two sets of runs in every measurement that both have.

    Pairs are runs of one seed, where two seeds or more are in both sets and each is in them once;
    runs without a partner are then left out. Otherwise the sets are compared as they are.

    Returns
    -------
    list of dict
        ``name``, ``unit``, ``label``, the fields of `Difference` and its ``verdict``.

    Raises
    ------
    InputError
        The sets masked different scenes.
    """
    _check_scenes([*first, *second])
    pairs = _pairs(first, second)
    compare: Callable[..., Difference] = compare_paired if pairs else compare_unpaired
    if pairs:
        first, second = [a for a, _ in pairs], [b for _, b in pairs]
    one, other = (_columns(runs, target or Target()) for runs in (first, second))
    rows = []
    for key in one:
        if key in other:
            found = compare(one[key], other[key])
            rows.append({**asdict(key), **asdict(found), "verdict": found.verdict})
    return rows


def _runs_in(folder: Path) -> list[Run]:
    own = folder / RESULT_NAME
    paths = [own] if own.is_file() else sorted(folder.glob(f"*/{RESULT_NAME}"), key=_natural)
    if not paths:
        raise MissingFileError(f"{folder} holds no finished run: expected {RESULT_NAME} in it.")
    return [Run(path.parent, read_result(path.parent)) for path in paths]


def _natural(path: Path) -> tuple[int, str]:
    """Order ``run-2`` before ``run-10``."""
    return len(path.parent.name), path.parent.name


def _check_scenes(runs: Sequence[Run]) -> None:
    for run in runs[1:]:
        if run.scenes != runs[0].scenes:
            raise InputError(
                f"{runs[0].folder} and {run.folder} masked different scenes: their numbers are "
                "of different data, and cannot stand beside each other."
            )


def _columns(runs: Sequence[Run], target: Target) -> dict[Key, list[float | None]]:
    """Return the values of all runs by measurement, of those that all have."""
    rows = [run.values(target) for run in runs]
    return {key: [row[key] for row in rows] for key in rows[0] if all(key in row for row in rows)}


def _pairs(first: Sequence[Run], second: Sequence[Run]) -> list[tuple[Run, Run]]:
    """Return runs of one seed, or nothing where they are too few or their seeds not distinct."""
    one, other = ({run.seed: run for run in runs} for runs in (first, second))
    if len(one) < len(first) or len(other) < len(second):
        return []
    pairs = [(one[seed], other[seed]) for seed in one if seed in other]
    return pairs if len(pairs) > 1 else []
