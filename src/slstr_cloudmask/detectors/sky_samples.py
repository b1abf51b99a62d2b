"""Single pixels of clear and cloudy sky, drawn from a prior and seen through radiative transfer.

    sample = draw_sample(rng, "day_high", "sea", 60_000)
    sample.bands["S8"], sample.clear_kelvin, sample.cloud

What the Bayesian detector's tables are counted from. No pixel has a neighbour, no scene and no
label stands behind it: surfaces, air and cloud are drawn independently of one another, much wider
than any climate, and `simulate.observe` works out what the instrument would see of them.

The ranges are assumed from textbooks, as said at each; none was fitted to scenes.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from slstr_cloudmask.detectors.climatology import usual_vapour_mm
from slstr_cloudmask.simulate.atmosphere import Air
from slstr_cloudmask.simulate.clear import Bands
from slstr_cloudmask.simulate.clouds import TRACE_DEPTH, CloudLayer
from slstr_cloudmask.simulate.fractal import Field
from slstr_cloudmask.simulate.geometry import Geometry
from slstr_cloudmask.simulate.ground import FROZEN, Ground, Kinds, is_one_of
from slstr_cloudmask.simulate.instrument import NOISE_KELVIN_AT_270, S7_SATURATES_KELVIN
from slstr_cloudmask.simulate.observe import observe
from slstr_cloudmask.simulate.radiation import (
    THERMAL_WAVELENGTH_UM,
    brightness_temperature,
    planck_radiance,
)
from slstr_cloudmask.simulate.recipe import CLOUD_OPTICAL_DEPTH
from slstr_cloudmask.simulate.stage import Stage
from slstr_cloudmask.simulate.surface import Surface

# Solar zenith angles, degrees.
LIGHTS = {"day_high": (15, 60), "day_low": (60, 80), "twilight": (80, 90), "night": (95, 130)}
SURFACES = ("sea", "land")

# Shares of ground. Sea: ice and thin ice where it is cold, so a third of the draws. Land: as of
# Loveland et al. (2000), Int. J. Remote Sens. 21, 1303, in round numbers.
_GROUND = {
    "sea": {Ground.OCEAN: 0.72, Ground.SEA_ICE: 0.2, Ground.THIN_ICE: 0.08},
    "land": {
        Ground.FOREST: 0.25,
        Ground.GRASS: 0.22,
        Ground.SHRUB: 0.15,
        Ground.DESERT: 0.13,
        Ground.OLD_SNOW: 0.14,
        Ground.FRESH_SNOW: 0.06,
        Ground.INLAND_WATER: 0.05,
    },
}


@dataclass(frozen=True, slots=True)
class _Family:
    """Clouds of one kind: share, particles, range of top (km), median optical depth and log sd."""

    share: float
    particles: tuple[str, ...]
    top_km: tuple[float, float]
    depth: float
    log_sigma: float


# Low, middle and high cloud and their optical depths: Rossow and Schiffer (1999), Bull. Amer.
# Meteor. Soc. 80, 2261, tables of ISCCP; radii: textbook ranges. Fog is low cloud at the ground.
_FAMILIES = (
    _Family(0.12, ("water5", "water6", "water8"), (0.05, 0.5), 5, 0.8),
    _Family(0.36, ("water8", "water10", "water12", "water14"), (0.5, 3.0), 6, 1.1),
    _Family(0.14, ("water8", "water10", "water12"), (2.5, 6.0), 8, 1.0),
    _Family(0.18, ("ice20", "ice25", "ice30", "ice40"), (4.0, 11.0), 14, 1.1),
    _Family(0.20, ("ice15", "ice20", "ice25", "ice40"), (7.0, 14.0), 1.0, 1.1),
)
_CLOUDY_SHARE, _VEIL_SHARE = 0.55, 0.3
_BLOCK_ROWS = 100
_SIGNAL_TO_NOISE, _DARK_NOISE = 250.0, 0.0006  # as the instrument's, see simulate.instrument


@dataclass(frozen=True, slots=True)
class Sample:
    """Pixels (flat): bands; S7 to S9 without cloud and noise; which of `SKIES` there is."""

    bands: Bands
    clear: Bands
    sky: npt.NDArray[np.uint8]


def draw_sample(rng: np.random.Generator, light: str, surface: str, size: int) -> Sample:
    """Draw pixels.

    Parameters
    ----------
    rng
        Source of randomness.
    light
        A key of `LIGHTS`.
    surface
        One of `SURFACES`.
    size
        How many; a multiple of 100 is made of it.
    """
    shape = (_BLOCK_ROWS, -(-size // _BLOCK_ROWS))
    geometry = _geometry(rng, shape, LIGHTS[light])
    ground = _draw_ground(rng, surface, geometry, light)
    air = _air(rng, ground)
    layers = _layers(rng, ground)
    light_share = np.where(rng.random(shape) < 0.05, rng.uniform(0.2, 1, shape), 1)
    stage = Stage(geometry, ground, air, layers, light_share.astype(np.float32))
    reflective = light != "night"
    bands = _with_noise(rng, observe(stage, reflective=reflective), geometry.mu_sun)
    bare = Stage(geometry, ground, air, [], stage.light)
    clear = observe(bare, reflective=False)
    depth = sum((layer.optical_depth for layer in layers), np.zeros(shape, np.float32))
    return Sample(
        {name: values.ravel() for name, values in bands.items()},
        {name: values.ravel() for name, values in clear.items()},
        np.digitize(depth, (TRACE_DEPTH, CLOUD_OPTICAL_DEPTH)).astype(np.uint8).ravel(),
    )


def _uniform(rng: np.random.Generator, low: float, high: float, shape: tuple[int, ...]) -> Field:
    return rng.uniform(low, high, shape).astype(np.float32)


def _normal(rng: np.random.Generator, mean: float, sigma: float, shape: tuple[int, ...]) -> Field:
    return (mean + sigma * rng.standard_normal(shape)).astype(np.float32)


def _geometry(
    rng: np.random.Generator, shape: tuple[int, int], zenith: tuple[float, float]
) -> Geometry:
    """Draw sun and view: the nadir swath, from 0 to 55 degrees on the one side, 35 on the other."""
    across_km = np.abs(_uniform(rng, -950, 480, shape))
    # A sphere of 6371 km and an orbit of 7186 km.
    angle = across_km / 6371
    view = np.degrees(np.arctan2(np.sin(angle), np.cos(angle) - np.float32(6371 / 7186)))
    sun = _uniform(rng, *zenith, shape)
    azimuth = _uniform(rng, 0, 180, shape)
    nothing = np.zeros(shape, np.float32)
    return Geometry(
        latitude_deg=nothing,
        longitude_deg=nothing,
        solar_zenith_deg=sun,
        solar_azimuth_deg=azimuth,
        view_zenith_deg=view.astype(np.float32),
        view_azimuth_deg=nothing,
        mu_sun=np.cos(np.radians(sun)),
        mu_view=np.cos(np.radians(view)).astype(np.float32),
        cos_azimuth=np.cos(np.radians(azimuth)),
        in_swath=np.ones(shape, bool),
    )


def _draw_ground(rng: np.random.Generator, surface: str, geometry: Geometry, light: str) -> Surface:
    """Draw kinds of ground and their temperatures."""
    shape = geometry.mu_sun.shape
    shares = _GROUND[surface]
    ground: Kinds = rng.choice(
        np.array([int(kind) for kind in shares], np.uint8), shape, p=np.array(list(shares.values()))
    )
    air = _air_kelvin(rng, ground, shape)
    skin = _skin_kelvin(rng, ground, air, np.maximum(geometry.mu_sun, 0))
    if light == "night":
        solid = ~is_one_of(ground, (Ground.OCEAN, Ground.INLAND_WATER))
        skin = np.where(solid, skin - _uniform(rng, 0, 9, shape), skin)
    nothing = np.zeros(shape, np.float32)
    return Surface(
        ground=ground,
        land=np.full(shape, surface == "land"),
        coast_distance_km=np.full(shape, 500, np.float32),
        elevation_km=nothing,
        skin_kelvin=skin.astype(np.float32),
        air_kelvin=air,
        aloft_kelvin=air,
        wind_m_s=np.clip(_normal(rng, 7.5, 3, shape), 0.5, 20),
        texture=_normal(rng, 0, 1, shape),
        mean_latitude_deg=45.0,
    )


def _air_kelvin(rng: np.random.Generator, ground: Kinds, shape: tuple[int, int]) -> Field:
    """Air near the ground: flat over what occurs, so that no climate is preferred."""
    sea = _uniform(rng, 271, 303, shape)
    frozen = is_one_of(ground, FROZEN)
    snow = _uniform(rng, 240, 273, shape)
    thin = ground == Ground.THIN_ICE
    land = _uniform(rng, 268, 308, shape)
    desert = _uniform(rng, 280, 312, shape)
    air = np.where(ground == Ground.OCEAN, sea - np.abs(_normal(rng, 0, 2.5, shape)), land)
    air = np.where(ground == Ground.DESERT, desert, air)
    return np.where(frozen, np.where(thin, np.maximum(snow, 255), snow), air).astype(np.float32)


def _skin_kelvin(rng: np.random.Generator, ground: Kinds, air: Field, mu_sun: Field) -> Field:
    """Skin temperature: water near the air's, land warmed by the sun, ice no warmer than 0 C."""
    shape = air.shape
    heating = _uniform(rng, 4, 18, shape) * mu_sun + _normal(rng, 0, 1.5, shape)
    heating += np.where(ground == Ground.DESERT, 12 * mu_sun, 0)
    sea = np.maximum(air + np.abs(_normal(rng, 0, 2, shape)), 271.35)
    frozen = is_one_of(ground, FROZEN)
    skin = np.where(frozen, np.minimum(air + heating / 4, 273), air + heating)
    skin = np.where(ground == Ground.THIN_ICE, (skin + 3 * 271.35) / 4, skin)
    water = is_one_of(ground, (Ground.OCEAN, Ground.INLAND_WATER))
    return np.where(water, sea, skin).astype(np.float32)


def _air(rng: np.random.Generator, surface: Surface) -> Air:
    """Draw moisture and aerosol: relative humidity varies by a third, haze by a half."""
    shape = surface.air_kelvin.shape
    vapour = usual_vapour_mm(surface.air_kelvin) * np.exp(_normal(rng, 0, 0.35, shape))
    dusty = rng.random(shape) < 0.06
    smoky = rng.random(shape) < 0.02
    return Air(
        vapour_mm=np.clip(vapour, 1, 65).astype(np.float32),
        haze_depth=(0.09 * np.exp(_normal(rng, 0, 0.5, shape))).astype(np.float32),
        dust_depth=np.where(dusty, _uniform(rng, 0.05, 1.2, shape), 0).astype(np.float32),
        smoke_depth=np.where(smoky, _uniform(rng, 0.05, 1.0, shape), 0).astype(np.float32),
    )


def _layers(rng: np.random.Generator, surface: Surface) -> list[CloudLayer]:
    """Draw one cloud under every cloudy pixel, a second over some, and thin veils over clear."""
    shape = surface.air_kelvin.shape
    cloudy = rng.random(shape) < _CLOUDY_SHARE
    families = rng.choice(len(_FAMILIES), shape, p=[family.share for family in _FAMILIES])
    lapse = _uniform(rng, 5, 8, shape)
    inversion = _uniform(rng, 0, 7, shape) * (rng.random(shape) < 0.6)
    layers = []
    for number, family in enumerate(_FAMILIES):
        where = cloudy & (families == number)
        depth = family.depth * np.exp(_normal(rng, 0, family.log_sigma, shape))
        layers += _split(rng, surface, family, np.where(where, depth, 0), lapse, inversion)
    high = _FAMILIES[-1]
    second = np.where(
        cloudy & (families < 3) & (rng.random(shape) < 0.25),
        np.exp(_normal(rng, 0, high.log_sigma, shape)),
        np.float32(0),
    )
    layers += _split(rng, surface, high, second, lapse, inversion)
    # What counts as clear is not empty: veils, and the thin edges of clouds.
    veiled = ~cloudy & (rng.random(shape) < _VEIL_SHARE)
    veil = np.exp(_uniform(rng, np.log(0.02), np.log(0.3), shape)) * veiled
    for family in (_FAMILIES[1], high):
        chosen = rng.random(shape) < 0.5
        layers += _split(rng, surface, family, veil * chosen, lapse, inversion)
        veil = veil * ~chosen
    return sorted(layers, key=lambda layer: float(layer.top_km.mean()))


def _split(
    rng: np.random.Generator,
    surface: Surface,
    family: _Family,
    depth: Field,
    lapse: Field,
    inversion: Field,
) -> list[CloudLayer]:
    """Make a layer of each kind of particles that a family has."""
    shape = depth.shape
    height = _uniform(rng, *family.top_km, shape)
    kelvin = surface.aloft_kelvin - lapse * height
    kelvin += inversion * np.exp(-(((height - 0.7) / 0.6) ** 2))
    # The tropopause: 195 to 220 K.
    kelvin = np.maximum(kelvin, _uniform(rng, 195, 220, shape)).astype(np.float32)
    chosen = rng.integers(0, len(family.particles), shape)
    return [
        CloudLayer(
            kind="drawn",
            particles=particles,
            optical_depth=np.where(chosen == number, depth, 0).astype(np.float32),
            top_km=height,
            top_kelvin=kelvin,
        )
        for number, particles in enumerate(family.particles)
    ]


def _with_noise(rng: np.random.Generator, bands: Bands, mu_sun: Field) -> Bands:
    """Add the instrument's noise; S7 saturates."""
    result = {}
    for name, values in bands.items():
        noise = rng.standard_normal(values.shape, np.float32)
        if name in THERMAL_WAVELENGTH_UM:
            wavelength_um = THERMAL_WAVELENGTH_UM[name]
            step = planck_radiance(wavelength_um, np.array([270.0, 271.0]))
            sigma = np.float32(NOISE_KELVIN_AT_270[name] * (step[1] - step[0]))
            least = planck_radiance(wavelength_um, np.array(195.0))
            radiance = planck_radiance(wavelength_um, values) + sigma * noise
            kelvin = brightness_temperature(wavelength_um, np.maximum(radiance, least))
            if name == "S7":
                kelvin = np.minimum(kelvin, S7_SATURATES_KELVIN)
            result[name] = kelvin.astype(np.float32)
        else:
            floor = _DARK_NOISE / np.maximum(mu_sun, 0.02)
            sigma_px = np.hypot(values / _SIGNAL_TO_NOISE, floor)
            result[name] = (values + sigma_px * noise).astype(np.float32)
    return result
