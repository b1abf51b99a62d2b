"""Flags as CF has them: bit fields and exclusive values, with their meanings in attributes.

Flags are read by the name of a meaning, from the file's own attributes, never by a table of bits.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

DIMS = ("rows", "columns")
UNKNOWN = 255  # fill value of every 8-bit flag: neither cloud nor clear

BoolArray = npt.NDArray[np.bool_]


def flag_variable(
    values: npt.ArrayLike, masks: Mapping[str, int], *, fill: int | None = None, long_name: str = ""
) -> xr.Variable:
    """Make a CF bit field.

    Parameters
    ----------
    values
        Unsigned integers (rows, columns).
    masks
        Bit mask by meaning; meanings hold no blanks.
    fill
        The value that means unknown.
    long_name
        What the field is, in words.
    """
    array = np.asarray(values)
    attributes: dict[str, Any] = {"long_name": long_name} if long_name else {}
    attributes["flag_masks"] = np.array(list(masks.values()), array.dtype)
    attributes["flag_meanings"] = " ".join(masks)
    if fill is not None:
        attributes["_FillValue"] = array.dtype.type(fill)
    return xr.Variable(DIMS, array, attributes)


def value_flag_variable(
    values: npt.ArrayLike, meanings: Mapping[str, int], *, long_name: str
) -> xr.Variable:
    """Make a CF 8-bit field of exclusive values, 255 = unknown."""
    attributes = {
        "long_name": long_name,
        "units": "1",
        "flag_values": np.array(list(meanings.values()), np.uint8),
        "flag_meanings": " ".join(meanings),
        "_FillValue": np.uint8(UNKNOWN),
    }
    return xr.Variable(DIMS, np.asarray(values, np.uint8), attributes)


def integer_flags(dataset: xr.Dataset) -> xr.Dataset:
    """Turn flags that xarray decoded into integers again.

    xarray reads a flag with a fill value as floating point, NaN where it is filled, unless it was
    asked not to.

    Parameters
    ----------
    dataset
        A Scene or a Mask; flags are the variables with ``flag_masks`` or ``flag_values``.

    Returns
    -------
    xarray.Dataset
        With unsigned flags, all bits where unknown, and ``_FillValue``; the same object where
        nothing was decoded.
    """
    decoded = {
        name: _integers(flag.variable)
        for name, flag in dataset.data_vars.items()
        if flag.dtype.kind == "f" and {"flag_masks", "flag_values"} & set(flag.attrs)
    }
    return dataset.assign(decoded) if decoded else dataset


def _integers(flag: xr.Variable) -> xr.Variable:
    name = "flag_masks" if "flag_masks" in flag.attrs else "flag_values"
    codes = np.atleast_1d(flag.attrs[name])
    known = np.isfinite(flag.values)
    dtype = codes.dtype
    if dtype.kind != "u":  # Zarr keeps lists, which know no type
        dtype = np.min_scalar_type(int(max(codes.max(), flag.values[known].max(initial=0))))
    fill = np.iinfo(dtype).max
    values = np.full(flag.shape, fill, dtype)
    values[known] = flag.values[known]
    attributes = {**flag.attrs, name: codes.astype(dtype), "_FillValue": dtype.type(fill)}
    return xr.Variable(flag.dims, values, attributes)


def flag_masks(attributes: Mapping[Any, Any]) -> dict[str, int]:
    """Bit mask by meaning, from a flag's own attributes; spare bits are left out.

    Signed masks, in which the highest bit is negative, are read as unsigned.
    """
    meanings = str(attributes["flag_meanings"]).split()
    masks = np.atleast_1d(attributes["flag_masks"])
    every_bit = (1 << 8 * masks.dtype.itemsize) - 1
    return {
        meaning: int(mask) & every_bit
        for meaning, mask in zip(meanings, masks, strict=False)
        if not meaning.startswith("spare")
    }


def decode_flag(flag: xr.DataArray, meaning: str) -> tuple[BoolArray, BoolArray]:
    """Read one bit by its name.

    Returns
    -------
    is_set, known
        Two boolean arrays (rows, columns): whether the bit is set, and whether the pixel has a
        value at all.
    """
    known = known_pixels(flag)
    return known & ((flag.values & flag_masks(flag.attrs)[meaning]) != 0), known


def known_pixels(flag: xr.DataArray) -> BoolArray:
    """Where a flag has a value at all, boolean (rows, columns)."""
    if "_FillValue" not in flag.attrs:
        return np.ones(flag.shape, bool)
    return np.asarray(flag.values != flag.attrs["_FillValue"])


def paired(first: npt.NDArray[np.uint8], second: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Tell of every pixel which of two masks find cloud there.

    Parameters
    ----------
    first, second
        0 clear, 1 cloud, 255 unknown (rows, columns).

    Returns
    -------
    numpy.ndarray
        0 neither, 1 both, 2 the first alone, 3 the second alone, 255 where either is unknown.
    """
    here, there = first == 1, second == 1
    values = np.where(here & there, 1, np.where(here, 2, np.where(there, 3, 0)))
    known = (first != UNKNOWN) & (second != UNKNOWN)
    return np.where(known, values, UNKNOWN).astype(np.uint8)
