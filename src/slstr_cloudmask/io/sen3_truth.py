"""What is truly there, in a product that ``cloudmask simulate --format sen3`` made.

    variables = truth_variables(product, "nadir", "1km", strata=True)   # {"truth": ..., ...}

It lies in files that no real product has, on the 1 km grids of either view; at 500 m it is that of
the pixel of 1 km.
"""

from functools import partial

import numpy as np
import xarray as xr

from slstr_cloudmask.io.lazy import lazy_variable
from slstr_cloudmask.io.product_store import Product
from slstr_cloudmask.io.sen3_file import Array, ProductFile
from slstr_cloudmask.scene import KIND_NAMES, STRATUM_NAMES

STEMS = {"nadir": "truth_in", "oblique": "truth_io"}


def truth_variables(
    product: Product, view: str, grid: str, *, strata: bool
) -> dict[str, xr.Variable]:
    """Find the truth and, where they are wanted, the strata; empty for a real product.

    Parameters
    ----------
    product
        Where the files lie.
    view, grid
        As of `slstr_cloudmask.io.open_scene`.
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
    stem, times = STEMS[view], 2 if grid == "500m" else 1
    if f"{stem}.nc" not in product.names:
        return {}
    wanted = ("truth", *STRATUM_NAMES) if strata else ("truth",)
    stored = {name: name + stem.removeprefix("truth") for name in wanted}
    with ProductFile(product, stem) as file:
        return {
            name: _variable(product, file, (stem, stored[name], times), dtype=_dtype(name))
            for name in wanted
            if stored[name] in file
        }


def _dtype(name: str) -> type[np.generic]:
    return np.uint8 if name in ("truth", *KIND_NAMES) else np.float32


def _variable(
    product: Product, file: ProductFile, place: tuple[str, str, int], dtype: type[np.generic]
) -> xr.Variable:
    _, stored, times = place
    grid, attributes = file.grid(stored), file.attributes(stored)
    if dtype is np.float32:
        attributes.pop("_FillValue", None)  # NaN says it already
    shape = grid.rows * times, grid.columns * times
    return lazy_variable(shape, dtype, partial(_read, product, *place), attributes)


def _read(product: Product, stem: str, stored: str, times: int) -> Array:
    with ProductFile(product, stem) as file:
        return np.repeat(np.repeat(file.raw(stored), times, axis=0), times, axis=1)
