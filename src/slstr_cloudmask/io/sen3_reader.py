"""Reads one view of a product on one grid, piece by piece and each piece once.

    reader = SceneReader(product, Options(view="oblique"))
    reader.band("S8"), reader.solar_zenith_deg, reader.flag("bayes")

What several pieces need is kept: angles, positions, unfilled pixels, nearest neighbours.
"""

import logging
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from slstr_cloudmask import channels
from slstr_cloudmask.errors import InputError
from slstr_cloudmask.flags import BoolArray
from slstr_cloudmask.io.collocation import Neighbours
from slstr_cloudmask.io.geolocation import Grid, coarser, finer
from slstr_cloudmask.io.product_name import ProductName, parse_product_name
from slstr_cloudmask.io.product_store import Product
from slstr_cloudmask.io.radiometry import radiance_to_reflectance, solar_irradiance
from slstr_cloudmask.io.regrid import (
    check_halves,
    fit_to_grid,
    to_half_kilometre,
    to_kilometre,
)
from slstr_cloudmask.io.sen3_cartesian import Places
from slstr_cloudmask.io.sen3_file import ProductFile
from slstr_cloudmask.io.sen3_fire import fill_from_fire, is_collocated
from slstr_cloudmask.io.sen3_flags import bit, flag_attributes, read_flags, unfilled
from slstr_cloudmask.io.sen3_geolocation import TiedZeniths, read_positions, read_tied_zeniths
from slstr_cloudmask.io.sen3_layout import Layout, measurement_grid
from slstr_cloudmask.io.sen3_measurement import (
    Detectors,
    Measurement,
    read_detectors,
    read_measurement,
)
from slstr_cloudmask.radiometry import ADJUSTMENT, RADIOMETRIES
from slstr_cloudmask.scene import FloatArray

logger = logging.getLogger(__name__)

Regrid = Literal["mean", "collocated"]
REGRIDS: tuple[Regrid, ...] = get_args(Regrid)

# From this baseline collection on, the radiances are distributed with the vicarious adjustment
# applied (EUMETSAT, new processing baseline for Sentinel-3 SLSTR Level 1).
FIRST_ADJUSTED_BASELINE = 5


@dataclass(frozen=True, slots=True)
class Options:
    """How a product is read: as the parameters of `slstr_cloudmask.io.open_scene`."""

    view: str = "nadir"
    grid: str = "1km"
    stripe: str = "a"
    radiometry: str | None = None
    regrid: str = "mean"
    fill_s7: bool = True

    def __post_init__(self) -> None:
        if self.radiometry not in (None, *RADIOMETRIES):
            raise InputError(
                f"Unknown radiometry {self.radiometry!r}: expected {' or '.join(RADIOMETRIES)}."
            )
        if self.regrid not in REGRIDS:
            raise InputError(f"Unknown regrid {self.regrid!r}: expected {' or '.join(REGRIDS)}.")


class SceneReader:
    """One view of a product on one grid.

    Parameters
    ----------
    product
        Made by `open_product`.
    options
        Which view and grid, and how.

    Raises
    ------
    InputError
        The product holds no band of that view, an option does not exist, or the product lacks
        what it needs.
    """

    def __init__(self, product: Product, options: Options) -> None:
        self.product = product
        self.options = options
        self.layout = Layout(product.names, options.view, options.grid, options.stripe)
        self.bands = self.layout.bands()
        if not self.bands:
            raise InputError(
                f"{product.location} holds no band of the {options.view} view: expected any of "
                f"{', '.join(channels.NAMES)}, in files such as {self.layout.on('S8_BT', 'i')}.nc. "
                "Download the product again, with its measurements."
            )
        self._leave_out_what_has_no_angles()
        self._places = Places(product, self.layout)
        self._detectors: dict[str, Detectors] = {}
        self._neighbours: dict[str, Neighbours] = {}
        self.grid, self.attributes = self._place()
        flags = self.layout.own("flags")
        self.flags = flag_attributes(product, flags) if self.layout.has(flags) else {}
        self._check_can()

    def _leave_out_what_has_no_angles(self) -> None:
        """Leave out the reflective bands where nothing tells the solar zenith angle."""
        geometry = self.layout.on("geometry", "t")
        reflective = [name for name in self.bands if name in channels.REFLECTANCE_NAMES]
        if not reflective or self.layout.has(geometry):
            return
        lacking = (
            f"{self.product.location} holds no {geometry}.nc, and without the solar zenith angle "
            f"in it {', '.join(reflective)} cannot be turned into reflectance"
        )
        if len(reflective) == len(self.bands):
            raise InputError(f"{lacking}. Download the product again.")
        logger.warning("%s: left out.", lacking)
        self.bands = {name: self.bands[name] for name in self.bands if name not in reflective}

    def _check_can(self) -> None:
        """Refuse at once what the product cannot give."""
        if self.options.regrid == "collocated":
            letters = {measurement_grid(stem) for stem in self.bands.values()}
            if letters - {self._letter}:
                self._places.check(*sorted(letters | {self._letter}))
        if any(name in channels.REFLECTANCE_NAMES for name in self.bands):
            self._radiometric_factor("S1")

    def _place(self) -> tuple[Grid, dict[str, Any]]:
        """Find the scene's grid, and what a file says of the product."""
        for stem, variable in self.layout.placing():
            with ProductFile(self.product, stem) as file:
                if variable == stem or variable in file:
                    grid, attributes = file.grid(variable), file.attributes()
                    break
        if measurement_grid(stem) == "i":
            return (grid if self.options.grid == "1km" else finer(grid)), attributes
        return (coarser(grid) if self.options.grid == "1km" else grid), attributes

    @cached_property
    def name(self) -> ProductName | None:
        """The product's name, by what its files say or else by its folder."""
        original = str(self.attributes.get("product_name", "")).strip()
        stored, given = parse_product_name(original), parse_product_name(self.product.name)
        if stored and given and stored.stem != given.stem:
            logger.warning(
                "%s is another product by its files: %s; they are believed.",
                self.product.name,
                original,
            )
        return stored or given

    @property
    def distributed_radiometry(self) -> str | None:
        """Radiometry of the product itself; None where its baseline is not known."""
        if self.name is None or not self.name.baseline.isdigit():
            return None
        adjusted = int(self.name.baseline) >= FIRST_ADJUSTED_BASELINE
        return "adjusted" if adjusted else "as_distributed"

    @cached_property
    def positions(self) -> tuple[FloatArray, FloatArray]:
        """Latitude and longitude, degrees."""
        return read_positions(self.product, self.layout, self.grid)

    @cached_property
    def solar_zenith_deg(self) -> FloatArray:
        """Solar zenith angle, degrees."""
        return self._tied_zeniths.on(self.grid, "solar")

    @cached_property
    def satellite_zenith_deg(self) -> FloatArray:
        """Satellite zenith angle, degrees."""
        return self._tied_zeniths.on(self.grid, "sat")

    @cached_property
    def _tied_zeniths(self) -> TiedZeniths:
        return read_tied_zeniths(self.product, self.layout)

    @cached_property
    def _flag_values(self) -> dict[str, npt.NDArray[Any]]:
        return read_flags(self.product, self.layout.own("flags"), self.flags, self.grid)

    @cached_property
    def unfilled(self) -> BoolArray:
        """Pixels of which nothing is known."""
        if "confidence" not in self.flags:
            return np.zeros((self.grid.rows, self.grid.columns), bool)
        return unfilled(self._flag_values["confidence"], self.flags["confidence"])

    def flag(self, name: str) -> npt.NDArray[Any]:
        """Values of a flag; cloud flags are unknown where a pixel is unfilled.

        The product sets some of their bits there, by its surface maps alone.
        """
        values = self._flag_values[name]
        if name == "confidence":
            return values
        return np.where(self.unfilled, self.flags[name].attrs["_FillValue"], values)

    def summary_cloud(self) -> BoolArray:
        """Where the product's summary says cloud."""
        return bit(self._flag_values["confidence"], self.flags["confidence"], "summary_cloud")

    def band(self, name: str) -> FloatArray:
        """Reflectance (unit 1) or brightness temperature (K), NaN where nothing was measured."""
        if name == "S7":
            values = self._s7[0]
        else:
            measurement = self._read(self.bands[name])
            if name in channels.REFLECTANCE_NAMES:
                values = self._reflectance(name, measurement)
            else:
                values = self._onto_grid(self.bands[name], measurement)
        values[self.unfilled] = np.nan
        return values

    def _read(self, stem: str) -> Measurement:
        return read_measurement(self.product, stem, orphans=self._is_collocated(stem))

    @cached_property
    def _s7(self) -> tuple[FloatArray, BoolArray]:
        """S7, and where it comes from F1, on the scene's grid."""
        stem, fire_stem = self.bands["S7"], self.layout.fire_band()
        s7, from_fire = self._read(stem), None
        if self.options.fill_s7 and fire_stem is not None and s7.out_of_range.any():
            s7, from_fire = fill_from_fire(self.product, self._places, s7, (stem, fire_stem))
        placed = self._onto_grid(stem, s7)
        if from_fire is None:
            return placed, np.zeros(placed.shape, bool)
        if s7.grid == self.grid:
            return placed, from_fire
        as_share = replace(s7, values=from_fire.astype(np.float32), orphans=None)
        share = self._onto_grid(stem, as_share)
        return placed, np.asarray(share > 0)

    @property
    def fire_words(self) -> str | None:
        """How F1 comes into S7's place; None where it does not."""
        fire = self.layout.fire_band()
        if not self.options.fill_s7 or "S7" not in self.bands or fire is None:
            return None
        if is_collocated(self._places, (self.bands["S7"], fire)):
            return "F1 collocated: the nearest measurement on the ground"
        return "F1 pixel for pixel: the product does not tell where both lie on the ground"

    def from_f1(self) -> BoolArray:
        """Where S7 is F1's, since S7 saturates there."""
        return self._s7[1] & ~self.unfilled

    def _reflectance(self, name: str, measurement: Measurement) -> FloatArray:
        """From radiance to reflectance on the scene's grid, in the radiometry that is wanted."""
        stem = self.bands[name]
        irradiance = solar_irradiance(self.product, stem, self.name.start if self.name else None)
        indices = self.layout.on("indices", measurement_grid(stem))
        if np.ptp(irradiance) > 0 and self.layout.has(indices):
            if indices not in self._detectors:
                self._detectors[indices] = read_detectors(self.product, indices)
            measurement = self._detectors[indices].even_out(measurement, irradiance)
        radiance = self._onto_grid(stem, measurement)
        mean = float(irradiance.mean()) / self._radiometric_factor(name)
        return radiance_to_reflectance(radiance, mean, self.solar_zenith_deg)

    def _radiometric_factor(self, name: str) -> float:
        """Factor from the product's radiometry to the one that is wanted."""
        wanted, own = self.options.radiometry, self.distributed_radiometry
        if wanted is None or wanted == own:
            return 1.0
        if own is None:
            raise InputError(
                f"{self.product.location} does not say its baseline, so its reflectances cannot "
                f"be brought to {wanted!r}: expected a folder named by the mission, or files that "
                "hold the product's name. Leave the radiometry out to read them as they are."
            )
        factor = ADJUSTMENT[self.options.view][name]
        return factor if wanted == "adjusted" else 1 / factor

    def _onto_grid(self, stem: str, measurement: Measurement) -> FloatArray:
        """Bring values from a measurement's grid to the scene's."""
        values, own, path = measurement.values, measurement.grid, measurement.path
        if self._is_collocated(stem):
            return self._collocated(measurement_grid(stem), measurement)
        if own.along_m < self.grid.along_m:
            check_halves(own, self.grid, path)
            return to_kilometre(values, own, self.grid)
        if own.along_m > self.grid.along_m:
            check_halves(self.grid, own, path)
            return to_half_kilometre(values, own, self.grid, np.nan)
        return fit_to_grid(values, self.grid, np.nan, path, own)

    def _is_collocated(self, stem: str) -> bool:
        return self.options.regrid == "collocated" and measurement_grid(stem) != self._letter

    def _collocated(self, letter: str, measurement: Measurement) -> FloatArray:
        """Nearest measurements: four of 500 m for a pixel of 1 km, else one."""
        if letter not in self._neighbours:
            count = 4 if self._letter == "i" else 1
            self._neighbours[letter] = self._places.neighbours(
                letter, self._letter, count=count, grid=self.grid
            )
        mean = self._places.mean(self._neighbours[letter], letter, measurement)
        return mean.reshape(self.grid.rows, self.grid.columns)

    @property
    def _letter(self) -> str:
        """Letter of the scene's own grid."""
        return measurement_grid(self.layout.own("flags"))
