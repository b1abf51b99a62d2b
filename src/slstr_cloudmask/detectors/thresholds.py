"""The threshold detector: the classical tests on each pixel, with no training.

    mask = Thresholds().predict(scene)

By day, twilight and night it runs the tests of `cloud_tests` that the light and the scene's bands
allow, and where the light is not known, those that need none. The cloud probability of a pixel is
the largest support that any test gives: no test can take away what another has seen, and nothing
beyond the tests is claimed. It is not calibrated. Where no test could be run the pixel is unknown.

Where it fails: much that is clear is flagged, for each test adds its false alarms (uneven land and
ice, veils too thin to count, edges of glint); wide low cloud at night with nothing warmer within
150 km and no map of the sea reads as clear; small cumulus over land. Each test's source stands with
it in `cloud_tests`, `histogram_tests` and `scda`.

`OperationalThresholds` runs the histogram tests of the operational family as well and, where the
scene holds the oblique view too, as ``cloudmask predict --view both`` gives it, those of the
differences between the views. They are left out here because they flag more of what is clear than
of what is cloud, as docs/masks.md shows.

The surface limits the tests. With a product's ``confidence`` flag, sea and land are known; with
latitudes, how cold clear sea can be. Without either, as in the benchmark's files, a pixel must be
well below the warmest around it before cold counts as cloud, and below 233 K it always does.

The tests with reflectances take them as they are in the scene, in either radiometry, and no
threshold is changed with it. The published thresholds are for true reflectance, to which
``adjusted`` is the nearer; ``as_distributed`` nadir S1 to S3 are 2 to 3 percent higher than that,
and S5 and S6 a tenth lower.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import xarray as xr

from slstr_cloudmask import channels
from slstr_cloudmask.detectors import cloud_tests as tests
from slstr_cloudmask.detectors.cloud_tests import Support
from slstr_cloudmask.detectors.histogram_tests import (
    LARGE_BOX_PX,
    SMALL_BOX_PX,
    reflectance_histogram,
    thermal_histogram,
)
from slstr_cloudmask.detectors.measured_scene import MeasuredScene
from slstr_cloudmask.flags import UNKNOWN
from slstr_cloudmask.mask import build_mask
from slstr_cloudmask.radiometry import scene_name
from slstr_cloudmask.scene import Regime, bands_present

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CloudTest:
    """A test: its name, the bands and the light it needs, and how it reads a `MeasuredScene`."""

    name: str
    bands: tuple[str, ...]
    regimes: tuple[int, ...]  # of `Regime`, and `UNKNOWN`
    run: Callable[[MeasuredScene], Support]
    oblique: tuple[str, ...] = ()  # bands of the oblique view that it needs


_DAY, _NIGHT = (Regime.DAY,), (Regime.NIGHT,)
_LIT = (Regime.DAY, Regime.TWILIGHT)
_ALWAYS = (Regime.DAY, Regime.TWILIGHT, Regime.NIGHT, UNKNOWN)

TESTS: tuple[CloudTest, ...] = (
    CloudTest(
        "gross_cloud", ("S8",), _ALWAYS, lambda v: tests.gross_cloud(v["S8"], v.gross_limit_kelvin)
    ),
    CloudTest(
        "thin_cirrus",
        ("S8", "S9"),
        _ALWAYS,
        lambda v: tests.thin_cirrus(v["S8"], v["S9"], v.secant),
    ),
    CloudTest(
        "spatial_coherence",
        ("S8",),
        _ALWAYS,
        lambda v: tests.spatial_coherence(v.spread_kelvin, v["S8"] - v.background_kelvin, v.sea),
    ),
    CloudTest(
        "fog_low_stratus",
        ("S7", "S8"),
        _NIGHT,
        lambda v: tests.fog_low_stratus(v["S7"], v["S8"]),
    ),
    CloudTest("medium_high", ("S7", "S9"), _NIGHT, lambda v: tests.medium_high(v["S7"], v["S9"])),
    CloudTest(
        "cirrus_1375",
        ("S1", "S4", "S5", "S8"),
        _LIT,
        lambda v: tests.cirrus_1375(v["S4"], v["S1"], v["S5"], v["S8"]),
    ),
    CloudTest(
        "visible_over_water",
        ("S1", "S2", "S3", "S5", "S8"),
        _DAY,
        lambda v: tests.visible_over_water(v["S1"], v["S2"], v["S3"], v["S5"], v.glint),
    ),
    CloudTest(
        "visible_bright",
        ("S1", "S3", "S5", "S8", "S9"),
        _LIT,
        lambda v: tests.visible_bright(v["S1"], v["S5"], v["S9"], v.glint),
    ),
    CloudTest(
        "reflected_37",
        ("S1", "S3", "S5", "S7", "S8", "S9"),
        _DAY,
        lambda v: tests.reflected_37(v["S1"], v["S5"], v["S7"], v["S8"], v["S9"], v.glint),
    ),
)

# These and those of the two views are left out of the default set, whose score they lower:
# docs/masks.md has the numbers.
HISTOGRAM_TESTS: tuple[CloudTest, ...] = (
    CloudTest(
        "small_histogram_1.6",
        ("S3", "S5", "S8"),
        _DAY,
        lambda v: reflectance_histogram(v["S5"], v.sea, v.glint, SMALL_BOX_PX),
    ),
    CloudTest(
        "large_histogram_1.6",
        ("S3", "S5", "S8"),
        _DAY,
        lambda v: reflectance_histogram(v["S5"], v.sea, v.glint, LARGE_BOX_PX),
    ),
    CloudTest(
        "small_histogram_2.25",
        ("S3", "S5", "S6", "S8"),
        _DAY,
        lambda v: reflectance_histogram(v["S6"], v.sea, v.glint, SMALL_BOX_PX),
    ),
    CloudTest(
        "large_histogram_2.25",
        ("S3", "S5", "S6", "S8"),
        _DAY,
        lambda v: reflectance_histogram(v["S6"], v.sea, v.glint, LARGE_BOX_PX),
    ),
    CloudTest(
        "thermal_histogram",
        ("S8", "S9"),
        _ALWAYS,
        lambda v: thermal_histogram(v["S8"], v["S9"], v.sea),
    ),
)

# For scenes that hold the oblique view too.
VIEW_TESTS: tuple[CloudTest, ...] = (
    CloudTest(
        "view_difference_11_12",
        ("S8", "S9"),
        _ALWAYS,
        lambda v: tests.view_difference_11_12(v["S8"], v["S9"], v["S8_oblique"], v.secant, v.sea),
        oblique=("S8_oblique",),
    ),
    CloudTest(
        "view_difference_3.7_11",
        ("S7", "S8"),
        _NIGHT,
        lambda v: tests.view_difference_37_11(
            v["S7"], v["S8"], v["S7_oblique"], v["S8_oblique"], v.sea
        ),
        oblique=("S7_oblique", "S8_oblique"),
    ),
)


class Thresholds:
    """Mask a scene by the classical threshold tests.

    Parameters
    ----------
    threshold
        Cloud where the largest support is at least this; 0.5 is the published thresholds.
    """

    name = "thresholds"
    tests = TESTS

    def __init__(self, threshold: float = 0.5) -> None:
        self.threshold = threshold

    def predict(self, scene: xr.Dataset) -> xr.Dataset:
        """Return the Mask of a Scene.

        Parameters
        ----------
        scene
            A Scene with any of the bands.

        Returns
        -------
        xarray.Dataset
            The Mask; its attributes ``tests_used`` and ``tests_skipped`` name the tests that ran
            and those whose bands or light are missing, ``bands_used`` what the first read.
        """
        measured = MeasuredScene(scene)
        present = set(bands_present(scene))
        family = [test for test in self.tests if set(test.oblique) <= set(scene.data_vars)]
        probability = np.full(measured.regime.shape, np.nan, np.float32)
        used = []
        for test in family:
            allowed = np.isin(measured.regime, test.regimes)
            if not present.issuperset(test.bands) or not allowed.any():
                continue
            support = np.where(allowed, test.run(measured), np.float32(np.nan))
            # fmax leaves NaN aside where the other is a number.
            np.fmax(probability, support, out=probability)
            used.append(test)
        if not used:
            _warn_of_no_test(scene, measured)
        bands_used = {band for test in used for band in test.bands}
        return build_mask(
            scene,
            probability,
            threshold=self.threshold,
            detector=self.name,
            attributes={
                "tests_used": " ".join(test.name for test in used),
                "tests_skipped": " ".join(test.name for test in family if test not in used),
                "bands_used": " ".join(band for band in channels.NAMES if band in bands_used),
                "combination": "largest support of any test, not calibrated",
            },
        )


class OperationalThresholds(Thresholds):
    """Mask a scene by all tests of the operational family: histograms and both views, too."""

    name = "thresholds-operational"
    tests = (*TESTS, *HISTOGRAM_TESTS, *VIEW_TESTS)


def _warn_of_no_test(scene: xr.Dataset, measured: MeasuredScene) -> None:
    """Say which bands the tests of this light need; none of them could be run."""
    needs = [set(test.bands) for test in TESTS if np.isin(measured.regime, test.regimes).any()]
    least: list[str] = []
    for bands in needs:
        words = " and ".join(sorted(bands))
        if not any(other < bands for other in needs) and words not in least:
            least.append(words)
    logger.warning(
        "No cloud test can be run on %s, so every pixel stays unknown: expected %s, found %s. "
        "Use a scene with these bands.",
        scene_name(scene),
        ", or ".join(least),
        ", ".join(bands_present(scene)),
    )
