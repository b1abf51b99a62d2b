"""Where the scenes of a data set lie: by the coordinates in their files, or by their names.

    places, unplaced = find_places(Path("data"))
    places = published_places()

The benchmark's own files hold no coordinates, but their names tell the orbit.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr

from slstr_cloudmask.errors import CloudMaskError
from slstr_cloudmask.io import BENCHMARK_SUFFIXES, open_scene
from slstr_cloudmask.io.benchmark_hdf import day_or_night
from slstr_cloudmask.io.find_scenes import find_scenes
from slstr_cloudmask.io.footprint import outline_pixels
from slstr_cloudmask.io.product_name import parse_product_name
from slstr_cloudmask.progress import track
from slstr_cloudmask.simulate.frame_outline import frame_outline, overpass_of
from slstr_cloudmask.simulate.orbit import Float64
from slstr_cloudmask.simulate.published_scenes import published_scenes

_NOT_PLACED = "the file holds no coordinates, and its name does not tell an orbit of Sentinel-3A"


@dataclass(frozen=True, slots=True)
class Place:
    """Outline of a scene, a closed ring in degrees, and its folder, ``day`` or ``night``."""

    folder: str
    latitude_deg: Float64
    longitude_deg: Float64


def published_places() -> list[Place]:
    """Outline the benchmark's 100 published test scenes."""
    return [
        Place("day" if scene.overpass.reflective else "night", *frame_outline(scene.overpass))
        for scene in published_scenes()
    ]


def find_places(root: Path) -> tuple[list[Place], dict[str, str]]:
    """Outline the scenes below a folder.

    Parameters
    ----------
    root
        A data set, or any folder of scenes.

    Returns
    -------
    list of Place, dict
        The outlines, and why, by path below ``root``, scenes have none.

    Raises
    ------
    MissingFileError
        There is no such folder, or no scene in it.
    """
    places: list[Place] = []
    unplaced: dict[str, str] = {}
    for path in track(find_scenes(root), "Placing scenes"):
        try:
            place = place_scene(path)
        except CloudMaskError as error:
            place, reason = None, str(error)
        else:
            reason = _NOT_PLACED
        if place is None:
            unplaced[path.relative_to(root).as_posix()] = reason
        else:
            places.append(place)
    return places, unplaced


def place_scene(path: Path) -> Place | None:
    """Outline a scene; None where nothing tells where it lies.

    Raises
    ------
    CloudMaskError
        The scene has to be read for that, and cannot be.
    """
    folder = path.parent.name
    if path.suffix.lower() not in BENCHMARK_SUFFIXES:
        scene = open_scene(path)
        return _by_coordinates(scene, day_or_night(path, scene))
    if folder not in ("day", "night"):
        folder = day_or_night(path, open_scene(path))
    name = parse_product_name(path)
    overpass = name and overpass_of(name, reflective=folder == "day")
    return Place(folder, *frame_outline(overpass)) if overpass else None


def _by_coordinates(scene: xr.Dataset, folder: str) -> Place | None:
    if not {"latitude", "longitude"} <= set(scene.coords):
        return None
    latitude, longitude = (scene[name].values for name in ("latitude", "longitude"))
    known = np.isfinite(latitude) & np.isfinite(longitude)
    if not known.any():
        return None
    pixels = outline_pixels(known)
    ring: Sequence[Float64] = [
        values[pixels].astype(np.float64) for values in (latitude, longitude)
    ]
    return Place(folder, *ring)
