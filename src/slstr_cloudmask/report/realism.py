"""Simulated scenes against what is known of the real data set: rows of a table, with verdicts.

    rows = compare(statistics)      # each of slstr_cloudmask.simulate.statistics

Shares flagged are means of scenes, as in the real data set's numbers; skill and classes are of all
scenes' pixels together. A row whose real value nobody knows says so, and one without an accepted
range has no verdict.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from slstr_cloudmask.errors import InputError
from slstr_cloudmask.report.realism_reference import (
    ALL_CLOUD,
    SHAPE,
    SHARES,
    SKILL,
    TYPICAL,
    Known,
)
from slstr_cloudmask.report.realism_sums import (
    MIN_PIXELS,
    Statistics,
    class_median,
    coast_ratio,
    coast_step,
    frame_shares,
    ocean_split,
    pairs,
    pooled,
    spread,
)
from slstr_cloudmask.simulate.staging import FULL_SIZE
from slstr_cloudmask.simulate.statistics_bins import QUANTITIES

OK, OUTSIDE, NONE = "ok", "outside", "-"
MIN_PAIRED = 5  # scenes, for a correlation
LEVELS = {
    "min": "lowest scene",
    "p25": "lower quartile of scenes",
    "p50": "median of scenes",
    "p75": "upper quartile of scenes",
    "max": "highest scene",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the comparison; None where a number is not known or not defined.

    Attributes
    ----------
    group, quantity
        What is compared.
    simulated
        The simulated value.
    low, high
        Its spread: 10 and 90 % of the scenes, or of the pixels of a class.
    real
        In real data.
    accepted
        Lowest and highest simulated value that pass.
    verdict
        ``ok``, ``outside``, or ``-`` where there is nothing to judge.
    note
        Where the real value or the range comes from.
    """

    group: str
    quantity: str
    simulated: float | None
    low: float | None
    high: float | None
    real: float | None
    accepted: tuple[float, float] | None
    verdict: str
    note: str

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON."""
        return asdict(self)


def compare(statistics: Sequence[Statistics]) -> list[Row]:
    """Compare simulated scenes with what is known of real ones.

    Parameters
    ----------
    statistics
        What `slstr_cloudmask.simulate.statistics.scene_statistics` made of each scene.

    Returns
    -------
    list of Row
        In the order of a page: shares flagged, skill, classes, shapes.

    Raises
    ------
    InputError
        There is no scene.
    """
    if not statistics:
        raise InputError("Expected the statistics of at least one scene to compare, found none.")
    return [
        *_shares(statistics),
        *_pairing(statistics),
        *_skill(statistics),
        *_classes(statistics),
        *_shapes(statistics),
    ]


def _row(
    group: str, quantity: str, values: Sequence[float | None], known: Known, digits: int = 4
) -> Row:
    """Make a row of a value, or of a value and the two ends of its spread."""
    value, low, high = (
        None if number is None or not np.isfinite(number) else round(float(number), digits)
        for number in (*values, None, None)[:3]
    )
    verdict = NONE
    if known.accepted is not None and value is not None:
        verdict = OK if known.accepted[0] <= value <= known.accepted[1] else OUTSIDE
    return Row(group, quantity, value, low, high, known.real, known.accepted, verdict, known.note)


def _shares(statistics: Sequence[Statistics]) -> list[Row]:
    group = "Share flagged by the provider"
    shares = np.array(frame_shares(statistics))
    mean = float(shares.mean())
    whole = all(scene["pixels"] == math.prod(FULL_SIZE) for scene in statistics)
    known = SHARES if whole else {name: _unjudged(one) for name, one in SHARES.items()}
    rows = [_row(group, "full frame, mean of scenes", spread(mean, shares.tolist()), known["mean"])]
    if shares.size > 1:
        sd = float(shares.std(ddof=1))
        rows.append(_row(group, "full frame, standard deviation over scenes", [sd], known["sd"]))
    levels = np.percentile(shares, [0, 25, 50, 75, 100])
    for (key, words), level in zip(LEVELS.items(), levels, strict=True):
        rows.append(_row(group, f"full frame, {words}", [level], known[key]))
    for folder in ("day", "night"):
        found = frame_shares(statistics, folder)
        if found:
            values = spread(float(np.mean(found)), found)
            rows.append(_row(group, f"full frame, folder {folder}", values, known[folder]))
    swath = [scene["flagged"] / scene["valid"] for scene in statistics if scene["valid"]]
    values = spread(float(np.mean(swath)), swath)
    rows.append(_row(group, "swath only, mean of scenes", values, SHARES["swath"]))
    rows.append(_row(group, "accuracy of an all-cloud mask against it", [mean], ALL_CLOUD))
    return rows


def _unjudged(known: Known) -> Known:
    """Take the range off: parts of a frame differ more from each other than whole ones do."""
    return replace(known, accepted=None, note=f"{known.note}; judged for scenes of full size only")


def _pairing(statistics: Sequence[Statistics]) -> list[Row]:
    """Correlate with the real scenes of the same places and times, where there are enough."""
    paired = pairs(statistics)
    if len(paired) < MIN_PAIRED:
        return []
    real, simulated = (np.array([pair[place] for pair in paired]) for place in (0, 1))
    if min(real.std(), simulated.std()) == 0:
        return []
    known = Known(note="same places and times, other weather: not expected to be near 1")
    value = float(np.corrcoef(real, simulated)[0, 1])
    name = f"correlation with {len(paired)} real scenes"
    return [_row("Share flagged by the provider", name, [value], known)]


def _skill(statistics: Sequence[Statistics]) -> list[Row]:
    group = "Truth, and the provider against it"
    valid = sum(scene["valid"] for scene in statistics)
    rows = []
    for key, words in (("cloudy", "truly cloud"), ("ambiguous", "ambiguous")):
        share = sum(scene[key] for scene in statistics) / max(valid, 1)
        scenes = [scene[key] / scene["valid"] for scene in statistics if scene["valid"]]
        rows.append(_row(group, f"share {words}", spread(share, scenes), SKILL[key]))
    names = {"recall": "detection (POD)", "false_detection_rate": "false detection (POFD)"}
    for score, words in names.items():
        rows.append(_row(group, words, pooled(statistics, "all", "all", score), SKILL[score]))
    kuipers = pooled(statistics, "all", "all", "kuipers")
    rows.append(_row(group, "Kuipers skill", kuipers, Known(note="POD minus POFD")))
    polar = pooled(statistics, "latitude", "polar", "kuipers")
    rows.append(_row(group, "Kuipers skill, polar", polar, SKILL["polar kuipers"]))
    return rows


def _classes(statistics: Sequence[Statistics]) -> list[Row]:
    rows = []
    for name, bands in TYPICAL.items():
        for quantity in QUANTITIES:
            values = class_median(statistics, name, quantity)
            if quantity not in bands and values[0] is None:
                continue
            known = Known(None, bands.get(quantity), "median of pixels; spread 10 to 90 %")
            rows.append(_row(f"Typical values: {name}", quantity, values, known))
    return rows


def _shapes(statistics: Sequence[Statistics]) -> list[Row]:
    group = "Shapes and edges"
    rows = [
        _row(
            group,
            "clear ocean, spread of S8-S9 in a scene (K)",
            [ocean_split(statistics)],
            SHAPE["ocean split spread"],
        ),
    ]
    hot, desert = (sum(scene["desert_saturated"][i] for scene in statistics) for i in (0, 1))
    share = hot / desert if desert >= MIN_PIXELS else None
    rows.append(
        _row(group, "desert by day, share saturated in S7", [share], SHAPE["desert saturated"])
    )
    for band in ("S8", "S1"):
        slopes = [scene["spectra"].get(band, {}).get("slope") for scene in statistics]
        found = [slope for slope in slopes if slope is not None]
        values = spread(float(np.mean(found)), found) if found else (None,)
        name = f"slope of the spectrum of {band}, 8 to 128 km"
        rows.append(_row(group, name, values, SHAPE[f"{band} slope"]))
    for mask, words in (("provider", "the provider's mask"), ("truth", "the truth")):
        differing, all_pairs = (sum(s["edges"][mask][i] for s in statistics) for i in (0, 1))
        value = differing / all_pairs if all_pairs else None
        name = f"neighbours that differ in {words}"
        rows.append(_row(group, name, [value], Known(note="share of neighbouring pixels")))
    for mask, words in (("provider", "the provider's mask"), ("truth", "the truth")):
        name = f"step of {words} at the coast"
        rows.append(_row(group, name, [coast_step(statistics, mask)], SHAPE["coast step"]))
    known = Known(note="how much more often neighbours differ across the coast")
    name = "its edges along the coast, to elsewhere near it"
    rows.append(_row(group, name, [coast_ratio(statistics, "provider")], known))
    return rows
