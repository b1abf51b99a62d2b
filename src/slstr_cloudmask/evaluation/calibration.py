"""Whether a probability of cloud means what it says: sums by bin, and the scores they give.

    total = sum(scenes, Reliability())
    total.brier, total.calibration_error

Of every bin the pixels, the cloud among them and the sum of the probabilities are kept, and beside
the bins the sum of the squared errors. These add over scenes and processes, so the scores are those
of the pixels themselves: nothing is rounded to a bin's middle.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

BINS = 20  # of equal width, 0.05

Pixels = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Reliability:
    """Sums over pixels whose label and probability of cloud are known.

    Attributes
    ----------
    pixels, cloud
        By bin of probability: how many pixels, and how many of them the label calls cloud.
    probability
        By bin: the sum of the probabilities.
    squared_error
        The sum of the squared differences between probability and label (0 or 1), of all bins.
    """

    pixels: tuple[int, ...] = (0,) * BINS
    cloud: tuple[int, ...] = (0,) * BINS
    probability: tuple[float, ...] = (0.0,) * BINS
    squared_error: float = 0.0

    @classmethod
    def of(
        cls, probability: npt.NDArray[np.floating[Any]], label: Pixels, valid: Pixels
    ) -> "Reliability":
        """Sum over the ``valid`` pixels whose probability is a number; arrays of one shape."""
        valid = valid & np.isfinite(probability)
        values, cloud = probability[valid].astype(np.float64), label[valid]
        places = np.clip((values * BINS).astype(np.int64), 0, BINS - 1)  # 1 is of the last bin
        return cls(
            pixels=tuple(np.bincount(places, minlength=BINS).tolist()),
            cloud=tuple(np.bincount(places[cloud], minlength=BINS).tolist()),
            probability=tuple(np.bincount(places, values, BINS).tolist()),
            squared_error=float(np.square(values - cloud).sum()),
        )

    @classmethod
    def constant(cls, probability: float, *, cloud: int, clear: int) -> "Reliability":
        """Sum over pixels that are all given one probability: so many are cloud, so many clear."""
        place = min(int(probability * BINS), BINS - 1)
        pixels, clouds, said = [0] * BINS, [0] * BINS, [0.0] * BINS
        pixels[place], clouds[place] = cloud + clear, cloud
        said[place] = probability * (cloud + clear)
        return cls(
            pixels=tuple(pixels),
            cloud=tuple(clouds),
            probability=tuple(said),
            squared_error=cloud * (1.0 - probability) ** 2 + clear * probability**2,
        )

    def __add__(self, other: "Reliability") -> "Reliability":
        return Reliability(
            pixels=_added(self.pixels, other.pixels),
            cloud=_added(self.cloud, other.cloud),
            probability=tuple(
                a + b for a, b in zip(self.probability, other.probability, strict=True)
            ),
            squared_error=self.squared_error + other.squared_error,
        )

    @property
    def total(self) -> int:
        """All pixels."""
        return sum(self.pixels)

    @property
    def cloud_share(self) -> float:
        """Share of the pixels that the label calls cloud: what a climatology knows."""
        return sum(self.cloud) / self.total if self.total else math.nan

    @property
    def brier(self) -> float:
        """Mean squared difference between probability and label (Brier 1950); 0 is best."""
        return self.squared_error / self.total if self.total else math.nan

    @property
    def climatology_brier(self) -> float:
        """Brier score of the constant that says the label's own share of cloud everywhere."""
        return self.cloud_share * (1.0 - self.cloud_share)

    @property
    def calibration_error(self) -> float:
        """Expected calibration error (Naeini et al. 2015), of bins of equal width.

        The mean over pixels of how far their bin's mean probability is from its share of cloud.
        """
        pairs = zip(self.probability, self.cloud, strict=True)
        off = sum(abs(said - is_cloud) for said, is_cloud in pairs)
        return off / self.total if self.total else math.nan

    def scores(self) -> dict[str, float | None]:
        """Every score by name; ``None`` where it is not defined, so that JSON can hold it."""
        climatology = self.climatology_brier
        values = {
            "brier": self.brier,
            # 1 is perfect, 0 no better than the climatology, which is itself calibrated.
            "brier_skill": 1.0 - self.brier / climatology if climatology else math.nan,
            "calibration_error": self.calibration_error,
        }
        return {name: None if math.isnan(value) else value for name, value in values.items()}

    def to_dict(self) -> dict[str, Any]:
        """Return the scores, the climatology beside them and the bins that hold a pixel."""
        rows = zip(self.pixels, self.cloud, self.probability, strict=True)
        return {
            "pixels": self.total,
            **self.scores(),
            "climatology": {
                "probability": self.cloud_share if self.total else None,
                "brier": self.climatology_brier if self.total else None,
            },
            "bins": [
                {
                    "from": number / BINS,
                    "to": (number + 1) / BINS,
                    "pixels": pixels,
                    "mean_probability": said / pixels,
                    "cloud_share": cloud / pixels,
                }
                for number, (pixels, cloud, said) in enumerate(rows)
                if pixels
            ],
        }


def _added(one: tuple[int, ...], other: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(a + b for a, b in zip(one, other, strict=True))
