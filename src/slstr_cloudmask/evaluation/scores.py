"""Scores of masks against labels: overall, by day and night, and scene by scene.

A score always names its label: against ``bayes`` it is agreement with the provider's mask, against
``truth`` it is accuracy. Two readings of the share of right pixels are kept apart:

- ``valid pixels``: every pixel of all scenes that was seen and has a label, counted together;
- ``published``: the benchmark's own, the mean over scenes of the share over *every* pixel, empty
  borders included, where a pixel without a label is clear (mlcommons/science).
"""

import statistics
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import xarray as xr

from slstr_cloudmask.errors import InputError
from slstr_cloudmask.evaluation.counts import Counts
from slstr_cloudmask.flags import BoolArray
from slstr_cloudmask.scene import label as scene_label

LABEL_MEANING = {
    "bayes": "agreement with the provider's Bayesian mask",
    "truth": "accuracy against the simulated truth",
}


@dataclass(frozen=True, slots=True)
class SceneScore:
    """One mask of one scene against one label.

    Attributes
    ----------
    scene
        Name of the scene.
    part
        ``day`` or ``night``.
    mask
        Name of the detector that made the mask.
    label
        ``bayes`` or ``truth``.
    valid
        Counts over the pixels that were seen, where the mask has an answer.
    every
        Counts over every pixel; no label is clear and no answer is clear.
    unanswered
        Pixels with a label where the mask has no answer.
    """

    scene: str
    part: str
    mask: str
    label: str
    valid: Counts
    every: Counts
    unanswered: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return counts and scores of this scene, for a result file."""
        return {
            "scene": self.scene,
            "part": self.part,
            "mask": self.mask,
            "label": self.label,
            **self.valid.to_dict(),
            "published_accuracy": self.every.accuracy,
            "every_pixel": asdict(self.every),
            "unanswered": self.unanswered,
        }


def score_scene(
    scene: xr.Dataset,
    mask: xr.Dataset,
    *,
    name: str,
    part: str,
    detector: str,
    label: str,
    cloud_everywhere: BoolArray | None = None,
) -> SceneScore:
    """Score a Mask against a label of its Scene.

    Parameters
    ----------
    scene, mask
        On one grid.
    name, part
        Name of the scene, and ``day`` or ``night``.
    detector, label
        Names of what made the mask and of what it is scored against.
    cloud_everywhere
        What the published metric sees (rows, columns), where a mask is to answer for pixels that
        were not seen, as the reference does; by default those are clear.

    Raises
    ------
    MissingLabelError
        The scene holds no such label.
    InputError
        Mask and scene differ in shape.
    """
    labelled, known = scene_label(scene, label)
    cloud = mask["cloud_mask"].values
    if cloud.shape != labelled.shape:
        raise InputError(
            f"Mask and scene {name} do not fit: {cloud.shape} and {labelled.shape} pixels."
        )
    answered = cloud <= 1
    return SceneScore(
        scene=name,
        part=part,
        mask=detector,
        label=label,
        valid=Counts.of(cloud == 1, labelled, known & answered),
        every=Counts.of(cloud == 1 if cloud_everywhere is None else cloud_everywhere, labelled),
        unanswered=int(np.count_nonzero(known & ~answered)),
    )


def summarise(scores: Iterable[SceneScore]) -> list[dict[str, Any]]:
    """Gather scores into rows: every mask and label, over all scenes and by day and night.

    Each group of scenes closes with the trivial masks, all cloud and all clear, against the same
    label.

    Returns
    -------
    list of dict
        ``mask``, ``label``, ``meaning``, ``part``, ``scenes``, ``counts``, every score of
        `Counts`, ``accuracy_scene_mean`` and ``accuracy_scene_sd`` over scenes,
        ``published_accuracy`` and ``unanswered`` pixels.
    """
    every = list(scores)
    rows = []
    for label in _distinct(s.label for s in every):
        for part in ("all", "day", "night"):
            group = [s for s in every if s.label == label and part in ("all", s.part)]
            masks = _distinct(s.mask for s in group)
            rows += [_row(mask, [s for s in group if s.mask == mask], part) for mask in masks]
            if masks:
                rows += _trivial_rows([s for s in group if s.mask == masks[0]], part)
    return rows


def _trivial_rows(group: list[SceneScore], part: str) -> list[dict[str, Any]]:
    constant = {"all cloud": Counts.all_cloud, "all clear": Counts.all_clear}
    return [
        _row(
            name,
            [
                SceneScore(s.scene, s.part, name, s.label, make(s.valid), make(s.every))
                for s in group
            ],
            part,
        )
        for name, make in constant.items()
    ]


def _row(mask: str, group: list[SceneScore], part: str) -> dict[str, Any]:
    total = sum((s.valid for s in group), Counts())
    accuracies = [s.valid.accuracy for s in group if s.valid.total]
    return {
        "mask": mask,
        "label": group[0].label,
        "meaning": LABEL_MEANING.get(group[0].label, group[0].label),
        "part": part,
        "scenes": len(group),
        **total.to_dict(),
        "accuracy_scene_mean": statistics.fmean(accuracies) if accuracies else None,
        "accuracy_scene_sd": statistics.stdev(accuracies) if len(accuracies) > 1 else None,
        "published_accuracy": statistics.fmean(s.every.accuracy for s in group),
        "unanswered": sum(s.unanswered for s in group),
    }


def _distinct(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))
