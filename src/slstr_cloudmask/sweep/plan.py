"""What a sweep is to do: which runs there are, by number.

    plan = make_plan("open", ["data.root=data", "batch_size=16,32", "repeat=1..3"])
    plan.runs                     # 6
    plan.content(5, {"batch_size": 32}, folder)  # the sixth run's configuration

A run's number says which point it tries and which repeat of it that is. The points of a grid are
known from the start; those of a search are asked for as it goes on (``study``).
"""

import random
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from slstr_cloudmask.benchmark.config import (
    BenchmarkConfig,
    apply_settings,
    full_key,
    load_recipe,
)
from slstr_cloudmask.errors import ConfigError
from slstr_cloudmask.sweep.objective import Objective, get_objective
from slstr_cloudmask.sweep.space import Space, parse_space, setting, split_settings
from slstr_cloudmask.validation import validated

OWN_KEYS = {"output_dir", "data.store", "model_dir", "masks_dir", "log_file", "mlperf_logfile"}
NOWHERE = Path("trial")  # output folder of a configuration that is only looked at
PATH_KEYS = ("train_dir", "inference_dir", "data.root", "data.store")


class SweepPlan(BaseModel):
    """What a sweep is to do.

    Attributes
    ----------
    recipe
        Name or path, as typed.
    settings, space
        What is fixed, and what is varied, as typed.
    trials
        Points to try; ``None`` tries all of a grid.
    seed
        Of the points that are drawn.
    objective, direction
        What makes a run good.
    prune
        Whether runs that are worse than most at the same epoch are stopped.
    study, storage
        Name of the study, and the URL of its database without the password; ``None`` for a file in
        the sweep's folder.
    base
        The configuration that the points change, whole.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format_version: int = 1
    recipe: str
    settings: tuple[str, ...] = ()
    space: tuple[str, ...] = ()
    trials: int | None = Field(default=None, ge=1)
    seed: int = Field(default=1, ge=0)
    objective: str = "validation_loss"
    direction: str | None = None
    prune: bool = False
    study: str = "sweep"
    storage: str | None = None
    base: dict[str, Any]

    @cached_property
    def parsed_space(self) -> Space:
        """The space, read."""
        return parse_space(self.space)

    @cached_property
    def goal(self) -> Objective:
        """The objective."""
        return get_objective(self.objective, self.direction)

    @property
    def points(self) -> int:
        """Number of points that are tried."""
        if not self.parsed_space.is_grid:
            return self.trials or 0
        return min(self.trials or self.parsed_space.points, self.parsed_space.points)

    @property
    def runs(self) -> int:
        """Number of runs: every point as often as it is repeated."""
        return self.points * len(self.parsed_space.repeats)

    @cached_property
    def _chosen(self) -> Sequence[int]:
        """The points of a grid that are tried, in order; with more trials the first ones stay."""
        everything = range(self.parsed_space.points)
        if self.trials is None:
            return everything
        return random.Random(self.seed).sample(everything, len(everything))[: self.trials]

    def point(self, number: int) -> dict[str, Any] | None:
        """Return the values of a run's point, or None where a search has yet to choose them."""
        if not self.parsed_space.is_grid:
            return None
        return self.parsed_space.point(self._chosen[number // len(self.parsed_space.repeats)])

    def repeat(self, number: int) -> int:
        """Return which repeat of its point a run is."""
        repeats = self.parsed_space.repeats
        return repeats[number % len(repeats)]

    def first_of(self, number: int) -> int:
        """Return the number of the run that is the first of the same point."""
        return number - number % len(self.parsed_space.repeats)

    def content(self, number: int, values: Mapping[str, Any], folder: Path) -> dict[str, Any]:
        """Return the configuration of one run, as fields of `BenchmarkConfig`.

        Parameters
        ----------
        number
            Of the run, from 0.
        values
            Of its point, by key.
        folder
            Its folder.
        """
        changed = apply_settings(
            {**self.base, "output_dir": str(folder)},
            [setting(key, value) for key, value in values.items()],
        )
        # The first repeat has the configuration's own seed, the second the next one.
        changed["train"]["seed"] += self.repeat(number) - 1
        config = validated(BenchmarkConfig, changed, f"trial {number + 1}")
        return config.model_dump(mode="json")


def make_plan(
    recipe: str,
    settings: Sequence[str],
    *,
    trials: int | None = None,
    seed: int = 1,
    objective: str = "validation_loss",
    direction: str | None = None,
    prune: bool | None = None,
    study: str = "sweep",
    storage: str | None = None,
) -> SweepPlan:
    """Plan a sweep, and try every value on the configuration before anything runs.

    Parameters
    ----------
    recipe
        Name of a recipe, or the path of a configuration file.
    settings
        ``key=value``, fixed or a space (see ``space``).
    trials, seed, objective, direction, study, storage
        See `SweepPlan`.
    prune
        By default a search prunes and a grid does not.

    Raises
    ------
    ConfigError
        A setting that is none, a key that is not known or not for a sweep, a value that cannot be,
        or a search without an end.
    """
    fixed, varied = split_settings(settings)
    space = parse_space(varied)
    if not space.is_grid and trials is None:
        raise ConfigError("A search between numbers has no end of its own: say --trials 20, say.")
    keys = {dimension.key: full_key(dimension.key) for dimension in space.dimensions}
    _check_keys(keys, space)
    base = load_recipe(recipe, fixed, output=NOWHERE).model_dump(mode="json")
    plan = SweepPlan(
        recipe=recipe,
        settings=tuple(fixed),
        space=tuple(varied),
        trials=trials,
        seed=seed,
        objective=objective,
        direction=direction,
        prune=not space.is_grid if prune is None else prune,
        study=study,
        storage=storage,
        base=_absolute(base),
    )
    _ = plan.goal
    for dimension in space.dimensions:
        for value in dimension.samples:
            plan.content(0, {dimension.key: value}, NOWHERE)
    return plan


def _check_keys(keys: Mapping[str, str], space: Space) -> None:
    full = list(keys.values())
    for typed, key in keys.items():
        if key in OWN_KEYS:
            raise ConfigError(f"{typed} is the sweep's own to set, and not to be varied.")
        if full.count(key) > 1:
            raise ConfigError(f"{key} is there twice: write its values in one setting.")
    if "train.seed" in full and len(space.repeats) > 1:
        raise ConfigError("repeat and seed both set the seed: leave one out.")


def _absolute(content: dict[str, Any]) -> dict[str, Any]:
    """Make folders independent of where the next command is typed."""
    for key in PATH_KEYS:
        section, _, name = key.rpartition(".")
        fields = content[section] if section else content
        if fields.get(name) is not None:
            fields[name] = str(Path(fields[name]).absolute())
    return content
