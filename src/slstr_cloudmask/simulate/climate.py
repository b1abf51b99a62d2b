"""What is usual at a place and a day: sea and air temperature, ice, deserts.

Simple formulas that have the large features right (the Norwegian Sea is open and warm, the ice
lies off Greenland), not a climatology: temperatures may be wrong by a few kelvin anywhere.

All numbers are from memory of the climatologies named, not checked against them. Latitudes and
longitudes are degrees, arrays of one shape; ``day`` is the day of the year, 1 to 366.
"""

import math

import numpy as np

from slstr_cloudmask.simulate.fractal import Field

ZERO_CELSIUS = 273.15
SEA_FREEZES_KELVIN = 271.35

# Latitude of the northern ice edge in March and September by longitude: NSIDC, median extents.
_EDGE_LONGITUDE = (-180, -150, -120, -90, -65, -45, -30, -18, -5, 15, 40, 70, 100, 140, 160, 180)
_EDGE_MARCH = (60, 57, 62, 58, 55, 60, 66, 70, 75, 76, 75, 69, 70, 47, 55, 60)
_EDGE_SEPTEMBER = (75, 75, 74, 76, 81, 82, 72, 74, 79, 81, 82, 81, 78, 77, 76, 75)

# Deserts and dry steppes as boxes, south, north, west, east: after Koppen's maps, BW climates.
_DESERTS = (
    (15, 32, -17, 35),
    (13, 33, 35, 60),
    (25, 37, 52, 72),
    (36, 46, 75, 112),
    (38, 47, 52, 75),
    (-31, -18, 115, 143),
    (-30, -17, 13, 24),
    (-28, -5, -80, -68),
    (-50, -36, -71, -65),
    (25, 41, -119, -103),
    (2, 12, 40, 52),
)

# Ice sheets and caps as boxes, with how far from the coast the ice begins, km: atlases.
_ICE_SHEETS = (
    (60, 70, -54, -25.5, 22),
    (70, 75.5, -56, -18, 22),
    (75.5, 84, -72, -15, 22),
    (-90, -63, -180, 180, 2),
    (78.9, 81, 17, 28, 4),
    (77.5, 83, -95, -62, 25),
    (75, 77.5, 57, 69, 6),
)


def season(latitude: Field, day: int, warmest_day: int) -> Field:
    """1 in the hemisphere's warmest season, -1 in its coldest, 0 at the equator."""
    phase = math.cos(2 * math.pi * (day - warmest_day) / 365.25)
    return np.asarray(phase * np.clip(latitude / 30, -1, 1), np.float32)


def sea_kelvin(latitude: Field, longitude: Field, day: int) -> Field:
    """Sea surface temperature, K: zonal mean, season, and the currents of the North Atlantic."""
    away = np.abs(latitude)
    # Zonal mean: 28 C at the equator, 4 C at 58 degrees, then 0.18 K a degree.
    zonal = 28 - 0.0072 * np.minimum(away, 58) ** 2 - 0.18 * np.maximum(away - 58, 0)
    seasonal = 3 * season(latitude, day, warmest_day=245)
    # The North Atlantic Drift, warm to the east; the East Greenland and Labrador currents, cold.
    axis = -28 + 1.7 * (latitude - 50)
    warm = 7 * np.exp(-(((latitude - 66) / 13) ** 2) - ((longitude - axis) / 24) ** 2)
    cold = -6 * np.exp(-(((latitude - 72) / 9) ** 2) - ((longitude + 26) / 11) ** 2)
    cold = cold - 6 * np.exp(-(((latitude - 56) / 8) ** 2) - ((longitude + 58) / 8) ** 2)
    southern = -3 * np.clip((-latitude - 42) / 10, 0, 1)
    celsius = zonal + seasonal + warm + cold + southern
    return np.asarray(ZERO_CELSIUS + np.clip(celsius, -1.8, 31), np.float32)


def land_air_kelvin(latitude: Field, day: int) -> Field:
    """Air near the ground over land at sea level, K."""
    away = np.abs(latitude)
    # 27 C at the equator, -5 C at 60 degrees over the year; 16 K of season at 60 degrees.
    mean = 27 - 0.0089 * away**2
    amplitude = 0.0045 * np.minimum(away, 68) ** 2
    celsius = mean + amplitude * season(latitude, day, 200)
    return np.asarray(ZERO_CELSIUS + celsius, np.float32)


def ice_air_kelvin(latitude: Field, day: int) -> Field:
    """Air near the ground over closed sea ice, K."""
    # -26 C in midwinter, melting in midsummer, -12 C over the year: drifting stations.
    celsius = -12 + 14 * season(latitude, day, warmest_day=200)
    return np.asarray(ZERO_CELSIUS + np.minimum(celsius, 0), np.float32)


def degrees_beyond_ice_edge(latitude: Field, longitude: Field, day: int) -> Field:
    """How far polewards of the usual ice edge a place lies, degrees of latitude."""
    # Extents are largest in mid-March and smallest in mid-September (reversed in the south).
    winter = 0.5 + 0.5 * math.cos(2 * math.pi * (day - 74) / 365.25)
    march, september = (
        np.interp(longitude, _EDGE_LONGITUDE, edge) for edge in (_EDGE_MARCH, _EDGE_SEPTEMBER)
    )
    north = winter * march + (1 - winter) * september
    south = 62 + 7 * winter
    return np.asarray(np.where(latitude > 0, latitude - north, -latitude - south), np.float32)


def aridity(latitude: Field, longitude: Field) -> Field:
    """1 within a desert, falling to 0 over three degrees around it."""
    result = np.zeros_like(latitude)
    for south, north, west, east in _DESERTS:
        inside = np.minimum(latitude - south, north - latitude)
        inside = np.minimum(inside, np.minimum(longitude - west, east - longitude))
        np.maximum(result, np.clip(1 + inside / 3, 0, 1), out=result)
    return result


def ice_sheet(latitude: Field, longitude: Field, coast_distance_km: Field) -> Field:
    """1 where land lies under an ice sheet or cap, else 0."""
    result = np.zeros_like(latitude)
    for south, north, west, east, margin_km in _ICE_SHEETS:
        # Borders that are not coasts are bent, by a degree or so.
        bent = longitude + np.sin(2 * latitude)
        inside = (latitude > south) & (latitude < north) & (bent > west) & (bent < east)
        result[inside & (coast_distance_km > margin_km)] = 1
    return result
