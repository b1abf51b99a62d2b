"""``cloudmask runs``: statistics of finished runs, and two sets of them compared."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from slstr_cloudmask.cli.tables import table_console

# What is shown without --all, in this order: the beginnings of names.
HEADLINES = (
    *("network: published_accuracy", "network: accuracy", "network: kuipers"),
    *("validation agreement", "epochs", "training time", "time per epoch", "run time"),
    "time per scene",
)


def runs(
    folders: Annotated[
        list[Path], typer.Argument(help="Folders of finished runs, or of repeats.", metavar="RUN")
    ],
    against: Annotated[
        list[Path] | None,
        typer.Option("--against", "-a", help="Runs to compare with; may be repeated."),
    ] = None,
    target: Annotated[float, typer.Option(help="Value of --measure that a run is to reach.")] = 0.9,
    measure: Annotated[
        str, typer.Option(help="validation_agreement, validation_kuipers, validation_loss, …")
    ] = "validation_agreement",
    every: Annotated[bool, typer.Option("--all", help="Show every measurement.")] = False,
    json_output: Annotated[bool, typer.Option("--json", help="Print JSON, all of it.")] = False,
) -> None:
    """Print the statistics of several runs, or compare two sets of runs.

        cloudmask runs runs/open                             # made with --repeats 5
        cloudmask runs runs/a runs/b runs/c --target 0.92
        cloudmask runs runs/open --against runs/reference    # which is better, and is it chance?

    Mean, standard deviation, 95 % interval (Student's t) and the mean without the best and the
    worst run; the epochs and the seconds until a target was reached. What is not defined is a dash:
    the spread of one run, or a target that one of the runs never reached.

    Two sets are compared in pairs of one seed where they share seeds, else as they are (Welch). The
    verdict is higher or lower only where the 95 % interval of the difference leaves out 0. Of
    twenty measurements that differ in nothing, one is then told apart by chance.
    """
    import json

    from slstr_cloudmask.benchmark.run_sets import Target, compare_sets, find_runs, statistics_of

    goal = Target(target, measure)
    first = find_runs(folders)
    second = find_runs(against) if against else None
    rows = statistics_of(first, goal) if second is None else compare_sets(first, second, goal)
    if json_output:
        typer.echo(json.dumps(rows, indent=1))
        return
    shown = rows if every else headlines(rows)
    table_console().print(comparison_table(shown) if against else statistics_table(shown))


def headlines(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows that matter most, in their order."""
    every = list(rows)
    return [row for start in HEADLINES for row in every if row["name"].startswith(start)]


def statistics_table(rows: Sequence[dict[str, Any]]) -> Table:
    """Return statistics as a table."""
    count = len(rows[0]["values"]) if rows else 0
    table = _table(f"{count} runs", ("mean", "sd", "95 %", "no extremes", "least", "most"))
    for row in rows:
        name = f"{row['name']} ({row['undefined']} undefined)" if row["undefined"] else row["name"]
        interval = _interval(row["ci_low"], row["ci_high"])
        middle = _number(row["mean"]), _number(row["sd"]), interval
        ends = (row["mean_without_extremes"], row["minimum"], row["maximum"])
        table.add_row(name, row["unit"], row["label"] or "", *middle, *map(_number, ends))
    return table


def comparison_table(rows: Sequence[dict[str, Any]]) -> Table:
    """Return a comparison as a table."""
    kind, (first, second) = (rows[0]["kind"], rows[0]["runs"]) if rows else ("", (0, 0))
    title = f"{first} runs less {second}, {kind}" + (" by seed" if kind == "paired" else " (Welch)")
    table = _table(title, ("difference", "95 %", "p (t)", "p (ranks)", "p (signs)", "verdict"))
    for row in rows:
        interval = _interval(row["ci_low"], row["ci_high"])
        chances = map(_number, (row["p_t"], row["p_wilcoxon"], row["p_sign"]))
        words = row["name"], row["unit"], row["label"] or ""
        table.add_row(*words, _number(row["difference"]), interval, *chances, row["verdict"])
    return table


def _table(title: str, columns: Iterable[str]) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold")
    table.add_column("measurement")
    table.add_column("unit")
    table.add_column("label")
    for name in columns:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}"


def _interval(low: float | None, high: float | None) -> str:
    return "–" if low is None or high is None else f"{low:.4g} … {high:.4g}"
