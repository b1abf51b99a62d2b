"""The threshold detector: the classical tests on each pixel, with no training.

    mask = Thresholds().predict(scene)

By day, twilight and night it runs the tests of `cloud_tests` that the light and the scene's bands
allow; where the light is not known, those that need none. The cloud probability of a pixel is the
largest support that any test gives: no test can take away what another has seen, and nothing
beyond the tests is claimed. It is not calibrated. Where no test could be run the pixel is unknown.

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
from functools import cached_property

import numpy as np
import xarray as xr

from slstr_cloudmask import channels
from slstr_cloudmask.detectors import cloud_tests as tests
from slstr_cloudmask.detectors.background import gross_limit, local_spread, warm_background
from slstr_cloudmask.detectors.cloud_tests import Array, Guard, Support
from slstr_cloudmask.flags import UNKNOWN, BoolArray, decode_flag, flag_masks
from slstr_cloudmask.mask import build_mask
from slstr_cloudmask.radiometry import scene_name
from slstr_cloudmask.scene import Regime, bands_present, regime

logger = logging.getLogger(__name__)

# Secant of the view zenith angle where it is not known: 48 degrees, between the swath's middle
# and its edge, where clear air already shows a large 11 - 12 um difference.
DEFAULT_SECANT = 1.5


@dataclass(frozen=True, slots=True)
class CloudTest:
    """A test: its name, the bands it needs, the light it needs, and how it reads a `View`."""

    name: str
    bands: tuple[str, ...]
    regimes: tuple[int, ...]  # of `Regime`, and `UNKNOWN`
    run: Callable[["View"], Support]


class View:
    """A scene as the tests want it: bands, and what is derived from them, each made once."""

    def __init__(self, scene: xr.Dataset) -> None:
        self._scene = scene
        self.regime = regime(scene)

    def __getitem__(self, band: str) -> Array:
        """Return one band's array."""
        return np.asarray(self._scene[band].values, np.float32)

    @cached_property
    def background_kelvin(self) -> Array:
        """Warmth of what is likely clear within 150 km, from S8."""
        return warm_background(self["S8"])

    @cached_property
    def secant(self) -> Array:
        """1 / cos(view zenith angle), or the default as a scalar array."""
        if "satellite_zenith_angle" not in self._scene.coords:
            return np.asarray(DEFAULT_SECANT)
        zenith_deg = np.nan_to_num(self._scene["satellite_zenith_angle"].values, nan=48.0)
        return np.asarray(1.0 / np.cos(np.radians(np.clip(zenith_deg, 0.0, 75.0))))

    @cached_property
    def sea(self) -> BoolArray | None:
        """Where the surface is known to be sea; None where the scene does not say."""
        if "confidence" not in self._scene:
            return None
        confidence = self._scene["confidence"]
        if "flag_meanings" not in confidence.attrs or "ocean" not in flag_masks(confidence.attrs):
            return None
        ocean, _ = decode_flag(confidence, "ocean")
        return ocean

    @cached_property
    def latitude_deg(self) -> Array | None:
        """Latitude, absolute; None where the scene has none."""
        if "latitude" not in self._scene.coords:
            return None
        return np.abs(np.asarray(self._scene["latitude"].values, np.float32))

    @cached_property
    def glint(self) -> Guard:
        """Where sunglint may be: by look, and by geometry where the angles are known."""
        look = tests.glint_like(self["S3"], self["S5"], self["S8"], self.background_kelvin)
        coords = self._scene.coords
        if "solar_zenith_angle" in coords and "satellite_zenith_angle" in coords:
            sun, view = coords["solar_zenith_angle"].values, coords["satellite_zenith_angle"].values
            # MOD35: glint within 36 degrees of the mirror direction, so the zenith angles cannot
            # differ by more.
            look &= ~(np.abs(sun - view) > 36.0)
        return look

    @cached_property
    def gross_limit_kelvin(self) -> Array:
        """Temperature below which a surface is colder than any clear one there."""
        return gross_limit(self.background_kelvin, self.latitude_deg, self.sea)

    @cached_property
    def spread_kelvin(self) -> Array:
        """Standard deviation of S8 in 3 x 3 pixels; NaN where one of them is missing."""
        return local_spread(self["S8"])


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


class Thresholds:
    """Mask a scene by the classical threshold tests.

    Parameters
    ----------
    threshold
        Cloud where the largest support is at least this; 0.5 is the published thresholds.
    """

    name = "thresholds"

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
        view = View(scene)
        present = set(bands_present(scene))
        probability = np.full(view.regime.shape, np.nan, np.float32)
        used = []
        for test in TESTS:
            allowed = np.isin(view.regime, test.regimes)
            if not present.issuperset(test.bands) or not allowed.any():
                continue
            support = np.where(allowed, test.run(view), np.float32(np.nan))
            # fmax leaves NaN aside where the other is a number.
            np.fmax(probability, support, out=probability)
            used.append(test)
        if not used:
            _warn_of_no_test(scene, view)
        bands_used = {band for test in used for band in test.bands}
        return build_mask(
            scene,
            probability,
            threshold=self.threshold,
            detector=self.name,
            attributes={
                "tests_used": " ".join(test.name for test in used),
                "tests_skipped": " ".join(test.name for test in TESTS if test not in used),
                "bands_used": " ".join(band for band in channels.NAMES if band in bands_used),
                "combination": "largest support of any test, not calibrated",
            },
        )


def _warn_of_no_test(scene: xr.Dataset, view: View) -> None:
    """Say which bands the tests of this light need; none of them could be run."""
    needs = [set(test.bands) for test in TESTS if np.isin(view.regime, test.regimes).any()]
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
