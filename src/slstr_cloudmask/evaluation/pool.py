"""Scores of many masks over many scenes, in every stratum: added up, and scene by scene.

    pool = Pool()
    pool.add("scene 1", score_strata(cloud, probability, labelled, strata), ("clusters", "truth"))
    pool.rows()

What is counted of a scene is a `Score` for each stratum. Counts are kept scene by scene, for the
scatter is over scenes; sums of probabilities are added at once.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from slstr_cloudmask.errors import InputError
from slstr_cloudmask.evaluation.calibration import Placed, Reliability, Sums
from slstr_cloudmask.evaluation.counts import Counts
from slstr_cloudmask.evaluation.strata import EVERYTHING, Stratum, rank
from slstr_cloudmask.flags import BoolArray

Pair = tuple[str, str]  # names of a mask and of the label it is scored against
TRIVIAL = {"all cloud": Counts.all_cloud, "all clear": Counts.all_clear}


@dataclass(frozen=True, slots=True)
class Labelled:
    """What is known of cloud at some pixels.

    Attributes
    ----------
    cloud, known
        Boolean, of one shape: the scene's (rows, columns), or one-dimensional.
    places
        Rows and columns of the pixels, where they are points; None for the whole scene.
    strata
        What the label itself tells, such as the optical depth that a lidar saw; of its shape.
    """

    cloud: BoolArray
    known: BoolArray
    places: tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]] | None = None
    strata: Mapping[Stratum, BoolArray] = field(default_factory=dict)

    def of(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Take from an array (rows, columns) what lies at the labelled pixels."""
        return values if self.places is None else values[self.places]


@dataclass(frozen=True, slots=True)
class Score:
    """One mask against one label in one stratum.

    Attributes
    ----------
    counts
        Over the pixels with a label where the mask has an answer.
    unanswered
        Pixels with a label where it has none.
    reliability
        Sums of the probabilities, over the pixels of ``counts`` that have one.
    """

    counts: Counts
    unanswered: int
    reliability: Reliability


def score_strata(
    cloud_mask: npt.NDArray[np.uint8],
    probability: npt.NDArray[np.floating[Any]],
    labelled: Labelled,
    strata: Mapping[Stratum, BoolArray],
) -> dict[Stratum, Score]:
    """Score a mask of a scene against a label, over all pixels and in every stratum.

    Parameters
    ----------
    cloud_mask
        0 clear, 1 cloud, 255 unknown (rows, columns).
    probability
        Of cloud (rows, columns), NaN where there is none.
    labelled
        The label.
    strata
        Boolean, of the label's shape, by `Stratum`.

    Returns
    -------
    dict
        All pixels first; strata without a labelled pixel have none.

    Raises
    ------
    InputError
        Mask and label differ in shape.
    """
    if labelled.places is None and cloud_mask.shape != labelled.cloud.shape:
        raise InputError(
            f"Mask and label do not fit: {cloud_mask.shape} and {labelled.cloud.shape} pixels."
        )
    mask, placed = labelled.of(cloud_mask), Placed.of(labelled.of(probability))
    answered = mask <= 1
    scores = {}
    for stratum, where in ({EVERYTHING: np.ones(mask.shape, bool)} | dict(strata)).items():
        known = labelled.known & where
        if known.any():
            valid = known & answered
            scores[stratum] = Score(
                counts=Counts.of(mask == 1, labelled.cloud, valid),
                unanswered=int(np.count_nonzero(known & ~answered)),
                reliability=placed.against(labelled.cloud, valid),
            )
    return scores


@dataclass
class Pooled:
    """The scores of one mask against one label in one stratum, of all scenes.

    Attributes
    ----------
    counts
        By scene, where the mask answered at any labelled pixel.
    sums
        `Reliability.sums` by scene, where it gave a probability; none of a trivial mask.
    unanswered, reliability
        Added over scenes.
    """

    counts: dict[str, Counts] = field(default_factory=dict)
    sums: dict[str, Sums] = field(default_factory=dict)
    unanswered: int = 0
    reliability: Reliability = field(default_factory=Reliability)

    @property
    def total(self) -> Counts:
        """Counts of all scenes."""
        return sum(self.counts.values(), Counts())

    def add(self, scene: str, score: Score) -> None:
        """Add what was counted of a scene."""
        if score.counts.total:
            self.counts[scene] = score.counts
        if score.reliability.total:
            self.sums[scene] = score.reliability.sums
        self.unanswered += score.unanswered
        self.reliability += score.reliability

    def trivial(self, name: str) -> "Pooled":
        """Return the scores of a mask of `TRIVIAL`, where this one answered."""
        counts = {scene: TRIVIAL[name](counts) for scene, counts in self.counts.items()}
        total = self.total
        said = 1.0 if name == "all cloud" else 0.0
        constant = Reliability.constant(said, cloud=total.tp + total.fn, clear=total.fp + total.tn)
        return Pooled(counts, reliability=constant)


class Pool:
    """Scores by mask, label and stratum; scenes are added in any order."""

    def __init__(self) -> None:
        self._pooled: dict[Pair, dict[Stratum, Pooled]] = {}

    def add(self, scene: str, scores: Mapping[Stratum, Score], pair: Pair) -> None:
        """Add the scores of one mask of a scene against one label."""
        strata = self._pooled.setdefault(pair, {})
        for stratum, score in scores.items():
            strata.setdefault(stratum, Pooled()).add(scene, score)

    @property
    def labels(self) -> list[str]:
        """Names of the labels."""
        return list(dict.fromkeys(label for _, label in self._pooled))

    def masks(self, label: str) -> list[str]:
        """Names of the masks that were scored against a label."""
        return [mask for mask, against in self._pooled if against == label]

    def strata(self, label: str) -> list[Stratum]:
        """Strata in which a mask was scored against a label, all pixels first."""
        every = (strata for (_, against), strata in self._pooled.items() if against == label)
        return sorted({stratum for strata in every for stratum in strata}, key=rank)

    def __getitem__(self, key: tuple[str, str, Stratum]) -> Pooled:
        """Return the scores of a mask against a label in a stratum; empty where there are none."""
        mask, label, stratum = key
        return self._pooled.get((mask, label), {}).get(stratum, Pooled())

    def groups(self) -> Iterator[tuple[str, Stratum, dict[str, Pooled]]]:
        """Yield label, stratum and the scores by mask, closed by the trivial masks."""
        for label in self.labels:
            masks = self.masks(label)
            for stratum in self.strata(label):
                group = {mask: self[mask, label, stratum] for mask in masks}
                fullest = max(group.values(), key=lambda pooled: pooled.total.total)
                group |= {name: fullest.trivial(name) for name in TRIVIAL}
                yield label, stratum, group
