"""The benchmark: configurations, a whole run, its log, its result, its page."""

import json
import re
import shutil
import threading
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
import yaml

from slstr_cloudmask.benchmark.config import BenchmarkConfig, load_config
from slstr_cloudmask.benchmark.inference import Outcome, infer_scenes
from slstr_cloudmask.benchmark.result import resource_measurements
from slstr_cloudmask.benchmark.result_file import read_result
from slstr_cloudmask.benchmark.run import run_benchmark
from slstr_cloudmask.benchmark.sampling import read_samples
from slstr_cloudmask.detectors import get_detector
from slstr_cloudmask.errors import (
    BrokenFileError,
    ConfigError,
    InputError,
    MissingFileError,
    OutputExistsError,
)
from slstr_cloudmask.flags import UNKNOWN
from slstr_cloudmask.io.benchmark_hdf import read_scene
from slstr_cloudmask.io.mask_file import read_mask
from slstr_cloudmask.network.model_file import load_model
from slstr_cloudmask.report.page import write_page
from slstr_cloudmask.scene import valid_pixels
from slstr_cloudmask.simulate.dataset import simulate_dataset
from slstr_cloudmask.simulate.plan import DatasetConfig

CPU = torch.device("cpu")
EMPTY_COLUMNS = 3  # of the first test scene

# The keys of the reference's file (mlcommons/science, benchmarks/cloudmask), with a small run.
REFERENCE: dict[str, Any] = {
    "benchmark": "CloudMask",
    "organisation": "STFC",
    "division": "SciML",
    "status": "research",
    "platform": "a laptop",
    "accelerators_per_node": 16,
    "submission": {
        "benchmark": "CloudMask",
        "org": "STFC",
        "division": "SciML",
        "version": 1.0,
        "github_commit_version": 1.0,
        "status": "research",
        "platform": "a laptop",
    },
    "PATCH_SIZE": 32,
    "IMAGE_H": 1200,
    "IMAGE_W": 1500,
    "N_CHANNELS": 9,
    "MIN_SST": 273.15,
    "CROP_SIZE": 8,
    "seed": 1234,
    "learning_rate": 0.001,
    "epochs": 1,
    "batch_size": 8,
    "train_split": 0.8,
    "clip_offset": 15,
    "no_cache": False,
    "nodes": 1,
    "gpu": 1,
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    simulate_dataset(folder, DatasetConfig(scenes=10, test_scenes=4, size=(64, 80), seed=1))
    # Small scenes are windows of the instrument's frame, mostly within the swath, often within one
    # cloud. The first test scene gets empty columns; all of them hold both classes, so that each
    # has a skill score.
    for number, path in enumerate(sorted((folder / "ssts").rglob("*.hdf"))):
        with h5py.File(path, "r+") as file:
            if number == 0:
                for name in ("bts", "refs", "rads", "bayes", "summary"):
                    file[name][:, :EMPTY_COLUMNS] = 0
                file["truth"][:, :EMPTY_COLUMNS] = UNKNOWN
            seen = file["bts"][...].any(axis=-1, keepdims=True)
            for name in ("bayes", "truth"):
                values = file[name][...]
                values[:8][seen[:8]], values[-8:][seen[-8:]] = 0, 1
                file[name][...] = values
    return folder


def small_config(data: Path, out: Path, **train: object) -> BenchmarkConfig:
    return BenchmarkConfig.model_validate(
        {
            "train_dir": data / "one-day",
            "inference_dir": data / "ssts",
            "output_dir": out,
            "train": {"epochs": 2, "batch_size": 4, "widths": [4, 8], "precision": "fp32", **train},
            "data": {"patch_size": 32, "crop_size": 8},
        }
    )


@pytest.fixture(scope="module")
def run(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run in small."""
    out = tmp_path_factory.mktemp("runs") / "run"
    run_benchmark(small_config(data, out), device=CPU)
    return out


def log_lines(path: Path) -> list[dict[str, Any]]:
    lines = path.read_text().splitlines()
    return [json.loads(line.removeprefix(":::MLLOG ")) for line in lines]


def test_the_result_holds_every_number_with_its_name(run: Path) -> None:
    document = read_result(run)
    for row in document["measurements"]:
        assert set(row) == {"name", "value", "unit", "label", "data"}
        assert Path(row["data"]).is_dir()
    names = {row["name"] for row in document["measurements"]}
    assert {
        "network: published_accuracy",
        "all cloud: accuracy",
        "time per epoch, with validation",
    } <= names
    assert {row["mask"] for row in document["scores"]} == {
        "network",
        "thresholds",
        "all cloud",
        "all clear",
    }
    assert {row["label"] for row in document["scores"]} == {"bayes", "truth"}
    assert document["data"]["training_scenes"] == 6
    assert document["data"]["inference_scenes"] == 4
    assert document["hardware"]["ranks"] == 1
    assert document["scenes_overlapped"] is True
    values = {row["name"]: row["value"] for row in document["measurements"]}
    assert values["time per scene"] == document["seconds_per_scene"]
    # All four scenes lie within the inference.
    assert 0 < 4 * document["seconds_per_scene"] <= document["seconds"]["inference"]
    assert "time per scene: read, beside other scenes" in values
    assert document["software"]["torch"] == torch.__version__


def test_masks_and_model_are_there(run: Path, data: Path) -> None:
    scenes = sorted((data / "ssts").rglob("*.hdf"))
    masks = [read_mask(run / "masks" / f"{path.stem}.nc") for path in scenes]
    assert len(masks) == len(list((run / "masks").iterdir())) == 4
    assert masks[0].attrs["model_checksum_sha256"] == load_model(run / "model").checksum
    # What was not seen is unknown, never clear.
    for path, mask in zip(scenes, masks, strict=True):
        unseen = ~valid_pixels(read_scene(path))
        np.testing.assert_array_equal(mask["cloud_mask"].values == 255, unseen)
    assert (masks[0]["cloud_mask"].values[:, :EMPTY_COLUMNS] == 255).all()


def test_the_published_accuracy_can_be_recomputed_from_the_masks(run: Path, data: Path) -> None:
    shares = []
    for path in sorted((data / "ssts").rglob("*.hdf")):
        with h5py.File(path) as file:
            label = np.nan_to_num(file["bayes"][..., 0]) > 0
        cloud = read_mask(run / "masks" / f"{path.stem}.nc")["cloud_mask"].values == 1
        shares.append((cloud == label).mean())
    rows = read_result(run)["scores"]
    (row,) = [r for r in rows if (r["mask"], r["label"], r["part"]) == ("network", "bayes", "all")]
    assert row["published_accuracy"] == pytest.approx(np.mean(shares), abs=1e-12)


def test_the_log_is_in_the_rules_order(run: Path) -> None:
    lines = log_lines(run / "mlperf.log")
    keys = [line["key"] for line in lines]
    intervals = [key for key in keys if key.endswith(("_start", "_stop"))]
    epoch = ["epoch_start", "epoch_stop", "eval_start", "eval_stop"]
    assert intervals == [
        *["staging_start", "staging_stop", "init_start", "init_stop", "run_start"],
        *epoch,
        *epoch,
        *["eval_start", "eval_stop", "run_stop"],
    ]
    times = [line["time_ms"] for line in lines]
    assert times == sorted(times)
    accuracies = [line for line in lines if line["key"] == "eval_accuracy"]
    assert [line["metadata"]["set"] for line in accuracies] == ["validation", "validation", "test"]
    (result,) = [line["value"] for line in lines if line["key"] == "result"]
    assert result["inference"]["avg_accuracy"] == pytest.approx(accuracies[-1]["value"])
    assert len(result["inference"]["accuracy"]) == 4


def test_the_run_names_its_timers(run: Path) -> None:
    document = read_result(run)
    timers = {row["name"]: row for row in document["timers"]}
    assert list(timers) == [
        *("total", "staging", "init", "run", "training block", "training", "loaddata"),
        *("epoch", "validation", "save model", "inference block", "load model", "inference"),
        *("read files", "predict scene", "write mask", "whole scene"),
    ]
    assert {row["status"] for row in timers.values()} == {"ok"}
    assert timers["epoch"]["count"] == timers["validation"]["count"] == 2
    assert timers["whole scene"]["count"] == 4
    # One lies within the other.
    for inner, outer in (
        *[("run", "total"), ("training block", "run"), ("training", "training block")],
        *[("load model", "inference block"), ("inference", "inference block")],
    ):
        assert 0 < timers[inner]["sum_s"] <= timers[outer]["sum_s"]
    # Time per epoch divides by the two epochs that were run, of the 200 that may be.
    values = {row["name"]: row["value"] for row in document["measurements"]}
    told = (timers["epoch"]["sum_s"] + timers["validation"]["sum_s"]) / 2
    assert values["time per epoch, with validation"] <= told
    lines = (run / "timers.csv").read_text().splitlines()
    assert len(lines) == 1 + len(timers)
    assert lines[1].startswith("# csv,total,ok,")


def test_the_run_tells_what_it_took_or_that_it_is_not_told(run: Path) -> None:
    document = read_result(run)
    (machine,) = document["resources"]
    assert machine["samples"] <= len(read_samples(run / "samples.csv"))
    assert list(machine["phases"]) == ["other", "staging", "training", "inference"]
    assert machine["peak"]["process_bytes"] > 50e6
    measured = {row["name"]: row for row in document["measurements"]}
    assert measured["peak memory, the run's processes"]["value"] == machine["peak"]["process_bytes"]
    # Energy is told with a value, or not told with a reason; never is it 0.
    energy = machine["phases"]["training"]["energy_j"]["processor"]
    if "processor_j" in machine["not_told"]:
        assert energy is None
        assert "processor energy, training" not in measured
        assert "not told by this machine" in write_page(run, overwrite=True).read_text()
    else:
        assert measured["processor energy, training"]["value"] == energy > 0


def test_energy_is_of_all_machines_or_is_not_told(tmp_path: Path) -> None:
    """Two machines of which one says nothing of its GPUs."""

    def machine(gpu_j: float | None) -> dict[str, Any]:
        energies = {"processor": 100.0, "gpu": gpu_j}
        phase = {"seconds": 10.0, "energy_j": energies, "mean_power_w": {"processor": 10.0}}
        return {"phases": {"training": phase}, "peak": {"process_bytes": 5.0}}

    config = small_config(tmp_path, tmp_path / "run")
    rows = resource_measurements(config, [machine(30.0), machine(None)])
    assert {row["name"]: row["value"] for row in rows} == {
        "processor energy, training": 200.0,
        "processor mean power, training": 20.0,
        "peak memory, the run's processes": 10.0,
    }


def test_sampling_that_fails_does_not_take_the_run_with_it(
    data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "samples.csv").mkdir()
    document = run_benchmark(small_config(data, tmp_path, epochs=1), device=CPU)
    assert "samples.csv cannot be written" in caplog.text
    assert document["resources"][0]["samples"] == 0
    assert write_page(tmp_path).is_file()


def test_calibration_can_be_recomputed_from_the_masks(run: Path, data: Path) -> None:
    off, count = 0.0, 0
    for path in sorted((data / "ssts").rglob("*.hdf")):
        with h5py.File(path) as file:
            label = np.nan_to_num(file["bayes"][..., 0]) > 0
        said = read_mask(run / "masks" / f"{path.stem}.nc")["cloud_probability"].values
        known = np.isfinite(said)
        off += float(((said.astype(float) - label) ** 2)[known].sum())
        count += int(known.sum())
    document = read_result(run)
    key = ("network", "bayes", "all")
    (row,) = [r for r in document["calibration"] if (r["mask"], r["label"], r["part"]) == key]
    assert row["pixels"] == count
    # The file keeps probabilities rounded.
    assert row["brier"] == pytest.approx(off / count, abs=1e-3)
    assert sum(one["pixels"] for one in row["bins"]) == count
    (scored,) = [r for r in document["scores"] if (r["mask"], r["label"], r["part"]) == key]
    assert scored["brier"] == row["brier"]
    names = {row["name"] for row in document["measurements"]}
    assert {"network: brier", "all cloud: brier"} <= names


def test_the_references_two_lines(run: Path) -> None:
    training, inference = (run / "cloudmask.log").read_text().splitlines()
    shape = r"bs=4, nodes=1, gpus=0"
    seconds = r"\d+\.\d\d"
    assert re.fullmatch(
        rf"CloudMask training, samples = 6, epochs=2, {shape}, time_per_epoch={seconds}", training
    )
    assert re.fullmatch(
        rf"CloudMask inference, inferences=4, {shape}, time_per_inference={seconds}", inference
    )


def test_the_time_of_a_scene_is_its_share_of_the_run_where_scenes_overlap() -> None:
    seconds = [{"read": 1.0, "predict": 2.0, "write": 1.5}] * 4
    # In turn: 1 + 2 + 1.5, scoring left out. Overlapped: 10 s through 4 scenes.
    assert Outcome(seconds=seconds, wall_seconds=20.0).seconds_per_scene == 4.5
    assert Outcome(seconds=seconds, wall_seconds=10.0, overlapped=True).seconds_per_scene == 2.5
    assert Outcome(overlapped=True).seconds_per_scene is None


@pytest.mark.parametrize("faithful", [True, False])
def test_scenes_overlap_unless_the_reference_is_followed(data: Path, faithful: bool) -> None:
    threads = set()

    def write(_name: str, _masked: object) -> None:
        threads.add(threading.current_thread() is threading.main_thread())

    paths = sorted((data / "ssts").rglob("*.hdf"))
    outcome = infer_scenes(paths, get_detector("thresholds"), write=write, faithful=faithful)

    assert threads == {faithful}
    assert outcome.overlapped is not faithful
    assert [score.scene for score in outcome.scores[::2]] == [path.name for path in paths]
    assert [list(scene) for scene in outcome.seconds] == [["read", "predict", "write"]] * 4
    spent = sum(sum(scene.values()) for scene in outcome.seconds)
    assert outcome.wall_seconds > (spent if faithful else 0)


def test_a_finished_run_is_kept(run: Path, data: Path) -> None:
    with pytest.raises(OutputExistsError, match=r"result\.json exists"):
        run_benchmark(small_config(data, run), device=CPU)


def test_a_stopped_run_goes_on(run: Path, data: Path, tmp_path: Path) -> None:
    """After one of two epochs, the rest is run, and ends where the unbroken run does."""
    run_benchmark(small_config(data, tmp_path, epochs=1), device=CPU)
    (tmp_path / "result.json").unlink()
    document = run_benchmark(small_config(data, tmp_path), device=CPU)
    assert document["training"]["epochs"] == 2
    assert document["training"]["resumed_after_epoch"] == 1
    # The time of both sittings counts.
    spent = [e["train_seconds"] + e["validation_seconds"] for e in document["training"]["history"]]
    assert document["seconds"]["training"] == pytest.approx(sum(spent))
    laps = {row["name"]: row["count"] for row in document["timers"]}
    assert {name: laps[name] for name in ("total", "loaddata", "epoch", "validation")} == {
        name: 2 for name in ("total", "loaddata", "epoch", "validation")
    }
    told = document["resources"][0]["phases"]["training"]["seconds"]
    assert told > sum(spent)
    whole, resumed = (load_model(folder / "model") for folder in (run, tmp_path))
    assert whole.checksum == resumed.checksum


def test_overwriting_that_is_stopped_goes_on_without_it(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = small_config(data, tmp_path / "run", epochs=1)
    run_benchmark(config, device=CPU)

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("slstr_cloudmask.benchmark.scoring.infer_scenes", stop)
    with pytest.raises(KeyboardInterrupt):
        run_benchmark(config, device=CPU, overwrite=True)
    lines = log_lines(tmp_path / "run" / "mlperf.log")
    assert [x["metadata"]["status"] for x in lines if x["key"] == "run_stop"] == ["aborted"]
    monkeypatch.undo()
    assert run_benchmark(config, device=CPU)["training"]["resumed_after_epoch"] == 1


def test_nothing_of_the_users_is_replaced_by_a_model(data: Path, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "notes.txt").touch()
    config = small_config(data, tmp_path / "run", epochs=1)
    with pytest.raises(OutputExistsError, match=r"also holds notes\.txt"):
        run_benchmark(config.model_copy(update={"model_dir": precious}), device=CPU, overwrite=True)
    assert (precious / "notes.txt").is_file()
    with pytest.raises(ValueError, match="must not be output_dir"):
        BenchmarkConfig(train_dir=data, inference_dir=data, output_dir=data, model_dir=data)


def test_test_scenes_must_not_be_trained_on(data: Path, tmp_path: Path) -> None:
    config = small_config(data, tmp_path / "run").model_copy(update={"train_dir": data})
    with pytest.raises(InputError, match="4 scenes are trained on and in inference_dir"):
        run_benchmark(config, device=CPU)
    assert not (tmp_path / "run").exists()


def test_scenes_of_one_class_give_a_result(data: Path, tmp_path: Path) -> None:
    """Overcast scenes leave some scores undefined: null in the result, not an error."""
    for path in sorted(data.rglob("*.hdf")):
        copy = tmp_path / "data" / path.relative_to(data)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
        with h5py.File(copy, "r+") as file:
            file["bayes"][...] = 1
    document = run_benchmark(
        small_config(tmp_path / "data", tmp_path / "run", epochs=1), device=CPU
    )
    assert document["training"]["history"][0]["validation_kuipers"] is None
    assert write_page(tmp_path / "run").is_file()


def test_a_broken_test_scene_does_not_take_the_others_with_it(
    data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.copytree(data, tmp_path / "data")
    broken = sorted((tmp_path / "data" / "ssts").rglob("*.hdf"))[0]
    broken.write_bytes(broken.read_bytes()[:500])
    config = small_config(tmp_path / "data", tmp_path / "out", epochs=1)
    document = run_benchmark(config, device=CPU)
    assert list(document["data"]["inference_failed"]) == [broken.name]
    assert document["data"]["inference_scenes"] == 3
    assert broken.name in caplog.text
    for path in (tmp_path / "data" / "ssts").rglob("*.hdf"):
        path.write_bytes(b"nothing")
    with pytest.raises(InputError, match="Not one test scene"):
        run_benchmark(config, device=CPU, overwrite=True)


def test_the_page_is_one_file_with_pictures(run: Path, tmp_path: Path) -> None:
    page = write_page(run, tmp_path / "page.html")
    text = page.read_text()
    assert "agreement with the provider" in text
    assert "accuracy against the simulated truth" in text
    # Two worst and two best scenes, five pictures each.
    assert text.count('<img src="data:image/png;base64,') == 4 * 5
    assert not re.search(r'(src|href)="https?:', text)  # nothing is fetched
    with pytest.raises(OutputExistsError):
        write_page(run, page)
    with pytest.raises(MissingFileError, match=r"holds no result\.json"):
        write_page(tmp_path)


def test_the_page_of_an_older_result_does_without_what_is_not_there(
    run: Path, tmp_path: Path
) -> None:
    document = read_result(run)
    for name in ("calibration", "timers", "resources"):
        del document[name]
    (tmp_path / "result.json").write_text(json.dumps(document))
    old, new = (write_page(folder, overwrite=True).read_text() for folder in (tmp_path, run))
    for title in ("Do the probabilities", "Where the time went", "What it took"):
        assert title not in old
        assert title in new


def test_the_page_does_without_scenes_that_are_gone(run: Path, tmp_path: Path) -> None:
    document = read_result(run)
    document["data"]["inference"] = str(tmp_path / "gone")
    (tmp_path / "result.json").write_text(json.dumps(document))
    text = write_page(tmp_path).read_text()
    assert "could not be read again" in text
    for content in ("{", "{}", "[]"):
        (tmp_path / "result.json").write_text(content)
        with pytest.raises(BrokenFileError):
            write_page(tmp_path, overwrite=True)


def reference_file(folder: Path, data: Path, **changes: object) -> Path:
    content = {
        **REFERENCE,
        "train_dir": str(data / "one-day"),
        "inference_dir": str(data / "ssts"),
        "model_file": str(folder / "out" / "cloudModel.h5"),
        "output_dir": str(folder / "out"),
        "log_file": str(folder / "cloudMask_Log"),
        "mlperf_logfile": str(folder / "mlperf.log"),
        **changes,
    }
    path = folder / "cloudMaskConfig.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def test_the_references_configuration_keeps_its_meaning(data: Path, tmp_path: Path) -> None:
    config = load_config(reference_file(tmp_path, data), ["train.widths=[4, 8]"])
    assert config.score_empty
    assert config.train.patience is None
    document = run_benchmark(config, device=CPU)
    assert document["training"]["kept_epoch"] == 1
    masks = sorted((tmp_path / "out").glob("*.hdf.h5"))
    assert len(masks) == 4
    with h5py.File(masks[0]) as file:
        assert file["mask"].shape == (1, 64, 80, 1)
        # Faithful: the network answers on empty columns too.
        assert np.isfinite(file["mask"][:]).all()
    assert load_model(tmp_path / "out" / "cloudModel").config.patch_size == 32
    assert len((tmp_path / "cloudMask_Log").read_text().splitlines()) == 2
    assert write_page(tmp_path / "out").is_file()


def test_the_references_own_file_is_read(tmp_path: Path) -> None:
    config = load_config(reference_file(tmp_path, tmp_path, train_dir="~/data/one-day"))
    assert config.train_dir == Path.home() / "data" / "one-day"
    assert config.train.seed == 1234
    assert config.submission.org == "STFC"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("train_dirr: a", "train_dirr: unknown key, did you mean train_dir"),
        ("train: {epoks: 3}", "train.epoks: unknown key, did you mean epochs"),
        ("train: {epochs: many}", r"train\.epochs: .*integer"),
        ("train: {epochs: 0}", r"train\.epochs: .*greater than or equal to 1"),
        ("data: {label: guess}", r"data\.label"),
        ("data: {patch_size: 32, crop_size: 32}", "does not fit patch size"),
        ("train: {widths: [32]}", r"train\.widths"),
        ("[a, b]", "holds no keys"),
        ("a: [", "is not YAML"),
        ("PATCH_SIZE: 256\nPACH: 1", "PACH: unknown key"),
    ],
)
def test_a_wrong_configuration_says_what_is_wrong(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        load_config(path)


def test_overrides(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("{train_dir: a, inference_dir: b, output_dir: c}")
    config = load_config(path, ["train.epochs=7", "inference_mode=patches", "train.patience=null"])
    assert (config.train.epochs, config.inference_mode) == (7, "patches")
    assert config.train.patience is None
    for wrong in ("train.epochs", "=3", "train_dir.x=1", "train.epochs=["):
        with pytest.raises(ConfigError, match=r"no setting|no section|not YAML"):
            load_config(path, [wrong])
    with pytest.raises(MissingFileError):
        load_config(tmp_path / "nothing.yaml")
