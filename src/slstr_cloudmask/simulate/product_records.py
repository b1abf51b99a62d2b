"""What a simulated product says of its rows, its instrument, the sun and the weather.

    arrays = quality_arrays(file_format, views, placing)

Each function returns the arrays of one file by variable. The instrument's housekeeping (voltages,
gains, temperatures of parts) is not simulated: what is left out is fill.
"""

import numpy as np

from slstr_cloudmask import channels
from slstr_cloudmask.simulate.fractal import Field
from slstr_cloudmask.simulate.geometry import TRACK_COLUMN
from slstr_cloudmask.simulate.instrument import FIRE_TWINS, NOISE_KELVIN_AT_270
from slstr_cloudmask.simulate.orbit import Overpass
from slstr_cloudmask.simulate.product_format import FileFormat
from slstr_cloudmask.simulate.product_grids import (
    TIE_COLUMNS,
    TIE_STEP,
    TIE_TRACK_COLUMN,
    Placing,
)
from slstr_cloudmask.simulate.product_image import (
    SCAN_SECONDS,
    Array,
    Arrays,
    scan_numbers,
    solar_irradiance,
)
from slstr_cloudmask.simulate.radiation import THERMAL_WAVELENGTH_UM, planck_radiance
from slstr_cloudmask.simulate.scene import Views
from slstr_cloudmask.simulate.worlds import find_world
from slstr_cloudmask.sun import seconds_since_2000

# Of the two black bodies: a product of August 2021.
_BLACK_BODY_KELVIN = {"BB1": 302.9, "BB2": 265.3}
_PIXELS_PER_SCAN = 3670  # of 1 km: long_name of SCANSYNC
_HALF_DAY_S = 43200  # the almanac counts from noon, products from midnight
_VIEWS = 2


def node_seconds(overpass: Overpass) -> float:
    """When the satellite crossed the equator northwards, s since midnight of 1 January 2000."""
    return seconds_since_2000(overpass.start) + _HALF_DAY_S - overpass.frame


def time_arrays(file: FileFormat, views: Views, placing: Placing) -> Arrays:
    """Make times and scans of rows; a scan, and so a time, belongs to two rows of 1 km."""
    grid = file.grid[0]
    repeats = 1 if grid == "i" else 2
    node_us = node_seconds(views.recipe.overpass) * 1e6
    row = placing.grids["in"].start_offset + np.arange(placing.window.rows)
    stamps = {"time_stamp": row // 2}
    for view in ("Nadir", "Oblique"):
        scans = scan_numbers(placing, f"i{view[0].lower()}")
        first, last = scans.min(axis=1), scans.max(axis=1)
        stamps |= {f"{view}_First_scan": first, f"{view}_Last_scan": last}
        stamps |= {f"{view}_Minimal_ts": first, f"{view}_Maximal_ts": last}
    arrays: Arrays = {}
    for name, scan in stamps.items():
        values = scan if name.endswith("scan") else node_us + scan * SCAN_SECONDS * 1e6
        stored = np.maximum(np.rint(values), 0).astype(file.variables[f"{name}_{grid}"].dtype)
        arrays[f"{name}_{grid}"] = np.repeat(stored, repeats)
    scan_us = SCAN_SECONDS * 1e6
    arrays["SCANSYNC"] = np.array([round(scan_us)])
    arrays[f"PIXSYNC_{grid}"] = np.array([scan_us / _PIXELS_PER_SCAN / repeats])
    return arrays


def quality_arrays(file: FileFormat, views: Views, placing: Placing) -> Arrays:
    """Band, irradiance of the sun or noise against the black bodies."""
    band, detectors = file.band, file.sizes["detectors"]
    seen = FIRE_TWINS.get(band, (band, 1.0))[0]
    channel = channels.BY_NAME[seen]
    found: dict[str, Array] = {
        # The products say metres and give micrometres.
        "band_centre": np.full(detectors, channel.wavelength_um),
        "bandwidth": np.full(detectors, channel.width_um),
    }
    if channel.kind == "reflectance":
        irradiance = solar_irradiance(band, views.recipe.overpass)
        found["solar_irradiance"] = np.full(detectors, irradiance)
    else:
        rows = placing.grids[file.grid].rows
        shape = detectors, file.sizes["integrators"], rows
        for name, kelvin in _BLACK_BODY_KELVIN.items():
            found[f"T_{name}"] = np.full(rows, kelvin)
            found[f"dT_{name}"] = np.full(shape, noise_kelvin(band, kelvin, views))
    return {f"{band}_{name}_{file.grid}": values for name, values in found.items()}


def noise_kelvin(band: str, kelvin: float, views: Views) -> float:
    """Noise of a thermal or fire band at a temperature: constant in radiance."""
    twin, factor = FIRE_TWINS.get(band, (band, 1.0))
    wavelength_um = THERMAL_WAVELENGTH_UM[twin]
    steps = [
        np.diff(planck_radiance(wavelength_um, np.array([t, t + 1.0])))[0] for t in (270.0, kelvin)
    ]
    factor *= find_world(views.recipe.world).noise_factor
    return float(factor * NOISE_KELVIN_AT_270[twin] * steps[0] / steps[1])


def viscal_arrays(file: FileFormat, views: Views, placing: Placing) -> Arrays:
    """Irradiances of the sun by detector and view, and the time of the node."""
    overpass = views.recipe.overpass
    node = np.datetime64("2000-01-01") + np.timedelta64(round(node_seconds(overpass) * 1e6), "us")
    arrays: Arrays = {"ANX_time": np.array([f"{node}Z"], object)}
    for band in channels.REFLECTANCE_NAMES:
        name = f"{band}_solar_irradiances"
        detectors = file.sizes[file.variables[name].dims[0]]
        arrays[name] = np.full((detectors, _VIEWS), solar_irradiance(band, overpass))
    return arrays


def met_arrays(file: FileFormat, views: Views, placing: Placing) -> Arrays:
    """Weather as the provider believes it, at the tie points in the window and next to it."""
    forecast = views.forecast
    sea = ~forecast.solid
    found = {
        "skin_temperature_tx": forecast.skin_kelvin,
        "sea_surface_temperature_tx": np.where(sea, forecast.skin_kelvin, np.float32(np.nan)),
        "total_column_water_vapour_tx": forecast.vapour_mm,
        "temperature_tx": views.nadir.stage.surface.air_kelvin,
    }
    return {name: _at_tie_points(values, placing)[np.newaxis] for name, values in found.items()}


def _at_tie_points(values: Field, placing: Placing) -> Field:
    """Take a field at the tie columns; those less than a step outside have the edge's value."""
    tie = np.arange(TIE_COLUMNS) - TIE_TRACK_COLUMN
    column = TRACK_COLUMN + tie * TIE_STEP - placing.window.column
    last = placing.window.columns - 1
    taken = values[:, np.clip(column, 0, last)]
    near = (column > -TIE_STEP) & (column < last + TIE_STEP)
    return np.where(near, taken, np.float32(np.nan))
