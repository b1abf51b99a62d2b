"""What the manifest of a simulated product says of its scene: time, orbit, footprint, shares.

description = describe(name, views, placing)
"""

from datetime import datetime, timedelta
from itertools import pairwise

import numpy as np

from slstr_cloudmask.io.product_name import ProductName
from slstr_cloudmask.simulate.basic_tests import CONFIDENCE_MASKS
from slstr_cloudmask.simulate.geometry import ROW_SECONDS, Geometry
from slstr_cloudmask.simulate.orbit import ORBIT_SECONDS, ORBITS_PER_CYCLE
from slstr_cloudmask.simulate.product_grids import Placing
from slstr_cloudmask.simulate.product_metadata_xml import Description
from slstr_cloudmask.simulate.scene import Views

# Sentinel-3A's orbits are counted from its launch, 27 less than from orbit 1 of cycle 1: the
# manifest of a product of August 2021, orbit 28783 in cycle 75, relative orbit 320.
_ORBIT_OFFSET = -27
_FOOTPRINT_POINTS = 30  # along each side


def describe(name: ProductName, views: Views, placing: Placing) -> Description:
    """Describe a scene for its manifest."""
    start, stop = times(views)
    middle_s = views.recipe.overpass.frame + ROW_SECONDS * (
        views.window.row + views.window.rows / 2
    )
    confidence = views.nadir.scene["confidence"].values
    elements = {
        "salineWaterPixels": "ocean",
        "landPixels": "land",
        "coastalPixels": "coastline",
        "freshInlandWaterPixels": "inland_water",
        "tidalRegionPixels": "tidal",
        "cloudyPixels": "summary_cloud",
    }
    return Description(
        name=name,
        start=start,
        stop=stop,
        absolute_orbit=absolute_orbit(views),
        descending=0.25 < middle_s % ORBIT_SECONDS / ORBIT_SECONDS < 0.75,
        footprint=_footprint(views.nadir.stage.geometry),
        grids=placing.grids,
        shares={
            element: 100 * float(((confidence & CONFIDENCE_MASKS[bit]) != 0).mean())
            for element, bit in elements.items()
        },
    )


def _footprint(geometry: Geometry) -> list[tuple[float, float]]:
    """Points around the window, from its first pixel along the first row, and back to it."""
    rows, columns = (size - 1 for size in geometry.latitude_deg.shape)
    corners = [(0, 0), (0, columns), (rows, columns), (rows, 0), (0, 0)]
    steps = np.arange(_FOOTPRINT_POINTS)[:, np.newaxis] / _FOOTPRINT_POINTS
    sides = [np.add(start, steps * np.subtract(end, start)) for start, end in pairwise(corners)]
    points = np.rint(np.concatenate([*sides, [corners[-1]]])).astype(int)
    where = points[:, 0], points[:, 1]
    latitude, longitude = geometry.latitude_deg[where], geometry.longitude_deg[where]
    return [(float(lat), float(lon)) for lat, lon in zip(latitude, longitude, strict=True)]


def times(views: Views) -> tuple[datetime, datetime]:
    """Find when the satellite passed over the window's first and last row, UTC."""
    start = views.recipe.overpass.start
    rows = views.window.row, views.window.row + views.window.rows - 1
    first, last = (start + timedelta(seconds=row * ROW_SECONDS) for row in rows)
    return first, last


def absolute_orbit(views: Views) -> int:
    """Count the orbit from the launch of Sentinel-3A."""
    overpass = views.recipe.overpass
    orbit = (overpass.cycle - 1) * ORBITS_PER_CYCLE + overpass.relative_orbit
    return max(orbit + _ORBIT_OFFSET, 0)
