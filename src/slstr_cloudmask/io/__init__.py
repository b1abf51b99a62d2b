"""What is on disk, as Scene and Mask, and back.

scene = open_scene("S3A_SL_1_RBT____....SEN3")

A file of the benchmark (``.hdf``) becomes the same kind of Scene.
"""

from pathlib import Path

import xarray as xr

BENCHMARK_SUFFIXES = (".hdf", ".h5", ".hdf5")


def open_scene(path: str | Path) -> xr.Dataset:
    """Read a Scene, whatever it is stored as.

    Parameters
    ----------
    path
        A ``.SEN3`` product (its folder or manifest), or a file of the benchmark (``.hdf``).

    Returns
    -------
    xarray.Dataset
        The scene.

    Raises
    ------
    MissingFileError
        ``path`` does not exist.
    InputError
        ``path`` is neither, or holds no band.
    BrokenFileError
        A file is truncated or of another format.
    """
    path = Path(path)
    if path.suffix.lower() in BENCHMARK_SUFFIXES:
        from slstr_cloudmask.io.benchmark_hdf import read_scene

        return read_scene(path)
    from slstr_cloudmask.io.sen3 import read_sen3

    return read_sen3(path)
