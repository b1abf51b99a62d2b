"""The features that the Bayesian detector's tables are of, worked out from bands."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from slstr_cloudmask.detectors.evidence import Flat

_DARK = np.float32(0.004)  # darker reflectances have no colour


@dataclass(frozen=True, slots=True)
class Clear:
    """What clear sky would be: S8, S8 - S9 and, at night, S7 - S8; K."""

    kelvin: Flat
    split_kelvin: Flat
    difference_kelvin: Flat


def thermal_features(bands: Mapping[str, Flat], clear: Clear, *, sunlit: bool) -> dict[str, Flat]:
    """Differences of brightness temperatures, K, of what is there of ``S7``, ``S8``, ``S9``.

    Parameters
    ----------
    bands
        Brightness temperatures.
    clear
        Those of clear sky.
    sunlit
        Whether S7 holds sunlight.
    """
    found: dict[str, Flat] = {}
    if "S8" not in bands:
        return found
    found["anomaly"] = found["cooling"] = bands["S8"] - clear.kelvin
    if "S9" in bands:
        found["split"] = found["spread"] = bands["S8"] - bands["S9"] - clear.split_kelvin
    if "S7" in bands and sunlit:
        found["sunlit"] = bands["S7"] - bands["S8"]
    elif "S7" in bands:
        found["difference"] = bands["S7"] - bands["S8"] - clear.difference_kelvin
    return found


def reflected_features(bands: Mapping[str, Flat]) -> dict[str, Flat]:
    """Brightness and colour, of what is there of ``S2`` to ``S5``."""
    found: dict[str, Flat] = {}
    if "S2" in bands:
        found["red"] = bands["S2"]
        if "S5" in bands:
            found["colour"] = _log_ratio(bands["S5"], bands["S2"])
        if "S3" in bands:
            found["green"] = _log_ratio(bands["S3"], bands["S2"])
    if "S4" in bands:
        found["cirrus"] = bands["S4"]
    return found


def _log_ratio(above: Flat, below: Flat) -> Flat:
    """Logarithm of a ratio; NaN where either is."""
    ratio = np.maximum(above, _DARK) / np.maximum(below, _DARK)
    return np.asarray(np.log(ratio), np.float32)
