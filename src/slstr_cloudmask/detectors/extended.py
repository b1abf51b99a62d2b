"""What a mask can say beyond cloud or clear: snow and ice, contaminated pixels, cloud shadow.

    mask = extend(detector.predict(scene), scene)
    mask["cloud_mask_extended"], mask["cloud_shadow"]

Physics after any detector, which it never overrules: what the mask calls cloud becomes *cloudy* or
*contaminated*, what it calls clear *cloud free* or *snow and ice*, and unknown stays unknown. The
codes are those of the extended cloud mask of the NWC SAF (PPS and GEO products).

- Snow and ice, by day and twilight: bright in S1 and S3, dark in S5, cold in S8. Where these cannot
  be had, only sea that is colder than sea water can be: of land by night nobody can tell.
- Contaminated: hardly colder than the clear ground around and semi-transparent in the thermal
  bands or hardly brighter, at the edge of a cloud, or not sure to the detector itself.
- Shadow: `slstr_cloudmask.detectors.shadow`, where position, time and light are known.

Melting or forested snow is darker than the threshold and stays cloud free; a cloud that the
detector overlooked over cold sea by night is called ice.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import xarray as xr
from scipy import ndimage

from slstr_cloudmask.detectors import cloud_tests as tests
from slstr_cloudmask.detectors.measured_scene import MeasuredScene
from slstr_cloudmask.detectors.shadow import AROUND_PX, cloud_shadow
from slstr_cloudmask.detectors.surroundings import COLDEST_SEA_KELVIN, mean_around
from slstr_cloudmask.errors import InputError
from slstr_cloudmask.flags import UNKNOWN, BoolArray, value_flag_variable
from slstr_cloudmask.scene import Regime, bands_present

CLASSES = ("binary", "extended")
EXTENDED_VALUES = {"cloud_free": 0, "cloudy": 1, "cloud_contaminated": 2, "snow_ice": 3}
SHADOW_VALUES = {"no_shadow": 0, "shadow": 1}

# Hall et al. (1995), Remote Sens. Environ. 54, 127: snow has more than this index and, in the near
# infrared, more than this reflectance, which keeps water out. Melting snow is at 273 K; a pixel may
# hold warmer ground beside it.
SNOW_MIN_INDEX = 0.4
SNOW_MIN_S3 = 0.11
SNOW_MAX_KELVIN = 280.0
SNOW_BANDS = ("S1", "S3", "S5", "S8")
# Derived: a cloud of optical depth 1 adds about .1 to the reflectance of dark ground.
FAINT_S1 = 0.10
# What lets so much through from below is seldom colder than the ground by more. Of 6, 8, 10, 12, 15
# and 20 K this told optical depths below 1 best on simulated scenes; without a limit thick ice
# cloud, which is semi-transparent at its edges too, counts as thin three times as often.
THIN_KELVIN = 10.0
# A detector is sure from half way between its threshold and 1.
SURE_SHARE = 0.5


def extend(mask: xr.Dataset, scene: xr.Dataset) -> xr.Dataset:
    """Return a Mask with its extended classes.

    Parameters
    ----------
    mask
        The Mask of a detector.
    scene
        The Scene that it was made of.

    Returns
    -------
    xarray.Dataset
        The Mask with ``cloud_mask_extended``, uint8 (`EXTENDED_VALUES`, 255 no data) and, where
        position, time and daylight are known, ``cloud_shadow``, uint8 (`SHADOW_VALUES`, 255
        unknown).
    """
    masked = MaskedScene(mask, scene)
    codes = mask["cloud_mask"].values.astype(np.uint8)
    snow = masked.clear & _snow(masked)
    codes[snow] = EXTENDED_VALUES["snow_ice"]
    codes[masked.cloud & _contaminated(masked)] = EXTENDED_VALUES["cloud_contaminated"]
    found = {
        "cloud_mask_extended": value_flag_variable(
            codes, EXTENDED_VALUES, long_name="extended cloud mask"
        )
    }
    shadow = cloud_shadow(scene, mask["cloud_mask"].values, snow)
    if shadow is not None:
        found["cloud_shadow"] = value_flag_variable(
            shadow, SHADOW_VALUES, long_name="shadow of clouds on clear ground"
        )
    return mask.assign(found)


def with_classes(mask: xr.Dataset, scene: xr.Dataset, classes: str) -> xr.Dataset:
    """Return a Mask as it is (``binary``) or with its extended classes (``extended``).

    Raises
    ------
    InputError
        There are no such classes.
    """
    return extend(mask, scene) if check_classes(classes) == "extended" else mask


def check_classes(classes: str) -> str:
    """Return the name of `CLASSES` that was given.

    Raises
    ------
    InputError
        It is none of them.
    """
    if classes not in CLASSES:
        raise InputError(f"Unknown classes {classes!r}: expected {' or '.join(CLASSES)}.")
    return classes


class MaskedScene(MeasuredScene):
    """A scene as it was measured, with what its mask says."""

    def __init__(self, mask: xr.Dataset, scene: xr.Dataset) -> None:
        super().__init__(scene)
        self.bands = frozenset(bands_present(scene))
        self.cloud: BoolArray = mask["cloud_mask"].values == 1
        self.clear: BoolArray = mask["cloud_mask"].values == 0
        self.probability = mask["cloud_probability"].values
        self.threshold = float(mask.attrs["threshold"])

    @cached_property
    def thin(self) -> BoolArray:
        """Where S8 is hardly colder than the clear ground around; nowhere if there is none."""
        return self.above_ground("S8") > -THIN_KELVIN

    def above_ground(self, band: str) -> tests.Array:
        """Say by how much a band exceeds the clear ground around; NaN where none is near."""
        values = self[band]
        return values - mean_around(values, self.clear & np.isfinite(values), AROUND_PX)


@dataclass(frozen=True, slots=True)
class Sign:
    """A sign that cloud is thin or partial: bands and light that it needs, and where it is seen."""

    name: str
    bands: frozenset[str]
    regimes: tuple[int, ...]
    find: Callable[[MaskedScene], BoolArray]


_ALWAYS = (Regime.DAY, Regime.TWILIGHT, Regime.NIGHT, UNKNOWN)

SIGNS = (
    Sign(
        "semi_transparent",
        frozenset({"S8", "S9"}),
        _ALWAYS,
        lambda masked: (
            masked.thin & (tests.thin_cirrus(masked["S8"], masked["S9"], masked.secant) >= 0.5)
        ),
    ),
    Sign(
        "semi_transparent_night",
        frozenset({"S7", "S8", "S9"}),
        (Regime.NIGHT,),
        lambda masked: masked.thin & (tests.medium_high(masked["S7"], masked["S9"]) >= 0.5),
    ),
    Sign(
        "faint",
        frozenset({"S1", "S8"}),
        (Regime.DAY,),
        lambda masked: masked.thin & (masked.above_ground("S1") < FAINT_S1),
    ),
    Sign("edge", frozenset(), _ALWAYS, lambda masked: ndimage.binary_dilation(masked.clear)),
    Sign(
        "unsure",
        frozenset(),
        _ALWAYS,
        lambda masked: masked.probability < masked.threshold + SURE_SHARE * (1 - masked.threshold),
    ),
)


def _contaminated(masked: MaskedScene) -> BoolArray:
    """Where any sign of thin or partial cloud is seen."""
    found = np.zeros(masked.cloud.shape, bool)
    for sign in SIGNS:
        if sign.bands <= masked.bands:
            found |= np.isin(masked.regime, sign.regimes) & sign.find(masked)
    return found


def _snow(masked: MaskedScene) -> BoolArray:
    """Where clear ground is snow or ice: by its colour, or by being colder than sea can be."""
    judged = np.zeros(masked.clear.shape, bool)
    snow = judged.copy()
    if masked.bands.issuperset(SNOW_BANDS):
        s1, s3, s5, s8 = (masked[name] for name in SNOW_BANDS)
        judged = np.isin(masked.regime, (Regime.DAY, Regime.TWILIGHT)) & np.isfinite(s1 + s3 + s5)
        snow = (
            judged
            & (tests.snow_index(s1, s5) > SNOW_MIN_INDEX)
            & (s3 > SNOW_MIN_S3)
            & (s8 < SNOW_MAX_KELVIN)
        )
    if masked.sea is not None and "S8" in masked.bands:
        snow |= ~judged & masked.sea & (masked["S8"] < COLDEST_SEA_KELVIN)
    return snow
