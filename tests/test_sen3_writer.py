"""Simulated products: their format against the real one, and what comes back when they are read."""

import json
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt
import pytest
import xarray as xr

from slstr_cloudmask import channels
from slstr_cloudmask.assessment import assess, make_plan
from slstr_cloudmask.errors import InputError, OutputExistsError, WriteError
from slstr_cloudmask.evaluation.strata import EVERYTHING
from slstr_cloudmask.flags import UNKNOWN
from slstr_cloudmask.io import open_scene
from slstr_cloudmask.io.find_scenes import find_scenes
from slstr_cloudmask.io.product_check import verify_product
from slstr_cloudmask.io.product_manifest import read_manifest
from slstr_cloudmask.io.product_name import MANIFEST, parse_product_name
from slstr_cloudmask.io.product_store import open_product
from slstr_cloudmask.scene import STRATUM_NAMES
from slstr_cloudmask.simulate import dataset, product_writer
from slstr_cloudmask.simulate import scene as scene_module
from slstr_cloudmask.simulate.geometry import Window, image_position
from slstr_cloudmask.simulate.instrument import Gaps, measured_fire
from slstr_cloudmask.simulate.orbit import Overpass, overpass_at, product_name
from slstr_cloudmask.simulate.places import benchmark_scenes
from slstr_cloudmask.simulate.plan import DatasetConfig, plan_dataset
from slstr_cloudmask.simulate.product_format import FileFormat, product_format
from slstr_cloudmask.simulate.product_format_export import product_file
from slstr_cloudmask.simulate.product_format_maker import format_text
from slstr_cloudmask.simulate.product_grids import Placing, placing_of
from slstr_cloudmask.simulate.product_netcdf import chunk_shape
from slstr_cloudmask.simulate.product_truth import TRUTH_FILES
from slstr_cloudmask.simulate.product_writer import write_product
from slstr_cloudmask.simulate.recipe import Recipe
from slstr_cloudmask.simulate.scene import Views, make_scene
from tests.sen3_simulated import DAY, NIGHT, product_of, views_of
from tests.test_geolocation import REAL, needs_real_product

# The left edge of the oblique view's swath is in it, and copied pixels beyond 500 km of the track.
WINDOW = Window(300, 460, 64, 160)
Array = npt.NDArray[Any]


@pytest.fixture(scope="module")
def views() -> Views:
    return views_of(WINDOW)


@pytest.fixture(scope="module")
def product(views: Views, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return product_of(views, tmp_path_factory.mktemp("day"))


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A night scene of odd size, into which the oblique view does not reach."""
    return product_of(views_of(Window(5, 0, 33, 61), NIGHT), tmp_path_factory.mktemp("night"))


def stored(product: Path, name: str, variable: str) -> Array:
    """Values of a variable as they are stored."""
    with h5py.File(product / name) as file:
        return np.asarray(file[variable][()])


# Format


def test_the_format_is_of_97_files() -> None:
    known = product_format()
    assert len(known.files) == 97
    assert [unit.file for unit in known.units] == list(known.files)
    # The real folder holds 64 of them, beside the manifest.
    assert sum(file.source == "product" for file in known.files.values()) == 64
    absent = {file.kind for file in known.files.values() if file.source != "product"}
    assert absent == {"radiance", "geodetic", "cartesian", "met"}


@needs_real_product
def test_the_format_can_be_made_again() -> None:
    assert REAL is not None
    (export,) = REAL.parent.glob("S3A_SL_1_RBT____2017*.nc")
    kept = Path(product_writer.__file__).parent / "data" / "product_format.json"
    assert format_text(REAL, export) == kept.read_text("utf-8")


def test_radiances_are_packed_as_in_the_export() -> None:
    scales = {
        band: float(_attribute(f"{band}_radiance_an", "scale_factor"))
        for band in channels.REFLECTANCE_NAMES
    }
    assert scales == {
        "S1": 0.01785,
        "S2": 0.0145,
        "S3": 0.009,
        "S4": 0.003452,
        "S5": 0.002258,
        "S6": 0.000742,
    }
    assert _attribute("S5_radiance_bo", "units") == "mW.m-2.sr-1.nm-1"
    long_name = _attribute("S5_radiance_bo", "long_name")
    assert long_name == "TOA radiance for channel S5 (B stripe grid, oblique view)"


def _attribute(name: str, attribute: str) -> Any:
    value = product_format().files[f"{name}.nc"].variables[name].attributes[attribute]
    return value if isinstance(value, str) else value[0]  # type: ignore[index]


def described(file: FileFormat) -> tuple[dict[str, Any], dict[str, int]]:
    """Describe a file of the format as `product_file` describes one on disk."""
    variables = {}
    for name, item in file.variables.items():
        attributes = {
            key: value
            if isinstance(value, str)
            else {value.dtype.name: [None if n != n else n for n in value.tolist()]}
            for key, value in item.attributes.items()
            if value is not None
        }
        variables[name] = {
            "dtype": item.dtype,
            "dims": list(item.dims),
            "fill": None if item.fill != item.fill else item.fill,
            "attributes": attributes,
        }
    return variables, file.sizes


@pytest.mark.parametrize("name", sorted(product_format().files))
def test_every_file_has_the_format_that_is_kept(product: Path, name: str) -> None:
    assert product_file(product / name) == described(product_format().files[name])


@needs_real_product
@pytest.mark.parametrize(
    "name", sorted(key for key, file in product_format().files.items() if file.source == "product")
)
def test_every_file_is_as_in_the_real_product(product: Path, name: str) -> None:
    assert REAL is not None
    assert product_file(product / name) == product_file(REAL / name)
    with h5py.File(product / name) as ours, h5py.File(REAL / name) as real:
        assert global_types(ours) == global_types(real)
        for key in ("title", "references"):
            assert str(ours.attrs[key]) == str(real.attrs[key])
        assert ours.attrs.get("resolution") == real.attrs.get("resolution")
        for key, item in real.items():
            shape, itemsize = item.shape, item.dtype.itemsize
            assert (ours[key].compression_opts, ours[key].shuffle) == (
                item.compression_opts,
                item.shuffle,
            )
            if item.chunks and item.dtype.kind != "O":
                assert chunk_shape(shape, itemsize) == item.chunks
            words = ours[key].attrs.get("NAME", b"")[:-10], item.attrs.get("NAME", b"")[:-10]
            assert words[0] == words[1]


def global_types(file: Any) -> dict[str, str]:
    """Type of each global attribute; the length of a text is its own affair."""
    kinds = {key: file.attrs.get_id(key) for key in file.attrs}
    return {
        key: "text" if kind.dtype.kind == "S" else f"{kind.dtype}{kind.shape}"
        for key, kind in kinds.items()
    }


def test_grids_are_placed_by_their_offsets(product: Path) -> None:
    # Row 300 of the frame that begins 1980 s after the node: 1980 / .15 + 300 = 13500. The track
    # is column 998 of the frame: 998 - 460 = 538 in the window. The oblique grid begins at column
    # 548 of the frame and has its track at 450; tie points have theirs at 64 always.
    placed: dict[str, tuple[int, ...]] = {}
    for grid in ("in", "an", "io", "bo"):
        with h5py.File(product / f"flags_{grid}.nc") as file:
            offsets = int(file.attrs["start_offset"][0]), int(file.attrs["track_offset"][0])
            placed[grid] = (*offsets, *file[f"cloud_{grid}"].shape)
    assert placed["in"] == (13500, 538, 64, 160)
    assert placed["an"] == (27000, 1076, 128, 320)
    assert placed["io"] == (13500, 450, 64, 72)  # 460 + 160 - 548
    assert placed["bo"] == (27000, 900, 128, 144)
    with h5py.File(product / "geometry_to.nc") as file:
        assert (int(file.attrs["start_offset"][0]), int(file.attrs["track_offset"][0])) == (
            13500,
            64,
        )
        assert file["sat_zenith_to"].shape == (64, 130)


def entries(manifest: Path, tag: str) -> list[dict[str, str]]:
    """Attributes of the elements of a manifest that describe files."""
    root = ET.fromstring(manifest.read_bytes())
    found = []
    for element in root.iter():
        pointer = element.find("dataObjectPointer")
        if element.tag.endswith(tag) and pointer is not None:
            found.append(element.attrib | pointer.attrib)
    return found


def locations(manifest: Path) -> list[tuple[str, dict[str, str]]]:
    root = ET.fromstring(manifest.read_bytes())
    places = [
        (item.get("ID", ""), item.find(".//fileLocation")) for item in root.iter("dataObject")
    ]
    return [(name, place.attrib) for name, place in places if place is not None]


@needs_real_product
def test_the_manifest_lists_the_files_as_the_real_one_does(product: Path) -> None:
    assert REAL is not None
    ours, real = product / MANIFEST, REAL / MANIFEST
    for tag in ("contentUnit", "metadataObject"):
        listed, truth = entries(ours, tag), 2 * (tag == "contentUnit")
        assert listed[: len(listed) - truth] == entries(real, tag)
    assert locations(ours)[:-2] == locations(real)
    described = [
        [item.get("ID") for item in ET.fromstring(path.read_bytes()).iter("metadataObject")]
        for path in (ours, real)
    ]
    assert described[0] == described[1]


def test_the_manifest_has_sizes_and_checksums(product: Path) -> None:
    assert verify_product(open_product(product)) == []
    manifest = read_manifest(open_product(product))
    assert set(manifest.files) == {*product_format().files, *TRUTH_FILES.values()}
    assert {path.name for path in product.iterdir()} == {*manifest.files, MANIFEST}
    assert (manifest.product_name, manifest.baseline) == (product.name, "004")
    # 300 rows of .15 s after the frame's start, 2019-10-01 11:32:21, and 63 rows more.
    assert manifest.start_time == "2019-10-01T11:33:06.000000Z"
    assert manifest.stop_time == "2019-10-01T11:33:15.450000Z"


def test_a_product_says_that_it_is_simulated(product: Path) -> None:
    name = parse_product_name(product)
    assert name is not None
    assert name.platform == "Sentinel-3A (simulated)"
    for path in product.glob("*.nc"):
        with h5py.File(path) as file:
            assert b"simulated" in file.attrs["source"]
            assert file.attrs["institution"] == b"SI0"
            assert path.name == "viscal.nc" or b"Simulated" in file.attrs["comment"]
    assert "simulated" in (product / MANIFEST).read_text()


# What is read back


def seen_again(views: Views, product: Path, view: str, **options: Any) -> tuple[Any, xr.Dataset]:
    """Read a view, and cut the scene it was made of to the same grid."""
    placing = placing_of(views.recipe.overpass, views.window)
    made = views.nadir.scene if view == "nadir" else views.oblique.scene
    return open_scene(product, view=view, **options), made.isel(
        columns=placing.columns("i" + view[0])
    )


@pytest.mark.parametrize("view", ["nadir", "oblique"])
def test_bands_come_back_to_half_a_count(views: Views, product: Path, view: str) -> None:
    read, made = seen_again(views, product, view, fill_s7=False)
    for band in channels.THERMAL_NAMES:
        assert read[band].shape == made[band].shape
        # Counts are hundredths of a kelvin, and what the instrument gives is too.
        np.testing.assert_allclose(read[band], made[band], rtol=0, atol=1e-4, equal_nan=True)
    cosine = np.cos(np.radians(made["solar_zenith_angle"].values))
    for band in channels.REFLECTANCE_NAMES:
        scale = float(_attribute(f"{band}_radiance_an", "scale_factor"))
        # R = pi L / (E0 cos): half a count of L. In early October the sun is at 1.0011 au, so that
        # E0 is .9977 of the standard.
        irradiance = channels.BY_NAME[band].solar_irradiance
        assert irradiance is not None
        half = np.pi * scale / 2 / (irradiance * 0.9977 * cosine)
        error = np.abs(read[band].values - made[band].values)
        assert np.nanmax(error - half) < 2e-6
        np.testing.assert_array_equal(np.isnan(read[band]), np.isnan(made[band]))


@pytest.mark.parametrize(("band", "grid"), [("F1", "fn"), ("F2", "in"), ("F1", "fo")])
def test_fire_channels(views: Views, product: Path, band: str, grid: str) -> None:
    counts = stored(product, f"{band}_BT_{grid}.nc", f"{band}_BT_{grid}")
    fire = views.nadir_fire if grid[1] == "n" else views.oblique_fire
    made = fire[band][:, placing_of(DAY, WINDOW).columns(grid)]
    kelvin = np.where(counts == -32768, np.nan, counts * 0.01 + 283.73)
    np.testing.assert_allclose(kelvin, made, rtol=0, atol=0.0051, equal_nan=True)
    # They see what S7 and S8 see, with noise of their own.
    twin = views.nadir.scene["S7" if band == "F1" else "S8"].values
    if grid[1] == "n":
        difference = np.nanstd(made - twin)
        assert 0 < difference < (3 if band == "F1" else 0.1)


def test_the_fire_channel_does_not_saturate() -> None:
    hot = {name: np.full((40, 40), 330.0, np.float32) for name in ("S7", "S8")}
    fire = measured_fire(np.random.default_rng(1), hot)
    # S7 ends at 312 K. Noise of 24 * .045 K at 270 K is about .1 K at 330 K.
    assert fire["F1"].mean() == pytest.approx(330, abs=0.05)
    assert 0.05 < fire["F1"].std() < 0.3


def test_flags_come_back(views: Views, product: Path) -> None:
    read, made = seen_again(views, product, "nadir")
    for name in ("bayes", "cloud", "confidence", "summary_cloud"):
        known = made[name].values != made[name].attrs.get("_FillValue", -1)
        known &= views.nadir.gaps.seen  # unknown is fill then, whatever the bits
        np.testing.assert_array_equal(read[name].values[known], made[name].values[known])
        assert (
            read[name].attrs["flag_meanings"].split()[0]
            == made[name].attrs["flag_meanings"].split()[0]
        )
    for grid in ("an", "bn", "fn"):
        placing = placing_of(DAY, WINDOW)
        for name in ("bayes", "cloud", "confidence"):
            fine = stored(product, f"flags_{grid}.nc", f"{name}_{grid}")
            np.testing.assert_array_equal(fine, placing.on(made[name].values, grid))
    probability = stored(product, "flags_in.nc", "probability_cloud_single_in")
    expected = made["cloud_probability_provider"].values
    unpacked = np.where(probability == -32768, np.nan, probability * 0.005 + 0.5)
    np.testing.assert_allclose(unpacked, expected, rtol=0, atol=0.00251, equal_nan=True)


def test_the_provider_judges_the_oblique_view_by_basic_tests_alone(product: Path) -> None:
    bayes = stored(product, "flags_io.nc", "bayes_io")
    cloud = stored(product, "flags_io.nc", "cloud_io")
    confidence = stored(product, "flags_io.nc", "confidence_io")
    unfilled = (confidence & 32) != 0
    assert (bayes == UNKNOWN).all()
    assert 0 < unfilled.mean() < 1
    assert (cloud[unfilled] == 0).all()
    assert (cloud[~unfilled] != 0).any()
    assert (
        "bayes" not in open_scene(product, view="oblique")
        or (open_scene(product, view="oblique")["bayes"].values == UNKNOWN).all()
    )


def test_exceptions_say_what_was_copied_and_lost(tmp_path: Path) -> None:
    def gaps(rng: np.random.Generator, in_swath: Array, window: Window) -> Gaps:
        seen, cosmetic = in_swath.copy(), np.zeros_like(in_swath)
        seen[5] = False
        cosmetic[7, 50] = True
        return Gaps(seen, cosmetic)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scene_module, "draw_gaps", gaps)
        product = product_of(views_of(Window(300, 0, 32, 64)), tmp_path)
    exceptions = stored(product, "S8_BT_in.nc", "S8_exception_in")
    # The swath begins at about column 36: beside it unfilled, the lost line absent as well.
    assert (exceptions[:, :30] == 128).all()
    assert (exceptions[5, 45:] == 129).all()
    assert (exceptions[4, 45:] == 0).all()
    assert exceptions[7, 50] == 2
    assert stored(product, "flags_in.nc", "confidence_in")[7, 50] & 256
    counts = stored(product, "S8_BT_in.nc", "S8_BT_in")
    assert counts[7, 50] == counts[7, 49] != -32768
    assert (counts[5] == -32768).all()
    # A place is known wherever the instrument scanned, and nowhere else.
    latitude = stored(product, "geodetic_in.nc", "latitude_in")
    assert (latitude[5, 45:] != -2147483648).all()
    assert (latitude[:, :30] == -2147483648).all()
    orphans = stored(product, "S8_BT_in.nc", "S8_exception_orphan_in")
    assert orphans.shape == (32, 8)  # one for every eight columns
    assert (orphans == 128).all()
    assert (stored(product, "flags_in.nc", "confidence_orphan_in") == 32).all()
    assert (stored(product, "flags_in.nc", "cloud_orphan_in") == 0).all()
    assert (stored(product, "flags_in.nc", "bayes_orphan_in") == UNKNOWN).all()


def test_what_is_out_of_range_says_so(views: Views, tmp_path: Path) -> None:
    scene = views.nadir.scene.copy()
    s7, s1 = scene["S7"].values.copy(), scene["S1"].values.copy()
    s7[3, 100:103] = 304.99, 305.01, 312.0
    # At a solar zenith angle of 65 degrees: 1837 / pi * cos * 5 = 1236, and counts end at 584.9.
    s1[3, 100] = 5.0
    scene = scene.assign(S7=(scene.dims, s7), S1=(scene.dims, s1))
    hot = replace(views, nadir=replace(views.nadir, scene=scene))
    product = product_of(hot, tmp_path)
    # As in the real product: above 305 K the value stays, and is marked.
    assert stored(product, "S7_BT_in.nc", "S7_exception_in")[3, 100:103].tolist() == [0, 32, 32]
    counts = stored(product, "S7_BT_in.nc", "S7_BT_in")[3, 100:103]
    assert counts.tolist() == [2126, 2128, 2827]  # (304.99 - 283.73) / .01
    assert (stored(product, "S1_radiance_an.nc", "S1_radiance_an")[6:8, 200:202] == 32767).all()
    assert (stored(product, "S1_radiance_an.nc", "S1_exception_an")[6:8, 200:202] == 16).all()


def angle_between_km(one: tuple[Array, Array], two: tuple[Array, Array]) -> float:
    """Largest distance on the ground between two sets of places."""

    def vector(latitude: Array, longitude: Array) -> Array:
        lat, lon = np.radians(latitude.astype(float)), np.radians(longitude.astype(float))
        return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])

    chord = np.linalg.norm(vector(*one) - vector(*two), axis=0)
    assert np.isfinite(chord).mean() > 0.5
    return float(6371 * np.nanmax(chord))


def around(latitude_deg: float, longitude_deg: float, overpasses: list[Overpass]) -> Any:
    """Find an overpass that sees a place, and a window about it."""
    for overpass in overpasses:
        row, column = (
            int(value[0]) for value in image_position(overpass, [latitude_deg], [longitude_deg])
        )
        if 100 < row < 1000 and 40 < column < 1300:
            return overpass, Window(row - 32, max(column - 40, 37), 64, 96)
    raise AssertionError("no overpass sees the place")


PLACES: dict[str, Callable[[], Any]] = {
    "middle": lambda: (DAY, WINDOW),
    # Heading west at the northern end of the orbit, the pole lies 958 km to the right.
    "pole": lambda: around(
        89.5, 100.0, [overpass_at(50, orbit, 1425, reflective=True) for orbit in range(1, 386, 7)]
    ),
    "anti-meridian": lambda: around(
        60.0, 180.0, [overpass_at(50, orbit, 1980, reflective=True) for orbit in range(1, 386)]
    ),
}


@pytest.mark.parametrize("place", PLACES)
def test_places_and_angles_come_back(place: str, tmp_path: Path) -> None:
    overpass, window = PLACES[place]()
    views = views_of(window, overpass)
    product = product_of(views, tmp_path)
    read, made = seen_again(views, product, "nadir")
    longitude = made["longitude"].values
    if place != "middle":
        assert np.ptp(longitude) > 50  # it jumps
    for name in ("solar_zenith_angle", "satellite_zenith_angle"):
        # Interpolated from tie points, as the simulator's own angles are from nodes 16 km apart.
        np.testing.assert_allclose(read[name], made[name], rtol=0, atol=0.02)
    ours = made["latitude"].values, longitude
    geodetic = read["latitude"].values, read["longitude"].values
    assert angle_between_km(geodetic, ours) < 0.003  # float32 of degrees
    (product / "geodetic_in.nc").unlink()
    tied = open_scene(product)
    assert angle_between_km((tied["latitude"].values, tied["longitude"].values), ours) < 0.05


def test_pixels_of_500_m_lie_a_quarter_kilometre_about_those_of_1_km(product: Path) -> None:
    places = {
        grid: (
            stored(product, f"geodetic_{grid}.nc", f"latitude_{grid}") * 1e-6,
            stored(product, f"geodetic_{grid}.nc", f"longitude_{grid}") * 1e-6,
        )
        for grid in ("in", "an", "bn", "fn")
    }
    middle = [
        (values[0::2, 0::2] + values[1::2, 0::2] + values[0::2, 1::2] + values[1::2, 1::2]) / 4
        for values in places["an"]
    ]
    assert angle_between_km((middle[0], middle[1]), places["in"]) < 0.01
    corner = places["an"][0][::2, ::2], places["an"][1][::2, ::2]
    # .25 km each way: .354 km; rows are a little more than a kilometre apart.
    assert angle_between_km(corner, places["in"]) == pytest.approx(0.354, abs=0.01)
    np.testing.assert_array_equal(places["bn"], places["an"])
    np.testing.assert_array_equal(places["fn"], places["in"])


def test_metres_from_the_track_are_those_of_real_products(product: Path) -> None:
    # Column 0 of the tie points lies 64 * 16 km to one side, which is positive.
    x = stored(product, "cartesian_tx.nc", "x_tx")
    assert (x[0, 0], x[0, 64], x[5, 129]) == (1_024_000, 0, -1_040_000)
    # Column 538 of the window is on the track, 100 rather far from it.
    assert stored(product, "cartesian_in.nc", "x_in")[0, 100] == 438_000
    # The first pixel of 500 m in it lies 250 m further out, the second 250 m further in.
    assert stored(product, "cartesian_an.nc", "x_an")[0, 200:202].tolist() == [438_250, 437_750]
    y = stored(product, "cartesian_in.nc", "y_in")[:, 100]
    assert y[:2].tolist() == [round(13500 * 1003.8), round(13501 * 1003.8)]
    fine = stored(product, "cartesian_an.nc", "y_an")[:, 200]
    np.testing.assert_allclose((fine[::2] + fine[1::2]) / 2, y, atol=1)


@needs_real_product
def test_metres_along_the_track_are_as_many_as_in_the_real_product() -> None:
    assert REAL is not None
    y = stored(REAL, "cartesian_tx.nc", "y_tx")[:, 0]
    assert np.diff(y).mean() == pytest.approx(1003.8, abs=0.1)


def test_times_scans_and_detectors(product: Path) -> None:
    stamp = stored(product, "time_in.nc", "time_stamp_i")
    midnight = np.datetime64("2000-01-01") + stamp.astype("timedelta64[us]")
    # Row 13500 is even: it and the next have the time of row 300, 45 s after 11:32:21.
    assert [str(time) for time in midnight[:3]] == [
        "2019-10-01T11:33:06.000000",
        "2019-10-01T11:33:06.000000",
        "2019-10-01T11:33:06.300000",
    ]
    np.testing.assert_array_equal(
        np.repeat(stamp, 2), stored(product, "time_an.nc", "time_stamp_a")
    )
    scan = stored(product, "indices_in.nc", "scan_in")
    # 13500 rows are 6750 scans; at column 900, 98 km from the track, a pixel is seen 10.6 s, or 36
    # scans, before; at 460 + 100, 438 km away, 87 * .1918 - 11.47 - .3 = 4.9 s later: 16 scans.
    assert scan[0, 100] == 6750 + 16
    first = stored(product, "time_in.nc", "Nadir_First_scan_i")
    last = stored(product, "time_in.nc", "Nadir_Last_scan_i")
    assert (first <= scan.min(axis=1)).all()
    assert (last >= scan.max(axis=1)).all()
    detectors = stored(product, "indices_an.nc", "detector_an")
    assert detectors[:5, 200].tolist() == [0, 1, 2, 3, 0]
    assert stored(product, "indices_in.nc", "detector_in")[:3, 100].tolist() == [0, 1, 0]


def test_irradiance_and_noise(product: Path) -> None:
    # 1 October is day 274, 270 days after perihelion on the 4th of January:
    # d = 1 - .01672 cos(2 pi 270 / 365.256) = 1 + .01672 * .0677; 1837.39 / d**2 = 1833.2.
    irradiance = stored(product, "S1_quality_an.nc", "S1_solar_irradiance_an")
    assert irradiance == pytest.approx([1833.2] * 4, abs=0.1)
    assert stored(product, "viscal.nc", "S1_solar_irradiances") == pytest.approx(
        np.full((4, 2), 1833.2), abs=0.1
    )
    assert stored(product, "S5_quality_bo.nc", "S5_solar_irradiance_bo").shape == (4,)
    assert stored(product, "S8_quality_in.nc", "S8_band_centre_in").tolist() == [10.85, 10.85]
    # Constant in radiance, and dB/dT ~ exp(-3845 K / T) / T**2 at 3.742 um: from 270 to 265.3 K
    # .045 K grow by exp(3845 * (1 / 265.3 - 1 / 270)) * (265.3 / 270)**2 = 1.287 * .9655.
    noise = stored(product, "S7_quality_in.nc", "S7_dT_BB2_in")
    assert noise.shape == (2, 2, 64)
    np.testing.assert_allclose(noise, 0.0559, atol=0.0003)
    assert np.isnan(stored(product, "S8_quality_in.nc", "S8_cal_gain_in")).all()


def test_weather_is_what_the_provider_believes(views: Views, product: Path) -> None:
    vapour = stored(product, "met_tx.nc", "total_column_water_vapour_tx")
    assert vapour.shape == (1, 64, 130)
    # Tie column 64 - 30 is column 998 - 480 of the frame: 58 of the window.
    np.testing.assert_array_equal(vapour[0, :, 34], views.forecast.vapour_mm[:, 58])
    skin = stored(product, "met_tx.nc", "skin_temperature_tx")
    np.testing.assert_array_equal(skin[0, :, 34], views.forecast.skin_kelvin[:, 58])
    assert np.isnan(skin[0, :, 20]).all()
    assert np.isnan(stored(product, "met_tx.nc", "temperature_profile_tx")).all()
    assert stored(product, "met_tx.nc", "temperature_profile_tx").shape == (1, 25, 64, 130)


def test_the_truth_is_in_files_of_its_own(views: Views, product: Path) -> None:
    with h5py.File(product / TRUTH_FILES["in"]) as file:
        names = [name[:-3] for name in file if "truth" in name or name[:-3] in STRATUM_NAMES]
        assert set(names) == {"truth", *STRATUM_NAMES}
        for name in names:
            np.testing.assert_array_equal(file[f"{name}_in"][()], views.nadir.scene[name].values)
        assert file["truth_in"].attrs["flag_meanings"] == b"clear cloud"
        assert file["truth_in"].attrs["_FillValue"] == 255
        assert (file.attrs["seed"][0], file.attrs["world"]) == (1, b"standard")
        assert file.attrs["cloud_optical_depth"][0] == 0.3


# Views


def test_both_views_are_the_scenes_that_are_made_alone() -> None:
    recipe = Recipe(3, benchmark_scenes()[0], (40, 1500))
    views = scene_module.make_views(recipe)
    xr.testing.assert_identical(views.nadir.scene, make_scene(recipe))
    alone = make_scene(replace(recipe, view="oblique"))
    columns = placing_of(recipe.overpass, views.window).oblique
    xr.testing.assert_identical(views.oblique.scene.isel(columns=columns), alone)


@pytest.mark.parametrize(
    ("window", "oblique", "track"),
    [
        (Window(0, 0, 1200, 1500), slice(548, 1448), 450),
        (Window(0, 600, 32, 100), slice(0, 100), 398),
        (Window(0, 0, 32, 100), slice(99, 100), 899),  # the nearest column, 99 of the frame
        (Window(0, 1460, 32, 40), slice(0, 1), -462),
        (Window(-5, -20, 32, 1540), slice(568, 1468), 450),
    ],
)
def test_the_oblique_grid_is_what_the_view_has_of_the_window(
    window: Window, oblique: slice, track: int
) -> None:
    placing = placing_of(DAY, window)
    assert placing.oblique == oblique
    assert placing.grids["io"].track_offset == track
    assert placing.grids["io"].columns == oblique.stop - oblique.start
    assert placing.grids["ao"].columns == 2 * placing.grids["io"].columns


def test_orphans_are_as_many_as_in_the_real_product() -> None:
    placing = placing_of(DAY, Window(0, 0, 1200, 1500))
    assert [placing.orphans(grid) for grid in ("in", "an", "io")] == [187, 374, 112]


# Night and odd sizes


def test_night_has_no_reflective_bands(night: Path) -> None:
    assert not list(night.glob("S?_radiance_*.nc"))
    manifest = read_manifest(open_product(night))
    assert len(manifest.files) == 97 - 18 + 2
    assert verify_product(open_product(night)) == []
    text = (night / MANIFEST).read_text()
    assert "_RAD_" not in text
    scene = open_scene(night)
    assert scene["S8"].shape == (33, 61)
    assert "S1" not in scene
    assert (scene["solar_zenith_angle"] > 90).all()


def test_a_view_that_does_not_reach_the_window_is_all_fill(night: Path) -> None:
    oblique = open_scene(night, view="oblique")
    assert oblique["S8"].shape == (33, 1)
    assert np.isnan(oblique["S8"]).all()


# Failures


def test_a_product_needs_a_products_name(views: Views, tmp_path: Path) -> None:
    for name in ("mine.SEN3", product_name(DAY)):
        with pytest.raises(InputError, match=r"name of a product.*found"):
            write_product(tmp_path / name, views)
    assert list(tmp_path.iterdir()) == []


def test_a_product_is_replaced_only_when_asked(views: Views, product: Path, tmp_path: Path) -> None:
    copy = tmp_path / product.name
    shutil.copytree(product, copy)
    (copy / "S8_BT_in.nc").write_bytes(b"broken")
    with pytest.raises(OutputExistsError, match="--overwrite"):
        write_product(copy, views)
    write_product(copy, views, overwrite=True)
    assert (copy / "S8_BT_in.nc").read_bytes() == (product / "S8_BT_in.nc").read_bytes()
    (copy / "notes.txt").write_text("mine")
    with pytest.raises(OutputExistsError, match=r"notes\.txt"):
        write_product(copy, views, overwrite=True)
    assert (copy / "notes.txt").read_text() == "mine"


def test_a_full_disk_leaves_nothing(
    views: Views, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(file: FileFormat, views: Views, placing: Placing) -> Any:
        raise OSError(28, "No space left on device")

    monkeypatch.setitem(product_writer._MAKERS, "time", full)  # the last kind of file
    with pytest.raises(WriteError, match="No space left"):
        product_of(views, tmp_path)
    assert list(tmp_path.iterdir()) == []


KILLED = """
import os, signal, sys
from pathlib import Path
from slstr_cloudmask.simulate import product_writer
from slstr_cloudmask.simulate.dataset import simulate_dataset
from slstr_cloudmask.simulate.plan import DatasetConfig

write, written = product_writer._write, 0

def dying(*arguments):
    global written
    written += 1
    if written == 150:  # in the middle of the second product
        os.kill(os.getpid(), signal.SIGKILL)
    return write(*arguments)

product_writer._write = dying
simulate_dataset(Path(sys.argv[1]), DatasetConfig(scenes=3, size=(32, 40), seed=2, format="sen3"))
"""


# Data sets

THREE = DatasetConfig(scenes=3, size=(32, 40), seed=2, format="sen3")


def contents(folder: Path) -> dict[str, bytes]:
    """Content of everything that is not hidden."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not any(p.startswith(".") for p in path.relative_to(folder).parts)
    }


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("made")
    dataset.simulate_dataset(out, THREE)
    return out


def test_products_are_laid_out_as_the_benchmarks(made: Path, tmp_path: Path) -> None:
    products = sorted(path.relative_to(made).as_posix() for path in made.rglob("*.SEN3"))
    assert products == sorted(plan.path for plan in plan_dataset(THREE))
    manifest = json.loads((made / dataset.MANIFEST).read_text())
    other = dataset.simulate_dataset(tmp_path, replace(THREE, format="hdf"))
    assert manifest["statistics_sha256"] == other["statistics_sha256"]
    assert all(verify_product(open_product(made / name)) == [] for name in products)


@pytest.mark.skipif(sys.platform == "win32", reason="needs signals of POSIX")
def test_a_run_that_was_killed_goes_on(made: Path, tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, tmp_path], check=False)
    assert done.returncode == -9
    (one,) = tmp_path.rglob("S3*.SEN3")
    before = (one / MANIFEST).stat().st_mtime_ns
    dataset.simulate_dataset(tmp_path, THREE)
    assert (one / MANIFEST).stat().st_mtime_ns == before
    assert contents(tmp_path) == contents(made)


@pytest.mark.parametrize("harm", ["cut short", "removed", "no manifest", "another size"])
def test_a_broken_product_is_made_again(made: Path, tmp_path: Path, harm: str) -> None:
    out = tmp_path / "out"
    shutil.copytree(made, out)
    broken, *_ = sorted(out.rglob("*.SEN3"))
    if harm == "cut short":
        content = (broken / "S8_BT_in.nc").read_bytes()
        (broken / "S8_BT_in.nc").write_bytes(content[:-1] + b"!")  # as long as before
    elif harm == "removed":
        (broken / "viscal.nc").unlink()
    elif harm == "no manifest":
        (broken / MANIFEST).unlink()
    else:
        dataset.simulate_dataset(tmp_path / "other", replace(THREE, size=(36, 36)))
        shutil.rmtree(broken)
        (tmp_path / "other" / broken.relative_to(out)).rename(broken)
    dataset.simulate_dataset(out, THREE)
    assert contents(out) == contents(made)


def test_products_of_other_options_are_replaced_only_when_asked(made: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    shutil.copytree(made, out)
    other = replace(THREE, seed=3, scenes=1, test_scenes=0)
    with pytest.raises(OutputExistsError, match=r"holds 3 scenes.*--overwrite"):
        dataset.simulate_dataset(out, other)
    assert contents(out) == contents(made)
    manifest = dataset.simulate_dataset(out, other, overwrite=True)
    assert [path.relative_to(out).as_posix() for path in out.rglob("*.SEN3")] == [
        manifest["scenes"][0]["path"]
    ]


@pytest.mark.parametrize("kind", ["real", "with notes", "link", "file"])
def test_what_was_not_simulated_is_never_replaced(kind: str, made: Path, tmp_path: Path) -> None:
    out = tmp_path / "out" / "ssts" / "day"
    out.mkdir(parents=True)
    mine, _, stranger = sorted(made.rglob("*.SEN3"))
    place = out / stranger.name
    if kind == "real":
        place = out / stranger.name.replace("SI1_D", "LN2_O").replace("SI0_D", "LN2_O")
        shutil.copytree(stranger, place)
    elif kind == "with notes":
        shutil.copytree(stranger, place)
        (place / "notes.txt").write_text("mine")
    elif kind == "link":
        place.symlink_to(mine, target_is_directory=True)
    else:
        place.write_text("mine")
    before = contents(tmp_path / "out")
    other = replace(THREE, seed=9, scenes=1, test_scenes=0)
    with pytest.raises(OutputExistsError, match="not simulated"):
        dataset.simulate_dataset(tmp_path / "out", other, overwrite=True)
    assert contents(tmp_path / "out") == before
    assert place.exists()


def test_truth_and_strata_are_read_where_they_are_wanted(views: Views, product: Path) -> None:
    scene = views.nadir.scene

    plain, whole = open_scene(product), open_scene(product, strata=True)

    assert "truth" in plain
    assert not set(STRATUM_NAMES) & set(plain)
    assert set(STRATUM_NAMES) <= set(whole)
    for name in ("truth", *STRATUM_NAMES):
        np.testing.assert_array_equal(whole[name].values, scene[name].values)
        assert whole[name].dtype == scene[name].dtype
        for key, value in scene[name].attrs.items():
            np.testing.assert_array_equal(whole[name].attrs[key], value)


@pytest.mark.parametrize("name", ["truth", *STRATUM_NAMES])
def test_truth_is_of_either_view_and_on_either_grid(views: Views, product: Path, name: str) -> None:
    oblique = open_scene(product, view="oblique", strata=True)
    columns = placing_of(views.recipe.overpass, views.window).oblique
    if name not in views.oblique.scene:  # the provider's probability is of nadir
        assert name not in oblique
        return
    there = views.oblique.scene[name].values[:, columns]
    assert 0 < there.shape[1] < views.nadir.scene[name].shape[1]
    np.testing.assert_array_equal(oblique[name].values, there)
    fine = open_scene(product, grid="500m", strata=True)
    twice = np.kron(views.nadir.scene[name].values, np.ones((2, 2), np.float32))
    np.testing.assert_array_equal(fine[name].values, twice)
    assert oblique["S8"].shape == oblique[name].shape
    assert fine["S8"].shape == fine[name].shape


@pytest.mark.parametrize(("view", "grid"), [("oblique", "1km"), ("nadir", "500m")])
def test_either_view_and_grid_is_scored(product: Path, view: str, grid: str) -> None:
    plan = make_plan(["thresholds"], ["truth"], view=view, grid=grid)
    result = assess([product], plan)
    truth = open_scene(product, view=view, grid=grid)["truth"].values
    total = result.pool["thresholds", "truth", EVERYTHING].total
    assert 0 < total.total <= (truth <= 1).sum()
    assert total.tp + total.fn == pytest.approx((truth == 1).sum(), rel=0.1)


def test_nadir_is_scored_with_the_oblique_view_beside_it(product: Path) -> None:
    scene = make_plan(["thresholds"], ["truth"], view="both").open(product)
    nadir = open_scene(product)
    np.testing.assert_array_equal(scene["truth"].values, nadir["truth"].values)
    beside = scene["S8_oblique"].values
    assert 0 < np.isfinite(beside).sum() < np.isfinite(scene["S8"].values).sum()
    assert "surface_kind" in scene


def test_products_are_found_as_scenes(product: Path, tmp_path: Path) -> None:
    shutil.copytree(product, tmp_path / "day" / product.name)
    (tmp_path / ".half" / product.name).mkdir(parents=True)

    assert find_scenes(tmp_path) == [tmp_path / "day" / product.name]

    (tmp_path / "day" / product.name).with_suffix(".hdf").write_bytes(b"the same scene")
    assert find_scenes(tmp_path) == [(tmp_path / "day" / product.name).with_suffix(".hdf")]
