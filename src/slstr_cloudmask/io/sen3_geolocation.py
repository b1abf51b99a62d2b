"""Positions and angles of a product's pixels.

    latitude_deg, longitude_deg = read_positions(product, layout, grid)
    solar_zenith_deg = read_zenith(product, layout, grid, "solar")

Positions are those that the product gives for each pixel where it does, and else interpolated
between its tie points, as the angles always are.
"""

import numpy as np

from slstr_cloudmask.errors import BrokenFileError
from slstr_cloudmask.io.geolocation import (
    Grid,
    interpolate_position,
    interpolate_zenith,
    tie_positions,
)
from slstr_cloudmask.io.product_store import Product
from slstr_cloudmask.io.sen3_file import ProductFile, fit_to_grid
from slstr_cloudmask.io.sen3_layout import Layout
from slstr_cloudmask.scene import FloatArray

TIE_POSITIONS = "geodetic_tx"


def has_positions(layout: Layout) -> bool:
    """Whether the product tells where its pixels lie."""
    return layout.has(layout.own("geodetic")) or layout.has(TIE_POSITIONS)


def read_positions(product: Product, layout: Layout, grid: Grid) -> tuple[FloatArray, FloatArray]:
    """Read latitude and longitude.

    Parameters
    ----------
    product
        Where the files lie.
    layout
        Which view and grid.
    grid
        The scene's.

    Returns
    -------
    latitude_deg, longitude_deg
        Degrees (rows, columns), NaN where not known.

    Raises
    ------
    BrokenFileError
        A file cannot be read or does not fit the grid.
    """
    stem = layout.own("geodetic")
    if not layout.has(stem):
        return tied_positions(product, grid)
    with ProductFile(product, stem) as file:
        latitude_deg, longitude_deg = (
            fit_to_grid(file.unpacked(f"{name}_{stem[-2:]}"), grid, np.nan, file.path)
            for name in ("latitude", "longitude")
        )
    return latitude_deg, longitude_deg


def tied_positions(product: Product, grid: Grid) -> tuple[FloatArray, FloatArray]:
    """Interpolate latitude and longitude between the tie points; as `read_positions`."""
    with ProductFile(product, TIE_POSITIONS) as file:
        latitude = file.unpacked("latitude_tx")
        longitude = file.unpacked("longitude_tx", latitude.shape)
        positions = tie_positions(grid, file.grid("latitude_tx"))
    return interpolate_position(latitude, longitude, positions)


def read_zenith(product: Product, layout: Layout, grid: Grid, whose: str) -> FloatArray:
    """Interpolate a zenith angle between the tie points.

    Parameters
    ----------
    product, layout, grid
        As of `read_positions`.
    whose
        ``solar`` or ``sat``.

    Returns
    -------
    numpy.ndarray
        Degrees (rows, columns).
    """
    stem = layout.on("geometry", "t")
    if not layout.has(stem):
        raise BrokenFileError(
            f"{product.location} holds no {stem}.nc, and without the solar zenith angle in it "
            "radiances cannot be turned into reflectances. Download the product again."
        )
    variable = f"{whose}_zenith_{stem[-2:]}"
    with ProductFile(product, stem) as file:
        return interpolate_zenith(file.unpacked(variable), tie_positions(grid, file.grid(variable)))
