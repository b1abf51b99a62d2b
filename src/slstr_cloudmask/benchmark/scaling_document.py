"""What was measured of scaling, in rows; and whether every number of ranks trained the same.

    document = compose_scaling(plan, found)
    same = document["same_function"]["same"]      # None where there is nothing to compare

Speed-up and efficiency are against the fewest ranks that were measured, taken as perfect.
"""

import math
from collections.abc import Mapping
from typing import Any

from slstr_cloudmask.benchmark.scaling import Found
from slstr_cloudmask.benchmark.scaling_plan import Plan
from slstr_cloudmask.benchmark.scaling_task import Answer, spread

WARM_UP = "the first epoch, or round through the scenes, of each launch; it counts for nothing"
# Largest difference of losses, as a share, that rounding explains: sums over pixels run in another
# order on every number of ranks. 2e-6 was seen in fp32 (`scaling_rank.CHECKED_STEPS`).
TOLERANCE = {"fp32": 1e-4, "bf16": 2e-2}


def compose_scaling(plan: Plan, found: Found) -> dict[str, Any]:
    """Return what was measured."""
    first = next(iter(plan.training.values()))
    shared = {"device", "machine", "threads", "repeats", "version", "train"}
    return {
        "settings": first.model_dump(mode="json", include=shared),
        "warm_up": WARM_UP,
        "training": training_rows(plan, found),
        "inference": inference_rows(plan, found),
        "all_reduce": all_reduce_rows(plan, found),
        "same_function": same_function(plan, found),
        "failed": found.failed,
    }


def training_rows(plan: Plan, found: Found) -> list[dict[str, Any]]:
    """Return a row for each mode and number of ranks that was measured."""
    rows: list[dict[str, Any]] = []
    bases: dict[str, dict[str, Any]] = {}
    for (mode, ranks), task in plan.training.items():
        if (answer := found.answer(task)) is None:
            continue
        row = {
            "mode": mode,
            "ranks": ranks,
            "batch_size": task.train.batch_size,
            "steps": answer.steps,
            "step_seconds": answer.step_seconds,
            "patches_per_second": answer.rate,
            "precision": answer.precision,
            "first_losses": answer.first_losses,
            "losses": answer.losses,
        }
        rows.append(_with_speed_up(row, answer, "patches_per_second", bases.setdefault(mode, row)))
    return rows


def inference_rows(plan: Plan, found: Found) -> list[dict[str, Any]]:
    """Return a row for each number of ranks that was measured."""
    rows: list[dict[str, Any]] = []
    for ranks, task in plan.inference.items():
        if (answer := found.answer(task)) is None:
            continue
        row = {
            "ranks": ranks,
            "scenes": answer.items,
            "scenes_per_second": answer.rate,
            "precision": answer.precision,
        }
        rows.append(_with_speed_up(row, answer, "scenes_per_second", rows[0] if rows else row))
    return rows


def _with_speed_up(
    row: dict[str, Any], answer: Answer, rate: str, base: Mapping[str, Any]
) -> dict[str, Any]:
    """Add times, and what more ranks than the base's bring."""
    speed_up = base["ranks"] * row[rate] / base[rate]
    row |= {
        "seconds": spread(answer.seconds),
        "warm_up_seconds": answer.warm_up_seconds,
        "speed_up": speed_up,
        "efficiency": speed_up / row["ranks"],
    }
    return row


def all_reduce_rows(plan: Plan, found: Found) -> list[dict[str, Any]]:
    """Return ranks, bytes and seconds of the all-reduces that were timed by themselves."""
    rows: dict[int, list[dict[str, Any]]] = {}
    for (_, ranks), task in plan.training.items():
        if (answer := found.answer(task)) is not None and answer.all_reduce:
            rows[ranks] = [{"ranks": ranks, **timed.model_dump()} for timed in answer.all_reduce]
    return [row for group in rows.values() for row in group]


def same_function(plan: Plan, found: Found) -> dict[str, Any]:
    """Compare the losses of strong scaling after a few steps with those on the fewest ranks.

    Weak scaling trains with another batch on every number of ranks, and so something else.

    Returns
    -------
    dict
        ``same`` (None without two to compare), ``tolerance``, and ``differences``: the largest, as
        a share, by number of ranks.
    """
    measured = [
        (task, answer)
        for (mode, _), task in plan.training.items()
        if mode == "strong" and (answer := found.answer(task)) is not None
    ]
    if len(measured) < 2:
        return {"same": None, "tolerance": None, "differences": {}}
    (_, first), *others = measured
    tolerance = TOLERANCE[first.precision]
    differences = {str(task.ranks): _difference(first, answer) for task, answer in others}
    same = all(difference <= tolerance for difference in differences.values())
    return {
        "same": same,
        "against_ranks": measured[0][0].ranks,
        "tolerance": tolerance,
        "differences": differences,
    }


def _difference(first: Answer, other: Answer) -> float:
    """Return the larger difference of two runs' first losses, as a share of the first's."""
    pairs = zip(first.first_losses or (), other.first_losses or (), strict=True)
    return max(abs(a - b) / max(abs(a), math.ulp(0.0)) for a, b in pairs)
