"""The provider's mistaken labels: a Bayesian cloud mask that is fed wrong inputs.

As the operational scheme does, it compares what is seen with what a forecast says the clear scene
would look like (Merchant et al. 2005, Q. J. R. Meteorol. Soc. 131, 2735). The forecast is smooth,
biased and displaced, so clear pixels are often flagged: a label to learn from, not the truth.

The scheme is quoted from memory, not checked against the source named.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from slstr_cloudmask.simulate.clear import Bands, glint_factor
from slstr_cloudmask.simulate.fractal import Field, fractal_field
from slstr_cloudmask.simulate.geometry import FULL_COLUMNS, Geometry
from slstr_cloudmask.simulate.radiation import infrared_deficits_kelvin
from slstr_cloudmask.simulate.surface import Surface

# A pixel counts as clear above these probabilities of clear sky.
CLEAR_LOW, CLEAR_MODERATE = 0.9, 0.5
BITS = {"single_low": 1, "single_moderate": 2, "dual_low": 4, "dual_moderate": 8}

# Columns of the oblique view on the nadir grid: 900 wide, from 548 on.
_DUAL_COLUMNS = (548, 1448)
_FORECAST_BLUR_PX, _PRIOR_BLUR_PX, _PRIOR_SHIFT_PX = 14.0, 40.0, 40
_PRIOR_RANGE = (0.5, 0.95)
# Texture is not independent of the anomaly, so it counts for less than its density says.
TEXTURE_WEIGHT = 0.6
# Sea is a little less of a black body at 12 um than at 11 um; K, from its emissivities.
_SEA_SPLIT_KELVIN = 0.25


@dataclass(frozen=True, slots=True)
class Forecast:
    """What the provider believes of the clear scene, per pixel."""

    s8_kelvin: Field
    split_kelvin: Field  # S8 - S9
    s7_minus_s8_kelvin: Field
    s3: Field
    s5: Field
    reflectance_spread: Field
    solid: npt.NDArray[np.bool_]


def provider_flags(
    rng: np.random.Generator,
    bands: Bands,
    truth: npt.NDArray[np.bool_],
    geometry: Geometry,
    surface: Surface,
) -> npt.NDArray[np.uint8]:
    """Flag cloud as the provider would.

    Parameters
    ----------
    rng
        Source of randomness, for the errors of the forecast.
    bands
        What was measured; ``S3`` and ``S5`` by day.
    truth
        True cloud, which the forecast's cloud cover resembles.
    geometry, surface
        Of the scene.

    Returns
    -------
    numpy.ndarray
        uint8 (rows, columns) of `BITS`.
    """
    forecast = draw_forecast(rng, geometry, surface)
    evidence = log_likelihood_ratio(bands, forecast, local_spread(bands["S8"]))
    prior = _prior(rng, truth)
    log_odds = evidence + np.log(prior / (1 - prior))
    snowy_land = surface.snow_or_ice & surface.land
    log_odds = np.where(snowy_land, _polar_land(bands, forecast, log_odds), log_odds)
    # The second view is another look at the same cloud: more evidence, with errors of its own.
    second = log_odds * np.float32(1.2) + np.float32(0.4) * fractal_field(
        rng, truth.shape, slope=2.0
    )
    flags = np.zeros(truth.shape, np.uint8)
    flags |= BITS["single_low"] * is_cloud(log_odds, CLEAR_LOW)
    flags |= BITS["single_moderate"] * is_cloud(log_odds, CLEAR_MODERATE)
    left, right = (round(edge / FULL_COLUMNS * truth.shape[1]) for edge in _DUAL_COLUMNS)
    flags[:, left:right] |= BITS["dual_low"] * is_cloud(second, CLEAR_LOW)[:, left:right]
    flags[:, left:right] |= BITS["dual_moderate"] * is_cloud(second, CLEAR_MODERATE)[:, left:right]
    return flags


def is_cloud(log_odds: Field, clear_probability: float) -> npt.NDArray[np.uint8]:
    """Say, as 0 or 1, where the probability of clear sky is below a limit.

    ``log_odds`` is the natural logarithm of P(cloud) / P(clear).
    """
    # P(clear) = 1 / (1 + exp(odds)) < p  <=>  odds > ln((1 - p) / p).
    limit = np.log((1 - clear_probability) / clear_probability)
    return np.asarray(log_odds > limit, np.uint8)


def draw_forecast(rng: np.random.Generator, geometry: Geometry, surface: Surface) -> Forecast:
    """Draw a forecast: smooth, biased as a whole, and wrong in patches."""
    shape = (surface.land.shape[0], surface.land.shape[1])
    # The maps of snow and ice are displaced.
    snow = np.roll(surface.snow_or_ice, (11, -9), axis=(0, 1))
    solid = surface.land | snow
    sigma = np.where(solid, np.float32(2.5), np.float32(0.5))
    errors = sigma * fractal_field(rng, shape, slope=3.0, outer_scale_px=60)
    bias = np.clip(rng.normal(0, 0.5), -1.5, 1.5)
    skin = _smoothed_apart(surface.skin_kelvin, solid) + errors + np.float32(bias)
    vapour = surface.vapour_mm * np.exp(0.12 * fractal_field(rng, shape, slope=3.0))
    deficits = infrared_deficits_kelvin(vapour, geometry.mu_view, skin - surface.air_kelvin)
    wind = np.full(shape, max(surface.wind_m_s.mean() + rng.normal(0, 1.5), 1.0), np.float32)
    glint = np.where(solid, 0, glint_factor(geometry, wind))
    # Clear reflectance: dark sea with glint, grey land, bright snow.
    base_s3 = np.where(snow, 0.6, np.where(surface.land, 0.29, 0.03))
    base_s5 = np.where(snow, 0.10, np.where(surface.land, 0.27, 0.012))
    # Haze over a dark scene, single scattering: 0.25 tau / (4 mu0 mu), with tau of 0.06 and 0.03.
    slant = np.minimum(1 / (np.maximum(geometry.mu_sun, 0.03) * geometry.mu_view), 25)
    spread = 0.012 + 0.35 * glint + 0.003 * slant
    return Forecast(
        s8_kelvin=(skin - deficits["S8"]).astype(np.float32),
        split_kelvin=(deficits["S9"] - deficits["S8"] + _SEA_SPLIT_KELVIN).astype(np.float32),
        s7_minus_s8_kelvin=(deficits["S8"] - deficits["S7"]).astype(np.float32),
        s3=(base_s3 + glint + 0.0045 * slant).astype(np.float32),
        s5=(base_s5 + glint + 0.0022 * slant).astype(np.float32),
        reflectance_spread=np.where(solid, 0.09, spread).astype(np.float32),
        solid=np.asarray(solid),
    )


def log_likelihood_ratio(bands: Bands, forecast: Forecast, spread_kelvin: Field) -> Field:
    """Natural logarithm of P(seen | cloud) / P(seen | clear).

    The clear densities are Gaussians about the forecast; the cloudy ones are broad, whatever the
    scene: cold by 15 K or so, bright, uneven. Features are taken as independent.
    """
    solid = forecast.solid
    anomaly = bands["S8"] - forecast.s8_kelvin
    total = _cold_tail(anomaly) - _gauss(anomaly, 0, np.where(solid, 3.2, 0.8))
    split = bands["S8"] - bands["S9"]
    total += _gauss(split, 0.9, 1.0)
    total -= _gauss(split, forecast.split_kelvin, np.where(solid, 0.6, 0.28))
    texture = np.log(np.maximum(spread_kelvin, np.float32(0.01)))
    uneven = _gauss(texture, -1.0, 1.0)
    uneven -= _gauss(texture, np.where(solid, -1.5, -2.5), np.where(solid, 0.9, 0.65))
    total += np.float32(TEXTURE_WEIGHT) * uneven
    if "S3" in bands:
        light = _reflected(bands["S3"], forecast.s3, forecast.reflectance_spread, (0.42, 0.26))
        light += _reflected(bands["S5"], forecast.s5, forecast.reflectance_spread, (0.34, 0.20))
        total += np.where(np.isfinite(light), light, 0)
    else:
        difference = bands["S7"] - bands["S8"]
        total += _gauss(difference, -0.6, 2.6)
        total -= _gauss(difference, forecast.s7_minus_s8_kelvin, np.where(solid, 1.2, 0.45))
    return np.asarray(total, np.float32)


def local_spread(values: Field) -> Field:
    """Measure the standard deviation in the 3 x 3 pixels around each."""
    # In float64, about a middle value, so that hundredths of a kelvin are not lost.
    offset = values.astype(np.float64) - 270.0
    variance = ndimage.uniform_filter(offset**2, 3) - ndimage.uniform_filter(offset, 3) ** 2
    return np.asarray(np.sqrt(np.maximum(variance, 0)), np.float32)


def smoothed(values: Field, sigma_px: float) -> Field:
    """Gaussian blur, worked out on a coarser grid."""
    step = max(1, min(int(sigma_px // 4), min(values.shape) // 8))
    rows, columns = values.shape
    coarse = ndimage.uniform_filter(values, step)[::step, ::step]
    coarse = ndimage.gaussian_filter(coarse, sigma_px / step, mode="nearest")
    row, column = (np.arange(n, dtype=np.float32) / step for n in (rows, columns))
    by_row = _interpolate_rows(coarse, row)
    return np.ascontiguousarray(_interpolate_rows(np.ascontiguousarray(by_row.T), column).T)


def _smoothed_apart(values: Field, solid: npt.NDArray[np.bool_]) -> Field:
    """Blur a field on either side of the coast, without mixing the sides."""
    result = np.empty_like(values)
    for side in (solid, ~solid):
        weight = np.maximum(smoothed(side.astype(np.float32), _FORECAST_BLUR_PX), 1e-3)
        mean = smoothed(np.where(side, values, 0), _FORECAST_BLUR_PX) / weight
        # Far from its own kind a lone pixel has no neighbours to be blurred with.
        np.copyto(result, np.where(weight > 0.02, mean, values), where=side)
    return result


def _interpolate_rows(values: Field, position: Field) -> Field:
    """Interpolate linearly between rows; positions beyond the last row take its value."""
    last = values.shape[0] - 1
    position = np.minimum(position, last)
    low = np.minimum(position.astype(np.intp), max(last - 1, 0))
    weight = (position - low)[:, np.newaxis]
    high = np.minimum(low + 1, last)
    return np.asarray(values[low] * (1 - weight) + values[high] * weight, np.float32)


def _gauss(values: Field, mean: npt.ArrayLike, sigma: npt.ArrayLike) -> Field:
    """Logarithm of a Gaussian density, without the constant that all of them share.

    The tails end at five sigma, as those of a density with outliers do.
    """
    sigma32 = np.asarray(sigma, np.float32)
    distance = np.minimum(np.abs((values - np.asarray(mean, np.float32)) / sigma32), np.float32(5))
    return np.asarray(np.float32(-0.5) * distance**2 - np.log(sigma32), np.float32)


def _cold_tail(anomaly: Field) -> Field:
    """Logarithm of the cloudy density of S8 minus clear: long to the cold, short to the warm.

    Exponential on both sides; ln sqrt(2 pi), which `_gauss` leaves out, is added.
    """
    scale_kelvin, warm_kelvin = np.float32(14), np.float32(1.5)
    tail = np.where(anomaly < 0, anomaly / scale_kelvin, -anomaly / warm_kelvin)
    norm = np.log(np.sqrt(2 * np.pi) / (14 + 1.5))
    return np.asarray(np.maximum(tail, -8) + np.float32(norm), np.float32)


def _reflected(seen: Field, clear: Field, spread: Field, cloudy: tuple[float, float]) -> Field:
    return _gauss(seen, *cloudy) - _gauss(seen, clear, spread)


def _prior(rng: np.random.Generator, truth: npt.NDArray[np.bool_]) -> Field:
    """Forecast cloud cover: the true one, blurred, displaced, and never sure."""
    shifts = rng.integers(-_PRIOR_SHIFT_PX, _PRIOR_SHIFT_PX + 1, 2)
    moved = np.roll(truth.astype(np.float32), tuple(int(n) for n in shifts), axis=(0, 1))
    cover = smoothed(moved, _PRIOR_BLUR_PX)
    cover += np.float32(0.1) * fractal_field(rng, (truth.shape[0], truth.shape[1]), slope=3.0)
    return np.clip(cover, *_PRIOR_RANGE)


def _polar_land(bands: Bands, forecast: Forecast, log_odds: Field) -> Field:
    """Log odds over snow-covered land, where the provider's land scheme sees little cloud."""
    # Only what is far colder than forecast, bright where snow is dark, or certain counts as cloud.
    cloudy = (bands["S8"] < forecast.s8_kelvin - 6) | (log_odds > 4)
    if "S5" in bands:
        cloudy |= bands["S5"] > 0.3
    return np.where(cloudy, np.float32(4), np.float32(-4))
