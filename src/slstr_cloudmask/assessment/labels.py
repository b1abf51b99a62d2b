"""What masks are scored against: a label of the scene, points, or images of labels.

    sources = name_labels(["truth", "lidar=points.csv", "drawn/"], LabelOptions(max_km=1.5))

Which of them it is stands beside every score: ``truth`` is accuracy, ``bayes`` and
``summary_cloud`` are agreement with a provider, and labels by people or lidar are called by the
name of their file or folder, or as one likes: NAME=PATH.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Protocol

import numpy as np
import xarray as xr

from slstr_cloudmask.errors import InputError
from slstr_cloudmask.evaluation.pool import Labelled
from slstr_cloudmask.evaluation.strata import depth_strata
from slstr_cloudmask.flags import UNKNOWN
from slstr_cloudmask.io.image_file import SUFFIXES as IMAGE_SUFFIXES
from slstr_cloudmask.io.image_file import read_image
from slstr_cloudmask.io.label_image import labels_of
from slstr_cloudmask.io.label_points import LabelPoints
from slstr_cloudmask.io.label_table import SUFFIXES as TABLE_SUFFIXES
from slstr_cloudmask.io.label_table import read_label_points
from slstr_cloudmask.scene import label, valid_pixels

logger = logging.getLogger(__name__)

SCENE_LABELS = ("truth", "bayes", "summary_cloud")
DEFAULT_LABELS = ("truth", "bayes")


class LabelSource(Protocol):
    """Something that knows of cloud in scenes."""

    @property
    def name(self) -> str:
        """What its scores are called."""
        ...

    def find(self, path: Path, scene: xr.Dataset) -> Labelled | None:
        """Return what it knows of a scene, None where that is nothing."""
        ...

    def nowhere(self) -> str:
        """Say in words that it knew of no scene, and why that may be."""
        ...


@dataclass(frozen=True)
class LabelOptions:
    """How labels by others are read and placed.

    Attributes
    ----------
    columns
        Name of a table's column by what it holds.
    label_map
        ``clear``, ``cloud`` or ``unknown`` by what a label is called.
    max_km, max_minutes
        How far a point may be from a pixel, and from the scene's time.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    label_map: Mapping[str, str] = field(default_factory=dict)
    max_km: float = 2.0
    max_minutes: float = 15.0


@dataclass(frozen=True, slots=True)
class SceneLabel:
    """A label that scenes carry."""

    name: str

    def find(self, path: Path, scene: xr.Dataset) -> Labelled | None:
        """Return the scene's label, if it has it."""
        return Labelled(*label(scene, self.name)) if self.name in scene else None

    def nowhere(self) -> str:
        """Say that no scene carries it."""
        return f"no scene carries the label {self.name!r}"


@dataclass(frozen=True)
class PointLabels:
    """A table of points."""

    name: str
    path: Path
    options: LabelOptions

    def find(self, path: Path, scene: xr.Dataset) -> Labelled | None:
        """Return the points that lie in the scene, each at its nearest pixel."""
        if not {"latitude", "longitude"} <= set(scene.coords):
            logger.warning("%s has no latitude and longitude: no point is placed in it", path.name)
            return None
        points = _points(self)
        options = self.options
        near, places = points.pixels(scene, max_km=options.max_km, max_minutes=options.max_minutes)
        if not near.size:
            return None
        cloud, depth = points.cloud[near], points.optical_depth[near]
        known = (cloud != UNKNOWN) & valid_pixels(scene)[places]
        strata = depth_strata(depth) if np.isfinite(depth).any() else {}
        return Labelled(cloud == 1, known, places, strata)

    def nowhere(self) -> str:
        """Say where its points lie."""
        return (
            f"none of {self.path} ({_points(self).extent()}) lies within "
            f"{self.options.max_km:g} km and {self.options.max_minutes:g} minutes of a scene; "
            "--max-km and --max-minutes widen that"
        )


@cache
def _points_of(
    path: Path, columns: tuple[tuple[str, str], ...], words: tuple[tuple[str, str], ...]
) -> LabelPoints:
    return read_label_points(path, columns=dict(columns), label_map=dict(words))


def _points(source: PointLabels) -> LabelPoints:
    options = source.options
    return _points_of(source.path, tuple(options.columns.items()), tuple(options.label_map.items()))


@dataclass(frozen=True)
class ImageLabels:
    """An image of labels for each scene, or a map that holds several."""

    name: str
    path: Path
    options: LabelOptions

    def find(self, path: Path, scene: xr.Dataset) -> Labelled | None:
        """Return the labels of the scene's image, if there is one with a label in it."""
        file = self._file_of(path)
        if file is None:
            return None
        image = read_image(file)
        codes = labels_of(image, scene, label_map=self.options.label_map)
        known = (codes != UNKNOWN) & valid_pixels(scene)
        return Labelled(codes == 1, known) if known.any() else None

    def _file_of(self, scene: Path) -> Path | None:
        """Find the image whose name begins with the scene's; a map may be called anything."""
        if self.path.is_file():
            named = self.path.name.startswith(scene.stem)
            return self.path if named or read_image(self.path).is_map else None
        found = sorted(
            path
            for path in self.path.rglob("*")
            if path.name.startswith(scene.stem) and path.suffix.lower() in IMAGE_SUFFIXES
        )
        return found[0] if found else None

    def nowhere(self) -> str:
        """Say how images are found."""
        return (
            f"{self.path} labels no pixel of any scene: an image is called as its scene, with "
            f"{', '.join(IMAGE_SUFFIXES)}, or is a GeoTIFF with a reference system"
        )


def name_labels(
    names: Sequence[str], options: LabelOptions | None = None
) -> tuple[LabelSource, ...]:
    """Read what is scored against.

    Parameters
    ----------
    names
        Each one of `SCENE_LABELS`, or a table of points (``.csv``, ``.parquet``), an image of
        labels or a folder of them, also as NAME=PATH.
    options
        Of labels by others.

    Raises
    ------
    InputError
        None was named, one is unknown, or two have one name. A table that cannot be used is
        refused as `slstr_cloudmask.io.label_table.read_label_points` does.
    """
    if not names:
        raise InputError(f"There is nothing to score against: name any of {_expected()}.")
    sources = [_source(name, options or LabelOptions()) for name in dict.fromkeys(names)]
    called = [source.name for source in sources]
    if twice := {name for name in called if called.count(name) > 1}:
        raise InputError(f"Two labels are called {min(twice)!r}: name them NAME=PATH.")
    return tuple(sources)


def _source(word: str, options: LabelOptions) -> LabelSource:
    if word in SCENE_LABELS:
        return SceneLabel(word)
    name, equals, text = word.partition("=")
    path = Path(text if equals else word)
    name = name if equals else path.name
    if path.suffix.lower() in TABLE_SUFFIXES:
        source = PointLabels(name, path, options)
        _points(source)  # what is wrong with it is said before any scene is read
        return source
    if name in SCENE_LABELS or not (
        path.is_dir() or (path.is_file() and path.suffix.lower() in IMAGE_SUFFIXES)
    ):
        raise InputError(f"Unknown label {word!r}: expected any of {_expected()}.")
    return ImageLabels(name, path, options)


def _expected() -> str:
    files = ", ".join((*TABLE_SUFFIXES, *IMAGE_SUFFIXES))
    return f"{', '.join(SCENE_LABELS)}, or a file or folder of labels ({files})"
