"""How much physics speaks for cloud at each pixel, without labels, by the depth that it implies.

    support = vote(GaplessScene(scene))  # 0 to 1; 0.5 where a cloud's optical depth is about 0.3

The classical tests (`cloud_tests`) ask whether anything is there, and thin veils, which truth at an
optical depth of 0.3 calls clear, set most of them off. Here everything is measured against what a
clear pixel shows in the same place (`gapless_scene`), and a threshold is what a cloud of that depth
adds to it. The largest vote counts.

Where it fails: a cloud that covers everything within a few hundred km and looks as a surface does;
clouds as warm as snow and ice in the dark; leads and coasts, whose warmth or brightness steps.
"""

from functools import partial

import numpy as np

from slstr_cloudmask.detectors.cloud_tests import ramp
from slstr_cloudmask.detectors.fields import Field, lowest
from slstr_cloudmask.detectors.gapless_scene import GaplessScene
from slstr_cloudmask.detectors.surroundings import FREEZING_KELVIN
from slstr_cloudmask.detectors.threads import together

# Two-stream reflectance of an optical depth of .3 is .027 (10 um droplets) to .045 (ice) where the
# sun's cosine is .7, and goes with its inverse: .019 to .032, over the cosine.
_THIN_REFLECTANCE = 0.028
# Emissivity at 11 um of an optical depth of .3: .13 (10 um droplets) to .17 (ice) at nadir.
_THIN_EMISSIVITY = (0.11, 0.28)
_THIN_OVER_LAND = (0.2, 0.4)


def vote(gapless: GaplessScene) -> Field:
    """Return the largest vote at each pixel, 0 to 1; NaN where nothing can be said."""
    votes = []
    dark = ~gapless.lit & gapless.valid
    if gapless.kelvin is not None:
        votes.append(gapless.certain)
        if dark.any():
            votes.append(np.where(dark, cold(gapless), np.float32(np.nan)))
    if gapless.reflectance_37 is not None and dark.any():
        votes.append(np.where(dark, opaque_37(gapless), np.float32(np.nan)))
    if gapless.lit.any():
        votes.append(np.where(gapless.lit, bright(gapless), np.float32(np.nan)))
    support = np.full(gapless.valid.shape, np.nan, np.float32)
    for other in votes:
        # fmax leaves NaN aside where the other is a number.
        np.fmax(support, other, out=support)
    return np.where(gapless.valid, support, np.float32(np.nan))


def emissivity(gapless: GaplessScene, reach_px: int) -> Field:
    """How far each pixel is from the clear ground to the coldest cloud near, in radiance at 11 um.

    A cloud whose thick parts are near has about that emissivity.
    """
    ground = gapless.ground_radiance
    # Not less than some 1.5 K below the ground, so that noise is no cloud.
    top = np.minimum(lowest(gapless.radiance, reach_px), np.float32(0.97) * ground)
    return np.asarray((ground - gapless.radiance) / (ground - top))


def cold(gapless: GaplessScene) -> Field:
    """Colder than clear pixels there, by a good part of the way to the coldest cloud near.

    Low cloud is compared with what is within 22 km, high cloud with what is within 60 km, for its
    thick parts are farther apart.
    """
    deficit = -gapless.anomaly_kelvin
    high = ramp(deficit, 3.0, 7.0)
    _ = gapless.ground_radiance  # made once, not by each thread
    near, far = together(partial(emissivity, gapless, 45), partial(emissivity, gapless, 121))
    share = near * (1 - high) + far * high
    # Ice differs by kelvins from floe to floe, and land more, from slope to slope.
    least = np.where(gapless.ground_kelvin < FREEZING_KELVIN, np.float32(1.9), np.float32(0))
    support = np.minimum(
        ramp(share, _THIN_EMISSIVITY[0], _THIN_EMISSIVITY[1] - 0.04 * high),
        ramp(deficit - least, 0.6, 1.6 + 1.0 * (least > 0)),
    )
    if gapless.land is None:
        return support
    over_land = np.minimum(ramp(share, *_THIN_OVER_LAND), ramp(deficit, 4.0, 9.0))
    return np.where(gapless.land, over_land, support)


def opaque_37(gapless: GaplessScene) -> Field:
    """Reflects at 3.7 um more than clear pixels there: droplets, in twilight and by night."""
    assert gapless.reflectance_37 is not None
    # Moist air makes it negative: 3.7 um is then warmer than 11 um, by up to 2 K.
    ground = np.clip(
        gapless.background.of(gapless.reflectance_37), -0.15, gapless.most_reflected_37
    )
    excess = gapless.reflectance_37 - np.nan_to_num(ground, nan=0.02)
    # In twilight the sun's slant makes thin cloud as bright as thick, as in `bright`.
    slant = np.minimum(_THIN_REFLECTANCE / np.maximum(gapless.sun_cosine, np.float32(0.05)), 0.3)
    thin = np.where(gapless.sunlit_37, slant, np.float32(0.035))
    return _rise(excess, np.maximum(thin, np.float32(0.035)))


def bright(gapless: GaplessScene) -> Field:
    """Brighter than clear pixels there by day, as much as a cloud of that depth."""
    thin = np.float32(_THIN_REFLECTANCE) / np.maximum(gapless.sun_cosine, np.float32(0.05))
    beyond = gapless.brighter
    shortwave = np.minimum(beyond["S5"], beyond.get("S6", beyond["S5"]))
    visible = np.minimum(beyond["S1"], beyond["S3"])
    ground = {name: gapless.bands[name] - beyond[name] for name in ("S1", "S5")}
    snow = (ground["S1"] > 0.3) & (
        ground["S1"] - ground["S5"] > 0.4 * (ground["S1"] + ground["S5"])
    )
    land = ~snow & (gapless.land if gapless.land is not None else ground["S5"] > 0.1)
    over_sea = np.minimum(_rise(shortwave, thin), _rise(visible, thin))
    over_snow = _rise(shortwave, 1.6 * thin)
    over_land = _rise(beyond["S1"], 1.6 * thin)
    support = np.where(snow, over_snow, np.where(land, over_land, over_sea))
    if "S4" in beyond:
        support = np.maximum(support, _rise(beyond["S4"], thin))
    return support


def _rise(excess: Field, thin: Field) -> Field:
    return ramp(excess, 0.5 * thin, 1.5 * thin)
