"""Progress of long work: a bar on a terminal, plain log lines otherwise.

Everything goes to stderr, so that stdout stays free for data.
"""

import logging
import time
from collections.abc import Iterable, Iterator, Sized
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

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
