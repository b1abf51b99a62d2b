"""A scene whose gaps are closed, and how its pixels differ from what is clear nearby.

    gapless = GaplessScene(scene)
    anomaly = gapless.beyond(gapless.kelvin)  # K above or below clear pixels there

*Clear seeds* are smooth pixels, about as warm as the warmest within 15 km, with the 3.7 and 12 um
differences of clear air, and by day dark at 1.375 um and no brighter than their surroundings. The
*background* of a field is its mean over seeds near, and over farther ones where there are few.

For votes and clusters. `measured_scene` is for tests that must not see what fills a gap.
"""

from collections.abc import Callable
from functools import cached_property, partial

import numpy as np
import xarray as xr

from slstr_cloudmask.detectors.climatology import usual_split_kelvin
from slstr_cloudmask.detectors.cloud_tests import glint_like, gross_cloud, ramp, visible_bright
from slstr_cloudmask.detectors.fields import (
    Background,
    Field,
    filled,
    highest,
    lowest,
    mean,
    unevenness,
)
from slstr_cloudmask.detectors.measured_scene import MeasuredScene
from slstr_cloudmask.detectors.surroundings import (
    FREEZING_KELVIN,
    ICE_LATITUDE_DEG,
    gross_limit,
)
from slstr_cloudmask.detectors.threads import together
from slstr_cloudmask.flags import UNKNOWN, BoolArray
from slstr_cloudmask.scene import Regime, bands_present, surface_flag, valid_pixels

# Planck's second constant over the wavelength: 14387.77 um K / 3.742 um, / 10.854 um.
_PLANCK_S7_KELVIN, _PLANCK_S8_KELVIN = 3844.9, 1325.6
# Sun at 3.74 um over pi, after gases, in units of 2 h c^2 / lambda^5: 11 W m-2 um-1 * .93 / pi over
# 1.191e8 / 3.742^5.
_SUN_S7 = 11.0 * 0.93 / np.pi / (1.191043e8 / 3.742**5)
_REFLECTIVE = ("S1", "S3", "S4", "S5", "S6")  # S2 is between S1 and S3
_COSINE_UNKNOWN = 0.6  # of the sun by day, where angles are not known: 53 degrees


# Clear air at night over sea: 3.7 minus 11 um by 11 minus 12 um. From the deficits of 1, 5, 20, 30
# and 50 mm of vapour at nadir (simulation of the split window, McMillin 1975) and emissivities.
_SPLIT_KELVIN = (0.0, 0.13, 0.47, 0.77, 1.55, 3.0)
_SHORTWAVE_KELVIN = (-0.25, -0.2, 0.3, 0.8, 2.3, 4.5)
# 11 minus 12 um beyond what is usual where it is as warm: air twice as moist as usual adds 1.3 K at
# 300 K, emissivity of ground up to 1 K.
_ICY_SPLIT_KELVIN = (3.0, 1.5)
# Reflectance at 3.7 um of clear ground at most: sea, snow and plants .015 to .035; soil and sand
# .04 to .14 (1 - emissivity, e.g. ASTER's library, Baldridge et al. 2009).
_BLACKEST_GROUND, _LAND_37 = 0.05, 0.15


class GaplessScene:
    """A scene's bands without gaps, and what is derived from them, each made once."""

    def __init__(self, scene: xr.Dataset) -> None:
        self._scene, self._measured = scene, MeasuredScene(scene)
        self.valid = valid_pixels(scene)
        self.regime = self._measured.regime
        present = [name for name in bands_present(scene) if np.isfinite(scene[name].values).any()]
        closed = together(*(partial(filled, scene[name].values) for name in present))
        self.bands = dict(zip(present, closed, strict=True))
        self.night = self.regime == Regime.NIGHT
        self.day = self.regime == Regime.DAY

    @property
    def bands_used(self) -> tuple[str, ...]:
        """The bands that say something, in the instrument's order."""
        return tuple(self.bands)

    @cached_property
    def sun_cosine(self) -> Field:
        """Cosine of the solar zenith angle, not below the horizon."""
        if "solar_zenith_angle" not in self._scene.coords:
            return np.where(self.day, np.float32(_COSINE_UNKNOWN), np.float32(0))
        zenith_deg = filled(self._scene["solar_zenith_angle"].values)
        return np.asarray(np.maximum(np.nan_to_num(np.cos(np.radians(zenith_deg))), 0), np.float32)

    @cached_property
    def kelvin(self) -> Field | None:
        """Temperature of what is seen: S8, or S9 where there is no S8."""
        return self.bands.get("S8", self.bands.get("S9"))

    @cached_property
    def calm_kelvin(self) -> Field:
        """The same, averaged over 3 x 3 pixels against noise."""
        assert self.kelvin is not None
        return mean(self.kelvin, 3)

    @cached_property
    def unevenness_kelvin(self) -> Field:
        """Standard deviation of temperature in 3 x 3 pixels."""
        assert self.kelvin is not None
        return unevenness(self.kelvin, 3)

    @cached_property
    def split_kelvin(self) -> Field | None:
        """11 minus 12 um, averaged against noise."""
        return self._difference("S8", "S9")

    @cached_property
    def shortwave_kelvin(self) -> Field | None:
        """3.7 minus 11 um, averaged against noise."""
        return self._difference("S7", "S8")

    def _difference(self, first: str, second: str) -> Field | None:
        if first not in self.bands or second not in self.bands:
            return None
        return mean(self.bands[first] - self.bands[second], 3)

    @cached_property
    def reflectance_37(self) -> Field | None:
        """Reflectance at 3.7 um of an opaque layer as warm as it is at 11 um; 0 where none shows.

        Radiance = (1 - R) B(T11) + R * sun. In the dark it is what the layer does not emit. Where
        sun and emission are about equal, in twilight, nothing can be said.
        """
        if "S7" not in self.bands or "S8" not in self.bands:
            return None
        emitted = _emission(self.bands["S8"])
        contrast = self.sun_cosine * np.float32(_SUN_S7) - emitted
        excess = mean(_emission(self.bands["S7"]) - emitted, 3)
        told = (np.abs(contrast) > np.float32(0.5) * emitted) & (self.regime != UNKNOWN)
        return np.where(told, excess / np.where(told, contrast, 1), np.float32(0))

    @cached_property
    def land(self) -> BoolArray | None:
        """Where the surface is known to be dry land; None where the scene does not say."""
        return surface_flag(self._scene, "land")

    @cached_property
    def certain(self) -> Field:
        """Cloud by absolute limits, whatever is around: colder than any ground there, or white."""
        support = np.zeros(self.valid.shape, np.float32)
        if self.kelvin is None:
            return support
        # Without a warm background the limit is that of open sea by latitude, and 233 K elsewhere.
        nothing = np.zeros(self.valid.shape, np.float32)
        limit = gross_limit(nothing, self._measured.latitude_deg, self._measured.sea)
        support = gross_cloud(self.kelvin, limit)
        if self.lit.any():
            s1, s3, s5 = (self.bands[name] for name in ("S1", "S3", "S5"))
            glint = glint_like(s3, s5, self.kelvin, self.far_warmth) & (
                self.kelvin > FREEZING_KELVIN
            )
            white = visible_bright(s1, s5, self.bands.get("S9", self.kelvin), glint)
            support = np.where(self.lit, np.maximum(support, white), support)
        return support

    @cached_property
    def far_warmth(self) -> Field:
        """Warmest within 75 km, K."""
        return highest(self.calm_kelvin, 151)

    @cached_property
    def most_reflected_37(self) -> Field | np.float32:
        """Reflectance at 3.7 um that clear ground has at most."""
        if self.land is None:
            return np.float32(_BLACKEST_GROUND)
        return np.where(self.land, np.float32(_LAND_37), np.float32(_BLACKEST_GROUND))

    @cached_property
    def sunlit_37(self) -> BoolArray:
        """Where at 3.7 um the sun sends more than the ground."""
        return self.sun_cosine * np.float32(_SUN_S7) > _emission(self.bands["S8"])

    @cached_property
    def snow_index(self) -> Field:
        """(S1 - S5) / (S1 + S5), 0 in the dark and where a band is missing."""
        if not {"S1", "S5"} <= self.bands.keys():
            return np.zeros(self.valid.shape, np.float32)
        s1, s5 = self.bands["S1"], self.bands["S5"]
        total = s1 + s5
        return np.where(total > 1e-3, (s1 - s5) / np.maximum(total, np.float32(1e-3)), 0)

    @cached_property
    def lit(self) -> BoolArray:
        """Where there is daylight and every reflective band that the votes use."""
        needed = {"S1", "S3", "S5"}
        return self.day if needed <= self.bands.keys() else np.zeros_like(self.day)

    @cached_property
    def cold_ground(self) -> Field:
        """How far clear ground much colder than the warmest around is believed, 0 to 1."""
        assert self.kelvin is not None
        belief = np.zeros(self.valid.shape, np.float32)
        latitude_deg = self._measured.latitude_deg
        if latitude_deg is not None:
            polar = latitude_deg >= ICE_LATITUDE_DEG
            belief[polar & (self.kelvin < FREEZING_KELVIN)] = 0.005
        if self.land is not None:
            belief[self.land] = 0.02
        if self.lit.any():
            belief[self.lit & (self.snow_index > 0.5)] = 0.02
        return belief

    @cached_property
    def clear(self) -> Field:
        """How surely each pixel is clear, 0 to 1: the seeds of the background."""
        signs: list[Callable[[], Field]] = []
        if self.kelvin is not None:
            # What several signs need is made first, not by each thread.
            together(lambda: self.unevenness_kelvin, lambda: self.far_warmth)
            signs += [self._warm_and_smooth, lambda: 1 - self.certain]
        if self.reflectance_37 is not None:
            signs.append(self._black_37)
        if self.night.any() and self.shortwave_kelvin is not None:
            signs.append(self._usual_shortwave)
        if self.split_kelvin is not None:
            signs.append(self._usual_split)
        if self.lit.any():
            signs.append(self._dark)
        seeds = np.where(self.valid, np.float32(1), np.float32(0))
        for sign in together(*signs):
            seeds *= sign
        return seeds

    def _black_37(self) -> Field:
        assert self.reflectance_37 is not None
        # Thick ice cloud reflects .05, droplets more.
        most = self.most_reflected_37
        black = ramp(self.reflectance_37, most + np.float32(0.01), most - np.float32(0.015))
        return np.where(self.lit & (self.snow_index < 0.5), np.float32(1), black)

    def _usual_shortwave(self) -> Field:
        assert self.shortwave_kelvin is not None
        moist = 0.0 if self.split_kelvin is None else clear_shortwave(self.split_kelvin)
        odd = np.abs(self.shortwave_kelvin - moist)
        return np.where(self.night, ramp(odd, 0.9, 0.5), np.float32(1))

    def _usual_split(self) -> Field:
        assert self.split_kelvin is not None
        # Thin ice takes more at 12 um than the moistest air, and most where it is cold.
        usual = usual_split_kelvin(self.bands["S8"], self._measured.secant)
        return ramp(self.split_kelvin - usual, *_ICY_SPLIT_KELVIN)

    def _warm_and_smooth(self) -> Field:
        calm = self.calm_kelvin
        # Fronts of the sea are 1 K per 15 km and weaker; over 150 km it varies by some kelvin.
        below, far = highest(calm, 31) - calm, self.far_warmth - calm
        sea = ramp(below, 2.5, 1.0) * ramp(self.unevenness_kelvin, 0.5, 0.25)
        sea *= ramp(far, 9.0, 5.0) * np.exp(np.clip((1.5 - far) / 2, -4.0, 0.0))
        # Slopes and fields differ by kelvins within a few km.
        return np.asarray(
            np.maximum(sea, self.cold_ground * ramp(self.unevenness_kelvin, 1.0, 0.5))
        )

    def _dark(self) -> Field:
        s1, s3, s5 = (self.bands[name] for name in ("S1", "S3", "S5"))
        seeds = ramp(s5 - lowest(s5, 31), 0.035, 0.015)
        seeds = np.where(self.snow_index > 0.5, np.float32(1), seeds)
        if "S4" in self.bands:
            seeds *= ramp(self.bands["S4"], 0.024, 0.012)
        # White in the visible and the near infrared, and not as snow: cloud, or glint.
        red = self.bands.get("S2", s1)
        white = (np.abs(s3 - red) < 0.2 * red) & (s3 > 0.12) & (self.snow_index < 0.45)
        glint = (np.abs(s5 - s3) < 0.35 * s3) & (s3 < 0.35)
        if self.kelvin is not None:
            glint &= self.unevenness_kelvin < 0.15
        seeds *= np.where(white & ~glint, np.float32(0.02), np.float32(1))
        return np.where(self.lit, seeds, np.float32(1))

    @cached_property
    def background(self) -> Background:
        """The background of any field."""
        return Background(self.clear)

    @cached_property
    def anomaly_kelvin(self) -> Field:
        """How much warmer it is than clear pixels there; 0 where that is not known."""
        assert self.kelvin is not None
        return np.asarray(np.nan_to_num(self.kelvin - self.ground_kelvin))

    @cached_property
    def radiance(self) -> Field:
        """Black-body radiance at 11 um, relative."""
        assert self.kelvin is not None
        return np.asarray(np.exp(-_PLANCK_S8_KELVIN / self.kelvin), np.float32)

    @cached_property
    def ground_radiance(self) -> Field:
        """Radiance of clear pixels there."""
        return self.background.of(self.radiance)

    @cached_property
    def brighter(self) -> dict[str, Field]:
        """How much brighter each reflective band is than clear pixels there."""
        names = [name for name in _REFLECTIVE if name in self.bands]
        _ = self.background  # made once, not by each thread
        excesses = together(*(partial(self.beyond, self.bands[name]) for name in names))
        return dict(zip(names, excesses, strict=True))

    def beyond(self, values: Field) -> Field:
        """How much a field differs from its clear background; 0 where that is not known."""
        return np.asarray(np.nan_to_num(values - self.background.of(values)))

    @cached_property
    def ground_kelvin(self) -> Field:
        """Temperature of clear pixels there."""
        assert self.kelvin is not None
        return self.background.of(self.kelvin)


def _emission(kelvin: Field) -> Field:
    """Black-body radiance at 3.742 um over 2 h c^2 / lambda^5."""
    return np.asarray(np.exp(-_PLANCK_S7_KELVIN / kelvin), np.float32)


def clear_shortwave(split_kelvin: Field) -> Field:
    """3.7 minus 11 um of clear air at night, K, by its 11 minus 12 um."""
    return np.asarray(np.interp(split_kelvin, _SPLIT_KELVIN, _SHORTWAVE_KELVIN), np.float32)
