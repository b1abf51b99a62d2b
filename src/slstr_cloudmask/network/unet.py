"""The reference U-Net of the MLCommons Science CloudMask benchmark.

Pairs of 3×3 convolutions with ReLU, 32-64-128 channels down and 256 at the bottom, 2×2 max
pooling, nearest-neighbour up-sampling, skips concatenated, a 1×1 head; no normalisation layers.
It has 1,948,609 parameters for nine input channels and one logit per pixel.

Shape legend: N scenes or patches, C channels, H rows, W columns.
"""

import copy
import math

from torch import Tensor, nn
from torch.nn import functional

# Widths of the benchmark's network, from the finest level to the bottom
# (mlcommons/science, benchmarks/cloudmask, model).
REFERENCE_WIDTHS = (32, 64, 128, 256)

# Standard deviation of a normal distribution cut at ±2: Keras' he_normal divides by it, so that
# the cut distribution has the variance that He et al. 2015 ask for.
TRUNCATED_NORMAL_STD = 0.87962566103423978

CHANNEL_MULTIPLE = 8  # tensor cores multiply channels of bf16 by the eight


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
        self.widths = widths
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
            first, *rest = block.children()
            x_NCHW = join_upsampled(first, x_NCHW, skip)
            for layer in rest:
                x_NCHW = layer(x_NCHW)
        logits: Tensor = self.head(x_NCHW)
        return logits


def join_upsampled(convolution: nn.Module, coarse_NCHW: Tensor, skip_NCHW: Tensor) -> Tensor:
    """Convolve a doubled coarse map beside a skip, without doubling or joining them.

    Equal to ``convolution(cat([upsample(coarse), skip]))`` with nearest-neighbour up-sampling: two
    neighbours that are copies share their weights' sum, so a 3×3 convolution of the doubled map is
    a transposed 4×4 convolution of the coarse one, with stride 2, at 4/9 of the multiplications.

    Parameters
    ----------
    convolution
        A ``Conv2d`` of 3×3 with padding 1, of the channels of both maps, ``coarse`` first.
    coarse_NCHW, skip_NCHW
        The first is half as high and half as wide as the second.
    """
    assert isinstance(convolution, nn.Conv2d)
    kernel, weight_skip = split_kernels(convolution.weight, coarse_NCHW.shape[1])
    upsampled = functional.conv_transpose2d(coarse_NCHW, kernel, stride=2, padding=1)
    return upsampled + functional.conv2d(skip_NCHW, weight_skip, convolution.bias, padding=1)


def split_kernels(weight: Tensor, channels_up: int) -> tuple[Tensor, Tensor]:
    """Return the two kernels that `join_upsampled` uses in place of one of 3×3.

    Parameters
    ----------
    weight
        (out, in, 3, 3), of which the first ``channels_up`` inputs are the doubled map.
    channels_up
        Channels of the coarse map.

    Returns
    -------
    kernel_up, kernel_skip
        (channels_up, out, 4, 4) of the transposed convolution, and (out, in, 3, 3) of the skip.
    """
    weight_up, kernel_skip = weight[:, :channels_up], weight[:, channels_up:]
    # Rows k of the 4×4 kernel are rows 2 - k and 3 - k of the 3×3 one, those of them that exist.
    padded = functional.pad(weight_up.flip(-2, -1), (1, 1, 1, 1))
    kernel_up = 4 * functional.avg_pool2d(padded, 2, stride=1)
    return kernel_up.transpose(0, 1), kernel_skip


def padded_channels(x_NCHW: Tensor, multiple: int = CHANNEL_MULTIPLE) -> Tensor:
    """Return maps or kernels (N, C, H, W) with channels of zeros up to a multiple."""
    return functional.pad(x_NCHW, (0, 0, 0, 0, 0, -x_NCHW.shape[1] % multiple))


def with_padded_input(network: UNet) -> UNet:
    """Return a copy of a network that reads padded channels, and makes nothing of those added."""
    padded = copy.deepcopy(network)
    first = padded.encoder[0][0]  # type: ignore[index]
    assert isinstance(first, nn.Conv2d)
    first.weight = nn.Parameter(padded_channels(first.weight.detach()))
    first.in_channels = first.weight.shape[1]
    return padded


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
