"""What the provider believes of the clear scene: a weather forecast, smooth, biased, displaced.

Numbers from the literature are quoted from memory, not checked against the sources named.
"""

from dataclasses import dataclass

import numpy as np

from slstr_cloudmask.flags import BoolArray
from slstr_cloudmask.simulate.atmosphere import infrared_deficits_kelvin
from slstr_cloudmask.simulate.clear import glint_factor
from slstr_cloudmask.simulate.fractal import Canvas, Field
from slstr_cloudmask.simulate.geometry import Geometry
from slstr_cloudmask.simulate.ground import (
    FROZEN,
    REFLECTANCE,
    SEA_ICE,
    SNOW,
    Ground,
    Kinds,
    is_one_of,
)
from slstr_cloudmask.simulate.smoothing import displaced, smoothed_apart
from slstr_cloudmask.simulate.stage import Stage

# Size of a forecast's grid cell, as a blur; how far its maps of ice and snow are displaced; how
# far its errors reach.
_BLUR_KM, _DISPLACED_KM, _ERRORS_REACH_KM = 12.0, 18, 120.0
# Errors of skin temperature, K: sea, land, ice.
_ERROR_SEA, _ERROR_LAND, _ERROR_ICE = 1.0, 3.0, 3.0
# A scene's error as a whole, K, at most; and of differences of bands by the radiative transfer
# model, K: S8 - S9 and S7 - S8. Of water vapour: relative.
_BIAS, _SPLIT_ERROR, _DIFFERENCE_ERROR, _VAPOUR_ERROR = 1.5, 0.14, 0.35, 0.2
# Of wind, m s-1, and of the haze's reflectance at an air mass factor of 1.
_WIND_ERROR, _HAZE_ERROR = 2.0, 0.006
# Analyses of the sea have few measurements near the ice: errors grow polewards by as much.
_POLAR_FACTOR = 1.8
# Sea is a little less of a black body at 12 um than at 11 um; K, from its emissivities.
_SEA_SPLIT_KELVIN = 0.25


@dataclass(frozen=True, slots=True)
class Forecast:
    """The clear scene as forecast, per pixel: temperatures in K, reflectances, kinds of ground.

    ``vapour_mm`` is total column water vapour, kg m-2.
    """

    skin_kelvin: Field
    vapour_mm: Field
    s8_kelvin: Field
    split_kelvin: Field  # S8 - S9
    s7_minus_s8_kelvin: Field
    s3: Field
    s5: Field
    s3_spread: Field
    s5_spread: Field
    solid: BoolArray  # land or ice
    frozen: BoolArray


def draw_forecast(canvas: Canvas, stage: Stage, *, error_factor: float = 1.0) -> Forecast:
    """Draw a forecast of a stage.

    Parameters
    ----------
    canvas
        Source of the errors.
    stage
        The truth that it misses.
    error_factor
        Multiplies the errors.
    """
    rng, surface, geometry = canvas.rng, stage.surface, stage.geometry
    ground = mapped_ground(rng, stage)
    solid = ground != Ground.OCEAN
    frozen = is_one_of(ground, FROZEN)
    skin = smoothed_apart(surface.skin_kelvin, solid, _BLUR_KM)
    sigma = np.where(solid, np.where(frozen, _ERROR_ICE, _ERROR_LAND), _ERROR_SEA)
    poleward = np.clip((np.abs(geometry.latitude_deg) - 58) / 12, 0, 1)
    sigma = np.where(solid, sigma, sigma * (1 + (_POLAR_FACTOR - 1) * poleward))
    errors = canvas.fractal(slope=3.0, outer_km=_ERRORS_REACH_KM, smooth=True)
    bias = np.float32(rng.uniform(-_BIAS, _BIAS))
    skin += np.float32(error_factor) * (sigma.astype(np.float32) * errors + bias)
    moist = np.float32(_VAPOUR_ERROR * error_factor) * canvas.fractal(slope=3.0, smooth=True)
    vapour = stage.air.vapour_mm * np.exp(moist)
    deficits = infrared_deficits_kelvin(vapour, geometry.mu_view, skin - surface.air_kelvin)
    split = deficits["S9"] - deficits["S8"] + np.float32(_SEA_SPLIT_KELVIN)
    split += np.float32(error_factor * _SPLIT_ERROR) * _scene_and_patches(canvas)
    difference = deficits["S8"] - deficits["S7"]
    difference += np.float32(error_factor * _DIFFERENCE_ERROR) * _scene_and_patches(canvas)
    s3, s5, spread = _reflectances(canvas, stage, ground, solid, error_factor)
    return Forecast(
        skin_kelvin=skin,
        vapour_mm=vapour,
        s8_kelvin=skin - deficits["S8"],
        split_kelvin=split,
        s7_minus_s8_kelvin=difference,
        s3=s3,
        s5=s5,
        s3_spread=np.where(solid, np.float32(0.09), np.float32(0.02) + spread),
        s5_spread=np.where(solid, np.float32(0.08), np.float32(0.012) + spread),
        solid=solid,
        frozen=frozen,
    )


def _scene_and_patches(canvas: Canvas) -> Field:
    """Draw an error of standard deviation 1, half of its variance the same for the whole scene."""
    patches = canvas.fractal(slope=3.0, outer_km=_ERRORS_REACH_KM, smooth=True)
    return np.float32(0.7) * (patches + np.float32(canvas.rng.standard_normal()))


def mapped_ground(rng: np.random.Generator, stage: Stage) -> Kinds:
    """Kinds of ground as the provider's maps have them.

    Land is off by a pixel, and lakes count as land; snow and sea ice are an old map of coarse
    cells, which knows no leads.
    """
    surface = stage.surface
    down, right = _shift(rng, 1)
    land = displaced(surface.land, down, right)
    ground = displaced(surface.ground, down, right)
    old = displaced(surface.ground, *_shift(rng, _DISPLACED_KM))
    snow = smoothed_apart(is_one_of(old, SNOW).astype(np.float32), land, _BLUR_KM) > 0.5
    ice = smoothed_apart(is_one_of(old, SEA_ICE).astype(np.float32), land, _BLUR_KM) > 0.5
    bare = np.where(is_one_of(ground, SNOW), Ground.SHRUB, ground)
    on_land = np.where(snow, Ground.OLD_SNOW, bare)
    return np.where(land, on_land, np.where(ice, Ground.SEA_ICE, Ground.OCEAN)).astype(np.uint8)


def _shift(rng: np.random.Generator, reach: int) -> tuple[int, int]:
    down, right = rng.integers(-reach, reach + 1, 2)
    return int(down), int(right)


def _reflectances(
    canvas: Canvas, stage: Stage, ground: Kinds, solid: BoolArray, error_factor: float
) -> tuple[Field, Field, Field]:
    """Clear reflectance in S3 and S5: maps of the ground, glint of a constant wind, wrong haze."""
    geometry, surface = stage.geometry, stage.surface
    error = np.float32(error_factor * canvas.rng.normal(0, _WIND_ERROR))
    speed = max(float(surface.wind_m_s.mean()) + float(error), 1.0)
    wind = np.full(solid.shape, speed, np.float32)
    glint: Field = np.where(solid, np.float32(0), glint_factor(geometry, wind))
    # Haze over a dark scene, single scattering: 0.25 tau / (4 mu0 mu), with tau of 0.06 and 0.03.
    slant = 1 / (np.maximum(geometry.mu_sun, np.float32(0.05)) * geometry.mu_view)
    slant = np.minimum(slant, np.float32(25)).astype(np.float32)
    haze = 0.0045 + np.float32(error_factor * _HAZE_ERROR) * _scene_and_patches(canvas)
    s3 = REFLECTANCE[:, 2][ground] + glint + haze * slant
    s5 = REFLECTANCE[:, 4][ground] + glint + np.float32(0.5) * haze * slant
    spread = 0.35 * glint + 0.002 * slant
    return s3.astype(np.float32), s5.astype(np.float32), spread.astype(np.float32)


def forecast_oblique(forecast: Forecast, stage: Stage, oblique: Geometry) -> Field:
    """S8 of the clear scene along the oblique view, from the nadir forecast."""
    lapse = stage.surface.skin_kelvin - stage.surface.air_kelvin
    deficits = [
        infrared_deficits_kelvin(stage.air.vapour_mm, geometry.mu_view, lapse)["S8"]
        for geometry in (stage.geometry, oblique)
    ]
    return forecast.s8_kelvin + deficits[0] - deficits[1]
