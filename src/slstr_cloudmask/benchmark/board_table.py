"""A leaderboard as one CSV table: a row for each set of runs, a column for each measure and data.

    text = board_csv(make_board([Path("runs/open")]))

The name of a column says what it measures and on which scenes; a set that has no such number leaves
it empty.
"""

import csv
import io

from slstr_cloudmask.benchmark.board import Board
from slstr_cloudmask.benchmark.board_sets import RunSet

HEAD = ("name", "published", "machine", "runs", "mean_epochs")


def board_csv(board: Board) -> str:
    """Return the table, its first line the names of the columns."""
    sets: dict[RunSet, dict[str, str]] = {}
    columns: list[str] = []
    for table in board.tables:
        column = f"{table.measure.key} ({table.measure.unit}), {table.data.words}"
        columns += [column, f"sd of {column}"]
        for row in table.rows:
            cells = sets.setdefault(row.runs, _head(row.runs, len(row.spread.values)))
            cells[column] = _cell(row.spread.mean)
            cells[f"sd of {column}"] = _cell(row.spread.sd)
    text = io.StringIO()
    writer = csv.DictWriter(text, [*HEAD, *columns, "source", "note"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(sets.values())
    return text.getvalue()


def _head(runs: RunSet, count: int) -> dict[str, str]:
    epochs = sum(runs.epochs) / len(runs.epochs) if runs.epochs else None
    return {
        "name": runs.name,
        "published": "yes" if runs.published else "no",
        "machine": runs.machine,
        "runs": str(count),
        "mean_epochs": _cell(epochs),
        "source": runs.source,
        "note": runs.note,
    }


def _cell(value: float | None) -> str:
    return "" if value is None else f"{value:.8g}"
