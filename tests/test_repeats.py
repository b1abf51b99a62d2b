"""Repeats of a run: seeds, one store, going on after a kill, a repeat that fails; the commands."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from slstr_cloudmask.benchmark.event_log import read_events
from slstr_cloudmask.benchmark.repeats import resume_repeats, run_repeats
from slstr_cloudmask.benchmark.result_file import read_result
from slstr_cloudmask.cli.app import app
from slstr_cloudmask.errors import BrokenFileError, ConfigError, InputError
from slstr_cloudmask.simulate.dataset import simulate_dataset
from slstr_cloudmask.simulate.plan import DatasetConfig
from tests.killing import PATIENCE_S, Victim, happened
from tests.test_benchmark import CPU, small_config


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    simulate_dataset(folder, DatasetConfig(scenes=10, test_scenes=2, size=(64, 80)))
    return folder


@pytest.fixture(scope="module")
def three(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three repeats, killed in the second and gone on with."""
    out = tmp_path_factory.mktemp("runs") / "three"
    config = small_config(data, out, epochs=1)
    second = happened(out / "run-2", "epoch_start", epoch=1)
    assert Victim(config, repeats=3).end(signal.SIGKILL, second) == -signal.SIGKILL
    assert json.loads((out / "repeats.json").read_text())["count"] == 3
    first = (out / "run-1" / "result.json").stat().st_mtime_ns
    document = resume_repeats(out, device=CPU)
    assert document == json.loads((out / "repeats.json").read_text())
    assert (out / "run-1" / "result.json").stat().st_mtime_ns == first
    return out


def test_repeats_differ_in_their_seed_and_share_a_store(three: Path) -> None:
    results = [read_result(three / f"run-{number}") for number in (1, 2, 3)]
    assert [result["config"]["train"]["seed"] for result in results] == [1234, 1235, 1236]
    assert len({result["training"]["kept"]["validation_loss"] for result in results}) == 3
    assert not list(three.glob("run-*/store"))
    assert {result["config"]["data"]["store"] for result in results} == {str(three / "store")}
    document = json.loads((three / "repeats.json").read_text())
    assert [row["error"] for row in document["runs"]] == [None] * 3
    rows = {(row["name"], row["label"]): row for row in document["statistics"]}
    losses = [result["training"]["kept"]["validation_loss"] for result in results]
    (loss,) = [row for (name, _), row in rows.items() if name == "validation loss"]
    assert loss["values"] == losses
    assert loss["mean"] == pytest.approx(sum(losses) / 3)


def test_the_events_of_all_repeats_tell_where_they_are(three: Path) -> None:
    events = [event for event in read_events(three) if event.name.startswith("repeat")]
    said = [(event.name, event.data["folder"]) for event in events]
    assert said == [
        *[("repeat_start", "run-1"), ("repeat_stop", "run-1"), ("repeat_start", "run-2")],
        # Gone on with: the first is found finished.
        *[("repeat_start", "run-1"), ("repeat_stop", "run-1")],
        *[("repeat_start", "run-2"), ("repeat_stop", "run-2")],
        *[("repeat_start", "run-3"), ("repeat_stop", "run-3")],
    ]


def test_a_repeat_that_fails_is_named_and_the_others_go_on(
    data: Path, three: Path, tmp_path: Path
) -> None:
    out = tmp_path / "three"
    shutil.copytree(three, out, ignore=shutil.ignore_patterns("result.json"))
    for name in ("run-1", "run-3"):
        shutil.copy(three / name / "result.json", out / name)
    (out / "run-2" / "checkpoint.pt").write_bytes(b"broken")
    # In another folder, the store that is shared is the one that is there.
    config = small_config(data, out, epochs=1)
    document = run_repeats(config, 3, device=CPU)
    first, second, third = document["runs"]
    assert first["error"] is third["error"] is None
    assert "checkpoint.pt cannot be read" in second["error"]
    assert len(document["statistics"][0]["values"]) == 2
    # Mended, it is made up for.
    (out / "run-2" / "checkpoint.pt").unlink()
    shown = CliRunner().invoke(app, ["benchmark", "--resume", str(out)])
    assert shown.exit_code == 0, shown.output
    assert "3 runs" in shown.output
    assert (out / "run-2" / "report.html").is_file()


def test_repeats_that_all_fail_are_an_error(data: Path, tmp_path: Path) -> None:
    config = small_config(data, tmp_path / "run", epochs=1, train_split=0.99)
    with pytest.raises(InputError, match="cannot be split"):
        run_repeats(config, 2, device=CPU)
    errors = [
        r["error"] for r in json.loads((tmp_path / "run" / "repeats.json").read_text())["runs"]
    ]
    assert len(errors) == 2
    with pytest.raises(InputError, match="one repeat or more, found 0"):
        run_repeats(config, 0, device=CPU)


def test_repeats_of_another_configuration_are_not_mixed(
    data: Path, three: Path, tmp_path: Path
) -> None:
    out = tmp_path / "three"
    shutil.copytree(three, out)
    with pytest.raises(ConfigError, match=r"run-3 was run with .*train\.epochs differ"):
        run_repeats(small_config(data, out, epochs=2), 3, device=CPU)
    assert read_result(out / "run-1")["training"]["epochs"] == 1
    (out / "repeats.json").write_text("{")
    with pytest.raises(BrokenFileError, match=r"repeats\.json cannot be read"):
        resume_repeats(out, device=CPU)


@pytest.mark.slow
def test_two_processes_are_killed_and_go_on(data: Path, tmp_path: Path) -> None:
    out, path = tmp_path / "run", tmp_path / "run.yaml"
    path.write_text(yaml.safe_dump(small_config(data, out, epochs=2).model_dump(mode="json")))
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    command = [*torchrun, "-m", "slstr_cloudmask", "--quiet", "benchmark"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    begun = subprocess.Popen(
        [*command, "--config", str(path), "--repeats", "2"],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + PATIENCE_S
    while not any(e.name == "evaluation" for e in read_events(out / "run-1")):
        assert begun.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.killpg(begun.pid, signal.SIGKILL)
    begun.wait()
    subprocess.run(
        [*command, "--resume", str(out)],
        env=environment,
        check=True,
        timeout=180,
        capture_output=True,
    )
    for name in ("run-1", "run-2"):
        document = read_result(out / name)
        assert document["hardware"]["ranks"] == 2
        assert document["data"]["inference_scenes"] == 2
        assert document["training"]["epochs"] == 2
    # One process wrote the events: whole lines, and each epoch's end once a sitting.
    stops = [e.data["epoch"] for e in read_events(out / "run-2") if e.name == "epoch_stop"]
    assert stops == [1, 2]
