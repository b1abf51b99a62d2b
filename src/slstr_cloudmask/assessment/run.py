"""Detectors run over scenes and scored, a scene in each process.

    result = assess(paths, make_plan(["clusters", "provider"], ["truth", "bayes"]), jobs=2)
    result.pool, result.failed

A scene that cannot be read, or that a detector cannot mask, is named with its reason and takes
nothing else with it.
"""

import logging
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import xarray as xr

from slstr_cloudmask.assessment.contenders import Contender, name_contenders, without_answers
from slstr_cloudmask.assessment.labels import LabelOptions, LabelSource, name_labels
from slstr_cloudmask.errors import CloudMaskError, InputError
from slstr_cloudmask.evaluation.pool import Labelled, Pair, Pool, Score, score_strata
from slstr_cloudmask.evaluation.strata import EVERY_KIND, EVERYTHING, Stratum, scene_strata
from slstr_cloudmask.io import open_scene
from slstr_cloudmask.io.other_sensor import BandMapping, read_other_scene
from slstr_cloudmask.pipeline import run_pipeline
from slstr_cloudmask.progress import track
from slstr_cloudmask.scene import bands_present, with_oblique

logger = logging.getLogger(__name__)

BOTH_VIEWS = "both"


@dataclass(frozen=True)
class Plan:
    """What is scored against what; it can be sent to other processes.

    Attributes
    ----------
    contenders
        What is scored.
    labels
        What it is scored against.
    bands
        Where scenes of another sensor have SLSTR's bands; None for scenes of SLSTR.
    view, grid
        Which of a product, as of `slstr_cloudmask.io.open_scene`; the view ``both`` is that of
        nadir, with the oblique one for detectors that draw on it.
    """

    contenders: tuple[Contender, ...]
    labels: tuple[LabelSource, ...]
    bands: BandMapping | None = None
    view: str = "nadir"
    grid: str = "1km"

    def open(self, path: Path) -> xr.Dataset:
        """Open a scene, with all that is known of it."""
        if self.bands is not None:
            return read_other_scene(path, self.bands)
        if self.view != BOTH_VIEWS:
            return open_scene(path, view=self.view, grid=self.grid, strata=True)
        nadir = open_scene(path, grid=self.grid, strata=True)
        return with_oblique(nadir, open_scene(path, view="oblique", grid=self.grid))


@dataclass
class Assessment:
    """What came of it.

    Attributes
    ----------
    pool
        The scores.
    scenes
        Names of those that were scored.
    failed
        Why not, by scene.
    left_out
        Why a detector has no mask, by its name and the scene's.
    unlabelled
        Names of scenes of which no label knows anything.
    missing_labels
        Why a label knows nothing of any scene, by its name.
    missing_masks
        Why what was to be scored has a mask of no scene, by its name.
    """

    pool: Pool = field(default_factory=Pool)
    scenes: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    left_out: dict[tuple[str, str], str] = field(default_factory=dict)
    unlabelled: list[str] = field(default_factory=list)
    missing_labels: dict[str, str] = field(default_factory=dict)
    missing_masks: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Task:
    path: Path
    plan: Plan


@dataclass
class _Scored:
    """The scores of one scene, why detectors have none, and which labels and contenders knew it."""

    scores: dict[Pair, dict[Stratum, Score]] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    labels: set[str] = field(default_factory=set)
    contenders: set[str] = field(default_factory=set)


def make_plan(
    detectors: Sequence[str],
    labels: Sequence[str],
    *,
    options: LabelOptions | None = None,
    bands: BandMapping | None = None,
    view: str = "nadir",
    grid: str = "1km",
    threshold: str = "balanced",
    device: str = "auto",
    precision: str = "auto",
) -> Plan:
    """Read what is scored against what.

    Parameters
    ----------
    detectors
        As `slstr_cloudmask.assessment.contenders.name_contenders`.
    labels
        As `slstr_cloudmask.assessment.labels.name_labels`.
    options
        How labels by others are read and placed.
    bands
        Where scenes of another sensor have SLSTR's bands.
    view, grid
        As of `Plan`.
    threshold, device, precision
        As of `slstr_cloudmask.detectors.get_detector`, of all detectors.

    Raises
    ------
    InputError
        A name is unknown, or a view or grid is asked of another sensor's images.
    """
    if bands is not None and (view, grid) != ("nadir", "1km"):
        raise InputError(
            "Images of another sensor have one view and one grid: leave out --view and --grid."
        )
    contenders = name_contenders(detectors, threshold=threshold, device=device, precision=precision)
    return Plan(contenders, name_labels(labels, options), bands, view, grid)


def assess(paths: Sequence[Path], plan: Plan, *, jobs: int = 1) -> Assessment:
    """Score detectors over scenes.

    Parameters
    ----------
    paths
        Scenes, as `open_scene` opens them.
    plan
        What is scored against what.
    jobs
        Scenes at the same time, each in a process of its own; with 1 in this one.

    Raises
    ------
    InputError
        No job.
    """
    if jobs < 1:
        raise InputError(f"Expected at least one job, found {jobs} (--jobs).")
    result = Assessment()
    names = _names(paths)
    tasks = [_Task(path, plan) for path in paths]
    stages = _score, _pass_on, _pass_on
    running = run_pipeline(
        tasks, *stages, depth=jobs if jobs > 1 else 0, readers=jobs, processes=jobs > 1
    )
    found: set[str] = set()
    masked: set[str] = set()
    with closing(running) as results:
        for item in track(results, "scoring scenes", total=len(tasks)):
            name = names[item.item.path]
            if item.value is None:
                result.failed[name] = str(item.error)
                logger.warning("Failed: %s: %s", name, item.error)
                continue
            if not item.value.labels:
                result.unlabelled.append(name)
                continue
            result.scenes.append(name)
            found |= item.value.labels
            masked |= item.value.contenders
            for pair, scores in item.value.scores.items():
                result.pool.add(name, scores, pair)
            for mask, why in item.value.left_out.items():
                result.left_out[mask, name] = why
                logger.warning("%s has no mask of %s: %s", mask, name, why)
    # Of scenes that all failed nothing is known: why they did is what there is to say.
    if result.scenes or result.unlabelled:
        result.missing_labels = {
            source.name: source.nowhere() for source in plan.labels if source.name not in found
        }
    if result.scenes:
        result.missing_masks = {
            contender.name: contender.nowhere()
            for contender in plan.contenders
            if contender.name not in masked
        }
    _tell_of_missing(result)
    return result


def _pass_on(_task: _Task, value: _Scored) -> _Scored:
    return value


def _names(paths: Sequence[Path]) -> dict[Path, str]:
    """Call scenes by their files; by the whole path where two are called alike."""
    counts = Counter(path.name for path in paths)
    return {path: path.name if counts[path.name] == 1 else str(path) for path in paths}


def _score(task: _Task) -> _Scored:
    """Mask one scene with every detector, and score the masks."""
    scene = task.plan.open(task.path)
    labels = _labels(task, scene)
    if not labels:
        return _Scored()
    strata = scene_strata(scene, EVERY_KIND)
    strata_of = {
        name: {s: labelled.of(where) for s, where in strata.items()} | dict(labelled.strata)
        for name, labelled in labels.items()
    }
    scored, shown = _Scored(labels=set(labels)), without_answers(scene)
    for contender in task.plan.contenders:
        try:
            for mask, (cloud_mask, probability) in contender.masks(scene, shown):
                scored.contenders.add(contender.name)
                if not (cloud_mask <= 1).any():
                    there = ", ".join(bands_present(scene))
                    scored.left_out[mask] = f"it answers for no pixel of a scene with {there}"
                    continue
                for name, labelled in labels.items():
                    if not contender.is_label(mask, name):
                        scored.scores[mask, name] = score_strata(
                            cloud_mask, probability, labelled, strata_of[name]
                        )
        except CloudMaskError as error:
            scored.contenders.add(contender.name)
            scored.left_out[contender.name] = str(error)
    return scored


def _labels(task: _Task, scene: xr.Dataset) -> dict[str, Labelled]:
    found = {source.name: source.find(task.path, scene) for source in task.plan.labels}
    return {name: labelled for name, labelled in found.items() if labelled is not None}


def _tell_of_missing(result: Assessment) -> None:
    """Say what no label knows, which label or mask was found nowhere, and which knows one class."""
    if result.unlabelled and result.scenes:
        logger.warning(
            "No label knows anything of %d scenes, such as %s: they are not scored.",
            len(result.unlabelled),
            result.unlabelled[0],
        )
    for name, why in result.missing_labels.items():
        logger.warning("Nothing is scored against %s: %s.", name, why)
    for name, why in result.missing_masks.items():
        logger.warning("%s is not scored: %s.", name, why)
    for name in result.pool.labels:
        totals = [result.pool[mask, name, EVERYTHING].total for mask in result.pool.masks(name)]
        if all(total.tp + total.fn == 0 or total.tn + total.fp == 0 for total in totals):
            logger.warning(
                "The label %s knows only one class where masks answer: scores that need cloud and "
                "clear are undefined.",
                name,
            )
