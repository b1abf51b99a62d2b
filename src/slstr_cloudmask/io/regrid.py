"""Between the 500 m grid and the 1 km grid of a product, by where the files say that they lie.

    reflectance = to_kilometre(reflectance_500m, fine_grid, grid)
    bt_kelvin_500m = to_half_kilometre(bt_kelvin, grid, fine_grid, fill=np.nan)

The instrument measures 2 x 2 pixels of 500 m where it measures one of 1 km. `to_kilometre` takes
their mean by place in the image, as the benchmark does. It is quick, and misplaces what it
averages by up to half a pixel of 1 km, since both images are put on their grids on their own:
coasts show it as saw-teeth. `collocation` takes the nearest measurements by the product's own
geometry instead.
"""

from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from slstr_cloudmask.errors import BrokenFileError
from slstr_cloudmask.io.geolocation import Grid, coarser, first_pixel
from slstr_cloudmask.scene import FloatArray

Number = TypeVar("Number", bound=np.generic)

# The 500 m grid begins this many rows and columns from the 1 km grid at most: products are now
# and then off by a pixel of 1 km, and half of one comes from the counting.
MAX_SHIFT = 3


def to_kilometre(values: FloatArray, fine: Grid, grid: Grid) -> FloatArray:
    """Average 2 x 2 pixels of 500 m to one of 1 km, over those that are valid.

    Parameters
    ----------
    values
        (rows, columns) on ``fine``, NaN = no data.
    fine
        Where the 500 m grid lies; it may begin half a 1 km pixel before or after the other.
    grid
        The 1 km grid that is wanted.

    Returns
    -------
    numpy.ndarray
        (rows, columns) of ``grid``, NaN where none of the four is valid.
    """
    top, left = first_pixel(fine, grid)
    aligned = np.full((2 * grid.rows, 2 * grid.columns), np.nan, values.dtype)
    bottom, right = max(top + 2 * grid.rows, 0), max(left + 2 * grid.columns, 0)
    inside = values[max(top, 0) : bottom, max(left, 0) : right]
    down, across = max(-top, 0), max(-left, 0)
    aligned[down : down + inside.shape[0], across : across + inside.shape[1]] = inside
    corners = [aligned[row::2, column::2] for row in (0, 1) for column in (0, 1)]
    total = corners[0] + corners[1] + corners[2] + corners[3]
    total *= np.float32(0.25)
    gaps = np.isnan(total)  # at least one of the four; few, so they are done apart
    four = np.stack([corner[gaps] for corner in corners])
    count = np.isfinite(four).sum(axis=0, dtype=np.float32)
    total[gaps] = np.divide(
        np.nansum(four, axis=0), count, out=np.full_like(count, np.nan), where=count > 0
    )
    return total


def to_half_kilometre(
    values: npt.NDArray[Number], grid: Grid, fine: Grid, fill: Any
) -> npt.NDArray[Number]:
    """Give every pixel of 500 m the value of the 1 km pixel that holds it.

    Parameters
    ----------
    values
        (rows, columns) on ``grid``.
    grid
        Where the 1 km grid lies.
    fine
        The 500 m grid that is wanted.
    fill
        Value of what no 1 km pixel holds.

    Returns
    -------
    numpy.ndarray
        (rows, columns) of ``fine``.
    """
    top, left = first_pixel(fine, grid)
    rows, columns = (np.arange(fine.rows) - top) // 2, (np.arange(fine.columns) - left) // 2
    inside_rows = (rows >= 0) & (rows < grid.rows)
    inside_columns = (columns >= 0) & (columns < grid.columns)
    result = np.full((fine.rows, fine.columns), fill, values.dtype)
    result[np.ix_(inside_rows, inside_columns)] = values[
        np.ix_(rows[inside_rows], columns[inside_columns])
    ]
    return result


def check_halves(fine: Grid, grid: Grid, path: str) -> None:
    """Refuse a 500 m grid that does not fit the 1 km grid to one pixel of that.

    Raises
    ------
    BrokenFileError
        It does not; ``path`` is named.
    """
    top, left = first_pixel(fine, grid)
    own = coarser(fine)
    check_fit((own.rows, own.columns), grid, path)
    if max(abs(top), abs(left)) > MAX_SHIFT:
        raise BrokenFileError(
            f"{path} does not fit the product's 1 km grid: expected a grid that begins within "
            f"{MAX_SHIFT} rows and columns of 500 m of it, found {top} and {left}. "
            "Download the product again."
        )


def fit_to_grid(
    values: npt.NDArray[Number], grid: Grid, fill: float, path: str, own: Grid | None = None
) -> npt.NDArray[Number]:
    """Bring an array to a grid: products are now and then off by a row or a column.

    Parameters
    ----------
    values
        (rows, columns), from the file ``path``.
    grid
        The grid that is wanted.
    fill
        Value of what is added.
    path
        Named where the grids differ by more than one row or column.
    own
        The grid of the values, of the same resolution; by default it begins where ``grid`` does.

    Raises
    ------
    BrokenFileError
        The grids differ by more than that.
    """
    check_fit(values.shape, grid, path)
    top, left = _first_shared(own or grid, grid, path)
    if values.shape == (grid.rows, grid.columns) and top == left == 0:
        return values
    result = np.full((grid.rows, grid.columns), fill, values.dtype)
    inside = values[max(-top, 0) :, max(-left, 0) :]
    inside = inside[: grid.rows - max(top, 0), : grid.columns - max(left, 0)]
    rows, columns = inside.shape
    result[max(top, 0) : max(top, 0) + rows, max(left, 0) : max(left, 0) + columns] = inside
    return result


def _first_shared(own: Grid, grid: Grid, path: str) -> tuple[int, int]:
    """Row and column of ``grid`` where ``own`` begins."""
    top = round(own.start_offset - grid.start_offset)
    left = round(grid.track_offset - own.track_offset)
    if max(abs(top), abs(left)) > 1:
        raise BrokenFileError(
            f"{path} does not fit the product's other files: expected a grid that begins within a "
            f"row and a column of theirs, found {top} rows and {left} columns. "
            "Download the product again."
        )
    return top, left


def check_fit(shape: tuple[int, ...], grid: Grid, path: str) -> None:
    """Refuse a size that differs from the grid's by more than one row or column."""
    if np.abs(np.subtract((grid.rows, grid.columns), shape)).max() > 1:
        raise BrokenFileError(
            f"{path} does not fit the product's other files: expected {grid.rows} rows and "
            f"{grid.columns} columns, found {shape[0]} and {shape[1]}. "
            "Download the product again."
        )
