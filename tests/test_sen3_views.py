"""Views, grids and stripes of a product: what lands where, by the offsets of its files."""

import logging
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import xarray as xr

from slstr_cloudmask.errors import BrokenFileError, InputError
from slstr_cloudmask.flags import decode_flag
from slstr_cloudmask.io import open_scene
from slstr_cloudmask.io.geolocation import Grid
from slstr_cloudmask.io.product_name import parse_product_name
from slstr_cloudmask.io.regrid import fit_to_grid, to_half_kilometre, to_kilometre
from slstr_cloudmask.scene import Regime, bands_present, label, regime, valid_pixels
from slstr_cloudmask.simulate.geometry import TRACK_COLUMN as FULL_TRACK_COLUMN
from slstr_cloudmask.simulate.geometry import Window, across_track, scene_geometry
from slstr_cloudmask.simulate.orbit import (
    Overpass,
    geodetic,
    ground_track,
    overpass_at,
    position_deg,
)
from tests.sen3_product import (
    EXCEPTIONS,
    NAMES,
    THERMAL,
    Make,
    flags,
    mark,
    number,
    put,
    set_flags,
    write_file,
    write_product,
    write_views,
)
from tests.test_geolocation import REAL, needs_real_product

# R = pi L / (E0 cos theta0), E0 = 1000 and theta0 = 60 degrees.
PER_RADIANCE = np.pi / 500


# -- views ----------------------------------------------------------------------------------------


def test_oblique_view_is_read_from_its_own_files(tmp_path: Path) -> None:
    product = write_views(tmp_path)
    number(product, "S8_BT_io", 270, 1, 0.1)
    number(product, "S9_BT_in", 200, 1, 0.1)
    set_flags(product, "bayes", "io", {(1, 2): 2})

    scene = open_scene(product, view="oblique")

    assert scene["S8"].shape == (4, 16)
    assert scene["S8"].values[2, 5] == pytest.approx(272.5, abs=0.005)
    assert scene["S9"].values[2, 5] == pytest.approx(283.73, abs=0.005)
    assert np.argwhere(label(scene)[0]).tolist() == [[1, 2]]
    assert (scene.attrs["view"], scene.attrs["track_offset"]) == ("oblique", 6)
    assert not label(open_scene(product))[0].any()


@pytest.mark.parametrize("grid", ["1km", "500m"])
def test_both_views_show_the_same_ground(tmp_path: Path, grid: str) -> None:
    product = write_views(tmp_path)

    nadir, oblique = (open_scene(product, view=view, grid=grid) for view in ("nadir", "oblique"))

    # Both counted from the track: oblique column c is nadir column c + 16 - 6.
    first = 10 if grid == "1km" else 20
    same = nadir["longitude"].values[:, first : first + oblique.sizes["columns"]]
    np.testing.assert_allclose(oblique["longitude"].values, same, atol=1e-5)
    assert same[0, 1] > same[0, 0] + 0.001


def test_a_product_of_one_view_says_so(tmp_path: Path) -> None:
    product = write_views(tmp_path, Make(views=("n",)))

    with pytest.raises(InputError, match=r"no band of the oblique view.*S8_BT_io\.nc"):
        open_scene(product, view="oblique")


@pytest.mark.parametrize(
    ("option", "known"),
    [
        ({"view": "side"}, "nadir or oblique"),
        ({"grid": "2km"}, "1km or 500m"),
        ({"stripe": "d"}, "a or b or c"),
        ({"regrid": "cubic"}, "mean or collocated"),
        ({"radiometry": "true"}, "as_distributed or adjusted"),
    ],
)
def test_options_that_do_not_exist(tmp_path: Path, option: dict[str, Any], known: str) -> None:
    with pytest.raises(InputError, match=rf"Unknown {next(iter(option))} .*{known}"):
        open_scene(write_views(tmp_path), **option)


# -- stripes --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("stripe", "radiance"), [("a", 10), ("b", 20), ("c", 15)])
@pytest.mark.parametrize("grid", ["1km", "500m"])
@pytest.mark.parametrize("view", ["nadir", "oblique"])
def test_stripes_differ_in_s4_to_s6_alone(
    tmp_path: Path, view: str, grid: str, stripe: str, radiance: float
) -> None:
    product = write_views(tmp_path, Make(baseline="003", stripes="abc"))

    scene = open_scene(product, view=view, grid=grid, stripe=stripe)

    for name in ("S1", "S2", "S3"):
        np.testing.assert_allclose(scene[name], 10 * PER_RADIANCE, rtol=1e-4)
    for name in ("S4", "S5", "S6"):
        np.testing.assert_allclose(scene[name], radiance * PER_RADIANCE, rtol=1e-4)
    assert scene.attrs["stripe"] == stripe


def test_a_stripe_that_is_not_there_is_missing_bands(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        scene = open_scene(write_views(tmp_path), stripe="c")

    assert bands_present(scene) == ("S1", "S2", "S3", "S7", "S8", "S9")
    assert [record.message.partition(" ")[2] for record in caplog.records] == [
        "holds no S4, S5, S6."
    ]


def test_flags_of_500_m_are_those_of_the_stripe(tmp_path: Path) -> None:
    product = write_views(tmp_path)
    for suffix, column in (("an", 1), ("bn", 2), ("in", 3)):
        set_flags(product, "cloud", suffix, {(0, column): 128})

    def gross(**options: Any) -> list[list[int]]:
        scene = open_scene(product, **options)
        where: list[list[int]] = np.argwhere(decode_flag(scene["cloud"], "gross_cloud")[0]).tolist()
        return where

    assert gross(grid="500m") == [[0, 1]]
    assert gross(grid="500m", stripe="b") == [[0, 2]]
    assert gross(grid="1km", stripe="b") == [[0, 3]]


# -- grids ----------------------------------------------------------------------------------------


def test_half_kilometre_keeps_its_own_and_repeats_the_thermal_bands(tmp_path: Path) -> None:
    product = write_views(tmp_path)
    number(product, "S8_BT_in", 270, 1, 0.1)
    number(product, "S5_radiance_an", 20, 1, 0.1)

    scene = open_scene(product, grid="500m")

    assert scene["S8"].shape == scene["S5"].shape == (8, 64)
    # Rows 4 and 5, columns 10 and 11 are the 1 km pixel (2, 5): 270 + 2 + .5.
    np.testing.assert_allclose(scene["S8"].values[4:6, 10:12], 272.5, atol=0.005)
    assert scene["S5"].values[4, 10] == pytest.approx(25 * PER_RADIANCE, rel=1e-4)


def test_half_kilometre_that_begins_earlier(tmp_path: Path) -> None:
    product = write_views(tmp_path, Make(shift=(1, 1)))
    number(product, "S8_BT_in", 270, 1, 0.1)

    scene = open_scene(product, grid="500m")

    # Row and column 0 lie before the 1 km grid; rows and columns 1 and 2 are its (0, 0).
    bt_kelvin = scene["S8"].values
    assert np.isnan(bt_kelvin[0]).all()
    assert np.isnan(bt_kelvin[:, 0]).all()
    np.testing.assert_allclose(bt_kelvin[1:3, 1:3], 270, atol=0.005)
    np.testing.assert_allclose(bt_kelvin[7, 63], 270 + 3 + 3.1, atol=0.005)


def test_half_kilometre_by_night_begins_where_its_own_files_do(tmp_path: Path) -> None:
    # As in real products, whose rows begin at 20437 and 40873.
    make = Make(bands=THERMAL, shift=(1, 0), solar_zenith_deg=120)
    product = write_views(tmp_path, make)
    number(product, "S8_BT_in", 270, 1, 0)
    set_flags(product, "bayes", "an", {(3, 5): 2})

    scene = open_scene(product, grid="500m")

    assert scene.attrs["start_offset"] == 199
    # Row 3 is of the 1 km row 1: rows 1 and 2 are of row 0.
    np.testing.assert_allclose(scene["S8"].values[1:4, 0], [270, 270, 271], atol=0.005)
    assert np.argwhere(label(scene)[0]).tolist() == [[3, 5]]


def test_half_kilometre_without_any_file_of_its_own(tmp_path: Path) -> None:
    product = write_product(tmp_path, bands=THERMAL, solar_zenith_deg=120)

    scene = open_scene(product, grid="500m")

    assert scene["S8"].shape == (8, 64)
    np.testing.assert_allclose(scene["S8"].values[2:4, 10], 284.73, atol=0.005)
    assert "bayes" not in scene


def test_reflective_bands_alone_lie_on_the_1_km_grid_of_the_flags(tmp_path: Path) -> None:
    product = write_views(tmp_path, Make(bands=("S1",), odd=True))
    number(product, "S1_radiance_an", 20, 2, 0)
    set_flags(product, "bayes", "in", {(3, 31): 2})

    scene = open_scene(product)

    assert scene["S1"].shape == (4, 32)
    # Row 3 has row 6 alone, 20 + 2 * 6, of the last row there is none.
    assert scene["S1"].values[3, 31] == pytest.approx(32 * PER_RADIANCE, rel=1e-4)
    assert np.argwhere(label(scene)[0]).tolist() == [[3, 31]]


@pytest.mark.parametrize("name", ["start_offset", "track_offset"])
def test_a_band_that_begins_a_pixel_later_lands_where_it_says(tmp_path: Path, name: str) -> None:
    product = write_views(tmp_path)
    number(product, "S8_BT_in", 270, 1, 0.1)
    by = 1 if name == "start_offset" else -1  # the track is nearer to the first column then
    with h5py.File(product / "S8_BT_in.nc", "r+") as file:
        file.attrs[name] = file.attrs[name] + by

    bt_kelvin = open_scene(product)["S8"].values

    if name == "start_offset":
        assert np.isnan(bt_kelvin[0]).all()
        np.testing.assert_allclose(bt_kelvin[1:, 0], [270, 271, 272], atol=0.005)
    else:
        assert np.isnan(bt_kelvin[:, 0]).all()
        np.testing.assert_allclose(bt_kelvin[0, 1:4], [270, 270.1, 270.2], atol=0.005)
    with h5py.File(product / "S8_BT_in.nc", "r+") as file:
        file.attrs[name] = file.attrs[name] + by
    with pytest.raises(BrokenFileError, match=r"S8_BT_in\.nc does not fit .*within a row"):
        open_scene(product)["S8"].load()


def test_fitting_by_hand() -> None:
    values = np.arange(6.0).reshape(2, 3)
    own = Grid(2, 3, 5, 10, 1000, 1000)

    def fitted(rows: int, columns: int, track: int, start: int) -> Any:
        grid = Grid(rows, columns, track, start, 1000, 1000)
        return fit_to_grid(values, grid, -1, "x.nc", own).tolist()

    assert fitted(2, 3, 5, 10) == values.tolist()
    assert fitted(3, 2, 5, 10) == [[0, 1], [3, 4], [-1, -1]]
    assert fitted(2, 3, 5, 11) == [[3, 4, 5], [-1, -1, -1]]  # begins a row later
    assert fitted(2, 3, 6, 9) == [[-1, -1, -1], [-1, 0, 1]]  # a row and a column earlier


@pytest.mark.parametrize(("shift", "rows"), [(-3, 4), (-2, 4), (2, 2), (3, 2)])
def test_one_row_that_has_nothing_in_common(shift: int, rows: int) -> None:
    coarse, fine = Grid(1, 2, 1, 10, 1000, 1000), Grid(rows, 4, 2, 20 - shift, 500, 500)

    assert np.isnan(to_kilometre(np.ones((rows, 4), np.float32), fine, coarse)).all()
    values = to_half_kilometre(np.ones((1, 2), np.float32), coarse, fine, np.nan)
    assert np.isnan(values).all()


@pytest.mark.parametrize("rows", [1, 3, 7])
@pytest.mark.parametrize("odd", [False, True])
@pytest.mark.parametrize("grid", ["1km", "500m"])
@pytest.mark.parametrize("regrid", ["mean", "collocated"])
def test_any_number_of_rows(tmp_path: Path, rows: int, odd: bool, grid: str, regrid: str) -> None:
    product = write_views(tmp_path, Make(rows=rows, odd=odd))

    for view, columns in (("nadir", 32), ("oblique", 16)):
        scene = open_scene(product, view=view, grid=grid, regrid=regrid).load()

        expected = (rows, columns) if grid == "1km" else (2 * rows - odd, 2 * columns - odd)
        assert scene["S1"].shape == scene["S9"].shape == scene["cloud"].shape == expected
        np.testing.assert_allclose(scene["S1"], 10 * PER_RADIANCE, rtol=1e-4)
        np.testing.assert_allclose(scene["S9"], 283.73, atol=0.005)
        assert label(scene)[1].all()


# -- baselines ------------------------------------------------------------------------------------


@pytest.mark.parametrize("baseline", sorted(NAMES))
def test_every_baseline_is_read(tmp_path: Path, baseline: str) -> None:
    product = write_views(tmp_path, Make(baseline=baseline, signed=baseline == "002"))

    scene = open_scene(product)

    assert bands_present(scene) == tuple(["S1", "S2", "S3", "S4", "S5", "S6", "S7", "S8", "S9"])
    assert scene.attrs["baseline"] == baseline[:3]
    assert scene.attrs["source"] == NAMES[baseline]
    name = parse_product_name(product)
    assert name is not None
    assert scene.attrs["start_time"] == name.start.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert valid_pixels(scene).all()
    # The Bayesian test of baseline 002 says nothing: unknown, not clear.
    assert label(scene)[1].all() == (baseline != "002")


def test_signed_flags_are_read_as_the_unsigned_ones(tmp_path: Path) -> None:
    scenes = []
    for signed in (False, True):
        product = write_views(tmp_path / str(signed), Make(baseline="002", signed=signed))
        set_flags(product, "confidence", "in", {(0, 0): 32768 | 2, (0, 1): 16384, (1, 0): 32})
        mark(product, "S8_BT_in", {(2, 0): 128, (2, 1): 129, (2, 2): 255})
        scenes.append(open_scene(product).load())

    xr.testing.assert_identical(*scenes)
    assert np.isnan(scenes[1]["S8"].values[2, :3]).all()
    assert decode_flag(scenes[1]["confidence"], "summary_pointing")[0][0, 0]
    assert scenes[1]["summary_cloud"].values[0, :2].tolist() == [0, 1]
    assert scenes[1]["summary_cloud"].values[1, 0] == 255
    assert scenes[1]["bayes"].dtype == np.uint8


# -- flags: unknown is never clear ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("bit", "usable"),
    # ISP_absent pixel_absent not_decompressed no_signal saturation invalid_radiance no_parameters
    # unfilled_pixel: of these a cosmetic copy, saturation and the end of the range are values.
    list(enumerate([False, True, False, False, True, True, False, False])),
)
def test_each_exception(tmp_path: Path, bit: int, usable: bool) -> None:
    product = write_views(tmp_path)
    for stem in ("S1_radiance_an", "S8_BT_in"):
        mark(product, stem, {(row, column): 1 << bit for row in (0, 1) for column in (0, 1)})

    scene = open_scene(product)

    assert np.isfinite(scene["S1"].values[0, 0]) == usable
    assert np.isfinite(scene["S8"].values[0, 0]) == usable
    assert np.isfinite(scene["S8"].values[2]).all()


def test_unfilled_is_unknown_in_every_flag(tmp_path: Path) -> None:
    product = write_views(tmp_path)
    set_flags(product, "confidence", "in", {(0, 0): 32 | 2 | 16384, (0, 1): 65535})
    set_flags(product, "bayes", "in", {(0, 2): 255})
    set_flags(product, "cloud", "in", {(0, 3): 65535})

    scene = open_scene(product)

    for name in ("bayes", "cloud", "summary_cloud"):
        fill = scene[name].attrs["_FillValue"]
        assert (scene[name].values[0, :2] == fill).all(), name
        assert (scene[name].values[1:] == 0).all(), name
    assert scene["bayes"].values[0].tolist() == [255, 255, 255] + 29 * [0]
    assert scene["cloud"].values[0].tolist() == [65535, 65535, 0, 65535] + 28 * [0]
    assert label(scene)[1][0].tolist() == 3 * [False] + 29 * [True]
    for name in ("S1", "S7", "S8"):
        assert np.isnan(scene[name].values[0, :2]).all()
        assert np.isfinite(scene[name].values[0, 2:]).all()


def test_flags_that_declare_another_fill_are_unknown_there(tmp_path: Path) -> None:
    product = write_views(tmp_path)
    set_flags(product, "bayes", "in", {(0, 0): 128, (0, 1): 255, (0, 2): 2})
    with h5py.File(product / "flags_in.nc", "r+") as file:
        file["bayes_in"].attrs["_FillValue"] = np.array([128], np.uint8)

    scene = open_scene(product)

    assert label(scene)[1][0, :4].tolist() == [False, False, True, True]
    assert label(scene)[0][0, :4].tolist() == [False, False, True, False]
    assert decode_flag(scene["bayes"], "single_low")[1][0, :3].tolist() == [False, False, True]


def test_all_bits_are_unfilled_whatever_they_are_called(tmp_path: Path) -> None:
    product = write_views(tmp_path)
    set_flags(product, "confidence", "in", {(0, 0): 65535})
    with h5py.File(product / "flags_in.nc", "r+") as file:
        meanings = file["confidence_in"].attrs["flag_meanings"].decode()
        renamed = np.bytes_(meanings.replace("unfilled", "spare"))
        file["confidence_in"].attrs["flag_meanings"] = renamed

    scene = open_scene(product)

    assert label(scene)[1][0, :2].tolist() == [False, True]
    assert scene["summary_cloud"].values[0, :2].tolist() == [255, 0]


def test_flags_that_lack_a_row_are_unknown_there(tmp_path: Path) -> None:
    product = write_views(tmp_path)
    with h5py.File(product / "flags_in.nc", "r+") as file:
        for name in ("bayes_in", "cloud_in", "confidence_in"):
            values, attributes = file[name][:-1], dict(file[name].attrs)
            del file[name]
            file[name] = values
            file[name].attrs.update(attributes)

    scene = open_scene(product)

    assert not label(scene)[1][3].any()
    assert label(scene)[1][:3].all()
    assert (scene["summary_cloud"].values[3] == 255).all()


def test_without_a_summary_there_is_none(tmp_path: Path) -> None:
    product = write_views(tmp_path)
    with h5py.File(product / "flags_in.nc", "r+") as file:
        meanings = file["confidence_in"].attrs["flag_meanings"].decode()
        renamed = np.bytes_(meanings.replace("summary_cloud", "spare"))
        file["confidence_in"].attrs["flag_meanings"] = renamed

    assert "summary_cloud" not in open_scene(product)


@pytest.mark.parametrize(
    ("solar_zenith_deg", "light"),
    [(79.99, "DAY"), (80, "TWILIGHT"), (89.99, "TWILIGHT"), (90, "NIGHT"), (np.nan, None)],
)
def test_light_by_pixel(tmp_path: Path, solar_zenith_deg: float, light: str | None) -> None:
    product = write_views(tmp_path, Make(solar_zenith_deg=solar_zenith_deg))

    expected = 255 if light is None else Regime[light]
    # 80 and 90 themselves come back from a cosine, in float32.
    found = regime(open_scene(product))
    assert (found == expected).all()


def test_light_differs_from_pixel_to_pixel(tmp_path: Path) -> None:
    product = write_views(tmp_path)
    put(product, "geometry_tn", {...: [60, 85, 95, 95]}, "solar_zenith_tn")

    found = regime(open_scene(product))[0]

    # Columns 0, 16 and 31 are on and next to the tie columns 0, 1 and 2.
    assert found[[0, 16, 31]].tolist() == [Regime.DAY, Regime.TWILIGHT, Regime.NIGHT]
    assert (np.diff(found.astype(int)) <= 0).all()


def test_bands_missing_where_no_angle_is_known(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    product = write_views(tmp_path, Make(bands=THERMAL, solar_zenith_deg=np.nan))

    with caplog.at_level(logging.WARNING):
        open_scene(product)

    assert "holds no S1, S2, S3, S4, S5, S6." in caplog.text


# -- what is not there ----------------------------------------------------------------------------


def test_files_that_the_manifest_lists_and_the_product_lacks(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    product = write_views(tmp_path)
    names = sorted(path.name for path in product.glob("*.nc"))
    listed = "".join(f'<fileLocation href="./{name}"/>' for name in names)
    (product / "xfdumanifest.xml").write_text(f"<x>{listed}</x>")
    for name in ("S1_radiance_an.nc", "S5_radiance_an.nc", "F1_BT_fn.nc", "indices_an.nc"):
        (product / name).unlink()

    with caplog.at_level(logging.WARNING):
        scene = open_scene(product).load()

    assert bands_present(scene) == ("S2", "S3", "S4", "S6", "S7", "S8", "S9")
    assert "S7_source" not in scene
    assert f"{NAMES['004']} holds no S1, S5." in caplog.text


@pytest.mark.parametrize("grid", ["1km", "500m"])
def test_all_night(tmp_path: Path, caplog: pytest.LogCaptureFixture, grid: str) -> None:
    product = write_views(tmp_path, Make(bands=THERMAL, solar_zenith_deg=130))

    with caplog.at_level(logging.WARNING):
        scene = open_scene(product, grid=grid, regrid="collocated").load()

    assert bands_present(scene) == THERMAL
    assert (regime(scene) == Regime.NIGHT).all()
    assert not caplog.records


@pytest.mark.parametrize("grid", ["1km", "500m"])
def test_no_valid_pixel_in_any_view(tmp_path: Path, grid: str) -> None:
    product = write_views(tmp_path)
    for path in product.glob("S?_*_*[no].nc"):
        if "quality" not in path.name:
            mark(product, path.stem, {...: 128})
    for path in product.glob("flags_*.nc"):
        set_flags(product, "confidence", path.stem[-2:], {...: 32})

    for view in ("nadir", "oblique"):
        scene = open_scene(product, view=view, grid=grid, regrid="collocated").load()

        assert not valid_pixels(scene).any()
        assert not label(scene)[1].any()
        assert (scene["summary_cloud"].values == 255).all()
        assert (scene["S7_source"].values == 255).all()


def test_a_netcdf_of_something_else(tmp_path: Path) -> None:
    product = write_views(tmp_path)
    xr.Dataset({"sst": ("time", [290.0])}).to_netcdf(product / "S8_BT_in.nc", engine="h5netcdf")

    with pytest.raises(BrokenFileError, match=r"S8_BT_in\.nc holds no variable S8.*found sst"):
        open_scene(product)["S8"].load()


# -- geolocation ----------------------------------------------------------------------------------

ROWS = 40
# Tie column 64 is on the track; a tie column is 16 km.
TIE_TRACK, TIE_COUNT = 64, 130
TIE_WINDOW = Window(0, FULL_TRACK_COLUMN - 16 * TIE_TRACK, ROWS, 16 * (TIE_COUNT - 1) + 1)
# Relative orbit and seconds from its node, where the track is at 0 N, at 180 E, at 81 N.
PLACES = {"equator": (1, 0), "anti-meridian": (0, 0), "pole": (1, 1500)}


def _overpass(what: str) -> Overpass:
    orbit, frame = PLACES[what]
    if what == "anti-meridian":
        nodes = [ground_track(0.0, orbit)[0] for orbit in range(1, 386)]
        orbit = 1 + int(np.argmin([node[0] for node in nodes]))
    return overpass_at(50, orbit, frame, reflective=True)


def _true_positions(passing: Overpass, size: tuple[int, int], fine: int, early: float) -> Any:
    """Latitude and longitude from the orbit itself; rows and columns of 1 km begin ``early``."""
    rows, columns = (np.arange(length) / fine - early for length in size)
    up, _, left = ground_track(passing.frame + rows * 0.15, passing.relative_orbit)
    point = across_track(up[:, np.newaxis], left[:, np.newaxis], columns)
    return position_deg(geodetic(point))


def _apart_km(one: xr.Dataset, two: xr.Dataset) -> Any:
    """Great-circle distance, by the chord."""
    vectors = []
    for scene in (one, two):
        latitude = np.radians(scene["latitude"].values.astype(float))
        longitude = np.radians(scene["longitude"].values.astype(float))
        x, y = np.cos(latitude) * np.cos(longitude), np.cos(latitude) * np.sin(longitude)
        vectors.append(np.stack([x, y, np.sin(latitude)]))
    chord = np.linalg.norm(vectors[0] - vectors[1], axis=0)
    return 6371 * 2 * np.arcsin(chord / 2)


def _write_placed_product(product: Path, passing: Overpass, stem: str) -> tuple[int, int]:
    """A band and its tie points; returns rows and columns."""
    tie = scene_geometry(passing, TIE_WINDOW)
    ties = {"latitude_tx": tie.latitude_deg[:, ::16], "longitude_tx": tie.longitude_deg[:, ::16]}
    write_file(product / "geodetic_tx.nc", ties, tie=True, track_column=TIE_TRACK)
    zenith_deg = np.full(ties["latitude_tx"].shape, 30.0)
    angles = {"solar_zenith_tn": zenith_deg, "sat_zenith_tn": zenith_deg}
    write_file(product / "geometry_tn.nc", angles, tie=True, track_column=TIE_TRACK)
    fine = 2 if stem.endswith("an") else 1
    values = np.zeros((ROWS * fine, 1500 * fine), np.int16)
    band, _, suffix = stem.split("_")
    exceptions = f"{band}_exception_{suffix}"
    write_file(
        product / f"{stem}.nc",
        {stem: values, exceptions: values.astype(np.uint8)},
        {exceptions: flags(EXCEPTIONS, np.uint8)},
        resolution_m=1000 // fine,
        track_column=FULL_TRACK_COLUMN,
    )
    return ROWS * fine, 1500 * fine


# A pixel of 500 m may be meant to be centred on its count of half kilometres, or with the other
# three of its 1 km pixel around that one's middle, a quarter of 1 km away in both directions.
@pytest.mark.parametrize(
    ("stem", "early"), [("S8_BT_in", 0), ("S1_radiance_an", 0), ("S1_radiance_an", 0.25)]
)
@pytest.mark.parametrize("what", sorted(PLACES))
def test_tie_points_place_pixels_as_the_product_does(
    tmp_path: Path, what: str, stem: str, early: float
) -> None:
    passing, product = _overpass(what), tmp_path / NAMES["004"]
    product.mkdir()
    size = _write_placed_product(product, passing, stem)
    suffix, fine = stem[-2:], 1 if stem.endswith("in") else 2
    geometry = scene_geometry(passing, Window(0, 0, ROWS, 1500))
    own = geometry.latitude_deg, geometry.longitude_deg
    if fine == 2:
        own = _true_positions(passing, size, fine, early)
    packing = {"scale_factor": 1e-6, "add_offset": 0.0, "_FillValue": np.int32(-(2**31))}
    names = f"latitude_{suffix}", f"longitude_{suffix}"
    positions = [np.round(np.asarray(degrees, float) * 1e6).astype(np.int32) for degrees in own]
    write_file(
        product / f"geodetic_{suffix}.nc",
        dict(zip(names, positions, strict=True)),
        dict.fromkeys(names, packing),
        resolution_m=1000 // fine,
        track_column=FULL_TRACK_COLUMN,
    )
    grid = "1km" if fine == 1 else "500m"

    by_pixel = open_scene(product, grid=grid).coords.to_dataset().load()
    (product / f"geodetic_{suffix}.nc").unlink()
    by_tie_points = open_scene(product, grid=grid).coords.to_dataset()

    apart_km = _apart_km(by_pixel, by_tie_points)
    assert apart_km.max() < 0.5
    assert apart_km.max() < 0.05 + early * 1.5  # 0.25 km times the root of 2
    latitude, longitude = (by_tie_points[name].values for name in ("latitude", "longitude"))
    jump = np.abs(np.diff(longitude, axis=1)).max() > 350
    assert jump == (what == "anti-meridian")
    assert (np.abs(latitude).max() > 89) == (what == "pole")


@pytest.mark.parametrize(("grid", "suffix"), [("1km", "in"), ("500m", "an")])
def test_positions_of_the_grid_need_no_tie_points(tmp_path: Path, grid: str, suffix: str) -> None:
    product = write_views(tmp_path)
    (product / "geodetic_tx.nc").unlink()
    assert "latitude" not in open_scene(product, grid=grid).coords
    shape = Make().shape(suffix)
    positions = {
        f"latitude_{suffix}": np.full(shape, 5.0),
        f"longitude_{suffix}": np.full(shape, 6.0),
    }
    metres = 1000 if grid == "1km" else 500
    write_file(product / f"geodetic_{suffix}.nc", positions, resolution_m=metres)

    scene = open_scene(product, grid=grid)

    assert (scene["latitude"].values == 5).all()
    assert (scene["longitude"].values == 6).all()


@needs_real_product
def test_real_500_m_grid_begins_where_its_flags_do() -> None:
    assert REAL is not None  # which holds no band of 500 m, as by night

    scene = open_scene(REAL, grid="500m")

    assert (scene.attrs["start_offset"], scene.attrs["track_offset"]) == (40873, 1996)
    gross = decode_flag(scene["cloud"], "gross_cloud")[0]
    coarse = decode_flag(open_scene(REAL)["cloud"], "gross_cloud")[0]
    # A thermal test's result is that of the 1 km pixel around: rows 1 and 2 are of row 0.
    np.testing.assert_array_equal(gross[1:-1:2, ::2], coarse[:-1])
    bt_kelvin = scene["S8"].values
    upper, lower = bt_kelvin[1:-1:2], bt_kelvin[2::2]
    both = np.isfinite(upper) & np.isfinite(lower)  # filled by their own flags
    np.testing.assert_array_equal(upper[both], lower[both])
