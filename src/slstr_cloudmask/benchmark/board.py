"""The leaderboard: one's own runs beside the published ones.

    board = make_board([Path("runs/open"), Path("scaling")])
    board.tables[0].rows[0].spread.mean
    board.to_dict()

A table is of one measure on one set of scenes, and a row of one set of runs: runs of one
configuration that differ by seed. Runs on other scenes, or counted in another way, stand in other
tables; nothing here puts them into one column.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from slstr_cloudmask.benchmark.board_sets import MEASURES, Measure, RunSet, own_sets, published_sets
from slstr_cloudmask.benchmark.published_runs import (
    FLAWS,
    PublishedMachine,
    published_machines,
)
from slstr_cloudmask.benchmark.scaling_curves import (
    SCALING_NAME,
    Curve,
    published_curve,
    read_curves,
)
from slstr_cloudmask.benchmark.scene_sets import SceneSet
from slstr_cloudmask.benchmark.statistics import Spread, describe


@dataclass(frozen=True)
class Row:
    """A set of runs in one measure; ``rank`` is None where there is none to be had."""

    rank: int | None
    runs: RunSet
    spread: Spread


@dataclass(frozen=True)
class Table:
    """One measure on one set of scenes, the best first."""

    measure: Measure
    data: SceneSet
    rows: tuple[Row, ...]

    @property
    def title(self) -> str:
        """Measure and data in words."""
        return f"{self.measure.words}, on {self.data.words}"


@dataclass(frozen=True)
class Board:
    """All tables, the published machines, and how training scales."""

    tables: tuple[Table, ...]
    machines: tuple[PublishedMachine, ...]
    curves: tuple[Curve, ...]
    flaws: tuple[str, ...] = FLAWS

    def of(self, by: str) -> tuple[Table, ...]:
        """Return the tables by ``accuracy`` or by ``time``."""
        return tuple(table for table in self.tables if table.measure.by == by)

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as JSON holds it."""
        return {
            "tables": [_table_dict(table) for table in self.tables],
            "one_epoch": [asdict(machine) for machine in self.machines],
            "scaling": [curve.to_dict() for curve in self.curves],
            "flaws": list(self.flaws),
        }


def make_board(folders: Sequence[Path] = ()) -> Board:
    """Set runs and measurements of scaling beside the published ones.

    Parameters
    ----------
    folders
        Runs, folders of repeats, or folders that `cloudmask scaling` wrote; none at all gives the
        published ones.

    Raises
    ------
    MissingFileError
        A folder holds neither.
    BrokenFileError
        What it holds cannot be read.
    """
    scaled = [folder for folder in folders if (folder / SCALING_NAME).is_file()]
    sets = published_sets() + own_sets([folder for folder in folders if folder not in scaled])
    curves = [published_curve(), *(curve for folder in scaled for curve in read_curves(folder))]
    return Board(tuple(_tables(sets)), published_machines(), tuple(curves))


def _tables(sets: Sequence[RunSet]) -> Iterable[Table]:
    for measure in MEASURES:
        columns: dict[SceneSet, list[RunSet]] = {}
        for runs in sets:
            for found, data in runs.values:
                if found == measure:
                    columns.setdefault(data, []).append(runs)
        for data, rows in columns.items():
            yield Table(measure, data, tuple(_ranked(measure, data, rows)))


def _ranked(measure: Measure, data: SceneSet, sets: Iterable[RunSet]) -> Iterable[Row]:
    """Order sets by their mean; those that do not compete, and those without a mean, come last."""
    described = [(runs, describe(runs.values[measure, data])) for runs in sets]

    def order(item: tuple[RunSet, Spread]) -> tuple[bool, bool, float]:
        runs, spread = item
        mean = spread.mean or 0.0
        return not runs.competes, spread.mean is None, -mean if measure.higher_is_better else mean

    rank = 0
    seen: set[tuple[str, float | None]] = set()
    for runs, spread in sorted(described, key=order):
        if not runs.competes and (runs.name, spread.mean) in seen:
            continue  # all cloud is the same for every run
        seen.add((runs.name, spread.mean))
        ranked = measure.ranked and runs.competes and spread.mean is not None
        rank += ranked
        yield Row(rank if ranked else None, runs, spread)


def _table_dict(table: Table) -> dict[str, Any]:
    return {
        "by": table.measure.by,
        "measure": asdict(table.measure),
        "data": {**asdict(table.data), "words": table.data.words},
        "rows": [_row_dict(row) for row in table.rows],
    }


def _row_dict(row: Row) -> dict[str, Any]:
    runs = row.runs
    return {
        "rank": row.rank,
        "name": runs.name,
        "published": runs.published,
        "machine": runs.machine,
        "epochs": list(runs.epochs),
        **asdict(row.spread),
        "source": runs.source,
        "note": runs.note,
    }
