"""One picture of a scene, of a mask, or of both.

    draw_quicklook(scene, mask, Path("scene.png"))
    draw_quicklook(scene, None, Path("scene.png"), panels=["natural", "thermal"])

Panels stand on the instrument's own grid, row 0 at the top: by default the scene with the mask's
outline, the probability of cloud, the mask, and the operational mask of the product beside it.
`panels` and `mask_panels` hold what there is to choose from.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from slstr_cloudmask.report.drawing import DPI, PALE_INK, save_figure, say, write_legend
from slstr_cloudmask.report.heading import draw_north, draw_scale, write_heading
from slstr_cloudmask.report.mask_panels import PANELS, find_panel
from slstr_cloudmask.report.subject import Subject, subject_of

FOUR = ("scene", "probability", "mask", "operational")
FOUR_EXTENDED = ("scene", "probability", "extended", "operational")
# What is shown where nobody chooses, of what there is.
SCENE_DEFAULT = ("natural", "false-colour", "thermal", "difference-3.7", "operational", "truth")
BOTH_DEFAULT = (
    *("scene", "difference-3.7", "probability", "mask", "operational", "disagreement"),
    *("views", "extended"),
)
MASK_DEFAULT = ("mask", "extended", "probability", "regime", "operational", "disagreement", "views")
# Where things stand on the page, inches.
PANEL_WIDTH_IN, PANEL_OF_THREE_WIDTH_IN = 5.2, 4.9
MIN_PANEL_HEIGHT_IN, MAX_PANEL_HEIGHT_IN = 2.5, 7.5
LEFT_IN, RIGHT_IN, TOP_IN, BOTTOM_IN = 0.6, 0.75, 1.25, 1.1
BETWEEN_COLUMNS_IN, BETWEEN_ROWS_IN = 0.75, 0.5
COLUMNS = {1: 1, 2: 2, 4: 2}  # of panels, by their number; otherwise three


def draw_quicklook(
    scene: xr.Dataset | None,
    mask: xr.Dataset | None,
    path: str | Path,
    overwrite: bool = False,
    *,
    panels: Sequence[str] | None = FOUR,
    against: str | None = None,
) -> None:
    """Draw a scene, a mask of it, or both to a PNG file.

    Parameters
    ----------
    scene, mask
        A Scene, and the Mask made from it; either may be None.
    path
        The file, ``.png``.
    overwrite
        Replace what is there.
    panels
        Names of panels or of operational masks, in order; None for what suits what there is.
    against
        The mask that ``operational`` and ``disagreement`` show; by default the product's verdict.

    Raises
    ------
    InputError
        There is no such panel or mask, scene and mask are not of one another, the scene holds no
        band, or ``path`` does not end in ``.png``.
    OutputExistsError
        ``path`` exists and ``overwrite`` is false.
    WriteError
        The operating system refused to write.
    """
    figure = quicklook_figure(scene, mask, panels=panels, against=against)
    save_figure(figure, path, overwrite=overwrite)


def quicklook_figure(
    scene: xr.Dataset | None,
    mask: xr.Dataset | None,
    *,
    panels: Sequence[str] | None = FOUR,
    against: str | None = None,
) -> Figure:
    """Draw the panels; `draw_quicklook` saves them, and says what is what."""
    subject = subject_of(scene, mask, against)
    names = default_panels(subject) if panels is None else tuple(panels)
    chosen = [find_panel(name, subject) for name in names]
    figure, places = _empty_page(len(chosen), subject.shape)
    legends = []
    for panel, axes in zip(chosen, places, strict=True):
        if lack := panel.lack(subject):
            say(axes, panel.title, lack)
        else:
            legends.append(panel.draw(axes, subject))
    drawn = [axes for axes in places if axes.images]
    if drawn:
        draw_scale(drawn[0], subject)
        draw_north(drawn[0], subject)
    write_heading(figure, subject, LEFT_IN)
    write_legend(figure, legends, columns=2 * _columns(len(chosen)))
    return figure


def default_panels(subject: Subject) -> tuple[str, ...]:
    """Names of the panels that suit what there is; at least one."""
    names: tuple[str, ...] = BOTH_DEFAULT
    if subject.mask is None:
        names = SCENE_DEFAULT
    elif subject.scene is None:
        names = MASK_DEFAULT
    known = [name for name in names if name in PANELS or name in subject.others]
    possible = [name for name in known if not find_panel(name, subject).lack(subject)]
    return tuple(possible) or ("scene",)


def _columns(count: int) -> int:
    return COLUMNS.get(count, 3)


def _empty_page(count: int, shape: tuple[int, int]) -> tuple[Figure, list[Axes]]:
    """Make a figure with room for ``count`` panels of (rows, columns), row by row."""
    columns = _columns(count)
    rows = -(-count // columns)
    width_in = PANEL_WIDTH_IN if columns < 3 else PANEL_OF_THREE_WIDTH_IN
    height_in = float(
        np.clip(width_in * shape[0] / shape[1], MIN_PANEL_HEIGHT_IN, MAX_PANEL_HEIGHT_IN)
    )
    page_width_in = LEFT_IN + columns * (width_in + BETWEEN_COLUMNS_IN) - BETWEEN_COLUMNS_IN
    page_width_in += RIGHT_IN
    page_height_in = TOP_IN + rows * (height_in + BETWEEN_ROWS_IN) - BETWEEN_ROWS_IN + BOTTOM_IN
    figure = Figure(figsize=(page_width_in, page_height_in), dpi=DPI)
    panels = []
    for place in range(count):
        row, column = divmod(place, columns)
        left = LEFT_IN + column * (width_in + BETWEEN_COLUMNS_IN)
        bottom = BOTTOM_IN + (rows - 1 - row) * (height_in + BETWEEN_ROWS_IN)
        box = left / page_width_in, bottom / page_height_in
        size = width_in / page_width_in, height_in / page_height_in
        axes = figure.add_axes((*box, *size), anchor="NW")
        # The lowest panel of each column tells columns, the first of each row tells rows.
        axes.tick_params(labelbottom=place + columns >= count, labelleft=column == 0)
        panels.append(axes)
    corner = panels[(rows - 1) * columns]
    corner.set_xlabel("column, across the track", fontsize=8, color=PALE_INK)
    corner.set_ylabel("row, along the track", fontsize=8, color=PALE_INK)
    return figure, panels
