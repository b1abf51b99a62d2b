"""Where clouds keep the sunlight from the ground beside them."""

import math

import numpy as np

from slstr_cloudmask.simulate.clouds import CloudLayer
from slstr_cloudmask.simulate.fractal import Field
from slstr_cloudmask.simulate.geometry import Geometry
from slstr_cloudmask.simulate.smoothing import displaced

_LONGEST_SHADOW_KM = 60.0
_DARKEST = np.float32(0.85)  # the sky's light fills a shadow


def ground_light(geometry: Geometry, layers: list[CloudLayer]) -> Field:
    """Sunlight that reaches the ground past clouds, 0 to 1, per pixel (rows, columns).

    One direction and length serve the whole scene: those at its middle.
    """
    shadow = np.zeros_like(geometry.mu_sun)
    row, column = geometry.mu_sun.shape[0] // 2, geometry.mu_sun.shape[1] // 2
    zenith = math.radians(float(geometry.solar_zenith_deg[row, column]))
    if zenith >= math.radians(89):
        return 1 - shadow
    down, right = _towards(geometry, float(geometry.solar_azimuth_deg[row, column]) + 180.0)
    for layer in layers:
        reach = min(float(layer.top_km.mean()) * math.tan(zenith), _LONGEST_SHADOW_KM)
        moved = displaced(layer.optical_depth, round(down * reach), round(right * reach))
        np.maximum(shadow, 1 - np.exp(np.float32(-0.25) * moved), out=shadow)
    return 1 - _DARKEST * shadow


def _towards(geometry: Geometry, azimuth_deg: float) -> tuple[float, float]:
    """Rows and columns per km in a direction from north, clockwise, at the scene's middle."""
    row, column = (n // 2 for n in geometry.latitude_deg.shape)
    window = slice(row - 1, row + 2), slice(column - 1, column + 2)
    latitude = geometry.latitude_deg[window].astype(float)
    longitude = np.unwrap(geometry.longitude_deg[window].astype(float), period=360, axis=0)
    longitude = np.unwrap(longitude, period=360, axis=1)
    # North and east, km per row and column; 111.2 km to a degree.
    parallel = math.cos(math.radians(latitude[1, 1]))
    north = np.array([latitude[2, 1] - latitude[0, 1], latitude[1, 2] - latitude[1, 0]]) * 55.6
    east = np.array([longitude[2, 1] - longitude[0, 1], longitude[1, 2] - longitude[1, 0]])
    east = east * 55.6 * parallel
    angle = math.radians(azimuth_deg)
    direction = math.cos(angle) * north + math.sin(angle) * east
    length = max(float(np.hypot(*direction)), 1e-9)
    return float(direction[0] / length), float(direction[1] / length)
