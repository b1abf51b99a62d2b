"""F1 where S7 saturates: both measure at 3.7 um, F1 with a range for fires.

    s7, from_fire = fill_from_fire(product, places, s7, ("S7_BT_in", "F1_BT_fn"))

F1 is noisier, and has detectors and a grid of its own, so S7 stays wherever it has a value that
can be trusted.
"""

from dataclasses import replace

import numpy as np

from slstr_cloudmask.flags import BoolArray
from slstr_cloudmask.io.product_store import Product
from slstr_cloudmask.io.regrid import fit_to_grid
from slstr_cloudmask.io.sen3_cartesian import Places
from slstr_cloudmask.io.sen3_layout import measurement_grid
from slstr_cloudmask.io.sen3_measurement import Measurement, read_measurement
from slstr_cloudmask.scene import FloatArray

# S7 saturates between here and 313 K (product of August 2021, against F1). Below, F1 adds noise.
S7_SATURATION_KELVIN = 311.0


def fill_from_fire(
    product: Product, places: Places, s7: Measurement, stems: tuple[str, str]
) -> tuple[Measurement, BoolArray]:
    """Take F1 where S7 is out of its range, and is missing or both say that it saturates.

    Parameters
    ----------
    product, places
        Where the files and the measurements lie.
    s7
        As read.
    stems
        Files of S7 and of F1, without ``.nc``.

    Returns
    -------
    filled, from_fire
        S7, and where it is F1's now, boolean (rows, columns).
    """
    fire = _fire_at(product, places, s7, stems)
    at_its_end = s7.saturated | (s7.values > S7_SATURATION_KELVIN)
    hot = np.isnan(s7.values) | (at_its_end & (fire > S7_SATURATION_KELVIN))
    from_fire = np.asarray(s7.out_of_range & hot & np.isfinite(fire))
    return replace(s7, values=np.where(from_fire, fire, s7.values)), from_fire


def is_collocated(places: Places, stems: tuple[str, str]) -> bool:
    """Whether the nearest of F1's measurements are taken, or those of the same row and column."""
    own, other = (measurement_grid(stem) for stem in stems)
    return own != other and places.known(own) and places.known(other)


def _fire_at(
    product: Product, places: Places, s7: Measurement, stems: tuple[str, str]
) -> FloatArray:
    """F1 at the pixels of S7: the nearest measurement where the product tells positions."""
    own, other = (measurement_grid(stem) for stem in stems)
    near = is_collocated(places, stems)
    fire = read_measurement(product, stems[1], orphans=near)
    if not near:
        return fit_to_grid(fire.values, s7.grid, np.nan, fire.path, fire.grid)
    where = s7.out_of_range
    found = places.neighbours(other, own, count=1, grid=s7.grid, where=where)
    result = np.full(s7.values.shape, np.nan, np.float32)
    result[where] = places.mean(found, other, fire)
    return result
