"""Packing in several processes, going on after a kill, and checksums."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from slstr_cloudmask.cli.app import main
from slstr_cloudmask.errors import (
    ConfigError,
    InputError,
    MissingLabelError,
    OutputExistsError,
    WriteError,
)
from slstr_cloudmask.simulate.dataset import simulate_dataset
from slstr_cloudmask.simulate.plan import DatasetConfig
from slstr_cloudmask.training.distribution import Ranks
from slstr_cloudmask.training.journal import JOURNAL_NAME, Entry, Journal
from slstr_cloudmask.training.labels import Teaching
from slstr_cloudmask.training.pack import pack_scenes
from slstr_cloudmask.training.run import DataConfig, prepare_store
from slstr_cloudmask.training.store import Store, broken_scenes, open_store
from tests.scenes import read_made_scene, touch_scenes

FILES = ("inputs.f16", "labels.u8", "store.json")


def contents(folder: Path) -> list[bytes]:
    return [(folder / name).read_bytes() for name in FILES]


def pack(folder: Path, scenes: list[Path], **options: object) -> Store:
    given = {"read": read_made_scene, "patch_size": 32, **options}
    return pack_scenes(scenes, folder, **given)  # type: ignore[arg-type]


def test_several_processes_pack_the_same_bytes(tmp_path: Path) -> None:
    scenes = touch_scenes(tmp_path / "in", 4)
    pack(tmp_path / "one", scenes)
    pack(tmp_path / "two", scenes, jobs=2)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


class Dies:
    """Reads scenes until one that ends it all; counts what it read."""

    def __init__(self, at: str) -> None:
        self.at = at
        self.read: list[str] = []

    def __call__(self, path: Path) -> xr.Dataset:
        if path.stem == self.at:
            raise KeyboardInterrupt
        self.read.append(path.stem)
        return read_made_scene(path)


def test_packing_goes_on_after_the_last_whole_scene(tmp_path: Path) -> None:
    scenes, folder = touch_scenes(tmp_path / "in", 4), tmp_path / "store"
    with pytest.raises(KeyboardInterrupt):
        pack(folder, scenes, read=Dies("2"))
    assert not folder.exists()
    # What a killed process wrote of the third scene, and half a line.
    partial = tmp_path / "store.packing"
    for name in ("inputs.f16", JOURNAL_NAME):
        with (partial / name).open("ab") as file:
            file.write(b'{"name": "2.h')
    reader = Dies("none")
    pack(folder, scenes, read=reader)
    assert reader.read == ["2", "3"]
    assert not partial.exists()
    pack(tmp_path / "whole", scenes)
    assert contents(folder) == contents(tmp_path / "whole")


def test_a_stopped_packing_of_other_settings_starts_anew(tmp_path: Path) -> None:
    scenes, folder = touch_scenes(tmp_path / "in", 3), tmp_path / "store"
    with pytest.raises(KeyboardInterrupt):
        pack(folder, scenes, read=Dies("2"))
    reader = Dies("none")
    store = pack(folder, scenes, read=reader, teaching=Teaching("truth"))
    assert reader.read == ["0", "1", "2"]
    assert store.manifest.patches == 12


def test_files_shorter_than_the_journal_says_are_packed_again(tmp_path: Path) -> None:
    with Journal(tmp_path / "a", {}) as journal:
        for name in ("x", "y"):
            parts = (np.zeros(4, np.float16), np.zeros(2, np.uint8))
            journal.add(Entry(name=name, count=1), parts)
    os.truncate(tmp_path / "a" / "inputs.f16", 12)  # 8 bytes a scene: the second is not whole
    with Journal(tmp_path / "a", {}) as journal:
        assert [entry.name for entry in journal.entries] == ["x"]
    assert (tmp_path / "a" / "inputs.f16").stat().st_size == 8
    assert (tmp_path / "a" / "labels.u8").stat().st_size == 2


def test_two_processes_do_not_pack_into_one_store(tmp_path: Path) -> None:
    with (
        Journal(tmp_path / "a", {}),
        pytest.raises(OutputExistsError, match="Another process is packing"),
    ):
        Journal(tmp_path / "a", {})


def test_skipped_scenes_are_remembered(tmp_path: Path) -> None:
    def read(path: Path) -> xr.Dataset:
        scene = Dies("2")(path)
        return scene.drop_vars("bayes") if path.stem == "0" else scene

    scenes, folder = touch_scenes(tmp_path / "in", 3), tmp_path / "store"
    with pytest.raises(KeyboardInterrupt):
        pack(folder, scenes, read=read)
    store = pack(folder, scenes)
    assert list(store.manifest.skipped) == ["0.hdf"]
    assert [(s.name, s.first) for s in store.manifest.scenes] == [("1.hdf", 0), ("2.hdf", 4)]


def test_nothing_is_left_of_a_packing_without_a_scene(tmp_path: Path) -> None:
    with pytest.raises(MissingLabelError):
        pack(
            tmp_path / "store",
            touch_scenes(tmp_path / "in", 2),
            read=lambda path: read_made_scene(path).drop_vars("bayes"),
        )
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_a_changed_byte_is_found(tmp_path: Path) -> None:
    store = pack(tmp_path / "store", touch_scenes(tmp_path / "in", 3))
    assert broken_scenes(store, jobs=2) == []
    # 4 patches of 32×32 a scene: byte 5000 of the labels is in the second scene.
    with (tmp_path / "store" / "labels.u8").open("r+b") as file:
        file.seek(5000)
        file.write(b"\x07")
    assert broken_scenes(open_store(tmp_path / "store")) == ["1.hdf"]


def test_a_store_without_checksums_cannot_be_verified(tmp_path: Path) -> None:
    pack(tmp_path / "store", touch_scenes(tmp_path / "in", 1))
    manifest = json.loads((tmp_path / "store" / "store.json").read_text())
    del manifest["scenes"][0]["blake2b"]  # as earlier versions wrote it
    (tmp_path / "store" / "store.json").write_text(json.dumps(manifest))
    with pytest.raises(InputError, match="without checksums"):
        broken_scenes(open_store(tmp_path / "store"))


def test_a_store_is_trained_on_where_it_lies_if_its_settings_fit(tmp_path: Path) -> None:
    folder = tmp_path / "store"
    pack(folder, touch_scenes(tmp_path / "in", 3))
    data = DataConfig(patch_size=32, crop_size=8)
    options = {"read": read_made_scene, "ranks": Ranks()}
    store = prepare_store([folder], tmp_path / "run" / "store", data, **options)  # type: ignore[arg-type]
    assert store.manifest.patches == 12
    assert not (tmp_path / "run").exists()
    with pytest.raises(ConfigError, match="patch_size 32, and 256 is asked for"):
        prepare_store([folder], tmp_path / "run", DataConfig(), **options)  # type: ignore[arg-type]


def test_a_disk_that_fills_up_keeps_whole_scenes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = (np.zeros(4, np.float16), np.zeros(2, np.uint8))

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    for before, words in ((1, "1 packed scenes are kept"), (0, "No part of it was left behind")):
        folder = tmp_path / str(before)
        with Journal(folder, {}) as journal:
            for number in range(before):
                journal.add(Entry(name=str(number)), parts)
            with monkeypatch.context() as patched:
                patched.setattr(np, "ascontiguousarray", full)
                with pytest.raises(WriteError, match=f"No space left on device. {words}"):
                    journal.add(Entry(name="x"), parts)
        assert folder.exists() == bool(before)


def run_command(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int | str | None:
    monkeypatch.setenv("COLUMNS", "500")  # keeps a message on its line
    monkeypatch.setattr(sys, "argv", ["cloudmask", *map(str, arguments)])
    try:
        main()
    except SystemExit as stop:
        return stop.code
    return 0


def test_the_command_packs_and_verifies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    simulate_dataset(tmp_path / "data", DatasetConfig(scenes=3, test_scenes=1, size=(64, 80)))
    store, scenes = tmp_path / "store", tmp_path / "data" / "one-day"
    command = ("pack", scenes, "-o", store, "--patch-size", 32, "--jobs", 1)
    assert run_command(monkeypatch, *command) == 0
    assert capsys.readouterr().out.strip() == f"8 patches of 2 scenes in {store}."
    assert run_command(monkeypatch, "pack", "--verify", "-o", store) == 0
    assert "every checksum right" in capsys.readouterr().out
    # The store is what train takes, with its own settings.
    train = ("train", store, "-o", tmp_path / "run", "--epochs", 1, "--device", "cpu")
    assert run_command(monkeypatch, *train) == 2
    assert "packed with patch_size 32, and 256 is asked for" in capsys.readouterr().err
    assert run_command(monkeypatch, *train, "--patch-size", 32, "--train-split", 0.5) == 0
    assert not (tmp_path / "run" / "store").exists()
    with (store / "inputs.f16").open("r+b") as file:
        file.write(b"\x01")
    capsys.readouterr()
    assert run_command(monkeypatch, "pack", "--verify", "-o", store) == 2
    assert "1 of 2 scenes" in capsys.readouterr().err
    assert run_command(monkeypatch, "pack", "-o", store) == 2
    assert "name a folder of scenes" in capsys.readouterr().err


KILLED = """
import sys, time
from pathlib import Path
from slstr_cloudmask.training.pack import pack_scenes
from tests.scenes import read_made_scene
def read(path):
    if path.stem == "2":
        print("here", flush=True)
        time.sleep(60)
    return read_made_scene(path)
pack_scenes(sorted(Path(sys.argv[1]).iterdir()), Path(sys.argv[2]), read=read, patch_size=32)
"""


def test_a_killed_process_loses_no_whole_scene(tmp_path: Path) -> None:
    scenes, folder = touch_scenes(tmp_path / "in", 4), tmp_path / "store"
    program = [sys.executable, "-c", KILLED, str(tmp_path / "in"), str(folder)]
    root = Path(__file__).parent.parent
    with subprocess.Popen(program, stdout=subprocess.PIPE, cwd=root) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"here\n"
        process.send_signal(signal.SIGKILL)
    reader = Dies("none")
    pack(folder, scenes, read=reader)
    assert reader.read == ["2", "3"]
    assert broken_scenes(open_store(folder)) == []
