"""Whether a model of Keras is our U-Net: its layers, followed from the output to the input.

    layers = parse_layers(json.loads(text))
    plan = trace(layers)

Layers are found by what feeds them, never by their names. The configuration is read as names and
numbers and no layer of it is built, so code in it, such as a ``Lambda``'s, is never run.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NoReturn

from pydantic import BaseModel

from slstr_cloudmask.errors import ModelError

# What our network does, in Keras' words, by kind of layer: the values that a setting may have. None
# stands for one that is not written down, where Keras' default is what ours does.
SAME_GRID = {"data_format": ("channels_last", None)}
SETTINGS: dict[str, dict[str, tuple[Any, ...]]] = {
    "InputLayer": {},
    "Conv2D": SAME_GRID
    | {
        "strides": ([1, 1], None),
        "padding": ("same",),
        "dilation_rate": ([1, 1], None),
        "groups": (1, None),
        "use_bias": (True, None),
    },
    "ReLU": {"max_value": (None,), "negative_slope": (0.0, None), "threshold": (0.0, None)},
    "Activation": {},
    "MaxPooling2D": SAME_GRID
    | {"pool_size": ([2, 2], None), "strides": ([2, 2], None), "padding": ("valid", None)},
    "UpSampling2D": SAME_GRID | {"size": ([2, 2], None), "interpolation": ("nearest", None)},
    "Concatenate": {"axis": (-1, 3, None)},
}


@dataclass(frozen=True)
class Layer:
    """One layer: its kind, which is the name of its class, its settings, and what feeds it."""

    name: str
    kind: str
    settings: dict[str, Any]
    inputs: tuple[str, ...]

    @property
    def snake_kind(self) -> str:
        """The kind as Keras writes it in names: ``max_pooling2d``, ``re_lu``."""
        words = re.sub(r"\W+", "", self.kind)
        words = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", words)
        return re.sub(r"([a-z])([A-Z])", r"\1_\2", words).lower()


@dataclass(frozen=True)
class Plan:
    """How the network of a file maps to ours.

    Attributes
    ----------
    convolutions
        Names of the layers with weights, in our network's order: down, bottom, up, head.
    skip_first
        For each level up, coarsest first: whether the skip comes before the up-sampled map.
    input_shape
        (rows, columns, channels), ``None`` where it is free; empty where it is not known.
    """

    convolutions: tuple[str, ...]
    skip_first: tuple[bool, ...]
    input_shape: tuple[int | None, ...] = ()


class _Entry(BaseModel):
    class_name: str
    config: dict[str, Any]
    inbound_nodes: list[Any] = []


class _Layers(BaseModel):
    layers: list[_Entry]


class _Model(BaseModel):
    class_name: str
    config: dict[str, Any]


def parse_layers(config: Any) -> dict[str, Layer]:
    """Return the layers of a model's configuration by name, in its order.

    Raises
    ------
    ModelError
        It is no model of connected layers, or one layer is used twice.
    ValueError, KeyError, TypeError, RecursionError
        It is not as Keras writes it.
    """
    model = _Model.model_validate(config)
    if model.class_name not in ("Functional", "Model"):
        raise ModelError(f"expected a Functional model of Keras, found {model.class_name}.")
    layers: dict[str, Layer] = {}
    for entry in _Layers.model_validate(model.config).layers:
        name = str(entry.config["name"])
        if len(entry.inbound_nodes) > 1 or name in layers:
            raise ModelError(f"expected every layer once, found {name!r} twice.")
        inputs = tuple(_feeding(entry.inbound_nodes))
        layers[name] = Layer(name, entry.class_name, entry.config, inputs)
    return layers


def _feeding(value: Any) -> Iterator[str]:
    """Find the names of the layers that feed a node, as Keras 3 or Keras 2 writes them."""
    if isinstance(value, dict):
        if value.get("class_name") == "__keras_tensor__":
            yield str(value["config"]["keras_history"][0])
            return
        value = list(value.values())
    if isinstance(value, list):
        if [type(item) for item in value[:3]] == [str, int, int]:
            yield value[0]
            return
        for item in value:
            yield from _feeding(item)


def trace(layers: dict[str, Layer]) -> Plan:
    """Follow a model from its output to its input.

    Raises
    ------
    ModelError
        It is another network than ours, with what was expected and found, and where.
    """
    walk = _Walk(layers)
    head = walk.convolution(1, "sigmoid")
    up, skips, skip_first = [], [], []
    pair = walk.pair()
    while walk.kind == "Concatenate":
        skip, first = walk.join()
        up.append(pair)
        skips.append(skip)
        skip_first.append(first)
        pair = walk.pair()
    bottom, down = pair, []
    for skip in reversed(skips):
        walk.step("MaxPooling2D")
        if walk.at != skip:
            raise ModelError(f"expected the skip of {walk.at!r}, found one of {skip!r}.")
        down.append(walk.pair())
    if not down:
        raise ModelError("expected a U-Net, found a network without a level to go down to.")
    shape = walk.step("InputLayer").settings
    ordered = [*reversed(down), bottom, *reversed(up)]
    return Plan(
        convolutions=(*(name for pair in ordered for name in pair), head),
        skip_first=tuple(reversed(skip_first)),
        input_shape=_input_shape(shape),
    )


def _input_shape(settings: dict[str, Any]) -> tuple[int | None, ...]:
    shape = settings.get("batch_shape", settings.get("batch_input_shape"))
    if (
        not isinstance(shape, list)
        or len(shape) != 4
        or any(not (size is None or (type(size) is int and size > 0)) for size in shape)
    ):
        raise ModelError(f"expected an input of (batch, rows, columns, channels), found {shape}.")
    return tuple(shape[1:])


class _Walk:
    """A place in the model, and the ways back from it."""

    def __init__(self, layers: dict[str, Layer]) -> None:
        self.layers = layers
        feeding = {name for layer in layers.values() for name in layer.inputs}
        ends = [name for name in layers if name not in feeding]
        if len(ends) != 1:
            raise ModelError(f"expected one output, found {', '.join(ends) or 'none'}.")
        self.at, self._from, self._left = ends[0], "the output", set(layers)

    @property
    def kind(self) -> str:
        """Kind of the layer here."""
        layer = self.layers.get(self.at)
        return layer.kind if layer else "nothing"

    def step(self, kind: str) -> Layer:
        """Take the layer here, which must be of this kind and do what ours does, and go on."""
        if self.kind != kind or self.at not in self._left:
            self._unexpected(kind)
        layer = self.layers[self.at]
        for key, values in SETTINGS[kind].items():
            found = layer.settings.get(key)
            if found not in values:
                raise ModelError(
                    f"layer {layer.name!r}: expected {key} {values[0]}, found {found!r}."
                )
        wanted = {"InputLayer": 0, "Concatenate": 2}.get(kind, 1)
        if len(layer.inputs) != wanted:
            raise ModelError(
                f"layer {layer.name!r}: expected inputs: {wanted}, found {len(layer.inputs)}."
            )
        self._left.remove(self.at)
        self._from = f"{layer.kind} {layer.name!r}"
        self.at = layer.inputs[0] if layer.inputs else ""
        return layer

    def convolution(self, size: int, activation: str) -> str:
        """Take a convolution and its activation, a part of it or a layer after it."""
        after = "linear"
        if self.kind == "ReLU":
            self.step("ReLU")
            after = "relu"
        elif self.kind == "Activation":
            after = self.step("Activation").settings.get("activation", "linear")
        layer = self.step("Conv2D")
        within = layer.settings.get("activation", "linear")
        kernel_size = layer.settings.get("kernel_size")
        if {"linear", activation} != {within, after}:
            raise ModelError(
                f"layer {layer.name!r}: expected activation {activation}, found {within} and then "
                f"{after}."
            )
        if kernel_size != [size, size]:
            raise ModelError(
                f"layer {layer.name!r}: expected kernel_size {[size, size]}, found {kernel_size}."
            )
        return layer.name

    def pair(self) -> tuple[str, str]:
        """Take two 3×3 convolutions with ReLU; return them in the order that data flows."""
        second = self.convolution(3, "relu")
        return self.convolution(3, "relu"), second

    def join(self) -> tuple[str, bool]:
        """Take a joint and the up-sampling before it; return the skip, and whether it is first."""
        joint = self.step("Concatenate")
        kinds = [self.layers[name].kind for name in joint.inputs if name in self.layers]
        if kinds.count("UpSampling2D") != 1 or len(kinds) != 2:
            raise ModelError(
                f"layer {joint.name!r}: expected UpSampling2D and a skip, found "
                f"{' and '.join(kinds)}."
            )
        index = kinds.index("UpSampling2D")
        self.at = joint.inputs[index]
        self.step("UpSampling2D")
        return joint.inputs[1 - index], index == 1

    def _unexpected(self, kind: str) -> NoReturn:
        found = f"{self.kind} {self.at!r}" if self.at else "nothing"
        raise ModelError(f"expected {kind} before {self._from}, found {found}.")
