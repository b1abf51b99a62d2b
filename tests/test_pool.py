"""Scores of many masks over many scenes: curves, strata, and statistics over scenes."""

import math

import numpy as np
import pytest

from slstr_cloudmask.errors import InputError
from slstr_cloudmask.evaluation.calibration import (
    EDGES,
    FINE,
    Reliability,
    brier_of,
    calibration_error_of,
)
from slstr_cloudmask.evaluation.counts import SCORES, Counts, score_many
from slstr_cloudmask.evaluation.curves import Curves
from slstr_cloudmask.evaluation.pool import Labelled, Pool, score_strata
from slstr_cloudmask.evaluation.scatter import (
    bootstrap,
    cloud_fraction_rmse,
    compare_scenes,
    macro,
    sums_intervals,
)
from slstr_cloudmask.evaluation.strata import EVERYTHING
from slstr_cloudmask.evaluation.summary import compare_masks_of, curves_of, summarise_pool


def kuipers(counts: Counts) -> float:
    return counts.kuipers


def reliability(probability: list[float], label: list[int]) -> Reliability:
    return Reliability.of(np.array(probability), np.array(label, bool), np.ones(len(label), bool))


def test_curves_by_hand() -> None:
    # Cloud said 0.9, 0.8, 0.3; clear said 0.8, 0.1: from the top, thresholds find
    # 1 of 3 cloud, 0 of 2 clear; then 2 and 1 (both said 0.8); then 3 and 1; then 3 and 2.
    curves = Curves.of(reliability([0.9, 0.8, 0.3, 0.8, 0.1], [1, 1, 1, 0, 0]))
    assert curves.hits.tolist() == [0, 1, 2, 3, 3]
    assert curves.false.tolist() == [0, 0, 1, 1, 2]
    # Six pairs of cloud and clear: 0.9 and 0.8 beat 0.1, 0.9 beats 0.8, 0.8 ties, 0.3 beats 0.1
    # and loses to 0.8: 3 + 1 + 1/2 = 4.5 of 6.
    assert curves.roc_area == pytest.approx(4.5 / 6)
    # Each threshold adds a third of the recall, at precisions 1, 2/3 and 3/4; the last adds none.
    assert curves.precision_area == pytest.approx((1 + 2 / 3 + 3 / 4) / 3)
    # Of clear, from the bottom: 0.1 is clear (1/1); 0.3 adds no clear; 0.8 the second (2 of 4).
    assert curves.precision_area_clear == pytest.approx((1 / 1 + 2 / 4) / 2)
    # One clear of two can be kept without cloud; both only with two of three cloud among four.
    assert curves.clear_retention(0.02) == pytest.approx(1 / 2)
    assert curves.clear_retention(0.5) == 1.0


def test_no_threshold_keeps_to_a_contamination() -> None:
    # The least cloudy pixel is cloud itself, so nothing can be called clear: 0 is meant.
    assert Curves.of(reliability([0.1, 0.9], [1, 0])).clear_retention(0.05) == 0


@pytest.mark.parametrize("label", [[1, 1], [0, 0]])
def test_one_class_has_no_curves(label: list[int]) -> None:
    curves = Curves.of(reliability([0.2, 0.7], label))
    scores = curves.scores()
    assert scores["roc_area"] is None
    assert scores["clear_retention_2"] is None
    assert curves.points() == []
    assert set(Curves.of(Reliability()).scores().values()) == {None}


def test_points_of_a_curve_lead_from_no_cloud_to_all_cloud() -> None:
    rng = np.random.default_rng(0)
    said = rng.random(5000)
    label = (rng.random(5000) < said).tolist()
    points = Curves.of(reliability(said.tolist(), label)).points()
    assert 50 < len(points) <= 200
    first, last = points[0], points[-1]
    assert (first["detection"], first["false_detection"], first["precision"]) == (0, 0, None)
    assert (last["detection"], last["false_detection"], last["contamination"]) == (1, 1, None)


def test_bins_are_fine_where_networks_are_sure() -> None:
    assert FINE == len(EDGES) == 1 + 18 + 999 + 18
    assert (np.diff(EDGES) > 0).all()
    # 1e-5 and 1e-4 are told apart, so that clear may be kept by either.
    curves = Curves.of(reliability([1e-5, 1e-4, 0.9], [0, 1, 1]))
    assert curves.clear_retention(0.02) == 1.0


def test_the_decomposition_of_the_brier_score() -> None:
    # Four pixels said 0.25 of which one is cloud, four said 0.75 of which two are cloud.
    found = reliability([0.25] * 4 + [0.75] * 4, [1, 0, 0, 0, 1, 1, 0, 0])
    # Reliability: (4·0 + 4·0.25²)/8 = 1/32. All: 3/8. Resolution: (4·(1/8)² + 4·(1/8)²)/8 = 1/64.
    assert found.reliability == pytest.approx(1 / 32)
    assert found.resolution == pytest.approx(1 / 64)
    assert found.uncertainty == pytest.approx(15 / 64)
    # Brier: (0.75² + 3·0.25² + 2·0.25² + 2·0.75²)/8 = (0.5625 + 0.1875 + 0.125 + 1.125)/8.
    assert found.brier == pytest.approx(0.25)
    assert found.brier == pytest.approx(1 / 32 - 1 / 64 + 15 / 64)


def test_sums_of_another_number_of_bins_do_not_pass() -> None:
    with pytest.raises(ValueError, match="Expected sums over 1036 bins, found"):
        Reliability(pixels=(0,) * 20)


MASK = np.array([[0, 1], [1, 255]], np.uint8)
SAID = np.array([[0.1, 0.9], [0.7, np.nan]])


def test_strata_of_a_scene_by_hand() -> None:
    label = Labelled(np.array([[0, 1], [0, 1]], bool), np.ones((2, 2), bool))
    left = np.array([[True, False], [True, False]])
    nowhere = np.zeros((2, 2), bool)
    strata = {("surface", "left"): left, ("surface", "nowhere"): nowhere}
    scores = score_strata(MASK, SAID, label, strata)
    assert list(scores) == [EVERYTHING, ("surface", "left")]
    assert scores[EVERYTHING].counts == Counts(tp=1, fp=1, tn=1)
    assert scores[EVERYTHING].unanswered == 1
    assert scores["surface", "left"].counts == Counts(fp=1, tn=1)
    # 0.1² + 0.1² + 0.7² = 0.51 of three pixels.
    assert scores[EVERYTHING].reliability.brier == pytest.approx(0.51 / 3)
    with pytest.raises(InputError, match="do not fit"):
        score_strata(MASK[:1], SAID[:1], label, {})


def test_points_may_lie_in_one_pixel() -> None:
    places = (np.array([0, 0, 1]), np.array([1, 1, 1]))
    label = Labelled(np.array([1, 0, 1], bool), np.ones(3, bool), places)
    scores = score_strata(MASK, SAID, label, {})[EVERYTHING]
    assert (scores.counts, scores.unanswered) == (Counts(tp=1, fp=1), 1)


# Scenes of ten pixels, five of them cloud, of which a mask finds so many and calls none too many.
def scenes(*found: int) -> dict[str, Counts]:
    return {f"scene {n}": Counts(tp=tp, tn=5, fn=5 - tp) for n, tp in enumerate(found)}


def test_an_interval_over_scenes() -> None:
    # Kuipers of a draw is the mean of found/5 over the scenes drawn: of two scenes, 1 and 0, it is
    # 0, 1/2 or 1 with chances 1/4, 1/2, 1/4, so 95 % lie between both ends.
    interval = bootstrap(scenes(5, 0), kuipers)
    assert interval.to_list() == [0, 1]
    assert bootstrap(scenes(3, 3, 3), kuipers).to_list() == pytest.approx([0.6, 0.6])
    many = bootstrap(scenes(*[5, 0] * 50), kuipers)
    # Standard error 0.5/√100, so ±0.098 about 0.5.
    assert many.low == pytest.approx(0.402, abs=0.02)
    assert many.high == pytest.approx(0.598, abs=0.02)
    assert many == bootstrap(scenes(*[5, 0] * 50), kuipers)


def test_one_scene_or_a_score_that_is_seldom_defined_has_no_interval() -> None:
    assert bootstrap(scenes(3), kuipers).to_list() is None
    assert bootstrap({}, kuipers).to_list() is None
    # One scene of four holds clear: (3/4)^4 = 32 % of the draws do not.
    overcast = {f"s{n}": Counts(tp=5) for n in range(3)} | {"c": Counts(tn=5)}
    assert bootstrap(overcast, kuipers).to_list() is None


def test_means_over_scenes_leave_out_what_is_not_defined() -> None:
    counts = scenes(5, 4) | {"overcast": Counts(tp=5)}
    found = macro(counts, kuipers)
    assert found.mean == pytest.approx(0.9)
    assert found.scenes == 2
    assert found.deviation == pytest.approx(math.sqrt(2) * 0.1)
    # Of two scenes, 1 and 0.8, both ends come up in a quarter of the draws.
    assert found.interval.to_list() == pytest.approx([0.8, 1])
    assert macro({}, kuipers).interval.to_list() is None
    # Cloud fractions are off by 0, −0.1 and 0.
    assert cloud_fraction_rmse(counts) == pytest.approx(math.sqrt(0.01 / 3))
    assert math.isnan(cloud_fraction_rmse({}))


def test_two_masks_on_the_same_scenes() -> None:
    better, worse = scenes(*[5] * 8), scenes(*[4] * 8, 0)
    found = compare_scenes(better, worse, kuipers)
    assert found.scenes == 8  # the ninth was masked by one alone
    assert found.value == pytest.approx(0.2)
    assert found.interval.to_list() == pytest.approx([0.2, 0.2])
    # Only if all eight are exchanged or none is the difference as large: 2 of 256.
    assert found.p_value == pytest.approx(2 / 256, abs=0.006)
    same = compare_scenes(better, better, kuipers)
    assert (same.value, same.p_value) == (0, 1)
    nothing = compare_scenes(better, {}, kuipers).to_dict()
    assert nothing == {"difference": None, "interval": None, "p_value": None, "scenes": 0}


def test_rows_of_a_pool() -> None:
    pool = Pool()
    everywhere = np.ones((2, 2), bool)
    for name, cloud in (("one", [[0, 1], [1, 1]]), ("two", [[0, 1], [0, 0]])):
        label = Labelled(np.array(cloud, bool), everywhere)
        night = {("regime", "night"): np.array([[1, 1], [0, 0]], bool)}
        pool.add(name, score_strata(MASK, SAID, label, night), ("a", "truth"))
        unsure = np.full((2, 2), np.nan)
        pool.add(name, score_strata(MASK, unsure, label, night), ("b", "truth"))

    rows = summarise_pool(pool, draws=20)

    assert [(row["stratum"], row["mask"]) for row in rows] == [
        (stratum, mask)
        for stratum in ("all", "night")
        for mask in ("a", "b", "all cloud", "all clear")
    ]
    first, unsure_row, cloudy = rows[:3]
    # Scene one: clear, cloud, cloud found; scene two: clear, cloud found, one false.
    assert first["counts"] == {"tp": 3, "fp": 1, "tn": 2, "fn": 0}
    assert (first["scenes"], first["unanswered"]) == (2, 2)
    assert first["false_detection_rate"] == pytest.approx(1 / 3)
    assert first["scene_mean"]["accuracy"] == pytest.approx((1 + 2 / 3) / 2)
    assert set(first["scene_mean_interval"]) == set(first["scene_mean"])
    low, high = first["intervals"]["brier"]
    assert low < first["brier"] < high
    assert first["intervals"]["calibration_error"] is not None
    assert unsure_row["intervals"]["brier"] is None
    assert cloudy["intervals"]["brier"] is None
    assert first["cloud_fraction_rmse"] == pytest.approx(math.sqrt((1 / 3) ** 2 / 2))
    assert unsure_row["brier"] is None
    assert unsure_row["roc_area"] is None
    assert cloudy["counts"] == {"tp": 3, "fp": 3, "tn": 0, "fn": 0}
    assert cloudy["brier"] == pytest.approx(0.5)
    (difference, _) = compare_masks_of(pool, draws=20)
    assert (difference["first"], difference["second"], difference["difference"]) == ("a", "b", 0)
    assert [row["mask"] for row in curves_of(pool, (EVERYTHING,))] == ["a"]


def test_an_interval_of_a_calibration_error() -> None:
    # A scene that says 0.8 where all is cloud is off by 0.2, one where nothing is, by 0.8; of two
    # draws of both by 0.3 (0.8 against 0.5 cloud), so it is least where they are together.
    right, wrong = (
        Reliability.constant(0.8, cloud=cloud, clear=10 - cloud).sums for cloud in (10, 0)
    )
    assert calibration_error_of(right) == pytest.approx(0.2)
    assert calibration_error_of(right + wrong) == pytest.approx(0.3)
    assert brier_of(np.stack([right, wrong])) == pytest.approx([0.04, 0.64])
    scores = {"ece": calibration_error_of, "brier": brier_of}
    found = sums_intervals({"a": right, "b": wrong}, scores)
    assert found["ece"].to_list() == pytest.approx([0.2, 0.8])
    assert found["brier"].to_list() == pytest.approx([0.04, 0.64])
    assert sums_intervals({}, scores)["ece"].to_list() is None


@pytest.mark.parametrize("name", SCORES)
def test_scores_of_many_counts_are_those_of_each(name: str) -> None:
    counts = [Counts(50, 8, 32, 10), Counts(5, 0, 0, 0), Counts(), Counts(0, 0, 3, 1)]
    table = np.array([(c.tp, c.fp, c.tn, c.fn) for c in counts])
    np.testing.assert_allclose(
        score_many(table, SCORES[name]), [SCORES[name](c) for c in counts], rtol=1e-12
    )
