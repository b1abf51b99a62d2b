"""What the satellite sees of a stage: the nine bands without the instrument's faults.

Clouds are added from the lowest up: each reflects, lets through and emits, after a two-stream
solution for its kind of particle. Works in blocks of rows, so that a block stays in the
processor's cache and memory stays small.

Numbers from the literature are quoted from memory, not checked against the sources named.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from slstr_cloudmask.simulate.atmosphere import (
    GASES,
    SunPath,
    add_air,
    air_pressure_share,
    cirrus_band_transmittance,
    infrared_deficits_kelvin,
    vapour_above_mm,
)
from slstr_cloudmask.simulate.clear import Bands, surface_radiances, surface_reflectances
from slstr_cloudmask.simulate.clouds import CloudLayer
from slstr_cloudmask.simulate.fractal import Field
from slstr_cloudmask.simulate.optics import LayerResponse, infrared_emissivity
from slstr_cloudmask.simulate.radiation import (
    SOLAR_IRRADIANCE_S7,
    THERMAL_WAVELENGTH_UM,
    brightness_temperature,
    planck_radiance,
)
from slstr_cloudmask.simulate.stage import Stage

_TRACE_DEPTH = 0.004  # thinner layers are left out
_BLOCK_PX = 60_000

# The sun is no point and the air bends and scatters its light: it fades out over about two degrees
# around the horizon (assumed; twilight reflectance is not modelled beyond that).
_HORIZON_WIDTH = 0.012
# Where the cosine has faded to less than this there is no sunlight: .01 K in S7.
_DARKNESS = 2e-5


def observe(
    stage: Stage, *, reflective: bool, view_only: tuple[str, ...] = (), brightness_factor: float = 1
) -> Bands:
    """Work out the bands without noise.

    Parameters
    ----------
    stage
        The scene.
    reflective
        Whether S1 ... S6 are operated.
    view_only
        Thermal bands to work out alone, in place of all.
    brightness_factor
        Multiplies the ground's reflectances.

    Returns
    -------
    dict
        ``S1`` ... ``S6`` reflectance (where operated), ``S7`` ... ``S9`` K. Reflectances are those
        of the products: divided by the cosine of the solar zenith angle, or by 1 where the sun is
        below the horizon.
    """
    rows, columns = stage.light.shape
    step = max(1, _BLOCK_PX // columns)
    blocks = []
    for first in range(0, rows, step):
        block = _Block(stage.rows(first, first + step), reflective, view_only, brightness_factor)
        blocks.append(block.bands())
    return {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}


def sunlight_cosine(mu_sun: Field) -> Field:
    """Cosine of the solar zenith angle, fading out smoothly below the horizon, above 0."""
    width = np.float32(_HORIZON_WIDTH)
    return np.asarray(np.logaddexp(0, mu_sun / width) * width, np.float32)


def reflectance_divisor(mu_sun: Field) -> Field:
    """By what products divide to get reflectance: the sun's cosine, 1 below the horizon."""
    return np.asarray(np.where(mu_sun > 0, np.maximum(mu_sun, 1e-3), 1), np.float32)


@dataclass(slots=True)
class _Block:
    """Some rows of a stage, and what becomes of their light."""

    stage: Stage
    reflective: bool
    view_only: tuple[str, ...]
    brightness_factor: float

    def bands(self) -> Bands:
        """Work the bands out."""
        geometry, surface, air = self.stage.geometry, self.stage.surface, self.stage.air
        deficits = infrared_deficits_kelvin(
            air.vapour_mm, geometry.mu_view, surface.skin_kelvin - surface.air_kelvin
        )
        radiance = surface_radiances(self.stage, deficits)
        for name in set(radiance) - set(self.view_only or radiance):
            del radiance[name]
        mu_lit = sunlight_cosine(geometry.mu_sun)
        mu_lit *= mu_lit > _DARKNESS
        sun = None
        reflectance: Bands = {}
        if "S7" in radiance and mu_lit.any():
            sun = SunPath.of(np.maximum(mu_lit, 0.02), geometry.mu_view, geometry.cos_azimuth)
            reflectance = surface_reflectances(self.stage, sun.airmass, self.brightness_factor)
        overhead = np.ones_like(mu_lit)
        for layer in self.stage.layers:
            self._add_layer(layer, radiance, reflectance, deficits, sun, overhead)
        if sun is not None:
            light = mu_lit * np.float32(GASES["S7"] * SOLAR_IRRADIANCE_S7 / math.pi)
            radiance["S7"] += reflectance.pop("S7") * light
        bands = {
            name: np.asarray(
                brightness_temperature(THERMAL_WAVELENGTH_UM[name], values), np.float32
            )
            for name, values in radiance.items()
        }
        if self.reflective and sun is not None:
            scale = mu_lit / reflectance_divisor(geometry.mu_sun)
            for name, values in reflectance.items():
                bands[name] = scale * add_air(name, values, air, sun, overhead)
        elif self.reflective:
            bands |= {f"S{n}": np.zeros_like(mu_lit) for n in range(1, 7)}
        return bands

    def _add_layer(
        self,
        layer: CloudLayer,
        radiance: Bands,
        reflectance: Bands,
        deficits: Bands,
        sun: SunPath | None,
        overhead: Field,
    ) -> None:
        """Put a cloud layer over what is there, in place, at the pixels where it has substance."""
        where = np.flatnonzero(layer.optical_depth.ravel() > _TRACE_DEPTH)
        if where.size == 0:
            return
        geometry = self.stage.geometry
        depth = layer.optical_depth.ravel()[where]
        top_km = layer.top_km.ravel()[where]
        mu_view = geometry.mu_view.ravel()[where]
        mu_sun = None
        if sun is not None:
            mu_sun = np.maximum(sunlight_cosine(geometry.mu_sun.ravel()[where]), np.float32(0.02))
        response = LayerResponse.of(layer.particles, depth, mu_sun, mu_view)
        # Moisture above the top still cools what is seen of it; its effect has half the scale
        # height.
        share_above = np.exp(top_km / np.float32(-1.4))
        for name, below in radiance.items():
            kelvin = layer.top_kelvin.ravel()[where] - share_above * deficits[name].ravel()[where]
            if name == "S7":
                through = response.transmittance_view[name]
                emissivity = np.maximum(1 - through - response.albedo_view[name], 0)
            else:
                emissivity = infrared_emissivity(layer.particles, name, depth, mu_view)
                through = 1 - emissivity
            flat = below.reshape(-1)
            emitted = emissivity * planck_radiance(THERMAL_WAVELENGTH_UM[name], kelvin)
            flat[where] = through * flat[where] + emitted
        # Air above the top scatters light as far as the layer hides the air below.
        opaque = 1 - np.exp(depth / (-4 * mu_view))
        above = overhead.reshape(-1)
        above[where] = (1 - opaque) * above[where] + opaque * air_pressure_share(top_km)
        if sun is not None:
            vapour = vapour_above_mm(self.stage.air.vapour_mm.ravel()[where], top_km)
            dry = cirrus_band_transmittance(vapour, sun.airmass.ravel()[where])
            _add_reflection(reflectance, where, response, mu_view, dry)


def _add_reflection(
    reflectance: Bands,
    where: npt.NDArray[np.intp],
    response: LayerResponse,
    mu_view: Field,
    cirrus_band: Field,
) -> None:
    """Adding method (e.g. Liou 2002, section 6.4) with a Lambertian surface below the layer."""
    # Light that leaves a thick layer favours the zenith, by (3/7)(1 + 2 mu) where it came through;
    # reflected light does so about half as much: Chandrasekhar (1960), H functions.
    towards_view = np.float32(0.5) + np.float32(3 / 14) * (1 + 2 * mu_view)
    for name, values in reflectance.items():
        flat = values.reshape(-1)
        under = flat[where]
        bounced = 1 - np.minimum(under, np.float32(0.98)) * response.albedo_diffuse[name]
        through = response.transmittance_sun[name] * response.transmittance_view[name]
        own = response.albedo_sun[name] * towards_view
        if name == "S4":
            own = own * cirrus_band
        flat[where] = own + through * under / bounced
