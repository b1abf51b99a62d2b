"""The roofline: each layer timed alone, drawn under what the machine was measured to do.

A layer runs as PyTorch runs it: convolution, bias and ReLU, channels last, weights in the
precision already. Its intensity counts every map once; a map that is still in the processor's cache
may therefore lie above the line of copying memory.
"""

import io
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.ceilings import DTYPES, Ceilings
from benchmarks.layers import Layer, network_layers
from benchmarks.timing import best_of
from slstr_cloudmask.atomic import write_bytes
from slstr_cloudmask.network.device import Precision
from slstr_cloudmask.network.unet import UNet, join_upsampled

SIZE = {"cpu": (400, 1504), "cuda": (1200, 1504)}  # a strip on a processor, a scene on a GPU


@dataclass(frozen=True)
class Point:
    """A layer as measured.

    Attributes
    ----------
    name
        Of the layer.
    seconds
        Best of the runs.
    flop, bytes
        Computed, and moved at the least.
    share
        Of what the roofline allows at this intensity.
    """

    name: str
    seconds: float
    flop: int
    bytes: int
    share: float

    @property
    def intensity(self) -> float:
        """FLOP per byte."""
        return self.flop / self.bytes

    @property
    def rate(self) -> float:
        """FLOP per second."""
        return self.flop / self.seconds

    def describe(self) -> dict[str, Any]:
        """Return what goes into the JSON file."""
        return {**asdict(self), "flop_per_byte": self.intensity, "flop_per_s": self.rate}


def attainable(intensity: float, flops: float, bandwidth: float) -> float:
    """Return the FLOP/s that a roofline allows at an intensity in FLOP/B."""
    return min(flops, intensity * bandwidth)


def measure_layers(
    ceilings: Ceilings, device: torch.device, precision: Precision, *, quick: bool
) -> list[Point]:
    """Time every layer alone."""
    network = UNet().eval().to(device, DTYPES[precision])
    convolutions = [m for m in network.modules() if isinstance(m, nn.Conv2d)]
    size = SIZE["cuda" if device.type == "cuda" else "cpu"]
    points = []
    for layer, convolution in zip(network_layers(), convolutions, strict=True):
        convolution.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        with torch.inference_mode():
            run = _alone(layer, convolution, size)
            seconds = min(best_of(run, device, 0.05 if quick else 0.5).seconds)
        pixels = layer.pixels(*size)
        flop, moved = layer.flop(pixels), layer.bytes(pixels, DTYPES[precision].itemsize)
        roof = attainable(flop / moved, ceilings.flops(precision), ceilings.bandwidth)
        points.append(Point(layer.name, seconds, flop, moved, flop / seconds / roof))
    return points


def _alone(layer: Layer, convolution: nn.Conv2d, size: tuple[int, int]) -> Callable[[], Tensor]:
    rows, columns = (side >> layer.level for side in size)

    def random(channels: int, shrink: int = 1) -> Tensor:
        maps = torch.randn(1, channels, rows // shrink, columns // shrink)
        laid_out = maps.to(memory_format=torch.channels_last)
        return laid_out.to(convolution.weight.device, convolution.weight.dtype)

    x_NCHW = random(layer.inputs)
    if layer.coarse:
        coarse_NCHW = random(layer.coarse, 2)
        return lambda: functional.relu_(join_upsampled(convolution, coarse_NCHW, x_NCHW))
    if layer.kernel == 1:  # the head's logits are not cut at 0
        return lambda: convolution(x_NCHW)
    return lambda: functional.relu_(convolution(x_NCHW))


def draw(
    points: list[Point],
    whole: dict[str, tuple[float, float]],
    ceilings: Ceilings,
    precision: Precision,
    path: Path,
) -> None:
    """Draw layers and whole networks under the measured ceilings.

    Parameters
    ----------
    points
        Layers.
    whole
        Intensity and FLOP/s of whole passes, by name.
    ceilings, precision
        What was measured, and which of it is the roof.
    path
        A PNG file; one that is there is replaced.
    """
    from matplotlib.figure import Figure

    flops, bandwidth = ceilings.flops(precision), ceilings.bandwidth
    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.subplots()
    intensities = np.geomspace(0.5, 4000, 200)
    roof = [attainable(i, flops, bandwidth) for i in intensities]
    axes.loglog(intensities, roof, color="black", label="measured ceilings")
    axes.loglog([p.intensity for p in points], [p.rate for p in points], "o", label="layer alone")
    for point in points:
        axes.annotate(
            point.name,
            (point.intensity, point.rate),
            (4, 3),
            fontsize=7,
            textcoords="offset points",
        )
    for name, (intensity, rate) in whole.items():
        axes.loglog([intensity], [rate], "D", label=name)
    axes.set_xlabel("intensity / FLOP per byte")
    axes.set_ylabel("rate / FLOP per second")
    axes.set_title(f"{precision}: {flops / 1e12:.2f} TFLOP/s, {bandwidth / 1e9:.1f} GB/s")
    axes.grid(visible=True, which="major", alpha=0.3)
    axes.legend(loc="lower right", fontsize=8)
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=120)
    write_bytes(path, content.getbuffer(), overwrite=True)
