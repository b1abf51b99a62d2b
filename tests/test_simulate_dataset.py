"""Data sets of simulated scenes: plans, sets by name, files, runs that go on, the command."""

import inspect
import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from slstr_cloudmask.cli.simulate import Format, Like, SetName, WorldName, parse_size, simulate
from slstr_cloudmask.errors import InputError, OutputExistsError, WriteError
from slstr_cloudmask.flags import UNKNOWN
from slstr_cloudmask.io import open_scene
from slstr_cloudmask.io.find_scenes import find_scenes
from slstr_cloudmask.io.product_name import parse_product_name
from slstr_cloudmask.scene import STRATUM_NAMES, label
from slstr_cloudmask.simulate import scene as scene_module
from slstr_cloudmask.simulate.dataset import MANIFEST, SIMULATOR, simulate_dataset
from slstr_cloudmask.simulate.geometry import FULL_COLUMNS, FULL_ROWS, Window
from slstr_cloudmask.simulate.places import LIKE, benchmark_scenes
from slstr_cloudmask.simulate.plan import (
    FORMATS,
    NAMED_SETS,
    DatasetConfig,
    Plan,
    named_set,
    plan_dataset,
)
from slstr_cloudmask.simulate.scene import make_scene
from slstr_cloudmask.simulate.worlds import WORLDS

FIVE = DatasetConfig(scenes=5, size=(48, 64), seed=2)
ONE = replace(FIVE, scenes=1, test_scenes=0)


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read a manifest that every reader of JSON understands: without NaN."""

    def refuse(word: str) -> None:
        raise AssertionError(word)

    text = (folder / MANIFEST).read_text("utf-8")
    manifest: dict[str, Any] = json.loads(text, parse_constant=refuse)
    return manifest


def files_of(folder: Path) -> dict[str, bytes]:
    """Content by name of everything that is not hidden."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("[!.]*"))
        if path.is_file() and path.parent.name[0] != "."
    }


# Products, which are folders, have their own tests: test_sen3_writer.
@pytest.fixture(scope="module", params=["hdf", "xarray"])
def config(request: pytest.FixtureRequest) -> DatasetConfig:
    return replace(FIVE, format=str(request.param))


@pytest.fixture(scope="module")
def made(config: DatasetConfig, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five scenes, in either format."""
    out = tmp_path_factory.mktemp("made")
    simulate_dataset(out, config)
    return out


@pytest.fixture(scope="module")
def made_hdf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five scenes in the benchmark's format, where one format is enough."""
    out = tmp_path_factory.mktemp("made")
    simulate_dataset(out, FIVE)
    return out


@pytest.fixture(scope="module")
def full_plan() -> list[Plan]:
    return plan_dataset(NAMED_SETS["sim-full"])


# Plans


def test_a_plan_is_the_beginning_of_a_larger_one() -> None:
    large = plan_dataset(DatasetConfig(scenes=40, test_scenes=8))
    small = plan_dataset(DatasetConfig(scenes=20, test_scenes=4))
    assert set(small) <= set(large)
    assert small[:16] == large[:16]
    assert small[16:] == large[32:36]
    others = plan_dataset(DatasetConfig(scenes=40, test_scenes=8, seed=2))
    assert {plan.recipe.seed for plan in large}.isdisjoint(plan.recipe.seed for plan in others)


def test_every_scene_of_the_full_set_is_another(full_plan: list[Plan]) -> None:
    assert len(full_plan) == 1070
    assert len({plan.path for plan in full_plan}) == 1070
    assert len({plan.recipe for plan in full_plan}) == 1070
    assert len({plan.recipe.seed for plan in full_plan}) == 1070
    # 970 * .55 = 533.5 of the training scenes by day, 55 of the test scenes.
    folders = Counter((plan.split, plan.folder) for plan in full_plan)
    assert folders["one-day", "day"] in (533, 534)
    assert folders["ssts", "day"] == 55
    assert sum(folders.values()) == 1070
    for plan in full_plan[::50]:
        name = parse_product_name(Path(plan.path))
        assert name is not None
        assert name.start == plan.recipe.overpass.start
        assert Path(plan.path).parts[:2] == (plan.split, plan.folder)
        assert plan.recipe.size == (FULL_ROWS, FULL_COLUMNS)


def test_test_scenes_are_the_real_ones_and_training_scenes_are_not(full_plan: list[Plan]) -> None:
    overpasses = {
        split: [plan.recipe.overpass for plan in full_plan if plan.split == split]
        for split in ("one-day", "ssts")
    }
    assert overpasses["ssts"] == list(benchmark_scenes())
    assert set(overpasses["ssts"]).isdisjoint(overpasses["one-day"])


def test_sets_by_name(full_plan: list[Plan]) -> None:
    # As the help says: 12 of 128 x 160; 24 full scenes; 970 and 100; 100 of another world.
    facts = {name: (c.scenes, c.test_scenes, c.size) for name, c in NAMED_SETS.items()}
    assert facts == {
        "sim-tiny": (12, 4, (128, 160)),
        "sim-small": (24, 8, (1200, 1500)),
        "sim-full": (1070, 100, (1200, 1500)),
        "sim-shift": (100, 100, (1200, 1500)),
    }
    assert named_set("sim-shift").world == "shifted"
    with pytest.raises(InputError, match="sim-tiny, sim-small, sim-full, sim-shift, found 'sim'"):
        named_set("sim")
    plans = {name: plan_dataset(c) for name, c in NAMED_SETS.items() if name != "sim-full"}
    plans["sim-full"] = full_plan
    seeds = {plan.recipe.seed for listed in plans.values() for plan in listed}
    assert len(seeds) == 12 + 24 + 1070 + 100
    salts = {world.salt for world in WORLDS.values()}
    assert len(salts) == len(WORLDS)  # so that no seed means the same in two worlds


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"scenes": 0}, "found 0 scenes"),
        ({"scenes": 2, "test_scenes": 3}, "found 2 scenes, 3 for testing"),
        ({"test_scenes": -1}, "-1 for testing"),
        ({"seed": -1}, "seed -1"),
        ({"like": "moon"}, r"test-set.*found 'moon' \(--like\)"),
        ({"world": "flat"}, "standard, shifted, found 'flat'"),
        ({"format": "zarr"}, "hdf, xarray, sen3, found 'zarr'"),
        ({"size": (31, 64)}, "at least 32x32"),
        ({"size": (64, 3001)}, "at most 3000x3000"),
        ({"cloud_optical_depth": 0.0}, "optical depth above 0"),
        ({"cloud_optical_depth": float("nan")}, "found nan"),
        ({"like": "night", "daytime": True}, "Daylight was asked for"),
        ({"day": date(2019, 6, 21)}, "have their own days"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_written(
    changes: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=message):
        simulate_dataset(tmp_path / "out", replace(FIVE, **changes))
    assert list(tmp_path.iterdir()) == []


def test_a_job_is_needed(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="at least one job, found 0"):
        simulate_dataset(tmp_path, FIVE, jobs=0)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("daytime", [True, False])
def test_day_or_night_alone(daytime: bool) -> None:
    plans = plan_dataset(DatasetConfig(scenes=40, daytime=daytime))
    assert {plan.folder for plan in plans} == {"day" if daytime else "night"}


# Files


def test_a_data_set_is_laid_out_as_the_benchmarks(made: Path, config: DatasetConfig) -> None:
    paths = [path.relative_to(made) for path in find_scenes(made)]
    assert [path.as_posix() for path in paths] == sorted(p.path for p in plan_dataset(config))
    assert {path.parts[0] for path in paths} == {"one-day", "ssts"}
    assert {path.parts[1] for path in paths} == {"day", "night"}
    assert len(find_scenes(made / "ssts")) == 1
    for path in paths:
        name = parse_product_name(path)
        assert name is not None
        assert name.duration_s == 179
        scene = open_scene(made / path)
        assert ("S1" in scene) == (path.parts[1] == "day")
        assert {"truth", "bayes", "summary_cloud"} <= set(scene.data_vars)
        assert scene.attrs["platform"] == "Sentinel-3A (simulated)"


def test_every_file_holds_the_strata(made: Path, config: DatasetConfig) -> None:
    scene = open_scene(find_scenes(made)[0], strata=True)
    assert set(STRATUM_NAMES) <= set(scene.data_vars)
    assert ("latitude" in scene.coords) == (config.format == "xarray")


def test_the_manifest_says_how_scenes_were_made(made: Path, config: DatasetConfig) -> None:
    manifest = read_manifest(made)
    assert manifest["simulator"] == SIMULATOR
    assert (manifest["seed"], manifest["rows"], manifest["columns"]) == (2, 48, 64)
    assert (manifest["like"], manifest["world"], manifest["daytime"]) == (
        "test-set",
        "standard",
        None,
    )
    assert (manifest["format"], manifest["cloud_optical_depth"]) == (config.format, 0.3)
    assert manifest["day"] is None
    assert manifest["complete"]
    assert set(manifest["versions"]) == {"slstr-cloudmask", "numpy", "scipy"}
    entries = {entry["path"]: entry for entry in manifest["scenes"]}
    plans = plan_dataset(config)
    assert list(entries) == [plan.path for plan in plans]
    for plan in plans:
        entry, stored = entries[plan.path], open_scene(made / plan.path)
        again = make_scene(plan.recipe)
        np.testing.assert_allclose(stored["S8"].values, again["S8"].values, atol=1e-4)
        assert (entry["seed"], entry["split"]) == (plan.recipe.seed, plan.split)
        assert (entry["kind"], entry["start"]) == (plan.folder, again.attrs["start_time"])
        for key, name in (("cloud_fraction", "truth"), ("provider_fraction", "bayes")):
            cloud, known = label(again, name)
            assert entry[key] == pytest.approx(cloud[known].mean(), abs=6e-5)  # four digits
        assert entry["means"]["S8"] == pytest.approx(np.nanmean(again["S8"]), abs=6e-4)
        assert ("S1" in entry["means"]) == (plan.folder == "day")
    mean = np.mean([entry["cloud_fraction"] for entry in entries.values()])
    assert manifest["cloud_fraction"] == pytest.approx(mean, abs=1e-6)


def test_the_number_of_jobs_changes_nothing(made_hdf: Path, tmp_path: Path) -> None:
    simulate_dataset(tmp_path, FIVE, jobs=2)
    assert files_of(tmp_path) == files_of(made_hdf)


def test_scenes_are_the_same_in_either_format(made: Path, made_hdf: Path, tmp_path: Path) -> None:
    one, two = (read_manifest(folder)["statistics_sha256"] for folder in (made, made_hdf))
    assert one == two
    other = simulate_dataset(tmp_path, replace(FIVE, scenes=4, test_scenes=1))
    assert other["statistics_sha256"] != one


def test_shares_are_of_what_was_seen(tmp_path: Path, config: DatasetConfig) -> None:
    one = replace(config, scenes=1, test_scenes=0, size=(32, FULL_COLUMNS))  # with both borders
    (entry,) = simulate_dataset(tmp_path, one)["scenes"]
    truth = make_scene(plan_dataset(one)[0].recipe)["truth"].values
    assert (truth == UNKNOWN).any()
    assert entry["cloud_fraction"] == pytest.approx((truth[truth != UNKNOWN]).mean(), abs=6e-5)


def test_a_window_beside_the_swath_is_described_without_nan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, config: DatasetConfig
) -> None:
    size = (32, 32)  # the swath begins at about column 36
    monkeypatch.setattr(scene_module, "draw_window", lambda rng, size: Window(300, 0, *size))
    simulate_dataset(tmp_path, replace(config, scenes=1, test_scenes=0, size=size))
    (entry,) = read_manifest(tmp_path)["scenes"]
    assert set(entry["means"].values()) == {None}
    assert entry["cloud_fraction"] == 0


# Runs that go on


def test_a_second_run_finishes_the_first(made: Path, config: DatasetConfig, tmp_path: Path) -> None:
    simulate_dataset(tmp_path, replace(config, scenes=3, test_scenes=1))
    kept, broken, *_ = find_scenes(tmp_path)
    before = kept.stat().st_mtime_ns
    broken.write_bytes(b"cut short")
    simulate_dataset(tmp_path, config)
    assert kept.stat().st_mtime_ns == before
    assert files_of(tmp_path) == files_of(made)


def test_a_scene_of_another_size_is_made_again(made_hdf: Path, tmp_path: Path) -> None:
    shutil.copytree(made_hdf, tmp_path / "out")
    simulate_dataset(tmp_path / "other", replace(FIVE, size=(40, 40)))
    name = plan_dataset(FIVE)[0].path
    (tmp_path / "other" / name).replace(tmp_path / "out" / name)
    simulate_dataset(tmp_path / "out", FIVE)
    assert files_of(tmp_path / "out") == files_of(made_hdf)


KILLED = """
import os, signal, sys
from pathlib import Path
from slstr_cloudmask import atomic
from slstr_cloudmask.simulate.dataset import simulate_dataset
from slstr_cloudmask.simulate.plan import DatasetConfig

move, moves = atomic._move, 0

def dying(*arguments):
    global moves
    moves += 1
    if moves == 4:  # the manifest, two scenes, and the third is written but not in its place
        os.kill(os.getpid(), signal.SIGKILL)
    move(*arguments)

atomic._move = dying
simulate_dataset(Path(sys.argv[1]), DatasetConfig(scenes=5, size=(48, 64), seed=2))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs signals of POSIX")
def test_a_run_that_was_killed_goes_on(made_hdf: Path, tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, tmp_path], check=False)
    assert done.returncode == -9
    two = find_scenes(tmp_path)
    assert len(two) == 2
    unfinished = read_manifest(tmp_path)
    assert (unfinished["complete"], unfinished["scenes"]) == (False, [])
    before = [path.stat().st_mtime_ns for path in two]
    simulate_dataset(tmp_path, FIVE)
    assert [path.stat().st_mtime_ns for path in two] == before
    assert files_of(tmp_path) == files_of(made_hdf)


@pytest.mark.parametrize(
    "changes",
    [
        {"seed": 3},
        {"size": (40, 40)},
        {"like": "polar"},
        {"world": "shifted"},
        {"daytime": False},
        {"like": "global", "day": date(2019, 6, 21)},
        {"cloud_optical_depth": 1.0},
        {"format": "xarray"},
        {"scenes": 1, "test_scenes": 0},
    ],
    ids=str,
)
def test_scenes_of_other_options_are_not_mixed_in(changes: dict[str, Any], tmp_path: Path) -> None:
    two = replace(ONE, scenes=2)
    simulate_dataset(tmp_path, two)
    before = files_of(tmp_path)
    with pytest.raises(OutputExistsError, match=r"another seed, size.*--overwrite"):
        simulate_dataset(tmp_path, replace(two, **changes))
    assert files_of(tmp_path) == before
    # With it, nothing of the old ones stays.
    manifest = simulate_dataset(tmp_path, replace(two, **changes), overwrite=True)
    assert {path.relative_to(tmp_path).as_posix() for path in find_scenes(tmp_path)} == {
        entry["path"] for entry in manifest["scenes"]
    }


def test_scenes_without_their_manifest_are_not_trusted(tmp_path: Path) -> None:
    simulate_dataset(tmp_path, ONE)
    for text in ("{", "[]", None):
        if text is None:
            (tmp_path / MANIFEST).unlink()
        else:
            (tmp_path / MANIFEST).write_text(text)
        with pytest.raises(OutputExistsError, match="--overwrite"):
            simulate_dataset(tmp_path, ONE)


def test_another_version_of_the_simulator_is_another_data_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    simulate_dataset(tmp_path, ONE)
    monkeypatch.setattr("slstr_cloudmask.simulate.dataset.SIMULATOR", SIMULATOR + 1)
    with pytest.raises(OutputExistsError, match="version"):
        simulate_dataset(tmp_path, ONE)


@pytest.mark.parametrize("ending", ["hdf", "nc"])
def test_real_scenes_are_never_replaced(ending: str, tmp_path: Path) -> None:
    real = tmp_path / "one-day" / "day" / f"S3A_SL_1_RBT____real.{ending}"
    real.parent.mkdir(parents=True)
    real.write_bytes(b"precious")
    with pytest.raises(OutputExistsError, match=rf"not simulated, such as one-day/day/{real.name}"):
        simulate_dataset(tmp_path, ONE, overwrite=True)
    assert files_of(tmp_path) == {f"one-day/day/{real.name}": b"precious"}


def test_a_manifest_of_something_else_is_kept(tmp_path: Path) -> None:
    (tmp_path / MANIFEST).write_text('{"name": "a web page"}')
    with pytest.raises(OutputExistsError, match=rf"not simulated, such as {MANIFEST}"):
        simulate_dataset(tmp_path, ONE, overwrite=True)
    assert files_of(tmp_path) == {MANIFEST: b'{"name": "a web page"}'}


def test_a_folder_named_like_a_scene_is_kept(tmp_path: Path) -> None:
    stranger = tmp_path / plan_dataset(replace(ONE, seed=9))[0].path
    stranger.mkdir(parents=True)
    (stranger / "notes.txt").write_text("mine")
    with pytest.raises(OutputExistsError, match="not simulated"):
        simulate_dataset(tmp_path, ONE, overwrite=True)
    assert [path.name for path in tmp_path.rglob("*.txt")] == ["notes.txt"]


def test_nothing_of_the_users_own_is_touched(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    simulate_dataset(tmp_path, ONE)
    simulate_dataset(tmp_path, replace(ONE, seed=9), overwrite=True)
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_a_file_in_the_folders_place_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    with pytest.raises(WriteError, match=r"Could not write .*out"):
        simulate_dataset(tmp_path / "out", ONE)
    assert (tmp_path / "out").read_text() == "mine"


@pytest.mark.skipif(sys.platform == "win32", reason="needs limits of POSIX")
def test_a_disk_that_fills_up_leaves_no_half_scene(tmp_path: Path) -> None:
    """No file may grow beyond 8 KiB here, so writing stops half way, as on a full disk."""
    import resource

    arguments = [tmp_path / "out", "--scenes", 2, "--size", "64x80", "--format", "xarray"]
    done = subprocess.run(
        [sys.executable, "-m", "slstr_cloudmask", "simulate", *map(str, arguments)],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "COLUMNS": "500"},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192)),
    )
    assert done.returncode == 2, done.stderr
    assert "File too large. No part of it was left behind" in done.stderr
    assert list(files_of(tmp_path / "out")) == [MANIFEST]


# The command


def test_the_command_offers_what_there_is() -> None:
    assert [like.value for like in Like] == list(LIKE)
    assert [world.value for world in WorldName] == list(WORLDS)
    assert [kind.value for kind in Format] == list(FORMATS)
    assert [name.value for name in SetName] == list(NAMED_SETS)


def test_the_command_and_the_function_have_the_same_defaults() -> None:
    parameters = inspect.signature(simulate).parameters
    defaults = {name: parameter.default for name, parameter in parameters.items()}
    rows, columns = DatasetConfig().size
    assert defaults["size"] == f"{rows}x{columns}"
    for name in ("scenes", "test_scenes", "seed", "daytime", "day", "cloud_optical_depth"):
        assert defaults[name] == getattr(DatasetConfig(), name)
    for name in ("like", "world"):
        assert defaults[name].value == getattr(DatasetConfig(), name)
    assert defaults["output_format"].value == DatasetConfig().format


def test_the_command(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", logger="slstr_cloudmask"):
        simulate(
            tmp_path,
            scenes=3,
            test_scenes=1,
            size="48x64",
            seed=4,
            like=Like.POLAR,
            daytime=False,
            day=datetime(2019, 6, 21),
            world=WorldName.SHIFTED,
            cloud_optical_depth=0.5,
            output_format=Format.XARRAY,
        )
    assert "2 scenes to train on" in caplog.text
    assert "1 to test on" in caplog.text
    assert "true cloud" in caplog.text
    manifest = read_manifest(tmp_path)
    wanted = {"like": "polar", "world": "shifted", "daytime": False, "cloud_optical_depth": 0.5}
    wanted |= {"day": "2019-06-21"}
    assert {key: manifest[key] for key in wanted} == wanted
    assert [path.suffix for path in find_scenes(tmp_path)] == [".nc"] * 3


def test_a_set_by_name(tmp_path: Path) -> None:
    simulate(tmp_path, SetName.TINY)
    manifest = read_manifest(tmp_path)
    assert (manifest["seed"], manifest["rows"], manifest["columns"]) == (101, 128, 160)
    splits = Counter(entry["split"] for entry in manifest["scenes"])
    assert splits == {"one-day": 8, "ssts": 4}


@pytest.mark.parametrize(
    "options",
    [
        {"scenes": 3},
        {"test_scenes": 1},
        {"size": "64x80"},
        {"seed": 7},
        {"like": Like.POLAR},
        {"daytime": True},
        {"day": datetime(2019, 6, 21)},
        {"world": WorldName.SHIFTED},
        {"cloud_optical_depth": 0.5},
    ],
    ids=str,
)
def test_a_set_by_name_takes_no_other_options(options: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="A set by name decides everything but"):
        simulate(tmp_path / "out", SetName.TINY, **options)
    assert list(tmp_path.iterdir()) == []


def test_sizes_as_people_write_them() -> None:
    assert parse_size("1200x1500") == (1200, 1500)
    assert parse_size("256 X 320") == (256, 320)
    assert parse_size("256,320") == parse_size("256×320") == (256, 320)
    for text in ("1200", "axb", "-5x7", "", "1.5x3", "1x2x3"):
        with pytest.raises(InputError, match="rows x columns"):
            parse_size(text)
