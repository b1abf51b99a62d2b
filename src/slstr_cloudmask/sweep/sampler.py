"""A sweep's space in Optuna's words, and who draws its points.

A trial's number decides what it tries: a point of the grid, or the point of the trial whose repeat
it is. Only the first run of a search's point is drawn: by TPE, seeded with the number, so that a
sweep that is taken up again draws what it would have drawn.
"""

import json
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from slstr_cloudmask.extras import require
from slstr_cloudmask.sweep.space import Dimension, Space

EXTRA = "sweep"


def distributions(space: Space) -> dict[str, Any]:
    """Return Optuna's distributions by key."""
    return {dimension.key: _distribution(dimension) for dimension in space.dimensions}


def typed_values(space: Space, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values as Optuna keeps them: of lists, what is no plain value is its JSON."""
    lists = {dimension.key for dimension in space.dimensions if dimension.low is None}
    return {key: _label(value) if key in lists else value for key, value in values.items()}


def suggest(trial: Any, space: Space) -> dict[str, Any]:
    """Ask one of Optuna's trials for its point, as values of the space."""
    return {dimension.key: _suggested(trial, dimension) for dimension in space.dimensions}


def given_sampler(given: Mapping[str, Any]) -> Any:
    """Return a sampler that has nothing to draw: Optuna's values of the point are given."""
    samplers = require("optuna.samplers", extra=EXTRA)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "experimental", since 2020
        return samplers.PartialFixedSampler(dict(given), samplers.RandomSampler())


def drawing_sampler(seed: int, number: int) -> Any:
    """Return the sampler that draws the point of one trial."""
    state = np.random.SeedSequence([seed, number]).generate_state(1)
    return require("optuna.samplers", extra=EXTRA).TPESampler(seed=int(state[0]))


def _distribution(dimension: Dimension) -> Any:
    optuna = require("optuna.distributions", extra=EXTRA)
    if dimension.low is None:
        return optuna.CategoricalDistribution([_label(value) for value in dimension.values])
    kind = optuna.IntDistribution if dimension.is_integer else optuna.FloatDistribution
    return kind(dimension.low, _high(dimension), **_shape(dimension))


def _suggested(trial: Any, dimension: Dimension) -> Any:
    if dimension.low is None:
        labels = {_label(value): value for value in dimension.values}
        return labels[trial.suggest_categorical(dimension.key, list(labels))]
    draw = trial.suggest_int if dimension.is_integer else trial.suggest_float
    value = draw(dimension.key, dimension.low, _high(dimension), **_shape(dimension))
    # Of a range with steps, the number as it was typed and not as it was added up.
    return min(dimension.values, key=lambda one: abs(one - value)) if dimension.values else value


def _shape(dimension: Dimension) -> dict[str, Any]:
    if dimension.log:
        return {"log": True}
    return {} if dimension.step is None else {"step": dimension.step}


def _high(dimension: Dimension) -> Any:
    """Return the end of a range: the last of its steps."""
    return dimension.values[-1] if dimension.values else dimension.high


def _label(value: Any) -> Any:
    plain = value is None or isinstance(value, bool | int | float | str)
    return value if plain else json.dumps(value, default=str)
