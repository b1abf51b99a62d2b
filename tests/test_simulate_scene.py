"""A simulated scene: the contract, the truth, windows of the frame, what is refused."""

import itertools
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pytest
import xarray as xr

from slstr_cloudmask.errors import InputError
from slstr_cloudmask.flags import UNKNOWN, decode_flag, flag_masks
from slstr_cloudmask.scene import (
    BIT_FLAG_NAMES,
    COORDINATE_NAMES,
    KIND_NAMES,
    LABEL_NAMES,
    STRATUM_NAMES,
    Regime,
    bands_present,
    check_scene,
    label,
    regime,
    valid_pixels,
)
from slstr_cloudmask.simulate import scene as scene_module
from slstr_cloudmask.simulate.geometry import (
    FULL_COLUMNS,
    FULL_ROWS,
    OBLIQUE_COLUMNS,
    Window,
    image_position,
    scene_geometry,
)
from slstr_cloudmask.simulate.ground import Ground
from slstr_cloudmask.simulate.orbit import Overpass
from slstr_cloudmask.simulate.places import LIKE, benchmark_scenes
from slstr_cloudmask.simulate.recipe import Recipe
from slstr_cloudmask.simulate.scene import make_scene, simulate_scene
from slstr_cloudmask.simulate.staging import draw_window, oblique_stage
from slstr_cloudmask.simulate.worlds import WORLDS
from tests.stages import layer_of, stage_of

SMALL = (48, 64)
WIDE = (40, FULL_COLUMNS)
REFLECTANCES, THERMAL = tuple(f"S{n}" for n in range(1, 7)), ("S7", "S8", "S9")


def middle_zenith_deg(overpass: Overpass) -> float:
    """Solar zenith angle in the middle of a frame."""
    middle = Window(FULL_ROWS // 2, FULL_COLUMNS // 2, 1, 1)
    return scene_geometry(overpass, middle).solar_zenith_deg.item()


def overpass_lit(low_deg: float, high_deg: float) -> Overpass:
    """First real overpass whose middle has a solar zenith angle in a range."""
    scenes = benchmark_scenes()
    return next(scene for scene in scenes if low_deg <= middle_zenith_deg(scene) <= high_deg)


DAY, TWILIGHT, NIGHT = overpass_lit(20, 60), overpass_lit(83, 88), overpass_lit(105, 180)


def window_of(scene: xr.Dataset, overpass: Overpass) -> Window:
    """Find the part of the frame that a scene shows, from its positions alone."""
    corner = (scene[name].values[0, 0] for name in ("latitude", "longitude"))
    row, column = image_position(overpass, *corner)
    return Window(round(float(row)), round(float(column)), *scene["S8"].shape)


def same_but(one: xr.Dataset, other: xr.Dataset) -> set[str]:
    """Names of the variables that differ."""
    assert set(one.variables) == set(other.variables)
    return {str(name) for name in one.variables if not one[name].identical(other[name])}


@pytest.fixture(scope="module")
def wide() -> xr.Dataset:
    """By day, from one side of the frame to the other."""
    return make_scene(Recipe(3, DAY, WIDE))


@pytest.fixture(scope="module")
def mixed() -> xr.Dataset:
    """Cloud and clear, both of them in a tenth of the scene at least."""
    for seed in itertools.count():
        scene = simulate_scene(seed, (128, 160))
        if 0.1 < (scene["truth"] == 1).mean() < 0.9 and (scene["truth"] == 0).mean() > 0.1:
            return scene
    raise AssertionError


# The contract


@pytest.mark.parametrize("overpass", [DAY, TWILIGHT, NIGHT], ids=["day", "twilight", "night"])
def test_a_scene_keeps_the_contract(overpass: Overpass) -> None:
    scene = check_scene(make_scene(Recipe(3, overpass, SMALL)))
    bands = (*REFLECTANCES, *THERMAL) if overpass.reflective else THERMAL
    assert bands_present(scene) == bands
    assert dict(scene.sizes) == {"rows": 48, "columns": 64}
    assert set(scene.data_vars) == {*bands, *LABEL_NAMES, *STRATUM_NAMES}
    assert set(scene.coords) == set(COORDINATE_NAMES)
    for name in COORDINATE_NAMES:
        assert np.isfinite(scene[name].values).all()
    integers: dict[Any, Any] = dict.fromkeys(("cloud", "confidence"), np.uint16)
    integers |= dict.fromkeys(("bayes", "truth", "summary_cloud", *KIND_NAMES), np.uint8)
    for key, variable in scene.variables.items():
        assert variable.dtype == integers.get(key, np.float32), key
        assert {"units", "flag_masks"} & set(variable.attrs), key
    assert scene.attrs == {
        "platform": "Sentinel-3A (simulated)",
        "start_time": f"{overpass.start:%Y-%m-%dT%H:%M:%SZ}",
        "view": "nadir",
        "grid": "1km",
        "baseline": "004",
        "radiometry": "as_distributed",
        "source": "simulated, seed 3",
        "world": "standard",
        **({} if overpass.reflective else {"illumination": "night"}),
    }


def test_flags_say_what_their_values_mean(wide: xr.Dataset) -> None:
    masks = {name: flag_masks(wide[name].attrs) for name in BIT_FLAG_NAMES}
    assert masks["bayes"] == {
        "single_low": 1,
        "single_moderate": 2,
        "dual_low": 4,
        "dual_moderate": 8,
    }
    assert sorted(masks["cloud"].values()) == [2**n for n in range(14)]
    # As in the products; bits 6 and 7 have no meaning.
    bits = {2**n for n in range(16)} - {64, 128}
    assert set(masks["confidence"].values()) == bits
    for name in BIT_FLAG_NAMES:
        used = int(np.bitwise_or.reduce(wide[name].values[valid_pixels(wide)], axis=None))
        assert used & ~sum(masks[name].values()) == 0
    meanings = {name: wide[name].attrs["flag_meanings"].split() for name in KIND_NAMES}
    assert meanings["cloud_kind"][0] == "clear"
    assert sorted(meanings["surface_kind"]) == sorted(kind.name.lower() for kind in Ground)
    for name in ("truth", "summary_cloud", *KIND_NAMES):
        values = {int(value) for value in wide[name].attrs["flag_values"]}
        assert set(np.unique(wide[name].values)) <= values | {UNKNOWN}
        assert wide[name].attrs["_FillValue"] == UNKNOWN


def test_numbers_lie_where_they_can(mixed: xr.Dataset) -> None:
    depth, kind = mixed["optical_depth"].values, mixed["cloud_kind"].values
    assert depth.min() == 0
    seen = valid_pixels(mixed)
    # A kind is named where it is more than a trace, a fiftieth.
    assert (depth[seen & (kind != 0)] > 0.02).all()
    assert (kind[seen & (depth == 0)] == 0).all()
    coast = mixed["coast_distance"].values
    assert coast.min() >= 0
    assert coast.max() <= 64
    assert mixed["glint_reflectance"].values.min() >= 0
    assert mixed["dust_optical_depth"].values.min() >= 0
    assert mixed["smoke_optical_depth"].values.min() >= 0
    probability = mixed["cloud_probability_provider"].values
    assert np.nanmin(probability) >= 0
    assert np.nanmax(probability) <= 1
    for name in THERMAL:
        kelvin = mixed[name].values[seen].astype(float)
        # Whole hundredths, as far as float32 holds them.
        np.testing.assert_allclose(kelvin * 100, np.rint(kelvin * 100), atol=0.01)


def test_what_is_not_seen_is_unknown(wide: xr.Dataset) -> None:
    unseen = ~valid_pixels(wide)
    assert unseen[:, 0].all()
    assert unseen[:, -1].all()
    for name in (*REFLECTANCES, *THERMAL):
        np.testing.assert_array_equal(np.isnan(wide[name].values), unseen)
    for name in ("truth", "bayes", "summary_cloud", "cloud_kind"):
        np.testing.assert_array_equal(wide[name].values == UNKNOWN, unseen)
    assert (wide["cloud"].values[unseen] == 0).all()
    np.testing.assert_array_equal(decode_flag(wide["confidence"], "unfilled")[0], unseen)
    for meaning in ("summary_cloud", "snow", "cosmetic"):  # all are of what was measured
        assert not decode_flag(wide["confidence"], meaning)[0][unseen].any()
    # Copies of a neighbour are not judged either: unknown to the provider, and not flagged.
    copies = decode_flag(wide["confidence"], "cosmetic")[0]
    assert copies.any()
    probability = wide["cloud_probability_provider"].values
    np.testing.assert_array_equal(np.isnan(probability), unseen | copies)
    assert (wide["bayes"].values[copies] == 0).all()
    for name in (*THERMAL, "cloud", "summary_cloud"):
        left = np.roll(wide[name].values, 1, axis=1)
        alone = copies & ~np.roll(copies, 1, axis=1)  # of two in a row, both had other neighbours
        np.testing.assert_array_equal(wide[name].values[alone], left[alone])


def test_the_summary_is_in_both_its_places(wide: xr.Dataset) -> None:
    bit, _ = decode_flag(wide["confidence"], "summary_cloud")
    np.testing.assert_array_equal(bit, wide["summary_cloud"].values == 1)
    assert bit.any()


# Light


@pytest.mark.parametrize("overpass", [DAY, TWILIGHT, NIGHT], ids=["day", "twilight", "night"])
def test_light_is_that_of_the_overpass(overpass: Overpass) -> None:
    scene = make_scene(Recipe(5, overpass, SMALL))
    assert overpass.reflective == (overpass is DAY)
    assert ("S1" in scene) == overpass.reflective
    zenith = scene["solar_zenith_angle"].values
    day, _ = decode_flag(scene["confidence"], "day")
    twilight, _ = decode_flag(scene["confidence"], "twilight")
    np.testing.assert_array_equal(day, zenith < 80)
    np.testing.assert_array_equal(twilight, (zenith >= 80) & (zenith < 90))
    if overpass is NIGHT:
        assert (regime(scene) == Regime.NIGHT).all()
        assert (scene["glint_reflectance"].values == 0).all()
        # Nothing sees sunlight: no test of reflectance is passed.
        tests = ("visible", "1.37_threshold", "1.6_large_histogram", "2.25_large_histogram")
        assert not any(decode_flag(scene["cloud"], name)[0].any() for name in tests)


def test_reflectances_go_on_beyond_the_terminator() -> None:
    overpass = overpass_lit(80.5, 82.3)
    scene = make_scene(Recipe(0, overpass, (FULL_ROWS, 32)))
    low_sun = valid_pixels(scene) & (scene["solar_zenith_angle"].values > 80)
    assert low_sun.any()
    for name in REFLECTANCES:
        assert np.isfinite(scene[name].values[low_sun]).all()


@pytest.mark.parametrize("daytime", [True, False])
def test_day_or_night_as_asked_for(daytime: bool) -> None:
    for seed in range(4):
        assert ("S1" in simulate_scene(seed, (32, 40), daytime=daytime)) == daytime
    lights = {"S1" in simulate_scene(seed, (32, 40)) for seed in range(12)}
    assert lights == {True, False}


def test_daylight_in_the_dark_is_refused() -> None:
    with pytest.raises(InputError, match=r"Daylight was asked for.*choose 'global'"):
        simulate_scene(1, SMALL, like="night", daytime=True)


def test_a_scene_of_a_day() -> None:
    scene = simulate_scene(4, SMALL, like="polar", daytime=True, day=date(2019, 12, 21))
    # An orbit that begins late that day goes on into the next.
    assert scene.attrs["start_time"][:10] in ("2019-12-21", "2019-12-22")
    assert scene["latitude"].values.max() < -50  # the Arctic is dark then
    with pytest.raises(InputError, match="have their own days"):
        simulate_scene(4, SMALL, day=date(2019, 12, 21))


# The truth


def test_truth_is_optical_depth_from_a_limit_on(mixed: xr.Dataset) -> None:
    seen = valid_pixels(mixed)
    depth = mixed["optical_depth"].values
    np.testing.assert_array_equal(mixed["truth"].values == 1, seen & (depth >= 0.3))


def test_another_limit_changes_the_truth_alone(mixed: xr.Dataset) -> None:
    seed = int(mixed.attrs["source"].split()[-1])
    other = simulate_scene(seed, (128, 160), cloud_optical_depth=3.0)
    assert same_but(mixed, other) == {"truth"}
    seen, depth = valid_pixels(other), other["optical_depth"].values
    np.testing.assert_array_equal(other["truth"].values == 1, seen & (depth >= 3))


def test_the_provider_misses_little_and_flags_much() -> None:
    counts = np.zeros(4)
    for seed in range(20):
        scene = simulate_scene(seed, (96, 120))
        cloud, known = label(scene, "truth")
        flagged, _ = label(scene, "bayes")
        clear = known & ~cloud
        counts += [(cloud & flagged).sum(), cloud.sum(), (clear & flagged).sum(), clear.sum()]
    hits, cloudy, false_alarms, clear_pixels = counts
    # As the operational mask does; how much exactly is for `cloudmask simulate-check` to say.
    assert 0.4 < cloudy / (cloudy + clear_pixels) < 0.95
    assert hits / cloudy > 0.85
    assert 0.15 < false_alarms / clear_pixels < 0.85


# The same and others


def test_the_same_arguments_give_the_same_scene(mixed: xr.Dataset) -> None:
    seed = int(mixed.attrs["source"].split()[-1])
    assert mixed.identical(simulate_scene(seed, (128, 160)))
    recipe = Recipe(seed, NIGHT, SMALL, like="hard")
    assert make_scene(recipe).identical(make_scene(recipe))


def scenes_apart(one: xr.Dataset, two: xr.Dataset) -> bool:
    return not np.array_equal(one["S8"].values, two["S8"].values, equal_nan=True)


def test_each_seed_size_and_world_gives_another_scene() -> None:
    scene = make_scene(Recipe(8, NIGHT, SMALL))
    assert scenes_apart(scene, make_scene(Recipe(9, NIGHT, SMALL)))
    shifted = make_scene(Recipe(8, NIGHT, SMALL, world="shifted"))
    assert scenes_apart(scene, shifted)
    assert window_of(scene, NIGHT) != window_of(shifted, NIGHT)  # its seeds are its own
    assert shifted.attrs["world"] == "shifted"
    # The seed alone decides where, in its own world.
    starts = {
        simulate_scene(8, SMALL, world=world, like="global").attrs["start_time"] for world in WORLDS
    }
    assert len(starts) == len(WORLDS)


@pytest.mark.parametrize("like", LIKE)
def test_every_kind_of_place_can_be_simulated(like: str) -> None:
    scene = simulate_scene(5, (32, 40), like=like)
    assert set(LABEL_NAMES) <= set(scene.data_vars)


# Windows of the frame


def test_a_small_scene_is_a_piece_of_the_frame() -> None:
    places = set()
    for seed in range(12):
        scene = make_scene(Recipe(seed, NIGHT, SMALL))
        window = window_of(scene, NIGHT)
        places.add((window.row, window.column))
        assert 0 <= window.row <= FULL_ROWS - 48
        assert 0 <= window.column <= FULL_COLUMNS - 64
        frame = scene_geometry(NIGHT, window)
        for name, values in (
            ("latitude", frame.latitude_deg),
            ("solar_zenith_angle", frame.solar_zenith_deg),
            ("satellite_zenith_angle", frame.view_zenith_deg),
        ):
            np.testing.assert_allclose(scene[name].values, values, atol=1e-3)
    assert len(places) == 12


def test_borders_are_where_the_frame_ends(wide: xr.Dataset) -> None:
    seen = valid_pixels(wide)
    lost = ~seen.any(axis=1)  # a line may be lost
    frame = scene_geometry(DAY, window_of(wide, DAY))
    np.testing.assert_array_equal(seen[~lost], frame.in_swath[~lost])
    # The swath ends 20 to 50 columns from the left of the frame and 10 to 40 from its right.
    assert not seen[:, :19].any()
    assert seen[~lost, 60:1450].all()
    assert not seen[:, 1490:].any()


def test_no_borders_in_the_middle_of_the_frame() -> None:
    inside = 0
    for seed in range(12):
        scene = make_scene(Recipe(seed, DAY, SMALL))
        if 60 <= window_of(scene, DAY).column <= 1450 - 64:
            inside += 1
            seen = valid_pixels(scene)
            assert seen[seen.any(axis=1)].all()
    assert inside > 6


@pytest.mark.parametrize("size", [(1300, 100), (64, 1600)])
def test_a_scene_may_reach_beyond_the_frame(size: tuple[int, int]) -> None:
    scene = make_scene(Recipe(2, DAY, size))
    window = window_of(scene, DAY)
    if size[0] > FULL_ROWS:  # it lies around the frame, 50 rows or columns on either side
        assert window.row == -50
        assert valid_pixels(scene).mean() > 0.9
    else:
        assert window.column == -50
        assert not valid_pixels(scene)[:, [*range(50), *range(-50, 0)]].any()
    for name in ("latitude", "longitude", "optical_depth", "coast_distance"):
        assert np.isfinite(scene[name].values).all()


@pytest.mark.parametrize("size", [(32, 32), FULL_SIZE := (FULL_ROWS, FULL_COLUMNS), (3000, 3000)])
def test_windows_of_all_sizes(size: tuple[int, int]) -> None:
    windows = [draw_window(np.random.default_rng(seed), size) for seed in range(300)]
    for axis, (n, whole) in enumerate(zip(size, FULL_SIZE, strict=True)):
        starts = [(window.row, window.column)[axis] for window in windows]
        if n < whole:
            assert min(starts) in range(whole // 20)
            assert max(starts) in range(whole - n - whole // 20, whole - n + 1)
        else:
            assert set(starts) == {(whole - n) // 2}


# The oblique view


def test_the_oblique_view_has_900_columns_and_55_degrees() -> None:
    scene = make_scene(Recipe(3, DAY, WIDE, view="oblique"))
    assert dict(scene.sizes) == {"rows": 40, "columns": 900}
    assert window_of(scene, DAY).column == OBLIQUE_COLUMNS[0]
    assert scene.attrs["view"] == "oblique"
    # The cone's half angle of 46 degrees meets the ground at 55 degrees, wherever.
    np.testing.assert_allclose(scene["satellite_zenith_angle"].values, 55, atol=2)
    seen = valid_pixels(scene)
    assert 0.8 < seen.mean() < 0.95  # about 810 of the 900 columns are in the swath
    assert set(scene.data_vars) == {*REFLECTANCES, *THERMAL, "truth", *STRATUM_NAMES} - {
        "cloud_probability_provider"
    }


def test_the_oblique_view_has_its_own_truth(wide: xr.Dataset) -> None:
    scene = make_scene(Recipe(3, DAY, WIDE, view="oblique"))
    seen, depth = valid_pixels(scene), scene["optical_depth"].values
    np.testing.assert_array_equal(scene["truth"].values == UNKNOWN, ~seen)
    np.testing.assert_array_equal(scene["truth"].values == 1, seen & (depth >= 0.3))
    same = wide.isel(columns=slice(*OBLIQUE_COLUMNS))
    for name in ("latitude", "longitude", "surface_kind", "coast_distance"):
        np.testing.assert_array_equal(scene[name].values, same[name].values)
    assert not np.array_equal(depth, same["optical_depth"].values)


def test_clouds_stand_before_what_lies_behind_them() -> None:
    line = np.zeros((64, 80), np.float32)
    line[40] = 5.0
    high, low = layer_of("ice25", line, 10.0, 225), layer_of("water10", line, 1.0, 285)
    stage = oblique_stage(stage_of(Ground.OCEAN, 290, low, high), DAY, Window(300, 900, 64, 80))
    # Seen from ahead at 55 degrees, tan = 1.428: 14.28 km farther back at 10 km, 1.43 km at 1 km.
    places = [np.flatnonzero(layer.optical_depth[:, 0]).tolist() for layer in stage.layers]
    assert places == [[39], [26]]
    assert stage.geometry.view_zenith_deg.mean() == pytest.approx(55, abs=2)


def test_a_window_that_the_oblique_view_does_not_reach_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def scene_at(column: int) -> xr.Dataset:
        monkeypatch.setattr(scene_module, "draw_window", lambda rng, size: Window(5, column, *size))
        return make_scene(Recipe(1, NIGHT, (32, 60), view="oblique"))

    # The grid has columns 548 to 1447; the swath in it 550 to 630 to 1380 to 1420.
    for column in (0, 548 - 60, 550 - 60, 1440):
        with pytest.raises(InputError, match=r"does not reach.*another seed, or a larger size"):
            scene_at(column)
    assert scene_at(1360).sizes["columns"] == 60
    left = scene_at(595)
    assert (left["latitude"].sizes["columns"], bool(valid_pixels(left).any())) == (60, True)
    assert scene_at(1400).sizes["columns"] == 1448 - 1400


# What is refused


@pytest.mark.parametrize("size", [(31, 64), (64, 31), (-5, 64), (0, 0)])
def test_too_small_a_scene_is_an_error(size: tuple[int, int]) -> None:
    with pytest.raises(InputError, match=rf"at least 32x32 pixels, found {size[0]}x{size[1]}"):
        simulate_scene(1, size)


@pytest.mark.parametrize("size", [(99999999, 99999999), (3001, 64), (64, 3001)])
def test_too_large_a_scene_is_an_error(size: tuple[int, int]) -> None:
    with pytest.raises(InputError, match=rf"at most 3000x3000 .*found {size[0]}x{size[1]}"):
        simulate_scene(1, size)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"like": "moon"}, r"test-set, global, polar, tropics, night, hard, found 'moon'"),
        ({"world": "flat"}, r"standard, shifted, found 'flat'"),
        ({"view": "up"}, r"nadir, oblique, found 'up'"),
        ({"cloud_optical_depth": np.nan}, r"optical depth above 0 .*found nan"),
        ({"cloud_optical_depth": 0.0}, r"optical depth above 0 .*found 0\.0"),
        ({"cloud_optical_depth": -0.3}, r"optical depth above 0 .*found -0\.3"),
        ({"cloud_optical_depth": np.inf}, r"optical depth above 0 .*found inf"),
        ({"seed": -1}, r"seed of 0 or more, found -1"),
    ],
)
def test_what_cannot_be_is_one_clear_sentence(arguments: dict[str, Any], message: str) -> None:
    everything: dict[str, Any] = {"seed": 1, "size": SMALL} | arguments
    with pytest.raises(InputError, match=message):
        simulate_scene(**everything)


@pytest.mark.parametrize(
    "change", [{"seed": -1}, {"view": "up"}, {"world": "flat"}, {"size": (8, 8)}], ids=str
)
def test_recipes_are_checked_too(change: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="Expected"):
        make_scene(replace(Recipe(1, DAY, SMALL), **change))
