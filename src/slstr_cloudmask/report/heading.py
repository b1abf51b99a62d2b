"""What is written over a page of panels, and the scale and north arrow in its first one."""

import textwrap
from datetime import datetime
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from slstr_cloudmask.channels import REFLECTANCE_NAMES
from slstr_cloudmask.report.drawing import INK, PALE_INK, Array
from slstr_cloudmask.report.subject import Subject
from slstr_cloudmask.scene import PIXEL_KM, bands_missing

GRID_WORDS = {"1km": "1 km grid", "500m": "500 m grid"}
SCALE_LENGTHS_KM = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
SCALE_SHARE = 0.25  # of a panel's width, which a scale bar is not longer than
HEADING_SIZE, NOTE_SIZE = 15.0, 8.0
LETTER_WIDTH_EM = 0.66  # a wide mean of the bold heading's letters, so that it fits
NOTE_LETTER_WIDTH_EM = 0.6
NORTH_REACH = 0.024  # of the panel's longer side; the arrow is 1.6 times as long
_BACKING: dict[str, Any] = {
    "boxstyle": "round,pad=0.15",
    "facecolor": "white",
    "edgecolor": "none",
    "alpha": 0.8,
}


def write_heading(figure: Figure, subject: Subject, left_in: float) -> None:
    """Write platform, time and view, and below them the product and what is special about it."""
    attributes = subject.attributes
    words = [attributes.get("platform"), "SLSTR", _time(attributes), _view(attributes)]
    heading = "   ".join(str(word) for word in words if word)
    width_in, height_in = figure.get_figwidth(), figure.get_figheight()
    room_points = (width_in - 2 * left_in) * 72
    size = min(HEADING_SIZE, room_points / (LETTER_WIDTH_EM * len(heading)))
    left = left_in / width_in
    figure.text(*(left, 1 - 0.42 / height_in, heading), fontsize=size, fontweight="bold", color=INK)
    letters = int(room_points / (NOTE_LETTER_WIDTH_EM * NOTE_SIZE))
    note = textwrap.fill(_note(subject), letters)
    figure.text(
        *(left, 1 - 0.52 / height_in, note),
        va="top",
        fontsize=NOTE_SIZE,
        color=PALE_INK,
        linespacing=1.4,
    )


def _note(subject: Subject) -> str:
    attributes = subject.attributes
    grid = GRID_WORDS.get(str(attributes.get("grid")), "")
    parts = [str(attributes.get("source", "")), grid]
    if subject.scene is not None:
        missing = bands_missing(subject.scene)
        if attributes.get("radiometry") and not set(REFLECTANCE_NAMES) <= set(missing):
            parts.append(f"reflectances {str(attributes['radiometry']).replace('_', ' ')}")
        parts.append(f"without {', '.join(missing)}" if missing else "")
    return "   ".join(part for part in parts if part)


def _time(attributes: dict[Any, Any]) -> str:
    text = str(attributes.get("start_time", ""))
    try:
        return datetime.fromisoformat(text).strftime("%Y-%m-%d %H:%M:%S UTC")
    except ValueError:
        return text


def _view(attributes: dict[Any, Any]) -> str:
    return f"{attributes['view']} view" if "view" in attributes else ""


def draw_scale(axes: Axes, subject: Subject) -> None:
    """Draw a bar of so many kilometres into a panel, where the size of its pixels is known."""
    pixel_km = PIXEL_KM.get(str(subject.attributes.get("grid")))
    rows, columns = subject.shape
    if pixel_km is None:
        return
    room_km = SCALE_SHARE * columns * pixel_km
    length_km = max((length for length in SCALE_LENGTHS_KM if length <= room_km), default=None)
    if length_km is None:
        return
    left, down = 0.04 * columns, rows - 0.05 * rows
    right = left + length_km / pixel_km
    for width, colour in ((5.0, "white"), (2.5, INK)):
        axes.plot([left, right], [down, down], color=colour, linewidth=width, clip_on=True)
    middle = (left + right) / 2
    axes.annotate(
        *(f"{length_km} km", (middle, down)),
        xytext=(0, 5),
        textcoords="offset points",
        ha="center",
        va="bottom",
        fontsize=8,
        color=INK,
        bbox=_BACKING,
    )


def draw_north(axes: Axes, subject: Subject) -> None:
    """Draw an arrow to the north into a panel, where latitude and longitude are known."""
    latitude, longitude = (subject.coordinate(name) for name in ("latitude", "longitude"))
    direction = None
    if latitude is not None and longitude is not None:
        direction = north(latitude, longitude)
    if direction is None:
        return
    rows, columns = subject.shape
    middle = np.array([columns - 0.07 * max(rows, columns), 0.07 * max(rows, columns)])
    step = np.array([direction[1], direction[0]]) * NORTH_REACH * max(rows, columns)
    axes.plot(*middle, "o", markersize=32, color="white", alpha=0.8)
    style = {"arrowstyle": "-|>", "color": INK, "linewidth": 1.6, "shrinkA": 0, "shrinkB": 0}
    axes.annotate(
        "", xy=tuple(middle + 0.4 * step), xytext=tuple(middle - 1.2 * step), arrowprops=style
    )
    column, row = (float(value) for value in middle + 0.9 * step)
    axes.text(column, row, "N", ha="center", va="center", fontsize=8, fontweight="bold")


def north(latitude_deg: Array, longitude_deg: Array) -> tuple[float, float] | None:
    """Find the direction of north in the middle of a grid.

    Parameters
    ----------
    latitude_deg, longitude_deg
        Of each pixel (rows, columns), NaN where unknown.

    Returns
    -------
    tuple of float, or None
        Rows and columns of a step of length 1 to the north; None where the grid is too small or
        its middle has no place.
    """
    middle = [size // 2 for size in latitude_deg.shape]
    reach = max(1, min(latitude_deg.shape) // 8)
    if min(latitude_deg.shape) < 3:
        return None
    row, column = middle
    along = _places(latitude_deg, longitude_deg, [row - reach, row + reach], [column, column])
    across = _places(latitude_deg, longitude_deg, [row, row], [column - reach, column + reach])
    steps = np.stack([along[1] - along[0], across[1] - across[0]], axis=1)
    if not np.isfinite(steps).all():
        return None
    # The step along the ground that comes nearest to one along the Earth's axis.
    direction = np.linalg.lstsq(steps, np.array([0.0, 0.0, 1.0]), rcond=None)[0]
    length = float(np.linalg.norm(direction))
    if length == 0.0:
        return None
    return float(direction[0]) / length, float(direction[1]) / length


def _places(
    latitude_deg: Array, longitude_deg: Array, rows: list[int], columns: list[int]
) -> Array:
    """Return unit vectors (place, x y z) of some pixels."""
    lat, lon = np.radians([latitude_deg[rows, columns], longitude_deg[rows, columns]]).astype(float)
    return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=-1)
