"""Cloud layers: where they are, how thick, how high and how cold.

The weather of a scene says which kinds of cloud lie over one another. Each becomes a `CloudLayer`
whose optical depth follows a fractal field above a level.

Numbers from the literature are quoted from memory, not checked against the sources named.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from slstr_cloudmask.simulate.catalogue import (
    CATALOGUE,
    CLIMATES,
    KIND_NUMBERS,
    WEATHERS,
    CloudKind,
)
from slstr_cloudmask.simulate.fractal import Canvas, Field, gaussian_level
from slstr_cloudmask.simulate.geometry import FULL_COLUMNS, FULL_ROWS
from slstr_cloudmask.simulate.surface import Surface
from slstr_cloudmask.simulate.worlds import World

_CELL_WEIGHT, _ROUGH_WEIGHT = np.float32(4.0), np.float32(0.2)
_LEAST_ABOVE_GROUND_KM = 0.2
# Thinner than this a layer leaves no trace, and its kind does not count.
TRACE_DEPTH = 0.02


@dataclass(frozen=True, slots=True)
class CloudLayer:
    """One deck, per pixel: optical depth at 0.55 um, height (km) and temperature (K) of its top."""

    kind: str
    particles: str
    optical_depth: Field
    top_km: Field
    top_kelvin: Field


@dataclass(frozen=True, slots=True)
class Sky:
    """What all layers of a scene share: how optically thick, how the air cools with height."""

    depth_factor: float
    particles: Mapping[str, str]  # seen in place of others
    lapse_k_per_km: float
    tropopause_kelvin: float
    inversion_kelvin: float


def draw_clouds(
    canvas: Canvas,
    climate: str,
    surface: Surface,
    world: World,
    weather_factors: Mapping[str, float],
) -> list[CloudLayer]:
    """Draw a scene's decks, lowest first.

    Parameters
    ----------
    canvas
        Of the scene.
    climate
        A key of `CLIMATES`.
    surface
        What lies below: temperatures and heights.
    world
        For its particles and optical depths.
    weather_factors
        Multiply the climate's shares of weathers.
    """
    rng = canvas.rng
    alike, decks = WEATHERS[_draw_weather(rng, CLIMATES[climate], weather_factors)]
    sky = _draw_sky(rng, surface, world)
    common = canvas.fractal(slope=3.1, outer_km=900, anisotropy=2.5, angle_rad=rng.uniform(0, 3.1))
    layers = []
    for deck in decks:
        cover, is_there = float(rng.uniform(*deck.cover)), rng.random() < deck.chance
        if is_there:
            layer = _Deck(canvas, CATALOGUE[deck.kind], surface, sky)
            layers.append(layer.draw(cover, common, alike))
    if rng.random() < 0.15:
        layers.append(_contrails(canvas, surface, sky))
    return sorted(layers, key=lambda layer: float(layer.top_km.mean()))


def column_optical_depth(layers: list[CloudLayer], shape: tuple[int, int]) -> Field:
    """Sum of the layers' optical depths at 0.55 um."""
    total = np.zeros(shape, np.float32)
    for layer in layers:
        total += layer.optical_depth
    return total


def thickest_kind(layers: list[CloudLayer], shape: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """Kind of the optically thickest layer of every pixel, as `KIND_NUMBERS`; 0 where none is."""
    kind = np.zeros(shape, np.uint8)
    thickest = np.full(shape, TRACE_DEPTH, np.float32)
    for layer in layers:
        above = layer.optical_depth > thickest
        kind[above] = KIND_NUMBERS[layer.kind]
        np.maximum(thickest, layer.optical_depth, out=thickest)
    return kind


def _draw_weather(
    rng: np.random.Generator, shares: Mapping[str, float], factors: Mapping[str, float]
) -> str:
    shares = {**shares, "fair": 1 - sum(shares.values())}
    weights = np.array([share * factors.get(name, 1) for name, share in shares.items()])
    return list(shares)[int(rng.choice(len(weights), p=weights / weights.sum()))]


def _draw_sky(rng: np.random.Generator, surface: Surface, world: World) -> Sky:
    polar = abs(surface.mean_latitude_deg) > 55
    return Sky(
        depth_factor=world.depth_factor * float(rng.lognormal(0, 0.25)),
        particles=world.particles,
        lapse_k_per_km=float(rng.uniform(5.5, 7.0)),
        # Colder and higher in the tropics: about 195 K at 16 km there, 215 K at 9 km at the poles.
        tropopause_kelvin=215 - 20 * math.cos(math.radians(surface.mean_latitude_deg)) ** 2,
        # Inversion of 0-8 K below about a kilometre, common in the Arctic and under trade winds.
        inversion_kelvin=float(rng.uniform(0, 8 if polar else 3)),
    )


class _Deck:
    """One layer in the making."""

    def __init__(self, canvas: Canvas, kind: CloudKind, surface: Surface, sky: Sky) -> None:
        self._canvas, self._kind, self._surface, self._sky = canvas, kind, surface, sky
        rng = canvas.rng
        self._angle = float(rng.uniform(0, math.pi))
        self._anisotropy = float(rng.uniform(*kind.anisotropy))
        self._top_km = float(rng.uniform(*kind.top_km))

    def draw(self, cover: float, common: Field, alike: float) -> CloudLayer:
        """Draw the layer with a share of cover, over places more or less like the others'."""
        excess = self._excess(cover, common, np.float32(alike))
        texture = self._fractal(self._kind.slope, self._kind.outer_km)
        sigma = np.float32(self._kind.log_sigma)
        depth = np.exp(sigma * (texture - np.float32(0.5) * sigma))
        depth *= np.float32(self._kind.optical_depth * self._sky.depth_factor)
        depth *= 1 - np.exp(-((excess / np.float32(self._kind.softness)) ** np.float32(1.3)))
        top = self._heights(excess, texture)
        particles = str(self._canvas.rng.choice(self._kind.particles))
        return CloudLayer(
            kind=self._kind.name,
            particles=self._sky.particles.get(particles, particles),
            optical_depth=depth.astype(np.float32),
            top_km=top,
            top_kelvin=_top_kelvin(top, self._surface, self._sky),
        )

    def _fractal(self, slope: float, outer_km: float) -> Field:
        return self._canvas.fractal(
            slope=slope, outer_km=outer_km, anisotropy=self._anisotropy, angle_rad=self._angle
        )

    def _excess(self, cover: float, common: Field, alike: np.float32) -> Field:
        """How far each pixel lies inside the cloud; 0 outside."""
        kind = self._kind
        # Cells are seen through smooth variations of cover alone.
        place = self._fractal(3.2 if kind.cells_km else kind.slope, kind.outer_km)
        if alike > 0:
            place = alike * common + np.sqrt(1 - alike**2) * place
        if kind.name in ("cumulus", "storms"):
            # Convection comes in clusters.
            clusters = self._canvas.fractal(slope=3.2, outer_km=500, smooth=True)
            place = np.float32(0.8) * place + np.float32(0.6) * clusters
        if kind.name == "fog":
            # In valleys and over water.
            place = place - np.float32(2.5) * self._surface.elevation_km
        if kind.cells_km is None:
            return np.asarray(np.maximum(place - np.float32(gaussian_level(cover)), 0))
        pattern = self._cells(kind.cells_km)
        # The level that the sum exceeds at `cover`: places are Gaussian, the pattern is what it is.
        rng = self._canvas.rng
        sample = pattern.ravel()[rng.integers(0, pattern.size, 20_000)]
        sample = sample + rng.standard_normal(20_000, np.float32)
        level = np.float32(np.quantile(sample, 1 - min(cover, 1 - 1e-4)))
        return np.asarray(np.maximum(place + pattern - level, 0))

    def _cells(self, spacing_km: tuple[float, float]) -> Field:
        """Cloud in the middles of closed cells, on the rims of open ones."""
        canvas = self._canvas
        signed = canvas.cells(float(canvas.rng.uniform(*spacing_km))) - np.float32(0.62)
        if self._kind.name == "closed_cells":
            signed = -signed
        rough = canvas.fractal(slope=2.2, outer_km=20)
        return np.asarray(_CELL_WEIGHT * signed + _ROUGH_WEIGHT * rough, np.float32)

    def _heights(self, excess: Field, texture: Field) -> Field:
        """Heights of the top: thicker parts reach higher, and no deck is flat."""
        low, high = self._kind.top_km
        if high > 3:
            bumps = np.float32(0.06) * texture
            bumps += np.float32(0.05) * self._canvas.fractal(slope=2.8, outer_km=200)
        else:
            bumps = np.float32(0.08) * texture
        height = np.float32(self._top_km) * (1 + np.float32(0.12) * np.tanh(excess) + bumps)
        height = np.clip(height, 0.5 * low, 1.2 * high)
        above_ground = self._surface.elevation_km + np.float32(_LEAST_ABOVE_GROUND_KM)
        return np.asarray(np.maximum(height, above_ground), np.float32)


def _top_kelvin(height_km: Field, surface: Surface, sky: Sky) -> Field:
    """Temperature at a height: a lapse rate from the air at the ground, or an inversion."""
    inversion = np.float32(sky.inversion_kelvin) * np.exp(-(((height_km - 0.7) / 0.6) ** 2))
    kelvin = surface.aloft_kelvin - np.float32(sky.lapse_k_per_km) * height_km + inversion
    return np.asarray(np.maximum(kelvin, sky.tropopause_kelvin), np.float32)


def _contrails(canvas: Canvas, surface: Surface, sky: Sky) -> CloudLayer:
    """Draw a few straight lines, one to three kilometres wide, of small ice crystals."""
    rng = canvas.rng
    kind = CATALOGUE["contrails"]
    rows, columns = canvas.shape
    # Lines are drawn on the frame, of which this may be a window.
    window = canvas.window
    row, column = np.ogrid[0:rows, 0:columns]
    row, column = row + window.row, column + window.column
    depth = np.zeros(canvas.shape, np.float32)
    heading = rng.uniform(0, math.pi)
    for _ in range(int(rng.integers(2, 9))):
        angle = heading + rng.normal(0, 0.15)
        across = (column - rng.uniform(0, FULL_COLUMNS)) * math.sin(angle)
        across = across - (row - rng.uniform(0, FULL_ROWS)) * math.cos(angle)
        line = np.exp(-np.minimum((across / rng.uniform(0.8, 1.8)) ** 2, 50))
        depth += (kind.optical_depth * rng.lognormal(0, kind.log_sigma) * line).astype(np.float32)
    fade = canvas.fractal(slope=kind.slope, outer_km=kind.outer_km)
    top_km = np.full(canvas.shape, rng.uniform(*kind.top_km), np.float32)
    return CloudLayer(
        kind=kind.name,
        particles=sky.particles.get(kind.particles[0], kind.particles[0]),
        optical_depth=depth * np.clip(fade + np.float32(0.4), 0, 1),
        top_km=top_km,
        top_kelvin=_top_kelvin(top_km, surface, sky),
    )
