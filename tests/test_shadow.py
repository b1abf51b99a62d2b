"""Shadows of clouds: as far away as the cloud is high, and away from the sun."""

import math

import numpy as np
import pytest

from slstr_cloudmask.simulate.clouds import CloudLayer
from slstr_cloudmask.simulate.geometry import Window, image_position, scene_geometry
from slstr_cloudmask.simulate.orbit import overpass_at
from slstr_cloudmask.simulate.shadow import ground_light

from .stages import KM_PER_DEGREE, SHAPE, full, geometry_at, layer_of

MIDDLE = (32, 40)


def spot(top_km: float, optical_depth: float = 4.0) -> CloudLayer:
    """A cloud of one pixel in the middle."""
    depth = full(0)
    depth[MIDDLE] = optical_depth
    return layer_of("water10", depth, top_km, 270)


# Shadows


@pytest.mark.parametrize(
    ("azimuth", "zenith", "top_km", "down", "right"),
    [
        # As long as the cloud is high under a sun of 45 degrees; 1.732 times at 60 degrees.
        (180, 45, 10, -10, 0),  # sun in the south: shadow to the north, up
        (-90, 60, 5, 0, 9),  # in the west: to the east, right
        (90, 60, 5, 0, -9),
        (0, 45, 3, 3, 0),
        # In the south-east: north-west, 10 * .707 either way.
        (135, 45, 10, -7, -7),
        # Low sun: no shadow is longer than 60 km.
        (90, 88, 10, 0, -37),
    ],
)
@pytest.mark.parametrize("longitude", [0, 180])
def test_shadows_fall_away_from_the_sun(
    azimuth: float, zenith: float, top_km: float, down: int, right: int, longitude: float
) -> None:
    geometry = geometry_at(50, longitude, solar_zenith_deg=zenith, solar_azimuth_deg=azimuth)
    light = ground_light(geometry, [spot(top_km)])
    expected = full(1)
    if abs(right) < 37:
        # 1 - .85 * (1 - exp(-.25 * 4)) = .4627
        expected[MIDDLE[0] + down, MIDDLE[1] + right] = 0.4627
    else:  # 60 km to the left lies outside
        assert right == -37
    np.testing.assert_allclose(light, expected, atol=1e-4)


def test_shadows_on_a_real_frame() -> None:
    # A morning pass over Europe. The image is turned by its orbit; the shadow's place is found by
    # its latitude and longitude.
    overpass = overpass_at(50, 23, 1980, reflective=True)
    window = Window(500, 700, *SHAPE)
    geometry = scene_geometry(overpass, window)
    latitude, longitude, zenith, azimuth = (
        float(values[MIDDLE])
        for values in (
            geometry.latitude_deg,
            geometry.longitude_deg,
            geometry.solar_zenith_deg,
            geometry.solar_azimuth_deg,
        )
    )
    assert 20 < zenith < 80
    top_km = 12 / math.tan(math.radians(zenith))  # a shadow 12 km long
    light = ground_light(geometry, [spot(top_km)])
    away = math.radians(azimuth + 180)
    parallel = KM_PER_DEGREE * math.cos(math.radians(latitude))
    row, column = image_position(
        overpass,
        np.array([latitude + 12 * math.cos(away) / KM_PER_DEGREE]),
        np.array([longitude + 12 * math.sin(away) / parallel]),
    )
    found = np.unravel_index(light.argmin(), light.shape)
    assert light.min() < 0.5
    np.testing.assert_allclose(found, (row[0] - 500, column[0] - 700), atol=1.2)
    # In the morning the sun stands in the east, which is on the right by day.
    assert found[1] < MIDDLE[1]


def test_there_are_no_shadows_at_night() -> None:
    for zenith in (89.5, 95, 150):
        light = ground_light(geometry_at(solar_zenith_deg=zenith), [spot(5)])
        np.testing.assert_array_equal(light, full(1))


def test_an_overcast_sky_leaves_the_skys_light() -> None:
    thick = layer_of("water10", 100, 0.0, 280)
    np.testing.assert_allclose(ground_light(geometry_at(), [thick]), 0.15, atol=1e-4)
    np.testing.assert_array_equal(ground_light(geometry_at(), []), full(1))


def test_the_darkest_of_several_shadows_counts() -> None:
    # 1 - .85 * (1 - exp(-.25 * 8)) = .2650; the thin one alone would leave .8120.
    layers = [layer_of("water10", 8, 0.0, 280), layer_of("ice25", 1, 0.0, 225)]
    for order in (layers, layers[::-1]):
        np.testing.assert_allclose(ground_light(geometry_at(), order), 0.2650, atol=1e-4)
