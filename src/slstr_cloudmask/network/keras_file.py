"""A file of Keras, read without Keras: its layers as they say they are, and their weights.

    saved = read_keras(Path("cloudModel.h5"))
    kernel, bias = saved.weights["conv2d"]

The forms are known by their content, whatever the name ends in: a whole model as HDF5 (Keras 2 and
3), weights alone as HDF5 in the old layout and in the new one, and the zip named ``.keras``.
Nothing in a file is run and nothing is unpacked to the disk: layers are names and numbers, and only
data sets that lie in the file itself are read. The optimiser's state is left alone.
"""

import hashlib
import io
import json
import re
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from slstr_cloudmask.errors import BrokenFileError, CloudMaskError, MissingFileError, ModelError
from slstr_cloudmask.network.keras_graph import Layer, parse_layers

HDF5_START, ZIP_START = b"\x89HDF\r\n\x1a\n", b"PK\x03\x04"
MAX_BYTES = 1 << 30  # of a file or a part of one; the benchmark's takes 23 MB with its optimiser
MAX_PARAMETERS = 1 << 27  # the benchmark's network has 2 million
LAST_BUILT_IN_FILTER = 255  # of HDF5; those beyond are loaded from libraries beside it
OWN_ATTRIBUTE = "cloudmask"  # our configuration, in a file that we wrote
ZIP_CONFIG, ZIP_METADATA, ZIP_WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
# Groups of layers in the new layout; the second name is that of Keras 2.12.
CONTAINERS = ("layers", "_layer_checkpoint_dependencies")

# What h5py, zipfile and json say of damaged files; all of it was seen, or is documented.
_DAMAGE = (
    AttributeError,
    EOFError,
    KeyError,
    MemoryError,
    OSError,
    OverflowError,
    RecursionError,
    RuntimeError,
    TypeError,
    ValueError,
    zipfile.BadZipFile,
    zlib.error,
)

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True)
class KerasFile:
    """What a file of Keras holds, as far as it matters here.

    Attributes
    ----------
    form
        Which of the forms it is, in words.
    sha256
        Of the whole file.
    keras_version
        Version of Keras that wrote it, where the file says so.
    layers
        By name, in the file's order; ``None`` where it holds weights alone.
    weights
        Arrays of those layers that have any, by the layer's name, in the file's order.
    own_config
        Our configuration as JSON, where we wrote the file.
    """

    form: str
    sha256: str
    keras_version: str | None
    layers: dict[str, Layer] | None
    weights: dict[str, list[FloatArray]]
    own_config: str | None


def read_keras(path: Path) -> KerasFile:
    """Read a file of Keras.

    Raises
    ------
    MissingFileError
        There is no such file.
    BrokenFileError
        It is truncated, of another format, or HDF5 or a zip of something else.
    ModelError
        It is unsafe to read, or far too large.
    """
    content = _content(path)
    try:
        with _one_error(path):
            if content.startswith(ZIP_START):
                return _read_zip(content)
            return _read_hdf5(content)
    except _Refused as refused:
        raise ModelError(f"{path} is not read: {refused}") from refused


class _Refused(ModelError):
    """What no honest file holds; the reader adds the file's name."""


def _content(path: Path) -> bytes:
    again = "in Keras, load it and save it again with model.save('cloudModel.h5')."
    if path.is_dir():
        raise BrokenFileError(
            f"{path} is a folder: expected a file of Keras. If it is a SavedModel of TensorFlow, "
            f"{again}"
        )
    if not path.is_file():
        raise MissingFileError(f"Expected a model of Keras at {path}, found no such file.")
    if (size := path.stat().st_size) > MAX_BYTES:
        raise ModelError(f"{path} is {size} bytes: expected at most {MAX_BYTES}.")
    content = path.read_bytes()
    if not content.startswith((HDF5_START, ZIP_START)):
        raise BrokenFileError(
            f"{path} is no file of Keras: expected HDF5 (.h5) or a zip (.keras), found one that "
            f"starts with {content[:8]!r}. If Keras can read it, {again}"
        )
    return content


@contextmanager
def _one_error(path: Path) -> Iterator[None]:
    """Turn whatever a damaged file makes the libraries say into one error."""
    try:
        yield
    except CloudMaskError as error:
        if isinstance(error, _Refused):
            raise
        raise type(error)(f"{path}: {error}") from error
    except _DAMAGE as error:
        reason = " ".join(str(error).split()).rstrip(".") or type(error).__name__
        raise BrokenFileError(
            f"{path} cannot be read as a model of Keras: {reason}. It is truncated or damaged: "
            "copy it again."
        ) from error


def _read_zip(content: bytes) -> KerasFile:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        config, metadata, weights = (
            _member(archive, name) for name in (ZIP_CONFIG, ZIP_METADATA, ZIP_WEIGHTS)
        )
    layers = parse_layers(json.loads(config))
    with h5py.File(io.BytesIO(weights), "r") as file:
        return KerasFile(
            form=".keras",
            sha256=hashlib.sha256(content).hexdigest(),
            keras_version=str(json.loads(metadata)["keras_version"]),
            layers=layers,
            weights=_numbered(file, layers),
            own_config=_text(file.attrs.get(OWN_ATTRIBUTE)),
        )


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    if name not in archive.namelist():
        found = ", ".join(archive.namelist()[:3]) or "nothing"
        raise BrokenFileError(f"expected {name} in a model of Keras, found {found}.")
    size = archive.getinfo(name).file_size
    if size > MAX_BYTES:
        raise _Refused(f"{name} in it is {size} bytes, and {MAX_BYTES} are the most allowed.")
    return archive.read(name)  # zipfile stops at the size that it declares


def _read_hdf5(content: bytes) -> KerasFile:
    with h5py.File(io.BytesIO(content), "r") as file:
        layers = None
        if (config := _text(file.attrs.get("model_config"))) is not None:
            form, layers = "HDF5 of a whole model", parse_layers(json.loads(config))
            weights = _named(_child(file, "model_weights"))
        elif "layer_names" in file.attrs:
            form, weights = "HDF5 of weights alone, old layout", _named(file)
        elif any(name in file for name in CONTAINERS):
            form, weights = "HDF5 of weights alone, new layout", _numbered(file, None)
        else:
            found = ", ".join([*file, *file.attrs][:5]) or "nothing"
            raise BrokenFileError(
                "it is HDF5, and not of Keras: expected model_config, layer_names or layers in "
                f"it, found {found}."
            )
        return KerasFile(
            form=form,
            sha256=hashlib.sha256(content).hexdigest(),
            keras_version=_text(file.attrs.get("keras_version")),
            layers=layers,
            weights=weights,
            own_config=_text(file.attrs.get(OWN_ATTRIBUTE)),
        )


def _named(group: h5py.Group) -> dict[str, list[FloatArray]]:
    """Read the old layout: a group a layer, which names its arrays in order."""
    found = {}
    for layer in _texts(group.attrs["layer_names"]):
        inner = _child(group, layer)
        found[layer] = [_child(inner, name) for name in _texts(inner.attrs["weight_names"])]
    return _read_all(found)


def _numbered(file: h5py.File, layers: dict[str, Layer] | None) -> dict[str, list[FloatArray]]:
    """Read the new layout: groups are named after the layer's class and counted within it."""
    container = next((name for name in CONTAINERS if name in file), CONTAINERS[0])
    group = _child(file, container)
    names = sorted(group, key=lambda name: (len(name), name))  # conv2d_2 before conv2d_10
    places = {name: name for name in names} if layers is None else _places(names, layers)
    found = {}
    for layer, place in places.items():
        if f"{place}/vars" in group:
            variables = _child(group, f"{place}/vars")
            found[layer] = [_child(variables, str(i)) for i in range(len(variables))]
    return _read_all(found)


def _places(names: list[str], layers: dict[str, Layer]) -> dict[str, str]:
    """Return the group of each layer: those of one class are in the layers' order.

    Their numbers are not always consecutive: Keras 2.12 leaves every second one out.
    """
    places: dict[str, str] = {}
    for stem in {layer.snake_kind for layer in layers.values()}:
        mine = [name for name, layer in layers.items() if layer.snake_kind == stem]
        groups = [name for name in names if re.fullmatch(rf"{re.escape(stem)}(_\d+)?", name)]
        if groups and len(groups) != len(mine):
            raise BrokenFileError(
                f"expected weights of {len(mine)} layers {stem}, found {len(groups)}."
            )
        places.update(zip(mine, groups, strict=False))
    return places


def _read_all(found: dict[str, list[Any]]) -> dict[str, list[FloatArray]]:
    """Read arrays whose size is known to be sane."""
    datasets = [dataset for arrays in found.values() for dataset in arrays]
    for dataset in datasets:
        _check_dataset(dataset)
    if (total := sum(dataset.size for dataset in datasets)) > MAX_PARAMETERS:
        raise _Refused(f"it declares {total} weights, and {MAX_PARAMETERS} are the most allowed.")
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite
        return {
            layer: [np.asarray(dataset[...]).astype(np.float32) for dataset in arrays]
            for layer, arrays in found.items()
            if arrays
        }


def _check_dataset(dataset: Any) -> None:
    """Refuse what is no array of numbers in this very file."""
    if not isinstance(dataset, h5py.Dataset) or dataset.dtype.kind != "f" or not dataset.shape:
        found = getattr(dataset, "dtype", "a group")
        raise BrokenFileError(f"expected an array of weights at {dataset.name}, found {found}.")
    properties = dataset.id.get_create_plist()
    filters = [properties.get_filter(i)[0] for i in range(properties.get_nfilters())]
    if dataset.external or dataset.is_virtual:
        raise _Refused(f"its array {dataset.name} lies in another file.")
    if any(number > LAST_BUILT_IN_FILTER for number in filters):
        raise _Refused(f"its array {dataset.name} wants a decoder that is not part of HDF5.")


def _child(group: h5py.Group, path: str) -> Any:
    """Go down to a group or an array, along hard links alone."""
    for part in filter(None, path.split("/")):
        link = group.get(part, getlink=True)
        if link is None:
            raise BrokenFileError(f"expected {part} in {group.name}, found no such thing.")
        if not isinstance(link, h5py.HardLink):
            raise _Refused(f"{part} in its {group.name} is a link to elsewhere.")
        group = group[part]
    return group


def _texts(values: Any) -> list[str]:
    return [text for value in values if (text := _text(value)) is not None]


def _text(value: Any) -> str | None:
    """Return an attribute as text; Keras has written both bytes and text."""
    return value.decode() if isinstance(value, bytes) else None if value is None else str(value)
