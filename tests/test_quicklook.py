from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.image import imread
from typer.testing import CliRunner

from slstr_cloudmask.cli.info import info
from slstr_cloudmask.cli.quicklook import quicklook
from slstr_cloudmask.errors import InputError, OutputExistsError
from slstr_cloudmask.evaluation.views import SEEN_BY_VALUES
from slstr_cloudmask.flags import flag_variable, value_flag_variable
from slstr_cloudmask.io.mask_file import write_mask
from slstr_cloudmask.io.scene_file import write_scene_file
from slstr_cloudmask.mask import build_mask
from slstr_cloudmask.operational import carry
from slstr_cloudmask.report.composite import (
    FALSE_COLOUR,
    NATURAL_COLOUR,
    NO_DATA_RGB,
    cloud_outline,
    composite,
)
from slstr_cloudmask.report.heading import north
from slstr_cloudmask.report.masks import check_of_scene
from slstr_cloudmask.report.quicklook import default_panels, draw_quicklook, quicklook_figure
from slstr_cloudmask.report.subject import subject_of
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


def test_bands_of_the_colours_can_be_chosen() -> None:
    scene = make_scene()
    scene["S2"] = scene["S1"] * 0 + 0.8  # white in all three on the left, red is S3 on the right

    natural, false_colour = composite(scene, NATURAL_COLOUR), composite(scene, FALSE_COLOUR)

    # S3, S2, S1 on the right are 0.4, 0.8, 0.05, S5, S3, S1 are 0.1, 0.4, 0.05: green in both,
    # and redder in natural colour.
    assert natural[0, 30, 0] > false_colour[0, 30, 0]
    np.testing.assert_array_equal(natural[0, 30].argmax(), 1)


def titles(figure: Figure) -> list[str]:
    return [axes.get_title("left") for axes in figure.axes]


def words(figure: Figure) -> list[str]:
    return [text.get_text() for axes in figure.axes for text in axes.texts]


def legend(figure: Figure) -> list[str]:
    return [text.get_text() for box in figure.legends for text in box.get_texts()]


def add_summary(scene: xr.Dataset, value: int) -> None:
    values = np.full(SHAPE, value, np.uint8)
    scene["summary_cloud"] = value_flag_variable(values, {"clear": 0, "cloud": 1}, long_name="")


def test_operational_mask_is_the_summary_where_known_else_bayes() -> None:
    scene = make_scene()
    mask = make_mask(scene)
    assert "Operational: esa_bayes_single_moderate" in titles(quicklook_figure(scene, mask))

    add_summary(scene, 1)
    assert "Operational: esa_summary_cloud" in titles(quicklook_figure(scene, mask))

    add_summary(scene, 255)
    assert "Operational: esa_bayes_single_moderate" in titles(quicklook_figure(scene, mask))


def test_the_operational_mask_can_be_chosen() -> None:
    scene = make_scene()
    add_summary(scene, 1)

    figure = quicklook_figure(
        scene,
        make_mask(scene),
        panels=["esa_summary_cloud", "disagreement"],
        against="bayes_single_moderate",
    )

    assert titles(figure) == [
        "Operational: esa_summary_cloud",
        "This mask against esa_bayes_single_moderate",
    ]
    # Both find cloud in the left half and nowhere else.
    assert figure.axes[1].get_title("right") == "100.0% agree"
    with pytest.raises(InputError, match=r"no mask 'nonsense'.*esa_summary_cloud"):
        quicklook_figure(scene, None, against="nonsense")


def test_disagreement_has_a_colour_for_each_of_the_four_and_for_unknown() -> None:
    scene = make_scene()
    mask = make_mask(scene)
    mask["cloud_mask"][:, 20:30] = 1 - mask["cloud_mask"][:, 20:30]

    figure = quicklook_figure(scene, mask, panels=["disagreement"])

    # Of 48 columns with data, 10 differ: 38 / 48.
    assert figure.axes[0].get_title("right") == "79.2% agree"
    picture = np.asarray(figure.axes[0].images[0].get_array())
    # Clear, cloud, only theirs (columns 20 to 24), only ours (25 to 29), unknown.
    places = [35, 5, 22, 27, 49]
    assert [tuple(picture[0, place]) for place in places] == [
        (0x2F, 0x66, 0x90),
        (0xF5, 0xF3, 0xEE),
        (0xE0, 0x5C, 0xB0),
        (0xD5, 0x5E, 0x00),
        NO_DATA_RGB,
    ]
    assert legend(figure) == [
        "both clear",
        "both cloud",
        "cloud only in this mask",
        "cloud only in esa_bayes_single_moderate",
        "unknown, no data",
    ]


def test_legend_of_several_panels_names_each_colour_once_and_no_data_last() -> None:
    scene = make_scene()

    figure = quicklook_figure(scene, make_mask(scene), panels=["thermal", "mask", "disagreement"])

    assert legend(figure) == [
        "clear, both clear",
        "cloud, both cloud",
        "cloud only in this mask",
        "cloud only in esa_bayes_single_moderate",
        "unknown, no data",
    ]


def test_masks_in_a_mask_file_are_those_of_the_scene() -> None:
    scene = make_scene()
    scene["cloud"] = flag_variable(np.zeros(SHAPE, np.uint16), {"gross_cloud": 1})

    carried = carry(make_mask(scene), scene)

    assert "esa_cloud_tests" in carried  # bits, no mask
    assert list(subject_of(None, carried).others) == ["esa_bayes_single_moderate", "esa_basic"]


def test_truth_stands_beside_but_is_no_operational_mask() -> None:
    scene = make_scene(bayes=None)
    truth = np.ones(SHAPE, np.uint8)
    scene["truth"] = value_flag_variable(truth, {"clear": 0, "cloud": 1}, long_name="")

    assert default_panels(subject_of(scene, None)) == ("false-colour", "thermal", "truth")
    assert subject_of(scene, None).against is None
    assert titles(quicklook_figure(scene, None, panels=["operational"], against="truth")) == [
        "Simulated truth"
    ]


def test_panels_suit_what_there_is() -> None:
    day, night = make_scene(), make_scene(day=False, bayes=None)
    day["S7"] = day["S8"] + 3
    mask = make_mask(day)

    def panels(scene: xr.Dataset | None, mask: xr.Dataset | None) -> str:
        return " ".join(default_panels(subject_of(scene, mask)))

    # No natural colour without S2, no difference without S7.
    assert panels(day, None) == "false-colour thermal difference-3.7 operational"
    assert panels(night, None) == "thermal"
    assert panels(day, mask) == "scene difference-3.7 probability mask operational disagreement"
    assert panels(None, mask) == "mask probability regime"
    assert panels(None, carry(mask, day)) == "mask probability regime operational disagreement"


@pytest.mark.parametrize(
    ("panel", "reason"),
    [
        ("natural", "This scene holds no S2."),
        ("night-fog", "This scene holds no S7."),
        ("mask", "No mask was given or made."),
        ("disagreement", "No mask was given or made."),
    ],
)
def test_panel_that_cannot_be_drawn_says_why(panel: str, reason: str) -> None:
    assert words(quicklook_figure(make_scene(), None, panels=[panel])) == [reason]


def test_colours_at_night_say_that_there_is_no_daylight() -> None:
    scene = make_scene()
    scene["solar_zenith_angle"] = scene["solar_zenith_angle"] * 0 + 120

    figure = quicklook_figure(scene, None, panels=["false-colour"])

    assert words(figure) == ["There is no daylight in this scene."]


def test_unknown_panel_names_what_there_is() -> None:
    with pytest.raises(InputError, match=r"no panel 'nonsense'.*natural.*esa_bayes_single_mod"):
        quicklook_figure(make_scene(), None, panels=["thermal", "nonsense"])


@pytest.mark.parametrize("day", [True, False])
def test_difference_has_white_at_0_and_tells_of_sunlight(day: bool) -> None:
    scene = make_scene(day=day)
    ramp = np.linspace(-4, 20 if day else 2, SHAPE[1])
    scene["S7"] = scene["S8"] + ramp

    figure = quicklook_figure(scene, None, panels=["difference-3.7"])

    norm: Any = figure.axes[0].images[0].norm
    assert norm(0.0) == 0.5
    ends = norm.vmin, norm.vmax
    if day:  # as far as the values on either side
        assert ends == pytest.approx((-4, 19), abs=0.7)
        assert "sunlight" in titles(figure)[0]
    else:  # the same on both sides
        assert ends[0] == -ends[1]
        assert "low cloud is orange" in titles(figure)[0]


def test_what_makes_neither_day_nor_night_known_claims_neither() -> None:
    scene = build_scene({"S7": np.full(SHAPE, 285.0), "S8": np.full(SHAPE, 290.0)})

    figure = quicklook_figure(scene, None, panels=["difference-3.7"])

    assert titles(figure)[0] == "3.7 − 11 µm (S7 − S8)"


def make_grid(top_deg: float, left_deg: float, step_deg: float) -> tuple[Any, Any]:
    """Rows go down by ``step_deg`` of latitude from the top, columns to the east."""
    latitude = top_deg - step_deg * np.arange(9.0)[:, np.newaxis] * np.ones(9)
    longitude = left_deg + step_deg * np.arange(9.0) * np.ones((9, 1))
    return latitude, (longitude + 180) % 360 - 180


def test_north_is_found_on_either_side_of_the_antimeridian() -> None:
    # Latitude falls with the row: north is one row up, whatever the longitude does.
    for left_deg in (10.0, 179.6):
        assert north(*make_grid(50, left_deg, 0.1)) == pytest.approx((-1, 0), abs=1e-3)
    # Turned by a quarter: latitude falls with the column.
    latitude, longitude = make_grid(0.4, 10, 0.1)
    assert north(latitude.T, longitude.T) == pytest.approx((0, -1), abs=1e-3)


def test_north_that_cannot_be_known_is_none() -> None:
    latitude, longitude = make_grid(50, 10, 0.1)
    assert north(latitude[:2], longitude[:2]) is None
    latitude[4] = np.nan
    assert north(latitude, longitude) is None


@pytest.mark.parametrize(
    ("grid", "length", "words_of_grid"),
    [("1km", "10 km", "1 km grid"), ("500m", "5 km", "500 m grid")],
)
def test_scale_and_north_arrow_stand_in_the_first_picture(
    grid: str, length: str, words_of_grid: str
) -> None:
    scene = make_scene()
    latitude, longitude = np.indices(SHAPE) * 0.01
    dims = ("rows", "columns")
    scene = scene.assign_coords(latitude=(dims, latitude), longitude=(dims, longitude))
    scene.attrs["grid"] = grid

    figure = quicklook_figure(scene, None, panels=["natural", "thermal"])

    # The first panel, natural, cannot be drawn. A quarter of 50 columns is 12.5 km, or 6.25.
    assert [text.get_text() for text in figure.axes[1].texts if text.get_text()] == [length, "N"]
    assert words_of_grid in figure.texts[1].get_text()


def test_a_mask_of_another_scene_is_refused() -> None:
    scene = make_scene()
    mask = make_mask(scene)

    with pytest.raises(InputError, match="40 x 49 pixels and the scene 40 x 50"):
        quicklook_figure(scene, mask.isel(columns=slice(49)))
    # What tells more than the size is said first.
    oblique = mask.isel(columns=slice(49)).assign_attrs(view="oblique")
    with pytest.raises(InputError, match="its view is oblique, the scene's nadir"):
        check_of_scene(oblique, scene.assign_attrs(view="nadir"), "mask.nc")
    simulated = scene.assign_attrs(platform="Sentinel-3A (simulated)")
    with pytest.raises(InputError, match=r"platform is .*, the scene's Sentinel-3A \(simulated\)"):
        check_of_scene(mask, simulated, "mask.nc")
    named = mask.assign_attrs(source="one.SEN3")
    assert check_of_scene(named, scene.assign_attrs(source="one.hdf"), "mask.nc") is named
    with pytest.raises(InputError, match=r"its source is one, the scene's two"):
        check_of_scene(named, scene.assign_attrs(source="two.SEN3"), "mask.nc")
    mask.attrs["start_time"] = "2019-10-01T11:35:21Z"
    with pytest.raises(InputError, match="start time is 2019-10-01T11:35:21, the scene's"):
        check_of_scene(mask, scene, "mask.nc")
    mask.attrs["start_time"] = "2019-10-01T11:32:21.5Z"  # the same second
    assert check_of_scene(mask, scene, "mask.nc") is mask


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
    assert "Operational: esa_bayes_single_moderate52.1% cloud" in titles


def test_scene_without_operational_mask_says_so() -> None:
    scene = make_scene(bayes=None)

    figure = quicklook_figure(scene, make_mask(scene))

    assert "This file holds no operational mask." in words(figure)


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


app = typer.Typer()
app.command()(quicklook)
app.command()(info)  # one command alone would have no name

Run = Callable[..., Any]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run ``quicklook`` in a folder with two scenes, a mask, and a mask with others in it."""
    monkeypatch.chdir(tmp_path)
    scene = make_scene()
    write_scene_file("S3A_day.nc", scene)
    write_scene_file("S3A_night.nc", make_scene(day=False))
    mask = make_mask(scene)
    write_mask(mask, "mask.nc")
    write_mask(carry(mask, scene), "rich.nc")

    def run(*arguments: str) -> Any:
        return CliRunner().invoke(app, ["quicklook", *arguments])

    return run


@pytest.mark.parametrize(
    ("arguments", "picture"),
    [
        (["S3A_day.nc"], "S3A_day_quicklook.png"),
        (["S3A_day.nc", "--mask", "mask.nc", "-o", "a.png"], "a.png"),
        (["S3A_night.nc", "--detector", "thresholds", "-o", "b.png"], "b.png"),
        (["rich.nc", "--panels", "regime, operational", "-o", "new"], "new/rich_quicklook.png"),
    ],
)
def test_command_draws_scenes_and_masks(run: Run, arguments: list[str], picture: str) -> None:
    result = run(*arguments)

    assert result.exit_code == 0, result.output
    assert result.stdout == f"{arguments[0]}: {picture}\n"
    assert Path(picture).read_bytes().startswith(b"\x89PNG")


def test_command_keeps_what_is_there_and_goes_on(run: Run) -> None:
    Path("S3A_day_quicklook.png").write_text("precious")

    result = run("S3A_*.nc", "gone.nc")

    assert result.exit_code == 1
    assert result.stdout == "S3A_night.nc: S3A_night_quicklook.png\n"
    assert "S3A_day_quicklook.png exists already" in result.stderr
    assert "failed: gone.nc" in result.stderr
    assert Path("S3A_day_quicklook.png").read_text() == "precious"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["S3A_day.nc", "S3A_night.nc", "--mask", "mask.nc"], "--mask is a mask of one input"),
        (["S3A_day.nc", "--mask", "mask.nc", "--detector", "thresholds"], "in place of a det"),
        (["S3A_day.nc", "S3A_night.nc", "-o", "a.png"], "a.png is one file"),
        (["S3A_day.nc", "-o", "a.tif"], "give a name that ends in .png"),
        (["S3A_day.nc", "./S3A_day.nc", "x/../S3A_day.nc"], "would both be written"),
    ],
)
def test_command_refuses_what_does_not_fit(run: Run, arguments: list[str], message: str) -> None:
    result = run(*arguments)

    assert isinstance(result.exception, InputError)
    assert message in str(result.exception)


def test_command_names_masks_that_are_not_there(run: Run) -> None:
    result = run("S3A_day.nc", "--mask", "gone.nc")

    assert result.exit_code == 2
    assert "There is no mask file gone.nc" in result.stderr


def test_cloud_by_view_has_its_four_values() -> None:
    mask = make_mask(make_scene())
    values = np.full(SHAPE, 255, np.uint8)
    values[:, :40] = np.repeat([0, 1, 2, 3], 10)  # both views say the same in half of the known

    assert words(quicklook_figure(None, mask, panels=["views"])) == [
        "This mask is of one view alone."
    ]
    mask["cloud_by_view"] = value_flag_variable(values, SEEN_BY_VALUES, long_name="views")
    figure = quicklook_figure(None, mask, panels=["views"])

    assert figure.axes[0].get_title("right") == "50.0% agree"
    picture = np.asarray(figure.axes[0].images[0].get_array())
    assert [tuple(picture[0, place]) for place in (5, 15, 25, 35, 45)] == [
        (0x2F, 0x66, 0x90),
        (0xF5, 0xF3, 0xEE),
        (0xD5, 0x5E, 0x00),
        (0xE0, 0x5C, 0xB0),
        NO_DATA_RGB,
    ]
    assert legend(figure) == [
        "both clear",
        "both cloud",
        "cloud only in nadir",
        "cloud only in oblique",
        "unknown, no data",
    ]
    assert "views" in default_panels(subject_of(None, mask))


def test_a_mask_that_xarray_decoded_is_drawn(tmp_path: Path) -> None:
    mask = make_mask(make_scene())
    mask.to_netcdf(tmp_path / "mask.nc", engine="h5netcdf")

    decoded = xr.open_dataset(tmp_path / "mask.nc", engine="h5netcdf")

    assert titles(quicklook_figure(None, decoded, panels=["mask", "regime"])) == titles(
        quicklook_figure(None, mask, panels=["mask", "regime"])
    )
