"""Positions and angles of a product's pixels.

    latitude_deg, longitude_deg = read_positions(product, layout, grid)
    solar_zenith_deg = read_tied_zeniths(product, layout).on(grid, "solar")

Positions are those that the product gives for each pixel where it does, and else interpolated
between its tie points, as the angles always are.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from slstr_cloudmask.errors import BrokenFileError
from slstr_cloudmask.io.geolocation import (
    Grid,
    TiePositions,
    interpolate_position,
    interpolate_zenith,
    tie_positions,
)
from slstr_cloudmask.io.product_store import Product
from slstr_cloudmask.io.regrid import fit_to_grid
from slstr_cloudmask.io.sen3_file import ProductFile
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
            fit_to_grid(file.unpacked(name), grid, np.nan, file.path, file.grid(name))
            for name in (f"latitude_{stem[-2:]}", f"longitude_{stem[-2:]}")
        )
    return latitude_deg, longitude_deg


def tied_positions(product: Product, grid: Grid) -> tuple[FloatArray, FloatArray]:
    """Interpolate latitude and longitude between the tie points; as `read_positions`."""
    with ProductFile(product, TIE_POSITIONS) as file:
        latitude = file.unpacked("latitude_tx")
        longitude = file.unpacked("longitude_tx", latitude.shape)
        positions = _fitting(grid, file.grid("latitude_tx"), file.path)
    return interpolate_position(latitude, longitude, positions)


def _fitting(grid: Grid, tie: Grid, path: str) -> TiePositions:
    """Find a grid among tie points, which at least half of it must lie among.

    Raises
    ------
    BrokenFileError
        It does not: the tie points are those of another product.
    """
    positions = tie_positions(grid, tie)
    for among, count in ((positions.rows, tie.rows), (positions.columns, tie.columns)):
        if ((among < -1) | (among > count)).mean() > 0.5:
            raise BrokenFileError(
                f"{path} does not fit the product's other files: its tie points begin "
                f"{tie.start_offset:g} rows of {tie.along_m:g} m into the orbit, the scene "
                f"{grid.start_offset:g} of {grid.along_m:g} m. Download the product again."
            )
    return positions


@dataclass(frozen=True, slots=True)
class TiedZeniths:
    """Zenith angles at the tie points.

    Attributes
    ----------
    zenith_deg
        Degrees (tie rows, tie columns) by whose they are: ``solar``, ``sat``.
    grid
        That of the tie points.
    path
        Their file, for messages.
    """

    zenith_deg: Mapping[str, FloatArray]
    grid: Grid
    path: str

    def on(self, grid: Grid, whose: str) -> FloatArray:
        """Interpolate one to a grid: degrees (rows, columns)."""
        return interpolate_zenith(self.zenith_deg[whose], _fitting(grid, self.grid, self.path))


def read_tied_zeniths(product: Product, layout: Layout) -> TiedZeniths:
    """Read the zenith angles of the view's tie points; parameters as of `read_positions`.

    Raises
    ------
    MissingFileError, BrokenFileError
        The file is not there, or cannot be read.
    """
    stem = layout.on("geometry", "t")
    with ProductFile(product, stem) as file:
        names = {whose: f"{whose}_zenith_{stem[-2:]}" for whose in ("solar", "sat")}
        zenith_deg = {whose: file.unpacked(name) for whose, name in names.items()}
        return TiedZeniths(zenith_deg, file.grid(names["solar"]), file.path)
