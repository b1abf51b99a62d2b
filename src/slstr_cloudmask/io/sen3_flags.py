"""The operational flags of a product: cloud tests, their summary, and what kind of pixel it is.

    flags, unfilled = read_flags(folder, grid)

The bits are named by the file itself; their order has changed between baselines.
"""

from pathlib import Path

import numpy as np
import xarray as xr

from slstr_cloudmask.flags import UNKNOWN, BoolArray, flag_masks, flag_variable, value_flag_variable
from slstr_cloudmask.io.geolocation import Grid
from slstr_cloudmask.io.sen3_file import ProductFile, fit_to_grid

FLAG_NAMES = {
    "bayes": "probabilistic and Bayesian cloud tests",
    "cloud": "threshold cloud tests",
    "confidence": "surface, illumination and summary flags",
}


def read_flags(folder: Path, grid: Grid) -> tuple[dict[str, xr.Variable], BoolArray]:
    """Read ``flags_in.nc``.

    Parameters
    ----------
    folder
        The product.
    grid
        Its 1 km nadir grid.

    Returns
    -------
    flags
        ``bayes``, ``cloud``, ``confidence`` and ``summary_cloud``, as far as the product has them,
        on dims (rows, columns). Cloud flags are unknown where a pixel is unfilled: the product
        sets some of their bits there, by its surface maps alone.
    unfilled
        Pixels that the product did not fill, boolean (rows, columns).

    Raises
    ------
    BrokenFileError
        The file cannot be read or does not fit the grid.
    """
    path = folder / "flags_in.nc"
    unfilled = np.zeros((grid.rows, grid.columns), bool)
    if not path.is_file():
        return {}, unfilled
    with ProductFile(path) as file:
        flags = {name: _read_flag(file, name, grid) for name in FLAG_NAMES if f"{name}_in" in file}
    if "confidence" in flags:
        unfilled |= _bit(flags["confidence"], "unfilled")
        unfilled |= flags["confidence"].values == flags["confidence"].attrs["_FillValue"]
        summary = np.where(unfilled, UNKNOWN, _bit(flags["confidence"], "summary_cloud"))
        flags["summary_cloud"] = value_flag_variable(
            summary, {"clear": 0, "cloud": 1}, long_name="summary of the cloud tests"
        )
    for name in ("bayes", "cloud"):
        if name in flags:
            flags[name].values[unfilled] = flags[name].attrs["_FillValue"]
    return flags, unfilled


def _read_flag(file: ProductFile, name: str, grid: Grid) -> xr.Variable:
    values = file.unsigned(f"{name}_in")
    # Products write all bits where they have no value, spare ones too; most do not say so.
    everything = int(np.iinfo(values.dtype).max)
    fill = int(file.attributes(f"{name}_in").get("_FillValue", everything)) & everything
    return flag_variable(
        fit_to_grid(values, grid, fill, file.path).copy(),
        file.flag_masks(f"{name}_in"),
        fill=fill,
        long_name=FLAG_NAMES[name],
    )


def _bit(flag: xr.Variable, meaning: str) -> BoolArray:
    """Where a bit is set; nowhere if the product has no such bit."""
    return np.asarray((flag.values & flag_masks(flag.attrs).get(meaning, 0)) != 0)
