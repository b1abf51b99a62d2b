"""The Mask contract: what comes out for a Scene.

An ``xarray.Dataset`` on the scene's grid: ``cloud_probability``, ``cloud_mask`` (0 clear, 1 cloud,
255 unknown) and ``regime``. `build_mask` is the only place where a threshold is applied.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from slstr_cloudmask import __version__
from slstr_cloudmask.flags import DIMS, UNKNOWN, value_flag_variable
from slstr_cloudmask.scene import Regime, bands_missing, bands_present, regime, valid_pixels


def build_mask(
    scene: xr.Dataset,
    probability: npt.ArrayLike,
    *,
    threshold: float,
    detector: str,
    attributes: Mapping[str, Any] | None = None,
) -> xr.Dataset:
    """Make a Mask: the only place where a threshold is applied.

    Parameters
    ----------
    scene
        The Scene that was masked.
    probability
        Cloud probability (rows, columns), 0 to 1, NaN where unknown. Pixels that were not seen
        become unknown whatever it says.
    threshold
        Cloud where the probability is at least this.
    detector
        Name of the detector.
    attributes
        More attributes: version, checksum, label.

    Returns
    -------
    xarray.Dataset
        ``cloud_probability`` float32, ``cloud_mask`` uint8 (255 unknown), ``regime`` uint8, with
        the scene's latitude and longitude.
    """
    known = valid_pixels(scene)
    values = np.where(known, np.asarray(probability, np.float32), np.float32(np.nan))
    cloud = np.where(np.isfinite(values), values >= threshold, np.uint8(UNKNOWN))
    mask = xr.Dataset(
        {
            "cloud_probability": xr.Variable(
                DIMS,
                values,
                {
                    "long_name": "probability of cloud",
                    "units": "1",
                    "valid_range": np.array([0, 1], np.float32),
                },
            ),
            "cloud_mask": value_flag_variable(
                cloud, {"clear": 0, "cloud": 1}, long_name="cloud mask"
            ),
            "regime": value_flag_variable(
                regime(scene),
                {item.name.lower(): item.value for item in Regime},
                long_name="illumination regime",
            ),
        },
        coords={
            name: scene[name].variable.compute()
            for name in ("latitude", "longitude")
            if name in scene.coords
        },
    )
    mask["cloud_mask"].attrs["standard_name"] = "cloud_binary_mask"
    mask["cloud_mask"].attrs["ancillary_variables"] = "cloud_probability regime"
    mask.attrs = _mask_attributes(scene, threshold, detector) | dict(attributes or {})
    return mask


def _mask_attributes(scene: xr.Dataset, threshold: float, detector: str) -> dict[str, Any]:
    written = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    made = f"{written} slstr-cloudmask {__version__}: cloud mask by {detector}"
    return {
        **scene.attrs,
        "Conventions": "CF-1.11",
        "title": "Cloud mask of a Sentinel-3 SLSTR scene",
        "history": "\n".join(filter(None, [scene.attrs.get("history"), made])),
        "detector": detector,
        "detector_version": __version__,
        "threshold": float(threshold),
        "bands_used": " ".join(bands_present(scene)),
        "bands_missing": " ".join(bands_missing(scene)),
    }


def cloud_fraction(mask: xr.Dataset) -> float:
    """Share of cloud among the pixels that are known; NaN where none is."""
    cloud = mask["cloud_mask"].values
    known = cloud != UNKNOWN
    return float((cloud[known] == 1).mean()) if known.any() else float("nan")
