"""The MLPerf log of a real run: what the checker says, and what the published notebooks read."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from mlperf_logging.compliance_checker import mlp_compliance

from slstr_cloudmask.benchmark.config import BenchmarkConfig
from slstr_cloudmask.benchmark.mlperf_log import COMPLIANCE_RULES
from slstr_cloudmask.benchmark.result_file import read_result
from slstr_cloudmask.benchmark.run import run_benchmark
from slstr_cloudmask.simulate.dataset import simulate_dataset
from slstr_cloudmask.simulate.plan import DatasetConfig

SCENES = 3
RULES = ("--usage", "hpc", "--ruleset", "3.0.0", "--config", str(COMPLIANCE_RULES), "--werror")

Line = dict[str, Any]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of two epochs in small."""
    folder = tmp_path_factory.mktemp("run")
    simulate_dataset(
        folder / "data", DatasetConfig(scenes=5 + SCENES, test_scenes=SCENES, size=(40, 40))
    )
    config = BenchmarkConfig.model_validate(
        {
            "train_dir": folder / "data" / "one-day",
            "inference_dir": folder / "data" / "ssts",
            "output_dir": folder / "run",
            "train": {"epochs": 2, "batch_size": 4, "widths": [4, 8], "precision": "fp32"},
            "data": {"patch_size": 32, "crop_size": 8},
            "baselines": [],
        }
    )
    run_benchmark(config, device=torch.device("cpu"))
    return folder / "run"


def log_lines(run: Path) -> list[Line]:
    return [
        json.loads(line.removeprefix(":::MLLOG "))
        for line in (run / "mlperf.log").read_text().splitlines()
    ]


def written(lines: list[Line], folder: Path) -> Path:
    path = folder / "checked.log"
    path.write_text("".join(f":::MLLOG {json.dumps(line)}\n" for line in lines))
    return path


def check_compliance(log: Path) -> subprocess.CompletedProcess[str]:
    """Run the checker on a log as a submitter does."""
    return subprocess.run(
        [sys.executable, "-m", "mlperf_logging.compliance_checker", *RULES, str(log)],
        check=False,
        capture_output=True,
        text=True,
        cwd=log.parent,
    )


def test_the_log_passes_the_checker(run: Path) -> None:
    done = check_compliance(run / "mlperf.log")
    assert done.returncode == 0, done.stderr
    assert "SUCCESS" in done.stderr


def without(key: str) -> Callable[[list[Line]], list[Line]]:
    return lambda lines: [line for line in lines if line["key"] != key]


def with_value(key: str, value: Any) -> Callable[[list[Line]], list[Line]]:
    return lambda lines: [{**x, "value": value} if x["key"] == key else x for x in lines]


def swapped(one: str, other: str) -> Callable[[list[Line]], list[Line]]:
    names = {one: other, other: one}
    return lambda lines: [{**line, "key": names.get(line["key"], line["key"])} for line in lines]


def slow_start(lines: list[Line]) -> list[Line]:
    """Initialisation that takes more than the half hour that MLPerf HPC allows."""
    late = 31 * 60_000
    place = next(n for n, line in enumerate(lines) if line["key"] == "init_stop")
    moved = [{**line, "time_ms": line["time_ms"] + late} for line in lines[place:]]
    return lines[:place] + moved


def aborted(lines: list[Line]) -> list[Line]:
    return [
        {**line, "metadata": {**line["metadata"], "status": "aborted"}}
        if line["key"] == "run_stop"
        else line
        for line in lines
    ]


def prettier(lines: list[Line]) -> list[Line]:
    """A result that is better than what was measured."""
    changed = json.loads(json.dumps(lines))
    (result,) = [line["value"] for line in changed if line["key"] == "result"]
    result["inference"]["avg_accuracy"] = 0.99
    return list(changed)


BROKEN: dict[str, tuple[Callable[[list[Line]], list[Line]], str]] = {
    # Rules of the checker's own package, which hold here too.
    "no organisation": (without("submission_org"), "of 'submission_org' but found 0"),
    "another status": (with_value("submission_status", "famous"), "'submission_status' failed"),
    "an unknown division": (with_value("submission_division", "SciML"), "['closed', 'open']"),
    "no end of initialisation": (without("init_stop"), "of 'init_stop' but found 0"),
    "a run before it": (swapped("init_stop", "run_start"), "s['init_stopped'] == True"),
    "a slow start": (slow_start, "s['first_init_start'] < (30*60*1e3)"),
    "no evaluation that ends": (without("eval_stop"), "'eval_stop'"),
    # Ours.
    "another benchmark": (with_value("submission_benchmark", "deepcam"), "== 'cloudmask'"),
    "the closed division": (with_value("submission_division", "closed"), "== 'open'"),
    "no commit": (
        with_value("submission_github_commit_version", None),
        "'submission_github_commit_version' failed",
    ),
    "one spelling": (without("submissiom_version"), "of 'submissiom_version' but found 0"),
    "two versions": (
        with_value("submissiom_version", "mlcommons-cloudmask-v9"),
        "len(set(s['versions'])) == 1",
    ),
    "no accelerators told": (
        without("accelerators_per_node"),
        "of 'accelerators_per_node' but found 0",
    ),
    "no samples": (with_value("train_samples", 0), "v['value'] > 0"),
    "an epoch that does not end": (without("epoch_stop"), "not s['in_epoch']"),
    "epochs that end first": (swapped("epoch_start", "epoch_stop"), "s['in_epoch'] and"),
    "accuracy in percent": (with_value("eval_accuracy", 89.0), "0 <= v['value'] <= 1"),
    "a run that was broken off": (aborted, "v['metadata']['status'] == 'success'"),
    "no result": (without("result"), "of 'result' but found 0"),
    "a result prettier than its run": (prettier, "math.isclose"),
    "two runs in one log": (lambda lines: lines + lines, "of 'run_start' but found 2"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_the_checker_refuses(name: str, run: Path, tmp_path: Path) -> None:
    change, expected = BROKEN[name]
    path = written(change(log_lines(run)), tmp_path)
    # In this process, as its command does it; a new one for each takes a second.
    checker = mlp_compliance.make_checker("hpc", "3.0.0", quiet=False, werror=True)
    assert not checker.check_file(str(path), str(COMPLIANCE_RULES))
    found = [*checker.overwritable.values(), *checker.not_overwritable]
    assert any(expected in message for message in found), found
    assert not any("Could not find" in message for message in found)


def test_the_science_groups_keys_are_there(run: Path) -> None:
    points = {x["key"]: x["value"] for x in log_lines(run) if x["event_type"] == "POINT_IN_TIME"}
    # policy.adoc 0.5, and what the reference emits beside.
    for name in ("benchmark", "org", "division", "status", "platform", "version"):
        assert points[f"submission_{name}"], name
    assert points["submissiom_version"] == "mlcommons-cloudmask-v1.1"
    assert points["submission_github_commit_version"]
    told = [points[n] for n in ("number_of_ranks", "number_of_nodes", "accelerators_per_node")]
    assert told == [1, 1, 0]


def test_the_published_notebooks_read_the_result(run: Path) -> None:
    """Line by line as visualize_mllogs.ipynb and analyze-inference.ipynb take it apart."""
    content = (run / "mlperf.log").read_text().splitlines()
    (line,) = [
        line
        for line in content
        if ":::MLLOG" in line and '"key": "result"' in line and "training" in line
    ]
    value = json.loads(line.split(":::MLLOG ")[1])["value"]
    # The other notebook takes the last line that holds the word, from its tenth character on.
    assert json.loads([x for x in content if "result" in x][-1][9:])["value"] == value
    document = read_result(run)
    history = value["training"]["history"]
    assert {name: len(values) for name, values in history.items()} == {
        "accuracy": 2,
        "loss": 2,
        "val_accuracy": 2,
        "val_loss": 2,
    }
    assert history["val_loss"][-1] == document["training"]["history"][-1]["validation_loss"]
    accuracies = [float(x) for x in value["inference"]["accuracy"]]
    assert len(accuracies) == SCENES
    assert value["inference"]["avg_accuracy"] == pytest.approx(sum(accuracies) / SCENES)
    assert float(value["inference_analyze"]["time_per_inference"]) > 0
    assert {name: type(item) for name, item in value["inference_analyze"].items()} == {
        "number": int,
        "bs": int,
        "nodes": int,
        "gpus": int,
        "time_per_inference": float,
    }
    assert set(value["training"]) == {
        *("samples", "accuracy", "loss", "val_loss", "val_accuracy", "history"),
        *("batch_size", "crop_size", "learning_rate"),
    }


def test_the_published_notebooks_read_the_plain_lines(run: Path) -> None:
    """As visualize_mllogs.ipynb does, which splits at commas and equals signs."""
    times, epochs = {}, []
    for line in (run / "cloudmask.log").read_text().splitlines():
        cells = line.split(",")
        for cell in cells:
            if "time_per" in cell:
                times[cells[0]] = float(cell.split("=")[1])
            if "epochs" in cell:
                epochs.append(int(cell.split("=")[1]))
    assert list(times) == ["CloudMask training", "CloudMask inference"]
    assert epochs == [2]
