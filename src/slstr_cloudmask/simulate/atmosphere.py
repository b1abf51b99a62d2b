"""The air: water vapour, what gases take away, what molecules and aerosol scatter.

Reflectances have unit 1, temperatures are K, optical depths are at 0.55 um unless a band is named.
``mu`` is the cosine of a zenith angle. Arrays are float32 of one shape.

Numbers from the literature are quoted from memory, not checked against the sources named.
"""

from dataclasses import dataclass

import numpy as np

from slstr_cloudmask.simulate.fractal import Canvas, Field

WAVELENGTH_UM = {
    "S1": 0.555,
    "S2": 0.659,
    "S3": 0.868,
    "S4": 1.375,
    "S5": 1.613,
    "S6": 2.256,
    "S7": 3.742,
}
# Rayleigh optical depths: Bodhaine et al. (1999), J. Atmos. Oceanic Technol. 16, 1854.
RAYLEIGH = {
    "S1": 0.095,
    "S2": 0.047,
    "S3": 0.016,
    "S4": 0.002,
    "S5": 0.001,
    "S6": 0.0003,
    "S7": 0.0,
}
# Two-way transmittance of ozone and dry gases at an air mass of 2: about as of MODTRAN.
GASES = {"S1": 0.985, "S2": 0.990, "S3": 0.992, "S4": 1.0, "S5": 0.985, "S6": 0.965, "S7": 0.93}
VAPOUR_SCALE_KM = 2.1
_LARGEST_AIRMASS = 12.0
# How much dust cools each band, K per optical depth: split-window studies of dust, e.g. Merchant
# et al. (2006), Remote Sens. Environ. 102, 281.
DUST_COOLING_KELVIN = {"S7": 0.5, "S8": 2.0, "S9": 0.9}


@dataclass(frozen=True, slots=True)
class Air:
    """Per pixel: water vapour (kg m-2, mm), optical depths of haze, dust and smoke."""

    vapour_mm: Field
    haze_depth: Field
    dust_depth: Field
    smoke_depth: Field


def draw_air(
    canvas: Canvas,
    air_kelvin: Field,
    *,
    dust_share: float,
    smoke_share: float,
    vapour_factor: float = 1.0,
) -> Air:
    """Draw the air over a scene.

    Parameters
    ----------
    canvas
        Of the scene.
    air_kelvin
        Air temperature near the ground.
    dust_share, smoke_share
        Chances of a plume of dust, and of smoke, in the scene.
    vapour_factor
        Multiplies the water vapour.
    """
    rng = canvas.rng
    # About what reanalyses have: Clausius-Clapeyron growth by a factor e every 8.2 K.
    mean = 4 + 0.115 * np.exp((air_kelvin - 250) / np.float32(8.2))
    spread = np.float32(0.25) * canvas.fractal(slope=3.2, smooth=True)
    vapour = mean * np.exp(spread + np.float32(rng.normal(0, 0.15))) * np.float32(vapour_factor)
    haze = np.float32(rng.lognormal(np.log(0.09), 0.4))
    haze = haze * np.exp(np.float32(0.35) * canvas.fractal(slope=2.8, outer_km=300, smooth=True))
    dust = _plume(canvas, dust_share, thickest=2.0)
    # Desert air is dry.
    vapour = vapour * np.exp(np.float32(-0.6) * np.minimum(dust, 1))
    return Air(
        vapour_mm=np.clip(vapour, 1, 60).astype(np.float32),
        haze_depth=np.asarray(haze, np.float32),
        dust_depth=dust,
        smoke_depth=_plume(canvas, smoke_share, thickest=1.2),
    )


def _plume(canvas: Canvas, chance: float, thickest: float) -> Field:
    """Optical depth of a plume with streaks, or zero everywhere."""
    rng = canvas.rng
    if rng.random() >= chance:
        return np.zeros(canvas.shape, np.float32)
    angle = float(rng.uniform(0, np.pi))
    where = canvas.fractal(slope=3.3, outer_km=700, anisotropy=3, angle_rad=angle, smooth=True)
    streaks = canvas.fractal(slope=2.8, outer_km=150, anisotropy=3, angle_rad=angle)
    plume = np.maximum(where - np.float32(rng.uniform(-0.6, 0.6)), 0)
    plume = plume * np.exp(np.float32(0.3) * streaks) * np.float32(rng.uniform(0.9, 2.0))
    return np.asarray(np.minimum(plume, np.float32(thickest)), np.float32)


def infrared_deficits_kelvin(vapour_mm: Field, mu_view: Field, lapse: Field) -> dict[str, Field]:
    """How much colder than the surface the clear sky looks from above.

    Parameters
    ----------
    vapour_mm
        Total column water vapour, mm.
    mu_view
        Cosine of the view zenith angle.
    lapse
        Surface minus air temperature, K; a warm surface under cool air makes the deficit larger.

    Returns
    -------
    dict
        K, for S7 (emission only), S8 and S9.
    """
    # Fit to textbook values: 50 mm gives 4.4 and 6.0 K at 11 and 12 um, 5 mm .3 and .5 K.
    coefficients = {
        "S7": (0.35, 0.022, 2e-4),
        "S8": (0.15, 0.030, 11e-4),
        "S9": (0.20, 0.045, 14e-4),
    }
    slant = mu_view ** np.float32(-0.9)
    slant = slant * (np.float32(0.9) + np.float32(0.35) * np.clip(lapse / 8, -1.2, 2.5))
    return {
        name: np.asarray((a + vapour_mm * (b + c * vapour_mm)) * slant, np.float32)
        for name, (a, b, c) in coefficients.items()
    }


def vapour_above_mm(total_mm: Field, height_km: Field | float) -> Field:
    """Column of water vapour above a height; scale height 2.1 km."""
    height = np.asarray(height_km, np.float32)
    return np.asarray(total_mm * np.exp(-height / np.float32(VAPOUR_SCALE_KM)), np.float32)


def cirrus_band_transmittance(vapour_mm: Field | float, airmass: Field | float) -> Field:
    """Two-way transmittance of water vapour at 1.375 um.

    Parameters
    ----------
    vapour_mm
        Column of water vapour above the level, mm (kg m-2).
    airmass
        ``1 / mu_sun + 1 / mu_view``.
    """
    # Chosen so that 10 mm hide the ground and cirrus at 10 km keeps about .7.
    path = np.asarray(vapour_mm, np.float32) * np.asarray(airmass, np.float32)
    return np.asarray(np.exp(np.float32(-0.72) * path ** np.float32(0.68)), np.float32)


def scattering_cosine(mu_sun: Field, mu_view: Field, cos_azimuth: Field) -> Field:
    """Cosine of the scattering angle; ``cos_azimuth`` is -1 in the direction of glint."""
    sines = np.sqrt(np.maximum((1 - mu_sun**2) * (1 - mu_view**2), 0))
    return np.asarray(-(mu_sun * mu_view + sines * cos_azimuth), np.float32)


def aerosol_depth(band: str, air: Air) -> Field:
    """Optical depth of all aerosol in a band, by each one's Angstrom exponent."""
    ratio = np.float32(WAVELENGTH_UM[band] / 0.55)
    # Angstrom exponents: marine and continental haze 1, desert dust .2, smoke 1.8; e.g. Dubovik
    # et al. (2002), J. Atmos. Sci. 59, 590.
    total = air.haze_depth / ratio
    total = total + air.dust_depth * ratio ** np.float32(-0.2)
    return np.asarray(total + air.smoke_depth * ratio ** np.float32(-1.8), np.float32)


def add_air(band: str, reflectance: Field, air: Air, sun: "SunPath", overhead: Field) -> Field:
    """Add what gases take away, and what molecules and aerosol scatter.

    Parameters
    ----------
    band
        ``S1`` ... ``S6``.
    reflectance
        Of the ground and its clouds.
    air
        Over it.
    sun
        The light's way.
    overhead
        Share of the air that lies above what is seen, 1 over clear ground.
    """
    aerosol = aerosol_depth(band, air)
    if band == "S4":
        aerosol = aerosol * cirrus_band_transmittance(0.6 * air.vapour_mm, sun.airmass)
    # Aerosol lies low, under nearly all cloud: it counts as far as the air column is clear.
    aerosol = aerosol * overhead**4
    rayleigh = np.float32(RAYLEIGH[band]) * overhead
    # Single scattering along the path; half of the molecules' scattering goes forward.
    path = (rayleigh * sun.rayleigh_phase + np.float32(0.25) * aerosol) * sun.path_factor
    path = np.minimum(path, np.float32(0.35))
    lost = (np.float32(0.5) * rayleigh + np.float32(0.15) * aerosol) * sun.airmass
    if GASES[band] < 1:
        lost = lost - np.float32(np.log(GASES[band]) / 2) * sun.airmass
    return np.asarray(path + reflectance * np.exp(-lost), np.float32)


@dataclass(frozen=True, slots=True)
class SunPath:
    """The way of light from sun to ground to satellite, the same for all bands."""

    airmass: Field  # 1 / mu_sun + 1 / mu_view, at most 12
    path_factor: Field  # 1 / (4 mu_sun mu_view)
    rayleigh_phase: Field

    @classmethod
    def of(cls, mu_sun: Field, mu_view: Field, cos_azimuth: Field) -> "SunPath":
        """Work it out for cosines of zenith angles, ``mu_sun`` above zero."""
        cosine = scattering_cosine(mu_sun, mu_view, cos_azimuth)
        return cls(
            airmass=np.minimum(1 / mu_sun + 1 / mu_view, np.float32(_LARGEST_AIRMASS)),
            path_factor=np.asarray(1 / (4 * mu_sun * mu_view), np.float32),
            rayleigh_phase=np.asarray(0.75 * (1 + cosine**2), np.float32),
        )


def air_pressure_share(height_km: Field | float) -> Field:
    """Share of the air above a height: scale height 8 km."""
    return np.asarray(np.exp(-np.asarray(height_km, np.float32) / np.float32(8)), np.float32)
