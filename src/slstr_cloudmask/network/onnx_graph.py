"""A network as an ONNX graph: what ONNX Runtime and OpenVINO read.

    content = onnx_bytes(model, extra=extra)

Logits of normalised channels in float32, for any number of scenes and any size that is a multiple
of the stride. The network is put together node by node, in a fraction of a second. The 4×4 kernels
of the decoder are worked out once and stored. The metadata holds all that is needed to use it
without this package.
"""

import json
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from slstr_cloudmask import __version__
from slstr_cloudmask.extras import require
from slstr_cloudmask.network.model_file import Model
from slstr_cloudmask.network.unet import UNet, receptive_reach, split_kernels

# Runtimes of 2023 read these.
OPSET, IR_VERSION = 18, 8
INPUT, OUTPUT = "normalised_channels", "logits"

_READING = {
    "bands": "(value - offset) / scale of each channel, where value is 0 where nothing was "
    "measured",
    "full": "(value - offset) / scale of each channel, then asinh(S7-S8 / 1 K), "
    "asinh(S8-S9 / 0.5 K), then 1 for each channel that was measured; all are 0 where it was not",
}


def metadata(model: Model) -> dict[str, str]:
    """Return what a user of an exported file needs to know, as short texts.

    ``channels``, ``offset``, ``scale``, ``thresholds`` and ``widths`` are JSON.
    """
    config = model.config
    normaliser = config.normaliser
    stride = model.network.stride
    return {
        "producer": f"slstr-cloudmask {__version__}",
        "input": f"{INPUT} (N, C, H, W) float32: {_READING[normaliser.reads]}; "
        f"H and W are multiples of {stride}",
        "output": f"{OUTPUT} (N, 1, H, W) float32: cloud probability is 1 / (1 + exp(-logit))",
        "inputs": json.dumps(normaliser.inputs),
        "channels": json.dumps(normaliser.channels),
        "offset": json.dumps(normaliser.offset),
        "scale": json.dumps(normaliser.scale),
        "radiometry": config.radiometry,
        "label": config.label,
        "thresholds": json.dumps(config.thresholds),
        "architecture": config.architecture,
        "widths": json.dumps(config.widths),
        "stride": str(stride),
        "halo": str(receptive_reach(config.widths)),
        "model_checksum_sha256": model.checksum,
        "model_version": config.version,
    }


def onnx_bytes(model: Model, *, extra: str = "onnx") -> bytes:
    """Return a model as the content of an ONNX file.

    Parameters
    ----------
    model
        What it is made of.
    extra
        Which extra to name where the library ``onnx`` is not installed: both have it.

    Raises
    ------
    MissingExtraError
        It is not installed.
    """
    onnx = require("onnx", extra=extra)
    helper = onnx.helper
    parts = _Parts(onnx)
    with torch.no_grad():
        parts.network(model.network)
    number = onnx.TensorProto.FLOAT
    channels = len(model.config.normaliser.inputs)
    given = helper.make_tensor_value_info(INPUT, number, ["N", channels, "H", "W"])
    made = helper.make_tensor_value_info(OUTPUT, number, ["N", 1, "H", "W"])
    graph = helper.make_graph(parts.nodes, "unet", [given], [made], initializer=parts.weights)
    proto = helper.make_model(
        graph,
        producer_name="slstr-cloudmask",
        ir_version=IR_VERSION,
        opset_imports=[helper.make_opsetid("", OPSET)],
    )
    helper.set_model_props(proto, metadata(model))
    return bytes(proto.SerializeToString(deterministic=True))


class _Parts:
    """Nodes and weights of a graph; each is named after its place in the network."""

    def __init__(self, onnx: Any) -> None:
        self._onnx = onnx
        self.nodes: list[Any] = []
        self.weights: list[Any] = []

    def network(self, network: UNet) -> None:
        """Add the network, as its ``forward`` runs."""
        skips = []
        last = INPUT
        for level, block in enumerate(network.encoder):
            last = self._layers(block.children(), last, f"encoder.{level}")
            skips.append(last)
            pooling = {"kernel_shape": [2, 2], "strides": [2, 2]}
            last = self._node("MaxPool", f"encoder.{level}.pool", [last], **pooling)
        last = self._layers(network.bottom.children(), last, "bottom")
        for level, (block, skip) in enumerate(zip(network.decoder, reversed(skips), strict=True)):
            name = f"decoder.{level}"
            first, *rest = block.children()
            last = self._joined(first, last, skip, name)
            last = self._layers(rest, last, name)
        self._convolution(OUTPUT, network.head, last)

    def _layers(self, layers: Iterable[nn.Module], last: str, name: str) -> str:
        for layer in layers:
            place = f"{name}.{len(self.nodes)}"
            if isinstance(layer, nn.Conv2d):
                last = self._convolution(place, layer, last)
            else:
                assert isinstance(layer, nn.ReLU)
                last = self._node("Relu", place, [last])
        return last

    def _convolution(self, name: str, layer: nn.Conv2d, last: str) -> str:
        inputs = [last, self._weight(f"{name}.weight", layer.weight)]
        if layer.bias is not None:
            inputs.append(self._weight(f"{name}.bias", layer.bias))
        return self._node("Conv", name, inputs, pads=[*layer.padding, *layer.padding])

    def _joined(self, layer: nn.Module, coarse: str, skip: str, name: str) -> str:
        """Add what `join_upsampled` does, with the two kernels worked out."""
        assert isinstance(layer, nn.Conv2d)
        channels_up = layer.in_channels - layer.out_channels  # a skip is as wide as what is made
        kernel_up, kernel_skip = split_kernels(layer.weight, channels_up)
        weights = [self._weight(f"{name}.up.weight", kernel_up)]
        up = self._node(
            "ConvTranspose", f"{name}.up", [coarse, *weights], strides=[2, 2], pads=[1] * 4
        )
        weights = [self._weight(f"{name}.skip.weight", kernel_skip)]
        if layer.bias is not None:
            weights.append(self._weight(f"{name}.skip.bias", layer.bias))
        beside = self._node("Conv", f"{name}.skip", [skip, *weights], pads=[1] * 4)
        return self._node("Add", f"{name}.joined", [up, beside])

    def _node(self, operation: str, name: str, inputs: list[str], **attributes: Any) -> str:
        self.nodes.append(
            self._onnx.helper.make_node(operation, inputs, [name], name, **attributes)
        )
        return name

    def _weight(self, name: str, values: Tensor) -> str:
        array = values.detach().cpu().contiguous().numpy()
        self.weights.append(self._onnx.numpy_helper.from_array(array, name))
        return name
