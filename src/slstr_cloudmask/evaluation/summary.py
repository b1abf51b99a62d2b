"""A `Pool` as rows for tables, files and pages.

    rows = summarise_pool(pool)
    pairs = compare_masks_of(pool)

A score that is not defined is ``None``, never 0. A row names its label and what the label means.
"""

import math
from itertools import combinations
from typing import Any

from slstr_cloudmask.evaluation.calibration import brier_of, calibration_error_of
from slstr_cloudmask.evaluation.counts import SCORES
from slstr_cloudmask.evaluation.curves import Curves
from slstr_cloudmask.evaluation.pool import TRIVIAL, Pool, Pooled
from slstr_cloudmask.evaluation.scatter import (
    DRAWS,
    SEED,
    cloud_fraction_rmse,
    compare_scenes,
    intervals,
    macro,
    sums_intervals,
)
from slstr_cloudmask.evaluation.scores import LABEL_MEANING
from slstr_cloudmask.evaluation.strata import EVERYTHING, Stratum

# Of which an interval and the mean over scenes are told.
MAIN_SCORES = (
    "accuracy",
    "kuipers",
    "recall",
    "false_detection_rate",
    "f1",
    "iou_clear",
    "mcc",
    "cloud_fraction_bias",
)
SCORES_OF_SUMS = {"brier": brier_of, "calibration_error": calibration_error_of}
COMPARED_SCORES = ("kuipers", "accuracy")
LABELLED_BY_OTHERS = "accuracy against labels by people or lidar"


def meaning_of(label: str) -> str:
    """Return what a score against a label is: accuracy, or agreement with whom."""
    return LABEL_MEANING.get(label, f"{LABELLED_BY_OTHERS} ({label})")


def summarise_pool(pool: Pool, *, draws: int = DRAWS, seed: int = SEED) -> list[dict[str, Any]]:
    """Gather a pool into rows: every label, stratum and mask.

    Each group closes with the trivial masks, all cloud and all clear, where the mask that
    answered most did.

    Returns
    -------
    list of dict
        ``label``, ``meaning``, ``by``, ``stratum``, ``mask``, ``trivial``, ``scenes``,
        ``unanswered``, ``counts``, every score of `Counts`, of `Reliability` and of `Curves`;
        ``intervals`` (95 %, over scenes), ``scene_mean`` with ``scene_mean_interval`` and
        ``scene_sd`` by score, and ``cloud_fraction_rmse``.
    """
    return [
        {
            "label": label,
            "meaning": meaning_of(label),
            "by": stratum[0],
            "stratum": stratum[1],
            "mask": mask,
            "trivial": mask in TRIVIAL,
            **_row(pooled, draws, seed),
        }
        for label, stratum, group in pool.groups()
        for mask, pooled in group.items()
    ]


def _row(pooled: Pooled, draws: int, seed: int) -> dict[str, Any]:
    main = {name: SCORES[name] for name in MAIN_SCORES}
    found = intervals(pooled.counts, main, draws=draws, seed=seed)
    found |= sums_intervals(pooled.sums, SCORES_OF_SUMS, draws=draws, seed=seed)
    means = {
        name: macro(pooled.counts, score, draws=draws, seed=seed) for name, score in main.items()
    }
    return {
        "scenes": len(pooled.counts),
        "pixels": pooled.total.total,
        "unanswered": pooled.unanswered,
        **pooled.total.to_dict(),
        "cloud_fraction_rmse": _defined(cloud_fraction_rmse(pooled.counts)),
        **pooled.reliability.scores(),
        **Curves.of(pooled.reliability).scores(),
        "intervals": {name: interval.to_list() for name, interval in found.items()},
        "scene_mean": {name: _defined(of.mean) for name, of in means.items()},
        "scene_mean_interval": {name: of.interval.to_list() for name, of in means.items()},
        "scene_sd": {name: _defined(of.deviation) for name, of in means.items()},
    }


def compare_masks_of(
    pool: Pool,
    strata: tuple[Stratum, ...] = (EVERYTHING,),
    *,
    draws: int = DRAWS,
    seed: int = SEED,
) -> list[dict[str, Any]]:
    """Compare every two masks on the scenes that both have masked.

    Returns
    -------
    list of dict
        ``label``, ``by``, ``stratum``, ``first``, ``second``, ``score`` and what `Difference`
        tells: the first's score less the second's.
    """
    return [
        {
            "label": label,
            "by": stratum[0],
            "stratum": stratum[1],
            "first": first,
            "second": second,
            "score": name,
            **compare_scenes(
                pool[first, label, stratum].counts,
                pool[second, label, stratum].counts,
                SCORES[name],
                draws=draws,
                seed=seed,
            ).to_dict(),
        }
        for label in pool.labels
        for stratum in strata
        for first, second in combinations(pool.masks(label), 2)
        for name in COMPARED_SCORES
    ]


def curves_of(pool: Pool, strata: tuple[Stratum, ...]) -> list[dict[str, Any]]:
    """Return the points of the curves and the bins of reliability, of every label and mask."""
    return [
        {
            "label": label,
            "by": stratum[0],
            "stratum": stratum[1],
            "mask": mask,
            "calibration": pooled.reliability.to_dict(),
            "points": Curves.of(pooled.reliability).points(),
        }
        for label, stratum, group in pool.groups()
        for mask, pooled in group.items()
        if stratum in strata and mask not in TRIVIAL and pooled.reliability.total
    ]


def _defined(value: float) -> float | None:
    return None if math.isnan(value) else value
