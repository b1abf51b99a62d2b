"""The Bayesian detector: its parts against numbers worked out by hand, and it on scenes."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pytest
import xarray as xr

from slstr_cloudmask.detectors import get_detector
from slstr_cloudmask.detectors.bayesian import Bayesian, bands_used
from slstr_cloudmask.detectors.clear_sky import (
    LAND,
    ROUGH_KELVIN,
    ClearSky,
    Ground,
    first_guess,
    may_be_frozen,
    refined,
)
from slstr_cloudmask.detectors.climatology import (
    usual_difference_kelvin,
    usual_kelvin,
    usual_split_kelvin,
    usual_vapour_mm,
)
from slstr_cloudmask.detectors.evidence import (
    BACKGROUND_EDGES,
    CHAINS,
    JOINT,
    SIGMAS_KELVIN,
    bins,
    cell_index,
    evidence,
    feature_names,
    packed,
    place_index,
    unpacked,
)
from slstr_cloudmask.detectors.features import Clear, reflected_features, thermal_features
from slstr_cloudmask.detectors.prior import log_prior, log_texture
from slstr_cloudmask.detectors.protocol import Detector
from slstr_cloudmask.detectors.sky_samples import LIGHTS, SURFACES, draw_sample
from slstr_cloudmask.flags import flag_variable
from slstr_cloudmask.scene import build_scene, label
from slstr_cloudmask.simulate.scene import simulate_scene

CLEAR_SEA = {"S7": 290.0, "S8": 289.6, "S9": 288.8}
SUNLIT_SEA = {"S1": 0.08, "S2": 0.05, "S3": 0.03, "S4": 0.002, "S5": 0.01, "S6": 0.01} | CLEAR_SEA


def a(*values: float) -> npt.NDArray[np.float32]:
    return np.array(values, np.float32)


def uniform(values: Mapping[str, float], shape: tuple[int, int] = (60, 60)) -> xr.Dataset:
    """Build a scene that is the same everywhere, but for noise of .02 K or .001."""
    rng = np.random.default_rng(0)
    return build_scene(
        {
            name: value + (0.02 if value > 9 else 0.001) * rng.standard_normal(shape)
            for name, value in values.items()
        }
    )


def ground(shape: tuple[int, int], land: int = 0, latitude: float | None = None) -> Ground:
    """Make ground of one kind, in the night of 28 August (day 240)."""
    place = None if latitude is None else np.full(shape, latitude, np.float32)
    return Ground(np.full(shape, land, np.intp), place, 240, np.zeros(shape, bool))


# What is usual


def test_the_climate_of_a_latitude_and_a_day() -> None:
    # 40 degrees north: 14.5 C, and 5 K more on the sea's warmest day, 240. In the south it is then
    # coldest: 14.0 - 2.5 C.
    usual = usual_kelvin(a(40, -40, 45), 240)
    np.testing.assert_allclose(usual.sea_kelvin[:2], [273.15 + 19.5, 273.15 + 11.5], atol=1e-3)
    # Half way between 40 and 50 degrees: (14.5 + 5 + 8.5 + 4) / 2 = 16 C.
    assert usual.sea_kelvin[2] == pytest.approx(289.15, abs=1e-3)
    # Not knowing the day is knowing less: hypot(4.5, 5 / sqrt 2) = 5.72 K.
    unknown = usual_kelvin(a(40), None)
    assert unknown.sea_kelvin[0] == pytest.approx(287.65, abs=1e-3)
    assert unknown.sea_spread_kelvin[0] == pytest.approx(5.723, abs=1e-3)


def test_usual_moisture_and_what_it_does() -> None:
    # 300 K: e = 6.11 exp(17.62 * 26.85 / 269.95) = 35.3 hPa; 3 + 318.5 * 35.3 / 300 = 40.4 mm.
    assert usual_vapour_mm(a(300))[0] == pytest.approx(40.4, abs=0.2)
    # .05 + 40.4 * (.015 + .0003 * 40.4) = 1.15 K.
    assert usual_split_kelvin(a(300), 1.0)[0] == pytest.approx(1.15, abs=0.01)
    assert usual_split_kelvin(a(300), 2.0)[0] == pytest.approx(1.15 * 2**0.9, abs=0.02)
    # -.5 + 40.4 * (.008 + .0009 * 40.4) = 1.29 K.
    assert usual_difference_kelvin(a(300), 1.0)[0] == pytest.approx(1.29, abs=0.02)


def test_the_climate_bounds_a_cold_overcast() -> None:
    s8 = np.full((60, 60), 255, np.float32)
    alone = first_guess(s8, ground(s8.shape))
    np.testing.assert_allclose(alone.kelvin, 254.3, atol=1e-3)  # less .7 K
    # At 40 degrees: 292.65 K less the air's 1.1 * (.15 + W (.03 + .0011 W)), 4.5 K of spread.
    bounded = first_guess(s8, ground(s8.shape, latitude=40.0))
    vapour = float(usual_vapour_mm(a(292.65))[0])
    clear = 292.65 - 1.1 * (0.15 + vapour * (0.03 + 0.0011 * vapour))
    np.testing.assert_allclose(bounded.kelvin, clear - 1.5 * 4.5, atol=0.01)
    np.testing.assert_allclose(bounded.sigma_kelvin, 4.5, atol=1e-3)
    # A pixel whose latitude is missing has no climate, as a scene without latitudes.
    nowhere = first_guess(s8, ground(s8.shape, latitude=np.nan))
    np.testing.assert_array_equal(nowhere.kelvin, alone.kelvin)
    np.testing.assert_array_equal(nowhere.sigma_kelvin, alone.sigma_kelvin)
    # Where the scene is as warm as the climate, it is believed.
    warm = first_guess(s8 + 33, ground(s8.shape, latitude=40.0))
    np.testing.assert_allclose(warm.kelvin, 287.3, atol=1e-3)


def test_where_sea_may_be_frozen() -> None:
    shape = (60, 400)
    s8 = np.full(shape, 250, np.float32)
    assert may_be_frozen(s8, ground(shape, latitude=-75.0)).all()
    assert not may_be_frozen(s8, ground(shape, latitude=50.0)).any()
    assert not may_be_frozen(s8, ground(shape, latitude=75.0, land=LAND)).any()
    assert not may_be_frozen(s8, ground(shape)).any()  # nobody knows where it is
    # Water at 273 K to the west: no ice is believed in the blocks of 50 pixels beside it.
    s8[:, :60] = 273
    found = may_be_frozen(s8, ground(shape, latitude=75.0))
    assert not found[:, :110].any()
    assert found[:, 250:].all()


def test_clear_pixels_near_by_correct_the_background() -> None:
    shape = (80, 80)
    s8 = np.full(shape, 280, np.float32)
    s8[:, 40:] = 260
    clear = np.ones(shape, np.float32)
    clear[:, 40:] = 0
    first = ClearSky(np.full(shape, 285, np.float32), np.full(shape, 3, np.float32))
    found = refined(s8, clear, first, ground(shape), ROUGH_KELVIN)
    # Thousands of clear pixels within 15 km outweigh the guess: within a hundredth of its 5 K.
    assert found.kelvin[40, 20] == pytest.approx(280, abs=0.2)
    assert found.kelvin[40, 60] == pytest.approx(280, abs=1)
    assert found.sigma_kelvin[40, 20] < found.sigma_kelvin[40, 79] < 3
    # With none, the guess stays; its error is .35 of 3 K, and sea's own .3 K.
    kept = refined(s8, np.zeros(shape, np.float32), first, ground(shape), ROUGH_KELVIN)
    np.testing.assert_allclose(kept.kelvin, 285)
    np.testing.assert_allclose(kept.sigma_kelvin, np.hypot(1.05, 0.3), atol=1e-3)


def test_prior_by_latitude_and_surface() -> None:
    # 50 degrees at sea: cloud .82, and of the rest .35 veiled.
    ratio = log_prior(ground((1, 1), latitude=50.0))[0, 0]
    np.testing.assert_allclose(np.exp(ratio), [0.35 / 0.65, 0.82 / (0.18 * 0.65)], rtol=1e-4)
    assert np.exp(log_prior(ground((1, 1), land=1))[0, 0, 1]) == pytest.approx(
        0.56 / (0.44 * 0.65), rel=1e-4
    )


def test_even_sea_speaks_against_cloud() -> None:
    flat = np.full((5, 5), 280, np.float32)
    rough = flat.copy()
    rough[::2] = 284
    assert (log_texture(flat, ground((5, 5)))[2, 2] < 0).all()
    assert (log_texture(rough, ground((5, 5)))[2, 2] > 0).all()
    missing = np.full((5, 5), np.nan, np.float32)
    assert (log_texture(missing, ground((5, 5))) == 0).all()


# Features and tables


def test_features_by_hand() -> None:
    clear = Clear(a(285), a(0.8), a(0.3))
    bands = {"S7": a(284.0), "S8": a(282.0), "S9": a(280.5)}
    night = thermal_features(bands, clear, sunlit=False)
    assert night["cooling"][0] == pytest.approx(-3)
    assert night["spread"][0] == pytest.approx(1.5 - 0.8)
    assert night["difference"][0] == pytest.approx(2.0 - 0.3, abs=1e-4)
    day = thermal_features(bands, clear, sunlit=True)
    assert day["sunlit"][0] == pytest.approx(2.0)
    assert "difference" not in day
    assert thermal_features({"S9": a(280.0)}, clear, sunlit=False) == {}
    seen = reflected_features({"S2": a(0.1), "S5": a(0.2), "S4": a(0.01)})
    assert seen["colour"][0] == pytest.approx(np.log(2), abs=1e-4)
    assert "green" not in seen
    assert np.isnan(reflected_features({"S2": a(np.nan), "S3": a(1)})["green"]).all()


def test_cells_and_places_by_hand() -> None:
    # cooling: -4 K is the twelfth bin (-4.3 to -3.6); spread: .4 K the eighth (.3 to .5).
    index = cell_index({"cooling": a(-4), "spread": a(0.4)}, ("cooling", "spread"))
    assert index[0] == 11 * bins("spread") + 7
    # The second sigma (.9 K), unknown ground, 280 K: the fourth of five backgrounds.
    assert place_index(a(280), a(1.0), np.array([2]))[0] == (1 * 3 + 2) * 5 + 3
    assert len(BACKGROUND_EDGES) == 6


def test_packing_keeps_shares_within_a_step() -> None:
    share = np.array([1.0, 0.1, 3e-5, 1e-12])
    again = unpacked(packed(share))
    np.testing.assert_allclose(np.log(again[:3] / share[:3]), 0, atol=0.1001)
    assert again[3] == 0


@pytest.mark.parametrize("light", JOINT)
def test_every_light_has_tables_for_any_of_its_features(light: str) -> None:
    whole = evidence(light, feature_names(light))
    chains = [chain for chain in CHAINS if set(chain[1:]) <= set(JOINT[light])]
    assert [part.names for part in whole] == [JOINT[light], *chains]
    thermal = evidence(light, JOINT[light][:2])
    assert [part.names for part in thermal] == [JOINT[light][:2]]
    for part in (*whole, *thermal):
        cells = int(np.prod([bins(name) for name in part.names]))
        assert part.ratio.shape == (len(SIGMAS_KELVIN) * 3 * 5 * cells, 2)
        assert np.isfinite(part.ratio).all()


def test_night_cloud_by_what_is_known_of_it() -> None:
    def odds(cooling: float, spread: float, difference: float, sigma: float = 0.5) -> float:
        features = {"cooling": a(cooling), "spread": a(spread), "difference": a(difference)}
        place = place_index(a(285), a(sigma), np.array([0]))
        (part,) = evidence("night", JOINT["night"])
        veil, cloud = part.log_ratio(features, place)[0]
        return float(cloud - np.logaddexp(0, veil))

    assert odds(0, 0, 0) < -3  # as expected of clear sky
    assert odds(-1, 0, -2.5) > 3  # fog: droplets emit less at 3.7 um
    assert odds(-20, 1.5, 6) > 3  # cirrus
    assert odds(-1.4, 0.3, 0.7) < 0  # a veil of cirrus
    # 4 K colder is cloud, unless the background may be wrong by 8 K.
    assert odds(-4, 0, -0.5) > odds(-4, 0, -0.5, sigma=8.0)


@pytest.mark.parametrize("light", LIGHTS)
@pytest.mark.parametrize("surface", SURFACES)
def test_samples_are_of_all_skies(light: str, surface: str) -> None:
    sample = draw_sample(np.random.default_rng(3), light, surface, 3000)
    assert set(np.unique(sample.sky)) == {0, 1, 2}
    assert ("S1" in sample.bands) == (light != "night")
    bare, cloud = sample.sky == 0, sample.sky == 2
    colder = sample.bands["S8"] - sample.clear["S8"]
    # Bare sky differs by noise alone, .013 K at 270 K.
    assert np.abs(colder[bare]).max() < 0.5
    assert np.median(colder[cloud]) < -3


# The detector


def test_it_is_a_detector_with_named_thresholds() -> None:
    assert isinstance(Bayesian(), Detector)
    names = ("sst", "lst", "balanced")
    made = [get_detector("bayesian", threshold=name) for name in names]
    # Fewer clouds are left in what the sea's temperature is made of.
    assert [detector.threshold for detector in made] == [0.1, 0.3, 0.5]  # type: ignore[attr-defined]


@pytest.mark.parametrize("values", [CLEAR_SEA, SUNLIT_SEA], ids=["night", "day"])
def test_clear_sea_is_clear(values: dict[str, float]) -> None:
    scene = uniform(values).assign_attrs(illumination="night")
    mask = Bayesian().predict(scene)
    assert (mask["cloud_mask"].values == 0).mean() > 0.98
    assert mask.attrs["detector"] == "bayesian"
    assert mask.attrs["bands_used"].split() == [n for n in values if n not in ("S1", "S6")]


def test_a_cloud_in_a_clear_scene() -> None:
    for values, inside in (
        (CLEAR_SEA, {"S7": 276.0, "S8": 279.0, "S9": 278.4}),  # droplets: S7 3 K colder
        (SUNLIT_SEA, {"S2": 0.5, "S3": 0.5, "S5": 0.4, "S7": 305.0, "S8": 279.0, "S9": 278.4}),
    ):
        scene = uniform(values).assign_attrs(illumination="night")
        for name, value in inside.items():
            scene[name][20:40, 20:40] = value
        cloud = Bayesian().predict(scene)["cloud_mask"].values
        assert (cloud[22:38, 22:38] == 1).all()
        assert (cloud[:15] == 0).mean() > 0.98


def test_a_wide_overcast_of_cold_cloud() -> None:
    scene = uniform({"S7": 243.0, "S8": 245.0, "S9": 244.5}).assign_attrs(
        illumination="night", start_time="2019-08-28T22:00:00Z"
    )
    scene = scene.assign_coords(latitude=(("rows", "columns"), np.full((60, 60), 30, np.float32)))
    scene["confidence"] = flag_variable(np.full((60, 60), 2, np.uint16), {"ocean": 2, "land": 8})
    # At 30 degrees in August no sea is that cold, whatever is around.
    assert (Bayesian().predict(scene)["cloud_mask"].values == 1).all()


def test_ice_is_not_cloud_for_being_colder_than_water() -> None:
    scene = uniform({"S7": 250.1, "S8": 250.0, "S9": 249.8}).assign_attrs(
        illumination="night", start_time="2019-01-28T02:00:00Z"
    )
    scene = scene.assign_coords(latitude=(("rows", "columns"), np.full((60, 60), 80, np.float32)))
    scene["confidence"] = flag_variable(np.full((60, 60), 2, np.uint16), {"ocean": 2, "land": 8})
    scene["S7"][20:40, 20:40] = 246.0  # droplets: S7 4 K colder
    cloud = Bayesian().predict(scene)["cloud_mask"].values
    assert (cloud[22:38, 22:38] == 1).all()
    assert (cloud[:15] == 0).mean() > 0.98


@pytest.mark.parametrize("shape", [(1, 1), (3, 3), (1, 40)])
def test_tiny_scenes(shape: tuple[int, int]) -> None:
    mask = Bayesian().predict(uniform(SUNLIT_SEA, shape))
    assert np.isfinite(mask["cloud_probability"].values).all()


def test_nothing_seen_is_nothing_known() -> None:
    mask = Bayesian().predict(uniform(dict.fromkeys(SUNLIT_SEA, np.nan), (30, 30)))
    assert (mask["cloud_mask"].values == 255).all()


def test_without_11_um_nothing_is_known(caplog: pytest.LogCaptureFixture) -> None:
    scene = uniform({"S7": 290.0, "S9": 288.0}, (9, 9)).assign_attrs(
        illumination="night", source="made"
    )
    assert (Bayesian().predict(scene)["cloud_mask"].values == 255).all()
    assert "of made stays unknown: expected S8, found S7, S9." in caplog.text


@pytest.mark.parametrize("gone", ["S2", "S4", "S5", "S7", "S9"])
def test_a_band_that_is_missing_at_some_pixels_or_all(gone: str) -> None:
    scene = uniform(SUNLIT_SEA)
    holed = scene.copy(deep=True)
    holed[gone][10:20, 10:20] = np.nan
    found = Bayesian().predict(holed)["cloud_probability"].values
    assert np.isfinite(found).all()
    without = Bayesian().predict(scene.drop_vars(gone))
    assert np.isfinite(without["cloud_probability"].values).all()
    assert gone not in without.attrs["bands_used"]


def test_lost_pixels_are_unknown_and_trouble_no_others() -> None:
    scene = uniform(CLEAR_SEA).assign_attrs(illumination="night")
    for name in CLEAR_SEA:
        scene[name][:, :20] = np.nan
    cloud = Bayesian().predict(scene)["cloud_mask"].values
    assert (cloud[:, :20] == 255).all()
    assert (cloud[:, 20:] == 0).mean() > 0.98


def test_thermal_bands_of_unknown_light() -> None:
    scene = uniform(CLEAR_SEA)
    # S7 may be sunlit.
    assert bands_used(scene) == ("S8", "S9")
    assert np.isfinite(Bayesian().predict(scene)["cloud_probability"].values).all()


@pytest.mark.parametrize("night", [False, True])
def test_truth_and_labels_are_not_looked_at(night: bool) -> None:
    scene = simulate_scene(5, (64, 80), daytime=not night)
    kept = {"confidence"} | {f"S{n}" for n in range(1, 10)}
    bare = scene.drop_vars([name for name in scene.data_vars if name not in kept])
    assert {"truth", "bayes"} <= set(scene.data_vars) - set(bare.data_vars)
    for detector in ("bayesian", "thresholds", "thresholds-operational", "scda"):
        first, second = (get_detector(detector).predict(each) for each in (scene, bare))
        np.testing.assert_array_equal(
            first["cloud_probability"].values, second["cloud_probability"].values
        )


@pytest.mark.parametrize("night", [False, True])
@pytest.mark.parametrize("bare", [False, True])
def test_skill_on_simulated_scenes(night: bool, bare: bool) -> None:
    counts = np.zeros(4)
    for seed in range(6):
        scene = simulate_scene(seed, (128, 160), daytime=not night)
        if bare:  # as a benchmark file: no angles, no positions, no map
            scene = scene.drop_vars([*scene.coords, "confidence"])
            if night:
                scene.attrs["illumination"] = "night"
        mask = Bayesian().predict(scene)["cloud_mask"].values
        cloud, known = label(scene, "truth")
        clear = known & ~cloud
        counts += [(mask[cloud] == 1).sum(), cloud.sum(), (mask[clear] == 1).sum(), clear.sum()]
        assert (mask[~known] == 255).all()
    hit_rate, false_alarm_rate = counts[0] / counts[1], counts[2] / counts[3]
    assert hit_rate - false_alarm_rate > 0.4
