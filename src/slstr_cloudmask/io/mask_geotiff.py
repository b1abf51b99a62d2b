"""A Mask on a map: a cloud-optimised GeoTIFF, for QGIS, GDAL, web maps.

    write_mask_geotiff(mask, "mask.tif")  # or grid="utm", resolution=500

Every pixel of the map takes the nearest pixel of the swath, and is 255, no data, where none is
near. Bands, each uint8 and described by name: ``cloud_mask``; ``cloud_probability``, in percent;
``regime``, and the operational masks and ``agreement`` where the Mask carries them.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from slstr_cloudmask.atomic import check_output, write_bytes
from slstr_cloudmask.errors import InputError
from slstr_cloudmask.extras import require
from slstr_cloudmask.flags import UNKNOWN, BoolArray
from slstr_cloudmask.io.map_grid import METRES_PER_DEGREE, MapGrid, map_grid
from slstr_cloudmask.io.mask_attributes import check_mask, output_attributes
from slstr_cloudmask.scene import FloatArray

ByteArray = npt.NDArray[np.uint8]

# A pixel's corner is 0.71 of its side from its middle; a little more closes the gaps between
# pixels that lie askew, and no pixel is spread over more than its neighbours' places.
RADIUS_PIXELS = 1.5
BLOCK_SIDE = 512


def write_mask_geotiff(
    mask: xr.Dataset,
    path: str | Path,
    *,
    grid: str = "auto",
    resolution: float | None = None,
    overwrite: bool = False,
) -> None:
    """Write a Mask as a cloud-optimised GeoTIFF, whole or not at all.

    Parameters
    ----------
    mask
        A Mask with ``latitude`` and ``longitude``.
    path
        The file, ``.tif``.
    grid
        ``auto``, ``latlon``, ``utm`` or ``polar``, as `slstr_cloudmask.io.map_grid.map_grid`.
    resolution
        Side of a pixel: degrees in ``latlon``, else metres. [default: 0.01 degrees or 1000 m for
        the 1 km grid, half of it for the 500 m grid]
    overwrite
        Replace what is there.

    Raises
    ------
    InputError
        ``mask`` is no Mask, has no positions, or does not fit the grid.
    MissingExtraError
        The extra ``geo`` is not installed.
    OutputExistsError
        ``path`` exists and ``overwrite`` is false.
    WriteError
        The operating system refused to write.
    """
    for module in ("pyresample", "pyproj", "rasterio"):
        require(module, extra="geo")
    check_mask(mask)
    placed = placed_pixels(mask)
    check_output(Path(path), overwrite=overwrite)
    latitude_deg = np.asarray(mask["latitude"].values, np.float64)
    longitude_deg = np.asarray(mask["longitude"].values, np.float64)
    spacing_m = 500.0 if mask.attrs.get("grid") == "500m" else 1000.0
    target = map_grid(
        latitude_deg[placed],
        longitude_deg[placed],
        grid,
        resolution=resolution,
        spacing_m=spacing_m,
    )
    radius_m = RADIUS_PIXELS * _spacing_m(latitude_deg, longitude_deg, placed, spacing_m)
    nearest = _nearest(latitude_deg[placed], longitude_deg[placed], target, radius_m)
    bands = {
        name: _resampled(values[placed], nearest, target)
        for name, values in byte_layers(mask).items()
    }
    write_bytes(Path(path), _encoded(mask, bands, target), overwrite=overwrite)


def placed_pixels(mask: xr.Dataset) -> BoolArray:
    """Pixels whose position is known.

    Raises
    ------
    InputError
        There is none.
    """
    if "latitude" in mask.coords and "longitude" in mask.coords:
        latitude, longitude = mask["latitude"].values, mask["longitude"].values
        placed = np.isfinite(latitude) & np.isfinite(longitude)
        if placed.any():
            return np.asarray(placed)
    raise InputError(
        "The mask has no latitude and longitude, so it has no place on a map. Write it as .nc or "
        ".zarr, or make it of a scene with these coordinates."
    )


def byte_layers(mask: xr.Dataset) -> dict[str, ByteArray]:
    """Everything in a Mask that fits a band of uint8, by name, on the Mask's own grid.

    The probability of cloud is in whole percent; 255 is unknown.
    """
    probability = mask["cloud_probability"].values
    percent = np.full(probability.shape, UNKNOWN, np.uint8)
    known = np.isfinite(probability)
    percent[known] = np.rint(100 * probability[known]).astype(np.uint8)
    layers = {"cloud_mask": mask["cloud_mask"].values, "cloud_probability": percent}
    for name, variable in mask.data_vars.items():
        if variable.dtype == np.uint8 and "flag_values" in variable.attrs:
            layers[str(name)] = variable.values
    return layers


def _spacing_m(
    latitude_deg: FloatArray, longitude_deg: FloatArray, placed: BoolArray, nominal_m: float
) -> float:
    """Median distance between neighbours along rows or columns, the larger; or the nominal one."""
    latitude, longitude = np.radians(latitude_deg), np.radians(longitude_deg)
    found = [nominal_m]
    for axis in (0, 1):
        east = np.sin(np.diff(longitude, axis=axis) / 2) * np.cos(
            latitude[1:] if axis == 0 else latitude[:, 1:]
        )
        north = np.sin(np.diff(latitude, axis=axis) / 2)
        both = placed[1:] & placed[:-1] if axis == 0 else placed[:, 1:] & placed[:, :-1]
        distance_deg = np.degrees(2 * np.hypot(east, north))[both]
        if distance_deg.size:
            found.append(float(np.median(distance_deg)) * METRES_PER_DEGREE)
    return max(found)


def _nearest(
    latitude_deg: FloatArray, longitude_deg: FloatArray, target: MapGrid, radius_m: float
) -> tuple[BoolArray, npt.NDArray[Any]]:
    """For each pixel of the map, in rows: whether a swath pixel is near, and which is nearest."""
    geometry = require("pyresample.geometry", extra="geo")
    kd_tree = require("pyresample.kd_tree", extra="geo")
    swath = geometry.SwathDefinition(lons=_wrapped(longitude_deg), lats=latitude_deg)
    longitude, latitude = _positions(target)
    wanted = geometry.SwathDefinition(lons=_wrapped(longitude), lats=latitude)
    used, reached, index, _ = kd_tree.get_neighbour_info(
        swath, wanted, radius_m, neighbours=1, reduce_data=False
    )
    source = np.flatnonzero(used)
    near = np.zeros(target.rows * target.columns, bool)
    near[reached] = index < source.size  # one beyond the last is how no neighbour is said
    return near, source[index[near[reached]]]


def _resampled(
    values: ByteArray, nearest: tuple[BoolArray, npt.NDArray[Any]], target: MapGrid
) -> ByteArray:
    near, index = nearest
    band = np.full(near.size, UNKNOWN, np.uint8)
    band[near] = values[index]
    return band.reshape(target.rows, target.columns)


def _positions(target: MapGrid) -> tuple[FloatArray, FloatArray]:
    """Longitude and latitude, degrees, of the middle of each pixel of the map, in rows."""
    columns, rows = np.meshgrid(np.arange(target.columns), np.arange(target.rows))
    x = target.west + (columns.ravel() + 0.5) * target.resolution
    y = target.north - (rows.ravel() + 0.5) * target.resolution
    if target.epsg == 4326:
        return x, y
    pyproj = require("pyproj", extra="geo")
    transformer = pyproj.Transformer.from_crs(target.epsg, 4326, always_xy=True)
    longitude, latitude = transformer.transform(x, y)
    return np.asarray(longitude), np.asarray(latitude)


def _wrapped(longitude_deg: FloatArray) -> FloatArray:
    return np.asarray((longitude_deg + 180.0) % 360.0 - 180.0)


def _encoded(mask: xr.Dataset, bands: dict[str, ByteArray], target: MapGrid) -> bytes:
    """Encode the bands as a cloud-optimised GeoTIFF in memory."""
    rasterio = require("rasterio", extra="geo")
    memory_file = require("rasterio.io", extra="geo").MemoryFile
    side = target.resolution
    profile = {
        "driver": "COG",
        "dtype": "uint8",
        "count": len(bands),
        "height": target.rows,
        "width": target.columns,
        "nodata": UNKNOWN,
        "crs": rasterio.crs.CRS.from_epsg(target.epsg),
        "transform": rasterio.Affine(side, 0, target.west, 0, -side, target.north),
        "compress": "deflate",
        "blocksize": BLOCK_SIDE,
        "overview_resampling": "nearest",  # the only way that mixes neither flags nor 255
    }
    with memory_file() as memory:
        with memory.open(**profile) as dataset:
            for number, (name, values) in enumerate(bands.items(), start=1):
                dataset.write(values, number)
                dataset.set_band_description(number, name)
                dataset.update_tags(number, **_band_tags(mask, name))
            dataset.update_tags(**_tags(mask))
        content: bytes = memory.read()
    return content


def _band_tags(mask: xr.Dataset, name: str) -> dict[str, str]:
    attributes = mask[name].attrs
    tags = {"long_name": str(attributes.get("long_name", name))}
    if name == "cloud_probability":
        return tags | {"units": "percent"}
    values = " ".join(str(value) for value in np.atleast_1d(attributes["flag_values"]))
    return tags | {"flag_values": values, "flag_meanings": str(attributes["flag_meanings"])}


def _tags(mask: xr.Dataset) -> dict[str, str]:
    attributes = output_attributes(mask)
    tags = {str(key): str(value) for key, value in attributes.items() if value is not None}
    tags.pop("Conventions", None)
    return tags | {
        "TIFFTAG_SOFTWARE": tags["product_version"],
        "TIFFTAG_IMAGEDESCRIPTION": tags.get("title", "Cloud mask"),
        "TIFFTAG_DATETIME": datetime.now(UTC).strftime("%Y:%m:%d %H:%M:%S"),
        "AREA_OR_POINT": "Area",
    }
