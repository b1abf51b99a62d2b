"""Sets the stage of a scene: window, geometry, map, ground, air and clouds, in that order."""

from dataclasses import replace
from functools import partial

import numpy as np

from slstr_cloudmask.simulate.atmosphere import draw_air
from slstr_cloudmask.simulate.catalogue import climate_of
from slstr_cloudmask.simulate.climate import aridity, ice_sheet
from slstr_cloudmask.simulate.clouds import draw_clouds
from slstr_cloudmask.simulate.coast import coast_distance_km, layer_fraction
from slstr_cloudmask.simulate.fractal import Canvas
from slstr_cloudmask.simulate.geometry import (
    FULL_COLUMNS,
    FULL_ROWS,
    Geometry,
    Window,
    image_position,
    scene_geometry,
)
from slstr_cloudmask.simulate.ground import GroundMap
from slstr_cloudmask.simulate.orbit import Overpass
from slstr_cloudmask.simulate.shadow import ground_light
from slstr_cloudmask.simulate.smoothing import displaced
from slstr_cloudmask.simulate.stage import Stage
from slstr_cloudmask.simulate.surface import draw_surface
from slstr_cloudmask.simulate.worlds import World

FULL_SIZE = (FULL_ROWS, FULL_COLUMNS)
_AROUND_PX = 64  # distances from the coast are known up to this
# What is seen from behind at 55 degrees appears this much farther back per km of height.
_PARALLAX = 1.43
# In `hard` scenes these weathers are as many times as frequent.
_HARD_WEATHERS = {"fog": 4.0, "high": 2.5, "broken": 2.0, "overcast": 0.5}


def draw_window(rng: np.random.Generator, size: tuple[int, int]) -> Window:
    """Place a window in the frame; one larger than the frame lies around it."""
    starts = [
        int(rng.integers(0, full - n + 1)) if n <= full else (full - n) // 2
        for n, full in zip(size, FULL_SIZE, strict=True)
    ]
    return Window(starts[0], starts[1], size[0], size[1])


def draw_stage(
    canvas: Canvas, overpass: Overpass, window: Window, world: World, *, hard: bool = False
) -> Stage:
    """Draw everything that is there; ``hard`` scenes have more that can be mistaken."""
    geometry = scene_geometry(overpass, window)
    ground_map = _ground_map(overpass, geometry, window)
    day = overpass.start.timetuple().tm_yday
    surface = draw_surface(canvas, geometry, ground_map, day=day)
    dryness = float(aridity(geometry.latitude_deg, geometry.longitude_deg).mean())
    air = draw_air(
        canvas,
        surface.aloft_kelvin,
        dust_share=_dust_share(geometry, dryness) + 0.2 * hard,
        smoke_share=0.04 + 0.2 * hard,
        vapour_factor=world.vapour_factor,
    )
    climate = climate_of(
        surface.mean_latitude_deg, land=bool(surface.land.mean() > 0.5), desert=dryness > 0.5
    )
    factors = dict(world.weathers)
    if hard:
        factors = {
            name: factors.get(name, 1) * _HARD_WEATHERS.get(name, 1)
            for name in factors | _HARD_WEATHERS
        }
    layers = draw_clouds(canvas, climate, surface, world, factors)
    return Stage(geometry, surface, air, layers, ground_light(geometry, layers))


def _dust_share(geometry: Geometry, dryness: float) -> float:
    """Chance of a dust plume: over deserts, and over the Atlantic west of the Sahara."""
    latitude, longitude = geometry.latitude_deg, geometry.longitude_deg
    west = ((latitude > 8) & (latitude < 33) & (longitude > -50) & (longitude < -10)).mean()
    return 0.01 + 0.3 * dryness + 0.15 * float(west)


def _ground_map(overpass: Overpass, geometry: Geometry, window: Window) -> GroundMap:
    """Look up land and lakes in the window and around it, where the nearest coast may lie."""
    row, column = window.rows // 2, window.columns // 2
    centre = float(geometry.latitude_deg[row, column]), float(geometry.longitude_deg[row, column])
    shape = window.rows + 2 * _AROUND_PX, window.columns + 2 * _AROUND_PX
    reach_km = float(np.hypot(*shape)) / 2 + 60
    position = partial(image_position, overpass)
    origin = window.row - _AROUND_PX, window.column - _AROUND_PX
    land, lakes = (
        layer_fraction(layer, position, centre, reach_km, shape, origin=origin)
        for layer in ("land", "lakes")
    )
    inner = slice(_AROUND_PX, -_AROUND_PX), slice(_AROUND_PX, -_AROUND_PX)
    coast = coast_distance_km(land)[inner]
    ice = ice_sheet(geometry.latitude_deg, geometry.longitude_deg, coast)
    return GroundMap(land[inner], lakes[inner], ice, coast)


def oblique_stage(stage: Stage, overpass: Overpass, window: Window) -> Stage:
    """Turn to the oblique view: clouds stand before what lies behind them."""
    layers = []
    for layer in stage.layers:
        back = -round(float(layer.top_km.mean()) * _PARALLAX)
        layers.append(replace(layer, optical_depth=displaced(layer.optical_depth, back, 0)))
    geometry = scene_geometry(overpass, window, "oblique")
    return Stage(geometry, stage.surface, stage.air, layers, stage.light)
