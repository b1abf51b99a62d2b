"""A trained network on disk: a folder with ``model.safetensors`` and ``config.json``.

The configuration holds all that is needed to use the weights: architecture, channels with their
order and normalisation, label and data it learnt from, thresholds. Training writes it and
prediction reads it, so the two cannot disagree. Neither file can run code when it is opened.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, PositiveInt
from safetensors import SafetensorError
from safetensors.torch import load_file, save

from slstr_cloudmask import __version__
from slstr_cloudmask.atomic import check_contents, check_output, replacing, write_bytes
from slstr_cloudmask.errors import (
    BrokenFileError,
    MissingFileError,
    ModelError,
)
from slstr_cloudmask.network.normaliser import Normaliser
from slstr_cloudmask.network.unet import REFERENCE_WIDTHS, UNet
from slstr_cloudmask.radiometry import Radiometry

WEIGHTS_NAME = "model.safetensors"
CONFIG_NAME = "config.json"

# Channels at each level of the U-Net, finest first: at least one level and the bottom.
Widths = Annotated[tuple[PositiveInt, ...], Field(min_length=2)]


class ModelConfig(BaseModel):
    """All that is needed to use the weights.

    Attributes
    ----------
    architecture, widths
        The network: the U-Net with its channels at each level.
    normaliser
        Channels in input order, with shift and scale, and what the network reads of them.
    label
        What it was trained on: see ``training.labels``.
    radiometry
        ``as_distributed`` or ``adjusted``: of the reflectances that it was trained on. A file
        that does not say was trained on ``as_distributed`` ones, as the benchmark's are.
    patch_size, crop_size
        The benchmark's patches, for inference by patches.
    thresholds
        Cloud where the probability is at least this, by name of the preset.
    calibration
        By regime (``day``, ``twilight``, ``night``): the logit times the first number plus the
        second is that of a probability that means what it says. Without, logits are as they are.
    companion
        A detector without a model whose answer is weighed with the network's: it knows the whole
        scene, of which the network sees a part at a time.
    companion_weights
        By regime: what the network's logit and the companion's are multiplied with, and what is
        added, for a probability that means what it says. Where the companion has no answer,
        ``calibration`` holds.
    ranges
        By regime and input: least and greatest value that the model was trained on, normalised.
    training
        Provenance: configuration, data, scores.
    version
        Version of the package that wrote the file.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    architecture: Literal["unet"] = "unet"
    widths: Widths = REFERENCE_WIDTHS
    normaliser: Normaliser = Field(default_factory=Normaliser.benchmark)
    label: str = "bayes"
    radiometry: Radiometry = "as_distributed"
    patch_size: int = 256
    crop_size: int = 80
    thresholds: dict[str, Annotated[float, Field(ge=0, le=1)]] = Field(
        default_factory=lambda: {"balanced": 0.5}
    )
    calibration: dict[str, tuple[FiniteFloat, FiniteFloat]] = Field(default_factory=dict)
    companion: str | None = None
    companion_weights: dict[str, tuple[FiniteFloat, FiniteFloat, FiniteFloat]] = Field(
        default_factory=dict
    )
    ranges: dict[str, dict[str, tuple[FiniteFloat, FiniteFloat]]] = Field(default_factory=dict)
    training: dict[str, Any] = Field(default_factory=dict)
    version: str = __version__

    def build(self) -> UNet:
        """Return a network of this architecture with fresh weights."""
        return UNet(len(self.normaliser.inputs), self.widths)


@dataclass(frozen=True)
class Model:
    """A network with its configuration and the checksum (SHA-256) of its weights."""

    network: UNet
    config: ModelConfig
    checksum: str


def save_model(
    network: UNet, config: ModelConfig, folder: Path, *, overwrite: bool = False
) -> None:
    """Write the model file, whole or not at all.

    Raises
    ------
    OutputExistsError
        ``folder`` exists and ``overwrite`` is false.
    """
    weights = {name: tensor.contiguous().cpu() for name, tensor in network.state_dict().items()}
    with replacing(folder, overwrite=overwrite) as temporary:
        temporary.mkdir()
        (temporary / WEIGHTS_NAME).write_bytes(save(weights))
        (temporary / CONFIG_NAME).write_text(config.model_dump_json(indent=2) + "\n")


def save_config(config: ModelConfig, folder: Path) -> None:
    """Replace the configuration of a model; its weights stay as they are.

    Raises
    ------
    WriteError
        It could not be written.
    """
    content = config.model_dump_json(indent=2) + "\n"
    write_bytes(folder / CONFIG_NAME, content.encode(), overwrite=True)


def check_model_folder(folder: Path, *, overwrite: bool) -> None:
    """Refuse early a folder where a model could not be written.

    Raises
    ------
    OutputExistsError
        The folder holds other things, or a model and ``overwrite`` is false.
    """
    check_output(folder, overwrite=overwrite)
    if folder.is_dir():
        check_contents(folder, (WEIGHTS_NAME, CONFIG_NAME))


def load_model(folder: Path) -> Model:
    """Read a model file.

    Raises
    ------
    MissingFileError
        No model file there.
    BrokenFileError
        The weights or the configuration cannot be read.
    ModelError
        Weights and configuration do not fit each other.
    """
    config_path, weights_path = folder / CONFIG_NAME, folder / WEIGHTS_NAME
    for path in (config_path, weights_path):
        if not path.is_file():
            raise MissingFileError(
                f"{folder} is no model: expected a folder with {WEIGHTS_NAME} and {CONFIG_NAME}, "
                f"and {path.name} is not there."
            )
    try:
        config = ModelConfig.model_validate(json.loads(config_path.read_text()))
        weights = load_file(weights_path)
    except (ValueError, SafetensorError) as error:  # not UTF-8, not JSON, or not as configured
        raise BrokenFileError(f"The model in {folder} cannot be read: {error}") from error
    network = config.build()
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        raise ModelError(
            f"The weights in {weights_path} do not fit {CONFIG_NAME} beside them "
            f"({len(config.normaliser.inputs)} inputs, widths {config.widths}): {error}"
        ) from error
    return Model(network.eval(), config, hashlib.sha256(weights_path.read_bytes()).hexdigest())
