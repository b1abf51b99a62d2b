"""The threshold tests against numbers worked out by hand, and the detector on scenes."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pytest
import xarray as xr

from slstr_cloudmask.detectors import cloud_tests as tests
from slstr_cloudmask.detectors import get_detector
from slstr_cloudmask.detectors.protocol import Detector
from slstr_cloudmask.detectors.surroundings import gross_limit, local_spread, warm_background
from slstr_cloudmask.detectors.thresholds import TESTS, CloudTest, Thresholds
from slstr_cloudmask.flags import flag_variable
from slstr_cloudmask.scene import build_scene, label, usable_bands
from slstr_cloudmask.simulate.scene import simulate_scene

NO_GLINT = np.array(False)


def a(*values: float) -> npt.NDArray[np.float32]:
    return np.array(values, np.float32)


def uniform(values: Mapping[str, float], shape: tuple[int, int] = (60, 60)) -> xr.Dataset:
    """Build a scene that is the same everywhere."""
    return build_scene({name: np.full(shape, value) for name, value in values.items()})


# Single tests


def test_a_ramp_goes_either_way() -> None:
    np.testing.assert_allclose(tests.ramp(a(0, 1, 1.5, 2, 9), 1, 2), [0, 0, 0.5, 1, 1])
    np.testing.assert_allclose(tests.ramp(a(0, 1, 1.5, 2, 9), 2, 1), [1, 1, 0.5, 0, 0])
    assert np.isnan(tests.ramp(a(np.nan), 1, 2)).all()


def test_gross_cloud_is_half_way_at_its_limit() -> None:
    # MOD35: 273 K clear, 270 K the middle, 267 K cloud.
    np.testing.assert_allclose(tests.gross_cloud(a(273, 270, 267, 240), a(270)), [0, 0.5, 1, 1])


def test_thin_cirrus_by_the_table() -> None:
    # At 280 K and a secant of 1 the limit is 1.30 K: the ramp runs from 1.04 to 1.56 K.
    s8 = a(280, 280, 280, 280)
    difference = a(1.0, 1.30, 1.43, 1.6)
    np.testing.assert_allclose(
        tests.thin_cirrus(s8, s8 - difference, 1.0), [0, 0.5, 0.75, 1], atol=1e-3
    )
    # Half way between 280 and 290 K it is 2.18 K, at a secant of 2 times 2 ^ .6 = 1.5157: 3.304 K.
    assert tests.thin_cirrus(a(285), a(285 - 3.304), 2.0)[0] == pytest.approx(0.5, abs=1e-3)
    # Below 260 K it stays at .55 K.
    assert tests.thin_cirrus(a(230), a(229.45), 1.0)[0] == pytest.approx(0.5, abs=1e-3)


def test_fog_is_colder_at_37_um() -> None:
    # 11 - 3.7 um of .6, 1.05 and 1.5 K.
    support = tests.fog_low_stratus(a(279.4, 278.95, 278.5, 281), a(280, 280, 280, 280))
    np.testing.assert_allclose(support, [0, 0.5, 1, 0], atol=1e-4)
    assert tests.fog_low_stratus(a(230), a(235))[0] == 0  # S7 is noise there


def test_medium_and_high_cloud_at_night() -> None:
    # At 280 K the limit is 3.5 K, and the ramp one kelvin to either side.
    np.testing.assert_allclose(
        tests.medium_high(a(282.5, 283.5, 284.5), a(280, 280, 280)), [0, 0.5, 1], atol=1e-4
    )


def test_moist_clear_air_is_not_medium_or_high_cloud() -> None:
    # 50 mm of water vapour: 6.0 - 1.95 = 4.05 K colder at 12 than at 3.7 um over 300 K.
    assert tests.medium_high(a(298.05), a(294.0))[0] == 0


def test_cirrus_at_1375() -> None:
    dark = a(0.05, 0.05, 0.05)
    support = tests.cirrus_1375(a(0.03, 0.035, 0.04), dark, dark, a(280, 280, 280))
    np.testing.assert_allclose(support, [0, 0.5, 1], atol=1e-4)
    # Snow under dry air: (.85 - .10) / .95 = .79, more than .4 and than .8 * .85 = .68.
    assert tests.cirrus_1375(a(0.1), a(0.85), a(0.10), a(255))[0] == 0


def test_snow_index_by_hand() -> None:
    assert tests.snow_index(a(0.6), a(0.2))[0] == pytest.approx(0.5)
    assert tests.snow_index(a(0), a(0))[0] == 0
    assert np.isnan(tests.snow_index(a(np.nan), a(0.1)))[0]
    # Snow .85/.10: .79 >= .68. Thick ice cloud .83/.33: .431 < .664. Water cloud .5/.49: .01.
    snow = tests.snow_like(a(0.85, 0.83, 0.5), a(0.10, 0.33, 0.49))
    np.testing.assert_array_equal(snow, [True, False, False])


def test_visible_over_water() -> None:
    # Grey and bright; the sea; vegetation (ratio 8.5); desert (ratio 1.27); thin cloud at .045.
    s2 = a(0.40, 0.03, 0.04, 0.30, 0.045)
    s3 = a(0.40, 0.02, 0.34, 0.38, 0.045)
    s1 = a(0.40, 0.06, 0.06, 0.19, 0.05)
    s5 = a(0.35, 0.01, 0.20, 0.47, 0.04)
    support = tests.visible_over_water(s1, s2, s3, s5, NO_GLINT)
    np.testing.assert_allclose(support, [1, 0, 0, 0, 0.5], atol=1e-4)
    assert tests.visible_over_water(a(0.85), a(0.83), a(0.76), a(0.10), NO_GLINT)[0] == 0
    assert tests.visible_over_water(s1[:1], s2[:1], s3[:1], s5[:1], np.array([True]))[0] == 0


def test_visible_bright() -> None:
    # Cloud; at S1 = .30; snow; hot ground at 300 K.
    support = tests.visible_bright(
        a(0.6, 0.30, 0.85, 0.4), a(0.5, 0.28, 0.10, 0.4), a(270, 270, 255, 300), NO_GLINT
    )
    np.testing.assert_allclose(support, [1, 0.5, 0, 0], atol=1e-4)


def test_reflected_sunlight_at_37_um() -> None:
    # Cloud; at 13 K; desert, index (.19 - .47) / .66 = -.42; snow, dark in S5.
    support = tests.reflected_37(
        a(0.5, 0.5, 0.19, 0.85),
        a(0.45, 0.45, 0.47, 0.09),
        a(300, 283, 311, 270),
        a(270, 270, 295, 255),
        a(269, 269, 290, 254),
        NO_GLINT,
    )
    np.testing.assert_allclose(support, [1, 0.5, 0, 0], atol=1e-4)
    missing = tests.reflected_37(a(np.nan), a(0.4), a(300), a(270), a(269), NO_GLINT)
    assert np.isnan(missing).all()


def test_glint_is_flat_and_warm() -> None:
    # Flat and warm; flat and cold: cloud; warm and as dark in S5 as water is without glint.
    look = tests.glint_like(a(0.3, 0.3, 0.1), a(0.28, 0.28, 0.01), a(290, 275, 290), a(290))
    np.testing.assert_array_equal(look, [True, False, False])


def test_spatial_coherence() -> None:
    sea, land = np.array([True]), np.array([False])
    assert tests.spatial_coherence(a(0.2), a(-4), sea)[0] == pytest.approx(0.5)
    assert tests.spatial_coherence(a(0.9), a(0), sea)[0] == 0  # a warm pixel beside cloud
    assert np.isnan(tests.spatial_coherence(a(2), a(-10), land)[0])
    assert tests.spatial_coherence(a(0.6), a(-10), None)[0] == 0
    assert tests.spatial_coherence(a(1.2), a(-10), None)[0] == pytest.approx(0.5)


# What a pixel is compared with


def test_spread_by_hand() -> None:
    values = np.full((5, 6), 280, np.float32)
    values[2, 2] = 289
    values[4, 5] = np.nan
    spread = local_spread(values)
    assert spread[0, 0] == 0
    # Eight at 0 and one at 9: mean 1, mean square 9, deviation sqrt(8).
    assert spread[2, 2] == pytest.approx(np.sqrt(8), rel=1e-5)
    assert np.isnan(spread[3:, 4:]).all()
    assert np.isfinite(spread[:3]).all()


def test_background_is_the_warmth_around() -> None:
    kelvin = np.full((200, 200), 290, np.float32)
    kelvin[:60, :60] = 250  # a cloud
    kelvin[100:, 100:] = np.nan
    background = warm_background(kelvin)
    assert background.dtype == np.float32
    np.testing.assert_allclose(background, 290)
    assert np.isnan(warm_background(np.full((9, 9), np.nan))).all()


def test_the_warmest_tenth_of_a_block_is_left_out() -> None:
    kelvin = np.full((50, 50), 280, np.float32)
    kelvin[:4] = 330  # 200 of 2500 pixels: 8 %
    np.testing.assert_allclose(warm_background(kelvin), 280)


def test_gross_limit_by_what_is_known() -> None:
    background = a(290, 275, 235, 290)
    # Nothing known: 270 K, or 10 K below the background, but never below 233 K.
    np.testing.assert_allclose(gross_limit(background, None, None), [270, 265, 233, 270])
    # 20 degrees: 298.5 - 14 = 284.5 K, as far as the background allows.
    tropics = gross_limit(background, a(20, 20, 20, 70), None)
    np.testing.assert_allclose(tropics, [280, 265, 233, 270])
    # Known sea without ice needs no background; land must be 18 K below it.
    sea = np.array([True, True, True, False])
    known = gross_limit(background, a(20, 20, 50, 50), sea)
    np.testing.assert_allclose(known, [284.5, 284.5, 270, 270])


# The detector

CLEAR_SEA = {"S7": 290.0, "S8": 289.0, "S9": 288.2}
SUNLIT_SEA = {"S1": 0.08, "S2": 0.05, "S3": 0.03, "S4": 0.002, "S5": 0.01, "S6": 0.01} | CLEAR_SEA


def test_it_is_a_detector() -> None:
    assert isinstance(Thresholds(), Detector)
    assert isinstance(get_detector("thresholds"), Thresholds)


def test_clear_sea_is_clear_and_says_what_was_tried() -> None:
    mask = Thresholds().predict(uniform(CLEAR_SEA).assign_attrs(illumination="night"))
    assert (mask["cloud_mask"].values == 0).all()
    assert (mask["regime"].values == 0).all()
    used, skipped = mask.attrs["tests_used"].split(), mask.attrs["tests_skipped"].split()
    assert "fog_low_stratus" in used
    assert "cirrus_1375" in skipped
    assert sorted(used + skipped) == sorted(test.name for test in TESTS)
    assert mask.attrs["detector"] == "thresholds"


def test_day_tests_run_by_day_and_night_tests_by_night() -> None:
    mask = Thresholds().predict(uniform(SUNLIT_SEA))
    assert (mask["cloud_mask"].values == 0).all()
    assert set(mask.attrs["tests_skipped"].split()) == {"fog_low_stratus", "medium_high"}
    # The same bands at night: sunlight in S7 that is none.
    scene = uniform(SUNLIT_SEA).assign_coords(
        solar_zenith_angle=(("rows", "columns"), np.full((60, 60), 120.0, np.float32))
    )
    night = Thresholds().predict(scene)
    assert "visible_bright" in night.attrs["tests_skipped"].split()
    assert "medium_high" in night.attrs["tests_used"].split()


def test_sunlight_in_37_um_is_not_taken_for_night() -> None:
    # No angles and no reflectances: whether it is day cannot be told. At night 310 K in S7 over
    # 299 K in S9 would be medium or high cloud.
    scene = uniform({"S7": 310.0, "S8": 300.0, "S9": 299.0})
    mask = Thresholds().predict(scene)
    assert (mask["regime"].values == 255).all()
    assert (mask["cloud_mask"].values == 0).all()
    # Only the tests for every light were run.
    assert mask.attrs["tests_used"] == "gross_cloud thin_cirrus spatial_coherence"
    by_night = Thresholds().predict(scene.assign_attrs(illumination="night"))
    assert (by_night["cloud_mask"].values == 1).all()


def test_bands_used_are_those_of_the_tests_that_ran() -> None:
    mask = Thresholds().predict(uniform({"S1": 0.1, "S6": 0.1, "S8": 290.0}))
    assert mask.attrs["tests_used"] == "gross_cloud spatial_coherence"
    assert mask.attrs["bands_used"] == "S8"
    assert mask.attrs["bands_missing"] == "S2 S3 S4 S5 S7 S9"
    day = Thresholds().predict(uniform(SUNLIT_SEA))
    assert day.attrs["bands_used"] == "S1 S2 S3 S4 S5 S7 S8 S9"


@pytest.mark.parametrize("name", ["S7", "S8", "S9"])
def test_one_band_is_enough_or_leaves_the_pixel_unknown(name: str) -> None:
    mask = Thresholds().predict(uniform({name: CLEAR_SEA[name]}))
    # Only S8 has tests of its own.
    expected = 0 if name == "S8" else 255
    assert (mask["cloud_mask"].values == expected).all()


@pytest.mark.parametrize("test", TESTS, ids=lambda test: test.name)
def test_a_test_reads_only_what_its_light_leaves_of_use(test: CloudTest) -> None:
    for light in test.regimes:
        assert set(test.bands) <= set(usable_bands(light))


def test_reflectances_alone_leave_pixels_unknown(caplog: pytest.LogCaptureFixture) -> None:
    mask = Thresholds().predict(uniform({"S1": 0.5}).assign_attrs(source="made"))
    assert (mask["cloud_mask"].values == 255).all()
    assert mask.attrs["tests_used"] == ""
    # By day every test needs S8.
    assert caplog.messages == [
        "No cloud test can be run on made, so every pixel stays unknown: expected S8, found S1. "
        "Use a scene with these bands."
    ]


def test_bands_that_no_test_of_the_night_can_do_without(caplog: pytest.LogCaptureFixture) -> None:
    scene = uniform({"S9": 288.0}).assign_attrs(illumination="night")
    assert (Thresholds().predict(scene)["cloud_mask"].values == 255).all()
    assert "expected S8, or S7 and S9, found S9" in caplog.text
    caplog.clear()
    Thresholds().predict(uniform(dict.fromkeys(SUNLIT_SEA, np.nan)))  # nothing seen, nothing lacks
    assert caplog.messages == []


def test_nothing_seen_is_nothing_known() -> None:
    mask = Thresholds().predict(uniform(dict.fromkeys(SUNLIT_SEA, np.nan)))
    assert (mask["cloud_mask"].values == 255).all()
    assert np.isnan(mask["cloud_probability"].values).all()


def test_the_probability_is_the_largest_support() -> None:
    scene = uniform(CLEAR_SEA).assign_attrs(illumination="night")
    scene["S7"][30, 30] = 287.95  # S8 - S7 = 1.05 K: half way up the ramp of fog
    mask = Thresholds().predict(scene)
    assert mask["cloud_probability"].values[30, 30] == pytest.approx(0.5, abs=1e-4)
    assert float(mask["cloud_probability"].max()) <= 0.5001
    assert Thresholds(0.4).predict(scene)["cloud_mask"].values[30, 30] == 1
    assert Thresholds(0.6).predict(scene)["cloud_mask"].values[30, 30] == 0


def test_hot_dry_land_by_day_is_not_cloud() -> None:
    desert = {
        "S1": 0.22,
        "S2": 0.31,
        "S3": 0.38,
        "S4": 0.005,
        "S5": 0.47,
        "S6": 0.43,
        "S7": 312.0,
        "S8": 308.0,
        "S9": 307.6,
    }
    assert (Thresholds().predict(uniform(desert))["cloud_mask"].values == 0).all()


def test_snow_by_day_is_not_cloud() -> None:
    snow = {
        "S1": 0.80,
        "S2": 0.79,
        "S3": 0.74,
        "S4": 0.02,
        "S5": 0.10,
        "S6": 0.08,
        "S7": 258.0,
        "S8": 255.0,
        "S9": 254.7,
    }
    assert (Thresholds().predict(uniform(snow))["cloud_mask"].values == 0).all()


def test_known_sea_is_judged_without_a_background() -> None:
    # A wide overcast of 275 K at 20 degrees: nothing warmer around, but no sea is that cold there.
    scene = uniform({"S8": 275.0}).assign_coords(
        latitude=(("rows", "columns"), np.full((60, 60), 20.0, np.float32))
    )
    assert (Thresholds().predict(scene)["cloud_mask"].values == 0).all()
    masks = {"coastline": 1, "ocean": 2, "land": 8}
    scene["confidence"] = flag_variable(np.full((60, 60), 2, np.uint16), masks)
    assert (Thresholds().predict(scene)["cloud_mask"].values == 1).all()


@pytest.mark.parametrize("night", [False, True])
@pytest.mark.parametrize("bare", [False, True])
def test_skill_on_simulated_scenes(night: bool, bare: bool) -> None:
    counts = np.zeros(4)
    for seed in range(10):
        scene = simulate_scene(seed, (128, 160), daytime=not night)
        if bare:  # as a benchmark file: no angles, no positions
            scene = scene.drop_vars(list(scene.coords))
        mask = Thresholds().predict(scene)["cloud_mask"].values
        cloud, known = label(scene, "truth")
        clear = known & ~cloud
        counts += [(mask[cloud] == 1).sum(), cloud.sum(), (mask[clear] == 1).sum(), clear.sum()]
        assert (mask[~known] == 255).all()
    hit_rate, false_alarm_rate = counts[0] / counts[1], counts[2] / counts[3]
    # Hanssen-Kuipers skill score: 0 for chance, 1 for perfection.
    assert hit_rate - false_alarm_rate > 0.3
