"""Nearest measurements by the product's own geometry.

    neighbours = find_neighbours(measured_xy_m, pixel_xy_m, count=4, reach_m=1000)
    values = neighbours.mean(measured_values)

A product tells for every measurement where it lies on the ground, in metres across and along the
track. The pixels of its images are on a regular grid, and a measurement is moved to the pixel that
it is nearest to, up to half a pixel; pixels without one repeat their neighbour. Two grids are
moved differently, so pixels that share a place in the image may lie most of a kilometre apart.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.spatial import KDTree

from slstr_cloudmask.scene import FloatArray


@dataclass(frozen=True, slots=True)
class Neighbours:
    """For each pixel, which measurements are nearest to it.

    Attributes
    ----------
    index
        Into the measurements (pixels, count), nearest first; their number where none is near.
    """

    index: npt.NDArray[np.intp]

    def mean(self, measured: FloatArray) -> FloatArray:
        """Mean of the nearest measurements that have a value; NaN where none has.

        Parameters
        ----------
        measured
            Values of the measurements, one-dimensional, in the order in which they were searched.
        """
        total = np.zeros(len(self.index), np.float32)
        number = np.zeros(len(self.index), np.float32)
        padded = np.append(measured, np.float32(np.nan))
        for column in self.index.T:
            values = padded[column]
            valid = np.isfinite(values)
            total[valid] += values[valid]
            number += valid
        return np.divide(total, number, out=np.full_like(total, np.nan), where=number > 0)


def find_neighbours(
    measured_m: FloatArray, wanted_m: FloatArray, *, count: int, reach_m: float
) -> Neighbours:
    """Search the nearest measurements.

    Parameters
    ----------
    measured_m
        Across and along the track, metres (measurements, 2); NaN for those that are left out.
    wanted_m
        Likewise where values are wanted (pixels, 2).
    count
        How many for each pixel.
    reach_m
        None from farther away, metres.
    """
    known = np.flatnonzero(np.isfinite(measured_m).all(axis=1))
    index = np.full((len(wanted_m), count), len(measured_m), np.intp)
    placed = np.isfinite(wanted_m).all(axis=1)
    if known.size and placed.any():
        # Unbalanced trees are built several times faster, and these points are evenly spread.
        tree = KDTree(measured_m[known], balanced_tree=False, compact_nodes=False)
        _, found = tree.query(
            wanted_m[placed], k=[*range(1, count + 1)], distance_upper_bound=reach_m, workers=-1
        )
        index[placed] = np.append(known, len(measured_m))[np.asarray(found, np.intp)]
    return Neighbours(index)
