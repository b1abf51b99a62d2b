"""How well the extended classes are told, against the truth of simulated scenes.

    python recipes/extended.py SCENES [--detectors truth,thresholds,network]

SCENES are folders that ``cloudmask simulate --format xarray`` made. ``truth`` is a detector that
errs nowhere, so that what is left are the errors of `slstr_cloudmask.detectors.extended` alone.
Prints two tables in Markdown over all pixels of all scenes. Contaminated is an optical depth of 0.1
to 1; shadow is where clouds keep a fifth of the sunlight or more from ground that is seen.
"""

import argparse
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import xarray as xr

from slstr_cloudmask.detectors import get_detector
from slstr_cloudmask.detectors.extended import EXTENDED_VALUES, extend
from slstr_cloudmask.evaluation.counts import Counts
from slstr_cloudmask.flags import UNKNOWN, BoolArray
from slstr_cloudmask.io import open_scene
from slstr_cloudmask.mask import build_mask

FROZEN = ("old_snow", "fresh_snow", "sea_ice", "thin_ice")
CLEAR_BELOW, CLOUDY_FROM = 0.1, 1.0  # optical depth
SHADED_FROM = 0.2
TRUE_CLASSES = ("clear", "contaminated", "cloudy")


def main() -> None:
    """Score, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("scenes", type=Path, nargs="+", help="folders of simulated scenes")
    parser.add_argument(
        "--detectors", default="truth,thresholds,network", help="names, with commas"
    )
    given = parser.parse_args()
    paths = sorted(path for folder in given.scenes for path in folder.rglob("S3*.nc"))
    if not paths:
        parser.error(f"no scene (S3*.nc) lies in {', '.join(map(str, given.scenes))}")
    names = given.detectors.split(",")
    scores: dict[str, dict[str, Counts]] = {name: {} for name in names}
    confusion: dict[str, Counter[tuple[str, int]]] = {name: Counter() for name in names}
    for path in paths:
        scene = open_scene(path, strata=True).load()
        for name in names:
            mask = extend(_masked(name, scene), scene)
            for part, counts in _counts(mask, scene).items():
                scores[name][part] = scores[name].get(part, Counts()) + counts
            confusion[name].update(_confusion(mask, scene))
    lines = [_score_table(scores), *(_confusion_table(name, confusion[name]) for name in names)]
    sys.stdout.write("\n\n".join(lines) + "\n")


def _masked(name: str, scene: xr.Dataset) -> xr.Dataset:
    if name != "truth":
        return get_detector(name).predict(scene)
    truth = scene["truth"].values
    probability = np.where(truth == UNKNOWN, np.nan, truth)
    return build_mask(scene, probability, threshold=0.5, detector=name)


def _counts(mask: xr.Dataset, scene: xr.Dataset) -> dict[str, Counts]:
    """Count each class against what is there, where the mask knows."""
    codes = mask["cloud_mask_extended"].values
    depth = scene["optical_depth"].values
    known = codes != UNKNOWN
    clear = known & (depth < CLEAR_BELOW)
    thin = (depth >= CLEAR_BELOW) & (depth < CLOUDY_FROM)
    found = {
        "snow and ice, of clear ground": Counts.of(codes == 3, _frozen(scene), clear),
        "contaminated, of everything": Counts.of(codes == 2, thin, known),
        "contaminated, of what is called cloud": Counts.of(
            codes == 2, thin, (codes == 1) | (codes == 2)
        ),
    }
    if "cloud_shadow" in mask:
        shadow = mask["cloud_shadow"].values
        shaded = scene["cloud_shadow"].values >= SHADED_FROM
        found["shadow, of clear ground that is judged"] = Counts.of(
            shadow == 1, shaded, clear & (shadow != UNKNOWN)
        )
    return found


def _frozen(scene: xr.Dataset) -> BoolArray:
    attributes = scene["surface_kind"].attrs
    names = str(attributes["flag_meanings"]).split()
    codes = np.atleast_1d(attributes["flag_values"])
    frozen = [code for name, code in zip(names, codes, strict=True) if name in FROZEN]
    return np.isin(scene["surface_kind"].values, frozen)


def _confusion(mask: xr.Dataset, scene: xr.Dataset) -> Counter[tuple[str, int]]:
    codes = mask["cloud_mask_extended"].values
    true = np.digitize(scene["optical_depth"].values, (CLEAR_BELOW, CLOUDY_FROM))
    return Counter(
        {
            (name, code): int(((true == number) & (codes == code)).sum())
            for number, name in enumerate(TRUE_CLASSES)
            for code in EXTENDED_VALUES.values()
        }
    )


def _score_table(table: dict[str, dict[str, Counts]]) -> str:
    lines = [
        "| class | mask | POD | POFD | accuracy | pixels of it | others |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for part in dict.fromkeys(part for found in table.values() for part in found):
        for name, found in table.items():
            if (c := found.get(part)) is None:
                continue
            scores = " | ".join(f"{s:.3f}" for s in (c.recall, c.false_detection_rate, c.accuracy))
            lines.append(f"| {part} | `{name}` | {scores} | {c.tp + c.fn} | {c.fp + c.tn} |")
    return "\n".join(lines)


def _confusion_table(name: str, counts: Counter[tuple[str, int]]) -> str:
    lines = [
        f"| `{name}`: what is there | {' | '.join(EXTENDED_VALUES)} | pixels |",
        f"| --- |{' --- |' * (len(EXTENDED_VALUES) + 1)}",
    ]
    for true in TRUE_CLASSES:
        row = [counts[true, code] for code in EXTENDED_VALUES.values()]
        total = sum(row)
        shares = [f"{count / total:.1%}" if total else "undefined" for count in row]
        lines.append(f"| {true} | {' | '.join(shares)} | {total} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
