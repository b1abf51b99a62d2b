"""What the instrument would see: surface, air and cloud turned into the nine bands.

Layers are added from the ground upwards. Reflected sunlight goes down and up through each layer;
emitted radiation is absorbed and emitted again.

Numbers from the literature are quoted from memory, not checked against the sources named.
"""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from slstr_cloudmask.simulate.clear import Bands, airmass, surface_radiances, surface_reflectances
from slstr_cloudmask.simulate.clouds import CloudLayer
from slstr_cloudmask.simulate.fractal import Field
from slstr_cloudmask.simulate.geometry import Geometry
from slstr_cloudmask.simulate.optics import LayerResponse, infrared_emissivity
from slstr_cloudmask.simulate.radiation import (
    SOLAR_IRRADIANCE_S7,
    THERMAL_WAVELENGTH_UM,
    brightness_temperature,
    cirrus_band_transmittance,
    infrared_deficits_kelvin,
    planck_radiance,
    vapour_above_mm,
)
from slstr_cloudmask.simulate.surface import Surface

REFLECTIVE_MAX_SOLAR_ZENITH_DEG = 88.0  # beyond this the sun is too low to be of use
_TRACE_TAU = 0.004  # thinner layers are left out

# Rayleigh optical depths: Bodhaine et al. (1999), J. Atmos. Oceanic Technol. 16, 1854.
_RAYLEIGH = {
    "S1": 0.095,
    "S2": 0.047,
    "S3": 0.016,
    "S4": 0.002,
    "S5": 0.001,
    "S6": 0.0003,
    "S7": 0.0,
}
# Two-way transmittance of ozone and dry gases at an air mass of 2: about as of MODTRAN.
_GASES = {"S1": 0.985, "S2": 0.990, "S3": 0.992, "S4": 1.0, "S5": 0.985, "S6": 0.965, "S7": 0.93}
_WAVELENGTH_UM = {
    "S1": 0.555,
    "S2": 0.659,
    "S3": 0.868,
    "S4": 1.375,
    "S5": 1.613,
    "S6": 2.256,
    "S7": 3.742,
}


@dataclass(frozen=True, slots=True)
class SkyState:
    """What every band's calculation shares: clear-sky radiances and solar reflectances so far."""

    reflectance: Bands = field(default_factory=dict)
    radiance: Bands = field(default_factory=dict)


def observe(
    geometry: Geometry, surface: Surface, layers: list[CloudLayer], *, night: bool
) -> Bands:
    """Work out the nine bands without noise.

    Parameters
    ----------
    geometry, surface
        Of the scene.
    layers
        Cloud, lowest first.
    night
        Leave out all sunlight.

    Returns
    -------
    dict
        ``S1`` ... ``S6`` reflectance (absent at night), ``S7`` ... ``S9`` K.
    """
    deficits = infrared_deficits_kelvin(
        surface.vapour_mm, geometry.mu_view, surface.skin_kelvin - surface.air_kelvin
    )
    state = SkyState({} if night else surface_reflectances(geometry, surface, layers))
    state.radiance.update(surface_radiances(surface, deficits))
    overhead = np.ones_like(geometry.mu_view)
    for layer in layers:
        _add_layer(state, layer, geometry, surface, deficits, overhead)
    if not night:
        sunlight = _sunlight(geometry)
        state.radiance["S7"] += state.reflectance.pop("S7") * np.float32(_GASES["S7"]) * sunlight
    bands = {
        name: brightness_temperature(THERMAL_WAVELENGTH_UM[name], values).astype(np.float32)
        for name, values in state.radiance.items()
    }
    air = {
        name: _add_air(name, values, geometry, surface, overhead)
        for name, values in state.reflectance.items()
    }
    return air | bands


def _sunlight(geometry: Geometry) -> Field:
    """Radiance at 3.74 um of a white surface, W m-2 sr-1 um-1."""
    return np.maximum(geometry.mu_sun, 0) * np.float32(SOLAR_IRRADIANCE_S7 / np.pi)


def _add_layer(
    state: SkyState,
    layer: CloudLayer,
    geometry: Geometry,
    surface: Surface,
    deficits: Bands,
    overhead: Field,
) -> None:
    """Put a cloud layer over what is there, in place, at the pixels where it has substance."""
    where = np.flatnonzero(layer.tau.ravel() > _TRACE_TAU)
    if where.size == 0:
        return
    tau = layer.tau.ravel()[where]
    mu_view = geometry.mu_view.ravel()[where]
    sunlit = bool(state.reflectance)
    mu_sun = geometry.mu_sun.ravel()[where] if sunlit else None
    response = LayerResponse.of(layer.particles, tau, mu_sun, mu_view)
    vapour = surface.vapour_mm.ravel()[where]
    # Moisture above the top still cools what is seen of it; its effect has half the scale height.
    share_above = np.float32(np.exp(-layer.top_km / 1.4))
    for name, wavelength_um in THERMAL_WAVELENGTH_UM.items():
        top = layer.top_kelvin.ravel()[where] - share_above * deficits[name].ravel()[where]
        if name == "S7":
            through = response.transmittance_view[name]
            emissivity = np.maximum(1 - through - response.albedo_view[name], 0)
        else:
            emissivity = infrared_emissivity(layer.particles, name, tau, mu_view)
            through = 1 - emissivity
        below = state.radiance[name].ravel()
        below[where] = through * below[where] + emissivity * planck_radiance(wavelength_um, top)
    # Air above the top scatters light: the pressure there, scale height 8 km.
    opaque = 1 - np.exp(-tau / (4 * mu_view))
    above = overhead.ravel()
    above[where] = (1 - opaque) * above[where] + opaque * np.float32(np.exp(-layer.top_km / 8))
    if mu_sun is not None:
        vapour_above = vapour_above_mm(vapour, layer.top_km)
        slant = airmass(geometry).ravel()[where]
        cirrus_band = cirrus_band_transmittance(vapour_above, slant).astype(np.float32)
        _add_reflection(state, where, response, mu_view, cirrus_band)


def _add_reflection(
    state: SkyState,
    where: npt.NDArray[np.intp],
    response: LayerResponse,
    mu_view: npt.NDArray[np.float32],
    cirrus_band: npt.NDArray[np.float32],
) -> None:
    """Adding method (e.g. Liou 2002, section 6.4) with a Lambertian surface below the layer."""
    # Limb brightening of a thick layer: Chandrasekhar's (3/7)(1 + 2 mu).
    towards_view = np.float32(3 / 7) * (1 + 2 * mu_view)
    for name, values in state.reflectance.items():
        below = values.ravel()
        under = below[where]
        bounced = 1 - np.minimum(under, np.float32(0.98)) * response.albedo_diffuse[name]
        through = response.transmittance_sun[name] * response.transmittance_view[name]
        own = response.albedo_sun[name] * towards_view
        if name == "S4":
            own *= cirrus_band
        below[where] = own + through * under / bounced


def _add_air(
    name: str, reflectance: Field, geometry: Geometry, surface: Surface, overhead: Field
) -> Field:
    """Add what gases take away, and what molecules and aerosol scatter; NaN without sun."""
    mu0, mu = np.maximum(geometry.mu_sun, np.float32(0.03)), geometry.mu_view
    slant = 1 / mu0 + 1 / mu
    sines = np.sqrt((1 - mu0**2) * (1 - mu**2))
    cos_scattering = -(mu0 * mu + sines * geometry.cos_azimuth)
    # Rayleigh's phase function.
    phase = np.float32(0.75) * (1 + cos_scattering**2)
    ratio = _WAVELENGTH_UM[name] / 0.55
    aerosol = np.float32(0.1 / ratio) * np.exp(np.float32(0.3) * surface.texture)
    aerosol = aerosol + surface.dust_depth * np.float32(ratio**-0.2)
    rayleigh = np.float32(_RAYLEIGH[name]) * overhead
    if name == "S4":
        aerosol = aerosol * cirrus_band_transmittance(0.6 * surface.vapour_mm, slant)
    # Aerosol lies low, under nearly all cloud: it counts as far as the air column is clear.
    aerosol = aerosol * overhead**4
    # Single scattering along the path; half of the molecules' scattering goes forward.
    path = (rayleigh * phase + np.float32(0.25) * aerosol) / (4 * mu0 * mu)
    path = np.minimum(path, np.float32(0.35))
    scattered = np.exp(-(np.float32(0.5) * rayleigh + np.float32(0.15) * aerosol) * slant)
    gases = np.float32(_GASES[name]) ** (np.minimum(slant, 12) / 2)
    total = path + reflectance * scattered * gases
    dark = geometry.solar_zenith_deg >= REFLECTIVE_MAX_SOLAR_ZENITH_DEG
    return np.where(dark, np.float32(np.nan), total).astype(np.float32)
