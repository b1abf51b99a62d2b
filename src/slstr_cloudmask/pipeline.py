"""Items through three stages at once: one is read ahead and one is written while one is worked on.

    for result in run_pipeline(paths, open_scene, detect, save):
        print(result.item, result.error or result.value)

Results come in the order of the items, each as soon as it and those before it are done. A failure
belongs to its item; the others go on.
"""

import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Generic, Self, TypeVar

from slstr_cloudmask.errors import CloudMaskError, InputError
from slstr_cloudmask.processes import Calls

logger = logging.getLogger(__name__)

Item = TypeVar("Item")
Read = TypeVar("Read")
Made = TypeVar("Made")
Value = TypeVar("Value")

STAGES = ("read", "work", "write")
DEPTH = 2  # scenes between two stages: one that waits, and one that makes up for a slow one
# After an interrupt: reading is not waited for any longer than this; what is written is.
GRACE_S = 3.0


@dataclass(slots=True)
class Result(Generic[Item, Value]):
    """What came of an item.

    Attributes
    ----------
    item
        The item.
    value
        What ``write`` returned; None after a failure.
    error
        What a stage raised, or None. What is no `CloudMaskError` is put into one, in words; where
        it came from is in the log, at level debug.
    seconds
        Time spent in each stage that was begun: ``read``, ``work``, ``write``. Stages of several
        items overlap, and slow each other down: these are latencies, and their sum is more than
        the item's share of the run.
    """

    item: Item
    value: Value | None = None
    error: CloudMaskError | None = None
    seconds: dict[str, float] = field(default_factory=dict)


def run_pipeline(
    items: Iterable[Item],
    read: Callable[[Item], Read],
    work: Callable[[Item, Read], Made],
    write: Callable[[Item, Made], Value],
    *,
    depth: int = DEPTH,
    readers: int = 1,
    processes: bool = False,
) -> Generator[Result[Item, Value], None, None]:
    """Read, work and write, all at once.

    Parameters
    ----------
    items
        What is worked through; taken one by one, as there is room.
    read
        Called with an item in a thread; with ``processes`` in another process, so that it must be
        a function of a module, and item and answer must be such as can be sent.
    work
        Called with an item and what was read, in the calling thread.
    write
        Called with an item and what was made, in a thread, one after the other.
    depth
        At most so many items wait between two stages, so ``2 * depth + 1`` are in memory at once.
        With 0 each item is read, worked on and written before the next is read, without threads.
    readers
        Items that are read at the same time.
    processes
        Read in processes. One that is killed fails its item, and another takes its place.

    Yields
    ------
    Result
        One for each item, in their order.

    Raises
    ------
    InputError
        A negative depth, or no reader.
    """
    if depth < 0 or readers < 1:
        raise InputError(f"Expected depth from 0 and readers from 1, found {depth}, {readers}.")
    with ExitStack() as stack:
        reading = stack.enter_context(_Threads(min(readers, depth), GRACE_S))
        writing = stack.enter_context(_Threads(min(1, depth), None))
        if processes:
            read = stack.enter_context(Calls(read, readers))
        yield from _flow(iter(items), reading, writing, (read, work, write), depth)


def _flow(
    items: Iterator[Any],
    reading: "_Threads",
    writing: "_Threads",
    stages: tuple[Callable[..., Any], Callable[..., Any], Callable[..., Any]],
    depth: int,
) -> Generator[Result[Any, Any], None, None]:
    read, work, write = stages
    here = _Threads(0)
    ahead: deque[_Passage] = deque()
    behind: deque[_Passage] = deque()

    def read_ahead(count: int) -> None:
        for item in islice(items, max(0, count - len(ahead))):
            ahead.append(_Passage(item))
            ahead[-1].enter("read", reading, read)

    while True:
        read_ahead(max(1, depth))
        if not ahead:
            break
        passage = ahead.popleft()
        scene = passage.leave()
        read_ahead(depth)
        passage.enter("work", here, work, scene)
        del scene
        passage.enter("write", writing, write, passage.leave())
        behind.append(passage)
        while behind and (len(behind) > depth or behind[0].is_done):
            yield behind.popleft().end()
    while behind:
        yield behind.popleft().end()


class _Passage:
    """One item on its way; after a failure it enters no further stage."""

    def __init__(self, item: Any) -> None:
        self.result: Result[Any, Any] = Result(item)
        self._future: Future[Any] | None = None

    def enter(
        self, stage: str, threads: "_Threads", function: Callable[..., Any], *given: Any
    ) -> None:
        if self.result.error is None:
            self._future = threads.submit(self._timed, stage, function, *given)

    def _timed(self, stage: str, function: Callable[..., Any], *given: Any) -> Any:
        started = time.perf_counter()
        try:
            return function(self.result.item, *given)
        finally:
            self.result.seconds[stage] = time.perf_counter() - started

    @property
    def is_done(self) -> bool:
        return self._future is None or self._future.done()

    def leave(self) -> Any:
        """Wait for the stage, and return what it returned; None after a failure."""
        future, self._future = self._future, None
        if future is None:
            return None
        try:
            return future.result()
        except Exception as error:
            logger.debug("Failed: %s", self.result.item, exc_info=True)
            self.result.error = _in_words(error)
            return None

    def end(self) -> Result[Any, Any]:
        self.result.value = self.leave()
        return self.result


def _in_words(error: Exception) -> CloudMaskError:
    """Return an error for users, without a traceback, which would keep the scene in memory."""
    if isinstance(error, CloudMaskError):
        return error.with_traceback(None)
    return CloudMaskError(
        f"Unexpected {type(error).__name__}: {error}. Run `cloudmask --verbose` to see where."
    )


class _Threads:
    """Threads that work off what is submitted; none at all: it is done at once.

    They are daemons, so that one that hangs cannot keep the program from its end.
    """

    def __init__(self, count: int, grace_s: float | None = None) -> None:
        self._grace_s = grace_s
        self._tasks: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(count)]
        for thread in self._threads:
            thread.start()

    def submit(self, function: Callable[..., Any], *given: Any) -> "Future[Any]":
        future: Future[Any] = Future()
        if self._threads:
            self._tasks.put((future, function, given))
        else:
            _fulfil(future, function, given)
        return future

    def _run(self) -> None:
        while (task := self._tasks.get()) is not None:
            _fulfil(*task)
            del task  # and with it the scene, before the next one is waited for

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Drop what was not begun, and wait for what was."""
        with suppress(queue.Empty):
            while True:
                self._tasks.get_nowait()
        for _thread in self._threads:
            self._tasks.put(None)
        for thread in self._threads:
            thread.join(self._grace_s)


def _fulfil(future: "Future[Any]", function: Callable[..., Any], given: tuple[Any, ...]) -> None:
    try:
        future.set_result(function(*given))
    except BaseException as error:  # an interrupt too is raised by who asks for the result
        future.set_exception(error)
