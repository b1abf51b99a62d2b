"""Reliability of probabilities: sums that add, and the scores they give."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from slstr_cloudmask.evaluation.calibration import BINS, Reliability
from slstr_cloudmask.evaluation.scores import calibrate, score_scene, summarise
from slstr_cloudmask.mask import build_mask
from tests.scenes import make_scene


def test_scores_by_hand() -> None:
    probability = np.array([0.02, 0.04, 0.81, 0.84, 1.0, 0.5, np.nan])
    label = np.array([0, 1, 1, 1, 1, 0, 1], bool)
    valid = np.array([1, 1, 1, 1, 1, 0, 1], bool)
    found = Reliability.of(probability, label, valid)
    # The sixth is not valid and the seventh has no probability: five pixels, four of them cloud.
    assert found.total == 5
    assert found.cloud_share == pytest.approx(0.8)
    # (0.02² + 0.96² + 0.19² + 0.16² + 0²) / 5 = (0.0004 + 0.9216 + 0.0361 + 0.0256) / 5.
    assert found.brier == pytest.approx(0.9837 / 5)
    # Bins 0–0.05: said 0.06 of one cloud; 0.8–0.85: 1.65 of two; 0.95–1: 1 of one.
    assert found.calibration_error == pytest.approx((0.94 + 0.35 + 0) / 5)
    # Against a constant of 0.8: 0.8 · 0.2 = 0.16, so the skill is 1 − 0.19674 / 0.16.
    assert found.scores()["brier_skill"] == pytest.approx(1 - 0.19674 / 0.16)
    bins = found.to_dict()["bins"]
    assert [(row["from"], row["pixels"]) for row in bins] == [(0.0, 2), (0.8, 2), (0.95, 1)]
    assert bins[1]["mean_probability"] == pytest.approx(0.825)
    assert bins[0]["cloud_share"] == 0.5


def test_no_pixels_and_one_class_have_no_skill_to_tell() -> None:
    assert set(Reliability().scores().values()) == {None}
    assert Reliability().to_dict()["climatology"] == {"probability": None, "brier": None}
    overcast = Reliability.constant(0.9, cloud=10, clear=0)
    assert overcast.scores()["brier"] == pytest.approx(0.01)
    assert overcast.scores()["brier_skill"] is None


def test_the_climatology_is_calibrated_and_has_no_skill() -> None:
    constant = Reliability.constant(0.75, cloud=30, clear=10)
    assert constant.calibration_error == 0
    # 0.75 · 0.25² + 0.25 · 0.75² = 0.1875 = 0.75 · 0.25.
    assert constant.brier == pytest.approx(0.1875)
    assert constant.brier == pytest.approx(constant.uncertainty)
    assert constant.scores()["brier_skill"] == pytest.approx(0)


@given(
    probability=arrays(np.float32, 50, elements=st.floats(0, 1, width=32)),
    label=arrays(bool, 50),
    cut=st.integers(0, 50),
)
def test_sums_add_and_match_the_pixels(
    probability: npt.NDArray[np.float32], label: npt.NDArray[np.bool_], cut: int
) -> None:
    def of(part: slice) -> Reliability:
        return Reliability.of(probability[part], label[part], np.ones(50, bool)[part])

    whole, parts = of(slice(None)), of(slice(cut)) + of(slice(cut, None))
    assert (parts.pixels, parts.cloud) == (whole.pixels, whole.cloud)
    assert sum(whole.pixels) == 50
    exact = np.mean((probability.astype(float) - label) ** 2)
    assert parts.brier == pytest.approx(exact, abs=1e-12)
    assert whole.brier == pytest.approx(exact, abs=1e-12)
    assert parts.probability == pytest.approx(whole.probability)
    # The error is that of a plain loop over the bins.
    places = np.minimum((probability.astype(float) * BINS).astype(int), BINS - 1)
    groups = [places == number for number in np.unique(places)]
    plain = sum(abs((probability[g].astype(float) - label[g]).sum()) for g in groups) / 50
    assert parts.calibration_error == pytest.approx(plain, abs=1e-9)


def test_day_and_night_are_calibrated_apart_and_the_trivial_masks_are_beside() -> None:
    scores = []
    for number, (part, sure) in enumerate([("day", 0.9), ("night", 0.6)]):
        scene = make_scene(number, (20, 20))
        probability = np.where(scene["truth"].values == 1, sure, 1 - sure)
        mask = build_mask(scene, probability, threshold=0.5, detector="x")
        scores.append(score_scene(scene, mask, name=part, part=part, detector="x", label="truth"))
    every, day, night = calibrate(scores)
    # Every pixel is off by 0.1 by day and by 0.4 at night; both parts have 20 · 17 seen pixels.
    assert day["brier"] == pytest.approx(0.01, abs=1e-6)
    assert night["brier"] == pytest.approx(0.16, abs=1e-6)
    assert every["brier"] == pytest.approx(0.085, abs=1e-6)
    assert every["pixels"] == 2 * 20 * 17
    assert (day["part"], night["part"], night["mask"]) == ("day", "night", "x")
    assert day["calibration_error"] == pytest.approx(0.1, abs=1e-6)
    mine, cloud, clear = summarise(scores)[:3]
    assert mine["brier"] == pytest.approx(every["brier"])
    # A mask that is sure of cloud everywhere is off by 1 on every clear pixel.
    clear_share = 1 - every["climatology"]["probability"]
    assert cloud["brier"] == cloud["calibration_error"] == pytest.approx(clear_share)
    assert clear["brier"] == pytest.approx(1 - clear_share)
