"""The tables of docs/study.md, from the document that `cloudmask evaluate -o FOLDER` writes.

python recipes/study_tables.py FOLDER/evaluation.json [MASK ...]

Masks that end in -1, -2, … are one network from several seeds: a third table has their mean, least
and greatest.
"""

import json
import re
import statistics
import sys
from pathlib import Path
from typing import Any

STRATA = (
    ("all", ("all",)),
    ("regime", ("day", "twilight", "night")),
    ("latitude", ("below 60", "polar")),
    ("surface", ("ocean", "land", "desert", "inland water", "coast", "snow or ice", "sun glint")),
    ("coast", ("within 5 km",)),
    ("view zenith angle", ("0 to 20", "20 to 40", "40 to 90")),
    ("cloud", ("stratus", "fog", "cumulus", "cirrus", "altocumulus")),
)
SEED = re.compile(r"-[0-9]+$")
SEED_SCORES = (
    ("Kuipers", "all", "all", "kuipers"),
    ("accuracy", "all", "all", "accuracy"),
    ("day", "regime", "day", "kuipers"),
    ("twilight", "regime", "twilight", "kuipers"),
    ("night", "regime", "night", "kuipers"),
    ("polar", "latitude", "polar", "kuipers"),
    ("ECE", "all", "all", "calibration_error"),
)
Row = dict[str, Any]


def main() -> None:
    """Print a table of scores, one of the Kuipers skill in every stratum, and one over seeds."""
    path, *masks = sys.argv[1:]
    document = json.loads(Path(path).read_text())
    rows = [row for row in document["scores"] if row["label"] == "truth"]
    masks = masks or list(dict.fromkeys(row["mask"] for row in rows))
    tables = overall(rows, masks), by_stratum(rows, masks), over_seeds(rows, masks)
    sys.stdout.write("\n\n".join(filter(None, tables)) + "\n")


def overall(rows: list[Row], masks: list[str]) -> str:
    """Return the scores of all pixels, with intervals."""
    lines = ["| | Kuipers | accuracy | POD | POFD | clear kept at 5 % | ECE |", "| --- " * 7 + "|"]
    for mask in masks:
        row = _find(rows, "all", "all", mask)
        if row is None:
            continue
        kuipers, accuracy, error = (
            _with_interval(row, name) for name in ("kuipers", "accuracy", "calibration_error")
        )
        others = ("recall", "false_detection_rate", "clear_retention_5")
        cells = [kuipers, accuracy, *(_number(row.get(name)) for name in others), error]
        lines.append(f"| {mask} | {' | '.join(cells)} |")
    return "\n".join(lines)


def by_stratum(rows: list[Row], masks: list[str]) -> str:
    """Return the Kuipers skill by light, latitude, surface and cloud."""
    lines = [f"| Kuipers | share | {' | '.join(masks)} |", "| --- " * (len(masks) + 2) + "|"]
    everything = _find(rows, "all", "all", masks[0])
    total = everything["pixels"] if everything else 0
    for by, names in STRATA:
        for name in names:
            found = [_find(rows, by, name, mask) for mask in masks]
            first = found[0]
            if first is None:
                continue
            cells = [_number(row["kuipers"]) if row else "–" for row in found]
            share = f"{first['pixels'] / total:.1%}" if total else "–"
            words = f"{by} {name}" if name[0].isdigit() else name
            lines.append(f"| {words} | {share} | {' | '.join(cells)} |")
    return "\n".join(lines)


def over_seeds(rows: list[Row], masks: list[str]) -> str:
    """Return mean, least and greatest over seeds; empty where no mask is of one."""
    families: dict[str, list[str]] = {}
    for mask in filter(SEED.search, masks):
        families.setdefault(SEED.sub("", mask), []).append(mask)
    if not families:
        return ""
    lines = [
        f"| over seeds | seeds | {' | '.join(title for title, *_ in SEED_SCORES)} |",
        "| --- " * (2 + len(SEED_SCORES)) + "|",
    ]
    for family, members in families.items():
        cells = []
        for _, by, stratum, score in SEED_SCORES:
            found = [_find(rows, by, stratum, mask) for mask in members]
            cells.append(_spread([row[score] for row in found if row]))
        lines.append(f"| {family} | {len(members)} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _spread(scores: list[float | None]) -> str:
    values = [score for score in scores if score is not None]
    if not values:
        return "–"
    mean, least, most = statistics.fmean(values), min(values), max(values)
    return f"{_number(mean)} ({_number(least)} to {_number(most)})"


def _find(rows: list[Row], by: str, stratum: str, mask: str) -> Row | None:
    wanted = (by, stratum, mask)
    return next((r for r in rows if (r["by"], r["stratum"], r["mask"]) == wanted), None)


def _with_interval(row: Row, name: str) -> str:
    interval = row["intervals"].get(name)
    return f"**{_number(row[name])}**" + (
        f" ({_number(interval[0])}–{_number(interval[1])})" if interval else ""
    )


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


if __name__ == "__main__":
    main()
