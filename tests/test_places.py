from collections import Counter
from datetime import UTC, date, datetime, timedelta
from importlib import resources

import numpy as np
import pytest

from slstr_cloudmask.errors import InputError
from slstr_cloudmask.simulate.geometry import FULL_COLUMNS, FULL_ROWS, Window, scene_geometry
from slstr_cloudmask.simulate.orbit import Overpass, node_time, product_name
from slstr_cloudmask.simulate.places import (
    LIKE,
    REFLECTIVE_MAX_SOLAR_ZENITH_DEG,
    benchmark_scenes,
    draw_overpass,
)

CENTRE = Window(FULL_ROWS // 2, FULL_COLUMNS // 2, 1, 1)


def draws(
    like: str, count: int = 60, *, daytime: bool | None = None, first: int = 0
) -> list[Overpass]:
    rng = np.random.default_rng(5)
    return [draw_overpass(rng, like, first + i, daytime=daytime) for i in range(count)]


def centre(overpass: Overpass) -> tuple[float, float, float]:
    """Latitude, longitude and solar zenith angle in the middle of the frame."""
    geometry = scene_geometry(overpass, CENTRE)
    return (
        geometry.latitude_deg.item(),
        geometry.longitude_deg.item(),
        geometry.solar_zenith_deg.item(),
    )


def test_the_benchmarks_scenes_come_first() -> None:
    scenes = draws("test-set", 100)

    assert scenes[0] == Overpass(datetime(2019, 10, 1, 11, 32, 21, tzinfo=UTC), 50, 23, 1980, True)
    assert len(set(scenes)) == 100
    assert scenes == list(benchmark_scenes())
    assert sum(scene.reflective for scene in scenes) == 55
    for count in range(1, 101):  # any beginning of the list has its share of day scenes
        assert abs(sum(scene.reflective for scene in scenes[:count]) - 0.55 * count) <= 0.5001


def test_the_benchmarks_scenes_lie_where_they_were_published() -> None:
    path = resources.files("slstr_cloudmask.simulate") / "data" / "test_scenes.csv"
    rows = [line.split(",") for line in path.read_text().splitlines() if line.startswith("2019")]
    boxes = {row[0][:19]: np.array(row[5:9], float) for row in rows}
    assert len(boxes) == 100
    edges = [Window(0, 0, FULL_ROWS, 1), Window(0, 0, 1, FULL_COLUMNS)]
    edges += [Window(0, FULL_COLUMNS - 1, FULL_ROWS, 1), Window(FULL_ROWS - 1, 0, 1, FULL_COLUMNS)]
    for scene in benchmark_scenes():
        box = boxes[f"{scene.start:%Y-%m-%dT%H:%M:%S}"]
        parts = [scene_geometry(scene, edge) for edge in edges]
        latitude = np.concatenate([part.latitude_deg.ravel() for part in parts])
        longitude = np.concatenate([part.longitude_deg.ravel() for part in parts])
        found = [latitude.min(), latitude.max(), longitude.min(), longitude.max()]
        np.testing.assert_allclose(found, box, atol=0.1)


def test_orbit_number_frame_and_start_agree() -> None:
    for scene in benchmark_scenes():
        node = node_time(scene.cycle, scene.relative_orbit)
        assert (scene.start - node).total_seconds() == pytest.approx(scene.frame, abs=1)


def test_the_suns_height_tells_which_folder_a_scene_is_in() -> None:
    for scene in benchmark_scenes():
        assert scene.reflective == (centre(scene)[2] <= REFLECTIVE_MAX_SOLAR_ZENITH_DEG)


def test_later_scenes_of_the_test_set_are_neighbours() -> None:
    scenes = draws("test-set", 100, first=100)

    assert not set(scenes) & set(benchmark_scenes())
    for scene, model in zip(scenes, benchmark_scenes(), strict=True):
        (latitude, longitude, _), (its_latitude, its_longitude, _) = centre(scene), centre(model)
        assert (scene.frame, scene.reflective) == (model.frame, model.reflective)
        assert latitude == pytest.approx(its_latitude, abs=0.5)
        assert abs((longitude - its_longitude + 180) % 360 - 180) < 20.5
        assert 9 <= scene.start.month <= 11


@pytest.mark.parametrize("like", LIKE)
def test_the_same_draw_is_the_same_place(like: str) -> None:
    assert draws(like, 5, first=98) == draws(like, 5, first=98)
    for scene in draws(like, 5, first=200):
        node = node_time(scene.cycle, scene.relative_orbit)
        assert (scene.start - node).total_seconds() == pytest.approx(scene.frame, abs=1)
        assert len(product_name(scene)) == len(product_name(benchmark_scenes()[0]))


def test_global_scenes_cover_the_globe_and_the_year() -> None:
    scenes = draws("global", 300)
    latitudes = np.array([centre(scene)[0] for scene in scenes])

    # An orbit over the poles spends 60 of 90 degrees, two thirds of its time, within 60 degrees.
    assert np.mean(np.abs(latitudes) < 60) == pytest.approx(0.67, abs=0.08)
    assert latitudes.min() < -75
    assert latitudes.max() > 75
    assert {scene.start.year for scene in scenes} <= {2019, 2020}  # the last orbit's end
    assert len(Counter(scene.start.month for scene in scenes)) == 12
    # Half of the globe is lit.
    assert np.mean([scene.reflective for scene in scenes]) == pytest.approx(0.46, abs=0.1)


def test_places_are_of_their_kind() -> None:
    assert all(abs(centre(scene)[0]) > 59.9 for scene in draws("polar"))
    assert all(abs(centre(scene)[0]) < 25.1 for scene in draws("tropics"))
    assert all(centre(scene)[2] > 89.9 for scene in draws("night"))
    for scene in draws("hard"):
        latitude, _, zenith = centre(scene)
        twilight = 77.9 <= zenith <= 92.1
        assert twilight or abs(latitude) > 59.9 or (abs(latitude) < 35.1 and zenith < 50.1)


@pytest.mark.parametrize("like", ["test-set", "global", "polar", "tropics", "hard"])
@pytest.mark.parametrize("daytime", [True, False])
def test_daylight_and_night_can_be_asked_for(like: str, daytime: bool) -> None:
    for scene in draws(like, 20, daytime=daytime) + draws(like, 5, daytime=daytime, first=90):
        assert scene.reflective == daytime


def test_daylight_where_the_sun_is_down_is_refused() -> None:
    with pytest.raises(InputError, match=r"Daylight was asked for in scenes like 'night'.*choose"):
        draws("night", 1, daytime=True)
    assert not draws("night", 1, daytime=False)[0].reflective


def test_wrong_requests_are_refused() -> None:
    with pytest.raises(InputError, match=r"Expected one of test-set, global.*found 'moon'"):
        draws("moon", 1)
    with pytest.raises(InputError, match="number from 0 on, found -1"):
        draws("test-set", 1, first=-1)


def test_a_day_can_be_asked_for() -> None:
    day = date(2020, 12, 21)
    for seed in range(5):
        overpass = draw_overpass(np.random.default_rng(seed), "polar", 0, daytime=True, day=day)
        # An orbit that begins late in the day takes 101 minutes.
        assert timedelta(0) <= overpass.start - datetime(2020, 12, 21, tzinfo=UTC) < timedelta(1.08)
        # The Arctic is dark at midwinter: daylight is in the south.
        assert scene_geometry(overpass, Window(599, 749, 1, 1)).latitude_deg < -60
    with pytest.raises(InputError, match="have their own days"):
        draw_overpass(np.random.default_rng(1), "test-set", 0, day=day)
    # 999 cycles of 27 days, as many as a product's name can count.
    for wrong in (date(2010, 1, 1), date(2016, 2, 14), date(2089, 12, 20), date(9999, 12, 31)):
        with pytest.raises(InputError, match=f"after 2016-02-14 and before 2089-12-20, .*{wrong}"):
            draw_overpass(np.random.default_rng(1), "global", 0, day=wrong)
