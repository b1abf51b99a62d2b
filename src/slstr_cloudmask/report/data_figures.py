"""Figures of a data set: histograms of its bands, and how cloudy its scenes are.

    figure = draw_histograms(check)

Day is orange and night blue, in a colour-blind safe pair; training scenes are filled, test scenes
a line.
"""

import io
from collections.abc import Mapping

import matplotlib as mpl
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from slstr_cloudmask import channels
from slstr_cloudmask.benchmark.scene_facts import BINS, BandFacts
from slstr_cloudmask.benchmark.set_check import Group, SetCheck
from slstr_cloudmask.benchmark.set_summary import PUBLISHED_FLAGGED_SHARE
from slstr_cloudmask.report.figures import _STYLE, BLUE, GREY, ORANGE
from slstr_cloudmask.scene import FloatArray

DPI = 120
COLOURS = {"day": ORANGE, "night": BLUE}
_LINES = {"training": "-", "inference": "--", "scenes": ":"}
_REFLECTANCE_TICKS = (0, 0.01, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1, 1.5, 2, 3)
_SHOWN = (0.0005, 0.9995)  # of the values, so that a few far away do not squeeze the others


def draw_histograms(check: SetCheck) -> bytes:
    """Draw a panel for each band, a curve for each part by day and by night; return a PNG file."""
    bands = check.bands
    with mpl.rc_context(_STYLE):
        figure = Figure((11.0, 7.6), layout="constrained", dpi=DPI)
        for place, name in enumerate(channels.NAMES):
            axes = figure.add_subplot(3, 3, place + 1)
            _draw_band(axes, name, {g: bands[g][name] for g in check.groups if name in bands[g]})
        legend: dict[str, Artist] = {}
        for axes in figure.axes:
            handles, labels = axes.get_legend_handles_labels()
            legend |= dict(zip(labels, handles, strict=True))
        figure.legend(
            list(legend.values()), list(legend), loc="outside lower center", ncols=4, frameon=False
        )
        return _png(figure)


def draw_shares(check: SetCheck) -> bytes:
    """Draw the share flagged of every scene, in order; return a PNG file."""
    with mpl.rc_context(_STYLE):
        figure = Figure((6.4, 3.4), layout="constrained", dpi=DPI)
        axes = figure.add_subplot()
        for (part, folder), scenes in check.groups.items():
            shares = [facts.flagged / facts.pixels for facts in scenes if facts.labelled]
            ranks = (np.arange(len(shares)) + 0.5) / len(shares)
            axes.plot(
                np.sort(shares),
                ranks,
                _LINES[part],
                color=COLOURS[folder],
                marker="." if len(shares) < 50 else "",
                label=f"{part}, {folder} ({len(shares)})",
            )
        axes.axvline(PUBLISHED_FLAGGED_SHARE, color=GREY, linewidth=0.8)
        axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="share of all pixels that bayes flags")
        axes.set_ylabel("share of scenes below")
        if check.scenes:
            axes.legend(frameon=False, loc="upper left")
        return _png(figure)


def _draw_band(axes: Axes, name: str, bands: Mapping[Group, BandFacts]) -> None:
    bins = BINS[name]
    edges = bins.edges()
    unit = "reflectance" if name in channels.REFLECTANCE_NAMES else "K"
    wavelength = channels.BY_NAME[name].wavelength_um
    axes.set_title(f"{name}, {wavelength:g} µm", loc="left", fontsize=10)
    axes.set(xlabel=unit, yticks=[])
    axes.grid(axis="y", visible=False)
    bands = {group: band for group, band in bands.items() if band.values}
    if not bands:
        axes.text(0.5, 0.5, "no values", transform=axes.transAxes, ha="center", color=GREY)
        return
    for (part, folder), band in bands.items():
        share = band.counts / band.values
        line, colour = _LINES[part], COLOURS[folder]
        axes.stairs(share, edges, linestyle=line, color=colour, label=f"{part}, {folder}")
        if part == "training":
            axes.stairs(share, edges, fill=True, color=colour, alpha=0.15)
    total = np.cumsum(np.sum([band.counts for band in bands.values()], axis=0))
    first, last = np.searchsorted(total, np.array(_SHOWN) * total[-1])
    if bins.square_root:  # so that bins are equally wide
        axes.set_xscale("function", functions=(_root, np.square))
        axes.set_xticks(_REFLECTANCE_TICKS, [f"{tick:g}" for tick in _REFLECTANCE_TICKS])
    axes.set_xlim(edges[first], edges[min(last + 1, bins.count)])
    axes.set_ylim(0, None)


def _root(values: FloatArray) -> FloatArray:
    return np.sqrt(np.maximum(values, 0))


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()
