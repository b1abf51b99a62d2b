import logging
import re
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import xarray as xr

from slstr_cloudmask.errors import BrokenFileError, InputError, MissingFileError
from slstr_cloudmask.flags import decode_flag
from slstr_cloudmask.io import open_scene
from slstr_cloudmask.io.geolocation import Grid
from slstr_cloudmask.io.product_info import describe_product
from slstr_cloudmask.io.product_store import open_product
from slstr_cloudmask.io.radiometry import sun_distance_au
from slstr_cloudmask.io.regrid import to_kilometre
from slstr_cloudmask.io.sen3 import read_sen3
from slstr_cloudmask.io.sen3_file import ProductFile
from slstr_cloudmask.scene import Regime, bands_missing, label, regime, valid_pixels
from tests.sen3_product import NAME, NAME_005, THERMAL, write_product
from tests.test_geolocation import REAL, needs_real_product


@pytest.fixture
def product(tmp_path: Path) -> Path:
    return write_product(tmp_path)


def test_brightness_temperature_is_unpacked(product: Path) -> None:
    bt_kelvin = read_sen3(product)["S8"].values

    assert bt_kelvin.dtype == np.float32
    # count * 0.01 + 283.73 K, the count being 100 in each row.
    np.testing.assert_allclose(bt_kelvin[:, 10], [283.73, 284.73, 285.73, 286.73], atol=1e-4)
    # A pixel that repeats its neighbour, a saturated one and one above the calibrated range are
    # values; without a signal, or outside the swath, there is none.
    assert np.isfinite(bt_kelvin[0, :3]).all()
    assert np.isnan(bt_kelvin[0, 3])
    assert np.isnan(bt_kelvin[:, 30:]).all()


def test_radiance_becomes_reflectance_on_the_1_km_grid(product: Path) -> None:
    reflectance = read_sen3(product)["S3"].values

    assert reflectance.shape == (4, 32)
    # R = pi L / (E0 cos theta0) = pi * 10 / (1000 * 0.5) = 0.0628319
    assert reflectance[2, 10] == pytest.approx(0.0628319, abs=1e-6)
    # Mean of the three valid of (10, 20, 30, fill) is 20: twice that.
    assert reflectance[0, 0] == pytest.approx(0.1256637, abs=1e-6)
    assert np.isnan(reflectance[0, 1])
    # Noise below zero is a measurement: -1 is a tenth of 10.
    assert reflectance[0, 2] == pytest.approx(-0.00628319, abs=1e-6)


@pytest.mark.parametrize("solar_zenith_deg", [90.0, 120.0])
def test_cosine_is_one_where_the_sun_is_down(tmp_path: Path, solar_zenith_deg: float) -> None:
    scene = read_sen3(write_product(tmp_path, solar_zenith_deg=solar_zenith_deg))

    # pi * 10 / 1000
    assert scene["S1"].values[2, 10] == pytest.approx(0.0314159, abs=1e-6)


def test_odd_500_m_grid_is_read(tmp_path: Path) -> None:
    scene = read_sen3(write_product(tmp_path, odd=True))

    assert scene["S1"].shape == (4, 32)
    assert scene["S1"].values[3, 10] == pytest.approx(0.0628319, abs=1e-6)


def test_half_empty_blocks_average_what_there_is() -> None:
    values = np.array([[1, 3, 8], [np.nan, np.nan, np.nan], [5, 5, np.nan]])
    fine, coarse = Grid(3, 3, 2, 4, 500, 500), Grid(2, 2, 1, 2, 1000, 1000)

    np.testing.assert_array_equal(to_kilometre(values, fine, coarse), [[2, 8], [5, np.nan]])


def _number_pixels(product: Path) -> None:
    """Make the radiance of S1 20 in row 0 and 2 more in each later row, and the column's number."""
    with h5py.File(product / "S1_radiance_an.nc", "r+") as file:
        rows, columns = np.indices(file["S1_radiance_an"].shape)
        file["S1_radiance_an"][...] = 100 * (20 + 2 * rows + columns)
        file["S1_exception_an"][...] = 0


@pytest.mark.parametrize("bands", [("S1", "S8"), ("S1",)])
@pytest.mark.parametrize(
    ("shift", "first"),
    [
        # Pixel (0, 0) has the rows 0 and 1 and the columns 0 and 1: 20 + 2 * .5 + .5.
        ((0, 0), 21.5),
        # Rows 1 and 2: 20 + 2 * 1.5 + .5.
        ((1, 0), 23.5),
        # Columns 1 and 2: 20 + 2 * .5 + 1.5.
        ((0, 1), 22.5),
        ((1, 1), 24.5),
    ],
)
def test_500_m_pixels_go_where_the_offsets_say(
    tmp_path: Path, shift: tuple[int, int], first: float, bands: tuple[str, ...]
) -> None:
    product = write_product(tmp_path, bands=bands, shift=shift)
    _number_pixels(product)

    scene = read_sen3(product)

    # R = pi L / (1000 * 0.5); a 1 km row further is 4 more, a column 2.
    radiance = scene["S1"].values * 500 / np.pi
    rows, columns = np.indices((3, 29))
    np.testing.assert_allclose(radiance[:3, :29], first + 4 * rows + 2 * columns, rtol=1e-5)
    # Of the last row's pixels only the first half is there, where the grid began before.
    assert radiance[3, 0] == pytest.approx(first + 12 - shift[0], rel=1e-5)


def test_500_m_grid_that_begins_later_leaves_the_first_row_half_empty(tmp_path: Path) -> None:
    product = write_product(tmp_path, shift=(-1, 0))
    _number_pixels(product)

    radiance = read_sen3(product)["S1"].values * 500 / np.pi

    # Row 0 has row 0 alone: 20 + .5. Row 1 has the rows 1 and 2.
    np.testing.assert_allclose(radiance[:2, 0], [20.5, 23.5], rtol=1e-5)


@pytest.mark.parametrize("shift", [(6, 0), (-6, 0), (0, 6)])
def test_500_m_grid_elsewhere_is_named(tmp_path: Path, shift: tuple[int, int]) -> None:
    product = write_product(tmp_path, shift=shift)

    with pytest.raises(BrokenFileError, match=r"S1_radiance_an\.nc does not fit .* 1 km grid"):
        read_sen3(product).load()


def test_fill_and_unfilled_pixels_are_no_data_whatever_else_is_said(product: Path) -> None:
    with h5py.File(product / "S8_BT_in.nc", "r+") as file:
        file["S8_BT_in"][2, 5] = -32768  # fill without an exception
    with h5py.File(product / "flags_in.nc", "r+") as file:
        file["confidence_in"][2, 6] = 32  # unfilled, with values in every band

    scene = read_sen3(product)

    assert np.isnan(scene["S8"].values[2, 5:7]).all()
    assert np.isfinite(scene["S9"].values[2, 5])
    assert np.isnan(scene["S1"].values[2, 6])


def test_scene_says_where_it_comes_from(product: Path) -> None:
    scene = read_sen3(product)

    assert scene.attrs == {
        "platform": "Sentinel-3A",
        "start_time": "2019-10-01T11:32:21Z",
        "stop_time": "2019-10-01T11:35:21Z",
        "view": "nadir",
        "grid": "1km",
        "stripe": "a",
        "regrid": "mean",
        "start_offset": 100,
        "track_offset": 16,
        "baseline": "004",
        "radiometry": "as_distributed",
        "cycle": 50,
        "relative_orbit": 23,
        "source": NAME,
    }


def test_baseline_005_is_adjusted_radiometry(tmp_path: Path) -> None:
    scene = read_sen3(write_product(tmp_path, name=NAME_005))

    assert scene.attrs["radiometry"] == "adjusted"
    assert scene.attrs["platform"] == "Sentinel-3B"


def test_a_renamed_product_is_known_by_its_files(product: Path) -> None:
    renamed = product.rename(product.with_name("north sea"))

    scene = read_sen3(renamed)

    assert scene.attrs["source"] == "north sea"
    assert scene.attrs["platform"] == "Sentinel-3A"


def test_positions_and_angles_come_from_tie_points(tmp_path: Path) -> None:
    scene = read_sen3(write_product(tmp_path, tie_longitude=[20.0, 20.2, 20.4, 20.6]))

    assert scene["latitude"].values[0, 8] == pytest.approx(10, abs=1e-4)
    assert scene["longitude"].values[0, 8] == pytest.approx(20.1, abs=1e-4)
    np.testing.assert_allclose(scene["solar_zenith_angle"], 60, atol=1e-4)
    np.testing.assert_allclose(scene["satellite_zenith_angle"], 20, atol=1e-4)


def test_positions_of_the_image_are_preferred(tmp_path: Path) -> None:
    scene = read_sen3(write_product(tmp_path, geodetic=True))

    assert scene["latitude"].values[0, 0] == pytest.approx(51.5, abs=1e-5)
    assert scene["longitude"].values[0, 0] == pytest.approx(-1.25, abs=1e-5)
    assert np.isnan(scene["latitude"].values[0, 31])


def test_across_the_anti_meridian(tmp_path: Path) -> None:
    product = write_product(tmp_path, tie_longitude=[179.9, -179.9, -179.7, -179.5])

    longitude_deg = read_sen3(product)["longitude"].values

    assert abs(longitude_deg[0, 8]) == pytest.approx(180, abs=1e-3)
    assert longitude_deg[0, 4] == pytest.approx(179.95, abs=1e-3)
    # The image's valid columns are 0 to 29: the last is 13/16 on from tie column 1.
    assert describe_product(product)["longitude_range"] == [179.9, -179.74]


def test_across_a_pole(tmp_path: Path) -> None:
    product = write_product(
        tmp_path,
        tie_latitude=[-89.9, -89.9, -89.7, -89.5],
        tie_longitude=[10.0, -170.0, -170.0, -170.0],
    )

    assert read_sen3(product)["latitude"].values[0, 8] == pytest.approx(-90, abs=1e-4)


def test_flags_keep_their_integers_and_names(product: Path) -> None:
    scene = read_sen3(product)

    gross_cloud, known = decode_flag(scene["cloud"], "gross_cloud")
    np.testing.assert_array_equal(gross_cloud[0, :30], True)
    assert not gross_cloud[1:].any()
    np.testing.assert_array_equal(known[:, :30], True)
    assert not known[:, 30:].any()  # outside the swath nothing is known
    assert scene["cloud"].dtype == np.uint16
    assert "spare" not in scene["cloud"].attrs["flag_meanings"]
    np.testing.assert_array_equal(decode_flag(scene["confidence"], "ocean")[0], True)
    # bayes: cloud in row 0, nothing known in row 3.
    cloud, known = label(scene)
    assert cloud[0, :3].all()
    assert not cloud[1:].any()
    assert not known[3].any()


def test_summary_cloud_is_its_own_flag(product: Path) -> None:
    summary = read_sen3(product)["summary_cloud"].values

    np.testing.assert_array_equal(summary[:, 10], [1, 0, 0, 0])
    np.testing.assert_array_equal(summary[:, 31], 255)


def test_flags_in_another_order_are_read_by_name(product: Path) -> None:
    with h5py.File(product / "flags_in.nc", "r+") as file:
        meanings = file["confidence_in"].attrs["flag_meanings"].decode()
        swapped = meanings.replace("coastline", "x").replace("summary_cloud", "coastline")
        file["confidence_in"].attrs["flag_meanings"] = np.bytes_(
            swapped.replace("x", "summary_cloud")
        )

    assert (read_sen3(product)["summary_cloud"].values[:, :30] == 0).all()


def test_night_product_lacks_the_reflective_bands(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    product = write_product(tmp_path, bands=THERMAL, solar_zenith_deg=120)

    with caplog.at_level(logging.INFO):
        scene = read_sen3(product)

    assert bands_missing(scene) == ("S1", "S2", "S3", "S4", "S5", "S6")
    assert (regime(scene) == Regime.NIGHT).all()
    # No warning: they are never there at night.
    assert [(record.levelname, record.message) for record in caplog.records] == [
        ("INFO", f"{NAME} is a night scene, without S1, S2, S3, S4, S5, S6.")
    ]


def test_one_warning_names_all_missing_bands(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        read_sen3(write_product(tmp_path, bands=("S1", "S8")))

    assert [record.message for record in caplog.records] == [
        f"{NAME} holds no S2, S3, S4, S5, S6, S7, S9."
    ]


def test_without_thermal_bands_the_grid_is_halved(tmp_path: Path) -> None:
    scene = read_sen3(write_product(tmp_path, bands=("S1",)))

    assert scene["S1"].shape == (4, 32)
    assert scene["latitude"].shape == (4, 32)


def test_solar_irradiance_falls_back_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    product = write_product(tmp_path, bands=("S3", "S8"), quality=False)

    with caplog.at_level(logging.WARNING):
        scene = read_sen3(product)

    # Default of S3 at 1 au is 956.17; on 1 October (day 274) the Sun is at
    # 1 - 0.01672 cos(2 pi 270 / 365.256) = 1 - 0.01672 cos(266.12 deg) = 1 + 0.01672 * 0.0677
    # = 1.00113 au, so E0 = 956.17 / 1.00113**2 = 954.01 and R = pi * 10 / (954.01 * 0.5).
    assert scene["S3"].values[2, 10] == pytest.approx(0.0658608, abs=1e-6)
    assert "no solar irradiance for S3 in the product" in caplog.records[-1].message


def test_solar_irradiance_from_the_calibration_record(tmp_path: Path) -> None:
    product = write_product(tmp_path, bands=("S3", "S8"), quality=False)
    with h5py.File(product / "viscal.nc", "w") as file:
        # Detectors by views; the oblique view is not asked for.
        file["S3_solar_irradiances"] = np.array([[500.0, 1.0]] * 4)

    # pi * 10 / (500 * 0.5)
    assert read_sen3(product)["S3"].values[2, 10] == pytest.approx(0.1256637, abs=1e-6)


def test_sun_is_nearest_in_january_and_farthest_in_july() -> None:
    assert sun_distance_au(datetime(2021, 1, 4, tzinfo=UTC)) == pytest.approx(0.98328, abs=1e-4)
    assert sun_distance_au(datetime(2021, 7, 5, tzinfo=UTC)) == pytest.approx(1.01672, abs=1e-4)


def test_a_product_of_fill_alone_is_a_scene_without_data(tmp_path: Path) -> None:
    product = write_product(tmp_path, empty=True)

    scene = read_sen3(product)

    assert not valid_pixels(scene).any()
    assert (scene["summary_cloud"].values == 255).all()
    described = describe_product(product)
    assert described["valid_share"] == 0
    assert described["illumination"]["day"] is None
    assert described["operational_cloud"]["summary_cloud"] is None


def test_manifest_stands_for_its_product(product: Path) -> None:
    xr.testing.assert_identical(open_scene(product / "xfdumanifest.xml"), open_scene(product))


def test_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"There is no product at .*gone\.SEN3"):
        read_sen3(tmp_path / "gone.SEN3").load()


def test_a_folder_that_is_no_product(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no SLSTR Level-1 product.*found a folder with nothing"):
        read_sen3(tmp_path).load()
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(InputError, match=r"found a folder with notes\.txt"):
        read_sen3(tmp_path).load()
    with pytest.raises(InputError, match=r"expected a folder such as S3A_SL_1_RBT.*found a file"):
        read_sen3(tmp_path / "notes.txt").load()


def test_a_packed_product_is_read_as_it_is(product: Path, tmp_path: Path) -> None:
    packed = shutil.make_archive(str(tmp_path / "packed"), "zip", product.parent, product.name)

    xr.testing.assert_identical(read_sen3(packed).load(), read_sen3(product).load())


def test_a_product_without_any_band(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds no band of the nadir view.*S8_BT_in\.nc"):
        read_sen3(write_product(tmp_path, bands=()))


def test_a_truncated_file_is_named(product: Path) -> None:
    path = product / "S9_BT_in.nc"
    path.write_bytes(path.read_bytes()[:1000])

    with pytest.raises(BrokenFileError, match=r"S9_BT_in\.nc .*truncated or damaged at 1000 bytes"):
        read_sen3(product).load()


@pytest.mark.parametrize(("content", "found"), [(b"", "an empty file"), (b"CDF\1", "another")])
def test_a_file_of_another_format_is_named(product: Path, content: bytes, found: str) -> None:
    (product / "flags_in.nc").write_bytes(content)

    with pytest.raises(BrokenFileError, match=rf"flags_in\.nc .*found {found}"):
        read_sen3(product).load()


def test_a_file_that_lacks_its_variable_is_named(product: Path) -> None:
    with h5py.File(product / "S8_BT_in.nc", "r+") as file:
        del file["S8_BT_in"]

    with pytest.raises(BrokenFileError, match=r"S8_BT_in\.nc holds no variable S8_BT_in"):
        read_sen3(product).load()


def test_a_file_of_another_size_is_named(product: Path) -> None:
    with h5py.File(product / "S7_BT_in.nc", "r+") as file:
        for name in ("S7_BT_in", "S7_exception_in"):
            values, attributes = file[name][:2], dict(file[name].attrs)
            del file[name]
            file[name] = values
            file[name].attrs.update(attributes)

    with pytest.raises(BrokenFileError, match=r"S7_BT_in\.nc .*expected 4 rows.*found 2"):
        read_sen3(product).load()


def _replace(path: Path, name: str, values: Any) -> None:
    """Put other values, or a group where there are none, in a variable's place."""
    with h5py.File(path, "r+") as file:
        attributes = dict(file[name].attrs)
        del file[name]
        if values is None:
            file.create_group(name)
        else:
            file[name] = values
        file[name].attrs.update(attributes)


def _set_attribute(path: Path, variable: str, name: str, value: Any) -> None:
    with h5py.File(path, "r+") as file:
        file[variable].attrs[name] = value


TEXT = np.full((4, 32), b"x")


@pytest.mark.parametrize(
    ("file", "name", "values"),
    [
        ("S8_BT_in.nc", "S8_BT_in", np.zeros(32, np.int16)),
        ("S8_BT_in.nc", "S8_BT_in", np.zeros((0, 32), np.int16)),
        ("S8_BT_in.nc", "S8_BT_in", TEXT),
        ("S8_BT_in.nc", "S8_BT_in", None),
        ("S8_BT_in.nc", "S8_exception_in", np.zeros((3, 32), np.uint8)),
        ("S8_BT_in.nc", "S8_exception_in", np.zeros((4, 32), np.float32)),
        ("S8_BT_in.nc", "S8_exception_in", np.zeros(128, np.uint8)),
        ("S1_radiance_an.nc", "S1_radiance_an", np.zeros((2, 8, 64), np.int16)),
        ("S1_radiance_an.nc", "S1_exception_an", TEXT),
        ("S1_quality_an.nc", "S1_solar_irradiance_an", np.array([b"x", b"y"])),
        ("flags_in.nc", "cloud_in", np.zeros((4, 32, 2), np.uint16)),
        ("flags_in.nc", "bayes_in", np.zeros((4, 32), np.float32)),
        ("flags_in.nc", "confidence_in", None),
        ("geodetic_tx.nc", "latitude_tx", np.zeros((4, 4, 4))),
        ("geodetic_tx.nc", "longitude_tx", np.zeros((4, 3))),
        ("geometry_tn.nc", "solar_zenith_tn", np.zeros(4)),
        ("geometry_tn.nc", "sat_zenith_tn", np.full((4, 4), b"x")),
        ("geometry_tn.nc", "sat_zenith_tn", np.zeros((0, 0))),
    ],
)
def test_variables_of_another_shape_or_kind_are_named(
    product: Path, file: str, name: str, values: Any
) -> None:
    _replace(product / file, name, values)

    with pytest.raises(BrokenFileError, match=rf"{file.split('.')[0]}\.nc.*{name}.*Download"):
        read_sen3(product).load()


@pytest.mark.parametrize(
    ("file", "variable", "name", "value"),
    [
        ("S8_BT_in.nc", "/", "resolution", 1000),
        ("S8_BT_in.nc", "/", "resolution", np.array([1000, 1000])),
        ("S8_BT_in.nc", "/", "start_offset", np.array([1, 2])),
        ("S8_BT_in.nc", "/", "start_offset", np.nan),
        ("S1_radiance_an.nc", "/", "start_offset", np.inf),
        ("S8_BT_in.nc", "S8_BT_in", "scale_factor", "large"),
        ("S8_BT_in.nc", "S8_BT_in", "add_offset", np.zeros(3)),
        ("S8_BT_in.nc", "S8_BT_in", "_FillValue", np.zeros(3)),
        ("S8_BT_in.nc", "S8_exception_in", "flag_masks", "one two"),
        ("flags_in.nc", "cloud_in", "flag_masks", np.array([1.5, np.nan])),
        ("flags_in.nc", "cloud_in", "_FillValue", "none"),
        ("flags_in.nc", "cloud_in", "flag_masks", np.array([1 << 40])),
    ],
)
def test_attributes_that_mean_nothing_are_errors(
    product: Path, file: str, variable: str, name: str, value: Any
) -> None:
    _set_attribute(product / file, variable, name, value)

    with pytest.raises(BrokenFileError, match=r"S3A_SL_1_RBT.*Download|track_offset, start_offset"):
        read_sen3(product).load()


def test_radiance_without_angles_is_left_out(
    product: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (product / "geometry_tn.nc").unlink()

    scene = read_sen3(product)

    assert list(scene.data_vars)[:3] == ["S7", "S8", "S9"]
    assert re.search(r"no geometry_tn\.nc, and.* S1, S2, .* S6 cannot.*: left out", caplog.text)


def test_radiance_without_angles_and_nothing_else_is_an_error(tmp_path: Path) -> None:
    product = write_product(tmp_path, bands=("S1", "S2"))
    (product / "geometry_tn.nc").unlink()

    with pytest.raises(InputError, match=r"no geometry_tn\.nc, and.* S1, S2 cannot be turned"):
        read_sen3(product)


@pytest.mark.parametrize("name", ["geometry_tn.nc", "geodetic_tx.nc"])
def test_tie_points_of_another_product_are_refused(product: Path, name: str) -> None:
    with h5py.File(product / name, "r+") as file:
        file.attrs["start_offset"] = np.array([40_000], np.int32)

    with pytest.raises(BrokenFileError, match=rf"{name} does not fit.*40000 rows of 1000 m"):
        read_sen3(product).load()


def test_a_product_that_was_renamed_to_another_is_known_by_its_files(
    product: Path, caplog: pytest.LogCaptureFixture
) -> None:
    scene = read_sen3(product.rename(product.with_name(NAME_005)))

    assert scene.attrs["platform"] == "Sentinel-3A"
    assert scene.attrs["radiometry"] == "as_distributed"
    assert f"{NAME_005} is another product by its files: {NAME}" in caplog.text


def test_product_without_flags_and_positions_is_read(product: Path) -> None:
    (product / "flags_in.nc").unlink()
    (product / "geodetic_tx.nc").unlink()

    scene = read_sen3(product)

    assert "bayes" not in scene
    assert "latitude" not in scene.coords
    described = describe_product(product)
    assert described["latitude_range"] is None
    assert described["operational_cloud"] == {"summary_cloud": None, "bayes": None, "cloud": None}


def test_description_in_numbers(product: Path) -> None:
    described = describe_product(product)

    assert described["bands_missing"] == []
    assert (described["rows"], described["columns"]) == (4, 32)
    # Of 128 pixels, 8 lie outside the swath and one has no signal.
    assert described["valid_share"] == pytest.approx(119 / 128)
    assert described["illumination"] == {"night": 0.0, "twilight": 0.0, "day": 1.0}
    # Cloud is row 0: 29 valid pixels of it. For bayes 30 of row 3 are not known.
    clouds = described["operational_cloud"]
    assert clouds["summary_cloud"] == pytest.approx(29 / 119)
    assert clouds["cloud"]["gross_cloud"] == pytest.approx(29 / 119)
    assert clouds["cloud"]["visible"] == 0
    assert clouds["bayes"]["single_moderate"] == pytest.approx(29 / 89)


@needs_real_product
def test_real_product() -> None:
    assert REAL is not None

    scene = read_sen3(REAL)

    # As documented beside the product.
    assert scene["S8"].shape == (1200, 1500)
    assert float(np.nanmin(scene["S8"])) == pytest.approx(210.1, abs=0.01)
    assert float(np.nanmax(scene["S8"])) == pytest.approx(324.68, abs=0.01)
    # As it is, S7 ends at 312.91 K, where it saturates; F1 goes on.
    unfilled = read_sen3(REAL, fill_s7=False)
    assert float(np.nanmax(unfilled["S7"])) == pytest.approx(312.91, abs=0.01)
    assert float(np.nanmax(scene["S7"])) == pytest.approx(424.04, abs=0.01)
    same = scene["S7_source"].values == 0
    np.testing.assert_array_equal(scene["S7"].values[same], unfilled["S7"].values[same])
    assert valid_pixels(scene).mean() == pytest.approx(0.963, abs=0.001)
    assert (regime(scene) == Regime.DAY).all()
    described = describe_product(REAL)
    assert -14.6 < described["latitude_range"][0] < described["latitude_range"][1] < 0
    clouds = described["operational_cloud"]
    # Documented over all pixels, 96.3 % of which are valid.
    assert clouds["cloud"]["thin_cirrus"] == pytest.approx(0.141 / 0.963, abs=0.001)
    assert clouds["summary_cloud"] == pytest.approx(0.1698, abs=0.001)


@needs_real_product
@pytest.mark.parametrize("meaning", ["gross_cloud", "thin_cirrus"])
def test_500_m_flags_of_a_real_product_average_to_those_of_1_km(meaning: str) -> None:
    assert REAL is not None
    with ProductFile(open_product(REAL), "flags_in") as file:
        grid, mask = file.grid("cloud_in"), file.flag_masks("cloud_in")[meaning]
        coarse = (file.unsigned("cloud_in") & mask) != 0
    with ProductFile(open_product(REAL), "flags_an") as file:
        fine, mask = file.grid("cloud_an"), file.flag_masks("cloud_an")[meaning]
        bits = ((file.unsigned("cloud_an") & mask) != 0).astype(np.float32)

    # A thermal test's result at 500 m is that of the 1 km pixel around it.
    difference = to_kilometre(bits, fine, grid) - coarse
    assert np.abs(difference[:-1]).max() == 0
    blind = Grid(fine.rows, fine.columns, fine.track_offset, 2 * grid.start_offset, 500, 500)
    assert np.abs(to_kilometre(bits, blind, grid) - coarse).mean() > 0.001
