import numpy as np
import numpy.typing as npt
import pytest
import xarray as xr

from slstr_cloudmask.errors import InputError
from slstr_cloudmask.evaluation.comparison import compare_masks
from slstr_cloudmask.evaluation.counts import Counts
from slstr_cloudmask.evaluation.strata import scene_strata, surface_strata
from slstr_cloudmask.flags import flag_variable, value_flag_variable
from slstr_cloudmask.scene import build_scene

CONFIDENCE = {
    "coastline": 1,
    "ocean": 2,
    "land": 8,
    "inland_water": 16,
    "sun_glint": 4096,
    "snow": 8192,
}
# Two rows of four; the last pixel is unknown to one or the other.
OURS = np.array([[0, 0, 1, 1], [1, 0, 1, 255]], np.uint8)
THEIRS = np.array([[0, 1, 0, 1], [1, 255, 1, 0]], np.uint8)
# Known to both: 6. Both clear: 1. Both cloud: 3. Only ours: 1. Only theirs: 1.
COUNTS = Counts(tp=3, fp=1, tn=1, fn=1)


def make_scene(confidence: npt.ArrayLike, **kinds: xr.Variable) -> xr.Dataset:
    values = np.asarray(confidence, np.uint16)
    zenith_deg = np.array([[30, 79, 80, 89], [90, 120, 120, np.nan]])
    flags = {"confidence": flag_variable(values, CONFIDENCE, fill=65535), **kinds}
    bands = {"S8": np.full((2, 4), 280.0)}
    return build_scene(bands, coordinates={"solar_zenith_angle": zenith_deg}, flags=flags)


def test_confusion_of_two_masks_by_hand() -> None:
    left = np.array([[True, True, False, False]] * 2)

    rows = compare_masks({"ours": OURS, "theirs": THEIRS}, {("surface", "left"): left})

    assert [(row.by, row.stratum) for row in rows] == [("all", "all"), ("surface", "left")]
    assert rows[0].counts == COUNTS
    # (0,0) clear in both, (0,1) only theirs, (1,0) cloud in both, (1,1) unknown to them.
    assert rows[1].counts == Counts(tp=1, fp=0, tn=1, fn=1)
    assert rows[0].to_dict() == {
        "first": "ours",
        "second": "theirs",
        "by": "all",
        "stratum": "all",
        "pixels": 6,
        "both_clear": 1,
        "both_cloud": 3,
        "only_first": 1,
        "only_second": 1,
        "agreement": 4 / 6,
    }


def test_counts_of_disjoint_strata_add_to_all() -> None:
    left = np.array([[True, False, True, False]] * 2)
    strata = {("surface", "left"): left, ("surface", "right"): ~left}

    rows = compare_masks({"ours": OURS, "theirs": THEIRS}, strata)

    assert rows[1].counts + rows[2].counts == rows[0].counts


def test_every_pair_and_the_truth_is_always_the_second() -> None:
    masks = {"truth": THEIRS, "ours": OURS, "other": OURS}

    rows = compare_masks(masks, {})

    pairs = [(row.first, row.second) for row in rows]
    assert pairs == [("ours", "truth"), ("other", "truth"), ("ours", "other")]
    scored = rows[0].to_dict()
    # 3 hits, 1 miss, 1 false alarm, 1 clear found: 3/4 − 1/2, and all cloud is right on 4 of 6.
    assert scored["scores"]["kuipers"] == 0.25
    assert scored["all_cloud"]["accuracy"] == pytest.approx(4 / 6)
    assert scored["all_clear"]["accuracy"] == pytest.approx(2 / 6)
    assert "scores" not in rows[2].to_dict()
    assert rows[2].counts.accuracy == 1.0


def test_strata_without_a_pixel_known_to_both_have_no_row() -> None:
    nowhere = np.zeros((2, 4), bool)
    nowhere[1, 3] = True  # unknown to ours

    rows = compare_masks({"a": OURS, "b": THEIRS}, {("surface", "lake"): nowhere})

    assert len(rows) == 1


@pytest.mark.parametrize(
    ("masks", "message"),
    [
        ({"a": OURS}, "Two masks or more are compared, and 1 was named"),
        ({"a": OURS, "b": THEIRS[:1]}, r"'a' and 'b' have \(2, 4\) and \(1, 4\) pixels"),
        ({"a": OURS, "b": np.full((2, 4), 255)}, "know no pixel in common"),
    ],
)
def test_masks_that_cannot_be_compared(masks: dict[str, npt.ArrayLike], message: str) -> None:
    with pytest.raises(InputError, match=message):
        compare_masks(masks, {})


def test_surfaces_by_the_product_s_own_flag() -> None:
    # Ocean; glint on ocean; coast of the ocean; land. Snow on land; a lake, which is land, too;
    # nothing; fill.
    scene = make_scene([[2, 2 + 4096, 2 + 1, 8], [8 + 8192, 8 + 16, 0, 65535]])

    found = {name: where.astype(int).tolist() for name, where in surface_strata(scene).items()}

    assert found == {
        "land": [[0, 0, 0, 1], [1, 0, 0, 0]],
        "ocean": [[1, 1, 1, 0], [0, 0, 0, 0]],
        "inland water": [[0, 0, 0, 0], [0, 1, 0, 0]],
        "coast": [[0, 0, 1, 0], [0, 0, 0, 0]],
        "snow or ice": [[0, 0, 0, 0], [1, 0, 0, 0]],
        "sun glint": [[0, 1, 0, 0], [0, 0, 0, 0]],
    }


def test_bits_are_found_by_their_meanings() -> None:
    moved = {"ocean": 1, "land": 2}
    scene = make_scene(np.zeros((2, 4)))
    values = np.array([[1, 1, 2, 2]] * 2, np.uint16)
    scene["confidence"] = flag_variable(values, moved)

    found = surface_strata(scene)

    assert list(found) == ["land", "ocean"]
    assert found["ocean"].sum() == 4


def test_kinds_of_simulated_scenes_are_the_true_surface() -> None:
    kinds = {"ocean": 0, "forest": 1, "desert": 4, "sea_ice": 7, "inland_water": 9}
    values = [[0, 1, 4, 7], [9, 255, 0, 0]]
    kind = value_flag_variable(values, kinds, long_name="kind of surface")

    found = surface_strata(make_scene(np.full((2, 4), 8 + 1), surface_kind=kind))

    assert found["land"].tolist() == [[False, True, True, False], [False] * 4]
    assert found["snow or ice"].sum() == 1
    assert found["ocean"].sum() == 3
    assert found["coast"].all()  # still by the flag


def test_strata_of_a_scene_are_those_that_are_there() -> None:
    strata = scene_strata(make_scene([[2, 2, 2, 2], [2, 2, 2, 65535]]))

    assert list(strata) == [
        ("regime", "day"),
        ("regime", "twilight"),
        ("regime", "night"),
        ("surface", "ocean"),
    ]
    # Below 80 degrees day, from 90 on night, NaN neither.
    assert [int(where.sum()) for where in strata.values()] == [2, 2, 3, 7]


def test_a_scene_that_tells_nothing_has_no_strata() -> None:
    assert scene_strata(build_scene({"S8": np.full((2, 4), 280.0)})) == {}
