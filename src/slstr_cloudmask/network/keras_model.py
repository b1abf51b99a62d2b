"""A model of the reference, saved by Keras, as one of ours, and one of ours as Keras'.

    model = convert_from_keras(Path("cloudModel.h5"), Path("model"))
    convert_to_keras(model, Path("cloudModel.keras"))

The two are the same function of normalised channels. What Keras' file does not say, normalisation
and thresholds, is the reference's unless it is given; a file that we wrote says it.
"""

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import ValidationError

from slstr_cloudmask.atomic import write_bytes
from slstr_cloudmask.errors import BrokenFileError, InputError, MissingFileError, ModelError
from slstr_cloudmask.network.keras_file import FloatArray, KerasFile, read_keras
from slstr_cloudmask.network.keras_graph import Plan, trace
from slstr_cloudmask.network.keras_writer import KERAS_FORMS, keras_bytes
from slstr_cloudmask.network.model_file import (
    Model,
    ModelConfig,
    check_model_folder,
    load_model,
    save_model,
)
from slstr_cloudmask.network.normaliser import Normaliser
from slstr_cloudmask.network.unet import UNet

logger = logging.getLogger(__name__)


def convert_from_keras(
    path: Path, folder: Path, *, normaliser: Normaliser | None = None, overwrite: bool = False
) -> Model:
    """Write a model saved by Keras as a model folder, whole or not at all.

    Parameters
    ----------
    path
        A file of Keras: see ``keras_file``.
    folder
        The model folder.
    normaliser
        Of its input. By default the one in a file that we wrote, else the benchmark's.
    overwrite
        Replace a model that is there.

    Raises
    ------
    MissingFileError, BrokenFileError
        The file is not there, or cannot be read.
    ModelError
        It is another network, or its weights are not numbers.
    OutputExistsError
        ``folder`` exists and ``overwrite`` is false, or it holds other things.
    """
    check_model_folder(folder, overwrite=overwrite)
    saved = read_keras(path)
    try:
        plan = _plan(saved) if saved.layers is None else trace(saved.layers)
        network = _network(saved, plan)
        config = _config(saved, plan, network, normaliser, path)
    except ModelError as error:
        raise ModelError(f"{path} is no network of the reference: {error}") from error
    if saved.layers is None:
        logger.warning(
            "%s holds weights alone: taken as those of the reference's layers, the up-sampled map "
            "before the skip.",
            path,
        )
    save_model(network, config, folder, overwrite=overwrite)
    return load_model(folder)


def convert_to_keras(model: Model, path: Path, *, overwrite: bool = False) -> None:
    """Write a model as a file that Keras opens, whole or not at all.

    Parameters
    ----------
    model
        The model.
    path
        ``.h5``, a whole model that Keras 2 and 3 open; ``.keras``, one that Keras 3 opens; or
        ``.weights.h5``, weights alone.
    overwrite
        Replace a file that is there.

    Raises
    ------
    InputError
        The name ends in something else.
    OutputExistsError
        The file exists and ``overwrite`` is false.
    """
    for suffix, form in KERAS_FORMS.items():
        if path.name.endswith(suffix):
            write_bytes(path, keras_bytes(model, form), overwrite=overwrite)
            return
    raise InputError(
        f"{path.name} is no name for a file of Keras: expected one that ends in "
        f"{', '.join(KERAS_FORMS)}."
    )


def read_normaliser(path: Path) -> Normaliser:
    """Read a normalisation from JSON: channels, offset and scale, or a model's ``config.json``.

    Raises
    ------
    MissingFileError, BrokenFileError
        There is no such file, or it is not such JSON.
    """
    if not path.is_file():
        raise MissingFileError(
            f"Expected 'benchmark' or a JSON file with a normalisation, found no file {path}."
        )
    try:
        content = json.loads(path.read_text())
        return Normaliser.model_validate(content.get("normaliser", content))
    except (ValueError, AttributeError, RecursionError) as error:
        raise BrokenFileError(
            f"{path} is no normalisation: expected JSON with channels, offset and scale, each a "
            f"list of the same length: {error}"
        ) from error


def _plan(saved: KerasFile) -> Plan:
    """Take weights without layers as the reference's layers, in the order of the file."""
    count = len(saved.weights)
    # Two a level down, two at the bottom, two a level up, and the head.
    if count < 7 or count % 4 != 3:
        raise ModelError(
            f"expected 7, 11, 15 or so layers with weights (the reference has 15), found {count}."
        )
    return Plan(tuple(saved.weights), skip_first=(False,) * (count // 4))


def _network(saved: KerasFile, plan: Plan) -> UNet:
    """Return our network with the file's weights; shapes are checked before memory is taken."""
    pairs = [_kernel_and_bias(saved, name) for name in plan.convolutions]
    levels = len(plan.skip_first)
    widths = tuple(kernel.shape[3] for kernel, _ in pairs[: 2 * levels + 2 : 2])
    with torch.device("meta"):
        network = UNet(pairs[0][0].shape[2], widths)
    for level, skip_first in enumerate(plan.skip_first):
        index = 2 * (levels + 1 + level)
        if skip_first:  # ours reads the up-sampled map first
            kernel, bias = pairs[index]
            pairs[index] = np.roll(kernel, -widths[-2 - level], axis=2), bias
    arrays = [part for kernel, bias in pairs for part in (kernel.transpose(3, 2, 0, 1), bias)]
    weights = {}
    for number, (name, expected) in enumerate(network.state_dict().items()):
        found = arrays[number]
        if found.shape != tuple(expected.shape):
            raise ModelError(
                f"layer {plan.convolutions[number // 2]!r}: expected weights of shape "
                f"{_keras_shape(expected.shape)}, found {_keras_shape(found.shape)}."
            )
        weights[name] = torch.from_numpy(np.ascontiguousarray(found))
    network.load_state_dict(weights, assign=True)
    return network


def _kernel_and_bias(saved: KerasFile, name: str) -> tuple[FloatArray, FloatArray]:
    arrays = saved.weights.get(name, [])
    if [array.ndim for array in arrays] != [4, 1]:
        shapes = ", ".join(str(array.shape) for array in arrays) or "nothing"
        raise ModelError(
            f"layer {name!r}: expected a kernel of four dimensions and a bias, found {shapes}."
        )
    for array, what in zip(arrays, ("kernel", "bias"), strict=True):
        if not np.isfinite(array).all():
            count = int((~np.isfinite(array)).sum())
            raise ModelError(
                f"layer {name!r}: expected finite weights, found {count} of {array.size} in its "
                f"{what} that are not: its training diverged, take an earlier one."
            )
    return arrays[0], arrays[1]


def _keras_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape of one of our arrays as Keras has it: (rows, columns, in, out)."""
    return tuple(shape[i] for i in (2, 3, 1, 0)) if len(shape) == 4 else tuple(shape)


def _config(
    saved: KerasFile, plan: Plan, network: UNet, normaliser: Normaliser | None, path: Path
) -> ModelConfig:
    """Return what our file says of the network: what is known, else the reference's."""
    known = _own(saved)
    if normaliser is None:
        normaliser = known.normaliser
    channels = network.encoder[0][0].in_channels  # type: ignore[index]
    if len(normaliser.channels) != channels:
        raise ModelError(
            f"it reads {channels} channels, and the normalisation is of "
            f"{len(normaliser.channels)} ({' '.join(normaliser.channels)}): give one of its own "
            "with --normalisation."
        )
    changes: dict[str, Any] = {"widths": network.widths, "normaliser": normaliser}
    changes["training"] = known.training | {
        "converted_from": {
            "file": path.name,
            "sha256": saved.sha256,
            "form": saved.form,
            "keras_version": saved.keras_version,
            "skip_first": list(plan.skip_first) if saved.layers is not None else "not known",
        }
    }
    return known.model_copy(update=changes | _patches(plan, network.stride))


def _own(saved: KerasFile) -> ModelConfig:
    """Return our configuration in a file that we wrote, else the reference's."""
    if saved.own_config is None:
        return ModelConfig()
    try:
        return ModelConfig.model_validate_json(saved.own_config)
    except ValidationError as error:
        raise ModelError(f"its own note of the model cannot be read: {error}") from error


def _patches(plan: Plan, stride: int) -> dict[str, int]:
    """Return the size of patches where the file says one, in the benchmark's proportions."""
    rows, columns = plan.input_shape[:2] or (None, None)
    if rows is None or rows != columns or rows % stride:
        return {}
    return {"patch_size": rows, "crop_size": rows * 5 // 16 // 2 * 2}
