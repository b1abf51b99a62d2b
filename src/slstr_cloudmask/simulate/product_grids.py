"""The grids of a simulated product, and fields of the window put on them.

    placing = placing_of(views)
    placing.grids["an"]                     # where the 500 m nadir grid lies
    placing.on(values, "io")                # the columns that the oblique grid has
    placing.on(values, "an")                # every pixel twice in both directions

Two letters name a grid: ``a`` and ``b`` 500 m, ``i`` and ``f`` 1 km, ``t`` tie points; then the
view, ``n`` or ``o``, or ``x`` for both.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from slstr_cloudmask.io.geolocation import Grid
from slstr_cloudmask.simulate.geometry import OBLIQUE_COLUMNS, ROW_SECONDS, TRACK_COLUMN, Window
from slstr_cloudmask.simulate.orbit import Overpass
from slstr_cloudmask.simulate.smoothing import Scalar

# Tie points of every product: 130 columns, the 64th on the track, each the 16th of the image.
TIE_COLUMNS, TIE_TRACK_COLUMN, TIE_STEP = 130, 64, 16
PIXEL_M = 1000
# Orphan pixels for each row, by columns of 1 km: 187 of 1500 and 112 of 900 in a real product.
_COLUMNS_PER_ORPHAN = 8


@dataclass(frozen=True, slots=True)
class Placing:
    """Grids by their letters, and which columns of the window the oblique view's grid has."""

    window: Window
    grids: dict[str, Grid]
    oblique: slice

    def columns(self, grid: str) -> slice:
        """Columns of the window that a grid covers."""
        return self.oblique if grid[1] == "o" else slice(None)

    def on(self, values: npt.NDArray[Scalar], grid: str) -> npt.NDArray[Scalar]:
        """Put a field of the window on a grid; at 500 m every pixel is there twice each way."""
        cut = values[:, self.columns(grid)]
        if not is_fine(grid):
            return cut
        return np.repeat(np.repeat(cut, 2, axis=0), 2, axis=1)

    def orphans(self, grid: str) -> int:
        """Columns of the orphan pixels' arrays."""
        columns = self.grids[grid].columns // (1 + is_fine(grid))
        return max(columns // _COLUMNS_PER_ORPHAN, 1) * (1 + is_fine(grid))


def is_fine(grid: str) -> bool:
    """Whether a grid has 500 m."""
    return grid[0] in "ab"


def placing_of(overpass: Overpass, window: Window) -> Placing:
    """Place the grids of a window.

    An oblique grid has the window's columns among the view's 900; where there is none, the one
    that is nearest to them, in which nothing was seen.
    """
    first, last = (
        int(np.clip(column - window.column, 0, window.columns)) for column in OBLIQUE_COLUMNS
    )
    if first == last:
        first = min(first, window.columns - 1)
        last = first + 1
    row = round(overpass.frame / ROW_SECONDS) + window.row
    track = TRACK_COLUMN - window.column
    grids = {}
    for view, left, columns in (("n", 0, window.columns), ("o", first, last - first)):
        for letter in "if":
            grids[letter + view] = Grid(window.rows, columns, track - left, row, PIXEL_M, PIXEL_M)
        for letter in "ab":
            grids[letter + view] = Grid(
                2 * window.rows,
                2 * columns,
                2 * (track - left),
                2 * row,
                PIXEL_M // 2,
                PIXEL_M // 2,
            )
    tie = Grid(window.rows, TIE_COLUMNS, TIE_TRACK_COLUMN, row, PIXEL_M * TIE_STEP, PIXEL_M)
    return Placing(window, grids | dict.fromkeys(("tx", "tn", "to"), tie), slice(first, last))
