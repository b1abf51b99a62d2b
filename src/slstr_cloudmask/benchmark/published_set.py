"""The published data set: where it is kept, what its folders are called, how much of it there is.

    scenes, refused = wanted_scenes(store, "es/cloud_slstr_ds1", "inference", Path("data"))

Since April 2026 the store's folders are ``training`` and ``inference``; before that they were
``one-day`` and ``ssts``. Which of them it has is looked up, and files that are here under the other
name are left where they are.
"""

import logging
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from slstr_cloudmask.errors import ConfigError, MissingFileError
from slstr_cloudmask.io.object_store import ObjectStore, StoredObject

logger = logging.getLogger(__name__)

ENDPOINT, BUCKET = "https://s3.echo.stfc.ac.uk", "sciml-datasets"
# MLCommons Science, benchmarks/cloudmask/README.md, and what its logs say: samples 970, number 100.
PREFIXES = {"ds1": "es/cloud_slstr_ds1"}
PARTS = ("training", "inference")
ALL_PARTS = "all"
FOLDERS = {"training": ("training", "one-day"), "inference": ("inference", "ssts")}
PART_OF = {folder: part for part, folders in FOLDERS.items() for folder in folders}
SCENES = {"training": 970, "inference": 100}
INFERENCE_SCENES = {"day": 55, "night": 45}

# The names of scenes, of which a store may hold any: none that leads elsewhere, or is hidden.
_SCENE = re.compile(r"S3[^/\\]*\.hdf")
_UNSAFE = re.compile(r"[\x00-\x1f\x7f\\:]")


@dataclass(frozen=True, slots=True)
class WantedScene:
    """A scene of the store.

    Attributes
    ----------
    item
        The object.
    part
        ``training`` or ``inference``.
    path
        Where its file is to be, relative to the data set's folder.
    """

    item: StoredObject
    part: str
    path: str


def prefix_of(name: str) -> str:
    """Look up where a set is kept.

    Raises
    ------
    ConfigError
        There is no such set.
    """
    if name not in PREFIXES:
        raise ConfigError(f"Expected a set of {', '.join(PREFIXES)}, found {name!r} (--set).")
    return PREFIXES[name]


def parts_of(part: str) -> tuple[str, ...]:
    """Turn ``training``, ``inference`` or ``all`` into parts.

    Raises
    ------
    ConfigError
        It is none of these.
    """
    if part == ALL_PARTS:
        return PARTS
    if part not in PARTS:
        raise ConfigError(
            f"Expected one of {', '.join((*PARTS, ALL_PARTS))}, found {part!r} (--part)."
        )
    return (part,)


def wanted_scenes(
    store: ObjectStore, prefix: str, part: str, root: Path, limit: int | None = None
) -> tuple[list[WantedScene], list[str]]:
    """List the scenes of a part of the set.

    Parameters
    ----------
    store, prefix
        Where the set is kept.
    part
        ``training`` or ``inference``.
    root
        The data set's folder here.
    limit
        Only so many: the first by name, by day and by night in turn.

    Returns
    -------
    list of WantedScene, list of str
        What is to be had, and keys of scenes whose names lead out of the folder.

    Raises
    ------
    MissingFileError
        The store has no such part.
    BrokenFileError
        The store refuses, or does not answer.
    """
    theirs, items = _folder_there(store, prefix.strip("/"), part)
    ours = _folder_here(root, part) or theirs
    start = f"{prefix.strip('/')}/{theirs}/"
    scenes, refused, others = [], [], 0
    for item in items:
        name = item.key.removeprefix(start)
        if not _SCENE.fullmatch(name.rpartition("/")[2]):
            others += not name.endswith("/") and bool(name)
        elif _stays_inside(name):
            scenes.append(WantedScene(item, part, f"{ours}/{name}"))
        else:
            refused.append(item.key)
    if others:
        logger.info("%d objects below %s are no scenes, and left out", others, store.address(start))
    if len(scenes) != SCENES[part]:
        logger.warning(
            "%s lists %d scenes: %d are published", store.address(start), len(scenes), SCENES[part]
        )
    return list(in_turn(scenes))[:limit], refused


def in_turn(scenes: Sequence[WantedScene]) -> Iterator[WantedScene]:
    """Order scenes by name, one of each folder in turn: any first few are of day and night."""
    folders: dict[str, list[WantedScene]] = {}
    for scene in sorted(scenes, key=lambda scene: scene.path):
        folders.setdefault(scene.path.rpartition("/")[0], []).append(scene)
    for row in zip_longest(*folders.values()):
        yield from (scene for scene in row if scene is not None)


def _folder_there(store: ObjectStore, prefix: str, part: str) -> tuple[str, Sequence[StoredObject]]:
    """Find which of its names a part has in the store."""
    for folder in FOLDERS[part]:
        if items := store.objects(f"{prefix}/{folder}/"):
            return folder, items
    raise MissingFileError(
        f"Expected scenes below {store.address(prefix)}/ in {' or '.join(FOLDERS[part])}, found "
        "nothing. Check --endpoint, --bucket and --prefix."
    )


def _folder_here(root: Path, part: str) -> str | None:
    """Name that a part has here already, so that a new name there moves nothing here."""
    return next((folder for folder in FOLDERS[part] if (root / folder).is_dir()), None)


def _stays_inside(name: str) -> bool:
    """Tell whether a relative name leads to a visible file below the folder it is joined to."""
    return not _UNSAFE.search(name) and all(
        part and not part.startswith(".") for part in name.split("/")
    )
