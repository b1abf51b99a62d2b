"""What clear sky is usually like at a place and a day, with no weather model.

    usual = usual_kelvin(latitude_deg, day=280)  # of sea and of land, with spreads
    usual_split_kelvin(kelvin, secant)

Zonal means with a season: ``data/climatology.csv``, which names its sources. It bounds what the
scene's own warm pixels are taken for where all of them may be cloud.
"""

import csv
import math
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
import numpy.typing as npt

Flat = npt.NDArray[np.float32]

ZERO_CELSIUS = 273.15
# The sea lags the sun by ten weeks, the land by four: day of the year when the north is warmest.
_SEA_WARMEST_DAY, _LAND_WARMEST_DAY = 240, 203


@dataclass(frozen=True, slots=True)
class Usual:
    """Temperature of the sea's surface and of the air over land, K, and how far both vary."""

    sea_kelvin: Flat
    sea_spread_kelvin: Flat
    land_kelvin: Flat
    land_spread_kelvin: Flat


def usual_kelvin(latitude_deg: Flat, day: int | None) -> Usual:
    """Look up the climate.

    Parameters
    ----------
    latitude_deg
        North positive.
    day
        Of the year, 1 to 366; None where it is not known: the year's mean, and more spread.
    """
    table = _table()

    def at(name: str) -> Flat:
        values = np.interp(latitude_deg, table["latitude"], table[name])
        return np.asarray(values, np.float32)

    found: list[Flat] = []
    for surface, warmest in (("sea", _SEA_WARMEST_DAY), ("land", _LAND_WARMEST_DAY)):
        mean = np.asarray(at(f"{surface}_mean") + np.float32(ZERO_CELSIUS), np.float32)
        amplitude = at(f"{surface}_amplitude")
        spread = at(f"{surface}_spread")
        if day is None:
            # A cosine's standard deviation.
            spread = np.asarray(np.hypot(spread, amplitude / math.sqrt(2)), np.float32)
        else:
            phase = math.cos(2 * math.pi * (day - warmest) / 365.25)
            # The seasons turn over at the equator.
            season = np.clip(latitude_deg / 10, -1, 1) * np.float32(phase)
            mean = np.asarray(mean + amplitude * season, np.float32)
        found += [mean, spread]
    return Usual(*found)


def usual_vapour_mm(kelvin: Flat) -> Flat:
    """Column of water vapour over ground of some temperature, mm.

    Relative humidity of 70 % and a scale height of 2.1 km: 11 mm at 280 K and 37 mm at 300 K; and
    what is advected over cold ground, 3 mm.
    """
    celsius = np.asarray(kelvin, np.float32) - np.float32(ZERO_CELSIUS)
    # Magnus's formula, hPa (Alduchov and Eskridge 1996, J. Appl. Meteor. 35, 601).
    pressure = np.float32(6.11) * np.exp(
        np.float32(17.62) * celsius / (celsius + np.float32(243.1))
    )
    # Density at the ground, 216.7 e / T g m-3, times 2.1 km.
    return np.asarray(3 + np.float32(0.7 * 2.1 * 216.7) * pressure / kelvin, np.float32)


def usual_split_kelvin(kelvin: Flat, secant: npt.ArrayLike) -> Flat:
    """11 minus 12 um of clear sky with the usual moisture, K.

    Parameters
    ----------
    kelvin
        S8 of clear sky; beyond 305 K the ground is dry and the air as moist as at 305 K.
    secant
        1 / cos(view zenith angle).
    """
    vapour = usual_vapour_mm(np.minimum(kelvin, np.float32(305)))
    # Textbook values: 1.6 to 2.2 K at 50 mm, .2 K at 5 mm.
    split = 0.05 + vapour * (np.float32(0.015) + np.float32(0.0003) * vapour)
    return np.asarray(split * np.asarray(secant, np.float32) ** np.float32(0.9), np.float32)


def usual_difference_kelvin(kelvin: Flat, secant: npt.ArrayLike) -> Flat:
    """3.7 minus 11 um of clear sky with the usual moisture at night, K; as `usual_split_kelvin`."""
    vapour = usual_vapour_mm(np.minimum(kelvin, np.float32(305)))
    # Dry gases take more at 3.7 um, vapour less: 1.5 K less at 40 mm.
    difference = -0.5 + vapour * (np.float32(0.008) + np.float32(0.0009) * vapour)
    return np.asarray(difference * np.asarray(secant, np.float32) ** np.float32(0.9), np.float32)


@cache
def _table() -> dict[str, Flat]:
    text = (files("slstr_cloudmask.detectors") / "data" / "climatology.csv").read_text("utf-8")
    rows = list(csv.DictReader(line for line in text.splitlines() if not line.startswith("#")))
    return {name: np.array([float(row[name]) for row in rows], np.float32) for name in rows[0]}
