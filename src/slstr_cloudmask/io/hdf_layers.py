"""The data sets inside a benchmark file: checked as they are read, and made for writing."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt
import xarray as xr

from slstr_cloudmask import channels
from slstr_cloudmask.errors import BrokenFileError, InputError, MissingFileError
from slstr_cloudmask.flags import DIMS, UNKNOWN, BoolArray
from slstr_cloudmask.scene import KIND_NAMES, STRATUM_NAMES

FLAG_LAYERS = ("bayes", "summary", "truth")
# Strata in small types: kinds and whole kilometres, 255 = unknown, and the rest, NaN = unknown.
STRATUM_DTYPES: dict[str, type[np.uint8] | type[np.float16]] = dict.fromkeys(
    STRATUM_NAMES, np.float16
) | dict.fromkeys((*KIND_NAMES, "coast_distance"), np.uint8)
HIGHEST_STRATUM = 6e4  # the largest float16 is 65504
# Nothing on the Earth looks hotter, or brighter, to this instrument: such values are no data.
HIGHEST_BT_KELVIN = 1000.0
HIGHEST_REFLECTANCE = 100.0
BLOCK_ROWS = 16  # of a full scene: what is made of them on the way stays in a core's own cache

FloatLayers = npt.NDArray[np.float32]
FlagArray = npt.NDArray[np.uint8]


@contextmanager
def opened(path: Path) -> Iterator[h5py.File]:
    """Open a file; every failure of the HDF5 library becomes one clear error.

    Raises
    ------
    MissingFileError
        There is no such file.
    BrokenFileError
        It is truncated or not HDF5, found out on opening or in the block.
    """
    if not path.is_file():
        raise MissingFileError(f"Expected a scene at {path}, found no such file.")
    try:
        with h5py.File(path, "r") as file:
            yield file
    except (BrokenFileError, InputError):
        raise
    except (OSError, RuntimeError) as error:
        raise BrokenFileError(
            f"{path} cannot be read as HDF5: {error}. "
            "The file is truncated or of another format; download it again."
        ) from error


def read_bands(file: h5py.File, name: str, count: int, path: Path) -> FloatLayers:
    """Read ``refs`` or ``bts`` as float32 (count, rows, columns).

    Raises
    ------
    BrokenFileError
        No such data set, or one of another shape or without numbers.
    """
    dataset = _dataset(file, name, path)
    if dataset.ndim != 3 or dataset.shape[2] != count or 0 in dataset.shape:
        raise BrokenFileError(
            f"{path}: expected {name} of shape (rows, columns, {count}), found {dataset.shape}."
        )
    if dataset.dtype.kind not in "fiu":
        raise BrokenFileError(f"{path}: expected numbers in {name}, found {dataset.dtype}.")
    rows = dataset.shape[0]
    values = np.empty((count, *dataset.shape[:2]), np.float32)
    # In blocks, so that bands are sorted within the cache; but a compressed chunk is read once.
    step = BLOCK_ROWS if dataset.chunks is None else rows
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite: no data
        for start in range(0, rows, step):
            block = np.asarray(dataset[start : start + step])
            values[:, start : start + step] = np.moveaxis(block, -1, 0)
    return values


def read_flags(file: h5py.File, shape: tuple[int, ...], path: Path) -> dict[str, FlagArray]:
    """Read those flag layers that the file has, each uint8 (rows, columns).

    255 where a value is not a number or does not fit 8 bits.

    Raises
    ------
    BrokenFileError
        A layer of another shape than ``shape``, without numbers, or that is no data set.
    """
    return {
        name: _flag_values(_layer(_dataset(file, name, path), name, shape, path))
        for name in FLAG_LAYERS
        if file.get(name, getlink=True) is not None
    }


def read_strata(file: h5py.File, shape: tuple[int, ...], path: Path) -> dict[str, xr.Variable]:
    """Read those strata that the file has: float32, NaN = unknown, or uint8 with their meanings.

    Raises
    ------
    BrokenFileError
        A layer of another shape than ``shape``, without numbers, or that is no data set.
    """
    strata = {}
    for name, stored_dtype in STRATUM_DTYPES.items():
        if file.get(name, getlink=True) is None:
            continue
        dataset = _dataset(file, name, path)
        values = _layer(dataset, name, shape, path)
        attributes = dict(dataset.attrs)
        if name in KIND_NAMES:
            strata[name] = xr.Variable(DIMS, _flag_values(values), attributes)
            continue
        attributes.pop("_FillValue", None)
        with np.errstate(over="ignore"):
            numbers = values.astype(np.float32)
        if stored_dtype is np.uint8:
            numbers[values == UNKNOWN] = np.nan
        strata[name] = xr.Variable(DIMS, numbers, attributes)
    return strata


def write_strata(file: h5py.File, scene: xr.Dataset) -> None:
    """Write those strata that the scene has, (rows, columns), with their attributes.

    Distances are rounded to whole kilometres, at most 254; other numbers are held to 60 000.
    """
    for name, dtype in STRATUM_DTYPES.items():
        if name not in scene:
            continue
        values = scene[name].values
        attributes = {key: value for key, value in scene[name].attrs.items() if value is not None}
        if name not in KIND_NAMES:
            values = np.clip(values, -HIGHEST_STRATUM, HIGHEST_STRATUM)
            if dtype is np.uint8:
                values = np.nan_to_num(np.rint(np.clip(values, 0, UNKNOWN - 1)), nan=UNKNOWN)
                attributes["_FillValue"] = np.uint8(UNKNOWN)
        dataset = file.create_dataset(name, data=values.astype(dtype))
        dataset.attrs.update(attributes)


def _layer(
    dataset: h5py.Dataset, name: str, shape: tuple[int, ...], path: Path
) -> npt.NDArray[Any]:
    """Read numbers of this shape; a last axis of length 1 may follow."""
    if dataset.shape not in (shape, (*shape, 1)) or dataset.dtype.kind not in "fiub":
        raise BrokenFileError(
            f"{path}: expected numbers of shape {(*shape, 1)} in {name}, "
            f"found {dataset.dtype} of shape {dataset.shape}."
        )
    return np.asarray(dataset[...]).reshape(shape)


def _flag_values(values: npt.NDArray[Any]) -> FlagArray:
    if values.dtype == np.uint8:
        return values
    possible = np.isfinite(values) & (values >= 0) & (values <= UNKNOWN)
    return np.where(possible, values, UNKNOWN).astype(np.uint8)


def _dataset(file: h5py.File, name: str, path: Path) -> h5py.Dataset:
    """Open a data set; a group, or a link that leads nowhere, is none."""
    link = file.get(name, getlink=True)
    if link is None:
        found = ", ".join(sorted(file)) or "nothing"
        raise BrokenFileError(f"{path}: expected a data set {name!r}, found {found}.")
    try:
        dataset = file[name]
        found = f"a {type(dataset).__name__.lower()} of that name"
    except (KeyError, OSError):
        dataset, found = None, "a link that leads nowhere"
    if not isinstance(dataset, h5py.Dataset):
        raise BrokenFileError(
            f"{path}: expected a data set {name!r}, found {found}. Download the file again."
        )
    return dataset


def mark_missing(refs: FloatLayers, bts: FloatLayers) -> BoolArray:
    """Put NaN where a band has no data, in place; return the pixels that were seen."""
    seen = np.empty(bts.shape[1:], bool)
    for start in range(0, len(seen), BLOCK_ROWS):
        rows = slice(start, start + BLOCK_ROWS)
        seen[rows] = _mark_rows(refs[:, rows], bts[:, rows])
    return seen


def _mark_rows(refs: FloatLayers, bts: FloatLayers) -> BoolArray:
    # `not (x > 0)` is also true of NaN.
    there = (bts > 0) & (bts <= HIGHEST_BT_KELVIN)
    np.copyto(bts, np.nan, where=~there)
    seen = np.asarray(there.any(axis=0))
    dark = (refs == 0).all(axis=0)
    np.copyto(refs, np.nan, where=~(np.abs(refs) <= HIGHEST_REFLECTANCE) | dark | ~seen)
    return seen


def stack_bands(scene: xr.Dataset, names: tuple[str, ...]) -> FloatLayers:
    """Put bands side by side as (rows, columns, bands), 0 where there is no finite value."""
    rows, columns = scene.sizes["rows"], scene.sizes["columns"]
    stacked = np.zeros((rows, columns, len(names)), np.float32)
    for index, name in enumerate(names):
        if name in scene:
            stacked[..., index] = np.nan_to_num(scene[name].values, nan=0, posinf=0, neginf=0)
    return stacked


def radiances(scene: xr.Dataset, refs: FloatLayers) -> FloatLayers:
    """Turn reflectances (rows, columns, 6) into radiances, mW m-2 sr-1 nm-1."""
    irradiances = np.array(
        [channels.BY_NAME[name].solar_irradiance for name in channels.REFLECTANCE_NAMES], np.float32
    )
    mu0: Any = np.float32(1)
    if "solar_zenith_angle" in scene.coords:
        zenith_deg = scene["solar_zenith_angle"].values
        # Reflectances of the data set were made with cos = 1 where the sun is below the horizon
        # (slstr-tools, image.py), so radiances go back by the same rule.
        up = zenith_deg < 90
        cosine = np.cos(np.radians(zenith_deg, dtype=np.float32))
        mu0 = np.where(up, cosine, np.float32(1))[..., np.newaxis]
    # L = R E0 cos(solar zenith) / pi: ESA, SLSTR Level-1 handbook, definition of reflectance.
    result: FloatLayers = refs * irradiances * (mu0 / np.float32(math.pi))
    return result
