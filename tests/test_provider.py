"""The simulated provider: its forecast, its likelihoods and their tables, its flags."""

from collections.abc import Mapping
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import xarray as xr

from slstr_cloudmask.flags import BoolArray, decode_flag
from slstr_cloudmask.io.benchmark_hdf import BAYES_MASKS
from slstr_cloudmask.simulate import provider_tables
from slstr_cloudmask.simulate.basic_tests import (
    CLOUD_MASKS,
    CONFIDENCE_MASKS,
    cloud_flags,
    confidence_flags,
)
from slstr_cloudmask.simulate.clear import Bands
from slstr_cloudmask.simulate.forecast import Forecast, draw_forecast
from slstr_cloudmask.simulate.fractal import Canvas, Field
from slstr_cloudmask.simulate.geometry import FULL_COLUMNS, Window, scene_geometry
from slstr_cloudmask.simulate.ground import Ground
from slstr_cloudmask.simulate.instrument import Gaps
from slstr_cloudmask.simulate.likelihood import (
    EDGES,
    FEATURES,
    LIGHTS,
    TABLES,
    Seen,
    log_clear,
    log_texture_ratio,
    table_index,
)
from slstr_cloudmask.simulate.places import benchmark_scenes
from slstr_cloudmask.simulate.provider import (
    Oblique,
    Verdict,
    _widen,
    is_cloud,
    judge,
    light_of,
    log_odds,
)
from slstr_cloudmask.simulate.recipe import Recipe
from slstr_cloudmask.simulate.scene import make_scene
from slstr_cloudmask.simulate.stage import Stage
from slstr_cloudmask.simulate.worlds import World
from tests.stages import SHAPE, full, geometry_at, stage_of, surface_of

SINGLE = BAYES_MASKS["single_low"] | BAYES_MASKS["single_moderate"]
DUAL = BAYES_MASKS["dual_low"] | BAYES_MASKS["dual_moderate"]
# The provider's forecast is right here, so that what it expects is known.
EXACT = World("exact", salt=0, forecast_error_factor=0.0)
SUN_DEG = {"day": 45.0, "twilight": 85.0, "night": 120.0}


def canvas(seed: int = 5) -> Canvas:
    return Canvas(np.random.default_rng(seed), Window(300, 900, *SHAPE))


def stage_in(light: str, ground: Ground = Ground.OCEAN, kelvin: float = 288.0) -> Stage:
    return stage_of(ground, kelvin, geometry=geometry_at(solar_zenith_deg=SUN_DEG[light]))


def exact_forecast(stage: Stage) -> Forecast:
    return draw_forecast(canvas(), stage, error_factor=0.0)


def as_forecast(stage: Stage, light: str) -> Bands:
    """Bands that are just what a forecast without error expects."""
    forecast = exact_forecast(stage)
    s8 = forecast.s8_kelvin
    bands = {"S7": s8 + forecast.s7_minus_s8_kelvin, "S8": s8, "S9": s8 - forecast.split_kelvin}
    if light == "day":
        bands |= {"S1": forecast.s3, "S3": forecast.s3, "S5": forecast.s5}
    return {name: values.copy() for name, values in bands.items()}


def cloudy(bands: Bands, where: Any = ...) -> Bands:
    """Put a cloud somewhere that is 20 K colder, and bright where the sun shines."""
    changed = colder(bands, 20, where)
    for name in {"S1", "S3", "S5"} & set(bands):
        changed[name][where] = np.float32(0.4)
    return changed


def colder(bands: Bands, kelvin: float | Field, where: Any = ...) -> Bands:
    """Make all three thermal bands colder somewhere."""
    changed = {name: values.copy() for name, values in bands.items()}
    for name in ("S7", "S8", "S9"):
        changed[name][where] -= kelvin
    return changed


def verdict(
    stage: Stage, bands: Bands, *, oblique: Oblique | None = None, world: World = EXACT
) -> Verdict:
    return judge(canvas(), bands, np.zeros(SHAPE, bool), stage, oblique, world)


# Odds and limits


def test_flags_follow_the_probability_of_clear_sky() -> None:
    # P(clear) = 1 / (1 + exp(log odds)): .9 at -2.197, .5 at 0.
    odds = np.array([-2.3, -2.1, -0.1, 0.1, np.nan], np.float32)
    np.testing.assert_array_equal(is_cloud(odds, 0.9), [0, 1, 1, 1, 0])
    np.testing.assert_array_equal(is_cloud(odds, 0.5), [0, 0, 0, 1, 0])


def test_light_is_told_by_the_sun_and_by_the_bands() -> None:
    zenith = full(0)
    zenith[:, :4] = [79.9, 80.1, 89.9, 90.1]
    stage = stage_of(geometry=geometry_at(solar_zenith_deg=zenith))
    day, twilight, night = range(len(LIGHTS))
    by_day = light_of(stage, reflective=True)[0]
    np.testing.assert_array_equal(by_day[:5], [day, twilight, twilight, night, day])
    # What is not operated cannot be used, whatever the sun.
    by_night = light_of(stage, reflective=False)[0]
    np.testing.assert_array_equal(by_night[:5], [twilight, twilight, twilight, night, twilight])


@pytest.mark.parametrize("light", LIGHTS)
@pytest.mark.parametrize("ground", [Ground.OCEAN, Ground.GRASS])
def test_what_was_forecast_is_clear_and_what_is_20_k_colder_is_cloud(
    ground: Ground, light: str
) -> None:
    stage = stage_in(light, ground)
    bands = as_forecast(stage, light)
    forecast = exact_forecast(stage)
    # In twilight two temperatures say little of land; an undecided pixel is left to the prior.
    undecided = 0.5 if light == "twilight" else 0
    assert (log_odds(canvas(), bands, stage, forecast) < undecided).all()
    assert (log_odds(canvas(), cloudy(bands), stage, forecast) > undecided).all()
    alone = log_odds(canvas(), cloudy(bands, (32, 40)), stage, forecast)
    assert alone[32, 40] > undecided
    assert (alone[:, :30] < undecided).all()


def test_each_pixel_is_judged_by_its_own_light() -> None:
    zenith = full(45)
    zenith[:, 40:] = 120
    stage = stage_of(geometry=geometry_at(solar_zenith_deg=zenith))
    day, night = stage_in("day"), stage_in("night")
    bands = as_forecast(stage, "day")
    mixed, lit, dark = (
        log_odds(canvas(), bands, one, exact_forecast(stage)) for one in (stage, day, night)
    )
    np.testing.assert_array_equal(mixed[:, :40], lit[:, :40])
    np.testing.assert_array_equal(mixed[:, 40:], dark[:, 40:])


# Likelihoods


def grid_around(forecast: Forecast, names: tuple[str, ...]) -> tuple[dict[str, Any], float]:
    """Values of two features on a fine grid around a forecast's, and the area of a cell."""
    # 40 K and 8 K, far beyond 5 standard deviations of any of the Gaussians.
    axes = [np.linspace(-20, 20, 801), np.linspace(-4, 4, 801)]
    one, two = np.meshgrid(*axes, indexing="ij")
    split = float(forecast.split_kelvin.flat[0])
    values = dict(zip(names, (one.ravel(), (two + split).ravel()), strict=True))
    area = float(np.diff(axes[0][:2])[0] * np.diff(axes[1][:2])[0])
    return {name: value.astype(np.float32) for name, value in values.items()}, area


@pytest.mark.parametrize("ground", [Ground.OCEAN, Ground.DESERT])
def test_the_clear_density_is_one_in_all(ground: Ground) -> None:
    stage = stage_in("twilight", ground)
    forecast = exact_forecast(stage)
    features, area = grid_around(forecast, FEATURES["twilight"])
    pixels = features["split"].size
    solid = np.full(pixels, bool(forecast.solid[0, 0]))
    density = np.exp(log_clear(Seen(features, solid), forecast, np.zeros(pixels, np.intp)))
    # The floor for outliers, exp(-5.5 ** 2 / 2) of the maximum, adds less than a thousandth.
    assert density.sum() * area == pytest.approx(1, abs=0.01)
    middle = int(density.argmax())
    assert features["anomaly"][middle] == pytest.approx(0, abs=0.06)
    assert features["split"][middle] == pytest.approx(forecast.split_kelvin[0, 0], abs=0.02)


def test_outliers_are_not_judged_without_end() -> None:
    forecast = exact_forecast(stage_in("twilight"))
    far = {
        "anomaly": np.array([30, 300], np.float32),
        "split": np.repeat(forecast.split_kelvin[0, :1], 2),
    }
    near, farther = log_clear(Seen(far, np.zeros(2, bool)), forecast, np.zeros(2, np.intp))
    assert near == farther


def stored_tables() -> dict[str, Any]:
    with (files("slstr_cloudmask.simulate") / "data" / TABLES).open("rb") as file:
        return dict(np.load(file))


def cell_volumes(names: tuple[str, ...]) -> npt.NDArray[np.float64]:
    volumes = np.ones(())
    for name in names:
        volumes = np.multiply.outer(volumes, np.diff(EDGES[name].astype(float)))
    return volumes


def features_of(table: str) -> tuple[str, ...]:
    light, _ = table.split("_")
    return ("texture",) if light == "texture" else FEATURES[light]


def shares(tables: Mapping[str, Any]) -> dict[str, npt.NDArray[np.float64]]:
    """Sum of density times volume, at sea and on solid ground, by table."""
    return {
        name: np.array(
            [(np.exp(part.astype(float)) * cell_volumes(features_of(name))).sum() for part in table]
        )
        for name, table in tables.items()
    }


def test_the_tables_are_densities() -> None:
    tables = stored_tables()
    del tables["provenance"]
    assert set(tables) == {
        *(f"{light}_cloud" for light in LIGHTS),
        "texture_cloud",
        "texture_clear",
    }
    for name, table in tables.items():
        assert table.shape == (2, *(len(EDGES[key]) - 1 for key in features_of(name)))
    for name, share in shares(tables).items():
        # Float16 is good to half a hundredth in a logarithm of 10; the floor adds 3 % at most.
        np.testing.assert_allclose(share, 1, atol=0.04, err_msg=name)


def test_cells_of_a_table_by_hand() -> None:
    names = ("split", "texture")
    # 13 bins of the split: below -.4 is the first, 1.3 to 1.6 the eighth, above 4.2 the last; 11
    # of the texture: below -3.4 the first, -.9 to -.4 the seventh, above 1.1 the last.
    split = np.array([-9, 1.4, 99], np.float32)
    texture = np.array([-9, -0.5, 9], np.float32)
    cells = table_index([split, texture], names)
    np.testing.assert_array_equal(cells, [0, 7 * 11 + 6, 13 * 11 - 1])


def test_rough_is_cloud_and_smooth_is_clear_at_sea() -> None:
    # Standard deviations of .05 and 3 K; land is rough itself.
    spread = np.log([0.05, 3.0]).astype(np.float32)
    smooth, rough = log_texture_ratio(spread, np.zeros(2, bool))
    assert smooth < 0 < rough


# The tables' maker


def test_tables_are_made_the_same_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provider_tables, "SIZE", (64, 80))
    tables, again = (provider_tables.make_tables(scenes=2) for _ in range(2))
    assert {"texture_cloud", "texture_clear"} < set(tables)
    assert any(name.removesuffix("_cloud") in LIGHTS for name in tables)
    assert set(tables) == set(again)
    for name, table in tables.items():
        np.testing.assert_array_equal(table, again[name])
    # One where something was met, and next to nothing where nothing was.
    for share in shares(tables).values():
        assert ((np.abs(share - 1) < 0.04) | (share < 0.04)).all()
    assert any((np.abs(share - 1) < 0.04).any() for share in shares(tables).values())
    assert not np.array_equal(
        tables["texture_cloud"], provider_tables.make_tables(scenes=1)["texture_cloud"]
    )


def test_the_stored_tables_are_those_of_the_module() -> None:
    expected = (
        f"slstr_cloudmask.simulate.provider_tables: {provider_tables.SCENES} scenes of "
        f"{provider_tables.SIZE}, salt {provider_tables.SALT}"
    )
    assert str(stored_tables()["provenance"]) == expected


def test_the_maker_writes_what_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data").mkdir()
    monkeypatch.setattr(provider_tables, "files", lambda package: tmp_path)
    tables = {"texture_cloud": np.ones((2, 11), np.float16)}
    monkeypatch.setattr(provider_tables, "make_tables", lambda: tables)
    provider_tables.main()
    with np.load(tmp_path / "data" / TABLES) as stored:
        assert str(stored["provenance"]) == str(stored_tables()["provenance"])
        np.testing.assert_array_equal(stored["texture_cloud"], tables["texture_cloud"])


# The forecast


def test_a_forecast_is_smooth() -> None:
    skin = full(280)
    skin[:, 40:] = 290
    sea = stage_of(surface=surface_of(Ground.OCEAN, 285, skin_kelvin=skin))
    kelvin = exact_forecast(sea).s8_kelvin
    assert np.abs(np.diff(kelvin[:, 5:-5], axis=1)).max() < 1  # ten in the truth
    assert kelvin[0, -1] - kelvin[0, 0] > 8


def test_a_forecast_knows_the_coast() -> None:
    ground = np.full(SHAPE, Ground.OCEAN, np.uint8)
    ground[:, 40:] = Ground.GRASS
    skin = full(280)
    skin[:, 40:] = 300
    surface = surface_of(Ground.OCEAN, 285, land=ground != Ground.OCEAN, skin_kelvin=skin)
    surface = replace(surface, ground=ground)
    for seed in range(6):
        forecast = draw_forecast(canvas(seed), stage_of(surface=surface), error_factor=0.0)
        # Not blurred across it; but its map may be off by a pixel, and mix that much in.
        assert forecast.s8_kelvin[:, 41].min() - forecast.s8_kelvin[:, 38].max() > 12
        assert not forecast.solid[:, :39].any()
        assert forecast.solid[:, 41:].all()


def test_ice_is_forecast_elsewhere() -> None:
    ground = np.full(SHAPE, Ground.OCEAN, np.uint8)
    ground[:, 40:] = Ground.SEA_ICE
    stage = stage_of(surface=replace(surface_of(Ground.OCEAN, 270), ground=ground))
    edges = set()
    for seed in range(12):
        frozen = draw_forecast(canvas(seed), stage).frozen
        edges.add(int(frozen[32].argmax()))
    assert len(edges) > 3
    # Up to 18 km off its place, and a kilometre for the coarse grid.
    assert 40 - 19 <= min(edges) < 38
    assert 42 < max(edges) <= 40 + 19


def test_a_forecast_has_errors_of_a_size() -> None:
    stage = stage_in("night")
    exact = exact_forecast(stage).s8_kelvin
    errors = {
        factor: np.mean(
            [
                np.abs(draw_forecast(canvas(seed), stage, error_factor=factor).s8_kelvin - exact)
                for seed in range(8)
            ]
        )
        for factor in (0.0, 1.0, 2.0)
    }
    assert errors[0.0] == 0
    assert 0.2 < errors[1.0] < 3
    assert errors[2.0] == pytest.approx(2 * errors[1.0], rel=0.2)


# The verdict


def test_the_verdict_without_a_second_view() -> None:
    stage = stage_in("night")
    bands = colder(as_forecast(stage, "night"), 20, (slice(20, 30), slice(20, 30)))
    found = verdict(stage, bands)
    assert found.bayes.dtype == np.uint8
    assert found.cloud_probability.dtype == np.float32
    assert (found.bayes[21:29, 21:29] == SINGLE).all()
    assert (found.bayes[:, 40:] == 0).all()
    assert (found.cloud_probability[21:29, 21:29] > 0.99).all()
    assert (found.cloud_probability[:, 40:] < 0.1).all()


def test_the_second_view_counts_where_it_reaches() -> None:
    """Near a coast too, where cloud is widened."""
    stage = stage_in("night")
    stage = replace(stage, surface=replace(stage.surface, coast_distance_km=full(1)))
    bands = colder(as_forecast(stage, "night"), 20)
    second = stage_in("night")
    s8 = bands["S8"].copy()
    s8[:, :30] = np.nan
    found = verdict(stage, bands, oblique=Oblique(s8, second)).bayes
    assert (found & SINGLE == SINGLE).all()
    assert (found[:, 30:] & DUAL == DUAL).all()
    assert (found[:, :30] & DUAL == 0).all()


def test_the_second_view_can_change_the_verdict() -> None:
    stage = stage_in("night")
    clear = as_forecast(stage, "night")
    # From clear to cloud across the scene, so that some pixels can be swayed.
    bands = colder(clear, np.linspace(0, 8, SHAPE[1], dtype=np.float32))

    def single_and_dual(s8: Field) -> tuple[BoolArray, BoolArray]:
        bayes = verdict(stage, bands, oblique=Oblique(s8, stage)).bayes
        return bayes & BAYES_MASKS["single_low"] != 0, bayes & BAYES_MASKS["dual_low"] != 0

    single, dual = single_and_dual(clear["S8"] - 15)  # the other view sees cloud
    assert (dual >= single).all()
    assert dual.sum() > single.sum()
    single, dual = single_and_dual(clear["S8"])  # the other view sees none
    assert (dual <= single).all()
    assert dual.sum() < single.sum()


def test_dual_bits_lie_in_the_oblique_swath() -> None:
    overpass = benchmark_scenes()[0]
    scene = make_scene(Recipe(3, overpass, (40, FULL_COLUMNS)))
    reached = np.zeros(FULL_COLUMNS, bool)
    for row in (0, 1199):  # wherever the window lies in the frame
        reached |= scene_geometry(overpass, Window(row, 0, 1, FULL_COLUMNS), "oblique").in_swath[0]
    bayes = np.where(scene["bayes"].values == 255, 0, scene["bayes"].values)
    assert (bayes[:, ~reached] & DUAL == 0).all()
    assert (bayes[:, reached] & DUAL != 0).any()
    assert (bayes[:, ~reached] & SINGLE != 0).any()


def test_the_probability_agrees_with_the_bits(judged: xr.Dataset) -> None:
    probability = judged["cloud_probability_provider"].values
    # Beyond coasts and glint, where cloud is widened.
    sure = np.isfinite(probability) & (judged["coast_distance"].values > 3.1)
    sure &= judged["glint_reflectance"].values < 0.09
    bayes = judged["bayes"].values
    assert sure.mean() > 0.2
    for name, limit in (("single_low", 0.1), ("single_moderate", 0.5)):
        flagged = bayes[sure] & BAYES_MASKS[name] != 0
        np.testing.assert_array_equal(flagged, probability[sure] > limit)
    low, _ = decode_flag(judged["bayes"], "single_low")
    moderate, _ = decode_flag(judged["bayes"], "single_moderate")
    assert not (moderate & ~low).any()


@pytest.fixture(scope="module")
def judged() -> xr.Dataset:
    """Judged clear and cloud, with the open sea or the inland in it."""
    for seed in range(50):
        scene = make_scene(Recipe(seed, benchmark_scenes()[0], (96, 120)))
        flagged = (scene["bayes"].values & 3 != 0).mean()
        if 0.2 < flagged < 0.8 and (scene["coast_distance"].values > 3.1).mean() > 0.3:
            return scene
    raise AssertionError


def test_cloud_is_widened_near_coasts_alone() -> None:
    bayes = np.zeros(SHAPE, np.uint8)
    bayes[10, 20] = bayes[10, 60] = BAYES_MASKS["single_low"]
    bayes[30, 20], bayes[30, 22] = SINGLE, DUAL
    coast = full(64)
    coast[:, :40] = 1
    stage = stage_of(surface=surface_of(Ground.OCEAN, coast_distance_km=coast))
    before = bayes.copy()
    _widen(bayes, stage)
    np.testing.assert_array_equal(bayes[9:12, 19:22], BAYES_MASKS["single_low"])
    np.testing.assert_array_equal(bayes[:, 41:], before[:, 41:])
    # Between two clouds of other bits lie the bits of both.
    np.testing.assert_array_equal(bayes[30, 18:25], [0, 3, 3, 15, 12, 12, 0])


def test_cloud_is_widened_in_glint() -> None:
    mirror = geometry_at(solar_zenith_deg=20, view_zenith_deg=20, cos_azimuth=-1)
    for geometry, count in ((mirror, 9), (geometry_at(), 1)):
        bayes = np.zeros(SHAPE, np.uint8)
        bayes[10, 20] = 1
        _widen(bayes, stage_of(Ground.OCEAN, geometry=geometry))
        assert int(bayes.sum()) == count


def test_moderate_cloud_over_snow_is_missed() -> None:
    stage = stage_in("day", Ground.OLD_SNOW, 255.0)
    snow = as_forecast(stage, "day")
    # A few kelvin colder than the snow, and at 1.6 um not much brighter.
    moderate = colder(snow, 4) | {"S5": full(0.22)}
    assert (verdict(stage, moderate).bayes == 0).all()
    assert (verdict(stage, colder(snow, 12)).bayes == SINGLE).all()
    assert (verdict(stage, snow | {"S5": full(0.45)}).bayes == SINGLE).all()


def test_over_snow_the_provider_says_yes_or_no() -> None:
    ramp = np.linspace(0, 20, SHAPE[1], dtype=np.float32)
    answers = {}
    for ground, land in ((Ground.OLD_SNOW, True), (Ground.SEA_ICE, False)):
        stage = stage_in("night", ground, 255.0)
        stage = replace(stage, surface=replace(stage.surface, land=np.full(SHAPE, land)))
        found = verdict(stage, colder(as_forecast(stage, "night"), ramp))
        answers[ground] = len(np.unique(found.cloud_probability))
        assert (found.bayes[:, -1] == SINGLE).all()
    assert answers[Ground.OLD_SNOW] == 2
    assert answers[Ground.SEA_ICE] > 2  # as for any other ground


def test_a_worse_forecast_is_more_often_mistaken() -> None:
    stage = stage_in("night")
    clear = as_forecast(stage, "night")
    assert (verdict(stage, clear).bayes == 0).all()
    worse = replace(EXACT, forecast_error_factor=8.0)
    assert (verdict(stage, clear, world=worse).bayes > 0).any()


def test_the_forecast_of_cloud_cover_sways_the_verdict() -> None:
    stage = stage_in("night")
    bands = colder(as_forecast(stage, "night"), np.linspace(0, 8, SHAPE[1], dtype=np.float32))
    overcast, clear = (
        judge(canvas(), bands, np.full(SHAPE, cover), stage, None, EXACT).cloud_probability
        for cover in (True, False)
    )
    assert (overcast >= clear).all()
    assert (overcast > clear + 0.1).any()
    # It is never sure: what looks clear is clear under a forecast of overcast, and the reverse.
    assert overcast[:, 0].max() < 0.5 < clear[:, -1].min()


def test_another_world_may_flag_less() -> None:
    stage = stage_in("night")
    ramp = np.linspace(0, 8, SHAPE[1], dtype=np.float32)
    bands = colder(as_forecast(stage, "night"), ramp)
    strict = verdict(stage, bands).bayes > 0
    lax = verdict(stage, bands, world=replace(EXACT, provider_threshold=-3.0)).bayes > 0
    assert not (lax & ~strict).any()
    assert lax.sum() < strict.sum()


# The basic tests


def sea_by_night() -> Bands:
    return {
        name: full(kelvin, (5, 5))
        for name, kelvin in {"S7": 283.0, "S8": 283.0, "S9": 282.4}.items()
    }


def sea_by_day() -> Bands:
    values = {"S1": 0.07, "S2": 0.04, "S3": 0.02, "S4": 0.002, "S5": 0.01, "S6": 0.008, "S7": 284.0}
    return sea_by_night() | {name: full(value, (5, 5)) for name, value in values.items()}


def small_stage(solar_zenith_deg: float, ground: Ground = Ground.OCEAN, **changes: Any) -> Stage:
    """Five by five pixels at 50 degrees north, seen straight from above."""
    geometry = geometry_at(
        solar_zenith_deg=solar_zenith_deg, view_zenith_deg=0, shape=(5, 5), **changes
    )
    return stage_of(ground, 283, geometry=geometry)


def passed(
    bands: Bands,
    stage: Stage,
    values: Mapping[str, float] | None = None,
    *,
    oblique: Oblique | None = None,
) -> set[str]:
    """Names of the tests that the middle pixel passes, with other values in some bands."""
    changed = {name: full(value, (5, 5)) for name, value in (values or {}).items()}
    flags = int(cloud_flags(bands | changed, stage, oblique)[2, 2])
    return {name for name, mask in CLOUD_MASKS.items() if flags & mask}


def test_clear_sea_passes_no_test() -> None:
    assert passed(sea_by_night(), small_stage(120)) == set()
    assert passed(sea_by_day(), small_stage(45)) == set()
    flags = cloud_flags(sea_by_day(), small_stage(45), None)
    assert flags.dtype == np.uint16
    assert flags.shape == (5, 5)


@pytest.mark.parametrize(
    ("values", "name"),
    [
        # Clear sea at 50 degrees is at about 283 K (28 - .0072 * 2500 = 10 degrees Celsius).
        ({"S7": 255.0, "S8": 255.0, "S9": 254.8}, "gross_cloud"),
        # The table's limit is 1.30 K at 280 K.
        ({"S7": 280.0, "S8": 280.0, "S9": 278.6}, "thin_cirrus"),
        ({"S7": 281.4, "S8": 283.0, "S9": 282.6}, "fog_low_stratus"),
        ({"S7": 288.0, "S8": 283.0, "S9": 282.6}, "medium_high"),
    ],
)
def test_tests_by_night(values: dict[str, float], name: str) -> None:
    assert passed(sea_by_night(), small_stage(120), values) == {name}
    # By day sunlight in S7 hides fog and looks like high cloud, so neither is tried.
    by_day = passed(sea_by_night(), small_stage(45), values)
    assert by_day == ({name} if name in ("gross_cloud", "thin_cirrus") else set())


@pytest.mark.parametrize(
    ("values", "at_sea", "on_land"),
    [
        ({"S4": 0.05}, {"1.37_threshold"}, {"1.37_threshold"}),
        ({"S3": 0.2}, {"visible"}, set()),
        ({"S1": 0.5, "S2": 0.5, "S3": 0.5}, {"visible"}, {"visible"}),
        ({"S1": 0.4, "S2": 0.1, "S3": 0.4}, {"visible"}, set()),  # green: a ratio of 4
        ({"S5": 0.06}, {"1.6_small_histogram"}, set()),
        ({"S5": 0.1}, {"1.6_small_histogram", "1.6_large_histogram"}, set()),
        ({"S6": 0.05}, {"2.25_small_histogram"}, set()),
        ({"S6": 0.1}, {"2.25_small_histogram", "2.25_large_histogram"}, set()),
    ],
)
def test_tests_of_reflectance_by_day(
    values: dict[str, float], at_sea: set[str], on_land: set[str]
) -> None:
    assert passed(sea_by_day(), small_stage(45), values) == at_sea
    assert passed(sea_by_day(), small_stage(45, Ground.GRASS), values) == on_land
    assert passed(sea_by_day(), small_stage(81), values) == set()


def test_spatial_coherence_is_for_the_sea() -> None:
    # One pixel of nine 2 K colder: 2 * sqrt(8) / 9 = .63 K.
    bands = sea_by_night()
    for name in ("S7", "S8", "S9"):
        bands[name][2, 2] -= 2
    assert passed(bands, small_stage(120)) == {"11_spatial_coherence"}
    assert passed(bands, small_stage(120, Ground.GRASS)) == set()


def test_thin_cirrus_beyond_its_limit_is_in_the_thermal_histogram() -> None:
    # 1.2 * 1.30 = 1.56 K at 280 K; over the sea alone.
    values = {"S7": 280.0, "S8": 280.0, "S9": 278.2}
    assert passed(sea_by_night(), small_stage(120), values) == {
        "thin_cirrus",
        "thermal_histogram",
    }
    land = small_stage(120, Ground.GRASS)
    assert passed(sea_by_night(), land, values) == {"thin_cirrus"}


def test_the_views_are_compared_where_both_are_known() -> None:
    stage, bands = small_stage(120), sea_by_night()
    for difference, name in ((1.0, set()), (6.0, {"11_12_view_difference"})):
        cold = bands["S8"] - np.float32(difference)
        assert passed(bands, stage, oblique=Oblique(cold, stage)) == name
    nothing = np.full((5, 5), np.nan, np.float32)
    assert passed(bands, stage, oblique=Oblique(nothing, stage)) == set()


def test_a_slant_view_needs_more_difference() -> None:
    # At 60 degrees the limit is 2 ** .6 = 1.52 times 1.30 K.
    values = {"S7": 280.0, "S8": 280.0, "S9": 278.4}
    slant = geometry_at(solar_zenith_deg=120, view_zenith_deg=60, shape=(5, 5))
    above = passed(sea_by_night(), small_stage(120), values)
    assert "thin_cirrus" in above
    assert passed(sea_by_night(), stage_of(geometry=slant), values) == set()


# What a pixel is


def known(
    stage: Stage,
    bands: Bands,
    cloud: int = 0,
    *,
    seen: bool = True,
    cosmetic: bool = False,
) -> set[str]:
    """Names of the bits of the middle pixel."""
    gaps = Gaps(np.full((5, 5), seen), np.full((5, 5), cosmetic))
    flags = confidence_flags(np.full((5, 5), cloud, np.uint16), bands, stage, gaps)
    assert flags.dtype == np.uint16
    return {name for name, mask in CONFIDENCE_MASKS.items() if int(flags[2, 2]) & mask}


def test_what_a_pixel_is_by_place_and_sun() -> None:
    assert known(small_stage(45), sea_by_day()) == {"ocean", "day"}
    assert known(small_stage(85), sea_by_day()) == {"ocean", "twilight"}
    assert known(small_stage(120), sea_by_night()) == {"ocean"}
    assert known(small_stage(120, Ground.DESERT), sea_by_night()) == {"land"}
    lake = small_stage(120, Ground.INLAND_WATER)
    lake = replace(lake, surface=replace(lake.surface, land=np.ones((5, 5), bool)))
    assert known(lake, sea_by_night()) == {"land", "inland_water"}
    coast = small_stage(120)
    coast = replace(coast, surface=replace(coast.surface, coast_distance_km=full(0.5, (5, 5))))
    assert known(coast, sea_by_night()) == {"ocean", "coastline"}
    mirror = geometry_at(solar_zenith_deg=20, view_zenith_deg=20, cos_azimuth=-1, shape=(5, 5))
    assert known(stage_of(geometry=mirror), sea_by_day()) == {"ocean", "day", "sun_glint"}


def bright_snow() -> dict[str, Field]:
    return sea_by_day() | {"S1": full(0.8, (5, 5)), "S5": full(0.1, (5, 5))}


def test_snow_is_told_by_day_from_what_is_seen() -> None:
    snowy = small_stage(45, Ground.OLD_SNOW)
    assert known(snowy, bright_snow()) == {"land", "day", "snow"}
    # Under water cloud, by twilight, by night and over the sea there is none.
    assert known(snowy, bright_snow() | {"S5": full(0.6, (5, 5))}) == {"land", "day"}
    assert known(small_stage(85, Ground.OLD_SNOW), bright_snow()) == {"land", "twilight"}
    assert known(small_stage(120, Ground.OLD_SNOW), sea_by_night()) == {"land"}
    assert known(small_stage(45), bright_snow()) == {"ocean", "day"}


def test_pixels_that_were_not_seen() -> None:
    snowy = small_stage(45, Ground.OLD_SNOW)
    assert known(snowy, bright_snow(), seen=False) == {"land", "day", "unfilled"}
    assert known(small_stage(120), sea_by_night(), cosmetic=True) == {"ocean", "cosmetic"}


@pytest.mark.parametrize("name", CLOUD_MASKS)
def test_the_summary_takes_some_of_the_tests(name: str) -> None:
    stage = small_stage(120)
    taken = ("visible", "1.37_threshold", "gross_cloud", "thin_cirrus", "fog_low_stratus")
    expected = {"summary_cloud"} if name in taken else set()
    assert known(stage, sea_by_night(), CLOUD_MASKS[name]) == {"ocean"} | expected
