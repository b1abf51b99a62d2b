"""One measurement of a product as it lies in its file: a brightness temperature or a radiance.

    s7 = read_measurement(product, "S7_BT_in")
    s7.values          # K, NaN where nothing was measured
    s7.out_of_range    # where the value, or its absence, is the instrument's upper end

Every file says with each pixel what went wrong there, as exceptions. `USABLE_EXCEPTIONS` tells
those with which a stored value is still good for cloud screening.
"""

from dataclasses import dataclass, replace

import numpy as np

from slstr_cloudmask.flags import UNKNOWN, BoolArray
from slstr_cloudmask.io.geolocation import Grid
from slstr_cloudmask.io.product_store import Product
from slstr_cloudmask.io.regrid import fit_to_grid
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
        Above what the band can measure, boolean (rows, columns); not where for another reason
        nothing was measured.
    saturated
        Of these, where the file says that the detector was.
    grid
        Where it lies.
    path
        Its file, for messages.
    orphans
        As ``values``, (rows, orphan_pixels): the measurements that found no place in the image. A
        pixel of the image is given the nearest measurement; one that is nearest to no pixel is
        kept aside, in its row. None where the file has none, or they were not asked for.
    """

    values: FloatArray
    out_of_range: BoolArray
    saturated: BoolArray
    grid: Grid
    path: str
    orphans: FloatArray | None = None


def read_measurement(product: Product, stem: str, *, orphans: bool = False) -> Measurement:
    """Read the one measurement in a file.

    Parameters
    ----------
    product
        Where the file lies.
    stem
        Its name without ``.nc``, which is that of the variable in it, such as ``S8_BT_in``.
    orphans
        Read them too.

    Raises
    ------
    BrokenFileError
        The file cannot be read, or holds something else.
    """
    variable = stem.replace(_kind(stem), f"{_kind(stem)}orphan_")
    with ProductFile(product, stem) as file:
        values, out_of_range, saturated = _usable(file, stem)
        has_orphans = orphans and variable in file and file.size(variable) > 0
        beside = _usable(file, variable)[0] if has_orphans else None
        grid = file.grid(stem)
        return Measurement(values, out_of_range, saturated, grid, file.path, beside)


@dataclass(frozen=True, slots=True)
class Detectors:
    """Which detector measured each pixel: the Sun's irradiance is known by detector.

    Attributes
    ----------
    image, orphans
        Numbers from 0, uint8 (rows, columns) and (rows, orphan_pixels), 255 = not known.
    grid, path
        As of `Measurement`.
    """

    image: Array
    orphans: Array | None
    grid: Grid
    path: str

    def even_out(self, measurement: Measurement, irradiance: FloatArray) -> Measurement:
        """Scale radiances as if all detectors had the mean of their irradiances (detectors,)."""
        scale = np.ones(256, np.float32)
        scale[: irradiance.size] = irradiance.mean() / irradiance
        image = fit_to_grid(self.image, measurement.grid, UNKNOWN, self.path, self.grid)
        beside = measurement.orphans
        if beside is not None and self.orphans is not None and beside.shape == self.orphans.shape:
            beside = beside * scale[self.orphans]
        return replace(measurement, values=measurement.values * scale[image], orphans=beside)


def read_detectors(product: Product, stem: str) -> Detectors:
    """Read the numbers of the detectors from a file such as ``indices_an``.

    Raises
    ------
    BrokenFileError
        The file cannot be read, or holds something else.
    """
    variable, orphan = f"detector_{stem[-2:]}", f"detector_orphan_{stem[-2:]}"
    with ProductFile(product, stem) as file:
        has_orphans = orphan in file and file.size(orphan) > 0
        image = _detector_numbers(file, variable)
        beside = _detector_numbers(file, orphan) if has_orphans else None
        return Detectors(image, beside, file.grid(variable), file.path)


def _detector_numbers(file: ProductFile, variable: str) -> Array:
    return np.minimum(file.unsigned(variable), UNKNOWN).astype(np.uint8)


def _usable(file: ProductFile, variable: str) -> tuple[FloatArray, BoolArray, BoolArray]:
    """Values with NaN where nothing was measured, where out of range, and where saturated."""
    name = variable.replace(_kind(variable), "_exception_")
    values = file.unpacked(variable)
    exceptions, masks = file.unsigned(name, values.shape), file.flag_masks(name)
    unusable = sum(mask for meaning, mask in masks.items() if meaning not in USABLE_EXCEPTIONS)
    above = sum(masks.get(meaning, 0) for meaning in OUT_OF_RANGE_EXCEPTIONS)
    measured = (exceptions & unusable) == 0
    values[~measured] = np.nan
    out_of_range = ((exceptions & above) != 0) & measured
    return values, out_of_range, out_of_range & ((exceptions & masks.get("saturation", 0)) != 0)


def _kind(name: str) -> str:
    return "_BT_" if "_BT_" in name else "_radiance_"
