"""Items go through three stages at once, in order, few at a time, and nothing makes a run hang."""

import gc
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from slstr_cloudmask import pipeline
from slstr_cloudmask.errors import BrokenFileError, CloudMaskError, InputError, WriteError
from slstr_cloudmask.pipeline import run_pipeline
from slstr_cloudmask.processes import Calls

WAIT_S = 20.0  # far more than anything here takes
HANGS_S = 60


@pytest.fixture(autouse=True)
def no_test_hangs() -> Iterator[None]:
    def fail(*_: object) -> None:
        raise AssertionError("This test hangs.")

    old = signal.signal(signal.SIGALRM, fail)
    signal.alarm(HANGS_S)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, old)


def same(_item: Any, given: Any) -> Any:
    return given


def read_text(number: int) -> str:
    return str(number)


@pytest.mark.parametrize(("depth", "readers"), [(0, 1), (1, 1), (2, 1), (3, 2)])
def test_results_in_the_order_of_the_items(depth: int, readers: int) -> None:
    def read(number: int) -> int:
        time.sleep(0.01 * (number % 3))  # a later item may be read sooner
        return number * 10

    results = list(
        run_pipeline(
            range(8),
            read,
            lambda number, value: value + number,
            lambda _number, value: str(value),
            depth=depth,
            readers=readers,
        )
    )

    assert [result.item for result in results] == list(range(8))
    assert [result.value for result in results] == [str(11 * i) for i in range(8)]
    assert all(list(result.seconds) == ["read", "work", "write"] for result in results)
    assert results[2].seconds["read"] >= 0.02


def test_the_next_is_read_and_the_last_is_written_meanwhile() -> None:
    second_is_read, second_is_worked_on = threading.Event(), threading.Event()

    def read(number: int) -> int:
        if number == 1:
            second_is_read.set()
        return number

    def work(number: int, value: int) -> int:
        if number == 0:
            assert second_is_read.wait(WAIT_S)
        else:
            second_is_worked_on.set()
        return value

    def write(number: int, value: int) -> int:
        assert number != 0 or second_is_worked_on.wait(WAIT_S)
        return value

    results = list(run_pipeline(range(2), read, work, write, depth=1))

    assert [result.value for result in results] == [0, 1], results


def test_depth_0_is_one_after_the_other_in_this_thread() -> None:
    calls = []

    def note(stage: str, number: int) -> int:
        calls.append(f"{stage}{number}")
        assert threading.current_thread() is threading.main_thread()
        return number

    results = run_pipeline(
        range(2),
        lambda number: note("r", number),
        lambda number, _: note("m", number),
        lambda number, _: note("w", number),
        depth=0,
    )

    assert [result.error for result in results] == [None, None]
    assert calls == ["r0", "m0", "w0", "r1", "m1", "w1"]


class Scene:
    """Something that weighs much."""


@pytest.mark.parametrize("depth", [0, 1, 2])
def test_few_scenes_are_in_memory(depth: int) -> None:
    alive: weakref.WeakSet[Scene] = weakref.WeakSet()
    begun, counts = [], []

    def read(number: int) -> Scene:
        begun.append(number)
        scene = Scene()
        alive.add(scene)
        counts.append(len(alive))
        if number == 3:
            raise BrokenFileError("broken")  # its traceback knows the scene
        return scene

    def work(number: int, scene: Scene) -> Scene:
        time.sleep(0.005)  # reading runs ahead as far as it may
        counts.append(len(alive))
        # This one, those before it, and at most `depth` that are read ahead.
        assert len(begun) <= number + 1 + depth
        if number == 5:
            raise WriteError("full")
        return scene

    def write(_number: int, _scene: Scene) -> None:
        time.sleep(0.01)  # writing is slowest, and holds the others up
        counts.append(len(alive))

    gc.disable()  # nothing may live on in circles of references
    try:
        results = list(run_pipeline(range(12), read, work, write, depth=depth))
        assert len(alive) == 0
    finally:
        gc.enable()
    assert [r.item for r in results if r.error] == [3, 5]
    # `depth` read ahead, one worked on, `depth` of which one is being written.
    assert max(counts) <= 2 * depth + 1


@pytest.mark.parametrize("depth", [0, 2])
@pytest.mark.parametrize("stage", ["read", "work", "write"])
def test_a_failure_belongs_to_its_item(stage: str, depth: int) -> None:
    def fail(here: str, number: int) -> int:
        if here == stage and number == 1:
            raise BrokenFileError("S8 is torn")
        if here == stage and number == 2:
            raise KeyError("bug")
        return number

    results = list(
        run_pipeline(
            range(4),
            lambda number: fail("read", number),
            lambda number, _: fail("work", number),
            lambda number, _: fail("write", number),
            depth=depth,
        )
    )

    assert [result.value for result in results] == [0, None, None, 3]
    assert isinstance(results[1].error, BrokenFileError)
    assert str(results[1].error) == "S8 is torn"
    assert type(results[2].error) is CloudMaskError
    assert str(results[2].error).startswith("Unexpected KeyError: 'bug'. Run `cloudmask --verbose`")
    stages = ["read", "work", "write"]
    assert list(results[1].seconds) == stages[: stages.index(stage) + 1]


@pytest.mark.parametrize(("depth", "readers"), [(-1, 1), (2, 0)])
def test_impossible_numbers_are_refused(depth: int, readers: int) -> None:
    with pytest.raises(InputError, match=f"found {depth}, {readers}"):
        list(run_pipeline([1], read_text, same, same, depth=depth, readers=readers))


def test_an_interrupt_ends_it_and_what_is_being_written_is_whole() -> None:
    writing, written = threading.Event(), []

    def work(number: int, value: str) -> str:
        if number == 3:
            assert writing.wait(WAIT_S)
            raise KeyboardInterrupt
        return value

    def write(number: int, _value: str) -> None:
        writing.set()
        time.sleep(0.1)
        written.append(number)

    before = threading.active_count()
    with pytest.raises(KeyboardInterrupt):
        list(run_pipeline(range(10), read_text, work, write, depth=4))

    assert written == [0]  # 1 and 2 were not begun
    assert threading.active_count() == before


def test_reading_that_hangs_does_not_keep_an_interrupt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "GRACE_S", 0.1)
    ends = threading.Event()

    def read(number: int) -> int:
        if number == 1:
            ends.wait(WAIT_S)
        return number

    def work(_number: int, _value: int) -> None:
        raise KeyboardInterrupt

    before = threading.active_count()
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        list(run_pipeline(range(5), read, work, same))
    assert time.monotonic() - started < 5
    ends.set()
    while threading.active_count() > before:  # now it can end
        time.sleep(0.01)


def test_a_loop_that_is_left_early_leaves_nothing_behind() -> None:
    before = threading.active_count()
    with closing(run_pipeline(range(100), read_text, same, same)) as results:
        assert next(results).value == "0"
    assert threading.active_count() == before


PROGRAM = """
import signal, sys, time
from pathlib import Path
from slstr_cloudmask.atomic import replacing
from slstr_cloudmask.pipeline import run_pipeline

signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # as `cloudmask` does
folder = Path(sys.argv[1])

def read(number):
    time.sleep(0.02)
    return bytes(1000)

def work(number, content):
    time.sleep(0.02)
    return content

def write(number, content):
    with replacing(folder / f"{number}.nc") as temporary, temporary.open("wb") as file:
        for byte in content:
            file.write(content[:1])
            time.sleep(0.0005)

for result in run_pipeline(range(1000), read, work, write):
    print(result.item, result.error, flush=True)
"""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, -2), (signal.SIGTERM, 143)])
def test_a_signal_ends_a_run_at_once_and_no_half_file_stays(
    number: int, code: int, tmp_path: Path
) -> None:
    command = [sys.executable, "-c", PROGRAM, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as run:
        assert run.stdout is not None
        assert run.stdout.readline() == b"0 None\n"
        run.send_signal(number)
        assert run.wait(10) == code
    files = list(tmp_path.iterdir())
    assert files
    assert all(path.suffix == ".nc" and path.stat().st_size == 1000 for path in files)


# -- reading in processes ---------------------------------------------------------------------


def read_elsewhere(number: int) -> Any:
    """Read in another process; some numbers end it."""
    if number == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    if number == 4:
        raise BrokenFileError("S8 is torn")
    if number == 5:
        os._exit(7)
    if number == 6:
        raise ValueError(lambda: None)  # an error that cannot be sent
    if number == 7:
        return lambda: None  # nor can this answer
    if number == 99:
        time.sleep(WAIT_S)
    values = np.full((3, 5), number, np.float32)
    return xr.Dataset({"S8": (("rows", "columns"), values)}, attrs={"process": os.getpid()})


def children() -> list[Any]:
    return multiprocessing.active_children()


@pytest.mark.parametrize("readers", [1, 2])
def test_a_killed_reader_fails_its_item_and_another_takes_over(readers: int) -> None:
    results = list(
        run_pipeline(range(10), read_elsewhere, same, same, readers=readers, processes=True)
    )

    words = {result.item: str(result.error) for result in results if result.error}
    assert list(words) == [2, 4, 5, 6, 7]
    assert "was killed (SIGKILL), most likely for want of memory" in words[2]
    assert words[4] == "S8 is torn"
    assert isinstance(results[4].error, BrokenFileError)
    assert "ended by itself, with code 7" in words[5]
    assert "ValueError" in words[6]
    assert "pickle" in words[7]
    for result in results:
        if result.value is not None:
            assert (result.value["S8"].values == result.item).all()
            assert result.value.attrs["process"] != os.getpid()
    assert children() == []


def echo(value: Any) -> Any:
    return value


def test_arrays_come_back_as_they_are() -> None:
    given: dict[str, Any] = {
        "odd": np.arange(7, dtype=np.uint8),
        "numbers": np.arange(12, dtype=np.float64).reshape(3, 4),
        "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        "every_other": np.arange(10)[::2],
        "empty": np.zeros((0, 4), np.float32),
        "text": np.array(["a", "bc"]),
    }
    elsewhere: Calls[Any, Any] = Calls(echo, 1)
    with elsewhere:
        for answer in (elsewhere(given), elsewhere({"empty": given["empty"]})):
            for name, values in answer.items():
                np.testing.assert_array_equal(values, given[name], strict=True)
                assert values.flags.aligned
        kept = elsewhere(given)["numbers"]
        kept += 1  # its own memory, which outlives the process
    np.testing.assert_array_equal(kept, given["numbers"] + 1)
    with pytest.raises(InputError, match="stopped"):
        elsewhere(1)


def test_an_interrupt_kills_a_reader_that_hangs() -> None:
    def work(_number: int, _scene: Any) -> None:
        raise KeyboardInterrupt

    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        list(run_pipeline([0, 99, 99], read_elsewhere, work, same, processes=True))
    assert time.monotonic() - started < 10
    assert children() == []


def test_a_reader_that_cannot_start_does_not_hang() -> None:
    results = list(run_pipeline([1, 2], lambda number: number, same, same, processes=True))
    assert all("pickle" in str(result.error) for result in results)
