"""What is on disk, as Scene and Mask, and back.

scene = open_scene("S3A_SL_1_RBT____....SEN3")

A file of the benchmark (``.hdf``) and a simulated scene's own (``.nc``) become the same kind of
Scene.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import xarray as xr

from slstr_cloudmask.errors import InputError
from slstr_cloudmask.radiometry import convert_radiometry

if TYPE_CHECKING:
    from slstr_cloudmask.io.product_store import Product

BENCHMARK_SUFFIXES = (".hdf", ".h5", ".hdf5")
SCENE_FILE_SUFFIX = ".nc"


def open_scene(
    path: "str | Path | Product",
    *,
    view: str = "nadir",
    grid: str = "1km",
    stripe: str = "a",
    radiometry: str | None = None,
    regrid: str = "mean",
    fill_s7: bool = True,
    strata: bool = False,
) -> xr.Dataset:
    """Open a Scene, whatever it is stored as.

    Parameters
    ----------
    path
        A ``.SEN3`` product (its folder, its manifest, or a ``.zip`` of it; also the URL of one of
        these: ``s3://``, ``https://`` and all that fsspec knows), a file of the benchmark
        (``.hdf``), or a simulated scene (``.SEN3``, ``.hdf`` or ``.nc``). Or a product that is
        open already, as of `slstr_cloudmask.io.product_store.open_product`.
    view
        ``nadir``, or ``oblique``: seen 55 degrees from behind, in half as wide a swath.
    grid
        ``1km``, the thermal bands' own, or ``500m``, that of the reflective bands.
    stripe
        Of the two rows of detectors of S4-S6: ``a``, ``b``, or ``c``, their mean, in the first
        years' products.
    radiometry
        ``as_distributed`` or ``adjusted``, see `slstr_cloudmask.radiometry`; by default what the
        product holds.
    regrid
        How measurements come to the other grid: ``mean`` of 2 x 2 pixels by place in the image, as
        in the benchmark's files, or ``collocated``, the nearest by the product's own geometry,
        which is slower and does not shift coasts by half a pixel.
    fill_s7
        Take F1 where S7 saturates; ``S7_source`` tells where.
    strata
        Read a simulated scene's strata too, such as ``optical_depth`` and ``surface_kind``.

    Returns
    -------
    xarray.Dataset
        The scene. A product's values are read when they are first looked at; what is wrong with
        them is said then.

    Raises
    ------
    MissingFileError
        ``path`` does not exist.
    InputError
        ``path`` is none of these, such as a mask, holds no band, or lacks what was asked for.
    BrokenFileError
        A file is truncated or of another format.
    """
    if not isinstance(path, str | Path) or not is_scene_in_one_file(path):
        from slstr_cloudmask.io.sen3 import read_sen3

        return read_sen3(
            path,
            view=view,
            grid=grid,
            stripe=stripe,
            radiometry=radiometry,
            regrid=regrid,
            fill_s7=fill_s7,
            strata=strata,
        )
    path = Path(path)
    if path.suffix.lower() in BENCHMARK_SUFFIXES:
        from slstr_cloudmask.io.benchmark_hdf import read_scene as read
    else:
        from slstr_cloudmask.io.scene_file import read_scene_file as read
    scene = read(path, strata=strata)
    _check_has(scene, path, view=view, grid=grid)
    return scene if radiometry is None else convert_radiometry(scene, radiometry)


def _check_has(scene: xr.Dataset, path: Path, **wanted: str) -> None:
    """Refuse what a scene in one file, which is one view on one grid, does not hold."""
    for what, value in wanted.items():
        if (found := scene.attrs.get(what, value)) != value:
            raise InputError(
                f"{path} holds the {what} {found}: expected {value}. "
                "Only a .SEN3 product holds both."
            )


def is_scene_in_one_file(path: str | Path) -> bool:
    """Tell by its ending whether a path is meant as a scene's only file, not as a product."""
    suffix = Path(path).suffix.lower()
    return suffix in BENCHMARK_SUFFIXES or (suffix == SCENE_FILE_SUFFIX and not Path(path).is_dir())
