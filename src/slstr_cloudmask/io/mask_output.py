"""A Mask to whatever its file's name asks for.

    write_mask_output(mask, "mask.nc")  # or "mask.zarr", "mask.tif"
    write_mask_output(mask, "mask.tif", map_grid="utm", stac=True)  # and mask.json

The ending decides: NetCDF, Zarr or cloud-optimised GeoTIFF.
"""

from pathlib import Path

import xarray as xr

from slstr_cloudmask.atomic import check_output
from slstr_cloudmask.errors import InputError
from slstr_cloudmask.extras import require

# What each format needs besides the package itself: libraries of an extra.
FORMATS: dict[str, tuple[str, tuple[str, ...]]] = {
    "nc": ("", ()),
    "zarr": ("zarr", ("zarr",)),
    "tif": ("geo", ("pyresample", "rasterio")),
}
STAC_LIBRARIES = ("pystac", "shapely")


def mask_format(path: Path) -> str:
    """Tell the format by the ending of a path: ``nc``, ``zarr`` or ``tif``.

    Raises
    ------
    InputError
        It ends in none of these.
    """
    found = path.suffix.lower().removeprefix(".")
    found = "tif" if found == "tiff" else found
    if found not in FORMATS:
        endings = ", ".join(f".{name}" for name in FORMATS)
        raise InputError(f"{path} does not end as a mask does: expected any of {endings}.")
    return found


def output_paths(path: Path, *, stac: bool = False) -> list[Path]:
    """Everything that `write_mask_output` writes for a mask at ``path``."""
    if not stac:
        return [path]
    from slstr_cloudmask.io.stac import item_path

    return [path, item_path(path)]


def check_mask_output(path: Path, *, stac: bool = False, overwrite: bool = False) -> None:
    """Refuse early, before the work is done, what cannot be written.

    Raises
    ------
    InputError, OutputExistsError, MissingExtraError
        The ending is not known, the output is there already, a library is not installed.
    """
    extra, libraries = FORMATS[mask_format(path)]
    for library in libraries:
        require(library, extra=extra)
    for library in STAC_LIBRARIES if stac else ():
        require(library, extra="geo")
    for output in output_paths(path, stac=stac):
        check_output(output, overwrite=overwrite)


def write_mask_output(
    mask: xr.Dataset,
    path: str | Path,
    *,
    map_grid: str = "auto",
    stac: bool = False,
    overwrite: bool = False,
) -> list[Path]:
    """Write a Mask in the format that its path asks for, whole or not at all.

    Parameters
    ----------
    mask
        Made by `slstr_cloudmask.mask.build_mask`.
    path
        ``.nc``, ``.zarr`` or ``.tif``.
    map_grid
        The map of a ``.tif``: ``auto``, ``latlon``, ``utm`` or ``polar``.
    stac
        Write a STAC item beside it.
    overwrite
        Replace what is there.

    Returns
    -------
    list of pathlib.Path
        What was written: the mask, and its item.

    Raises
    ------
    InputError, OutputExistsError, MissingExtraError, WriteError
        As the writers of each format.
    """
    path = Path(path)
    check_mask_output(path, stac=stac, overwrite=overwrite)
    if stac:
        from slstr_cloudmask.io.stac import stac_item, write_stac_item

        stac_item(mask, path)  # what it lacks is named before anything is written
    match mask_format(path):
        case "zarr":
            from slstr_cloudmask.io.mask_zarr import write_mask_zarr

            write_mask_zarr(mask, path, overwrite=overwrite)
        case "tif":
            from slstr_cloudmask.io.mask_geotiff import write_mask_geotiff

            write_mask_geotiff(mask, path, grid=map_grid, overwrite=overwrite)
        case _:
            from slstr_cloudmask.io.mask_file import write_mask

            write_mask(mask, path, overwrite=overwrite)
    if stac:
        write_stac_item(mask, path, overwrite=overwrite)
    return output_paths(path, stac=stac)
