"""Work through a list in several processes, and get the results in its order."""

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from slstr_cloudmask.errors import InputError

Task = TypeVar("Task")
Result = TypeVar("Result")


def in_order(
    function: Callable[[Task], Result], tasks: Sequence[Task], jobs: int
) -> Iterator[Result]:
    """Iterate over the results of all tasks, in their order, however many processes work.

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
        No job, or a process was killed, most likely for want of memory.
    """
    if jobs < 1:
        raise InputError(f"Expected at least one job, found {jobs} (--jobs).")
    if jobs == 1 or len(tasks) <= 1:
        return map(function, tasks)
    return _in_processes(function, tasks, jobs)


def _in_processes(
    function: Callable[[Task], Result], tasks: Sequence[Task], jobs: int
) -> Iterator[Result]:
    # A fresh process each: no locks or threads of this one are inherited.
    context = multiprocessing.get_context("spawn")
    try:
        with ProcessPoolExecutor(min(jobs, len(tasks)), mp_context=context) as pool:
            yield from pool.map(function, tasks)
    except BrokenProcessPool as error:
        raise InputError(
            f"One of {jobs} processes ended before its work was done, most likely for want of "
            "memory. What is done is kept; run the command again with fewer --jobs."
        ) from error
