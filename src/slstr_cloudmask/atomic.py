"""Writes that are either whole or not there.

    with replacing(path, overwrite=False) as temporary:
        write_to(temporary)

The block writes to a temporary neighbour, which takes the final name only when the block ends
well; otherwise it is removed. A folder works like a file: make it at ``temporary`` and fill it.

What a killed process leaves of a target is removed by the next one of the same machine that writes
there. Of another machine's nobody here can tell whether it is still being written: it stays.

HDF5 does not survive a disk that fills up under it, so such files are made in memory and written
with ``write_bytes``.
"""

import hashlib
import os
import re
import shutil
import socket
import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import IO

from slstr_cloudmask.errors import CloudMaskError, OutputExistsError, WriteError

# A temporary neighbour: the target's name, whose it is (`_here` and process), mkdtemp's letters.
_SCRATCH = re.compile(r"\.(.+)\.([0-9a-f]{12})-(\d{1,9})\.\w{8}", re.DOTALL)


def check_output(path: Path, *, overwrite: bool) -> None:
    """Refuse early, before the work is done, an output that is there already.

    Raises
    ------
    OutputExistsError
        ``path`` exists and ``overwrite`` is false.
    """
    if path.exists() and not overwrite:
        raise OutputExistsError(f"{path} exists already. Pass --overwrite to replace it.")


def check_contents(folder: Path, known: Collection[str]) -> None:
    """Refuse to replace a folder that holds anything but what ``known`` names.

    Raises
    ------
    OutputExistsError
        It holds something else.
    """
    if others := sorted({entry.name for entry in folder.iterdir()} - set(known)):
        raise OutputExistsError(
            f"{folder} also holds {others[0]}, and is not replaced. Choose another folder."
        )


def _check_same_kind(temporary: Path, path: Path, may_hold: Collection[str]) -> None:
    """Refuse to replace a folder by a file, a file by a folder, or a folder of other things."""
    if not path.exists():
        return
    if path.is_dir() != temporary.is_dir():
        found = "a folder" if path.is_dir() else "a file"
        raise OutputExistsError(f"{path} is {found}, and is not replaced. Choose another name.")
    if path.is_dir():
        check_contents(path, {entry.name for entry in temporary.iterdir()}.union(may_hold))


@contextmanager
def replacing(
    path: Path, *, overwrite: bool = False, may_hold: Collection[str] = ()
) -> Iterator[Path]:
    """Give a temporary path that becomes ``path`` when the block ends well.

    Parameters
    ----------
    path
        Final file or folder; its parent is made where needed.
    overwrite
        Replace what is there.
    may_hold
        What else a folder that is replaced may hold, besides what is written.

    Raises
    ------
    OutputExistsError
        ``path`` exists and ``overwrite`` is false; or it is of another kind, or a folder that holds
        other things, and is never replaced.
    WriteError
        The operating system refused to write: disk full, no permission.
    """
    check_output(path, overwrite=overwrite)
    scratch: Path | None = None
    new_parents = [parent for parent in path.parents if not parent.exists()]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch = _make_scratch(path)
        # Another name, so that what a killed process leaves is never taken for the real thing.
        temporary = scratch / f"new{path.suffix}"
        yield temporary
        _move(temporary, path, may_hold)
    except OSError as error:
        if isinstance(error, CloudMaskError):
            raise
        reason = error.strerror or str(error)
        raise WriteError(
            f"Could not write {path}: {reason}. No part of it was left behind; "
            "free some space or choose another place, then run the command again."
        ) from error
    finally:
        if scratch is not None:
            shutil.rmtree(scratch, ignore_errors=True)
        for parent in new_parents:
            with suppress(OSError):  # one that holds something stays
                parent.rmdir()


def _make_scratch(path: Path) -> Path:
    """Make the folder in which ``path`` is written, in place of those that the dead left."""
    target, here = path.name[:64], _here()
    for left, scratch in _left_behind(path.parent.absolute()):
        if left == target:
            shutil.rmtree(scratch, ignore_errors=True)
    mark = f"{here}-{os.getpid()}." if here else ""
    return Path(tempfile.mkdtemp(prefix=f".{target}.{mark}", dir=path.parent))


def _here() -> str:
    """Name what process numbers belong to: this machine since it started, and this container.

    Empty where the system does not say; there nothing is taken for left behind.
    """
    try:
        started = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii")
        numbers = Path("/proc/self/ns/pid").readlink()
    except OSError:
        return ""
    known = f"{socket.gethostname()} {started} {numbers}"
    return hashlib.sha256(known.encode()).hexdigest()[:12]


@cache  # once for each folder, which may hold many thousand files
def _left_behind(folder: Path) -> list[tuple[str, Path]]:
    """Find temporary folders of processes of `_here` that are gone, and the names of their targets.

    One from which a folder that had stepped aside did not come back is not among them.
    """
    import psutil

    found, here = [], _here()
    with suppress(OSError):
        for entry in folder.iterdir():
            match = _SCRATCH.fullmatch(entry.name)
            if match is None or match[2] != here or psutil.pid_exists(int(match[3])):
                continue
            if not any(entry.glob("*.old")):
                found.append((match[1], entry))
    return found


def write_bytes(path: Path, content: bytes | memoryview, *, overwrite: bool = False) -> None:
    """Write a file that was made in memory, whole or not at all; errors as `replacing`."""
    with replacing(path, overwrite=overwrite) as temporary:
        temporary.write_bytes(content)


def write_files(folder: Path, contents: Mapping[str, bytes], *, overwrite: bool = False) -> None:
    """Write files by name into a folder; none where one is there that may not be replaced.

    Raises
    ------
    OutputExistsError, WriteError
        As `replacing`, of each.
    """
    for name in contents:
        check_output(folder / name, overwrite=overwrite)
    for name, content in contents.items():
        write_bytes(folder / name, content, overwrite=overwrite)


def claim(file: IO[bytes] | int, refusal: str) -> None:
    """Refuse a second process, where the system has locks; the claim ends when the file is closed.

    Parameters
    ----------
    file
        An open file, or the descriptor of an open folder.
    refusal
        What to say to the second process.

    Raises
    ------
    OutputExistsError
        Another process has claimed it.
    """
    try:
        import fcntl
    except ImportError:
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise OutputExistsError(refusal) from error
    except OSError:
        return  # a file system without locks


def _move(temporary: Path, path: Path, may_hold: Collection[str]) -> None:
    """Give ``temporary`` its final name; an old folder steps aside first."""
    _check_same_kind(temporary, path, may_hold)
    aside = temporary.with_name(f"{temporary.name}.old")
    if path.is_dir():
        path.rename(aside)
    try:
        temporary.replace(path)
    except OSError:
        if aside.exists():
            aside.rename(path)
        raise
