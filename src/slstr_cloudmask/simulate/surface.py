"""What lies under the cloud: sea, ice, land and the air above them.

A scene's coast and heights are fractal; kinds of ground follow latitude, height and moisture.

Numbers from the literature are quoted from memory, not checked against the sources named.
"""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from slstr_cloudmask.simulate.fractal import Field, exceedance_level, fractal_field
from slstr_cloudmask.simulate.geometry import Geometry

ZERO_CELSIUS = 273.15
SEA_FREEZES_KELVIN = 271.35


class Ground(IntEnum):
    """Kinds of ground, as rows of `REFLECTANCE` and `EMISSIVITY`."""

    OCEAN = 0
    FOREST = 1
    GRASS = 2
    SHRUB = 3
    DESERT = 4
    OLD_SNOW = 5
    FRESH_SNOW = 6
    SEA_ICE = 7
    THIN_ICE = 8


# Spectra like those of the ASTER/ECOSTRESS library's classes (Baldridge et al. 2009), S1 ... S6.
REFLECTANCE = np.array(
    [
        [0.010, 0.004, 0.002, 0.000, 0.001, 0.001],
        [0.06, 0.04, 0.34, 0.25, 0.20, 0.09],
        [0.09, 0.09, 0.28, 0.28, 0.27, 0.17],
        [0.13, 0.18, 0.25, 0.28, 0.31, 0.27],
        [0.19, 0.30, 0.38, 0.43, 0.47, 0.43],
        [0.85, 0.83, 0.76, 0.28, 0.10, 0.08],
        [0.88, 0.87, 0.82, 0.36, 0.18, 0.15],
        [0.65, 0.62, 0.52, 0.18, 0.08, 0.06],
        [0.15, 0.13, 0.09, 0.02, 0.02, 0.015],
    ],
    np.float32,
)
# Emissivities like that library's in S7, S8 and S9.
EMISSIVITY = np.array(
    [
        [0.975, 0.990, 0.985],
        [0.975, 0.980, 0.983],
        [0.965, 0.975, 0.978],
        [0.91, 0.96, 0.97],
        [0.86, 0.945, 0.965],
        [0.985, 0.992, 0.985],
        [0.98, 0.99, 0.985],
        [0.985, 0.990, 0.985],
        [0.98, 0.988, 0.985],
    ],
    np.float32,
)


@dataclass(frozen=True, slots=True)
class Surface:
    """Per pixel (rows, columns): ground, temperatures in K, moisture, wind, haze."""

    ground: npt.NDArray[np.uint8]
    land: npt.NDArray[np.bool_]
    elevation_km: Field
    skin_kelvin: Field
    air_kelvin: Field
    vapour_mm: Field
    wind_m_s: Field
    texture: Field
    dust_depth: Field
    mean_latitude_deg: float

    @property
    def snow_or_ice(self) -> npt.NDArray[np.bool_]:
        """Where the ground is snow or ice of any kind."""
        return np.asarray(self.ground >= Ground.OLD_SNOW)


def draw_surface(rng: np.random.Generator, geometry: Geometry) -> Surface:
    """Draw the ground under a scene."""
    latitude = geometry.latitude_deg
    shape = (latitude.shape[0], latitude.shape[1])
    elevation_km, land = _terrain(rng, shape)
    air = _air_kelvin(rng, latitude)
    sea = _sea_kelvin(rng, latitude)
    patches = fractal_field(rng, shape, slope=2.8)
    ground = _ground(rng, latitude, land, air - 6 * elevation_km, patches)
    solid = _solid_kelvin(rng, air, ground, patches, geometry, elevation_km)
    skin = np.where(ground == Ground.OCEAN, sea, solid)
    # Thin ice has the sea right below it.
    skin = np.where(ground == Ground.THIN_ICE, (solid + 3 * SEA_FREEZES_KELVIN) / 4, skin)
    wind = rng.uniform(3, 11) + 1.8 * fractal_field(rng, shape, slope=3.0)
    return Surface(
        ground=ground,
        land=land,
        elevation_km=elevation_km,
        skin_kelvin=skin.astype(np.float32),
        air_kelvin=air,
        vapour_mm=_vapour_mm(rng, air),
        wind_m_s=np.clip(wind, 0.5, 25).astype(np.float32),
        texture=fractal_field(rng, shape, slope=2.3),
        dust_depth=_dust(rng, latitude),
        mean_latitude_deg=float(latitude.mean()),
    )


def ground_values(surface: Surface, table: npt.NDArray[np.float32], band: int) -> Field:
    """Take one band's column of `REFLECTANCE` or `EMISSIVITY` for every pixel."""
    return np.asarray(table[:, band].take(surface.ground), np.float32)


def _terrain(
    rng: np.random.Generator, shape: tuple[int, int]
) -> tuple[Field, npt.NDArray[np.bool_]]:
    """Heights (km, 0 at sea) and land: open ocean, a coast, or mostly land."""
    # Land in about a fifth of all pixels, as in the data set's mostly maritime scenes.
    low, high = ((0.0, 0.01), (0.05, 0.5), (0.6, 1.0))[rng.choice(3, p=(0.5, 0.36, 0.14))]
    share = float(rng.uniform(low, high))
    relief = fractal_field(rng, shape, slope=3.1)
    above = relief - np.float32(exceedance_level(relief, share))
    roughness = fractal_field(rng, shape, slope=2.4)
    height = np.maximum(above, 0) * np.float32(rng.uniform(0.2, 1.0))
    elevation = np.clip(height * (1 + np.float32(0.3) * roughness), 0, 4)
    return elevation.astype(np.float32), np.asarray(above > 0)


def _air_kelvin(rng: np.random.Generator, latitude: Field) -> Field:
    """Air near the ground at sea level: the zonal mean of autumn, and weather."""
    shape = (latitude.shape[0], latitude.shape[1])
    # About the zonal mean: 28 C at the equator, 2 C at 60 degrees.
    zonal = ZERO_CELSIUS + np.clip(27.5 - 0.0072 * latitude**2, -14, 30)
    weather = rng.normal(0, 1.5) + 1.5 * fractal_field(rng, shape, slope=3.4)
    return np.asarray(zonal + weather, np.float32)


def _sea_kelvin(rng: np.random.Generator, latitude: Field) -> Field:
    """Sea surface temperature: zonal mean, eddies, and fronts of up to 2.2 K."""
    shape = (latitude.shape[0], latitude.shape[1])
    zonal = ZERO_CELSIUS + np.clip(28 - 0.0072 * latitude**2, -1.8, 30)
    eddies = fractal_field(rng, shape, slope=3.2)
    front = np.tanh(4 * fractal_field(rng, shape, slope=3.3))
    sea = zonal + rng.uniform(0.4, 1.8) * eddies + rng.uniform(0, 1.1) * front
    return np.asarray(np.maximum(sea, SEA_FREEZES_KELVIN), np.float32)


def _ground(
    rng: np.random.Generator,
    latitude: Field,
    land: npt.NDArray[np.bool_],
    air_kelvin: Field,
    patches: Field,
) -> npt.NDArray[np.uint8]:
    """Choose the kind of ground of every pixel."""
    dry = abs(latitude) < 36
    ground = np.full(land.shape, Ground.OCEAN, np.uint8)
    ground[land] = np.where(patches[land] > 0, Ground.FOREST, Ground.GRASS)
    ground[land & dry] = np.where(patches[land & dry] > -0.3, Ground.DESERT, Ground.SHRUB)
    cold = air_kelvin + 2.5 * patches
    ground[land & (cold < 271)] = Ground.OLD_SNOW
    ground[land & (cold < 262)] = Ground.FRESH_SNOW
    # The ice edge of autumn lies between 73 and 81 degrees, with leads and new ice near it.
    edge = abs(latitude) - rng.uniform(73, 81) + 1.5 * patches
    ground[~land & (edge > 0)] = Ground.THIN_ICE
    ground[~land & (edge > 0.5) & (abs(patches) > 0.06)] = Ground.SEA_ICE
    return ground


def _solid_kelvin(
    rng: np.random.Generator,
    air: Field,
    ground: npt.NDArray[np.uint8],
    patches: Field,
    geometry: Geometry,
    elevation_km: Field,
) -> Field:
    """Skin temperature of land and ice: warmed by the sun by day, cooled to the sky by night."""
    sun = np.maximum(geometry.mu_sun, 0)
    heating = np.float32(rng.uniform(4, 18)) * sun
    heating += np.where(ground == Ground.DESERT, 12 * sun, 0)
    heating *= np.where(ground >= Ground.OLD_SNOW, np.float32(0.25), np.float32(1))
    cooling = np.where(geometry.mu_sun > 0.1, 0.0, rng.uniform(1, 9))
    skin = air + heating * (1 + 0.15 * patches) - cooling - 6 * elevation_km + 0.8 * patches
    # Fields, woods and slopes differ from pixel to pixel.
    skin += 0.6 * fractal_field(rng, (air.shape[0], air.shape[1]), slope=2.2)
    frozen = ground >= Ground.OLD_SNOW
    # Snow and ice cannot be warmer than melting.
    return np.where(frozen, np.minimum(skin, 272.5), skin).astype(np.float32)


def _vapour_mm(rng: np.random.Generator, air: Field) -> Field:
    """Total column water vapour, mm, from the air's temperature."""
    shape = (air.shape[0], air.shape[1])
    # About what reanalyses have: Clausius-Clapeyron growth by a factor e every 8.2 K.
    mean = 4 + 0.115 * np.exp((air - 250) / 8.2)
    moist = mean * np.exp(0.25 * fractal_field(rng, shape, slope=3.2) + rng.normal(0, 0.15))
    return np.asarray(np.clip(moist, 1, 60), np.float32)


def _dust(rng: np.random.Generator, latitude: Field) -> Field:
    """Optical depth of desert dust: an outbreak in one of six subtropical scenes."""
    shape = (latitude.shape[0], latitude.shape[1])
    if abs(float(latitude.mean())) > 36 or rng.random() > 1 / 6:
        return np.zeros(shape, np.float32)
    plume = np.maximum(fractal_field(rng, shape, slope=3.3, anisotropy=3), 0)
    return np.minimum(0.6 * plume, 1.3).astype(np.float32)
