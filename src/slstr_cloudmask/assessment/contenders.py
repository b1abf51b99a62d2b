"""What is scored: detectors by name, networks by the folder of their model, and the provider.

    contenders = name_contenders(["clusters", "robust=runs/robust/model", "provider"])

A detector is shown a scene without its labels and strata, so that none can look at the answer. One
without a model masks each scene once, for itself and for every network that is weighed with it.
"""

import weakref
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import xarray as xr

from slstr_cloudmask.detectors import DETECTORS, Detector, get_detector, list_detectors
from slstr_cloudmask.errors import InputError
from slstr_cloudmask.flags import UNKNOWN
from slstr_cloudmask.scene import LABEL_NAMES, STRATUM_NAMES, FloatArray, label

PROVIDER = "provider"
PROVIDER_LABELS = ("bayes", "summary_cloud")
# The product's own account of the surface stays: detectors may know where the sea is.
HIDDEN = frozenset({*LABEL_NAMES, *STRATUM_NAMES}) - {"confidence"}

Masked = tuple[np.typing.NDArray[np.uint8], FloatArray]


@dataclass(frozen=True, slots=True)
class Contender:
    """Something that is scored.

    Attributes
    ----------
    name
        What its rows are called.
    detector
        One of `list_detectors`, or `PROVIDER`.
    model
        Folder of a model file, or the name of one that ships, of a network.
    threshold, device, precision
        As of `get_detector`.
    """

    name: str
    detector: str
    model: Path | None = None
    threshold: str = "balanced"
    device: str = "auto"
    precision: str = "auto"

    def masks(self, scene: xr.Dataset, shown: xr.Dataset) -> Iterator[tuple[str, Masked]]:
        """Yield what it says of a scene: name, and mask with probability (rows, columns).

        The provider has a mask for each of its labels that the scene holds.

        Parameters
        ----------
        scene
            The scene, with its labels.
        shown
            The same `without_answers`, one for all contenders.
        """
        if self.detector != PROVIDER:
            mask = make(self).predict(shown)
            yield self.name, (mask["cloud_mask"].values, mask["cloud_probability"].values)
            return
        for name in PROVIDER_LABELS:
            if name in scene:
                yield f"{self.name} {name}", _provided(scene, name)

    def nowhere(self) -> str:
        """Say in words that it has a mask of no scene."""
        return f"no scene carries {' or '.join(PROVIDER_LABELS)}"

    def is_label(self, mask: str, label_name: str) -> bool:
        """Tell whether a mask that it made is the label itself."""
        return self.detector == PROVIDER and mask == f"{self.name} {label_name}"


class AskedOnce:
    """A detector that keeps what it said of the last scene, which nobody may change meanwhile."""

    def __init__(self, detector: Detector) -> None:
        self.name, self._detector = detector.name, detector
        self._last: tuple[weakref.ref[xr.Dataset], xr.Dataset] | None = None

    def predict(self, scene: xr.Dataset) -> xr.Dataset:
        """Return the Mask of a Scene, the same one for the same scene."""
        if self._last is None or self._last[0]() is not scene:
            self._last = weakref.ref(scene), self._detector.predict(scene)
        return self._last[1]


@cache
def make(contender: Contender) -> Detector:
    """Make the detector, once in a process."""

    def companion(name: str) -> Detector:
        return make(Contender(name, name, device=contender.device, precision=contender.precision))

    detector = get_detector(
        contender.detector,
        model=contender.model,
        threshold=contender.threshold,
        device=contender.device,
        precision=contender.precision,
        companions=companion,
    )
    return AskedOnce(detector) if contender.detector in DETECTORS else detector


def without_answers(scene: xr.Dataset) -> xr.Dataset:
    """Return what detectors are shown of a scene."""
    return scene.drop_vars(HIDDEN, errors="ignore")


def name_contenders(
    names: Sequence[str],
    *,
    threshold: str = "balanced",
    device: str = "auto",
    precision: str = "auto",
) -> tuple[Contender, ...]:
    """Read what is to be scored.

    Parameters
    ----------
    names
        Each one of `list_detectors`, ``provider``, the name of a model that ships, the folder of a
        model file, or ``NAME=FOLDER``.
    threshold, device, precision
        Of all of them.

    Raises
    ------
    InputError
        None was named, one is unknown, or two have one name.
    """
    if not names:
        raise InputError(f"There is nothing to score: name any of {_expected()}.")
    every = []
    for item in names:
        name, detector, model = _parsed(item)
        every.append(Contender(name, detector, model, threshold, device, precision))
    if twice := {c.name for c in every if [o.name for o in every].count(c.name) > 1}:
        raise InputError(
            f"Two detectors are called {min(twice)!r}: name models NAME=FOLDER, each name once."
        )
    for contender in every:
        if contender.detector != PROVIDER:
            make(contender)  # what is wrong with a model is said before any scene is read
    return tuple(every)


def _parsed(item: str) -> tuple[str, str, Path | None]:
    """Return name, detector and model of one word."""
    if item in (PROVIDER, *list_detectors()):
        return item, item, None
    name, equals, folder = item.partition("=")
    if not equals:
        name, folder = _short(item), item
    if not (name and (folder in _shipped() or Path(folder).is_dir())):
        raise InputError(f"Unknown detector {item!r}: expected any of {_expected()}.")
    return name, "network", Path(folder)


def _shipped() -> list[str]:
    from slstr_cloudmask.network.shipped import model_names  # with PyTorch

    return model_names()


def _short(folder: str) -> str:
    """Name a model by its folder; by that above it where it is called ``model``, as of a run."""
    path = Path(folder).resolve()
    return path.parent.name if path.name == "model" else path.name


def _expected() -> str:
    return (
        f"{', '.join(list_detectors())}, {PROVIDER}, a model that ships "
        f"({', '.join(_shipped())}), the folder of one, or NAME=FOLDER"
    )


def _provided(scene: xr.Dataset, name: str) -> Masked:
    cloud, known = label(scene, name)
    mask = np.where(known, cloud, UNKNOWN).astype(np.uint8)
    probability = np.full(mask.shape, np.nan, np.float32)
    if name == "bayes" and "cloud_probability_provider" in scene:
        probability = scene["cloud_probability_provider"].values
    return mask, probability
