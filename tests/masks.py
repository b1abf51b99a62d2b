"""Masks for tests of outputs: a cloud of known place, operational masks, any part of the globe."""

from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from slstr_cloudmask.flags import UNKNOWN, flag_variable, value_flag_variable
from slstr_cloudmask.mask import build_mask
from slstr_cloudmask.operational import carry
from slstr_cloudmask.scene import build_scene
from tests.scenes import BAYES_MASKS

SHAPE = (20, 30)
CLOUD_PIXEL = (10, 20)
KILOMETRE_DEG = 0.009  # of a great circle
REAL = {
    "platform": "Sentinel-3A",
    "start_time": "2019-10-01T11:32:21Z",
    "stop_time": "2019-10-01T11:35:21Z",
    "source": "S3A_SL_1_RBT____20191001T113221_LR1_R_NT_004.SEN3",
    "relative_orbit": 23,
    "baseline": "004",
    "grid": "1km",
    "view": "nadir",
}


def make_mask(
    latitude_deg: npt.NDArray[Any] | None = None,
    longitude_deg: npt.NDArray[Any] | None = None,
    *,
    seen: bool = True,
    **attributes: Any,
) -> xr.Dataset:
    """Clear but for one pixel, `CLOUD_PIXEL`; column 0 was not seen."""
    bt_kelvin = np.full(SHAPE if latitude_deg is None else latitude_deg.shape, 290.0)
    bt_kelvin[:, 0] = np.nan
    if not seen:
        bt_kelvin[:] = np.nan
    cloud = np.zeros(bt_kelvin.shape, np.uint8)
    cloud[CLOUD_PIXEL] = 1
    positions = {}
    if latitude_deg is not None and longitude_deg is not None:
        positions = {"latitude": latitude_deg, "longitude": longitude_deg}
    tests = {"gross_cloud": 1, "1.6_small_histogram": 2, "fog_low_stratus": 32}
    scene = build_scene(
        {"S8": bt_kelvin},
        coordinates=positions | {"solar_zenith_angle": np.full(bt_kelvin.shape, 120.0)},
        flags={
            "bayes": flag_variable(2 * cloud, BAYES_MASKS, fill=UNKNOWN),
            "cloud": flag_variable(32 * cloud.astype(np.uint16), tests, fill=65535),
            "summary_cloud": value_flag_variable(
                cloud, {"clear": 0, "cloud": 1}, long_name="summary"
            ),
        },
        attributes=REAL | attributes,
    )
    probability = np.where(cloud, 0.8, 0.1)
    return carry(build_mask(scene, probability, threshold=0.5, detector="thresholds"), scene)


def positions(
    latitude_deg: float = 10.0, longitude_deg: float = 20.0
) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Lay pixels a kilometre apart, rows southward; `CLOUD_PIXEL` is at the place given."""
    rows, columns = np.indices(SHAPE)
    latitude = latitude_deg - KILOMETRE_DEG * (rows - CLOUD_PIXEL[0])
    across = KILOMETRE_DEG / np.cos(np.radians(latitude_deg))
    longitude = longitude_deg + across * (columns - CLOUD_PIXEL[1])
    return latitude, (longitude + 180.0) % 360.0 - 180.0


def around_pole(sign: int = 1) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Lay pixels a kilometre apart with the pole, north or south, at `CLOUD_PIXEL`."""
    rows, columns = np.indices(SHAPE)
    x, y = columns - CLOUD_PIXEL[1], CLOUD_PIXEL[0] - rows
    latitude = sign * (90.0 - KILOMETRE_DEG * np.hypot(x, y))
    return latitude, np.degrees(np.arctan2(y, x))
