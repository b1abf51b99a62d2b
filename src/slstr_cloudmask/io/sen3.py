"""Read a Sentinel-3 SLSTR Level-1 product (``.SEN3``) as a Scene.

    scene = read_sen3("S3A_SL_1_RBT____....SEN3")

The scene is the nadir view on the 1 km grid: S7-S9 as they are, S1-S6 turned into reflectance and
averaged from 500 m. Angles, and positions where the product has them no other way, are
interpolated from the tie points. A band whose file is not there is absent from the scene, and one
warning names all of them: at night a product holds no S1-S6.
"""

import logging
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from slstr_cloudmask import channels
from slstr_cloudmask.errors import (
    BrokenFileError,
    CloudMaskError,
    InputError,
    MissingFileError,
)
from slstr_cloudmask.io.geolocation import (
    Grid,
    coarser,
    interpolate_position,
    interpolate_zenith,
    tie_positions,
)
from slstr_cloudmask.io.product_name import EXAMPLE, MANIFEST, ProductName, parse_product_name
from slstr_cloudmask.io.sen3_bands import read_bands
from slstr_cloudmask.io.sen3_file import ProductFile, fit_to_grid
from slstr_cloudmask.io.sen3_flags import read_flags
from slstr_cloudmask.scene import DAY_MAX_SOLAR_ZENITH_DEG, FloatArray, build_scene

logger = logging.getLogger(__name__)


# From this baseline collection on, the radiances are distributed with the vicarious adjustment
# applied (EUMETSAT, new processing baseline for Sentinel-3 SLSTR Level 1).
FIRST_ADJUSTED_BASELINE = 5


def read_sen3(path: str | Path, bands: Collection[str] = channels.NAMES) -> xr.Dataset:
    """Read a product.

    Parameters
    ----------
    path
        The product's ``.SEN3`` folder, or the manifest in it.
    bands
        Read only these, where the product has them.

    Returns
    -------
    xarray.Dataset
        A Scene: nadir view, 1 km grid.

    Raises
    ------
    MissingFileError
        ``path`` does not exist.
    InputError
        ``path`` is no product, or a product without any of ``bands``.
    BrokenFileError
        A file of the product is truncated, of another format, or lacks what it should hold.
    """
    folder = product_folder(path)
    files = band_files(folder)
    missing = [name for name in bands if name not in files]
    files = {name: file for name, file in files.items() if name in bands}
    if not files:
        raise InputError(
            f"{folder} holds no band to read: expected any of {', '.join(bands)}, "
            "in files such as S8_BT_in.nc. Download the product again, with its measurements."
        )
    with _whole(folder):
        name, grid, attributes = _identify(folder, files)
        coordinates = _coordinates(folder, grid)
        solar_zenith_deg = coordinates.get("solar_zenith_angle")
        _warn_of_missing_bands(folder, missing, solar_zenith_deg)
        flags, unfilled = read_flags(folder, grid)
        scene_bands = read_bands(folder, files, grid, solar_zenith_deg, name)
        for values in scene_bands.values():
            values[unfilled] = np.nan
    return build_scene(scene_bands, coordinates=coordinates, flags=flags, attributes=attributes)


@contextmanager
def _whole(folder: Path) -> Iterator[None]:
    """Say of whatever else is wrong with a product's content that the product is damaged."""
    try:
        yield
    except CloudMaskError:
        raise
    except (ArithmeticError, AttributeError, LookupError, OSError, TypeError, ValueError) as error:
        raise BrokenFileError(
            f"{folder} is damaged: a file of it holds values or attributes that mean nothing "
            f"({type(error).__name__}: {error}). Download the product again."
        ) from error


def product_folder(path: str | Path) -> Path:
    """Folder of the product at ``path``, which may be its manifest.

    Raises
    ------
    MissingFileError
        ``path`` does not exist.
    InputError
        ``path`` is no product.
    """
    path = Path(path)
    if not path.exists():
        raise MissingFileError(f"There is no product at {path}.")
    folder = path.parent if path.name == MANIFEST else path
    if folder.suffix.lower() == ".zip":
        raise InputError(f"{path} is packed. Unpack it, and give the .SEN3 folder in it.")
    if not folder.is_dir():
        raise InputError(_not_a_product(path, "found a file"))
    if parse_product_name(folder) or (folder / MANIFEST).is_file() or band_files(folder):
        return folder
    found = sorted(entry.name for entry in folder.iterdir())
    shown = ", ".join(found[:3]) + (", ..." if len(found) > 3 else "")
    raise InputError(_not_a_product(path, f"found a folder with {shown or 'nothing in it'}"))


def band_files(folder: Path) -> dict[str, Path]:
    """Files of the nadir bands that a product holds, by band, in the instrument's order."""
    names = {
        channel.name: f"{channel.name}_BT_in.nc"
        if channel.kind == "brightness_temperature"
        else f"{channel.name}_radiance_an.nc"
        for channel in channels.CHANNELS
    }
    return {name: folder / file for name, file in names.items() if (folder / file).is_file()}


def _not_a_product(path: Path, found: str) -> str:
    return (
        f"{path} is no SLSTR Level-1 product: expected a folder such as {EXAMPLE} with files such "
        f"as S8_BT_in.nc, {found}."
    )


def _warn_of_missing_bands(
    folder: Path, missing: Collection[str], solar_zenith_deg: FloatArray | None
) -> None:
    """Name the bands that are not there, unless it is night and they never are."""
    dark = solar_zenith_deg is not None and np.nanmin(solar_zenith_deg) >= DAY_MAX_SOLAR_ZENITH_DEG
    expected = channels.THERMAL_NAMES if dark else channels.NAMES
    if surprising := [name for name in missing if name in expected]:
        logger.warning("%s holds no %s.", folder.name, ", ".join(surprising))
    elif missing:
        logger.info("%s is a night scene, without %s.", folder.name, ", ".join(missing))


def _identify(
    folder: Path, files: dict[str, Path]
) -> tuple[ProductName | None, Grid, dict[str, Any]]:
    """Find the product's name, its 1 km grid and the scene's attributes from one band's file."""
    band = list(files)[-1]  # the thermal bands come last, and are on the grid of the scene
    variable = files[band].stem
    with ProductFile(files[band]) as file:
        grid, attributes = file.grid(variable), file.attributes()
    if band in channels.REFLECTANCE_NAMES:
        grid = coarser(grid)
    original = str(attributes.get("product_name", "")).strip()
    name = parse_product_name(folder) or parse_product_name(original or folder.name)
    return name, grid, _scene_attributes(folder, name, attributes)


def _scene_attributes(
    folder: Path, name: ProductName | None, file_attributes: dict[str, Any]
) -> dict[str, Any]:
    attributes: dict[str, Any] = {"view": "nadir", "grid": "1km", "source": folder.name}
    if name is None:
        start = file_attributes.get("start_time")
        return attributes | ({"start_time": str(start)} if start else {})
    baseline = int(name.baseline) if name.baseline.isdigit() else 0
    adjusted = baseline >= FIRST_ADJUSTED_BASELINE
    return attributes | {
        "platform": name.platform,
        "start_time": name.start.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "stop_time": name.stop.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "cycle": name.cycle,
        "relative_orbit": name.relative_orbit,
        "baseline": name.baseline,
        "radiometry": "adjusted" if adjusted else "as_distributed",
    }


def _coordinates(folder: Path, grid: Grid) -> dict[str, FloatArray]:
    """Positions and angles on the 1 km grid, as far as the product has them."""
    coordinates: dict[str, FloatArray] = {}
    geodetic, geodetic_tie = folder / "geodetic_in.nc", folder / "geodetic_tx.nc"
    if geodetic.is_file():
        with ProductFile(geodetic) as file:
            for name in ("latitude", "longitude"):
                coordinates[name] = fit_to_grid(file.unpacked(f"{name}_in"), grid, np.nan, geodetic)
    elif geodetic_tie.is_file():
        with ProductFile(geodetic_tie) as file:
            positions = tie_positions(grid, file.grid("latitude_tx"))
            latitude = file.unpacked("latitude_tx")
            tie = latitude, file.unpacked("longitude_tx", latitude.shape)
        latitude_deg, longitude_deg = interpolate_position(*tie, positions)
        coordinates |= {"latitude": latitude_deg, "longitude": longitude_deg}
    geometry = folder / "geometry_tn.nc"
    if geometry.is_file():
        with ProductFile(geometry) as file:
            positions = tie_positions(grid, file.grid("solar_zenith_tn"))
            for name, stored in (("solar", "solar"), ("satellite", "sat")):
                zenith_deg = interpolate_zenith(file.unpacked(f"{stored}_zenith_tn"), positions)
                coordinates[f"{name}_zenith_angle"] = zenith_deg
    return coordinates
