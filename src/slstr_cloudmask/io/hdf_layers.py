"""The data sets inside a benchmark file, checked as they are read."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt

from slstr_cloudmask.errors import BrokenFileError, InputError, MissingFileError
from slstr_cloudmask.scene import UNKNOWN

FLAG_LAYERS = ("bayes", "summary", "truth")

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
    dataset = file.get(name)
    if not isinstance(dataset, h5py.Dataset):
        found = ", ".join(sorted(file)) or "nothing"
        raise BrokenFileError(f"{path}: expected a data set {name!r}, found {found}.")
    if dataset.ndim != 3 or dataset.shape[2] != count or 0 in dataset.shape:
        raise BrokenFileError(
            f"{path}: expected {name} of shape (rows, columns, {count}), found {dataset.shape}."
        )
    if dataset.dtype.kind not in "fiu":
        raise BrokenFileError(f"{path}: expected numbers in {name}, found {dataset.dtype}.")
    values = np.asarray(dataset[...], np.float32)
    return np.ascontiguousarray(np.moveaxis(values, -1, 0))


def read_flags(file: h5py.File, shape: tuple[int, ...], path: Path) -> dict[str, FlagArray]:
    """Read those flag layers that the file has, each uint8 (rows, columns).

    255 where a value is not a number or does not fit 8 bits.

    Raises
    ------
    BrokenFileError
        A layer of another shape than ``shape``, or without numbers.
    """
    flags = {}
    for name in FLAG_LAYERS:
        if name not in file:
            continue
        values = np.asarray(file[name][...])
        if values.shape not in (shape, (*shape, 1)) or values.dtype.kind not in "fiub":
            raise BrokenFileError(
                f"{path}: expected numbers of shape {(*shape, 1)} in {name}, "
                f"found {values.dtype} of shape {values.shape}."
            )
        values = values.reshape(shape)
        possible = np.isfinite(values) & (values >= 0) & (values <= UNKNOWN)
        flags[name] = np.where(possible, values, UNKNOWN).astype(np.uint8)
    return flags
