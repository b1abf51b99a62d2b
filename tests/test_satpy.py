"""satpy's SLSTR reader opens simulated products, and agrees with ours on what is in them."""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from slstr_cloudmask import channels
from slstr_cloudmask.io import open_scene
from slstr_cloudmask.io.product_store import open_product
from slstr_cloudmask.io.sen3_measurement import read_measurement
from slstr_cloudmask.radiometry import ADJUSTMENT
from slstr_cloudmask.simulate.geometry import Window
from tests.sen3_simulated import product_of, views_of

satpy = pytest.importorskip("satpy")

# The left edge of the oblique view's swath is in the window.
WINDOW = Window(300, 560, 64, 96)
VIEWS = ("nadir", "oblique")
# What satpy has patterns for; it warns of every other file by name.
PATTERNS = ("*_radiance_?", "*_BT_?", "geometry_t", "geodetic_[abif]")

Array = npt.NDArray[np.floating[Any]]


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return product_of(views_of(WINDOW), tmp_path_factory.mktemp("satpy"))


@cache
def opened(product: Path, view: str) -> Any:
    """Open one view with satpy, which takes a second, and everything in it."""
    files = [str(path) for name in PATTERNS for path in product.glob(f"{name}{view[0]}.nc")]
    return satpy.Scene(reader="slstr_l1b", filenames=files)


def load(product: Path, name: str, *, view: str, **query: Any) -> Array:
    """Load one data set with satpy."""
    scene = opened(product, view)
    wanted = satpy.DataQuery(name=name, view=view, **query)
    scene.load([wanted])
    return np.asarray(scene[wanted].values)


def assert_same(theirs: Array, ours: Array, *, rtol: float, atol: float) -> None:
    """Compare where there is something; nothing is there in the same places."""
    assert theirs.shape == ours.shape
    np.testing.assert_array_equal(np.isfinite(theirs), np.isfinite(ours))
    assert np.isfinite(ours).mean() > 0.5
    np.testing.assert_allclose(theirs, ours, rtol=rtol, atol=atol, equal_nan=True)


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("band", channels.THERMAL_NAMES)
def test_brightness_temperatures(product: Path, band: str, view: str) -> None:
    theirs = load(product, band, view=view, resolution=1000)
    ours = open_scene(product, view=view, fill_s7=False)[band].values

    # Both unpack the same counts, of .01 K; float32 at 300 K is good to 3e-5.
    assert_same(theirs, ours, rtol=0, atol=1e-4)


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("band", channels.REFLECTANCE_NAMES)
def test_radiances_and_reflectances(product: Path, band: str, view: str) -> None:
    radiance = load(product, band, view=view, calibration="radiance", stripe="a")
    percent = load(product, band, view=view, calibration="reflectance", stripe="a")
    zenith_deg = load(product, "solar_zenith_angle", view=view, resolution=500)
    stored = read_measurement(open_product(product), f"{band}_radiance_a{view[0]}").values
    ours = open_scene(product, view=view, grid="500m", radiometry="adjusted")[band].values

    # satpy applies the published adjustment to radiances too.
    assert_same(radiance, stored * ADJUSTMENT[view][band], rtol=1e-6, atol=1e-6)
    # Its reflectance is in percent and not divided by the cosine of the solar zenith angle, which
    # its splines and our interpolation know to .005 degrees: 3e-4 of the cosine at 75 degrees.
    cosine = np.cos(np.radians(zenith_deg))
    assert_same(percent / 100 / cosine, ours, rtol=5e-4, atol=1e-6)


def test_the_other_stripe(product: Path) -> None:
    radiance = load(product, "S5", view="nadir", calibration="radiance", stripe="b")
    ours = read_measurement(open_product(product), "S5_radiance_bn").values
    assert_same(radiance, ours * ADJUSTMENT["nadir"]["S5"], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize(("grid", "resolution"), [("1km", 1000), ("500m", 500)])
@pytest.mark.parametrize("angle", ["solar_zenith_angle", "satellite_zenith_angle"])
def test_angles(product: Path, angle: str, grid: str, resolution: int, view: str) -> None:
    theirs = load(product, angle, view=view, resolution=resolution)
    ours = open_scene(product, view=view, grid=grid)[angle].values

    # satpy places pixels by their metres, which pixels outside the swath do not have.
    inside = np.isfinite(theirs)
    assert inside.mean() > 0.5
    assert np.isfinite(ours).all()
    # Cubic splines there, cosines linear in between here. And a pixel of 500 m lies .25 km from
    # where its column's number says, by which ours are placed: 55 degrees in 900 km are .015.
    np.testing.assert_allclose(theirs[inside], ours[inside], rtol=0, atol=0.03)


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize(("grid", "stripe"), [("1km", "i"), ("500m", "a")])
@pytest.mark.parametrize("name", ["latitude", "longitude"])
def test_positions(product: Path, name: str, grid: str, stripe: str, view: str) -> None:
    resolution = 1000 if grid == "1km" else 500
    theirs = load(product, name, view=view, resolution=resolution, stripe=stripe)
    ours = open_scene(product, view=view, grid=grid)[name].values

    # Counts of 1e-6 degrees; float32 is good to 8e-6 at 180 degrees.
    assert_same(theirs, ours, rtol=0, atol=1e-5)
