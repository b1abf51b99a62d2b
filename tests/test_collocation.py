"""Nearest measurements by the product's own geometry."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slstr_cloudmask.errors import BrokenFileError, InputError
from slstr_cloudmask.io import open_scene
from slstr_cloudmask.io.collocation import find_neighbours
from tests.sen3_product import (
    COSMETIC,
    OCEAN,
    THERMAL,
    TRACK_COLUMN,
    Make,
    mark,
    number,
    place_orphan,
    put,
    set_flags,
    write_views,
)

PER_RADIANCE = np.pi / 500  # at 60 degrees, of 1000 mW m-2 nm-1


# -- by hand --------------------------------------------------------------------------------------


def test_nearest_by_hand() -> None:
    # On a line: 0, 1000, 2000 and 10000 m, the third left out.
    measured = np.array([[0.0, 0], [1000, 0], [np.nan, 0], [10000, 0]])
    wanted = np.array([[900.0, 0], [8600, 0], [8400, 0], [np.nan, 0]])

    near = find_neighbours(measured, wanted, count=2, reach_m=1500)

    # 8400 is 1600 from the last; 4 stands for none.
    assert near.index.tolist() == [[1, 0], [3, 4], [4, 4], [4, 4]]
    values = np.array([10, 20, 30, np.nan], np.float32)
    np.testing.assert_array_equal(near.mean(values), [15, np.nan, np.nan, np.nan])
    np.testing.assert_array_equal(near.mean(np.array([np.nan, 20, 0, 5], np.float32))[:2], [20, 5])


def test_nothing_measured_or_nothing_wanted() -> None:
    nothing = np.full((3, 2), np.nan)

    near = find_neighbours(nothing, np.zeros((2, 2)), count=4, reach_m=1000)
    assert near.index.tolist() == [[3] * 4] * 2
    assert np.isnan(near.mean(np.ones(3, np.float32))).all()
    near = find_neighbours(np.zeros((3, 2)), nothing, count=1, reach_m=1000)
    assert near.index.tolist() == [[3]] * 3


positions = st.lists(
    st.tuples(st.integers(0, 20), st.integers(0, 20), st.booleans(), st.booleans()),
    min_size=1,
    max_size=30,
)


@given(positions, positions, st.integers(1, 4))
def test_agrees_with_looking_at_all(measured: Any, wanted: Any, count: int) -> None:
    reach_m = 600.0
    # Offsets that differ by pixel make distances differ, so that the nearest are well defined.
    places = np.array([(100.0 * x + 0.1 * i, 100.0 * y) for i, (x, y, _, _) in enumerate(measured)])
    places[[left_out for *_, left_out in measured]] = np.nan
    targets = np.array([(100.0 * x + 0.03 * i, 100.0 * y) for i, (x, y, *_) in enumerate(wanted)])
    values = np.array(
        [np.nan if gap else i for i, (_, _, gap, _) in enumerate(measured)], np.float32
    )

    found = find_neighbours(places, targets, count=count, reach_m=reach_m).mean(values)

    for target, value in zip(targets, found, strict=True):
        distance = np.hypot(*(places - target).T)
        order = np.argsort(distance, kind="stable")[:count]  # NaN comes last
        near = [values[i] for i in order if distance[i] < reach_m]
        known = np.round(distance[np.isfinite(distance)], 6)
        if np.unique(known).size < known.size:
            continue  # either of two as near may be taken
        expected = [v for v in near if np.isfinite(v)]
        assert np.isfinite(value) == bool(expected)
        if expected:
            assert value == pytest.approx(np.mean(expected), rel=1e-5)


# -- in a product ---------------------------------------------------------------------------------


def test_on_regular_grids_both_ways_are_the_same(tmp_path: Path) -> None:
    product = write_views(tmp_path)
    number(product, "S1_radiance_an", 20, 2, 1)
    number(product, "S8_BT_in", 270, 1, 0.1)

    for grid in ("1km", "500m"):
        mean, near = (open_scene(product, grid=grid, regrid=how) for how in ("mean", "collocated"))
        for name in ("S1", "S8"):
            np.testing.assert_allclose(near[name], mean[name], rtol=1e-5)
    assert near.attrs["regrid"] == "collocated"


# Kilometres by which the measurements of 500 m lie beside their places in the image.
DISPLACED_KM = (0.45, -0.4)


def _ramp(product: Path) -> None:
    """Displace the 500 m measurements, and let them see 100 + 4 * x - 3 * y, in kilometres."""
    with h5py.File(product / "cartesian_an.nc") as file:
        x_km, y_km = (file[f"{axis}_an"][()] / 1000 for axis in "xy")
    x_km, y_km = x_km + DISPLACED_KM[0], y_km + DISPLACED_KM[1]
    put(product, "cartesian_an", {...: 1000 * x_km}, "x_an")
    put(product, "cartesian_an", {...: 1000 * y_km}, "y_an")
    put(product, "S1_radiance_an", {...: 100 + 4 * x_km - 3 * y_km})


def test_a_ramp_seen_beside_its_place(tmp_path: Path) -> None:
    product = write_views(tmp_path, Make(rows=12))
    _ramp(product)
    rows, columns = np.indices((12, 32))
    truth = 100 + 4 * -(columns - TRACK_COLUMN["n"]) - 3 * rows
    inner = np.s_[1:-1, 1:-1]

    def error(regrid: str) -> Any:
        radiance = open_scene(product, regrid=regrid)["S1"].values / PER_RADIANCE
        return (radiance - truth)[inner]

    # The mean by place in the image is off by the displacement: 4 * .45 + 3 * .4.
    np.testing.assert_allclose(error("mean"), 3.0, atol=0.02)
    # Seen from a pixel's middle, measurements are at every 500 m, across at -300 and 200 m, along
    # at -150 and 350 m; those are the nearest four, and their middle is (-50, 100) m:
    # 4 * -.05 - 3 * .1.
    # However they are displaced, the four around a middle are .25 km off each way at most.
    np.testing.assert_allclose(error("collocated"), -0.5, atol=0.02)


def test_a_whole_pixel_beside_its_place_is_mended_wholly(tmp_path: Path) -> None:
    product = write_views(tmp_path, Make(rows=12))
    with h5py.File(product / "cartesian_an.nc") as file:
        x_km, y_km = (file[f"{axis}_an"][()] / 1000 for axis in "xy")
    # Half a kilometre is one place of 500 m: the four that surround a 1 km pixel are the next ones.
    put(product, "cartesian_an", {...: 1000 * x_km + 500}, "x_an")
    put(product, "cartesian_an", {...: 1000 * y_km - 500}, "y_an")
    put(product, "S1_radiance_an", {...: 100 + 4 * (x_km + 0.5) - 3 * (y_km - 0.5)})
    rows, columns = np.indices((12, 32))
    truth = 100 - 4 * (columns - TRACK_COLUMN["n"]) - 3 * rows
    inner = np.s_[1:-1, 1:-1]

    near = open_scene(product, regrid="collocated")["S1"].values / PER_RADIANCE
    mean = open_scene(product)["S1"].values / PER_RADIANCE

    np.testing.assert_allclose((near - truth)[inner], 0, atol=0.02)
    # 4 * .5 + 3 * .5
    np.testing.assert_allclose((mean - truth)[inner], 3.5, atol=0.02)


def _lose_pixel(product: Path, row: int, column: int) -> None:
    """Nothing measured in the four of 500 m of a pixel, nor where they would lie."""
    four = {(2 * row + i, 2 * column + j): np.nan for i in (0, 1) for j in (0, 1)}
    put(product, "S1_radiance_an", four)
    for axis in ("x", "y"):
        put(product, "cartesian_an", four, f"{axis}_an")


def test_orphans_are_used(tmp_path: Path) -> None:
    product = write_views(tmp_path)
    _lose_pixel(product, 1, 4)
    without = open_scene(product, regrid="collocated")["S1"].values[1, 4]
    # Pixel (1, 4) is at x = -(4 - 16) km, y = 1 km; two orphans near its middle, kept in row 0.
    place_orphan(product, "S1_radiance_an", (0, 0), (12_010, 1000), 50)
    place_orphan(product, "S1_radiance_an", (0, 1), (11_980, 1010), 70)

    radiance = open_scene(product, regrid="collocated")["S1"].values / PER_RADIANCE

    # With two of the image, 10 each: (50 + 70 + 10 + 10) / 4.
    assert radiance[1, 4] == pytest.approx(35, rel=1e-4)
    assert without / PER_RADIANCE == pytest.approx(10, rel=1e-4)
    np.testing.assert_allclose(radiance[3], 10, rtol=1e-4)
    mean = open_scene(product)["S1"].values
    assert np.isnan(mean[1, 4])  # by place in the image there is nothing


def test_an_orphan_without_a_value_is_none(tmp_path: Path) -> None:
    product = write_views(tmp_path)
    place_orphan(product, "S1_radiance_an", (0, 0), (12_010, 1000), 50)
    with h5py.File(product / "S1_radiance_an.nc", "r+") as file:
        file["S1_exception_orphan_an"][0, 0] = 8  # no signal

    np.testing.assert_allclose(
        open_scene(product, regrid="collocated")["S1"], 10 * PER_RADIANCE, rtol=1e-4
    )


@pytest.mark.parametrize("how", ["none", "no width", "another number"])
def test_without_orphans(tmp_path: Path, how: str) -> None:
    product = write_views(tmp_path, Make(irradiance=(900.0, 1100.0, 1000.0, 1000.0)))
    place_orphan(product, "S1_radiance_an", (7, 1), (12_000, 3000), 50)
    stems = ("S1_radiance_an", "cartesian_an", "indices_an")
    for stem in stems[:1] if how == "another number" else stems:
        with h5py.File(product / f"{stem}.nc", "r+") as file:
            for name in [name for name in file if "orphan" in name]:
                values, attributes = file[name][()], dict(file[name].attrs)
                del file[name]
                if how == "none":
                    continue
                file[name] = values[:, :0] if how == "no width" else values[:, :1]
                file[name].attrs.update(attributes)

    reflectance = open_scene(product, regrid="collocated")["S1"].values

    # Rows 0 and 1 of detectors 0 and 1: pi * 10 * (1 / 900 + 1 / 1100).
    np.testing.assert_allclose(reflectance[0], np.pi * 10 * (1 / 900 + 1 / 1100), rtol=1e-4)


def test_cosmetic_copies_are_left_out(tmp_path: Path) -> None:
    product = write_views(tmp_path)
    # The four of pixel (1, 4) repeat the measurement of 500 m at row 2, column 7: they carry its
    # value and its position. Of (1, 3) the right two were measured as 30, its left two as 10.
    copied = {(2 + i, 8 + j): 30.0 for i in (0, 1) for j in (0, 1)}
    put(product, "S1_radiance_an", copied | {(2, 7): 30.0, (3, 7): 30.0})
    for axis, place_m in (("x", -(7 - 32) * 500 + 250), ("y", 2 * 500 - 250)):
        put(product, "cartesian_an", dict.fromkeys(copied, place_m), f"{axis}_an")
    kept = open_scene(product, regrid="collocated")["S1"].values / PER_RADIANCE
    set_flags(product, "confidence", "an", dict.fromkeys(copied, OCEAN | COSMETIC))
    mark(product, "S1_radiance_an", dict.fromkeys(copied, 2))

    radiance = open_scene(product, regrid="collocated")["S1"].values / PER_RADIANCE

    # Its four nearest are two of 30 and two of 10.
    assert radiance[1, 3] == pytest.approx(20, rel=1e-4)
    # As measurements, the copies crowd out the others: four or five of the same at one place.
    assert kept[1, 3] > 25
    # Where the copies are shown, the nearest that were measured are taken.
    assert np.isfinite(radiance[1, 4])


def test_nothing_from_beyond_reach(tmp_path: Path) -> None:
    product = write_views(tmp_path, Make(rows=7))
    for row in range(7):
        for column in range(3, 9):
            _lose_pixel(product, row, column)

    radiance = open_scene(product, regrid="collocated")["S1"].values

    # Column 2 ends 250 m from its middle: 1250 m from the middle of column 3, 2250 m from 4's.
    assert np.isfinite(radiance[3]).tolist() == 4 * [True] + 4 * [False] + 24 * [True]


def test_thermal_bands_come_to_500_m_from_the_nearest(tmp_path: Path) -> None:
    product = write_views(tmp_path)
    number(product, "S8_BT_in", 270, 1, 0.1)
    # All of 1 km were measured one pixel further along than their image says.
    with h5py.File(product / "cartesian_in.nc") as file:
        y_m = file["y_in"][()]
    put(product, "cartesian_in", {...: y_m + 1000}, "y_in")

    scene = open_scene(product, grid="500m", regrid="collocated")

    # What lies at row 1 (rows 2 and 3 of 500 m) is in the image's row 0.
    np.testing.assert_allclose(scene["S8"].values[2:4, 0], 270, atol=0.005)
    np.testing.assert_allclose(scene["S8"].values[4:6, 10], 271.5, atol=0.005)
    np.testing.assert_allclose(scene["S8"].values[0, 0], 270, atol=0.005)  # 1250 m away


def test_stripes_come_to_each_other_by_position(tmp_path: Path) -> None:
    product = write_views(tmp_path)
    number(product, "S1_radiance_an", 20, 2, 0)
    with h5py.File(product / "cartesian_bn.nc") as file:
        y_m = file["y_bn"][()]
    put(product, "cartesian_bn", {...: y_m + 500}, "y_bn")

    scene = open_scene(product, grid="500m", stripe="b", regrid="collocated")

    # Row 0 of stripe b was measured where row 1 of stripe a was: 20 + 2.
    assert scene["S1"].values[0, 0] == pytest.approx(22 * PER_RADIANCE, rel=1e-4)
    assert scene["S5"].values[0, 0] == pytest.approx(20 * PER_RADIANCE, rel=1e-4)


@pytest.mark.parametrize("gone", ["cartesian_an", "cartesian_in"])
@pytest.mark.parametrize("grid", ["1km", "500m"])
def test_without_positions_it_is_refused_at_once(tmp_path: Path, gone: str, grid: str) -> None:
    product = write_views(tmp_path)
    (product / f"{gone}.nc").unlink()

    with pytest.raises(InputError, match=rf"holds no {gone}\.nc.*regrid='mean'"):
        open_scene(product, grid=grid, regrid="collocated")
    assert open_scene(product, grid=grid)["S1"].notnull().all()


def test_without_other_grids_no_positions_are_needed(tmp_path: Path) -> None:
    product = write_views(tmp_path, Make(bands=THERMAL, cartesian=False, solar_zenith_deg=120))

    assert open_scene(product, regrid="collocated")["S8"].notnull().all()


def test_positions_that_lack_a_row_place_the_others_rightly(tmp_path: Path) -> None:
    product = write_views(tmp_path)
    number(product, "S1_radiance_an", 20, 2, 1)
    whole = open_scene(product, regrid="collocated")["S1"].values
    for suffix in ("an", "in"):
        _crop(product / f"cartesian_{suffix}.nc", (-1, -1))
        _crop(product / f"flags_{suffix}.nc", (-1, -1))

    cut = open_scene(product, regrid="collocated")["S1"].values

    np.testing.assert_allclose(cut[:3, :31], whole[:3, :31], rtol=1e-5)
    assert np.isnan(cut[3]).all()  # of which it is not known where they lie


def test_positions_of_another_size_are_named(tmp_path: Path) -> None:
    product = write_views(tmp_path)
    _crop(product / "cartesian_in.nc", (-2, 0))

    with pytest.raises(BrokenFileError, match=r"cartesian_in\.nc does not fit"):
        open_scene(product, regrid="collocated")["S1"].load()


def _crop(path: Path, by: tuple[int, int]) -> None:
    with h5py.File(path, "r+") as file:
        for name in [name for name in file if "orphan" not in name]:
            values, attributes = file[name][()], dict(file[name].attrs)
            del file[name]
            file[name] = values[: by[0] or None, : by[1] or None]
            file[name].attrs.update(attributes)
