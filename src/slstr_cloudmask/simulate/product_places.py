"""Where the pixels and tie points of a simulated product lie, and how sun and satellite stand.

    arrays = geodetic_arrays(file_format, views, placing)

Each function returns the arrays of one file by variable; what it leaves out is fill. Positions of
pixels that were not scanned are fill, as in real products; tie points are there throughout, beyond
the swath too.
"""

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from slstr_cloudmask.io.geolocation import TiePositions, interpolate_position
from slstr_cloudmask.io.radiometry import sun_distance_au
from slstr_cloudmask.scene import FloatArray
from slstr_cloudmask.simulate.geometry import (
    ROW_SECONDS,
    TRACK_COLUMN,
    Geometry,
    Window,
    scene_geometry,
)
from slstr_cloudmask.simulate.orbit import (
    Float64,
    Overpass,
    satellite_radius_km,
    surface_radius_km,
    vertical,
)
from slstr_cloudmask.simulate.product_format import FileFormat
from slstr_cloudmask.simulate.product_grids import (
    PIXEL_M,
    TIE_COLUMNS,
    TIE_STEP,
    TIE_TRACK_COLUMN,
    Placing,
    is_fine,
)
from slstr_cloudmask.simulate.product_image import Array, Arrays, view_of
from slstr_cloudmask.simulate.scene import Views

# Metres along the track from row to row: tie points of a product of August 2021.
ROW_M = 1003.8
# One astronomical unit, m: IAU 2012, resolution B2.
_ASTRONOMICAL_UNIT_M = 149_597_870_700.0


def geodetic_arrays(file: FileFormat, views: Views, placing: Placing) -> Arrays:
    """Latitude, longitude and height of pixels, or of tie points."""
    if file.grid == "tx":
        geometry = tie_geometry(views.recipe.overpass, placing.window, "nadir")
        return {"latitude_tx": geometry.latitude_deg, "longitude_tx": geometry.longitude_deg}
    grid, view = file.grid, view_of(views, file.grid)
    latitude, longitude = _positions_deg(view.stage.geometry, placing, grid)
    height_m = placing.on(view.stage.surface.elevation_km * 1000, grid)
    outside = ~placing.on(view.stage.geometry.in_swath, grid)
    arrays: Arrays = {}
    for name, values in (
        ("latitude", latitude.astype(np.float64) * 1e6),
        ("longitude", longitude.astype(np.float64) * 1e6),
        ("elevation", height_m),
    ):
        variable = file.variables[f"{name}_{grid}"]
        arrays[f"{name}_{grid}"] = np.rint(values).astype(variable.dtype)
        arrays[f"{name}_{grid}"][outside] = variable.fill
    return arrays


def _positions_deg(
    geometry: Geometry, placing: Placing, grid: str
) -> tuple[FloatArray, FloatArray]:
    """Latitude and longitude on a grid; those of 500 m lie 250 m about those of 1 km."""
    columns = placing.columns(grid)
    latitude, longitude = geometry.latitude_deg[:, columns], geometry.longitude_deg[:, columns]
    if not is_fine(grid):
        return latitude, longitude
    return interpolate_position(latitude, longitude, _fine_positions(latitude.shape))


def _fine_positions(shape: tuple[int, ...]) -> TiePositions:
    """Rows and columns of 500 m among those of 1 km: -1/4, 1/4, 3/4, 5/4, ..."""
    rows, columns = (np.arange(2 * size) / 2 - 0.25 for size in shape)
    return TiePositions(rows, columns)


def cartesian_arrays(file: FileFormat, views: Views, placing: Placing) -> Arrays:
    """Metres to the right of the track, and along it from the node."""
    where, grid = placing.grids[file.grid], file.grid
    # The middle of a pixel of 500 m lies a quarter of a kilometre off that of 1 km.
    middle = 0.25 if is_fine(grid) else 0.0
    step = PIXEL_M / where.across_m
    # Columns count from the right of the flight to the left, and the products' x to the right.
    x = -((np.arange(where.columns) - where.track_offset) / step - middle) * PIXEL_M
    y = ((where.start_offset + np.arange(where.rows)) * where.along_m / PIXEL_M - middle) * ROW_M
    shape = where.rows, where.columns
    found = {"x": np.broadcast_to(x, shape), "y": np.broadcast_to(y[:, np.newaxis], shape)}
    if grid == "tx":
        return {f"{name}_tx": values for name, values in found.items()}
    inside = placing.on(view_of(views, grid).stage.geometry.in_swath, grid)
    return {
        f"{name}_{grid}": _filled(np.rint(values), inside, file, f"{name}_{grid}")
        for name, values in found.items()
    }


def _filled(values: Array, inside: npt.NDArray[np.bool_], file: FileFormat, name: str) -> Array:
    variable = file.variables[name]
    return np.where(inside, values, variable.fill).astype(variable.dtype)


def geometry_arrays(file: FileFormat, views: Views, placing: Placing) -> Arrays:
    """Angles and distances of the sun and the satellite at the tie points."""
    overpass, grid = views.recipe.overpass, file.grid
    geometry = tie_geometry(overpass, placing.window, "oblique" if grid == "to" else "nadir")
    sun_m = sun_distance_au(overpass.start) * _ASTRONOMICAL_UNIT_M
    found: Arrays = {
        "sat_azimuth": geometry.view_azimuth_deg % 360,
        "sat_path": _slant_range_m(overpass, placing.window, geometry),
        "sat_zenith": geometry.view_zenith_deg,
        "solar_azimuth": geometry.solar_azimuth_deg % 360,
        "solar_path": np.full_like(geometry.mu_sun, sun_m, np.float64),
        "solar_zenith": geometry.solar_zenith_deg,
    }
    return {f"{name}_{grid}": values for name, values in found.items()}


@lru_cache(maxsize=2)
def tie_geometry(overpass: Overpass, window: Window, view: str) -> Geometry:
    """Positions and angles at the tie points of a window's rows: (rows, 130)."""
    first = TRACK_COLUMN - TIE_TRACK_COLUMN * TIE_STEP
    wide = Window(window.row, first, window.rows, TIE_COLUMNS * TIE_STEP)
    geometry = scene_geometry(overpass, wide, view)
    # Every sixteenth column is one that the geometry is worked out at, not interpolated.
    names = Geometry.__slots__
    return Geometry(**{name: getattr(geometry, name)[:, ::TIE_STEP] for name in names})


def _slant_range_m(overpass: Overpass, window: Window, geometry: Geometry) -> Float64:
    """Distance to the satellite, to some kilometres: the Earth is a sphere below each point."""
    row = np.arange(window.row, window.row + window.rows)
    satellite = satellite_radius_km(overpass.frame + row * ROW_SECONDS)[:, np.newaxis]
    ground = surface_radius_km(vertical(geometry.latitude_deg, geometry.longitude_deg))
    down = ground * geometry.mu_view
    # Law of cosines in the triangle of the Earth's centre, the point and the satellite.
    return np.asarray((np.sqrt(down**2 + satellite**2 - ground**2) - down) * 1000)
