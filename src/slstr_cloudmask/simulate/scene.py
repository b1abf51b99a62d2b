"""One simulated scene, with the truth that no real scene has.

    scene = simulate_scene(7, (256, 320), like="polar")

The seed decides where and when, and everything that is there. What is modelled and what is not is
in docs/simulation.md: scenes are to teach, to test and to compare with, and say little about a
mask's skill on real ones.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np
import xarray as xr

from slstr_cloudmask.errors import InputError
from slstr_cloudmask.flags import UNKNOWN
from slstr_cloudmask.scene import build_scene, valid_pixels
from slstr_cloudmask.simulate.annotation import provider_labels, strata
from slstr_cloudmask.simulate.clear import Bands
from slstr_cloudmask.simulate.clouds import column_optical_depth
from slstr_cloudmask.simulate.fractal import Canvas, Field
from slstr_cloudmask.simulate.geometry import OBLIQUE_COLUMNS, Geometry, Window
from slstr_cloudmask.simulate.instrument import Gaps, draw_gaps, fill_gaps, measured
from slstr_cloudmask.simulate.observe import observe
from slstr_cloudmask.simulate.orbit import Overpass
from slstr_cloudmask.simulate.places import draw_overpass
from slstr_cloudmask.simulate.provider import Oblique, judge
from slstr_cloudmask.simulate.stage import Stage
from slstr_cloudmask.simulate.staging import FULL_SIZE, draw_stage, draw_window, oblique_stage
from slstr_cloudmask.simulate.worlds import World, find_world

SMALLEST_PX = 32
LARGEST_PX = 3000  # five times the pixels, and the memory, of a full scene
# A pixel is truly cloudy from this optical depth on; about what a lidar study calls cloud.
CLOUD_OPTICAL_DEPTH = 0.3
VIEWS = ("nadir", "oblique")


@dataclass(frozen=True, slots=True)
class Recipe:
    """All that decides a scene; the same recipe gives the same scene, to the bit.

    ``size`` is rows and columns: one pixel is 1 km, and a size below the instrument's 1200 x 1500
    is a window somewhere in its frame. ``cloud_optical_depth`` is where ``truth`` begins.
    """

    seed: int
    overpass: Overpass
    size: tuple[int, int] = FULL_SIZE
    like: str = "test-set"
    view: str = "nadir"
    world: str = "standard"
    cloud_optical_depth: float = CLOUD_OPTICAL_DEPTH


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
        ``coast_distance``, ``dust_optical_depth`` and ``smoke_optical_depth``.

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


def make_scene(recipe: Recipe) -> xr.Dataset:
    """Simulate the scene of a recipe; errors as `simulate_scene`."""
    check_recipe(recipe)
    world = find_world(recipe.world)
    seeds = [np.random.default_rng([recipe.seed, world.salt, stream]) for stream in (1, 2, 3)]
    window = draw_window(seeds[0], recipe.size)
    stage = draw_stage(
        Canvas(seeds[0], window), recipe.overpass, window, world, hard=recipe.like == "hard"
    )
    if recipe.view == "oblique":
        stage = oblique_stage(stage, recipe.overpass, window)
        return _cropped(_seen(recipe, window, stage, seeds[1], world)[0], window)
    scene, bands, gaps = _seen(recipe, window, stage, seeds[1], world)
    canvas = Canvas(seeds[2], window)
    oblique = _second_view(seeds[1], recipe, stage, window, world)
    # What counts as true is for the user to say; the provider is not asked.
    cover = scene["optical_depth"].values >= CLOUD_OPTICAL_DEPTH
    verdict = judge(canvas, bands, cover, stage, oblique, world)
    return scene.assign(provider_labels(verdict, bands, stage, gaps, oblique))


def check_size(size: tuple[int, int]) -> None:
    """Refuse a size that is too small or too large.

    Raises
    ------
    InputError
        Fewer than 32 rows or columns, or more than 3000.
    """
    if min(size) < SMALLEST_PX:
        raise InputError(
            f"Expected a size of at least {SMALLEST_PX}x{SMALLEST_PX} pixels, "
            f"found {size[0]}x{size[1]}. Cloud has no shape in less."
        )
    if max(size) > LARGEST_PX:
        raise InputError(
            f"Expected a size of at most {LARGEST_PX}x{LARGEST_PX} pixels, "
            f"found {size[0]}x{size[1]}. The instrument's scenes are "
            f"{FULL_SIZE[0]}x{FULL_SIZE[1]}; simulate more of them instead."
        )


def check_seed(seed: int) -> None:
    """Refuse a seed that is negative.

    Raises
    ------
    InputError
        It is.
    """
    if seed < 0:
        raise InputError(f"Expected a seed of 0 or more, found {seed}.")


def check_recipe(recipe: Recipe) -> None:
    """Refuse a recipe that cannot be made; errors as `simulate_scene`."""
    check_seed(recipe.seed)
    check_size(recipe.size)
    if recipe.view not in VIEWS:
        raise InputError(f"Expected a view of {', '.join(VIEWS)}, found {recipe.view!r}.")
    if not 0 < recipe.cloud_optical_depth < np.inf:
        raise InputError(
            "Expected an optical depth above 0 from which a pixel is cloudy, "
            f"found {recipe.cloud_optical_depth}. 0.3 is usual."
        )


def _second_view(
    rng: np.random.Generator, recipe: Recipe, stage: Stage, window: Window, world: World
) -> Oblique | None:
    """S8 of the oblique view, where it reaches into the window."""
    second = oblique_stage(stage, recipe.overpass, window)
    if not second.geometry.in_swath.any():
        return None
    bands = observe(second, reflective=False, view_only=("S8",))
    s8 = measured(rng, bands, stage.geometry.mu_sun, noise_factor=world.noise_factor)["S8"]
    s8[~second.geometry.in_swath] = np.nan
    return Oblique(s8, second)


def _seen(
    recipe: Recipe, window: Window, stage: Stage, rng: np.random.Generator, world: World
) -> tuple[xr.Dataset, Bands, Gaps]:
    """Observe a stage: the Scene without labels, its bands before gaps, and the gaps."""
    reflective = recipe.overpass.reflective
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
    )
    return scene.assign(strata(stage, depth, gaps.seen)), bands, gaps


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
