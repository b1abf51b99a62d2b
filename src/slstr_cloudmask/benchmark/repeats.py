"""The same run several times over, with distinct seeds and one packed store.

    RUN/run-1 … RUN/run-N   whole run folders, with seeds S, S+1, …
    RUN/store               the scenes, packed once
    RUN/repeats.json        how each went, and statistics over all
    RUN/events.jsonl        packing, and the start and the stop of each repeat

    document = run_repeats(config, 5, device=torch.device("cpu"))

A repeat that fails is named, and the others go on. Started again, what is finished is kept, and
what failed or was stopped goes on.
"""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from slstr_cloudmask.atomic import replacing
from slstr_cloudmask.benchmark.config import BenchmarkConfig
from slstr_cloudmask.benchmark.differences import PLACES, differences
from slstr_cloudmask.benchmark.environment import hardware, software
from slstr_cloudmask.benchmark.result_file import RESULT_NAME, read_result
from slstr_cloudmask.benchmark.run import forget, interval, run_benchmark, training_material
from slstr_cloudmask.benchmark.run_folder import read_config, sitting
from slstr_cloudmask.benchmark.run_sets import Run, statistics_of
from slstr_cloudmask.errors import BrokenFileError, CloudMaskError, ConfigError, InputError
from slstr_cloudmask.events import Event, Listener, ignore
from slstr_cloudmask.io import open_scene
from slstr_cloudmask.training.distribution import Ranks, joined
from slstr_cloudmask.training.run import STORE_NAME, check_sizes, prepare_store

logger = logging.getLogger(__name__)

REPEATS_NAME = "repeats.json"


def run_repeats(
    config: BenchmarkConfig, count: int, *, device: torch.device, overwrite: bool = False
) -> dict[str, Any]:
    """Run a configuration several times with distinct seeds.

    Parameters
    ----------
    config
        What is run; ``output_dir`` is the folder of all, and ``train.seed`` the first seed. Each
        repeat keeps model and masks in its own folder.
    count
        How many times.
    device, overwrite
        See `run_benchmark`.

    Returns
    -------
    dict
        ``runs`` with ``folder``, ``seed`` and ``error`` (None where it went well), and
        ``statistics`` over those that went well, as written to ``repeats.json``.

    Raises
    ------
    CloudMaskError
        Not one repeat went well: what was wrong with the last. In a launch of several processes
        a repeat that fails ends it; what is finished is kept.
    """
    if count < 1:
        raise InputError(f"Expected one repeat or more, found {count}.")
    check_sizes(config.train, config.data)
    out = config.output_dir
    document: dict[str, Any] = {"count": count, "runs": [], "statistics": []}
    finished: list[Run] = []
    failure: CloudMaskError | None = None
    with joined(device) as ranks, _held(config, device, ranks, overwrite=overwrite) as emit:
        _write(document, out, ranks)
        store = _shared_store(config, ranks, emit, overwrite=overwrite)
        for number in range(1, count + 1):
            repeat = _repeat(config, number, store)
            seed, folder = repeat.train.seed, repeat.output_dir
            row = {"folder": folder.name, "seed": seed, "error": None}
            logger.info("Repeat %d of %d, seed %d, into %s", number, count, seed, folder)
            emit(Event("repeat_start", dict(row)))
            try:
                result = _finished(repeat) or run_benchmark(repeat, device=device)
                finished.append(Run(folder, result))
            except CloudMaskError as error:
                row["error"], failure = str(error), error
                logger.warning("Repeat %d failed: %s", number, error)
            emit(Event("repeat_stop", dict(row)))
            document["runs"].append(row)
            _write(document, out, ranks)
            if failure is not None and ranks.world_size > 1:
                raise failure  # the others may be elsewhere by now
        if failure is not None and not finished:
            raise failure
        document["statistics"] = statistics_of(finished)
        _write(document, out, ranks)
    return document


def resume_repeats(folder: Path, *, device: torch.device) -> dict[str, Any] | None:
    """Go on with repeats as they were begun; None where the folder is not of repeats.

    Raises
    ------
    BrokenFileError
        It cannot be told how many there are to be.
    """
    path = folder / REPEATS_NAME
    if not path.is_file():
        return None
    try:
        count = int(json.loads(path.read_text())["count"])
    except (ValueError, TypeError, KeyError) as error:
        raise BrokenFileError(
            f"{path} cannot be read: {error}. Remove it, and begin again with --repeats: what is "
            "finished is kept."
        ) from error
    return run_repeats(read_config(folder), count, device=device)


@contextmanager
def _held(
    config: BenchmarkConfig, device: torch.device, ranks: Ranks, *, overwrite: bool
) -> Iterator[Listener]:
    """Hold the folder of all repeats in the first process."""
    if not ranks.is_first:
        yield ignore
        return
    environment = {"hardware": hardware(device, ranks), "software": software()}
    with sitting(config, environment, overwrite=overwrite) as log:
        if overwrite:
            for folder in config.output_dir.glob("run-*"):
                forget(folder)
        yield log


def _shared_store(
    config: BenchmarkConfig, ranks: Ranks, emit: Listener, *, overwrite: bool
) -> Path:
    """Pack the scenes once for all, unless they are packed."""
    if config.data.store is not None:
        return config.data.store
    folder = config.output_dir / STORE_NAME
    with interval(emit, "staging"):
        prepare_store(
            training_material(config),
            folder,
            config.data,
            read=open_scene,
            ranks=ranks,
            overwrite=overwrite,
        )
    return folder


def _repeat(config: BenchmarkConfig, number: int, store: Path) -> BenchmarkConfig:
    """Return the configuration of one repeat."""
    return config.model_copy(
        update={
            "output_dir": config.output_dir / f"run-{number}",
            "model_dir": None,
            "masks_dir": None,
            "train": config.train.model_copy(update={"seed": config.train.seed + number - 1}),
            "data": config.data.model_copy(update={"store": store}),
        }
    )


def _finished(config: BenchmarkConfig) -> dict[str, Any] | None:
    """Return the result of a repeat that is finished.

    Raises
    ------
    ConfigError
        It is of another configuration.
    """
    folder = config.output_dir
    if not (folder / RESULT_NAME).is_file():
        return None
    document = read_result(folder)
    now = config.model_dump(mode="json")
    if differing := differences(document["config"], now, ignoring=PLACES):
        raise ConfigError(
            f"{folder} was run with another configuration: {', '.join(differing)} differ. Choose "
            "another --output, or pass --overwrite to run all repeats anew."
        )
    return document


def _write(document: dict[str, Any], folder: Path, ranks: Ranks) -> None:
    if ranks.is_first:
        with replacing(folder / REPEATS_NAME, overwrite=True) as temporary:
            temporary.write_text(json.dumps(document, indent=1, allow_nan=False) + "\n")
