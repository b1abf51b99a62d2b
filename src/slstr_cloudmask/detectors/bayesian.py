"""The Bayesian detector: how probable cloud is, given what is seen and no weather model.

    mask = Bayesian().predict(scene)

As the operational scheme (Merchant et al. 2005, Q. J. R. Meteorol. Soc. 131, 2735), it weighs how
often cloud looks like a pixel against how often clear sky does:

    P(cloud | seen) = P(seen | cloud) P(cloud) / sum over skies of P(seen | sky) P(sky)

- Skies are three: bare, a veil (optical depth .02 to .3, which does not count as cloud), and cloud.
- What clear sky would be, S8 and the differences of the thermal bands, is not forecast: it is the
  warmth around a pixel, bounded by a zonal climatology, and then, once it is known which pixels are
  probably clear, what these are near by (`clear_sky`). So it is done twice.
- Spectral likelihoods are tables counted from pixels that were drawn from a prior and seen
  through radiative transfer (`sky_samples`, `evidence`), of the bands that the light leaves of use;
  bands that are not there are summed over. No label was used.
- Texture is the standard deviation of S8 in 3 x 3 pixels, log-normal under each sky.
- The prior is the cloud cover of latitude and surface.

Where it fails: uniform low cloud at night of the ground's own temperature and with little signal in
S7 - S8; an overcast as wide as the scene and no colder than the climate's spread; at night over
snow, where it misses four tenths of the cloud, and over sea ice, where it errs on a fifth; sea ice
in twilight, which it takes for cloud; cold cloud over polar sea without open water within 150 km,
where ice is as likely; the edges of glint. The radiative transfer is the simulator's, so scores on
simulated scenes are flattering. Without latitude the prior is that of the globe and no climate
bounds the background; without ``confidence`` sea and land are not told apart, and errors count as
larger. Without S8 a pixel is unknown.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import partial

import numpy as np
import numpy.typing as npt
import xarray as xr

from slstr_cloudmask import channels
from slstr_cloudmask.detectors.clear_sky import (
    EITHER,
    ICE,
    LAND,
    ROUGH_KELVIN,
    SEA,
    ClearSky,
    Ground,
    first_guess,
    may_be_frozen,
    refined,
)
from slstr_cloudmask.detectors.climatology import usual_difference_kelvin, usual_split_kelvin
from slstr_cloudmask.detectors.evidence import (
    Evidence,
    Flat,
    Index,
    evidence,
    feature_names,
    place_index,
)
from slstr_cloudmask.detectors.features import Clear, reflected_features, thermal_features
from slstr_cloudmask.detectors.measured_scene import MeasuredScene
from slstr_cloudmask.detectors.prior import TEXTURE_WEIGHT, log_prior, log_texture
from slstr_cloudmask.detectors.threads import THREADS, together
from slstr_cloudmask.flags import UNKNOWN
from slstr_cloudmask.mask import build_mask
from slstr_cloudmask.radiometry import scene_name
from slstr_cloudmask.scene import PIXEL_KM, Regime, bands_present, surface_flag, usable_bands

logger = logging.getLogger(__name__)

# How S8 - S9 and S7 - S8 of clear pixels differ from the usual, and from their own mean near by, K.
_FIRST_SPREAD_KELVIN = np.float32(0.3)
_DIFFERENCE_ROUGH_KELVIN = np.array((0.1, 0.3, 0.2, 0.2), np.float32)

# Tables by light; of two the mean, where the sun's height is not known.
_LOW_SUN_DEG = 60.0
_LIGHTS: tuple[tuple[tuple[str, ...], int], ...] = (
    (("day_high",), Regime.DAY),
    (("day_low",), Regime.DAY),
    (("day_high", "day_low"), Regime.DAY),
    (("twilight",), Regime.TWILIGHT),
    (("night",), Regime.NIGHT),
    (("night",), UNKNOWN),  # of which S8 and S9 are used alone
)


@dataclass(frozen=True, slots=True)
class _Behind:
    """Clear sky behind every pixel: S8, S8 - S9 and S7 - S8."""

    s8: ClearSky
    split: ClearSky
    difference: ClearSky


class Bayesian:
    """Mask a scene by the probability of cloud.

    Parameters
    ----------
    threshold
        Cloud where its probability is at least this.
    """

    name = "bayesian"

    def __init__(self, threshold: float = 0.5) -> None:
        self.threshold = threshold

    def predict(self, scene: xr.Dataset) -> xr.Dataset:
        """Return the Mask of a Scene, which may hold any of the bands and needs S8."""
        used = bands_used(scene)
        if "S8" in used:
            probability = _probability(log_odds(scene))
        else:
            probability = np.full(MeasuredScene(scene).regime.shape, np.nan, np.float32)
            logger.warning(
                "The Bayesian mask of %s stays unknown: expected S8, found %s. "
                "Use a scene with this band.",
                scene_name(scene),
                ", ".join(bands_present(scene)),
            )
        return build_mask(
            scene,
            probability,
            threshold=self.threshold,
            detector=self.name,
            attributes={"bands_used": " ".join(used), "combination": "Bayes' theorem, no label"},
        )


def bands_used(scene: xr.Dataset) -> tuple[str, ...]:
    """Name the bands that the light of a scene lets be used; S1 and S6 add nothing."""
    lights = np.flatnonzero(np.bincount(MeasuredScene(scene).regime.ravel()))
    useful = {band for light in lights for band in usable_bands(int(light))} - {"S1", "S6"}
    return tuple(name for name in channels.NAMES if name in useful and name in scene)


def log_odds(scene: xr.Dataset) -> Flat:
    """Natural logarithm of P(cloud) / P(no cloud), float32 (rows, columns), NaN where unknown."""
    measured = MeasuredScene(scene)
    ground = ground_of(scene, measured)
    first = _first_look(measured, ground)
    prior, texture = together(
        partial(log_prior, ground), partial(log_texture, measured["S8"], ground)
    )
    fixed = prior + TEXTURE_WEIGHT * texture
    odds = _odds(fixed + _spectral(scene, measured, ground, first))
    second = _second_look(measured, scene, ground, first, _probability(-odds))
    return _odds(fixed + _spectral(scene, measured, ground, second))


def ground_of(scene: xr.Dataset, measured: MeasuredScene) -> Ground:
    """Gather what the scene knows of the ground under it."""
    land = np.full(measured.regime.shape, EITHER, np.intp)
    for value, meaning in ((SEA, "ocean"), (LAND, "land")):
        if (where := surface_flag(scene, meaning)) is not None:
            land[where] = value
    latitude = None
    if "latitude" in scene.coords:
        latitude = np.asarray(scene["latitude"].values, np.float32)
    ground = Ground(
        land,
        latitude,
        _day_of_year(scene),
        measured.regime == Regime.DAY,
        PIXEL_KM.get(str(scene.attrs.get("grid")), 1.0),
    )
    # In twilight neither colours nor S7 tell ice from cloud, and cold is left to be cloud.
    told = (measured.regime == Regime.DAY) | (measured.regime == Regime.NIGHT)
    frozen = told & may_be_frozen(measured["S8"], ground)
    return replace(ground, land=np.where(frozen, ICE, land))


def _day_of_year(scene: xr.Dataset) -> int | None:
    try:
        return date.fromisoformat(str(scene.attrs.get("start_time"))[:10]).timetuple().tm_yday
    except ValueError:
        return None


def _probability(odds: Flat) -> Flat:
    return np.asarray(1 / (1 + np.exp(-np.clip(odds, -30, 30))), np.float32)


def _odds(log_ratio: Flat) -> Flat:
    """Odds of cloud against the other two, of ratios (..., 2) of veil and cloud to bare."""
    veil, cloud = log_ratio[..., 0], log_ratio[..., 1]
    # ln(1 + e^veil) without overflow.
    other = np.maximum(veil, 0) + np.log1p(np.exp(-np.abs(veil)))
    return np.asarray(cloud - other, np.float32)


def _first_look(measured: MeasuredScene, ground: Ground) -> _Behind:
    """Take the warmth around and the usual moisture."""
    s8 = first_guess(measured["S8"], ground)
    secant = np.asarray(measured.secant, np.float32)
    spread = np.full(s8.kelvin.shape, _FIRST_SPREAD_KELVIN)
    return _Behind(
        s8,
        ClearSky(usual_split_kelvin(s8.kelvin, secant), spread),
        ClearSky(usual_difference_kelvin(s8.kelvin, secant), spread),
    )


def _second_look(
    measured: MeasuredScene, scene: xr.Dataset, ground: Ground, first: _Behind, clear: Flat
) -> _Behind:
    """Take what the pixels near by are that are probably clear."""
    s8, dark = measured["S8"], measured.regime == Regime.NIGHT

    def of_s8() -> ClearSky:
        return refined(s8, clear, first.s8, ground, ROUGH_KELVIN)

    def of_split() -> ClearSky:
        if "S9" not in scene:
            return first.split
        seen = np.asarray(s8 - measured["S9"], np.float32)
        return refined(seen, clear, first.split, ground, _DIFFERENCE_ROUGH_KELVIN)

    def of_difference() -> ClearSky:
        if "S7" not in scene or not dark.any():
            return first.difference
        seen = np.asarray(measured["S7"] - s8, np.float32)
        clear_by_night = np.where(dark, clear, np.float32(0))
        return refined(seen, clear_by_night, first.difference, ground, _DIFFERENCE_ROUGH_KELVIN)

    return _Behind(*together(of_s8, of_split, of_difference))


def _spectral(scene: xr.Dataset, measured: MeasuredScene, ground: Ground, behind: _Behind) -> Flat:
    """Look every pixel up in the tables of its light: (rows, columns, 2), NaN where unknown."""
    found = np.full((measured.regime.size, 2), np.nan, np.float32)
    light = _light(scene, measured).ravel()
    for number, (tables, regime) in enumerate(_LIGHTS):
        where = np.flatnonzero(light == number)
        if where.size == 0:
            continue
        names = [band for band in usable_bands(regime) if band in scene]
        bands = {name: measured[name].ravel()[where] for name in names}
        clear = Clear(
            *(part.kelvin.ravel()[where] for part in (behind.s8, behind.split, behind.difference))
        )
        features = thermal_features(bands, clear, sunlit=regime == Regime.DAY)
        features |= reflected_features(bands)
        land = ground.land.ravel()[where]
        # The tables of cold sea hold ice.
        surface = np.where(land == ICE, SEA, land)
        place = place_index(clear.kelvin, behind.s8.sigma_kelvin.ravel()[where], surface)
        found[where] = sum(_log_ratio(table, features, place) for table in tables) / len(tables)
    return np.reshape(found, (*measured.regime.shape, 2))


def _light(scene: xr.Dataset, measured: MeasuredScene) -> npt.NDArray[np.uint8]:
    """Which of `_LIGHTS` each pixel has."""
    by_regime = np.full(256, 5, np.uint8)
    by_regime[[Regime.DAY, Regime.TWILIGHT, Regime.NIGHT]] = 2, 3, 4
    light = by_regime[measured.regime]
    if "solar_zenith_angle" in scene.coords:
        low = scene["solar_zenith_angle"].values >= _LOW_SUN_DEG
        light[light == 2] = low[light == 2]
    return light


def _log_ratio(light: str, features: Mapping[str, Flat], place: Index) -> Flat:
    """Look pixels up by what each of them has: one that lacks a band is looked up without it."""
    names = [name for name in feature_names(light) if name in features]
    found = np.full((place.size, 2), np.nan, np.float32)
    present = np.zeros(place.size, np.int64)
    for bit, name in enumerate(names):
        present |= np.isfinite(features[name]).astype(np.int64) << bit
    for pattern in np.flatnonzero(np.bincount(present)):
        there = tuple(name for bit, name in enumerate(names) if pattern >> bit & 1)
        if not {"anomaly", "cooling"} & set(there):
            continue
        parts = evidence(light, there)
        halves = np.array_split(np.flatnonzero(present == pattern), THREADS)
        known = {name: features[name] for name in there}
        look_ups = [partial(_look_up, parts, known, place, half) for half in halves]
        for half, ratios in zip(halves, together(*look_ups), strict=True):
            found[half] = ratios
    return found


def _look_up(
    parts: Sequence[Evidence], features: Mapping[str, Flat], place: Index, chosen: Index
) -> Flat:
    some = {name: values[chosen] for name, values in features.items()}
    found: Flat = sum(part.log_ratio(some, place[chosen]) for part in parts)  # type: ignore[assignment]
    return found
