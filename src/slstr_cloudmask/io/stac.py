"""A STAC item beside a mask, so that catalogues find it and know how cloudy it is.

    write_stac_item(mask, "mask.nc")  # writes mask.json

The item follows STAC 1.1 with the extensions eo, classification, processing and sat; the asset's
path is relative, so that both move together. Where GeoTIFF or Zarr is the asset, its bands or
variables are listed with their classes.
"""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from slstr_cloudmask.atomic import check_output, write_bytes
from slstr_cloudmask.errors import InputError
from slstr_cloudmask.extras import require
from slstr_cloudmask.flags import UNKNOWN
from slstr_cloudmask.io.footprint import footprint
from slstr_cloudmask.io.mask_attributes import (
    check_mask,
    cloud_cover_percent,
    is_simulated,
    output_attributes,
    parse_time,
)
from slstr_cloudmask.io.mask_geotiff import byte_layers, placed_pixels

_SCHEMAS = "https://stac-extensions.github.io"
EO = f"{_SCHEMAS}/eo/v1.1.0/schema.json"  # the newest that pystac knows; the field is the same
CLASSIFICATION = f"{_SCHEMAS}/classification/v2.0.0/schema.json"
PROCESSING = f"{_SCHEMAS}/processing/v1.2.0/schema.json"
SAT = f"{_SCHEMAS}/sat/v1.0.0/schema.json"

# STAC best practices, common media types; Zarr's own registration.
MEDIA_TYPES = {
    ".nc": "application/netcdf",
    ".zarr": "application/vnd.zarr; version=2",
    ".tif": "image/tiff; application=geotiff; profile=cloud-optimized",
}
COLOURS = {
    "clear": "2f6690",
    "cloud": "f5f3ee",
    "cloud_free": "2f6690",
    "cloudy": "f5f3ee",
    "cloud_contaminated": "b9c4cc",
    "snow_ice": "56c1d6",
    "shadow": "3b2f4a",
}
GSD_M = {"1km": 1000, "500m": 500}


def item_path(mask_path: Path) -> Path:
    """Where the item of a mask goes: beside it, ``.json``."""
    return mask_path.with_suffix(".json")


def write_stac_item(mask: xr.Dataset, mask_path: str | Path, *, overwrite: bool = False) -> Path:
    """Write the STAC item of a mask that is or will be at ``mask_path``.

    Parameters
    ----------
    mask
        A Mask with ``latitude`` and ``longitude``, of a scene whose time is known.
    mask_path
        The mask's file or store: ``.nc``, ``.zarr`` or ``.tif``.
    overwrite
        Replace the item that is there.

    Returns
    -------
    pathlib.Path
        The item.

    Raises
    ------
    InputError
        ``mask`` is no Mask, has no positions or no time.
    MissingExtraError
        The extra ``geo`` is not installed.
    OutputExistsError
        The item exists and ``overwrite`` is false.
    WriteError
        The operating system refused to write.
    """
    mask_path = Path(mask_path)
    path = item_path(mask_path)
    check_output(path, overwrite=overwrite)
    content = json.dumps(stac_item(mask, mask_path), indent=2, allow_nan=False)
    write_bytes(path, content.encode(), overwrite=overwrite)
    return path


def stac_item(mask: xr.Dataset, mask_path: Path) -> dict[str, Any]:
    """Describe a mask as a STAC item, ready for JSON; parameters and errors as above."""
    pystac = require("pystac", extra="geo")
    check_mask(mask)
    placed = placed_pixels(mask)
    known = placed & (mask["cloud_mask"].values != UNKNOWN)
    geometry, bbox = footprint(
        mask["latitude"].values, mask["longitude"].values, known if known.any() else placed
    )
    start = parse_time(mask.attrs.get("start_time"))
    if start is None:
        raise InputError(
            "The mask does not say when its scene was measured, and a STAC item needs that. "
            "Give the scene the attribute start_time, such as 2019-10-01T11:32:21Z."
        )
    properties = _properties(mask, start)
    extensions = [CLASSIFICATION, PROCESSING]
    extensions += [EO] if "eo:cloud_cover" in properties else []
    extensions += [SAT] if "sat:relative_orbit" in properties else []
    item = pystac.Item(
        id=mask_path.stem,
        geometry=geometry,
        bbox=bbox,
        datetime=start,
        properties=properties,
        stac_extensions=sorted(extensions),
    )
    item.add_asset("mask", _asset(pystac, mask, mask_path))
    found: dict[str, Any] = item.to_dict(include_self_link=False)
    return found


def _properties(mask: xr.Dataset, start: datetime) -> dict[str, Any]:
    attributes = output_attributes(mask)
    properties: dict[str, Any] = {
        "title": attributes.get("title", "Cloud mask"),
        "created": _iso(datetime.now(UTC)),
        "instruments": ["slstr"],
        "gsd": GSD_M.get(str(attributes.get("grid"))),
        "start_datetime": _iso(start),
        "eo:cloud_cover": cloud_cover_percent(mask),
        "processing:datetime": _iso(datetime.now(UTC)),
        "processing:level": "L2",
        "processing:lineage": _lineage(attributes),
        "processing:software": {"slstr-cloudmask": str(attributes.get("detector_version", ""))},
    }
    stop = parse_time(attributes.get("stop_time"))
    properties["end_datetime"] = _iso(stop or start)
    platform = str(attributes.get("platform", ""))
    if platform and not is_simulated(attributes):
        properties |= {"platform": platform.lower(), "constellation": "sentinel-3"}
    if "relative_orbit" in attributes:
        properties["sat:relative_orbit"] = int(attributes["relative_orbit"])
    if "source" in attributes:
        properties["slstr_cloudmask:source"] = str(attributes["source"])
    for name in ("detector", "threshold", "view", "baseline"):
        if name in attributes:
            # Plain numbers, also of a mask that was read from a file.
            properties[f"slstr_cloudmask:{name}"] = np.asarray(attributes[name]).item()
    return {key: value for key, value in properties.items() if value is not None}


def _lineage(attributes: dict[str, Any]) -> str:
    words = [
        f"Cloud mask by {attributes.get('detector', 'an unknown detector')}",
        f"of {attributes['source']}" if "source" in attributes else "",
        f"with bands {attributes['bands_used']}" if attributes.get("bands_used") else "",
    ]
    comment = attributes.get("comment")
    return " ".join(word for word in words if word) + (f". {comment}" if comment else ".")


def _asset(pystac: Any, mask: xr.Dataset, mask_path: Path) -> Any:
    suffix = ".tif" if mask_path.suffix.lower() == ".tiff" else mask_path.suffix.lower()
    names = byte_layers(mask) if suffix == ".tif" else mask.data_vars
    return pystac.Asset(
        href=f"./{mask_path.name}",
        title="Cloud mask",
        media_type=MEDIA_TYPES.get(suffix),
        roles=["data", "cloud"],
        extra_fields={
            "classification:classes": _classes(mask["cloud_mask"].attrs),
            "bands": [_band(mask, str(name), percent=suffix == ".tif") for name in names],
        },
    )


def _band(mask: xr.Dataset, name: str, *, percent: bool) -> dict[str, Any]:
    variable = mask[name]
    band: dict[str, Any] = {
        "name": name,
        "description": str(variable.attrs.get("long_name", name)),
        "data_type": str(variable.dtype),
    }
    if name == "cloud_probability":
        if percent:
            return band | {"data_type": "uint8", "nodata": UNKNOWN, "unit": "%"}
        return band | {"nodata": "nan", "unit": "1"}
    if "_FillValue" in variable.attrs:
        band["nodata"] = int(variable.attrs["_FillValue"])
    if "flag_values" in variable.attrs:
        band["classification:classes"] = _classes(variable.attrs)
    elif "flag_masks" in variable.attrs:
        band["classification:bitfields"] = _bit_fields(variable.attrs)
    return band


def _classes(attributes: dict[Any, Any]) -> list[dict[str, Any]]:
    meanings = str(attributes["flag_meanings"]).split()
    values = np.atleast_1d(attributes["flag_values"])
    classes = []
    for value, meaning in zip(values, meanings, strict=True):
        described = {
            "value": int(value),
            "name": _name(meaning),
            "description": meaning.replace("_", " "),
        }
        if meaning in COLOURS:
            described["color_hint"] = COLOURS[meaning]
        classes.append(described)
    return [*classes, {"value": UNKNOWN, "name": "unknown", "description": "no data"}]


def _bit_fields(attributes: dict[Any, Any]) -> list[dict[str, Any]]:
    meanings = str(attributes["flag_meanings"]).split()
    masks = np.atleast_1d(attributes["flag_masks"])
    return [
        {
            "offset": int(mask).bit_length() - 1,
            "length": 1,
            "name": _name(meaning),
            "description": meaning.replace("_", " "),
            "classes": [
                {"value": 0, "name": "no", "description": "not found"},
                {"value": 1, "name": "yes", "description": "found"},
            ],
        }
        for mask, meaning in zip(masks, meanings, strict=True)
    ]


def _name(meaning: str) -> str:
    """Spell a meaning as the classification extension wants: letters, digits, ``-`` and ``_``."""
    return "".join(c if c.isascii() and (c.isalnum() or c in "-_") else "_" for c in meaning)


def _iso(when: datetime) -> str:
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")
