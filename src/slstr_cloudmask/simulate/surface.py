"""What lies under the cloud: sea, ice and land, their temperatures, and the wind.

    surface = draw_surface(canvas, geometry, ground_map, day=280)

The coast is the map's; heights, kinds of ground and temperatures are drawn around what is usual at
the place and the day.

Numbers from the literature are quoted from memory, not checked against the sources named.
"""

from dataclasses import dataclass

import numpy as np

from slstr_cloudmask.flags import BoolArray
from slstr_cloudmask.simulate import climate
from slstr_cloudmask.simulate.fractal import Canvas, Field
from slstr_cloudmask.simulate.geometry import Geometry
from slstr_cloudmask.simulate.ground import (
    FROZEN,
    WATER,
    Ground,
    GroundMap,
    Kinds,
    Where,
    classify,
    is_one_of,
)
from slstr_cloudmask.simulate.smoothing import smoothed

MELTING_KELVIN = 272.6
_ALOFT_BLUR_KM = 60.0


@dataclass(frozen=True, slots=True)
class Surface:
    """Per pixel (rows, columns): kind of ground, temperatures in K, wind."""

    ground: Kinds
    land: BoolArray  # lakes count as land
    coast_distance_km: Field
    elevation_km: Field
    skin_kelvin: Field
    air_kelvin: Field  # near the ground, at sea level
    aloft_kelvin: Field  # the same without the step at coasts, which the air above does not know
    wind_m_s: Field
    texture: Field
    mean_latitude_deg: float

    @property
    def frozen(self) -> BoolArray:
        """Where the ground is snow or ice of any kind."""
        return is_one_of(self.ground, FROZEN)

    @property
    def water(self) -> BoolArray:
        """Where it is open water, salt or fresh."""
        return is_one_of(self.ground, WATER)


def draw_surface(canvas: Canvas, geometry: Geometry, ground_map: GroundMap, *, day: int) -> Surface:
    """Draw the ground under a scene.

    Parameters
    ----------
    canvas
        Of the scene.
    geometry
        Places and the sun.
    ground_map
        Land, lakes, glaciers and the distance from the coast.
    day
        Of the year.
    """
    rng = canvas.rng
    latitude, longitude = geometry.latitude_deg, geometry.longitude_deg
    land = ground_map.land_share >= 0.5
    sea = _sea_kelvin(canvas, geometry, ground_map, day)
    air = _air_kelvin(canvas, land, sea, geometry, day)
    elevation = _elevation_km(canvas, land, ground_map)
    patches = canvas.fractal(slope=2.8, outer_km=400)
    where = Where(latitude, longitude, day, air, elevation)
    ground = classify(canvas, ground_map, where, patches)
    skin = np.where(ground == Ground.OCEAN, sea, 0)
    if (ground != Ground.OCEAN).any():
        solid = _solid_kelvin(canvas, air, ground, patches, geometry, elevation)
        skin = np.where(ground == Ground.OCEAN, sea, solid)
    wind = rng.gamma(4.5, 1.7) + 1.8 * canvas.fractal(slope=3.0, smooth=True)
    return Surface(
        ground=ground,
        land=land,
        coast_distance_km=ground_map.coast_distance_km,
        elevation_km=elevation,
        skin_kelvin=skin.astype(np.float32),
        air_kelvin=air,
        aloft_kelvin=smoothed(air, _ALOFT_BLUR_KM),
        wind_m_s=np.clip(wind, 0.5, 25).astype(np.float32),
        texture=canvas.fractal(slope=2.3, outer_km=60),
        mean_latitude_deg=float(latitude.mean()),
    )


def _sea_kelvin(canvas: Canvas, geometry: Geometry, ground_map: GroundMap, day: int) -> Field:
    """Sea surface temperature: what is usual, this year's anomaly, eddies, fronts, upwelling."""
    rng = canvas.rng
    usual = climate.sea_kelvin(geometry.latitude_deg, geometry.longitude_deg, day)
    eddies = canvas.fractal(slope=3.2, outer_km=250)
    front = np.tanh(4 * canvas.fractal(slope=3.3, outer_km=700))
    sea = usual + np.float32(rng.normal(0, 0.7)) + np.float32(rng.uniform(0.25, 1.0)) * eddies
    sea += np.float32(rng.uniform(0, 1.1)) * front
    coastal = ground_map.coast_distance_km < 60
    if abs(float(geometry.latitude_deg.mean())) < 47 and rng.random() < 0.3 and coastal.any():
        # Upwelling: filaments of cold water, 3 to 8 K, that reach out from a coast.
        filaments = np.clip(canvas.fractal(slope=2.8, outer_km=120) + np.float32(0.3), 0, 1.5)
        near = np.exp(-ground_map.coast_distance_km / np.float32(30))
        sea -= np.float32(rng.uniform(3, 8)) * filaments * near
    if rng.random() < 0.25 and geometry.mu_sun.mean() > 0.3:
        # Diurnal warming under light wind: patches of up to 2.5 K.
        calm = np.clip(canvas.fractal(slope=3.0, outer_km=300, smooth=True) - 1, 0, 1)
        sea += np.float32(rng.uniform(0.5, 2.5)) * calm
    return np.asarray(np.maximum(sea, climate.SEA_FREEZES_KELVIN), np.float32)


def _air_kelvin(canvas: Canvas, land: BoolArray, sea: Field, geometry: Geometry, day: int) -> Field:
    """Air near the ground at sea level: from the sea, its ice or the land, and weather."""
    rng = canvas.rng
    latitude, longitude = geometry.latitude_deg, geometry.longitude_deg
    # Air over the sea is a little colder than the water; in cold outbreaks much colder.
    outbreak = rng.gamma(1.0, 1.5) if rng.random() < 0.4 else 0.0
    marine = sea - np.float32(rng.uniform(0, 2) + outbreak)
    # Over ice it is that of the ice from two degrees within its edge.
    ice = np.clip(climate.degrees_beyond_ice_edge(latitude, longitude, day) / 2, 0, 1)
    over_ice = np.minimum(climate.ice_air_kelvin(latitude, day), marine)
    air = marine + ice * (over_ice - marine)
    weather = np.float32(rng.normal(0, 1.5)) + 1.5 * canvas.fractal(slope=3.4, smooth=True)
    if land.any():
        extra = np.float32(rng.normal(0, 2.0)) + 1.5 * canvas.fractal(slope=3.4, smooth=True)
        air = np.where(land, climate.land_air_kelvin(latitude, day) + extra, air)
    return np.asarray(air + weather, np.float32)


def _elevation_km(canvas: Canvas, land: BoolArray, ground_map: GroundMap) -> Field:
    """Heights: fractal relief that rises from the coast, and the domes of the ice sheets."""
    if not land.any():
        return np.zeros(canvas.shape, np.float32)
    relief = canvas.fractal(slope=3.0, outer_km=300)
    height = np.exp(np.float32(0.7) * relief) * np.float32(canvas.rng.uniform(0.1, 0.8))
    height *= 1 - np.exp(-ground_map.coast_distance_km / np.float32(25))
    dome = np.float32(2.5) * np.sqrt(ground_map.coast_distance_km / 64)
    height = np.where(ground_map.glacier_share >= 0.5, np.maximum(dome, height), height)
    return np.where(land, np.clip(height, 0, 4), 0).astype(np.float32)


def _solid_kelvin(
    canvas: Canvas,
    air: Field,
    ground: Kinds,
    patches: Field,
    geometry: Geometry,
    elevation_km: Field,
) -> Field:
    """Skin temperature of land and ice: warmed by the sun by day, cooled to the sky by night."""
    rng = canvas.rng
    sun = np.maximum(geometry.mu_sun, 0)
    heating = np.float32(rng.uniform(4, 18)) * sun
    heating += np.where(ground == Ground.DESERT, 12 * sun, 0)
    frozen = is_one_of(ground, FROZEN)
    heating *= np.where(frozen, np.float32(0.25), np.float32(1))
    # Between day and night over the first and last twenty degrees of the sun's way.
    night = np.clip(1 - geometry.mu_sun / np.float32(0.3), 0, 1)
    cooling = night * np.float32(rng.uniform(1, 9))
    # Cold pools in valleys by night, and differences of fields, woods and slopes.
    pools = np.float32(rng.uniform(0, 3)) * night * np.exp(-4 * elevation_km)
    skin = air + heating * (1 + 0.15 * patches) - cooling - pools - 6 * elevation_km
    skin += 0.8 * patches + 0.6 * canvas.fractal(slope=2.2, outer_km=50)
    skin = np.where(frozen, np.minimum(skin, MELTING_KELVIN), skin)
    # Water lies between the air of today and of the weeks before; thin ice has the sea below it.
    skin = np.where(ground == Ground.INLAND_WATER, (skin + 3 * np.maximum(air, 274)) / 4, skin)
    thin = ground == Ground.THIN_ICE
    skin = np.where(thin, (skin + 3 * climate.SEA_FREEZES_KELVIN) / 4, skin)
    return np.asarray(skin, np.float32)
