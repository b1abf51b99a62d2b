"""One measurement of a product as it lies in its file: a brightness temperature or a radiance.

    s7 = read_measurement(product, "S7_BT_in")
    s7.values          # K, NaN where nothing was measured
    s7.out_of_range    # where the value, or its absence, is the instrument's upper end

Every file says with each pixel what went wrong there, as exceptions. `USABLE_EXCEPTIONS` tells
those with which a stored value is still good for cloud screening.
"""

from dataclasses import dataclass

import numpy as np

from slstr_cloudmask.flags import BoolArray
from slstr_cloudmask.io.geolocation import Grid
from slstr_cloudmask.io.product_store import Product
from slstr_cloudmask.io.sen3_file import Array, ProductFile
from slstr_cloudmask.scene import FloatArray

# A pixel that repeats its neighbour (pixel_absent: cosmetic fill), one at the upper end of the
# range (saturation), and one outside the range of the calibration (invalid_radiance). The last is
# every S7 above 305 K: in baseline 004 the value is stored and agrees with the fire channel F1 to
# 0.4 K up to 311 K, in baseline 002 it is fill. Whatever else is set means that nothing was
# measured.
OUT_OF_RANGE_EXCEPTIONS = ("saturation", "invalid_radiance")
USABLE_EXCEPTIONS = ("pixel_absent", *OUT_OF_RANGE_EXCEPTIONS)


@dataclass(frozen=True, slots=True)
class Measurement:
    """A band on its own grid.

    Attributes
    ----------
    values
        K or mW m-2 sr-1 nm-1 (rows, columns), float32, NaN where nothing was measured.
    out_of_range
        Above what the band can measure, boolean (rows, columns).
    grid
        Where it lies.
    path
        Its file, for messages.
    """

    values: FloatArray
    out_of_range: BoolArray
    grid: Grid
    path: str


def read_measurement(product: Product, stem: str) -> Measurement:
    """Read the one measurement in a file.

    Parameters
    ----------
    product
        Where the file lies.
    stem
        Its name without ``.nc``, which is that of the variable in it, such as ``S8_BT_in``.

    Raises
    ------
    BrokenFileError
        The file cannot be read, or holds something else.
    """
    with ProductFile(product, stem) as file:
        values, exceptions, masks = _usable(file, stem, (None, None))
        grid = file.grid(stem)
    out_of_range = sum(masks.get(name, 0) for name in OUT_OF_RANGE_EXCEPTIONS)
    return Measurement(values, (exceptions & out_of_range) != 0, grid, file.path)


def read_orphans(product: Product, stem: str) -> FloatArray | None:
    """Read the measurements that found no place in the image.

    A pixel of the image is given the nearest measurement; one that is nearest to no pixel is kept
    aside, in its row, as an orphan.

    Returns
    -------
    numpy.ndarray or None
        As `Measurement.values`, (rows, orphan_pixels); None where the file has none.
    """
    kind = "_BT_" if "_BT_" in stem else "_radiance_"
    variable = stem.replace(kind, f"{kind}orphan_")
    with ProductFile(product, stem) as file:
        return _usable(file, variable, (None, None))[0] if variable in file else None


def _usable(
    file: ProductFile, variable: str, shape: tuple[int | None, ...]
) -> tuple[FloatArray, Array, dict[str, int]]:
    """Values with NaN where nothing was measured, their exceptions, and the exceptions' bits."""
    kind = "_BT_" if "_BT_" in variable else "_radiance_"
    name = variable.replace(kind, "_exception_")
    values = file.unpacked(variable, shape)
    exceptions, masks = file.unsigned(name, values.shape), file.flag_masks(name)
    unusable = sum(mask for meaning, mask in masks.items() if meaning not in USABLE_EXCEPTIONS)
    values[(exceptions & unusable) != 0] = np.nan
    return values, exceptions, masks
