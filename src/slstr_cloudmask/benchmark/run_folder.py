"""A run's folder: what was asked for, how it came about, and everything that happened.

    RUN/config.yaml    the whole configuration, defaults written out
    RUN/run.json       command, seed, code version, environment, sittings
    RUN/events.jsonl   every event of every sitting (see ``event_log``)

    with sitting(config, environment) as log:
        log(Event("run_start"))

A run that was stopped is gone on with in another sitting, with the same configuration.
"""

import json
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel

from slstr_cloudmask.atomic import replacing
from slstr_cloudmask.benchmark.config import BenchmarkConfig, load_config
from slstr_cloudmask.benchmark.differences import PLACES, differences, flat
from slstr_cloudmask.benchmark.event_log import EVENTS_NAME, SITTING_START, EventLog
from slstr_cloudmask.errors import BrokenFileError, ConfigError, MissingFileError
from slstr_cloudmask.events import Event
from slstr_cloudmask.training.config import NOT_IDENTITY

CONFIG_NAME, RECORD_NAME = "config.yaml", "run.json"
FORMAT_VERSION = 1

# What may differ in a later sitting, beside places: how long is trained, and what is scored and
# said beside the run. Data that differs is found out by the store and by the records of scenes.
MAY_CHANGE = PLACES | {f"train.{key}" for key in NOT_IDENTITY}
MAY_CHANGE |= {"baselines", "cache_cleared", "on_failed_scene"}


@contextmanager
def sitting(
    config: BenchmarkConfig, environment: dict[str, Any], *, overwrite: bool = False
) -> Iterator[EventLog]:
    """Hold a run's folder for the length of the block, and write down what is run in it.

    Parameters
    ----------
    config
        What is run; ``output_dir`` is the folder.
    environment
        ``hardware`` and ``software`` as found.
    overwrite
        Forget earlier sittings.

    Raises
    ------
    OutputExistsError
        Another process is writing to the folder.
    ConfigError
        An earlier sitting had another configuration.
    WriteError
        The operating system refused to write.
    """
    folder = config.output_dir
    log = EventLog(folder / EVENTS_NAME, anew=overwrite)
    try:
        if not overwrite:
            _check_same(config, folder)
        _write_config(config, folder / CONFIG_NAME)
        host = {"pid": os.getpid(), "host": socket.gethostname()}
        _write_record(config, environment, host, folder / RECORD_NAME, overwrite=overwrite)
        log(Event(SITTING_START, host))
        yield log
    finally:
        log.close()


def read_config(folder: Path) -> BenchmarkConfig:
    """Read the configuration of a run, wherever its folder lies now.

    Raises
    ------
    MissingFileError
        The folder holds no run.
    ConfigError
        Its configuration cannot be read.
    """
    path = folder / CONFIG_NAME
    if not path.is_file():
        raise MissingFileError(f"{folder} holds no {CONFIG_NAME}: expected the folder of a run.")
    return load_config(path).model_copy(update={"output_dir": folder})


def read_record(folder: Path) -> dict[str, Any]:
    """Read ``run.json``.

    Raises
    ------
    MissingFileError
        It is not there.
    BrokenFileError
        It cannot be read.
    """
    path = folder / RECORD_NAME
    if not path.is_file():
        raise MissingFileError(f"{folder} holds no {RECORD_NAME}: expected the folder of a run.")
    try:
        record = json.loads(path.read_text())
        if record["format_version"] == FORMAT_VERSION:
            return dict(record)
    except (ValueError, TypeError, KeyError) as error:
        raise BrokenFileError(f"{path} cannot be read: {error}. Remove it.") from error
    raise BrokenFileError(f"{path} is of another version: expected {FORMAT_VERSION}. Remove it.")


def _check_same(config: BenchmarkConfig, folder: Path) -> None:
    """Refuse to go on with another configuration."""
    if not (folder / CONFIG_NAME).is_file():
        return
    before, now = (one.model_dump(mode="json") for one in (read_config(folder), config))
    if differing := differences(before, now, ignoring=MAY_CHANGE):
        key = differing[0]
        raise ConfigError(
            f"The run in {folder} was begun with another configuration: {', '.join(differing)} "
            f"({key} was {flat(before).get(key)}, and is {flat(now).get(key)}). Go on with it as "
            f"it was with --resume {folder}, choose another --output, or pass --overwrite to start "
            "anew."
        )


def _write_config(config: BenchmarkConfig, path: Path) -> None:
    content = _absolute(config).model_dump(mode="json")
    with replacing(path, overwrite=True) as temporary:
        temporary.write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True))


def _absolute(model: BaseModel) -> BaseModel:
    """Return a configuration whose paths hold wherever it is read."""
    update: dict[str, Any] = {}
    for name, value in model:
        if isinstance(value, Path):
            update[name] = value.absolute()
        elif isinstance(value, BaseModel):
            update[name] = _absolute(value)
    return model.model_copy(update=update)


def _write_record(
    config: BenchmarkConfig,
    environment: dict[str, Any],
    host: dict[str, Any],
    path: Path,
    *,
    overwrite: bool,
) -> None:
    """Add this sitting to the record of the run."""
    earlier = path.is_file() and not overwrite
    sittings = read_record(path.parent)["sittings"] if earlier else []
    now = {
        "started": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "command": sys.argv,
        "folder": str(Path.cwd()),
        **host,
        **environment,
    }
    software = environment["software"]
    record = {
        "format_version": FORMAT_VERSION,
        "recipe": config.recipe,
        "seed": config.train.seed,
        "version": software["slstr-cloudmask"],
        "commit": software["commit"],
        "sittings": [*sittings, now],
    }
    with replacing(path, overwrite=True) as temporary:
        temporary.write_text(json.dumps(record, indent=1) + "\n")
