"""The command line as a user types it: exit codes, one clear line for what is wrong."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from slstr_cloudmask import __version__
from slstr_cloudmask.cli.app import main
from slstr_cloudmask.network.model_file import load_model
from slstr_cloudmask.simulate.dataset import simulate_dataset
from slstr_cloudmask.simulate.plan import DatasetConfig

Cli = Callable[..., tuple[int, str, str]]

SIX = DatasetConfig(scenes=6, test_scenes=2, size=(64, 80), seed=1)


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    """Run ``cloudmask`` with arguments; return exit code, stdout and stderr."""
    monkeypatch.setenv("COLUMNS", "500")  # keeps a message on its line

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["cloudmask", *map(str, arguments)])
        try:
            main()
            code = 0
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else 1
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    simulate_dataset(folder, SIX)
    return folder


TINY = ("--patch-size", 32, "--epochs", 1, "--batch-size", 8, "--device", "cpu")


@pytest.fixture(scope="module")
def model(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model trained by the command itself."""
    run = tmp_path_factory.mktemp("runs") / "run"
    arguments = ["train", data / "one-day", "-o", run, *TINY]
    subprocess.run([sys.executable, "-m", "slstr_cloudmask", *map(str, arguments)], check=True)
    return run / "model"


def test_help_and_version(cli: Cli) -> None:
    code, out, _ = cli("--version")
    assert (code, out.strip()) == (0, f"cloudmask {__version__}")
    code, out, _ = cli("--help")
    assert code == 0
    words = ["predict", "info", "simulate", "simulate-check", "gallery", "train", "evaluate"]
    for word in [*words, "benchmark", "report", "demo"]:
        assert word in out
        assert cli(word, "--help")[0] == 0


def test_train_and_evaluate(cli: Cli, data: Path, model: Path) -> None:
    assert load_model(model).config.training["epochs"] == 1
    code, out, _ = cli("evaluate", data / "ssts", "--model", model, "--json", "--device", "cpu")
    assert code == 0
    found = json.loads(out)
    masks = {row["mask"] for row in found["scores"]}
    # A model goes by its run.
    provided = {"provider bayes", "provider summary_cloud"}
    assert masks == {"run", "network", "thresholds", "all cloud", "all clear"} | provided
    # Scenes, by masks against both labels; the provider's mask not against itself.
    assert len(found["scenes"]) == 2 * (4 * 2 + 1)
    code, out, _ = cli("evaluate", data / "ssts")
    assert code == 0
    assert "Accuracy against the simulated truth" in out
    assert "Agreement with the provider's Bayesian mask" in out


def test_a_trained_model_is_kept(cli: Cli, data: Path, model: Path) -> None:
    code, _, err = cli("train", data / "one-day", "-o", model.parent, *TINY)
    assert code == 2
    assert "exists already" in err


def test_a_model_masks_a_benchmark_file(cli: Cli, data: Path, model: Path, tmp_path: Path) -> None:
    scene = next((data / "ssts").rglob("*.hdf"))
    out = tmp_path / "mask.nc"
    code, said, _ = cli("predict", scene, "-o", out, "--model", model, "--device", "cpu")
    assert code == 0
    assert str(out) in said


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "{tmp}/nowhere"], "nowhere"),
        (["train", "{tmp}"], "S3"),
        (["train", "{data}/one-day", "-o", "{tmp}/r", "--epochs", "0"], "train: train.epochs:"),
        (["train", "{data}/one-day", "-o", "{tmp}/r", "--label", "guess"], "train: data.label:"),
        (["train", "{data}/one-day", "-o", "{tmp}/r", "--device", "tpu"], "Unknown device 'tpu'"),
        (["train", "{data}/one-day", "-o", "{tmp}/r"], "holds no patch of 256"),
        (["train", "{data}/one-day", "-o", "{tmp}/r", "--patch-size", "36"], "multiple of 8"),
        (["evaluate", "{tmp}"], "S3"),
        (["evaluate", "{data}/ssts", "--detectors", ","], "nothing to score"),
        (["evaluate", "{data}/ssts", "--detectors", "magic"], "Unknown detector 'magic'"),
        (["evaluate", "{data}/ssts", "--against", "guess"], "Unknown label 'guess'"),
        (["evaluate", "{data}/ssts", "--jobs", "0"], "at least one job"),
        (["demo", "-o", "{tmp}/r", "--epochs", "0"], "--epochs"),
        (["evaluate", "{data}/ssts", "--model", "{tmp}"], "is no model"),
        (["benchmark", "--config", "{tmp}/none.yaml"], "no configuration file"),
        (["benchmark", "--recipe", "fats"], "no recipe 'fats': expected fast, open, reference"),
        (["benchmark", "--recipe", "smoke"], "train_dir is missing"),
        (["benchmark", "--recipe", "smoke", "data.root={tmp}/none"], "{tmp}/none/training"),
        (["benchmark", "--recipe", "smoke", "epoks=3"], "did you mean train.epochs"),
        (["benchmark", "--recipe", "smoke", "train.epoks=3"], "train.epoks: unknown key"),
        (["benchmark", "--recipe", "smoke", "--config", "x.yaml"], "give one of them"),
        (["report", "{tmp}"], "holds no result.json"),
        (["simulate", "{tmp}/s", "--size", "large"], "--size"),
        (["simulate", "{tmp}/s", "--size", "8x8"], "at least 32x32 pixels, found 8x8"),
        (["simulate", "{tmp}/s", "--size", "3001x64"], "at most 3000x3000"),
        (["simulate", "{tmp}/s", "--seed", "-1"], "seed of 0 or more"),
        (["simulate", "{tmp}/s", "--scenes", "0"], "at least 1 scene"),
        (["simulate", "{tmp}/s", "--jobs", "0"], "at least one job"),
        (["simulate", "{tmp}/s", "--like", "moon"], "'moon' is not one of 'test-set'"),
        (["simulate", "{tmp}/s", "--like", "night", "--day"], "Daylight was asked for"),
        (["simulate", "{tmp}/s", "--date", "2019-06-21"], "have their own days"),
        (["simulate", "{tmp}/s", "--date", "midsummer"], "'midsummer' does not match"),
        (["simulate", "{tmp}/s", "--world", "flat"], "'flat' is not one of 'standard'"),
        (["simulate", "{tmp}/s", "--format", "zarr"], "'zarr' is not one of 'hdf'"),
        (["simulate", "{tmp}/s", "--cloud-optical-depth", "nan"], "optical depth above 0"),
        (["simulate", "{tmp}/s", "--set", "sim-tiny", "--seed", "2"], "A set by name decides"),
        (["simulate", "{tmp}/s", "--set", "sim-huge"], "'sim-huge' is not one of 'sim-tiny'"),
        (["simulate", "{data}", "--scenes", "2"], "pass --overwrite"),
        (["predict", "{tmp}/nothing.SEN3"], "nothing.SEN3"),
        (["info", "{tmp}"], "{tmp}"),
        (["nonsense"], "nonsense"),
    ],
)
def test_bad_input_is_one_clear_line_and_exit_code_2(
    arguments: list[str], message: str, cli: Cli, data: Path, tmp_path: Path
) -> None:
    folders = {"tmp": tmp_path, "data": data}
    code, out, err = cli(*(word.format(**folders) for word in arguments))
    assert code == 2
    assert message.format(**folders) in err
    assert "Traceback" not in out + err
    assert list(tmp_path.iterdir()) == []  # nothing half-written


def test_the_benchmark_by_recipe(cli: Cli, data: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    wanted = ("--recipe", "smoke", "-o", run, f"data.root={data}", "epochs=1", "seed=7")
    code, out, _ = cli("benchmark", *wanted, "--device", "cpu")
    assert code == 0
    assert f"Result: {run / 'result.json'}" in out
    config = json.loads((run / "result.json").read_text())["config"]
    assert (config["recipe"], config["train"]["epochs"], config["train"]["seed"]) == ("smoke", 1, 7)
    code, out, _ = cli("benchmark", "--help")
    assert "--recipe reference data.root=DIR" in out
    assert "--set sim-tiny" in out


def test_training_goes_on_without_a_broken_scene(cli: Cli, data: Path, tmp_path: Path) -> None:
    shutil.copytree(data, tmp_path, dirs_exist_ok=True)
    broken = sorted((tmp_path / "one-day").rglob("*.hdf"))[0]
    broken.write_bytes(b"nothing")
    code, out, err = cli("train", tmp_path / "one-day", "-o", tmp_path / "run", *TINY)
    assert code == 1
    assert f"Skipped {broken.name}" in err
    assert "Model of epoch 1" in out
    assert list(load_model(tmp_path / "run" / "model").config.training["skipped"]) == [broken.name]


def test_failed_scenes_are_named_and_the_others_go_on(cli: Cli, data: Path, tmp_path: Path) -> None:
    shutil.copytree(data, tmp_path, dirs_exist_ok=True)
    broken = sorted((tmp_path / "ssts").rglob("*.hdf"))[0]
    broken.write_bytes(b"nothing")
    code, out, err = cli("evaluate", tmp_path / "ssts")
    assert code == 1
    assert broken.name in err
    assert "thresholds" in out


def test_the_reference_command_line(tmp_path: Path) -> None:
    root = Path(__file__).parents[1]
    done = subprocess.run(
        [sys.executable, root / "slstr_cloud.py", "--config", tmp_path / "none.yaml"],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "COLUMNS": "500"},
    )
    assert done.returncode == 2
    assert "no configuration file" in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="needs limits of POSIX")
@pytest.mark.parametrize("word", ["predict", "simulate", "train", "benchmark"])
def test_a_disk_that_fills_up_is_one_clear_line(word: str, data: Path, tmp_path: Path) -> None:
    """No file may grow beyond 8 KiB here, so writing stops half way, as on a full disk."""
    import resource

    scene = next((data / "ssts").rglob("*.hdf"))
    config = tmp_path / "config.yaml"
    config.write_text(
        f"{{train_dir: {data}/one-day, inference_dir: {data}/ssts, output_dir: {tmp_path}/out, "
        "data: {patch_size: 32, crop_size: 8}}"
    )
    arguments = {
        "predict": [scene, "-o", tmp_path / "out" / "mask.nc"],
        "simulate": [tmp_path / "out", "--scenes", 2, "--size", "64x80"],
        "train": [data / "one-day", "-o", tmp_path / "out", *TINY],
        "benchmark": ["--config", config],
    }[word]
    done = subprocess.run(
        [sys.executable, "-m", "slstr_cloudmask", word, *map(str, arguments)],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "COLUMNS": "500"},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192)),
    )
    assert done.returncode == 2, done.stderr
    assert "File too large. No part of it was left behind" in done.stderr
    assert "Traceback" not in done.stderr
    left = [path.name for path in (tmp_path / "out").rglob("*") if path.is_file()]
    # Of a benchmark what tells how far it came, from which it goes on: no part of anything else.
    kept = {"config.yaml", "run.json", "events.jsonl", "samples.csv", "mlperf.log"}
    assert set(left) <= {"manifest.json"} | (kept if word == "benchmark" else set())


@pytest.mark.slow
def test_the_command_trains_on_two_processes(data: Path, model: Path, tmp_path: Path) -> None:
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    arguments = ["train", data / "one-day", "-o", tmp_path / "run", *TINY]
    subprocess.run(
        [*torchrun, "--nproc-per-node=2", "-m", "slstr_cloudmask", *map(str, arguments)],
        check=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    one, two = (load_model(m).config.training["kept"] for m in (model, tmp_path / "run" / "model"))
    assert one["train_loss"] == pytest.approx(two["train_loss"], rel=1e-2)
