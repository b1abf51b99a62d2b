"""What a download of the published data set has to do: what the store has, and what is here.

    plan = plan_download(store, "es/cloud_slstr_ds1", ("training", "inference"), Path("data"))
    plan.missing_bytes

Nothing is written. A file is taken to be whole where ``download.json`` knows it by the size and the
checksum that the store lists now, and it still has that size.
"""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from rich import filesize

from slstr_cloudmask.benchmark.download_record import DownloadRecord, read_record
from slstr_cloudmask.benchmark.published_set import WantedScene, wanted_scenes
from slstr_cloudmask.errors import InputError, WriteError
from slstr_cloudmask.io.object_download import bytes_here
from slstr_cloudmask.io.object_store import ObjectStore


class Here(StrEnum):
    """What there is of a scene before the download."""

    WHOLE = "here"
    UNPROVEN = "here, not known to be right"
    CHANGED = "here, changed in the store since"
    ABSENT = "not here"


@dataclass(frozen=True, slots=True)
class PlannedScene:
    """A scene of the store, and what is here of it."""

    wanted: WantedScene
    here: Here
    missing_bytes: int

    @property
    def is_here(self) -> bool:
        """Whether a file of the right size is here, that is not known to be another version."""
        return self.here in (Here.WHOLE, Here.UNPROVEN)


@dataclass(frozen=True, slots=True)
class DownloadPlan:
    """What there is to do: scenes, and keys of those that are refused for their names."""

    root: Path
    scenes: tuple[PlannedScene, ...]
    refused: tuple[str, ...]

    @property
    def missing_bytes(self) -> int:
        """Bytes that are to be fetched."""
        return sum(scene.missing_bytes for scene in self.scenes)


def plan_download(
    store: ObjectStore,
    prefix: str,
    parts: Sequence[str],
    root: Path,
    limit: int | None = None,
) -> DownloadPlan:
    """List what the store has, and compare it with what is here; nothing is written.

    Parameters
    ----------
    store, prefix
        Where the set is kept.
    parts
        ``training``, ``inference``.
    root
        The data set's folder here.
    limit
        Scenes of each part.

    Raises
    ------
    InputError
        ``root`` is a file, or a limit below 1.
    MissingFileError
        The store has no such part.
    BrokenFileError
        The store refuses or does not answer, or ``download.json`` cannot be read.
    """
    if limit is not None and limit < 1:
        raise InputError(f"Expected at least one scene of each part, found {limit} (--limit).")
    if root.exists() and not root.is_dir():
        raise InputError(f"Expected a folder for the data set, found the file {root}.")
    record = read_record(root)
    scenes: list[PlannedScene] = []
    refused: list[str] = []
    for part in parts:
        wanted, outside = wanted_scenes(store, prefix, part, root, limit)
        scenes += [_compare(scene, root, record) for scene in wanted]
        refused += outside
    return DownloadPlan(root, tuple(scenes), tuple(refused))


def _compare(wanted: WantedScene, root: Path, record: DownloadRecord) -> PlannedScene:
    item, path = wanted.item, root / wanted.path
    known = record.files.get(wanted.path)
    left = item.size - bytes_here(path, item)
    if not path.is_file():
        return PlannedScene(wanted, Here.ABSENT, left)
    if path.stat().st_size != item.size:
        is_newer = known is not None and known.size != item.size
        return PlannedScene(wanted, Here.CHANGED if is_newer else Here.ABSENT, left)
    if known is None:
        return PlannedScene(wanted, Here.UNPROVEN, 0)
    if known.etag != item.etag:
        return PlannedScene(wanted, Here.CHANGED, left)
    return PlannedScene(wanted, Here.WHOLE, 0)


def check_space(root: Path, needed: int) -> None:
    """Refuse to begin what the disk cannot hold.

    Raises
    ------
    WriteError
        Fewer bytes are free than needed.
    """
    place = next(folder for folder in (root, *root.absolute().parents) if folder.is_dir())
    free = shutil.disk_usage(place).free
    if free < needed:
        raise WriteError(
            f"{filesize.decimal(needed)} are to be downloaded, and {filesize.decimal(free)} are "
            f"free in {root}: choose another place, or fetch less with --part or --limit."
        )
