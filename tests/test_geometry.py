import math
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slstr_cloudmask.errors import InputError
from slstr_cloudmask.io.product_name import parse_product_name
from slstr_cloudmask.simulate.geometry import (
    FULL_COLUMNS,
    FULL_ROWS,
    OBLIQUE_COLUMNS,
    TRACK_COLUMN,
    Geometry,
    Window,
    across_track,
    image_position,
    scene_geometry,
)
from slstr_cloudmask.simulate.orbit import (
    ORBIT_SECONDS,
    Overpass,
    geocentric,
    geodetic,
    ground_track,
    node_time,
    overpass_at,
    position_deg,
    product_name,
    satellite_radius_km,
    surface_radius_km,
    vertical,
)
from slstr_cloudmask.sun import seconds_since_2000, solar_angles

DATA = Path(__file__).parents[1] / ".." / "shared" / "data"
REAL = next(iter(sorted(DATA.glob("S3A_SL_1_RBT____20210827*.SEN3"))), None)
needs_real_product = pytest.mark.skipif(
    REAL is None, reason="the real product is not in ../shared/data"
)

FULL = Window(0, 0, FULL_ROWS, FULL_COLUMNS)
# The real product's pass: southwards over the equator, 25 to 40 degrees east.
PASS = Overpass(datetime(2021, 8, 27, 7, 43, 36, tzinfo=UTC), 75, 320, 3060, True)


def overpass(frame: int, orbit: int = 23) -> Overpass:
    return overpass_at(50, orbit, frame, reflective=True)


def turned(one: np.ndarray, two: np.ndarray) -> np.ndarray:
    """Angle from one direction to the other, degrees, positive."""
    return np.asarray(np.abs((one - two + 180) % 360 - 180))


# The sun.


def test_sun_at_the_equinox_of_2019() -> None:
    # 20 March 2019, 21:58 UTC: the sun is on the equator. The equation of time is -7.4 min, so it
    # is in the south at 12 h - 21 h 58 min + 7.4 min = -9 h 50.6 min, 147.65 degrees west.
    seconds = seconds_since_2000(datetime(2019, 3, 20, 21, 58, tzinfo=UTC))

    zenith, azimuth = solar_angles(seconds, np.array([0.0, 50.0]), -147.65)
    rising, east = solar_angles(seconds, 0.0, -147.65 - 60.0)

    assert zenith.dtype == azimuth.dtype == np.float32
    np.testing.assert_allclose(zenith, [0, 50], atol=0.05)
    assert turned(azimuth[1], np.array(180.0)) < 0.1
    # 60 degrees farther west the sun stands 60 degrees from the vertical, in the east.
    np.testing.assert_allclose([rising, east], [60, 90], atol=0.05)


def test_sun_at_the_solstice_of_2019() -> None:
    # 21 June 2019, 15:54 UTC: declination 23.435 degrees. Equation of time -1.9 min: in the south
    # at 12 h - 15 h 54 min + 1.9 min = -3 h 52.1 min, 58.03 degrees west.
    seconds = seconds_since_2000(datetime(2019, 6, 21, 15, 54, tzinfo=UTC))

    zenith, _ = solar_angles(seconds, np.array([23.435, 60, -50, 90]), -58.03)

    # At the pole the sun is its declination above the horizon: 90 - 23.435.
    np.testing.assert_allclose(zenith, [0, 36.565, 73.435, 66.565], atol=0.05)


def test_midnight_sun_stands_in_the_north() -> None:
    midnight = seconds_since_2000(datetime(2019, 6, 22, 0, 2, tzinfo=UTC))

    zenith, azimuth = solar_angles(midnight, 70.0, 0.0)

    # Zenith angle at midnight: 180 - latitude - declination = 180 - 70 - 23.43.
    assert zenith == pytest.approx(86.57, abs=0.05)
    assert azimuth == pytest.approx(0, abs=0.2)


# The orbit.


def test_orbit_repeats_after_385_orbits_in_27_days() -> None:
    assert node_time(51, 1) - node_time(50, 1) == timedelta(days=27)
    # 27 d / 385 = 6059.22 s.
    assert pytest.approx(6059.22, abs=0.01) == ORBIT_SECONDS
    assert (node_time(50, 2) - node_time(50, 1)).total_seconds() == pytest.approx(ORBIT_SECONDS)
    # One turn later the Earth has turned by 360 * 27 / 385 = 25.25 degrees.
    first, second = (position_deg(geodetic(ground_track(0.0, orbit)[0])) for orbit in (1, 2))
    assert first[0] == pytest.approx(0, abs=1e-9)
    assert first[1] - second[1] == pytest.approx(25.247, abs=0.001)


@pytest.mark.parametrize("orbit", [1, 100, 385])
def test_node_is_crossed_at_22_hours_local_time(orbit: int) -> None:
    _, longitude = position_deg(geodetic(ground_track(0.0, orbit)[0]))
    node = node_time(50, orbit)
    hours = node.hour + node.minute / 60 + node.second / 3600

    # Southwards at 10:00, so northwards at 22:00, local mean solar time.
    assert (hours + longitude / 15) % 24 == pytest.approx(22.0, abs=0.02)


def test_next_orbit_continues_this_one() -> None:
    now, later = ground_track(ORBIT_SECONDS + 10, 7)[0], ground_track(10.0, 8)[0]

    np.testing.assert_allclose(now, later, atol=1e-9)


def test_track_is_followed_at_its_own_speed() -> None:
    seconds = np.linspace(0, ORBIT_SECONDS, 50)
    up, along, left = ground_track(seconds, 5)
    step = ground_track(seconds + 0.5, 5)[0] - ground_track(seconds - 0.5, 5)[0]

    np.testing.assert_allclose(along, step / np.linalg.norm(step, axis=1)[:, None], atol=1e-6)
    np.testing.assert_allclose(np.cross(up, along), left, atol=1e-12)
    # 40000 km in 6059 s, and the Earth turning below by up to 0.46 km/s: 6.6 to 6.8 km/s.
    speed = np.linalg.norm(step, axis=1) * 6371
    assert speed.min() > 6.5
    assert speed.max() < 6.85


def test_height_of_the_orbit() -> None:
    seconds = np.linspace(0, ORBIT_SECONDS, 100)
    height = satellite_radius_km(seconds) - surface_radius_km(ground_track(seconds, 1)[0])

    # Nominally 814.5 km; the Earth is 21 km flatter at the poles, the orbit 16 km lower northwards.
    assert height.mean() == pytest.approx(814.5, abs=3)
    assert height.min() > 800
    assert height.max() < 835


def test_ellipsoid() -> None:
    # Geocentric latitude of 45 degrees geodetic: atan(1 - e**2) = 44.8076.
    direction = geocentric(vertical(45.0, 90.0))

    assert np.degrees(np.arcsin(direction[2])) == pytest.approx(44.8076, abs=1e-4)
    np.testing.assert_allclose(position_deg(geodetic(direction)), [45, 90], atol=1e-9)
    # Polar radius of WGS84: 6356.752 km.
    assert surface_radius_km(np.array([0.0, 0, 1])) == pytest.approx(6356.752, abs=0.001)


def test_product_name_is_genuine() -> None:
    scene = Overpass(datetime(2019, 10, 1, 11, 32, 21, tzinfo=UTC), 50, 23, 1980, True)

    name = product_name(scene, "SI1")

    assert name == (
        "S3A_SL_1_RBT____20191001T113221_20191001T113521_20210116T103011_0179_050_023_1980"
        "_SI1_D_NT_004"
    )
    parsed = parse_product_name(name + ".hdf")
    assert parsed is not None
    assert (parsed.start, parsed.platform) == (scene.start, "Sentinel-3A (simulated)")


# The image.


@pytest.mark.parametrize(
    ("frame", "low", "high", "southwards"),
    # Bounding boxes of frames of that number among the benchmark's test scenes.
    [(1980, 49.37, 62.92, True), (360, 20.19, 33.52, False), (1620, 68.51, 83.78, True)],
)
def test_frame_number_tells_the_latitudes(
    frame: int, low: float, high: float, southwards: bool
) -> None:
    latitude = scene_geometry(overpass(frame), FULL).latitude_deg

    assert latitude.min() == pytest.approx(low, abs=0.1)
    assert latitude.max() == pytest.approx(high, abs=0.1)
    assert (latitude[-1, TRACK_COLUMN] < latitude[0, TRACK_COLUMN]) == southwards


def test_left_of_the_image_is_west_by_day() -> None:
    longitude = scene_geometry(overpass(1980), FULL).longitude_deg

    assert longitude[600, 0] < longitude[600, TRACK_COLUMN] < longitude[600, -1]


def test_pixels_are_a_kilometre_apart() -> None:
    geometry = scene_geometry(overpass(2340), FULL)
    points = vertical(geometry.latitude_deg.astype(float), geometry.longitude_deg.astype(float))

    # Over 100 rows and 100 columns, about 100 km on a sphere of 6371 km, within a percent or so.
    along = 6371 * np.arccos((points[100, 998] * points[200, 998]).sum())
    across = 6371 * np.arccos((points[600, 500] * points[600, 600]).sum())
    np.testing.assert_allclose([along, across], 100, atol=1.5)


def test_view_over_the_swath() -> None:
    geometry = scene_geometry(overpass(1980), FULL)
    zenith, azimuth = geometry.view_zenith_deg[600], geometry.view_azimuth_deg[600]

    # The scan passes 5.4 degrees of nadir angle before the satellite, so 6.2 of zenith angle.
    assert zenith[TRACK_COLUMN] == pytest.approx(6.2, abs=0.3)
    assert np.argmin(zenith) == pytest.approx(TRACK_COLUMN, abs=6)
    assert zenith[36] == pytest.approx(59, abs=1)
    assert zenith[1480] == pytest.approx(35, abs=1)
    # From the left one looks back to the east, from the right to the west.
    assert 60 < azimuth[100] < 160
    assert -140 < azimuth[1400] < -40


def test_oblique_view_looks_backwards_at_55_degrees() -> None:
    geometry = scene_geometry(overpass(1980), FULL, "oblique")
    seen = geometry.in_swath
    columns = np.flatnonzero(seen.any(axis=0))

    assert OBLIQUE_COLUMNS[0] <= columns[0] < columns[-1] < OBLIQUE_COLUMNS[1]
    np.testing.assert_allclose(geometry.view_zenith_deg[seen], 55, atol=1)
    # The satellite is ahead: on the track, where the next rows lie.
    north = geometry.latitude_deg[610, 998] - geometry.latitude_deg[600, 998]
    east = geometry.longitude_deg[610, 998] - geometry.longitude_deg[600, 998]
    east *= math.cos(math.radians(geometry.latitude_deg[600, 998]))
    heading = np.degrees(np.arctan2(east, north))
    assert turned(geometry.view_azimuth_deg[600, 998], heading) < 2


def test_cosines_belong_to_the_angles() -> None:
    geometry = scene_geometry(overpass(2520), Window(300, 200, 200, 300))

    np.testing.assert_allclose(
        geometry.mu_sun, np.cos(np.radians(geometry.solar_zenith_deg)), atol=1e-5
    )
    np.testing.assert_allclose(
        geometry.mu_view, np.cos(np.radians(geometry.view_zenith_deg)), atol=1e-5
    )
    between = geometry.solar_azimuth_deg - geometry.view_azimuth_deg
    np.testing.assert_allclose(geometry.cos_azimuth, np.cos(np.radians(between)), atol=1e-4)
    for name in Geometry.__dataclass_fields__:
        values = getattr(geometry, name)
        assert values.shape == (200, 300)
        assert values.dtype == (bool if name == "in_swath" else np.float32)


def test_sun_stands_as_the_almanac_says() -> None:
    scene = overpass(2520)
    geometry = scene_geometry(scene, Window(0, TRACK_COLUMN, 1, 1))

    zenith, azimuth = solar_angles(
        seconds_since_2000(scene.start) - 11.5,  # the track is seen before it is passed
        geometry.latitude_deg,
        geometry.longitude_deg,
    )

    np.testing.assert_allclose(geometry.solar_zenith_deg, zenith, atol=0.01)
    np.testing.assert_allclose(geometry.solar_azimuth_deg, azimuth, atol=0.02)


@pytest.mark.parametrize("frame", [0, 1260, 1440, 1980, 4500])
@pytest.mark.parametrize("view", ["nadir", "oblique"])
def test_a_window_is_a_part_of_the_frame(frame: int, view: str) -> None:
    whole = scene_geometry(overpass(frame), FULL, view)
    part = scene_geometry(overpass(frame), Window(131, 917, 90, 107), view)

    cut = (slice(131, 221), slice(917, 1024))
    for name in ("latitude_deg", "mu_sun", "mu_view"):
        np.testing.assert_allclose(getattr(whole, name)[cut], getattr(part, name), atol=3e-4)
    assert turned(whole.longitude_deg[cut], part.longitude_deg).max() < 1e-2
    assert turned(whole.view_azimuth_deg[cut], part.view_azimuth_deg).max() < 0.2
    np.testing.assert_array_equal(whole.in_swath[cut], part.in_swath)


def test_empty_columns_lie_at_the_frames_edges_only() -> None:
    whole = scene_geometry(overpass(1980), FULL).in_swath
    left, right = whole.argmax(axis=1), whole[:, ::-1].argmax(axis=1)

    # Measured in the benchmark's published masks: about 30 to 33 columns, and 15 to 17.
    assert 28 <= left.min() < left.max() <= 36
    assert 14 <= right.min() <= right.max() <= 20
    assert scene_geometry(overpass(1980), Window(0, 400, 1200, 700)).in_swath.all()
    beyond = scene_geometry(overpass(1980), Window(-900, -750, 3000, 3000)).in_swath
    np.testing.assert_array_equal(beyond[900:2100, 750:2250], whole)
    assert not beyond[:, :750].any()


def test_wrong_requests_are_refused() -> None:
    with pytest.raises(InputError, match="nadir or oblique, found 'side'"):
        scene_geometry(PASS, FULL, "side")
    with pytest.raises(InputError, match="at least 1 x 1 pixels, found 0 x 5"):
        scene_geometry(PASS, Window(0, 0, 0, 5))


# Back from the globe to the image.


@given(
    orbit=st.integers(1, 385),
    frame=st.integers(0, 6059),
    row=st.floats(-900, 2100),
    column=st.floats(-750, 2250),
)
def test_positions_are_found_again(orbit: int, frame: int, row: float, column: float) -> None:
    up, _, left = ground_track(frame + 0.15 * row, orbit)
    latitude, longitude = position_deg(geodetic(across_track(up, left, np.array(column))))

    found = image_position(overpass(frame, orbit), latitude, longitude)

    np.testing.assert_allclose(found, (row, column), atol=1e-3)


@given(
    orbit=st.integers(1, 385),
    frame=st.integers(0, 6059),
    latitude=st.floats(-90, 90),
    longitude=st.floats(-180, 180),
)
def test_places_of_the_globe_are_inside_only_where_they_are(
    orbit: int, frame: int, latitude: float, longitude: float
) -> None:
    scene = overpass(frame, orbit)
    row, column = image_position(scene, latitude, longitude)

    assert np.isfinite([row, column]).all()
    if -900 < row < 2100 and -750 < column < 2250:
        up, _, left = ground_track(frame + 0.15 * row, orbit)
        point = geodetic(across_track(up, left, column))
        # Cosine of an angle of 1e-4 rad, 0.6 km.
        assert (point * vertical(latitude, longitude)).sum() > 1 - 5e-9


@pytest.mark.parametrize("frame", [1260, 1440, 4320])  # near the north pole, and the south pole
def test_the_geometrys_positions_are_found_again(frame: int) -> None:
    geometry = scene_geometry(overpass(frame), Window(500, 20, 200, 1400))

    row, column = image_position(overpass(frame), geometry.latitude_deg, geometry.longitude_deg)

    # Single precision is 1e-5 degrees, a metre.
    np.testing.assert_allclose(row, np.arange(500, 700)[:, None] * np.ones((1, 1400)), atol=0.02)
    np.testing.assert_allclose(column, np.arange(20, 1420) * np.ones((200, 1)), atol=0.02)


def test_speed() -> None:
    # Three times as long as on a quiet core of 2020, since others may share it.
    assert _best(lambda: scene_geometry(PASS, FULL)) < 0.75
    assert _best(lambda: scene_geometry(PASS, Window(400, 500, 256, 320))) < 0.06
    places = np.random.default_rng(0).uniform(-60, 60, (2, 100_000))
    assert _best(lambda: image_position(PASS, places[0], places[1])) < 0.3


def _best(job: Callable[[], object]) -> float:
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        job()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


# Against a real product.


@pytest.fixture(scope="module", params=["nadir", "oblique"])
def product_errors(request: pytest.FixtureRequest) -> dict[str, np.ndarray]:
    """Differences from the tie points within the image, every 10th row; NaN where not seen."""
    assert REAL is not None
    geometry = scene_geometry(PASS, FULL, request.param)
    suffix = f"t{request.param[0]}"
    # Tie column 64 is on the track; tie columns are 16 km apart.
    columns = TRACK_COLUMN + 16 * (np.arange(130) - 64)
    inside = (columns >= 0) & (columns < FULL_COLUMNS)
    image, tie = np.ix_(np.arange(0, 1200, 10), columns[inside]), np.flatnonzero(inside)
    with h5py.File(REAL / "geodetic_tx.nc") as file:
        point = vertical(file["latitude_tx"][::10, tie], file["longitude_tx"][::10, tie])
    mine = vertical(geometry.latitude_deg[image], geometry.longitude_deg[image])
    errors = {"position_km": 6371 * np.linalg.norm(mine - point, axis=-1)}
    with h5py.File(REAL / f"geometry_{suffix}.nc") as file:
        for name in ("solar_zenith", "solar_azimuth", "sat_zenith", "sat_azimuth"):
            own = getattr(geometry, f"{name.replace('sat_', 'view_')}_deg")[image]
            errors[name] = turned(own, file[f"{name}_{suffix}"][::10, tie])
            errors[name][~geometry.in_swath[image]] = np.nan
    return errors


@needs_real_product
def test_the_real_product_is_met(product_errors: dict[str, np.ndarray]) -> None:
    largest = {name: np.nanmax(values) for name, values in product_errors.items()}

    assert largest["position_km"] < 2
    assert largest["solar_zenith"] < 0.15
    assert largest["solar_azimuth"] < 0.2
    assert largest["sat_zenith"] < 0.2
    assert largest["sat_azimuth"] < 0.5
    assert np.nanmean(product_errors["solar_zenith"]) < 0.03
    assert np.nanmean(product_errors["sat_zenith"]) < 0.06
