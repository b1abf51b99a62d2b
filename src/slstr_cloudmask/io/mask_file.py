"""A Mask as a NetCDF file that xarray, GDAL and satpy open, and reading it again.

    write_mask(mask, Path("scene_cloudmask-thresholds.nc"))
    mask = read_mask("scene_cloudmask-thresholds.nc")

The file follows CF-1.11: flags of one byte with ``flag_values`` and ``flag_meanings``, 255 where
unknown, 2-D latitude and longitude named by every variable's ``coordinates`` attribute, and the
time as a scalar coordinate. `read_mask` reads Zarr stores of `slstr_cloudmask.io.mask_zarr` too.
"""

from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from slstr_cloudmask.atomic import check_output, write_bytes
from slstr_cloudmask.errors import BrokenFileError, MissingFileError
from slstr_cloudmask.io.mask_attributes import VARIABLES, check_mask, described, undescribed

# Numbers hardly shrink beyond level 1, flags do: against level 4 throughout, a mask takes 9 to 16 %
# less time to write and 1 to 9 % more room.
NUMBER_LEVEL, FLAG_LEVEL = 1, 4
CHUNK_ROWS = 200  # of a full scene: about a megabyte of numbers


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
    check_mask(mask)
    check_output(Path(path), overwrite=overwrite)
    writable = described(mask)
    content = writable.to_netcdf(engine="h5netcdf", encoding=_encoding(writable))
    write_bytes(Path(path), content, overwrite=overwrite)


def read_mask(path: str | Path) -> xr.Dataset:
    """Read a Mask that was written as NetCDF or Zarr, with the integers and attributes it had.

    Raises
    ------
    MissingFileError
        There is no such file or Zarr store.
    BrokenFileError
        It is truncated, of another format, or holds no mask.
    """
    path = Path(path)
    if path.is_dir():
        from slstr_cloudmask.io.mask_zarr import load_zarr

        stored = load_zarr(path)
    else:
        stored = _load_netcdf(path)
    missing = [name for name in VARIABLES if name not in stored]
    if missing:
        raise BrokenFileError(
            f"{path} holds no {', '.join(missing)}: it is no cloud mask. "
            "Make one with `cloudmask predict`."
        )
    return undescribed(stored)


def _load_netcdf(path: Path) -> xr.Dataset:
    if not path.is_file():
        raise MissingFileError(f"There is no mask file {path}.")
    try:
        # Unmasked, so that flags stay integers with their fill value, 255.
        with xr.open_dataset(
            path, engine="h5netcdf", mask_and_scale=False, decode_times=False
        ) as stored:
            return stored.load()
    except (OSError, ValueError) as error:
        raise BrokenFileError(
            f"{path} cannot be read: expected a NetCDF-4 file with a cloud mask ({error}). "
            "Make it again with `cloudmask predict`."
        ) from error


def _encoding(mask: xr.Dataset) -> dict[str, dict[str, Any]]:
    encoding: dict[str, dict[str, Any]] = {}
    for name, variable in mask.variables.items():
        layout: dict[str, Any] = {}
        is_number = np.issubdtype(variable.dtype, np.floating)
        if variable.ndim == 2 and variable.size:
            rows, columns = variable.shape
            layout = {
                "zlib": True,
                "complevel": NUMBER_LEVEL if is_number else FLAG_LEVEL,
                "shuffle": True,
                "chunksizes": (min(rows, CHUNK_ROWS), columns),
            }
        if is_number:
            # CF: a coordinate of time has no missing values.
            on_grid = variable.ndim == 2
            layout["_FillValue"] = variable.dtype.type(np.nan) if on_grid else None
        encoding[str(name)] = layout
    return encoding
