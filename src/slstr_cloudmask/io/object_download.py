"""One object of a store into one file: whole and checked, or not there; taken up where it ended.

    how, _ = download_object(store, item, Path("data/ssts/day/S3A_....hdf"), advance=count)

Bytes are appended to a hidden neighbour, ``.NAME.VERSION.part``, which takes the final name when
its checksum is right. One that a killed process left is continued; one of an earlier version of
the object is removed.
"""

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from slstr_cloudmask.errors import BrokenFileError, CloudMaskError, WriteError
from slstr_cloudmask.io.etag import Checked, check_etag
from slstr_cloudmask.io.object_store import ObjectStore, StoredObject

BLOCK_BYTES = 8 * 2**20  # what is asked for at once; a killed process loses at most that
_ATTEMPTS = 2  # a checksum may be wrong because of what an earlier sitting left

Advance = Callable[[int], None]


def download_object(
    store: ObjectStore, item: StoredObject, path: Path, *, advance: Advance = lambda count: None
) -> tuple[Checked, int | None]:
    """Fetch an object.

    Parameters
    ----------
    store
        Where it is.
    item
        The object as it was listed.
    path
        The file it becomes; one that is there is replaced when the new one is whole.
    advance
        Told how many bytes are there more; fewer, where bytes turned out to be wrong.

    Returns
    -------
    Checked, int or None
        How the file was checked, and the size of the parts it was stored in, where known.

    Raises
    ------
    MissingFileError, BrokenFileError
        The store does not give the object, gives one without content, or one that is not what was
        listed.
    WriteError
        The operating system refused to write; what has arrived is kept.
    """
    shown = store.address(item.key)
    if item.size == 0:
        raise BrokenFileError(f"{shown} holds nothing: expected a scene. Tell who keeps the store.")
    part = part_path(path, item)
    with _writing(path, part):
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_older_parts(path, part)
    for _ in range(_ATTEMPTS):
        with _writing(path, part):
            _fill(store, item, part, advance)
            checked, part_bytes = check_etag(part, item.etag, lambda: store.part_bytes(item.key))
        if checked != Checked.WRONG:
            break
        part.unlink()
        advance(-item.size)
        _check_unchanged(store, item)
    else:
        raise BrokenFileError(
            f"{shown} does not have the checksum that it is listed with ({item.etag}), fetched "
            f"{_ATTEMPTS} times. Tell who keeps the store."
        )
    if checked == Checked.SIZE:
        _check_unchanged(store, item)
    with _writing(path, part):
        part.replace(path)
    return checked, part_bytes


def part_path(path: Path, item: StoredObject) -> Path:
    """Where bytes of this version of an object are kept until all are there."""
    version = hashlib.sha256(f"{item.size} {item.etag}".encode()).hexdigest()[:12]
    return path.with_name(f".{path.name}.{version}.part")


def bytes_here(path: Path, item: StoredObject) -> int:
    """Count the bytes that need not be fetched any more."""
    part = part_path(path, item)
    return min(part.stat().st_size, item.size) if part.is_file() else 0


def _remove_older_parts(path: Path, part: Path) -> None:
    """Remove what is left of other versions; names are compared, for a name may hold brackets."""
    for other in path.parent.iterdir():
        is_ours = other.name.startswith(f".{path.name}.") and other.name.endswith(".part")
        if is_ours and other != part:
            other.unlink()


def _fill(store: ObjectStore, item: StoredObject, part: Path, advance: Advance) -> None:
    """Append what is missing, block by block, down to the disk."""
    with part.open("ab") as file:
        if file.tell() > item.size:
            file.truncate(0)
        done = file.seek(0, os.SEEK_END)
        while done < item.size:
            block = store.read(item.key, done, min(done + BLOCK_BYTES, item.size))
            file.write(block)
            file.flush()
            done += len(block)
            advance(len(block))
        os.fsync(file.fileno())


def _check_unchanged(store: ObjectStore, item: StoredObject) -> None:
    if store.object_at(item.key) != item:
        raise BrokenFileError(
            f"{store.address(item.key)} was changed while it was fetched. Run the command again."
        )


@contextmanager
def _writing(path: Path, part: Path) -> Iterator[None]:
    """Say what the operating system refused."""
    try:
        yield
    except CloudMaskError:
        raise
    except OSError as error:
        kept = " What has arrived is kept;" if part.is_file() else ""
        raise WriteError(
            f"Could not write {path}: {error.strerror or error}.{kept} free some space or choose "
            "another place, then run the command again."
        ) from error
