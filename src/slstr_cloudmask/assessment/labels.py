"""What masks are scored against: a label of the scene, points, or images of labels.

    sources = name_labels(["truth", "points.csv"], ...)

Which of them it is stands beside every score: ``truth`` is accuracy, ``bayes`` and
``summary_cloud`` are agreement with a provider, and labels by people or lidar are called by the
name of their file.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import xarray as xr

from slstr_cloudmask.errors import InputError
from slstr_cloudmask.evaluation.pool import Labelled
from slstr_cloudmask.scene import label

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


@dataclass(frozen=True, slots=True)
class SceneLabel:
    """A label that scenes carry."""

    name: str

    def find(self, path: Path, scene: xr.Dataset) -> Labelled | None:
        """Return the scene's label, if it has it."""
        return Labelled(*label(scene, self.name)) if self.name in scene else None


def name_labels(names: Sequence[str]) -> tuple[LabelSource, ...]:
    """Read what is scored against.

    Raises
    ------
    InputError
        None was named, or one is unknown.
    """
    if not names:
        raise InputError(f"There is nothing to score against: name {', '.join(SCENE_LABELS)}.")
    for name in names:
        if name not in SCENE_LABELS:
            raise InputError(f"Unknown label {name!r}: expected any of {', '.join(SCENE_LABELS)}.")
    return tuple(SceneLabel(name) for name in dict.fromkeys(names))
