"""The check of a data set in plain JSON: tables of counts, shares, values, labels and layouts.

document = summarise(check)
document["bands"][0]["median"]
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from slstr_cloudmask import __version__, channels
from slstr_cloudmask.benchmark.published_set import INFERENCE_SCENES, SCENES
from slstr_cloudmask.benchmark.scene_facts import BINS, BandFacts, SceneFacts
from slstr_cloudmask.benchmark.set_check import ALL_PARTS, Group, SetCheck, part_of
from slstr_cloudmask.io.product_name import SIMULATED_CENTRES, parse_product_name
from slstr_cloudmask.simulate.published_scenes import published_scenes
from slstr_cloudmask.simulate.statistics_bins import percentiles

# Share of all pixels that are flagged, mean of the 100 test scenes: what the metric gave before
# January 2023, when every mask was all cloud (analyze-inference.ipynb of the published analyses).
PUBLISHED_FLAGGED_SHARE = 0.8091
_SHARES = {"percent_1": 0.01, "median": 0.5, "percent_99": 0.99}
_DIGITS = 4

Rows = list[dict[str, Any]]


def summarise(check: SetCheck) -> dict[str, Any]:
    """Turn a check into a document of numbers, lists and text."""
    names = [*check.scenes, *check.broken]
    return {
        "root": str(check.root),
        "version": __version__,
        "scenes": len(names),
        "simulated": any(_is_simulated(name) for name in names),
        "counts": _counts(check),
        "test_scenes": _test_scenes(check),
        "broken": check.broken,
        "faults": check.faults,
        "layouts": _layouts(check.scenes.values()),
        "shares": [_shares(group, scenes) for group, scenes in check.groups.items()],
        "labels": [_labels(group, scenes) for group, scenes in check.groups.items()],
        "bands": [
            _band_row(group, name, check.bands[group][name], scenes)
            for group, scenes in check.groups.items()
            for name in channels.NAMES
            if name in check.bands[group]
        ],
        "each_scene": {name: _scene_row(facts) for name, facts in check.scenes.items()},
    }


def _is_simulated(name: str) -> bool:
    parsed = parse_product_name(name)
    return parsed is not None and parsed.centre in SIMULATED_CENTRES


def _counts(check: SetCheck) -> Rows:
    """Count scenes by part and folder, unreadable ones apart, beside what is published."""
    found = Counter({group: len(scenes) for group, scenes in check.groups.items()})
    broken = Counter(part_of(check.root, name) for name in check.broken)
    rows: Rows = []
    for part in ALL_PARTS:
        day, night = (found[part, folder] for folder in ("day", "night"))
        if not (day or night or broken[part]):
            continue
        expected = INFERENCE_SCENES if part == "inference" else {}
        total = day + night + broken[part]
        rows.append(
            {
                "part": part,
                "scenes": total,
                "published": SCENES.get(part),
                "day": day,
                "published_day": expected.get("day"),
                "night": night,
                "published_night": expected.get("night"),
                "broken": broken[part],
            }
        )
    return rows


def _test_scenes(check: SetCheck) -> dict[str, Any]:
    """Compare the names of the test scenes with the published ones, by start and orbit."""
    published = {
        (f"{scene.overpass.start:%Y%m%dT%H%M%S}", scene.overpass.relative_orbit)
        for scene in published_scenes()
    }
    found: set[tuple[str, int]] = set()
    others = 0
    for name in (*check.scenes, *check.broken):
        if part_of(check.root, name) != "inference":
            continue
        parsed = parse_product_name(name)
        key = (
            ("", 0) if parsed is None else (f"{parsed.start:%Y%m%dT%H%M%S}", parsed.relative_orbit)
        )
        if key in published:
            found.add(key)
        else:
            others += 1
    absent = sorted(start for start, _ in published - found)
    return {"present": len(found), "absent_starts": absent, "others": others}


def _layouts(scenes: Iterable[SceneFacts]) -> Rows:
    """List the different layouts of files, the commonest first."""
    counts = Counter(
        (facts.rows, facts.columns, tuple(facts.layout.items())) for facts in scenes
    ).most_common()
    return [
        {"scenes": count, "rows": rows, "columns": columns, "data_sets": dict(layout)}
        for (rows, columns, layout), count in counts
    ]


def _shares(group: Group, scenes: Sequence[SceneFacts]) -> dict[str, Any]:
    """Average what is empty and what is flagged over the scenes of a group."""
    labelled = [facts for facts in scenes if facts.labelled]
    frame = [facts.flagged / facts.pixels for facts in labelled]
    return {
        "part": group[0],
        "folder": group[1],
        "scenes": len(scenes),
        "empty_columns": _mean(facts.empty_columns / facts.columns for facts in scenes),
        "empty_left": _mean(facts.empty_left for facts in scenes),
        "empty_right": _mean(facts.empty_right for facts in scenes),
        "empty_pixels": _mean(1 - facts.seen / facts.pixels for facts in scenes),
        "flagged_empty": sum(facts.flagged_empty for facts in scenes),
        "flagged_frame": _mean(frame),
        "flagged_frame_lowest": _rounded(min(frame, default=None)),
        "flagged_frame_highest": _rounded(max(frame, default=None)),
        "flagged_seen": _mean(facts.flagged / facts.labelled for facts in labelled),
    }


def _labels(group: Group, scenes: Sequence[SceneFacts]) -> dict[str, Any]:
    """Count the seen pixels of a group by value of ``bayes``."""
    total: Counter[int] = Counter()
    for facts in scenes:
        total.update(facts.labels)
    return {
        "part": group[0],
        "folder": group[1],
        "pixels_by_value": {str(value): total[value] for value in sorted(total)},
    }


def _band_row(
    group: Group, name: str, band: BandFacts, scenes: Sequence[SceneFacts]
) -> dict[str, Any]:
    levels = percentiles(band.counts, BINS[name], tuple(_SHARES.values()))
    inside = (
        dict.fromkeys(_SHARES, None)
        if levels is None
        else {
            key: _rounded(float(np.clip(level, band.lowest, band.highest)))
            for key, level in zip(_SHARES, levels, strict=True)
        }
    )
    seen = band.values + band.missing
    return {
        "part": group[0],
        "folder": group[1],
        "band": name,
        "unit": "1" if name in channels.REFLECTANCE_NAMES else "K",
        "scenes": band.scenes,
        "lowest": _rounded(band.lowest if band.values else None),
        **inside,
        "highest": _rounded(band.highest if band.values else None),
        "mean": _rounded(band.total / band.values if band.values else None),
        "missing": _rounded(band.missing / seen if seen else None),
        "not_finite": sum(facts.not_finite.get(name, 0) for facts in scenes),
    }


def _scene_row(facts: SceneFacts) -> dict[str, Any]:
    labelled = facts.labelled or None
    return {
        "folder": facts.folder,
        "rows": facts.rows,
        "columns": facts.columns,
        "empty_columns": facts.empty_columns,
        "flagged_frame": _rounded(labelled and facts.flagged / facts.pixels),
        "flagged_seen": _rounded(labelled and facts.flagged / labelled),
        "not_finite": sum(facts.not_finite.values()),
    }


def _mean(values: Iterable[float]) -> float | None:
    every = list(values)
    return _rounded(float(np.mean(every))) if every else None


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, _DIGITS)
