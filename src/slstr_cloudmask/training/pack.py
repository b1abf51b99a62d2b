"""Scenes packed once into a flat store that training maps into memory.

A store is a folder:

- ``inputs.f16``: normalised channels (patches, P, P, C), float16 (a step of 0.02 K at 300 K);
- ``labels.u8``: (patches, P, P), 0 clear, 1 cloud, 255 no label;
- ``store.json``: which patches belong to which scene, normaliser, label, radiometry, patch size.

The patches are the benchmark's: whole ones from the centre of each scene. Scenes stand in the
order of their names, so that neither the store nor a split depends on the file system.
"""

import hashlib
import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import xarray as xr
from pydantic import BaseModel, ConfigDict, Field

from slstr_cloudmask.atomic import replacing
from slstr_cloudmask.errors import (
    BrokenFileError,
    CloudMaskError,
    InputError,
    MissingFileError,
    OutputExistsError,
)
from slstr_cloudmask.flags import UNKNOWN
from slstr_cloudmask.network.normaliser import Normaliser
from slstr_cloudmask.network.tiling import centre_patches
from slstr_cloudmask.progress import track
from slstr_cloudmask.radiometry import (
    Radiometry,
    convert_radiometry,
    reflectances_present,
    scene_radiometry,
)
from slstr_cloudmask.scene import label

logger = logging.getLogger(__name__)

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
    radiometry
        Of the reflectances; ``None`` in a store from before it was looked at.
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
    empty_pixels: str
    radiometry: Radiometry | None = None
    scenes: tuple[PackedScene, ...]
    skipped: dict[str, str] = Field(default_factory=dict)
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
    radiometry: Radiometry = "as_distributed",
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
    radiometry
        What every scene's reflectances are converted to; those of scenes that do not say what they
        are in are packed as they are, with a warning.
    overwrite
        Replace a store of other scenes or settings.

    Raises
    ------
    CloudMaskError
        No scene could be used: what was wrong with the first. A scene that cannot be used beside
        others that can is skipped, with a warning and a place in the manifest.
    InputError
        Two scenes share a name, or there is none.
    OutputExistsError
        The folder holds something else and ``overwrite`` is false.
    """
    ordered = sorted(paths, key=lambda path: path.name)
    if not ordered:
        raise InputError("There is no scene to pack.")
    check_names(ordered)
    settings = {
        "patch_size": patch_size,
        "label": label_name,
        "empty_pixels": "masked" if mask_empty else "clear",
        "radiometry": radiometry,
        "normaliser": Normaliser.benchmark(),
        "sources_digest": _digest(ordered),
    }
    if store := _same_store(folder, settings, overwrite=overwrite):
        return store
    with replacing(folder, overwrite=overwrite) as temporary:
        temporary.mkdir()
        cut = _Cut(patch_size, label_name, mask_empty, radiometry)
        scenes, skipped = _write_patches(ordered, temporary, read, cut)
        manifest = StoreManifest.model_validate({**settings, "scenes": scenes, "skipped": skipped})
        (temporary / MANIFEST_NAME).write_text(manifest.model_dump_json(indent=1) + "\n")
    return open_store(folder)


def _same_store(folder: Path, settings: dict[str, object], *, overwrite: bool) -> Store | None:
    """Return the store that is there, if it is of the same scenes and settings."""
    if not (folder / MANIFEST_NAME).is_file():
        return None
    try:
        store = open_store(folder)
    except BrokenFileError:
        if overwrite:
            return None
        raise
    if all(getattr(store.manifest, key) == value for key, value in settings.items()):
        return store
    if overwrite:
        return None
    raise OutputExistsError(
        f"{folder} was packed from other scenes, older versions of them, or with other settings. "
        "Pass --overwrite to pack again and start anew."
    )


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
    except (OSError, ValueError) as error:
        raise BrokenFileError(
            f"The packed store in {folder} is not whole: {error}. Remove it and pack again."
        ) from error
    return Store(manifest, inputs, labels)


def check_names(paths: Sequence[Path]) -> None:
    """Refuse two scenes of one name.

    Raises
    ------
    InputError
        There are two.
    """
    names = [path.name for path in paths]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(f"Two scenes share the name {twice[0]}: keep one of them.")


def _digest(paths: Sequence[Path]) -> str:
    """Digest of names, sizes and times of change: tells whether a store is out of date."""
    text = "\n".join(f"{p.name} {p.stat().st_size} {p.stat().st_mtime_ns}" for p in paths)
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class _Cut:
    """How a scene becomes patches."""

    patch_size: int
    label_name: str
    mask_empty: bool
    radiometry: Radiometry

    def patches(
        self, scene: xr.Dataset, normaliser: Normaliser
    ) -> tuple[npt.NDArray[np.generic], npt.NDArray[np.generic]]:
        """Return inputs (patches, P, P, C) and labels (patches, P, P)."""
        cloud, known = label(scene, self.label_name)
        empty = np.uint8(UNKNOWN if self.mask_empty else 0)
        label_HW = np.where(known, cloud.astype(np.uint8), empty)
        converted = convert_radiometry(scene, self.radiometry)
        x_HWC = normaliser.apply(converted).astype(np.float16)
        return centre_patches(x_HWC, self.patch_size), centre_patches(label_HW, self.patch_size)


def _write_patches(
    paths: Sequence[Path], folder: Path, read: SceneReader, cut: _Cut
) -> tuple[list[PackedScene], dict[str, str]]:
    """Write the patches of every scene, one scene after the other."""
    normaliser = Normaliser.benchmark()
    scenes: list[PackedScene] = []
    skipped: dict[str, CloudMaskError] = {}
    unsaid: list[str] = []
    first = 0
    with (folder / INPUTS_NAME).open("wb") as inputs, (folder / LABELS_NAME).open("wb") as labels:
        for path in track(paths, "packing scenes"):
            try:
                scene = read(path)
                x_KPPC, label_KPP = cut.patches(scene, normaliser)
            except CloudMaskError as error:
                logger.warning("Skipped %s: %s", path.name, error)
                skipped[path.name] = error
                continue
            inputs.write(x_KPPC.data)
            labels.write(label_KPP.data)
            scenes.append(PackedScene(name=path.name, first=first, count=len(label_KPP)))
            first += len(label_KPP)
            if scene_radiometry(scene) is None and reflectances_present(scene):
                unsaid.append(path.name)
    if unsaid:
        _warn_of_unsaid(unsaid, cut.radiometry)
    if not scenes:
        raise next(iter(skipped.values()))
    return scenes, {name: str(error) for name, error in skipped.items()}


def _warn_of_unsaid(names: Sequence[str], radiometry: Radiometry) -> None:
    logger.warning(
        "In %d of the scenes, %s for one, nothing says which radiometry the reflectances are in: "
        "they are packed as they are, as %s. Write the attribute 'radiometry' into them.",
        len(names),
        names[0],
        radiometry,
    )
