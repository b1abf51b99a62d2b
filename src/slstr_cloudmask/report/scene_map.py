"""A map of scenes: the side of the globe where most lie, and the whole of it, with coastlines.

    write_scene_map(published_places(), "Test scenes", Path("map.png"))

Day is orange and night blue, in a colour-blind safe pair. Land is from Natural Earth, which comes
with the package.
"""

import io
import math
from collections.abc import Iterable, Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch, PathPatch
from matplotlib.path import Path as Outline

from slstr_cloudmask.atomic import write_bytes
from slstr_cloudmask.errors import InputError
from slstr_cloudmask.report.figures import _STYLE, BLUE, ORANGE
from slstr_cloudmask.report.map_projection import EqualEarth, Globe, to_edge
from slstr_cloudmask.report.scene_places import Place
from slstr_cloudmask.simulate.coast import Layer, read_layer
from slstr_cloudmask.simulate.orbit import Float64, position_deg, vertical

DPI = 150
COLOURS = {"day": ORANGE, "night": BLUE}
_SEA, _LAND, _LINES, _EDGE = "#EEF3F7", "#D5D2C8", "#D9E0E7", "#8A8F98"
_FILLS = {"land": _LAND, "lakes": _SEA}
_DARKEST, _LIGHTEST = 0.25, 0.03  # of a scene's own colour, few scenes to many
_LINE_WIDTHS = (0.3, 0.8)
_GRID_DEG = 30
_FINEST = 1 / 500  # of a projection's unit, the Earth's radius

Projection = EqualEarth | Globe


def write_scene_map(
    places: Sequence[Place], title: str, path: Path, *, overwrite: bool = False
) -> None:
    """Draw a map.

    Parameters
    ----------
    places
        Outlines of the scenes, at least one.
    title
        What they are.
    path
        A picture, ``.png``.
    overwrite
        Replace what is there.

    Raises
    ------
    InputError
        There is nothing to draw.
    OutputExistsError, WriteError
        As `slstr_cloudmask.atomic.replacing`.
    """
    if not places:
        raise InputError("Expected at least one scene whose place is known, found none to draw.")
    buffer = io.BytesIO()
    with mpl.rc_context(_STYLE):
        figure = Figure((11.5, 5.0), layout="constrained", dpi=DPI)
        near, far = figure.subplots(1, 2, width_ratios=(1.0, 1.75))
        draw_map(near, Globe(*_middle(places)), places)
        draw_map(far, EqualEarth(), places)
        figure.suptitle(title, x=0.012, ha="left", weight="bold")
        figure.legend(handles=_legend(places), loc="outside lower center", ncols=2, frameon=False)
        figure.savefig(buffer, format="png", metadata={"Software": None})
    write_bytes(path, buffer.getvalue(), overwrite=overwrite)


def draw_map(axes: Axes, projection: Projection, places: Sequence[Place]) -> None:
    """Draw land, a grid and the scenes' outlines into a panel."""
    x, y = projection.outline()
    edge = PathPatch(Outline(np.stack([x, y], axis=1)), facecolor=_SEA, edgecolor="none", zorder=0)
    axes.add_patch(edge)
    for layer, colour in _FILLS.items():
        shape = _layer_outline(read_layer(layer), projection)
        land = PathPatch(shape, facecolor=colour, edgecolor=colour, linewidth=0.2, zorder=1)
        axes.add_patch(land).set_clip_path(edge)
    for meridian_or_parallel in _grid(projection):
        axes.plot(*meridian_or_parallel, color=_LINES, linewidth=0.5, zorder=2)
    strength = float(np.clip(10 / len(places), _LIGHTEST, _DARKEST))
    width = float(np.clip(40 / len(places), *_LINE_WIDTHS))
    for place in places:
        for ring in projection.rings(place.latitude_deg, place.longitude_deg):
            (area,) = axes.fill(*ring, color=COLOURS[place.folder], alpha=strength, linewidth=0)
            (line,) = axes.plot(*ring, color=COLOURS[place.folder], linewidth=width, zorder=4)
            for artist in (area, line):
                artist.set_clip_path(edge)
    axes.plot(x, y, color=_EDGE, linewidth=0.8, zorder=5)
    axes.set_aspect("equal")
    axes.set_axis_off()


def _middle(places: Iterable[Place]) -> tuple[float, float]:
    """Find the place that the scenes lie around, by the median of their places' directions."""
    middles = np.array(
        [vertical(place.latitude_deg, place.longitude_deg).mean(axis=0) for place in places]
    )
    direction = np.median(middles, axis=0)
    if np.linalg.norm(direction) < 1e-3:  # all around the globe
        direction = middles[0]
    latitude, longitude = position_deg(direction)
    return float(latitude), float(longitude)


def _layer_outline(layer: Layer, projection: Projection) -> Outline:
    """Project all rings of a layer as one shape, so that holes stay open."""
    starts = np.flatnonzero(np.concatenate([[True], layer.is_last[:-1]]))
    codes = np.full(layer.is_last.size, Outline.LINETO, Outline.code_type)
    codes[layer.is_last], codes[starts] = Outline.CLOSEPOLY, Outline.MOVETO
    if isinstance(projection, EqualEarth):
        points = np.stack(projection.project(layer.latitude_deg, layer.longitude_deg), axis=1)
        kept = np.ones(codes.size, bool)
    else:
        x, y, z = projection.project(layer.latitude_deg, layer.longitude_deg)
        points = np.stack(to_edge(x, y, z), axis=1)
        kept = np.repeat(np.maximum.reduceat(z, starts) > 0, np.diff(starts, append=z.size))
    # What would be drawn on the point before is left out: three of four points.
    steps = np.rint(points / _FINEST)
    kept[1:] &= (steps[1:] != steps[:-1]).any(axis=1) | (codes[1:] != Outline.LINETO)
    return Outline(points[kept], codes[kept])


def _grid(projection: Projection) -> Iterable[tuple[Float64, Float64]]:
    """Meridians and parallels; on a globe what is on the far side is left out."""
    along, around = np.arange(-90.0, 90.1, 1.0), np.arange(-180.0, 180.1, 1.0)
    lines = [(along, np.full(along.size, float(m))) for m in range(-180, 180, _GRID_DEG)]
    lines += [(np.full(around.size, float(p)), around) for p in range(-60, 61, _GRID_DEG)]
    for line in lines:
        x, y, *z = projection.project(*line)
        yield np.where(z[0] > 0, x, math.nan) if z else x, y


def _legend(places: Sequence[Place]) -> list[Patch]:
    return [
        Patch(
            facecolor=mpl.colors.to_rgba(colour, 0.35),
            edgecolor=colour,
            label=f"{folder}, {sum(place.folder == folder for place in places)} scenes",
        )
        for folder, colour in COLOURS.items()
    ]
