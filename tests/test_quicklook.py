from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from matplotlib.image import imread

from slstr_cloudmask.errors import OutputExistsError
from slstr_cloudmask.flags import flag_variable, value_flag_variable
from slstr_cloudmask.mask import build_mask
from slstr_cloudmask.report.composite import NO_DATA_RGB, cloud_outline, composite
from slstr_cloudmask.report.quicklook import draw_quicklook, operational_mask, quicklook_figure
from slstr_cloudmask.scene import build_scene

SHAPE = (40, 50)


def make_scene(*, day: bool = True, angles: bool = True, bayes: int | None = 2) -> xr.Dataset:
    """Left half cold and white, right half warm and green; two columns without data."""
    left = np.arange(SHAPE[1]) < 25
    bands = {"S8": np.where(left, 230.0, 290.0)}
    if day:
        bands |= {
            "S1": np.where(left, 0.8, 0.05),
            "S3": np.where(left, 0.8, 0.4),
            "S5": np.where(left, 0.8, 0.1),
        }
    full = {name: np.broadcast_to(values, SHAPE).copy() for name, values in bands.items()}
    for values in full.values():
        values[:, -2:] = np.nan
    zenith = np.full(SHAPE, 40.0 if day else 120.0)
    flags = {}
    if bayes is not None:
        bits = np.where(left, bayes, 0) * np.ones(SHAPE, int)
        flags["bayes"] = flag_variable(bits.astype(np.uint8), {"single_moderate": 2}, fill=255)
    return build_scene(
        full,
        coordinates={"solar_zenith_angle": zenith} if angles else None,
        flags=flags,
        attributes={"platform": "Sentinel-3A", "start_time": "2019-10-01T11:32:21Z"},
    )


def make_mask(scene: xr.Dataset) -> xr.Dataset:
    probability = np.where(scene["S8"].values < 260, 0.9, 0.1)
    return build_mask(scene, probability, threshold=0.5, detector="test")


@pytest.mark.parametrize("angles", [True, False])
def test_day_is_in_false_colour(angles: bool) -> None:
    rgb = composite(make_scene(angles=angles))

    assert rgb.dtype == np.uint8
    assert rgb.shape == (*SHAPE, 3)
    np.testing.assert_array_equal(rgb[0, 0], 255)  # cloud is white
    red, green, blue = rgb[0, 30]
    assert green > max(red, blue)  # vegetation is green
    np.testing.assert_array_equal(rgb[0, -1], NO_DATA_RGB)


def test_night_is_grey_and_cold_is_white() -> None:
    rgb = composite(make_scene(day=False))

    np.testing.assert_array_equal(rgb[0, 0], 255)
    np.testing.assert_array_equal(rgb[0, 30], 0)
    np.testing.assert_array_equal(rgb[0, -1], NO_DATA_RGB)


def test_day_without_colour_bands_is_thermal() -> None:
    scene = make_scene().drop_vars("S3")

    np.testing.assert_array_equal(composite(scene)[0, 30], 0)


def test_an_even_scene_is_not_stretched_into_noise() -> None:
    noise = np.random.default_rng(1).normal(0, 0.02, SHAPE)

    rgb = composite(build_scene({"S8": 290 + noise}))

    assert int(rgb.max()) - int(rgb.min()) < 5


def test_scene_without_data_is_one_colour() -> None:
    rgb = composite(build_scene({"S1": np.full(SHAPE, np.nan), "S8": np.full(SHAPE, np.nan)}))

    assert (rgb == NO_DATA_RGB).all()


def test_operational_mask_is_the_summary_where_known_else_bayes() -> None:
    scene = make_scene()
    found = operational_mask(scene)
    assert found is not None
    assert found[0].endswith("Bayesian")
    # 25 columns of cloud, 23 clear, 2 without data.
    np.testing.assert_array_equal(np.unique(found[1], return_counts=True)[1], [920, 1000, 80])

    summary = np.ones(SHAPE, np.uint8)
    scene["summary_cloud"] = value_flag_variable(summary, {"clear": 0, "cloud": 1}, long_name="")
    found = operational_mask(scene)
    assert found is not None
    assert found[0].endswith("summary of tests")

    scene["summary_cloud"][:] = 255
    found = operational_mask(scene)
    assert found is not None
    assert found[0].endswith("Bayesian")


def test_picture_is_written_and_has_an_outline(tmp_path: Path) -> None:
    scene = make_scene()

    draw_quicklook(scene, make_mask(scene), tmp_path / "new" / "scene.png")

    picture = imread(tmp_path / "new" / "scene.png")
    assert picture.shape[1] > 1000
    orange = np.abs(picture[..., :3] - np.array([1, 170 / 255, 0])).max(axis=-1) < 0.01
    assert orange.sum() > 100


def test_titles_tell_time_detector_and_cloud(tmp_path: Path) -> None:
    scene = make_scene()

    figure = quicklook_figure(scene, make_mask(scene))

    heading = figure.texts[0].get_text()
    assert "Sentinel-3A" in heading
    assert "2019-10-01 11:32:21 UTC" in heading
    assert "without S2, S4, S6, S7, S9" in figure.texts[1].get_text()
    titles = [axes.get_title("left") + axes.get_title("right") for axes in figure.axes]
    # 25 of 48 columns with data.
    assert "This mask: test, cloud from 0.552.1% cloud" in titles
    assert "Operational mask, Bayesian52.1% cloud" in titles


def test_scene_without_operational_mask_says_so() -> None:
    scene = make_scene(bayes=None)

    figure = quicklook_figure(scene, make_mask(scene))

    words = [text.get_text() for axes in figure.axes for text in axes.texts]
    assert "This file holds no operational mask." in words


@pytest.mark.parametrize("shape", [(1, 1), (3, 900), (900, 3)])
def test_odd_shapes_and_no_data_are_drawn(tmp_path: Path, shape: tuple[int, int]) -> None:
    scene = build_scene({"S8": np.full(shape, np.nan)})

    draw_quicklook(scene, make_mask(scene), tmp_path / "scene.png")

    assert (tmp_path / "scene.png").stat().st_size > 1000


def test_picture_that_exists_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "scene.png"
    path.write_text("precious")
    scene = make_scene()

    with pytest.raises(OutputExistsError):
        draw_quicklook(scene, make_mask(scene), path)
    assert path.read_text() == "precious"

    draw_quicklook(scene, make_mask(scene), path, overwrite=True)
    assert path.read_bytes().startswith(b"\x89PNG")


def test_outline_is_of_cloud_against_clear_sky() -> None:
    flag = np.zeros((7, 9), np.uint8)
    flag[:, :5] = 1  # cloud to column 4
    flag[:, 0] = 255  # no outline against pixels without data
    flag[3, 7] = 1  # one pixel of cloud does not hide the scene

    outline = cloud_outline(flag)

    expected = np.zeros_like(outline)
    expected[:, 4] = True
    np.testing.assert_array_equal(outline, expected)
