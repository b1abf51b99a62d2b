"""A leaderboard as files: one self-contained page, its pictures, and the numbers.

write_board(make_board([Path("runs/open")]), Path("leaderboard"))
"""

import base64
import json
from pathlib import Path

from slstr_cloudmask.atomic import write_files
from slstr_cloudmask.benchmark.board import Board
from slstr_cloudmask.benchmark.board_table import board_csv
from slstr_cloudmask.report.board_figures import draw_accuracy, draw_scaling
from slstr_cloudmask.report.page import page_environment

PAGE_NAME = "leaderboard.html"


def write_board(board: Board, folder: Path, *, overwrite: bool = False) -> Path:
    """Write ``leaderboard.html``, ``.json`` and ``.csv``, ``accuracy.png`` and ``scaling.png``.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    OutputExistsError
        One of the files exists and ``overwrite`` is false; then none is written.
    WriteError
        The operating system refused to write.
    """
    accuracy, scaling = draw_accuracy(board), draw_scaling(board.curves)
    files = {
        "accuracy.png": accuracy,
        "scaling.png": scaling,
        "leaderboard.json": (
            json.dumps(board.to_dict(), indent=1, allow_nan=False) + "\n"
        ).encode(),
        "leaderboard.csv": board_csv(board).encode(),
        PAGE_NAME: _page(board, accuracy, scaling).encode(),
    }
    write_files(folder, files, overwrite=overwrite)
    return folder / PAGE_NAME


def _page(board: Board, accuracy: bytes, scaling: bytes) -> str:
    environment = page_environment()
    environment.filters["number"] = format_number
    return environment.get_template("board.html.j2").render(
        board=board,
        accuracy=base64.b64encode(accuracy).decode(),
        scaling=base64.b64encode(scaling).decode(),
    )


def format_number(value: float | None, digits: int) -> str:
    """Write a number with so many digits after the point, or a dash."""
    return "–" if value is None else f"{value:.{digits}f}"
