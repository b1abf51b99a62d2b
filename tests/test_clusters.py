"""Clusters named by physics, and the literature's baseline: by hand, then on whole scenes."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pytest
import xarray as xr

from slstr_cloudmask.detectors import Detector, get_detector
from slstr_cloudmask.detectors.clusters import Clusters, mean_votes
from slstr_cloudmask.detectors.fields import (
    Background,
    filled,
    from_blocks,
    highest,
    lowest,
    unevenness,
)
from slstr_cloudmask.detectors.gapless_scene import GaplessScene, clear_shortwave
from slstr_cloudmask.detectors.kim2020 import Kim2020
from slstr_cloudmask.detectors.votes import emissivity, vote
from slstr_cloudmask.flags import flag_variable
from slstr_cloudmask.scene import build_scene, label
from slstr_cloudmask.simulate.scene import simulate_scene

NAN = np.nan
SEA = {"S7": 290.0, "S8": 289.5, "S9": 288.9}
SUNLIT_SEA = {"S1": 0.08, "S2": 0.05, "S3": 0.03, "S4": 0.002, "S5": 0.01, "S6": 0.01} | SEA
BRIGHT_CLOUD = {"S1": 0.6, "S2": 0.6, "S3": 0.6, "S4": 0.02, "S5": 0.5, "S6": 0.4} | {
    "S7": 295.0,
    "S8": 268.0,
    "S9": 267.5,
}
SHAPE = (60, 80)
PATCH = (slice(20, 40), slice(30, 60))  # 600 pixels of 4800
NIGHT = {"illumination": "night"}


def scene_of(
    ground: Mapping[str, float],
    patch: Mapping[str, float] | None = None,
    *,
    zenith_deg: float | None = None,
    shape: tuple[int, int] = SHAPE,
) -> xr.Dataset:
    """Build a scene that is the same everywhere but for a patch."""
    bands = {name: np.full(shape, value, np.float32) for name, value in ground.items()}
    for name, value in (patch or {}).items():
        bands[name][PATCH] = value
    angles = {} if zenith_deg is None else {"solar_zenith_angle": np.full(shape, zenith_deg)}
    return build_scene(bands, coordinates=angles, attributes=NIGHT if "S1" not in ground else {})


def cloud(scene: xr.Dataset, name: str = "clusters") -> npt.NDArray[np.uint8]:
    return np.asarray(get_detector(name).predict(scene)["cloud_mask"].values)


# Fields


def test_gaps_take_what_is_before_them() -> None:
    values = np.array([[NAN, 1, NAN], [NAN, NAN, NAN], [4, NAN, 6]])
    np.testing.assert_array_equal(filled(values), [[1, 1, 1], [1, 1, 1], [4, 4, 6]])
    np.testing.assert_array_equal(filled(np.array([[NAN, NAN], [2, 3]])), [[2, 3], [2, 3]])
    assert np.isnan(filled(np.array([[NAN, NAN]]))).all()


def test_unevenness_by_hand() -> None:
    values = np.zeros((5, 5), np.float32)
    values[2, 2] = 9
    # One at 9 and eight at 0: mean 1, mean square 9, deviation sqrt(8).
    assert unevenness(values, 3)[2, 2] == pytest.approx(np.sqrt(8), rel=1e-5)
    assert unevenness(values, 3)[0, 0] == pytest.approx(0, abs=1e-3)


def test_extremes_reach_as_far_as_their_window() -> None:
    values = np.zeros((100, 100), np.float32)
    values[50, 50] = 7
    # Blocks of 5, windows of 35: three blocks to either side of the block 50 to 54.
    assert highest(values, 35)[52, 52] == 7
    assert highest(values, 35)[52, 66] == 7
    assert highest(values, 35)[52, 80] == 0
    assert lowest(-values, 35)[52, 52] == -7


def test_between_blocks_values_change_evenly() -> None:
    found = from_blocks(np.array([[0, 10], [20, 30]], np.float32), (4, 6), block_px=2)
    # Middles of blocks lie half a pixel off pixels: 0, a quarter, three quarters, 1 of the way.
    across = [0, 2.5, 7.5, 10, 10, 10]
    np.testing.assert_allclose(found[0], across)
    np.testing.assert_allclose(found[:, 0], [0, 5, 15, 20])
    # As scenes are: what is done with two layouts takes three times as long.
    assert found.flags.c_contiguous


def test_the_background_is_of_clear_pixels_and_near_ones_first() -> None:
    values = np.full((200, 200), 290, np.float32)
    values[:, 100:] = 280  # another water, and a cloud in it that has no weight
    clear = np.ones((200, 200), np.float32)
    values[50:100, 120:180], clear[50:100, 120:180] = 230, 0
    background = Background(clear).of(values)
    # 25 km into the cloud, 50 km from the other water.
    assert background[75, 150] == pytest.approx(280, abs=1.5)
    assert background[75, 20] == pytest.approx(290, abs=0.1)
    assert np.isnan(Background(np.zeros_like(clear)).of(values)).all()


# Quantities


def test_reflectance_at_37_is_what_a_layer_does_not_emit() -> None:
    # Emissivity .9 at 285 K: B(T7) = .9 B(285), exp(-3844.9 / T7) = .9 exp(-3844.9 / 285), so
    # 1 / T7 = 1 / 285 - ln(.9) / 3844.9 and T7 = 282.79 K.
    gapless = GaplessScene(scene_of({"S7": 282.79, "S8": 285.0, "S9": 284.5}))
    assert gapless.reflectance_37 is not None
    np.testing.assert_allclose(gapless.reflectance_37, 0.10, atol=2e-3)


def test_reflectance_at_37_by_day() -> None:
    # Sun overhead over pi, after gases: 3.256 W m-2 um-1, in units of c1 / lambda^5 = 162 327:
    # 2.006e-5; B(280) = exp(-13.732) = 1.087e-6. R = .1: .9 * 1.087e-6 + .1 * 2.006e-5 * .6428 (50
    # degrees) = 2.268e-6, of which T7 = 3844.9 / 12.997 = 295.84 K.
    scene = scene_of(SUNLIT_SEA | {"S7": 295.84, "S8": 280.0}, zenith_deg=50)
    gapless = GaplessScene(scene)
    assert gapless.reflectance_37 is not None
    np.testing.assert_allclose(gapless.reflectance_37, 0.10, atol=2e-3)


def test_twilight_says_nothing_where_sun_and_emission_are_equal() -> None:
    # B(280) over 2.006e-5 is a cosine of .0542: 86.89 degrees.
    gapless = GaplessScene(scene_of({"S7": 285.0, "S8": 280.0, "S9": 279.5}, zenith_deg=86.89))
    assert gapless.reflectance_37 is not None
    np.testing.assert_array_equal(gapless.reflectance_37, 0)


def test_clear_air_at_night_by_its_moisture() -> None:
    # 30 mm: 11 - 12 um .77 K, 3.7 - 11 um .8 K; half way to 50 mm: 1.16 and 1.55 K.
    np.testing.assert_allclose(clear_shortwave(np.array([0.77, 1.16])), [0.8, 1.55], atol=1e-2)


def test_ice_cloud_that_covers_all_around_is_no_clear_ground() -> None:
    # Land by day without reflective bands, S7 - S8 as of ground that reflects .05, and of ice cloud
    # at 277 K with .11. 11 - 12 um of 5 K is more than any air has over ground of 277 K.
    shape, west = (200, 400), (slice(None), slice(0, 250))
    scene = scene_of({"S7": 309.3, "S8": 305.0, "S9": 303.7}, zenith_deg=35, shape=shape)
    for name, kelvin in {"S7": 299.3, "S8": 277.0, "S9": 272.0}.items():
        scene[name].values[west] = kelvin
    everywhere = np.full(shape, 8, np.uint16)
    scene["confidence"] = flag_variable(everywhere, {"land": 8}, fill=65535)
    gapless = GaplessScene(scene)
    assert gapless.clear[100, 100] == 0 < gapless.clear[100, 350]
    assert cloud(scene)[100, 5:240].all()
    assert not cloud(scene)[100, 260:].any()


def test_emissivity_is_the_share_of_the_way_to_the_coldest() -> None:
    # exp(-1325.6 / T): .010353 at 290 K, .006221 at 261 K, .004981 at 250 K. (.010353 - .006221) /
    # (.010353 - .004981) = .769
    scene = scene_of({"S7": 290.0, "S8": 290.0, "S9": 289.4}, {"S7": 250, "S8": 250, "S9": 250})
    for name in SEA:
        scene[name].values[25:30, 35:40] = 261
    found = emissivity(GaplessScene(scene), 45)
    assert found[27, 37] == pytest.approx(0.769, abs=0.01)
    assert found[32, 37] == pytest.approx(1, abs=0.01)
    assert found[5, 5] == pytest.approx(0, abs=0.01)


# Votes


def test_a_veil_too_thin_for_cloud_draws_no_vote_by_day() -> None:
    # The cosine of 60 degrees is .5: an optical depth of .3 adds .028 / .5 = .056, where the vote
    # is half; it begins at .028.
    rise = {name: SUNLIT_SEA[name] + 0.056 for name in ("S1", "S2", "S3", "S5", "S6")}
    thin = {name: SUNLIT_SEA[name] + 0.026 for name in ("S1", "S2", "S3", "S5", "S6")}
    half = vote(GaplessScene(scene_of(SUNLIT_SEA, rise, zenith_deg=60)))
    none = vote(GaplessScene(scene_of(SUNLIT_SEA, thin, zenith_deg=60)))
    assert half[30, 45] == pytest.approx(0.5, abs=0.05)
    assert none[30, 45] == 0
    assert half[5, 5] == none[5, 5] == 0


def test_fog_at_night_as_warm_as_the_sea() -> None:
    # Emissivity .87 at 3.7 um and 285 K: T7 = 1 / (1 / 285 - ln(.87) / 3844.9) = 282.09 K.
    fog = {"S7": 282.09, "S8": 285.0, "S9": 284.6}
    votes = vote(GaplessScene(scene_of({"S7": 285.0, "S8": 285.0, "S9": 284.6}, fog)))
    assert votes[30, 45] == 1
    assert votes[5, 5] == 0


def test_cold_open_sea_is_cloud_wherever_one_looks() -> None:
    # 20 degrees: the sea is at least 298.5 - 14 = 284.5 K; at 60 degrees and beyond ice may be.
    bands = {name: np.full(SHAPE, 250.0) for name in SEA}
    ocean = flag_variable(np.full(SHAPE, 2, np.uint16), {"ocean": 2, "land": 8})
    for latitude, expected in ((20.0, 1), (70.0, 0)):
        scene = build_scene(
            bands,
            coordinates={"latitude": np.full(SHAPE, latitude)},
            flags={"confidence": ocean},
            attributes=NIGHT,
        )
        assert (cloud(scene) == expected).all(), latitude


# The detector


def test_they_are_detectors() -> None:
    assert isinstance(get_detector("clusters"), Clusters)
    assert isinstance(get_detector("clusters"), Detector)
    assert isinstance(get_detector("kim2020"), Kim2020)


@pytest.mark.parametrize("name", ["clusters", "kim2020"])
def test_a_cold_bright_patch_is_cloud_and_the_rest_is_not(name: str) -> None:
    found = cloud(scene_of(SUNLIT_SEA, BRIGHT_CLOUD, zenith_deg=40), name)
    expected = np.zeros(SHAPE, bool)
    expected[PATCH] = True
    # Windows of the convolutions widen and narrow a segment by a pixel or two: 100 px around it.
    least = 0.98 if name == "clusters" else 1 - 2 * 100 / 4800
    assert (found == expected).mean() >= least
    cold = {"S7": 268.0, "S8": 268.0, "S9": 267.5}
    found = cloud(scene_of(SEA, cold), name)
    assert (found == expected).mean() >= least


@pytest.mark.parametrize("name", ["clusters", "kim2020"])
@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (3, 3), (12, 1), (40, 50)])
def test_scenes_that_are_one_thing_are_not_split(name: str, shape: tuple[int, int]) -> None:
    assert (cloud(scene_of(SEA, shape=shape), name) == 0).all()
    assert (cloud(scene_of(SUNLIT_SEA, shape=shape), name) == 0).all()
    assert (cloud(scene_of(BRIGHT_CLOUD, shape=shape), name) == 1).all()


def test_noise_alone_makes_no_cloud() -> None:
    rng = np.random.default_rng(1)
    bands = {name: value + rng.normal(0, 0.05, SHAPE) for name, value in SEA.items()}
    mask = Clusters().predict(build_scene(bands, attributes=NIGHT))
    assert (mask["cloud_mask"].values == 0).all()
    assert float(mask["cloud_probability"].max()) < 0.2


@pytest.mark.parametrize("absent", [("S7",), ("S8",), ("S9",), ("S4", "S6"), ("S2",), ("S8", "S9")])
def test_bands_may_be_absent(absent: tuple[str, ...]) -> None:
    scene = scene_of(SUNLIT_SEA, BRIGHT_CLOUD, zenith_deg=40).drop_vars(list(absent))
    found = cloud(scene)
    assert found[30, 45] == 1, absent
    assert found[5, 5] == 0


def test_nothing_known_is_never_clear() -> None:
    scene = scene_of(SEA)
    for name in SEA:
        scene[name].values[:, :9] = NAN
        scene[name].values[7] = NAN
    found = cloud(scene)
    assert (found[:, :9] == 255).all()
    assert (found[7] == 255).all()
    assert (np.delete(found, 7, axis=0)[:, 9:] == 0).all()
    # Visible bands but no light that is known: nothing can be said.
    only = scene_of(SUNLIT_SEA, zenith_deg=120)[["S1", "S3"]]
    assert (cloud(only) == 255).all()
    everything = {name: np.full(SHAPE, NAN, np.float32) for name in SEA}
    assert (cloud(build_scene(everything)) == 255).all()


def test_a_cluster_has_the_mean_vote_of_its_pixels() -> None:
    # Two clumps far apart: 300 points at -1 of which a third vote, 300 at 1 of which all do.
    points = np.repeat(np.array([[-1.0, 1.0]], np.float32), 300, axis=1)
    votes = np.repeat(np.array([1, 0, 0, 1, 1, 1], np.float32), 100)
    found = mean_votes(points, votes)
    np.testing.assert_allclose(found[:300], 1 / 3, atol=1e-6)
    np.testing.assert_allclose(found[300:], 1, atol=1e-6)


@pytest.mark.parametrize("name", ["clusters", "kim2020"])
def test_truth_and_the_products_cloud_flags_are_never_looked_at(name: str) -> None:
    scene = simulate_scene(3, (96, 128), like="test-set")
    told = {"truth", "bayes", "cloud", "summary_cloud", "cloud_probability_provider"}
    strata = set(scene.data_vars) - {f"S{n}" for n in range(1, 10)} - {"confidence"}
    assert told <= strata
    surface = scene["confidence"].copy(data=scene["confidence"].values & 0x1F)
    bare = scene.drop_vars(list(strata)).assign(confidence=surface)
    first, second = (get_detector(name).predict(s)["cloud_probability"] for s in (scene, bare))
    np.testing.assert_array_equal(first.values, second.values)


def test_it_is_the_same_each_time_and_right_by_day() -> None:
    for daytime in (True, False):
        scene = simulate_scene(11, (240, 320), like="test-set", daytime=daytime)
        truth, known = label(scene, "truth")
        first, second = cloud(scene), cloud(scene)
        np.testing.assert_array_equal(first, second)
        assert (first[known] != 255).all()
        # A window of the night this small may lie in one deck, with nothing clear to compare with.
        if daytime:
            assert (first[known] == truth[known]).mean() > 0.85
