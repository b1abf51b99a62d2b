"""Reflectances of a product in either radiometry, and of detectors that see another Sun."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from slstr_cloudmask.errors import InputError
from slstr_cloudmask.io import open_scene
from slstr_cloudmask.radiometry import convert_radiometry
from tests.sen3_product import (
    NAMES,
    REFLECTIVE,
    Make,
    place_orphan,
    put,
    write_product,
    write_views,
)

# R = pi L / (E0 cos theta0) = pi * 10 / (1000 * 0.5) in stripe a.
STORED = 0.0628319
# Vicarious factors, S1 to S6: EUMETSAT, product notice S3.PN-SLSTR-L1.08.
NADIR = (0.97, 0.98, 0.98, 1.0, 1.11, 1.13)
OBLIQUE = (0.94, 0.95, 0.95, 1.0, 1.04, 1.07)
NAMELESS = "measurements"


def reflectances(scene: Any) -> list[float]:
    return [float(scene[name].values[1, 5]) for name in REFLECTIVE]


@pytest.mark.parametrize("baseline", ["002", "003", "004", "004_NR", "005"])
@pytest.mark.parametrize(("view", "factors"), [("nadir", NADIR), ("oblique", OBLIQUE)])
@pytest.mark.parametrize("radiometry", [None, "as_distributed", "adjusted"])
def test_factors_are_applied_only_where_the_baseline_has_not(
    tmp_path: Path, baseline: str, view: str, factors: tuple[float, ...], radiometry: str | None
) -> None:
    product = write_views(tmp_path, Make(baseline=baseline))

    scene = open_scene(product, view=view, radiometry=radiometry)

    own = "adjusted" if baseline == "005" else "as_distributed"
    expected = np.full(6, STORED)
    if radiometry not in (None, own):
        expected = expected * factors if radiometry == "adjusted" else expected / factors
    np.testing.assert_allclose(reflectances(scene), expected, rtol=1e-4)
    assert scene.attrs["radiometry"] == (radiometry or own)
    # There is no radiometry of brightness temperatures.
    np.testing.assert_allclose(scene["S8"], 283.73, atol=0.005)


def test_the_reader_and_the_conversion_agree(tmp_path: Path) -> None:
    product = write_views(tmp_path, Make(baseline="005"))

    for grid in ("1km", "500m"):
        for view in ("nadir", "oblique"):
            scene = open_scene(product, view=view, grid=grid)
            converted = convert_radiometry(scene, "as_distributed")
            read = open_scene(product, view=view, grid=grid, radiometry="as_distributed")
            np.testing.assert_allclose(reflectances(read), reflectances(converted), rtol=1e-6)


@pytest.mark.parametrize("folder", [NAMELESS, NAMES["004"].replace("_004.SEN3", "_XYZ.SEN3")])
def test_an_unknown_baseline_is_not_converted(tmp_path: Path, folder: str) -> None:
    written = write_views(tmp_path / "a", Make(views=("n",)))
    product = written.rename(written.with_name(folder))
    _forget_name(product)

    with pytest.raises(InputError, match=r"does not say its baseline.*'adjusted'"):
        open_scene(product, radiometry="adjusted")

    scene = open_scene(product)
    np.testing.assert_allclose(reflectances(scene), STORED, rtol=1e-4)
    assert "radiometry" not in scene.attrs


def test_an_unknown_baseline_does_not_matter_by_night(tmp_path: Path) -> None:
    written = write_product(tmp_path / "a", bands=("S8", "S9"), solar_zenith_deg=120)
    product = written.rename(written.with_name(NAMELESS))
    _forget_name(product)

    assert np.isfinite(open_scene(product, radiometry="adjusted")["S8"].values).any()


def _forget_name(product: Path) -> None:
    for path in product.glob("*.nc"):
        with h5py.File(path, "r+") as file:
            file.attrs["product_name"] = np.bytes_("")


# -- detectors ------------------------------------------------------------------------------------

# Mean 1000. Detectors measure rows 0, 1, 2, 3, 0, ... of 500 m in turn.
IRRADIANCE = (800.0, 900.0, 1100.0, 1200.0)


def test_each_detector_has_its_irradiance(tmp_path: Path) -> None:
    product = write_views(tmp_path, Make(irradiance=IRRADIANCE))
    put(product, "indices_an", {(0, 3): 255, (1, 3): 7}, "detector_an")

    fine = open_scene(product, grid="500m")["S1"].values

    # pi * 10 / (E0 * 0.5)
    expected = [np.pi * 20 / value for value in IRRADIANCE]
    np.testing.assert_allclose(fine[:4, 0], expected, rtol=1e-4)
    np.testing.assert_allclose(fine[4:, 63], expected, rtol=1e-4)
    # Not known which, or none that there is: the mean.
    np.testing.assert_allclose(fine[:2, 3], STORED, rtol=1e-4)


def test_1_km_averages_what_its_detectors_measured(tmp_path: Path) -> None:
    product = write_views(tmp_path, Make(irradiance=IRRADIANCE))

    for regrid in ("mean", "collocated"):
        reflectance = open_scene(product, regrid=regrid)["S5"].values

        # Row 0 is of detectors 0 and 1: pi * 20 * (1 / 800 + 1 / 900) / 2.
        expected = [np.pi * 10 * (1 / a + 1 / b) for a, b in ((800, 900), (1100, 1200))]
        np.testing.assert_allclose(reflectance[:2, 5], expected, rtol=1e-4)


def test_without_detectors_all_have_the_mean(tmp_path: Path) -> None:
    product = write_views(tmp_path, Make(irradiance=IRRADIANCE, indices=False))

    np.testing.assert_allclose(open_scene(product)["S1"], STORED, rtol=1e-4)


def test_a_detector_without_irradiance_has_the_others_mean(tmp_path: Path) -> None:
    product = write_views(tmp_path, Make(irradiance=(800.0, np.nan, 1100.0, 0.0)))

    fine = open_scene(product, grid="500m")["S1"].values

    expected = [np.pi * 20 / value for value in (800, 950, 1100, 950)]
    np.testing.assert_allclose(fine[:4, 0], expected, rtol=1e-4)


def test_irradiance_is_that_of_the_stripe_and_the_view(tmp_path: Path) -> None:
    product = write_views(tmp_path)
    for stem, value in (("S4_quality_an", 500.0), ("S4_quality_bn", 250.0), ("S4_quality_bo", 125)):
        put(product, stem, {...: value}, stem.replace("quality", "solar_irradiance"))

    def first(**options: Any) -> float:
        return float(open_scene(product, **options)["S4"].values[0, 0])

    # pi * 10 / (500 * 0.5), and of 20 in stripe b.
    assert first() == pytest.approx(2 * STORED, rel=1e-4)
    assert first(stripe="b") == pytest.approx(8 * STORED, rel=1e-4)
    assert first(stripe="b", view="oblique") == pytest.approx(16 * STORED, rel=1e-4)
    assert first(view="oblique") == pytest.approx(STORED, rel=1e-4)


def test_orphans_are_of_detectors_too(tmp_path: Path) -> None:
    product = write_views(tmp_path, Make(irradiance=IRRADIANCE))
    # In place of the four of pixel (0, 0), one orphan in its middle, of detector 3.
    gone = {(row, column): np.nan for row in (0, 1) for column in (0, 1)}
    put(product, "S1_radiance_an", gone)
    for axis in ("x", "y"):
        put(product, "cartesian_an", gone, f"{axis}_an")
    place_orphan(product, "S1_radiance_an", (0, 1), (16000.0, 0.0), 10.0)
    put(product, "indices_an", {(0, 1): 3}, "detector_orphan_an")
    # Its three companions, among the pixels next to it, measured nothing.
    nothing = {(row, column): np.nan for row in (0, 1, 2, 3) for column in (2, 3)}
    nothing |= {(row, column): np.nan for row in (2, 3) for column in (0, 1)}
    put(product, "S1_radiance_an", nothing)

    reflectance = open_scene(product, regrid="collocated")["S1"].values

    assert reflectance[0, 0] == pytest.approx(np.pi * 20 / 1200, rel=1e-4)
