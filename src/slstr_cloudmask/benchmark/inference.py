"""Masks of many benchmark scenes: written, timed and scored.

While one scene is masked, the next is read and the last one written and scored; under the
reference's configuration one scene comes after the other. A scene that fails is named and passed
over, or stops the run where that is asked for. What came of a scene can be kept (see
``scene_records``), so that a run that goes on does not mask it again.
"""

import io
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import h5py
import numpy as np
import xarray as xr

from slstr_cloudmask.atomic import write_bytes
from slstr_cloudmask.benchmark.scene_records import SceneRecord, SceneRecords
from slstr_cloudmask.detectors import Detector
from slstr_cloudmask.detectors.network import Network
from slstr_cloudmask.errors import InputError, MissingLabelError, WriteError
from slstr_cloudmask.evaluation.scores import SceneScore, score_scene
from slstr_cloudmask.events import Event, Listener, ignore
from slstr_cloudmask.flags import BoolArray
from slstr_cloudmask.io import open_scene
from slstr_cloudmask.io.benchmark_hdf import day_or_night
from slstr_cloudmask.io.mask_file import write_mask
from slstr_cloudmask.pipeline import DEPTH, Item, Result, run_pipeline
from slstr_cloudmask.progress import track
from slstr_cloudmask.scene import FloatArray

logger = logging.getLogger(__name__)

LABELS = ("bayes", "truth")
STAGES = ("read", "predict", "write")


@dataclass
class Outcome:
    """What came of many scenes.

    Attributes
    ----------
    scores
        One for each scene, detector and label.
    seconds
        For each masked scene, by stage: ``read``, ``predict``, ``write``. Where stages of several
        scenes overlap these are latencies, and their sum is more than the scene's share of the run.
    failed
        Why, by scene.
    overlapped
        Whether they do.
    wall_seconds
        From the first scene's reading to the last one's score, of all processes and sittings
        together.
    """

    scores: list[SceneScore] = field(default_factory=list)
    seconds: list[dict[str, float]] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    overlapped: bool = False
    wall_seconds: float = 0.0

    @property
    def seconds_per_scene(self) -> float | None:
        """Mean time of a scene, None without any.

        What its stages took, without the scoring, where one scene comes after the other; the time
        of the whole through the number of scenes where they overlap.
        """
        if not self.seconds:
            return None
        if self.overlapped:
            return self.wall_seconds / len(self.seconds)
        return sum(sum(scene.values()) for scene in self.seconds) / len(self.seconds)

    def add(self, record: SceneRecord) -> None:
        """Add what came of a scene."""
        self.scores += record.scores
        self.seconds.append(record.seconds)
        self.wall_seconds += record.wall_seconds


@dataclass(frozen=True)
class Masked:
    """What a detector says of a scene.

    Attributes
    ----------
    mask
        The Mask.
    probability
        Of cloud (rows, columns); a network has one for pixels that were not seen, too.
    """

    mask: xr.Dataset
    probability: FloatArray

    @classmethod
    def by(cls, detector: Detector, scene: xr.Dataset) -> "Masked":
        """Mask a scene."""
        if isinstance(detector, Network):
            probability = detector.probability(scene)
            return cls(detector.mask(scene, probability), probability)
        mask = detector.predict(scene)
        return cls(mask, mask["cloud_probability"].values)

    @property
    def cloud_everywhere(self) -> BoolArray:
        """Cloud at every pixel, seen or not, as the faithful benchmark scores it."""
        threshold: float = self.mask.attrs["threshold"]
        return self.probability > threshold  # as the reference cuts, unlike `build_mask`


MaskWriter = Callable[[str, Masked], None]
MaskFormat = Literal["netcdf", "reference"]


def infer_scenes(
    paths: Sequence[Path],
    detector: Detector,
    *,
    write: MaskWriter | None = None,
    faithful: bool = False,
    labels: Sequence[str] = LABELS,
    records: SceneRecords | None = None,
    stop_on_failure: bool = False,
    listen: Listener = ignore,
) -> Outcome:
    """Mask scenes and score the masks.

    Parameters
    ----------
    paths
        Files of scenes.
    detector
        What masks them.
    write
        Takes a scene's name and what was said of it; nothing is written by default.
    faithful
        Let the published metric see the network's answer on pixels that were not seen; and, as the
        reference does, read, mask and write one scene after the other.
    labels
        Labels to score against, as far as a scene holds them.
    records
        What came of scenes in an earlier sitting, and where it is kept for a later one.
    stop_on_failure
        Stop at the first scene that fails.
    listen
        Hears ``scene_done`` and ``scene_failed``.

    Returns
    -------
    Outcome
        Scores, times and failures.

    Raises
    ------
    InputError
        A scene failed, and ``stop_on_failure`` is true.
    WriteError
        The operating system refused to write; what is finished is kept.
    """
    depth = 0 if faithful else DEPTH
    outcome = Outcome(overlapped=depth > 0)
    found = {path: records.find(path) for path in paths} if records else {}
    done = {path: record for path, record in found.items() if record is not None}
    if done:
        logger.info("%d of %d scenes were masked before", len(done), len(paths))

    def predict(_path: Path, scene: xr.Dataset) -> tuple[xr.Dataset, Masked]:
        return scene, Masked.by(detector, scene)

    def write_and_score(path: Path, made: tuple[xr.Dataset, Masked]) -> _Scored:
        scene, masked = made
        started = time.perf_counter()
        if write is not None:
            write(path.name, masked)
        spent = time.perf_counter() - started
        everywhere = masked.cloud_everywhere if faithful else None
        scores = _scores(path, scene, detector.name, masked.mask, labels, everywhere)
        return _Scored(scores, spent)

    todo = [path for path in paths if path not in done]
    stages = open_scene, predict, write_and_score
    with closing(run_pipeline(todo, *stages, depth=depth)) as results:
        for result, wall_seconds in _timed(track(results, "masking scenes", total=len(todo))):
            path, took = result.item, result.seconds
            if result.value is None:
                _tell_failure(result, listen, stop=stop_on_failure)
                outcome.failed[path.name] = str(result.error)
                outcome.wall_seconds += wall_seconds
                continue
            times = took["read"], took["work"], result.value.write_seconds
            done[path] = SceneRecord(
                scores=result.value.scores,
                seconds=dict(zip(STAGES, times, strict=True)),
                wall_seconds=wall_seconds,
            )
            if records is not None:
                records.keep(path, done[path])
            listen(Event("scene_done", {"scene": path.name, "detector": detector.name}))
    for path in paths:
        if path in done:
            outcome.add(done[path])
    return outcome


def _timed(items: Iterable[Item]) -> Iterator[tuple[Item, float]]:
    """Yield items, each with the seconds since the one before it."""
    last = time.perf_counter()
    for item in items:
        now = time.perf_counter()
        yield item, now - last
        last = now


def _tell_failure(result: Result[Path, Any], listen: Listener, *, stop: bool) -> None:
    """Name a scene that failed; raise where that stops the run."""
    name, error = result.item.name, result.error
    if isinstance(error, WriteError):
        raise error  # nothing is wrong with the scene
    listen(Event("scene_failed", {"scene": name, "reason": str(error)}))
    if stop:
        raise InputError(
            f"{name} could not be masked: {error} The run stops, as on_failed_scene says; what "
            "is finished is kept. Mend or remove the scene, then go on with --resume."
        )
    logger.warning("Failed: %s: %s", name, error)


@dataclass(frozen=True)
class _Scored:
    scores: list[SceneScore]
    write_seconds: float


def _scores(
    path: Path,
    scene: xr.Dataset,
    detector: str,
    mask: xr.Dataset,
    labels: Sequence[str],
    cloud_everywhere: BoolArray | None,
) -> list[SceneScore]:
    there = [label for label in labels if label in scene]
    if not there:
        raise MissingLabelError(f"the file holds none of the labels {', '.join(labels)}.")
    return [
        score_scene(
            scene,
            mask,
            name=path.name,
            part=day_or_night(path, scene),
            detector=detector,
            label=label,
            cloud_everywhere=cloud_everywhere,
        )
        for label in there
    ]


def mask_path(folder: Path, name: str, mask_format: MaskFormat) -> Path:
    """Return where a scene's mask lies: ``<scene>.nc``, or the reference's ``<scene>.hdf.h5``."""
    return folder / (f"{Path(name).stem}.nc" if mask_format == "netcdf" else f"{name}.h5")


def mask_writer(folder: Path, mask_format: MaskFormat, *, overwrite: bool) -> MaskWriter:
    """Return a writer of mask files.

    ``netcdf``: the package's own. ``reference``: HDF5 with a data set ``mask`` (1, rows, columns,
    1), the probability of cloud.
    """

    def write(name: str, masked: Masked) -> None:
        path = mask_path(folder, name, mask_format)
        if mask_format == "netcdf":
            write_mask(masked.mask, path, overwrite=overwrite)
            return
        content = io.BytesIO()
        with h5py.File(content, "w") as file:
            probability = masked.probability.astype(np.float32, copy=False)
            file["mask"] = probability[np.newaxis, :, :, np.newaxis]
        write_bytes(path, content.getbuffer(), overwrite=overwrite)

    return write
