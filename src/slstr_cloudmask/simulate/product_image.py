"""What a simulated product says of every pixel: measurements, exceptions, flags, indices.

    arrays = measurement_arrays(file_format, views, placing)

Each function returns the arrays of one file by variable; what it leaves out is fill. The simulator
works at 1 km, so that a value at 500 m is there four times.
"""

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from slstr_cloudmask import channels
from slstr_cloudmask.flags import BoolArray
from slstr_cloudmask.io.radiometry import sun_distance_au
from slstr_cloudmask.simulate.annotation import basic_labels
from slstr_cloudmask.simulate.basic_tests import CONFIDENCE_MASKS
from slstr_cloudmask.simulate.fractal import Field
from slstr_cloudmask.simulate.geometry import ROW_SECONDS, seen_after_s
from slstr_cloudmask.simulate.observe import reflectance_divisor
from slstr_cloudmask.simulate.orbit import Overpass
from slstr_cloudmask.simulate.product_format import FileFormat
from slstr_cloudmask.simulate.product_grids import Placing, is_fine
from slstr_cloudmask.simulate.scene import View, Views

Array = npt.NDArray[Any]
Arrays = dict[str, Array]

# Bits of the exceptions, as the files themselves name them.
ISP_ABSENT, PIXEL_ABSENT, SATURATION, INVALID_RADIANCE, UNFILLED = 1, 2, 16, 32, 128
# Above this S7 is outside the calibrated range and says so; its values are kept all the same
# (product of August 2021).
S7_CALIBRATED_KELVIN = 305.0
# A scan of the mirrors takes two rows of 1 km: four detectors of 500 m, two of 1 km.
SCAN_SECONDS = 2 * ROW_SECONDS
_COUNTS = (-32767, 32767)  # of 16 bits; the lowest is fill
_PROBABILITY = "probability_cloud_single_"


def measurement_arrays(file: FileFormat, views: Views, placing: Placing) -> Arrays:
    """Make counts and exceptions of a band, ``BT`` or ``radiance``."""
    view, band, grid = view_of(views, file.grid), file.band, file.grid
    fire = views.oblique_fire if grid[1] == "o" else views.nadir_fire
    if file.kind == "radiance":
        physical = _radiance(view, band, views.recipe.overpass)
    else:
        physical = fire[band] if band in fire else view.scene[band].values
    name = f"{band}_{file.kind}_{grid}"
    counts, clipped = packed(physical, file, name)
    exceptions = _exceptions(view)
    exceptions |= np.where(clipped, SATURATION, 0).astype(np.uint8)
    if band == "S7":
        exceptions[physical > S7_CALIBRATED_KELVIN] |= INVALID_RADIANCE
    orphans = np.full((placing.grids[grid].rows, placing.orphans(grid)), UNFILLED, np.uint8)
    return {
        name: placing.on(counts, grid),
        f"{band}_exception_{grid}": placing.on(exceptions, grid),
        f"{band}_exception_orphan_{grid}": orphans,
    }


def solar_irradiance(band: str, overpass: Overpass) -> float:
    """Irradiance of the sun on the day, mW m-2 nm-1; products carry it."""
    standard = channels.BY_NAME[band].solar_irradiance
    assert standard is not None
    return standard / sun_distance_au(overpass.start) ** 2


def packed(values: Field, file: FileFormat, name: str) -> tuple[Array, BoolArray]:
    """Turn physical values into a variable's counts; NaN becomes fill.

    Returns
    -------
    counts, clipped
        Counts, and where there is no count as high or as low as the value.
    """
    variable = file.variables[name]
    scale, offset = variable.attributes["scale_factor"], variable.attributes["add_offset"]
    assert isinstance(scale, np.ndarray)
    assert isinstance(offset, np.ndarray)
    counts = np.rint((values.astype(np.float64) - offset) / scale)
    clipped = (counts < _COUNTS[0]) | (counts > _COUNTS[1])
    counts = np.where(np.isnan(counts), variable.fill, np.clip(counts, *_COUNTS))
    return counts.astype(variable.dtype), clipped


def _radiance(view: View, band: str, overpass: Overpass) -> Field:
    """Radiance of a reflective band, mW m-2 sr-1 nm-1."""
    # L = R E0 cos(solar zenith) / pi: ESA, SLSTR Level-1 handbook, definition of reflectance.
    factor = np.float32(solar_irradiance(band, overpass) / math.pi)
    divisor = reflectance_divisor(view.stage.geometry.mu_sun)
    return np.asarray(view.scene[band].values * divisor * factor)


def _exceptions(view: View) -> npt.NDArray[np.uint8]:
    """Mark copies as absent, and what was not seen as unfilled: in the swath for want of data."""
    exceptions = np.zeros(view.gaps.seen.shape, np.uint8)
    exceptions[view.gaps.cosmetic] = PIXEL_ABSENT
    exceptions[~view.gaps.seen] = UNFILLED
    exceptions[~view.gaps.seen & view.stage.geometry.in_swath] |= ISP_ABSENT
    return exceptions


def flags_arrays(file: FileFormat, views: Views, placing: Placing) -> Arrays:
    """Cloud, confidence, Bayesian and pointing flags, and the probability of cloud.

    The simulated provider judges the nadir view; of the oblique one it has the basic tests alone,
    and the Bayesian flags are unknown.
    """
    grid, view = file.grid, view_of(views, file.grid)
    if grid[1] == "n":
        image = {name: view.scene[name].values for name in ("bayes", "cloud", "confidence")}
    else:
        cloud, confidence = basic_labels(view.bands, view.stage, view.gaps)
        image = {"cloud": cloud, "confidence": confidence}
    image["pointing"] = np.zeros(view.gaps.seen.shape, np.uint8)
    arrays = {f"{name}_{grid}": placing.on(values, grid) for name, values in image.items()}
    shape = placing.grids[grid].rows, placing.orphans(grid)
    nothing = {"cloud": 0, "confidence": CONFIDENCE_MASKS["unfilled"], "pointing": 0}
    for name, value in nothing.items():
        arrays[f"{name}_orphan_{grid}"] = np.full(shape, value, np.uint16)
    if f"{_PROBABILITY}{grid}" in file.variables and grid[1] == "n":
        probability = view.scene["cloud_probability_provider"].values
        counts, _ = packed(probability, file, f"{_PROBABILITY}{grid}")
        arrays[f"{_PROBABILITY}{grid}"] = counts
    return arrays


def indices_arrays(file: FileFormat, views: Views, placing: Placing) -> Arrays:
    """Detector by row, pixel by column of the frame, scan by the time when a pixel was seen."""
    grid, view = file.grid, view_of(views, file.grid)
    where, detectors = placing.grids[grid], 4 if is_fine(grid) else 2
    row, column = np.arange(where.rows)[:, np.newaxis], np.arange(where.columns)
    frame_column = placing.window.column + (placing.columns(grid).start or 0)
    seen = placing.on(view.gaps.seen, grid)
    found = {
        "detector": (where.start_offset + row) % detectors + 0 * column,
        "pixel": np.maximum(frame_column * detectors // 2 + column, 0) + 0 * row,
        "scan": placing.on(scan_numbers(placing, grid), grid),
    }
    arrays: Arrays = {}
    for name, values in found.items():
        variable = file.variables[f"{name}_{grid}"]
        stored = np.where(seen, values, variable.fill)
        arrays[f"{name}_{grid}"] = stored.astype(variable.dtype)
    return arrays


def scan_numbers(placing: Placing, grid: str) -> Array:
    """Count the scans from the ascending node to when each pixel of the window was seen."""
    window, view = placing.window, "oblique" if grid[1] == "o" else "nadir"
    row = placing.grids["i" + grid[1]].start_offset + np.arange(window.rows)
    late = seen_after_s(window.column + np.arange(window.columns), view)
    return np.asarray((row[:, np.newaxis] * ROW_SECONDS + late) // SCAN_SECONDS)


def view_of(views: Views, grid: str) -> View:
    """Which view a grid is of."""
    return views.oblique if grid[1] == "o" else views.nadir
