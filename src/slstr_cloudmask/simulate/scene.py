"""One simulated scene, with the truth that no real scene has.

    scene = simulate_scene(7, (256, 320), like="polar")

The seed decides where and when, and everything that is there. What is modelled and what is not is
in docs/simulation.md: scenes are to teach, to test and to compare with, and say little about a
mask's skill on real ones.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import xarray as xr

from slstr_cloudmask.errors import InputError
from slstr_cloudmask.flags import UNKNOWN
from slstr_cloudmask.scene import build_scene, valid_pixels
from slstr_cloudmask.simulate.annotation import provider_labels, strata
from slstr_cloudmask.simulate.clear import Bands
from slstr_cloudmask.simulate.clouds import column_optical_depth
from slstr_cloudmask.simulate.forecast import Forecast
from slstr_cloudmask.simulate.fractal import Canvas, Field
from slstr_cloudmask.simulate.geometry import OBLIQUE_COLUMNS, Geometry, Window
from slstr_cloudmask.simulate.instrument import Gaps, draw_gaps, fill_gaps, measured, measured_fire
from slstr_cloudmask.simulate.observe import observe
from slstr_cloudmask.simulate.places import draw_overpass
from slstr_cloudmask.simulate.provider import Oblique, judge
from slstr_cloudmask.simulate.recipe import (
    CLOUD_OPTICAL_DEPTH,
    Recipe,
    check_recipe,
    check_seed,
)
from slstr_cloudmask.simulate.stage import Stage
from slstr_cloudmask.simulate.staging import FULL_SIZE, draw_stage, draw_window, oblique_stage
from slstr_cloudmask.simulate.worlds import World, find_world


def simulate_scene(
    seed: int,
    size: tuple[int, int] = FULL_SIZE,
    *,
    like: str = "test-set",
    daytime: bool | None = None,
    day: date | None = None,
    view: str = "nadir",
    world: str = "standard",
    cloud_optical_depth: float = CLOUD_OPTICAL_DEPTH,
) -> xr.Dataset:
    """Simulate a scene.

    Parameters
    ----------
    seed
        The same arguments give the same scene, to the bit.
    size
        Rows and columns; one pixel is 1 km, and a size below the instrument's 1200 x 1500 is a
        window somewhere in its frame.
    like
        Where and when: any of `places.LIKE`.
    daytime
        By day, by night, or as it comes.
    day
        On this day; not for scenes like the test set.
    view
        ``nadir``, or ``oblique``: 900 of the 1500 columns, seen from behind at 55 degrees, without
        the provider's labels.
    world
        Any of `worlds.WORLDS`.
    cloud_optical_depth
        Optical depth at 0.55 um from which ``truth`` is cloud.

    Returns
    -------
    xarray.Dataset
        A Scene with coordinates, ``truth``, the provider's ``bayes``,
        ``cloud_probability_provider``, ``cloud``, ``confidence`` and ``summary_cloud``, and the
        strata ``optical_depth``, ``cloud_kind``, ``surface_kind``, ``glint_reflectance``,
        ``coast_distance``, ``dust_optical_depth``, ``smoke_optical_depth`` and ``cloud_shadow``.

    Raises
    ------
    InputError
        A negative seed, a size below 32 or above 3000 pixels in a direction, an unknown name, no
        daylight where it was asked for, an optical depth that is not above 0, or an oblique view
        of a window that it does not reach.
    """
    salt = find_world(world).salt
    check_seed(seed)
    rng = np.random.default_rng([seed, salt, 0])
    overpass = draw_overpass(rng, like, int(rng.integers(100)), daytime=daytime, day=day)
    return make_scene(Recipe(seed, overpass, size, like, view, world, cloud_optical_depth))


@dataclass(frozen=True, slots=True)
class View:
    """One view of a scene, all of the window's size.

    Attributes
    ----------
    scene
        As `make_scene` returns it, but that the oblique view is not cropped.
    stage
        What is there, as this view sees it.
    bands
        What was measured, before gaps.
    clean
        S7 and S8 without noise, which the fire channels see too.
    gaps
        What was lost or copied.
    """

    scene: xr.Dataset
    stage: Stage
    bands: Bands
    clean: Bands
    gaps: Gaps


@dataclass(frozen=True, slots=True)
class Views:
    """Both views of a recipe, the fire channels of each, and what the provider believed."""

    recipe: Recipe
    window: Window
    nadir: View
    oblique: View
    nadir_fire: Bands
    oblique_fire: Bands
    forecast: Forecast


def make_scene(recipe: Recipe) -> xr.Dataset:
    """Simulate the scene of a recipe; errors as `simulate_scene`."""
    window, stage = _staged(recipe)
    behind = oblique_stage(stage, recipe.overpass, window)
    if recipe.view == "oblique":
        return _cropped(_seen(recipe, window, behind, _stream(recipe, 2)).scene, window)
    return _labelled(recipe, window, stage, behind)[0].scene


def make_views(recipe: Recipe) -> Views:
    """Simulate both views of a nadir recipe; errors as `simulate_scene`.

    The nadir view is the scene that `make_scene` makes of the recipe, the oblique view that of
    ``replace(recipe, view="oblique")``, here in the whole window and without a word where it does
    not reach into it.
    """
    window, stage = _staged(recipe)
    behind = oblique_stage(stage, recipe.overpass, window)
    nadir, forecast = _labelled(recipe, window, stage, behind)
    oblique = _seen(replace(recipe, view="oblique"), window, behind, _stream(recipe, 2))
    noise = find_world(recipe.world).noise_factor
    fires = [
        fill_gaps(measured_fire(_stream(recipe, stream), view.clean, noise_factor=noise), view.gaps)
        for stream, view in ((4, nadir), (5, oblique))
    ]
    return Views(recipe, window, nadir, oblique, fires[0], fires[1], forecast)


def _stream(recipe: Recipe, number: int) -> np.random.Generator:
    """Source of randomness: 1 for what is there, 2 for a view, 3 for the provider, 4 and 5 fire."""
    return np.random.default_rng([recipe.seed, find_world(recipe.world).salt, number])


def _staged(recipe: Recipe) -> tuple[Window, Stage]:
    """Draw what is there."""
    check_recipe(recipe)
    rng, world = _stream(recipe, 1), find_world(recipe.world)
    window = draw_window(rng, recipe.size)
    canvas = Canvas(rng, window)
    return window, draw_stage(canvas, recipe.overpass, window, world, hard=recipe.like == "hard")


def _labelled(recipe: Recipe, window: Window, stage: Stage, behind: Stage) -> tuple[View, Forecast]:
    """See the nadir view, and let the provider judge it with the oblique one's help."""
    rng, world = _stream(recipe, 2), find_world(recipe.world)
    view = _seen(recipe, window, stage, rng)
    oblique = _second_view(rng, stage, behind, world)
    # What counts as true is for the user to say; the provider is not asked.
    cover = view.scene["optical_depth"].values >= CLOUD_OPTICAL_DEPTH
    canvas = Canvas(_stream(recipe, 3), window)
    verdict = judge(canvas, view.bands, cover, stage, oblique, world)
    labels = provider_labels(verdict, view.bands, stage, view.gaps, oblique)
    return replace(view, scene=view.scene.assign(labels)), verdict.forecast


def _second_view(
    rng: np.random.Generator, stage: Stage, behind: Stage, world: World
) -> Oblique | None:
    """S8 of the oblique view, where it reaches into the window."""
    if not behind.geometry.in_swath.any():
        return None
    bands = observe(behind, reflective=False, view_only=("S8",))
    s8 = measured(rng, bands, stage.geometry.mu_sun, noise_factor=world.noise_factor)["S8"]
    s8[~behind.geometry.in_swath] = np.nan
    return Oblique(s8, behind)


def _seen(recipe: Recipe, window: Window, stage: Stage, rng: np.random.Generator) -> View:
    """Observe a stage; the Scene has no labels yet."""
    reflective, world = recipe.overpass.reflective, find_world(recipe.world)
    clean = observe(stage, reflective=reflective, brightness_factor=world.brightness_factor)
    bands = measured(rng, clean, stage.geometry.mu_sun, noise_factor=world.noise_factor)
    gaps = draw_gaps(rng, stage.geometry.in_swath, window)
    depth = column_optical_depth(stage.layers, recipe.size)
    truth = np.where(gaps.seen, depth >= recipe.cloud_optical_depth, UNKNOWN)
    scene = build_scene(
        fill_gaps(bands, gaps),
        coordinates=_coordinates(stage.geometry),
        truth=truth,
        attributes=_attributes(recipe),
    ).assign(strata(stage, depth, gaps.seen))
    return View(scene, stage, bands, {name: clean[name] for name in ("S7", "S8")}, gaps)


def _cropped(scene: xr.Dataset, window: Window) -> xr.Dataset:
    """Cut out the columns that the oblique view has a grid for: 900 of the frame's."""
    first = max(OBLIQUE_COLUMNS[0] - window.column, 0)
    last = min(OBLIQUE_COLUMNS[1] - window.column, window.columns)
    if not valid_pixels(scene).any():
        raise InputError(
            "The oblique view does not reach into this window of the frame: "
            "choose another seed, or a larger size."
        )
    return scene.isel(columns=slice(first, last))


def _coordinates(geometry: Geometry) -> Mapping[str, Field]:
    return {
        "latitude": geometry.latitude_deg,
        "longitude": geometry.longitude_deg,
        "solar_zenith_angle": geometry.solar_zenith_deg,
        "satellite_zenith_angle": geometry.view_zenith_deg,
    }


def _attributes(recipe: Recipe) -> dict[str, str]:
    attributes = {
        "platform": "Sentinel-3A (simulated)",
        "start_time": f"{recipe.overpass.start:%Y-%m-%dT%H:%M:%SZ}",
        "view": recipe.view,
        "grid": "1km",
        "baseline": "004",
        "radiometry": "as_distributed",
        "source": f"simulated, seed {recipe.seed}",
        "world": recipe.world,
    }
    if not recipe.overpass.reflective:
        attributes["illumination"] = "night"
    return attributes
