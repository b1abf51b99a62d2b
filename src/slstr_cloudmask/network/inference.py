"""From normalised channels to logits of cloud, for a whole scene.

Two ways, which agree wherever neither sees a border (a test holds them to it):

- ``scene``: the whole scene in one pass, padded by less than the network's stride (the default);
- ``patches``: the benchmark's overlapping patches, of which the middles are kept (faithful).

Shape legend: N patches, C channels, H rows, W columns.
"""

from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from slstr_cloudmask.network.device import Precision, autocast
from slstr_cloudmask.network.tiling import (
    Float32Array,
    TilingAxis,
    join_patches,
    overlapping_patches,
)
from slstr_cloudmask.network.unet import UNet

InferenceMode = Literal["scene", "patches"]

PATCHES_PER_PASS = 8  # bounds the memory of a pass


def predict_logits(
    network: UNet,
    x_HWC: Float32Array,
    *,
    mode: InferenceMode = "scene",
    patch_size: int = 256,
    crop_size: int = 80,
    precision: Precision = "fp32",
) -> Float32Array:
    """Return the logit of cloud at each pixel.

    Parameters
    ----------
    network
        In evaluation mode, on the device where it shall run.
    x_HWC
        Normalised channels.
    mode
        ``scene`` or ``patches``.
    patch_size, crop_size
        The benchmark's patches. In ``scene`` mode they fix only how pooling cells lie on the
        scene, so that both modes see the same cells.
    precision
        ``fp32`` or ``bf16``; logits are float32 either way.

    Returns
    -------
    numpy.ndarray
        Logits (H, W), float32.
    """
    with torch.inference_mode():
        if mode == "patches":
            return _by_patches(network, x_HWC, patch_size, crop_size, precision)
        return _whole_scene(network, x_HWC, patch_size, crop_size, precision)


def _whole_scene(
    network: UNet, x_HWC: Float32Array, patch: int, crop: int, precision: Precision
) -> Float32Array:
    height, width = x_HWC.shape[:2]
    top, bottom = _phase_padding(height, patch, crop, network.stride)
    left, right = _phase_padding(width, patch, crop, network.stride)
    x_NCHW = functional.pad(_to_device(network, x_HWC[np.newaxis]), (left, right, top, bottom))
    logits_NHW = _run(network, x_NCHW, precision)
    return logits_NHW[0, top : top + height, left : left + width]


def _phase_padding(length: int, patch: int, crop: int, stride: int) -> tuple[int, int]:
    """Return the least padding that lays pooling cells as the patches do.

    A patch starts a multiple of ``stride`` after the padded scene does, so the padding before the
    scene counts modulo ``stride``.
    """
    before = TilingAxis(length, patch, crop).padding[0] % stride
    return before, -(before + length) % stride


def _by_patches(
    network: UNet, x_HWC: Float32Array, patch: int, crop: int, precision: Precision
) -> Float32Array:
    patches = overlapping_patches(x_HWC, patch, crop)
    logits_NHW = np.concatenate(
        [
            _run(network, _to_device(network, patches[i : i + PATCHES_PER_PASS]), precision)
            for i in range(0, len(patches), PATCHES_PER_PASS)
        ]
    )
    return join_patches(logits_NHW, x_HWC.shape[:2], patch, crop)


def _to_device(network: UNet, x_NHWC: Float32Array) -> Tensor:
    """Return channels (N, C, H, W); the channels-last memory of the array stays as it is."""
    device = next(network.parameters()).device
    return torch.from_numpy(x_NHWC).to(device).permute(0, 3, 1, 2)


def _run(network: UNet, x_NCHW: Tensor, precision: Precision) -> Float32Array:
    with autocast(x_NCHW.device, precision):
        logits = network(x_NCHW)
    result: Float32Array = logits[:, 0].float().cpu().numpy()
    return result
