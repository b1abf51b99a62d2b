"""Radiative transfer in its simplest useful form: Planck's law and two streams.

Temperatures are K, radiances W m-2 sr-1 um-1; ``mu`` is the cosine of a zenith angle. Functions
work on arrays of one shape.

Numbers from the literature are quoted from memory, not checked against the sources named.
"""

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.floating]

# Effective wavelengths of S3A's thermal bands, um: ESA, measured spectral responses.
THERMAL_WAVELENGTH_UM = {"S7": 3.742, "S8": 10.854, "S9": 12.0225}

# First and second radiation constants, 2hc^2 (W um4 m-2 sr-1) and hc/k (um K): CODATA 2018.
_C1 = 1.191042972e8
_C2 = 1.438776877e4

# Solar irradiance at 3.74 um, W m-2 um-1: Platnick and Fontenla (2008), about 11 in this band.
SOLAR_IRRADIANCE_S7 = 11.0


def planck_radiance(wavelength_um: float, temperature_kelvin: Array) -> Array:
    """Radiance of a black body, W m-2 sr-1 um-1."""
    # Planck's law per wavelength.
    return np.asarray(
        (_C1 / wavelength_um**5) / np.expm1((_C2 / wavelength_um) / temperature_kelvin)
    )


def brightness_temperature(wavelength_um: float, radiance: Array) -> Array:
    """Temperature (K) of the black body with this radiance; the inverse of `planck_radiance`."""
    return np.asarray((_C2 / wavelength_um) / np.log1p((_C1 / wavelength_um**5) / radiance))


def two_stream(
    tau: Array, single_scattering_albedo: float, asymmetry: float, mu: Array
) -> tuple[Array, Array]:
    """Plane albedo and transmittance of a cloud layer, by the delta-Eddington approximation.

    Parameters
    ----------
    tau
        Optical depth at the band's own wavelength.
    single_scattering_albedo, asymmetry
        Of the droplets or crystals.
    mu
        Cosine of the beam's zenith angle.

    Returns
    -------
    albedo, transmittance
        Fractions of the beam; transmittance is direct plus diffuse.
    """
    # Delta scaling: Joseph, Wiscombe and Weinman (1976), J. Atmos. Sci. 33, 2452.
    forward = asymmetry**2
    omega = min(single_scattering_albedo, 1 - 1e-6)
    tau = (1 - omega * forward) * np.asarray(tau, np.float64)
    omega = (1 - forward) * omega / (1 - omega * forward)
    g = asymmetry / (1 + asymmetry)
    # A beam at exactly mu = 1/k makes the solution 0/0; the shift is far below any accuracy here.
    mu = np.asarray(mu, np.float64) * (1 + 1e-7)
    # Meador and Weaver (1980), J. Atmos. Sci. 37, 630: Eddington coefficients (table 1) and
    # equations 14 and 15, with numerator and denominator times exp(-k tau).
    gamma1 = (7 - omega * (4 + 3 * g)) / 4
    gamma2 = -(1 - omega * (4 - 3 * g)) / 4
    gamma3 = (2 - 3 * g * mu) / 4
    gamma4 = 1 - gamma3
    alpha1 = gamma1 * gamma4 + gamma2 * gamma3
    alpha2 = gamma1 * gamma3 + gamma2 * gamma4
    k = np.sqrt(gamma1**2 - gamma2**2)
    decay, beam = np.exp(-k * tau), np.exp(-tau / mu)
    scale = omega / ((1 - (k * mu) ** 2) * ((k + gamma1) + (k - gamma1) * decay**2))
    albedo = scale * (
        (1 - k * mu) * (alpha2 + k * gamma3)
        - (1 + k * mu) * (alpha2 - k * gamma3) * decay**2
        - 2 * k * (gamma3 - alpha2 * mu) * beam * decay
    )
    transmittance = beam - scale * (
        (1 + k * mu) * (alpha1 + k * gamma4) * beam
        - (1 - k * mu) * (alpha1 - k * gamma4) * beam * decay**2
        - 2 * k * (gamma4 + alpha1 * mu) * decay
    )
    return np.clip(albedo, 0.0, 1.0), np.clip(transmittance, 0.0, 1.0)


def diffuse_two_stream(
    tau: Array, single_scattering_albedo: float, asymmetry: float
) -> tuple[Array, Array]:
    """Albedo and transmittance of a layer for diffuse light: the flux-weighted mean over mu."""
    nodes, weights = np.polynomial.legendre.leggauss(8)
    albedo = np.zeros(np.shape(tau))
    transmittance = np.zeros(np.shape(tau))
    for node, weight in zip((nodes + 1) / 2, weights / 2, strict=True):
        r, t = two_stream(tau, single_scattering_albedo, asymmetry, np.full(np.shape(tau), node))
        albedo += 2 * weight * node * r
        transmittance += 2 * weight * node * t
    return albedo, transmittance
