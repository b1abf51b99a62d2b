"""Where outputs go: a file where the name ends as one, otherwise a folder."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from slstr_cloudmask.errors import InputError

if TYPE_CHECKING:
    from slstr_cloudmask.cli.inputs import Input

# Outputs that end like this are meant as files, others as folders.
FILE_SUFFIX = re.compile(r"\.(nc4?|h5|hdf5?|tiff?|zarr|zip|png|jpe?g|pdf|svg|webp)", re.IGNORECASE)
PICTURE_SUFFIXES = (".png",)


def place_output(wanted: Path, name: str, suffixes: tuple[str, ...], *, several: bool) -> Path:
    """Take ``wanted`` as a file where it ends as one, otherwise as the folder for ``name``.

    Parameters
    ----------
    wanted
        What the user gave.
    name
        Name of the file in a folder, without its ending.
    suffixes
        Endings that the file may have; the first is that of files in a folder.
    several
        Whether there are several inputs, each with a file of its own.

    Raises
    ------
    InputError
        It ends as a file of another kind, or is one file for several inputs.
    """
    suffix = wanted.suffix.lower().replace(".tiff", ".tif")
    is_store = suffix == ".zarr" and suffix in suffixes  # a folder, but meant as one file
    if not is_store and (wanted.is_dir() or not FILE_SUFFIX.fullmatch(suffix)):
        return wanted / f"{name}{suffixes[0]}"
    if suffix not in suffixes:
        raise InputError(
            f"{wanted} ends in {wanted.suffix}: give a name that ends in {either(suffixes)}."
        )
    if several:
        raise InputError(
            f"{wanted} is one file, and there are several inputs: give a folder instead."
        )
    return wanted


def either(words: Iterable[str]) -> str:
    """Join words as ``a, b or c``."""
    *most, last = words
    return f"{', '.join(most)} or {last}" if most else last


def place_pictures(inputs: "Iterable[Input]", wanted: Path, ending: str) -> "dict[Input, Path]":
    """Say where the picture of each input goes, named as the input with ``ending``.

    Raises
    ------
    InputError
        As `place_output`, or two inputs would share one picture.
    """
    from slstr_cloudmask.io.product_name import product_stem

    every = list(inputs)
    places: dict[Input, Path] = {}
    for item in every:
        name = product_stem(item) + ending
        place = place_output(wanted, name, PICTURE_SUFFIXES, several=len(every) > 1)
        if place in places.values():
            raise InputError(
                f"{item} and another input would both be written to {place}. "
                "Run them one at a time, with outputs in different folders."
            )
        places[item] = place
    return places
