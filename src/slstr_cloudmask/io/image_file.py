"""Images of any source as arrays by name: NetCDF, NPZ or GeoTIFF.

    image = read_image("landsat.tif")
    image.arrays["B4"], image.wavelengths_um.get("B4"), image.is_map

Labels that people drew and bands of other sensors come so. Numbers are as the file means them:
scaled where it says how, NaN where it has no value. GeoTIFF needs the extra ``geo``.
"""

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt
import xarray as xr

from slstr_cloudmask.errors import BrokenFileError, CloudMaskError, InputError, MissingFileError
from slstr_cloudmask.extras import require
from slstr_cloudmask.scene import FloatArray

SUFFIXES = (".nc", ".npz", ".tif", ".tiff")
# Attributes of a variable that tell its wavelength; in micrometres below 100, else in nanometres.
WAVELENGTH_NAMES = ("wavelength_um", "wavelength", "radiation_wavelength", "central_wavelength")
NANOMETRES_FROM = 100.0
GEOGRAPHIC = "EPSG:4326"

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Image:
    """Arrays of one grid.

    Attributes
    ----------
    path
        The file.
    arrays
        Each (rows, columns), by name. Bands of a GeoTIFF go by their description, else by number.
    wavelengths_um
        By name, as far as the file tells.
    words
        What values mean, by name and value, as far as the file tells.
    crs, transform
        Of a map: its reference system, and from columns and rows to places in it.
    """

    path: Path
    arrays: dict[str, Array]
    wavelengths_um: dict[str, float] = field(default_factory=dict)
    words: dict[str, dict[str, str]] = field(default_factory=dict)
    crs: Any = None
    transform: Any = None

    @property
    def is_map(self) -> bool:
        """Whether each pixel's place on the Earth is known."""
        return self.crs is not None

    def positions(self) -> tuple[FloatArray, FloatArray]:
        """Latitude and longitude of every pixel's middle, degrees (rows, columns)."""
        shape = next(iter(self.arrays.values())).shape
        rows, columns = np.indices(shape)
        x, y = _moved(self.transform, columns.ravel() + 0.5, rows.ravel() + 0.5)
        transform = require("rasterio.warp", extra="geo").transform
        longitude, latitude = transform(self.crs, GEOGRAPHIC, x, y)
        return np.reshape(latitude, shape), np.reshape(longitude, shape)

    def at(self, name: str, latitude_deg: FloatArray, longitude_deg: FloatArray) -> FloatArray:
        """Look up an array where others' pixels lie; NaN beyond its edges."""
        values = self.arrays[name]
        latitude, longitude = latitude_deg.ravel(), longitude_deg.ravel()
        known = np.flatnonzero(np.isfinite(latitude) & np.isfinite(longitude))
        transform = require("rasterio.warp", extra="geo").transform
        x, y = transform(GEOGRAPHIC, self.crs, longitude[known], latitude[known])
        columns, rows = _moved(~self.transform, np.asarray(x), np.asarray(y))
        with np.errstate(invalid="ignore"):
            inside = (rows >= 0) & (rows < values.shape[0])
            inside &= (columns >= 0) & (columns < values.shape[1])
        found = np.full(latitude.size, np.nan)
        found[known[inside]] = values[rows[inside].astype(int), columns[inside].astype(int)]
        return found.reshape(latitude_deg.shape)


def read_image(path: str | Path) -> Image:
    """Read all arrays of two dimensions in a file.

    Raises
    ------
    MissingFileError, BrokenFileError
        The file is not there, or cannot be read.
    InputError
        It is of another format, or holds no image.
    MissingExtraError
        A GeoTIFF, without the extra ``geo``.
    """
    path = Path(path)
    if not path.is_file():
        raise MissingFileError(f"There is no image {path}.")
    if path.suffix.lower() not in _READERS:
        raise InputError(f"{path} is no image that can be read: expected {', '.join(SUFFIXES)}.")
    with _named_as_broken(path):
        image = _READERS[path.suffix.lower()](path)
    if not image.arrays:
        raise InputError(f"{path} holds no image: expected an array of rows and columns.")
    return image


def _moved(transform: Any, x: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray]:
    a, b, c, d, e, f = transform[:6]
    return a * x + b * y + c, d * x + e * y + f


@contextmanager
def _named_as_broken(path: Path) -> Iterator[None]:
    """Turn what libraries raise over a damaged file into one error."""
    try:
        yield
    except CloudMaskError:
        raise
    except (OSError, ValueError, RuntimeError, LookupError, EOFError, BadZipFile) as error:
        raise BrokenFileError(f"{path} cannot be read as an image: {error}.") from error


def _read_netcdf(path: Path) -> Image:
    with xr.open_dataset(path, engine="h5netcdf", decode_times=False) as stored:
        images = {str(n): v.load() for n, v in stored.variables.items() if v.ndim == 2}
    return Image(
        path,
        {name: image.values for name, image in images.items()},
        {n: um for n, v in images.items() if (um := wavelength_of(v.attrs)) is not None},
        {name: _words(image.attrs) for name, image in images.items()},
    )


def _read_npz(path: Path) -> Image:
    with np.load(path, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    return Image(path, {name: array for name, array in arrays.items() if array.ndim == 2})


def _read_tiff(path: Path) -> Image:
    rasterio = require("rasterio", extra="geo")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
        with rasterio.open(path) as file:
            names = [text or str(n) for n, text in enumerate(file.descriptions, start=1)]
            bands = [file.read(number, masked=True) for number in file.indexes]
            told = [file.tags(n) | file.tags(n, ns="IMAGERY") for n in file.indexes]
            scaling = list(zip(file.scales, file.offsets, strict=True))
            crs, transform = file.crs, file.transform
    arrays = {
        name: band.astype(np.float64).filled(np.nan) * scale + offset
        for name, band, (scale, offset) in zip(names, bands, scaling, strict=True)
    }
    tags = [{key.lower().removesuffix("_um"): text for key, text in tag.items()} for tag in told]
    pairs = zip(names, map(wavelength_of, tags), strict=True)
    return Image(path, arrays, {n: um for n, um in pairs if um is not None}, {}, crs, transform)


def wavelength_of(attributes: Mapping[str, Any]) -> float | None:
    """Find a wavelength among attributes, micrometres."""
    for name in WAVELENGTH_NAMES:
        try:
            value = float(np.ravel(attributes[name])[0])
        except (KeyError, ValueError, IndexError):
            continue
        return value / 1000 if value >= NANOMETRES_FROM else value
    return None


def _words(attributes: Mapping[str, Any]) -> dict[str, str]:
    """Read what the values of a flag mean."""
    if not {"flag_values", "flag_meanings"} <= set(attributes):
        return {}
    meanings = str(attributes["flag_meanings"]).split()
    numbers = np.atleast_1d(attributes["flag_values"])
    return {f"{n:g}": word for n, word in zip(numbers, meanings, strict=False)}


_READERS: dict[str, Callable[[Path], Image]] = {
    ".nc": _read_netcdf,
    ".npz": _read_npz,
    ".tif": _read_tiff,
    ".tiff": _read_tiff,
}
