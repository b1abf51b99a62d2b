"""The reference U-Net of the MLCommons Science CloudMask benchmark.

Pairs of 3×3 convolutions with ReLU, 32-64-128 channels down and 256 at the bottom, 2×2 max
pooling, nearest-neighbour up-sampling, skips concatenated, a 1×1 head; no normalisation layers.
It has 1,948,609 parameters for nine input channels and one logit per pixel.

Shape legend: N scenes or patches, C channels, H rows, W columns.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

# Widths of the benchmark's network, from the finest level to the bottom
# (mlcommons/science, benchmarks/cloudmask, model).
REFERENCE_WIDTHS = (32, 64, 128, 256)

# Standard deviation of a normal distribution cut at ±2: Keras' he_normal divides by it, so that
# the cut distribution has the variance that He et al. 2015 ask for.
TRUNCATED_NORMAL_STD = 0.87962566103423978


class UNet(nn.Module):
    """Map normalised channels (N, C, H, W) to logits of cloud (N, 1, H, W).

    Parameters
    ----------
    channels
        Number of input channels.
    widths
        Channels at each level, finest first; H and W must be multiples of
        ``2 ** (len(widths) - 1)``.
    """

    def __init__(self, channels: int = 9, widths: tuple[int, ...] = REFERENCE_WIDTHS) -> None:
        super().__init__()
        *down, bottom = widths
        inputs = [channels, *down]
        self.encoder = nn.ModuleList(
            _conv_pair(i, o) for i, o in zip(inputs[:-1], down, strict=True)
        )
        self.bottom = _conv_pair(down[-1], bottom)
        coarse = [bottom, *reversed(down[1:])]
        self.decoder = nn.ModuleList(
            _conv_pair(below + skip, skip)
            for below, skip in zip(coarse, reversed(down), strict=True)
        )
        self.head = nn.Conv2d(widths[0], 1, kernel_size=1)
        self.stride = 2 ** len(down)
        self.apply(_he_normal)

    def forward(self, x_NCHW: Tensor) -> Tensor:
        """Return logits (N, 1, H, W) of normalised channels (N, C, H, W)."""
        skips = []
        for block in self.encoder:
            x_NCHW = block(x_NCHW)
            skips.append(x_NCHW)
            x_NCHW = functional.max_pool2d(x_NCHW, 2)
        x_NCHW = self.bottom(x_NCHW)
        for block, skip in zip(self.decoder, reversed(skips), strict=True):
            upsampled = functional.interpolate(x_NCHW, scale_factor=2.0, mode="nearest")
            x_NCHW = block(torch.cat([upsampled, skip], dim=1))
        logits: Tensor = self.head(x_NCHW)
        return logits


def _conv_pair(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel_size=3, padding=1),
        nn.ReLU(inplace=True),
        nn.Conv2d(outputs, outputs, kernel_size=3, padding=1),
        nn.ReLU(inplace=True),
    )


def _he_normal(module: nn.Module) -> None:
    """Start as Keras' ``he_normal`` does (He et al. 2015): variance 2/fan_in, cut at ±2 sigma."""
    if isinstance(module, nn.Conv2d):
        fan_in = module.in_channels * math.prod(module.kernel_size)
        std = math.sqrt(2.0 / fan_in) / TRUNCATED_NORMAL_STD
        nn.init.trunc_normal_(module.weight, std=std, a=-2.0 * std, b=2.0 * std)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def receptive_reach(widths: tuple[int, ...] = REFERENCE_WIDTHS) -> int:
    """Farthest distance in pixels at which an input can change an output.

    Counted along the longest path: two 3×3 convolutions a level, each reaching one pixel of its
    level, plus the half-open cell that pooling and up-sampling add.
    """
    levels = len(widths) - 1
    convolutions = 4 * (2**levels - 1) + 2 * 2**levels
    return int(convolutions + 2**levels - 1)
