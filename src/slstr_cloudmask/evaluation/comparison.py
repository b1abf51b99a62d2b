"""Two masks of one scene compared: who finds cloud where, by illumination and by surface.

    rows = compare_masks({"ours": ours, "esa_summary_cloud": theirs}, scene_strata(scene))

A comparison of two masks is their agreement, which is no accuracy: only one with ``truth`` is
that. Counts are those of `Counts`, the second mask in the place of the label, and add over scenes.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt

from slstr_cloudmask.errors import InputError
from slstr_cloudmask.evaluation.counts import Counts
from slstr_cloudmask.evaluation.strata import EVERYTHING, Stratum
from slstr_cloudmask.flags import UNKNOWN, BoolArray

TRUTH = "truth"

Flag = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two masks on the pixels of one stratum that both know.

    Attributes
    ----------
    first, second
        Names of the masks; ``truth``, if it is one of them, is the second.
    by, stratum
        ``all``, ``regime`` or ``surface``, and which of them.
    counts
        With the first as the mask and the second as the label.
    """

    first: str
    second: str
    by: str
    stratum: str
    counts: Counts

    def to_dict(self) -> dict[str, Any]:
        """Return the confusion by its names; scores only where the second is the truth."""
        counts = self.counts
        known = counts.total > 0
        row: dict[str, Any] = {
            "first": self.first,
            "second": self.second,
            "by": self.by,
            "stratum": self.stratum,
            "pixels": counts.total,
            "both_clear": counts.tn,
            "both_cloud": counts.tp,
            "only_first": counts.fp,
            "only_second": counts.fn,
            "agreement": counts.accuracy if known else None,
        }
        if self.second == TRUTH:
            row["scores"] = counts.scores()
            row["all_cloud"] = counts.all_cloud().scores()
            row["all_clear"] = counts.all_clear().scores()
        return row


def compare_masks(
    masks: Mapping[str, npt.ArrayLike],
    strata: Mapping[Stratum, BoolArray],
    against: str | None = None,
) -> list[Comparison]:
    """Compare every two masks, or all with one, over all pixels and in every stratum.

    Parameters
    ----------
    masks
        At least two, by name: 0 clear, 1 cloud, 255 unknown (rows, columns).
    strata
        Where each stratum is, boolean (rows, columns), by `Stratum`.
    against
        The one of ``masks`` that each of the others is compared with.

    Returns
    -------
    list of Comparison
        Pair by pair in the order of ``masks``; over all pixels first, then every stratum in which
        a pixel is known to both.

    Raises
    ------
    InputError
        There are fewer than two masks, ``against`` is none of them, sizes differ, or two masks know
        no pixel in common.
    """
    if len(masks) < 2:
        raise InputError(
            f"Two masks or more are compared, and {len(masks) or 'none'} was named: "
            "name them with commas between, such as ours,summary_cloud."
        )
    arrays = {name: np.asarray(values, np.uint8) for name, values in masks.items()}
    rows: list[Comparison] = []
    if against is None:
        pairs = list(combinations(arrays, 2))
    elif against in arrays:
        pairs = [(name, against) for name in arrays if name != against]
    else:
        raise InputError(f"There is no mask {against!r} among those named: {', '.join(arrays)}.")
    for pair in pairs:
        first, second = pair if pair[0] != TRUTH else (pair[1], pair[0])
        rows += _compared(first, arrays[first], second, arrays[second], strata)
    return rows


def _compared(
    first: str, one: Flag, second: str, other: Flag, strata: Mapping[Stratum, BoolArray]
) -> Iterator[Comparison]:
    if one.shape != other.shape:
        raise InputError(
            f"The masks {first!r} and {second!r} have {one.shape} and {other.shape} pixels: "
            "expected masks of one scene, on the same grid."
        )
    known = (one != UNKNOWN) & (other != UNKNOWN)
    if not known.any():
        raise InputError(
            f"The masks {first!r} and {second!r} know no pixel in common: there is nothing to "
            "compare. Choose other masks, or another product."
        )
    yield Comparison(first, second, *EVERYTHING, Counts.of(one == 1, other == 1, known))
    for (by, name), where in strata.items():
        counts = Counts.of(one == 1, other == 1, known & where)
        if counts.total:
            yield Comparison(first, second, by, name, counts)
