"""The provider's likelihoods: how probable what was seen is, under cloud and under clear sky.

As in the operational scheme (Merchant et al. 2005, Q. J. R. Meteorol. Soc. 131, 2735), the clear
density is a Gaussian about the forecast, and the cloudy one a table of what clouds looked like in
other scenes; texture has a table for each. The tables are `data/provider_tables.npz`, made of
simulated scenes by `provider_tables`.

The scheme is quoted from memory, not checked against the source named.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
import numpy.typing as npt

from slstr_cloudmask.simulate.clear import Bands
from slstr_cloudmask.simulate.forecast import Forecast
from slstr_cloudmask.simulate.fractal import Field
from slstr_cloudmask.simulate.smoothing import Scalar, local_spread

Flat = npt.NDArray[np.float32]
Index = npt.NDArray[np.intp]

LIGHTS = ("day", "twilight", "night")
TABLES = "provider_tables.npz"

# Edges of the tables' bins; values beyond the ends count to the outermost bins.
EDGES: dict[str, npt.NDArray[np.float32]] = {
    name: np.array(edges, np.float32)
    for name, edges in {
        # S8 minus forecast, K
        "anomaly": (
            *(-90, -50, -40, -32, -25, -20, -16, -13, -10.5, -8.5, -7, -5.6, -4.4, -3.4, -2.5),
            *(-1.8, -1.2, -0.6, 0, 0.6, 1.3, 2.2, 4, 7, 30),
        ),
        # S8 - S9, K
        "split": (-3, -0.4, 0, 0.25, 0.5, 0.75, 1, 1.3, 1.6, 2, 2.5, 3.2, 4.2, 8),
        # S7 - S8, K
        "difference": (
            *(-30, -6, -4, -3, -2.2, -1.6, -1.1, -0.7, -0.3, 0, 0.4, 0.9, 1.6, 2.8, 5, 9, 60),
        ),
        # reflectance
        "s3": (-0.2, 0.03, 0.05, 0.08, 0.12, 0.17, 0.23, 0.3, 0.4, 0.52, 0.66, 0.8, 3),
        "s5": (-0.2, 0.015, 0.03, 0.06, 0.1, 0.15, 0.21, 0.28, 0.36, 0.46, 0.6, 3),
        # logarithm of the standard deviation of S8 in 3 x 3 pixels, K
        "texture": (-6, -3.4, -2.9, -2.4, -1.9, -1.4, -0.9, -0.4, 0.1, 0.6, 1.1, 4),
    }.items()
}
# What each table is of. Over the sea by day the operational scheme uses .87 and 1.6 um, by night
# 3.7 um, in twilight neither.
FEATURES: dict[str, tuple[str, ...]] = {
    "day": ("anomaly", "split", "s3", "s5"),
    "twilight": ("anomaly", "split"),
    "night": ("anomaly", "split", "difference"),
}


@dataclass(frozen=True, slots=True)
class Seen:
    """Some pixels' evidence, flat: features by name, and whether they lie on land or ice."""

    features: Mapping[str, Flat]
    solid: npt.NDArray[np.bool_]


def evidence_of(bands: Bands, forecast: Forecast, where: Index, light: str) -> Seen:
    """Work out the features of some pixels."""

    def flat(values: npt.NDArray[Scalar]) -> npt.NDArray[Scalar]:
        return values.reshape(-1)[where]

    s8 = flat(bands["S8"])
    features = {"anomaly": s8 - flat(forecast.s8_kelvin), "split": s8 - flat(bands["S9"])}
    if light == "night":
        features["difference"] = flat(bands["S7"]) - s8
    if light == "day":
        features |= {"s3": flat(bands["S3"]), "s5": flat(bands["S5"])}
    return Seen(features, flat(forecast.solid))


def log_texture(bands: Bands) -> Field:
    """Logarithm of the standard deviation of S8 in 3 x 3 pixels, K."""
    return np.log(np.maximum(local_spread(bands["S8"]), np.float32(0.01)))


def log_clear(seen: Seen, forecast: Forecast, where: Index) -> Flat:
    """Logarithm of the density of what was seen under clear sky, by Gaussians."""

    def flat(values: Field) -> Flat:
        return values.reshape(-1)[where]

    solid, features = seen.solid, seen.features
    # Standard deviations, sea and solid ground: errors of the forecast and of the sensor, K.
    total = _gauss(features["anomaly"], np.where(solid, 3.2, 0.7))
    total += _gauss(features["split"] - flat(forecast.split_kelvin), np.where(solid, 0.6, 0.2))
    if "difference" in features:
        expected = flat(forecast.s7_minus_s8_kelvin)
        total += _gauss(features["difference"] - expected, np.where(solid, 1.2, 0.22))
    if "s3" in features:
        total += _gauss(features["s3"] - flat(forecast.s3), flat(forecast.s3_spread))
        total += _gauss(features["s5"] - flat(forecast.s5), flat(forecast.s5_spread))
    return total


def log_cloudy(seen: Seen, light: str) -> Flat:
    """Logarithm of the density of what was seen under cloud, from the tables."""
    names = FEATURES[light]
    cell = table_index([seen.features[name] for name in names], names)
    return _looked_up(f"{light}_cloud", cell, seen.solid)


def log_texture_ratio(texture: Flat, solid: npt.NDArray[np.bool_]) -> Flat:
    """Logarithm of the ratio of a texture's densities under cloud and under clear sky."""
    cell = table_index([texture], ("texture",))
    return _looked_up("texture_cloud", cell, solid) - _looked_up("texture_clear", cell, solid)


def table_index(values: list[Flat], names: tuple[str, ...]) -> Index:
    """Cell of a table, flat, in which each pixel falls."""
    index = np.zeros(values[0].shape, np.intp)
    for value, name in zip(values, names, strict=True):
        inner = EDGES[name][1:-1]
        index = index * (len(inner) + 1) + np.searchsorted(inner, value)
    return index


def _looked_up(name: str, cell: Index, solid: npt.NDArray[np.bool_]) -> Flat:
    table = _tables()[name]  # (2, cells): sea, solid
    return np.asarray(np.where(solid, table[1][cell], table[0][cell]), np.float32)


@cache
def _tables() -> dict[str, Flat]:
    source = files("slstr_cloudmask.simulate") / "data" / TABLES
    with source.open("rb") as file, np.load(file) as archive:
        return {
            name: archive[name].astype(np.float32).reshape(2, -1)
            for name in archive.files
            if archive[name].dtype.kind == "f"
        }


def _gauss(distance: Flat, sigma: npt.ArrayLike) -> Flat:
    """Logarithm of a Gaussian density; its tails end at 5.5 sigma, as of one with outliers."""
    sigma32 = np.asarray(sigma, np.float32)
    scaled = np.minimum(np.abs(distance / sigma32), np.float32(5.5))
    constant = np.float32(0.5 * np.log(2 * np.pi))
    return np.asarray(np.float32(-0.5) * scaled**2 - np.log(sigma32) - constant, np.float32)
