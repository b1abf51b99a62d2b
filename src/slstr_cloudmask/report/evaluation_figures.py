"""Pictures of an evaluation: calibration, what every threshold would do, and scores by stratum.

    picture = draw_curves(document["curves"], "truth")
    picture = draw_strata(document["scores"], "truth")

A colour is a mask, the same in all pictures of a label.
"""

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from matplotlib.axes import Axes

from slstr_cloudmask.report.figures import GREY, Draw, png_of_panels

Row = dict[str, Any]

# Colour-blind safe (Okabe and Ito 2008).
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#8A6D3B")
CURVES_WIDTH, CURVES_HEIGHT = 11.0, 2.9  # of the picture, and of a row, inches
STRATUM_IN = 0.21  # of height for each stratum
EDGES_IN = 1.5  # above and below the strata
LOW_CONTAMINATION = 0.2  # where the panel of clear kept ends
CONTAMINATIONS = (0.02, 0.05)
# In these the label is one class, or nearly: only the share that is right is to be told.
ONE_CLASS = ("optical depth", "cloud")


def draw_curves(curves: Sequence[Row], label: str) -> bytes | None:
    """Draw reliability, ROC, precision of clear and clear kept, a column for each light.

    Returns a PNG file, None where no mask has probabilities.
    """
    mine = [row for row in curves if row["label"] == label]
    if not mine:
        return None
    colours = colours_of(row["mask"] for row in mine)
    groups = [list(rows) for _, rows in groupby(mine, key=lambda row: row["stratum"])]
    kinds = (_reliability, _roc, _precision, _clear_kept)
    rows = [[kind(group, colours) for group in groups] for kind in kinds]
    return png_of_panels(rows, width=CURVES_WIDTH, row_height=CURVES_HEIGHT)


def colours_of(masks: Any) -> dict[str, str]:
    """Give each mask a colour, in their order."""
    names = list(dict.fromkeys(masks))
    return {name: COLOURS[n % len(COLOURS)] for n, name in enumerate(names)}


def _reliability(rows: Sequence[Row], colours: dict[str, str]) -> Draw:
    def draw(axes: Axes) -> None:
        axes.plot([0, 1], [0, 1], color=GREY, linestyle=":")
        for row in rows:
            bins = row["calibration"]["bins"]
            said = [one["mean_probability"] for one in bins]
            found = [one["cloud_share"] for one in bins]
            axes.plot(said, found, color=colours[row["mask"]], marker=".")
        name = rows[0]["stratum"]
        axes.set_title("all pixels" if name == "all" else name, loc="left", fontweight="bold")
        _square(axes, "probability of cloud", "share that is cloud")

    return draw


def _roc(rows: Sequence[Row], colours: dict[str, str]) -> Draw:
    def draw(axes: Axes) -> None:
        axes.plot([0, 1], [0, 1], color=GREY, linestyle=":")
        for row in rows:
            found = [(point["false_detection"], point["detection"]) for point in row["points"]]
            axes.plot(*zip(*found, strict=True), color=colours[row["mask"]], label=row["mask"])
        axes.legend(frameon=False, fontsize=7, loc="lower right")
        _square(axes, "false detection (POFD)", "detection (POD)")

    return draw


def _precision(rows: Sequence[Row], colours: dict[str, str]) -> Draw:
    def draw(axes: Axes) -> None:
        for row in rows:
            kept, contamination = _of_clear(row)
            axes.plot(kept, [1 - share for share in contamination], color=colours[row["mask"]])
        _square(axes, "share of the clear that is kept", "clear in what is called clear")

    return draw


def _clear_kept(rows: Sequence[Row], colours: dict[str, str]) -> Draw:
    def draw(axes: Axes) -> None:
        for row in rows:
            kept, contamination = _of_clear(row)
            axes.plot(contamination, kept, color=colours[row["mask"]])
        for contamination_line in CONTAMINATIONS:
            axes.axvline(contamination_line, color=GREY, linestyle=":")
        _square(axes, "cloud in what is called clear", "share of the clear that is kept")
        axes.set_xlim(0, LOW_CONTAMINATION)

    return draw


def _of_clear(row: Row) -> tuple[list[float], list[float]]:
    """Return what thresholds keep of the clear, and how much cloud with it."""
    points = [point for point in row["points"] if point["contamination"] is not None]
    kept = [1 - point["false_detection"] for point in points]
    return kept, [point["contamination"] for point in points]


def _square(axes: Axes, x: str, y: str) -> None:
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.02, 1.02)
    axes.set_xlabel(x, fontsize=8)
    axes.set_ylabel(y, fontsize=8)


def draw_strata(scores: Sequence[Row], label: str) -> bytes:
    """Draw the Kuipers score of every stratum, and beside it the share that is right; a PNG file.

    Where the label is one class, or nearly, as in a bin of optical depth, only the share is told.
    """
    mine = [row for row in scores if row["label"] == label and not row["trivial"]]
    colours = colours_of(row["mask"] for row in mine)
    both = [row for row in mine if row["by"] not in ONE_CLASS]
    panels = [
        _dots(both, colours, "kuipers", "Kuipers skill: POD − POFD"),
        _dots(both, colours, "accuracy", "share that is right"),
    ]
    single = [row for row in mine if row["by"] in ONE_CLASS]
    if single:
        panels.append(_dots(single, colours, "accuracy", "share that is right"))
    most = max(len(_strata(rows)) for rows in (both, single))
    return png_of_panels([panels], row_height=EDGES_IN + STRATUM_IN * most)


def _strata(rows: Sequence[Row]) -> list[tuple[str, str]]:
    return list(dict.fromkeys((row["by"], row["stratum"]) for row in rows))


def _dots(rows: Sequence[Row], colours: dict[str, str], score: str, title: str) -> Draw:
    places = {stratum: number for number, stratum in enumerate(_strata(rows))}
    step = 0.6 / max(1, len(colours))

    def draw(axes: Axes) -> None:
        for number, (mask, colour) in enumerate(colours.items()):
            drawn = [row for row in rows if row["mask"] == mask and row[score] is not None]
            heights = [places[row["by"], row["stratum"]] - 0.3 + number * step for row in drawn]
            values = [row[score] for row in drawn]
            axes.plot(values, heights, linestyle="", marker="o", markersize=4, color=colour)
            for row, height in zip(drawn, heights, strict=True):
                if interval := row["intervals"][score]:
                    axes.plot(interval, [height, height], color=colour, linewidth=1)
            axes.plot([], [], linestyle="", marker="o", color=colour, label=mask)
        words = [
            name if by in (name, "regime", "surface") else f"{by}: {name}" for by, name in places
        ]
        axes.set_yticks(list(places.values()), words, fontsize=7)
        axes.set_ylim(len(places) - 0.4, -0.6)
        axes.set_xlim(right=1.02)
        axes.set_xlabel(title, fontsize=8)
        axes.legend(
            frameon=False, fontsize=7, loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0
        )

    return draw
