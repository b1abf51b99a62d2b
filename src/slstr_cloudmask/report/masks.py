"""Masks by name: what a scene carries, what was made of it, what a file holds.

    masks_of(scene, mask)            # {"esa_summary_cloud": ..., "truth": ...}
    match_name("summary_cloud", masks)

Pictures and comparisons of masks find them here.
"""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import h5py
import numpy as np
import xarray as xr

from slstr_cloudmask.errors import InputError, MissingFileError
from slstr_cloudmask.flags import DIMS, UNKNOWN, value_flag_variable
from slstr_cloudmask.operational import operational_masks, reference_name
from slstr_cloudmask.scene import label

PREFIXES = ("esa_", "provider_")
OURS = "ours"
TRUTH = "truth"
FILE_SUFFIXES = (".nc", ".zarr")
# A mask and a scene that differ in any of these are not of one another; the first is told.
SAME_ATTRIBUTES = ("view", "grid", "platform", "start_time", "source")
_SECONDS = 19  # characters of an ISO time, to the second


def masks_of(scene: xr.Dataset | None, mask: xr.Dataset | None = None) -> dict[str, xr.Variable]:
    """Find the masks that a detector's is looked at beside.

    Parameters
    ----------
    scene
        A Scene: its operational masks, and ``truth`` where it is known.
    mask
        A Mask; without a scene, the operational masks that it carries.

    Returns
    -------
    dict
        By name, each uint8 (rows, columns): 0 clear, 1 cloud, 255 unknown.
    """
    if scene is None:
        return {} if mask is None else _carried(mask)
    found = operational_masks(scene)
    if TRUTH in scene:
        cloud, known = label(scene, TRUTH)
        found[TRUTH] = value_flag_variable(
            np.where(known, cloud, UNKNOWN), {"clear": 0, "cloud": 1}, long_name="true cloud"
        )
    return found


def _carried(mask: xr.Dataset) -> dict[str, xr.Variable]:
    return {
        str(name): variable.variable
        for name, variable in mask.data_vars.items()
        if str(name).startswith(PREFIXES) and "flag_values" in variable.attrs
    }


def match_name(wanted: str, names: Iterable[str]) -> str | None:
    """Find a mask's full name by it, by the bare one or with another prefix; None without one."""
    return next((name for name in names if _bare(name) == _bare(wanted)), None)


def _bare(name: str) -> str:
    prefix = next((prefix for prefix in PREFIXES if name.startswith(prefix)), "")
    return name.removeprefix(prefix)


def default_names(scene: xr.Dataset) -> list[str]:
    """Names of the masks that are compared where nobody chooses: ours, and the product's verdict.

    The truth stands in where a scene has no operational mask.

    Raises
    ------
    InputError
        The scene holds neither.
    """
    there = masks_of(scene)
    own = {name: variable for name, variable in there.items() if name != TRUTH}
    other = reference_name(scene, own) or next(iter(there), None)
    if other is None:
        raise InputError(
            "There is nothing to compare with: the scene holds no operational mask and no truth. "
            "Name mask files (.nc, .zarr) with --masks, such as ours,mask.nc."
        )
    return [OURS, other]


def named_masks(
    scene: xr.Dataset, names: Sequence[str], make_ours: Callable[[xr.Dataset], xr.Dataset]
) -> dict[str, xr.Variable]:
    """Find masks of a scene by what they are called.

    Parameters
    ----------
    scene
        A Scene.
    names
        Each ``ours``, ``truth``, an operational mask with or without its prefix, or the path of a
        mask file (``.nc``, ``.zarr``).
    make_ours
        Makes a Mask of the scene; called only when ``ours`` is asked for.

    Returns
    -------
    dict
        In the order asked, by name: each uint8 (rows, columns), 0 clear, 1 cloud, 255 unknown. A
        file goes by its name before the ending, or by its path where that is taken.

    Raises
    ------
    InputError
        An unknown name, one name twice, or a file that is not of this scene.
    MissingFileError, BrokenFileError
        A file is not there, or is no mask.
    """
    there = masks_of(scene)
    found: dict[str, xr.Variable] = {}
    for wanted in names:
        if wanted == OURS:
            name, variable = OURS, make_ours(scene)["cloud_mask"].variable
        elif (known := match_name(wanted, there)) is not None:
            name, variable = known, there[known]
        elif wanted.endswith(FILE_SUFFIXES):
            name = _file_name(wanted)
            name = wanted if name in found else name
            variable = _read_of(scene, Path(wanted))["cloud_mask"].variable
        else:
            raise InputError(
                f"There is no mask {wanted!r}: expected any of {', '.join([OURS, *there])}, "
                "or a mask file (.nc, .zarr)."
            )
        if name in found or names.count(wanted) > 1:
            raise InputError(f"The mask {name!r} is named twice: name each mask once.")
        found[name] = variable
    return found


def _file_name(path: str) -> str:
    """Return a mask file's short name: what made it, where it is named as `predict` names it."""
    stem = Path(path).stem
    return stem.partition("_cloudmask-")[2] or stem


def _read_of(scene: xr.Dataset, path: Path) -> xr.Dataset:
    return check_of_scene(read_mask_of(path), scene, str(path))


def read_mask_of(path: Path) -> xr.Dataset:
    """Read a mask file.

    Raises
    ------
    InputError
        It is not on the instrument's grid.
    MissingFileError, BrokenFileError
        It is not there, or is no mask.
    """
    from slstr_cloudmask.io.mask_file import read_mask

    if not path.exists():
        raise MissingFileError(f"There is no mask file {path}.")
    mask = read_mask(path)
    if mask["cloud_mask"].dims != DIMS:
        raise InputError(
            f"{path} lies on dims {mask['cloud_mask'].dims}: expected a mask on the instrument's "
            f"own grid, {DIMS}, as `cloudmask predict` writes it."
        )
    return mask


def check_of_scene(mask: xr.Dataset, scene: xr.Dataset, where: str) -> xr.Dataset:
    """Return a Mask if it can be one of this Scene.

    Parameters
    ----------
    mask, scene
        What is to fit.
    where
        What the mask is, for the message.

    Raises
    ------
    InputError
        They differ in view, grid, platform, time or product, as far as both name it, or in size.
    """
    for name in SAME_ATTRIBUTES:
        here, there = (_comparable(name, thing) for thing in (mask, scene))
        if here and there and here != there:
            raise InputError(
                f"{where} is of another scene: its {name.replace('_', ' ')} is {here}, "
                f"the scene's {there}. Expected a mask made of this scene."
            )
    size, wanted = (
        mask["cloud_mask"].shape,
        tuple(scene.sizes[name] for name in ("rows", "columns")),
    )
    if size != wanted:
        raise InputError(
            f"{where} has {size[0]} x {size[1]} pixels and the scene {wanted[0]} x {wanted[1]}: "
            "expected a mask made of this scene, on the same grid."
        )
    return mask


def _comparable(name: str, thing: xr.Dataset) -> str:
    value = str(thing.attrs.get(name, ""))
    if name == "start_time":
        return value[:_SECONDS]
    # A product goes by one name as a folder, a file of the benchmark or a simulated scene.
    return Path(value).stem if name == "source" else value


def holds_mask(path: str | Path) -> bool:
    """Tell a mask file from a scene, without reading it."""
    path = Path(path)
    if path.suffix.lower() == ".zarr":
        return True
    if path.suffix.lower() != ".nc" or not path.is_file():
        return False
    try:
        with h5py.File(path) as file:
            return "cloud_mask" in file
    except OSError:
        return False  # whoever reads it as a scene says what is wrong
