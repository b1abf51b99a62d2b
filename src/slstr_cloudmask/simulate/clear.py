"""The scene without its clouds: sunlight off the ground and radiation from it.

Everything is per pixel, float32 (rows, columns), by band.

Numbers from the literature are quoted from memory, not checked against the sources named.
"""

import numpy as np

from slstr_cloudmask.simulate.clouds import CloudLayer
from slstr_cloudmask.simulate.fractal import Field
from slstr_cloudmask.simulate.geometry import Geometry
from slstr_cloudmask.simulate.optics import SOLAR_BANDS
from slstr_cloudmask.simulate.radiation import (
    THERMAL_WAVELENGTH_UM,
    cirrus_band_transmittance,
    planck_radiance,
)
from slstr_cloudmask.simulate.surface import EMISSIVITY, REFLECTANCE, Ground, Surface, ground_values

Bands = dict[str, Field]

# Refractive index of sea water: Hale and Querry (1973), as tabulated in ORAC.
_SEA_INDEX = {
    "S1": 1.341,
    "S2": 1.338,
    "S3": 1.334,
    "S4": 1.325,
    "S5": 1.323,
    "S6": 1.31,
    "S7": 1.374,
}


def surface_reflectances(geometry: Geometry, surface: Surface, layers: list[CloudLayer]) -> Bands:
    """Reflectance of the ground in ``S1`` ... ``S7``: spectra, texture, glint, cloud's shadows."""
    glint = glint_factor(geometry, surface.wind_m_s)
    sea = surface.ground == Ground.OCEAN
    light = 1 - np.float32(0.85) * _shadow(geometry, layers)
    lit = light * (1 + np.float32(0.12) * surface.texture)
    result = {}
    for name in SOLAR_BANDS:
        if name == "S7":
            diffuse = 1 - ground_values(surface, EMISSIVITY, 0)
        else:
            diffuse = ground_values(surface, REFLECTANCE, SOLAR_BANDS.index(name))
        mirrored = (
            np.where(sea, fresnel_normal(_SEA_INDEX[name]) / fresnel_normal(1.334), 0) * glint
        )
        result[name] = (diffuse * lit + mirrored * light).astype(np.float32)
    vapour = cirrus_band_transmittance(surface.vapour_mm, airmass(geometry))
    result["S4"] = (result["S4"] * vapour).astype(np.float32)
    return result


def glint_factor(geometry: Geometry, wind_m_s: Field) -> Field:
    """Reflectance of the wind-roughened sea for sunlight, at 0.87 um.

    Cox and Munk (1954), J. Opt. Soc. Am. 44, 838, isotropic slopes.
    """
    mu0, mu = np.maximum(geometry.mu_sun, np.float32(0.03)), geometry.mu_view
    sines = np.sqrt((1 - mu0**2) * (1 - mu**2))
    cos_2omega = np.clip(mu0 * mu + sines * geometry.cos_azimuth, -1, 1)
    cos_omega = np.sqrt((1 + cos_2omega) / 2)
    cos_beta = np.minimum((mu0 + mu) / (2 * np.maximum(cos_omega, 1e-3)), 1)
    tan2_beta = 1 / cos_beta**2 - 1
    # Mean square slope: 0.003 + 0.00512 wind.
    sigma2 = 0.003 + 0.00512 * wind_m_s
    density = np.exp(-tan2_beta / sigma2) / (np.pi * sigma2)
    # Schlick (1994), Comput. Graph. Forum 13, 233: Fresnel reflectance by angle.
    normal = fresnel_normal(1.334)
    fresnel = normal + (1 - normal) * (1 - cos_omega) ** 5
    return np.asarray(
        np.minimum(np.pi * fresnel * density / (4 * mu0 * mu * cos_beta**4), 1.2), np.float32
    )


def fresnel_normal(index: float) -> float:
    """Reflectance of a smooth surface of real refractive index ``index`` at normal incidence."""
    return ((index - 1) / (index + 1)) ** 2


def airmass(geometry: Geometry) -> Field:
    """Two-way air mass, sun to ground to satellite; a low sun is cut off at 20 times the zenith."""
    return np.asarray(1 / np.maximum(geometry.mu_sun, 0.05) + 1 / geometry.mu_view, np.float32)


def _shadow(geometry: Geometry, layers: list[CloudLayer]) -> Field:
    """How much of the sunlight the clouds take from the ground beside them, 0 to 1."""
    shadow = np.zeros_like(geometry.mu_sun)
    rows, columns = shadow.shape
    tangent = min(float(np.tan(np.radians(geometry.solar_zenith_deg.mean()))), 6.0)
    for layer in layers:
        # The sun of a morning overpass stands in the east: shadows fall to the image's left.
        shift = min(max(round(layer.top_km * max(tangent, 0.0)), 0), columns // 3)
        down = min(shift // 2, rows // 3)
        moved = np.zeros_like(shadow)
        moved[: rows - down, : columns - shift] = layer.tau[down:, shift:]
        np.maximum(shadow, 1 - np.exp(np.float32(-0.25) * moved), out=shadow)
    return shadow


def surface_radiances(surface: Surface, deficits: Bands) -> Bands:
    """Radiance of the clear sky over the ground, without sunlight."""
    result = {}
    for index, (name, wavelength_um) in enumerate(THERMAL_WAVELENGTH_UM.items()):
        emissivity = ground_values(surface, EMISSIVITY, index)
        if name != "S7":
            # What the ground does not emit it reflects of the sky: a fifth to nine tenths of a
            # black body, from dry to moist air (assumed).
            emissivity = emissivity + (1 - emissivity) * np.minimum(
                0.2 + 0.012 * surface.vapour_mm, 0.9
            )
        # Dust cools the bands by these amounts per optical depth: split-window studies of dust,
        # e.g. Merchant et al. (2006), Remote Sens. Environ. 102, 281.
        dust = {"S7": 0.5, "S8": 1.6, "S9": 0.9}[name] * surface.dust_depth
        kelvin = surface.skin_kelvin - deficits[name] - dust
        result[name] = (emissivity * planck_radiance(wavelength_um, kelvin)).astype(np.float32)
    return result
