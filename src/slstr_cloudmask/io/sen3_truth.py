"""What is truly there, in a product that ``cloudmask simulate --format sen3`` made.

    variables = truth_variables(product, strata=True)   # {"truth": ..., "optical_depth": ...}

It lies in a file that no real product has, on the 1 km grid of nadir.
"""

from functools import partial

import numpy as np
import xarray as xr

from slstr_cloudmask.io.lazy import lazy_variable
from slstr_cloudmask.io.product_store import Product
from slstr_cloudmask.io.sen3_file import Array, ProductFile
from slstr_cloudmask.scene import KIND_NAMES, STRATUM_NAMES

STEM = "truth_in"


def truth_variables(product: Product, *, strata: bool) -> dict[str, xr.Variable]:
    """Find the truth and, where they are wanted, the strata; empty for a real product.

    Parameters
    ----------
    product
        Where the file lies.
    strata
        Whether the strata are wanted too.

    Returns
    -------
    dict
        Variables of a Scene by name; values are read when they are first looked at.

    Raises
    ------
    BrokenFileError
        The file is truncated or of another format.
    """
    if f"{STEM}.nc" not in product.names:
        return {}
    wanted = ("truth", *STRATUM_NAMES) if strata else ("truth",)
    with ProductFile(product, STEM) as file:
        return {name: _variable(product, file, name) for name in wanted if f"{name}_in" in file}


def _variable(product: Product, file: ProductFile, name: str) -> xr.Variable:
    stored = f"{name}_in"
    grid = file.grid(stored)
    attributes = file.attributes(stored)
    dtype = np.uint8 if name in ("truth", *KIND_NAMES) else np.float32
    if dtype is np.float32:
        attributes.pop("_FillValue", None)  # NaN says it already
    shape = grid.rows, grid.columns
    return lazy_variable(shape, dtype, partial(_read, product, stored), attributes)


def _read(product: Product, stored: str) -> Array:
    with ProductFile(product, STEM) as file:
        return file.raw(stored)
