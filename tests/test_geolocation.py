from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slstr_cloudmask.errors import InputError
from slstr_cloudmask.io.geolocation import (
    Grid,
    grid_from_attributes,
    interpolate,
    interpolate_position,
    interpolate_zenith,
    tie_positions,
)
from slstr_cloudmask.io.product_store import open_product
from slstr_cloudmask.io.sen3_file import ProductFile

DATA = Path(__file__).parents[1] / ".." / "shared" / "data"
REAL = next(iter(sorted(DATA.glob("S3A_SL_1_RBT____20210827*.SEN3"))), None)
needs_real_product = pytest.mark.skipif(
    REAL is None, reason="the real product is not in ../shared/data"
)

IMAGE = Grid(4, 32, 16, 100, 1000, 1000)
TIE = Grid(4, 4, 1, 100, 16000, 1000)


def test_grid_is_read_from_the_files_attributes() -> None:
    attributes = {"track_offset": 64, "start_offset": 20437, "resolution": "[ 16000 1000 ]"}

    assert grid_from_attributes(attributes, (1200, 130)) == Grid(1200, 130, 64, 20437, 16000, 1000)


@pytest.mark.parametrize("wrong", [{}, {"resolution": "1 km"}, {"resolution": "[ 1 2 3 ]"}])
def test_unreadable_attributes_are_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(InputError, match="track_offset, start_offset and resolution"):
        grid_from_attributes({"track_offset": 1, "start_offset": 1} | wrong, (4, 4))


def test_columns_are_counted_from_the_track_and_rows_from_the_start() -> None:
    shifted = Grid(4, 32, 16, 102, 1000, 1000)

    positions = tie_positions(shifted, TIE)

    # Column 16 is on the track, tie column 1; one column is 1/16 of a tie column.
    assert positions.columns[16] == 1
    assert positions.columns[8] == 0.5
    assert positions.columns[0] == 0
    # The image starts two rows of 1 km later than the tie points.
    np.testing.assert_array_equal(positions.rows, [2, 3, 4, 5])


def test_rows_of_half_a_kilometre_lie_between_those_of_one() -> None:
    half = Grid(8, 64, 32, 200, 500, 500)

    np.testing.assert_array_equal(tie_positions(half, TIE).rows[:3], [0, 0.5, 1])


def test_a_plane_is_interpolated_exactly_and_continued_by_one_step() -> None:
    tie = np.arange(3.0)[:, np.newaxis] * 10 + np.arange(4.0)  # one row and no column less
    short = Grid(3, 4, 1, 100, 16000, 1000)

    values = interpolate(tie, tie_positions(IMAGE, short))

    rows, columns = np.mgrid[0:4, 0:32]
    np.testing.assert_allclose(values, rows * 10 + columns / 16, rtol=0, atol=1e-12)


def test_further_outside_there_is_nothing() -> None:
    late = Grid(4, 32, 16, 103, 1000, 1000)  # its rows 2 and 3 are beyond the last tie row

    values = interpolate(np.ones((4, 4)), tie_positions(late, TIE))

    np.testing.assert_array_equal(np.isnan(values).all(axis=1), [False, False, True, True])


def test_a_missing_tie_point_leaves_only_its_own_interval_empty() -> None:
    tie = np.zeros((4, 4))
    tie[:, 2] = np.nan

    values = interpolate(tie, tie_positions(IMAGE, TIE))

    # Tie column 1 is image column 16, whole, and needs no neighbour.
    np.testing.assert_array_equal(np.isnan(values[0]), np.arange(32) > 16)


def test_the_anti_meridian_is_crossed_the_short_way() -> None:
    longitude = np.broadcast_to([179.0, -179.0, -177.0, -175.0], (4, 4))

    latitude_deg, longitude_deg = interpolate_position(
        np.zeros((4, 4)), longitude, tie_positions(IMAGE, TIE)
    )

    # On the equator half way between 179 and -179 is 180, a quarter is 179.5 (to the chord's
    # 1e-4 degrees).
    assert abs(longitude_deg[0, 8]) == pytest.approx(180, abs=1e-9)
    assert longitude_deg[0, 4] == pytest.approx(179.5, abs=1e-4)
    assert longitude_deg[0, 12] == pytest.approx(-179.5, abs=1e-4)
    np.testing.assert_allclose(latitude_deg, 0, atol=1e-12)


def test_a_pole_is_passed_over() -> None:
    # Along the meridians 30 and -150 across the pole: 89.9 north on either side.
    latitude = np.broadcast_to([89.9, 89.9, 89.7, 89.5], (4, 4))
    longitude = np.broadcast_to([30.0, -150.0, -150.0, -150.0], (4, 4))

    latitude_deg, longitude_deg = interpolate_position(
        latitude, longitude, tie_positions(IMAGE, TIE)
    )

    assert latitude_deg[0, 8] == pytest.approx(90, abs=1e-6)
    assert latitude_deg[0, 4] == pytest.approx(89.95, abs=1e-6)
    assert longitude_deg[0, 4] == pytest.approx(30, abs=1e-6)
    assert longitude_deg[0, 12] == pytest.approx(-150, abs=1e-6)


@given(
    latitude=st.floats(-90, 90),
    longitude=st.floats(-180, 180),
    bearing=st.floats(0, 2 * np.pi),
)
def test_position_is_that_of_the_great_circle(
    latitude: float, longitude: float, bearing: float
) -> None:
    # Tie points 16 km apart along a great circle from anywhere in any direction.
    angle = np.arange(4) * 16 / 6371
    start, ahead = _frame(latitude, longitude, bearing)
    tie = _degrees(np.outer(np.cos(angle), start) + np.outer(np.sin(angle), ahead))
    positions = tie_positions(IMAGE, TIE)

    found = interpolate_position(
        np.broadcast_to(tie[0], (4, 4)), np.broadcast_to(tie[1], (4, 4)), positions
    )

    along = positions.columns * 16 / 6371
    truth = np.outer(np.cos(along), start) + np.outer(np.sin(along), ahead)
    distance_m = 6.371e6 * np.linalg.norm(_vector(found[0][0], found[1][0]) - truth, axis=-1)
    assert distance_m.max() < 0.1


@given(zenith=st.floats(0, 180))
def test_an_even_angle_stays(zenith: float) -> None:
    found = interpolate_zenith(np.full((4, 4), zenith), tie_positions(IMAGE, TIE))

    np.testing.assert_allclose(found, zenith, atol=2e-6)


def test_zenith_angle_turns_at_the_point_below_the_sun() -> None:
    # The Sun is overhead half way between tie columns 0 and 1: 0.07 degrees from both.
    found = interpolate_zenith(np.full((4, 4), 0.07), tie_positions(IMAGE, TIE))
    assert found[0, 8] == pytest.approx(0.07, abs=1e-6)
    # A terminator is linear in the angle, as the cosine is.
    steps = np.broadcast_to([89.8, 90.0, 90.2, 90.4], (4, 4))
    assert interpolate_zenith(steps, tie_positions(IMAGE, TIE))[0, 8] == pytest.approx(89.9)


@needs_real_product
@pytest.mark.parametrize("grid", ["io", "fo"])
def test_mapping_finds_the_stored_positions_of_a_real_product(grid: str) -> None:
    assert REAL is not None
    with ProductFile(open_product(REAL), "cartesian_tx") as file:
        tie, tie_x, tie_y = file.grid("x_tx"), file.raw("x_tx"), file.raw("y_tx")
    with ProductFile(open_product(REAL), f"cartesian_{grid}") as file:
        image = file.grid(f"x_{grid}")
        x_m, y_m = file.unpacked(f"x_{grid}"), file.unpacked(f"y_{grid}")

    positions = tie_positions(image, tie)

    # Each pixel was measured within about 1 km of its place on the grid; on average at it.
    for stored_m, tie_m in ((x_m, tie_x), (y_m, tie_y)):
        difference_m = interpolate(tie_m, positions) - stored_m
        assert abs(np.nanmean(difference_m)) < 2
        assert np.nanpercentile(np.abs(difference_m), 99) < 1000


@needs_real_product
def test_every_measured_pixel_of_a_real_product_has_its_angles() -> None:
    assert REAL is not None
    with ProductFile(open_product(REAL), "S8_BT_in") as file:
        image, measured = file.grid("S8_BT_in"), np.isfinite(file.unpacked("S8_BT_in"))
    with ProductFile(open_product(REAL), "geometry_tn") as file:
        positions = tie_positions(image, file.grid("solar_zenith_tn"))
        zenith_deg = interpolate_zenith(file.unpacked("solar_zenith_tn"), positions)

    assert np.isfinite(zenith_deg[measured]).all()
    assert 27 < zenith_deg[measured].min() < zenith_deg[measured].max() < 46


def _frame(latitude: float, longitude: float, bearing: float) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors of a place and of the direction ahead there."""
    phi, lam = np.radians([latitude, longitude])
    up = np.array([np.cos(phi) * np.cos(lam), np.cos(phi) * np.sin(lam), np.sin(phi)])
    north = np.array([-np.sin(phi) * np.cos(lam), -np.sin(phi) * np.sin(lam), np.cos(phi)])
    east = np.array([-np.sin(lam), np.cos(lam), 0.0])
    return up, np.cos(bearing) * north + np.sin(bearing) * east


def _degrees(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    x, y, z = vectors.T
    return np.degrees(np.arctan2(z, np.hypot(x, y))), np.degrees(np.arctan2(y, x))


def _vector(latitude_deg: np.ndarray, longitude_deg: np.ndarray) -> np.ndarray:
    phi, lam = np.radians(latitude_deg), np.radians(longitude_deg)
    return np.stack([np.cos(phi) * np.cos(lam), np.cos(phi) * np.sin(lam), np.sin(phi)], axis=-1)


def test_grid_of_a_file_without_offsets_is_an_error(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "S8_BT_in.nc", "w") as file:
        file["x"] = np.zeros((2, 2))
    with (
        ProductFile(open_product(tmp_path), "S8_BT_in") as product_file,
        pytest.raises(OSError, match=r"S8_BT_in\.nc.*track_offset"),
    ):
        product_file.grid("x")
