"""The page of a comparison: verdicts, figures, a gallery, every number.

    write_comparison(Path("check"), statistics, rows_of_pictures, settings={...})

writes ``comparison.json``, ``figures/*.png`` and ``index.html``, which needs no other file.
"""

import base64
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from slstr_cloudmask import __version__
from slstr_cloudmask.atomic import replacing, write_bytes
from slstr_cloudmask.report.page import PicturedScene, page_environment
from slstr_cloudmask.report.realism import OK, OUTSIDE, Row, compare
from slstr_cloudmask.report.realism_figures import draw_figures
from slstr_cloudmask.report.realism_reference import TYPICAL
from slstr_cloudmask.report.realism_sums import Statistics, strata
from slstr_cloudmask.simulate.statistics_bins import QUANTITIES

COMPARISON_NAME, PAGE_NAME, FIGURES = "comparison.json", "index.html", "figures"
CLASS_GROUP = "Typical values: "


def write_comparison(
    out: Path,
    statistics: Sequence[Statistics],
    pictured: Sequence[PicturedScene],
    *,
    settings: Mapping[str, Any],
    failed: Mapping[str, str],
) -> list[Row]:
    """Compare, and write the table, the figures and the page; older ones are replaced.

    Parameters
    ----------
    out
        Folder to write to.
    statistics
        Of the simulated scenes.
    pictured
        Rows of the gallery.
    settings
        How the scenes were made, for the page's head.
    failed
        Why, by name, for scenes that could not be made.

    Returns
    -------
    list of Row
        The comparison.

    Raises
    ------
    InputError
        There is no scene.
    WriteError
        A file could not be written.
    """
    rows = compare(statistics)
    table = strata(statistics)
    figures = draw_figures(statistics)
    document = {
        "settings": dict(settings),
        "version": __version__,
        "scenes": len(statistics),
        "failed": dict(failed),
        "verdicts": verdicts(rows),
        "rows": [row.to_dict() for row in rows],
        "strata": table,
    }
    text = json.dumps(document, indent=1) + "\n"
    write_bytes(out / COMPARISON_NAME, text.encode(), overwrite=True)
    for name, figure in figures.items():
        write_bytes(out / FIGURES / f"{name}.png", figure.png, overwrite=True)
    environment = page_environment()
    environment.filters["value"] = format_value
    page = environment.get_template("realism.html.j2").render(
        document=document,
        groups=_groups(rows),
        classes=_classes(rows),
        quantities=list(QUANTITIES),
        figures={
            name: (base64.b64encode(figure.png).decode(), figure.caption)
            for name, figure in figures.items()
        },
        rows=pictured,
        failed=failed,
    )
    with replacing(out / PAGE_NAME, overwrite=True) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return rows


def verdicts(rows: Sequence[Row]) -> dict[str, int]:
    """Count rows that pass and rows that do not."""
    return {verdict: sum(row.verdict == verdict for row in rows) for verdict in (OK, OUTSIDE)}


def format_value(value: float | None) -> str:
    """Write a number with three digits that count, or a dash."""
    if value is None:
        return "–"
    if value and abs(value) < 0.1:
        return f"{value:.2g}"
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}"


def format_range(ends: tuple[float | None, float | None] | None) -> str:
    """Write a range; empty where there is none."""
    if ends is None or ends[0] is None or ends[1] is None:
        return ""
    return f"{format_value(ends[0])} to {format_value(ends[1])}"


def _groups(rows: Sequence[Row]) -> dict[str, list[tuple[Row, str, str]]]:
    """Rows other than the classes', by group, with spread and accepted range in words."""
    groups: dict[str, list[tuple[Row, str, str]]] = {}
    for row in rows:
        if not row.group.startswith(CLASS_GROUP):
            cells = (row, format_range((row.low, row.high)), format_range(row.accepted))
            groups.setdefault(row.group, []).append(cells)
    return groups


def _classes(rows: Sequence[Row]) -> dict[str, dict[str, tuple[Row, str]]]:
    """Rows of the classes by class and quantity, with a word for the tooltip."""
    table: dict[str, dict[str, tuple[Row, str]]] = {name: {} for name in TYPICAL}
    for row in rows:
        if row.group.startswith(CLASS_GROUP):
            accepted = format_range(row.accepted) or "not known"
            words = f"10 to 90 %: {format_range((row.low, row.high))}; typical: {accepted}"
            table[row.group.removeprefix(CLASS_GROUP)][row.quantity] = (row, words)
    return table
