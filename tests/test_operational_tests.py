"""The tests of histograms and of two views, against numbers worked out by hand."""

import numpy as np
import numpy.typing as npt
import pytest
import xarray as xr

from slstr_cloudmask.detectors import cloud_tests as tests
from slstr_cloudmask.detectors import get_detector
from slstr_cloudmask.detectors.histogram_tests import reflectance_histogram, thermal_histogram
from slstr_cloudmask.detectors.thresholds import (
    HISTOGRAM_TESTS,
    TESTS,
    VIEW_TESTS,
    OperationalThresholds,
    Thresholds,
)
from slstr_cloudmask.errors import InputError
from slstr_cloudmask.flags import flag_variable
from slstr_cloudmask.scene import bands_present, build_scene, shared_ground, with_oblique

Float = npt.NDArray[np.float32]


def a(*values: float) -> Float:
    return np.array(values, np.float32)


def box(
    clear: float, cloudy: float, share: float = 0.5, shape: tuple[int, int] = (32, 32)
) -> Float:
    """Fill a box's first rows with clear sea, the rest with cloud, with some noise."""
    values = np.full(shape, clear, np.float32)
    values[int(share * shape[0]) :] = cloudy
    noise = np.random.default_rng(1).standard_normal(shape).astype(np.float32)
    return values + np.float32(0.001) * noise


SEA = np.ones((32, 32), bool)
NO_GLINT = np.zeros((32, 32), bool)


def test_the_valley_behind_the_clear_peak() -> None:
    support = reflectance_histogram(box(0.012, 0.2), SEA, NO_GLINT, 32)
    # Bins of .005 from -.01: the peak in [.010, .015), half as high in its neighbours; in
    # [.020, .025) nothing is left, so the limit is .0225.
    assert (support[:16] == 0).all()
    assert (support[16:] == 1).all()
    edge = box(0.012, 0.2)
    edge[20, 20] = 0.0225
    assert reflectance_histogram(edge, SEA, NO_GLINT, 32)[20, 20] == pytest.approx(0.5, abs=1e-3)


@pytest.mark.parametrize(
    ("values", "sea", "glint"),
    [
        (box(0.4, 0.4), SEA, NO_GLINT),  # overcast: no dark peak
        (box(0.012, 0.2), None, NO_GLINT),  # no map
        (box(0.012, 0.2), ~SEA, NO_GLINT),  # land
        (box(0.012, 0.2), SEA, ~NO_GLINT),  # glint everywhere
        (np.full((32, 32), np.nan, np.float32), SEA, NO_GLINT),
        (np.linspace(0.0, 0.19, 1024, dtype=np.float32).reshape(32, 32), SEA, NO_GLINT),  # no peak
    ],
    ids=["overcast", "no map", "land", "glint", "missing", "flat"],
)
def test_where_there_is_no_clear_peak_nothing_is_said(
    values: Float, sea: npt.NDArray[np.bool_] | None, glint: npt.NDArray[np.bool_]
) -> None:
    assert np.isnan(reflectance_histogram(values, sea, glint, 32)).all()


def test_boxes_are_judged_apart_and_need_not_fit() -> None:
    values = np.concatenate([box(0.012, 0.2), box(0.4, 0.4, shape=(20, 32))])
    sea = np.ones(values.shape, bool)
    support = reflectance_histogram(values, sea, ~sea, 32)
    assert np.isfinite(support[:32]).all()
    assert np.isnan(support[32:]).all()
    assert np.isnan(reflectance_histogram(a(0.01)[np.newaxis], sea[:1, :1], ~sea[:1, :1], 32)).all()


def test_thermal_histogram_by_hand() -> None:
    shape = (128, 128)
    s9, difference = np.full(shape, 289.1, np.float32), np.full(shape, 1.0, np.float32)
    # Cirrus: 3 K colder than 289.25 K (the middle of the peak's bin), 1 K more difference; cloud
    # whose difference is the sea's; a warmer patch with another, too small to be a peak.
    s9[:10], difference[:10] = 286.0, 2.0
    s9[20:30] = 280.0
    s9[40:45], difference[40:45] = 291.6, 0.3
    support = thermal_histogram(s9 + difference, s9, np.ones(shape, bool))
    assert (support[:10] == 1).all()
    assert (support[10:] == 0).all()
    assert np.isnan(thermal_histogram(s9 + difference, s9, None)).all()


def test_view_difference_of_11_and_12_um() -> None:
    sea = np.array([True] * 4)
    # At nadir, difference 1 K: clear air makes 2 * 1 * .74 = 1.48 K; then .5, 1.5, 2 K beyond, and
    # 2 K the other way.
    s8 = a(290, 290, 290, 290)
    oblique = s8 - a(1.98, 2.98, 3.48, -0.52)
    support = tests.view_difference_11_12(s8, s8 - 1, oblique, 1.0, sea)
    np.testing.assert_allclose(support, [0, 0.5, 1, 1], atol=1e-3)
    assert np.isnan(tests.view_difference_11_12(s8, s8 - 1, oblique, 1.0, ~sea)).all()
    assert np.isnan(tests.view_difference_11_12(s8, s8 - 1, oblique, 1.0, None)).all()


def test_view_difference_of_37_and_11_um() -> None:
    sea = np.array([True] * 4)
    s7, s8 = a(290, 290, 290, 238), a(290, 290, 290, 238)
    # 11 um changes by 2 K, so clear air changes 3.7 um by .6 to 2.0 K. 1 K; 2.5 K is half a
    # kelvin beyond; -.2 K is .8 K short; and where S7 is noise.
    support = tests.view_difference_37_11(s7, s8, s7 - a(1, 2.5, -0.2, 9), s8 - 2, sea)
    np.testing.assert_allclose(support, [0, 0.5, 1, 0], atol=1e-3)
    assert np.isnan(tests.view_difference_37_11(s7, s8, s7, s8, None)).all()


# The detector


def sea_scene(s8: float, shape: tuple[int, int], **place: float) -> xr.Dataset:
    """Build a night over the sea, in one of the views."""
    scene = build_scene(
        {"S7": np.full(shape, s8 + 0.3), "S8": np.full(shape, s8), "S9": np.full(shape, s8 - 0.8)},
        attributes={"illumination": "night", "source": "made"} | place,
    )
    scene["confidence"] = flag_variable(np.full(shape, 2, np.uint16), {"ocean": 2, "land": 8})
    return scene


NADIR = {"start_offset": 10, "track_offset": 8}
OBLIQUE = {"start_offset": 12, "track_offset": 5}


def test_views_meet_on_the_ground() -> None:
    nadir, oblique = sea_scene(289, (9, 12), **NADIR), sea_scene(288, (9, 6), **OBLIQUE)
    # Row 2 of nadir is row 0 of oblique; column 3 is column 0.
    here, there = shared_ground(nadir, oblique)
    assert (here, there) == ((slice(2, 9), slice(3, 9)), (slice(0, 7), slice(0, 6)))
    both = with_oblique(nadir, oblique)
    assert bands_present(both) == ("S7", "S8", "S9")
    assert (both["S8_oblique"].values[2:, 3:9] == 288).all()
    assert np.isnan(both["S8_oblique"].values[:2]).all()
    with pytest.raises(InputError, match="made has no attribute start_offset"):
        with_oblique(sea_scene(289, (3, 3)), oblique)


def test_cloud_that_one_view_alone_tells() -> None:
    nadir, oblique = sea_scene(289, (9, 12), **NADIR), sea_scene(288, (9, 6), **OBLIQUE)
    oblique["S8"][3, 2] = 280.0
    alone = OperationalThresholds().predict(nadir)
    assert (alone["cloud_mask"].values == 0).all()
    assert "view_difference_11_12" not in alone.attrs["tests_skipped"]
    both = OperationalThresholds().predict(with_oblique(nadir, oblique))
    assert both["cloud_mask"].values[5, 5] == 1
    assert (both["cloud_mask"].values == 1).sum() == 1
    assert {"view_difference_11_12", "view_difference_3.7_11"} <= set(
        both.attrs["tests_used"].split()
    )
    default = Thresholds().predict(with_oblique(nadir, oblique))
    assert (default["cloud_mask"].values == 0).all()


def test_the_operational_family_is_the_default_the_histograms_and_the_views() -> None:
    detector = get_detector("thresholds-operational")
    assert isinstance(detector, OperationalThresholds)
    assert detector.tests == (*TESTS, *HISTOGRAM_TESTS, *VIEW_TESTS)
    mask = detector.predict(sea_scene(289, (40, 40)))
    assert "thermal_histogram" in mask.attrs["tests_used"].split()
    assert (mask["cloud_mask"].values == 0).all()
