"""The result of a run, as one JSON document that needs nothing else to be understood.

``measurements`` holds every headline number with its name, unit, label and data; ``scores`` every
score by mask, label and part of day, with the trivial masks beside them; ``scenes`` the same scene
by scene, and ``calibration`` what the probabilities mean. The rest says how they came about:
configuration, hardware and software as found, ``timers``, and ``resources`` that were taken.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from slstr_cloudmask.benchmark.config import BenchmarkConfig
from slstr_cloudmask.benchmark.inference import STAGES, Outcome
from slstr_cloudmask.benchmark.result_file import FORMAT_VERSION
from slstr_cloudmask.benchmark.sampling import ENERGIES
from slstr_cloudmask.evaluation.scores import LABEL_MEANING, calibrate, summarise
from slstr_cloudmask.training.loop import TrainResult
from slstr_cloudmask.training.store import Store

MEMORIES = {
    "process_bytes": "the run's processes",
    "system_bytes": "the machines",
    "gpu_bytes": "GPUs",
}


def compose(
    config: BenchmarkConfig,
    store: Store,
    trained: TrainResult,
    outcome: Outcome,
    seconds: dict[str, float],
    environment: dict[str, Any],
    *,
    timers: list[dict[str, Any]],
    resources: list[dict[str, Any]],
) -> dict[str, Any]:
    """Return the result document.

    Parameters
    ----------
    config
        What was asked for.
    store, trained
        What was trained on, and what came of it.
    outcome
        Masks, scored.
    seconds
        Wall-clock time of ``staging``, ``init``, ``inference`` and the ``run``, in all sittings.
    environment
        ``hardware`` and ``software`` as found.
    timers, resources
        As `timers.timer_rows` and `resources.gather_resources` return them.
    """
    scores = summarise(outcome.scores)
    kept = trained.state.history[trained.kept_epoch - 1]
    return {
        "format_version": FORMAT_VERSION,
        "created": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "config": config.model_dump(mode="json"),
        **environment,
        "data": {
            "training": str(config.train_dir),
            "inference": str(config.inference_dir),
            "simulated": any(score.label == "truth" for score in outcome.scores),
            "training_scenes": len(store.manifest.scenes),
            "training_patches": store.manifest.patches,
            "training_skipped": store.manifest.skipped,
            "inference_scenes": len(outcome.seconds),
            "inference_failed": outcome.failed,
        },
        "training": {
            "epochs": trained.state.epoch,
            "kept_epoch": trained.kept_epoch,
            "precision": trained.precision,
            "resumed_after_epoch": trained.resumed_after,
            "kept": kept,
            "history": trained.state.history,
        },
        "seconds": {"training": training_seconds(trained.state.history), **seconds},
        "seconds_by_scene": outcome.seconds,
        "seconds_per_scene": outcome.seconds_per_scene,
        "scenes_overlapped": outcome.overlapped,
        "timers": timers,
        "resources": resources,
        "measurements": [
            *_measurements(config, trained, outcome, seconds, scores),
            *resource_measurements(config, resources),
        ],
        "scores": scores,
        "calibration": calibrate(outcome.scores),
        "scenes": [score.to_dict() for score in outcome.scores],
    }


def _measurements(
    config: BenchmarkConfig,
    trained: TrainResult,
    outcome: Outcome,
    seconds: dict[str, float],
    scores: list[dict[str, Any]],
) -> list[dict[str, Any]]:
    """Gather the headline numbers, each with its name, unit, label and data."""
    test, train = str(config.inference_dir), str(config.train_dir)
    rows = []

    def add(name: str, value: float | None, unit: str, label: str | None, data: str) -> None:
        rows.append({"name": name, "value": value, "unit": unit, "label": label, "data": data})

    for row in scores:
        if row["part"] == "all":
            for name in ("accuracy", "kuipers", "published_accuracy", "brier"):
                add(f"{row['mask']}: {name}", row[name], "1", LABEL_MEANING[row["label"]], test)
    epochs = trained.state.history
    label = LABEL_MEANING[config.data.label]
    last = epochs[trained.kept_epoch - 1]
    add("validation agreement", last["validation_agreement"], "1", label, train)
    add("validation loss", last["validation_loss"], "nat/pixel", label, train)
    per_epoch = training_seconds(epochs) / len(epochs)
    add("time per epoch, with validation", per_epoch, "s", None, train)
    add("training rate", _mean([e["patches_per_s"] for e in epochs]), "patches/s", None, train)
    for stage in STAGES:
        spent = [scene[stage] for scene in outcome.seconds]
        words = ", beside other scenes" if outcome.overlapped else ""
        add(f"time per scene: {stage}{words}", _mean(spent), "s", None, test)
    add("time per scene", outcome.seconds_per_scene, "s", None, test)
    add("training time", training_seconds(epochs), "s", None, train)
    for name, value in seconds.items():
        add(f"{name} time", value, "s", None, test if name == "inference" else train)
    # The Science policy counts staging; MLPerf HPC does not.
    add("staging and run time", seconds["staging"] + seconds["run"], "s", None, train)
    return rows


def resource_measurements(
    config: BenchmarkConfig, resources: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Gather energy and memory of all machines together; what one of them does not tell is none."""
    rows = []

    def add(name: str, values: Sequence[float | None], unit: str, data: Path) -> None:
        if values and None not in values:
            total = sum(value for value in values if value is not None)
            row = {"name": name, "value": total, "unit": unit, "label": None, "data": str(data)}
            rows.append(row)

    for phase in ("staging", "training", "inference"):
        data = config.inference_dir if phase == "inference" else config.train_dir
        told = [machine["phases"].get(phase, {}) for machine in resources]
        for source in ENERGIES:
            energy = [one.get("energy_j", {}).get(source) for one in told]
            power = [one.get("mean_power_w", {}).get(source) for one in told]
            add(f"{source} energy, {phase}", energy, "J", data)
            add(f"{source} mean power, {phase}", power, "W", data)
    for name, words in MEMORIES.items():
        peaks = [machine["peak"].get(name) for machine in resources]
        add(f"peak memory, {words}", peaks, "byte", config.train_dir)
    return rows


def training_seconds(history: list[dict[str, Any]]) -> float:
    """Return the seconds of training and validation of all epochs, an earlier sitting's too."""
    return float(sum(epoch["train_seconds"] + epoch["validation_seconds"] for epoch in history))


def _gpus(document: dict[str, Any]) -> int:
    """Return the GPUs in use: one a process, or none."""
    hardware = document["hardware"]
    return int(hardware["ranks"]) if hardware["accelerator"] else 0


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def mlperf_result(document: dict[str, Any], submission_name: str) -> dict[str, Any]:
    """Return the value of the log's ``result`` line, with the keys that published runs use."""
    history = document["training"]["history"]
    kept = document["training"]["kept"]
    scenes = [
        row["published_accuracy"]
        for row in document["scenes"]
        if row["mask"] == "network" and row["label"] == "bayes"
    ]
    config = document["config"]
    return {
        "name": submission_name,
        "training": {
            "samples": document["data"]["training_scenes"],
            "accuracy": kept["train_agreement"],
            "loss": kept["train_loss"],
            "val_loss": kept["validation_loss"],
            "val_accuracy": kept["validation_agreement"],
            "history": {
                "accuracy": [epoch["train_agreement"] for epoch in history],
                "loss": [epoch["train_loss"] for epoch in history],
                "val_loss": [epoch["validation_loss"] for epoch in history],
                "val_accuracy": [epoch["validation_agreement"] for epoch in history],
            },
            "batch_size": config["train"]["batch_size"],
            "crop_size": config["data"]["crop_size"],
            "learning_rate": config["train"]["learning_rate"],
        },
        "inference": {"avg_accuracy": _mean(scenes), "accuracy": scenes},
        "inference_analyze": {
            "number": len(document["seconds_by_scene"]),
            "bs": config["train"]["batch_size"],
            "nodes": document["hardware"]["nodes"],
            "gpus": _gpus(document),
            "time_per_inference": document["seconds_per_scene"],
        },
    }


def reference_log_lines(document: dict[str, Any]) -> list[str]:
    """Return the two plain log lines of the reference.

    Time per epoch divides by the epochs that were run, not by those that were configured.
    """
    hardware, config = document["hardware"], document["config"]
    shape = f"bs={config['train']['batch_size']}, nodes={hardware['nodes']}, gpus={_gpus(document)}"
    epochs = len(document["training"]["history"])
    per_epoch = document["seconds"]["training"] / epochs
    scenes, per_scene = len(document["seconds_by_scene"]), document["seconds_per_scene"] or 0.0
    return [
        f"CloudMask training, samples = {document['data']['training_scenes']}, epochs={epochs}, "
        f"{shape}, time_per_epoch={per_epoch:.2f}",
        f"CloudMask inference, inferences={scenes}, {shape}, time_per_inference={per_scene:.2f}",
    ]
