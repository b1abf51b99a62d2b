"""Geometry, ground, air and clouds built by hand, for tests of the simulator's physics."""

import math
from typing import Any

import numpy as np

from slstr_cloudmask.simulate.atmosphere import Air
from slstr_cloudmask.simulate.clouds import CloudLayer
from slstr_cloudmask.simulate.fractal import Field
from slstr_cloudmask.simulate.geometry import Geometry
from slstr_cloudmask.simulate.ground import WATER, Ground
from slstr_cloudmask.simulate.stage import Stage
from slstr_cloudmask.simulate.surface import Surface

SHAPE = (64, 80)
KM_PER_DEGREE = 111.2


def full(value: float, shape: tuple[int, int] = SHAPE) -> Field:
    return np.full(shape, value, np.float32)


def north_up(
    latitude_deg: float, longitude_deg: float, shape: tuple[int, int] = SHAPE
) -> tuple[Field, Field]:
    """Latitudes and longitudes around a place, a kilometre a pixel, north at the top."""
    row, column = np.indices(shape)
    latitude = latitude_deg - (row - shape[0] // 2) / KM_PER_DEGREE
    parallel = KM_PER_DEGREE * math.cos(math.radians(latitude_deg))
    longitude = longitude_deg + (column - shape[1] // 2) / parallel
    longitude = (longitude + 180) % 360 - 180
    return latitude.astype(np.float32), longitude.astype(np.float32)


def geometry_at(
    latitude_deg: float = 50.0,
    longitude_deg: float = 0.0,
    *,
    solar_zenith_deg: float | Field = 45.0,
    solar_azimuth_deg: float = 180.0,
    view_zenith_deg: float = 20.0,
    cos_azimuth: float = 0.0,
    shape: tuple[int, int] = SHAPE,
) -> Geometry:
    """One sun and one view over a map with north at the top."""
    latitude, longitude = north_up(latitude_deg, longitude_deg, shape)
    sun = full(1, shape) * np.float32(solar_zenith_deg)
    view = full(view_zenith_deg, shape)
    return Geometry(
        latitude_deg=latitude,
        longitude_deg=longitude,
        solar_zenith_deg=sun,
        solar_azimuth_deg=full(solar_azimuth_deg, shape),
        view_zenith_deg=view,
        view_azimuth_deg=full(0, shape),
        mu_sun=np.cos(np.radians(sun)),
        mu_view=np.cos(np.radians(view)),
        cos_azimuth=full(cos_azimuth, shape),
        in_swath=np.ones(shape, bool),
    )


def surface_of(
    ground: Ground, kelvin: float = 290.0, *, shape: tuple[int, int] = SHAPE, **changes: Any
) -> Surface:
    """One kind of ground at sea level, a kelvin warmer than the air, under a breeze."""
    parts: dict[str, Any] = {
        "ground": np.full(shape, ground, np.uint8),
        "land": np.full(shape, ground not in WATER),
        "coast_distance_km": full(64, shape),
        "elevation_km": full(0, shape),
        "skin_kelvin": full(kelvin, shape),
        "air_kelvin": full(kelvin - 1, shape),
        "aloft_kelvin": full(kelvin - 1, shape),
        "wind_m_s": full(6, shape),
        "texture": full(0, shape),
        "mean_latitude_deg": 50.0,
    }
    return Surface(**(parts | changes))


def air_of(
    vapour_mm: float = 15.0,
    *,
    haze: float = 0.1,
    dust: float = 0.0,
    smoke: float = 0.0,
    shape: tuple[int, int] = SHAPE,
) -> Air:
    return Air(*(full(value, shape) for value in (vapour_mm, haze, dust, smoke)))


def layer_of(
    particles: str,
    optical_depth: float | Field,
    top_km: float,
    kelvin: float,
    *,
    kind: str = "stratus",
    shape: tuple[int, int] = SHAPE,
) -> CloudLayer:
    depth = full(1, shape) * np.float32(optical_depth)
    return CloudLayer(kind, particles, depth, full(top_km, shape), full(kelvin, shape))


def stage_of(
    ground: Ground = Ground.OCEAN,
    kelvin: float = 290.0,
    *layers: CloudLayer,
    geometry: Geometry | None = None,
    air: Air | None = None,
    surface: Surface | None = None,
) -> Stage:
    """One ground under moderately moist, slightly hazy air, with light everywhere."""
    geometry = geometry or geometry_at()
    shape = geometry.mu_sun.shape
    size = (shape[0], shape[1])
    return Stage(
        geometry=geometry,
        surface=surface or surface_of(ground, kelvin, shape=size),
        air=air or air_of(shape=size),
        layers=list(layers),
        light=full(1, size),
    )
