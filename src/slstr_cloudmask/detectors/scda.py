"""The snow-aware threshold detector by day: SCDA v2.

    mask = Scda().predict(scene)

The Simple Cloud Detection Algorithm of Metsamaki et al. (2015), Remote Sens. Environ. 156, 42, in
its version 2 for SLSTR: rules of reflectance, of the difference of 11 and 3.7 um, and of the snow
index, made for telling cloud from snow over land. A pixel is cloud where any rule finds it; the
probability is 1 or 0, and ``balanced`` is the only threshold that means something.

It needs S1, S5, S7, S8 and S9 in sunlight. At night and in twilight, and where one of these is
missing, a pixel is unknown: also hot ground where S7 saturates, unless F1 was put in its place. It
was made for land: sunglint is cloud to it, and thin cirrus is not.
"""

import logging

import numpy as np
import numpy.typing as npt
import xarray as xr

from slstr_cloudmask.detectors.cloud_tests import Array, snow_index
from slstr_cloudmask.mask import build_mask
from slstr_cloudmask.radiometry import scene_name
from slstr_cloudmask.scene import Regime, bands_present, regime

logger = logging.getLogger(__name__)

BANDS = ("S1", "S5", "S7", "S8", "S9")


def scda_cloud(bands: dict[str, Array]) -> npt.NDArray[np.bool_]:
    """Apply the rules of SCDA v2; False where a band is NaN.

    Parameters
    ----------
    bands
        ``S1``, ``S5`` reflectance, ``S7``, ``S8``, ``S9`` K.
    """
    s1, s9 = bands["S1"], bands["S9"]
    index = snow_index(s1, bands["S5"])
    relative = index / np.maximum(s1, np.float32(1e-3))
    difference = bands["S8"] - bands["S7"]
    # The published rules, in their order; the third is of sunlight on droplets.
    bright = (s1 > 0.30) & (relative < 0.8) & (s9 <= 290)
    reflecting = (difference < -13) & (s1 > 0.15) & (index >= -0.3) & (bands["S5"] > 0.10)
    droplets = difference < -30
    limit = np.minimum(0.5 * s9 - 133, np.where((s1 < 0.75) & (s9 > 265), -5.5, -8.0))
    over_snow = (difference < limit) & (relative < np.where(s1 > 0.75, 1.5, 1.1))
    over_snow &= (index >= -0.02) & (index <= 0.75) & (s9 <= 270) & (s1 > 0.18)
    return np.asarray(bright | (reflecting & (s9 <= 293)) | droplets | over_snow)


class Scda:
    """Mask a scene by SCDA v2.

    Parameters
    ----------
    threshold
        Cloud where the probability, 0 or 1, is at least this.
    """

    name = "scda"

    def __init__(self, threshold: float = 0.5) -> None:
        self.threshold = threshold

    def predict(self, scene: xr.Dataset) -> xr.Dataset:
        """Return the Mask of a Scene: unknown at night, in twilight and without its bands."""
        day = regime(scene) == Regime.DAY
        probability = np.full(day.shape, np.nan, np.float32)
        present = set(bands_present(scene))
        if not present.issuperset(BANDS):
            _warn_of_bands(scene)
        elif day.any():
            bands = {name: np.asarray(scene[name].values, np.float32) for name in BANDS}
            known = day & np.logical_and.reduce([np.isfinite(values) for values in bands.values()])
            probability[known] = scda_cloud(bands)[known]
        return build_mask(
            scene,
            probability,
            threshold=self.threshold,
            detector=self.name,
            attributes={"bands_used": " ".join(name for name in BANDS if name in present)},
        )


def _warn_of_bands(scene: xr.Dataset) -> None:
    logger.warning(
        "SCDA cannot be run on %s, so every pixel stays unknown: expected %s, found %s. "
        "Use a scene with these bands.",
        scene_name(scene),
        ", ".join(BANDS),
        ", ".join(bands_present(scene)),
    )
