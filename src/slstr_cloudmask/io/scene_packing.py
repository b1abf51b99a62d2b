"""Numbers of a Scene as compact NetCDF variables, and back.

    stored = pack("S8", scene["S8"].variable)     # int16, scale_factor, add_offset, _FillValue
    variable = unpack(stored)                     # float32, NaN where there is no data

| what | stored as | step |
| --- | --- | --- |
| ``S7`` ... ``S9`` in whole hundredths of a kelvin | int16, as in the products | 0.01 K |
| ``S1`` ... ``S6`` | int32 | 1e-5, a sixtieth of the noise of a dark pixel |
| coordinates | int32 | 1e-4 degrees, 11 m |
| strata that are no flags | float32, mantissa rounded to 10 bits | 0.05 % of the value |
| anything else, and what fits none of these | as it is | none |

Nothing is ever clipped: int32 in these steps holds reflectances to 21 000 and any angle.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from slstr_cloudmask import channels
from slstr_cloudmask.flags import DIMS
from slstr_cloudmask.scene import COORDINATE_NAMES, STRATUM_NAMES

PACKING_ATTRIBUTES = ("scale_factor", "add_offset", "_FillValue")
# What netCDF-C writes for nc_def_var_quantize with NC_QUANTIZE_BITROUND.
QUANTIZE_ATTRIBUTE = "_QuantizeBitRoundNumberOfSignificantBits"
STRATUM_BITS = 10  # as float16, which the HDF5 layout has
_MANTISSA_BITS = 23  # of float32, without the leading one
# Whole hundredths of a kelvin come out of float32 arithmetic within a few times 1.5e-5 K.
_WHOLE_KELVIN = 1e-4


@dataclass(frozen=True, slots=True)
class Packing:
    """Integers for numbers: ``value = integer * step + offset``.

    Attributes
    ----------
    tolerance
        Values must lie this near to a step, or they are not packed; None where they are rounded.
    """

    dtype: npt.DTypeLike
    step: float
    offset: float = 0.0
    tolerance: float | None = None


# Sentinel-3 SLSTR Level-1 products, S8_BT_in: the products' own packing.
_KELVIN = Packing(np.int16, 0.01, 283.73, _WHOLE_KELVIN)
# The products' radiances have steps that amount to 3e-5 in S3; the simulator's noise is 6e-4.
_REFLECTANCE = Packing(np.int32, 1e-5)
_DEGREES = Packing(np.int32, 1e-4)
PACKINGS = (
    dict.fromkeys(channels.THERMAL_NAMES, _KELVIN)
    | dict.fromkeys(channels.REFLECTANCE_NAMES, _REFLECTANCE)
    | dict.fromkeys(COORDINATE_NAMES, _DEGREES)
)


def pack(name: str, variable: xr.Variable) -> xr.Variable:
    """Make the variable that is stored for one of a Scene's, its attributes among the others.

    Parameters
    ----------
    name
        In the Scene.
    variable
        On dims (rows, columns).
    """
    values = np.ascontiguousarray(variable.values)
    attributes = dict(variable.attrs)
    if values.dtype.kind != "f":
        return xr.Variable(DIMS, values, attributes)
    if name in PACKINGS:
        integers = _integers(values, PACKINGS[name])
        if integers is not None:
            attributes["scale_factor"] = PACKINGS[name].step
            attributes["add_offset"] = PACKINGS[name].offset
            attributes["_FillValue"] = _fill(integers.dtype)
            return xr.Variable(DIMS, integers, attributes)
    elif name in STRATUM_NAMES and values.dtype == np.float32:
        values = _bit_rounded(values, STRATUM_BITS)
        attributes[QUANTIZE_ATTRIBUTE] = np.int32(STRATUM_BITS)
    attributes["_FillValue"] = values.dtype.type(np.nan)
    return xr.Variable(DIMS, values, attributes)


def unpack(stored: xr.Variable) -> xr.Variable:
    """Make a float32 variable, NaN where there is no data, of what a file holds.

    Raises
    ------
    TypeError, ValueError
        The values or the attributes of packing are no numbers.
    """
    attributes = {
        key: value
        for key, value in stored.attrs.items()
        if key not in (*PACKING_ATTRIBUTES, QUANTIZE_ATTRIBUTE)
    }
    raw = stored.values
    if raw.dtype.kind not in "fiu":
        raise TypeError(f"expected numbers, found {raw.dtype}")
    if raw.dtype.kind == "f" and not {"scale_factor", "add_offset"} & set(stored.attrs):
        values = raw.astype(np.float32, copy=False)
    else:
        # In float64, so that the nearest float32 to the decimal number comes out.
        scaled = np.multiply(raw, float(stored.attrs.get("scale_factor", 1.0)), dtype=np.float64)
        scaled += float(stored.attrs.get("add_offset", 0.0))
        values = scaled.astype(np.float32)
    fill = stored.attrs.get("_FillValue")
    if fill is not None and not np.isnan(float(fill)):
        values[raw == fill] = np.nan
    return xr.Variable(stored.dims, values, attributes)


def _fill(dtype: np.dtype[Any]) -> Any:
    return dtype.type(np.iinfo(dtype).min)


def _integers(values: npt.NDArray[Any], packing: Packing) -> npt.NDArray[Any] | None:
    """Values in steps, the fill value for NaN; None where they do not fit."""
    steps = np.subtract(values, packing.offset, dtype=np.float64)
    steps /= packing.step
    whole = np.rint(steps)
    missing = np.isnan(whole)
    whole[missing] = 0
    most = np.iinfo(np.dtype(packing.dtype)).max
    if not max(whole.max(initial=0), -whole.min(initial=0)) <= most:
        return None
    if packing.tolerance is not None:
        steps[missing] = 0
        if np.abs(steps - whole).max(initial=0) * packing.step > packing.tolerance:
            return None
    integers = whole.astype(packing.dtype)
    integers[missing] = _fill(integers.dtype)
    return np.asarray(integers)


def _bit_rounded(values: npt.NDArray[np.float32], bits: int) -> npt.NDArray[np.float32]:
    """Round to the nearest float32 with so many bits of mantissa, ties to even.

    Kouznetsov (2021), Geosci. Model Dev. 14, 377: bit rounding.
    """
    dropped = np.uint32(_MANTISSA_BITS - bits)
    words = values.view(np.uint32)
    last = (words >> dropped) & np.uint32(1)
    half = np.uint32((1 << int(dropped) - 1) - 1)
    rounded = (words + (half + last)) & ~np.uint32((1 << int(dropped)) - 1)
    # The largest numbers would round to infinity: they stay, as do infinities and NaN.
    keep = ~np.isfinite(values) | ~np.isfinite(rounded.view(np.float32))
    rounded[keep] = words[keep]
    return rounded.view(np.float32)
