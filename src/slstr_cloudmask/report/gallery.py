"""Many scenes at a glance: one self-contained page, a row of small pictures for each.

rows = [picture_file(path) for path in spread(find_scenes("data"), 24)]
write_gallery(rows, Path("gallery.html"), failed={})
"""

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import xarray as xr

from slstr_cloudmask.atomic import replacing
from slstr_cloudmask.io import open_scene
from slstr_cloudmask.report.gallery_panels import gallery_panels, shares
from slstr_cloudmask.report.page import PicturedScene, page_environment

PAGE_NAME = "gallery.html"

Item = TypeVar("Item")


def picture_scene(scene: xr.Dataset, *, name: str) -> PicturedScene:
    """Draw a scene's row, with time, place, shares of cloud and its name as title."""
    panels = gallery_panels(scene)
    pictures = {
        caption: f"data:image/png;base64,{base64.b64encode(png).decode()}"
        for caption, png in panels.items()
    }
    return PicturedScene(_title(scene, name), pictures)


def picture_file(path: Path) -> PicturedScene:
    """Read a scene and draw its row.

    Raises
    ------
    MissingFileError, BrokenFileError, InputError
        As `slstr_cloudmask.io.open_scene`.
    """
    return picture_scene(open_scene(path), name=path.name)


def spread(items: Sequence[Item], count: int) -> list[Item]:
    """Take at most ``count`` items, evenly from first to last."""
    if len(items) <= count:
        return list(items)
    return [items[place * len(items) // count] for place in range(count)]


def write_gallery(
    rows: Sequence[PicturedScene],
    path: Path,
    *,
    failed: Mapping[str, str],
    overwrite: bool = False,
) -> Path:
    """Write the page.

    Parameters
    ----------
    rows
        What `picture_scene` or `picture_file` made.
    path
        The page; or a folder for it, one that exists or a name without ``.html``.
    failed
        Why, by name, for scenes that could not be drawn.
    overwrite
        Replace a page that is there.

    Returns
    -------
    Path
        Where the page is.

    Raises
    ------
    OutputExistsError, WriteError
        As `slstr_cloudmask.atomic.replacing`.
    """
    path = page_path(path)
    text = page_environment().get_template("gallery.html.j2").render(rows=rows, failed=failed)
    with replacing(path, overwrite=overwrite) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return path


def page_path(path: Path) -> Path:
    """Name the page in a folder; a name with ``.html`` is the page itself."""
    is_page = path.suffix.lower() in (".html", ".htm") and not path.is_dir()
    return path if is_page else path / PAGE_NAME


def _title(scene: xr.Dataset, name: str) -> str:
    words = {"bayes": "flagged", "truth": "truly cloud"}
    parts = [str(scene.attrs.get("start_time", "")).replace("T", " ").replace("Z", " UTC")]
    if {"latitude", "longitude"} <= set(scene.coords):
        parts.append(_place(scene))
    parts += [f"{share:.0%} {words[label]}" for label, share in shares(scene).items()]
    return " · ".join(part for part in [*parts, name] if part)


def _place(scene: xr.Dataset) -> str:
    """Middle of the scene in words."""
    middle = {name: size // 2 for name, size in scene.sizes.items()}
    latitude, longitude = (
        float(scene[name].isel(middle).values) for name in ("latitude", "longitude")
    )
    north, east = "N" if latitude >= 0 else "S", "E" if longitude >= 0 else "W"
    return f"{abs(latitude):.1f}° {north}, {abs(longitude):.1f}° {east}"
