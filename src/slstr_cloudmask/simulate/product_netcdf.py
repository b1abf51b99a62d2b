"""One NetCDF file of a product, made in memory.

    content = netcdf_file(file_format, {"rows": 1200, "columns": 1500}, attributes, arrays)

Written with HDF5 as netCDF-C writes it: dimensions are dimension scales without values, chunks are
at most 4 MiB, shuffled and deflated at level 2. What ``arrays`` lacks reads as fill.
"""

import io
import math
from collections.abc import Mapping
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from slstr_cloudmask.simulate.product_format import TEXT, Attribute, FileFormat, VariableFormat

Array = npt.NDArray[Any]

# netCDF-C writes this, and the size right-justified in ten characters, as the name of dimensions.
_DIMENSION = "This is a netCDF dimension but not a netCDF variable."
_DEFLATE_LEVEL = 2
_CHUNK_BYTES = 4 * 2**20  # netCDF-C 4.2: DEFAULT_CHUNK_SIZE


def netcdf_file(
    file: FileFormat,
    sizes: Mapping[str, int],
    attributes: Mapping[str, Attribute],
    arrays: Mapping[str, Array],
) -> memoryview:
    """Make a file.

    Parameters
    ----------
    file
        Its variables.
    sizes
        Of the dimensions that depend on the scene.
    attributes
        Global ones.
    arrays
        Values by variable, in its shape; those of other types are converted, and must fit.

    Returns
    -------
    memoryview
        The file's content.
    """
    sizes = {**sizes, **file.sizes}
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as target:
        _write_attributes(target, attributes)
        for name in sorted({name for item in file.variables.values() for name in item.dims}):
            scale = target.create_dataset(name, (sizes[name],), ">f4")
            scale.make_scale(f"{_DIMENSION}{sizes[name]:10d}")
        for name, item in file.variables.items():
            shape = tuple(sizes[axis] for axis in item.dims)
            _write_variable(target, name, item, shape, arrays.get(name))
    return buffer.getbuffer()


def _write_variable(
    target: Any, name: str, item: VariableFormat, shape: tuple[int, ...], values: Array | None
) -> None:
    text = item.dtype == TEXT
    variable = target.create_dataset(
        name,
        shape,
        h5py.string_dtype("ascii") if text else item.dtype,
        chunks=shape if text else chunk_shape(shape, np.dtype(item.dtype).itemsize),
        shuffle=True,
        compression="gzip",
        compression_opts=_DEFLATE_LEVEL,
        fillvalue=None if text else item.fill,
    )
    _write_attributes(variable, item.attributes)
    for axis, dimension in enumerate(item.dims):
        variable.dims[axis].attach_scale(target[dimension])
    if values is not None:
        variable[...] = values


def _write_attributes(owner: Any, attributes: Mapping[str, Attribute]) -> None:
    """Write text as one string of fixed length and numbers as arrays, as netCDF-C does."""
    for name, value in attributes.items():
        if isinstance(value, np.ndarray):
            owner.attrs.create(name, value)
        else:
            owner.attrs[name] = np.bytes_(value) if value else h5py.Empty("S1")


def chunk_shape(shape: tuple[int, ...], itemsize: int) -> tuple[int, ...]:
    """Cut an array into equal chunks of about 4 MiB at most, the same number along every axis."""
    share = math.prod(shape) * itemsize / _CHUNK_BYTES
    parts = math.ceil(max(share, 1) ** (1 / len(shape)))
    return tuple(math.ceil(size / parts) for size in shape)
