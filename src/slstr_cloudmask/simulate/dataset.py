"""A data set of simulated scenes, laid out as the benchmark's own.

    summary = simulate_dataset(Path("data"), DatasetConfig(scenes=40, size=(256, 320)), jobs=2)

writes ``data/one-day/{day,night}`` for training, ``data/ssts/{day,night}`` for testing and
``data/manifest.json``, which says how every scene was made. A run that was cut short is taken up
again by the same call: scenes that are there already are kept.
"""

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy
import xarray as xr

from slstr_cloudmask import __version__
from slstr_cloudmask.atomic import replacing
from slstr_cloudmask.errors import CloudMaskError, OutputExistsError, WriteError
from slstr_cloudmask.io import open_scene
from slstr_cloudmask.io.benchmark_hdf import write_scene
from slstr_cloudmask.io.scene_file import write_scene_file
from slstr_cloudmask.progress import track
from slstr_cloudmask.scene import bands_present, label
from slstr_cloudmask.simulate.plan import DatasetConfig, Plan, plan_dataset
from slstr_cloudmask.simulate.product_resume import (
    STATISTICS,
    is_simulated,
    kept_statistics,
    remove_product,
)
from slstr_cloudmask.simulate.product_writer import SUFFIX, write_product
from slstr_cloudmask.simulate.recipe import Recipe
from slstr_cloudmask.simulate.scene import make_scene, make_views
from slstr_cloudmask.workers import in_order

SIMULATOR = 2  # goes up whenever the same seed gives other scenes
MANIFEST = "manifest.json"
# The centre in a name, SI0 or SI1, marks a file as simulated; of folders `product_resume` tells.
_SIMULATED = re.compile(r"_SI[01]_D_NT_004\.(hdf|nc)$")


def simulate_dataset(
    out: Path, config: DatasetConfig, *, jobs: int = 1, overwrite: bool = False
) -> dict[str, Any]:
    """Simulate a data set, or finish one that was begun.

    Parameters
    ----------
    out
        Folder to write to.
    config
        What the data set consists of; the same configuration gives the same scenes, whatever the
        number of jobs.
    jobs
        Processes that work at the same time; each needs up to 1.5 GB for scenes of full size.
    overwrite
        Replace a data set that was made with another configuration.

    Returns
    -------
    dict
        What ``manifest.json`` holds: configuration, versions, and per scene its file, seed, kind
        and statistics; ``statistics_sha256`` is the same wherever the same scenes were made.

    Raises
    ------
    InputError
        A configuration that cannot be.
    OutputExistsError
        ``out`` holds scenes that this call would not make, and ``overwrite`` is false.
    WriteError
        A file could not be written.
    """
    plans = plan_dataset(config)
    head = _manifest_head(config)
    _check_folder(out, plans, head, overwrite=overwrite)
    made = in_order(_make, [(out, plan) for plan in plans], jobs)
    _write_manifest(out, head | {"complete": False, "scenes": []})
    entries = list(track(made, "Simulating", total=len(plans)))
    manifest = head | {
        "complete": True,
        **_means(entries),
        "statistics_sha256": _digest(entries),
        "scenes": entries,
    }
    _write_manifest(out, manifest)
    return manifest


def _manifest_head(config: DatasetConfig) -> dict[str, Any]:
    return {
        "simulator": SIMULATOR,
        "seed": config.seed,
        "rows": config.size[0],
        "columns": config.size[1],
        "like": config.like,
        "world": config.world,
        "daytime": config.daytime,
        "day": None if config.day is None else config.day.isoformat(),
        "cloud_optical_depth": config.cloud_optical_depth,
        "format": config.format,
        "versions": {
            "slstr-cloudmask": __version__,
            "numpy": np.__version__,
            "scipy": scipy.__version__,
        },
    }


def _check_folder(out: Path, plans: list[Plan], head: dict[str, Any], *, overwrite: bool) -> None:
    """Refuse a folder with other scenes; with ``overwrite``, clear away those of an older run."""
    present = {
        path.relative_to(out).as_posix(): path
        for pattern in ("S3*.hdf", "S3*.nc", f"S3*{SUFFIX}")
        for path in sorted(out.rglob(pattern))
        if path.parent.suffix != SUFFIX  # S3_radiance_an.nc in a product
    }
    planned = {plan.path for plan in plans}
    strangers = [name for name in present if name not in planned]
    real = [name for name in strangers if not _is_ours(present[name])]
    manifest = _read_manifest(out)
    if manifest and "simulator" not in manifest:
        real.append(MANIFEST)
    if real:
        raise OutputExistsError(
            f"{out} holds files that were not simulated, such as {real[0]}: "
            "expected an empty folder or one of an older run. Choose another folder."
        )
    if not present or (_is_same(manifest, head) and not strangers):
        return
    if not overwrite:
        raise OutputExistsError(
            f"{out} holds {len(present)} scenes made with another seed, size, number, kind or "
            f"version, such as {next(iter(strangers or present))}. "
            "Choose another folder, or pass --overwrite to replace them."
        )
    for path in present.values():
        _remove(path)


def _is_ours(path: Path) -> bool:
    """Whether a scene's file or folder was simulated."""
    if path.suffix == SUFFIX:
        return is_simulated(path)
    return path.is_file() and _SIMULATED.search(path.name) is not None


def _remove(path: Path) -> None:
    if path.is_dir():
        remove_product(path)
        return
    try:
        path.unlink()
    except OSError as error:
        raise WriteError(f"Cannot replace {path}: {error.strerror}.") from error


def _is_same(older: dict[str, Any], head: dict[str, Any]) -> bool:
    return all(older.get(key) == head[key] for key in head if key != "versions")


def _make(task: tuple[Path, Plan]) -> dict[str, Any]:
    """Make one scene, or keep the whole one that is there; return its line of the manifest."""
    out, plan = task
    path = out / plan.path
    make = _product_statistics if path.suffix == SUFFIX else _file_statistics
    return {
        "path": plan.path,
        "seed": plan.recipe.seed,
        "split": plan.split,
        "kind": plan.folder,
        "start": f"{plan.recipe.overpass.start:%Y-%m-%dT%H:%M:%SZ}",
        **make(path, plan.recipe),
    }


def _file_statistics(path: Path, recipe: Recipe) -> dict[str, Any]:
    """Make or keep a scene in one file."""
    scene = _kept(path, recipe.size)
    if scene is None:
        scene = make_scene(recipe)
        write = write_scene if path.suffix == ".hdf" else write_scene_file
        write(path, scene, overwrite=True)
    return _statistics(scene)


def _product_statistics(path: Path, recipe: Recipe) -> dict[str, Any]:
    """Make or keep a product, which carries its statistics: packed values have slightly others."""
    statistics = kept_statistics(path, recipe.size)
    if statistics is None:
        views = make_views(recipe)
        statistics = _statistics(views.nadir.scene)
        write_product(path, views, notes={STATISTICS: json.dumps(statistics)}, overwrite=True)
    return statistics


def _statistics(scene: xr.Dataset) -> dict[str, Any]:
    return {
        "cloud_fraction": _fraction(scene, "truth"),
        "provider_fraction": _fraction(scene, "bayes"),
        "means": {name: _mean(scene[name].values) for name in bands_present(scene)},
    }


def _kept(path: Path, size: tuple[int, int]) -> xr.Dataset | None:
    """Read the scene that is there already; None where there is none, or a broken one."""
    if not path.exists():
        return None
    try:
        scene = open_scene(path)
    except CloudMaskError:  # whatever is wrong with it, it is made again
        return None
    whole = (scene.sizes["rows"], scene.sizes["columns"]) == size and "truth" in scene
    return scene if whole else None


def _fraction(scene: xr.Dataset, name: str) -> float:
    cloud, known = label(scene, name)
    return round(float(cloud[known].mean()), 4) if known.any() else 0.0


def _mean(values: npt.NDArray[np.float32]) -> float | None:
    """Mean of what was seen; None in a window that only has what lies beside the swath."""
    seen = values[np.isfinite(values)]
    return round(float(seen.mean(dtype=np.float64)), 3) if seen.size else None


def _digest(entries: list[dict[str, Any]]) -> str:
    """Hash what the scenes are, rounded so that machines agree, whatever the files' format."""
    nameless = [entry | {"path": entry["path"].rpartition(".")[0]} for entry in entries]
    text = json.dumps(nameless, sort_keys=True).encode()
    return hashlib.sha256(text).hexdigest()


def _means(entries: list[dict[str, Any]]) -> dict[str, float]:
    return {
        key: round(float(np.mean([entry[key] for entry in entries])), 6)
        for key in ("cloud_fraction", "provider_fraction")
    }


def _read_manifest(out: Path) -> dict[str, Any]:
    """Read an older run's manifest; empty where there is none that can be read."""
    try:
        manifest = json.loads((out / MANIFEST).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return manifest if isinstance(manifest, dict) else {}


def _write_manifest(out: Path, manifest: dict[str, Any]) -> None:
    with replacing(out / MANIFEST, overwrite=True) as temporary:
        temporary.write_text(json.dumps(manifest, indent=1) + "\n", "utf-8")
