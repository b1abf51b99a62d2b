"""The detector that runs a trained network."""

import logging
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
import xarray as xr

from slstr_cloudmask import channels
from slstr_cloudmask.errors import ModelError
from slstr_cloudmask.mask import build_mask
from slstr_cloudmask.network.device import resolve_device, resolve_precision
from slstr_cloudmask.network.inference import InferenceMode, predict_logits
from slstr_cloudmask.network.model_file import Model, load_model
from slstr_cloudmask.scene import bands_present

logger = logging.getLogger(__name__)


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
    mode
        ``scene`` or ``patches``: see ``network.inference``.

    Raises
    ------
    ModelError
        The model has no threshold of that name.
    """

    name = "network"

    def __init__(
        self,
        model: Model | Path,
        *,
        threshold: str | float = "balanced",
        device: str = "auto",
        precision: str = "auto",
        mode: InferenceMode = "scene",
    ) -> None:
        self.model = model if isinstance(model, Model) else load_model(model)
        self.device = resolve_device(device)
        self.precision = resolve_precision(precision, self.device)
        self.threshold = _threshold(self.model, threshold)
        self.mode: InferenceMode = mode
        self.network = self.model.network.to(self.device, memory_format=torch.channels_last).eval()  # type: ignore[call-overload]

    def probability(self, scene: xr.Dataset) -> npt.NDArray[np.float32]:
        """Return the probability of cloud (rows, columns) at every pixel, seen or not.

        Raises
        ------
        ModelError
            The scene lacks a thermal band that the model reads.
        """
        config = self.model.config
        _check_bands(scene, config.normaliser.channels)
        logits = predict_logits(
            self.network,
            config.normaliser.apply(scene),
            mode=self.mode,
            patch_size=config.patch_size,
            crop_size=config.crop_size,
            precision=self.precision,
        )
        return torch.sigmoid(torch.from_numpy(logits)).numpy()

    def predict(self, scene: xr.Dataset) -> xr.Dataset:
        """Return the Mask of a Scene; pixels that were not seen are unknown."""
        return self.mask(scene, self.probability(scene))

    def mask(self, scene: xr.Dataset, probability: npt.NDArray[np.float32]) -> xr.Dataset:
        """Return the Mask that belongs to this network's probability of cloud."""
        config = self.model.config
        return build_mask(
            scene,
            probability,
            threshold=self.threshold,
            detector=self.name,
            attributes={
                "model_checksum_sha256": self.model.checksum,
                "model_version": config.version,
                "label": config.label,
                "bands_used": " ".join(n for n in config.normaliser.channels if n in scene),
                "bands_missing": " ".join(n for n in config.normaliser.channels if n not in scene),
                "precision": self.precision,
                "inference_mode": self.mode,
            },
        )


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


def _check_bands(scene: xr.Dataset, names: tuple[str, ...]) -> None:
    """Refuse a scene without the thermal bands; one without reflectances looks like night."""
    missing = [name for name in names if name not in bands_present(scene)]
    thermal = [name for name in missing if name in channels.THERMAL_NAMES]
    if thermal:
        raise ModelError(
            f"The model reads {', '.join(names)}, and the scene lacks {', '.join(thermal)}. "
            "Use another model, or the detector 'thresholds'."
        )
    sunlit = missing and "solar_zenith_angle" in scene.coords
    if sunlit and bool((scene["solar_zenith_angle"] < 90).any()):
        logger.warning(
            "The scene is sunlit and lacks %s; the model sees it as night.", ", ".join(missing)
        )
