"""The four counts of a yes-or-no mask against a label; every score comes from them.

Counts are integers and add exactly over batches, scenes and processes. Ratios come last, and a
ratio whose denominator is 0 is NaN, never 0 or 1.
"""

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Counts:
    """Pixels by mask and label; cloud is positive.

    Attributes
    ----------
    tp, fp, tn, fn
        Cloud found, clear called cloud, clear found, cloud missed.
    """

    tp: int = 0
    fp: int = 0
    tn: int = 0
    fn: int = 0

    @classmethod
    def of(
        cls,
        cloud: npt.NDArray[np.bool_],
        label: npt.NDArray[np.bool_],
        valid: npt.NDArray[np.bool_] | None = None,
    ) -> "Counts":
        """Count a mask against a label, both True where cloud; only ``valid`` pixels count."""
        total = cloud.size
        if valid is not None:
            cloud, label = cloud & valid, label & valid
            total = int(np.count_nonzero(valid))
        tp = int(np.count_nonzero(cloud & label))
        predicted, labelled = int(np.count_nonzero(cloud)), int(np.count_nonzero(label))
        fp, fn = predicted - tp, labelled - tp
        return cls(tp=tp, fp=fp, tn=total - tp - fp - fn, fn=fn)

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            self.tp + other.tp, self.fp + other.fp, self.tn + other.tn, self.fn + other.fn
        )

    @property
    def total(self) -> int:
        """All pixels counted."""
        return self.tp + self.fp + self.tn + self.fn

    def all_cloud(self) -> "Counts":
        """Return the counts of a mask that calls every pixel cloud, against the same label."""
        return Counts(tp=self.tp + self.fn, fp=self.tn + self.fp)

    def all_clear(self) -> "Counts":
        """Return the counts of a mask that calls every pixel clear, against the same label."""
        return Counts(tn=self.tn + self.fp, fn=self.tp + self.fn)

    @property
    def accuracy(self) -> float:
        """Share of pixels on which mask and label agree."""
        return _ratio(self.tp + self.tn, self.total)

    @property
    def precision(self) -> float:
        """Share of the mask's cloud that is cloud."""
        return _ratio(self.tp, self.tp + self.fp)

    @property
    def recall(self) -> float:
        """Probability of detection: share of the label's cloud that is found."""
        return _ratio(self.tp, self.tp + self.fn)

    @property
    def false_detection_rate(self) -> float:
        """Probability of false detection (POFD): share of the label's clear that is called cloud.

        Of what is clear; `false_alarm_ratio` is of what is called cloud. Papers mix the two.
        """
        return _ratio(self.fp, self.fp + self.tn)

    @property
    def false_alarm_ratio(self) -> float:
        """False alarm ratio (FAR): share of the mask's cloud that is clear, 1 - precision."""
        return _ratio(self.fp, self.tp + self.fp)

    @property
    def cloud_contamination(self) -> float:
        """Share of what the mask calls clear that is cloud: what spoils a sea temperature."""
        return _ratio(self.fn, self.tn + self.fn)

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        return _ratio(2 * self.tp, 2 * self.tp + self.fp + self.fn)

    @property
    def iou(self) -> float:
        """Intersection over union of cloud."""
        return _ratio(self.tp, self.tp + self.fp + self.fn)

    @property
    def f1_clear(self) -> float:
        """As `f1`, of clear: the rarer class, which a mask that says cloud everywhere loses."""
        return _ratio(2 * self.tn, 2 * self.tn + self.fp + self.fn)

    @property
    def iou_clear(self) -> float:
        """Intersection over union of clear."""
        return _ratio(self.tn, self.tn + self.fp + self.fn)

    @property
    def mean_iou(self) -> float:
        """Mean of `iou` and `iou_clear`."""
        return (self.iou + self.iou_clear) / 2.0

    @property
    def mcc(self) -> float:
        """Matthews' correlation coefficient of mask and label (Matthews 1975)."""
        sides = (
            (self.tp + self.fp) * (self.tp + self.fn) * (self.tn + self.fp) * (self.tn + self.fn)
        )
        return _ratio(self.tp * self.tn - self.fp * self.fn, sides**0.5)

    @property
    def heidke(self) -> float:
        """Heidke skill score: how far accuracy goes beyond that of chance (Heidke 1926)."""
        by_chance = (self.tp + self.fn) * (self.tp + self.fp) + (self.tn + self.fn) * (
            self.tn + self.fp
        )
        right = self.tp + self.tn
        return _ratio(self.total * right - by_chance, self.total**2 - by_chance)

    @property
    def balanced_accuracy(self) -> float:
        """Mean of the shares of cloud and of clear that are found."""
        return (1.0 + self.kuipers) / 2.0

    @property
    def kuipers(self) -> float:
        """Kuipers skill score: probability of detection minus that of false detection.

        Also Peirce's or true skill statistic (Hanssen and Kuipers 1965): 0 for any constant mask.
        """
        return self.recall - self.false_detection_rate

    @property
    def cloud_fraction_bias(self) -> float:
        """Cloud fraction of the mask minus that of the label."""
        return _ratio(self.fp - self.fn, self.total)

    def scores(self) -> dict[str, float | None]:
        """Every score by name; ``None`` where it is not defined, so that JSON can hold it."""
        values = {name: score(self) for name, score in SCORES.items()}
        return {name: None if math.isnan(value) else value for name, value in values.items()}

    def to_dict(self) -> dict[str, Any]:
        """Return counts and scores together, for a result file."""
        return {"counts": asdict(self), **self.scores()}


SCORES: dict[str, Callable[[Counts], float]] = {
    "accuracy": lambda c: c.accuracy,
    "precision": lambda c: c.precision,
    "recall": lambda c: c.recall,
    "false_detection_rate": lambda c: c.false_detection_rate,
    "false_alarm_ratio": lambda c: c.false_alarm_ratio,
    "cloud_contamination": lambda c: c.cloud_contamination,
    "f1": lambda c: c.f1,
    "iou": lambda c: c.iou,
    "f1_clear": lambda c: c.f1_clear,
    "iou_clear": lambda c: c.iou_clear,
    "mean_iou": lambda c: c.mean_iou,
    "balanced_accuracy": lambda c: c.balanced_accuracy,
    "kuipers": lambda c: c.kuipers,
    "heidke": lambda c: c.heidke,
    "mcc": lambda c: c.mcc,
    "cloud_fraction_bias": lambda c: c.cloud_fraction_bias,
}


def score_many(counts: npt.NDArray[np.int64], score: Callable[[Counts], float]) -> FloatArray:
    """Take a score of many counts at once: rows of tp, fp, tn, fn; NaN where not defined."""
    columns: Any = counts.T.astype(np.float64)
    return np.asarray(score(Counts(*columns)))  # a score is arithmetic, of arrays as of numbers


def _ratio(numerator: float, denominator: float) -> float:
    if isinstance(denominator, np.ndarray):  # in `score_many`
        undefined = np.full(denominator.shape, math.nan)
        return np.divide(numerator, denominator, out=undefined, where=denominator != 0)
    return numerator / denominator if denominator else math.nan
