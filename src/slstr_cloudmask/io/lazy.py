"""Arrays of a data set that are read when they are first looked at, and then kept.

    variable = lazy_variable(("rows", "columns"), shape, "float32", load, {"units": "K"})

xarray slices them, and dask cuts them into chunks, without their being read. What is wrong with a
file is therefore said when its values are asked for, as a ``CloudMaskError`` as anywhere else.
"""

from collections.abc import Callable, Mapping
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
        return indexing.explicit_indexing_adapter(
            key, self.shape, indexing.IndexingSupport.BASIC, self._part
        )

    def _part(self, key: tuple[Any, ...]) -> Array:
        with self._lock:
            if self._values is None:
                self._values = np.ascontiguousarray(self._load(), self.dtype)
        return np.asarray(self._values[key])


def lazy_variable(
    shape: tuple[int, int],
    dtype: npt.DTypeLike,
    load: Callable[[], Array],
    attributes: Mapping[str, Any],
) -> xr.Variable:
    """Make a variable (rows, columns) that is read when it is first looked at."""
    # Whoever changes the values changes a copy: another data set may be cut from the same array.
    array: Any = indexing.LazilyIndexedArray(LazyArray(shape, dtype, load))
    return xr.Variable(DIMS, indexing.CopyOnWriteArray(array), dict(attributes))
