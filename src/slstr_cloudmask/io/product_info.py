"""What is in a product, in numbers, without masking it.

    described = describe_product("S3A_SL_1_RBT____....SEN3")
    described["operational_cloud"]["summary_cloud"]     # share of the pixels where it is known

Only what the answer needs of a product is read: the thermal bands, angles, positions and flags.
"""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from slstr_cloudmask import channels
from slstr_cloudmask.flags import UNKNOWN, BoolArray, decode_flag, flag_masks
from slstr_cloudmask.io import is_scene_in_one_file, open_scene
from slstr_cloudmask.io.product_check import absent_files
from slstr_cloudmask.io.product_name import ProductName, parse_product_name, product_folder_name
from slstr_cloudmask.io.product_store import open_product
from slstr_cloudmask.scene import Regime, bands_present, regime, usable_bands, valid_pixels


def describe_product(path: str | Path) -> dict[str, Any]:
    """Describe a ``.SEN3`` product, a file of the benchmark or a simulated scene.

    Parameters
    ----------
    path
        The product's folder, manifest, zip, or the URL of one of these; or the scene's file.

    Returns
    -------
    dict
        Name, time, orbit, size, bands, shares of valid, day, twilight and night pixels, the bands
        that carry information in each light that there is, ranges of latitude and longitude, and
        the share of cloud by each operational test, of the pixels where that is known, and the
        files that its manifest lists and it does not hold. Fit for JSON: None stands for what is
        not known.

    Raises
    ------
    MissingFileError, InputError, BrokenFileError
        As `slstr_cloudmask.io.open_scene`.
    """
    product = None if is_scene_in_one_file(path) else open_product(path)
    scene = open_scene(product or path)
    present = bands_present(scene)
    full_name = product.name if product else product_folder_name(path)
    name = parse_product_name(full_name)
    valid = valid_pixels(scene)
    rows, columns = valid.shape
    return {
        "name": full_name,
        "platform": scene.attrs.get("platform"),
        "start_time": scene.attrs.get("start_time"),
        "stop_time": _iso(name),
        "baseline": scene.attrs.get("baseline"),
        "radiometry": scene.attrs.get("radiometry"),
        "cycle": name.cycle if name else None,
        "relative_orbit": name.relative_orbit if name else None,
        "timeliness": name.timeliness if name else None,
        "rows": rows,
        "columns": columns,
        "bands_present": list(present),
        "bands_missing": [band for band in channels.NAMES if band not in present],
        "valid_share": float(valid.mean()),
        "illumination": _illumination(scene, valid),
        "usable_bands": _usable_bands(scene, valid),
        **_extent(scene, valid),
        "operational_cloud": _operational_cloud(scene, valid),
        "files_absent": absent_files(product) if product else None,
    }


def _iso(name: ProductName | None) -> str | None:
    return name.stop.strftime("%Y-%m-%dT%H:%M:%SZ") if name else None


def _illumination(scene: xr.Dataset, valid: BoolArray) -> dict[str, float | None]:
    """Shares of day, twilight and night among the valid pixels; None where no light is known."""
    parts = regime(scene)[valid]
    known = (parts != UNKNOWN).any()
    return {item.name.lower(): _share(parts == item) if known else None for item in Regime}


def _usable_bands(scene: xr.Dataset, valid: BoolArray) -> dict[str, list[str]]:
    """Bands of the scene that carry information, by each light that there is, or ``unknown``."""
    present = bands_present(scene)
    return {
        "unknown" if light == UNKNOWN else Regime(light).name.lower(): [
            band for band in usable_bands(int(light)) if band in present
        ]
        for light in np.unique(regime(scene)[valid])
    }


def _extent(scene: xr.Dataset, valid: BoolArray) -> dict[str, list[float] | None]:
    """Ranges of latitude and longitude; the second begins at its western end.

    Across the anti-meridian the western end is the greater number: ``[170.0, -175.0]``.
    """
    if "latitude" not in scene.coords or "longitude" not in scene.coords:
        return {"latitude_range": None, "longitude_range": None}
    latitude, longitude = (scene[name].values[valid] for name in ("latitude", "longitude"))
    known = np.isfinite(latitude) & np.isfinite(longitude)
    if not known.any():
        return {"latitude_range": None, "longitude_range": None}
    return {
        "latitude_range": [float(latitude[known].min()), float(latitude[known].max())],
        "longitude_range": _longitude_range(longitude[known]),
    }


def _longitude_range(longitude_deg: npt.NDArray[np.floating[Any]]) -> list[float]:
    """Smallest arc that holds all longitudes: the widest gap between them is left out."""
    ordered = np.unique(np.round(longitude_deg.astype(np.float64), 2))
    gaps = np.append(np.diff(ordered), ordered[0] + 360.0 - ordered[-1])
    widest = int(np.argmax(gaps))
    return [float(ordered[(widest + 1) % ordered.size]), float(ordered[widest])]


def _operational_cloud(
    scene: xr.Dataset, valid: BoolArray
) -> dict[str, float | dict[str, float | None] | None]:
    """Share of cloud by flag: the summary, then each bit of ``bayes`` and of ``cloud``."""
    shares: dict[str, float | dict[str, float | None] | None] = {"summary_cloud": None}
    if "summary_cloud" in scene:
        summary = scene["summary_cloud"].values
        shares["summary_cloud"] = _share(summary[valid & (summary != UNKNOWN)] == 1)
    for name in ("bayes", "cloud"):
        shares[name] = _bit_shares(scene[name], valid) if name in scene else None
    return shares


def _bit_shares(flag: xr.DataArray, valid: BoolArray) -> dict[str, float | None]:
    shares = {}
    for meaning in flag_masks(flag.attrs):
        is_set, known = decode_flag(flag, meaning)
        shares[meaning] = _share(is_set[known & valid])
    return shares


def _share(values: BoolArray) -> float | None:
    return float(values.mean()) if values.size else None
