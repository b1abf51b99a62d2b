"""All that decides a simulated scene, and what cannot be.

recipe = Recipe(7, overpass, (256, 320), like="polar")
check_recipe(recipe)
"""

from dataclasses import dataclass

import numpy as np

from slstr_cloudmask.errors import InputError
from slstr_cloudmask.simulate.orbit import Overpass
from slstr_cloudmask.simulate.staging import FULL_SIZE

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
