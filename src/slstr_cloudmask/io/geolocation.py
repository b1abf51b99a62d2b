"""From the tie points of a product to every pixel of the 1 km image.

Angles, and in some products latitude and longitude, are stored every 16 km across the track and
every 1 km along it. Both grids are counted from the sub-satellite track and from the start of the
orbit, so the files' own offsets and resolutions tell where a pixel lies among the tie points:

    positions = tie_positions(image_grid, tie_grid)
    latitude_deg, longitude_deg = interpolate_position(tie_latitude, tie_longitude, positions)
    solar_zenith_deg = interpolate_zenith(tie_zenith, positions)

Positions are interpolated as unit vectors and zenith angles as cosines. Both are smooth
everywhere on the globe, where degrees jump at the anti-meridian, the poles and the zenith.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from slstr_cloudmask.errors import InputError
from slstr_cloudmask.scene import FloatArray

# A product's grids now and then differ by a row (or a tie column), so the outermost interval may
# be continued by one step; beyond that there is nothing to interpolate.
MAX_EXTRAPOLATION_STEPS = 1.0


@dataclass(frozen=True, slots=True)
class Grid:
    """Where a grid of the product lies.

    Attributes
    ----------
    rows, columns
        Its size.
    track_offset
        Column of the sub-satellite track.
    start_offset
        Rows from the start of the orbit to row 0.
    across_m, along_m
        Distance between columns and between rows, metres.
    """

    rows: int
    columns: int
    track_offset: float
    start_offset: float
    across_m: float
    along_m: float


@dataclass(frozen=True, slots=True)
class TiePositions:
    """Where each row and each column of an image lies among the tie points.

    Attributes
    ----------
    rows, columns
        Fractional tie row of every image row, and tie column of every image column.
    """

    rows: FloatArray
    columns: FloatArray


def grid_from_attributes(attributes: Mapping[str, Any], shape: tuple[int, int]) -> Grid:
    """Read a grid from the global attributes of a product's file.

    Parameters
    ----------
    attributes
        With ``track_offset``, ``start_offset`` and ``resolution``, the last as text such as
        ``[ 16000 1000 ]`` (metres across, metres along).
    shape
        Rows and columns of the file's arrays.

    Raises
    ------
    InputError
        An attribute is missing or unreadable.
    """
    try:
        resolution = attributes["resolution"]
        across_m, along_m = (float(text) for text in resolution.strip("[] ").split())
        track_offset = float(attributes["track_offset"])
        start_offset = float(attributes["start_offset"])
        if not (across_m > 0 and along_m > 0 and math.isfinite(track_offset + start_offset)):
            raise ValueError(f"found {resolution}, {track_offset} and {start_offset}")
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise InputError(
            "The attributes that place the grid are missing or unreadable: expected track_offset, "
            f"start_offset and resolution such as '[ 16000 1000 ]' ({error})."
        ) from error
    return Grid(*shape, track_offset, start_offset, across_m, along_m)


def tie_positions(image: Grid, tie: Grid) -> TiePositions:
    """Find every row and column of ``image`` among those of ``tie``.

    Across the track both are counted from the sub-satellite track, along it from the start of the
    orbit.
    """
    # Mapping of the grids: Sentinel-3 SLSTR Level-1 Product Data Format Specification
    # (S3IPF.PDS.005), attributes track_offset and start_offset.
    columns = (np.arange(image.columns) - image.track_offset) * (image.across_m / tie.across_m)
    rows = (np.arange(image.rows) + image.start_offset) * (image.along_m / tie.along_m)
    return TiePositions(rows - tie.start_offset, columns + tie.track_offset)


def first_pixel(fine: Grid, grid: Grid) -> tuple[int, int]:
    """Find the first row and column of 500 m in pixel (0, 0) of the 1 km grid.

    They are not always 0: where the rows begin at 20437 (1 km) and 40873 (500 m), rows 1 and 2
    belong to the 1 km row 0.
    """
    row = round(2 * grid.start_offset - fine.start_offset)
    return row, round(fine.track_offset - 2 * grid.track_offset)


def coarser(fine: Grid) -> Grid:
    """Make the 1 km grid that belongs to a grid of 500 m; it begins inside of that."""
    start_offset, track_offset = math.ceil(fine.start_offset / 2), math.floor(fine.track_offset / 2)
    grid = Grid(0, 0, track_offset, start_offset, fine.across_m * 2, fine.along_m * 2)
    top, left = first_pixel(fine, grid)
    return replace(grid, rows=(fine.rows - top + 1) // 2, columns=(fine.columns - left + 1) // 2)


def finer(grid: Grid) -> Grid:
    """Make the 500 m grid that belongs to a grid of 1 km."""
    return Grid(
        grid.rows * 2,
        grid.columns * 2,
        grid.track_offset * 2,
        grid.start_offset * 2,
        grid.across_m / 2,
        grid.along_m / 2,
    )


def interpolate(tie_values: npt.ArrayLike, positions: TiePositions) -> FloatArray:
    """Interpolate linearly along the track and across it.

    Parameters
    ----------
    tie_values
        Values at the tie points (tie rows, tie columns); NaN where there is none.
    positions
        Made by `tie_positions`.

    Returns
    -------
    numpy.ndarray
        Values (rows, columns), float64; NaN beside a tie point that has none, and more than one
        step outside the tie points.
    """
    values = np.asarray(tie_values, np.float64)
    return _along_axis(_along_axis(values, positions.rows, 0), positions.columns, 1)


def _along_axis(values: FloatArray, positions: FloatArray, axis: int) -> FloatArray:
    last = values.shape[axis] - 1
    low = np.clip(np.floor(positions).astype(int), 0, max(last - 1, 0))
    weight = positions - low
    shape = (-1, 1) if axis == 0 else (1, -1)
    # A whole position needs no neighbour, which may be missing.
    high = np.where(weight == 0, low, np.minimum(low + 1, last))
    result: FloatArray = np.take(values, low, axis)
    if (weight != 0).any():
        result += weight.reshape(shape) * (np.take(values, high, axis) - result)
    outside = (positions < -MAX_EXTRAPOLATION_STEPS) | (positions > last + MAX_EXTRAPOLATION_STEPS)
    result[outside if axis == 0 else (slice(None), outside)] = np.nan
    return result


def interpolate_position(
    tie_latitude_deg: npt.ArrayLike, tie_longitude_deg: npt.ArrayLike, positions: TiePositions
) -> tuple[FloatArray, FloatArray]:
    """Interpolate positions on the globe.

    Parameters
    ----------
    tie_latitude_deg, tie_longitude_deg
        Degrees north and east at the tie points (tie rows, tie columns).
    positions
        Made by `tie_positions`.

    Returns
    -------
    latitude_deg, longitude_deg
        Degrees (rows, columns); longitude from -180 to 180.
    """
    latitude, longitude = np.radians(tie_latitude_deg), np.radians(tie_longitude_deg)
    # Unit vector of a position; the chord that interpolation follows leaves the sphere by 5 m in
    # 16 km, straight down, so the direction is that of the great circle.
    x = interpolate(np.cos(latitude) * np.cos(longitude), positions)
    y = interpolate(np.cos(latitude) * np.sin(longitude), positions)
    z = interpolate(np.sin(latitude), positions)
    return np.degrees(np.arctan2(z, np.hypot(x, y))), np.degrees(np.arctan2(y, x))


def interpolate_zenith(tie_zenith_deg: npt.ArrayLike, positions: TiePositions) -> FloatArray:
    """Interpolate a zenith angle.

    The cosine of the solar zenith angle is the product of two unit vectors, position and Sun, so
    it is as linear as the position is; the angle itself has a kink where it is 0.

    Parameters
    ----------
    tie_zenith_deg
        Degrees at the tie points (tie rows, tie columns).
    positions
        Made by `tie_positions`.

    Returns
    -------
    numpy.ndarray
        Degrees (rows, columns).
    """
    cosine = interpolate(np.cos(np.radians(tie_zenith_deg)), positions)
    return np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0)))
