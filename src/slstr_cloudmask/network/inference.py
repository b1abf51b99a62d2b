"""From normalised channels to logits of cloud, for a whole scene.

Two ways, which agree wherever neither sees a border (a test holds them to it):

- ``scene``: the scene as one, padded by less than the network's stride (the default). It is run in
  strips of its full width, with so many rows around each that none of its pixels sees the cut;
- ``patches``: the benchmark's overlapping patches, of which the middles are kept (faithful).

What does not fit into memory is run in smaller parts, with the same result; that is said once.

Shape legend: N patches, C channels, H rows, W columns.
"""

import logging
from collections.abc import Callable, Iterator
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from slstr_cloudmask.errors import InputError
from slstr_cloudmask.network.device import forget_failure, is_out_of_memory
from slstr_cloudmask.network.engine import Engine
from slstr_cloudmask.network.tiling import (
    Float32Array,
    TilingAxis,
    join_patches,
    overlapping_patches,
)

logger = logging.getLogger(__name__)

InferenceMode = Literal["scene", "patches"]


def predict_logits(
    engine: Engine,
    x_HWC: Float32Array,
    *,
    mode: InferenceMode = "scene",
    patch_size: int = 256,
    crop_size: int = 80,
) -> Float32Array:
    """Return the logit of cloud at each pixel.

    Parameters
    ----------
    engine
        What runs the network.
    x_HWC
        Normalised channels.
    mode
        ``scene`` or ``patches``.
    patch_size, crop_size
        The benchmark's patches. In ``scene`` mode they fix only how pooling cells lie on the
        scene, so that both modes see the same cells.

    Returns
    -------
    numpy.ndarray
        Logits (H, W), float32.

    Raises
    ------
    InputError
        Not even the smallest part fits into memory.
    """
    if mode == "patches":
        return _by_patches(engine, x_HWC, patch_size, crop_size)
    return _whole_scene(engine, x_HWC, patch_size, crop_size)


def _whole_scene(engine: Engine, x_HWC: Float32Array, patch: int, crop: int) -> Float32Array:
    height, width = x_HWC.shape[:2]
    top, bottom = _phase_padding(height, patch, crop, engine.stride)
    left, right = _phase_padding(width, patch, crop, engine.stride)
    # One channel after the other in memory, as normalised channels lie and some engines ask.
    shape = (x_HWC.shape[2], top + height + bottom, left + width + right)
    padded_CHW = np.zeros(shape, np.float32)
    padded_CHW[:, top : top + height, left : left + width] = np.moveaxis(x_HWC, -1, 0)
    x_NCHW = torch.from_numpy(padded_CHW[np.newaxis])
    rows = shape[1]

    def in_strips(strip_rows: int) -> Float32Array:
        logits_HW = np.empty((rows, x_NCHW.shape[3]), np.float32)
        for seen, kept in strips(rows, strip_rows, engine.halo, engine.stride):
            strip_HW = engine.run(x_NCHW[:, :, seen])[0, 0].numpy()
            logits_HW[kept] = strip_HW[kept.start - seen.start : kept.stop - seen.start]
        return logits_HW

    wanted = min(engine.strip_rows or rows, rows)
    logits_HW, fitting = _fitted(in_strips, wanted, engine.stride, "strips of %d rows")
    if fitting < wanted:
        engine.strip_rows = fitting
    return logits_HW[top : top + height, left : left + width]


def _fitted(
    compute: Callable[[int], Float32Array], size: int, least: int, what: str
) -> tuple[Float32Array, int]:
    """Compute in parts of a size, or of half of it, and so on, that fit into memory.

    Returns
    -------
    values, size
        What was computed, and the size that fitted.
    """
    wanted = size
    while True:
        try:
            values = compute(size)
            break
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            if size <= least:
                raise InputError(
                    f"Out of memory, even in {what % size}. End other programs, "
                    "or use a device with more memory."
                ) from error
            size = max(least, size // 2)
            forget_failure(error)
    if size < wanted:
        logger.warning(
            "Out of memory: the network is now run in %s. The result is the same.", what % size
        )
    return values, size


def strips(rows: int, kept_rows: int, halo: int, stride: int) -> Iterator[tuple[slice, slice]]:
    """Cut a scene into strips of equal height.

    Parameters
    ----------
    rows
        Rows of the scene, a multiple of ``stride``.
    kept_rows
        Rows that are kept of each strip.
    halo
        Rows around them that a pixel of theirs can see.
    stride
        Strips begin and end at multiples of it, so that pooling cells lie as they do in the scene.

    Yields
    ------
    seen, kept
        Rows of a strip, and those of them that are kept; at the ends of the scene a strip begins
        or ends with it.
    """
    kept_rows += -kept_rows % stride
    halo += -halo % stride
    height = min(rows, kept_rows + 2 * halo)
    for first in range(0, rows, kept_rows):
        start = min(max(first - halo, 0), rows - height)
        yield slice(start, start + height), slice(first, min(first + kept_rows, rows))


def _phase_padding(length: int, patch: int, crop: int, stride: int) -> tuple[int, int]:
    """Return the least padding that lays pooling cells as the patches do.

    A patch starts a multiple of ``stride`` after the padded scene does, so the padding before the
    scene counts modulo ``stride``.
    """
    before = TilingAxis(length, patch, crop).padding[0] % stride
    return before, -(before + length) % stride


def _by_patches(engine: Engine, x_HWC: Float32Array, patch: int, crop: int) -> Float32Array:
    patches = overlapping_patches(x_HWC, patch, crop)

    def in_passes(size: int) -> Float32Array:
        passes = [patches[i : i + size] for i in range(0, len(patches), size)]
        return np.concatenate([engine.run(_to_tensor(one))[:, 0].numpy() for one in passes])

    wanted = engine.patches_at_once
    logits_NHW, engine.patches_at_once = _fitted(in_passes, wanted, 1, "passes of %d patches")
    return join_patches(logits_NHW, x_HWC.shape[:2], patch, crop)


def _to_tensor(x_NHWC: Float32Array) -> Tensor:
    """Return channels (N, C, H, W); the array stays as it lies in memory."""
    return torch.from_numpy(x_NHWC).permute(0, 3, 1, 2)
