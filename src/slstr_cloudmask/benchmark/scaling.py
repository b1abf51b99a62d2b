"""Scaling of training and inference over ranks, measured on this machine.

    found = measure_scaling(plan_scaling(config, request, output), output)

Each rank count is one launch, and its answer is kept: a second run measures only what is missing.
A launch that fails is named, and the others go on.
"""

import logging
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ValidationError

from slstr_cloudmask.atomic import claim
from slstr_cloudmask.benchmark.scaling_launch import launch
from slstr_cloudmask.benchmark.scaling_plan import MEASURED_NAME, Plan
from slstr_cloudmask.benchmark.scaling_task import Answer, Measured, Task
from slstr_cloudmask.errors import BrokenFileError, ConfigError, InputError, WriteError

logger = logging.getLogger(__name__)


@dataclass
class Found:
    """What was measured, by the tasks' names; and which tasks failed, with the reason."""

    answers: dict[str, Answer] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    def answer(self, task: Task | None) -> Answer | None:
        """Return the answer to a task, None where there is none."""
        return self.answers.get(task.name) if task else None


def measure_scaling(plan: Plan, output: Path, *, overwrite: bool = False) -> Found:
    """Run the launches of a plan that have no answer yet.

    Parameters
    ----------
    plan
        What there is to measure.
    output
        The answers go to ``measured/`` in it.
    overwrite
        Measure everything again.

    Raises
    ------
    ConfigError
        Something was measured there with other settings.
    BrokenFileError
        An earlier answer cannot be read.
    OutputExistsError
        Another process measures there.
    WriteError
        The operating system refused to write.
    """
    folder, found = output / MEASURED_NAME, Found()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / ".lock").open("ab")
    except OSError as error:
        raise WriteError(f"Could not write to {folder}: {error.strerror}.") from error
    with lock:
        claim(lock, f"Another process measures into {output}: wait for it.")
        # All are looked at before the first is launched.
        kept = {task.name: None if overwrite else _kept(task, folder) for task in plan.tasks()}
        for task in plan.tasks():
            try:
                measured = kept[task.name] or _launched(task, folder)
            except InputError as error:
                logger.warning("Failed: %s", error)
                found.failed[str(task)] = str(error)
            else:
                found.answers[task.name] = measured.answer
    return found


def _launched(task: Task, folder: Path) -> Measured:
    logger.info("Measuring %s", task)
    measured = launch(task, folder)
    answer = measured.answer
    logger.info(
        "%s: %.4g s, %.4g a second",
        task,
        answer.median_seconds,
        answer.items / answer.median_seconds,
    )
    return measured


def _kept(task: Task, folder: Path) -> Measured | None:
    """Return the answer of an earlier run, None where there is none."""
    place = folder / f"{task.name}.json"
    if not place.is_file():
        return None
    try:
        measured = Measured.model_validate_json(place.read_bytes())
    except (OSError, ValidationError) as error:
        raise BrokenFileError(
            f"{place} cannot be read: {error}. Remove it, and it is measured again."
        ) from error
    old, new = measured.task.model_dump(mode="json"), task.model_dump(mode="json")
    if others := [key for key, value in new.items() if old[key] != value]:
        raise ConfigError(
            f"{place} was measured with another {' and '.join(others)}: choose another --output, "
            "or pass --overwrite to measure all again."
        )
    logger.info("%s was measured before", task)
    return measured
