"""What ``cloudmask scaling`` prints: measured, compared, predicted, published."""

from collections.abc import Iterable, Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from slstr_cloudmask.cli.tables import table_console

GAIN = ("speed-up", "efficiency")
WORDS = ("training", "most time", "most loss")  # columns that hold no numbers


def print_scaling(document: Mapping[str, Any]) -> None:
    """Print the tables of ``scaling.json`` to stdout."""
    console = table_console()
    if "training" in document:
        _print_measured(console, document)
    if document.get("validation"):
        _print_validation(console, document["validation"])
    if "prediction" in document:
        _print_prediction(console, document["prediction"])
    published = document["published"]
    cells = [
        [str(row["ranks"]), f"{row['epoch_seconds']:.0f}", *_gain(row)] for row in published["rows"]
    ]
    _print(console, f"Published: {published['name']}", ("ranks", "s/epoch", *GAIN), cells)


def _gain(row: Mapping[str, Any]) -> list[str]:
    return [f"{row['speed_up']:.2f}", f"{row['efficiency']:.0%}"]


def _print(console: Console, title: str, heads: Iterable[str], rows: Iterable[list[str]]) -> None:
    table = Table(title=title, title_justify="left", title_style="bold")
    for head in heads:
        table.add_column(head, justify="left" if head in WORDS else "right", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    console.print(table)


def _print_measured(console: Console, document: Mapping[str, Any]) -> None:
    settings = document["settings"]
    where = f"{settings['machine']}, {settings['device']}, {settings['threads']} threads a rank"
    cells = [
        [
            row["mode"],
            str(row["ranks"]),
            str(row["batch_size"]),
            f"{row['step_seconds']:.4g}",
            _range(row, row["steps"]),
            f"{row['patches_per_second']:.4g}",
            *_gain(row),
        ]
        for row in document["training"]
    ]
    heads = ("training", "ranks", "batch", "s/step", "from–to", "patches/s", *GAIN)
    _print(console, f"Measured training: {where}", heads, cells)
    if document["inference"]:
        cells = [
            [str(row["ranks"]), f"{row['scenes_per_second']:.4g}", *_gain(row)]
            for row in document["inference"]
        ]
        _print(console, f"Measured inference: {where}", ("ranks", "scenes/s", *GAIN), cells)
    _print_same(console, document["same_function"])


def _range(row: Mapping[str, Any], steps: int) -> str:
    return f"{row['seconds']['min'] / steps:.4g}–{row['seconds']['max'] / steps:.4g}"


def _print_same(console: Console, same: Mapping[str, Any]) -> None:
    if same["same"] is None:
        return
    largest = max(same["differences"].values())
    word = "the same" if same["same"] else "NOT the same"
    console.print(
        f"All numbers of ranks train {word} function: losses differ by {largest:.1e} at most, of "
        f"{same['tolerance']:g} that rounding explains.",
        style=None if same["same"] else "bold red",
    )


def _print_validation(console: Console, rows: Iterable[Mapping[str, Any]]) -> None:
    cells = [
        [
            row["mode"],
            str(row["ranks"]),
            f"{row['predicted_step_seconds']:.4g}",
            f"{row['measured_step_seconds']:.4g}",
            f"{row['predicted_over_measured']:.2f}",
        ]
        for row in rows
    ]
    heads = ("training", "ranks", "predicted s/step", "measured s/step", "ratio")
    _print(console, "The model, from one rank and the all-reduce by itself", heads, cells)


def _print_prediction(console: Console, prediction: Mapping[str, Any]) -> None:
    cells = [
        [
            row["mode"],
            str(row["ranks"]),
            str(row["nodes"]),
            f"{row['epoch_seconds']:.3g}",
            *_gain(row),
            row["limit"],
            row["loss"] or "–",
        ]
        for row in prediction["rows"]
    ]
    heads = ("training", "ranks", "nodes", "s/epoch", *GAIN, "most time", "most loss")
    title = f"Predicted: {prediction['machine']['name']}, batch {prediction['batch_size']}"
    _print(console, f"{title}, step times: {prediction['step_basis']}", heads, cells)
