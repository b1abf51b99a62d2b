"""A sweep as tables on the terminal: how its trials stand, and which points are best."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.markup import escape
from rich.table import Table

from slstr_cloudmask.cli.tables import table_console

if TYPE_CHECKING:
    from slstr_cloudmask.sweep.plan import SweepPlan
    from slstr_cloudmask.sweep.results import Point

BEST_SHOWN = 10
STYLES = {"failed": "bold red", "running": "bold", "stopped": "yellow", "pruned": "dim"}


def print_sweep(folder: Path, plan: "SweepPlan") -> int:
    """Write ``sweep.csv`` and ``sweep.png``, print the best points; return how many failed."""
    from slstr_cloudmask.report.sweep_figure import draw_sweep
    from slstr_cloudmask.sweep.results import ranked_points, write_csv
    from slstr_cloudmask.sweep.standing import standings

    stands = standings(folder)
    path = write_csv(stands, folder, plan.goal)
    done = [(one.values, one.objective) for one in stands if one.objective is not None]
    if done:
        _print_points(ranked_points(stands, plan.goal), plan)
        figure = folder / "sweep.png"
        draw_sweep(done, plan.objective, plan.goal.direction, figure)
        typer.echo(f"Every trial: {path}\nFigure:      {figure}")
    failed = [one for one in stands if one.state == "failed"]
    for one in failed:
        typer.echo(f"{one.name} failed: {one.message}", err=True)
    if failed:
        typer.echo(f"{len(failed)} trials failed; --retry-failed starts them again.", err=True)
    return len(failed)


def print_status(document: Mapping[str, Any]) -> None:
    """Print how the trials of a sweep, or a run, stand."""
    counts = {state: count for state, count in document["counts"].items() if count}
    console = table_console()
    console.print(
        f"{document['folder']}: {document['runs']} runs: "
        + ", ".join(f"{count} {state}" for state, count in counts.items())
    )
    table = Table()
    for name in ("run", "state", "tries", "epoch", "loss", "time"):
        table.add_column(name, no_wrap=name != "tries")
    for one in document["trials"]:
        table.add_row(*_row(one), style=STYLES.get(one["state"]))
    console.print(table)
    for one in document["trials"]:
        if one["message"] and one["state"] in ("failed", "stopped"):
            console.print(f"[bold]{one['name']}[/] {one['state']}: {escape(one['message'])}")


def _row(one: Mapping[str, Any]) -> list[str]:
    epochs = f" of {one['epochs']}" if one["epochs"] else ""
    loss = "–" if one["loss"] is None else f"{one['loss']:.5f}"
    values = one["values"] | ({"repeat": one["repeat"]} if one["repeat"] > 1 else {})
    epoch = f"{one['epoch']}{epochs}"
    return [
        one["name"],
        one["state"],
        escape(_words(values)),
        epoch,
        loss,
        f"{one['seconds']:.0f} s",
    ]


def _print_points(points: Sequence["Point"], plan: "SweepPlan") -> None:
    done = sum(len(point.objective) for point in points)
    title = f"{plan.objective}, {plan.goal.direction}d: {done} of {plan.runs} trials, best first"
    table = Table(title=title, title_justify="left", title_style="bold")
    for name in ("point", "runs", "mean", "sd", "best", "worst"):
        table.add_column(name, justify="left" if name == "point" else "right")
    for point in [one for one in points if one.objective][:BEST_SHOWN]:
        ordered = sorted(point.objective, reverse=plan.goal.direction == "maximise")
        spread = "–" if point.deviation is None else f"{point.deviation:.5f}"
        numbers = [f"{point.mean:.5f}", spread, f"{ordered[0]:.5f}", f"{ordered[-1]:.5f}"]
        name = escape(_words(point.values)) or "as the recipe"
        table.add_row(name, str(len(ordered)), *numbers)
    console = table_console()
    console.print(table)
    console.print(_caution(points, plan), style="dim")


def _caution(points: Sequence["Point"], plan: "SweepPlan") -> str:
    """Say what the best of many is worth."""
    tried = sum(bool(point.objective) for point in points)
    words = f"The best of {tried} points is luckier than it is good: " if tried > 1 else ""
    if words:
        repeated = any(len(point.objective) > 1 for point in points)
        words += "judge it by the spread over repeats. " if repeated else "repeat it, repeat=1..5. "
    if plan.goal.on_test_scenes:
        words += "Chosen on the test scenes, it is no longer tested by them."
    return words


def _words(values: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{key}={value:.4g}" if isinstance(value, float) else f"{key}={value}"
        for key, value in values.items()
    )
