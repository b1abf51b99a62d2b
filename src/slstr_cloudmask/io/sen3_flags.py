"""The operational flags of a product: cloud tests, their summary, and what kind of pixel it is.

    flags = flag_attributes(product, "flags_in")
    values = read_flags(product, "flags_in", flags, grid)
    filled = ~unfilled(values["confidence"], flags["confidence"])

The bits are named by the file itself; their order has changed between baselines.
"""

from collections.abc import Iterable

import numpy as np
import xarray as xr

from slstr_cloudmask.flags import BoolArray, flag_masks, flag_variable
from slstr_cloudmask.io.geolocation import Grid
from slstr_cloudmask.io.product_store import Product
from slstr_cloudmask.io.regrid import fit_to_grid
from slstr_cloudmask.io.sen3_file import Array, ProductFile

FLAG_NAMES = {
    "bayes": "probabilistic and Bayesian cloud tests",
    "cloud": "threshold cloud tests",
    "confidence": "surface, illumination and summary flags",
}


def flag_attributes(product: Product, stem: str) -> dict[str, xr.Variable]:
    """Name the flags that a file holds, with their type and CF attributes, without their values.

    Parameters
    ----------
    product
        Where the file lies.
    stem
        Its name without ``.nc``, such as ``flags_in``.

    Returns
    -------
    dict
        A variable without dimensions for each of `FLAG_NAMES` that is there.
    """
    suffix = stem.rpartition("_")[2]
    with ProductFile(product, stem) as file:
        return {
            name: _empty(file, f"{name}_{suffix}", long_name)
            for name, long_name in FLAG_NAMES.items()
            if f"{name}_{suffix}" in file
        }


def read_flags(product: Product, stem: str, names: Iterable[str], grid: Grid) -> dict[str, Array]:
    """Read flags as unsigned integers (rows, columns) of ``grid``, all bits where unknown.

    Raises
    ------
    BrokenFileError
        The file cannot be read or does not fit the grid.
    """
    suffix = stem.rpartition("_")[2]
    with ProductFile(product, stem) as file:
        return {name: _read(file, f"{name}_{suffix}", grid) for name in names}


def _read(file: ProductFile, variable: str, grid: Grid) -> Array:
    values = file.unsigned(variable)
    everything = np.iinfo(values.dtype).max
    if (declared := file.attributes(variable).get("_FillValue")) is not None:
        values[values == (int(declared) & int(everything))] = everything
    return fit_to_grid(values, grid, everything, file.path, file.grid(variable))


def bit(values: Array, flag: xr.Variable, meaning: str) -> BoolArray:
    """Where a bit is set; nowhere if the product has no such bit."""
    return np.asarray((values & flag_masks(flag.attrs).get(meaning, 0)) != 0)


def unfilled(confidence: Array, flag: xr.Variable) -> BoolArray:
    """Pixels that the product did not fill: nothing is known of them, whatever other bits say."""
    nothing = np.asarray(confidence == flag.attrs["_FillValue"])
    return np.asarray(bit(confidence, flag, "unfilled") | nothing)


def _empty(file: ProductFile, variable: str, long_name: str) -> xr.Variable:
    dtype = file.unsigned_dtype(variable)
    return flag_variable(
        np.zeros((0, 0), dtype),
        file.flag_masks(variable),
        # Products write all bits where they have no value, spare ones too; most do not say so.
        fill=np.iinfo(dtype).max,
        long_name=long_name,
    )
