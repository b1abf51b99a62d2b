"""The ways to run a network, behind one call.

    engine = make_engine(model, engine="auto", device=device, precision="bf16", scenes=100)
    logits_N1HW = engine.run(x_NCHW)

All of them compute the same function of the same weights; tests hold each to ``eager`` in float32.
``eager`` is PyTorch as it is and needs nothing more. ``compiled`` makes a program of the network
for one shape of input, which takes half a minute and is kept for the next time. ``onnx`` (ONNX
Runtime, float32) and ``openvino`` (float32 or bf16) are extras for processors. ``auto`` takes
OpenVINO on a processor, where it is installed: it starts at once.

Shape legend: N scenes or patches, C channels, H rows, W columns.
"""

import logging
from importlib.util import find_spec
from typing import Literal, Protocol, get_args

import torch
from torch import Tensor

from slstr_cloudmask.errors import CloudMaskError, InputError
from slstr_cloudmask.network.device import Precision, autocast
from slstr_cloudmask.network.model_file import Model
from slstr_cloudmask.network.unet import UNet, padded_channels, receptive_reach, with_padded_input

logger = logging.getLogger(__name__)

EngineName = Literal["auto", "eager", "compiled", "onnx", "openvino"]
ENGINES: tuple[EngineName, ...] = get_args(EngineName)

# A program takes about 25 s to make and saves about .4 s a scene on two cores.
SCENES_THAT_REPAY = 60

PATCHES_AT_ONCE = 8  # bounds the memory of a pass


class Engine(Protocol):
    """Runs a network.

    Attributes
    ----------
    name
        One of `ENGINES`.
    stride
        H and W must be multiples of it.
    halo
        Farthest distance in pixels from which an output can be changed.
    strip_rows
        Rows of a scene that are best run at a time; None for all. Fewer once they did not fit.
    patches_at_once
        Patches that are run at a time, likewise.
    """

    name: str
    stride: int
    halo: int
    strip_rows: int | None
    patches_at_once: int

    def run(self, x_NCHW: Tensor) -> Tensor:
        """Return logits (N, 1, H, W), float32, on the CPU, of normalised channels."""
        ...


class Eager:
    """PyTorch as it is.

    Parameters
    ----------
    network
        The network; it is moved to the device.
    device, precision
        Where and how it runs.
    pad
        Add channels of zeros up to a multiple of eight; by default on devices that multiply so.
    """

    name = "eager"

    def __init__(
        self, network: UNet, device: torch.device, precision: Precision, *, pad: bool | None = None
    ) -> None:
        self.pad = device.type == "cuda" if pad is None else pad
        network = with_padded_input(network) if self.pad else network
        self.network = network.to(device, memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
        self.device = device
        self.precision = precision
        self.stride = network.stride
        self.halo = receptive_reach(network.widths)
        # Of a scene at once the maps of the finest level do not fit the processor's cache.
        self.strip_rows = 200 if device.type == "cpu" else None
        self.patches_at_once = PATCHES_AT_ONCE

    def run(self, x_NCHW: Tensor) -> Tensor:
        """Return logits (N, 1, H, W), float32, on the CPU, of normalised channels."""
        return self.on_device(self.brought(x_NCHW)).cpu()

    def brought(self, x_NCHW: Tensor) -> Tensor:
        """Bring channels to the device, laid out as it likes them."""
        if self.device.type == "cuda" and self.precision == "bf16":
            x_NCHW = x_NCHW.to(torch.bfloat16)  # as the first layer would; half as much to move
        return x_NCHW.to(self.device).contiguous(memory_format=torch.channels_last)

    def on_device(self, x_NCHW: Tensor) -> Tensor:
        """Return logits (N, 1, H, W), float32, where the channels are."""
        with torch.inference_mode():
            return self.logits(x_NCHW)

    def logits(self, x_NCHW: Tensor) -> Tensor:
        """Compute the network at its precision: what `Compiled` compiles."""
        with autocast(self.device, self.precision):
            logits: Tensor = self.network(padded_channels(x_NCHW) if self.pad else x_NCHW)
        return logits.float()


def make_engine(
    model: Model,
    *,
    engine: str = "auto",
    device: torch.device,
    precision: Precision,
    scenes: int = 1,
) -> Engine:
    """Make an engine for a model.

    Parameters
    ----------
    model
        What it runs.
    engine
        ``eager``; ``compiled``; ``onnx``; ``openvino``; or ``auto``: ``openvino`` on a processor,
        where it is installed; else compiled where a program was made before or so many scenes
        are to be run that making one repays.
    device, precision
        Where and how.
    scenes
        How many scenes are to be run.

    Raises
    ------
    InputError
        There is no such engine, or not for that device or precision.
    MissingExtraError
        The engine's library is not installed.
    """
    if engine not in ENGINES:
        raise InputError(f"Unknown engine {engine!r}: expected one of {', '.join(ENGINES)}.")
    if engine in ("onnx", "openvino"):
        return _of_an_extra(model, engine, device, precision)
    if engine == "auto" and device.type == "cpu" and (found := _openvino(model, precision)):
        return found
    eager = Eager(model.network, device, precision)
    if engine == "eager":
        return eager
    from slstr_cloudmask.network.compiled import Compiled

    make = engine == "compiled" or scenes >= SCENES_THAT_REPAY
    return Compiled(eager, model.checksum, make=make)


def _openvino(model: Model, precision: Precision) -> Engine | None:
    """Make OpenVINO's engine, where its libraries are there and can be loaded."""
    if not all(find_spec(library) for library in ("openvino", "onnx")):
        return None
    try:
        return _of_an_extra(model, "openvino", torch.device("cpu"), precision)
    except (CloudMaskError, ImportError, OSError, RuntimeError) as error:
        logger.warning("OpenVINO cannot be used, and PyTorch runs the network: %s", error)
        return None


def _of_an_extra(model: Model, engine: str, device: torch.device, precision: Precision) -> Engine:
    from slstr_cloudmask.network.onnx_engine import OnnxRuntime
    from slstr_cloudmask.network.onnx_graph import onnx_bytes
    from slstr_cloudmask.network.openvino_engine import OpenVino

    if device.type != "cpu":
        raise InputError(f"The engine {engine!r} runs on the processor: pass --device cpu.")
    if engine == "openvino":
        return OpenVino(model, onnx_bytes(model, extra=engine), precision)
    if precision != "fp32":
        raise InputError("The engine 'onnx' multiplies float32 alone: pass --precision fp32.")
    return OnnxRuntime(model, onnx_bytes(model))
