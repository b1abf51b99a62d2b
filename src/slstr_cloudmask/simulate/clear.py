"""The scene without its clouds: sunlight off the ground and radiation from it.

Everything is per pixel, float32 (rows, columns), by band.

Numbers from the literature are quoted from memory, not checked against the sources named.
"""

import numpy as np

from slstr_cloudmask.simulate.atmosphere import DUST_COOLING_KELVIN, cirrus_band_transmittance
from slstr_cloudmask.simulate.fractal import Field
from slstr_cloudmask.simulate.geometry import Geometry
from slstr_cloudmask.simulate.ground import EMISSIVITY, REFLECTANCE
from slstr_cloudmask.simulate.optics import SOLAR_BANDS
from slstr_cloudmask.simulate.radiation import THERMAL_WAVELENGTH_UM, planck_radiance
from slstr_cloudmask.simulate.stage import Stage

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
# Reflectance of foam: ORAC's constants; dark beyond 2 um.
_FOAM = {"S1": 0.40, "S2": 0.35, "S3": 0.25, "S5": 0.006}


def surface_reflectances(stage: Stage, airmass: Field, brightness_factor: float) -> Bands:
    """Reflectance of the ground in ``S1`` ... ``S7``: spectra, texture, foam, glint, shadows."""
    surface = stage.surface
    glint = glint_reflectance(stage)
    water = surface.water
    # Share of foam: Monahan and O'Muircheartaigh (1980), J. Phys. Oceanogr. 10, 2094.
    foam = np.float32(2.95e-6) * water * surface.wind_m_s ** np.float32(3.52)
    lit = stage.light * (1 + np.float32(0.12) * surface.texture)
    result = {}
    for column, name in enumerate(SOLAR_BANDS):
        table = 1 - EMISSIVITY[:, 0] if name == "S7" else REFLECTANCE[:, column]
        if name != "S7":
            table = table * np.float32(brightness_factor)
        diffuse = table.astype(np.float32)[surface.ground]
        if name in _FOAM:
            diffuse += np.float32(_FOAM[name]) * foam
        mirrored = np.float32(fresnel_normal(_SEA_INDEX[name]) / fresnel_normal(1.334)) * glint
        result[name] = diffuse * lit + mirrored * stage.light
    result["S4"] *= cirrus_band_transmittance(stage.air.vapour_mm, airmass)
    return result


def glint_reflectance(stage: Stage) -> Field:
    """Reflectance of the sun's glint at 0.87 um; 0 on land and without sun."""
    surface = stage.surface
    glint = glint_factor(stage.geometry, surface.wind_m_s)
    return np.where(surface.water & (stage.geometry.mu_sun > 0), glint, np.float32(0))


def glint_factor(geometry: Geometry, wind_m_s: Field) -> Field:
    """Reflectance of the wind-roughened sea for sunlight, at 0.87 um.

    Cox and Munk (1954), J. Opt. Soc. Am. 44, 838, isotropic slopes.
    """
    mu0, mu = np.maximum(geometry.mu_sun, np.float32(0.03)), geometry.mu_view
    sines = np.sqrt((1 - mu0**2) * (1 - mu**2))
    cos_2omega = np.clip(mu0 * mu + sines * geometry.cos_azimuth, -1, 1)
    cos_omega = np.sqrt((1 + cos_2omega) / 2)
    cos_beta = np.minimum((mu0 + mu) / (2 * np.maximum(cos_omega, np.float32(1e-3))), 1)
    tan2_beta = 1 / cos_beta**2 - 1
    # Mean square slope: 0.003 + 0.00512 wind.
    sigma2 = np.float32(0.003) + np.float32(0.00512) * wind_m_s
    density = np.exp(-np.minimum(tan2_beta / sigma2, 80)) / (np.float32(np.pi) * sigma2)
    # Schlick (1994), Comput. Graph. Forum 13, 233: Fresnel reflectance by angle.
    normal = fresnel_normal(1.334)
    fresnel = normal + (1 - normal) * (1 - cos_omega) ** 5
    glint = np.float32(np.pi) * fresnel * density / (4 * mu0 * mu * cos_beta**4)
    return np.asarray(np.minimum(glint, np.float32(1.2)), np.float32)


def fresnel_normal(index: float) -> float:
    """Reflectance of a smooth surface of real refractive index ``index`` at normal incidence."""
    return ((index - 1) / (index + 1)) ** 2


def surface_radiances(stage: Stage, deficits: Bands) -> Bands:
    """Radiance of the clear sky over the ground, without sunlight."""
    surface = stage.surface
    result = {}
    for column, (name, wavelength_um) in enumerate(THERMAL_WAVELENGTH_UM.items()):
        emissivity = EMISSIVITY[:, column][surface.ground]
        if name != "S7":
            # What the ground does not emit it reflects of the sky: a fifth to nine tenths of a
            # black body, from dry to moist air (assumed).
            sky = np.minimum(np.float32(0.2) + np.float32(0.012) * stage.air.vapour_mm, 0.9)
            emissivity = emissivity + (1 - emissivity) * sky
        dust = np.float32(DUST_COOLING_KELVIN[name]) * stage.air.dust_depth
        kelvin = surface.skin_kelvin - deficits[name] - dust
        result[name] = (emissivity * planck_radiance(wavelength_um, kelvin)).astype(np.float32)
    return result
