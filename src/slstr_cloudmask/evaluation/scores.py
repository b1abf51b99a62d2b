"""Scores of masks against labels: overall, by day and night, and scene by scene.

A score always names its label: against ``bayes`` it is agreement with the provider's mask, against
``truth`` it is accuracy. Two readings of the share of right pixels are kept apart:

- ``valid pixels``: every pixel of all scenes that was seen and has a label, counted together;
- ``published``: the benchmark's own, the mean over scenes of the share over *every* pixel, empty
  borders included, where a pixel without a label is clear (mlcommons/science).
"""

import itertools
import statistics
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import xarray as xr

from slstr_cloudmask.errors import InputError
from slstr_cloudmask.evaluation.calibration import Reliability
from slstr_cloudmask.evaluation.counts import Counts
from slstr_cloudmask.flags import BoolArray
from slstr_cloudmask.scene import label as scene_label

LABEL_MEANING = {
    "bayes": "agreement with the provider's Bayesian mask",
    "truth": "accuracy against the simulated truth",
    "summary_cloud": "agreement with the operational summary flag",
}
PARTS = ("all", "day", "night")


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
    reliability
        Sums of the mask's probability against the label, over the pixels of ``valid``.
    """

    scene: str
    part: str
    mask: str
    label: str
    valid: Counts
    every: Counts
    unanswered: int = 0
    reliability: Reliability = field(default_factory=Reliability)

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
            **self.reliability.scores(),
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
    valid = known & answered
    return SceneScore(
        scene=name,
        part=part,
        mask=detector,
        label=label,
        valid=Counts.of(cloud == 1, labelled, valid),
        every=Counts.of(cloud == 1 if cloud_everywhere is None else cloud_everywhere, labelled),
        unanswered=int(np.count_nonzero(known & ~answered)),
        reliability=Reliability.of(mask["cloud_probability"].values, labelled, valid),
    )


def calibrate(scores: Iterable[SceneScore]) -> list[dict[str, Any]]:
    """Gather how far probabilities mean what they say: every mask, label and part of day.

    Returns
    -------
    list of dict
        ``mask``, ``label``, ``meaning``, ``part`` and the scores and bins of `Reliability`.
    """
    every = list(scores)
    rows = []
    for label, part in itertools.product(_distinct(s.label for s in every), PARTS):
        group = [s for s in every if s.label == label and part in ("all", s.part)]
        for mask in _distinct(s.mask for s in group):
            total = sum((s.reliability for s in group if s.mask == mask), Reliability())
            meaning = LABEL_MEANING.get(label, label)
            names = {"mask": mask, "label": label, "meaning": meaning, "part": part}
            rows.append({**names, **total.to_dict()})
    return rows


def summarise(scores: Iterable[SceneScore]) -> list[dict[str, Any]]:
    """Gather scores into rows: every mask and label, over all scenes and by day and night.

    Each group of scenes closes with the trivial masks, all cloud and all clear, against the same
    label.

    Returns
    -------
    list of dict
        ``mask``, ``label``, ``meaning``, ``part``, ``scenes``, ``counts``, every score of
        `Counts`, ``accuracy_scene_mean`` and ``accuracy_scene_sd`` over scenes,
        ``published_accuracy`` and ``unanswered`` pixels; ``brier``, ``brier_skill`` and
        ``calibration_error`` of its probabilities.
    """
    every = list(scores)
    rows = []
    for label in _distinct(s.label for s in every):
        for part in PARTS:
            group = [s for s in every if s.label == label and part in ("all", s.part)]
            masks = _distinct(s.mask for s in group)
            rows += [_row(mask, [s for s in group if s.mask == mask], part) for mask in masks]
            if masks:
                rows += _trivial_rows([s for s in group if s.mask == masks[0]], part)
    return rows


def _trivial_rows(group: list[SceneScore], part: str) -> list[dict[str, Any]]:
    constants = {"all cloud": (Counts.all_cloud, 1.0), "all clear": (Counts.all_clear, 0.0)}
    return [
        _row(name, [_constant(s, name, make, probability) for s in group], part)
        for name, (make, probability) in constants.items()
    ]


def _constant(
    score: SceneScore, name: str, make: Callable[[Counts], Counts], probability: float
) -> SceneScore:
    valid = make(score.valid)
    return SceneScore(
        scene=score.scene,
        part=score.part,
        mask=name,
        label=score.label,
        valid=valid,
        every=make(score.every),
        reliability=Reliability.constant(
            probability, cloud=valid.tp + valid.fn, clear=valid.fp + valid.tn
        ),
    )


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
        **sum((s.reliability for s in group), Reliability()).scores(),
    }


def _distinct(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))
