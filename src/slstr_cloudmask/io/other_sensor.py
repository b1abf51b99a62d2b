"""Scenes of other sensors: bands of an image that stand in for SLSTR's.

    mapping = read_band_mapping("S1=green*0.0001,S2=red*0.0001,S5=1610nm*0.0001,S8=B10")
    scene = read_other_scene("labelled.tif", mapping)

A band is named as in the file, or by its wavelength where the file tells that; a factor and a
constant make reflectance with unit 1, or kelvin, of its numbers. What the image holds beside the
bands is read where it is called as in a Scene: latitude, longitude, angles, ``truth``. Other
sensors' bands are wider or lie elsewhere; what a detector makes of them is what is to be found out.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr

from slstr_cloudmask import channels
from slstr_cloudmask.errors import InputError, MissingFileError
from slstr_cloudmask.flags import UNKNOWN
from slstr_cloudmask.io.image_file import SUFFIXES, Array, Image, read_image
from slstr_cloudmask.io.label_words import plain
from slstr_cloudmask.scene import COORDINATE_NAMES, build_scene

# Common names of bands (STAC's electro-optical extension) and where they lie, micrometres.
COMMON_UM = {
    "green": 0.56,
    "red": 0.66,
    "nir": 0.865,
    "cirrus": 1.375,
    "swir16": 1.61,
    "swir22": 2.2,
    "mir": 3.74,
    "lwir11": 10.9,
    "lwir12": 12.0,
}
# How far a band may lie from the wavelength that was asked for, as a share of it.
TOLERANCE = 0.06
_NUMBER = r"\d*\.?\d+(?:[eE][-+]?\d+)?"
_PAIR = re.compile(
    r"(?P<band>S[1-9])=(?P<source>[^*]+)"
    rf"(?:\*(?P<factor>[-+]?{_NUMBER})(?P<constant>[-+]{_NUMBER})?)?"
)
_WAVELENGTH = re.compile(r"(?P<number>\d*\.?\d+)(?P<unit>um|nm)")


@dataclass(frozen=True, slots=True)
class BandSource:
    """Where a band comes from: a name or a wavelength in the file, and how to scale it.

    Attributes
    ----------
    name
        As in the file, one of `COMMON_UM`, or a wavelength such as ``1610nm`` or ``1.61um``.
    factor, constant
        Reflectance or kelvin = factor x number + constant.
    """

    name: str
    factor: float = 1.0
    constant: float = 0.0


BandMapping = Mapping[str, BandSource]


def read_band_mapping(text: str) -> dict[str, BandSource]:
    """Read ``BAND=SOURCE*FACTOR+CONSTANT``, with commas between.

    Raises
    ------
    InputError
        It is not of this form, or names a band twice.
    """
    mapping: dict[str, BandSource] = {}
    for part in (part.strip() for part in text.split(",") if part.strip()):
        found = _PAIR.fullmatch(part)
        if found is None or found["band"] in mapping:
            raise InputError(
                f"Cannot read the band {part!r}: expected each of {', '.join(channels.NAMES)} at "
                "most once, as S1=green or S1=B3*0.0001-0.1 (number x 0.0001 - 0.1)."
            )
        factor, constant = float(found["factor"] or 1), float(found["constant"] or 0)
        mapping[found["band"]] = BandSource(found["source"].strip(), factor, constant)
    if not mapping:
        raise InputError("No band is named: expected such as S1=green,S2=red,S3=nir.")
    return mapping


def find_images(root: str | Path) -> list[Path]:
    """Find the images below a folder, sorted; or the one that is named.

    Raises
    ------
    MissingFileError
        There is none.
    """
    root = Path(root)
    if root.is_file():
        return [root]
    found = sorted(path for path in root.rglob("*") if path.suffix.lower() in SUFFIXES)
    if not found:
        raise MissingFileError(f"Found no image in {root}: expected {', '.join(SUFFIXES)}.")
    return found


def read_other_scene(path: str | Path, mapping: BandMapping) -> xr.Dataset:
    """Read an image as a Scene.

    Parameters
    ----------
    path
        NetCDF, NPZ or GeoTIFF, as `slstr_cloudmask.io.image_file.read_image`.
    mapping
        Source by SLSTR band.

    Returns
    -------
    xarray.Dataset
        The Scene, with the bands of the mapping.

    Raises
    ------
    MissingFileError, BrokenFileError
        The file is not there, or cannot be read.
    InputError
        A band is not in it, or the scaled numbers cannot be reflectance or kelvin.
    """
    image = read_image(path)
    bands = {band: _scaled(image, source) for band, source in mapping.items()}
    coordinates = {n: image.arrays[n] for n in COORDINATE_NAMES if n in image.arrays}
    if image.is_map and "latitude" not in coordinates:
        coordinates |= dict(zip(("latitude", "longitude"), image.positions(), strict=True))
    truth = image.arrays.get("truth")
    try:
        return build_scene(
            bands,
            coordinates=coordinates,
            truth=None if truth is None else _flag(truth),
            attributes={"source": image.path.name, "platform": "another sensor"},
        )
    except InputError as error:
        raise InputError(f"{image.path}: {error} Scale it, such as S1=green*0.0001.") from error


def _scaled(image: Image, source: BandSource) -> Array:
    values = image.arrays[_find(image, source.name)].astype(np.float32)
    return values * np.float32(source.factor) + np.float32(source.constant)


def _find(image: Image, wanted: str) -> str:
    """Find an array by its name, or by wavelength."""
    names = {plain(name): name for name in image.arrays}
    if plain(wanted) in names:
        return names[plain(wanted)]
    wavelength = COMMON_UM.get(wanted.lower())
    if found := _WAVELENGTH.fullmatch(wanted.lower()):
        wavelength = float(found["number"]) / (1000 if found["unit"] == "nm" else 1)
    if wavelength is not None and image.wavelengths_um:
        name, there = min(image.wavelengths_um.items(), key=lambda item: abs(item[1] - wavelength))
        if abs(there - wavelength) <= TOLERANCE * wavelength:
            return name
    told = ", ".join(
        f"{name} ({image.wavelengths_um[name]:g} um)" if name in image.wavelengths_um else name
        for name in image.arrays
    )
    raise InputError(f"{image.path} holds no band {wanted!r}: it has {told}.")


def _flag(truth: Array) -> Array:
    known = np.isin(truth, (0, 1))
    return np.where(known, truth, UNKNOWN).astype(np.uint8)
