"""An evaluation as files: one self-contained page, the whole document, and a table.

write_evaluation(make_document(result, "data/ssts"), Path("evaluation"))
"""

import base64
import csv
import io
import json
import re
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from slstr_cloudmask.atomic import check_output, write_files
from slstr_cloudmask.report.evaluation_figures import draw_curves, draw_strata
from slstr_cloudmask.report.page import page_environment

PAGE_NAME = "evaluation.html"
FILE_NAMES = ("evaluation.json", "evaluation.csv", PAGE_NAME)

Document = dict[str, Any]
Pictures = dict[tuple[str, str], bytes]  # by kind and label

# Of the page's tables: heading by score.
COLUMNS = {
    "accuracy": "accuracy",
    "kuipers": "Kuipers",
    "recall": "POD",
    "false_detection_rate": "POFD",
    "false_alarm_ratio": "FAR",
    "f1": "F1",
    "iou": "IoU",
    "f1_clear": "F1 clear",
    "iou_clear": "IoU clear",
    "mcc": "MCC",
    "heidke": "Heidke",
    "cloud_fraction_bias": "bias",
    "cloud_fraction_rmse": "RMSE",
    "brier": "Brier",
    "brier_reliability": "reliability",
    "brier_resolution": "resolution",
    "calibration_error": "ECE",
    "roc_area": "ROC",
    "precision_area": "PR",
    "clear_retention_2": "kept at 2 %",
    "clear_retention_5": "kept at 5 %",
}


def check_folder(folder: Path, *, overwrite: bool) -> None:
    """Refuse early a folder that holds an evaluation already.

    Raises
    ------
    OutputExistsError
        One of the files exists and ``overwrite`` is false.
    """
    for name in FILE_NAMES:
        check_output(folder / name, overwrite=overwrite)


def write_evaluation(document: Document, folder: Path, *, overwrite: bool = False) -> Path:
    """Write ``evaluation.html``, ``.json`` and ``.csv``, and the page's pictures beside it.

    These are ``strata_LABEL.png`` and ``curves_LABEL.png``.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    OutputExistsError
        One of the files exists and ``overwrite`` is false; then none is written.
    WriteError
        The operating system refused to write.
    """
    text = json.dumps(document, indent=1, allow_nan=False) + "\n"
    pictures = draw_pictures(document)
    page = evaluation_page(document, pictures)
    texts = (text, evaluation_csv(document["scores"]), page)
    contents = dict(zip(FILE_NAMES, (content.encode() for content in texts), strict=True))
    contents |= {picture_name(*key): png for key, png in pictures.items()}
    write_files(folder, contents, overwrite=overwrite)
    return folder / PAGE_NAME


def draw_pictures(document: Document) -> Pictures:
    """Draw ``strata`` and, where a mask has probabilities, ``curves`` of each label, as PNG."""
    pictures: Pictures = {}
    for label in document["labels"]:
        pictures["strata", label] = draw_strata(document["scores"], label)
        if (curves := draw_curves(document["curves"], label)) is not None:
            pictures["curves", label] = curves
    return pictures


def picture_name(kind: str, label: str) -> str:
    """Name a picture's file, whatever the label is called."""
    return f"{kind}_{re.sub(r'[^A-Za-z0-9.-]', '_', label)}.png"


def evaluation_csv(scores: Sequence[dict[str, Any]]) -> str:
    """Write every row of scores as CSV; what is not defined is empty."""
    flat = [_flat(row) for row in scores]
    text = io.StringIO()
    writer = csv.DictWriter(text, list(flat[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(flat)
    return text.getvalue()


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    flat = {name: value for name, value in row.items() if not isinstance(value, dict)}
    flat |= row["counts"]
    for kind, ending in (("intervals", ""), ("scene_mean_interval", "_scene_mean")):
        for name, interval in row[kind].items():
            ends = f"{name}{ending}_low", f"{name}{ending}_high"
            flat |= dict(zip(ends, interval or (None, None), strict=True))
    for kind in ("scene_mean", "scene_sd"):
        flat |= {f"{name}_{kind}": value for name, value in row[kind].items()}
    return flat


def evaluation_page(document: Document, pictures: Pictures) -> str:
    """Make the page, of a document and what `draw_pictures` made of it."""
    environment = page_environment()
    environment.filters |= {"score": _score, "interval": _interval, "p_value": _p_value}
    return environment.get_template("evaluation.html.j2").render(
        document=document,
        columns=COLUMNS,
        labels=[_of_label(document, pictures, label) for label in document["labels"]],
    )


def _of_label(document: Document, pictures: Pictures, label: str) -> dict[str, Any]:
    rows = [row for row in document["scores"] if row["label"] == label]
    encoded = {
        kind: base64.b64encode(pictures[kind, label]).decode()
        for kind in ("strata", "curves")
        if (kind, label) in pictures
    }
    return {
        "meaning": document["labels"][label],
        "agrees": not document["labels"][label].startswith("accuracy"),
        "kinds": [(by, list(group)) for by, group in groupby(rows, key=lambda row: row["by"])],
        "differences": [row for row in document["differences"] if row["label"] == label],
        "curves": encoded.get("curves"),
        "strata": encoded["strata"],
    }


def _score(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _interval(ends: list[float] | None) -> str:
    return "" if ends is None else f"{ends[0]:.3f} to {ends[1]:.3f}"


def _p_value(value: float | None) -> str:
    return "–" if value is None else "< 0.001" if value < 0.001 else f"{value:.3f}"
