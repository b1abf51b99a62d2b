"""The detector that runs a trained network: the default, `selftaught`, or a model of one's own.

    mask = Network(find_model("default")).predict(scene)

A U-Net (Ronneberger et al. 2015, MICCAI, LNCS 9351, 234; its convolutions as the benchmark's) turns
the bands of a scene into a logit of cloud at each pixel, by what it and its surroundings show.
The models for masks also read the differences S7 - S8 and S8 - S9, and of each band whether it is
there: bands were taken away in training, so that they do with what a scene has. Their logit is
weighed with that of a companion, the detector `bayesian`, which looks at the whole scene, and
calibrated (Platt 1999, Advances in Large Margin Classifiers, 61) by day, twilight and night. The
*default* learnt the truth of simulated scenes; *selftaught* what label-free detectors say of such
scenes; `reference` and a run of the benchmark copy a provider's masks.

Where it fails: on what it never saw in training, which ``outside_training`` says where it is an
extreme, and nothing says where it is not; at night over snow and ice; sun glint; with a companion,
where that fails (see ``bayesian``). What learnt from labels has their errors. Where S8 is missing,
which no model does without, a pixel is unknown. Each model's card has its scores and limits.

A model learnt from reflectances in one radiometry (see ``radiometry``). A scene that says it is in
the other is converted first; the Mask says both, the scene's as given and the model's.
"""

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
import xarray as xr

from slstr_cloudmask import channels
from slstr_cloudmask.detectors import DETECTORS, Detector, get_detector
from slstr_cloudmask.errors import InputError, ModelError
from slstr_cloudmask.flags import UNKNOWN, value_flag_variable
from slstr_cloudmask.mask import build_mask
from slstr_cloudmask.network.certainty import (
    Places,
    calibrated,
    companion_logits,
    outside_ranges,
    regime_places,
    weighed,
)
from slstr_cloudmask.network.device import resolve_device, resolve_precision
from slstr_cloudmask.network.engine import make_engine
from slstr_cloudmask.network.inference import InferenceMode, predict_logits
from slstr_cloudmask.network.inputs import network_inputs
from slstr_cloudmask.network.model_file import Model, ModelConfig, load_model
from slstr_cloudmask.network.normaliser import Normaliser
from slstr_cloudmask.radiometry import (
    RADIOMETRIES,
    convert_radiometry,
    reflectances_present,
    scene_name,
    scene_radiometry,
)
from slstr_cloudmask.scene import bands_present

logger = logging.getLogger(__name__)

ALWAYS_SEEN = ("S8",)  # what no model does without: training never takes it away


class Network:
    """Mask scenes with a trained network.

    Parameters
    ----------
    model
        A model, or the folder of one.
    threshold
        A number between 0 and 1, or the name of one of the model's thresholds.
    device, precision
        Where and how it runs: see ``network.device``.
    engine, scenes
        What runs it, and for how many scenes: see ``network.engine``.
    mode
        ``scene`` or ``patches``: see ``network.inference``.
    companions
        Makes the detector of a name that the model is weighed with.

    Raises
    ------
    ModelError
        The model has no threshold of that name.
    InputError
        There is no such device, precision or engine.
    """

    name = "network"

    def __init__(
        self,
        model: Model | Path,
        *,
        threshold: str | float = "balanced",
        device: str = "auto",
        precision: str = "auto",
        engine: str = "auto",
        scenes: int = 1,
        mode: InferenceMode = "scene",
        companions: Callable[[str], Detector] = get_detector,
    ) -> None:
        self.model = model if isinstance(model, Model) else load_model(model)
        self.device = resolve_device(device)
        if engine == "onnx" and precision == "auto":
            precision = "fp32"  # the one that it multiplies
        self.precision = resolve_precision(precision, self.device)
        self.threshold = _threshold(self.model, threshold)
        self.mode: InferenceMode = mode
        self._companions = companions
        self.engine = make_engine(
            self.model, engine=engine, device=self.device, precision=self.precision, scenes=scenes
        )

    def inputs(self, scene: xr.Dataset) -> npt.NDArray[np.float32]:
        """Return what the network reads of a scene (rows, columns, inputs).

        Raises
        ------
        ModelError
            The scene lacks a band that the model cannot do without, or its reflectances cannot be
            converted to the model's radiometry.
        """
        config = self.model.config
        _check_bands(scene, config.normaliser)
        return _inputs(_as_trained(scene, config), config.normaliser)

    def probability(self, scene: xr.Dataset) -> npt.NDArray[np.float32]:
        """Return the probability of cloud (rows, columns) at every pixel, seen or not.

        Raises
        ------
        ModelError
            As `inputs`.
        """
        x_HWC = self.inputs(scene)
        return self._probability(x_HWC, scene, regime_places(scene))

    def logits(self, x_HWC: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return the network's own logits of cloud (rows, columns) of what it reads."""
        config = self.model.config
        return predict_logits(
            self.engine,
            x_HWC,
            mode=self.mode,
            patch_size=config.patch_size,
            crop_size=config.crop_size,
        )

    def _probability(
        self, x_HWC: npt.NDArray[np.float32], scene: xr.Dataset, places: Places
    ) -> npt.NDArray[np.float32]:
        config, own = self.model.config, self.logits(x_HWC)
        if config.companion is None:
            logits = calibrated(own, places, config.calibration)
        else:
            other = self.companion_logits(scene, config.companion)
            logits = weighed(own, other, places, config.companion_weights, config.calibration)
        return torch.sigmoid(torch.from_numpy(logits)).numpy()

    def companion_logits(self, scene: xr.Dataset, name: str) -> npt.NDArray[np.float32]:
        """Return the logits of a detector without a model (rows, columns), NaN where it has none.

        Raises
        ------
        ModelError
            There is no such detector.
        """
        if name not in DETECTORS:
            raise ModelError(
                f"The model is weighed with the detector {name!r}, which this version does not "
                f"have: expected one of {', '.join(DETECTORS)}."
            )
        mask = self._companions(name).predict(scene)
        return companion_logits(mask["cloud_probability"].values)

    def predict(self, scene: xr.Dataset) -> xr.Dataset:
        """Return the Mask of a Scene; pixels that were not seen are unknown.

        Where the model knows what it was trained on, ``outside_training`` says which pixels are
        not like that.
        """
        x_HWC = self.inputs(scene)
        places = regime_places(scene)
        mask = self.mask(scene, self._probability(x_HWC, scene, places))
        config = self.model.config
        if not config.ranges:
            return mask
        outside = outside_ranges(x_HWC, places, config.normaliser.inputs, config.ranges)
        unknown = mask["cloud_mask"].values == UNKNOWN
        return mask.assign(
            outside_training=value_flag_variable(
                np.where(unknown, UNKNOWN, outside),
                {"inside": 0, "outside": 1},
                long_name="whether a measurement is outside what the model was trained on",
            )
        )

    def mask(self, scene: xr.Dataset, probability: npt.NDArray[np.float32]) -> xr.Dataset:
        """Return the Mask that belongs to this network's probability of cloud.

        Pixels without what no model does without are unknown.
        """
        config = self.model.config
        for name in set(ALWAYS_SEEN) & set(config.normaliser.channels):
            seen = np.isfinite(scene[name].values)
            probability = np.where(seen, probability, np.float32(np.nan))
        return build_mask(
            scene,
            probability,
            threshold=self.threshold,
            detector=self.name,
            attributes={
                "model_checksum_sha256": self.model.checksum,
                "model_version": config.version,
                "model_radiometry": config.radiometry,
                "label": config.label,
                "bands_used": " ".join(n for n in config.normaliser.channels if n in scene),
                "bands_missing": " ".join(n for n in config.normaliser.channels if n not in scene),
                "precision": self.precision,
                "engine": self.engine.name,
                **({} if config.companion is None else {"companion": config.companion}),
                "inference_mode": self.mode,
            },
        )


def _inputs(scene: xr.Dataset, normaliser: Normaliser) -> npt.NDArray[np.float32]:
    """Return what the network reads of a scene (rows, columns, inputs)."""
    x_HWC = normaliser.apply(scene)
    if normaliser.reads == "bands":
        return x_HWC
    x_NCHW = torch.from_numpy(x_HWC).permute(2, 0, 1)[None]
    return np.moveaxis(network_inputs(x_NCHW, normaliser)[0].numpy(), 0, -1)


def _threshold(model: Model, threshold: str | float) -> float:
    if not isinstance(threshold, str):
        return threshold
    known = model.config.thresholds
    if threshold not in known:
        raise ModelError(
            f"The model has no threshold {threshold!r}: expected a number or one of "
            f"{', '.join(sorted(known))}."
        )
    return known[threshold]


def _check_bands(scene: xr.Dataset, normaliser: Normaliser) -> None:
    """Refuse a scene without the bands that a model cannot do without."""
    names, present = normaliser.channels, bands_present(scene)
    needed = ALWAYS_SEEN if normaliser.reads == "full" else channels.THERMAL_NAMES
    if lacking := [name for name in needed if name in names and name not in present]:
        raise ModelError(
            f"The model reads {', '.join(names)}, and the scene lacks {', '.join(lacking)}. "
            "Use another model, or the detector 'clusters', which takes any bands."
        )
    missing = [name for name in names if name not in present]
    sunlit = missing and normaliser.reads == "bands" and "solar_zenith_angle" in scene.coords
    if sunlit and bool((scene["solar_zenith_angle"] < 90).any()):
        logger.warning(
            "The scene is sunlit and lacks %s; the model sees it as night.", ", ".join(missing)
        )


def _as_trained(scene: xr.Dataset, config: ModelConfig) -> xr.Dataset:
    """Return the scene in the model's radiometry, where the model reads reflectances of it."""
    if not set(reflectances_present(scene)) & set(config.normaliser.channels):
        return scene
    try:
        given = scene_radiometry(scene)
        converted = convert_radiometry(scene, config.radiometry)
    except InputError as error:
        raise ModelError(f"{error} The model was trained on {config.radiometry}.") from error
    if given is None:
        logger.warning(
            "Nothing says in which radiometry the reflectances of %s are; they are used as they "
            "are, by a model trained on %s. Set scene.attrs['radiometry'] to one of %s.",
            scene_name(scene),
            config.radiometry,
            ", ".join(RADIOMETRIES),
        )
    elif given != config.radiometry:
        logger.info(
            "Reflectances of %s are %s; converted to %s, which the model was trained on.",
            scene_name(scene),
            given,
            config.radiometry,
        )
    return converted
