"""Fixed bins for the bands and their differences, so that histograms of scenes add.

    places = QUANTITIES["S8"].index(kelvin)

Reflectances have bins that grow with the square root, fine where it is dark (0.0003 near 0.001) and
coarse where it is bright (0.007 near 0.5); temperatures have bins of equal width.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

Values = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True)
class Bins:
    """``count`` bins from ``low`` on, ``width`` wide: of the value, or of its square root."""

    low: float
    width: float
    count: int
    square_root: bool = False

    def index(self, values: Values) -> npt.NDArray[np.intp]:
        """Bin of every finite value; the first and the last bin take what lies beyond them."""
        scale = np.sqrt(np.maximum(values, 0)) if self.square_root else values
        place = (scale - scale.dtype.type(self.low)) / scale.dtype.type(self.width)
        return np.clip(place, 0, self.count - 1).astype(np.intp)

    def edges(self) -> npt.NDArray[np.float64]:
        """Return the ``count + 1`` edges, in the value's own unit."""
        edges = self.low + self.width * np.arange(self.count + 1, dtype=np.float64)
        return edges**2 if self.square_root else edges


_REFLECTANCE = Bins(0.0, 0.005, 252, square_root=True)  # to 1.59
QUANTITIES: Mapping[str, Bins] = {
    **dict.fromkeys(("S1", "S3", "S4", "S5", "S6"), _REFLECTANCE),
    "S8": Bins(180.0, 0.5, 320),
    "S7-S8": Bins(-12.0, 0.25, 360),
    "S8-S9": Bins(-5.0, 0.05, 280),
}


def quantity(scene: xr.Dataset, name: str) -> Values | None:
    """Band, or difference of two bands; None where the scene lacks one."""
    bands = name.split("-")
    if any(band not in scene for band in bands):
        return None
    values = [scene[band].values for band in bands]
    return values[0] if len(values) == 1 else np.asarray(values[0] - values[1])


def percentiles(
    counts: npt.NDArray[np.int64], bins: Bins, shares: Sequence[float]
) -> list[float] | None:
    """Values below which given shares of a histogram lie, interpolated within bins.

    Parameters
    ----------
    counts
        int64 (bins.count,).
    bins
        Where the counts stand.
    shares
        0 to 1.

    Returns
    -------
    list of float
        One value per share; None where the histogram is empty.
    """
    total = int(counts.sum())
    if total == 0:
        return None
    below = np.concatenate([[0], np.cumsum(counts)])
    edges, result = bins.edges(), []
    for share in shares:
        wanted = share * total
        place = min(max(int(np.searchsorted(below, wanted)) - 1, 0), bins.count - 1)
        inside = (wanted - below[place]) / max(int(counts[place]), 1)
        result.append(float(edges[place] + inside * (edges[place + 1] - edges[place])))
    return result
