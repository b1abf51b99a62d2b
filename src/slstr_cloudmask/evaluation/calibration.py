"""Whether a probability of cloud means what it says: sums by bin, and the scores they give.

    total = sum(scenes, Reliability())
    total.brier, total.calibration_error

Of every bin the pixels, the cloud among them and the sum of the probabilities are kept, and beside
the bins the sum of the squared errors. These add over scenes and processes. The bins are fine, and
finer near 0 and 1, so that what every threshold would do comes from them, too: see ``curves``.
Calibration is told of 20 coarse bins, which the fine ones make up; Brier score and calibration
error are those of the pixels themselves: nothing is rounded to a bin's middle.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

BINS = 20  # in which calibration is told, of equal width, 0.05
STEP = 0.001  # of the fine bins
# Where networks are sure, in steps of a sixth of a decade: from the first fine edge down to 1e-6.
_TAIL = np.logspace(-6, -3, 19)[:-1]
_MIDDLE = np.arange(1, round(1 / STEP)) / round(1 / STEP)
# Lower edges of the fine bins; the last ends at 1, which is of it.
EDGES: npt.NDArray[np.float64] = np.concatenate([[0.0], _TAIL, _MIDDLE, 1.0 - _TAIL[::-1]])
FINE = EDGES.size
_COARSE = np.searchsorted(EDGES, np.arange(BINS) / BINS)  # where each coarse bin begins

Pixels = npt.NDArray[np.bool_]
Sums = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Reliability:
    """Sums over pixels whose label and probability of cloud are known.

    Attributes
    ----------
    pixels, cloud
        By fine bin of probability: how many pixels, and how many of them the label calls cloud.
    probability
        By fine bin: the sum of the probabilities.
    squared_error
        The sum of the squared differences between probability and label (0 or 1), of all bins.
    """

    pixels: tuple[int, ...] = (0,) * FINE
    cloud: tuple[int, ...] = (0,) * FINE
    probability: tuple[float, ...] = (0.0,) * FINE
    squared_error: float = 0.0

    def __post_init__(self) -> None:
        sizes = {len(self.pixels), len(self.cloud), len(self.probability)}
        if sizes != {FINE}:
            raise ValueError(f"Expected sums over {FINE} bins, found {sorted(sizes)}.")

    @classmethod
    def of(
        cls, probability: npt.NDArray[np.floating[Any]], label: Pixels, valid: Pixels
    ) -> "Reliability":
        """Sum over the ``valid`` pixels whose probability is a number; arrays of one shape."""
        return Placed.of(probability).against(label, valid)

    @classmethod
    def constant(cls, probability: float, *, cloud: int, clear: int) -> "Reliability":
        """Sum over pixels that are all given one probability: so many are cloud, so many clear."""
        place = int(_place(np.array([probability]))[0])
        pixels, clouds, said = [0] * FINE, [0] * FINE, [0.0] * FINE
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
    def sums(self) -> Sums:
        """What `brier_of` and `calibration_error_of` take, of one scene or added over some.

        Pixels, cloud and summed probability of the coarse bins, and the squared error.
        """
        parts = (coarse(sums) for sums in self._sums())
        return np.concatenate([*parts, [self.squared_error]])

    @property
    def brier(self) -> float:
        """Mean squared difference between probability and label (Brier 1950); 0 is best."""
        return float(brier_of(self.sums))

    @property
    def uncertainty(self) -> float:
        """Brier score of the constant that says the label's own share of cloud everywhere."""
        return self.cloud_share * (1.0 - self.cloud_share)

    @property
    def reliability(self) -> float:
        """Mean squared distance of a coarse bin's mean probability from its share of cloud.

        With `resolution` and `uncertainty` the decomposition of the Brier score (Murphy 1973),
        Brier = reliability - resolution + uncertainty, but for what varies within a bin.
        """
        pixels, cloud, said = self._filled()
        return float(((said - cloud) ** 2 / pixels).sum()) / self.total if self.total else math.nan

    @property
    def resolution(self) -> float:
        """Mean squared distance of a coarse bin's share of cloud from that of all pixels."""
        if not self.total:
            return math.nan
        pixels, cloud, _ = self._filled()
        return float((pixels * (cloud / pixels - self.cloud_share) ** 2).sum()) / self.total

    @property
    def calibration_error(self) -> float:
        """Expected calibration error (Naeini et al. 2015), of bins of equal width.

        The mean over pixels of how far their bin's mean probability is from its share of cloud.
        """
        return float(calibration_error_of(self.sums))

    def scores(self) -> dict[str, float | None]:
        """Every score by name; ``None`` where it is not defined, so that JSON can hold it."""
        values = {
            "brier": self.brier,
            # 1 is perfect, 0 no better than the climatology, which is itself calibrated.
            "brier_skill": 1.0 - self.brier / self.uncertainty if self.uncertainty else math.nan,
            "brier_reliability": self.reliability,
            "brier_resolution": self.resolution,
            "brier_uncertainty": self.uncertainty,
            "calibration_error": self.calibration_error,
        }
        return {name: None if math.isnan(value) else value for name, value in values.items()}

    def to_dict(self) -> dict[str, Any]:
        """Return the scores, the climatology beside them and the coarse bins that hold a pixel."""
        rows = zip(*(coarse(sums).tolist() for sums in self._sums()), strict=True)
        return {
            "pixels": self.total,
            **self.scores(),
            "climatology": {
                "probability": self.cloud_share if self.total else None,
                "brier": self.uncertainty if self.total else None,
            },
            "bins": [
                {
                    "from": number / BINS,
                    "to": (number + 1) / BINS,
                    "pixels": int(pixels),
                    "mean_probability": said / pixels,
                    "cloud_share": cloud / pixels,
                }
                for number, (pixels, cloud, said) in enumerate(rows)
                if pixels
            ],
        }

    def _sums(self) -> tuple[Sequence[float], Sequence[float], Sequence[float]]:
        return self.pixels, self.cloud, self.probability

    def _filled(self) -> tuple[Sums, Sums, Sums]:
        """Pixels, cloud and summed probability of the coarse bins that hold a pixel."""
        pixels, cloud, said = (coarse(sums) for sums in self._sums())
        filled = pixels > 0
        return pixels[filled], cloud[filled], said[filled]


@dataclass(frozen=True, slots=True)
class Placed:
    """Probabilities in their bins, so that they are placed once and summed over many strata.

    Attributes
    ----------
    values, places
        The probabilities and their fine bins, of one shape; `FINE` where there is none.
    """

    values: npt.NDArray[np.floating[Any]]
    places: npt.NDArray[np.int16]

    @classmethod
    def of(cls, probability: npt.NDArray[np.floating[Any]]) -> "Placed":
        """Place probabilities."""
        known = np.isfinite(probability)
        places = np.full(probability.shape, FINE, np.int16)
        places[known] = _place(probability[known])
        return cls(probability, places)

    def against(self, label: Pixels, valid: Pixels) -> Reliability:
        """Sum over the ``valid`` pixels that have a probability."""
        pixels = np.flatnonzero(valid & (self.places < FINE))
        places, cloud = self.places.ravel()[pixels], label.ravel()[pixels]
        values = self.values.ravel()[pixels].astype(np.float64)
        numbers = np.bincount(2 * places + cloud, minlength=2 * FINE).reshape(FINE, 2)
        return Reliability(
            pixels=tuple(numbers.sum(axis=1).tolist()),
            cloud=tuple(numbers[:, 1].tolist()),
            probability=tuple(np.bincount(places, values, FINE).tolist()),
            squared_error=float(np.square(values - cloud).sum()),
        )


def coarse(sums: Sequence[float]) -> Sums:
    """Add up the fine bins to the 20 coarse ones."""
    return np.add.reduceat(np.asarray(sums, np.float64), _COARSE)


def brier_of(sums: Sums) -> Sums:
    """Return Brier scores of `Reliability.sums` (..., sums); NaN where there is no pixel."""
    return _per_pixel(sums[..., -1], sums)


def calibration_error_of(sums: Sums) -> Sums:
    """Return expected calibration errors of `Reliability.sums` (..., sums), as `brier_of`."""
    cloud, said = sums[..., BINS : 2 * BINS], sums[..., 2 * BINS : 3 * BINS]
    return _per_pixel(np.abs(said - cloud).sum(axis=-1), sums)


def _per_pixel(values: Sums, sums: Sums) -> Sums:
    pixels = np.asarray(sums[..., :BINS].sum(axis=-1))
    result: Sums = np.full(pixels.shape, math.nan)
    np.divide(values, pixels, out=result, where=pixels > 0)
    return result


def _place(probability: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.int16]:
    found = np.searchsorted(EDGES, probability.astype(np.float64), side="right") - 1
    return np.clip(found, 0, FINE - 1).astype(np.int16)


def _added(one: tuple[int, ...], other: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(a + b for a, b in zip(one, other, strict=True))
