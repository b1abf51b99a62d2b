"""Masks of many benchmark scenes: written, timed and scored.

While one scene is masked, the next is read and the last one written and scored; under the
reference's configuration one scene comes after the other. A scene that fails is named and passed
over; it never takes the others with it.
"""

import io
import logging
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import h5py
import numpy as np
import xarray as xr

from slstr_cloudmask.atomic import write_bytes
from slstr_cloudmask.detectors import Detector
from slstr_cloudmask.detectors.network import Network
from slstr_cloudmask.errors import MissingLabelError
from slstr_cloudmask.evaluation.scores import SceneScore, score_scene
from slstr_cloudmask.flags import BoolArray
from slstr_cloudmask.io import open_scene
from slstr_cloudmask.io.benchmark_hdf import day_or_night
from slstr_cloudmask.io.mask_file import write_mask
from slstr_cloudmask.pipeline import DEPTH, run_pipeline
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
        From the first scene's reading to the last one's score, of all processes together.
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


def infer_scenes(
    paths: Sequence[Path],
    detector: Detector,
    *,
    write: MaskWriter | None = None,
    faithful: bool = False,
    labels: Sequence[str] = LABELS,
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

    Returns
    -------
    Outcome
        Scores, times and failures.
    """
    depth = 0 if faithful else DEPTH
    outcome = Outcome(overlapped=depth > 0)

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

    started = time.perf_counter()
    stages = open_scene, predict, write_and_score
    with closing(run_pipeline(paths, *stages, depth=depth)) as results:
        for result in track(results, "masking scenes", total=len(paths)):
            name, took = result.item.name, result.seconds
            if result.value is None:
                outcome.failed[name] = str(result.error)
                logger.warning("Failed: %s: %s", name, outcome.failed[name])
                continue
            outcome.scores += result.value.scores
            times = took["read"], took["work"], result.value.write_seconds
            outcome.seconds.append(dict(zip(STAGES, times, strict=True)))
    outcome.wall_seconds = time.perf_counter() - started
    return outcome


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


def netcdf_writer(folder: Path, *, overwrite: bool) -> MaskWriter:
    """Return a writer of the package's own mask files, ``<scene>.nc``."""

    def write(name: str, masked: Masked) -> None:
        write_mask(masked.mask, folder / f"{Path(name).stem}.nc", overwrite=overwrite)

    return write


def reference_writer(folder: Path, *, overwrite: bool) -> MaskWriter:
    """Return a writer of the reference's mask files.

    ``<scene>.hdf.h5`` with a data set ``mask`` (1, rows, columns, 1): the probability of cloud.
    """

    def write(name: str, masked: Masked) -> None:
        content = io.BytesIO()
        with h5py.File(content, "w") as file:
            file["mask"] = masked.probability[np.newaxis, :, :, np.newaxis].astype(np.float32)
        write_bytes(folder / f"{name}.h5", content.getbuffer(), overwrite=overwrite)

    return write
