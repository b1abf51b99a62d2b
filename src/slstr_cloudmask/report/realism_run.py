"""Simulate scenes only to compare them: statistics are kept, scenes are not.

    rows, failed = check_simulation(Path("check"), check_config(scenes=100), jobs=8)

Every scene leaves one small file ``scenes/NAME.json``, with pictures for the gallery in some of
them, so that a run that was stopped goes on where it was. Then the page is written.
"""

import json
import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import xarray as xr

from slstr_cloudmask import __version__
from slstr_cloudmask.atomic import check_output, write_bytes
from slstr_cloudmask.errors import CloudMaskError, InputError
from slstr_cloudmask.progress import track
from slstr_cloudmask.report.gallery import picture_scene, spread
from slstr_cloudmask.report.page import PicturedScene
from slstr_cloudmask.report.realism import Row
from slstr_cloudmask.report.realism_page import COMPARISON_NAME, write_comparison
from slstr_cloudmask.simulate.dataset import SIMULATOR
from slstr_cloudmask.simulate.plan import DatasetConfig, Plan, plan_dataset
from slstr_cloudmask.simulate.scene import make_scene
from slstr_cloudmask.simulate.statistics import VERSION, scene_statistics
from slstr_cloudmask.workers import in_order

logger = logging.getLogger(__name__)

SCENES_FOLDER = "scenes"
PICTURED = 24


Maker = Callable[[Plan], tuple[xr.Dataset, str]]


def check_config(scenes: int = 100, **settings: Any) -> DatasetConfig:
    """Describe scenes to check: all for testing, so that they take the real test set's overpasses.

    ``settings`` are those of `DatasetConfig`.
    """
    return DatasetConfig(scenes=scenes, test_scenes=scenes, **settings)


def make(plan: Plan) -> tuple[xr.Dataset, str]:
    """Make a scene, with its strata, and name its folder: ``day`` or ``night``."""
    return make_scene(plan.recipe), plan.folder


@dataclass(frozen=True, slots=True)
class _Task:
    """One scene: what to make, where its numbers go, whether it is pictured."""

    plan: Plan
    path: Path
    pictured: bool
    again: bool
    maker: Maker

    def key(self) -> dict[str, Any]:
        """Say what the file is of; one with another key is made again."""
        return {
            "version": __version__,
            "simulator": SIMULATOR,
            "statistics": VERSION,
            "plan": repr(self.plan),
            "pictured": self.pictured,
        }


def check_simulation(
    out: Path,
    config: DatasetConfig,
    *,
    jobs: int = 1,
    overwrite: bool = False,
    maker: Maker = make,
) -> tuple[list[Row], dict[str, str]]:
    """Simulate, describe and compare; write the page.

    Parameters
    ----------
    out
        Folder for the statistics, the table, the figures and the page.
    config
        Which scenes; made by `check_config`.
    jobs
        Processes that work at the same time.
    overwrite
        Replace a comparison with other settings, and make every scene again.
    maker
        Makes a scene of a plan; a function of a module, so that processes find it.

    Returns
    -------
    rows, failed
        The comparison, and why by name for scenes that could not be made.

    Raises
    ------
    InputError
        Numbers that cannot be, or no scene could be made.
    OutputExistsError
        ``out`` holds a comparison with other settings, and ``overwrite`` is false.
    WriteError
        A file could not be written.
    """
    plans = plan_dataset(config)
    if not overwrite and _settings_of(out / COMPARISON_NAME) != _plain(config):
        check_output(out / COMPARISON_NAME, overwrite=False)
    pictured = set(spread(range(len(plans)), PICTURED))
    tasks = [
        _Task(
            plan=plan,
            path=out / SCENES_FOLDER / f"{Path(plan.path).stem}.json",
            pictured=number in pictured,
            again=overwrite,
            maker=maker,
        )
        for number, plan in enumerate(plans)
    ]
    results = list(track(in_order(_work, tasks, jobs), "Simulating", total=len(tasks)))
    failed = {
        task.path.stem: result
        for task, result in zip(tasks, results, strict=True)
        if isinstance(result, str)
    }
    made = [result for result in results if not isinstance(result, str)]
    if not made:
        raise InputError(
            f"None of {len(tasks)} scenes could be made: {next(iter(failed.values()))}"
        )
    rows = write_comparison(
        out,
        [result["scene"] for result in made],
        [PicturedScene(**result["row"]) for result in made if result["row"]],
        settings=_plain(config),
        failed=failed,
    )
    return rows, failed


def _work(task: _Task) -> dict[str, Any] | str:
    """Make and describe a scene, or read what is there; say in words what went wrong."""
    kept = None if task.again else _kept(task)
    if kept is not None:
        return kept
    try:
        scene, folder = task.maker(task.plan)
        row = picture_scene(scene, name=task.path.stem) if task.pictured else None
        content = {
            "key": task.key(),
            "scene": scene_statistics(scene, folder=folder),
            "row": asdict(row) if row else None,
        }
    except CloudMaskError as error:
        return str(error)
    except Exception as error:  # one scene never takes the others with it
        logger.debug("%s", task.path.stem, exc_info=True)
        return f"{type(error).__name__}: {error}"
    text = json.dumps(content, separators=(",", ":"))
    write_bytes(task.path, text.encode(), overwrite=True)
    return content


def _kept(task: _Task) -> dict[str, Any] | None:
    """Read the numbers of an earlier run; None where there are none of this scene."""
    try:
        content = json.loads(task.path.read_text("utf-8"))
    except (OSError, ValueError):
        return None
    same = isinstance(content, dict) and content.get("key") == task.key()
    whole = same and isinstance(content.get("scene"), dict) and "row" in content
    return content if whole else None


def _settings_of(path: Path) -> Any:
    """Read the settings of an earlier comparison; None where there is none that can be read."""
    try:
        document = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return document.get("settings") if isinstance(document, dict) else None


def _plain(config: DatasetConfig) -> dict[str, Any]:
    """Say which scenes in a page's words."""
    rows, columns = config.size
    return {
        "size": f"{rows}x{columns}",
        "seed": config.seed,
        "like": config.like,
        "world": config.world,
        "wanted": config.scenes,
    }
