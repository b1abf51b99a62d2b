"""Scaling measured: which launches there are, what is kept, what is compared, and who failed."""

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch

from slstr_cloudmask.atomic import claim
from slstr_cloudmask.benchmark.config import BenchmarkConfig
from slstr_cloudmask.benchmark.scaling import Found, measure_scaling
from slstr_cloudmask.benchmark.scaling_document import compose_scaling, same_function
from slstr_cloudmask.benchmark.scaling_launch import RANK_MODULE, failure
from slstr_cloudmask.benchmark.scaling_plan import (
    MEASURED_NAME,
    Plan,
    Request,
    _check_gpus,
    plan_scaling,
    rank_counts,
)
from slstr_cloudmask.benchmark.scaling_prediction import measured_model, validate
from slstr_cloudmask.benchmark.scaling_run import run_scaling, scaling_config
from slstr_cloudmask.benchmark.scaling_task import AllReduce, Answer, Measured
from slstr_cloudmask.cli.app import main
from slstr_cloudmask.errors import (
    BrokenFileError,
    ConfigError,
    InputError,
    MissingFileError,
    OutputExistsError,
)
from slstr_cloudmask.io.scene_file import write_scene_file
from slstr_cloudmask.report.scaling_figure import draw_scaling
from slstr_cloudmask.training.pack import pack_scenes
from tests.scenes import make_scene, read_made_scene, touch_scenes

PNG = b"\x89PNG\r\n\x1a\n"
SETTINGS = ["widths=[4, 8]", "patch_size=32", "crop_size=8", "precision=fp32", "batch_size=4"]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six scenes of four patches."""
    folder = tmp_path_factory.mktemp("pack")
    paths = touch_scenes(folder / "in", 6)
    pack_scenes(paths, folder / "store", read=read_made_scene, patch_size=32)
    return folder / "store"


def config_of(store: Path, *settings: str) -> BenchmarkConfig:
    return scaling_config("smoke", store, [*SETTINGS, *settings])


def plan_of(store: Path, output: Path, *settings: str, **request: Any) -> Plan:
    asked = Request(**{"source": store, "ranks": (1, 2), "repeats": 2, **request})
    return plan_scaling(config_of(store, *settings), asked, output, device="cpu")


def answer_of(seconds: float, *losses: float, **said: Any) -> Answer:
    """An answer of one epoch of two steps, with the losses of training and validation."""
    fields = {"items": 8, "steps": 2, "seconds": (seconds,), "precision": "fp32", **said}
    return Answer(warm_up_seconds=9.0, first_losses=losses, **fields)


def test_one_rank_is_launched_once_for_both_modes(store: Path, tmp_path: Path) -> None:
    plan = plan_of(store, tmp_path)
    assert [task.name for task in plan.tasks()] == [
        "training-1-ranks-batch-4",
        "training-2-ranks-batch-4",
        "training-2-ranks-batch-8",  # weak: a batch for each
        "training-1-ranks-batch-2",  # a small one, for the overhead of a step
    ]
    # 24 patches, one of which at least validates: two steps of 8, and as many of 4.
    assert {task.steps for task in plan.tasks()} == {2}
    assert len({task.threads for task in plan.tasks()}) == 1
    assert plan.small is not None
    assert plan.small.train.batch_size == 2


def test_what_would_change_an_epoch_is_left_out_while_it_is_timed(
    store: Path, tmp_path: Path
) -> None:
    plan = plan_of(store, tmp_path, "patience=1", "drop_remainder=true", "order=buffer")
    (train, *_) = [task.train for task in plan.tasks()]
    assert (train.epochs, train.patience, train.keep) == (3, None, "last")
    assert (train.order, train.drop_remainder, train.compile) == ("global", False, False)


def test_a_store_too_small_for_a_step_is_refused(store: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"up to 32 patches.* holds 24: .*--mode strong"):
        plan_of(store, tmp_path, ranks=(1, 8))
    assert plan_of(store, tmp_path, ranks=(1, 8), mode="strong").tasks()


def test_a_store_of_other_settings_is_refused(store: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="patch_size 32, and 64"):
        plan_of(store, tmp_path, "patch_size=64", "crop_size=20")


def test_more_ranks_than_gpus_are_refused() -> None:
    there = torch.cuda.device_count()
    with pytest.raises(InputError, match=f"this machine has {there} GPUs"):
        _check_gpus((1, there + 1), torch.device("cuda"))
    _check_gpus((1, 64), torch.device("cpu"))


@pytest.mark.parametrize("words", ["", "two", "1;2", "0,1", "-2"])
def test_numbers_of_ranks_that_are_none(words: str) -> None:
    with pytest.raises(InputError, match="numbers of ranks"):
        rank_counts(words)


def test_numbers_of_ranks_come_in_order() -> None:
    assert rank_counts("4,1, 2,2") == (1, 2, 4)


def test_rows_and_the_model_by_hand(store: Path, tmp_path: Path) -> None:
    plan = plan_of(store, tmp_path)
    reduced = (AllReduce(bytes=4, seconds=0.2), AllReduce(bytes=100, seconds=0.7))
    found = Found(
        {
            "training-1-ranks-batch-4": answer_of(10.0, 0.5, 0.4),
            "training-2-ranks-batch-4": answer_of(8.0, 0.5, 0.4001, all_reduce=reduced),
            "training-2-ranks-batch-8": answer_of(16.0, 0.5, 0.3, items=16, all_reduce=reduced),
            "training-1-ranks-batch-2": answer_of(6.0, 0.6, 0.5, items=4),
        }
    )
    rows = compose_scaling(plan, found)["training"]
    gains = {(row["mode"], row["ranks"]): (row["speed_up"], row["efficiency"]) for row in rows}
    # Strong: 10 s through 8 s. Weak: 16 patches in 16 s against 8 in 10 s.
    assert gains["strong", 1] == (1, 1)
    assert gains["strong", 2] == pytest.approx((1.25, 0.625))
    assert gains["weak", 2] == pytest.approx((1.25, 0.625))
    # A step of 4 takes 5 s, of 2 takes 3 s: 1 s a patch, 1 s whatever there is.
    here = measured_model(plan, found)
    assert here is not None
    assert (here.step.seconds_per_patch, here.step.overhead_seconds) == (1, 1)
    # All-reduce: 2 messages of 0.1 s, and 100 bytes in 0.5 s. Two ranks with 2 patches each:
    # 1 + 2 + 0.7 = 3.7 s, and 4 s were measured; weak with 4 patches each: 5.7 s, and 8 s were.
    strong, weak = validate(plan, found, here)
    assert strong["predicted_step_seconds"] == pytest.approx(3.7)
    assert strong["predicted_over_measured"] == pytest.approx(3.7 / 4)
    assert weak["predicted_over_measured"] == pytest.approx(5.7 / 8)


def test_ranks_that_train_something_else_are_found_out(store: Path, tmp_path: Path) -> None:
    plan = plan_of(store, tmp_path)
    one, two = "training-1-ranks-batch-4", "training-2-ranks-batch-4"
    alike = Found({one: answer_of(1, 0.5, 0.4), two: answer_of(1, 0.5, 0.40002)})
    same = same_function(plan, alike)
    assert same["same"] is True
    assert same["differences"]["2"] == pytest.approx(5e-5)  # 0.00002 of 0.4
    # Either of the two shows it.
    other = Found({one: answer_of(1, 0.5, 0.4), two: answer_of(1, 0.502, 0.4)})
    assert same_function(plan, other)["same"] is False
    assert same_function(plan, Found({one: answer_of(1, 0.5, 0.4)}))["same"] is None


# As torch 2.13 writes it, without its times and places.
SURVIVOR_FIRST = """
cloudmask: connection closed by peer
  [1]:
    rank      : 0 (local_rank: 0)
    exitcode  : 1 (pid: 41)
    error_file: <N/A>
Root Cause (first observed failure):
[0]:
  rank      : 1 (local_rank: 1)
  exitcode  : -9 (pid: 42)
"""
SAID = """
[rank1]: Traceback (most recent call last):
cloudmask: No pixel has a label, in training or in validation.
Root Cause (first observed failure):
[0]:
  rank      : 1 (local_rank: 1)
  exitcode  : 1 (pid: 42)
"""


def test_the_rank_that_was_killed_is_named_and_not_its_partner() -> None:
    assert failure(SURVIVOR_FIRST, 2).startswith("rank 1 of 2 was killed by SIGKILL")
    assert failure(SAID, 2) == (
        "rank 1 of 2 ended with exit code 1: No pixel has a label, in training or in validation."
    )
    assert failure("[rank0]: RuntimeError: no port\n", 2) == (
        "the launcher failed: RuntimeError: no port"
    )
    assert failure("", 2) == "the launcher failed: no reason was given."


def keep_all(plan: Plan, output: Path) -> list[Path]:
    """Leave made-up answers to all tasks of a plan."""
    folder = output / MEASURED_NAME
    folder.mkdir(parents=True, exist_ok=True)
    places = [folder / f"{task.name}.json" for task in plan.tasks()]
    for task, place in zip(plan.tasks(), places, strict=True):
        measured = Measured(task=task, answer=answer_of(1.0, 0.5, 0.4))
        place.write_text(measured.model_dump_json())
    return places


def test_what_was_measured_is_kept_and_not_mixed(store: Path, tmp_path: Path) -> None:
    plan = plan_of(store, tmp_path)
    places = keep_all(plan, tmp_path)
    assert len(measure_scaling(plan, tmp_path).answers) == 4
    other = plan_of(store, tmp_path, "learning_rate=0.5")
    with pytest.raises(ConfigError, match=r"measured with another train: .*--overwrite"):
        measure_scaling(other, tmp_path)
    places[0].write_text(places[0].read_text()[:-20])
    with pytest.raises(BrokenFileError, match="Remove it, and it is measured again"):
        measure_scaling(plan, tmp_path)


def test_two_cannot_measure_into_one_folder(store: Path, tmp_path: Path) -> None:
    plan = plan_of(store, tmp_path)
    keep_all(plan, tmp_path)
    with (tmp_path / MEASURED_NAME / ".lock").open("ab") as lock:
        claim(lock, "taken")
        with pytest.raises(OutputExistsError, match="Another process measures"):
            measure_scaling(plan, tmp_path)


@pytest.fixture
def cli(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Run ``cloudmask scaling``; return exit code, stdout and stderr."""
    monkeypatch.setenv("COLUMNS", "500")

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["cloudmask", "scaling", *map(str, arguments)])
        try:
            main()
            code = 0
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else 1
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def test_a_machine_is_predicted_for_without_anything_measured(
    cli: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    code, out, _ = cli("-o", tmp_path, "--predict", "h200-infiniband", "--batch-size", 64)
    assert code == 0
    assert "Predicted: nodes of 8 H200" in out
    assert "37%" in out  # the published curve's end
    assert (tmp_path / "scaling.png").read_bytes().startswith(PNG)
    document = json.loads((tmp_path / "scaling.json").read_text())
    rows = document["prediction"]["rows"]
    assert [row["ranks"] for row in rows if row["mode"] == "weak"] == [2**n for n in range(11)]
    assert "training" not in document


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "There is nothing to do"),
        (["nowhere"], "Expected a folder of scenes"),
        (["--predict", "abacus"], "There is no machine 'abacus'"),
        (["--predict", "two-cores"], "neither in its file nor measured"),
        (["nowhere", "--ranks", "two"], "no numbers of ranks"),
        (["nowhere", "epoch=3"], "did you mean"),
    ],
)
def test_bad_usage_is_one_line(
    cli: Callable[..., tuple[int, str, str]], tmp_path: Path, arguments: list[str], said: str
) -> None:
    code, out, err = cli("-o", tmp_path, *arguments)
    assert (code, out) == (2, "")
    assert said in err
    assert "Traceback" not in err
    assert not (tmp_path / "scaling.json").exists()


def test_an_output_that_is_a_file_is_said(
    cli: Callable[..., tuple[int, str, str]], store: Path, tmp_path: Path
) -> None:
    (place := tmp_path / "file").write_text("mine")
    measured = (store, "--ranks", 1, "--recipe", "smoke", *SETTINGS)
    for arguments in (measured, ("--predict", "h200-infiniband")):
        code, out, err = cli("-o", place, *arguments)
        assert (code, out) == (2, "")
        assert str(place) in err
        assert "Traceback" not in err
    assert place.read_text() == "mine"


@pytest.mark.slow
def test_scaling_measured_on_two_ranks(store: Path, tmp_path: Path) -> None:
    scenes, output = tmp_path / "scenes", tmp_path / "out"
    for number in range(2):
        name = f"S3A_SL_1_RBT____2020010{number + 1}T100000.nc"
        write_scene_file(scenes / name, make_scene(number))
    request = Request(source=store, ranks=(1, 2), mode="strong", repeats=2)

    def run(request: Request) -> dict[str, Any]:
        return run_scaling(output, request=request, config=config_of(store), device="cpu")

    document = run(request)
    assert document["failed"] == {}
    assert document["same_function"]["same"] is True
    rows = document["training"]
    assert [(row["mode"], row["ranks"]) for row in rows] == [("strong", 1), ("strong", 2)]
    one, two = (row["losses"] for row in rows)
    assert len(one) == len(two) == 3  # the warm-up, and two that count
    assert one[0][0] > one[2][0]  # it learns
    assert [row["ranks"] for row in document["all_reduce"]] == [2, 2]
    assert document["validation"][0]["predicted_over_measured"] > 0
    assert document["inference"] == []

    # A second run measures what is missing, and nothing else.
    folder = output / MEASURED_NAME
    times = {path: path.stat().st_mtime_ns for path in folder.glob("*.json")}
    assert len(times) == 3
    again = run(request.model_copy(update={"scenes": scenes}))
    assert again["training"] == rows
    assert [row["ranks"] for row in again["inference"]] == [1, 2]
    assert {path: path.stat().st_mtime_ns for path in times} == times
    assert len(list(folder.glob("*.json"))) == 5
    assert draw_scaling(again).startswith(PNG)


@pytest.mark.slow
def test_a_killed_rank_is_named_and_the_others_go_on(store: Path, tmp_path: Path) -> None:
    # So many steps that the second rank is there long enough to be found.
    plan = plan_of(store, tmp_path, mode="strong", repeats=100_000)
    doomed = [task for task in plan.tasks() if task.ranks == 2]
    quick = plan_of(store, tmp_path, mode="strong", repeats=1).small
    assert quick is not None
    mixed = Plan({("strong", 2): doomed[0]}, quick, {})
    killed = threading.Event()

    def kill_second_rank() -> None:
        until = time.monotonic() + 240
        while not killed.is_set() and time.monotonic() < until:
            for child in psutil.Process().children(recursive=True):
                if is_second_rank(child):
                    os.kill(child.pid, signal.SIGKILL)
                    killed.set()
                    return
            time.sleep(0.2)

    killer = threading.Thread(target=kill_second_rank)
    killer.start()
    found = measure_scaling(mixed, tmp_path)
    killer.join()
    assert killed.is_set()
    (reason,) = found.failed.values()
    assert "training on 2 ranks, batch 4: rank 1 of 2 was killed by SIGKILL" in reason
    assert list(found.answers) == [quick.name]
    left = {path.name for path in (tmp_path / MEASURED_NAME).iterdir()}
    assert f"{doomed[0].name}.json" not in left
    assert not any(name.endswith(".task.json") for name in left)


def is_second_rank(process: psutil.Process) -> bool:
    try:
        return (
            RANK_MODULE in process.cmdline()
            and "torch.distributed.run" not in process.cmdline()
            and process.environ().get("RANK") == "1"
        )
    except psutil.Error:
        return False


def test_a_store_that_is_gone_is_said(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="Expected a folder of scenes"):
        plan_of(tmp_path / "nothing", tmp_path)
