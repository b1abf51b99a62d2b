"""Figures of the comparison of simulated scenes with real ones, as PNG files.

    for name, figure in draw_figures(statistics).items(): figure.png, figure.caption

Simulated is blue, what is known of real scenes is orange, in a colour-blind safe pair.
"""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from slstr_cloudmask.report.figures import _STYLE, BLUE, GREY, ORANGE
from slstr_cloudmask.report.realism_reference import SHARES, TYPICAL
from slstr_cloudmask.report.realism_sums import (
    ENDS,
    Statistics,
    added,
    class_median,
    frame_shares,
    pairs,
)
from slstr_cloudmask.scene import FloatArray
from slstr_cloudmask.simulate.pattern_statistics import FITTED_KM, PATCH_BINS, ring_centres_km
from slstr_cloudmask.simulate.statistics_bins import QUANTITIES

DPI = 120
_QUANTILES = {"min": 0.0, "p25": 0.25, "p50": 0.5, "p75": 0.75, "max": 1.0}


@dataclass(frozen=True, slots=True)
class DrawnFigure:
    """A PNG file, and what it shows."""

    png: bytes
    caption: str


def draw_figures(statistics: Sequence[Statistics]) -> dict[str, DrawnFigure]:
    """Draw every figure that the scenes have something for.

    Parameters
    ----------
    statistics
        Of the simulated scenes.

    Returns
    -------
    dict
        Figures by name, in the order of the page.
    """
    figures = {
        "shares": DrawnFigure(
            _png((5.0, 3.4), lambda axes: _shares(axes[0], statistics)),
            "Share flagged, full frame: scenes in order; the real five numbers as points.",
        )
    }
    paired = pairs(statistics)
    if paired:
        figures["same_places"] = DrawnFigure(
            _png((3.6, 3.4), lambda axes: _same_places(axes[0], paired)),
            "Same places and times, other weather: real share (grey of the published picture, "
            "about 0.03 too low) against simulated share.",
        )
    figures["optical_depth"] = DrawnFigure(
        _png((4.4, 3.4), lambda axes: _depths(axes[0], statistics)),
        "Share flagged by true optical depth; truth is cloud from 0.3 on.",
    )
    figures["reliability"] = DrawnFigure(
        _png((3.6, 3.4), lambda axes: _reliability(axes[0], statistics)),
        "Share truly cloud by the provider's probability of cloud; the area of a point is its "
        "share of pixels.",
    )
    figures["spectra"] = DrawnFigure(
        _png((7.2, 3.4), lambda axes: _spectra(axes, statistics), panels=2),
        "Power spectra: median of scenes and 10 to 90 %; the lines have slopes of -8/3 and -3.",
    )
    figures["patches"] = DrawnFigure(
        _png((7.2, 3.4), lambda axes: _patches(axes, statistics), panels=2),
        "Sizes of patches per scene, in bins that double.",
    )
    figures["typical"] = DrawnFigure(
        _png((13.5, 4.6), lambda axes: _typical(axes, statistics), panels=len(QUANTITIES)),
        "Classes: median and 10 to 90 % of pixels (points and lines); orange boxes are where the "
        "median should be.",
    )
    return figures


def _png(
    size_inches: tuple[float, float], draw: Callable[[list[Axes]], None], panels: int = 1
) -> bytes:
    with mpl.rc_context(_STYLE):
        figure = Figure(size_inches, layout="constrained", dpi=DPI)
        draw([figure.add_subplot(1, panels, place + 1) for place in range(panels)])
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def _shares(axes: Axes, statistics: Sequence[Statistics]) -> None:
    for folder, colour, width in ((None, BLUE, 2.0), ("day", GREY, 1.0), ("night", "black", 1.0)):
        found = np.sort(frame_shares(statistics, folder))
        if found.size:
            ranks = (np.arange(found.size) + 0.5) / found.size
            name = "simulated" if folder is None else f"simulated, {folder}"
            axes.plot(found, ranks, color=colour, linewidth=width, label=name)
    real = [SHARES[name].real for name in _QUANTILES]
    axes.plot(
        np.array(real, float),
        list(_QUANTILES.values()),
        "o",
        color=ORANGE,
        label="real, 100 scenes",
    )
    axes.set(xlabel="share flagged, full frame", ylabel="share of scenes below", xlim=(0, 1))
    axes.legend(frameon=False, loc="upper left")


def _same_places(axes: Axes, paired: Sequence[tuple[float, float, str]]) -> None:
    for folder, colour, marker in (("day", ORANGE, "o"), ("night", BLUE, "s")):
        chosen = [(real, simulated) for real, simulated, part in paired if part == folder]
        if chosen:
            axes.plot(*zip(*chosen, strict=True), marker, color=colour, markersize=4, label=folder)
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=0.8)
    axes.set(xlabel="real", ylabel="simulated", xlim=(0.3, 1), ylim=(0.3, 1), aspect="equal")
    axes.legend(frameon=False, loc="upper left")


def _depths(axes: Axes, statistics: Sequence[Statistics]) -> None:
    counts = added(statistics, "optical depth")
    flagged = [(part.tp + part.fp) / part.total for part in counts.values()]
    places = np.arange(len(counts))
    cloud = [name >= "0.3" or name.startswith((">", "1", "3")) for name in counts]
    axes.bar(places, flagged, color=[BLUE if thick else GREY for thick in cloud])
    axes.axvline(cloud.index(True) - 0.5 if any(cloud) else 0, color="black", linestyle=":")
    axes.set_xticks(places, list(counts), rotation=40, ha="right")
    axes.set(xlabel="optical depth at 0.55 µm", ylabel="share flagged", ylim=(0, 1))
    axes.grid(axis="x", visible=False)


def _reliability(axes: Axes, statistics: Sequence[Statistics]) -> None:
    pixels, cloud = np.sum([scene["reliability"] for scene in statistics], axis=0, dtype=float)
    centres = (np.arange(pixels.size) + 0.5) / pixels.size
    some = pixels > 0
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=0.8, label="as it should be")
    axes.plot(centres[some], (cloud / np.maximum(pixels, 1))[some], color=BLUE, label="simulated")
    areas = 8 + 400 * pixels[some] / max(pixels.sum(), 1)
    axes.scatter(centres[some], cloud[some] / pixels[some], areas, color=BLUE, alpha=0.6)
    axes.set(xlabel="provider's probability", ylabel="share truly cloud", xlim=(0, 1), ylim=(0, 1))
    axes.legend(frameon=False, loc="upper left")


def _spectra(axes: Sequence[Axes], statistics: Sequence[Statistics]) -> None:
    for place, band, unit in zip(axes, ("S8", "S1"), ("K² km²", "km²"), strict=True):
        rows = [s["spectra"][band]["power"] for s in statistics if band in s["spectra"]]
        power = np.array(rows, float).reshape(-1, len(ring_centres_km()))
        power[~(power > 0)] = np.nan
        some = np.isfinite(power).any(axis=0)
        place.set(xlabel="wavelength (km)", ylabel=f"power of {band} ({unit})")
        if not some.any():
            _say_empty(place)
            continue
        waves, power = np.array(ring_centres_km())[some], power[:, some]
        low, middle, high = np.nanquantile(power, (ENDS[0], 0.5, ENDS[1]), axis=0)
        place.fill_between(waves, low, high, color=BLUE, alpha=0.2, linewidth=0)
        place.plot(waves, middle, color=BLUE, label="simulated")
        _draw_slopes(place, waves, middle)
        place.set(xscale="log", yscale="log")
        place.invert_xaxis()
        place.legend(frameon=False, loc="lower left")


def _draw_slopes(axes: Axes, waves: FloatArray, power: FloatArray) -> None:
    """Draw the slopes that are expected, from the shortest wave of those that are fitted."""
    fitted = (waves >= FITTED_KM[0]) & (waves <= FITTED_KM[1])
    if not fitted.any():
        return
    first = np.flatnonzero(fitted)[-1]
    for slope, style in ((8 / 3, "--"), (3.0, ":")):
        line = power[first] * (waves[fitted] / waves[first]) ** slope
        axes.plot(waves[fitted], line, style, color=ORANGE, label=f"slope -{slope:.2g}")


def _say_empty(axes: Axes) -> None:
    axes.text(0.5, 0.5, "no such scene", transform=axes.transAxes, ha="center")


def _patches(axes: Sequence[Axes], statistics: Sequence[Statistics]) -> None:
    areas = 2.0 ** np.arange(PATCH_BINS)
    for place, kind in zip(axes, ("cloud", "clear"), strict=True):
        place.set(xlabel="area from (km²)", ylabel=f"{kind} patches per scene")
        for mask, colour in (("provider", ORANGE), ("truth", BLUE)):
            counts = np.mean([scene["patches"][mask][kind] for scene in statistics], axis=0)
            some = counts > 0
            if some.any():
                place.plot(areas[some], counts[some], color=colour, marker=".", label=mask)
        if not place.lines:
            _say_empty(place)
            continue
        place.set(xscale="log", yscale="log")
        place.legend(frameon=False)


def _typical(axes: Sequence[Axes], statistics: Sequence[Statistics]) -> None:
    names = list(TYPICAL)
    for place, (axis, quantity) in enumerate(zip(axes, QUANTITIES, strict=True)):
        for row, name in enumerate(names):
            accepted = TYPICAL[name].get(quantity)
            if accepted is not None:
                width = accepted[1] - accepted[0]
                axis.barh(row, width, left=accepted[0], height=0.7, color=ORANGE, alpha=0.35)
            middle, low, high = class_median(statistics, name, quantity)
            if middle is None or low is None or high is None:
                continue
            axis.plot([low, high], [row, row], color=BLUE, linewidth=1.5)
            axis.plot(middle, row, "o", color=BLUE, markersize=4)
        axis.set_yticks(range(len(names)), names if place == 0 else [])
        axis.set(ylim=(len(names) - 0.5, -0.5), title=quantity)
        axis.set_xlabel("1" if quantity in ("S1", "S3", "S4", "S5", "S6") else "K")
