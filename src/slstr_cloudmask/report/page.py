"""One self-contained HTML page of a benchmark run.

    write_page(Path("runs/benchmark"))

Everything on it comes from ``result.json``; the pictures of the best and the worst scenes come from
the scenes and masks that it names, and are left out, with a word, where those are gone.
"""

import base64
import io
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt
from jinja2 import Environment, PackageLoader, StrictUndefined
from matplotlib import image

from slstr_cloudmask.atomic import replacing
from slstr_cloudmask.benchmark.result_file import read_result
from slstr_cloudmask.benchmark.sampling import read_samples
from slstr_cloudmask.errors import CloudMaskError
from slstr_cloudmask.evaluation.counts import Counts
from slstr_cloudmask.flags import UNKNOWN
from slstr_cloudmask.io import open_scene
from slstr_cloudmask.io.find_scenes import find_scenes
from slstr_cloudmask.io.mask_file import read_mask
from slstr_cloudmask.report import figures
from slstr_cloudmask.report.composite import composite
from slstr_cloudmask.report.resource_figure import resource_figure
from slstr_cloudmask.scene import FloatArray, label

PAGE_NAME = "report.html"
MAIN_MASK = "network"
PICTURED_SCENES = 2  # of the best, and as many of the worst
REFERENCE_THRESHOLD = 0.5  # mlcommons/science: a pixel above it is cloud
PICTURE_WIDTH = 380  # pixels, about

# Clear, cloud, unknown.
MASK_COLOURS = np.array([[33, 74, 110], [244, 246, 248], [150, 150, 150]], np.uint8)
# Agrees, cloud missed, false cloud, unknown.
ERROR_COLOURS = np.array([[222, 226, 230], [213, 94, 0], [0, 114, 178], [150, 150, 150]], np.uint8)

ByteImage = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class PicturedScene:
    """A row of pictures: data URIs by caption."""

    title: str
    pictures: dict[str, str]


def page_environment() -> Environment:
    """Jinja as the pages of this package use it: everything escaped, nothing undefined."""
    return Environment(
        loader=PackageLoader("slstr_cloudmask.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def write_page(run: Path, path: Path | None = None, *, overwrite: bool = False) -> Path:
    """Draw the page of a run.

    Parameters
    ----------
    run
        Output folder of a benchmark.
    path
        The page, or a folder for it; by default ``report.html`` in the run's folder.
    overwrite
        Replace a page that is there.

    Returns
    -------
    Path
        Where the page is.

    Raises
    ------
    MissingFileError, BrokenFileError
        The folder holds no result that can be read.
    OutputExistsError
        The page exists and ``overwrite`` is false.
    """
    document = read_result(run)
    path = path or run / PAGE_NAME
    if path.is_dir():
        path /= PAGE_NAME
    environment = page_environment()
    environment.filters["score"] = _score
    environment.filters["number"] = _number
    text = environment.get_template("page.html.j2").render(**_content(document, run))
    with replacing(path, overwrite=overwrite) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return path


def _content(document: dict[str, Any], run: Path) -> dict[str, Any]:
    training = document["training"]
    judged_by = "truth" if any(row["label"] == "truth" for row in document["scores"]) else "bayes"
    pictured, missing = _pictured_scenes(document, run, judged_by)
    return {
        "document": document,
        "main_mask": MAIN_MASK,
        "labels": list(dict.fromkeys(row["label"] for row in document["scores"])),
        "loss_curves": figures.loss_curves(training["history"], training["kept_epoch"]),
        "agreement_curves": figures.agreement_curves(training["history"], training["kept_epoch"]),
        "confusions": {
            row["meaning"]: figures.confusion(row["counts"], _label_words(row["label"]))
            for row in document["scores"]
            if row["mask"] == MAIN_MASK and row["part"] == "all"
        },
        "scene_bars": {
            name: figures.scene_bars(
                rows, {row["scene"]: Counts(**row["counts"]).all_cloud().accuracy for row in rows}
            )
            for name, rows in _scene_rows(document).items()
        },
        "reliability": {
            label: figures.reliability(rows) for label, rows in _calibration(document).items()
        },
        "calibration": _calibration(document),
        "timers": document.get("timers", []),
        "resources": document.get("resources", []),
        "resource_figures": {
            machine["file"]: resource_figure(read_samples(run / machine["file"]))
            for machine in document.get("resources", [])
        },
        "seconds_per_scene": document.get("seconds_per_scene")
        or fmean(sum(s.values()) for s in document["seconds_by_scene"]),
        "judged_by": judged_by,
        "pictured": pictured,
        "missing_pictures": missing,
    }


def _label_words(name: str) -> str:
    return {"bayes": "the provider says", "truth": "the truth is"}.get(name, name)


def _scene_rows(document: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Gather the main mask's scene rows by label."""
    rows: dict[str, list[dict[str, Any]]] = {}
    for row in document["scenes"]:
        if row["mask"] == MAIN_MASK:
            rows.setdefault(row["label"], []).append(row)
    return rows


def _calibration(document: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Gather the main mask's calibration by what its label means; results of old have none."""
    rows: dict[str, list[dict[str, Any]]] = {}
    for row in document.get("calibration", []):
        if row["mask"] == MAIN_MASK:
            rows.setdefault(row["meaning"], []).append(row)
    return rows


def _score(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _number(value: float | None, digits: str = ".4g") -> str:
    return "–" if value is None else f"{value:{digits}}"


def _pictured_scenes(
    document: dict[str, Any], run: Path, judged_by: str
) -> tuple[list[PicturedScene], str | None]:
    """Picture the best and the worst scenes, or say why they cannot be."""
    rows = [row for row in _scene_rows(document)[judged_by] if row["kuipers"] is not None]
    rows.sort(key=lambda row: row["accuracy"])
    count = min(PICTURED_SCENES, (len(rows) + 1) // 2)
    chosen = [("worst", row) for row in rows[:count]]
    chosen += [("best", row) for row in reversed(rows[count:][-count:])]
    try:
        paths = {path.name: path for path in find_scenes(Path(document["data"]["inference"]))}
        return [_picture(rank, row, paths, document, run) for rank, row in chosen], None
    except (CloudMaskError, OSError, KeyError) as error:
        return [], f"The scenes or masks could not be read again: {error}"


def _picture(
    rank: str,
    row: dict[str, Any],
    paths: dict[str, Path],
    document: dict[str, Any],
    run: Path,
) -> PicturedScene:
    scene = open_scene(paths[row["scene"]])
    step = max(1, round(scene.sizes["columns"] / PICTURE_WIDTH))
    scene = scene.isel(rows=slice(None, None, step), columns=slice(None, None, step))
    cloud = _read_cloud(row["scene"], document, run)[::step, ::step]
    pictures = {"scene": composite(scene)}
    for name in ("bayes", "truth"):
        if name in scene:
            labelled, known = label(scene, name)
            words = {"bayes": "provider's mask", "truth": "truth"}[name]
            pictures[words] = MASK_COLOURS[np.where(known, labelled, 2)]
    pictures["prediction"] = MASK_COLOURS[np.where(cloud == UNKNOWN, 2, cloud)]
    labelled, known = label(scene, row["label"])
    known &= cloud != UNKNOWN
    missed, false = labelled & (cloud == 0), ~labelled & (cloud == 1)
    errors = np.select([~known, missed, false], [3, 1, 2], 0)
    pictures[f"errors against {row['label']}"] = ERROR_COLOURS[errors]
    title = (
        f"{rank}: {Path(row['scene']).stem} ({row['part']}), "
        f"accuracy {_score(row['accuracy'])}, Kuipers {_score(row['kuipers'])}"
    )
    return PicturedScene(title, {name: _data_uri(picture) for name, picture in pictures.items()})


def _read_cloud(name: str, document: dict[str, Any], run: Path) -> ByteImage:
    """Read the mask of a scene in either of the benchmark's formats: 0, 1 or 255."""
    folder = Path(document["config"]["masks_dir"] or run / "masks")
    if document["config"]["mask_format"] == "netcdf":
        cloud: ByteImage = read_mask(folder / f"{Path(name).stem}.nc")["cloud_mask"].values
        return cloud
    with h5py.File(folder / f"{name}.h5") as file:
        probability: FloatArray = file["mask"][0, :, :, 0]
    return (probability >= REFERENCE_THRESHOLD).astype(np.uint8)


def _data_uri(picture: ByteImage) -> str:
    buffer = io.BytesIO()
    image.imsave(buffer, picture, format="png")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
