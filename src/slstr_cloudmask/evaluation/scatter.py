"""How sure a score is, and whether two masks differ: statistics over scenes.

    interval = bootstrap(pooled.counts, lambda counts: counts.kuipers)
    difference = compare_scenes(ours.counts, theirs.counts, lambda counts: counts.kuipers)

Pixels of a scene are alike, so what counts as one observation is a scene. Scenes are drawn with
replacement, their counts added, and the score taken of the sum, as it is of all of them. Every
draw comes from one seed: the same scenes give the same numbers.
"""

import math
import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import numpy as np
import numpy.typing as npt

from slstr_cloudmask.evaluation.calibration import Sums
from slstr_cloudmask.evaluation.counts import Counts, score_many

DRAWS = 1000
SEED = 0
COVERAGE = 0.95
# A score that is not defined in more of the draws than this has no interval.
UNDEFINED_SHARE = 0.05

ScoreOf = Callable[[Counts], float]
SceneCounts = Mapping[str, Counts]
Table = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Interval:
    """Where a score lies with a confidence of 95 %, NaN where that cannot be said."""

    low: float
    high: float

    def to_list(self) -> list[float] | None:
        """Return both ends, or None."""
        return None if math.isnan(self.low) else [self.low, self.high]


@dataclass(frozen=True, slots=True)
class Difference:
    """A score of one mask less that of another, on the same scenes.

    Attributes
    ----------
    value, interval
        The difference of the pooled scores, and where it lies.
    p_value
        How often as large a difference comes about where in each scene the two are exchanged by
        chance (two-sided, sign-flip permutation); NaN where it is not defined.
    scenes
        How many both have masked.
    """

    value: float
    interval: Interval
    p_value: float
    scenes: int

    def to_dict(self) -> dict[str, Any]:
        """Return it for a file; ``None`` where not defined."""
        return {
            "difference": None if math.isnan(self.value) else self.value,
            "interval": self.interval.to_list(),
            "p_value": None if math.isnan(self.p_value) else self.p_value,
            "scenes": self.scenes,
        }


def bootstrap(
    scenes: SceneCounts, score: ScoreOf, *, draws: int = DRAWS, seed: int = SEED
) -> Interval:
    """Find the interval of a pooled score by drawing scenes (Efron 1979, percentiles)."""
    return intervals(scenes, {"": score}, draws=draws, seed=seed)[""]


def intervals(
    scenes: SceneCounts, scores: Mapping[str, ScoreOf], *, draws: int = DRAWS, seed: int = SEED
) -> dict[str, Interval]:
    """Find the intervals of several scores, as `bootstrap`, of the same draws."""
    of_sums = {name: partial(score_many, score=score) for name, score in scores.items()}
    return _intervals(_table(scenes.values()), of_sums, draws, seed)


def sums_intervals(
    scenes: Mapping[str, Sums],
    scores: Mapping[str, Callable[[Sums], Sums]],
    *,
    draws: int = DRAWS,
    seed: int = SEED,
) -> dict[str, Interval]:
    """Find the intervals of scores of probabilities, which are of sums, by the same draws."""
    table = np.stack(list(scenes.values())) if scenes else np.empty((0, 1))
    return _intervals(table, scores, draws, seed)


@dataclass(frozen=True, slots=True)
class Macro:
    """A score's mean over scenes.

    Attributes
    ----------
    mean, deviation
        Of the scenes where it is defined, and their standard deviation.
    interval
        Where the mean lies, by drawing scenes.
    scenes
        In how many it is defined.
    """

    mean: float
    deviation: float
    interval: Interval
    scenes: int


def macro(scenes: SceneCounts, score: ScoreOf, *, draws: int = DRAWS, seed: int = SEED) -> Macro:
    """Find the mean over the scenes where a score is defined, and its scatter."""
    values = [value for counts in scenes.values() if not math.isnan(value := score(counts))]
    means = _drawn(np.array(values), draws, seed) / max(1, len(values))
    return Macro(
        statistics.fmean(values) if values else math.nan,
        statistics.stdev(values) if len(values) > 1 else math.nan,
        _interval(means),
        len(values),
    )


def cloud_fraction_rmse(scenes: SceneCounts) -> float:
    """Root mean square over scenes of how far a mask's cloud fraction is from the label's."""
    errors = [counts.cloud_fraction_bias for counts in scenes.values() if counts.total]
    return math.sqrt(statistics.fmean(e * e for e in errors)) if errors else math.nan


def compare_scenes(
    first: SceneCounts,
    second: SceneCounts,
    score: ScoreOf,
    *,
    draws: int = DRAWS,
    seed: int = SEED,
) -> Difference:
    """Tell whether a mask scores higher than another, on the scenes that both have.

    Parameters
    ----------
    first, second
        Counts by scene.
    score
        Of counts.
    draws
        Of the bootstrap, and of the permutation.
    seed
        Of both.
    """
    names = [name for name in first if name in second]
    ours, theirs = (_table(counts[name] for name in names) for counts in (first, second))
    value = score(sum((first[name] for name in names), Counts())) - score(
        sum((second[name] for name in names), Counts())
    )
    one, other = (score_many(_drawn(table, draws, seed), score) for table in (ours, theirs))
    interval = _interval(one - other)
    return Difference(
        value, interval, _p_value(ours, theirs, score, value, draws, seed), len(names)
    )


def _p_value(
    ours: Table, theirs: Table, score: ScoreOf, found: float, draws: int, seed: int
) -> float:
    if math.isnan(found):
        return math.nan
    exchanged = np.random.default_rng(seed).integers(0, 2, (draws, len(ours))) @ (theirs - ours)
    one = score_many(ours.sum(axis=0) + exchanged, score)
    other = score_many(theirs.sum(axis=0) - exchanged, score)
    smaller = np.abs(one - other) < abs(found) * (1 - 1e-9)  # NaN counts against it
    # What was found is one of the draws.
    return float(1 + np.count_nonzero(~smaller)) / (1 + draws)


def _intervals(
    table: npt.NDArray[Any], scores: Mapping[str, Callable[..., Any]], draws: int, seed: int
) -> dict[str, Interval]:
    """Take scores of what the draws of a table (scenes, sums) add up to."""
    sums = _drawn(table, draws, seed)
    return {name: _interval(score(sums)) for name, score in scores.items()}


def _table(counts: Any) -> Table:
    rows = [(c.tp, c.fp, c.tn, c.fn) for c in counts]
    return np.array(rows, np.int64).reshape(len(rows), 4)


def _drawn(table: npt.NDArray[Any], draws: int, seed: int) -> npt.NDArray[Any]:
    """Draw as many scenes as there are, with replacement, and add them; nothing of one scene."""
    number = len(table)
    if number < 2:
        return table[:0]
    return np.asarray(_weights(number, draws, seed) @ table)


@lru_cache(maxsize=64)  # of one evaluation few numbers of scenes are drawn from, thousands of times
def _weights(number: int, draws: int, seed: int) -> npt.NDArray[np.int64]:
    """How often each draw takes each scene."""
    shares = np.full(number, 1.0 / number)
    return np.random.default_rng(seed).multinomial(number, shares, draws)


def _interval(values: npt.NDArray[np.float64]) -> Interval:
    defined = values[np.isfinite(values)]
    if not defined.size or defined.size < (1 - UNDEFINED_SHARE) * values.size:
        return Interval(math.nan, math.nan)
    outside = (1 - COVERAGE) / 2
    low, high = np.quantile(defined, [outside, 1 - outside])
    return Interval(float(low), float(high))
