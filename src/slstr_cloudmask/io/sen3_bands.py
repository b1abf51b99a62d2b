"""The measurements of a product: brightness temperatures, and radiances turned into reflectances.

    bands = read_bands(folder, files, grid, solar_zenith_deg, name)

Every band comes on the 1 km grid, NaN where nothing was measured.
"""

from pathlib import Path

import numpy as np

from slstr_cloudmask import channels
from slstr_cloudmask.errors import BrokenFileError
from slstr_cloudmask.io.geolocation import Grid, coarser, first_pixel
from slstr_cloudmask.io.product_name import ProductName
from slstr_cloudmask.io.radiometry import radiance_to_reflectance, solar_irradiance, to_kilometre
from slstr_cloudmask.io.sen3_file import ProductFile, check_fit, fit_to_grid
from slstr_cloudmask.scene import FloatArray

# Exceptions with which a stored value is still good for cloud screening: a pixel that repeats its
# neighbour (pixel_absent), one at the upper end of the range (saturation), and one outside the
# range of the calibration (invalid_radiance). The last is every S7 above 305 K: in baseline 004
# the value is stored and agrees with the fire channel F1 to 0.4 K up to 311 K, in baseline 002 it
# is fill. Whatever else is set means that nothing was measured.
USABLE_EXCEPTIONS = ("pixel_absent", "saturation", "invalid_radiance")
# The 500 m grid begins this many rows and columns from the 1 km grid at most: products are now
# and then off by a pixel of 1 km, and half of one comes from the counting.
MAX_SHIFT = 3


def read_bands(
    folder: Path,
    files: dict[str, Path],
    grid: Grid,
    solar_zenith_deg: FloatArray | None,
    name: ProductName | None,
) -> dict[str, FloatArray]:
    """Read the bands of a product.

    Parameters
    ----------
    folder
        The product.
    files
        File by band.
    grid
        Its 1 km nadir grid.
    solar_zenith_deg
        Degrees on that grid; needed for the reflective bands.
    name
        The product's name, where it is known.

    Returns
    -------
    dict
        Reflectance (unit 1) or brightness temperature (K) by band, float (rows, columns).

    Raises
    ------
    BrokenFileError
        A file cannot be read or does not fit the grid, or there are no angles for a reflectance.
    """
    bands: dict[str, FloatArray] = {}
    dark = [band for band in files if band in channels.REFLECTANCE_NAMES]
    if dark and solar_zenith_deg is None:
        raise BrokenFileError(
            f"{folder} holds no geometry_tn.nc, and without the solar zenith angle in it "
            f"{', '.join(dark)} cannot be turned into reflectance. Download the product again."
        )
    for band, path in files.items():
        values, own_grid = _measured(path)
        if band in channels.REFLECTANCE_NAMES and solar_zenith_deg is not None:
            channel = channels.BY_NAME[band]
            irradiance = solar_irradiance(folder, channel, name.start if name else None)
            radiance = _averaged(values, own_grid, grid, path)
            bands[band] = radiance_to_reflectance(radiance, irradiance, solar_zenith_deg)
        else:
            bands[band] = fit_to_grid(values, grid, np.nan, path)
    return bands


def _averaged(values: FloatArray, fine: Grid, grid: Grid, path: Path) -> FloatArray:
    """Average 500 m pixels to the 1 km grid, which theirs must fit to one pixel of 1 km."""
    top, left = first_pixel(fine, grid)
    own = coarser(fine)
    check_fit((own.rows, own.columns), grid, path)
    if max(abs(top), abs(left)) > MAX_SHIFT:
        raise BrokenFileError(
            f"{path} does not fit the product's 1 km grid: expected a grid that begins within "
            f"{MAX_SHIFT} rows and columns of 500 m of it, found {top} and {left}. "
            "Download the product again."
        )
    return to_kilometre(values, fine, grid)


def _measured(path: Path) -> tuple[FloatArray, Grid]:
    """Values of the one measurement in a band's file, NaN where nothing was measured."""
    variable = path.stem
    exception = variable.replace("_BT_", "_exception_").replace("_radiance_", "_exception_")
    with ProductFile(path) as file:
        values, grid = file.unpacked(variable), file.grid(variable)
        bits = file.unsigned(exception, values.shape)
        unusable = sum(
            mask
            for meaning, mask in file.flag_masks(exception).items()
            if meaning not in USABLE_EXCEPTIONS
        )
    values[(bits & unusable) != 0] = np.nan
    return values, grid
