"""What is usual at a place and a day: the large features of the globe."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slstr_cloudmask.simulate import climate
from slstr_cloudmask.simulate.fractal import Field

MARCH, JULY, SEPTEMBER, JANUARY = 74, 200, 258, 17

days = st.integers(1, 366)
latitudes, longitudes = st.floats(-90, 90, width=32), st.floats(-180, 180, width=32)


def at(*values: float) -> Field:
    return np.array(values, np.float32)


def test_seasons_are_opposite_and_fade_towards_the_equator() -> None:
    season = climate.season(at(60, 15, 0, -15, -60), 200, warmest_day=200)
    np.testing.assert_allclose(season, [1, 0.5, 0, -0.5, -1])
    # Half a year of 365.25 days later it is the other way round.
    half = climate.season(at(60, -60), 200 + 183, warmest_day=200)
    np.testing.assert_allclose(half, [-1, 1], atol=1e-3)


# The sea


def test_sea_temperature_by_hand() -> None:
    # In the Pacific: 28 C at the equator; at 40 degrees 28 - .0072 * 1600 = 16.5 C and 3 K of
    # season; at 70 degrees 28 - .0072 * 58 ** 2 - .18 * 12 = 1.6 C, and as much.
    kelvin = climate.sea_kelvin(at(0, 40, 40, 70), at(-150, -150, -150, -150), 245)
    winter = climate.sea_kelvin(at(0, 40, 40, 70), at(-150, -150, -150, -150), 62)
    np.testing.assert_allclose(kelvin - 273.15, [28, 19.5, 19.5, 4.6], atol=0.1)
    np.testing.assert_allclose(winter - 273.15, [28, 13.5, 13.5, -1.4], atol=0.1)


def test_currents_of_the_north_atlantic() -> None:
    # March at 66 N: the drift keeps Norway's sea well above freezing, East Greenland's is ice.
    norway, greenland = climate.sea_kelvin(at(66, 68), at(5, -28), MARCH)
    assert norway > 273.15 + 4
    assert greenland < 273.15 - 1
    # At 56 N Labrador is far colder than Scotland.
    labrador, scotland = climate.sea_kelvin(at(56, 56), at(-58, -12), MARCH)
    assert scotland - labrador > 6


def test_the_southern_ocean_is_colder_than_the_north() -> None:
    south, north = climate.sea_kelvin(at(-55, 55), at(-150, -150), 150)
    assert south < north - 2


@given(latitude=latitudes, longitude=longitudes, day=days)
def test_the_sea_is_liquid_and_not_hot(latitude: float, longitude: float, day: int) -> None:
    kelvin = climate.sea_kelvin(at(latitude), at(longitude), day)
    assert kelvin.dtype == np.float32
    # Sea water freezes at -1.8 C.
    assert 271.34 < kelvin[0] < 304.5


# The land


def test_air_over_land_by_hand() -> None:
    # 27 C at the equator; at 60 degrees 27 - .0089 * 3600 = -5 C, and .0045 * 3600 = 16.2 K of
    # season either way.
    summer = climate.land_air_kelvin(at(0, 60, -60), 200) - 273.15
    winter = climate.land_air_kelvin(at(0, 60, -60), 17) - 273.15
    np.testing.assert_allclose(summer, [27, 11.2, -21.2], atol=0.1)
    np.testing.assert_allclose(winter, [27, -21.2, 11.2], atol=0.1)


@given(latitude=latitudes, day=days)
def test_air_over_land_is_bearable(latitude: float, day: int) -> None:
    assert 205 < climate.land_air_kelvin(at(latitude), day)[0] < 305


# Ice


# Places that are ice in one of the months of most and least ice, after any atlas.
@pytest.mark.parametrize(
    ("name", "latitude", "longitude", "march", "september"),
    [
        ("Beaufort Sea", 73, -140, True, False),
        ("Central Arctic", 87, 100, True, True),
        ("Norwegian Sea", 68, 5, False, False),
        ("North Sea", 57, 3, False, False),
        ("East Greenland", 76, -12, True, False),
        ("Hudson Bay", 60, -85, True, False),
        ("Sea of Okhotsk", 55, 145, True, False),
        ("North Pacific", 45, -170, False, False),
        ("Weddell Sea", -72, -45, True, True),
        ("Southern Ocean at 65 S", -65, 0, False, True),
        ("Drake Passage", -57, -65, False, False),
    ],
)
def test_the_ice_edge(
    name: str, latitude: float, longitude: float, march: bool, september: bool
) -> None:
    for day, ice in ((MARCH, march), (SEPTEMBER, september)):
        beyond = climate.degrees_beyond_ice_edge(at(latitude), at(longitude), day)
        assert (beyond[0] > 0) == ice, (name, day)


def test_the_ice_edge_has_no_step_at_the_anti_meridian() -> None:
    for day in (MARCH, JULY, SEPTEMBER):
        west, east = climate.degrees_beyond_ice_edge(at(70, 70), at(-180, 180), day)
        assert west == pytest.approx(east, abs=1.01)


def test_ice_sheets_begin_some_way_from_the_coast() -> None:
    places = {
        "Greenland": (72, -40, 64, 1),
        "Greenland's coast": (72, -40, 5, 0),
        "Iceland": (64.8, -18.5, 64, 0),
        "Antarctica": (-80, 60, 64, 1),
        "Norway": (61, 8, 64, 0),
        "Nordaustlandet": (79.8, 23, 20, 1),
        "Siberia": (66, 100, 64, 0),
        "Patagonia": (-45, -70, 64, 0),
    }
    latitude, longitude, coast_km, expected = (
        at(*column) for column in zip(*places.values(), strict=True)
    )
    np.testing.assert_array_equal(climate.ice_sheet(latitude, longitude, coast_km), expected)


# Deserts


def test_deserts() -> None:
    places = {
        "Sahara": (23, 10, 1),
        "Empty Quarter": (20, 50, 1),
        "Gobi": (42, 105, 1),
        "Australia": (-25, 130, 1),
        "Namib": (-24, 15, 1),
        "Atacama": (-23, -69, 1),
        # 1.5 degrees north of the Sahara's border at 32 N: half of the 3 degrees of change.
        "Tunisia": (33.5, 10, 0.5),
        "Amazon": (-3, -60, 0),
        "Germany": (51, 10, 0),
        "Congo": (0, 20, 0),
        "India's north-east": (26, 92, 0),
    }
    latitude, longitude, expected = (at(*column) for column in zip(*places.values(), strict=True))
    np.testing.assert_allclose(climate.aridity(latitude, longitude), expected, atol=1e-6)


def test_the_polar_night_is_colder_than_the_polar_day() -> None:
    latitude = np.array([85.0, -85.0], np.float32)
    # Day 20 is 180 days from day 200, near the opposite phase: -26 C in the north; the south has
    # -12 + 14 = 2 C, cut off at melting.
    np.testing.assert_allclose(climate.ice_air_kelvin(latitude, 20) - 273.15, [-26, 0], atol=0.1)
