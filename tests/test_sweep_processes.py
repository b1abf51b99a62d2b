"""Sweeps that train: over local processes and on a real Slurm, killed in the middle."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import pytest

from slstr_cloudmask.benchmark.event_log import read_events
from slstr_cloudmask.benchmark.result_file import read_result
from slstr_cloudmask.simulate.dataset import simulate_dataset
from slstr_cloudmask.simulate.plan import DatasetConfig
from slstr_cloudmask.sweep.trial import follow, read_job, read_outcome
from tests.slurm_server import slurm_server, why_not

pytest.importorskip("optuna")
pytestmark = pytest.mark.slow

PATIENCE_S = 500
LONG = 40  # epochs of the first trial, which is killed in the middle
SETTINGS = (
    *("patch_size=32", "crop_size=8", "train.widths=[4,8]", "batch_size=4", "precision=fp32"),
    *("patience=null", "compile=false", "baselines=[]", f"epochs={LONG},1,2,3,4,5,6,7"),
)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    simulate_dataset(folder, DatasetConfig(scenes=6, test_scenes=1, size=(64, 80), seed=1))
    return folder


class Cloudmask(Protocol):
    """Starts a command of ours."""

    def __call__(
        self, *arguments: str, env: dict[str, str] | None = None
    ) -> "subprocess.Popen[str]": ...


@pytest.fixture
def cloudmask() -> Iterator[Cloudmask]:
    """What starts commands; those that a failed test left are ended."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str, env: dict[str, str] | None = None) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "slstr_cloudmask", *arguments]
        process = subprocess.Popen(
            command,
            env=os.environ | (env or {}),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.terminate()  # a sweep then ends its trials
            process.communicate(timeout=PATIENCE_S)


def wait_for(what: Callable[[], object], process: "subprocess.Popen[str]") -> None:
    until = time.monotonic() + PATIENCE_S
    while not what():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < until
        time.sleep(0.05)


def check_all_done(cloudmask: Cloudmask, sweep: Path) -> None:
    """Eight results; the long trial went on from its checkpoint, and trained each epoch once."""
    answer = cloudmask("status", str(sweep), "--json")
    counts = json.loads(answer.communicate()[0])["counts"]
    assert counts["done"] == 8
    for number in range(1, 9):
        folder = sweep / f"trial-{number:04d}"
        for name in ("config.yaml", "run.json", "mlperf.log", "report.html"):
            assert (folder / name).is_file()
    first = sweep / "trial-0001"
    document = read_result(first)
    assert document["training"]["epochs"] == LONG == len(document["training"]["history"])
    assert 0 < document["training"]["resumed_after_epoch"] < LONG
    assert [event.data["epoch"] for event in follow(first)] == list(range(1, LONG + 1))
    assert (sweep / "sweep.csv").read_text().count("\n") == 9
    assert (sweep / "sweep.png").stat().st_size > 5000
    assert len(list(sweep.glob("*/store.json"))) == 1  # packed once


def test_eight_trials_over_two_processes(cloudmask: Cloudmask, data: Path, tmp_path: Path) -> None:
    """A trial is killed, and then the sweep itself; the same command ends both."""
    sweep = tmp_path / "sweep"
    first = sweep / "trial-0001"
    begin = ("sweep", "-r", "smoke", "-o", str(sweep), f"data.root={data}", *SETTINGS)
    machine = ("--launcher", "local", "-j", "2", "--device", "cpu")
    process = cloudmask(*begin, *machine)
    wait_for((first / "checkpoint.pt").is_file, process)
    job = read_job(first)
    assert job is not None
    os.kill(int(job.id), signal.SIGKILL)
    wait_for(lambda: (again := read_job(first)) and again.id != job.id, process)
    wait_for(lambda: (sweep / "trial-0003" / "job.json").is_file(), process)
    process.kill()
    process.communicate()
    assert read_outcome(first) is None

    process = cloudmask("sweep", "-o", str(sweep), *machine)
    said = process.communicate(timeout=PATIENCE_S)[0]
    assert process.returncode == 0, said
    assert "8 of 8 trials, best first" in said
    assert "optuna-dashboard sqlite:///" in said
    check_all_done(cloudmask, sweep)
    threads = (first / "trial.log").read_text()
    assert "Traceback" not in threads


@pytest.fixture(scope="module")
def slurm() -> Iterator[dict[str, str]]:
    pytest.importorskip("submitit")
    if reason := why_not():
        pytest.skip(reason)
    with slurm_server() as environment:
        yield environment


def write_profile(folder: Path, partition: str) -> str:
    path = folder / f"{partition}.yaml"
    setup = f"[export PYTHONPATH={os.environ.get('PYTHONPATH', '')}]"
    path.write_text(
        f"launcher: slurm\npartition: {partition}\nworkers: 2\npause: 0.5\n"
        f"device: cpu\nsetup: {setup}\n"
    )
    return str(path)


def test_a_queue_that_refuses(
    cloudmask: Cloudmask, data: Path, slurm: dict[str, str], tmp_path: Path
) -> None:
    profile = write_profile(tmp_path, "nowhere")
    begin = ("sweep", "-r", "smoke", "-o", str(tmp_path / "s"), f"data.root={data}", *SETTINGS)
    process = cloudmask(*begin, "--profile", profile, env=slurm)
    said = process.communicate(timeout=PATIENCE_S)[0]
    assert process.returncode == 2, said
    assert "Slurm refused 2 trials" in said
    assert "invalid partition" in said.lower()
    assert "Traceback" not in said


def test_eight_trials_on_slurm(
    cloudmask: Cloudmask, data: Path, slurm: dict[str, str], tmp_path: Path
) -> None:
    """Preempted: saved, requeued by itself. Another one killed: started again."""
    sweep = tmp_path / "sweep"
    first, third = sweep / "trial-0001", sweep / "trial-0003"
    begin = ("sweep", "-r", "smoke", "-o", str(sweep), f"data.root={data}", *SETTINGS)
    process = cloudmask(*begin, "--profile", write_profile(tmp_path, "debug"), env=slurm)
    wait_for((first / "checkpoint.pt").is_file, process)
    job = read_job(first)
    assert job is not None
    # What Slurm sends to a job that has to make room.
    subprocess.run(["scancel", "--signal=USR2", job.id], env=os.environ | slurm, check=True)
    wait_for(lambda: (third / "trial.log").is_file(), process)
    killed = read_job(third)
    assert killed is not None
    subprocess.run(["scancel", "--signal=KILL", killed.id], env=os.environ | slurm, check=True)
    said = process.communicate(timeout=PATIENCE_S)[0]
    assert process.returncode == 0, said
    assert "trial-0003: started once more, attempt 2" in said
    check_all_done(cloudmask, sweep)
    again = read_job(first)
    assert again is not None
    assert again.id == job.id  # the same job, requeued
    hosts = [event for event in read_events(first) if event.name == "sitting_start"]
    assert len(hosts) == 2
