"""Two things at the same time: NumPy and SciPy let go of the interpreter while they work.

prior, texture = together(partial(log_prior, ground), partial(log_texture, s8, ground))
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Result = TypeVar("Result")

THREADS = 2


def together(*makers: Callable[[], Result]) -> list[Result]:
    """Call functions without arguments, two at a time; return their results in order."""
    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(lambda make: make(), makers))
