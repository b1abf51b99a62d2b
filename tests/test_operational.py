from typing import Any

import numpy as np
import pytest
import xarray as xr

from slstr_cloudmask.flags import UNKNOWN, flag_variable, value_flag_variable
from slstr_cloudmask.io import open_scene
from slstr_cloudmask.mask import build_mask
from slstr_cloudmask.operational import (
    AGREEMENT_VALUES,
    OBLIQUE_REACH_KM,
    carry,
    operational_masks,
    reference_name,
)
from slstr_cloudmask.scene import build_scene
from tests.scenes import BAYES_MASKS
from tests.test_geolocation import REAL, needs_real_product

# One row of six pixels: the last was not seen.
BT_KELVIN = np.array([[290.0, 290, 290, 290, 290, np.nan]])
SUMMARY = np.array([[0, 1, 0, 1, UNKNOWN, 1]])


def make_scene(
    *,
    bayes: list[int] | None = None,
    cloud: list[int] | None = None,
    summary: bool = False,
    **attributes: Any,
) -> xr.Dataset:
    flags = {}
    if bayes is not None:
        values = np.array([bayes], np.uint8)
        flags["bayes"] = flag_variable(values, BAYES_MASKS, fill=UNKNOWN)
    if cloud is not None:
        tests = {"visible": 1, "gross_cloud": 128, "spare": 256}
        flags["cloud"] = flag_variable(np.array([cloud], np.uint16), tests, fill=65535)
    if summary:
        flags["summary_cloud"] = value_flag_variable(
            SUMMARY, {"clear": 0, "cloud": 1}, long_name="summary"
        )
    given = {"platform": "Sentinel-3A"} | attributes
    return build_scene({"S8": BT_KELVIN}, flags=flags, attributes=given)


def make_mask(scene: xr.Dataset) -> xr.Dataset:
    probability = np.array([[0.1, 0.9, 0.9, 0.1, 0.9, 0.9]])
    return build_mask(scene, probability, threshold=0.5, detector="test")


def test_bits_become_masks_by_their_own_meanings() -> None:
    # single_moderate is 2, single_low 1; the fifth pixel has no value.
    masks = operational_masks(make_scene(bayes=[0, 3, 2, 0, 255, 3]))

    assert list(masks) == ["esa_bayes_single_low", "esa_bayes_single_moderate"]
    moderate = masks["esa_bayes_single_moderate"]
    assert moderate.dtype == np.uint8
    np.testing.assert_array_equal(moderate, [[0, 1, 1, 0, 255, 255]])
    np.testing.assert_array_equal(masks["esa_bayes_single_low"], [[0, 1, 0, 0, 255, 255]])
    assert moderate.attrs["flag_meanings"] == "clear cloud"
    np.testing.assert_array_equal(moderate.attrs["flag_values"], [0, 1])
    assert moderate.attrs["_FillValue"] == 255


def test_a_bit_that_is_set_nowhere_is_no_clear_sky() -> None:
    # No bit at all: the flag was never made, as on the 500 m grid of products.
    assert operational_masks(make_scene(bayes=[0, 0, 0, 0, 0, 0])) == {}
    # A bit that is set at a pixel that was not seen says nothing either.
    assert operational_masks(make_scene(bayes=[0, 0, 0, 0, 0, 2])) == {}
    # The reference stays where another bit is set.
    assert list(operational_masks(make_scene(bayes=[0, 1, 0, 0, 0, 4]))) == [
        "esa_bayes_single_low",
        "esa_bayes_single_moderate",
    ]


@pytest.mark.parametrize(
    ("grid", "track", "known"),
    [
        # Columns 0 to 4 and the track: 400 km are 400 columns of 1 km, and 800 of 500 m.
        ("1km", 402, [False, False, True, True, True]),
        ("1km", -398, [True, True, True, False, False]),
        ("500m", 803, [False, False, False, True, True]),
        ("500m", 402, [True] * 5),
        ("1km", 2, [True] * 5),
    ],
)
def test_bits_of_both_views_are_known_where_the_oblique_one_sees(
    grid: str, track: int, known: list[bool]
) -> None:
    scene = make_scene(bayes=[6] * 6, grid=grid, track_offset=track)

    masks = operational_masks(scene)

    expected = [[*(1 if there else 255 for there in known), 255]]
    np.testing.assert_array_equal(masks["esa_bayes_dual_low"], expected)
    np.testing.assert_array_equal(masks["esa_bayes_single_moderate"], [[1, 1, 1, 1, 1, 255]])


def test_bits_of_both_views_need_a_track() -> None:
    # As in files of the benchmark.
    assert list(operational_masks(make_scene(bayes=[6] * 6))) == ["esa_bayes_single_moderate"]


def test_a_mask_of_which_nothing_is_known_is_left_out() -> None:
    scene = make_scene(bayes=[255] * 6, cloud=[65535] * 6)

    assert operational_masks(scene) == {}
    assert set(carry(make_mask(scene), scene).data_vars) == set(make_mask(scene).data_vars)


def test_any_threshold_test_is_basic_cloud_and_spare_bits_are_none() -> None:
    masks = operational_masks(make_scene(cloud=[0, 1, 128, 256, 65535, 1]))

    np.testing.assert_array_equal(masks["esa_basic"], [[0, 1, 1, 0, 255, 255]])


@pytest.mark.parametrize(
    ("platform", "prefix"),
    [("Sentinel-3A", "esa_"), ("Sentinel-3A (simulated)", "provider_")],
)
def test_only_the_agency_s_masks_have_its_name(platform: str, prefix: str) -> None:
    masks = operational_masks(make_scene(summary=True, platform=platform))

    assert list(masks) == [f"{prefix}summary_cloud"]
    assert ("ESA" in masks[f"{prefix}summary_cloud"].attrs["long_name"]) == (prefix == "esa_")


def test_a_scene_with_truth_is_simulated() -> None:
    scene = make_scene(summary=True)
    scene["truth"] = value_flag_variable(SUMMARY, {"clear": 0, "cloud": 1}, long_name="truth")

    assert list(operational_masks(scene)) == ["provider_summary_cloud"]


def test_the_summary_is_compared_with_first() -> None:
    scene = make_scene(summary=True, bayes=[0, 2, 0, 0, 0, 0], cloud=[0, 1, 0, 0, 0, 0])
    assert reference_name(scene, operational_masks(scene)) == "esa_summary_cloud"
    scene = scene.drop_vars("summary_cloud")
    assert reference_name(scene, operational_masks(scene)) == "esa_bayes_single_moderate"
    scene = scene.drop_vars("bayes")
    assert reference_name(scene, operational_masks(scene)) == "esa_basic"
    scene["bayes"] = flag_variable(np.array([[0, 1, 0, 0, 0, 0]], np.uint8), {"single_low": 1})
    scene = scene.drop_vars("cloud")
    assert reference_name(scene, operational_masks(scene)) == "esa_bayes_single_low"


def test_masks_travel_along_with_their_agreement() -> None:
    scene = make_scene(summary=True, cloud=[0, 1, 0, 128, 65535, 1])
    mask = make_mask(scene)

    carried = carry(mask, scene)

    # This mask is 0 1 1 0 1 -, the summary 0 1 0 1 - 1.
    expected = [["both_clear", "both_cloud", "only_this_mask", "only_operational", None, None]]
    codes = [[UNKNOWN if word is None else AGREEMENT_VALUES[word] for word in expected[0]]]
    np.testing.assert_array_equal(carried["agreement"], codes)
    assert carried["agreement"].attrs["compared_with"] == "esa_summary_cloud"
    assert carried["cloud_mask"].attrs["ancillary_variables"].split()[-1] == "agreement"
    # The threshold tests stay one bit field, unknown where nothing was seen.
    tests = carried["esa_cloud_tests"]
    np.testing.assert_array_equal(tests, [[0, 1, 0, 128, 65535, 65535]])
    np.testing.assert_array_equal(tests.attrs["flag_masks"], [1, 128, 256])
    # Neither the mask nor the scene that were given have changed.
    xr.testing.assert_identical(mask, make_mask(scene).assign_attrs(history=mask.history))
    assert scene["cloud"].values[0, 5] == 1


@needs_real_product
def test_real_product() -> None:
    assert REAL is not None
    scene = open_scene(REAL)

    masks = operational_masks(scene)

    # Of the Bayesian bits the product sets single_moderate alone.
    assert list(masks) == ["esa_summary_cloud", "esa_bayes_single_moderate", "esa_basic"]
    known = masks["esa_summary_cloud"].values != UNKNOWN
    # As documented beside the product.
    assert known.mean() == pytest.approx(0.963, abs=0.001)
    assert (masks["esa_summary_cloud"].values[known] == 1).mean() == pytest.approx(0.17, abs=0.001)
    # The summary is any of the threshold tests.
    np.testing.assert_array_equal(masks["esa_basic"], masks["esa_summary_cloud"])


@needs_real_product
def test_real_product_at_500_m_has_no_bayesian_mask() -> None:
    assert REAL is not None
    scene = open_scene(REAL, grid="500m").drop_vars(["S7", "S9"])

    # flags_an holds 0 in bayes wherever it is filled.
    assert set(np.unique(scene["bayes"])) == {0, UNKNOWN}
    assert [name for name in operational_masks(scene) if "bayes" in name] == []


@needs_real_product
def test_real_oblique_view_sees_400_km_to_either_side() -> None:
    assert REAL is not None
    scene = open_scene(REAL, view="oblique")

    distance_km = np.arange(scene.sizes["columns"]) - scene.attrs["track_offset"]
    everywhere = np.isfinite(scene["S8"].values).all(axis=0)
    assert everywhere[np.abs(distance_km) <= OBLIQUE_REACH_KM].all()
    assert not everywhere[np.abs(distance_km) > OBLIQUE_REACH_KM + 7].any()
