"""The provider's basic tests, and its flags of what each pixel is.

These are the fields `cloud` and `confidence` of a product.

The tests are the operational family in short form, with its known weaknesses: thresholds that are
the same everywhere, no map of ice, tests of reflectance that mistake glint and snow. Bits and their
meanings are those of the products.

Thresholds are quoted from memory of the heritage named at each, not checked against it.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from slstr_cloudmask.flags import BoolArray
from slstr_cloudmask.simulate.clear import Bands, glint_reflectance
from slstr_cloudmask.simulate.fractal import Field
from slstr_cloudmask.simulate.ground import WATER, Ground, is_one_of
from slstr_cloudmask.simulate.instrument import Gaps
from slstr_cloudmask.simulate.provider import Oblique
from slstr_cloudmask.simulate.smoothing import local_spread
from slstr_cloudmask.simulate.stage import Stage

Flags = npt.NDArray[np.uint16]

# Sentinel-3 SLSTR Level-1 products, flags_in.cloud_in and flags_in.confidence_in: bit by meaning.
CLOUD_MASKS = {
    "visible": 1,
    "1.37_threshold": 2,
    "1.6_small_histogram": 4,
    "1.6_large_histogram": 8,
    "2.25_small_histogram": 16,
    "2.25_large_histogram": 32,
    "11_spatial_coherence": 64,
    "gross_cloud": 128,
    "thin_cirrus": 256,
    "medium_high": 512,
    "fog_low_stratus": 1024,
    "11_12_view_difference": 2048,
    "3.7_11_view_difference": 4096,
    "thermal_histogram": 8192,
}
CONFIDENCE_MASKS = {
    "coastline": 1,
    "ocean": 2,
    "tidal": 4,
    "land": 8,
    "inland_water": 16,
    "unfilled": 32,
    "cosmetic": 256,
    "duplicate": 512,
    "day": 1024,
    "twilight": 2048,
    "sun_glint": 4096,
    "snow": 8192,
    "summary_cloud": 16384,
    "summary_pointing": 32768,
}
# Tests that the summary takes; those of histograms and views are for the users to choose.
SUMMARY = ("visible", "1.37_threshold", "gross_cloud", "thin_cirrus", "fog_low_stratus")
_SUMMARY_MASK = sum(CLOUD_MASKS[name] for name in SUMMARY)

# Saunders and Kriebel (1988), Int. J. Remote Sens. 9, 123: 11 - 12 um of clear air by 11 um.
_CIRRUS_KELVIN = (260.0, 270.0, 280.0, 290.0, 300.0, 310.0)
_CIRRUS_LIMIT = (0.55, 0.58, 1.30, 3.06, 5.77, 9.41)


def cloud_flags(bands: Bands, stage: Stage, oblique: Oblique | None) -> Flags:
    """Run the basic tests.

    Parameters
    ----------
    bands
        What was measured, before gaps.
    stage
        For the sun, the view and the map.
    oblique
        The second view, where it is known.

    Returns
    -------
    numpy.ndarray
        uint16 (rows, columns) of `CLOUD_MASKS`.
    """
    sea = stage.surface.ground == Ground.OCEAN
    dark = stage.geometry.mu_sun < 0
    difference = bands["S8"] - bands["S9"]
    limit = np.interp(bands["S8"], _CIRRUS_KELVIN, _CIRRUS_LIMIT)
    limit = limit * stage.geometry.mu_view ** np.float32(-0.6)
    tests: dict[str, Callable[[], BoolArray]] = {
        # A climatological limit: 12 um colder than clear sea, or by more than clear land, ever is.
        "gross_cloud": lambda: bands["S9"] < _gross_limit(stage, sea),
        "thin_cirrus": lambda: difference > limit,
        "11_spatial_coherence": lambda: sea & (local_spread(bands["S8"]) > 0.25),
        # Night only (ATSR): 1 K at 11 - 3.7 um; 3.7 - 12 um beyond 3 to 7 K.
        "fog_low_stratus": lambda: dark & (bands["S8"] - bands["S7"] > 1.0),
        "medium_high": lambda: dark & (bands["S7"] - bands["S9"] > np.maximum(3, limit + 1)),
        "thermal_histogram": lambda: sea & (difference > np.float32(1.2) * limit),
    }
    if "S1" in bands:
        tests |= _daylight_tests(bands, stage, sea)
    if oblique is not None:
        tests["11_12_view_difference"] = lambda: (
            sea & (bands["S8"] - oblique.s8_kelvin > 1.6 + 1.5 * np.maximum(difference, 0))
        )
    flags = np.zeros(sea.shape, np.uint16)
    for name, test in tests.items():
        flags |= CLOUD_MASKS[name] * test().astype(np.uint16)
    return flags


def _gross_limit(stage: Stage, sea: BoolArray) -> Field:
    zonal = 28 - np.float32(0.0072) * np.abs(stage.geometry.latitude_deg) ** 2
    clear = np.float32(273.15) + np.maximum(zonal, -2)
    return np.where(sea, clear - 9, clear - 30)


def _daylight_tests(
    bands: Bands, stage: Stage, sea: BoolArray
) -> dict[str, Callable[[], BoolArray]]:
    """List the tests of reflectance, by day up to 80 degrees of solar zenith angle."""
    day = stage.geometry.solar_zenith_deg < 80
    ratio = bands["S3"] / np.maximum(bands["S2"], np.float32(0.01))
    # Saunders and Kriebel (1988): grey and bright; over the sea .87 um alone.
    return {
        "visible": lambda: (
            day & np.where(sea, bands["S3"] > 0.15, (bands["S1"] > 0.3) & (ratio < 1.6))
        ),
        "1.37_threshold": lambda: day & (bands["S4"] > 0.02),
        "1.6_small_histogram": lambda: day & sea & (bands["S5"] > 0.05),
        "1.6_large_histogram": lambda: day & sea & (bands["S5"] > 0.08),
        "2.25_small_histogram": lambda: day & sea & (bands["S6"] > 0.04),
        "2.25_large_histogram": lambda: day & sea & (bands["S6"] > 0.065),
    }


def confidence_flags(cloud: Flags, bands: Bands, stage: Stage, gaps: Gaps) -> Flags:
    """Say what each pixel is: uint16 (rows, columns) of `CONFIDENCE_MASKS`."""
    surface, zenith = stage.surface, stage.geometry.solar_zenith_deg
    lake = surface.ground == Ground.INLAND_WATER
    # The product's map of snow is a test of its own: bright at .55 um, dark at 1.6 um.
    snow = np.zeros(cloud.shape, bool)
    if "S1" in bands:
        index = (bands["S1"] - bands["S5"]) / np.maximum(bands["S1"] + bands["S5"], 0.01)
        snow = (index > 0.5) & (bands["S1"] > 0.25) & (zenith < 80) & gaps.seen
    parts = {
        "coastline": surface.coast_distance_km < 1,
        "ocean": ~surface.land,
        "land": surface.land,
        "inland_water": lake,
        "unfilled": ~gaps.seen,
        "cosmetic": gaps.cosmetic,
        "day": zenith < 80,
        "twilight": (zenith >= 80) & (zenith < 90),
        "sun_glint": glint_reflectance(stage) > 0.05,
        "snow": snow & ~is_one_of(surface.ground, WATER),
        "summary_cloud": (cloud & _SUMMARY_MASK) != 0,
    }
    flags = np.zeros(cloud.shape, np.uint16)
    for name, values in parts.items():
        flags |= CONFIDENCE_MASKS[name] * values.astype(np.uint16)
    return flags
