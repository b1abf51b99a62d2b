"""Scores, timers and energy as tables on the terminal."""

from collections.abc import Iterable
from typing import Any

from rich.console import Console
from rich.table import Table

COLUMNS = {
    "accuracy": "accuracy",
    "precision": "precision",
    "recall": "recall",
    "f1": "F1",
    "iou": "IoU",
    "balanced_accuracy": "balanced",
    "kuipers": "Kuipers",
    "cloud_fraction_bias": "bias",
    "published_accuracy": "published",
}


FULL_WIDTH = 132  # at which no number is cut
NARROW = ("accuracy", "f1", "kuipers", "cloud_fraction_bias", "published_accuracy")


def table_console() -> Console:
    """Return stdout for tables: as wide as the terminal, or wide enough in a file or a pipe."""
    terminal = Console()
    return terminal if terminal.is_terminal else Console(width=FULL_WIDTH)


def print_scores(rows: Iterable[dict[str, Any]]) -> None:
    """Print score rows to stdout: one table for each label, a block for each part of day."""
    console = table_console()
    columns = tuple(COLUMNS) if console.width >= FULL_WIDTH else NARROW
    tables: dict[str, Table] = {}
    previous: dict[str, str] = {}
    for row in rows:
        label = row["label"]
        if label not in tables:
            tables[label] = _empty_table(row["meaning"], columns)
        if previous.get(label, row["part"]) != row["part"]:
            tables[label].add_section()
        previous[label] = row["part"]
        values = [format_score(row[name], signed=name.endswith("bias")) for name in columns]
        spread = format_score(row["accuracy_scene_sd"])
        cells = [row["part"], str(row["scenes"]), row["mask"], values[0], spread, *values[1:]]
        tables[label].add_row(*cells, style="bold" if row["mask"] == "network" else None)
    for table in tables.values():
        console.print(table)
    console.print(
        "Scores count the pixels that were seen; sd is over scenes. 'published' is the "
        "benchmark's own: the mean over scenes, empty borders included.",
        style="dim",
    )


def _empty_table(title: str, columns: tuple[str, ...]) -> Table:
    table = Table(title=title[0].upper() + title[1:], title_justify="left", title_style="bold")
    for name in ("part", "scenes", "mask"):
        table.add_column(name, justify="right" if name == "scenes" else "left", no_wrap=True)
    headers = [COLUMNS[name] for name in columns]
    for name in (headers[0], "sd", *headers[1:]):
        table.add_column(name, justify="right", no_wrap=True)
    return table


def print_timers(rows: Iterable[dict[str, Any]], tag: str) -> None:
    """Print timers to stdout: a table, and the lines of cloudmesh's StopWatch, which tools read."""
    from slstr_cloudmask.benchmark.timers import csv_lines

    rows = list(rows)
    table = Table(title="Timers, in seconds", title_justify="left", title_style="bold")
    table.add_column("timer", no_wrap=True)
    for name in ("status", "laps", "last", "sum", "median", "90 %", "99 %", "max"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        spread = [row[name] for name in ("median_s", "p90_s", "p99_s", "max_s")]
        cells = [f"{value:.3f}" if row["count"] > 1 else "" for value in spread]
        ends = [f"{row['last_s']:.3f}", f"{row['sum_s']:.3f}"]
        table.add_row(row["name"], row["status"], str(row["count"]), *ends, *cells)
    console = table_console()
    console.print(table)
    for line in csv_lines(rows, tag):
        console.out(line, highlight=False)


def print_resources(machines: Iterable[dict[str, Any]]) -> None:
    """Print to stdout what each machine told of its energy and memory, or why it did not."""
    console = table_console()
    for machine in machines:
        for name, why in machine["not_told"].items():
            what = {"processor_j": "of the processors", "gpu_j": "of the GPUs"}.get(name, name)
            console.out(f"Energy {what}: not told by {machine['node']}. {why}", highlight=False)
        for phase, row in machine["phases"].items():
            told = [
                f"{source} {joules:,.0f} J ({row['energy_kwh'][source]:.3g} kWh)"
                for source, joules in row["energy_j"].items()
                if joules is not None
            ]
            if told:
                console.out(f"Energy of {phase}: {', '.join(told)}", highlight=False)


def format_score(value: float | None, *, signed: bool = False) -> str:
    """Return a score with three digits; a dash where it is not defined."""
    if value is None:
        return "–"
    return f"{value:+.3f}" if signed else f"{value:.3f}"
