"""Kinds of ground: their spectra, and where each lies.

To add a kind: a member of `Ground`, a row in `REFLECTANCE` and in `EMISSIVITY`, and a line in
`classify` that says where it lies.

Numbers from the literature are quoted from memory, not checked against the sources named.
"""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from slstr_cloudmask.simulate.climate import aridity, degrees_beyond_ice_edge
from slstr_cloudmask.simulate.fractal import Canvas, Field, gaussian_level

Kinds = npt.NDArray[np.uint8]


class Ground(IntEnum):
    """Kinds of ground, as rows of `REFLECTANCE` and `EMISSIVITY`."""

    OCEAN = 0
    FOREST = 1
    GRASS = 2
    SHRUB = 3
    DESERT = 4
    OLD_SNOW = 5
    FRESH_SNOW = 6
    SEA_ICE = 7
    THIN_ICE = 8
    INLAND_WATER = 9


# Spectra like those of the ASTER/ECOSTRESS library's classes (Baldridge et al. 2009, Remote Sens.
# Environ. 113, 711), S1 ... S6.
REFLECTANCE = np.array(
    [
        [0.010, 0.004, 0.002, 0.000, 0.001, 0.001],
        [0.06, 0.04, 0.34, 0.25, 0.19, 0.08],
        [0.09, 0.09, 0.28, 0.28, 0.27, 0.17],
        [0.13, 0.18, 0.25, 0.28, 0.31, 0.27],
        [0.19, 0.30, 0.38, 0.43, 0.47, 0.43],
        [0.85, 0.83, 0.76, 0.28, 0.09, 0.07],
        [0.88, 0.87, 0.82, 0.36, 0.16, 0.13],
        [0.65, 0.62, 0.52, 0.18, 0.07, 0.05],
        [0.15, 0.13, 0.09, 0.02, 0.02, 0.015],
        [0.030, 0.022, 0.010, 0.002, 0.003, 0.002],
    ],
    np.float32,
)
# Emissivities like that library's in S7, S8 and S9.
EMISSIVITY = np.array(
    [
        [0.975, 0.990, 0.985],
        [0.975, 0.980, 0.983],
        [0.970, 0.975, 0.978],
        [0.91, 0.96, 0.97],
        [0.86, 0.945, 0.965],
        [0.986, 0.992, 0.989],
        [0.983, 0.990, 0.987],
        [0.988, 0.990, 0.989],
        [0.98, 0.988, 0.985],
        [0.975, 0.990, 0.985],
    ],
    np.float32,
)
WATER = (Ground.OCEAN, Ground.INLAND_WATER)
SNOW = (Ground.OLD_SNOW, Ground.FRESH_SNOW)
SEA_ICE = (Ground.SEA_ICE, Ground.THIN_ICE)
FROZEN = (*SNOW, *SEA_ICE)


@dataclass(frozen=True, slots=True)
class GroundMap:
    """What the map shows, per pixel: shares 0 to 1, and km to the nearest coast."""

    land_share: Field
    lake_share: Field
    glacier_share: Field
    coast_distance_km: Field


@dataclass(frozen=True, slots=True)
class Where:
    """Per pixel: place (degrees), day of the year, air at sea level (K), heights (km)."""

    latitude_deg: Field
    longitude_deg: Field
    day: int
    air_kelvin: Field
    elevation_km: Field


def is_one_of(ground: Kinds, kinds: tuple[Ground, ...]) -> npt.NDArray[np.bool_]:
    """Where the ground is of any of some kinds."""
    table = np.zeros(256, bool)
    table[list(kinds)] = True
    return np.asarray(table[ground])


def classify(canvas: Canvas, ground_map: GroundMap, where: Where, patches: Field) -> Kinds:
    """Choose the kind of ground of every pixel.

    Parameters
    ----------
    canvas
        Of the scene.
    ground_map
        Land, lakes and glaciers.
    where
        Place, day, air and heights.
    patches
        A field that varies the borders of kinds.
    """
    land = ground_map.land_share >= 0.5
    ground = np.zeros(canvas.shape, np.uint8)
    _freeze_sea(canvas, ground, land, where)
    if land.any():
        _cover_land(canvas, ground, land, ground_map, where, patches)
    return ground


def _cover_land(
    canvas: Canvas,
    ground: Kinds,
    land: npt.NDArray[np.bool_],
    ground_map: GroundMap,
    where: Where,
    patches: Field,
) -> None:
    away = np.abs(where.latitude_deg)
    cover = np.where(patches > 0, Ground.FOREST, Ground.GRASS).astype(np.uint8)
    cover[away < 10] = Ground.FOREST
    cover[(away > 67) | ((away > 60) & (patches < -1.2))] = Ground.SHRUB  # tundra
    dry = aridity(where.latitude_deg, where.longitude_deg) + np.float32(0.2) * patches
    cover[dry > 0.35] = Ground.SHRUB
    cover[dry > 0.7] = Ground.DESERT
    # Snow lies where it is below freezing at the ground's height, with patches.
    cold = where.air_kelvin - 6 * where.elevation_km + np.float32(2.5) * patches
    cover[cold < 271] = Ground.OLD_SNOW
    cover[cold < 262] = Ground.FRESH_SNOW
    ice = ground_map.glacier_share >= 0.5
    cover[ice] = np.where(patches[ice] > 0.5, Ground.FRESH_SNOW, Ground.OLD_SNOW)
    # Lakes of the map, and small ones: many where the ice sheets lay.
    share = np.where((away > 55) & (away < 70), 0.03, 0.004)
    ponds = canvas.fractal(slope=2.3, outer_km=25)
    water = (ground_map.lake_share >= 0.5) | (ponds > _level(share))
    water &= (cold > 268) & ~ice & (dry < 0.6)
    cover[water] = Ground.INLAND_WATER
    ground[land] = cover[land]


def _level(share: npt.NDArray[np.floating]) -> Field:
    """Level of a Gaussian field that each of two shares exceeds."""
    high, low = float(share.max()), float(share.min())
    return np.where(share == high, gaussian_level(high), gaussian_level(low)).astype(np.float32)


def _freeze_sea(canvas: Canvas, ground: Kinds, land: npt.NDArray[np.bool_], where: Where) -> None:
    """Cover the sea beyond the ice edge: floes, leads between them, new ice at the margin."""
    beyond = degrees_beyond_ice_edge(where.latitude_deg, where.longitude_deg, where.day)
    beyond = beyond + np.float32(canvas.rng.normal(0, 0.7))
    if not (beyond > -3).any():
        return
    margin = beyond + canvas.fractal(slope=3.0, outer_km=300)
    # The ice thickens and closes over about three degrees of latitude.
    floes = canvas.fractal(slope=2.2, outer_km=40)
    concentration = np.clip(margin / 3, 0, 1)
    closed = floes < np.float32(3.5) * concentration - np.float32(0.8)
    angle = float(canvas.rng.uniform(0, np.pi))
    cracks = canvas.fractal(slope=2.6, outer_km=200, anisotropy=3, angle_rad=angle)
    lead = np.abs(cracks) < 0.035
    sea_ice = (margin > 0) & ~land
    ground[sea_ice & closed] = Ground.SEA_ICE
    # Between floes and in leads, new ice where the pack is close and open water at the margin.
    ground[sea_ice & (~closed | lead) & (concentration > 0.3)] = Ground.THIN_ICE
