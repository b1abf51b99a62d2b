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

from slstr_cloudmask.atomic import check_output
from slstr_cloudmask.benchmark.config import BenchmarkConfig
from slstr_cloudmask.benchmark.environment import hardware, software
from slstr_cloudmask.benchmark.facts import run_facts, submission_facts
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
from slstr_cloudmask.errors import InputError, OutputExistsError, WriteError
from slstr_cloudmask.events import Event, Listener, ignore
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
    model_config,
    prepare_store,
)
from slstr_cloudmask.training.store import Store, is_store, open_store


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
        A test scene is trained on too, or not one could be masked.
    """
    out = config.output_dir
    _check_outputs(config, overwrite=overwrite)
    train_paths, test_paths = _training_material(config), find_scenes(config.inference_dir)
    _check_scenes(train_paths, test_paths)
    seconds: dict[str, float] = {}

    with joined(device) as ranks, _log(config, ranks) as emit:
        # -- staging: scenes are packed once, outside the timed run ---------------------------
        if overwrite and ranks.is_first:
            # Both, so that a run that is stopped from here on goes on without --overwrite.
            (out / RESULT_NAME).unlink(missing_ok=True)
            (out / CHECKPOINT_NAME).unlink(missing_ok=True)
        emit(Event("facts", submission_facts(config)))
        with _interval(emit, "staging", seconds):
            store = prepare_store(
                train_paths,
                out / STORE_NAME,
                config.data,
                read=open_scene,
                ranks=ranks,
                overwrite=overwrite,
            )

        # -- initialisation -------------------------------------------------------------------
        with _interval(emit, "init", seconds):
            environment = {"hardware": hardware(device, ranks), "software": software()}
            emit(Event("facts", run_facts(config, store, environment["hardware"])))

        # -- the timed run: training, then masks of the test scenes ------------------------------
        with _interval(emit, "run", seconds):
            checkpoint = out / CHECKPOINT_NAME
            trained = train(
                config.train, store, device=device, ranks=ranks, checkpoint=checkpoint, listen=emit
            )
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
            write_result(document, out)
            _write_log_lines(config, document)
    return document


def _check_outputs(config: BenchmarkConfig, *, overwrite: bool) -> None:
    """Refuse, before any work is done, what could not be written or must not be replaced."""
    check_sizes(config.train, config.data)
    check_output(config.output_dir / RESULT_NAME, overwrite=overwrite)
    stopped = (config.output_dir / CHECKPOINT_NAME).is_file()
    check_model_folder(_model_folder(config), overwrite=overwrite or stopped)
    for path in (config.log_file, config.mlperf_logfile):
        if path is not None and path.is_dir():
            raise OutputExistsError(f"{path} is a folder: expected the name of a log file.")


def _training_material(config: BenchmarkConfig) -> list[Path]:
    """Return the scenes to train on, or the one store that they were packed into."""
    if config.data.store is None:
        return find_scenes(config.train_dir)
    open_store(config.data.store)  # says what is wrong before anything is written
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
def _log(config: BenchmarkConfig, ranks: Ranks) -> Iterator[Listener]:
    """Give the first process the MLPerf log to speak to; the others speak to nobody."""
    if not ranks.is_first:
        yield ignore
        return
    # Our own log is of one run; a file that the user named may hold others, and is added to.
    own = config.output_dir / "mlperf.log"
    log = MlperfLog(config.mlperf_logfile or own, append=config.mlperf_logfile is not None)
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


def _saved_detector(
    config: BenchmarkConfig, store: Store, trained: TrainResult, device: torch.device, ranks: Ranks
) -> Network:
    """Write the model file in the first process, and read it back in all: masks come from it."""
    folder = _model_folder(config)
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
        overlapped=outcome.overlapped,
        wall_seconds=sum(part.wall_seconds for part in parts),
    )


def _test_accuracy(outcome: Outcome, epoch: int) -> Event:
    """Return the benchmark's metric over the test scenes, for the log."""
    every = [score.every.accuracy for score in outcome.scores if score.label == "bayes"]
    data = {"epoch": epoch, "set": "test", "accuracy": fmean(every) if every else None}
    return Event("test_accuracy", data)


def _write_log_lines(config: BenchmarkConfig, document: dict[str, Any]) -> None:
    path = config.log_file or config.output_dir / "cloudmask.log"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.writelines(line + "\n" for line in reference_log_lines(document))
    except OSError as error:
        raise WriteError(f"The result is written, but not the log {path}: {error}") from error
