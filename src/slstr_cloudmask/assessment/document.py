"""An assessment as one document that JSON holds: what tables, files and pages are made of."""

from typing import Any

from slstr_cloudmask import __version__
from slstr_cloudmask.assessment.run import Assessment
from slstr_cloudmask.evaluation.pool import Pool
from slstr_cloudmask.evaluation.scatter import COVERAGE, DRAWS, SEED
from slstr_cloudmask.evaluation.strata import EVERYTHING
from slstr_cloudmask.evaluation.summary import (
    compare_masks_of,
    curves_of,
    meaning_of,
    summarise_pool,
)

REGIMES = tuple(("regime", name) for name in ("day", "twilight", "night"))


def make_document(result: Assessment, data: str) -> dict[str, Any]:
    """Make the document.

    Parameters
    ----------
    result
        Of `slstr_cloudmask.assessment.run.assess`.
    data
        What the scenes are called.

    Returns
    -------
    dict
        ``data`` and how many scenes were scored; ``scores``: a row for each label, stratum and
        mask; ``differences`` of every two masks;
        ``curves``; ``scenes``: counts and scores scene by scene; ``failed`` and ``left_out``, with
        reasons; ``unlabelled``, ``missing_labels`` and ``missing_masks``; ``labels``, what each
        means; ``intervals``, how they were made.
    """
    pool = result.pool
    return {
        "data": data,
        "scene_count": len(result.scenes),
        "slstr_cloudmask": __version__,
        "labels": {label: meaning_of(label) for label in pool.labels},
        "intervals": {"coverage": COVERAGE, "draws": DRAWS, "seed": SEED, "over": "scenes"},
        "scores": summarise_pool(pool),
        "differences": compare_masks_of(pool, (EVERYTHING, *REGIMES)),
        "curves": curves_of(pool, (EVERYTHING, *REGIMES)),
        "scenes": _scene_rows(pool),
        "missing_labels": result.missing_labels,
        "missing_masks": result.missing_masks,
        "unlabelled": result.unlabelled,
        "failed": result.failed,
        "left_out": [
            {"mask": mask, "scene": scene, "reason": why}
            for (mask, scene), why in result.left_out.items()
        ],
    }


def _scene_rows(pool: Pool) -> list[dict[str, Any]]:
    return [
        {"scene": scene, "mask": mask, "label": label, **counts.to_dict()}
        for label in pool.labels
        for mask in pool.masks(label)
        for scene, counts in pool[mask, label, EVERYTHING].counts.items()
    ]
