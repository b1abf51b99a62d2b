"""The scenes below a folder, whatever they are stored as.

for path in find_scenes("data/one-day"):
scene = open_scene(path)
"""

import os
from collections.abc import Iterable
from pathlib import Path

from slstr_cloudmask.errors import MissingFileError
from slstr_cloudmask.io.benchmark_hdf import PATTERN
from slstr_cloudmask.io.scene_file import PATTERN as SCENE_FILE_PATTERN
from slstr_cloudmask.io.scene_file import may_be_scene_file

PRODUCT_PATTERN = "S3[A-D]_SL_1_RBT_*.SEN3"


def find_scenes(root: str | Path, *, listed: bool = False) -> list[Path]:
    """Find the scenes below a folder, in the same order on every file system.

    Parameters
    ----------
    root
        A folder of the data set: ``one-day`` or ``ssts`` (also named ``training`` and
        ``inference``), one of their folders ``day`` and ``night``, or anything that holds them.
    listed
        Leave them in the order in which this file system lists them, whatever that is.

    Returns
    -------
    list of pathlib.Path
        Files ``S3*.hdf`` at any depth, and NetCDF scene files ``S3[A-D]_*.nc`` and products
        ``S3[A-D]_SL_1_RBT_*.SEN3`` of which there is no file before in this list, sorted by their
        path relative to ``root``. Masks and other NetCDF files are left out, and so is what is
        hidden or in hidden folders: a process that was killed can leave it.

    Raises
    ------
    MissingFileError
        There is no such folder, or no scene in it.
    """
    folder = Path(root)
    expected = (
        "one-day/{day,night} and ssts/{day,night} (or training and inference), each with scenes "
        f"named {PATTERN}, {SCENE_FILE_PATTERN} or {PRODUCT_PATTERN}"
    )
    if not folder.is_dir():
        found = "a file" if folder.exists() else "nothing"
        raise MissingFileError(
            f"Expected a folder of scenes at {folder}, found {found}: {expected}."
        )
    every = [
        *(path for path in _visible(folder, PATTERN) if path.is_file()),
        *(path for path in _visible(folder, SCENE_FILE_PATTERN) if _is_scene_file(path)),
        *(path for path in _visible(folder, PRODUCT_PATTERN) if path.is_dir()),
    ]
    if not every:
        raise MissingFileError(
            f"Found no scene in {folder}: expected {expected}. "
            "Download the data set there, or make one with: cloudmask simulate."
        )
    first = {path.stem: path for path in reversed(every)}
    kept = [path for path in every if path.suffix == ".hdf" or first[path.stem] == path]
    if listed:
        places = {path: number for number, path in enumerate(_listing(folder))}
        return sorted(kept, key=places.__getitem__)
    return sorted(kept, key=lambda path: path.relative_to(folder).as_posix())


def _listing(folder: Path) -> Iterable[Path]:
    """Yield all below a folder as the file system lists it: its files, then folder by folder."""
    for parent, folders, files in os.walk(folder):
        yield from (Path(parent, name) for name in (*files, *folders))


def _is_scene_file(path: Path) -> bool:
    return path.is_file() and may_be_scene_file(path)


def _visible(folder: Path, pattern: str) -> Iterable[Path]:
    """Find what fits a pattern, at any depth, and is not hidden."""
    for path in folder.rglob(pattern):
        if not any(part.startswith(".") for part in path.relative_to(folder).parts):
            yield path
