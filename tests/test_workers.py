"""Results come in order from any number of processes."""

import multiprocessing
import os
import signal
import time
from pathlib import Path

import pytest

from slstr_cloudmask.errors import InputError
from slstr_cloudmask.workers import in_order


def square(number: int) -> int:
    return number * number


def end(number: int) -> int:
    if number == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


@pytest.mark.parametrize("jobs", [1, 2])
def test_results_in_order(jobs: int) -> None:
    assert list(in_order(square, [3, 1, 2], jobs)) == [9, 1, 4]


def test_no_job_is_an_error_at_once() -> None:
    with pytest.raises(InputError, match="at least one job, found 0"):
        in_order(square, [1], 0)


def test_a_killed_process_is_an_error_in_words() -> None:
    with pytest.raises(InputError, match=r"was killed \(SIGKILL\).*fewer processes at once"):
        list(in_order(end, [1, 2, 3], 2))


def touch(path: Path) -> str:
    path.touch()
    return path.name


def test_no_more_is_done_ahead_than_two_results_a_process(tmp_path: Path) -> None:
    # 2 processes: 4 results are there or on the way when the first is asked for, a fifth when the
    # second is.
    paths = [tmp_path / str(number) for number in range(9)]
    results = in_order(touch, paths, 2)
    assert [next(results), next(results)] == ["0", "1"]
    time.sleep(0.5)
    assert len(list(tmp_path.iterdir())) <= 5
    results.close()  # type: ignore[attr-defined]
    assert not multiprocessing.active_children()


def fail(number: int) -> int:
    raise ZeroDivisionError(number)


def test_what_a_task_raises_is_raised_here() -> None:
    with pytest.raises(ZeroDivisionError, match="7"):
        list(in_order(fail, [7, 8], 2))
    assert not multiprocessing.active_children()
