"""Scattering of light by cloud droplets, crystals, dust and smoke: makes ``data/mie.csv``.

    python -m slstr_cloudmask.simulate.mie [output.csv]

For every kind of particle and every band: the single-scattering albedo, the extinction relative to
0.55 um and the asymmetry (mean cosine of the scattering angle), from Mie's theory for spheres
(miepython), averaged over a distribution of sizes and over the band. `optics` reads the result, so
that the extra ``mie`` is only needed to make it again: two minutes, or seconds with
``MIEPYTHON_USE_JIT=1`` in the environment, to the same digits.

The asymmetry of ice in S1 to S7 is not Mie's: crystals are rough, and spheres would send too much
light forward. The refractive indices and their sources are in ``data/refractive_index.csv``.

Sizes of dust and smoke, the soot in smoke and the asymmetry of rough crystals are quoted from
memory, not checked against the sources named.
"""

import csv
import importlib
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from types import ModuleType

import numpy as np
import numpy.typing as npt

from slstr_cloudmask.atomic import write_bytes
from slstr_cloudmask.errors import CloudMaskError, InputError

Array = npt.NDArray[np.float64]

# Centre and full width at half maximum, um: ESA, measured spectral responses of Sentinel-3A.
BANDS_UM = {
    "S1": (0.55427, 0.01926),
    "S2": (0.65947, 0.01925),
    "S3": (0.86800, 0.02060),
    "S4": (1.37480, 0.02080),
    "S5": (1.61340, 0.06068),
    "S6": (2.25570, 0.05015),
    "S7": (3.742, 0.398),
    "S8": (10.854, 0.776),
    "S9": (12.0225, 0.905),
}
REFERENCE_UM = 0.55
_WAVELENGTHS_PER_BAND = 5
_RADII = 1500

# Rough crystals, as in Yang et al. (2013), J. Atmos. Sci. 70, 330. Thermal bands keep Mie's
# asymmetry, most of which is diffraction.
_ROUGH_ICE = {"S1": 0.77, "S2": 0.77, "S3": 0.77, "S4": 0.77, "S5": 0.80, "S6": 0.83, "S7": 0.87}


@dataclass(frozen=True, slots=True)
class Sizes:
    """A distribution of radii, um: gamma (spread is the variance) or lognormal (the deviation)."""

    effective_um: float
    spread: float
    lognormal: bool = False

    def numbers(self, radius_um: Array) -> Array:
        """Particles per unit of radius, to a factor."""
        if self.lognormal:
            # Effective radius of a lognormal distribution: median exp(5/2 ln^2 deviation).
            width = np.log(self.spread)
            median = self.effective_um * np.exp(-2.5 * width**2)
            numbers = np.exp(-0.5 * (np.log(radius_um / median) / width) ** 2) / radius_um
        else:
            # Hansen and Travis (1974), Space Sci. Rev. 16, 527, equation 2.56.
            power = 1 / self.spread - 3
            ratio = radius_um / self.effective_um
            numbers = ratio**power * np.exp(-ratio / self.spread)
        return np.asarray(numbers)


@dataclass(frozen=True, slots=True)
class Population:
    """Particles of one substance (volume shares of one or two) and one distribution of sizes."""

    shares: Mapping[str, float]
    sizes: Sizes
    radii_um: tuple[float, float]  # smallest and largest that count
    asymmetry: Mapping[str, float]  # where it is not Mie's


def _cloud(
    substance: str, radii: tuple[int, ...], asymmetry: Mapping[str, float]
) -> Iterator[tuple[str, Population]]:
    """Gamma distributions of variance .1, named by their effective radius."""
    for radius in radii:
        limits = (0.04 * min(radii), 6.0 * max(radii))
        yield (
            f"{substance}{radius}",
            Population({substance: 1.0}, Sizes(radius, 0.1), limits, asymmetry),
        )


POPULATIONS: dict[str, Population] = {
    **dict(_cloud("water", (4, 5, 6, 8, 10, 12, 14, 17, 20), {})),
    **dict(_cloud("ice", (12, 15, 20, 25, 30, 40, 55), _ROUGH_ICE)),
    # Transported Saharan dust: about as retrieved by AERONET, Dubovik et al. (2002).
    "dust": Population({"dust": 1.0}, Sizes(1.7, 2.0, lognormal=True), (0.01, 40.0), {}),
    # Smoke of forest fires: fine particles, single-scattering albedo about .94 at 0.55 um (Sayer
    # et al. 2014, Atmos. Chem. Phys. 14, 11493: .95 to .97 boreal, .88 to .90 grass and crops).
    "smoke": Population(
        {"water_soluble": 0.99, "soot": 0.01}, Sizes(0.17, 1.6, lognormal=True), (0.004, 4.0), {}
    ),
}


@cache
def _index_rows() -> dict[str, Array]:
    """Wavelength (um), n and k of each substance, from the shipped table."""
    path = resources.files("slstr_cloudmask.simulate") / "data" / "refractive_index.csv"
    lines = [line for line in path.read_text("utf-8").splitlines() if not line.startswith("#")]
    rows: dict[str, list[list[float]]] = {}
    for substance, *numbers in list(csv.reader(lines))[1:]:
        rows.setdefault(substance, []).append([float(number) for number in numbers])
    return {substance: np.array(values) for substance, values in rows.items()}


def refractive_index(shares: Mapping[str, float], wavelength_um: float) -> complex:
    """Return ``n - ik``, the mean by volume; n linear and k logarithmic between tabulated values.

    Raises
    ------
    InputError
        A wavelength between or beyond the bands, which the table leaves out.
    """
    total = 0j
    for substance, share in shares.items():
        wavelengths, n, k = _index_rows()[substance].T
        if not wavelengths[0] <= wavelength_um <= wavelengths[-1]:
            raise InputError(
                f"The refractive index of {substance} is tabulated from {wavelengths[0]:g} to "
                f"{wavelengths[-1]:g} um, not at {wavelength_um:g} um. Choose one of SLSTR's bands."
            )
        log_k = np.interp(np.log(wavelength_um), np.log(wavelengths), np.log(k))
        total += share * complex(np.interp(wavelength_um, wavelengths, n), -np.exp(log_k))
    return total


def _miepython() -> ModuleType:
    """Import the extra."""
    try:
        return importlib.import_module("miepython")
    except ModuleNotFoundError as error:
        raise InputError(
            "Mie tables are made with miepython, which is not installed. "
            "Install it with: pip install 'slstr-cloudmask[mie]'"
        ) from error


@cache
def _spheres(
    shares: tuple[tuple[str, float], ...], radii_um: tuple[float, float], wavelength_um: float
) -> tuple[Array, Array, Array, Array]:
    """Radii (um) evenly spaced in their logarithm; extinction, scattering, asymmetry there."""
    radius = np.geomspace(*radii_um, _RADII)
    index = refractive_index(dict(shares), wavelength_um)
    extinction, scattering, _, asymmetry = _miepython().efficiencies_mx(
        index, 2 * np.pi * radius / wavelength_um
    )
    return radius, extinction, scattering, asymmetry


def _bulk(population: Population, wavelength_um: float) -> Array:
    """Extinction, scattering, and asymmetry times scattering, per particle cross-section."""
    shares = tuple(population.shares.items())
    radius, extinction, scattering, asymmetry = _spheres(shares, population.radii_um, wavelength_um)
    # Cross-sections; the last factor is the step of the logarithmic grid.
    weight = population.sizes.numbers(radius) * radius**2 * radius
    return np.array(
        [
            np.average(quantity, weights=weight)
            for quantity in (extinction, scattering, asymmetry * scattering)
        ]
    )


def band_optics(name: str, band: str) -> tuple[float, float, float]:
    """Single-scattering albedo, extinction relative to 0.55 um and asymmetry in a band.

    Parameters
    ----------
    name
        A key of `POPULATIONS`.
    band
        ``S1`` ... ``S9``.

    Raises
    ------
    InputError
        miepython is not installed.
    """
    population = POPULATIONS[name]
    centre, width = BANDS_UM[band]
    # Midpoints of equal parts: the response is taken as flat over the width at half maximum.
    parts = (np.arange(_WAVELENGTHS_PER_BAND) + 0.5) / _WAVELENGTHS_PER_BAND - 0.5
    extinction, scattering, forward = np.mean(
        [_bulk(population, float(centre + width * part)) for part in parts], axis=0
    )
    reference = _bulk(population, REFERENCE_UM)[0]
    asymmetry = population.asymmetry.get(band, forward / scattering)
    return float(scattering / extinction), float(extinction / reference), float(asymmetry)


def table() -> str:
    """Return the text of ``data/mie.csv``: where it comes from, then three rows a population."""
    lines = [
        "# Scattering by particles in the bands of SLSTR: single-scattering albedo, extinction",
        "# relative to 0.55 um, asymmetry. Made by: python -m slstr_cloudmask.simulate.mie",
        f"# with miepython {_miepython().__version__}, from refractive_index.csv (sources there).",
        "# water*, ice*: gamma distributions, effective variance .1, named by effective radius in",
        "# um; ice as spheres, but the asymmetry in S1 to S7 is that of rough crystals. dust:",
        "# lognormal, effective radius 1.7 um, deviation 2.0. smoke: lognormal, .17 um, 1.6, 1 %",
        f"# of the volume soot. Means over {_WAVELENGTHS_PER_BAND} wavelengths of each band.",
        ",".join(["particles", "quantity", *BANDS_UM]),
    ]
    for name in POPULATIONS:
        columns = np.array([band_optics(name, band) for band in BANDS_UM]).T
        for quantity, values in zip(("albedo", "extinction", "asymmetry"), columns, strict=True):
            lines.append(",".join([name, quantity, *(f"{value:.6f}" for value in values)]))
    return "\n".join(lines) + "\n"


def main(arguments: list[str]) -> int:
    """Write the table to the path given, or over the package's own; return the exit status."""
    default = Path(__file__).parent / "data" / "mie.csv"
    try:
        write_bytes(Path(arguments[0]) if arguments else default, table().encode(), overwrite=True)
    except CloudMaskError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
