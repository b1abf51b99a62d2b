"""``cloudmask simulate-check``: how like the real scenes the simulated ones are."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from slstr_cloudmask.cli.simulate import Like, WorldName, parse_size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from slstr_cloudmask.report.realism import Row


def simulate_check(
    out: Annotated[Path, typer.Argument(help="Folder for the page; made where it is missing.")],
    scenes: Annotated[int, typer.Option(min=1, help="How many scenes to simulate.")] = 100,
    like: Annotated[
        Like, typer.Option(help="Where and when; test-set has the real test scenes' overpasses.")
    ] = Like.TEST_SET,
    size: Annotated[
        str, typer.Option(help="Rows x columns; 1200x1500 is the instrument's, 256x320 is quick.")
    ] = "1200x1500",
    seed: Annotated[int, typer.Option(help="The same seed and size give the same scenes.")] = 1,
    jobs: Annotated[int, typer.Option(help="Processes at the same time; up to 1.5 GB each.")] = 1,
    world: Annotated[WorldName, typer.Option(help="The world's constants.")] = WorldName.STANDARD,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Make all scenes again, whatever is there.")
    ] = False,
) -> None:
    """Compare simulated scenes with what is known of the real data set.

    Simulates scenes in memory, keeps their statistics in OUT/scenes, and writes
    OUT/comparison.json, OUT/figures and OUT/index.html, with verdicts and a gallery. A run that was
    stopped goes on where it was. The verdicts inform: the exit code is 0 whatever they are.
    """
    from slstr_cloudmask.report.realism_page import PAGE_NAME
    from slstr_cloudmask.report.realism_run import check_config, check_simulation

    config = check_config(
        scenes, like=like.value, size=parse_size(size), seed=seed, world=world.value
    )
    rows, failed = check_simulation(out, config, jobs=jobs, overwrite=overwrite)
    _print_rows(rows)
    typer.echo(f"Page: {out / PAGE_NAME}")
    for name, why in failed.items():
        typer.secho("failed: ", fg="red", bold=True, nl=False, err=True)
        typer.echo(f"{name}: {' '.join(why.split())}", err=True)
    if failed:
        raise typer.Exit(1)


def _print_rows(rows: "Sequence[Row]") -> None:
    """Print the comparison; of the classes only what lies outside, and how many do not."""
    from slstr_cloudmask.cli.tables import table_console
    from slstr_cloudmask.report.realism import OK, OUTSIDE
    from slstr_cloudmask.report.realism_page import CLASS_GROUP, verdicts

    classes = [row for row in rows if row.group.startswith(CLASS_GROUP)]
    others = [row for row in rows if not row.group.startswith(CLASS_GROUP)]
    console = table_console()
    console.print(_table("Simulated and real scenes", others))
    outside = [row for row in classes if row.verdict == OUTSIDE]
    if outside:
        console.print(_table("Typical values that are missed", outside))
    counts, all_counts = verdicts(classes), verdicts(rows)
    console.print(
        f"Typical values: {counts[OK]} of {counts[OK] + counts[OUTSIDE]} medians in range. "
        f"All together: {all_counts[OK]} ok, {all_counts[OUTSIDE]} outside. "
        "Spread is 10 to 90 %, of scenes or of a class's pixels.",
        style="dim",
    )


def _table(title: str, rows: "Sequence[Row]") -> object:
    from rich.table import Table

    from slstr_cloudmask.report.realism import OUTSIDE
    from slstr_cloudmask.report.realism_page import CLASS_GROUP, format_range, format_value
    from slstr_cloudmask.report.realism_reference import NOT_KNOWN

    table = Table(title=title, title_justify="left", title_style="bold")
    table.add_column("quantity", no_wrap=True)
    for name in ("simulated", "spread", "real", "accepted", "verdict"):
        table.add_column(name, justify="right", no_wrap=True)
    group = rows[0].group
    for row in rows:
        if row.group != group:
            table.add_section()
        group = row.group
        name = row.quantity
        if row.group.startswith(CLASS_GROUP):
            name = f"{row.group.removeprefix(CLASS_GROUP)}: {row.quantity}"
        table.add_row(
            name,
            format_value(row.simulated),
            format_range((row.low, row.high)),
            NOT_KNOWN if row.real is None else format_value(row.real),
            format_range(row.accepted),
            row.verdict,
            style="bold" if row.verdict == OUTSIDE else None,
        )
    return table
