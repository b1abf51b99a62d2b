"""Progress of long work: a bar on a terminal, plain log lines otherwise.

Everything goes to stderr, so that stdout stays free for data.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import contextmanager
from typing import TypeVar

from rich import filesize
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

logger = logging.getLogger(__name__)

CONSOLE = Console(stderr=True)  # shared, so that log lines and bars do not cross

Item = TypeVar("Item")

PLAIN_INTERVAL_S = 10.0  # at most one plain line in this time


def track(items: Iterable[Item], description: str, total: int | None = None) -> Iterator[Item]:
    """Yield ``items`` while showing how far the work has come.

    Parameters
    ----------
    items
        What is worked through.
    description
        A few words, shown before the bar.
    total
        Number of items; taken from ``len(items)`` where it has one.
    """
    if total is None and isinstance(items, Sized):
        total = len(items)
    if CONSOLE.is_terminal:
        yield from _track_with_bar(items, description, total)
    else:
        yield from _track_with_lines(items, description, total)


def _track_with_bar(items: Iterable[Item], description: str, total: int | None) -> Iterator[Item]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=CONSOLE, transient=True) as progress:
        yield from progress.track(items, total=total, description=description)


def _track_with_lines(items: Iterable[Item], description: str, total: int | None) -> Iterator[Item]:
    last = time.monotonic()
    for done, item in enumerate(items, start=1):
        yield item
        now = time.monotonic()
        if now - last >= PLAIN_INTERVAL_S:
            logger.info("%s: %d of %s", description, done, "?" if total is None else total)
            last = now


@contextmanager
def track_bytes(description: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show how many bytes of a total are there; give what is told of more, from any thread.

    Parameters
    ----------
    description
        A few words, shown before the bar.
    total
        Bytes in all.
    """
    if not CONSOLE.is_terminal:
        yield _ByteLines(description, total)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=CONSOLE, transient=True) as progress:
        task = progress.add_task(description, total=total)
        yield lambda count: progress.advance(task, count)


class _ByteLines:
    """Counts bytes, and logs a line now and then."""

    def __init__(self, description: str, total: int) -> None:
        self._description, self._total = description, total
        self._done = 0
        self._last = time.monotonic()
        self._lock = threading.Lock()

    def __call__(self, count: int) -> None:
        with self._lock:
            self._done += count
            now = time.monotonic()
            if now - self._last < PLAIN_INTERVAL_S:
                return
            self._last = now
        done, total = (filesize.decimal(size) for size in (self._done, self._total))
        logger.info("%s: %s of %s", self._description, done, total)
