"""The benchmark bench: counting, taking turns, the table, the twin's process."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import typer
import xarray as xr
from typer.testing import CliRunner

from benchmarks import bench, ceilings, inference, material, page, parts, peer, table
from benchmarks.accuracy import measure_accuracy
from benchmarks.inference import peak_memory
from benchmarks.layers import network_layers, total_flop
from benchmarks.machine import quietness
from benchmarks.material import random_store
from benchmarks.record import Record, read_record
from benchmarks.roofline import Point, attainable, draw, measure_layers
from benchmarks.stages import measure_stages, share
from benchmarks.timing import Sample, best_of, stopwatch, take_turns
from benchmarks.training import Turns
from slstr_cloudmask.detectors.thresholds import Thresholds
from slstr_cloudmask.errors import BrokenFileError, CloudMaskError, OutputExistsError
from slstr_cloudmask.events import Event
from slstr_cloudmask.io.benchmark_hdf import write_scene
from slstr_cloudmask.network.engine import make_engine
from slstr_cloudmask.network.keras_writer import keras_arrays
from slstr_cloudmask.network.unet import UNet
from slstr_cloudmask.scene import build_scene
from slstr_cloudmask.simulate.plan import DatasetConfig

CPU = torch.device("cpu")


def sample(*seconds: float) -> dict[str, Any]:
    return Sample(list(seconds), [9.0]).describe()


@pytest.fixture
def record() -> dict[str, Any]:
    """Timings that nobody measured."""
    quiet = {"busy_elsewhere": 0.25, "load_average": [[2.0, 1.0, 1.0]], "seconds": 1.0}
    return {
        "time": "2026-01-01 00:00 UTC",
        "precision": "bf16",
        "hardware": {
            "accelerator": None,
            "processor": "Abacus",
            "cores": 2,
            "threads": 2,
            "memory_gib": 16.0,
            "device": "cpu",
        },
        "software": {"torch": "2.0", "commit": None},
        "twin": {
            "tensorflow": "2.21",
            "keras": "3.15",
            "parameters": 1_948_609,
            "agreement": {"largest_difference": 2e-4, "allowed": 1e-4},
        },
        "quietness": {"network": quiet, "folder": quiet, "training": quiet},
        "scene_flop": 600e9,
        "scene_bytes": 100e6,
        "network": {
            "eager bf16 scene": sample(1.5, 1.6, 1.9),
            "compiled bf16 scene": sample(0.5, 0.4, 0.9),
            "twin fp32": sample(6.0, 5.0, 7.0),
        },
        "folder": {"compiled bf16": sample(1.0), "twin fp32": sample(7.0)},
        "training": {"compiled bf16": sample(0.1), "twin fp32": sample(0.3)},
        "memory": {"predict": {"peak_bytes": 2.4e9}, "train": {"peak_bytes": 9e9}},
        "ceilings": [
            {"name": "matmul bf16 64", "unit": "FLOP/s", "best": 2.4e12, "median": 2e12},
            {"name": "disk read, page cache", "unit": "B/s", "best": 1e9, "median": 1e9},
        ],
        "layers": [Point("enc1a", 0.001, 4_000_000, 1_000_000, 0.5).describe()],
    }


def test_flop_of_layers_by_hand() -> None:
    layers = {layer.name: layer for layer in network_layers()}
    patch = 256 * 256
    # 3·3 weights, 9 channels to 32, a product and a sum each: 2·9·9·32·65536.
    assert layers["enc1a"].flop(patch) == 339_738_624
    # (64 + 32) channels to 32: 2·9·96·32·65536; 64 of them need 4 products, not 9:
    # 2·(9·32 + 4·64)·32·65536.
    assert layers["dec1a"].published_flop(patch) == 3_623_878_656
    assert layers["dec1a"].flop(patch) == 2_281_701_376
    assert layers["head"].flop(patch) == 2 * 32 * patch
    # The bottom is eight times coarser along each side.
    assert layers["bot_a"].pixels(256, 256) == 32 * 32


def test_flop_of_a_patch_as_published() -> None:
    assert total_flop(256, 256, published=True) / 1e9 == pytest.approx(21.48, abs=0.005)
    assert total_flop(256, 256) / 1e9 == pytest.approx(17.46, abs=0.005)
    # Training: 64.1 GFLOP a patch with every weight at every pixel; 4.03 fewer forward, 3 times.
    training = table.TRAINING_FLOP / 1e9
    assert training == pytest.approx(64.1 - 3 * 4.03, abs=0.05)


def test_bytes_of_a_layer_by_hand() -> None:
    layers = {layer.name: layer for layer in network_layers()}
    # Two bytes each: 9 maps in, 32 out, of 65536 pixels, and 9·9·32 weights.
    assert layers["enc1a"].bytes(65536, 2) == 2 * (41 * 65536 + 2592)
    # 64 coarse maps of a quarter of the pixels beside 32 in and 32 out; 9·96·32 weights.
    assert layers["dec1a"].bytes(65536, 2) == 2 * (64 * 65536 + 64 * 16384 + 27648)


def test_the_list_of_layers_is_the_network() -> None:
    convolutions = [m for m in UNet().modules() if isinstance(m, torch.nn.Conv2d)]
    listed = [(layer.inputs + layer.coarse, layer.outputs) for layer in network_layers()]
    assert listed == [(c.in_channels, c.out_channels) for c in convolutions]


def test_turns_are_taken_and_the_warm_up_is_apart() -> None:
    order: list[str] = []

    def subject(name: str, seconds: list[float]) -> Any:
        def run() -> float:
            order.append(name)
            return seconds.pop(0)

        return run

    samples = take_turns(
        {"a": subject("a", [9.0, 1.0, 3.0]), "b": subject("b", [8.0, 2.0, 2.0])}, repeats=2
    )
    assert order == list("ababab")
    assert samples["a"].warm_up_seconds == [9.0]
    assert samples["a"].median == 2.0
    assert samples["a"].spread == 1.0  # (3 - 1) / 2
    assert samples["b"].describe()["max_s"] == 2.0


def test_stopwatches_count_what_they_run() -> None:
    runs: list[int] = []
    assert stopwatch(lambda: runs.append(1), CPU)() >= 0
    assert len(runs) == 1
    found = best_of(lambda: runs.append(1), CPU, 0.0)
    assert len(found.seconds) == 3  # at least
    assert len(runs) == 5  # and the warm-up


def test_ratios_bars_and_verdicts(record: dict[str, Any]) -> None:
    rows = {row.what: row for row in table.ratio_rows(record)}
    assert next(row for name, row in rows.items() if name.startswith("twin")).met is False
    network = rows["network part of a scene: compiled bf16 scene"]
    assert (network.ratio, network.met) == (12.0, True)  # medians: 6.0 / 0.5
    assert rows["network part of a scene: eager bf16 scene"].met is None
    assert rows["HDF scene, file to mask file: compiled bf16"].met is False  # 7 < 8
    training = rows["training, batch 32: compiled bf16"]
    assert training.ratio == pytest.approx(3.0)
    assert training.met is True
    # 15520 patches at 0.1 s; only a GPU is held to 5 s.
    assert rows["training, 15520 patches at that rate: compiled bf16"].ours == "1.55e+03 s"
    assert rows["peak memory, predict"].met is True
    assert rows["peak memory, train"].met is False
    # 600 GFLOP in 0.5 s are 1.2 TFLOP/s, half of what a product of matrices reaches.
    assert rows["scene: compiled bf16 scene"].ratio == pytest.approx(0.5)
    assert rows["folder, bytes of files: compiled bf16"].ratio == pytest.approx(0.1)


def test_gpu_bars(record: dict[str, Any]) -> None:
    record["hardware"] |= {"device": "cuda", "accelerator": "GPU"}
    record["device"] = {"compiled bf16": sample(0.003), "eager bf16": sample(0.005)}
    record["training"] = {"compiled bf16": sample(5 / 15_520 * 1.1)}
    rows = {row.what: row for row in table.ratio_rows(record)}
    assert rows["GPU time of a scene: compiled bf16"].met is True
    assert rows["GPU time of a scene: eager bf16"].met is False
    # 600 GFLOP in 3 ms, of 2.4 TFLOP/s.
    assert rows["scene by GPU time: compiled bf16"].ratio == pytest.approx(600 / 3 / 2.4)
    record["quietness"]["training"] = record["quietness"]["training"] | {"gpu_peak_bytes": 7.5e9}
    rows = {row.what: row for row in table.ratio_rows(record)}
    assert rows["peak memory of the GPU, training"].ours == "7.50 GB"
    assert rows["training, 15520 patches at that rate: compiled bf16"].met is False  # 5.5 s


def test_the_table_without_a_twin(record: dict[str, Any]) -> None:
    for part in ("network", "folder", "training"):
        del record[part]["twin fp32"]
    record["twin"] = None
    text = page.markdown(record)
    assert "no TensorFlow" in text
    assert "twin fp32" not in text
    assert "| network part of a scene: compiled bf16 scene | 0.5 (0.4–0.9) s |" in text


def test_the_record_is_printed_again(record: dict[str, Any], tmp_path: Path) -> None:
    app = typer.Typer()
    app.command()(bench.main)
    path = tmp_path / "bench.json"
    path.write_text(json.dumps(record))
    arguments = ["--markdown", "--out", str(path)]
    answer = CliRunner().invoke(app, arguments)
    assert answer.exit_code == 0
    assert answer.stdout == page.markdown(record) + "\n"
    assert "network 25 %" in answer.stdout
    assert "| enc1a | 1 | 4 | 0.004 | 50 % |" in answer.stdout
    path.write_text("{")
    answer = CliRunner().invoke(app, arguments)
    assert answer.exit_code == 1
    assert answer.stderr.startswith("Error: ")
    assert "no record of bench.py" in answer.stderr


def test_a_table_of_the_parts_that_are_there(record: dict[str, Any]) -> None:
    for part in ("network", "folder", "twin", "layers", "memory", "ceilings"):
        del record[part]
    record["failed"] = {"memory": "CloudMaskError: too little of it"}
    text = page.markdown(record)
    assert "| training, batch 32: compiled bf16 |" in text
    assert "Not measured: memory: CloudMaskError: too little of it" in text
    assert "Runs that count: training 1." in text


def test_shares_of_the_slowest_stage_and_accuracy_are_in_the_tables(record: dict[str, Any]) -> None:
    stages = {"read": sample(0.2), "work": sample(0.6), "write": sample(0.1)}
    record["pipeline"] = {
        "thresholds": {**stages, "together": sample(0.8)},
        "network": {**stages, "together": sample(0.7)},
    }
    rows = {row.what: row for row in table.ratio_rows(record)}
    slow = rows["folder command, thresholds: a scene"]
    assert slow.ratio == pytest.approx(0.75)  # 0.6 of 0.8 s
    assert slow.met is False
    assert slow.against == "its slowest stage alone, work: 0.6 (0.6–0.6) s"
    assert rows["folder command, network: a scene"].met is True  # 0.6 / 0.7
    row = {"weights": "fresh", "input": "random", "engine": "onnx fp32"}
    record["accuracy"] = {"rows": [{**row, "relative_error": 3e-7, "flipped": 0.0125}]}
    assert "| fresh | random | onnx fp32 | 3.0e-07 | 1.25 % |" in page.markdown(record)


# The record


HEAD = {"plan": {"quick": True}, "hardware": {"cores": 2}, "software": {"torch": "2.0"}}


def test_parts_that_are_there_are_not_measured_again(tmp_path: Path) -> None:
    path = tmp_path / "bench.json"
    calls: list[str] = []

    def part(name: str, fails: bool = False) -> Any:
        def measure() -> dict[str, int]:
            calls.append(name)
            if fails:
                raise RuntimeError("the disk is full")
            # What was measured before is on the disk already.
            assert name == "a" or "a" in read_record(path)
            return {"runs": len(calls)}

        return measure

    record = Record.open(path, HEAD, again=False)
    record.measure("a", part("a"), quietness)
    record.measure("b", part("b", fails=True), quietness)
    record.measure("c", part("c"), quietness)
    assert read_record(path)["failed"] == {"b": "RuntimeError: the disk is full"}
    assert read_record(path)["c"] == {"runs": 3}

    resumed = Record.open(path, HEAD, again=False)
    for name in "abc":
        resumed.measure(name, part(name), quietness)
    assert calls == ["a", "b", "c", "b"]
    assert read_record(path)["failed"] == {}
    assert set(read_record(path)["quietness"]) == set("abc")

    with pytest.raises(OutputExistsError, match=r"record of another plan .* with --again"):
        Record.open(path, {**HEAD, "plan": {"quick": False}}, again=False)
    assert "a" not in Record.open(path, HEAD, again=True).content
    path.write_text("[]")
    with pytest.raises(BrokenFileError, match="no record of bench"):
        Record.open(path, HEAD, again=False)


def test_the_bench_goes_on_where_a_part_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = typer.Typer()
    app.command()(bench.main)
    monkeypatch.setattr(bench, "find_python", lambda _: None)
    broken = {"a": lambda _: {}, "b": lambda _: 1 / 0, "layers": parts.PARTS["layers"]}
    monkeypatch.setattr(bench, "PARTS", broken)
    out = tmp_path / "bench.json"
    arguments = ["--device", "cpu", "--out", str(out), "--work", str(tmp_path / "work")]

    answer = CliRunner().invoke(app, arguments)

    assert answer.exit_code == 1
    assert "Not measured: b, layers. Run it again for these." in answer.stderr
    assert set(read_record(out)["failed"]) == {"b", "layers"}
    assert "against the part 'ceilings'" in read_record(out)["failed"]["layers"]
    assert not any((tmp_path / "work").iterdir())
    monkeypatch.setattr(bench, "PARTS", {"a": broken["b"], "b": broken["a"]})
    answer = CliRunner().invoke(app, arguments)
    assert answer.exit_code == 0, answer.stderr
    assert "a: there already" in answer.stderr
    answer = CliRunner().invoke(app, [*arguments, "--part", "steam"])
    assert "Unknown part 'steam': expected any of a, b." in answer.stderr


# Stages and accuracy


def test_stages_are_timed_alone_and_together(tmp_path: Path) -> None:
    paths = []
    for number, name in enumerate("ab"):
        paths.append(tmp_path / f"S3A_{name}.hdf")
        write_scene(paths[-1], tiny_scene(number))
    found = measure_stages(Thresholds(), paths, tmp_path / "out", repeats=2)
    assert set(found) == {"read", "work", "write", "together"}
    assert all(len(times["runs_s"]) == 2 and times["median_s"] > 0 for times in found.values())
    assert len(list((tmp_path / "out" / "masks-0").glob("*.nc"))) == 2
    slowest, ratio = share(found)
    assert slowest in ("read", "work", "write")
    assert ratio > 0


def tiny_scene(seed: int) -> xr.Dataset:
    rng = np.random.default_rng(seed)
    bands = {f"S{i}": rng.uniform(0.1, 0.4, (16, 24)) for i in range(1, 7)}
    return build_scene(bands | {f"S{i}": rng.uniform(260, 290, (16, 24)) for i in range(7, 10)})


def test_engines_are_compared_on_fresh_and_trained_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny = material.TRAINED.model_copy(update={"epochs": 1, "train_split": 0.5, "widths": (4, 4)})
    monkeypatch.setattr(material, "TRAINED", tiny)
    windows = DatasetConfig(scenes=3, test_scenes=1, size=(128, 128), seed=71, daytime=True)
    monkeypatch.setattr(material, "WINDOWS", windows)

    found = measure_accuracy(tmp_path, CPU, ("eager",))

    assert found["trained"]["epochs"] == 1
    assert found["shape"] == [1, 9, 128, 128]
    rows = {(row["weights"], row["input"]): row for row in found["rows"]}
    assert set(rows) == {
        (weights, what)
        for weights in ("fresh", "trained")
        for what in ("random", "simulated windows")
    }
    assert {row["engine"] for row in found["rows"]} == {"eager bf16"}
    # bf16 keeps 8 bits: 2^-9 a layer, 15 layers.
    assert all(0 < row["relative_error"] < 0.05 for row in found["rows"])
    made = (tmp_path / "trained" / "model" / "config.json").stat().st_mtime_ns
    material.trained_model(tmp_path)
    assert (tmp_path / "trained" / "model" / "config.json").stat().st_mtime_ns == made


def test_device_time_leaves_out_bringing_and_fetching(tmp_path: Path) -> None:
    x_HWC = np.zeros((60, 60, 9), np.float32)
    ours = inference.Ours(material.fresh_model(tmp_path), x_HWC, CPU, "fp32")
    made = {"eager": make_engine(ours.model, engine="eager", device=CPU, precision="fp32")}
    object.__setattr__(ours, "engines", lambda _: made)
    found = inference.time_device(ours, 2)
    assert list(found) == ["eager fp32"]
    assert len(found["eager fp32"].seconds) == 2


def test_a_roofline_has_a_slope_and_a_roof() -> None:
    assert attainable(2.0, 100.0, 10.0) == 20.0
    assert attainable(20.0, 100.0, 10.0) == 100.0


def test_what_a_command_holds_is_not_what_holds_here() -> None:
    held = np.ones(80_000_000)  # 640 MB
    found = peak_memory(["--version"])
    assert found["command"] == "cloudmask --version"
    assert 1e7 < found["peak_bytes"] < 0.5 * held.nbytes
    with pytest.raises(CloudMaskError, match="failed"):
        peak_memory(["predict", "nowhere.SEN3"])


def test_ceilings_and_roofline_on_small_things(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ceilings, "MATRIX_SIZES", {"cpu": (16, 32, 64)})
    monkeypatch.setattr(ceilings, "COPY_BYTES", {"cpu": 1 << 20})
    monkeypatch.setattr(ceilings, "FILE_BYTES", 1 << 23)
    monkeypatch.setattr("benchmarks.roofline.SIZE", {"cpu": (16, 32)})
    found = ceilings.measure_ceilings(CPU, tmp_path, ["fp32"], quick=True)
    assert list(tmp_path.iterdir()) == []
    assert {c.unit for c in found.all} == {"FLOP/s", "B/s"}
    assert found.flops("fp32") > 0
    assert found.bandwidth > 0
    points = measure_layers(found, CPU, "fp32", quick=True)
    assert [p.name for p in points] == [layer.name for layer in network_layers()]
    draw(points, {"whole": (10.0, 1e9)}, found, "fp32", tmp_path / "roofline.png")
    assert (tmp_path / "roofline.png").read_bytes().startswith(b"\x89PNG")


def test_rates_are_amounts_by_time() -> None:
    ceiling = ceilings.Ceiling.of("x", "B/s", 8.0, Sample([2.0, 4.0, 8.0]))
    assert (ceiling.best, ceiling.median, ceiling.runs) == (4.0, 2.0, 3)


def test_training_is_timed_by_its_events_and_the_first_epoch_is_warm_up() -> None:
    turns = Turns(32, CPU, None, ["fp32"])
    for _ in range(3):
        for name in ("epoch_start", "epoch_stop", "evaluation"):
            turns(Event(name))
    assert list(turns.samples) == ["ours"]
    assert len(turns.samples["ours"].warm_up_seconds) == 1
    assert len(turns.samples["ours"].seconds) == 2


def test_a_random_store_splits_into_two_equal_scenes(tmp_path: Path) -> None:
    store = random_store(tmp_path, 2)
    trained, validated = store.split(0.5, 0)
    assert [s.count for s in trained + validated] == [2, 2]
    assert store.inputs_NHWC.shape == (4, 256, 256, 9)


def test_our_own_work_does_not_count_as_others() -> None:
    with quietness() as found:
        sum(range(10**6))
    assert 0 <= found["busy_elsewhere"] <= 1.1  # clocks tick in hundredths of a second


def test_weights_go_over_in_keras_axes() -> None:
    arrays = keras_arrays(UNet())
    assert len(arrays) == 30  # 15 layers, kernel and bias
    assert arrays[0].shape == (3, 3, 9, 32)
    assert arrays[16].shape == (3, 3, 256 + 128, 128)  # the first after the bottom
    assert arrays[-2].shape == (1, 1, 32, 1)
    assert sum(a.size for a in arrays) == 1_948_609


def test_a_twin_that_fails_or_dies_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "twin.py"
    script.write_text('print(\'{"error": "Boom: x"}\', flush=True); input()')
    monkeypatch.setattr(peer, "SCRIPT", script)
    with peer.Twin.start(Path(sys.executable)) as twin:
        with pytest.raises(peer.PeerError, match="could not do 'hello': Boom: x"):
            twin.ask("hello")
        twin._process.wait()  # so that the pipe is broken when it is written to
        with pytest.raises(peer.PeerError, match="died when asked for 'predict'"):
            twin.ask("predict")


def test_a_python_without_tensorflow_is_refused(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\nexit 1\n")
    python.chmod(0o755)
    with pytest.raises(peer.PeerError, match="has no TensorFlow"):
        peer.find_python(python)


@pytest.mark.slow
def test_the_twin_has_the_published_number_of_parameters() -> None:
    python = peer.find_python(None)
    if python is None:
        pytest.skip("TensorFlow is not installed (make bench)")
    with peer.Twin.start(python) as twin:
        assert twin.ask("hello")["parameters"] == 1_948_609
