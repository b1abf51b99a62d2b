"""``cloudmask leaderboard``: one's own runs beside the published ones."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from slstr_cloudmask.cli.options import OverwriteOption

if TYPE_CHECKING:
    from rich.table import Table as RichTable

    from slstr_cloudmask.benchmark.board import Board, Table


def leaderboard(
    folders: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="RUN",
            help="Finished runs, folders of repeats, or of **cloudmask scaling**. [default: the "
            "published ones alone]",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder for a page, its pictures, CSV and JSON."),
    ] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV in place of tables.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON in place of tables.")] = False,
    overwrite: OverwriteOption = False,
) -> None:
    """Set runs beside the published ones: by accuracy, by time, and how training scales.

        cloudmask leaderboard                                   # what was published
        cloudmask leaderboard runs/open runs/reference scaling -o leaderboard

    The published ones: 35 runs on Greene, 19 on Rivanna by GPU and epochs, one epoch on nine
    machines, and scaling to 32 GPUs; each row names its source, and what is wrong with it is said.

    A table is of one measure on one set of scenes. A run on simulated scenes never stands beside
    one on the real test scenes, nor the published metric beside agreement on valid pixels. Test
    scenes are told apart by a digest of their names and by the share that their labels call cloud.
    Repeats (**cloudmask benchmark --repeats**) are one row, with mean and standard deviation.
    """
    import json

    from slstr_cloudmask.benchmark.board import make_board
    from slstr_cloudmask.benchmark.board_table import board_csv

    if as_csv and as_json:
        raise typer.BadParameter("--csv and --json are two ways to print it: give one of them.")
    board = make_board(folders or [])
    page = None
    if output is not None:
        from slstr_cloudmask.report.board_page import write_board

        page = write_board(board, output, overwrite=overwrite)
    if as_csv:
        typer.echo(board_csv(board), nl=False)
    elif as_json:
        typer.echo(json.dumps(board.to_dict(), indent=1))
    else:
        _print(board)
    if page is not None:
        typer.echo(f"Page: {page}", err=as_csv or as_json)


def _print(board: "Board") -> None:
    from slstr_cloudmask.cli.tables import table_console

    console = table_console()
    for table in board.tables:
        console.print(_board_table(table))
    console.print(_scaling_table(board))
    console.print("What to know of the published numbers:", style="bold")
    for flaw in board.flaws:
        console.print(f"- {flaw}", style="dim")


def _board_table(table: "Table") -> "RichTable":
    from rich.table import Table as RichTable

    title = f"{table.measure.words}\n{table.data.words}"
    drawn = RichTable(title=title, title_justify="left", title_style="bold")
    for name in ("rank", "runs", "machine", "n", "epochs", "mean", "sd", "least", "most"):
        words = name in ("runs", "machine")
        drawn.add_column(name, justify="left" if words else "right", no_wrap=not words)
    for row in table.rows:
        runs, spread = row.runs, row.spread
        epochs = f"{sum(runs.epochs) / len(runs.epochs):.0f}" if runs.epochs else ""
        values = (spread.mean, spread.sd, spread.minimum, spread.maximum)
        digits = table.measure.digits
        cells = ["–" if value is None else f"{value:.{digits}f}" for value in values]
        head = ["" if row.rank is None else str(row.rank), runs.name, runs.machine]
        style = "dim" if not runs.competes else None if runs.published else "bold"
        drawn.add_row(*head, str(len(spread.values)), epochs, *cells, style=style)
    return drawn


def _scaling_table(board: "Board") -> "RichTable":
    from rich.table import Table as RichTable

    drawn = RichTable(title="Efficiency of training by ranks", title_justify="left")
    ranks = sorted({n for curve in board.curves for n in curve.rates})
    for name in ("what", "batch", *map(str, ranks)):
        drawn.add_column(name, justify="right" if name.isdigit() else "left")
    for curve in board.curves:
        cells = [f"{curve.efficiency(n):.0%}" if n in curve.rates else "" for n in ranks]
        drawn.add_row(curve.name, curve.mode, *cells)
    return drawn
