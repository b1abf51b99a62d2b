"""The provider's mistaken labels: a Bayesian cloud mask that is fed wrong inputs.

As the operational scheme does, it compares what is seen with what a forecast says the clear scene
would look like, and with what cloud looked like elsewhere. The forecast is smooth, biased and
displaced, so clear pixels are often flagged: a label to learn from, not the truth.

The scheme is quoted from memory of Merchant et al. (2005), Q. J. R. Meteorol. Soc. 131, 2735, not
checked against it; how it fails is after what is known of the operational masks.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from slstr_cloudmask.flags import BoolArray
from slstr_cloudmask.io.benchmark_hdf import BAYES_MASKS
from slstr_cloudmask.scene import DAY_MAX_SOLAR_ZENITH_DEG, TWILIGHT_MAX_SOLAR_ZENITH_DEG
from slstr_cloudmask.simulate.clear import Bands, glint_reflectance
from slstr_cloudmask.simulate.forecast import Forecast, draw_forecast, forecast_oblique
from slstr_cloudmask.simulate.fractal import Canvas, Field
from slstr_cloudmask.simulate.likelihood import (
    LIGHTS,
    evidence_of,
    log_clear,
    log_cloudy,
    log_texture,
    log_texture_ratio,
)
from slstr_cloudmask.simulate.smoothing import displaced, smoothed
from slstr_cloudmask.simulate.stage import Stage
from slstr_cloudmask.simulate.worlds import World

# A pixel counts as clear above these probabilities of clear sky.
CLEAR_LOW, CLEAR_MODERATE = 0.9, 0.5

_PRIOR_BLUR_KM, _PRIOR_SHIFT_KM, _PRIOR_RANGE = 40.0, 40, (0.5, 0.95)
# The second view is another look at the same cloud, so it adds less than its evidence says.
_SECOND_VIEW_WEIGHT = np.float32(0.5)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the provider says, per pixel: bits of `BAYES_MASKS`, and P(cloud) in the nadir view.

    And what it believed of the clear scene.
    """

    bayes: npt.NDArray[np.uint8]
    cloud_probability: Field
    forecast: Forecast


@dataclass(frozen=True, slots=True)
class Oblique:
    """The second view on the nadir grid: S8, NaN where it does not reach, and its stage."""

    s8_kelvin: Field
    stage: Stage


def judge(
    canvas: Canvas,
    bands: Bands,
    truth: BoolArray,
    stage: Stage,
    oblique: Oblique | None,
    world: World,
) -> Verdict:
    """Flag cloud as the provider would.

    Parameters
    ----------
    canvas
        Source of the errors.
    bands
        What was measured, before gaps; ``S3`` and ``S5`` where operated.
    truth
        True cloud, which the forecast's cloud cover resembles.
    stage
        What is there.
    oblique
        The second view, where it is known.
    world
        Size of the errors.
    """
    forecast = draw_forecast(canvas, stage, error_factor=world.forecast_error_factor)
    odds = log_odds(canvas, bands, stage, forecast)
    prior = _prior(canvas, truth)
    odds += np.log(prior / (1 - prior)) + np.float32(world.provider_threshold)
    odds = _snow_scheme(bands, stage, forecast, odds)
    bayes = np.zeros(truth.shape, np.uint8)
    bayes |= BAYES_MASKS["single_low"] * is_cloud(odds, CLEAR_LOW)
    bayes |= BAYES_MASKS["single_moderate"] * is_cloud(odds, CLEAR_MODERATE)
    if oblique is not None:
        second = odds + _second_view(oblique, stage, forecast)
        bayes |= BAYES_MASKS["dual_low"] * is_cloud(second, CLEAR_LOW)
        bayes |= BAYES_MASKS["dual_moderate"] * is_cloud(second, CLEAR_MODERATE)
    _widen(bayes, stage)
    if oblique is not None:
        bayes[np.isnan(oblique.s8_kelvin)] &= (
            BAYES_MASKS["single_low"] | BAYES_MASKS["single_moderate"]
        )
    probability = 1 / (1 + np.exp(-np.clip(odds, -30, 30)))
    return Verdict(bayes, probability.astype(np.float32), forecast)


def is_cloud(log_odds: Field, clear_probability: float) -> npt.NDArray[np.uint8]:
    """Say, as 0 or 1, where the probability of clear sky is below a limit.

    ``log_odds`` is the natural logarithm of P(cloud) / P(clear); where it is NaN, 0.
    """
    # P(clear) = 1 / (1 + exp(odds)) < p  <=>  odds > ln((1 - p) / p).
    limit = np.log((1 - clear_probability) / clear_probability)
    return np.asarray(log_odds > limit, np.uint8)


def light_of(stage: Stage, *, reflective: bool) -> npt.NDArray[np.uint8]:
    """Which of `likelihood.LIGHTS` each pixel has, as its number."""
    zenith = stage.geometry.solar_zenith_deg
    light = np.full(zenith.shape, 1, np.uint8)
    light[zenith >= TWILIGHT_MAX_SOLAR_ZENITH_DEG] = 2
    if reflective:
        light[zenith < DAY_MAX_SOLAR_ZENITH_DEG] = 0
    return light


def log_odds(canvas: Canvas, bands: Bands, stage: Stage, forecast: Forecast) -> Field:
    """Natural logarithm of P(seen | cloud) / P(seen | clear)."""
    light = light_of(stage, reflective="S3" in bands).reshape(-1)
    # In one scene of ten the texture hardly counts, as with a table made of other clouds.
    texture_weight = np.float32(0.3 if canvas.rng.random() < 0.1 else 0.6)
    texture = log_texture(bands).reshape(-1)
    odds = np.empty(light.shape, np.float32)
    for number, name in enumerate(LIGHTS):
        where = np.flatnonzero(light == number)
        if where.size == 0:
            continue
        seen = evidence_of(bands, forecast, where, name)
        ratio = log_cloudy(seen, name) - log_clear(seen, forecast, where)
        odds[where] = ratio + texture_weight * log_texture_ratio(texture[where], seen.solid)
    return odds.reshape(stage.light.shape)


def _prior(canvas: Canvas, truth: BoolArray) -> Field:
    """Forecast cloud cover: the true one, blurred, displaced, and never sure."""
    shifts = canvas.rng.integers(-_PRIOR_SHIFT_KM, _PRIOR_SHIFT_KM + 1, 2)
    moved = displaced(truth.astype(np.float32), int(shifts[0]), int(shifts[1]))
    cover = smoothed(moved, _PRIOR_BLUR_KM)
    cover += np.float32(0.1) * canvas.fractal(slope=3.0, smooth=True)
    return np.clip(cover, *_PRIOR_RANGE)


def _snow_scheme(bands: Bands, stage: Stage, forecast: Forecast, odds: Field) -> Field:
    """Log odds over land with snow, where the provider's land scheme sees little cloud."""
    snow = forecast.frozen & stage.surface.land
    if not snow.any():
        return odds
    # Only what is far colder than forecast, bright where snow is dark, or certain counts as cloud.
    cloudy = (bands["S8"] < forecast.s8_kelvin - 8) | (odds > 12)
    if "S5" in bands:
        cloudy |= bands["S5"] > 0.3
    return np.where(snow, np.where(cloudy, np.float32(4), np.float32(-4)), odds)


def _second_view(oblique: Oblique, stage: Stage, forecast: Forecast) -> Field:
    """Log odds that the oblique view adds; NaN where it does not reach."""
    expected = forecast_oblique(forecast, stage, oblique.stage.geometry)
    anomaly = oblique.s8_kelvin - expected
    sigma = np.where(forecast.solid, np.float32(3.5), np.float32(1.0))
    clear = np.float32(-0.5) * np.minimum(np.abs(anomaly) / sigma, 5) ** 2 - np.log(sigma)
    # Cloud is colder by 15 K or so, seldom warmer.
    cloudy = np.where(anomaly < 0, anomaly / np.float32(14), anomaly / np.float32(-1.5))
    cloudy = np.maximum(cloudy, -8) + np.float32(np.log(np.sqrt(2 * np.pi) / 15.5))
    return np.asarray(_SECOND_VIEW_WEIGHT * (cloudy - clear), np.float32)


def _widen(bayes: npt.NDArray[np.uint8], stage: Stage) -> None:
    """Spread cloud by a pixel near coasts and in glint, in place."""
    doubtful = (stage.surface.coast_distance_km < 3) & stage.surface.water
    doubtful |= glint_reflectance(stage) > 0.1
    if doubtful.any():
        padded = np.pad(bayes, 1)
        rows = padded[:-2] | padded[1:-1] | padded[2:]
        widened = rows[:, :-2] | rows[:, 1:-1] | rows[:, 2:]
        bayes[doubtful] |= widened[doubtful]
