"""How cloud particles scatter, and tables of what a layer of them does to light.

    response = LayerResponse.of("water10", tau, mu_sun, mu_view)
    albedo = response.albedo_sun["S5"]

Two-stream results depend on optical depth and one angle, so they are computed once per kind of
particle on a small grid and interpolated linearly for the pixels.

Numbers from the literature are quoted from memory, not checked against the sources named.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from slstr_cloudmask.simulate.radiation import diffuse_two_stream, two_stream

Flat = npt.NDArray[np.float32]

SOLAR_BANDS = ("S1", "S2", "S3", "S4", "S5", "S6", "S7")


@dataclass(frozen=True, slots=True)
class Particles:
    """Droplets or crystals of one effective radius, by band.

    ``albedo`` is the single-scattering albedo, ``extinction`` the extinction relative to 0.55 um,
    ``asymmetry`` the mean cosine of the scattering angle.
    """

    albedo: Mapping[str, float]
    extinction: Mapping[str, float]
    asymmetry: Mapping[str, float]


def _particles(line: str) -> Particles:
    """Read ``w4 w5 w6 w7 w8 w9 | q7 q8 q9 | g_visible g5 g6 g7``."""
    albedo, extinction, asymmetry = (
        [float(word) for word in part.split()] for part in line.split("|")
    )
    visible, g5, g6, g7 = asymmetry
    bands = ("S4", "S5", "S6", "S7", "S8", "S9")
    return Particles(
        albedo={"S1": 1.0, "S2": 1.0, "S3": 1.0} | dict(zip(bands, albedo, strict=True)),
        extinction=dict.fromkeys(("S1", "S2", "S3", "S4", "S5", "S6"), 1.0)
        | dict(zip(("S7", "S8", "S9"), extinction, strict=True)),
        asymmetry=dict.fromkeys(("S1", "S2", "S3", "S4"), visible) | {"S5": g5, "S6": g6, "S7": g7},
    )


# As Mie calculations would give for gamma distributions of variance .1, named by effective radius
# in um, with refractive indices like those of Hale and Querry (1973) for water and Warren and
# Brandt (2008) for ice. The asymmetry of ice is that of rough crystals, as in Yang et al. (2013),
# not of spheres.
PARTICLES: dict[str, Particles] = {
    "water5": _particles(".9949 .9969 .9902 .952 .380 .249 | 1.33 .44 .55 | .85 .81 .80 .76"),
    "water10": _particles(".9895 .9940 .9803 .896 .510 .373 | 1.11 .85 .82 | .86 .85 .85 .80"),
    "water14": _particles(".9862 .9916 .9732 .866 .538 .417 | 1.10 1.03 .92 | .87 .85 .86 .83"),
    "water20": _particles(".9806 .9885 .9620 .827 .539 .451 | 1.06 1.12 .99 | .87 .87 .87 .86"),
    "ice15": _particles(".9975 .9725 .9841 .775 .427 .473 | 1.09 .93 1.12 | .77 .80 .83 .87"),
    "ice25": _particles(".9964 .956 .974 .699 .468 .500 | 1.06 1.01 1.10 | .77 .80 .83 .87"),
    "ice40": _particles(".9943 .934 .961 .632 .490 .519 | 1.05 1.03 1.09 | .77 .80 .83 .87"),
}

# The grid: uniform in log(1 + tau / .05) up to tau = 300, and in mu.
_TAU_SCALE, _TAU_MAX, _TAU_STEPS = 0.05, 300.0, 128
_MU_MIN, _MU_STEPS = 0.02, 33


def infrared_emissivity(particles: str, band: str, tau: Flat, mu_view: Flat) -> Flat:
    """Emissivity of a layer at 11 or 12 um.

    Parameters
    ----------
    particles
        A key of `PARTICLES`.
    band
        ``S8`` or ``S9``.
    tau
        Optical depth at 0.55 um.
    mu_view
        Cosine of the view zenith angle.
    """
    optics = PARTICLES[particles]
    absorption = optics.extinction[band] * (1 - optics.albedo[band])
    # Absorption only, times 1.12 for scattering that lengthens the way: fit to two-stream results.
    emissivity: Flat = 1 - np.exp(np.float32(-1.12 * absorption) * tau / mu_view)
    return emissivity


@dataclass(frozen=True, slots=True)
class LayerResponse:
    """What a layer does at each pixel (flat arrays) in each solar band, S7 included."""

    albedo_sun: Mapping[str, Flat]
    albedo_view: Mapping[str, Flat]
    albedo_diffuse: Mapping[str, Flat]
    transmittance_sun: Mapping[str, Flat]
    transmittance_view: Mapping[str, Flat]

    @classmethod
    def of(cls, particles: str, tau: Flat, mu_sun: Flat | None, mu_view: Flat) -> "LayerResponse":
        """Look a layer up.

        Parameters
        ----------
        particles
            A key of `PARTICLES`.
        tau
            Optical depth at 0.55 um of some pixels.
        mu_sun, mu_view
            Cosines of the zenith angles there; without sun, only S7's view is looked up.
        """
        view = _Lookup(tau, mu_view)
        tables = _tables(particles)
        result = cls({}, {}, {}, {}, {})
        sun = None if mu_sun is None else _Lookup(tau, mu_sun)
        for band in ("S7",) if sun is None else ("S1", "S4", "S5", "S6", "S7"):
            albedo, transmittance, diffuse = tables[band]
            values = {"transmittance_view": view(transmittance), "albedo_view": view(albedo)}
            if sun is not None:
                values["albedo_sun"] = sun(albedo)
                values["transmittance_sun"] = sun(transmittance)
                values["albedo_diffuse"] = sun(diffuse)
            # Nothing absorbs in S1 to S3 and the phase functions are alike: one table serves.
            for alike in ("S1", "S2", "S3") if band == "S1" else (band,):
                for name, value in values.items():
                    getattr(result, name)[alike] = value
        return result


class _Lookup:
    """Bilinear interpolation in the tables at fixed pixels; the weights are worked out once."""

    def __init__(self, tau: Flat, mu: Flat) -> None:
        u = np.log1p(np.minimum(tau, np.float32(_TAU_MAX)) / np.float32(_TAU_SCALE))
        u *= np.float32((_TAU_STEPS - 1) / np.log1p(_TAU_MAX / _TAU_SCALE))
        v = (np.clip(mu, _MU_MIN, 1.0) - np.float32(_MU_MIN)) * np.float32(
            (_MU_STEPS - 1) / (1 - _MU_MIN)
        )
        i = np.minimum(u.astype(np.int32), _TAU_STEPS - 2)
        j = np.minimum(v.astype(np.int32), _MU_STEPS - 2)
        self._corner = i * _MU_STEPS + j
        self._u = (u - i).astype(np.float32)
        self._v = (v - j).astype(np.float32)

    def __call__(self, table: Flat) -> Flat:
        flat = table.ravel()
        steps = []
        for offset in (0, _MU_STEPS):
            low = flat.take(self._corner + offset)
            low += self._v * (flat.take(self._corner + (offset + 1)) - low)
            steps.append(low)
        interpolated: Flat = steps[0] + self._u * (steps[1] - steps[0])
        return interpolated


@cache
def _tables(particles: str) -> dict[str, tuple[Flat, Flat, Flat]]:
    """Albedo, transmittance and diffuse albedo by band, each (optical depth, mu)."""
    optics = PARTICLES[particles]
    steps = np.linspace(0, np.log1p(_TAU_MAX / _TAU_SCALE), _TAU_STEPS)
    tau = _TAU_SCALE * np.expm1(steps)[:, np.newaxis]
    mu = np.linspace(_MU_MIN, 1, _MU_STEPS)[np.newaxis, :]
    tau, mu = np.broadcast_arrays(tau, mu)
    result = {}
    for band in ("S1", "S4", "S5", "S6", "S7"):
        own_tau = tau * optics.extinction[band]
        albedo, transmittance = two_stream(own_tau, optics.albedo[band], optics.asymmetry[band], mu)
        diffuse, _ = diffuse_two_stream(own_tau, optics.albedo[band], optics.asymmetry[band])
        result[band] = (
            albedo.astype(np.float32),
            transmittance.astype(np.float32),
            diffuse.astype(np.float32),
        )
    return result
