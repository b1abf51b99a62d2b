"""Figures of a benchmark's result, as SVG text that stands in a page."""

import io
from collections.abc import Callable, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

# Colour-blind safe (Okabe and Ito 2008).
BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#8A8F98"

_STYLE: dict[Any, Any] = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#E3E6EA",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "svg.fonttype": "none",
    "svg.hashsalt": "slstr-cloudmask",
}


Draw = Callable[[Axes], None]

DPI = 120
WIDTH, ROW_HEIGHT = 11.0, 3.6  # of a picture of panels, inches


def png_of_panels(
    rows: Sequence[Sequence[Draw]], *, width: float = WIDTH, row_height: float = ROW_HEIGHT
) -> bytes:
    """Draw rows of panels; return a PNG file."""
    columns = max(map(len, rows))
    with mpl.rc_context(_STYLE):
        figure = Figure((width, row_height * len(rows)), layout="constrained", dpi=DPI)
        for number, row in enumerate(rows):
            for place, draw in enumerate(row):
                draw(figure.add_subplot(len(rows), columns, number * columns + place + 1))
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def _svg(size_inches: tuple[float, float], draw: Callable[[Axes], None]) -> str:
    return svg_of_panels(size_inches, [draw])


def svg_of_panels(
    size_inches: tuple[float, float],
    draw: Sequence[Callable[[Axes], None]],
    ratios: Sequence[float] | None = None,
) -> str:
    """Draw panels one above the other, which share their abscissa; ``ratios`` of their heights."""
    with mpl.rc_context(_STYLE):
        figure = Figure(size_inches, layout="constrained")
        panels = figure.subplots(
            len(draw), sharex=True, squeeze=False, gridspec_kw={"height_ratios": ratios}
        )
        for fill, axes in zip(draw, panels[:, 0], strict=True):
            fill(axes)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :]


def loss_curves(history: list[dict[str, Any]], kept_epoch: int) -> str:
    """Draw training and validation loss by epoch."""
    return _curves(history, kept_epoch, "loss", "loss (nat/pixel)")


def agreement_curves(history: list[dict[str, Any]], kept_epoch: int) -> str:
    """Draw agreement with the label in training and validation by epoch."""
    return _curves(history, kept_epoch, "agreement", "agreement with the label")


def _curves(history: list[dict[str, Any]], kept_epoch: int, name: str, title: str) -> str:
    def draw(axes: Axes) -> None:
        epochs = [epoch["epoch"] for epoch in history]
        for part, colour in (("train", BLUE), ("validation", ORANGE)):
            values = [epoch[f"{part}_{name}"] for epoch in history]
            axes.plot(epochs, values, color=colour, marker=".", label=part)
        axes.axvline(kept_epoch, color=GREY, linestyle=":", label="weights kept")
        axes.set_xlabel("epoch")
        axes.set_xlim(0.5, len(epochs) + 0.5)
        axes.set_ylabel(title)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.legend(frameon=False)

    return _svg((5.2, 3.0), draw)


def confusion(counts: dict[str, int], label: str) -> str:
    """Draw the four counts as shares of the pixels that were seen."""
    cells = np.array([[counts["tp"], counts["fn"]], [counts["fp"], counts["tn"]]], float)
    shares = cells / max(cells.sum(), 1)

    def draw(axes: Axes) -> None:
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        for (row, column), share in np.ndenumerate(shares):
            colour = "white" if share > 0.5 else "black"
            axes.text(column, row, f"{share:.1%}", ha="center", va="center", color=colour)
        axes.set_xticks([0, 1], ["cloud", "clear"])
        axes.set_yticks([0, 1], ["cloud", "clear"], rotation=90, va="center")
        axes.set_xlabel("the network says")
        axes.set_ylabel(label)
        axes.grid(visible=False)

    return _svg((2.7, 2.7), draw)


def scene_bars(rows: list[dict[str, Any]], trivial: dict[str, float]) -> str:
    """Draw the accuracy of each scene, worst first, with the all-cloud mask's beside it.

    Parameters
    ----------
    rows
        Scene rows of one mask and one label.
    trivial
        Accuracy of the all-cloud mask, by scene.
    """
    ordered = sorted(
        (row for row in rows if row["accuracy"] is not None), key=lambda row: row["accuracy"]
    )

    def draw(axes: Axes) -> None:
        places = np.arange(len(ordered))
        colours = [ORANGE if row["part"] == "day" else BLUE for row in ordered]
        axes.bar(places, [row["accuracy"] for row in ordered], color=colours, width=0.8)
        marks = [trivial[row["scene"]] for row in ordered]
        axes.plot(places, marks, linestyle="", marker="_", color="black", markersize=6)
        for name, colour in (("day", ORANGE), ("night", BLUE)):
            axes.bar([0], [0], color=colour, label=name)
        axes.plot([], [], linestyle="", marker="_", color="black", label="all cloud")
        axes.set_ylim(0, 1)
        axes.set_xlim(-0.8, max(len(ordered), 12) - 0.2)
        axes.set_xticks([])
        axes.set_xlabel(f"{len(ordered)} scenes, worst first")
        axes.set_ylabel("accuracy of valid pixels")
        axes.grid(axis="x", visible=False)
        axes.legend(
            frameon=False, loc="lower left", bbox_to_anchor=(0, 1), ncols=3, borderaxespad=0
        )

    return _svg((7.6, 3.0), draw)


def reliability(rows: list[dict[str, Any]]) -> str:
    """Draw how often cloud comes true by the probability that was said, by part of day.

    Parameters
    ----------
    rows
        Rows of `evaluation.scores.calibrate` of one mask and one label.
    """
    colours = {"all": "black", "day": ORANGE, "night": BLUE}
    drawn = [row for row in rows if row["bins"]]

    def draw_shares(axes: Axes) -> None:
        axes.plot([0, 1], [0, 1], color=GREY, linestyle=":", label="what it says")
        for row in drawn:
            said = [one["mean_probability"] for one in row["bins"]]
            found = [one["cloud_share"] for one in row["bins"]]
            colour = colours[row["part"]]
            axes.plot(said, found, color=colour, marker=".", linewidth=1.2, label=row["part"])
        axes.set_ylim(-0.02, 1.02)
        axes.set_ylabel("share that is cloud")
        axes.legend(frameon=False, loc="upper left")

    def draw_pixels(axes: Axes) -> None:
        for row in drawn:
            edges = [one["from"] for one in row["bins"]]
            width = row["bins"][0]["to"] - row["bins"][0]["from"]
            shares = [one["pixels"] / row["pixels"] for one in row["bins"]]
            colour, filled = colours[row["part"]], row["part"] == "all"
            axes.bar(
                edges,
                shares,
                width,
                align="edge",
                color="#D5D9DE" if filled else "none",
                edgecolor="none" if filled else colour,
                linewidth=0.8,
            )
        axes.set_xlim(0, 1)
        axes.set_yscale("log")
        axes.set_ylabel("share of pixels")
        axes.set_xlabel("probability of cloud")

    return svg_of_panels((4.2, 4.6), [draw_shares, draw_pixels], (3, 1))
