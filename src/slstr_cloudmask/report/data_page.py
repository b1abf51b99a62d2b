"""The page of a data set: what it holds, in tables and histograms; or the histograms alone.

    write_data_page(check, summarise(check), Path("data.html"))

A page needs no other file. A name that ends in ``.png`` gives the histograms.
"""

import base64
from pathlib import Path
from typing import Any

from slstr_cloudmask.atomic import write_bytes
from slstr_cloudmask.benchmark.set_check import SetCheck
from slstr_cloudmask.errors import InputError
from slstr_cloudmask.report.data_figures import draw_histograms, draw_shares
from slstr_cloudmask.report.page import page_environment

SUFFIXES = (".html", ".png")


def page_place(wanted: Path) -> Path:
    """Take a name that ends in ``.html`` or ``.png`` as it is, any other as a folder.

    Raises
    ------
    InputError
        It ends as a file of another kind.
    """
    if wanted.suffix.lower() in SUFFIXES and not wanted.is_dir():
        return wanted
    if wanted.suffix and not wanted.is_dir():
        raise InputError(f"{wanted} ends in {wanted.suffix}: expected a page, .html, or .png.")
    return wanted / "data.html"


def write_data_page(
    check: SetCheck, document: dict[str, Any], path: Path, *, overwrite: bool = False
) -> None:
    """Write the page, or the picture.

    Parameters
    ----------
    check
        Of `slstr_cloudmask.benchmark.set_check.check_set`.
    document
        What `slstr_cloudmask.benchmark.set_summary.summarise` makes of it.
    path
        The page, or a picture, ``.png``.
    overwrite
        Replace what is there.

    Raises
    ------
    OutputExistsError, WriteError
        As `slstr_cloudmask.atomic.replacing`.
    """
    histograms = draw_histograms(check)
    if path.suffix.lower() == ".png":
        write_bytes(path, histograms, overwrite=overwrite)
        return
    environment = page_environment()
    environment.filters |= {"number": format_number, "percent": format_percent}
    page = environment.get_template("data.html.j2").render(
        document=document,
        histograms=base64.b64encode(histograms).decode(),
        shares=base64.b64encode(draw_shares(check)).decode(),
    )
    write_bytes(path, page.encode(), overwrite=overwrite)


def format_number(value: float | None) -> str:
    """Write a value with the digits that count, or a dash."""
    if value is None:
        return "–"
    return f"{value:.1f}" if abs(value) >= 100 else f"{value:.3g}"


def format_percent(share: float | None) -> str:
    """Write a share in percent, or a dash."""
    return "–" if share is None else f"{100 * share:.1f} %"
