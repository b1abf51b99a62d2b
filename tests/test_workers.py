"""Results come in order from any number of processes."""

import os
import signal

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
    with pytest.raises(InputError, match=r"One of 2 processes ended.*fewer --jobs"):
        list(in_order(end, [1, 2, 3], 2))
