"""How cloud particles scatter, and tables of what a layer of them does to light.

    response = LayerResponse.of("water10", tau, mu_sun, mu_view)
    albedo = response.albedo_sun["S5"]

`PARTICLES` is read from ``data/mie.csv``, which `mie` makes. Two-stream results depend on optical
depth and one angle: they are computed once per kind of particle on a grid of cells, and within a
cell a plane stands for them, to .004 at worst and 1e-4 on average. Look up blocks of some 10^5
pixels, which stay in the processor's cache: over twice as fast as a whole scene at once.

The diffusion exponent is quoted from memory, not checked against the source named.
"""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

import numpy as np
import numpy.typing as npt

from slstr_cloudmask.errors import InputError
from slstr_cloudmask.simulate.radiation import Array, diffuse_two_stream, two_stream

Flat = npt.NDArray[np.float32]

SOLAR_BANDS = ("S1", "S2", "S3", "S4", "S5", "S6", "S7")


@dataclass(frozen=True, slots=True)
class Particles:
    """Droplets, crystals or aerosol of one effective radius, by band ``S1`` ... ``S9``.

    ``albedo`` is the single-scattering albedo, ``extinction`` the extinction relative to 0.55 um,
    ``asymmetry`` the mean cosine of the scattering angle.
    """

    albedo: Mapping[str, float]
    extinction: Mapping[str, float]
    asymmetry: Mapping[str, float]


def _read_particles() -> dict[str, Particles]:
    """Read the table that `mie` made: three rows for each kind of particles."""
    path = resources.files("slstr_cloudmask.simulate") / "data" / "mie.csv"
    lines = [line for line in path.read_text("utf-8").splitlines() if not line.startswith("#")]
    quantities: dict[str, dict[str, dict[str, float]]] = {}
    for row in csv.DictReader(lines):
        name, quantity = row.pop("particles"), row.pop("quantity")
        values = {band: float(value) for band, value in row.items()}
        quantities.setdefault(name, {})[quantity] = values
    return {name: Particles(**values) for name, values in quantities.items()}


# Named by effective radius in um: water4 ... water20, ice12 ... ice55; and dust, smoke.
PARTICLES: Mapping[str, Particles] = _read_particles()

# The cells: equal in log(tau + .05) up to tau = 300, and in the square root of mu.
_TAU_SCALE, _TAU_MAX, _TAU_CELLS = 0.05, 300.0, 128
_MU_MIN, _MU_CELLS = 0.02, 32
_LOG_TAU_MIN = float(np.log(_TAU_SCALE))
_LOG_TAU_STEP = float(np.log1p(_TAU_MAX / _TAU_SCALE)) / _TAU_CELLS
_ROOT_MU_MIN = _MU_MIN**0.5
_ROOT_MU_STEP = (1 - _ROOT_MU_MIN) / _MU_CELLS
# Diffuse albedo depends on optical depth alone: the nearest of many values will do.
_FINE = 24


def _particles_of(name: str) -> Particles:
    """Optics of one kind of particles; `InputError` if there is no such kind."""
    if name not in PARTICLES:
        raise InputError(f"Unknown particles {name}. Choose from: {', '.join(PARTICLES)}.")
    return PARTICLES[name]


def infrared_emissivity(particles: str, band: str, tau: Flat, mu_view: Flat) -> Flat:
    """Emissivity of a layer at 11 or 12 um, which is also its absorptivity.

    Seen at 60 degrees or less, it is within .02 of an adding-doubling calculation of 32 streams for
    cloud, and within .03 for dust up to a depth of 3. Thick layers come out black, though cloud
    reflects about .01 and dust .1.

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
    optics = _particles_of(particles)
    omega = optics.albedo[band]
    absorption = optics.extinction[band] * (1 - omega)
    # Scattering lengthens the way: not at all in thin layers, sqrt(1 + s) times within thick ones
    # (diffusion exponent, van de Hulst 1980), where s compares it to absorption. Between the two:
    scattering = omega * (1 - optics.asymmetry[band]) / (1 - omega)
    absorption *= (1 + scattering) ** 0.25
    emissivity: Flat = 1 - np.exp(np.float32(-absorption) * tau / mu_view)
    return emissivity


@dataclass(frozen=True, slots=True)
class LayerResponse:
    """What a layer does at each pixel (flat arrays) in each solar band, S7 included.

    Albedo and transmittance of a beam from the sun or towards the view, and albedo for diffuse
    light from below. Transmittance is direct plus diffuse. All are float32, of S1 to S7; only
    S7 in ``albedo_view``, and without sun only S7's view.
    """

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
            Optical depth at 0.55 um of some pixels; beyond 300 as at 300.
        mu_sun, mu_view
            Cosines of the zenith angles there, below .02 as at .02; None without sun.

        Raises
        ------
        InputError
            There are no such particles.
        """
        tables = _tables(particles)
        depth = _Depth.of(tau)
        view = _Cells.of(depth, mu_view)
        albedo_view = {"S7": view(tables["S7"].albedo)}
        if mu_sun is None:
            return cls({}, albedo_view, {}, {}, {"S7": view(tables["S7"].transmittance)})
        sun = _Cells.of(depth, mu_sun)
        return cls(
            {band: sun(table.albedo) for band, table in tables.items()},
            albedo_view,
            {band: table.diffuse.take(depth.fine, mode="clip") for band, table in tables.items()},
            {band: sun(table.transmittance) for band, table in tables.items()},
            {band: view(table.transmittance) for band, table in tables.items()},
        )


@dataclass(frozen=True, slots=True)
class _Depth:
    """Where optical depths lie on the grid: cell, and distance from its middle in cells."""

    cell: npt.NDArray[np.int32]
    offset: Flat
    fine: npt.NDArray[np.intp]

    @classmethod
    def of(cls, tau: Flat) -> "_Depth":
        u = np.log(np.asarray(tau, np.float32) + np.float32(_TAU_SCALE))
        u -= np.float32(_LOG_TAU_MIN)
        u *= np.float32(1 / _LOG_TAU_STEP)
        np.clip(u, 0, np.float32(_TAU_CELLS - 1e-3), out=u)
        cell = u.astype(np.int32)
        fine = (u * np.float32(_FINE)).astype(np.intp)
        u -= cell
        u -= np.float32(0.5)
        return cls(cell, u, fine)


@dataclass(frozen=True, slots=True)
class _Cells:
    """Pixels' cells of depth and angle, worked out once and looked up in many tables."""

    cell: npt.NDArray[np.intp]
    depth_offset: Flat
    angle_offset: Flat

    @classmethod
    def of(cls, depth: _Depth, mu: Flat) -> "_Cells":
        v = np.sqrt(np.clip(np.asarray(mu, np.float32), np.float32(_MU_MIN), np.float32(1)))
        v -= np.float32(_ROOT_MU_MIN)
        v *= np.float32(1 / _ROOT_MU_STEP)
        np.clip(v, 0, np.float32(_MU_CELLS - 1e-3), out=v)
        cell = v.astype(np.int32)
        v -= cell
        v -= np.float32(0.5)
        cell += depth.cell * np.int32(_MU_CELLS)
        return cls(cell.astype(np.intp), depth.offset, v)

    def __call__(self, planes: Flat) -> Flat:
        """Value in the middle of the cell, plus slopes times offsets."""
        # No cell is out of range: "clip" is only the fastest mode.
        value: Flat = planes[0].take(self.cell, mode="clip")
        for slope, offset in ((planes[1], self.depth_offset), (planes[2], self.angle_offset)):
            change = slope.take(self.cell, mode="clip")
            change *= offset
            value += change
        return value


@dataclass(frozen=True, slots=True)
class _Table:
    """One band: planes (middle and two slopes, cell) over depth and angle; diffuse over depth."""

    albedo: Flat
    transmittance: Flat
    diffuse: Flat


@cache
def _tables(name: str) -> dict[str, _Table]:
    """Two-stream results by solar band."""
    optics = _particles_of(name)
    # Corners and middles of cells.
    tau = _tau_at(np.arange(2 * _TAU_CELLS + 1) / 2)
    mu = (_ROOT_MU_MIN + _ROOT_MU_STEP * np.arange(2 * _MU_CELLS + 1) / 2) ** 2
    grid_tau, grid_mu = np.meshgrid(tau, mu, indexing="ij")
    fine_tau = _tau_at((np.arange(_TAU_CELLS * _FINE) + 0.5) / _FINE)
    tables = {}
    for band in SOLAR_BANDS:
        extinction, omega, g = (
            values[band] for values in (optics.extinction, optics.albedo, optics.asymmetry)
        )
        albedo, transmittance = two_stream(grid_tau * extinction, omega, g, grid_mu)
        diffuse, _ = diffuse_two_stream(fine_tau * extinction, omega, g)
        tables[band] = _Table(_planes(albedo), _planes(transmittance), diffuse.astype(np.float32))
    return tables


def _tau_at(position: Array) -> Array:
    """Optical depth at positions in cells."""
    return np.asarray(_TAU_SCALE * np.expm1(_LOG_TAU_STEP * position))


def _planes(values: Array) -> Flat:
    """Planes through cells, whose corners have even and whose middles odd indices."""
    low, high = values[:-2:2], values[2::2]
    middle = values[1::2, 1::2]
    corners = (low[:, :-2:2] + low[:, 2::2] + high[:, :-2:2] + high[:, 2::2]) / 4
    along = (high[:, :-2:2] + high[:, 2::2] - low[:, :-2:2] - low[:, 2::2]) / 2
    across = (low[:, 2::2] + high[:, 2::2] - low[:, :-2:2] - high[:, :-2:2]) / 2
    # Half-way between touching the middle and the mean of the corners: the errors are alike.
    planes = np.stack([(middle + corners) / 2, along, across])
    return planes.reshape(3, -1).astype(np.float32)
