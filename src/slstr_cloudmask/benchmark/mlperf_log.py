"""The run's events as MLPerf log lines, in the order that the rules ask for.

Staging, initialisation, the run with its epochs and evaluations, and its end. The lines are those
of MLPerf HPC v3.0 where it has them (``training_policies/hpc_training_rules``) and of the Science
policy where it asks for more (``submission_*``, ``result``). ``cloudmask.yaml`` beside this file
adds what CloudMask's log must hold to the rules of ``mlperf_logging.compliance_checker``.
"""

import logging
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from mlperf_logging.mllog import constants
from mlperf_logging.mllog.mllog import MLLogger

from slstr_cloudmask.errors import WriteError
from slstr_cloudmask.events import Event

COMPLIANCE_RULES = Path(__file__).with_name("cloudmask.yaml")

# Our events to (MLPerf key, kind of line); an event with an epoch carries it in its metadata.
_INTERVALS = {
    "staging_start": ("staging_start", "start"),
    "staging_stop": ("staging_stop", "end"),
    "init_start": (constants.INIT_START, "start"),
    "init_stop": (constants.INIT_STOP, "end"),
    "run_start": (constants.RUN_START, "start"),
    "epoch_start": (constants.EPOCH_START, "start"),
    "epoch_stop": (constants.EPOCH_STOP, "end"),
    "evaluation_start": (constants.EVAL_START, "start"),
    "inference_start": (constants.EVAL_START, "start"),
    "inference_stop": (constants.EVAL_STOP, "end"),
    "run_stop": (constants.RUN_STOP, "end"),
}


class MlperfLog:
    """Writes events to a log file, each with the time at which it happened.

    Parameters
    ----------
    path
        The log file.
    append
        Keep what it holds.

    Raises
    ------
    WriteError
        The file cannot be opened.
    """

    def __init__(self, path: Path, *, append: bool = False) -> None:
        logger = logging.Logger("slstr_cloudmask.mlperf", logging.INFO)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._handler = logging.FileHandler(path, "a" if append else "w", encoding="utf-8")
        except OSError as error:
            raise WriteError(f"The log {path} cannot be written: {error.strerror}.") from error
        logger.addHandler(self._handler)
        package = Path(__file__).parents[1]
        self._mllogger = MLLogger(logger, root_dir=str(package))

    def __call__(self, event: Event) -> None:
        """Write the lines of an event; one that MLPerf has no word for is left out."""
        if event.name in _INTERVALS:
            key, kind = _INTERVALS[event.name]
            self._line(kind, key, None, event)
        elif event.name == "facts":
            for key, value in event.data.items():
                self._line("event", key, value, event, metadata={})
        elif event.name == "evaluation":
            self._evaluation(event)
        elif event.name == "test_accuracy":
            self._line("event", constants.EVAL_ACCURACY, event.data["accuracy"], event)
        elif event.name == "result":
            self._line("event", "result", event.data, event, metadata={})

    def close(self) -> None:
        """Close the file; a full disk does not take the run with it."""
        with suppress(OSError):
            self._handler.close()

    def _evaluation(self, event: Event) -> None:
        """Write what validation after an epoch found, and its end."""
        data = event.data
        epoch = {"epoch_num": data["epoch"], "set": "validation"}
        accuracy = {**epoch, "loss": data["validation_loss"]}
        self._line(
            "event", constants.EVAL_ACCURACY, data["validation_agreement"], event, metadata=accuracy
        )
        self._line("end", constants.EVAL_STOP, None, event, metadata=epoch)

    def _line(
        self,
        kind: str,
        key: str,
        value: Any,
        event: Event,
        *,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        if metadata is None:
            metadata = {name: item for name, item in event.data.items() if name != "accuracy"}
            if "epoch" in metadata:
                metadata["epoch_num"] = metadata.pop("epoch")
        write: Callable[..., None] = getattr(self._mllogger, kind)
        write(key=key, value=value, metadata=metadata, time_ms=event.time_ns // 1_000_000)
