"""Scenes packed once into a flat store that training maps into memory.

A store is a folder:

- ``inputs.f16``: normalised channels (patches, P, P, C), float16 (a step of 0.02 K at 300 K);
- ``labels.u8``: (patches, P, P), 0 clear, 1 cloud, 255 no label;
- ``store.json``: which patches belong to which scene, normaliser, label, patch size.

The patches are the benchmark's: whole ones from the centre of each scene. Scenes stand in the
order of their names, so that neither the store nor a split depends on the file system.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import xarray as xr
from pydantic import BaseModel, ConfigDict, ValidationError

from slstr_cloudmask.atomic import replacing
from slstr_cloudmask.errors import BrokenFileError, InputError, MissingFileError
from slstr_cloudmask.network.normaliser import Normaliser
from slstr_cloudmask.network.tiling import centre_patches
from slstr_cloudmask.progress import track
from slstr_cloudmask.scene import UNKNOWN, label

INPUTS_NAME, LABELS_NAME, MANIFEST_NAME = "inputs.f16", "labels.u8", "store.json"

SceneReader = Callable[[Path], xr.Dataset]


class PackedScene(BaseModel):
    """Which patches of a store come from one scene: ``first`` and the ``count - 1`` after it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    first: int
    count: int


class StoreManifest(BaseModel):
    """What a store holds; written as ``store.json``.

    Attributes
    ----------
    label
        ``bayes`` or ``truth``.
    empty_pixels
        ``masked``: pixels that were not seen have no label; ``clear``: they count as clear, as
        in the reference.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format_version: int = 1
    patch_size: int
    normaliser: Normaliser
    label: str
    empty_pixels: str
    scenes: tuple[PackedScene, ...]
    sources_digest: str

    @property
    def patches(self) -> int:
        """Number of patches."""
        return sum(scene.count for scene in self.scenes)


@dataclass(frozen=True)
class Store:
    """A store on disk, mapped into memory: nothing is read until it is used.

    Attributes
    ----------
    inputs_NHWC
        float16.
    labels_NHW
        uint8; 255 = no label.
    """

    manifest: StoreManifest
    inputs_NHWC: npt.NDArray[np.float16]
    labels_NHW: npt.NDArray[np.uint8]

    def split(self, train_share: float, seed: int) -> tuple[list[PackedScene], list[PackedScene]]:
        """Split by scene into training and validation, the same for the same names and seed.

        Raises
        ------
        InputError
            Either part would be empty.
        """
        scenes = self.manifest.scenes
        count = round(train_share * len(scenes))
        if not 0 < count < len(scenes):
            raise InputError(
                f"{len(scenes)} scenes cannot be split {train_share:g} to {1 - train_share:g}: "
                "both training and validation need at least one scene."
            )
        order = np.random.default_rng(seed).permutation(len(scenes))
        train, validation = sorted(order[:count]), sorted(order[count:])
        return [scenes[i] for i in train], [scenes[i] for i in validation]


def pack_scenes(
    paths: Sequence[Path],
    folder: Path,
    *,
    read: SceneReader,
    patch_size: int = 256,
    label_name: str = "bayes",
    mask_empty: bool = True,
    overwrite: bool = False,
) -> Store:
    """Pack scenes into a store, whole or not at all; a store of the same scenes is kept.

    Parameters
    ----------
    paths
        Scene files; their order does not matter.
    folder
        Where the store goes.
    read
        Reads one scene with its labels.
    patch_size
        Pixels along each side of a patch.
    label_name
        ``bayes`` or ``truth``.
    mask_empty
        Leave pixels that were not seen without a label. If false they are clear (faithful).
    overwrite
        Replace a store of other scenes or settings.

    Raises
    ------
    MissingLabelError
        A scene holds no such label.
    InputError
        Two scenes share a name, a scene is smaller than a patch, or there is no scene.
    OutputExistsError
        The folder holds something else and ``overwrite`` is false.
    """
    ordered = sorted(paths, key=lambda path: path.name)
    _check_names(ordered)
    settings = {
        "patch_size": patch_size,
        "label": label_name,
        "empty_pixels": "masked" if mask_empty else "clear",
        "normaliser": Normaliser.benchmark(),
        "sources_digest": _digest(ordered),
    }
    if (folder / MANIFEST_NAME).is_file():
        store = open_store(folder)
        if all(getattr(store.manifest, key) == value for key, value in settings.items()):
            return store
    with replacing(folder, overwrite=overwrite) as temporary:
        temporary.mkdir()
        scenes = _write_patches(ordered, temporary, read, patch_size, label_name, mask_empty)
        manifest = StoreManifest.model_validate({**settings, "scenes": scenes})
        (temporary / MANIFEST_NAME).write_text(manifest.model_dump_json(indent=1) + "\n")
    return open_store(folder)


def open_store(folder: Path) -> Store:
    """Map a store into memory.

    Raises
    ------
    MissingFileError
        No store there.
    BrokenFileError
        A file of the store cannot be read or does not fit the others.
    """
    if not (folder / MANIFEST_NAME).is_file():
        raise MissingFileError(f"{folder} is no packed store: it has no {MANIFEST_NAME}.")
    try:
        manifest = StoreManifest.model_validate(json.loads((folder / MANIFEST_NAME).read_text()))
        shape = (manifest.patches, manifest.patch_size, manifest.patch_size)
        channels = len(manifest.normaliser.channels)
        inputs = np.memmap(folder / INPUTS_NAME, np.float16, "r", shape=(*shape, channels))
        labels = np.memmap(folder / LABELS_NAME, np.uint8, "r", shape=shape)
    except (OSError, ValueError, ValidationError) as error:
        raise BrokenFileError(
            f"The packed store in {folder} is not whole: {error}. Remove it and pack again."
        ) from error
    return Store(manifest, inputs, labels)


def _check_names(paths: Sequence[Path]) -> None:
    if not paths:
        raise InputError("There is no scene to pack.")
    names = [path.name for path in paths]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(f"Two scenes share the name {twice[0]}: keep one of them.")


def _digest(paths: Sequence[Path]) -> str:
    """Digest of names, sizes and times of change: tells whether a store is out of date."""
    text = "\n".join(f"{p.name} {p.stat().st_size} {p.stat().st_mtime_ns}" for p in paths)
    return hashlib.sha256(text.encode()).hexdigest()


def _write_patches(
    paths: Sequence[Path],
    folder: Path,
    read: SceneReader,
    patch_size: int,
    label_name: str,
    mask_empty: bool,
) -> list[PackedScene]:
    """Write the patches of every scene, one scene after the other."""
    normaliser = Normaliser.benchmark()
    scenes: list[PackedScene] = []
    first = 0
    with (folder / INPUTS_NAME).open("wb") as inputs, (folder / LABELS_NAME).open("wb") as labels:
        for path in track(paths, "packing scenes"):
            scene = read(path)
            x_HWC = normaliser.apply(scene).astype(np.float16)
            label_HW = _labels(scene, label_name, mask_empty)
            centre_patches(x_HWC, patch_size).tofile(inputs)
            patches = centre_patches(label_HW, patch_size)
            patches.tofile(labels)
            scenes.append(PackedScene(name=path.name, first=first, count=len(patches)))
            first += len(patches)
    return scenes


def _labels(scene: xr.Dataset, name: str, mask_empty: bool) -> npt.NDArray[np.uint8]:
    cloud, known = label(scene, name)
    empty = np.uint8(UNKNOWN if mask_empty else 0)
    return np.where(known, cloud.astype(np.uint8), empty)
