"""Comparisons of masks as one picture: a map of each pair, and of few its confusion by stratum.

draw_comparison(scene, masks, comparisons, Path("compare.png"))
"""

from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from slstr_cloudmask.evaluation.comparison import Comparison
from slstr_cloudmask.operational import agreement
from slstr_cloudmask.report.drawing import (
    CLEAR,
    CLOUD,
    DPI,
    FRAME,
    INK,
    ONLY_FIRST,
    ONLY_SECOND,
    PALE_INK,
    Legend,
    draw_agreement,
    plain_frame,
    save_figure,
    write_legend,
    write_title,
)
from slstr_cloudmask.report.heading import draw_north, draw_scale, write_heading
from slstr_cloudmask.report.subject import subject_of

# Where things stand on the page, inches.
WIDTH_IN, MIN_HEIGHT_IN, MAX_HEIGHT_IN = 5.2, 3.0, 7.5
LEFT_IN, RIGHT_IN, TOP_IN, BOTTOM_IN = 0.6, 0.35, 1.25, 1.35
BETWEEN_COLUMNS_IN, BETWEEN_MAPS_IN, BETWEEN_ROWS_IN = 1.75, 0.55, 0.85
# From so many pairs on there are maps alone, this many side by side.
MANY_PAIRS, MAPS_ACROSS = 4, 3
NOTE_ABOVE_FOOT_IN = 0.62
SMALLEST_WRITTEN = 0.06  # a part of a bar below this has no number in it
NOTE = "Agreement of two masks is not accuracy; only a comparison with truth is."


def draw_comparison(
    scene: xr.Dataset,
    masks: Mapping[str, xr.Variable],
    comparisons: Sequence[Comparison],
    path: str | Path,
    overwrite: bool = False,
) -> None:
    """Draw comparisons to a PNG file.

    Parameters
    ----------
    scene
        The Scene of which the masks are.
    masks
        By name, each uint8 (rows, columns): 0 clear, 1 cloud, 255 unknown.
    comparisons
        Of `slstr_cloudmask.evaluation.comparison.compare_masks`.
    path
        The file, ``.png``.
    overwrite
        Replace what is there.

    Raises
    ------
    InputError
        ``path`` does not end in ``.png``.
    OutputExistsError
        ``path`` exists and ``overwrite`` is false.
    WriteError
        The operating system refused to write.
    """
    save_figure(comparison_figure(scene, masks, comparisons), path, overwrite=overwrite)


def comparison_figure(
    scene: xr.Dataset, masks: Mapping[str, xr.Variable], comparisons: Sequence[Comparison]
) -> Figure:
    """Draw a map and bars for every pair, of many the maps alone; `draw_comparison` saves them."""
    subject = subject_of(scene, None)
    pairs = [
        (pair, list(rows))
        for pair, rows in groupby(comparisons, key=lambda row: (row.first, row.second))
    ]
    if len(pairs) < MANY_PAIRS:
        figure, axes = _empty_page(2 * len(pairs), 2, BETWEEN_COLUMNS_IN, subject.shape)
        maps, bars, corner = axes[::2], axes[1::2], axes[-2]
    else:
        figure, maps = _empty_page(len(pairs), MAPS_ACROSS, BETWEEN_MAPS_IN, subject.shape)
        bars, corner = [], maps[(len(maps) - 1) // MAPS_ACROSS * MAPS_ACROSS]
    legends = []
    for (pair, _), chart in zip(pairs, maps, strict=True):
        words = pair if len(pairs) == 1 else ("the first", "the second")
        legends.append(_draw_map(chart, masks, pair, words))
    for (_, rows), chart in zip(pairs, bars, strict=False):
        _draw_bars(chart, rows)
    draw_scale(maps[0], subject)
    draw_north(maps[0], subject)
    write_heading(figure, subject, LEFT_IN)
    write_legend(figure, legends, columns=4)
    corner.set_xlabel("column, across the track", fontsize=8, color=PALE_INK)
    corner.set_ylabel("row, along the track", fontsize=8, color=PALE_INK)
    figure.text(
        *(0.5, NOTE_ABOVE_FOOT_IN / figure.get_figheight(), NOTE),
        ha="center",
        fontsize=8,
        color=PALE_INK,
    )
    return figure


def _draw_map(
    axes: Axes, masks: Mapping[str, xr.Variable], pair: tuple[str, str], words: tuple[str, str]
) -> Legend:
    first, second = pair
    values = agreement(masks[first], masks[second], second).values
    return draw_agreement(axes, values, f"{first} against {second}", *words)


def _draw_bars(axes: Axes, rows: Sequence[Comparison]) -> None:
    """Draw the four shares of every stratum as one bar of length 1, the first at the top."""
    heights = np.arange(len(rows))
    left = np.zeros(len(rows))
    parts = (("tn", CLEAR), ("tp", CLOUD), ("fp", ONLY_FIRST), ("fn", ONLY_SECOND))
    for name, colour in parts:
        shares = np.array([getattr(row.counts, name) / row.counts.total for row in rows])
        axes.barh(
            heights, shares, left=left, color=colour, edgecolor=FRAME, linewidth=0.5, height=0.72
        )
        for height, share, start in zip(heights, shares, left, strict=True):
            if share >= SMALLEST_WRITTEN:
                axes.text(
                    *(float(start + share / 2), float(height)),
                    f"{share:.0%}",
                    ha="center",
                    va="center",
                    fontsize=8,
                    color=INK if colour != CLEAR else "white",
                )
        left = left + shares
    names = ["all pixels" if row.by == "all" else row.stratum for row in rows]
    labels = [f"{name}\n{row.counts.total:,}" for name, row in zip(names, rows, strict=True)]
    axes.set_yticks(heights, labels)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_xlim(0, 1)
    plain_frame(axes)
    axes.set_xlabel("share of the pixels that both know, and their number", fontsize=8)
    axes.xaxis.label.set_color(PALE_INK)
    write_title(axes, "By illumination and surface")


def _empty_page(
    charts: int, across: int, between_in: float, shape: tuple[int, int]
) -> tuple[Figure, list[Axes]]:
    """Make a figure with charts, row by row, each with room for a map of (rows, columns)."""
    height_in = float(np.clip(WIDTH_IN * shape[0] / shape[1], MIN_HEIGHT_IN, MAX_HEIGHT_IN))
    down = -(-charts // across)
    page_width_in = LEFT_IN + across * (WIDTH_IN + between_in) - between_in + RIGHT_IN
    page_height_in = TOP_IN + down * (height_in + BETWEEN_ROWS_IN) - BETWEEN_ROWS_IN + BOTTOM_IN
    figure = Figure(figsize=(page_width_in, page_height_in), dpi=DPI)
    axes = []
    for number in range(charts):
        row, column = divmod(number, across)
        left = LEFT_IN + column * (WIDTH_IN + between_in)
        bottom = BOTTOM_IN + (down - 1 - row) * (height_in + BETWEEN_ROWS_IN)
        place = (
            *(left / page_width_in, bottom / page_height_in),
            *(WIDTH_IN / page_width_in, height_in / page_height_in),
        )
        axes.append(figure.add_axes(place, anchor="NW"))
    return figure, axes
