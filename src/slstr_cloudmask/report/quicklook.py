"""One picture of a mask beside the scene it was made from.

    draw_quicklook(scene, mask, Path("scene.png"))

Four panels on the instrument's own grid, row 0 at the top: the scene with the mask's outline, the
probability of cloud, the mask, and the operational mask of the product for comparison.
"""

from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap, to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from slstr_cloudmask.atomic import replacing
from slstr_cloudmask.flags import UNKNOWN
from slstr_cloudmask.report.composite import NO_DATA_RGB, cloud_outline, colour_bands, composite
from slstr_cloudmask.scene import Regime, bands_missing, label, regime

Array = npt.NDArray[Any]

MAX_SIDE = 750  # drawn rows or columns; a panel has no more points than that
DPI = 110
# Where things stand on the page, inches.
PANEL_WIDTH_IN = 5.2
MIN_PANEL_HEIGHT_IN, MAX_PANEL_HEIGHT_IN = 2.5, 7.5
LEFT_IN, RIGHT_IN, TOP_IN, BOTTOM_IN = 0.6, 0.75, 1.2, 0.95
BETWEEN_COLUMNS_IN, BETWEEN_ROWS_IN = 0.4, 0.45
BAR_WIDTH_IN, BAR_GAP_IN = 0.14, 0.1
CLEAR, CLOUD = "#2f6690", "#f5f3ee"
NO_DATA = "#{:02x}{:02x}{:02x}".format(*NO_DATA_RGB)
OUTLINE_RGB = (255, 170, 0)
OUTLINE = "#{:02x}{:02x}{:02x}".format(*OUTLINE_RGB)
INK, PALE_INK, FRAME = "#22262b", "#5f6670", "#9aa0a6"


def draw_quicklook(
    scene: xr.Dataset, mask: xr.Dataset, path: str | Path, overwrite: bool = False
) -> None:
    """Draw a scene, its mask and the operational mask to a PNG file.

    Parameters
    ----------
    scene, mask
        A Scene, and the Mask made from it.
    path
        The file, ``.png``.
    overwrite
        Replace what is there.

    Raises
    ------
    OutputExistsError
        ``path`` exists and ``overwrite`` is false.
    WriteError
        The operating system refused to write.
    """
    with replacing(Path(path), overwrite=overwrite) as temporary:
        figure = quicklook_figure(scene, mask)
        figure.savefig(temporary, format="png")


def quicklook_figure(scene: xr.Dataset, mask: xr.Dataset) -> Figure:
    """Draw the four panels; `draw_quicklook` saves them."""
    rows, columns = mask["cloud_mask"].shape
    height_in = float(
        np.clip(PANEL_WIDTH_IN * rows / columns, MIN_PANEL_HEIGHT_IN, MAX_PANEL_HEIGHT_IN)
    )
    figure, (upper, lower) = _empty_page(height_in)
    _draw_scene(upper[0], scene, mask)
    _draw_probability(upper[1], mask)
    _draw_flag(lower[0], mask["cloud_mask"].values, _mask_title(mask))
    _draw_operational(lower[1], scene)
    lower[0].set_xlabel("column, across the track", fontsize=8, color=PALE_INK)
    lower[0].set_ylabel("row, along the track", fontsize=8, color=PALE_INK)
    _write_heading(figure, scene)
    _write_legend(figure)
    return figure


def _empty_page(height_in: float) -> tuple[Figure, list[list[Axes]]]:
    """Make a figure with two rows of two panels, ``height_in`` inches high each."""
    page_width_in = LEFT_IN + 2 * PANEL_WIDTH_IN + BETWEEN_COLUMNS_IN + RIGHT_IN
    page_height_in = TOP_IN + 2 * height_in + BETWEEN_ROWS_IN + BOTTOM_IN
    figure = Figure(figsize=(page_width_in, page_height_in), dpi=DPI)
    lefts = [LEFT_IN, LEFT_IN + PANEL_WIDTH_IN + BETWEEN_COLUMNS_IN]
    bottoms = [BOTTOM_IN + height_in + BETWEEN_ROWS_IN, BOTTOM_IN]
    size = PANEL_WIDTH_IN / page_width_in, height_in / page_height_in
    panels = [
        [
            figure.add_axes((left / page_width_in, bottom / page_height_in, *size), anchor="NW")
            for left in lefts
        ]
        for bottom in bottoms
    ]
    for panel in (panels[0][0], panels[0][1], panels[1][1]):
        panel.tick_params(labelbottom=panel is panels[1][1], labelleft=panel is panels[0][0])
    return figure, panels


def operational_mask(scene: xr.Dataset) -> tuple[str, Array] | None:
    """Find the product's own cloud mask.

    Returns
    -------
    title, values
        What it is, and 0 clear, 1 cloud, 255 unknown (rows, columns): the summary of the threshold
        tests, else the Bayesian mask. None where the scene holds neither, or nothing known.
    """
    for name, title in (("summary_cloud", "summary of tests"), ("bayes", "Bayesian")):
        if name not in scene:
            continue
        cloud, known = label(scene, name)
        if known.any():
            values = np.where(known, cloud, UNKNOWN)
            return f"Operational mask, {title}", values.astype(np.uint8)
    return None


def _draw_scene(axes: Axes, scene: xr.Dataset, mask: xr.Dataset) -> None:
    step = _step(mask["cloud_mask"].shape)
    rows = slice(None, None, step)
    picture = composite(scene.isel(rows=rows, columns=rows))
    picture[cloud_outline(mask["cloud_mask"].values[rows, rows])] = OUTLINE_RGB
    _show(axes, picture, mask["cloud_mask"].shape)
    axes.set_title(_scene_title(scene), loc="left", fontsize=10)


def _scene_title(scene: xr.Dataset) -> str:
    names = colour_bands(scene)
    sunlit = names is not None and bool((regime(scene) == Regime.DAY).any())
    if names is None or not sunlit:
        return "Scene: 11 µm, cold is white"
    return f"Scene: {', '.join(names)} as red, green, blue; 11 µm where dark"


def _draw_probability(axes: Axes, mask: xr.Dataset) -> None:
    values = mask["cloud_probability"].values
    step = _step(values.shape)
    shades = ListedColormap(_between(CLEAR, CLOUD)).with_extremes(bad=NO_DATA)
    image = _show(axes, values[::step, ::step], values.shape, cmap=shades, vmin=0, vmax=1)
    axes.set_title("Probability of cloud", loc="left", fontsize=10)
    bar_left, bar_width = 1 + BAR_GAP_IN / PANEL_WIDTH_IN, BAR_WIDTH_IN / PANEL_WIDTH_IN
    bar = axes.figure.colorbar(image, cax=axes.inset_axes((bar_left, 0, bar_width, 1)))
    bar.outline.set_edgecolor(FRAME)
    bar.ax.tick_params(labelsize=8, color=FRAME, labelcolor=INK)
    threshold = mask.attrs.get("threshold")
    if threshold is not None:
        bar.ax.axhline(float(threshold), color=OUTLINE, linewidth=2.5)


def _between(first: str, last: str) -> Array:
    return np.asarray(np.linspace(np.array(to_rgb(first)), np.array(to_rgb(last)), 256))


def _mask_title(mask: xr.Dataset) -> str:
    title = f"This mask: {mask.attrs.get('detector', 'unknown detector')}"
    threshold = mask.attrs.get("threshold")
    return title if threshold is None else f"{title}, cloud from {float(threshold):.2g}"


def _draw_operational(axes: Axes, scene: xr.Dataset) -> None:
    found = operational_mask(scene)
    if found is not None:
        _draw_flag(axes, found[1], found[0])
        return
    axes.set_title("Operational mask", loc="left", fontsize=10)
    axes.text(
        0.5,
        0.5,
        "This file holds no operational mask.",
        transform=axes.transAxes,
        ha="center",
        va="center",
        color=INK,
    )
    _plain_frame(axes)


def _draw_flag(axes: Axes, values: Array, title: str) -> None:
    """Draw 0 clear, 1 cloud, 255 unknown, with the share of cloud in the title."""
    step = _step(values.shape)
    codes = np.where(values == UNKNOWN, 2, values)[::step, ::step]
    colours = ListedColormap([CLEAR, CLOUD, NO_DATA])
    _show(axes, codes, values.shape, cmap=colours, vmin=0, vmax=2)
    known = values != UNKNOWN
    share = f"{(values[known] == 1).mean():.1%} cloud" if known.any() else "nothing known"
    axes.set_title(title, loc="left", fontsize=10)
    axes.set_title(share, loc="right", fontsize=10, fontweight="bold")


def _show(axes: Axes, picture: Array, shape: tuple[int, ...], **style: Any) -> Any:
    """Draw a thinned array over the full grid's rows and columns."""
    extent = (-0.5, shape[1] - 0.5, shape[0] - 0.5, -0.5)
    _plain_frame(axes)
    return axes.imshow(picture, extent=extent, interpolation="nearest", **style)


def _plain_frame(axes: Axes) -> None:
    axes.tick_params(labelsize=8, color=FRAME, labelcolor=INK)
    for spine in axes.spines.values():
        spine.set_color(FRAME)


def _step(shape: tuple[int, ...]) -> int:
    return max(1, -(-max(shape) // MAX_SIDE))


def _write_heading(figure: Figure, scene: xr.Dataset) -> None:
    attributes = scene.attrs
    words = [attributes.get("platform"), "SLSTR", _time(attributes), _view(attributes)]
    missing = bands_missing(scene)
    note = [str(attributes.get("source", "")), f"without {', '.join(missing)}" if missing else ""]
    height_in = figure.get_figheight()
    left = LEFT_IN / figure.get_figwidth()
    heading = "   ".join(str(word) for word in words if word)
    figure.text(left, 1 - 0.45 / height_in, heading, fontsize=15, fontweight="bold", color=INK)
    small = "   ".join(part for part in note if part)
    figure.text(left, 1 - 0.72 / height_in, small, fontsize=8, color=PALE_INK)


def _time(attributes: dict[Any, Any]) -> str:
    text = str(attributes.get("start_time", ""))
    try:
        return datetime.fromisoformat(text).strftime("%Y-%m-%d %H:%M:%S UTC")
    except ValueError:
        return text


def _view(attributes: dict[Any, Any]) -> str:
    return f"{attributes['view']} view" if "view" in attributes else ""


def _write_legend(figure: Figure) -> None:
    labels = {
        CLEAR: "clear",
        CLOUD: "cloud",
        NO_DATA: "unknown, no data",
        OUTLINE: "outline and threshold of this mask",
    }
    patches = [
        Patch(facecolor=colour, edgecolor=FRAME, linewidth=0.5, label=label)
        for colour, label in labels.items()
    ]
    figure.legend(handles=patches, loc="lower center", ncols=4, frameon=False, fontsize=9)
