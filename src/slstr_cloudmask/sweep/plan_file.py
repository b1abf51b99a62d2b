"""``SWEEP/sweep.yaml``: the plan of a sweep, written, read, and kept to.

plan = settle_plan(folder, make_plan("open", settings))   # begins, or goes on with the same
plan = settle_plan(folder, None)                          # goes on with what is there
"""

from pathlib import Path

import yaml

from slstr_cloudmask.atomic import write_bytes
from slstr_cloudmask.errors import BrokenFileError, ConfigError, MissingFileError
from slstr_cloudmask.sweep.plan import SweepPlan
from slstr_cloudmask.validation import validated

PLAN_NAME = "sweep.yaml"


def write_plan(plan: SweepPlan, folder: Path) -> None:
    """Write ``sweep.yaml``, whole or not at all."""
    content = yaml.safe_dump(plan.model_dump(mode="json"), sort_keys=False)
    write_bytes(folder / PLAN_NAME, content.encode(), overwrite=True)


def is_sweep(folder: Path) -> bool:
    """Whether a folder is that of a sweep."""
    return (folder / PLAN_NAME).is_file()


def read_plan(folder: Path) -> SweepPlan:
    """Read the plan of a sweep.

    Raises
    ------
    MissingFileError
        No sweep there.
    BrokenFileError
        The plan cannot be read.
    """
    path = folder / PLAN_NAME
    if not path.is_file():
        raise MissingFileError(f"{folder} is no sweep: it has no {PLAN_NAME}.")
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        return validated(SweepPlan, content, str(path))
    except (yaml.YAMLError, UnicodeDecodeError, ConfigError) as error:
        raise BrokenFileError(f"{path} cannot be read: {error}") from error


def settle_plan(folder: Path, asked: SweepPlan | None) -> SweepPlan:
    """Return the plan of a folder: the one that is there, or the one asked for, written down.

    A sweep goes on with more ``trials``, and with or without pruning; nothing else may change.

    Raises
    ------
    MissingFileError
        None is there and none is asked for.
    ConfigError
        The folder is of another sweep.
    """
    if asked is None:
        return read_plan(folder)
    if is_sweep(folder):
        there = read_plan(folder)
        may_change = {"trials", "prune"}
        old, new = (plan.model_dump(mode="json", exclude=may_change) for plan in (there, asked))
        if others := [key for key in old if old[key] != new[key]]:
            raise ConfigError(
                f"{folder} holds a sweep with another {others[0]}: choose another --output, or say "
                "only --output to go on with it."
            )
        if asked.points < there.points:
            raise ConfigError(
                f"{folder} holds a sweep of {there.points} points, and {asked.points} are asked "
                "for: expected as many or more."
            )
        # The order of the points stays that of the first command: all in turn, or drawn.
        trials = None if there.trials is None else asked.points
        asked = asked.model_copy(update={"trials": trials})
    write_plan(asked, folder)
    return asked
