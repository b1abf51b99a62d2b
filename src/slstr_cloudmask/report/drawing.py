"""What every panel of a picture is drawn with: colours, frames, titles, bars, flags.

    show(axes, picture, shape)                  # a thinned array over the full grid
    legend = draw_codes(axes, values, {0: ("clear", CLEAR), 1: ("cloud", CLOUD)})

A panel is one matplotlib ``Axes`` on the instrument's own grid, row 0 at the top. What draws one
returns its legend: names by colour, which the page gathers.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, ListedColormap, to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from slstr_cloudmask.atomic import replacing
from slstr_cloudmask.errors import InputError
from slstr_cloudmask.flags import UNKNOWN
from slstr_cloudmask.report.composite import NO_DATA_RGB

Array = npt.NDArray[Any]
Legend = dict[str, str]  # what a colour means, by colour

MAX_SIDE = 750  # drawn rows or columns; a panel has no more points than that
DPI = 110
TITLE_SIZE = 9.5
CLEAR, CLOUD = "#2f6690", "#f5f3ee"
ONLY_FIRST, ONLY_SECOND = "#d55e00", "#e05cb0"
NO_DATA = "#{:02x}{:02x}{:02x}".format(*NO_DATA_RGB)
OUTLINE_RGB = (255, 170, 0)
OUTLINE = "#{:02x}{:02x}{:02x}".format(*OUTLINE_RGB)
INK, PALE_INK, FRAME = "#22262b", "#5f6670", "#9aa0a6"
BAR_PLACE = (1.02, 0.0, 0.027, 1.0)  # left, bottom, width, height, of the panel
UNKNOWN_WORDS = "unknown, no data"


def step_of(shape: tuple[int, ...]) -> int:
    """Rows and columns to go forward by, so that at most `MAX_SIDE` are drawn."""
    return max(1, -(-max(shape) // MAX_SIDE))


def show(axes: Axes, picture: Array, shape: tuple[int, ...], **style: Any) -> Any:
    """Draw a thinned array over the full grid's rows and columns; return matplotlib's image."""
    extent = (-0.5, shape[1] - 0.5, shape[0] - 0.5, -0.5)
    plain_frame(axes)
    return axes.imshow(picture, extent=extent, interpolation="nearest", **style)


def plain_frame(axes: Axes) -> None:
    """Give a panel thin grey edges and small numbers."""
    axes.tick_params(labelsize=8, color=FRAME, labelcolor=INK)
    for spine in axes.spines.values():
        spine.set_color(FRAME)


def write_title(axes: Axes, title: str, figures: str = "") -> None:
    """Write what a panel shows, and at the right its one number."""
    axes.set_title(title, loc="left", fontsize=TITLE_SIZE, color=INK)
    if figures:
        axes.set_title(figures, loc="right", fontsize=TITLE_SIZE, fontweight="bold", color=INK)


def say(axes: Axes, title: str, words: str) -> None:
    """Fill a panel that cannot be drawn with the reason."""
    plain_frame(axes)
    axes.tick_params(bottom=False, left=False, labelbottom=False, labelleft=False)
    write_title(axes, title)
    axes.text(
        *(0.5, 0.5, words),
        transform=axes.transAxes,
        ha="center",
        va="center",
        color=INK,
        fontsize=TITLE_SIZE,
        wrap=True,
    )


def draw_bar(axes: Axes, image: Any, unit: str, extend: str = "neither") -> Any:
    """Put a colour bar at the right of a panel; return it."""
    bar = axes.figure.colorbar(image, cax=axes.inset_axes(BAR_PLACE), extend=extend)
    bar.outline.set_edgecolor(FRAME)
    bar.ax.tick_params(labelsize=8, color=FRAME, labelcolor=INK)
    bar.ax.set_title(unit, fontsize=8, color=INK, pad=4)
    return bar


def draw_codes(axes: Axes, values: Array, meanings: Mapping[int, tuple[str, str]]) -> Legend:
    """Draw a flag of exclusive values.

    Parameters
    ----------
    axes
        The panel.
    values
        Integers (rows, columns); what ``meanings`` does not name is unknown.
    meanings
        Name and colour by value.

    Returns
    -------
    dict
        The legend.
    """
    step = step_of(values.shape)
    colours = np.tile(np.array(NO_DATA_RGB, np.uint8), (UNKNOWN + 1, 1))
    for value, (_, colour) in meanings.items():
        colours[value] = np.round(np.array(to_rgb(colour)) * 255)
    show(axes, colours[values[::step, ::step]], values.shape)
    return {colour: name for name, colour in meanings.values()} | {NO_DATA: UNKNOWN_WORDS}


def draw_flag(axes: Axes, values: Array, title: str) -> Legend:
    """Draw 0 clear, 1 cloud, 255 unknown, with the share of cloud in the title."""
    known = values != UNKNOWN
    share = f"{(values[known] == 1).mean():.1%} cloud" if known.any() else "nothing known"
    write_title(axes, title, share)
    return draw_codes(axes, values, {0: ("clear", CLEAR), 1: ("cloud", CLOUD)})


def draw_agreement(axes: Axes, values: Array, title: str, first: str, second: str) -> Legend:
    """Draw where two masks agree; values as `slstr_cloudmask.operational.AGREEMENT_VALUES`."""
    known = values != UNKNOWN
    share = f"{(values[known] < 2).mean():.1%} agree" if known.any() else "nothing known in both"
    write_title(axes, title, share)
    meanings = {
        0: ("both clear", CLEAR),
        1: ("both cloud", CLOUD),
        2: (f"cloud only in {first}", ONLY_FIRST),
        3: (f"cloud only in {second}", ONLY_SECOND),
    }
    return draw_codes(axes, values, meanings)


def shades_between(first: str, last: str) -> Colormap:
    """Colours from one to another, and `NO_DATA` where a value is NaN."""
    shades = np.linspace(np.array(to_rgb(first)), np.array(to_rgb(last)), 256)
    return ListedColormap(shades).with_extremes(bad=NO_DATA)


def write_legend(figure: Figure, legends: Iterable[Legend], columns: int) -> None:
    """Write what the colours of all panels mean, once each, at the foot of the page."""
    names: dict[str, list[str]] = {}
    for legend in legends:
        for colour, name in legend.items():
            names.setdefault(colour, [])
            names[colour] += [name] if name not in names[colour] else []
    if NO_DATA in names:  # last
        names[NO_DATA] = names.pop(NO_DATA)
    patches = [
        Patch(facecolor=colour, edgecolor=FRAME, linewidth=0.5, label=", ".join(words))
        for colour, words in names.items()
    ]
    if patches:
        rows = -(-len(patches) // columns)
        figure.legend(
            handles=patches,
            loc="lower center",
            ncols=-(-len(patches) // rows),
            frameon=False,
            fontsize=9,
        )


def save_figure(figure: Figure, path: str | Path, *, overwrite: bool = False) -> None:
    """Save a picture as PNG, whole or not at all.

    Raises
    ------
    InputError
        ``path`` does not end in ``.png``.
    OutputExistsError
        ``path`` exists and ``overwrite`` is false.
    WriteError
        The operating system refused to write.
    """
    if Path(path).suffix.lower() != ".png":
        raise InputError(f"Pictures are PNG: expected a name that ends in .png, found {path}.")
    with replacing(Path(path), overwrite=overwrite) as temporary:
        figure.savefig(temporary, format="png")
