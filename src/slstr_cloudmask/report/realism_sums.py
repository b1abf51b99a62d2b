"""Sums over simulated scenes' statistics, as the comparison's table and figures want them.

added(statistics, "surface")["snow"].kuipers
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from slstr_cloudmask.evaluation.counts import Counts
from slstr_cloudmask.report.realism_reference import real_shares
from slstr_cloudmask.simulate.statistics_bins import QUANTITIES, percentiles

MIN_PIXELS = 1000  # below this a scene's own ratio, or a class, says nothing
ENDS = (0.1, 0.9)  # of a spread

Statistics = Mapping[str, Any]
Spread = tuple[float | None, float | None, float | None]  # a value, and 10 and 90 %


def added(statistics: Iterable[Statistics], stratum: str) -> dict[str, Counts]:
    """Add the counts of all scenes, by part of a stratum; parts without a pixel are left out."""
    result: dict[str, Counts] = {}
    for scene in statistics:
        for part, counts in scene["counts"].get(stratum, {}).items():
            result[part] = result.get(part, Counts()) + Counts(*counts)
    return {part: counts for part, counts in result.items() if counts.total}


def histogram(statistics: Iterable[Statistics], name: str, quantity: str) -> npt.NDArray[np.int64]:
    """Add the scenes' histograms of a quantity in a class; all zeros where no scene has any."""
    total = np.zeros(QUANTITIES[quantity].count, np.int64)
    for scene in statistics:
        first, counts = scene["histograms"].get(name, {}).get(quantity, (0, []))
        total[first : first + len(counts)] += np.array(counts, np.int64)
    return total


def class_median(statistics: Iterable[Statistics], name: str, quantity: str) -> Spread:
    """Median of a class's pixels, with 10 and 90 %; None where fewer than `MIN_PIXELS`."""
    counts = histogram(statistics, name, quantity)
    found = percentiles(counts, QUANTITIES[quantity], (0.5, *ENDS))
    if found is None or counts.sum() < MIN_PIXELS:
        return None, None, None
    return found[0], found[1], found[2]


def frame_shares(statistics: Iterable[Statistics], folder: str | None = None) -> list[float]:
    """Share of the full frame that is flagged, scene by scene: of one folder, or of all."""
    return [
        scene["flagged"] / scene["pixels"]
        for scene in statistics
        if folder is None or scene["folder"] == folder
    ]


def pairs(statistics: Iterable[Statistics]) -> list[tuple[float, float, str]]:
    """Real share, simulated share and folder of scenes simulated for a real scene's start."""
    known = real_shares()
    return [
        (known[scene["start_time"]], scene["flagged"] / scene["pixels"], scene["folder"])
        for scene in statistics
        if scene["start_time"] in known
    ]


def spread(value: float, scenes: Sequence[float]) -> Spread:
    """Put 10 and 90 % of the scenes beside a value."""
    if len(scenes) < 2:
        return value, None, None
    low, high = np.quantile(scenes, ENDS)
    return value, float(low), float(high)


def pooled(statistics: Sequence[Statistics], stratum: str, part: str, score: str) -> Spread:
    """Score of all pixels together, with its spread over the scenes that have enough of them."""
    total = added(statistics, stratum).get(part, Counts())
    if min(total.tp + total.fn, total.fp + total.tn) < MIN_PIXELS:
        return None, None, None
    each = [Counts(*scene["counts"].get(stratum, {}).get(part, ())) for scene in statistics]
    scenes = [
        float(getattr(counts, score))
        for counts in each
        if min(counts.tp + counts.fn, counts.fp + counts.tn) >= MIN_PIXELS
    ]
    return spread(float(getattr(total, score)), scenes)


def coast_ratio(statistics: Iterable[Statistics], mask: str) -> float | None:
    """How much more often neighbours differ across the coast than beside it; None if rare."""
    totals = np.sum([scene["coast_pairs"][mask] for scene in statistics], axis=0)
    across_differ, across, beside_differ, beside = (int(total) for total in totals)
    if min(across, beside_differ) < MIN_PIXELS:
        return None
    return (across_differ / across) / (beside_differ / beside)


def coast_step(statistics: Iterable[Statistics], mask: str) -> float | None:
    """How much a mask's share of cloud differs between land and sea beside it; mean of scenes.

    Both sides from 2 to 10 km off the coast; None where no scene has enough of both.
    """
    steps = []
    for scene in statistics:
        sides = [
            Counts(*scene["counts"]["coast"].get(f"{side} side", ())) for side in ("sea", "land")
        ]
        if min(side.total for side in sides) >= MIN_PIXELS:
            other = (side.fp if mask == "provider" else side.fn for side in sides)
            sea, land = ((s.tp + more) / s.total for s, more in zip(sides, other, strict=True))
            steps.append(abs(land - sea))
    return float(np.mean(steps)) if steps else None


def ocean_split(statistics: Iterable[Statistics]) -> float | None:
    """Half the range of S8-S9 (K) that holds 68 % of a scene's clear ocean; median of scenes."""
    found = []
    for scene in statistics:
        for part in ("day", "night"):
            counts = histogram([scene], f"clear ocean, {part}", "S8-S9")
            if counts.sum() >= MIN_PIXELS:
                ends = percentiles(counts, QUANTITIES["S8-S9"], (0.16, 0.84))
                found += [(ends[1] - ends[0]) / 2] if ends else []
    return float(np.median(found)) if found else None


def strata(statistics: Sequence[Statistics]) -> list[dict[str, Any]]:
    """List shares and skill in every stratum, without verdicts: in real data they are not known.

    Returns
    -------
    list of dict
        ``stratum``, ``part``, ``pixels``, ``truly_cloud`` and ``flagged`` (shares), ``recall``,
        ``false_detection_rate`` and ``kuipers``; None where a score is not defined.
    """
    rows = []
    for stratum in statistics[0]["counts"]:
        for part, counts in added(statistics, stratum).items():
            scores = counts.scores()
            shares = {
                "truly_cloud": (counts.tp + counts.fn) / counts.total,
                "flagged": (counts.tp + counts.fp) / counts.total,
                "recall": scores["recall"],
                "false_detection_rate": counts.false_detection_rate,
                "kuipers": scores["kuipers"],
            }
            rounded = {
                name: None if share is None or np.isnan(share) else round(share, 4)
                for name, share in shares.items()
            }
            rows.append({"stratum": stratum, "part": part, "pixels": counts.total, **rounded})
    return rows
