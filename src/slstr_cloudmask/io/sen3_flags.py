"""The operational flags of a product: cloud tests, their summary, and what kind of pixel it is.

    bayes = read_flag(product, "flags_in", "bayes", grid)
    filled = ~unfilled(confidence)

The bits are named by the file itself; their order has changed between baselines.
"""

import numpy as np
import xarray as xr

from slstr_cloudmask.flags import BoolArray, flag_masks, flag_variable
from slstr_cloudmask.io.geolocation import Grid
from slstr_cloudmask.io.product_store import Product
from slstr_cloudmask.io.sen3_file import Array, ProductFile, fit_to_grid

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


def read_flag(product: Product, stem: str, name: str, grid: Grid) -> Array:
    """Read one flag as unsigned integers (rows, columns) of ``grid``.

    Raises
    ------
    BrokenFileError
        The file cannot be read or does not fit the grid.
    """
    variable = f"{name}_{stem.rpartition('_')[2]}"
    with ProductFile(product, stem) as file:
        values = file.unsigned(variable)
        return fit_to_grid(values, grid, _fill(file, variable, values.dtype), file.path)


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
        fill=_fill(file, variable, dtype),
        long_name=long_name,
    )


def _fill(file: ProductFile, variable: str, dtype: np.dtype[np.unsignedinteger]) -> int:
    # Products write all bits where they have no value, spare ones too; most do not say so.
    everything = int(np.iinfo(dtype).max)
    return int(file.attributes(variable).get("_FillValue", everything)) & everything
