"""Images of labels: a mask on a scene's grid, or on a map that is looked up at its pixels.

    codes = labels_of(read_image("S3A_..._label.tif"), scene)  # 0 clear, 1 cloud, 255 unknown

An image with a reference system is looked up by latitude and longitude; any other must have the
scene's own pixels.
"""

from collections.abc import Mapping

import numpy as np
import xarray as xr

from slstr_cloudmask.errors import InputError
from slstr_cloudmask.io.image_file import Array, Image
from slstr_cloudmask.io.label_words import Codes, label_codes
from slstr_cloudmask.scene import bands_present

# What arrays of labels are called, the first that is there.
ARRAY_NAMES = ("label", "labels", "cloud_mask", "mask", "truth", "cloud", "classification")


def labels_of(
    image: Image, scene: xr.Dataset, *, label_map: Mapping[str, str] | None = None
) -> Codes:
    """Find the labels of a scene's pixels.

    Parameters
    ----------
    image
        Of `slstr_cloudmask.io.image_file.read_image`.
    scene
        A Scene; with latitude and longitude, where the image is a map.
    label_map
        As `slstr_cloudmask.io.label_words.label_codes`; numbers are written as such.

    Returns
    -------
    numpy.ndarray
        (rows, columns): 0 clear, 1 cloud, 255 unknown, and where a map does not reach.

    Raises
    ------
    InputError
        It holds no labels of this scene's size, or values that are not known.
    """
    name = _array_name(image)
    shape = scene[bands_present(scene)[0]].shape
    values = image.arrays[name]
    if image.is_map:
        if "latitude" not in scene.coords or "longitude" not in scene.coords:
            raise InputError(f"{image.path} is a map, and the scene does not say where it lies.")
        values = image.at(name, scene["latitude"].values, scene["longitude"].values)
    elif values.shape != shape:
        raise InputError(
            f"{image.path} has {values.shape} pixels and the scene {shape}: expected labels on "
            "the scene's grid, or a GeoTIFF with a reference system."
        )
    return _codes(values, image.words.get(name, {}), label_map or {}, str(image.path))


def _codes(values: Array, words: Mapping[str, str], given: Mapping[str, str], where: str) -> Codes:
    """Turn values into codes: each value once, by its number or by its word."""
    kinds, places = np.unique(values, return_inverse=True)
    numbers = [str(kind) if kinds.dtype.kind in "US" else f"{kind:g}" for kind in kinds]
    named = [number if number in given else words.get(number, number) for number in numbers]
    codes: Codes = label_codes(named, given, where=where)
    return codes[places.reshape(values.shape)]


def _array_name(image: Image) -> str:
    """Find the array of labels: by its name, or as the only one."""
    named = [name for name in ARRAY_NAMES if name in image.arrays]
    if not named and len(image.arrays) != 1:
        raise InputError(
            f"{image.path} holds no array of labels: expected one of {', '.join(ARRAY_NAMES)}, or "
            f"a single image; found {', '.join(image.arrays)}."
        )
    return (named or list(image.arrays))[0]
