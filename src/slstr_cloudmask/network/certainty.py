"""How sure a network may be: logits that mean what they say, and inputs unlike its training.

    places = regime_places(scene)
    logits_HW = calibrated(logits_HW, places, config.calibration)
    outside_HW = outside_ranges(x_HWC, places, config.normaliser.inputs, config.ranges)

Both are fitted on scenes that the network has not learnt from (``training.calibration``), by day,
twilight and night apart, since a network is surer than it should be where it sees less.

Shape legend: H rows, W columns, C inputs.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr
from scipy import special

from slstr_cloudmask.flags import UNKNOWN, BoolArray
from slstr_cloudmask.scene import Regime, regime

Pair = tuple[float, float]
Weights = tuple[float, float, float]
Places = Mapping[str, BoolArray]  # where it is day, twilight and night, (H, W)

SUREST = 7.0  # logit of a companion that says 0 or 1, which no evidence of one scene allows


def regime_places(scene: xr.Dataset) -> dict[str, BoolArray]:
    """Return where it is day, twilight and night; what is unknown counts as night.

    Without light nothing is known of more than the thermal bands.
    """
    light = regime(scene)
    light[light == UNKNOWN] = Regime.NIGHT
    return {item.name.lower(): light == item for item in Regime}


def calibrated(
    logits_HW: npt.NDArray[np.float32], places: Places, calibration: Mapping[str, Pair]
) -> npt.NDArray[np.float32]:
    """Return logits of probabilities that mean what they say (Platt 1999), by regime."""
    if not calibration:
        return logits_HW
    result = logits_HW.copy()
    for name, where in places.items():
        scale, offset = map(np.float32, calibration.get(name, (1.0, 0.0)))
        result[where] = logits_HW[where] * scale + offset
    return result


def companion_logits(probability: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.float32]:
    """Return a companion's logits, none surer than ``SUREST``; NaN where it has no answer."""
    odds = np.clip(probability, special.expit(-SUREST), special.expit(SUREST))
    return np.asarray(special.logit(odds), np.float32)


def weighed(
    logits_HW: npt.NDArray[np.float32],
    companion_HW: npt.NDArray[np.float32],
    places: Places,
    weights: Mapping[str, Weights],
    calibration: Mapping[str, Pair],
) -> npt.NDArray[np.float32]:
    """Return logits that weigh a network's with a companion's, by regime.

    Where the companion has no answer, or the regime no weights, they are `calibrated` alone.
    """
    result = calibrated(logits_HW, places, calibration).copy()
    answered = np.isfinite(companion_HW)
    for name, where in places.items():
        if name not in weights:
            continue
        own, other, offset = map(np.float32, weights[name])
        here = where & answered
        result[here] = logits_HW[here] * own + companion_HW[here] * other + offset
    return result


def outside_ranges(
    x_HWC: npt.NDArray[np.float32],
    places: Places,
    names: Sequence[str],
    ranges: Mapping[str, Mapping[str, Pair]],
) -> BoolArray:
    """Tell which pixels have an input outside the range of its regime (H, W).

    A regime that the model was not trained on is outside altogether.
    """
    outside = np.zeros(x_HWC.shape[:2], bool)
    for regime_name, where in places.items():
        known = ranges.get(regime_name)
        if known is None:
            outside |= where
            continue
        for place, name in enumerate(names):
            if name in known:
                low, high = known[name]
                values = x_HWC[..., place]
                outside |= where & ((values < low) | (values > high))
    return outside
