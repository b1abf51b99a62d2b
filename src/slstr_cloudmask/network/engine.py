"""The ways to run a network, behind one call.

    engine = make_engine(model, engine="auto", device=device, precision="bf16", scenes=100)
    logits_N1HW = engine.run(x_NCHW)

All of them compute the same function of the same weights; tests hold each to ``eager`` in float32.
``eager`` is PyTorch as it is and needs nothing more. ``compiled`` makes a program of the network
for one shape of input, which takes half a minute and is kept for the next time. ``onnx`` (ONNX
Runtime, float32) and ``openvino`` (float32 or bf16) are extras for processors.

Shape legend: N scenes or patches, C channels, H rows, W columns.
"""

from typing import Literal, Protocol, get_args

import torch
from torch import Tensor

from slstr_cloudmask.errors import InputError
from slstr_cloudmask.network.device import Precision, autocast
from slstr_cloudmask.network.model_file import Model
from slstr_cloudmask.network.unet import UNet, receptive_reach

EngineName = Literal["auto", "eager", "compiled", "onnx", "openvino"]
ENGINES: tuple[EngineName, ...] = get_args(EngineName)

# A program takes about 25 s to make and saves about .4 s a scene on two cores.
SCENES_THAT_REPAY = 60


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
        Rows of a scene that are best run at a time; None for all.
    """

    name: str
    stride: int
    halo: int
    strip_rows: int | None

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
    """

    name = "eager"

    def __init__(self, network: UNet, device: torch.device, precision: Precision) -> None:
        self.network = network.to(device, memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
        self.device = device
        self.precision = precision
        self.stride = network.stride
        self.halo = receptive_reach(network.widths)
        # Of a scene at once the maps of the finest level do not fit the processor's cache.
        self.strip_rows = 200 if device.type == "cpu" else None

    def run(self, x_NCHW: Tensor) -> Tensor:
        """Return logits (N, 1, H, W), float32, on the CPU, of normalised channels."""
        with torch.inference_mode(), autocast(self.device, self.precision):
            logits: Tensor = self.network(x_NCHW.to(self.device))
        return logits.float().cpu()


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
        ``eager``; ``compiled``; ``onnx``; ``openvino``; or ``auto``: compiled where a program was
        made before or so many scenes are to be run that making one repays.
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
    eager = Eager(model.network, device, precision)
    if engine == "eager":
        return eager
    from slstr_cloudmask.network.compiled import Compiled

    make = engine == "compiled" or scenes >= SCENES_THAT_REPAY
    return Compiled(eager, model.checksum, make=make)


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
