"""The benchmark from beginning to end: stage, train, mask, score, write down.

    document = run_benchmark(load_config(Path("benchmark.yaml")), device=torch.device("cpu"))
    document = resume_benchmark(Path("runs/benchmark"), device=torch.device("cpu"))

Every process of a launch calls it; the first one writes. A run that was stopped, killed even, goes
on from what it had finished: packed scenes, whole epochs, masks with their scores. The result is
written last: where it is, the run is whole.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from slstr_cloudmask.atomic import check_output
from slstr_cloudmask.benchmark.config import BenchmarkConfig
from slstr_cloudmask.benchmark.environment import hardware, software
from slstr_cloudmask.benchmark.facts import run_facts, submission_facts
from slstr_cloudmask.benchmark.resources import gather_resources, sampled
from slstr_cloudmask.benchmark.result import compose, mlperf_result
from slstr_cloudmask.benchmark.result_file import RESULT_NAME, read_result
from slstr_cloudmask.benchmark.run_folder import CONFIG_NAME, read_config
from slstr_cloudmask.benchmark.run_log import run_log
from slstr_cloudmask.benchmark.scoring import (
    RECORDS_NAME,
    baseline_scores,
    mask_and_score,
    published_accuracy,
)
from slstr_cloudmask.benchmark.sittings import seconds_of
from slstr_cloudmask.benchmark.timers import TIMERS_NAME, timer_rows, write_timers
from slstr_cloudmask.detectors.network import Network
from slstr_cloudmask.errors import InputError, OutputExistsError
from slstr_cloudmask.events import Event, Listener, to_all
from slstr_cloudmask.io import open_scene
from slstr_cloudmask.io.find_scenes import find_scenes
from slstr_cloudmask.network.model_file import check_model_folder, save_model
from slstr_cloudmask.training.distribution import Ranks, joined
from slstr_cloudmask.training.loop import TrainResult, train
from slstr_cloudmask.training.pack import check_names
from slstr_cloudmask.training.run import (
    CHECKPOINT_NAME,
    MODEL_NAME,
    STORE_NAME,
    check_sizes,
    check_store,
    model_config,
    prepare_store,
)
from slstr_cloudmask.training.store import Store, is_store, open_store

TIMED = ("staging", "init", "run", "inference")


def run_benchmark(
    config: BenchmarkConfig, *, device: torch.device, overwrite: bool = False
) -> dict[str, Any]:
    """Run the benchmark, or go on with a run that was stopped.

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
        There is a result already and ``overwrite`` is false, or another process writes there.
    MissingFileError
        A folder is not there or holds no scenes.
    InputError
        A test scene is trained on too, or not one could be masked.
    ConfigError
        The folder holds a run of another configuration.
    WriteError
        The operating system refused to write; what is finished is kept.
    """
    out = config.output_dir
    _check_outputs(config, overwrite=overwrite)
    train_paths, test_paths = training_material(config), find_scenes(config.inference_dir)
    _check_scenes(train_paths, test_paths)

    with joined(device) as ranks:
        environment = {"hardware": hardware(device, ranks), "software": software()}
        with (
            run_log(config, environment, ranks, overwrite=overwrite) as log,
            sampled(out, device, ranks, anew=overwrite) as machine,
        ):
            emit = to_all(log, machine)
            if overwrite and ranks.is_first:
                forget(out)
            # -- staging: scenes are packed once, outside the timed run -----------------------
            commit = environment["software"]["commit"]
            emit(Event("submission_facts", submission_facts(config, commit)))
            with interval(emit, "staging"):
                store = prepare_store(
                    train_paths,
                    out / STORE_NAME,
                    config.data,
                    read=open_scene,
                    ranks=ranks,
                    overwrite=overwrite,
                )
                _check_skipped(config, store)

            # -- initialisation ---------------------------------------------------------------
            with interval(emit, "init"):
                emit(Event("run_facts", run_facts(config, store, environment["hardware"])))

            # -- the timed run: training, then masks of the test scenes --------------------------
            with interval(emit, "run"):
                with interval(emit, "training_block"):
                    trained = _train(config, store, device, ranks, emit)
                with interval(emit, "inference_block"):
                    with interval(emit, "load_model"):
                        detector = _load_detector(config, device)
                    test = {"epoch": trained.kept_epoch, "set": "test"}
                    emit(Event("inference_start", test))
                    outcome = mask_and_score(config, test_paths, detector, ranks, emit)
                    emit(Event("test_accuracy", {**test, "accuracy": published_accuracy(outcome)}))
                    emit(Event("inference_stop", test))

            # -- other detectors on the same scenes, outside the timed run ---------------------
            outcome.scores += baseline_scores(config, test_paths, ranks, emit)

            seconds = {stage: seconds_of(stage, log.events) for stage in TIMED}
            document = compose(
                config,
                store,
                trained,
                outcome,
                seconds,
                environment,
                timers=timer_rows(log.events, outcome.seconds),
                resources=gather_resources(machine, ranks),
            )
            emit(Event("result", mlperf_result(document, config.submission.benchmark)))
            if ranks.is_first:
                write_timers(document["timers"], out / TIMERS_NAME, config.submission.platform)
            log.finish(document)
    return document


def resume_benchmark(folder: Path, *, device: torch.device) -> dict[str, Any]:
    """Go on with the run in a folder as it was begun; a finished one is left as it is.

    Raises
    ------
    MissingFileError
        The folder holds no run.
    """
    config = read_config(folder)
    if (folder / RESULT_NAME).is_file():
        return read_result(folder)
    return run_benchmark(config, device=device)


def forget(out: Path) -> None:
    """Remove what an earlier run would be gone on from.

    All of it, so that a run that is stopped from here on goes on without ``overwrite``.
    """
    (out / RESULT_NAME).unlink(missing_ok=True)
    (out / CHECKPOINT_NAME).unlink(missing_ok=True)
    shutil.rmtree(out / RECORDS_NAME, ignore_errors=True)


def _check_outputs(config: BenchmarkConfig, *, overwrite: bool) -> None:
    """Refuse, before any work is done, what could not be written or must not be replaced."""
    check_sizes(config.train, config.data)
    check_output(config.output_dir / RESULT_NAME, overwrite=overwrite)
    begun = any((config.output_dir / name).is_file() for name in (CONFIG_NAME, CHECKPOINT_NAME))
    check_model_folder(_model_folder(config), overwrite=overwrite or begun)
    for path in (config.log_file, config.mlperf_logfile):
        if path is not None and path.is_dir():
            raise OutputExistsError(f"{path} is a folder: expected the name of a log file.")


def _check_skipped(config: BenchmarkConfig, store: Store) -> None:
    """Stop at training scenes that could not be read, where the configuration says so."""
    if config.on_failed_scene == "stop" and (skipped := store.manifest.skipped):
        name, reason = next(iter(skipped.items()))
        raise InputError(
            f"{len(skipped)} of the training scenes could not be read, {name} for one: {reason} "
            "The run stops, as on_failed_scene says. Mend or remove them, then pack again with "
            "--overwrite."
        )


def training_material(config: BenchmarkConfig) -> list[Path]:
    """Return the scenes to train on, or the one store that they were packed into."""
    if config.data.store is None:
        return find_scenes(config.train_dir, listed=config.data.file_order == "listed")
    # Before anything is written.
    check_store(open_store(config.data.store).manifest, config.data.store, config.data)
    return [config.data.store]


def _check_scenes(train_paths: list[Path], test_paths: list[Path]) -> None:
    """Refuse test scenes that were trained on, and two of one name, whose masks would collide."""
    check_names(test_paths)
    trained_on = {path.name for path in train_paths}
    if is_store(train_paths[0]):
        trained_on = {scene.name for scene in open_store(train_paths[0]).manifest.scenes}
    if shared := sorted(trained_on & {path.name for path in test_paths}):
        raise InputError(
            f"{len(shared)} scenes are trained on and in inference_dir, {shared[0]} for one: "
            "a score on scenes that were trained on says nothing. Keep them apart."
        )


def _model_folder(config: BenchmarkConfig) -> Path:
    return config.model_dir or config.output_dir / MODEL_NAME


@contextmanager
def interval(emit: Listener, name: str) -> Iterator[None]:
    """Emit the start and the stop of a stage, with how it ended."""
    emit(Event(f"{name}_start"))
    status = "aborted"
    try:
        yield
        status = "success"
    finally:
        emit(Event(f"{name}_stop", {"status": status}))


def _train(
    config: BenchmarkConfig, store: Store, device: torch.device, ranks: Ranks, emit: Listener
) -> TrainResult:
    """Train, and write the model file in the first process."""
    with interval(emit, "training"):
        trained = train(
            config.train,
            store,
            device=device,
            ranks=ranks,
            checkpoint=config.output_dir / CHECKPOINT_NAME,
            listen=emit,
        )
    with interval(emit, "save_model"):
        if ranks.is_first:
            described = model_config(config.train, config.data, store, trained)
            save_model(trained.network, described, _model_folder(config), overwrite=True)
        ranks.wait()
    return trained


def _load_detector(config: BenchmarkConfig, device: torch.device) -> Network:
    """Read the model file back, in all processes: masks come from it."""
    return Network(
        _model_folder(config),
        device=str(device),
        precision=config.train.precision,
        mode=config.inference_mode,
    )
