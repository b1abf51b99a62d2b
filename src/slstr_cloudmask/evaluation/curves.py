"""What every threshold would do, from the same sums as calibration: ROC, precision, clear kept.

    curves = Curves.of(reliability)
    curves.roc_area, curves.clear_retention(0.02)

A threshold lies at every edge of the fine bins of `Reliability`; between two of them, along the
curve, nothing is known, and nothing is claimed but the straight line of the ROC's area.
"""

import math
from dataclasses import dataclass

import numpy as np

from slstr_cloudmask.evaluation.calibration import Reliability, Sums

# Of what is called clear: what sea surface temperature bears (Poulsen et al. 2020).
CONTAMINATIONS = (0.02, 0.05)
DRAWN_POINTS = 200  # of a curve in a file


@dataclass(frozen=True, slots=True)
class Curves:
    """Counts of masks that cut at each threshold, the highest first: from no cloud to all cloud.

    Attributes
    ----------
    hits, false
        Cloud and clear pixels that are called cloud; the first of each is 0, the last all.
    """

    hits: Sums
    false: Sums

    @classmethod
    def of(cls, reliability: Reliability) -> "Curves":
        """Count from the highest bin down; thresholds between which nothing lies are one."""
        pixels, cloud = (np.array(v, np.float64) for v in (reliability.pixels, reliability.cloud))
        filled = np.flatnonzero(pixels)[::-1]
        hits, false = np.cumsum(cloud[filled]), np.cumsum((pixels - cloud)[filled])
        return cls(np.concatenate([[0.0], hits]), np.concatenate([[0.0], false]))

    @property
    def cloud(self) -> float:
        """All cloud pixels."""
        return float(self.hits[-1])

    @property
    def clear(self) -> float:
        """All clear pixels."""
        return float(self.false[-1])

    @property
    def roc_area(self) -> float:
        """Area under the ROC: how often cloud gets more than clear; 0.5 is chance."""
        if not (self.cloud and self.clear):
            return math.nan
        return float(np.trapezoid(self.hits / self.cloud, self.false / self.clear))

    @property
    def precision_area(self) -> float:
        """Average precision of cloud: of each threshold, weighted by the recall that it adds."""
        return _average_precision(self.hits, self.false)

    @property
    def precision_area_clear(self) -> float:
        """Average precision of clear, the rarer class."""
        return _average_precision(
            self.clear - self.false[::-1],
            self.cloud - self.hits[::-1],
        )

    def clear_retention(self, contamination: float) -> float:
        """Share of the clear pixels kept where cloud is at most so much of what is called clear.

        0 where no threshold keeps to it; NaN where a class is missing.
        """
        if not (self.cloud and self.clear):
            return math.nan
        kept, missed = self.clear - self.false[:-1], self.cloud - self.hits[:-1]
        allowed = missed <= contamination * (kept + missed)
        return float(kept[allowed].max(initial=0.0)) / self.clear

    def scores(self) -> dict[str, float | None]:
        """Areas and clear retention by name; ``None`` where not defined."""
        values = {
            "roc_area": self.roc_area,
            "precision_area": self.precision_area,
            "precision_area_clear": self.precision_area_clear,
        } | {
            f"clear_retention_{round(100 * share)}": self.clear_retention(share)
            for share in CONTAMINATIONS
        }
        return {name: None if math.isnan(value) else value for name, value in values.items()}

    def points(self) -> list[dict[str, float | None]]:
        """Return points of the curves for a drawing, at most `DRAWN_POINTS`, evenly spread."""
        if not (self.cloud and self.clear):
            return []
        along = self.hits / self.cloud + self.false / self.clear  # from 0 to 2, never back
        wanted = np.linspace(0.0, 2.0, DRAWN_POINTS)
        places = np.unique(np.searchsorted(along, wanted).clip(max=along.size - 1))
        return [
            {
                "detection": float(self.hits[i] / self.cloud),
                "false_detection": float(self.false[i] / self.clear),
                "precision": _share(self.hits[i], self.hits[i] + self.false[i]),
                "contamination": _share(
                    self.cloud - self.hits[i],
                    self.cloud - self.hits[i] + self.clear - self.false[i],
                ),
            }
            for i in places
        ]


def _average_precision(found: Sums, wrong: Sums) -> float:
    if not found[-1]:
        return math.nan
    called = found[1:] + wrong[1:]
    return float((np.diff(found) * found[1:] / called).sum() / found[-1])


def _share(part: float, whole: float) -> float | None:
    return float(part / whole) if whole else None
