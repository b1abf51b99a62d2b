"""A store while it is being packed: patches appended, and a journal of what is whole.

    with Journal(folder, identity) as journal:
        for path in paths[len(journal.entries) :]:
            journal.add(entry, (inputs, labels))

A scene stands in ``journal.jsonl`` only after its patches lie on the disk. Whatever a killed
process wrote beyond the last entry is cut off when the folder is opened again. A journal of other
scenes or settings, told by its first line, is started anew.
"""

import json
import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from slstr_cloudmask.atomic import claim
from slstr_cloudmask.errors import OutputExistsError, WriteError
from slstr_cloudmask.training.labels import Confusion
from slstr_cloudmask.training.store import INPUTS_NAME, LABELS_NAME, PackedScene

JOURNAL_NAME = "journal.jsonl"


class Entry(BaseModel):
    """A scene that is done: its patches, or why it was skipped.

    ``unsaid`` says that it does not tell the radiometry of its reflectances, ``confusion`` how far
    its provider's label differs from masks.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    count: int = 0
    blake2b: str | None = None
    unsaid: bool = False
    confusion: Confusion | None = None
    skipped: str | None = None
    ends: tuple[int, int] = (0, 0)  # bytes of both files when it was done


class Journal:
    """Appends scenes to a store that is not finished.

    Parameters
    ----------
    folder
        The unfinished store.
    identity
        Of which scenes and settings it is; anything that JSON holds.

    Raises
    ------
    OutputExistsError
        Another process is writing to it.
    WriteError
        The operating system refused to write.
    """

    def __init__(self, folder: Path, identity: dict[str, Any]) -> None:
        self.folder = folder
        self.entries: list[Entry] = []
        self._files: list[IO[bytes]] = []
        self._new_parents = [parent for parent in folder.parents if not parent.exists()]
        try:
            folder.mkdir(parents=True, exist_ok=True)
            # In this order: `add` writes them so, and the journal's lock covers all.
            self._journal = self._opened(JOURNAL_NAME)
            claim(self._journal, f"Another process is packing into {folder}: wait for it.")
            self._opened(INPUTS_NAME)
            self._opened(LABELS_NAME)
            self._go_on(identity)
        except OSError as error:
            self.close()
            if isinstance(error, OutputExistsError):
                raise
            raise _write_error(folder, error, len(self.entries)) from error

    @property
    def scenes(self) -> list[PackedScene]:
        """Scenes that have patches, in order."""
        scenes, first = [], 0
        for entry in self.entries:
            if entry.skipped is None:
                scenes.append(
                    PackedScene(
                        name=entry.name, first=first, count=entry.count, blake2b=entry.blake2b
                    )
                )
                first += entry.count
        return scenes

    @property
    def skipped(self) -> dict[str, str]:
        """Scenes that have none, and why."""
        return {e.name: e.skipped for e in self.entries if e.skipped is not None}

    def add(self, entry: Entry, parts: Sequence[npt.NDArray[np.generic]]) -> None:
        """Append a scene: inputs and labels, then its line."""
        _, inputs, labels = self._files
        try:
            for file, part in zip((inputs, labels), parts, strict=False):
                file.write(np.ascontiguousarray(part).data)
                file.flush()
            entry = entry.model_copy(update={"ends": (inputs.tell(), labels.tell())})
            self._journal.write(entry.model_dump_json().encode() + b"\n")
            self._journal.flush()
        except OSError as error:
            if not self.entries:
                self.remove()
            raise _write_error(self.folder, error, len(self.entries)) from error
        self.entries.append(entry)

    def finish(self, name: str, manifest: str) -> None:
        """Put the manifest in the journal's place; the folder is then a whole store."""
        try:
            (self.folder / name).write_text(manifest)
            for file in self._files:
                os.fsync(file.fileno())
            (self.folder / JOURNAL_NAME).unlink()
        except OSError as error:
            raise _write_error(self.folder, error, len(self.entries)) from error
        self.close()

    def close(self) -> None:
        """Close the files, and so give up the lock."""
        while self._files:
            with suppress(OSError):  # of a full disk, which was said already
                self._files.pop().close()

    def remove(self) -> None:
        """Remove the folder with all that is in it, and those made for it."""
        self.close()
        shutil.rmtree(self.folder, ignore_errors=True)
        for parent in self._new_parents:
            with suppress(OSError):  # one that holds something stays
                parent.rmdir()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _opened(self, name: str) -> IO[bytes]:
        file = (self.folder / name).open("a+b")
        self._files.append(file)
        return file

    def _go_on(self, identity: dict[str, Any]) -> None:
        """Read the entries, and cut off what comes after the last whole one."""
        journal, inputs, labels = self._files
        journal.seek(0)
        head = json.dumps(identity).encode() + b"\n"
        whole = 0
        if journal.readline() == head:
            whole = len(head)
            for line in journal:
                entry = _entry(line)
                if entry is None or not _reach((inputs, labels), entry.ends):
                    break
                self.entries.append(entry)
                whole += len(line)
        journal.truncate(whole)
        if not whole:
            journal.write(head)
            journal.flush()
        ends = self.entries[-1].ends if self.entries else (0, 0)
        for file, end in zip((inputs, labels), ends, strict=True):
            file.truncate(end)
            file.seek(end)


def _entry(line: bytes) -> Entry | None:
    """Read a line; None if it is not whole."""
    try:
        return Entry.model_validate_json(line) if line.endswith(b"\n") else None
    except ValueError:
        return None


def _reach(files: Sequence[IO[bytes]], ends: Sequence[int]) -> bool:
    """Whether files are at least so long: after a loss of power they may be shorter."""
    sizes = [os.fstat(file.fileno()).st_size for file in files]
    return all(size >= end for size, end in zip(sizes, ends, strict=True))


def _write_error(folder: Path, error: OSError, kept: int) -> WriteError:
    reason = error.strerror or str(error)
    left = f"{kept} packed scenes are kept" if kept else "No part of it was left behind"
    return WriteError(
        f"Could not pack into {folder}: {reason}. {left}; "
        "free some space or choose another place, then run the command again."
    )
