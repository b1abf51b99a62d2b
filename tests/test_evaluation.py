"""Counts, scores and their summary."""

import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from slstr_cloudmask.errors import InputError, MissingLabelError
from slstr_cloudmask.evaluation.counts import Counts
from slstr_cloudmask.evaluation.scores import score_scene, summarise
from slstr_cloudmask.mask import build_mask
from tests.scenes import make_scene

# 100 pixels: 60 labelled cloud of which 50 are found, 40 clear of which 8 are called cloud.
EXAMPLE = Counts(tp=50, fp=8, tn=32, fn=10)


def test_scores_by_hand() -> None:
    assert EXAMPLE.total == 100
    assert EXAMPLE.accuracy == pytest.approx(82 / 100)
    assert EXAMPLE.precision == pytest.approx(50 / 58)
    assert EXAMPLE.recall == pytest.approx(50 / 60)
    assert EXAMPLE.false_detection_rate == pytest.approx(8 / 40)
    # Of the 58 that are called cloud 8 are clear, of the 40 that are clear 8 are called cloud.
    assert EXAMPLE.false_alarm_ratio == pytest.approx(8 / 58)
    assert EXAMPLE.cloud_contamination == pytest.approx(10 / 42)
    assert EXAMPLE.f1 == pytest.approx(100 / 118)
    assert EXAMPLE.iou == pytest.approx(50 / 68)
    assert EXAMPLE.f1_clear == pytest.approx(64 / 82)
    assert EXAMPLE.iou_clear == pytest.approx(32 / 50)
    # (50·32 − 8·10) / √(58·60·40·42) = 1520 / 2417.93.
    assert EXAMPLE.mcc == pytest.approx(0.628637, abs=1e-6)
    # Chance is right on (60·58 + 42·40)/100 = 51.6 pixels: (82 − 51.6) / (100 − 51.6).
    assert EXAMPLE.heidke == pytest.approx(30.4 / 48.4)
    # Kuipers: 50/60 − 8/40 = 0.6333; balanced accuracy: (50/60 + 32/40)/2 = 0.81667.
    assert EXAMPLE.kuipers == pytest.approx(0.633333, abs=1e-6)
    assert EXAMPLE.balanced_accuracy == pytest.approx(0.816667, abs=1e-6)
    # The mask has 58 cloudy pixels, the label 60.
    assert EXAMPLE.cloud_fraction_bias == pytest.approx(-0.02)


def test_trivial_masks_have_no_skill() -> None:
    assert EXAMPLE.all_cloud() == Counts(tp=60, fp=40)
    assert EXAMPLE.all_clear() == Counts(tn=40, fn=60)
    assert EXAMPLE.all_cloud().kuipers == 0
    assert EXAMPLE.all_clear().kuipers == 0


def test_a_score_that_is_not_defined_is_not_a_number() -> None:
    assert math.isnan(Counts().accuracy)
    assert math.isnan(Counts(tn=5).recall)
    assert Counts(tn=5).scores()["recall"] is None


@given(pixels=arrays(np.int8, 60, elements=st.integers(0, 7)), cut=st.integers(0, 60))
def test_counts_add_and_match_a_plain_count(pixels: npt.NDArray[np.int8], cut: int) -> None:
    cloud, label, valid = (pixels & 1) > 0, (pixels & 2) > 0, (pixels & 4) > 0
    whole = Counts.of(cloud, label, valid)
    parts = [Counts.of(cloud[s], label[s], valid[s]) for s in (slice(cut), slice(cut, None))]
    assert parts[0] + parts[1] == whole
    assert whole == Counts(
        tp=int((cloud & label & valid).sum()),
        fp=int((cloud & ~label & valid).sum()),
        tn=int((~cloud & ~label & valid).sum()),
        fn=int((~cloud & label & valid).sum()),
    )


def test_the_published_metric_counts_borders_and_the_honest_one_does_not() -> None:
    scene = make_scene(0, (10, 20), empty_columns=4)
    everywhere_cloud = build_mask(scene, np.ones((10, 20)), threshold=0.5, detector="x")
    score = score_scene(scene, everywhere_cloud, name="a", part="day", detector="x", label="bayes")
    cloudy = int((scene["truth"].values == 1).sum())
    assert score.valid == Counts(tp=cloudy, fp=160 - cloudy)
    # Of 200 pixels, 40 are border: not seen, so clear in label and, by default, in the mask.
    assert score.every == Counts(tp=cloudy, fp=160 - cloudy, tn=40)
    faithful = score_scene(
        scene,
        everywhere_cloud,
        name="a",
        part="day",
        detector="x",
        label="bayes",
        cloud_everywhere=np.ones((10, 20), bool),
    )
    assert faithful.every == Counts(tp=cloudy, fp=200 - cloudy)
    assert faithful.valid == score.valid


def test_pixels_without_an_answer_are_neither_right_nor_wrong() -> None:
    scene = make_scene(0, (10, 20), empty_columns=0)
    probability = np.ones((10, 20))
    probability[3] = np.nan
    mask = build_mask(scene, probability, threshold=0.5, detector="x")
    score = score_scene(scene, mask, name="a", part="day", detector="x", label="truth")
    assert score.valid.total == 180
    assert score.unanswered == 20


def test_a_mask_of_another_shape_or_a_missing_label_is_refused() -> None:
    scene, other = make_scene(0, (10, 20)), make_scene(0, (10, 21))
    mask = build_mask(other, np.ones((10, 21)), threshold=0.5, detector="x")
    with pytest.raises(InputError, match="do not fit"):
        score_scene(scene, mask, name="a", part="day", detector="x", label="truth")
    with pytest.raises(MissingLabelError, match="holds no 'truth'"):
        score_scene(
            scene.drop_vars("truth"), mask, name="a", part="day", detector="x", label="truth"
        )


def test_the_summary_has_day_night_and_trivial_rows() -> None:
    scores = []
    for number, part in enumerate(["day", "day", "night"]):
        scene = make_scene(number, (20, 20))
        perfect = np.where(scene["truth"].values == 1, 0.9, 0.1)
        for detector, probability in (("right", perfect), ("wrong", 1 - perfect)):
            mask = build_mask(scene, probability, threshold=0.5, detector=detector)
            scores.append(
                score_scene(
                    scene, mask, name=str(number), part=part, detector=detector, label="truth"
                )
            )
    rows = summarise(scores)
    assert [(r["mask"], r["part"], r["scenes"]) for r in rows] == [
        (mask, part, scenes)
        for part, scenes in (("all", 3), ("day", 2), ("night", 1))
        for mask in ("right", "wrong", "all cloud", "all clear")
    ]
    right, wrong, cloud, clear = rows[:4]
    assert right["accuracy"] == 1
    assert right["kuipers"] == 1
    assert wrong["accuracy"] == 0
    assert cloud["accuracy"] + clear["accuracy"] == pytest.approx(1)
    assert right["accuracy_scene_sd"] == 0
    assert "truth" in right["meaning"]
