"""Cloud layers: where they are, how thick, how high and how cold.

The catalogue of cloud kinds, with how often each occurs in a climate, gives up to three decks per
scene. Each becomes a `CloudLayer` whose optical depth follows a fractal field above a level.
"""

import math
from dataclasses import dataclass

import numpy as np

from slstr_cloudmask.simulate.catalogue import CATALOGUE, CLIMATES, CloudKind
from slstr_cloudmask.simulate.fractal import Field, cell_field, exceedance_level, fractal_field
from slstr_cloudmask.simulate.surface import Surface

TROPOPAUSE_KELVIN = 208.0


@dataclass(frozen=True, slots=True)
class CloudLayer:
    """One deck: optical depth at 0.55 um (rows, columns), top height km, temperature K."""

    kind: str
    particles: str
    top_km: float
    tau: Field
    top_kelvin: Field


def draw_clouds(rng: np.random.Generator, climate: str, surface: Surface) -> list[CloudLayer]:
    """Draw a scene's decks, lowest first.

    Parameters
    ----------
    rng
        Source of randomness.
    climate
        A key of `CLIMATES`.
    surface
        What lies below: shape, temperatures and heights.
    """
    layers = []
    for deck in CLIMATES[climate]:
        names = list(deck)
        weights = [*deck.values(), 1.0 - sum(deck.values())]
        choice = int(rng.choice(len(weights), p=weights))
        if choice < len(names):
            layers.append(_draw_layer(rng, CATALOGUE[names[choice]], surface))
    if rng.random() < 0.1:
        layers.append(_contrails(rng, surface))
    return layers


def column_optical_depth(layers: list[CloudLayer], shape: tuple[int, int]) -> Field:
    """Sum of the layers' optical depths at 0.55 um."""
    total = np.zeros(shape, np.float32)
    for layer in layers:
        total += layer.tau
    return total


def _draw_layer(rng: np.random.Generator, kind: CloudKind, surface: Surface) -> CloudLayer:
    shape = surface.land.shape
    angle = float(rng.uniform(0, math.pi))
    anisotropy = float(rng.uniform(*kind.anisotropy))
    place = fractal_field(
        rng,
        shape,
        slope=kind.slope,
        outer_scale_px=kind.outer_scale_px,
        anisotropy=anisotropy,
        angle_rad=angle,
    )
    if kind.cells_km is not None:
        place = _add_cells(rng, kind, kind.cells_km, place)
    if kind.name in ("cumulus", "storms"):
        place = place + np.float32(0.7) * fractal_field(rng, shape, slope=3.2)
    cover = float(rng.uniform(*kind.cover))
    if kind.name == "cumulus":
        cover *= 0.5 + 0.5 * float(surface.land.mean() < 0.5)
    if kind.name == "fog":
        # Fog lies over cold water and in valleys.
        place = place - surface.elevation_km * 2
    excess = np.maximum(place - np.float32(exceedance_level(place, cover)), 0)
    texture = fractal_field(
        rng, shape, slope=min(kind.slope, 2.6), anisotropy=anisotropy, angle_rad=angle
    )
    tau = np.float32(kind.tau) * np.exp(
        np.float32(kind.log_sigma) * (texture - np.float32(0.5) * np.float32(kind.log_sigma))
    )
    tau *= 1 - np.exp(-((excess / np.float32(kind.softness)) ** np.float32(1.3)))
    top_km = float(rng.uniform(*kind.top_km))
    return CloudLayer(
        kind=kind.name,
        particles=str(rng.choice(kind.particles)),
        top_km=top_km,
        tau=tau.astype(np.float32),
        top_kelvin=_top_kelvin(rng, kind, top_km, excess, surface),
    )


def _add_cells(
    rng: np.random.Generator, kind: CloudKind, cells_km: tuple[float, float], place: Field
) -> Field:
    """Break a field up: cloud in the middles of closed cells, on the rims of open ones."""
    shape = (place.shape[0], place.shape[1])
    cells = cell_field(rng, shape, spacing_px=float(rng.uniform(*cells_km)))
    signed = cells - np.float32(0.62)
    if kind.name == "closed_cells":
        signed = -signed
    rough = fractal_field(rng, shape, slope=2.2, outer_scale_px=20)
    return np.asarray(place + np.float32(2.4) * signed + np.float32(0.25) * rough)


def _top_kelvin(
    rng: np.random.Generator, kind: CloudKind, top_km: float, excess: Field, surface: Surface
) -> Field:
    """Temperature of the top: a lapse rate from the air at the ground, or an inversion."""
    lapse_k_per_km = np.float32(rng.uniform(5.5, 7.0))
    # Thicker parts reach higher, as far as the kind's range allows.
    height_km = np.float32(top_km) * (1 + np.float32(0.1) * np.tanh(excess))
    kelvin = surface.air_kelvin - lapse_k_per_km * height_km
    if top_km < 1.5 and surface.mean_latitude_deg > 55:
        # Inversion of 0-6 K near .7 km, common in the Arctic: tops can be warmer than the ground.
        inversion = rng.uniform(0, 6) * math.exp(-(((top_km - 0.7) / 0.6) ** 2))
        kelvin = kelvin + np.float32(inversion)
    return np.maximum(kelvin, np.float32(TROPOPAUSE_KELVIN)).astype(np.float32)


def _contrails(rng: np.random.Generator, surface: Surface) -> CloudLayer:
    """Draw a few straight lines, one to three kilometres wide, of small ice crystals."""
    rows, columns = surface.land.shape
    row, column = np.mgrid[0:rows, 0:columns].astype(np.float32)
    tau = np.zeros((rows, columns), np.float32)
    heading = rng.uniform(0, math.pi)
    for _ in range(int(rng.integers(2, 7))):
        angle = heading + rng.normal(0, 0.15)
        across = (column - rng.uniform(0, columns)) * math.sin(angle)
        across = across - (row - rng.uniform(0, rows)) * math.cos(angle)
        width = rng.uniform(0.8, 1.8)
        tau += np.float32(rng.uniform(0.2, 0.6)) * np.exp(-((across / width) ** 2))
    fade = fractal_field(rng, (rows, columns), slope=2.8)
    tau = (tau * np.clip(fade + 0.6, 0, 1)).astype(np.float32)
    top_km = float(rng.uniform(9.5, 11.5))
    kelvin = np.maximum(
        surface.air_kelvin - np.float32(6.3 * top_km), np.float32(TROPOPAUSE_KELVIN)
    )
    return CloudLayer("contrails", "ice15", top_km, tau, kelvin.astype(np.float32))
