"""Writes are whole or not there."""

import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from slstr_cloudmask.atomic import replacing, write_bytes
from slstr_cloudmask.errors import OutputExistsError, WriteError


def leftovers(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def write_half(path: Path, error: Exception) -> None:
    with replacing(path, overwrite=True) as temporary:
        temporary.write_text("half")
        raise error


def test_a_file_appears_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "new" / "mask.nc"
    with replacing(path) as temporary:
        temporary.write_text("whole")
        assert not path.exists()
    assert path.read_text() == "whole"
    assert leftovers(path.parent) == ["mask.nc"]


def test_a_failure_leaves_nothing_and_keeps_the_old(tmp_path: Path) -> None:
    path = tmp_path / "mask.nc"
    path.write_text("old")
    with pytest.raises(RuntimeError, match="half way"):
        write_half(path, RuntimeError("half way"))
    assert path.read_text() == "old"
    assert leftovers(tmp_path) == ["mask.nc"]


def test_what_exists_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "mask.nc"
    path.write_text("old")
    with pytest.raises(OutputExistsError, match="--overwrite"), replacing(path):
        pytest.fail("the block must not run")
    assert path.read_text() == "old"


def test_what_a_killed_process_leaves_is_hidden_and_has_another_name(tmp_path: Path) -> None:
    with replacing(tmp_path / "S3A_scene.hdf") as temporary:
        temporary.touch()
        assert list(tmp_path.rglob("S3*.hdf")) == []
        assert all(name.startswith(".") for name in leftovers(tmp_path))
        assert temporary.suffix == ".hdf"


ENDLESS = """
import sys, time
from pathlib import Path
from slstr_cloudmask.atomic import replacing

with replacing(Path(sys.argv[1])) as temporary:
    temporary.write_text("half")
    print(temporary.parent.name, flush=True)
    time.sleep(600)
"""


@contextmanager
def writing(path: Path) -> Iterator[str]:
    """Have another process write, which is killed at the end; give the name of its leftover."""
    command = [sys.executable, "-c", ENDLESS, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.kill()


@pytest.mark.skipif(not Path("/proc/self/ns/pid").exists(), reason="needs process namespaces")
def test_what_a_killed_process_left_goes_when_the_target_is_written_again(tmp_path: Path) -> None:
    path = tmp_path / "mask.nc"
    with writing(path) as alive:
        with writing(path) as dead, writing(tmp_path / "other.nc") as dead_of_another:
            pass
        name, mark, letters = dead.rsplit(".", 2)
        of_another_machine = f"{name}.{'0' * 12}{mark[12:]}.{letters}"
        with_an_old_folder = f"{name}.{mark}.________"
        (tmp_path / of_another_machine).mkdir()
        (tmp_path / with_an_old_folder / "new.old").mkdir(parents=True)
        kept = [alive, dead_of_another, of_another_machine, with_an_old_folder]
        assert leftovers(tmp_path) == sorted([dead, *kept])
        write_bytes(path, b"whole")
        assert leftovers(tmp_path) == sorted(["mask.nc", *kept])
        assert (tmp_path / alive / "new.nc").read_text() == "half"


def test_a_folder_is_replaced_whole(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    for content in ("old", "new"):
        with replacing(folder, overwrite=True) as temporary:
            temporary.mkdir()
            (temporary / "config.json").write_text(content)
    assert (folder / "config.json").read_text() == "new"
    assert leftovers(tmp_path) == ["model"]


def test_a_folder_of_other_things_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "precious").touch()
    with (
        pytest.raises(OutputExistsError, match="also holds precious"),
        replacing(tmp_path / "data", overwrite=True) as temporary,
    ):
        temporary.mkdir()
    assert leftovers(tmp_path / "data") == ["precious"]


@pytest.mark.parametrize("folder_first", [True, False])
def test_a_folder_and_a_file_do_not_replace_each_other(tmp_path: Path, folder_first: bool) -> None:
    path = tmp_path / "reports"
    path.mkdir() if folder_first else path.touch()
    with (
        pytest.raises(OutputExistsError, match="not replaced"),
        replacing(path, overwrite=True) as temporary,
    ):
        temporary.touch() if folder_first else temporary.mkdir()
    assert path.is_dir() == folder_first
    assert leftovers(tmp_path) == ["reports"]


def test_a_full_disk_is_said_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "new" / "mask.nc"
    with pytest.raises(WriteError, match="No space left on device"):
        write_half(path, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
    assert leftovers(tmp_path) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_device_that_is_full(tmp_path: Path) -> None:
    with (
        pytest.raises(WriteError, match="No space left"),
        replacing(tmp_path / "mask.nc"),
        Path("/dev/full").open("w") as file,
    ):
        file.write("x" * 100_000)


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(WriteError, match="Could not write"), replacing(tmp_path / "file" / "x"):
        pytest.fail("the block must not run")
