"""Layers over a surface: what each kind of scene looks like in the nine bands.

Expected ranges are typical values of AVHRR and MODIS experience, quoted from memory.
"""

import math

import numpy as np
import pytest

from slstr_cloudmask.simulate import radiation
from slstr_cloudmask.simulate.atmosphere import DUST_COOLING_KELVIN
from slstr_cloudmask.simulate.clouds import CloudLayer, draw_clouds
from slstr_cloudmask.simulate.fractal import Canvas, Field
from slstr_cloudmask.simulate.geometry import Geometry, Window
from slstr_cloudmask.simulate.ground import EMISSIVITY, Ground
from slstr_cloudmask.simulate.observe import observe, sunlight_cosine
from slstr_cloudmask.simulate.optics import infrared_emissivity
from slstr_cloudmask.simulate.stage import Stage
from slstr_cloudmask.simulate.worlds import find_world

from .stages import SHAPE, air_of, geometry_at, layer_of, stage_of, surface_of

TINY = (3, 4)
REFLECTIVE = [f"S{n}" for n in range(1, 7)]
DAY, NIGHT = 45.6, 120.0  # cosines of .7 and -.5


def cloud(particles: str, depth: float, top_km: float, kelvin: float) -> CloudLayer:
    return layer_of(particles, depth, top_km, kelvin, shape=TINY)


def under(sun_deg: float, **angles: float) -> Geometry:
    return geometry_at(solar_zenith_deg=sun_deg, shape=TINY, **angles)


def seen(
    ground: Ground,
    kelvin: float,
    sun_deg: float,
    *layers: CloudLayer,
    dust: float = 0.0,
    smoke: float = 0.0,
    vapour_mm: float = 15.0,
    reflective: bool | None = None,
) -> dict[str, float]:
    """What is seen of an even scene, at 20 degrees from the zenith."""
    air = air_of(vapour_mm, dust=dust, smoke=smoke, shape=TINY)
    stage = stage_of(ground, kelvin, *layers, geometry=under(sun_deg), air=air)
    bands = observe(stage, reflective=sun_deg < 90 if reflective is None else reflective)
    for values in bands.values():
        assert values.dtype == np.float32
        np.testing.assert_array_equal(values, values[0, 0])
    return {name: float(values[1, 1]) for name, values in bands.items()}


# Clear ground


def test_clear_sea() -> None:
    day = seen(Ground.OCEAN, 290, DAY)
    assert list(day) == ["S7", "S8", "S9", *REFLECTIVE]
    assert 0.04 < day["S1"] < 0.12
    assert day["S3"] < 0.06
    assert day["S4"] < 0.004
    assert 286 < day["S8"] < 290
    assert 0.2 < day["S8"] - day["S9"] < 1.5
    night = seen(Ground.OCEAN, 290, NIGHT)
    assert sorted(night) == ["S7", "S8", "S9"]
    assert -0.6 < night["S7"] - night["S8"] < 0.6
    assert night["S8"] == day["S8"]


def test_clear_land() -> None:
    forest = seen(Ground.FOREST, 292, DAY)
    assert 0.06 < forest["S1"] < 0.15
    assert 0.25 < forest["S3"] < 0.38
    assert forest["S4"] < 0.005
    assert 0.13 < forest["S5"] < 0.23
    assert 0 < forest["S7"] - forest["S8"] < 6


def test_desert_by_day_saturates_37_um() -> None:
    desert = seen(Ground.DESERT, 322, 41)
    assert desert["S7"] > 312
    assert 0.3 < desert["S3"] < 0.45
    # Sand is a poor emitter at 11 um: S8 - S9 is small.
    assert -0.5 < desert["S8"] - desert["S9"] < 1.2


def test_glint_in_a_calm_sea() -> None:
    stage = stage_of(
        Ground.OCEAN,
        290,
        geometry=geometry_at(solar_zenith_deg=30, view_zenith_deg=30, cos_azimuth=-1, shape=TINY),
    )
    bands = observe(stage, reflective=True)
    assert 0.12 < bands["S3"][0, 0] < 0.9
    assert abs(bands["S5"][0, 0] / bands["S3"][0, 0] - 1) < 0.35
    assert bands["S7"][0, 0] - bands["S8"][0, 0] > 14


# Cloud


def test_snow_is_dark_at_16_um_and_low_cloud_is_not() -> None:
    snow = seen(Ground.OLD_SNOW, 265, 66)
    assert snow["S1"] > 0.55
    assert snow["S5"] < 0.15
    low = seen(Ground.OLD_SNOW, 265, 66, cloud("water10", 10, 1.5, 262))
    assert low["S5"] > 0.3
    assert 15 < low["S7"] - low["S8"] < 45


def test_fog_and_cirrus_at_night_stand_apart_at_37_um() -> None:
    fog = seen(Ground.OCEAN, 283, NIGHT, cloud("water5", 8, 0.3, 282))
    assert -8 < fog["S7"] - fog["S8"] < -1
    assert fog["S8"] > 279  # no colder than the sea: a hard case
    cirrus = seen(Ground.OCEAN, 290, NIGHT, cloud("ice25", 1, 10, 225))
    assert 5 < cirrus["S7"] - cirrus["S8"] < 25
    assert 0.8 < cirrus["S8"] - cirrus["S9"] < 4


def test_cirrus_shows_at_1375_and_low_cloud_does_not() -> None:
    assert seen(Ground.OCEAN, 290, DAY, cloud("ice25", 1, 10, 225))["S4"] > 0.05
    assert seen(Ground.OCEAN, 290, DAY, cloud("water10", 10, 1, 284))["S4"] < 0.02


def test_thick_cloud_hides_the_ground() -> None:
    top = cloud("ice40", 60, 11, 220)
    over_sea = seen(Ground.OCEAN, 290, DAY, top)
    over_sand = seen(Ground.DESERT, 310, DAY, top)
    assert over_sea["S8"] == pytest.approx(220, abs=0.5)
    assert over_sand["S5"] == pytest.approx(over_sea["S5"], abs=0.005)
    assert 0.7 < over_sea["S1"] < 1.1


def test_storms_are_bright_and_cold_and_mixed_cloud_lies_between() -> None:
    low, high = cloud("water10", 10, 1, 284), cloud("ice25", 0.5, 10, 225)
    both = seen(Ground.OCEAN, 290, DAY, low, high)
    alone = seen(Ground.OCEAN, 290, DAY, low)
    # Over cloud of 284 K the thin cirrus is seen as if over a sea of 284 K.
    assert alone["S8"] - 25 < both["S8"] < alone["S8"] - 5
    assert both["S4"] > alone["S4"] + 0.03
    assert both["S1"] == pytest.approx(alone["S1"], abs=0.1)


def test_emission_of_a_layer_by_hand() -> None:
    # At night, over a black ground without air, a layer of emissivity e at 11 um:
    # (1 - e) * L(ground) + e * B(top).
    one = np.ones(1, np.float32)
    mu_view = one * np.float32(math.cos(math.radians(20)))
    emissivity = float(infrared_emissivity("ice25", "S8", one, mu_view)[0])
    bare, covered = (
        seen(Ground.OCEAN, 290, NIGHT, *layers) for layers in ([], [cloud("ice25", 1, 14, 215)])
    )
    below, top = (
        radiation.planck_radiance(10.854, np.array(kelvin)) for kelvin in (bare["S8"], 215.0)
    )
    expected = radiation.brightness_temperature(10.854, (1 - emissivity) * below + emissivity * top)
    # Above 14 km is no vapour: exp(-14 / 1.4) of the deficit.
    assert covered["S8"] == pytest.approx(float(expected), abs=0.01)


def test_layers_without_substance_change_nothing() -> None:
    for sun in (DAY, NIGHT):
        bare = seen(Ground.GRASS, 290, sun)
        for layer in (cloud("ice25", 0, 10, 220), cloud("water10", 0.003, 1, 280)):
            assert seen(Ground.GRASS, 290, sun, layer) == bare


def test_the_thicker_the_cloud_the_brighter_and_colder() -> None:
    bands = [seen(Ground.OCEAN, 290, DAY, cloud("water10", d, 3, 270)) for d in (0.3, 1, 3, 10, 30)]
    for name in ("S1", "S3", "S5"):
        assert (np.diff([band[name] for band in bands]) > 0.02).all()
    assert (np.diff([band["S8"] for band in bands]) < -0.01).all()


def test_the_order_of_layers_counts() -> None:
    warm, cold = cloud("water10", 20, 1, 284), cloud("ice40", 20, 11, 220)
    assert seen(Ground.OCEAN, 290, DAY, warm, cold)["S8"] < 225
    assert seen(Ground.OCEAN, 290, DAY, cold, warm)["S8"] > 280


# Dust and smoke


def test_dust_cools_11_um_more_than_12_um() -> None:
    for sun in (DAY, NIGHT):
        clear, dusty = (seen(Ground.OCEAN, 300, sun, dust=depth) for depth in (0, 1.5))
        fall = (clear["S8"] - clear["S9"]) - (dusty["S8"] - dusty["S9"])
        expected = 1.5 * (DUST_COOLING_KELVIN["S8"] - DUST_COOLING_KELVIN["S9"])
        assert expected > 0.7
        assert fall == pytest.approx(expected, rel=0.05)
    # In dry air the difference turns negative.
    dusty = seen(Ground.OCEAN, 300, DAY, dust=1.5, vapour_mm=8)
    assert dusty["S8"] - dusty["S9"] < 0


def test_smoke_is_seen_at_055_um_and_not_at_16() -> None:
    clear, smoky = (seen(Ground.OCEAN, 300, DAY, smoke=depth) for depth in (0, 0.8))
    assert smoky["S1"] > clear["S1"] + 0.04
    assert smoky["S5"] < clear["S5"] + 0.02
    assert smoky["S8"] == clear["S8"]


def test_thick_high_cloud_hides_smoke() -> None:
    high = cloud("ice40", 60, 12, 220)
    clear, smoky = (seen(Ground.OCEAN, 300, DAY, high, smoke=depth) for depth in (0, 0.8))
    assert smoky["S1"] == pytest.approx(clear["S1"], abs=1e-3)


def test_dust_brightens_all_reflectances_of_the_sea() -> None:
    clear, dusty = (seen(Ground.OCEAN, 300, DAY, dust=depth) for depth in (0, 1))
    for name in ("S1", "S2", "S3", "S5", "S6"):
        assert dusty[name] > clear[name] + 0.03


# Sun and no sun


def test_the_suns_cosine_fades_out_below_the_horizon() -> None:
    # Width .012: at the horizon .012 ln 2 = .00832; high above it is the cosine itself.
    mu = np.array([1, 0.5, 0.1, 0, -0.012, -0.1], np.float32)
    lit = sunlight_cosine(mu)
    # At -.012: .012 * ln(1 + 1 / e) = .00376; at -.1: .012 * exp(-8.33) = 2.9e-6.
    np.testing.assert_allclose(lit, [1, 0.5, 0.1, 0.00832, 0.00376, 2.9e-6], atol=5e-6)
    assert (np.diff(sunlight_cosine(np.linspace(-1, 1, 400).astype(np.float32))) >= 0).all()


def test_reflective_bands_are_there_when_operated() -> None:
    low = cloud("water10", 10, 1, 284)
    for sun in (DAY, 89.0, 91.0, NIGHT):
        assert set(REFLECTIVE) <= set(seen(Ground.OCEAN, 290, sun, low, reflective=True))
        bands = seen(Ground.OCEAN, 290, sun, low, reflective=False)
        assert sorted(bands) == ["S7", "S8", "S9"]
    # In the dark they are black.
    dark = seen(Ground.OCEAN, 290, NIGHT, low, reflective=True)
    assert all(dark[name] == 0 for name in REFLECTIVE)


@pytest.mark.parametrize("sun_deg", [85, 88, 89.9, 90, 90.1, 91, 93, 96])
def test_twilight_is_finite(sun_deg: float) -> None:
    for layers in ([], [cloud("water10", 10, 1, 274)], [cloud("ice25", 1, 10, 225)]):
        bands = seen(Ground.OLD_SNOW, 270, sun_deg, *layers, reflective=True)
        assert all(math.isfinite(value) for value in bands.values())
        for name in REFLECTIVE:
            # Products divide by the cosine, so that reflectances may be large at the horizon.
            assert 0 <= bands[name] < 12
            if sun_deg > 90:
                assert bands[name] < 0.02
        assert 215 < bands["S8"] < 275


def test_the_sun_is_seen_at_37_um_whether_or_not_other_bands_are_operated() -> None:
    low = cloud("water10", 10, 1, 274)
    for sun in (DAY, 80.0, 88.0):
        day, night = (
            seen(Ground.OCEAN, 280, sun, low, reflective=reflective) for reflective in (True, False)
        )
        assert night == {name: day[name] for name in ("S7", "S8", "S9")}
    dark = seen(Ground.OCEAN, 280, NIGHT, low)
    twilight = [
        seen(Ground.OCEAN, 280, sun, low, reflective=False)["S7"]
        for sun in (80.0, 86.0, 88.0, 95.0)
    ]
    assert twilight[2] > dark["S7"] + 0.5
    assert (np.diff(twilight) < 0).all()
    assert twilight[3] == pytest.approx(dark["S7"], abs=0.05)


def test_sunlight_at_37_um_by_hand() -> None:
    # Grass reflects what it does not emit of .93 * 11 * .7 / pi = 2.2794, the light of a sun whose
    # cosine is .7 after what gases take; all else is as by night.
    day, night = (
        radiation.planck_radiance(3.742, np.array(seen(Ground.GRASS, 290, sun)["S7"]))
        for sun in (math.degrees(math.acos(0.7)), NIGHT)
    )
    reflected = (1 - EMISSIVITY[Ground.GRASS, 0]) * 2.2794
    assert day - night == pytest.approx(reflected, rel=2e-3)


def test_some_thermal_bands_alone() -> None:
    low = cloud("water10", 10, 1, 284)
    for sun in (DAY, NIGHT):
        stage = stage_of(Ground.OCEAN, 290, low, geometry=under(sun))
        every = observe(stage, reflective=False)
        some = observe(stage, reflective=False, view_only=("S8", "S9"))
        assert sorted(some) == ["S8", "S9"]
        for name, values in some.items():
            np.testing.assert_array_equal(values, every[name])


def test_the_worlds_ground_may_be_darker() -> None:
    stage = stage_of(Ground.DESERT, 300, geometry=under(DAY))
    bright, dark = (observe(stage, reflective=True, brightness_factor=f) for f in (1.0, 0.88))
    assert (dark["S3"] < 0.95 * bright["S3"]).all()
    np.testing.assert_array_equal(dark["S8"], bright["S8"])


# Blocks


def terminator() -> Stage:
    """Day at the top and night at the bottom, with drawn cloud."""
    sun = np.broadcast_to(np.linspace(60, 110, SHAPE[0])[:, np.newaxis], SHAPE)
    geometry = geometry_at(solar_zenith_deg=sun.astype(np.float32))
    surface = surface_of(Ground.OCEAN, 288)
    canvas = Canvas(np.random.default_rng(5), Window(500, 700, *SHAPE))
    layers = draw_clouds(canvas, "temperate", surface, find_world("standard"), {})
    assert any(layer.optical_depth.any() for layer in layers)
    return stage_of(Ground.OCEAN, 288, *layers, geometry=geometry, surface=surface)


@pytest.mark.parametrize("block_px", [80, 80 * 7, 1])
def test_blocks_give_what_one_piece_gives(block_px: int, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = terminator()
    whole = observe(stage, reflective=True)
    monkeypatch.setattr("slstr_cloudmask.simulate.observe._BLOCK_PX", block_px)
    pieces = observe(stage, reflective=True)
    assert list(whole) == list(pieces)
    for name, values in whole.items():
        assert values.shape == SHAPE
        np.testing.assert_array_equal(pieces[name], values)
    # Some blocks were day, and some night.
    assert whole["S1"][0].min() > 0.05
    assert not whole["S1"][-1].any()


def test_rows_of_a_stage_are_views_of_all_its_fields() -> None:
    stage = terminator()
    block = stage.rows(10, 25)
    fields: list[tuple[Field, Field]] = [
        (block.light, stage.light),
        (block.geometry.mu_sun, stage.geometry.mu_sun),
        (block.surface.skin_kelvin, stage.surface.skin_kelvin),
        (block.air.vapour_mm, stage.air.vapour_mm),
        *(
            (cut.optical_depth, layer.optical_depth)
            for cut, layer in zip(block.layers, stage.layers, strict=True)
        ),
    ]
    for cut, whole in fields:
        np.testing.assert_array_equal(cut, whole[10:25])
        assert np.shares_memory(cut, whole)
    assert block.surface.mean_latitude_deg == stage.surface.mean_latitude_deg
    assert [layer.kind for layer in block.layers] == [layer.kind for layer in stage.layers]


def test_what_is_there_is_left_as_it_was() -> None:
    stage = terminator()
    before = [layer.optical_depth.copy() for layer in stage.layers]
    skin, light = stage.surface.skin_kelvin.copy(), stage.light.copy()
    first = observe(stage, reflective=True)
    second = observe(stage, reflective=True)
    for name in first:
        np.testing.assert_array_equal(first[name], second[name])
    np.testing.assert_array_equal(stage.surface.skin_kelvin, skin)
    np.testing.assert_array_equal(stage.light, light)
    for layer, depth in zip(stage.layers, before, strict=True):
        np.testing.assert_array_equal(layer.optical_depth, depth)
