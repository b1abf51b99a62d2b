"""Fields around a pixel: gaps closed, means, unevenness, extremes, and what is clear there.

    close = filled(scene["S8"].values)
    anomaly = close - Background(weight_of_clear).of(close)

Arrays are float32 (rows, columns); windows are in pixels, 1 km each on the thermal grid.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from slstr_cloudmask.detectors.cloud_tests import Array
from slstr_cloudmask.flags import BoolArray

Field = Array

_BLOCK_PX = 5  # what changes slowly is worked out in blocks of this size
# Reaches of the means that make a background, finest first; each takes from the next what it lacks.
_REACHES_PX = (10.0, 30.0, 80.0, 250.0)
# Share of clear pixels below which the next, wider mean has more to say than this one.
_ENOUGH_CLEAR = 0.004


def filled(values: npt.ArrayLike) -> Field:
    """Close gaps with the last value in the row, and empty rows with the row before.

    Where nothing at all is known every pixel stays NaN.
    """
    array = np.asarray(values, np.float32)
    known = np.isfinite(array)
    if known.all() or not known.any():
        return array
    closed = _carried(array, known)
    rows = np.flatnonzero(known.any(axis=1))
    if len(rows) == len(array):
        return closed
    before = np.searchsorted(rows, np.arange(len(array)), "right") - 1
    return np.asarray(closed[rows[np.maximum(before, 0)]])


def _carried(array: Field, known: BoolArray) -> Field:
    """Carry each value of a row to the right, and the first of them to the left."""
    width = array.shape[1]
    gap = np.flatnonzero(~known)
    row, column = np.divmod(gap, width)
    # What lies side by side in a row is one gap, and what it takes is just before its start.
    starts = (np.diff(gap, prepend=-2) != 1) | (column == 0)
    before = np.maximum.accumulate(np.where(starts, gap, 0)) - 1
    leftmost = row * width + known.argmax(axis=1)[row]
    source = np.where(before < row * width, leftmost, before)
    closed = array.copy()
    closed.reshape(-1)[gap] = array.reshape(-1)[source]
    return closed


def mean(values: Field, size: int) -> Field:
    """Mean in a square window."""
    return np.asarray(ndimage.uniform_filter(values, size, mode="nearest"), np.float32)


def unevenness(values: Field, size: int) -> Field:
    """Measure the standard deviation in a square window."""
    # About a middle value, so that float32 keeps hundredths of a kelvin.
    offset = values - np.float32(np.median(values[::8, ::8]))
    variance = mean(offset * offset, size) - mean(offset, size) ** 2
    return np.asarray(np.sqrt(np.maximum(variance, 0)), np.float32)


def highest(values: Field, size: int) -> Field:
    """Largest value in a square window of ``size``, to within a block, for windows far larger."""
    return _extreme(values, size, np.maximum.reduceat, ndimage.maximum_filter)


def lowest(values: Field, size: int) -> Field:
    """Smallest value in a square window, as `highest`."""
    return _extreme(values, size, np.minimum.reduceat, ndimage.minimum_filter)


def _extreme(
    values: Field, size: int, reduce: Callable[..., Field], spread: Callable[..., Field]
) -> Field:
    blocks = in_blocks(values, reduce=reduce)
    wide = spread(blocks, max(1, round(size / _BLOCK_PX)), mode="nearest")
    return from_blocks(wide, values.shape)


def in_blocks(
    values: Field,
    block_px: int = _BLOCK_PX,
    reduce: Callable[..., Field] = np.add.reduceat,
) -> Field:
    """Reduce each block to one value, its sum; blocks at the end are smaller."""
    for axis in (1, 0):
        values = reduce(values, np.arange(0, values.shape[axis], block_px), axis=axis)
    return values


def from_blocks(blocks: Field, shape: tuple[int, ...], block_px: int = _BLOCK_PX) -> Field:
    """Interpolate linearly between the middles of blocks; beyond the outermost nothing changes."""
    for axis, (size, count) in enumerate(zip(shape, blocks.shape, strict=True)):
        position = (np.arange(size, dtype=np.float32) + 0.5) / block_px - 0.5
        position = np.clip(position, np.float32(0), np.float32(count - 1))
        low = position.astype(np.intp)
        part = (position - low).astype(np.float32)
        if axis == 0:
            part = part[:, np.newaxis]
        high = np.minimum(low + 1, count - 1)
        blocks = blocks.take(low, axis) * (1 - part) + blocks.take(high, axis) * part
    return np.asarray(blocks, np.float32)


class Background:
    """What clear pixels have around each pixel: those near, and farther ones where few are.

    Parameters
    ----------
    clear
        How surely each pixel is clear, 0 to 1 (rows, columns).
    """

    def __init__(self, clear: Field) -> None:
        self._clear = clear
        size = in_blocks(np.ones_like(clear))
        weight = in_blocks(clear)
        self._size = size
        self._shares = [(_smooth(weight, reach), _smooth(size, reach)) for reach in _REACHES_PX]
        self._total = float(weight.sum())

    def of(self, values: Field) -> Field:
        """Return the background of a field without gaps; NaN where nothing is clear."""
        if not self._total > 0:
            return np.full(values.shape, np.nan, np.float32)
        # About a middle value, so that sums keep hundredths of a kelvin.
        middle = np.float32(np.median(values[::8, ::8]))
        weighted = in_blocks((values - middle) * self._clear)
        result = np.full_like(weighted, weighted.sum() / self._total)
        for reach, (share, size) in reversed(list(zip(_REACHES_PX, self._shares, strict=True))):
            enough = _ENOUGH_CLEAR * size
            result = (_smooth(weighted, reach) + enough * result) / (share + enough)
        return np.asarray(from_blocks(result, values.shape) + middle, np.float32)


def _smooth(blocks: Field, reach_px: float) -> Field:
    """Mean under a tent of that standard deviation; nothing lies beyond the edges."""
    # Two boxes of w have a variance of (w^2 - 1) / 6.
    size = round(float(np.sqrt(6 * (reach_px / _BLOCK_PX) ** 2 + 1)))
    once = ndimage.uniform_filter(blocks, size, mode="constant")
    return np.asarray(ndimage.uniform_filter(once, size, mode="constant"), np.float32)
