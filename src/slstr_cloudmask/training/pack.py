"""Scenes packed once into a flat store that training maps into memory (see ``store``).

    store = pack_scenes(paths, folder, read=open_scene, jobs=8)

The patches are the benchmark's: whole ones from the centre of each scene. Scenes stand in the order
of their names, so that neither the store nor a split depends on the file system, unless that is
asked for. Several processes read and cut; this one writes. What is packed lies in
``FOLDER.packing`` until all is there, with a journal (see ``journal``): a run that was stopped,
killed even, goes on after the last whole scene.
"""

import hashlib
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
import xarray as xr

from slstr_cloudmask.atomic import check_output, replacing
from slstr_cloudmask.errors import BrokenFileError, CloudMaskError, InputError, OutputExistsError
from slstr_cloudmask.network.normaliser import Normaliser, Reads
from slstr_cloudmask.network.tiling import centre, centre_patches
from slstr_cloudmask.progress import track
from slstr_cloudmask.radiometry import (
    Radiometry,
    convert_radiometry,
    reflectances_present,
    scene_radiometry,
)
from slstr_cloudmask.training.journal import Entry, Journal
from slstr_cloudmask.training.labels import Confusion, Teaching
from slstr_cloudmask.training.store import (
    MANIFEST_NAME,
    FileOrder,
    Store,
    StoreManifest,
    checksum,
    is_store,
    open_store,
)
from slstr_cloudmask.workers import in_order

logger = logging.getLogger(__name__)

THE_PROVIDERS = Teaching()
SceneReader = Callable[[Path], xr.Dataset]


def pack_scenes(
    paths: Sequence[Path],
    folder: Path,
    *,
    read: SceneReader,
    patch_size: int = 256,
    teaching: Teaching = THE_PROVIDERS,
    reads: Reads = "bands",
    radiometry: Radiometry = "as_distributed",
    file_order: FileOrder = "sorted",
    jobs: int = 1,
    overwrite: bool = False,
) -> Store:
    """Pack scenes into a store, whole or not at all; a store of the same scenes is kept.

    Parameters
    ----------
    paths
        Scene files.
    folder
        Where the store goes.
    read
        Reads one scene with its labels; with several jobs, a function of a module.
    patch_size
        Pixels along each side of a patch.
    teaching
        Which label, and where there is none.
    reads
        What the network is to read of the channels: see ``network.inputs``.
    radiometry
        What every scene's reflectances are converted to; those of scenes that do not say what they
        are in are packed as they are, with a warning.
    file_order
        ``sorted``: in the order of their names, however they are given; ``listed``: as they are
        given, so that a split may depend on the file system, as the reference's does.
    jobs
        Processes that read scenes and cut them.
    overwrite
        Replace a store of other scenes or settings.

    Raises
    ------
    CloudMaskError
        No scene could be used: what was wrong with the first. A scene that cannot be used beside
        others that can is skipped, with a warning and a place in the manifest.
    InputError
        Two scenes share a name, there is none, or a process was killed: what it had done is kept.
    OutputExistsError
        The folder holds something else and ``overwrite`` is false, or is being packed.
    """
    ordered = list(paths)
    if file_order == "sorted":
        ordered.sort(key=lambda path: path.name)
    if not ordered:
        raise InputError("There is no scene to pack.")
    check_names(ordered)
    normaliser = Normaliser.benchmark(reads=reads)
    settings: dict[str, object] = {
        "patch_size": patch_size,
        "label": teaching.label,
        "levels": teaching.coding.levels,
        "strata": teaching.coding.strata,
        "masks": None if teaching.masks is None else str(teaching.masks),
        "ignore_coast_px": teaching.ignore_coast_px,
        "empty_pixels": "clear" if teaching.empty_known else "masked",
        "radiometry": radiometry,
        "file_order": file_order,
        "normaliser": normaliser,
        "sources_digest": _digest(ordered, teaching.masks),
    }
    if store := _same_store(folder, settings, overwrite=overwrite):
        return store
    check_output(folder, overwrite=overwrite)
    cut = _Cut(read, patch_size, teaching, normaliser, radiometry)
    partial_folder = folder.with_name(f"{folder.name}.packing")
    identity = StoreManifest.model_validate({**settings, "scenes": ()}).model_dump(mode="json")
    with Journal(partial_folder, identity) as journal:
        _write_scenes(ordered, journal, cut, jobs)
        found = {
            "scenes": journal.scenes,
            "skipped": journal.skipped,
            "confusion": _added(entry.confusion for entry in journal.entries),
        }
        manifest = StoreManifest.model_validate({**settings, **found})
        journal.finish(MANIFEST_NAME, manifest.model_dump_json(indent=1) + "\n")
        with replacing(folder, overwrite=overwrite) as temporary:
            partial_folder.rename(temporary)
    return open_store(folder)


def _same_store(folder: Path, settings: dict[str, object], *, overwrite: bool) -> Store | None:
    """Return the store that is there, if it is of the same scenes and settings."""
    if not is_store(folder):
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
        f"{folder} was packed from other scenes, older versions of them, in another order, or with "
        "other settings. "
        "Pass --overwrite to pack again and start anew."
    )


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


def _digest(paths: Sequence[Path], masks: Path | None) -> str:
    """Digest of names, sizes and times of change: tells whether a store is out of date."""
    files = [*paths, *sorted(masks.glob("*.nc"))] if masks is not None else paths
    text = "\n".join(f"{p.name} {p.stat().st_size} {p.stat().st_mtime_ns}" for p in files)
    return hashlib.sha256(text.encode()).hexdigest()


def _added(counts: Iterable[Confusion | None]) -> Confusion | None:
    """Add up the confusion of scenes, stratum by stratum."""
    known = [count for count in counts if count is not None]
    if not known:
        return None
    total = np.sum(np.array(known, np.int64), axis=0)
    return tuple((int(a), int(b), int(c), int(d)) for a, b, c, d in total)


@dataclass(frozen=True)
class _Cut:
    """How a scene becomes patches."""

    read: SceneReader
    patch_size: int
    teaching: Teaching
    normaliser: Normaliser
    radiometry: Radiometry

    def patches(
        self, scene: xr.Dataset, path: Path
    ) -> tuple[npt.NDArray[np.generic], npt.NDArray[np.generic]]:
        """Return inputs (patches, P, P, C) and labels (patches, P, P)."""
        inner = {str(dim): centre(size, self.patch_size) for dim, size in scene.sizes.items()}
        middle = scene.isel(inner)
        label_HW = self.teaching.codes(scene, path)[inner["rows"], inner["columns"]]
        x_HWC = self.normaliser.apply(convert_radiometry(middle, self.radiometry))
        # By torch: numpy takes ten times as long over float16.
        half_HWC = torch.from_numpy(x_HWC).half().numpy()
        return centre_patches(half_HWC, self.patch_size), centre_patches(label_HW, self.patch_size)


@dataclass(frozen=True)
class _Packed:
    """What came of a scene: an entry of the journal with its patches, or an error."""

    entry: Entry
    patches: tuple[npt.NDArray[np.generic], npt.NDArray[np.generic]] | None = None
    error: CloudMaskError | None = None


def _pack_scene(cut: _Cut, path: Path) -> _Packed:
    """Read a scene and cut it."""
    try:
        scene = cut.read(path)
        patches = cut.patches(scene, path)
        confusion = cut.teaching.confusion(scene, path)
    except CloudMaskError as error:
        return _Packed(Entry(name=path.name, skipped=str(error)), error=error)
    entry = Entry(
        name=path.name,
        count=len(patches[1]),
        blake2b=checksum(patches),
        confusion=confusion,
        unsaid=scene_radiometry(scene) is None and bool(reflectances_present(scene)),
    )
    return _Packed(entry, patches)


def _write_scenes(paths: Sequence[Path], journal: Journal, cut: _Cut, jobs: int) -> None:
    """Pack every scene that the journal does not have yet."""
    done = len(journal.entries)
    if done:
        logger.info("Going on with packing after %d of %d scenes", done, len(paths))
    first_error: CloudMaskError | None = None
    for packed in track(
        in_order(partial(_pack_scene, cut), paths[done:], jobs), "packing scenes", len(paths) - done
    ):
        if packed.error is not None:
            logger.warning("Skipped %s: %s", packed.entry.name, packed.error)
            first_error = first_error or packed.error
        journal.add(packed.entry, packed.patches or ())
    if not journal.scenes:
        journal.remove()
        raise first_error or InputError(next(iter(journal.skipped.values())))
    if unsaid := [entry.name for entry in journal.entries if entry.unsaid]:
        _warn_of_unsaid(unsaid, cut.radiometry)


def _warn_of_unsaid(names: Sequence[str], radiometry: Radiometry) -> None:
    logger.warning(
        "In %d of the scenes, %s for one, nothing says which radiometry the reflectances are in: "
        "they are packed as they are, as %s. Write the attribute 'radiometry' into them.",
        len(names),
        names[0],
        radiometry,
    )
