"""Work through a list in several processes, and get the results in its order."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from slstr_cloudmask.errors import InputError
from slstr_cloudmask.processes import Calls

Task = TypeVar("Task")
Result = TypeVar("Result")


def in_order(
    function: Callable[[Task], Result], tasks: Sequence[Task], jobs: int
) -> Iterator[Result]:
    """Iterate over the results of all tasks, in their order, however many processes work.

    At most two results a process wait to be taken, so that a slow taker bounds what is in memory.

    Parameters
    ----------
    function
        A function of a module, which other processes can import.
    tasks
        What it is called with; they are sent to other processes.
    jobs
        Processes; with one, or one task, the work is done in this one.

    Raises
    ------
    InputError
        No job, or a process was killed, most likely for want of memory. What a task raises is
        raised here.
    """
    if jobs < 1:
        raise InputError(f"Expected at least one job, found {jobs} (--jobs).")
    if jobs == 1 or len(tasks) <= 1:
        return map(function, tasks)
    return _in_processes(function, tasks, jobs)


def _in_processes(
    function: Callable[[Task], Result], tasks: Sequence[Task], jobs: int
) -> Iterator[Result]:
    count = min(jobs, len(tasks))
    # The processes are ended first, so that no thread is left waiting for one.
    with ThreadPoolExecutor(count) as threads, Calls(function, count) as call:
        ahead: deque[Future[Result]] = deque()
        for task in tasks:
            ahead.append(threads.submit(call, task))
            if len(ahead) == 2 * count:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
