"""A data set of simulated scenes, laid out as the benchmark's own.

    summary = simulate_dataset(Path("data"), scenes=40, size=(256, 320), seed=1, jobs=2)

writes ``data/one-day/{day,night}`` for training, ``data/ssts/{day,night}`` for testing and
``data/manifest.json``, which says how every scene was made. A run that was cut short is taken up
again by the same call: scenes that are there already are kept.
"""

import json
import multiprocessing
import re
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import scipy
import xarray as xr

from slstr_cloudmask import __version__
from slstr_cloudmask.atomic import replacing
from slstr_cloudmask.errors import BrokenFileError, InputError, OutputExistsError
from slstr_cloudmask.io.benchmark_hdf import PATTERN, read_scene, write_scene
from slstr_cloudmask.progress import track
from slstr_cloudmask.scene import label
from slstr_cloudmask.simulate.plan import Plan, plan_dataset
from slstr_cloudmask.simulate.scene import FULL_SIZE, check_size, simulate_scene

SIMULATOR = 1  # goes up whenever the same seed gives other scenes
MANIFEST = "manifest.json"
# The centre in a name, SI0 or SI1, marks a file as simulated.
_SIMULATED = re.compile(r"_SI[01]_D_NT_004\.hdf$")


def simulate_dataset(
    out: Path,
    *,
    scenes: int,
    test_scenes: int | None = None,
    size: tuple[int, int] = FULL_SIZE,
    seed: int = 1,
    jobs: int = 1,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Simulate a data set, or finish one that was begun.

    Parameters
    ----------
    out
        Folder to write to.
    scenes
        Number of scenes, training and testing together; about 55 of 100 are by day.
    test_scenes
        How many of them are for testing; a fifth where not given.
    size
        Rows and columns of every scene.
    seed
        The same seed and size give the same scenes, whatever the number of jobs.
    jobs
        Processes that work at the same time; each needs up to 1 GB for scenes of full size.
    overwrite
        Replace a data set that was made with another seed, size or number of scenes.

    Returns
    -------
    dict
        What ``manifest.json`` holds: settings, versions, and per scene its file, seed, kind,
        cloud fraction and provider fraction.

    Raises
    ------
    InputError
        Numbers that cannot be.
    OutputExistsError
        ``out`` holds scenes that this call would not make, and ``overwrite`` is false.
    WriteError
        A file could not be written.
    """
    check_size(size)
    plans = plan_dataset(scenes, test_scenes, seed)
    if jobs < 1:
        raise InputError(f"Expected at least one job, found {jobs}.")
    head = _manifest_head(size, seed)
    _check_folder(out, plans, head, overwrite=overwrite)
    _write_manifest(out, head | {"complete": False, "scenes": []})
    entries = list(track(_entries(out, plans, size, jobs), "Simulating", total=len(plans)))
    manifest = head | {"complete": True, **_means(entries), "scenes": entries}
    _write_manifest(out, manifest)
    return manifest


def _manifest_head(size: tuple[int, int], seed: int) -> dict[str, Any]:
    return {
        "simulator": SIMULATOR,
        "seed": seed,
        "rows": size[0],
        "columns": size[1],
        "versions": {
            "slstr-cloudmask": __version__,
            "numpy": np.__version__,
            "scipy": scipy.__version__,
        },
    }


def _check_folder(out: Path, plans: list[Plan], head: dict[str, Any], *, overwrite: bool) -> None:
    """Refuse a folder with other scenes; with ``overwrite``, clear away those of an older run."""
    present = {path.relative_to(out).as_posix(): path for path in sorted(out.rglob(PATTERN))}
    planned = {plan.path for plan in plans}
    strangers = [name for name in present if name not in planned]
    real = [name for name in strangers if not _SIMULATED.search(name)]
    if real:
        raise OutputExistsError(
            f"{out} holds {len(real)} scenes that were not simulated, such as {real[0]}: "
            "expected an empty folder or one of an older run. Choose another folder."
        )
    if not present or (_is_same(_read_manifest(out), head) and not strangers):
        return
    if not overwrite:
        raise OutputExistsError(
            f"{out} holds {len(present)} scenes made with another seed, size, number or version, "
            f"such as {next(iter(strangers or present))}. "
            "Choose another folder, or pass --overwrite to replace them."
        )
    for path in present.values():
        path.unlink()


def _is_same(older: dict[str, Any], head: dict[str, Any]) -> bool:
    return all(older.get(key) == head[key] for key in ("simulator", "seed", "rows", "columns"))


def _entries(
    out: Path, plans: list[Plan], size: tuple[int, int], jobs: int
) -> Iterator[dict[str, Any]]:
    """Make the scenes and describe them, in the order of the plans."""
    if jobs == 1 or len(plans) == 1:
        for plan in plans:
            yield _make(out, plan, size)
        return
    # A fresh process each: no locks or threads of this one are inherited.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(jobs, len(plans)), mp_context=context) as pool:
        count = len(plans)
        yield from pool.map(_make, [out] * count, plans, [size] * count)


def _make(out: Path, plan: Plan, size: tuple[int, int]) -> dict[str, Any]:
    """Make one scene, or keep the whole one that is there; return its line of the manifest."""
    path = out / plan.path
    scene = _kept(path, size)
    if scene is None:
        scene = simulate_scene(plan.seed, size, night=plan.night)
        write_scene(path, scene, overwrite=True)
    return {
        "path": plan.path,
        "seed": plan.seed,
        "split": plan.split,
        "kind": "night" if plan.night else "day",
        "cloud_fraction": _fraction(scene, "truth"),
        "provider_fraction": _fraction(scene, "bayes"),
    }


def _kept(path: Path, size: tuple[int, int]) -> xr.Dataset | None:
    """Read the scene that is there already; None where there is none, or a broken one."""
    if not path.exists():
        return None
    try:
        scene = read_scene(path)
    except BrokenFileError:
        return None
    whole = (scene.sizes["rows"], scene.sizes["columns"]) == size and "truth" in scene
    return scene if whole else None


def _fraction(scene: xr.Dataset, name: str) -> float:
    cloud, known = label(scene, name)
    return round(float(cloud[known].mean()), 6)


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
