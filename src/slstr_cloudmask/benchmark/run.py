"""The benchmark from beginning to end: stage, train, mask, score, write down.

    document = run_benchmark(load_config(Path("benchmark.yaml")), device=torch.device("cpu"))

Every process of a launch calls it; the first one writes. A run that was stopped goes on from its
packed store and its checkpoint.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import fmean
from typing import Any

import torch

from slstr_cloudmask import __version__
from slstr_cloudmask.atomic import check_output
from slstr_cloudmask.benchmark.config import BenchmarkConfig
from slstr_cloudmask.benchmark.environment import hardware, software
from slstr_cloudmask.benchmark.inference import (
    Outcome,
    infer_scenes,
    netcdf_writer,
    reference_writer,
)
from slstr_cloudmask.benchmark.mlperf_log import MlperfLog
from slstr_cloudmask.benchmark.result import compose, mlperf_result, reference_log_lines
from slstr_cloudmask.benchmark.result_file import RESULT_NAME, write_result
from slstr_cloudmask.detectors import get_detector
from slstr_cloudmask.detectors.network import Network
from slstr_cloudmask.errors import InputError
from slstr_cloudmask.events import Event, Listener, ignore
from slstr_cloudmask.io.benchmark_hdf import find_scenes, read_scene
from slstr_cloudmask.network.model_file import save_model
from slstr_cloudmask.training.distribution import Ranks, joined
from slstr_cloudmask.training.loop import ADAM_EPSILON, TrainResult, train
from slstr_cloudmask.training.pack import Store
from slstr_cloudmask.training.run import (
    CHECKPOINT_NAME,
    MODEL_NAME,
    STORE_NAME,
    model_config,
    prepare_store,
)


def run_benchmark(
    config: BenchmarkConfig, *, device: torch.device, overwrite: bool = False
) -> dict[str, Any]:
    """Run the benchmark.

    Parameters
    ----------
    config
        What is to be done.
    device
        Where.
    overwrite
        Replace the result of an earlier run and start anew.

    Returns
    -------
    dict
        The result document, as written to ``result.json``.

    Raises
    ------
    OutputExistsError
        There is a result already and ``overwrite`` is false.
    MissingFileError
        A folder is not there or holds no scenes.
    InputError
        Not one scene could be masked.
    """
    out = config.output_dir
    check_output(out / RESULT_NAME, overwrite=overwrite)
    train_paths, test_paths = find_scenes(config.train_dir), find_scenes(config.inference_dir)
    seconds: dict[str, float] = {}

    with joined(device) as ranks, _log(config, ranks) as emit:
        # -- staging: scenes are packed once, outside the timed run ---------------------------
        if overwrite and ranks.is_first:
            (out / CHECKPOINT_NAME).unlink(missing_ok=True)
        emit(Event("facts", _submission_facts(config)))
        with _interval(emit, "staging", seconds):
            store = prepare_store(
                train_paths,
                out / STORE_NAME,
                config.data,
                read=read_scene,
                ranks=ranks,
                overwrite=overwrite,
            )

        # -- initialisation -------------------------------------------------------------------
        with _interval(emit, "init", seconds):
            environment = {"hardware": hardware(device, ranks), "software": software()}
            emit(Event("facts", _run_facts(config, store, environment["hardware"])))

        # -- the timed run: training, then masks of the test scenes ------------------------------
        with _interval(emit, "run", seconds):
            started = time.perf_counter()
            checkpoint = out / CHECKPOINT_NAME
            trained = train(
                config.train, store, device=device, ranks=ranks, checkpoint=checkpoint, listen=emit
            )
            seconds["training"] = time.perf_counter() - started
            detector = _saved_detector(config, store, trained, device, ranks)
            emit(Event("inference_start", {"epoch": trained.kept_epoch, "set": "test"}))
            started = time.perf_counter()
            outcome = _infer(config, test_paths, detector, ranks)
            seconds["inference"] = time.perf_counter() - started
            emit(_test_accuracy(outcome, trained.kept_epoch))
            emit(Event("inference_stop", {"epoch": trained.kept_epoch, "set": "test"}))

        # -- other detectors on the same scenes, outside the timed run -------------------------
        for name in config.baselines:
            baseline = infer_scenes(_share(test_paths, ranks), get_detector(name))
            outcome.scores += _gather(baseline, ranks).scores

        document = compose(config, store, trained, outcome, seconds, environment)
        emit(Event("result", mlperf_result(document, config.submission.benchmark)))
        if ranks.is_first:
            _write_log_lines(config, document)
            write_result(document, out, overwrite=overwrite)
    return document


@contextmanager
def _log(config: BenchmarkConfig, ranks: Ranks) -> Iterator[Listener]:
    """Give the first process the MLPerf log to speak to; the others speak to nobody."""
    if not ranks.is_first:
        yield ignore
        return
    log = MlperfLog(config.mlperf_logfile or config.output_dir / "mlperf.log")
    try:
        yield log
    finally:
        log.close()


@contextmanager
def _interval(emit: Listener, name: str, seconds: dict[str, float]) -> Iterator[None]:
    """Emit the start and the stop of a stage, with how it ended, and note its seconds."""
    emit(Event(f"{name}_start"))
    started = time.perf_counter()
    status = "aborted"
    try:
        yield
        status = "success"
    finally:
        seconds[name] = time.perf_counter() - started
        emit(Event(f"{name}_stop", {"status": status}))


def _submission_facts(config: BenchmarkConfig) -> dict[str, Any]:
    given = config.submission.model_dump()
    return {
        **{f"submission_{name}": value for name, value in given.items()},
        "submission_version": f"slstr-cloudmask-{__version__}",
        # The policy spells it so (mlcommons/science, policy.adoc 0.5).
        "submissiom_version": f"slstr-cloudmask-{__version__}",
        "submission_github_commit_version": software()["commit"],
        "cache_clear": config.cache_cleared,
    }


def _run_facts(config: BenchmarkConfig, store: Store, found: dict[str, Any]) -> dict[str, Any]:
    train_scenes, validation_scenes = store.split(config.train.train_split, config.train.seed)
    return {
        "number_of_ranks": found["ranks"],
        "number_of_nodes": found["nodes"],
        "accelerators_per_node": found["accelerators_per_node"],
        "seed": config.train.seed,
        "global_batch_size": config.train.batch_size,
        "gradient_accumulation_frequency": 1,
        "train_samples": sum(scene.count for scene in train_scenes),
        "eval_samples": sum(scene.count for scene in validation_scenes),
        "opt_name": "Adam",
        "opt_base_learning_rate": config.train.learning_rate,
        "opt_epsilon": ADAM_EPSILON,
    }


def _saved_detector(
    config: BenchmarkConfig, store: Store, trained: TrainResult, device: torch.device, ranks: Ranks
) -> Network:
    """Write the model file in the first process, and read it back in all: masks come from it."""
    folder = config.model_dir or config.output_dir / MODEL_NAME
    if ranks.is_first:
        described = model_config(config.train, config.data, store, trained)
        save_model(trained.network, described, folder, overwrite=True)
    ranks.wait()
    return Network(
        folder,
        device=str(device),
        precision=config.train.precision,
        mode=config.inference_mode,
    )


def _infer(
    config: BenchmarkConfig,
    paths: list[Path],
    detector: Network,
    ranks: Ranks,
) -> Outcome:
    writers = {"netcdf": netcdf_writer, "reference": reference_writer}
    folder = config.masks_dir or config.output_dir / "masks"
    outcome = infer_scenes(
        _share(paths, ranks),
        detector,
        # The result is not there yet, so masks that are come from a run that was stopped.
        write=writers[config.mask_format](folder, overwrite=True),
        faithful=config.faithful,
    )
    outcome = _gather(outcome, ranks)
    if not outcome.scores:
        reasons = next(iter(outcome.failed.items()))
        raise InputError(f"Not one test scene could be masked; {reasons[0]}: {reasons[1]}")
    return outcome


def _share(paths: list[Path], ranks: Ranks) -> list[Path]:
    return paths[ranks.rank :: ranks.world_size]


def _gather(outcome: Outcome, ranks: Ranks) -> Outcome:
    """Bring together what came of the shares of all processes, in the order of the scenes."""
    parts = ranks.gather([outcome])
    return Outcome(
        scores=sorted((s for part in parts for s in part.scores), key=lambda s: s.scene),
        seconds=[scene for part in parts for scene in part.seconds],
        failed={name: why for part in parts for name, why in part.failed.items()},
    )


def _test_accuracy(outcome: Outcome, epoch: int) -> Event:
    """Return the benchmark's metric over the test scenes, for the log."""
    every = [score.every.accuracy for score in outcome.scores if score.label == "bayes"]
    data = {"epoch": epoch, "set": "test", "accuracy": fmean(every) if every else None}
    return Event("test_accuracy", data)


def _write_log_lines(config: BenchmarkConfig, document: dict[str, Any]) -> None:
    path = config.log_file or config.output_dir / "cloudmask.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.writelines(line + "\n" for line in reference_log_lines(document))
