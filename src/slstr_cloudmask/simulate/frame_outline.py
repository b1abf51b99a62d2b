"""The outline of a frame on the globe, from its orbit alone.

    latitude_deg, longitude_deg = frame_outline(overpass)

A name tells the orbit, so a scene is placed without a look into its file: within 0.1 degrees of
the published boxes of the benchmark's test scenes.
"""

import numpy as np

from slstr_cloudmask.io.product_name import ProductName
from slstr_cloudmask.simulate.geometry import FULL_COLUMNS, FULL_ROWS, ROW_SECONDS, across_track
from slstr_cloudmask.simulate.orbit import (
    ORBITS_PER_CYCLE,
    Float64,
    Overpass,
    geodetic,
    ground_track,
    node_time,
    position_deg,
)

_POINTS = 13  # along each side: 100 km apart
_LATE_S = 30.0  # a start that is farther from the orbit's is of another orbit


def frame_outline(overpass: Overpass) -> tuple[Float64, Float64]:
    """Follow the borders of a full frame.

    Parameters
    ----------
    overpass
        Of Sentinel-3A.

    Returns
    -------
    latitude_deg, longitude_deg
        A closed ring; longitudes are within 180 degrees, and jump where it crosses that line.
    """
    ends = np.linspace(0.0, 1.0, _POINTS)
    low, high = np.zeros(_POINTS), np.ones(_POINTS)
    row = np.concatenate([low, ends, high, ends[::-1]]) * FULL_ROWS
    column = np.concatenate([ends, high, ends[::-1], low]) * FULL_COLUMNS
    seconds = overpass.frame + row * ROW_SECONDS
    up, _, left = ground_track(seconds, overpass.relative_orbit)
    return position_deg(geodetic(across_track(up, left, column)))


def overpass_of(name: ProductName, *, reflective: bool) -> Overpass | None:
    """Make the overpass that a product's name tells of; None where it is not on our orbit."""
    if not name.platform.startswith("Sentinel-3A") or not name.frame.isdigit():
        return None
    if not (name.cycle >= 1 and 1 <= name.relative_orbit <= ORBITS_PER_CYCLE):
        return None
    frame = int(name.frame)
    passed_s = (name.start - node_time(name.cycle, name.relative_orbit)).total_seconds()
    if abs(passed_s - frame) > _LATE_S:
        return None
    return Overpass(name.start, name.cycle, name.relative_orbit, frame, reflective)
