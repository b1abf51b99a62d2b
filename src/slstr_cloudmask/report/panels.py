"""Panels of a quicklook that show a scene's bands: colours, temperature, difference.

    legend = PANELS["thermal"].draw(axes, subject)

Each `Panel` says first what it lacks, so that a page can say so instead of failing.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import TwoSlopeNorm
from matplotlib.ticker import MaxNLocator

from slstr_cloudmask.channels import NAMES
from slstr_cloudmask.report.composite import (
    COLOUR_BANDS,
    FALSE_COLOUR,
    MIN_SPAN_KELVIN,
    NATURAL_COLOUR,
    cloud_outline,
    composite,
    stretch_limits,
)
from slstr_cloudmask.report.drawing import (
    NO_DATA,
    OUTLINE,
    OUTLINE_RGB,
    UNKNOWN_WORDS,
    Legend,
    draw_bar,
    show,
    step_of,
    write_title,
)
from slstr_cloudmask.report.subject import Subject
from slstr_cloudmask.scene import Regime

MIN_SPAN_DIFFERENCE_KELVIN = 6.0
# The scale goes at least so far to either side of 0; sunlight leaves next to nothing below.
MIN_SIDE_KELVIN = 3.0
TICKS = MaxNLocator(4, steps=[1, 2, 5, 10])  # on either side of 0


@dataclass(frozen=True, slots=True)
class Panel:
    """One way to look at a scene or mask.

    Attributes
    ----------
    title
        What it is, where it cannot be drawn.
    words
        What it shows, in one line.
    lack
        What is missing to draw it of a subject, as a sentence; nothing where it can be drawn.
    draw
        Draws it to an Axes, and returns its legend.
    """

    title: str
    words: str
    lack: Callable[[Subject], str]
    draw: Callable[[Axes, Subject], Legend]


def _needs(*names: str) -> Callable[[Subject], str]:
    def lack(subject: Subject) -> str:
        if subject.scene is None:
            return "A mask file holds no bands."
        missing = subject.lacks(*names)
        return f"This scene holds no {missing}." if missing else ""

    return lack


def _needs_sunlight(names: tuple[str, str, str]) -> Callable[[Subject], str]:
    def lack(subject: Subject) -> str:
        if missing := _needs(*names)(subject):
            return missing
        return "" if subject.is_sunlit(*names) else "There is no daylight in this scene."

    return lack


def _draw_colours(names: tuple[str, str, str], words: str) -> Callable[[Axes, Subject], Legend]:
    def draw(axes: Axes, subject: Subject) -> Legend:
        show(axes, composite(subject.bands(*names), names), subject.shape)
        write_title(axes, f"{words}: {', '.join(names)}; 11 µm where dark")
        return {NO_DATA: UNKNOWN_WORDS}

    return draw


def _draw_scene(axes: Axes, subject: Subject) -> Legend:
    """Draw false colour where there is daylight and 11 um elsewhere, with the mask's outline."""
    names = next((names for names in COLOUR_BANDS if not subject.lacks(*names)), None)
    picture = composite(subject.bands(*(names or NAMES)))
    legend = {NO_DATA: UNKNOWN_WORDS}
    if subject.mask is not None:
        every = slice(None, None, step_of(subject.shape))
        picture[cloud_outline(subject.mask["cloud_mask"].values[every, every])] = OUTLINE_RGB
        legend[OUTLINE] = "outline and threshold of this mask"
    show(axes, picture, subject.shape)
    if names is None or not subject.is_sunlit(*names):
        write_title(axes, "Scene: 11 µm, cold is white")
    else:
        words = ", ".join(names)
        write_title(axes, f"Scene: {words} as red, green, blue; 11 µm where dark")
    return legend


def _draw_thermal(axes: Axes, subject: Subject) -> Legend:
    bt_kelvin = subject.bands("S8")["S8"].values
    low, high = stretch_limits(bt_kelvin, MIN_SPAN_KELVIN)
    greys = colormaps["gray_r"].with_extremes(bad=NO_DATA)
    image = show(axes, bt_kelvin, subject.shape, cmap=greys, vmin=low, vmax=high)
    draw_bar(axes, image, "K", extend="both")
    write_title(axes, "Brightness temperature at 11 µm (S8), cold is white")
    return {NO_DATA: UNKNOWN_WORDS}


def _draw_difference(axes: Axes, subject: Subject) -> Legend:
    """Draw S7 - S8 with white at 0 K: fog and low water cloud are below it by night."""
    thinned = subject.bands("S7", "S8")
    difference_kelvin = thinned["S7"].values - thinned["S8"].values
    low, high = stretch_limits(difference_kelvin, MIN_SPAN_DIFFERENCE_KELVIN)
    regimes = subject.regimes("S1", "S3", "S5")
    if regimes & {Regime.DAY, Regime.TWILIGHT}:
        words = ", with sunlight in it where the Sun is up"
    else:
        words = ", low cloud is orange" if Regime.NIGHT in regimes else ""
        high = max(-low, high)
        low = -high
    low, high = min(low, -MIN_SIDE_KELVIN), max(high, MIN_SIDE_KELVIN)
    scale = TwoSlopeNorm(0.0, low, high)
    hues = colormaps["PuOr"].with_extremes(bad=NO_DATA)
    image = show(axes, difference_kelvin, subject.shape, cmap=hues, norm=scale)
    bar = draw_bar(axes, image, "K", extend="both")
    ticks = np.union1d(TICKS.tick_values(low, 0), TICKS.tick_values(0, high))
    ticks = ticks[(ticks >= low) & (ticks <= high)]
    bar.set_ticks(ticks, labels=[f"{tick:g}" for tick in ticks])
    write_title(axes, f"3.7 − 11 µm (S7 − S8){words}")
    return {NO_DATA: UNKNOWN_WORDS}


SCENE_PANELS = {
    "scene": Panel(
        "Scene",
        "false colour by day, 11 µm by night, with the mask's outline",
        _needs(),
        _draw_scene,
    ),
    "natural": Panel(
        "Natural colour",
        "S3, S2, S1 as red, green, blue",
        _needs_sunlight(NATURAL_COLOUR),
        _draw_colours(NATURAL_COLOUR, "Natural colour"),
    ),
    "false-colour": Panel(
        "False colour",
        "S5, S3, S1 as red, green, blue: snow and ice cloud are cyan, water cloud is white",
        _needs_sunlight(FALSE_COLOUR),
        _draw_colours(FALSE_COLOUR, "False colour"),
    ),
    "thermal": Panel("11 µm", "S8, kelvin, cold is white", _needs("S8"), _draw_thermal),
    "difference-3.7": Panel(
        "3.7 − 11 µm",
        "S7 − S8, kelvin: by night fog and low cloud are below 0",
        _needs("S7", "S8"),
        _draw_difference,
    ),
}
