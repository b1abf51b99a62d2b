"""A whole Scene as one NetCDF file that xarray, GDAL and SNAP open.

    write_scene_file("S3A_SL_1_RBT____....nc", scene)
    scene = read_scene_file("S3A_SL_1_RBT____....nc")

Nothing of the Scene is lost but the last digits of its numbers, as `scene_packing` says: bands,
coordinates, flags with their meanings, truth and strata, attributes. The file follows CF-1.9: 2-D
latitude and longitude named by every variable's ``coordinates``, packed numbers with their fill
value, deflated.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import xarray as xr

from slstr_cloudmask import channels
from slstr_cloudmask.atomic import check_output, write_bytes
from slstr_cloudmask.errors import BrokenFileError, CloudMaskError, InputError, MissingFileError
from slstr_cloudmask.flags import DIMS
from slstr_cloudmask.io.scene_packing import pack, unpack
from slstr_cloudmask.scene import (
    BIT_FLAG_NAMES,
    COORDINATE_NAMES,
    KIND_NAMES,
    LABEL_NAMES,
    STRATUM_NAMES,
    check_scene,
)

# No file in a product's folder, such as S3_radiance_an.nc, is named like this.
PATTERN = "S3[A-D]_*.nc"
CONVENTIONS = "CF-1.9"  # the first with unsigned integers
CHUNK_ROWS = 200  # of a full scene: a megabyte, which the HDF5 library keeps in memory
_CLASSIC = b"CDF"  # how NetCDF files before version 4 begin
KNOWN_NAMES = frozenset({*channels.NAMES, *COORDINATE_NAMES, *LABEL_NAMES, *STRATUM_NAMES})
NUMBER_NAMES = KNOWN_NAMES - {*LABEL_NAMES, *KIND_NAMES}


def write_scene_file(path: str | Path, scene: xr.Dataset, *, overwrite: bool = False) -> None:
    """Write a Scene, whole or not at all.

    Parameters
    ----------
    path
        The file, ``.nc``; its folder is made where needed.
    scene
        A Scene; what else it holds on its grid is written and read too.
    overwrite
        Replace what is there.

    Raises
    ------
    InputError
        ``scene`` is no Scene, or holds what is not on its grid or no NetCDF attribute.
    OutputExistsError, WriteError
        As `slstr_cloudmask.atomic.replacing`.
    """
    check_scene(scene)
    check_output(Path(path), overwrite=overwrite)
    for name, variable in scene.variables.items():
        if problem := _problem(str(name), variable):
            raise InputError(f"Cannot write {path}: {problem}. Mend it or drop it.")
    stored = {
        str(name): pack(str(name), _plain(str(name), variable))
        for name, variable in scene.variables.items()
    }
    coordinates = {str(name): stored.pop(str(name)) for name in scene.coords}
    attributes = _storable("the scene", scene.attrs) | {"Conventions": CONVENTIONS}
    rows, columns = scene.sizes["rows"], scene.sizes["columns"]
    layout = {
        "zlib": True,
        "complevel": 1,  # noise does not get smaller with more
        "shuffle": True,
        "chunksizes": (min(rows, CHUNK_ROWS), columns),
    }
    content = xr.Dataset(stored, coordinates, attributes).to_netcdf(
        engine="h5netcdf", encoding={name: layout for name in (*stored, *coordinates)}
    )
    write_bytes(Path(path), content, overwrite=overwrite)


def read_scene_file(path: str | Path, *, labels: bool = True, strata: bool = True) -> xr.Dataset:
    """Read a Scene that `write_scene_file` wrote.

    Parameters
    ----------
    path
        The file.
    labels
        Read the flags and ``truth`` too, as far as the file has them.
    strata
        Read the strata of simulated scenes too, as far as the file has them.

    Returns
    -------
    xarray.Dataset
        The Scene, with its attributes and those of its variables.

    Raises
    ------
    MissingFileError
        There is no such file.
    BrokenFileError
        The file is truncated, is no NetCDF, or what it holds is not laid out as a Scene.
    InputError
        The file is another one of the package's or of a product, or the values cannot be
        reflectance and kelvin.
    """
    path = Path(path)
    unwanted = (() if labels else LABEL_NAMES) + (() if strata else STRATUM_NAMES)
    with _opened(path) as stored:
        _check_kind(path, stored)
        variables = {
            str(name): _read(path, str(name), variable)
            for name, variable in stored.variables.items()
            if name not in unwanted and (name in KNOWN_NAMES or variable.dims == DIMS)
        }
        coordinates = {name: variables.pop(name) for name in COORDINATE_NAMES if name in variables}
        attributes = {key: value for key, value in stored.attrs.items() if key != "Conventions"}
    try:
        return check_scene(xr.Dataset(variables, coordinates, attributes))
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def may_be_scene_file(path: Path) -> bool:
    """Tell whether a NetCDF file is a scene: true also of a broken one, so that it is named.

    Masks, files of products and other NetCDF files are not.
    """
    try:
        if _is_classic(path):
            return False
        with h5py.File(path, "r") as file:
            return any(name in file for name in channels.NAMES)
    except (OSError, RuntimeError):
        return True


@contextmanager
def _opened(path: Path) -> Iterator[xr.Dataset]:
    """Open a file as it is stored; whatever is wrong with it becomes one clear error."""
    if not path.is_file():
        raise MissingFileError(f"Expected a scene at {path}, found no such file.")
    try:
        if _is_classic(path):
            raise InputError(
                f"{path} is a NetCDF file of before version 4, such as an export of a product: "
                "expected a scene that was simulated. Give the product's .SEN3 folder."
            )
        with h5py.File(path, "r") as file:
            list(file.attrs.items())  # h5netcdf would trip over damage here as it is taken down
        with xr.open_dataset(
            path,
            engine="h5netcdf",
            mask_and_scale=False,
            decode_times=False,
            cache=False,
            phony_dims="access",
        ) as stored:
            yield stored
    except CloudMaskError:
        raise
    except (
        ArithmeticError,
        AttributeError,
        LookupError,
        OSError,
        RuntimeError,
        TypeError,
        ValueError,
    ) as error:
        raise BrokenFileError(
            f"{path} cannot be read as a scene: {error}. "
            "The file is truncated or of another format; make or download it again."
        ) from error


def _is_classic(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(_CLASSIC)) == _CLASSIC


def _check_kind(path: Path, stored: xr.Dataset) -> None:
    """Refuse a file without bands, or one whose bands are in other units."""
    present = [name for name in channels.NAMES if name in stored]
    if not present and "cloud_mask" in stored:
        raise InputError(
            f"{path} is a cloud mask, not a scene. Give the product that it was made of."
        )
    if not present:
        found = ", ".join(map(str, list(stored.variables)[:5])) or "nothing"
        raise BrokenFileError(
            f"{path} is no scene: expected any of {', '.join(channels.NAMES)}, found {found}. "
            "Of a product, give the .SEN3 folder."
        )
    for name in present:
        expected, units = channels.BY_NAME[name].unit, stored[name].attrs.get("units")
        if units not in (None, expected):
            raise InputError(f"{path}: expected units {expected!r} of {name}, found {units!r}.")


def _read(path: Path, name: str, stored: xr.Variable) -> xr.Variable:
    """Read one variable: flags as they are, numbers unpacked.

    Raises
    ------
    BrokenFileError
        It does not fit the contract.
    """
    if problem := _problem(name, stored):
        raise BrokenFileError(f"{path}: {problem}. Make the file again.")
    if name in NUMBER_NAMES:
        return unpack(stored)
    attributes = dict(stored.attrs)
    if stored.dtype.kind == "f":
        attributes.pop("_FillValue", None)  # NaN says it already
    return xr.Variable(DIMS, stored.values, attributes)


def _problem(name: str, variable: xr.Variable) -> str | None:
    """Say what keeps a variable from being part of a Scene that is in a file, or None."""
    if variable.dims != DIMS or 0 in variable.shape:
        found = f"{variable.dims} of shape {variable.shape}"
        return f"expected {name} on dims {DIMS} with pixels, found {found}"
    kind = variable.dtype.kind
    if name in NUMBER_NAMES:
        return None if kind in "fiu" else f"expected numbers in {name}, found {variable.dtype}"
    if name in BIT_FLAG_NAMES:
        missing = {"flag_masks", "flag_meanings"} - set(variable.attrs)
        if kind == "u" and not missing:
            return None
        found = f"without {min(missing)}" if missing else f"of {variable.dtype}"
        return f"expected {name} as unsigned integers with meanings, found one {found}"
    if name in (*LABEL_NAMES, *STRATUM_NAMES) and variable.dtype != np.uint8:
        return f"expected 8-bit flags in {name}, found {variable.dtype}"
    return None if kind in "fiu" else f"expected numbers in {name}, found {variable.dtype}"


def _plain(name: str, variable: xr.Variable) -> xr.Variable:
    return xr.Variable(DIMS, variable.values, _storable(name, variable.attrs))


def _storable(owner: str, attributes: Mapping[Any, Any]) -> dict[str, Any]:
    """Attributes that come back from NetCDF as they were; those that are None are left out.

    Raises
    ------
    InputError
        One is neither text nor number nor array of numbers.
    """
    kept = {str(key): value for key, value in attributes.items() if value is not None}
    for key, value in kept.items():
        if not isinstance(value, str) and np.asarray(value).dtype.kind not in "fiu":
            raise InputError(
                f"Cannot store the attribute {key} of {owner}: expected text or numbers, "
                f"found {value!r}."
            )
    return kept
