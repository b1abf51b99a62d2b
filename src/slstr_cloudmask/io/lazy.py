"""Arrays of a data set that are read when they are first looked at, and then kept.

    variable = lazy_variable(shape, "float32", load, {"units": "K"})

xarray slices them, and dask cuts them into chunks, without their being read. What is wrong with a
file is therefore said when its values are asked for, as a ``CloudMaskError`` as anywhere else.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr
from xarray.backends import BackendArray
from xarray.backends.locks import SerializableLock
from xarray.core import indexing

from slstr_cloudmask.flags import DIMS

Array = npt.NDArray[Any]


class LazyArray(BackendArray):
    """An array that a function returns.

    Parameters
    ----------
    shape, dtype
        Of what it returns.
    load
        Called once, without arguments.
    """

    def __init__(
        self, shape: tuple[int, ...], dtype: npt.DTypeLike, load: Callable[[], Array]
    ) -> None:
        self.shape = shape
        self.dtype = np.dtype(dtype)
        self._load = load
        self._values: Array | None = None
        self._lock = SerializableLock()

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        """Read what an indexer of xarray asks for."""
        with self._lock:
            if self._values is None:
                self._values = np.ascontiguousarray(self._load(), self.dtype)
        # A copy: what is done to it must not reach others that are cut from the same array.
        values = indexing.NumpyIndexingAdapter(self._values)  # type: ignore[no-untyped-call]
        return np.array(indexing.apply_indexer(values, key))


class _LazilyIndexed(indexing.LazilyIndexedArray):
    """As xarray's, but for `transpose`: its own makes arrays of indices, and fails with scalars."""

    def transpose(self, order: tuple[int, ...]) -> Any:
        """Make an array that is read and turned when it is first looked at."""
        shape = tuple(self.shape[axis] for axis in order)
        return _kept(LazyArray(shape, self.dtype, partial(_transposed, self, order)))


def _transposed(array: _LazilyIndexed, order: tuple[int, ...]) -> Array:
    values = array.get_duck_array()  # type: ignore[no-untyped-call]
    return np.transpose(values, order)


def _kept(array: LazyArray) -> Any:
    # As `xarray.open_dataset` does it: values that are assigned go to a copy, and values that were
    # looked at are kept with the variable.
    lazy: Any = _LazilyIndexed(array)
    return indexing.MemoryCachedArray(  # type: ignore[no-untyped-call]
        indexing.CopyOnWriteArray(lazy)
    )


def lazy_variable(
    shape: tuple[int, int],
    dtype: npt.DTypeLike,
    load: Callable[[], Array],
    attributes: Mapping[str, Any],
) -> xr.Variable:
    """Make a variable (rows, columns) that is read when it is first looked at."""
    return xr.Variable(DIMS, _kept(LazyArray(shape, dtype, load)), dict(attributes))
