"""What the Bayesian detector knows beside the bands: usual cloud cover, and what texture says.

Both are logarithms of ratios (rows, columns, 2): of veil and of cloud to bare sky.
"""

import numpy as np

from slstr_cloudmask.detectors.clear_sky import Ground
from slstr_cloudmask.detectors.evidence import Flat
from slstr_cloudmask.detectors.surroundings import local_spread

# Cloud cover by absolute latitude, over sea, land, where it is not known which, and ice:
# Stubenrauch et al. (2013), Bull. Amer. Meteor. Soc. 94, 1031, in round numbers.
_COVER_LATITUDE_DEG = (0.0, 10.0, 20.0, 35.0, 50.0, 65.0, 80.0)
_SEA_COVER = (0.68, 0.66, 0.60, 0.68, 0.82, 0.82, 0.75)
_COVER = (
    _SEA_COVER,
    (0.70, 0.60, 0.40, 0.48, 0.62, 0.68, 0.65),
    (0.69, 0.64, 0.55, 0.62, 0.75, 0.78, 0.70),
    _SEA_COVER,
)
_GLOBAL_COVER = (0.72, 0.56, 0.68, 0.72)
# Of the sky that does not count as cloud, as much is veiled: lidars see subvisible cirrus over a
# third of the globe (Martins et al. 2011, J. Geophys. Res. 116, D02208).
_VEILED = np.float32(0.35)

# Logarithm of the standard deviation of S8 in 3 x 3 pixels, K: mean and spread, over sea, land,
# either, ice; for each sky. Derived: noise is .013 K, and sea of .5 to 2 K in 100 km, with fronts
# of .1 K in one, adds as much again; fields and slopes make .4 K; cloud anything from none to
# several kelvins.
_TEXTURE = {
    "bare": ((-3.5, 0.7), (-0.9, 0.7), (-1.6, 0.9), (-1.6, 0.9)),
    "veil": ((-2.0, 1.0), (-0.8, 0.8), (-1.2, 1.0), (-1.2, 1.0)),
    "cloud": ((-0.9, 1.1), (-0.5, 1.0), (-0.7, 1.1), (-0.7, 1.1)),
}
# Texture is no second witness: what is cold beside warm is uneven too.
TEXTURE_WEIGHT = np.float32(0.5)
_LEAST_SPREAD_KELVIN = np.float32(0.015)


def log_prior(ground: Ground) -> Flat:
    """Ratios of the prior probabilities of veil and cloud to that of bare sky."""
    cover = np.array(_GLOBAL_COVER, np.float32)[ground.land]
    if ground.latitude_deg is not None:
        away = np.abs(ground.latitude_deg)
        for kind, covers in enumerate(_COVER):
            local = np.interp(away, _COVER_LATITUDE_DEG, covers)
            np.copyto(
                cover, local, where=(ground.land == kind) & np.isfinite(away), casting="unsafe"
            )
    veil = np.full(cover.shape, np.log(_VEILED / (1 - _VEILED)), np.float32)
    cloud = np.log(cover / ((1 - cover) * (1 - _VEILED)))
    return np.stack([veil, cloud], axis=-1)


def log_texture(s8: Flat, ground: Ground) -> Flat:
    """Ratios of the densities of the texture under veil and cloud to that under bare sky."""
    texture = np.log(np.maximum(local_spread(s8), _LEAST_SPREAD_KELVIN))
    logs = []
    for numbers in _TEXTURE.values():
        mean, spread = np.array(numbers, np.float32).T[:, ground.land]
        distance = np.minimum(np.abs(texture - mean) / spread, np.float32(4))
        logs.append(np.float32(-0.5) * distance * distance - np.log(spread))
    bare, veil, cloud = logs
    ratios = np.stack([veil - bare, cloud - bare], axis=-1)
    return np.asarray(np.nan_to_num(ratios, nan=0.0), np.float32)
