"""Blurs and local statistics of fields, fast."""

from typing import TypeVar

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from slstr_cloudmask.flags import BoolArray
from slstr_cloudmask.simulate.fractal import Field

Scalar = TypeVar("Scalar", bound=np.generic)


def smoothed(values: Field, sigma_px: float) -> Field:
    """Gaussian blur, worked out on a coarser grid."""
    step = max(1, min(int(sigma_px // 4), min(values.shape) // 8))
    rows, columns = values.shape
    coarse = _block_means(values, step)
    coarse = ndimage.gaussian_filter(coarse, sigma_px / step, mode="nearest")
    # Block means stand for the middles of their blocks.
    row, column = (
        (np.arange(n, dtype=np.float32) - (step - 1) / 2) / step for n in (rows, columns)
    )
    by_row = _interpolate_rows(coarse, row)
    return np.ascontiguousarray(_interpolate_rows(np.ascontiguousarray(by_row.T), column).T)


def smoothed_apart(values: Field, side: BoolArray, sigma_px: float) -> Field:
    """Blur a field on either side of a border, without mixing the sides."""
    if side.all() or not side.any():
        return smoothed(values, sigma_px)
    result = np.empty_like(values)
    for part in (side, ~side):
        weight = smoothed(part.astype(np.float32), sigma_px)
        mean = smoothed(np.where(part, values, np.float32(0)), sigma_px)
        mean /= np.maximum(weight, np.float32(1e-3))
        # Far from its own kind a lone pixel has no neighbours to be blurred with.
        np.copyto(result, np.where(weight > 0.02, mean, values), where=part)
    return result


def local_spread(values: Field) -> Field:
    """Measure the standard deviation in the 3 x 3 pixels around each."""
    # About a middle value, so that float32 keeps hundredths of a kelvin.
    middle = np.float32(np.median(values[::7, ::7]))
    offset = values - middle
    sums = [_box_sum(field) for field in (offset, offset * offset)]
    variance = (sums[1] - sums[0] * sums[0] / np.float32(9)) / np.float32(9)
    return np.sqrt(np.maximum(variance, 0))


def displaced(values: npt.NDArray[Scalar], down: int, right: int) -> npt.NDArray[Scalar]:
    """Move a field by whole pixels; what comes in repeats the edge."""
    rows, columns = values.shape
    row = np.clip(np.arange(rows) - down, 0, rows - 1)
    column = np.clip(np.arange(columns) - right, 0, columns - 1)
    return np.ascontiguousarray(values[row][:, column])


def _box_sum(values: Field) -> Field:
    padded = np.pad(values, 1, mode="edge")
    rows = padded[:-2] + padded[1:-1] + padded[2:]
    return np.asarray(rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:], np.float32)


def _block_means(values: Field, step: int) -> Field:
    if step == 1:
        return values
    rows, columns = (-(-n // step) * step for n in values.shape)
    padded = np.pad(
        values, ((0, rows - values.shape[0]), (0, columns - values.shape[1])), mode="edge"
    )
    blocks = padded.reshape(rows // step, step, columns // step, step)
    return np.asarray(blocks.mean(axis=(1, 3), dtype=np.float32), np.float32)


def _interpolate_rows(values: Field, position: Field) -> Field:
    """Interpolate linearly between rows; positions beyond the ends take the value there."""
    last = values.shape[0] - 1
    position = np.clip(position, 0, last).astype(np.float32)
    low = np.minimum(position.astype(np.intp), max(last - 1, 0))
    weight = (position - low)[:, np.newaxis]
    high = np.minimum(low + 1, last)
    return np.asarray(values[low] * (1 - weight) + values[high] * weight, np.float32)
