"""A Mask as a NetCDF file that xarray, GDAL, SNAP and satpy open.

    write_mask(mask, Path("scene_cloudmask-thresholds.nc"))
    mask = read_mask("scene_cloudmask-thresholds.nc")

The file follows CF-1.8: flags of one byte with ``flag_values`` and ``flag_meanings``, 255 where
unknown, and 2-D latitude and longitude named by every variable's ``coordinates`` attribute.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from slstr_cloudmask.atomic import check_output, write_bytes
from slstr_cloudmask.errors import BrokenFileError, InputError, MissingFileError

VARIABLES = ("cloud_probability", "cloud_mask", "regime")
COMPRESSION = {"zlib": True, "complevel": 4, "shuffle": True}


def write_mask(mask: xr.Dataset, path: str | Path, overwrite: bool = False) -> None:
    """Write a Mask, whole or not at all.

    Parameters
    ----------
    mask
        Made by `slstr_cloudmask.mask.build_mask`.
    path
        The file; its folder is made where needed.
    overwrite
        Replace what is there.

    Raises
    ------
    InputError
        ``mask`` is no Mask.
    OutputExistsError
        ``path`` exists and ``overwrite`` is false.
    WriteError
        The operating system refused to write.
    """
    missing = [name for name in VARIABLES if name not in mask]
    if missing:
        found = ", ".join(map(str, mask.data_vars)) or "nothing"
        raise InputError(f"This is no mask: expected {', '.join(VARIABLES)}, found {found}.")
    check_output(Path(path), overwrite=overwrite)
    writable = _writable(mask)
    content = writable.to_netcdf(engine="h5netcdf", encoding=_encoding(writable))
    write_bytes(Path(path), content, overwrite=overwrite)


def read_mask(path: str | Path) -> xr.Dataset:
    """Read a Mask that `write_mask` wrote, with the integers and attributes it had.

    Raises
    ------
    MissingFileError
        There is no such file.
    BrokenFileError
        It is truncated, of another format, or holds no mask.
    """
    path = Path(path)
    if not path.is_file():
        raise MissingFileError(f"There is no mask file {path}.")
    try:
        # Unmasked, so that flags stay integers with their fill value, 255.
        with xr.open_dataset(path, engine="h5netcdf", mask_and_scale=False) as stored:
            mask = stored.load()
    except (OSError, ValueError) as error:
        raise BrokenFileError(
            f"{path} cannot be read: expected a NetCDF-4 file with a cloud mask ({error}). "
            "Make it again with `cloudmask predict`."
        ) from error
    missing = [name for name in VARIABLES if name not in mask]
    if missing:
        raise BrokenFileError(
            f"{path} holds no {', '.join(missing)}: it is no cloud mask. "
            "Make one with `cloudmask predict`."
        )
    for variable in mask.variables.values():
        if np.issubdtype(variable.dtype, np.floating):
            variable.attrs.pop("_FillValue", None)  # NaN says it already
    return mask


def _writable(mask: xr.Dataset) -> xr.Dataset:
    """Copy of a Mask with nothing that NetCDF cannot hold, and no encoding of another file."""
    writable = mask.drop_encoding()
    writable.attrs = {
        key: _attribute(value) for key, value in mask.attrs.items() if value is not None
    }
    return writable


def _attribute(value: Any) -> Any:
    if isinstance(value, bool | dict | list | tuple):
        return json.dumps(value)
    if isinstance(value, Path):
        return str(value)
    return value


def _encoding(mask: xr.Dataset) -> dict[str, dict[str, Any]]:
    encoding: dict[str, dict[str, Any]] = {}
    for name, variable in mask.variables.items():
        encoding[str(name)] = dict(COMPRESSION)
        if np.issubdtype(variable.dtype, np.floating):
            encoding[str(name)]["_FillValue"] = variable.dtype.type(np.nan)
    return encoding
