"""F1 in the place of S7, where that is out of its range."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from slstr_cloudmask.io import open_scene
from tests.sen3_product import (
    COSMETIC,
    OCEAN,
    Make,
    mark,
    place_orphan,
    put,
    set_flags,
    write_views,
)

S7_KELVIN = 283.73
NO_SIGNAL, SATURATION, INVALID_RADIANCE, UNFILLED = 8, 16, 32, 128
HOT = 312.5  # above 311 K, where S7 saturates


def s7(product: Path, **options: Any) -> tuple[Any, Any]:
    scene = open_scene(product, **options)
    return scene["S7"].values, scene["S7_source"].values


@pytest.mark.parametrize("view", ["nadir", "oblique"])
@pytest.mark.parametrize("baseline", ["002", "004"])
@pytest.mark.parametrize("cartesian", [False, True])
def test_where_s7_is_f1(tmp_path: Path, baseline: str, view: str, cartesian: bool) -> None:
    product = write_views(tmp_path, Make(baseline=baseline, cartesian=cartesian))
    suffix = f"i{view[0]}"
    fire = f"F1_BT_i{view[0]}" if baseline == "002" else f"F1_BT_f{view[0]}"
    put(product, fire, {(0, column): HOT for column in range(8)})
    put(product, fire, {(0, 4): np.nan, (1, 0): 309.0, (1, 1): 309.0})
    exceptions = {
        (0, 0): SATURATION,
        (0, 1): INVALID_RADIANCE,
        (0, 2): NO_SIGNAL,
        (0, 3): UNFILLED | INVALID_RADIANCE,
        (0, 4): SATURATION,  # F1 is missing
        (0, 5): NO_SIGNAL | SATURATION,
        (0, 6): 255,  # fill, as in baseline 002's oblique view
        # (0, 7): in range, whatever F1 says
        (1, 0): INVALID_RADIANCE,  # S7 is stored, and F1 says that it does not saturate yet
        (1, 1): INVALID_RADIANCE,  # S7 is fill
        (1, 2): INVALID_RADIANCE,  # F1 is hot, and S7 is well below its end
        (1, 3): INVALID_RADIANCE,  # both say that S7 is at its end
    }
    mark(product, f"S7_BT_{suffix}", exceptions)
    stored = {(1, 0): 308.0, (1, 1): np.nan, (0, 1): np.nan, (1, 2): 308.0, (1, 3): 311.5}
    put(product, f"S7_BT_{suffix}", stored)
    put(product, fire, {(1, 2): HOT, (1, 3): HOT})

    kelvin, source = s7(product, view=view)

    nan = np.nan
    expected = [HOT, HOT, nan, nan, S7_KELVIN, nan, nan, S7_KELVIN, S7_KELVIN]
    np.testing.assert_allclose(kelvin[0, :9], expected, atol=0.005)
    assert source[0, :9].tolist() == [1, 1, 255, 255, 0, 255, 255, 0, 0]
    np.testing.assert_allclose(kelvin[1, :4], [308, 309, 308, HOT], atol=0.005)
    assert source[1, :4].tolist() == [0, 1, 0, 1]
    assert (source[2:] == 0).all()
    np.testing.assert_allclose(kelvin[2:], S7_KELVIN, atol=0.005)


def test_s7_as_it_is(tmp_path: Path) -> None:
    product = write_views(tmp_path)
    put(product, "F1_BT_fn", {...: HOT})
    mark(product, "S7_BT_in", {...: SATURATION})

    scene = open_scene(product, fill_s7=False)

    np.testing.assert_allclose(scene["S7"], S7_KELVIN, atol=0.005)
    assert "S7_source" not in scene
    assert "comment" not in scene["S7"].attrs


def test_without_f1_s7_is_as_it_is(tmp_path: Path) -> None:
    product = write_views(tmp_path)
    (product / "F1_BT_fn.nc").unlink()
    mark(product, "S7_BT_in", {...: SATURATION})

    scene = open_scene(product)

    np.testing.assert_allclose(scene["S7"], S7_KELVIN, atol=0.005)
    assert "S7_source" not in scene


def test_unfilled_pixels_stay_so(tmp_path: Path) -> None:
    product = write_views(tmp_path)
    put(product, "F1_BT_fn", {...: HOT})
    mark(product, "S7_BT_in", {...: SATURATION})
    set_flags(product, "confidence", "in", {(0, 0): 32})

    kelvin, source = s7(product)

    assert np.isnan(kelvin[0, 0])
    assert source[0, :2].tolist() == [255, 1]


def test_f1_between_its_end_and_that_of_s7(tmp_path: Path) -> None:
    product = write_views(tmp_path)
    mark(product, "S7_BT_in", {(0, 0): SATURATION, (0, 1): SATURATION})
    put(product, "F1_BT_fn", {(0, 0): 310.99, (0, 1): 311.01})

    assert s7(product)[1][0, :2].tolist() == [0, 1]


# -- F1 has a grid of its own ---------------------------------------------------------------------


def test_f1_is_the_nearest_on_the_ground(tmp_path: Path) -> None:
    product = write_views(tmp_path)
    # F1 was measured 2 km further along than its image says, and a fire is in its image's (1, 5).
    with h5py.File(product / "cartesian_fn.nc") as file:
        y_m = file["y_fn"][()]
    put(product, "cartesian_fn", {...: y_m + 2000}, "y_fn")
    put(product, "F1_BT_fn", {(1, 5): 400.0})
    mark(product, "S7_BT_in", {(1, 5): SATURATION, (3, 5): SATURATION, (0, 5): SATURATION})

    kelvin, source = s7(product)

    assert kelvin[3, 5] == pytest.approx(400, abs=0.005)
    # Nearest to row 1 is F1's row 0, 1 km on, which is cool; nothing is within reach of row 0.
    np.testing.assert_allclose(kelvin[[1, 0], 5], S7_KELVIN, atol=0.005)
    assert source[:, 5].tolist() == [0, 0, 0, 1]


def test_f1_of_orphans_and_not_of_copies(tmp_path: Path) -> None:
    product = write_views(tmp_path)
    mark(product, "S7_BT_in", {(1, 5): SATURATION, (2, 9): SATURATION})
    # A fire beside the image, nearer to S7's (1, 5) than the F1 in its place, moved 400 m off.
    put(product, "cartesian_fn", {(1, 5): 11_400}, "x_fn")
    place_orphan(product, "F1_BT_fn", (3, 1), (11_100, 1000), 390.0)
    # F1's (2, 9) repeats the fire of (2, 11), whose position it carries.
    put(product, "F1_BT_fn", {(2, 9): 400.0, (2, 11): 400.0})
    put(product, "cartesian_fn", {(2, 9): 5000}, "x_fn")
    set_flags(product, "confidence", "fn", {(2, 9): OCEAN | COSMETIC})
    mark(product, "F1_BT_fn", {(2, 9): 2})

    kelvin, source = s7(product)

    assert kelvin[1, 5] == pytest.approx(390, abs=0.005)
    # The neighbours of (2, 9) saw no fire.
    assert source[2, 9] == 0


@pytest.mark.parametrize("gone", ["cartesian_fn", "cartesian_in"])
def test_pixel_for_pixel_where_positions_are_not_known(tmp_path: Path, gone: str) -> None:
    product = write_views(tmp_path)
    with h5py.File(product / "cartesian_fn.nc") as file:
        y_m = file["y_fn"][()]
    put(product, "cartesian_fn", {...: y_m + 2000}, "y_fn")
    (product / f"{gone}.nc").unlink()
    put(product, "F1_BT_fn", {(1, 5): 400.0})
    mark(product, "S7_BT_in", {(1, 5): SATURATION, (3, 5): SATURATION})

    kelvin, source = s7(product)

    assert kelvin[1, 5] == pytest.approx(400, abs=0.005)
    assert source[:, 5].tolist() == [0, 1, 0, 0]


def test_pixel_for_pixel_counts_from_the_offsets(tmp_path: Path) -> None:
    product = write_views(tmp_path, Make(cartesian=False))
    with h5py.File(product / "F1_BT_fn.nc", "r+") as file:
        file.attrs["start_offset"] = file.attrs["start_offset"] + 1
    put(product, "F1_BT_fn", {(1, 5): 400.0})
    mark(product, "S7_BT_in", {(row, 5): SATURATION for row in range(4)})

    kelvin, source = s7(product)

    # F1's row 1 is S7's row 2, and of row 0 there is no F1.
    assert source[:, 5].tolist() == [0, 0, 1, 0]
    assert kelvin[2, 5] == pytest.approx(400, abs=0.005)


# -- on the other grid ----------------------------------------------------------------------------


@pytest.mark.parametrize("regrid", ["mean", "collocated"])
def test_at_500_m_the_source_goes_with_the_value(tmp_path: Path, regrid: str) -> None:
    product = write_views(tmp_path)
    put(product, "F1_BT_fn", {(1, 5): 400.0})
    mark(product, "S7_BT_in", {(1, 5): SATURATION})

    kelvin, source = s7(product, grid="500m", regrid=regrid)

    expected = np.zeros((8, 64), np.uint8)
    expected[2:4, 10:12] = 1
    np.testing.assert_array_equal(source, expected)
    np.testing.assert_allclose(kelvin, np.where(expected, 400, S7_KELVIN), atol=0.005)


def test_source_is_placed_as_s7_is(tmp_path: Path) -> None:
    product = write_views(tmp_path)
    with h5py.File(product / "S7_BT_in.nc", "r+") as file:
        file.attrs["start_offset"] = file.attrs["start_offset"] + 1
    put(product, "F1_BT_fn", {...: 400.0})
    mark(product, "S7_BT_in", {(1, 5): SATURATION})

    kelvin, source = s7(product)

    # Its row 1 is the scene's row 2; it has nothing in the scene's row 0.
    assert np.argwhere(kelvin > 399).tolist() == [[2, 5]]
    assert source[:, 5].tolist() == [255, 0, 1, 0]


def test_source_says_what_it_is(tmp_path: Path) -> None:
    scene = open_scene(write_views(tmp_path))

    assert scene["S7"].attrs["ancillary_variables"] == "S7_source"
    assert scene["S7_source"].attrs["flag_meanings"] == "S7 F1"
    assert scene["S7_source"].dtype == np.uint8


@pytest.mark.parametrize(("cartesian", "words"), [(True, "collocated"), (False, "pixel for pixel")])
def test_source_says_how_f1_came_there(tmp_path: Path, cartesian: bool, words: str) -> None:
    scene = open_scene(write_views(tmp_path, Make(cartesian=cartesian)))

    assert words in scene["S7_source"].attrs["comment"]
