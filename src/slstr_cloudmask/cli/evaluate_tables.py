"""What ``cloudmask evaluate`` prints: a table for each label, a block for each stratum."""

from collections.abc import Iterable
from itertools import groupby
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from slstr_cloudmask.cli.tables import FULL_WIDTH, format_score, table_console

# Heading by score; the first few are told on a narrow terminal.
COLUMNS = {
    "accuracy": "accuracy",
    "kuipers": "Kuipers",
    "recall": "POD",
    "false_detection_rate": "POFD",
    "iou_clear": "IoU clear",
    "cloud_fraction_bias": "bias",
    "calibration_error": "ECE",
}
NARROW = ("accuracy", "kuipers", "cloud_fraction_bias")
WITH_INTERVAL = ("accuracy", "kuipers")
SHOWN = ("all", "regime", "surface")  # the others are in the JSON and on the page
NOTE = (
    "In brackets 95 % over scenes. POD: share of the cloud that is found. POFD: share of the clear "
    "that is called cloud. A dash: not defined. Strata of surface may lie in one another."
)


def print_evaluation(document: dict[str, Any]) -> None:
    """Print an assessment's document to stdout."""
    console = table_console()
    columns = tuple(COLUMNS) if console.width >= FULL_WIDTH else NARROW
    for _, rows in groupby(document["scores"], key=lambda row: row["label"]):
        console.print(_table([row for row in rows if row["by"] in SHOWN], columns))
    if document["scores"]:
        console.print(NOTE, style="dim")


def _table(rows: list[dict[str, Any]], columns: tuple[str, ...]) -> Table:
    title = rows[0]["meaning"]
    table = Table(
        title=title[0].upper() + title[1:],
        title_justify="left",
        title_style="bold",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        show_edge=False,
    )
    for name in ("stratum", "scenes", "mask"):
        table.add_column(name, justify="right" if name == "scenes" else "left", no_wrap=True)
    for name in columns:
        heading = COLUMNS[name]
        if name == "accuracy" and not title.startswith("accuracy"):
            heading = "agreement"
        table.add_column(heading, justify="right", no_wrap=True)
    for stratum, group in groupby(rows, key=lambda row: row["stratum"]):
        for number, row in enumerate(group):
            scenes = "" if row["trivial"] else str(row["scenes"])
            cells = ["" if number else stratum, scenes, row["mask"]]
            table.add_row(*cells, *_cells(row, columns), style="dim" if row["trivial"] else None)
        table.add_section()
    return table


def _cells(row: dict[str, Any], columns: Iterable[str]) -> Iterable[str]:
    for name in columns:
        text = format_score(row[name], signed=name.endswith("bias"))
        interval = row["intervals"].get(name)
        if name in WITH_INTERVAL and interval and not row["trivial"]:
            text += f" ({interval[0]:.3f}–{interval[1]:.3f})"
        yield text
