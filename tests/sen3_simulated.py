"""Simulated products for tests: both views of a window of one's choice, written as a folder."""

from pathlib import Path

import pytest

from slstr_cloudmask.simulate import scene as scene_module
from slstr_cloudmask.simulate.geometry import Window
from slstr_cloudmask.simulate.orbit import Overpass, overpass_at, product_name
from slstr_cloudmask.simulate.product_writer import write_product
from slstr_cloudmask.simulate.recipe import Recipe
from slstr_cloudmask.simulate.scene import Views, make_views

# An overpass of the benchmark's test set by day; one at night on the other side of the orbit.
DAY = overpass_at(50, 23, 1980, reflective=True)
NIGHT = overpass_at(50, 23, 5000, reflective=False)


def views_of(window: Window, overpass: Overpass = DAY, seed: int = 1) -> Views:
    """Simulate both views of a window."""
    recipe = Recipe(seed, overpass, (window.rows, window.columns))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scene_module, "draw_window", lambda rng, size: window)
        return make_views(recipe)


def product_of(views: Views, parent: Path) -> Path:
    """Write a product."""
    return write_product(parent / f"{product_name(views.recipe.overpass)}.SEN3", views)
