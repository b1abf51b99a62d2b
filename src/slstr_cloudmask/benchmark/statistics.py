"""Statistics of one measurement over several runs, and of two sets of runs.

    spread = describe([0.889, 0.892, 0.890])
    difference = compare_paired([0.889, 0.892], [0.884, 0.890])

What is not defined is None, never 0: the spread of one run, a mean over runs of which one never got
there. Intervals are of 95 % by Student's t. A difference is told apart only where its interval
leaves out 0.
"""

import statistics
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

CONFIDENCE = 0.95
ROUNDING = 1e-12  # relative; far above that of float64, far below any spread of runs


@dataclass(frozen=True)
class Spread:
    """One measurement over several runs.

    Attributes
    ----------
    values
        Of each run; None where it is not defined.
    mean, minimum, maximum
        None where a run's value is not defined: those that have one would flatter.
    sd
        Standard deviation of a run; None of fewer than two.
    ci_low, ci_high
        Where the mean lies, at 95 %; None of fewer than two.
    mean_without_extremes
        Mean without the best and the worst run, as MLPerf HPC takes it; None of fewer than three.
    """

    values: tuple[float | None, ...]
    mean: float | None = None
    sd: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    mean_without_extremes: float | None = None
    minimum: float | None = None
    maximum: float | None = None


@dataclass(frozen=True)
class Difference:
    """How two sets of runs differ in one measurement: the first less the second.

    Attributes
    ----------
    kind
        ``paired`` by seed, or ``unpaired`` (Welch).
    runs
        Of each set, those that were compared.
    difference, ci_low, ci_high
        Of the means, with its interval of 95 %; None where not defined.
    p_t
        Student's t of the pairs, or Welch's.
    p_wilcoxon, p_sign
        Signed ranks, and signs alone; of pairs only. Of five pairs neither is below 0.06.
    """

    kind: str
    runs: tuple[int, int]
    difference: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    p_t: float | None = None
    p_wilcoxon: float | None = None
    p_sign: float | None = None

    @property
    def verdict(self) -> str:
        """What may be said: ``higher``, ``lower``, ``not told apart`` or ``undefined``."""
        if self.p_t is None or self.difference is None:
            return "undefined"
        if self.p_t >= 1 - CONFIDENCE:
            return "not told apart"
        return "higher" if self.difference > 0 else "lower"


def describe(values: Sequence[float | None]) -> Spread:
    """Return the statistics of one measurement."""
    known = [value for value in values if value is not None]
    if not known or len(known) < len(values):
        return Spread(tuple(values))
    mean, count = statistics.fmean(known), len(known)
    sd = statistics.stdev(known) if count > 1 else None
    half = None if sd is None else _t_quantile(count - 1) * sd / count**0.5
    inner = sorted(known)[1:-1]
    return Spread(
        tuple(values),
        mean=mean,
        sd=sd,
        ci_low=None if half is None else mean - half,
        ci_high=None if half is None else mean + half,
        mean_without_extremes=statistics.fmean(inner) if inner else None,
        minimum=min(known),
        maximum=max(known),
    )


def compare_paired(first: Sequence[float | None], second: Sequence[float | None]) -> Difference:
    """Compare values that belong together, one pair after the other."""
    kind, runs = "paired", (len(first), len(second))
    pairs = [(a, b) for a, b in zip(first, second, strict=True) if a is not None and b is not None]
    if not pairs or len(pairs) < len(first):
        return Difference(kind, runs)
    differences = np.array([a - b for a, b in pairs])
    mean = float(differences.mean())
    if _constant(differences, pairs):  # one pair is: nothing to tell a chance from
        return Difference(kind, runs, mean)
    test = stats.ttest_1samp(differences, 0.0)
    low, high = test.confidence_interval(CONFIDENCE)
    moved = differences[differences != 0]
    return Difference(
        kind,
        runs,
        mean,
        float(low),
        float(high),
        p_t=float(test.pvalue),
        p_wilcoxon=float(stats.wilcoxon(moved).pvalue),
        p_sign=float(stats.binomtest(int((moved > 0).sum()), len(moved)).pvalue),
    )


def compare_unpaired(first: Sequence[float | None], second: Sequence[float | None]) -> Difference:
    """Compare two sets of values that do not belong together (Welch)."""
    kind, runs = "unpaired", (len(first), len(second))
    known = [[value for value in values if value is not None] for values in (first, second)]
    if not all(known) or [len(values) for values in known] != list(runs):
        return Difference(kind, runs)
    mean = statistics.fmean(known[0]) - statistics.fmean(known[1])
    if min(runs) < 2 or all(_constant(values, known[0] + known[1]) for values in known):
        return Difference(kind, runs, mean)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # where one of the two is constant
        test = stats.ttest_ind(*known, equal_var=False)
    low, high = test.confidence_interval(CONFIDENCE)
    return Difference(kind, runs, mean, float(low), float(high), p_t=float(test.pvalue))


def _constant(values: npt.ArrayLike, of: npt.ArrayLike) -> bool:
    """Whether values are the same but for the rounding of what they were made from."""
    return bool(np.ptp(values) <= ROUNDING * np.abs(of).max())


def _t_quantile(freedom: int) -> float:
    return float(stats.t.ppf((1 + CONFIDENCE) / 2, freedom))
