"""What is on disk, as Scene and Mask, and back.

scene = open_scene("S3A_SL_1_RBT____....SEN3")

A file of the benchmark (``.hdf``) and a simulated scene's own (``.nc``) become the same kind of
Scene.
"""

from pathlib import Path

import xarray as xr

BENCHMARK_SUFFIXES = (".hdf", ".h5", ".hdf5")
SCENE_FILE_SUFFIX = ".nc"


def open_scene(path: str | Path, *, strata: bool = False) -> xr.Dataset:
    """Read a Scene, whatever it is stored as.

    Parameters
    ----------
    path
        A ``.SEN3`` product (its folder or manifest), a file of the benchmark (``.hdf``), or a
        simulated scene (``.hdf`` or ``.nc``).
    strata
        Read a simulated scene's strata too, such as ``optical_depth`` and ``surface_kind``.

    Returns
    -------
    xarray.Dataset
        The scene.

    Raises
    ------
    MissingFileError
        ``path`` does not exist.
    InputError
        ``path`` is none of these, such as a mask, or holds no band.
    BrokenFileError
        A file is truncated or of another format.
    """
    path = Path(path)
    if not is_scene_in_one_file(path):
        from slstr_cloudmask.io.sen3 import read_sen3

        return read_sen3(path)
    if path.suffix.lower() in BENCHMARK_SUFFIXES:
        from slstr_cloudmask.io.benchmark_hdf import read_scene

        return read_scene(path, strata=strata)
    from slstr_cloudmask.io.scene_file import read_scene_file

    return read_scene_file(path, strata=strata)


def is_scene_in_one_file(path: Path) -> bool:
    """Tell by its ending whether a path is meant as a scene's only file, not as a product."""
    suffix = path.suffix.lower()
    return suffix in BENCHMARK_SUFFIXES or (suffix == SCENE_FILE_SUFFIX and not path.is_dir())
