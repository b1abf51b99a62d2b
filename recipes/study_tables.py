"""The tables of docs/study.md, from the document that `cloudmask evaluate -o FOLDER` writes.

python recipes/study_tables.py FOLDER/evaluation.json [MASK ...]
"""

import json
import sys
from pathlib import Path
from typing import Any

STRATA = (
    ("all", ("all",)),
    ("regime", ("day", "twilight", "night")),
    ("latitude", ("below 60", "polar")),
    ("surface", ("ocean", "land", "desert", "inland water", "snow or ice", "sun glint")),
    ("cloud", ("stratus", "fog", "cumulus", "cirrus", "altocumulus")),
)
Row = dict[str, Any]


def main() -> None:
    """Print one table of scores, and one of the Kuipers skill in every stratum."""
    path, *masks = sys.argv[1:]
    document = json.loads(Path(path).read_text())
    rows = [row for row in document["scores"] if row["label"] == "truth"]
    masks = masks or list(dict.fromkeys(row["mask"] for row in rows))
    sys.stdout.write(overall(rows, masks) + "\n\n" + by_stratum(rows, masks) + "\n")


def overall(rows: list[Row], masks: list[str]) -> str:
    """Return the scores of all pixels, with intervals."""
    lines = ["| | Kuipers | accuracy | POD | POFD | clear kept at 5 % | ECE |", "| --- " * 7 + "|"]
    for mask in masks:
        row = _find(rows, "all", "all", mask)
        if row is None:
            continue
        kuipers, accuracy = (_with_interval(row, name) for name in ("kuipers", "accuracy"))
        others = ("recall", "false_detection_rate", "clear_retention_5", "calibration_error")
        cells = [kuipers, accuracy, *(_number(row.get(name)) for name in others)]
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
            lines.append(f"| {name} | {share} | {' | '.join(cells)} |")
    return "\n".join(lines)


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
