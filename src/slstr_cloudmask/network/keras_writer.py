"""A model as the content of a file of Keras, written without Keras.

    content = keras_bytes(model, "h5")

The layers are those of the reference, by the names that Keras gives them. HDF5 and zip hold no
time, so that the same model is the same file. Our own configuration, with normalisation and
thresholds, goes along as an attribute that Keras does not read.
"""

import io
import json
import zipfile
from collections import Counter
from typing import Any, Literal

import h5py
import numpy as np
import numpy.typing as npt
import torch

from slstr_cloudmask.network.keras_file import (
    CONTAINERS,
    OWN_ATTRIBUTE,
    ZIP_CONFIG,
    ZIP_METADATA,
    ZIP_WEIGHTS,
)
from slstr_cloudmask.network.keras_graph import parse_layers
from slstr_cloudmask.network.model_file import Model
from slstr_cloudmask.network.unet import UNet

Form = Literal["weights", "h5", "keras"]
KERAS_FORMS: dict[str, Form] = {".weights.h5": "weights", ".h5": "h5", ".keras": "keras"}

# The versions whose forms are written: that of the reference, and the first with the other one.
HDF5_VERSION, ZIP_VERSION = "2.8.0", "3.0.0"


def keras_arrays(network: UNet) -> list[npt.NDArray[np.float32]]:
    """Return our weights in the order and the axes in which Keras holds its own.

    Ours are (out, in, rows, columns), Keras' (rows, columns, in, out); both networks hold their
    layers from the first to the last, kernel before bias.
    """
    arrays = []
    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d) and module.bias is not None:
            arrays.append(module.weight.detach().cpu().permute(2, 3, 1, 0).numpy())
            arrays.append(module.bias.detach().cpu().numpy())
    return arrays


def keras_bytes(model: Model, form: Form) -> bytes:
    """Return a model as the content of a file of Keras.

    Parameters
    ----------
    model
        The model.
    form
        ``h5``, a whole model in HDF5; ``keras``, one in a zip; or ``weights``, HDF5 of weights
        alone in the new layout.
    """
    config = _model_config(model)
    if form == "h5":
        return _hdf5(model, config)
    weights = _weights(model, config)
    if form == "weights":
        return weights
    parts = {
        ZIP_METADATA: json.dumps({"keras_version": ZIP_VERSION}).encode(),
        ZIP_CONFIG: json.dumps(config).encode(),
        ZIP_WEIGHTS: weights,
    }
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, part in parts.items():
            archive.writestr(zipfile.ZipInfo(name), part)
    return content.getvalue()


class _Layers:
    """The layers of a model in the making; each is named after its kind and counted."""

    def __init__(self) -> None:
        self.entries: list[dict[str, Any]] = []
        self._count: Counter[str] = Counter()

    def add(self, kind: str, stem: str, settings: dict[str, Any], *inputs: str) -> str:
        """Add a layer fed by others; return its name."""
        name = f"{stem}_{self._count[stem]}" if self._count[stem] else stem
        self._count[stem] += 1
        self.entries.append(
            {
                "class_name": kind,
                "config": {"name": name, "dtype": "float32"} | settings,
                "name": name,
                "inbound_nodes": [[[source, 0, 0, {}] for source in inputs]] if inputs else [],
            }
        )
        return name

    def convolution(self, filters: int, size: int, activation: str, source: str) -> str:
        settings = {
            "filters": filters,
            "kernel_size": [size, size],
            "strides": [1, 1],
            "padding": "same",
            "data_format": "channels_last",
            "dilation_rate": [1, 1],
            "groups": 1,
            "activation": activation,
            "use_bias": True,
            "kernel_initializer": {"class_name": "HeNormal", "config": {"seed": None}},
            "bias_initializer": {"class_name": "Zeros", "config": {}},
        }
        return self.add("Conv2D", "conv2d", settings, source)

    def pair(self, filters: int, at: str) -> str:
        for _ in range(2):
            at = self.convolution(filters, 3, "linear", at)
            at = self.add("ReLU", "re_lu", {"max_value": None}, at)
        return at


def _model_config(model: Model) -> dict[str, Any]:
    """Return the network as Keras 2 writes it down, which Keras 3 reads too."""
    size, channels = model.config.patch_size, len(model.config.normaliser.inputs)
    *down, bottom = model.network.widths
    layers, skips = _Layers(), []
    shape = {"batch_input_shape": [None, size, size, channels]}
    first = at = layers.add("InputLayer", "input_layer", shape)
    grid = {"data_format": "channels_last"}
    for width in down:
        at = layers.pair(width, at)
        skips.append(at)
        pool = {"pool_size": [2, 2], "strides": [2, 2], "padding": "valid"} | grid
        at = layers.add("MaxPooling2D", "max_pooling2d", pool, at)
    at = layers.pair(bottom, at)
    for width, skip in zip(reversed(down), reversed(skips), strict=True):
        up = {"size": [2, 2], "interpolation": "nearest"} | grid
        at = layers.add("UpSampling2D", "up_sampling2d", up, at)
        at = layers.pair(width, layers.add("Concatenate", "concatenate", {"axis": -1}, at, skip))
    last = layers.convolution(1, 1, "sigmoid", at)
    return {
        "module": "keras",
        "class_name": "Model",
        "config": {
            "name": "cloudmask",
            "trainable": True,
            "layers": layers.entries,
            "input_layers": [[first, 0, 0]],
            "output_layers": [[last, 0, 0]],
        },
        "registered_name": None,
    }


def _hdf5(model: Model, config: dict[str, Any]) -> bytes:
    """Return a whole model as HDF5, the way Keras 2 writes it."""
    content = io.BytesIO()
    arrays = iter(keras_arrays(model.network))
    layers = parse_layers(config)
    with h5py.File(content, "w") as file:
        versions = {"keras_version": HDF5_VERSION, "backend": "tensorflow"}
        file.attrs.update(versions | {"model_config": json.dumps(config)})
        file.attrs[OWN_ATTRIBUTE] = model.config.model_dump_json()
        group = file.create_group("model_weights")
        group.attrs.update(versions | {"layer_names": np.array(list(layers), "S")})
        for name, layer in layers.items():
            inner = group.create_group(name)
            parts = [f"{name}/{part}:0" for part in ("kernel", "bias") if layer.kind == "Conv2D"]
            inner.attrs["weight_names"] = np.array(parts, "S")
            for part in parts:
                inner[part] = next(arrays)
    return content.getvalue()


def _weights(model: Model, config: dict[str, Any]) -> bytes:
    """Return weights alone as HDF5, the way Keras 3 writes them."""
    content = io.BytesIO()
    arrays = iter(keras_arrays(model.network))
    layers = parse_layers(config)
    with h5py.File(content, "w") as file:
        file.attrs[OWN_ATTRIBUTE] = model.config.model_dump_json()
        for name, layer in layers.items():  # named as Keras names their groups
            variables = file.create_group(f"{CONTAINERS[0]}/{name}/vars")
            for part in range(2 if layer.kind == "Conv2D" else 0):
                variables[str(part)] = next(arrays)
    return content.getvalue()
