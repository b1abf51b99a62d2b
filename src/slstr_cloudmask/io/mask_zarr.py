"""A Mask as a Zarr store: a folder, read in parts by many at once, also from object storage.

    write_mask_zarr(mask, "mask.zarr")
    mask = read_mask("mask.zarr")  # of mask_file; or xarray.open_zarr

The store holds what the NetCDF file holds, by the same names and attributes. It has Zarr format 2
with consolidated metadata: zarr-python 2 and 3, GDAL and xarray open it, while format 3 is closed
to zarr-python 2 and has no consolidated metadata in its specification.
"""

from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from slstr_cloudmask.atomic import check_output, replacing
from slstr_cloudmask.errors import BrokenFileError, MissingFileError
from slstr_cloudmask.extras import require
from slstr_cloudmask.io.mask_attributes import described

ZARR_FORMAT = 2
CHUNK_SIDE = 600  # pixels; about a megabyte of numbers
_METADATA = (".zgroup", ".zattrs", ".zmetadata")


def write_mask_zarr(mask: xr.Dataset, path: str | Path, *, overwrite: bool = False) -> None:
    """Write a Mask as a Zarr store, whole or not at all.

    Parameters
    ----------
    mask
        Made by `slstr_cloudmask.mask.build_mask`.
    path
        The folder, ``.zarr``.
    overwrite
        Replace the store that is there.

    Raises
    ------
    InputError
        ``mask`` is no Mask.
    MissingExtraError
        The extra ``zarr`` is not installed.
    OutputExistsError
        ``path`` exists and ``overwrite`` is false, or it is no Zarr store.
    WriteError
        The operating system refused to write.
    """
    require("zarr", extra="zarr")
    writable = described(mask)
    path = Path(path)
    check_output(path, overwrite=overwrite)
    with replacing(path, overwrite=overwrite, may_hold=_contents(path)) as temporary:
        writable.to_zarr(
            temporary,
            mode="w-",
            encoding=_encoding(writable),
            zarr_format=ZARR_FORMAT,
            consolidated=True,
        )


def load_zarr(path: Path) -> xr.Dataset:
    """Load a Zarr store as it is stored, flags as integers.

    Raises
    ------
    MissingFileError
        The folder is no Zarr store.
    BrokenFileError
        It is damaged.
    """
    if not is_zarr(path):
        raise MissingFileError(f"{path} is a folder, but no Zarr store with a cloud mask.")
    require("zarr", extra="zarr")
    try:
        with xr.open_dataset(
            path, engine="zarr", mask_and_scale=False, decode_times=False, chunks=None
        ) as stored:
            return stored.load()
    except (KeyError, OSError, RuntimeError, TypeError, ValueError) as error:
        raise BrokenFileError(
            f"{path} cannot be read: expected a Zarr store with a cloud mask ({error}). "
            "Make it again with `cloudmask predict`."
        ) from error


def is_zarr(path: Path) -> bool:
    """Tell whether a folder is a Zarr store of either format."""
    return any((path / name).is_file() for name in (".zgroup", "zarr.json"))


def _contents(path: Path) -> set[str]:
    """Name what a mask's store at ``path`` holds that may go: its metadata and its arrays."""
    if not (path / "cloud_mask" / ".zarray").is_file():
        return set()
    arrays = {entry.name for entry in path.iterdir() if (entry / ".zarray").is_file()}
    return arrays.union(_METADATA)


def _encoding(mask: xr.Dataset) -> dict[str, dict[str, Any]]:
    encoding: dict[str, dict[str, Any]] = {}
    for name, variable in mask.variables.items():
        layout: dict[str, Any] = {}
        if variable.ndim == 2:
            layout["chunks"] = tuple(max(1, min(side, CHUNK_SIDE)) for side in variable.shape)
            if np.issubdtype(variable.dtype, np.floating):
                layout["_FillValue"] = variable.dtype.type(np.nan)
        encoding[str(name)] = layout
    return encoding
