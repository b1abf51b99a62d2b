"""``events.jsonl``: every event of every sitting of a run, one JSON object a line.

    log = EventLog(folder / EVENTS_NAME)
    log(Event("epoch_start", {"epoch": 1}))

A line is written whole and at once, so that others can follow a run while it goes on
(`read_events`). What a killed process left of a line is dropped. The open file is the run's lock:
a second process that wants to write to it is refused.
"""

import errno
import json
import logging
import os
from pathlib import Path
from typing import IO, Any

from slstr_cloudmask.atomic import claim
from slstr_cloudmask.errors import BrokenFileError, OutputExistsError, WriteError
from slstr_cloudmask.events import Event

logger = logging.getLogger(__name__)

EVENTS_NAME = "events.jsonl"
SITTING_START = "sitting_start"  # the first event of every sitting: who writes, from where


class EventLog:
    """Appends events to a file.

    A disk that is full does not stop a run here: what could not be written is kept, and written
    with the next event, or by `settle`.

    Parameters
    ----------
    path
        The file; its folder is made where needed.
    anew
        Drop what it holds.

    Attributes
    ----------
    events
        All of them, of earlier sittings too.

    Raises
    ------
    OutputExistsError
        Another process is writing to it.
    BrokenFileError
        It holds something else.
    WriteError
        The operating system refused to write.
    """

    def __init__(self, path: Path, *, anew: bool = False) -> None:
        self._path = path
        self._pending = b""
        self._warned = False
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("a+b", buffering=0)
        except OSError as error:
            raise _write_error(path, error) from error
        try:
            self.events, self._end = self._opened(anew)
        except BaseException:
            self._file.close()
            raise

    def __call__(self, event: Event) -> None:
        """Write an event down."""
        self.events.append(event)
        self._pending += _line(event)
        try:
            self._write()
        except OSError as error:
            if not self._warned:
                logger.warning("%s The run goes on.", _write_error(self._path, error))
            self._warned = True

    def settle(self) -> None:
        """Write what could not be written before.

        Raises
        ------
        WriteError
            It still cannot.
        """
        try:
            self._write()
        except OSError as error:
            raise _write_error(self._path, error) from error

    def close(self) -> None:
        """Close the file, and so give up the lock."""
        self._file.close()

    def _opened(self, anew: bool) -> tuple[list[Event], int]:
        """Take the lock; return the events that are there, and the bytes that they take."""
        folder = self._path.parent
        try:
            claim(self._file, "")
        except OutputExistsError as error:
            raise OutputExistsError(
                f"{_writer(folder)} is writing to {folder}: wait for it, or choose another "
                "--output."
            ) from error
        return ([], 0) if anew else _parse(self._file, self._path)

    def _write(self) -> None:
        """Write what is pending, after what is whole."""
        if not self._pending:
            return
        os.ftruncate(self._file.fileno(), self._end)
        if self._file.write(self._pending) != len(self._pending):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._end += len(self._pending)
        self._pending, self._warned = b"", False


def read_events(folder: Path) -> list[Event]:
    """Read the events of a run, which may be going on; none where there is no such file.

    Raises
    ------
    BrokenFileError
        The file holds something else.
    """
    path = folder / EVENTS_NAME
    if not path.is_file():
        return []
    with path.open("rb") as file:
        return _parse(file, path)[0]


def _parse(file: IO[bytes], path: Path) -> tuple[list[Event], int]:
    """Read whole lines; return the events, and the bytes that they take."""
    file.seek(0)
    events, end = [], 0
    for line in file.read().splitlines(keepends=True):
        if not line.endswith(b"\n"):
            break
        events.append(_event(line, path))
        end += len(line)
    return events, end


def _event(line: bytes, path: Path) -> Event:
    try:
        content: dict[str, Any] = json.loads(line)
        return Event(content["name"], content["data"], content["time_ns"])
    except (ValueError, TypeError, KeyError) as error:
        raise BrokenFileError(
            f"{path} holds a line that is no event: {line[:60]!r}. Expected name, time_ns and "
            "data; remove the file, or pass --overwrite to start anew."
        ) from error


def _line(event: Event) -> bytes:
    content = {"name": event.name, "time_ns": event.time_ns, "data": event.data}
    return json.dumps(content, allow_nan=False).encode() + b"\n"


def _writer(folder: Path) -> str:
    """Return who began the last sitting."""
    for event in reversed(read_events(folder)):
        if event.name == SITTING_START:
            return f"Process {event.data['pid']} on {event.data['host']}"
    return "Another process"


def _write_error(path: Path, error: OSError) -> WriteError:
    return WriteError(f"Events cannot be written to {path}: {error.strerror or error}.")
