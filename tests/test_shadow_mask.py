"""Shadows that are found in scenes: where the sun throws them, and how dark it is there."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import xarray as xr

from slstr_cloudmask.detectors import shadow
from slstr_cloudmask.detectors.shadow import cloud_shadow, shaded_places, shadow_throw, top_km
from slstr_cloudmask.flags import flag_variable
from slstr_cloudmask.scene import build_scene
from slstr_cloudmask.simulate.scene import simulate_scene
from tests.masks import CLOUD_PIXEL, around_pole, positions

SIDE = 60
NO_SNOW = np.zeros((SIDE, SIDE), bool)
BLOCK = slice(30, 36), slice(28, 36)  # of cloud
# Equinox of 2019, 21:58 UTC: the sun stands over the equator (to .03 degrees), at 147.65 W then and
# over the anti-meridian 32.35 degrees * 240 s = 7764 s later.
OVER_180 = "2019-03-21T00:07:24Z"


def placed(
    latitude: npt.NDArray[Any], longitude: npt.NDArray[Any], start_time: str = OVER_180
) -> xr.Dataset:
    """Build a scene of which only position and time are known."""
    return build_scene(
        {"S8": np.full(latitude.shape, 290.0)},
        coordinates={"latitude": latitude, "longitude": longitude},
        attributes={"start_time": start_time},
    )


def shaded_scene(**changes: Any) -> tuple[xr.Dataset, npt.NDArray[np.uint8]]:
    """A cloud 4 km high on bright land at 45 degrees north, sun in the south; and its mask.

    The zenith angle is 45 degrees, so that the shadow lies 4 km to the north: rows 26 to 31.
    """
    rows, columns = np.indices((SIDE, SIDE))
    cloud = np.zeros((SIDE, SIDE), np.uint8)
    cloud[BLOCK] = 1
    s3 = np.full((SIDE, SIDE), 0.3)
    s3[26:32, 28:36] = 0.15
    s3[50:53, 10:13] = 0.15  # dark, and no cloud near
    s3[cloud == 1] = 0.6
    s8 = np.where(cloud, 290 - 4 * 6.5, 290.0)
    scene = build_scene(
        {"S3": s3, "S8": s8},
        coordinates={
            "latitude": 45 - 0.009 * (rows - 30),
            "longitude": (180 + 0.009 / np.cos(np.pi / 4) * (columns - 30) + 180) % 360 - 180,
            "solar_zenith_angle": np.full((SIDE, SIDE), changes.pop("zenith", 45.0)),
        },
        flags=changes.pop("flags", {}),
        attributes={"start_time": OVER_180},
    )
    return scene, cloud


def test_shadows_are_as_long_as_the_sun_is_low_and_lie_away_from_it() -> None:
    # On the anti-meridian at 45 degrees north the sun stands in the south, 45 degrees high: 1 km
    # north for each of height. One row is .009 degrees, 1.0008 km of a sphere of 6371 km.
    throw = shadow_throw(placed(*positions(45, 180)))
    assert throw is not None
    assert throw.down[CLOUD_PIXEL] == pytest.approx(-1, abs=0.005)
    assert throw.right[CLOUD_PIXEL] == pytest.approx(0, abs=0.01)
    # On the equator, 60 degrees east of the sun: tan 60 = 1.732 to the east.
    throw = shadow_throw(placed(*positions(0, -120)))
    assert throw is not None
    assert throw.right[CLOUD_PIXEL] == pytest.approx(np.sqrt(3), abs=0.01)
    assert throw.down[CLOUD_PIXEL] == pytest.approx(0, abs=0.01)


def test_the_pole_is_a_place_like_others() -> None:
    # 21 June 2019, 15:54: the sun over 23.435 N, 58.03 W. At the north pole its zenith angle is
    # 66.565 degrees, its tangent 2.307. `around_pole` has x to the right along longitude 0 and y up
    # along 90 E, so the shadow goes to longitude 121.97: 2.307 * (cos, sin) = -1.2216, 1.9571.
    throw = shadow_throw(placed(*around_pole(), start_time="2019-06-21T15:54:00Z"))
    assert throw is not None
    np.testing.assert_allclose(throw.right, -1.2216, atol=0.02)
    np.testing.assert_allclose(throw.down, -1.9571, atol=0.02)


def test_at_night_there_is_nothing_to_throw() -> None:
    throw = shadow_throw(placed(*positions(0, 0)))  # the sun is on the other side
    assert throw is not None
    assert np.isnan(throw.down).all()
    assert not shaded_places(np.ones((20, 30), bool), np.full((20, 30), 5.0), throw).any()


def test_without_place_or_time_no_shadow_is_known() -> None:
    scene = placed(*positions(45, 180))
    for less in (
        scene.drop_vars("latitude"),
        scene.assign_attrs(start_time="some day"),
        scene.isel(rows=slice(1)),  # says nothing of where rows lead
    ):
        assert shadow_throw(less) is None
    # Positions of nobody: no direction, and no failure.
    throw = shadow_throw(placed(np.full((3, 4), np.nan), np.full((3, 4), np.nan)))
    assert throw is not None
    assert np.isnan(throw.right).all()
    throw = shadow_throw(placed(np.zeros((3, 4)), np.full((3, 4), 170.0)))  # all in one place
    assert throw is not None
    assert np.isnan(throw.right).all()


def test_height_from_the_clear_ground_around() -> None:
    scene, cloud = shaded_scene()
    found = top_km(scene["S8"].values, cloud)
    np.testing.assert_allclose(found[BLOCK], 4.0, atol=1e-4)
    assert found[0, 0] == shadow.LOWEST_KM  # as warm as the ground


def test_dark_clear_ground_where_a_shadow_can_be_is_shadow() -> None:
    scene, cloud = shaded_scene()

    found = cloud_shadow(scene, cloud, NO_SNOW)

    assert found is not None
    expected = np.zeros((SIDE, SIDE), np.uint8)
    expected[26:30, 28:36] = 1  # the rest of it lies under the cloud
    expected[BLOCK] = 255
    np.testing.assert_array_equal(found, expected)


def test_snow_is_compared_with_snow() -> None:
    # Snow that is twice as bright as the ground among it: neither is in the other's shadow.
    scene, cloud = shaded_scene()
    snow = np.indices((SIDE, SIDE))[1] % 2 == 0
    scene["S3"].values[~snow] *= 0.5
    found = cloud_shadow(scene, cloud, snow)
    assert found is not None
    assert (found[26:30, 28:36] == 1).all()
    assert not (found[:26] == 1).any()
    mixed = cloud_shadow(scene, cloud, NO_SNOW)
    assert mixed is not None
    assert (mixed[24:26, 29:36:2] == 1).all()


def test_shadow_is_said_by_day_and_of_ground_that_shows_it() -> None:
    scene, cloud = shaded_scene()
    for less in (scene.drop_vars("S3"), scene.drop_vars("S8"), scene.drop_vars("longitude")):
        assert cloud_shadow(less, cloud, NO_SNOW) is None
    for zenith in (85.0, 100.0, np.nan):
        assert cloud_shadow(shaded_scene(zenith=zenith)[0], cloud, NO_SNOW) is None
    ocean = flag_variable(np.full((SIDE, SIDE), 2, np.uint16), {"ocean": 2})
    at_sea = cloud_shadow(shaded_scene(flags={"confidence": ocean})[0], cloud, NO_SNOW)
    assert at_sea is not None
    assert (at_sea[26:30, 28:36] == 255).all()  # water shows none
    assert not at_sea[45:].any()  # and none can be here
    nothing = cloud_shadow(scene, np.full((SIDE, SIDE), 255, np.uint8), NO_SNOW)
    assert nothing is not None
    assert (nothing == 255).all()


def test_simulated_shadows_lie_where_the_geometry_says() -> None:
    # Broken cloud over land in the morning; the simulator throws shadows by its own geometry.
    scene = simulate_scene(2, (96, 120), like="global", daytime=True)
    truth, depth = scene["truth"].values, scene["optical_depth"].values
    throw = shadow_throw(scene)
    assert throw is not None
    height = top_km(scene["S8"].values, truth)
    shaded, clear = scene["cloud_shadow"].values > 0.2, truth == 0
    assert 50 < (shaded & clear).sum() < 0.5 * clear.sum()
    away = shaded_places(depth > 1, height, throw)
    back = shaded_places(depth > 1, height, shadow.Throw(-throw.down, -throw.right))
    assert away[shaded & clear].mean() > 0.8
    assert away[shaded & clear].mean() > back[shaded & clear].mean() + 0.3
