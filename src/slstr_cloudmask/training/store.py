"""A store of packed scenes: what training reads, mapped into memory.

    store = open_store(folder)
    broken = broken_scenes(store)  # every byte is read and compared with its checksum

A store is a folder:

- ``inputs.f16``: normalised channels (patches, P, P, C), float16 (a step of 0.02 K at 300 K);
- ``labels.u8``: (patches, P, P), 0 clear, 1 cloud, 255 no label; where labels are probabilities or
  tell where a pixel is, as ``labels`` says;
- ``store.json``: which patches belong to which scene, normaliser, label, radiometry, patch size,
  and a checksum for each scene.

What is stored is what is used: nothing is decoded or normalised after packing.
"""

import hashlib
import json
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from slstr_cloudmask.errors import BrokenFileError, InputError, MissingFileError
from slstr_cloudmask.network.normaliser import Normaliser
from slstr_cloudmask.progress import track
from slstr_cloudmask.radiometry import Radiometry
from slstr_cloudmask.training.labels import Coding, Confusion
from slstr_cloudmask.training.split import SplitRule, split_scenes

FileOrder = Literal["sorted", "listed"]

INPUTS_NAME, LABELS_NAME, MANIFEST_NAME = "inputs.f16", "labels.u8", "store.json"
CHECKSUM_BYTES = 16  # of BLAKE2b: far more than chance needs, and short in the manifest


class PackedScene(BaseModel):
    """Which patches of a store come from one scene: ``first`` and the ``count - 1`` after it.

    ``blake2b`` is the checksum of their inputs and labels; None in a store from before there was
    one.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    first: int
    count: int
    blake2b: str | None = None


class StoreManifest(BaseModel):
    """What a store holds; written as ``store.json``.

    Attributes
    ----------
    label
        See ``labels``.
    levels, strata
        How bytes stand for labels.
    masks, ignore_coast_px
        As `labels.Teaching` was told.
    confusion
        The provider's label against the masks, by stratum: see `labels.Teaching.confusion`.
    empty_pixels
        ``masked``: pixels that were not seen have no label; ``clear``: they count as clear, as
        in the reference.
    radiometry
        Of the reflectances; ``None`` in a store from before it was looked at.
    file_order
        Whether scenes are ``sorted`` by name or stand as the file system ``listed`` them.
    scenes, skipped
        Scenes in order, and those that could not be used, with the reason.
    sources_digest
        Tells whether the store is of the same files.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format_version: int = 1
    patch_size: int
    normaliser: Normaliser
    label: str
    levels: int = 1
    strata: int = 1
    masks: str | None = None
    ignore_coast_px: int = 0
    confusion: Confusion | None = None
    empty_pixels: str
    radiometry: Radiometry | None = None
    file_order: FileOrder = "sorted"
    scenes: tuple[PackedScene, ...]
    skipped: dict[str, str] = Field(default_factory=dict)
    sources_digest: str

    @property
    def coding(self) -> Coding:
        """How bytes stand for labels."""
        return Coding(self.levels, self.strata)

    @property
    def patches(self) -> int:
        """Number of patches."""
        return sum(scene.count for scene in self.scenes)


@dataclass(frozen=True)
class Store:
    """A store on disk, mapped into memory: nothing is read until it is used.

    Attributes
    ----------
    folder
        Where it lies.
    manifest
        What it holds.
    inputs_NHWC
        float16.
    labels_NHW
        uint8; 255 = no label.
    """

    folder: Path
    manifest: StoreManifest
    inputs_NHWC: npt.NDArray[np.float16]
    labels_NHW: npt.NDArray[np.uint8]

    def split(
        self, train_share: float, seed: int, rule: SplitRule = "seeded"
    ) -> tuple[list[PackedScene], list[PackedScene]]:
        """Split by scene into training and validation (see ``split``).

        Raises
        ------
        InputError
            Either part would be empty.
        """
        scenes = self.manifest.scenes
        train, validation = split_scenes(len(scenes), train_share, rule=rule, seed=seed)
        return [scenes[i] for i in train], [scenes[i] for i in validation]


def is_store(folder: Path) -> bool:
    """Whether a folder is a packed store."""
    return (folder / MANIFEST_NAME).is_file()


def open_store(folder: Path) -> Store:
    """Map a store into memory.

    Raises
    ------
    MissingFileError
        No store there.
    BrokenFileError
        A file of the store cannot be read or does not fit the others.
    """
    if not is_store(folder):
        raise MissingFileError(f"{folder} is no packed store: it has no {MANIFEST_NAME}.")
    try:
        manifest = StoreManifest.model_validate(json.loads((folder / MANIFEST_NAME).read_text()))
        shape = (manifest.patches, manifest.patch_size, manifest.patch_size)
        channels = len(manifest.normaliser.channels)
        inputs = np.memmap(folder / INPUTS_NAME, np.float16, "r", shape=(*shape, channels))
        labels = np.memmap(folder / LABELS_NAME, np.uint8, "r", shape=shape)
    except (OSError, ValueError) as error:
        raise BrokenFileError(
            f"The packed store in {folder} is not whole: {error}. Remove it and pack again."
        ) from error
    return Store(folder, manifest, inputs, labels)


def checksum(parts: Iterable[npt.NDArray[np.generic]]) -> str:
    """Return the BLAKE2b checksum of arrays, one after the other, as hexadecimal digits."""
    digest = hashlib.blake2b(digest_size=CHECKSUM_BYTES)
    for part in parts:
        digest.update(np.ascontiguousarray(part).data)
    return digest.hexdigest()


def broken_scenes(store: Store, jobs: int = 1) -> list[str]:
    """Read a whole store; return the names of scenes that are not what was packed.

    Parameters
    ----------
    store
        The store.
    jobs
        Threads that read.

    Raises
    ------
    InputError
        It was packed without checksums.
    """
    scenes = store.manifest.scenes
    if any(scene.blake2b is None for scene in scenes):
        raise InputError("This store was packed without checksums: pack again with --overwrite.")

    def is_whole(scene: PackedScene) -> bool:
        mine = slice(scene.first, scene.first + scene.count)
        return checksum((store.inputs_NHWC[mine], store.labels_NHW[mine])) == scene.blake2b

    with ThreadPoolExecutor(max(1, jobs)) as pool:
        whole = list(track(pool.map(is_whole, scenes), "verifying scenes", len(scenes)))
    return [scene.name for scene, good in zip(scenes, whole, strict=True) if not good]
