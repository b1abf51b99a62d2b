"""The classical cloud tests, one function each.

Every test takes arrays (rows, columns) of brightness temperature in K and reflectance with unit 1,
and returns its support for cloud, float32 from 0 to 1: 0.5 at the published threshold, rising
linearly on a ramp about it, NaN where one of its bands is NaN. Thresholds are those of the
literature, or derived from it where a comment says so; none was fitted to simulated scenes.

Sources, cited by short name below:

- SK88: Saunders and Kriebel (1988), Int. J. Remote Sens. 9, 123.
- ATSR: Zavody, Mutlow and Llewellyn-Jones (2000), J. Atmos. Oceanic Technol. 17, 595, and ESA's
  descriptions of the AATSR and SLSTR Level-1 cloud tests.
- MOD35: Ackerman et al. (2010), MODIS cloud mask ATBD, version 6.1; its three thresholds of each
  test (cloud, middle, clear) make the ramp.
- SCDA: Metsamaki et al. (2015), Remote Sens. Environ. 156, 42, and its version 2 for SLSTR.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.floating[Any]]
Support = npt.NDArray[np.float32]
Guard = npt.NDArray[np.bool_]

# SK88, table of clear-sky limits of T11 - T12 at a secant of 1, by T11.
_CIRRUS_T11_KELVIN = (260.0, 270.0, 280.0, 290.0, 300.0, 310.0)
_CIRRUS_LIMIT_KELVIN = (0.55, 0.58, 1.30, 3.06, 5.77, 9.41)

# ATSR: 2 to 5 K by T12. Derived: clear air of 50 mm water vapour makes 12 um 4 K colder than
# 3.7 um over a surface of 300 K, so the limit goes on rising to stay above that.
_MEDIUM_HIGH_T12_KELVIN = (260.0, 280.0, 290.0, 300.0)
_MEDIUM_HIGH_LIMIT_KELVIN = (2.0, 3.5, 5.0, 7.0)


def ramp(values: Array, clear_at: npt.ArrayLike, cloud_at: npt.ArrayLike) -> Support:
    """Rise linearly from 0 at ``clear_at`` to 1 at ``cloud_at``, in either direction; keep NaN."""
    start, end = np.asarray(clear_at, np.float32), np.asarray(cloud_at, np.float32)
    position = (values - start) / (end - start)
    return np.asarray(np.clip(position, 0.0, 1.0), np.float32)


def snow_index(s1: Array, s5: Array) -> Array:
    """Normalised difference snow index (S1 - S5) / (S1 + S5); 0 where both are dark."""
    total = s1 + s5
    lit = total > 1e-3
    return np.where(lit, (s1 - s5) / np.where(lit, total, 1.0), total * 0)


def snow_like(s1: Array, s5: Array) -> Guard:
    """Tell snow and ice from cloud: bright in S1, dark in S5.

    Thick ice cloud is as dark in S5 but brighter in S1, so the index counts relative to S1.
    """
    index = snow_index(s1, s5)
    # SCDA: cloud where the index is less than .8 of the reflectance; snow where it is above .4
    # (Hall et al. 1995, Remote Sens. Environ. 54, 127).
    return np.asarray((index > 0.4) & (index >= 0.8 * s1))


def glint_like(s3: Array, s5: Array, s8: Array, background_kelvin: Array) -> Guard:
    """Tell sunglint from cloud: as bright in S5 as in S3, and as warm as the sea around it.

    The mirror reflectance of water hardly depends on wavelength (Cox and Munk 1954), and the sea
    under glint keeps its temperature.
    """
    flat = np.abs(s5 - s3) < 0.35 * s3
    warm = s8 > background_kelvin - 2.0
    return np.asarray((s5 > 0.04) & flat & warm)


def gross_cloud(s8: Array, limit_kelvin: Array) -> Support:
    """11 um colder than any clear surface there (ATSR gross cloud; MOD35 267, 270, 273 K)."""
    return ramp(s8, limit_kelvin + 3.0, limit_kelvin - 3.0)


def thin_cirrus(s8: Array, s9: Array, secant: npt.ArrayLike) -> Support:
    """11 minus 12 um larger than clear air allows (SK88).

    Parameters
    ----------
    s8, s9
        K.
    secant
        1 / cos(view zenith angle).
    """
    limit = np.interp(s8, _CIRRUS_T11_KELVIN, _CIRRUS_LIMIT_KELVIN)
    # The table of SK88 grows with the secant about as this power of it.
    limit = limit * np.asarray(secant) ** 0.6
    return ramp(s8 - s9, 0.8 * limit, 1.2 * limit)


def fog_low_stratus(s7: Array, s8: Array) -> Support:
    """11 minus 3.7 um at night: droplets emit less at 3.7 um (ATSR, 0.6 to 1.5 K)."""
    support = ramp(s8 - s7, 0.6, 1.5)
    # Below 240 K the noise of S7 is .25 K and more (45 mK at 270 K, constant in radiance).
    return np.where(s8 < 240.0, np.float32(0), support)


def medium_high(s7: Array, s9: Array) -> Support:
    """3.7 minus 12 um at night: thin cold cloud lets more through at 3.7 um (ATSR)."""
    limit = np.interp(s9, _MEDIUM_HIGH_T12_KELVIN, _MEDIUM_HIGH_LIMIT_KELVIN)
    support = ramp(s7 - s9, limit - 1.0, limit + 1.0)
    # Below 225 K the noise of S7 is larger than .5 K; such pixels are gross cloud.
    return np.where(s9 < 225.0, np.float32(0), support)


def cirrus_1375(s4: Array, s1: Array, s5: Array, s8: Array) -> Support:
    """1.375 um by day: moist air hides all but high cloud (MOD35 .04, .035, .03).

    Below 10 mm of vapour it hides little. No map of vapour is there; what dry air lets through and
    is bright enough to count is snow, which the guard tells by its colour and cold.
    """
    support = ramp(s4, 0.03, 0.04)
    # Dry air over cold snow hides nothing.
    return np.where(snow_like(s1, s5) & (s8 < 270.0), np.float32(0), support)


def visible_over_water(s1: Array, s2: Array, s3: Array, s5: Array, glint: Guard) -> Support:
    """Visible, for dark water: bright and grey by day (MOD35 .065, .045, .030; ratio .85 to 1.15).

    The ratio S3 / S2 alone keeps vegetation and soil out, which are redder, so the test needs no
    map of land; and clear water, which is bluer.
    """
    ratio = s3 / np.maximum(s2, 1e-3)
    bright = ramp(s3, 0.030, 0.060)
    grey = np.minimum(ramp(ratio, 0.80, 0.90), ramp(ratio, 1.20, 1.10))
    barred = glint | snow_like(s1, s5)
    return np.where(barred, np.float32(0), np.minimum(bright, grey))


def visible_bright(s1: Array, s5: Array, s9: Array, glint: Guard) -> Support:
    """Visible, for any surface: S1 above .30, not snow, not hot (SCDA, 290 K)."""
    lit = np.maximum(s1, 1e-3)  # what is darker has no colour, and is not bright either
    not_snow = ramp(snow_index(s1, s5), 0.88 * lit, 0.72 * lit)
    bright = np.minimum(ramp(s1, 0.25, 0.35), not_snow)
    support = np.minimum(bright, ramp(s9, 293.0, 287.0))
    return np.where(glint, np.float32(0), support)


def reflected_37(s1: Array, s5: Array, s7: Array, s8: Array, s9: Array, glint: Guard) -> Support:
    """3.7 minus 11 um by day: cloud reflects sunlight at 3.7 um (SCDA, 13 K).

    Deserts do too: they are told by their index below -.3 and their heat.
    """
    support = np.minimum(ramp(s7 - s8, 10.0, 16.0), ramp(s9, 296.0, 290.0))
    cloud_like = (s1 > 0.15) & (s5 > 0.10) & (snow_index(s1, s5) >= -0.3)
    support = np.where(cloud_like & ~glint, support, np.float32(0))
    return np.where(np.isnan(s1) | np.isnan(s5), np.float32(np.nan), support)


def spatial_coherence(spread_kelvin: Array, anomaly_kelvin: Array, sea: Guard | None) -> Support:
    """11 um uneven within 3 x 3 pixels (ATSR, 0.2 K), and colder than the warmest around.

    Parameters
    ----------
    spread_kelvin
        Standard deviation of S8 in 3 x 3 pixels, K.
    anomaly_kelvin
        S8 minus the warm background, K: a warm pixel beside a cloud is no cloud.
    sea
        Where the surface is known to be sea. Over land the test says nothing (NaN). Without such
        knowledge only spreads that are rare over land count.
    """
    if sea is not None:
        support = np.minimum(ramp(spread_kelvin, 0.1, 0.3), ramp(anomaly_kelvin, -1.0, -3.0))
        return np.where(sea, support, np.float32(np.nan))
    # Derived: land of differing slope and cover varies by about .5 K from pixel to pixel, by 1 K
    # in mountains.
    return np.minimum(ramp(spread_kelvin, 0.8, 1.6), ramp(anomaly_kelvin, -4.0, -8.0))


# Secant of the oblique view, at 55 degrees.
_OBLIQUE_SECANT = 1.74


def view_difference_11_12(
    s8: Array, s9: Array, s8_oblique: Array, secant: npt.ArrayLike, sea: Guard | None
) -> Support:
    """11 um of nadir minus oblique other than clear air makes it, given 11 - 12 um (ATSR), at sea.

    Parameters
    ----------
    s8, s9, s8_oblique
        K.
    secant
        1 / cos(view zenith angle) of the nadir view.
    sea
        Where the surface is known to be sea. Elsewhere the test says nothing (NaN): slopes and
        shadows look different from two sides.
    """
    if sea is None:
        return np.full(s8.shape, np.nan, np.float32)
    # Derived: clear air takes 1.5 to 2.5 times 11 - 12 um at 11 um along the same path (2 K of 11
    # um and 1 K of the difference at 25 mm; 4.4 and 2 K at 50 mm), and the oblique path is longer.
    longer = np.maximum(_OBLIQUE_SECANT / np.asarray(secant) - 1, 0.0)
    clear = 2.0 * np.maximum(s8 - s9, 0.0) * longer
    departure = s8 - s8_oblique - clear
    # Up to 1 K of difference moisture, skin and emissivity at 55 degrees account for (derived).
    support = np.maximum(ramp(departure, 1.0, 2.0), ramp(departure, -1.0, -2.0))
    return np.where(sea, support, np.float32(np.nan))


def view_difference_37_11(
    s7: Array, s8: Array, s7_oblique: Array, s8_oblique: Array, sea: Guard | None
) -> Support:
    """3.7 um changing between the views other than 11 um does (ATSR), at sea by night.

    The longer path makes 3.7 um colder by a third to all of what it does at 11 um; through thin
    cloud, which the oblique view sees thicker, by less or more.
    """
    if sea is None:
        return np.full(s8.shape, np.nan, np.float32)
    change_11, change_37 = s8 - s8_oblique, s7 - s7_oblique
    # Derived: between .3 and 1.0 of 11 um's change in clear air, and .4 K of noise and emissivity.
    low, high = np.minimum(0.3 * change_11, change_11), np.maximum(0.3 * change_11, change_11)
    support = np.maximum(ramp(change_37 - high, 0.2, 0.8), ramp(change_37 - low, -0.2, -0.8))
    # Below 240 K the noise of S7 is .25 K and more.
    support = np.where(s8 < 240.0, np.float32(0), support)
    return np.where(sea, support, np.float32(np.nan))
