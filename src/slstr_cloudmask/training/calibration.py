"""What is fitted after training, on scenes that were not learnt from: calibration and thresholds.

    fitted = calibrate(Network(model), paths, read=open_scene, label="truth")
    save_config(fitted.config, folder)

Of every scene a regular sample of pixels is taken: their logit, label and light. By day, twilight
and night the logit is stretched and shifted so that the probability means what it says. Thresholds
follow from the calibrated probabilities of all pixels:

- ``balanced``: where the Kuipers skill is greatest: cloud and clear count alike;
- ``sst``: the lowest at which at most 2 % of what is called clear is cloud, for the temperature of
  the sea, which a cloud spoils;
- ``lst``: the same with 5 %, for land, where clear pixels are fewer and gaps cost more.

Beside them the range of every input in each light is kept, best of the scenes that were learnt
from, so that what is unlike it can be told.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import xarray as xr
from scipy import optimize, special

from slstr_cloudmask.detectors import DETECTORS
from slstr_cloudmask.detectors.network import Network
from slstr_cloudmask.errors import CloudMaskError, InputError
from slstr_cloudmask.flags import DIMS, BoolArray
from slstr_cloudmask.network.certainty import regime_places
from slstr_cloudmask.network.model_file import ModelConfig
from slstr_cloudmask.progress import track
from slstr_cloudmask.scene import label, valid_pixels

logger = logging.getLogger(__name__)

STRIDE = 5  # one pixel of 25: neighbours tell the same
FEWEST = 1000  # pixels of a regime, cloud and clear each, from which on it is calibrated
CONTAMINATION = {"sst": 0.02, "lst": 0.05}
# Of the sample outside a range; and how far it is widened, as a share of it, for what a larger
# sample would have held.
RANGE_TAIL, RANGE_MARGIN = 1e-4, 0.05

Values = npt.NDArray[np.float32]
Kept = TypeVar("Kept")  # of a scene in one light


@dataclass(frozen=True)
class Sample:
    """Pixels of a regime: logits, labels (True where cloud) and inputs (pixels, inputs).

    ``companion`` are the logits of a second detector, NaN where it has none.
    """

    logits: Values
    cloud: npt.NDArray[np.bool_]
    inputs: Values
    companion: Values


@dataclass(frozen=True)
class Calibrated:
    """A model's configuration with what was fitted, and how it was fitted."""

    config: ModelConfig
    scenes: int
    failed: dict[Path, str]  # scenes that could not be used, of both kinds, and why


def calibrate(
    network: Network,
    paths: Sequence[Path],
    *,
    read: Callable[[Path], xr.Dataset],
    label_name: str = "truth",
    companion: str | None = None,
    trained_on: Sequence[Path] = (),
) -> Calibrated:
    """Fit calibration, thresholds and ranges of a network.

    Parameters
    ----------
    network
        Its own logits are used, whatever calibration it has.
    paths
        Scenes with the label that it was not trained on.
    read
        Reads one.
    label_name
        ``truth``, or ``bayes`` for a probability that the provider would call a pixel cloud.
    companion
        A detector without a model to weigh with the network.
    trained_on
        Scenes that it learnt from, whose ranges are kept; those of ``paths`` if there are none.

    Raises
    ------
    InputError
        There is no such companion, no scene could be used, no light has enough pixels of both
        kinds, or none of ``trained_on`` could be read.
    """
    if companion is not None and companion not in DETECTORS:
        raise InputError(
            f"Unknown companion {companion!r}: expected a detector without a model, one of "
            f"{', '.join(DETECTORS)}."
        )

    def sample(path: Path) -> dict[str, Sample]:
        return _sampled(network, read(path), label_name, companion)

    parts, failed = _gathered(paths, "calibrating", sample)
    samples = {name: _joined(found) for name, found in parts.items()}
    usable = {name: sample for name, sample in samples.items() if _is_enough(sample)}
    if not usable:
        raise InputError(
            f"Nothing to calibrate on: by day, twilight and night fewer than {FEWEST} sampled "
            f"pixels are labelled cloud and clear by {label_name!r} in {len(paths)} scenes."
        )
    alone = {light: fit_weights(_alone(s), s.cloud) for light, s in usable.items()}
    weights = {
        light: fit_weights(_together(s), s.cloud)
        for light, s in usable.items()
        if np.isfinite(s.companion).any()
    }
    probability = np.concatenate(
        [
            special.expit(
                _together(s) @ weights[light] if light in weights else _alone(s) @ alone[light]
            )
            for light, s in usable.items()
        ]
    )
    cloud = np.concatenate([sample.cloud for sample in usable.values()])
    config = network.model.config
    names = config.normaliser.inputs
    if trained_on:
        ranges, unread = input_ranges(network, trained_on, read=read)
    else:
        ranges = {name: _ranges(sample.inputs, names) for name, sample in samples.items()}
        unread = {}
    changes: dict[str, Any] = {
        "calibration": alone,
        "companion": companion,
        "companion_weights": weights,
        "thresholds": fit_thresholds(probability, cloud),
        "ranges": ranges,
        "training": {
            **config.training,
            "calibrated_on": {"label": label_name, "scenes": len(paths) - len(failed)},
        },
    }
    fitted = ModelConfig.model_validate({**config.model_dump(), **changes})
    return Calibrated(fitted, len(paths) - len(failed), failed | unread)


def input_ranges(
    network: Network, paths: Sequence[Path], *, read: Callable[[Path], xr.Dataset]
) -> tuple[dict[str, dict[str, tuple[float, float]]], dict[Path, str]]:
    """Find the range of every input by light in scenes, whose labels are not looked at.

    Returns
    -------
    ranges
        Least and greatest value, normalised, by light and by input.
    failed
        Scenes that could not be read, and why.

    Raises
    ------
    InputError
        None could be read.
    """

    def sample(path: Path) -> dict[str, Values]:
        scene = read(path)
        x_HWC, seen = network.inputs(scene), valid_pixels(scene) & _grid(scene)
        return {
            light: x_HWC[chosen]
            for light, where in regime_places(scene).items()
            if (chosen := seen & where).any()
        }

    parts, failed = _gathered(paths, "reading", sample)
    if not parts:
        raise InputError(
            f"None of the {len(paths)} scenes that were trained on could be read: "
            "name their folder, or leave them out."
        )
    names = network.model.config.normaliser.inputs
    return {light: _ranges(np.concatenate(found), names) for light, found in parts.items()}, failed


def _gathered(
    paths: Sequence[Path], doing: str, sample: Callable[[Path], dict[str, Kept]]
) -> tuple[dict[str, list[Kept]], dict[Path, str]]:
    """Return what is kept of each scene, by light; and the scenes that could not be read, why."""
    parts: dict[str, list[Kept]] = {}
    failed: dict[Path, str] = {}
    for path in track(paths, doing, len(paths)):
        try:
            found = sample(path)
        except CloudMaskError as error:
            logger.warning("Left out %s: %s", path.name, error)
            failed[path] = str(error)
            continue
        for light, kept in found.items():
            parts.setdefault(light, []).append(kept)
    return parts, failed


def fit_weights(
    evidence: npt.NDArray[np.float64], cloud: npt.NDArray[np.bool_]
) -> tuple[float, ...]:
    """Return the weights of evidence for cloud by which probabilities fit the labels best.

    The maximum of the likelihood (Platt 1999). Every weight but the last, that of what is always 1,
    stays positive: no detector counts against itself.

    Parameters
    ----------
    evidence
        (pixels, kinds): logits, and 1.
    cloud
        (pixels,)
    """
    target = cloud.astype(np.float64)

    def cost(weights: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
        logits = evidence @ weights
        loss = np.logaddexp(0.0, logits) - target * logits
        return float(loss.mean()), evidence.T @ (special.expit(logits) - target) / len(target)

    kinds = evidence.shape[1]
    bounds = [(1e-3, 1e3)] * (kinds - 1) + [(-50, 50)]
    start = np.array([1.0 / max(1, kinds - 1)] * (kinds - 1) + [0.0])
    found = optimize.minimize(cost, start, jac=True, method="L-BFGS-B", bounds=bounds)
    return tuple(map(float, found.x))


def fit_thresholds(probability: Values, cloud: npt.NDArray[np.bool_]) -> dict[str, float]:
    """Return thresholds by name; those that no probability reaches are left out."""
    levels = np.linspace(0.0, 1.0, 1001)
    # Of each level the pixels whose probability is below it, which are called clear.
    cloud_below = np.searchsorted(np.sort(probability[cloud]), levels)
    clear_below = np.searchsorted(np.sort(probability[~cloud]), levels)
    kuipers = clear_below / (~cloud).sum() - cloud_below / cloud.sum()
    thresholds = {"balanced": float(levels[np.argmax(kuipers)])}
    called_clear = clear_below + cloud_below
    contamination = cloud_below / np.maximum(called_clear, 1)
    for name, most in CONTAMINATION.items():
        fitting = np.flatnonzero((contamination <= most) & (called_clear > 0))
        if fitting.size:
            thresholds[name] = float(levels[fitting[-1]])
    return thresholds


def _alone(sample: Sample) -> npt.NDArray[np.float64]:
    """Return the network's logits, and 1 (pixels, 2)."""
    return np.stack([sample.logits, np.ones_like(sample.logits)], axis=1).astype(np.float64)


def _together(sample: Sample) -> npt.NDArray[np.float64]:
    """Return the network's logits, its companion's or 0 where it has none, and 1 (pixels, 3)."""
    return np.insert(_alone(sample), 1, np.nan_to_num(sample.companion, nan=0.0), axis=1)


def _sampled(
    network: Network, scene: xr.Dataset, label_name: str, companion: str | None
) -> dict[str, Sample]:
    cloud, known = label(scene, label_name)
    other = np.full(known.shape, np.nan, np.float32)
    if companion is not None:
        other = network.companion_logits(scene, companion)
    x_HWC = network.inputs(scene)
    logits = network.logits(x_HWC)
    grid = _grid(scene)
    return {
        name: Sample(logits[chosen], cloud[chosen], x_HWC[chosen], other[chosen])
        for name, where in regime_places(scene).items()
        if (chosen := grid & known & where).any()
    }


def _grid(scene: xr.Dataset) -> BoolArray:
    """Return the pixels that are sampled (rows, columns)."""
    grid = np.zeros(tuple(scene.sizes[dim] for dim in DIMS), bool)
    grid[STRIDE // 2 :: STRIDE, STRIDE // 2 :: STRIDE] = True
    return grid


def _joined(samples: Sequence[Sample]) -> Sample:
    return Sample(
        np.concatenate([s.logits for s in samples]),
        np.concatenate([s.cloud for s in samples]),
        np.concatenate([s.inputs for s in samples]),
        np.concatenate([s.companion for s in samples]),
    )


def _is_enough(sample: Sample) -> bool:
    clouds = int(np.count_nonzero(sample.cloud))
    return min(clouds, sample.cloud.size - clouds) >= FEWEST


def _ranges(inputs: Values, names: Sequence[str]) -> dict[str, tuple[float, float]]:
    """Return the range of each input that is a measurement."""
    found = {}
    for place, name in enumerate(names):
        if name.endswith(" seen"):
            continue
        low, high = np.quantile(inputs[:, place], (RANGE_TAIL, 1 - RANGE_TAIL))
        margin = RANGE_MARGIN * (high - low)
        # What is missing is 0, which is no measurement outside.
        found[name] = (min(0.0, float(low - margin)), max(0.0, float(high + margin)))
    return found
