"""A function that is called in processes of its own, so that what kills one kills no more.

    with Calls(open_scene, 2) as open_elsewhere:
        scene = open_elsewhere(path)  # from any thread; as many at once as there are processes

Arrays come back through memory that both processes see: nothing is copied but once.
"""

import logging
import mmap
import multiprocessing
import os
import pickle
import queue
import signal
import tempfile
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from multiprocessing.reduction import recv_handle, send_handle
from typing import Any, Generic, Self, TypeVar

from slstr_cloudmask.errors import InputError

logger = logging.getLogger(__name__)

Task = TypeVar("Task")
Answer = TypeVar("Answer")

ALIGNMENT_BYTES = 64  # of arrays, as numpy and torch like them
ENDING_S = 5.0  # for a process whose connection is closed; then it is killed


class Calls(Generic[Task, Answer]):
    """Call a function in other processes.

    Parameters
    ----------
    function
        A function of a module, which other processes can import.
    count
        Processes, started as they are needed.
    """

    def __init__(self, function: Callable[[Task], Answer], count: int) -> None:
        self._children: list[_Child] = [_Child(function) for _ in range(count)]
        self._idle: queue.LifoQueue[_Child] = queue.LifoQueue()
        for child in self._children:
            self._idle.put(child)

    def __call__(self, task: Task) -> Answer:
        """Return what the function returns, or raise what it raises.

        Raises
        ------
        InputError
            The process was killed; the next call gets a new one.
        """
        child = self._idle.get()
        try:
            succeeded, answer = child.call(task)
        finally:
            self._idle.put(child)
        if not succeeded:
            raise answer
        result: Answer = answer
        return result

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Kill the processes, whatever they are doing; calls under way raise."""
        for child in self._children:
            child.stop()


class _Child:
    """One process, there from its first call on."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self._function = function
        self._running: tuple[SpawnProcess, Connection[Any, Any]] | None = None
        self._stopped = False
        self._lock = threading.Lock()  # of starting and ending

    def call(self, task: Any) -> tuple[bool, Any]:
        connection = self._started()
        try:
            connection.send(task)
            succeeded, answer = _receive(connection)
        except (EOFError, OSError) as error:
            raise InputError(self._end()) from error
        return succeeded, answer

    def stop(self) -> None:
        with self._lock:
            self._stopped = True
            if self._running is not None:
                self._running[0].kill()  # a call under way finds its connection at an end
                self._running[0].join()

    def _started(self) -> "Connection[Any, Any]":
        with self._lock:
            if self._stopped:
                raise InputError("The run was stopped.")
            if self._running is None:
                # A fresh process: no locks or threads of this one are inherited.
                context = multiprocessing.get_context("spawn")
                ours, theirs = context.Pipe()
                arguments = (theirs, self._function)
                process = context.Process(target=_serve, args=arguments, daemon=True)
                process.start()
                theirs.close()  # so that the connection ends when the process does
                self._running = process, ours
            return self._running[1]

    def _end(self) -> str:
        """Clear away a process that ended, and say how it did."""
        with self._lock:
            assert self._running is not None
            process, connection = self._running
            self._running = None
            connection.close()
            process.join(ENDING_S)
            process.kill()
            process.join()
            code = process.exitcode or 0
        if code == -signal.SIGKILL:
            how = "was killed (SIGKILL), most likely for want of memory"
        elif code < 0:
            how = f"was ended by {signal.Signals(-code).name}"
        else:
            how = f"ended by itself, with code {code}"
        return f"The process that worked on it {how}. Run it again, with fewer processes at once."


def _serve(connection: "Connection[Any, Any]", function: Callable[[Any], Any]) -> None:
    """Answer calls until the other side is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that was started
    while True:
        try:
            task = connection.recv()
        except EOFError:
            return
        try:
            outcome = True, function(task)
        except Exception as error:
            logger.debug("Failed: %s", task, exc_info=True)
            outcome = False, _portable(error)
        try:
            _send(connection, outcome)
        except OSError:  # nobody is there any more
            return
        except Exception as error:  # an answer that cannot be sent
            _send(connection, (False, _portable(error)))
        del outcome


def _portable(error: Exception) -> Exception:
    """Return the error, or its words where it cannot be sent."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return InputError(f"{type(error).__name__}: {error}")
    return error


def _send(connection: "Connection[Any, Any]", answer: Any) -> None:
    """Send an answer, its arrays through memory that both processes see where that is to be had."""
    buffers: list[pickle.PickleBuffer] = []
    content = pickle.dumps(answer, protocol=5, buffer_callback=buffers.append)
    raws = [buffer.raw() for buffer in buffers]
    places, total = _places([raw.nbytes for raw in raws])
    if not total:
        connection.send((content, [], total))
        return
    memory = _memory()
    try:
        try:
            os.ftruncate(memory, total)
        except OSError:  # larger than files may be here: through the connection, copied twice
            connection.send((pickle.dumps(answer), [], 0))
            return
        with mmap.mmap(memory, total) as shared:
            for raw, place in zip(raws, places, strict=True):
                shared[place] = raw
        connection.send((content, places, total))
        send_handle(connection, memory, os.getppid())
    finally:
        os.close(memory)


def _receive(connection: "Connection[Any, Any]") -> Any:
    content, places, total = connection.recv()
    if not total:
        return pickle.loads(content)
    memory = recv_handle(connection)
    try:
        shared = memoryview(mmap.mmap(memory, total))  # gone with the last array in it
    finally:
        os.close(memory)
    return pickle.loads(content, buffers=[shared[place] for place in places])


def _places(sizes: list[int]) -> tuple[list[slice], int]:
    """Where arrays of these sizes lie, and where all of them end."""
    places, end = [], 0
    for size in sizes:
        places.append(slice(end, end + size))
        end += (size // ALIGNMENT_BYTES + 1) * ALIGNMENT_BYTES
    return places, end


def _memory() -> int:
    """Open a file that no folder holds: of memory where the system has it, else of the disk."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("slstr-cloudmask")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())
