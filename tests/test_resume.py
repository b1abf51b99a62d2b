"""Runs that are killed at any point, stopped, started twice, or short of disk; and their folder."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from slstr_cloudmask.benchmark.event_log import read_events
from slstr_cloudmask.benchmark.mlperf_log import COMPLIANCE_RULES
from slstr_cloudmask.benchmark.result_file import read_result
from slstr_cloudmask.benchmark.run import resume_benchmark, run_benchmark
from slstr_cloudmask.benchmark.run_folder import read_record
from slstr_cloudmask.events import Event
from slstr_cloudmask.network.model_file import load_model
from slstr_cloudmask.simulate.dataset import simulate_dataset
from slstr_cloudmask.simulate.plan import DatasetConfig
from tests.test_benchmark import CPU, check_compliance, log_lines, small_config

EPOCHS, TEST_SCENES = 3, 4
PATIENCE_S = 120
ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    simulate_dataset(folder, DatasetConfig(scenes=10, test_scenes=TEST_SCENES, size=(64, 80)))
    return folder


@pytest.fixture(scope="module")
def whole(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nothing befell."""
    out = tmp_path_factory.mktemp("runs") / "whole"
    run_benchmark(small_config(data, out, epochs=EPOCHS), device=CPU)
    return out


def config_file(data: Path, out: Path) -> Path:
    content = small_config(data, out, epochs=EPOCHS).model_dump(mode="json")
    path = out.with_suffix(".yaml")
    path.write_text(yaml.safe_dump(content))
    return path


# As `cloudmask`, but slow enough that every stage can be hit: each event, each packed scene and
# each mask takes a while longer.
SLOW = """
import os, sys, time
from slstr_cloudmask.benchmark import event_log, scene_records
from slstr_cloudmask.training import journal
def slowly(function, seconds):
    def slow(*given, **named):
        answer = function(*given, **named)
        time.sleep(seconds)
        return answer
    return slow
pause = float(os.environ["PAUSE_S"])
event_log.EventLog.__call__ = slowly(event_log.EventLog.__call__, pause)
journal.Journal.add = slowly(journal.Journal.add, pause)
scene_records.SceneRecords.keep = slowly(scene_records.SceneRecords.keep, pause)
from slstr_cloudmask.cli.app import main
sys.argv = ["cloudmask", *sys.argv[1:]]
main()
"""


def start(*arguments: object, pause_s: float = 0.3) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", SLOW, *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, "PAUSE_S": str(pause_s), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def end(process: subprocess.Popen[str], number: int, when: Callable[[], bool]) -> str:
    """Send a signal as soon as a condition holds; return what was said on stderr."""
    deadline = time.monotonic() + PATIENCE_S
    while not when():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(number)
    return process.communicate(timeout=PATIENCE_S)[1]


def happened(out: Path, name: str, **data: object) -> Callable[[], bool]:
    """Whether the run's last event is this one."""

    def check() -> bool:
        events = read_events(out)
        last = events[-1] if events else Event("nothing")
        return last.name == name and data.items() <= last.data.items()

    return check


def scenes_packed(out: Path, count: int) -> Callable[[], bool]:
    journal = out / "store.packing" / "journal.jsonl"
    return lambda: journal.is_file() and journal.read_bytes().count(b"\n") == 1 + count


def assert_same(run: Path, whole: Path) -> None:
    """Weights and scores to the bit; a log of one run that passes the checker."""
    one, other = (load_model(folder / "model").checksum for folder in (run, whole))
    assert one == other
    documents = [read_result(folder) for folder in (run, whole)]
    for key in ("scores", "scenes"):
        assert documents[0][key] == documents[1][key]
    losses = [[e["validation_loss"] for e in d["training"]["history"]] for d in documents]
    assert losses[0] == losses[1]
    assert sorted(p.name for p in run.iterdir()) == sorted(p.name for p in whole.iterdir())
    keys = [[line["key"] for line in log_lines(folder / "mlperf.log")] for folder in (run, whole)]
    assert keys[0] == keys[1]
    times = [line["time_ms"] for line in log_lines(run / "mlperf.log")]
    assert times == sorted(times)
    rules = ("--usage", "hpc", "--ruleset", "3.0.0", "--config", str(COMPLIANCE_RULES), "--werror")
    checked = check_compliance(run / "mlperf.log", *rules)
    assert checked.returncode == 0, checked.stderr


def test_a_run_killed_at_every_stage_ends_as_an_unbroken_one(
    data: Path, whole: Path, tmp_path: Path
) -> None:
    """One run is killed again and again, each time further on, and then finished."""
    out = tmp_path / "run"
    config = config_file(data, out)
    points = [
        scenes_packed(out, 2),
        happened(out, "staging_stop"),
        happened(out, "epoch_start", epoch=1),
        happened(out, "evaluation", epoch=2),
        happened(out, "epoch_stop", epoch=3),
        happened(out, "evaluation", epoch=3),
        happened(out, "inference_start"),
        lambda: len(list((out / "scores" / "network").glob("*.json"))) == 2,
        happened(out, "run_stop"),
        happened(out, "result"),
    ]
    for number, point in enumerate(points):
        words = ["--resume", out] if number > 1 else ["--config", config]
        end(start("benchmark", *words), signal.SIGKILL, point)
        assert not (out / "result.json").exists()
        if number == 0:
            packed = (out / "store.packing" / "inputs.f16").stat().st_ino
        if number == 8:
            masks = {p: p.stat().st_mtime_ns for p in (out / "masks").iterdir()}
    resumed = resume_benchmark(out, device=CPU)
    assert resumed["training"]["resumed_after_epoch"] == EPOCHS
    # What was finished was not made again.
    assert (out / "store" / "inputs.f16").stat().st_ino == packed
    assert masks == {p: p.stat().st_mtime_ns for p in (out / "masks").iterdir()}
    (out / "report.html").unlink(missing_ok=True)
    assert_same(out, whole)
    assert len(read_record(out)["sittings"]) == len(points) + 1
