"""What every output of a Mask says of itself: NetCDF, Zarr, GeoTIFF and STAC alike.

    described(mask)  # the Mask as it is written: CF global attributes, scalar time
    undescribed(stored)  # the Mask again

The attributes follow CF (Climate and Forecast conventions, section 2.6.2): title, institution,
source, history, references, comment. What a Mask says already stays as it is.
"""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from slstr_cloudmask.errors import InputError
from slstr_cloudmask.flags import UNKNOWN

VARIABLES = ("cloud_probability", "cloud_mask", "regime")
CONVENTIONS = "CF-1.11"
_FORMAT = "%Y-%m-%dT%H:%M:%SZ"

# Where each detector's method is published; the modules of these names cite it in detail.
DETECTOR_REFERENCES = {
    "thresholds": (
        "Saunders and Kriebel (1988), Int. J. Remote Sens. 9, 123; "
        "Zavody, Mutlow and Llewellyn-Jones (2000), J. Atmos. Oceanic Technol. 17, 595; "
        "Ackerman et al. (2010), MODIS cloud mask ATBD 6.1; "
        "Metsamaki et al. (2015), Remote Sens. Environ. 156, 42"
    ),
    "network": (
        "Ronneberger, Fischer and Brox (2015), U-Net, doi:10.1007/978-3-319-24574-4_28; "
        "MLCommons Science CloudMask, https://github.com/mlcommons/science"
    ),
}


def check_mask(mask: xr.Dataset) -> None:
    """Refuse what is no Mask.

    Raises
    ------
    InputError
        A variable of the contract is missing.
    """
    missing = [name for name in VARIABLES if name not in mask]
    if missing:
        found = ", ".join(map(str, mask.data_vars)) or "nothing"
        raise InputError(f"This is no mask: expected {', '.join(VARIABLES)}, found {found}.")


def described(mask: xr.Dataset) -> xr.Dataset:
    """Copy of a Mask as it is written, with nothing that a file cannot hold.

    Parameters
    ----------
    mask
        Made by `slstr_cloudmask.mask.build_mask`.

    Returns
    -------
    xarray.Dataset
        The Mask with more global attributes and, where its scene's time is known, the scalar
        coordinate ``time``; without the encoding of another file.

    Raises
    ------
    InputError
        ``mask`` is no Mask.
    """
    check_mask(mask)
    writable = mask.drop_encoding()
    attributes = output_attributes(mask)
    writable.attrs = {k: _storable(v) for k, v in attributes.items() if v is not None}
    return _with_time(writable)


def undescribed(stored: xr.Dataset) -> xr.Dataset:
    """Turn what `described` made into the Mask again: flags typed as their variable, no time."""
    mask = stored.drop_vars("time", errors="ignore")
    for variable in mask.variables.values():
        if np.issubdtype(variable.dtype, np.floating):
            variable.attrs.pop("_FillValue", None)  # NaN says it already
        for name in ("flag_values", "flag_masks", "valid_range", "_FillValue"):
            if name in variable.attrs:  # Zarr keeps lists, which know no type
                variable.attrs[name] = np.asarray(variable.attrs[name], variable.dtype)[()]
    return mask


def output_attributes(mask: xr.Dataset) -> dict[str, Any]:
    """Global attributes of a Mask and those that CF wants besides."""
    known = mask.attrs
    detector = str(known.get("detector", "unknown"))
    software = f"slstr-cloudmask {known.get('detector_version', '')}".strip()
    method = DETECTOR_REFERENCES.get(detector)
    added: dict[str, Any] = {
        "references": "; ".join(filter(None, [f"CloudMask, {software}", method])),
        "product_version": software,
        "instrument": "SLSTR",
        "comment": _comment(known),
    }
    if "institution" not in known and _is_real(known):
        added["institution"] = "ESA and EUMETSAT, Copernicus Sentinel-3 ground segment"
    for end in ("start", "stop"):
        when = parse_time(known.get(f"{end}_time"))
        if when is not None:
            added[f"time_coverage_{'end' if end == 'stop' else end}"] = when.strftime(_FORMAT)
    return {key: value for key, value in added.items() if value is not None} | dict(known)


def parse_time(text: Any) -> datetime | None:
    """Read a time as Scenes have it, ``2019-10-01T11:32:21Z``; None where it is none."""
    try:
        when = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC)


def is_simulated(attributes: dict[Any, Any]) -> bool:
    """Whether a Mask was made of a simulated scene."""
    return "(simulated)" in str(attributes.get("platform", ""))


def cloud_cover_percent(mask: xr.Dataset) -> float | None:
    """Cloud among the known pixels, percent; None where none is known."""
    cloud = mask["cloud_mask"].values
    known = cloud != UNKNOWN
    return round(100 * float((cloud[known] == 1).mean()), 2) if known.any() else None


def _is_real(attributes: dict[Any, Any]) -> bool:
    platform = str(attributes.get("platform", ""))
    return platform.startswith("Sentinel-3") and not is_simulated(attributes)


def _comment(attributes: dict[Any, Any]) -> str | None:
    if is_simulated(attributes):
        return "Made of a simulated scene: contains no measurements."
    if not _is_real(attributes):
        return None
    when = parse_time(attributes.get("start_time"))
    # Legal notice on the use of Copernicus Sentinel data and service information, European
    # Commission: the words to use where the data were modified.
    year = f" {when.year}" if when else ""
    return f"Contains modified Copernicus Sentinel data{year}."


def _with_time(mask: xr.Dataset) -> xr.Dataset:
    start = parse_time(mask.attrs.get("start_time"))
    if start is None:
        return mask
    midnight = start.replace(hour=0, minute=0, second=0, microsecond=0)
    attributes = {
        "standard_name": "time",
        "long_name": "time of the first measurement",
        # From the day's own midnight, so that no leap second lies between.
        "units": f"seconds since {midnight:%Y-%m-%d %H:%M:%S}",
        "units_metadata": "leap_seconds: utc",
        "calendar": "standard",
    }
    return mask.assign_coords(time=((), (start - midnight).total_seconds(), attributes))


def _storable(value: Any) -> Any:
    if isinstance(value, bool | dict | list | tuple):
        return json.dumps(value)
    if isinstance(value, Path):
        return str(value)
    return value
