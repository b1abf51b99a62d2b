import numpy as np
import pytest
import xarray as xr

from slstr_cloudmask.flags import UNKNOWN, flag_variable, value_flag_variable
from slstr_cloudmask.io import open_scene
from slstr_cloudmask.mask import build_mask
from slstr_cloudmask.operational import (
    AGREEMENT_VALUES,
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
    **attributes: str,
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
    # Only where nothing is left to tell: the reference, which all products fill.
    assert list(operational_masks(make_scene(bayes=[0, 0, 0, 0, 0, 0]))) == [
        "esa_bayes_single_moderate"
    ]
    # A bit that is set at a pixel that was not seen says nothing either.
    assert "esa_bayes_dual_low" not in operational_masks(make_scene(bayes=[0, 2, 0, 0, 0, 4]))


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
    scene["bayes"] = flag_variable(np.array([[0, 4, 0, 0, 0, 0]], np.uint8), {"dual_low": 4})
    scene = scene.drop_vars("cloud")
    assert reference_name(scene, operational_masks(scene)) == "esa_bayes_dual_low"


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
