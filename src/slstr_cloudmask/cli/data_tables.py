"""What ``cloudmask data`` prints: a download's plan and outcome, and what a data set holds."""

from typing import TYPE_CHECKING, Any

import typer
from rich import filesize
from rich.table import Table

from slstr_cloudmask.cli.tables import table_console

if TYPE_CHECKING:
    from slstr_cloudmask.benchmark.download import DownloadOutcome
    from slstr_cloudmask.benchmark.download_plan import DownloadPlan

# Columns of each table: key of the document, heading.
_COUNTS = {
    "part": "part",
    "scenes": "scenes",
    "day": "day",
    "night": "night",
    "broken": "unreadable",
}
_BANDS = {
    "part": "part",
    "folder": "light",
    "band": "band",
    "lowest": "lowest",
    "percent_1": "1 %",
    "median": "median",
    "percent_99": "99 %",
    "highest": "highest",
    "missing": "missing",
    "not_finite": "not finite",
}
_BORDERS = {
    "part": "part",
    "folder": "light",
    "scenes": "scenes",
    "empty_columns": "empty columns",
    "empty_left": "left",
    "empty_right": "right",
    "flagged_empty": "flagged there",
    "flagged_frame": "flagged, of all",
    "flagged_seen": "of seen",
}
_WORDS = ("part", "folder", "band")
_SHARES = ("missing", "empty_columns", "flagged_frame", "flagged_seen")


def print_plan(plan: "DownloadPlan") -> None:
    """Print what there is in each folder, and what would be fetched."""
    table = Table(title=f"To be downloaded into {plan.root}", title_justify="left")
    table.add_column("folder")
    for name in ("scenes", "size", "here", "to fetch"):
        table.add_column(name, justify="right")
    folders = sorted({scene.wanted.path.rpartition("/")[0] for scene in plan.scenes})
    for folder in (*folders, ""):
        scenes = [scene for scene in plan.scenes if scene.wanted.path.startswith(folder)]
        table.add_row(
            folder or "all",
            str(len(scenes)),
            filesize.decimal(sum(scene.wanted.item.size for scene in scenes)),
            str(sum(scene.is_here for scene in scenes)),
            filesize.decimal(sum(scene.missing_bytes for scene in scenes)),
        )
    table_console().print(table)
    for key in plan.refused:
        typer.echo(
            f"{key}: its name leads out of the folder, and it would not be fetched", err=True
        )


def in_words(outcome: "DownloadOutcome") -> str:
    """Say how a download went."""
    if not (outcome.fetched or outcome.found or outcome.failures):
        return f"All {outcome.kept} scenes are here already: nothing was downloaded."
    words = [f"{outcome.fetched} scenes downloaded", f"{outcome.kept} were here"]
    if outcome.found:
        words.append(f"{outcome.found} were here without a record and are right")
    if outcome.by_size_alone:
        words.append(f"{outcome.by_size_alone} could be compared by size alone")
    if outcome.failures:
        words.append(f"{len(outcome.failures)} failed")
    return "; ".join(words) + "."


def print_document(document: dict[str, Any]) -> None:
    """Print the check of a data set."""
    counts = [_with_published(row) for row in document["counts"]]
    console = table_console()
    console.print(_table("Scenes", _COUNTS, counts))
    console.print(_table("Values of seen pixels", _BANDS, document["bands"]))
    console.print(_table("Labels and borders, means of scenes", _BORDERS, document["shares"]))
    tests = document["test_scenes"]
    console.print(
        f"{tests['present']} of the 100 published test scenes are here, {tests['others']} others.",
        style="dim",
    )


def _table(title: str, columns: dict[str, str], rows: list[dict[str, Any]]) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold")
    for key, name in columns.items():
        table.add_column(name, justify="left" if key in _WORDS else "right", no_wrap=True)
    group = None
    for row in rows:
        if group not in (None, (row["part"], row.get("folder"))):
            table.add_section()
        group = row["part"], row.get("folder")
        table.add_row(*(_cell(key, row[key]) for key in columns))
    return table


def _cell(key: str, value: str | float | None) -> str:
    from slstr_cloudmask.report.data_page import format_number, format_percent

    if isinstance(value, str | int):
        return str(value)
    return format_percent(value) if key in _SHARES else format_number(value)


def _with_published(row: dict[str, Any]) -> dict[str, Any]:
    """Put the published number of scenes behind each number of scenes."""

    def of(count: int, published: int | None) -> str:
        return str(count) if published is None else f"{count} of {published}"

    return row | {
        "scenes": of(row["scenes"], row["published"]),
        "day": of(row["day"], row["published_day"]),
        "night": of(row["night"], row["published_night"]),
    }
