"""The run's events as MLPerf log lines, in the order that the rules ask for.

Staging, initialisation, the run with its epochs and evaluations, and its end. The lines are those
of MLPerf HPC v3.0 where it has them (``training_policies/hpc_training_rules``) and of the Science
policy where it asks for more (``submission_*``, ``result``). A run of several sittings is one log
(see ``sittings``). ``cloudmask.yaml`` beside this file adds what CloudMask's log must hold to the
rules of ``mlperf_logging.compliance_checker``.
"""

import logging
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from mlperf_logging.mllog import constants
from mlperf_logging.mllog.mllog import MLLogger

from slstr_cloudmask.atomic import replacing
from slstr_cloudmask.benchmark.sittings import take
from slstr_cloudmask.events import Event

logger = logging.getLogger(__name__)

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
_FACTS = {"submission_facts", "run_facts"}


class MlperfLog:
    """Keeps the log of a run up with its events, each with the time at which it happened.

    The file is whole lines at any time. A disk that is full does not stop a run here: the log is
    written anew with the next event, or by `settle`.

    Parameters
    ----------
    path
        The log file; what it holds is replaced.
    earlier
        Events of earlier sittings.
    """

    def __init__(self, path: Path, earlier: Iterable[Event] = ()) -> None:
        self._path = path
        self._told: list[Event] = []
        for event in earlier:
            self._told = take(self._told, event)
        self._stale = True
        self._warned = False
        self._keep_up([])

    def __call__(self, event: Event) -> None:
        """Take an event in."""
        before = self._told
        self._told = take(before, event)
        if self._told is before and not self._stale:
            return
        # Anything but one event more changes what is written already.
        self._stale = self._stale or len(self._told) != len(before) + 1
        self._keep_up(self._told[-1:])

    @property
    def text(self) -> str:
        """The whole log."""
        return "".join(line for event in self._told for line in mlperf_lines(event))

    def settle(self) -> None:
        """Write what could not be written before.

        Raises
        ------
        WriteError
            It still cannot.
        """
        if self._stale:
            with replacing(self._path, overwrite=True) as temporary:
                temporary.write_text(self.text, encoding="utf-8")
            self._stale = False

    def _keep_up(self, new: Iterable[Event]) -> None:
        """Append the lines of new events, or write the whole log where that would not do."""
        try:
            if self._stale:
                self.settle()
                return
            self._stale = True  # until all is written
            with self._path.open("a", encoding="utf-8") as file:
                file.writelines(line for event in new for line in mlperf_lines(event))
            self._stale = False
        except OSError as error:
            if not self._warned:
                logger.warning("The run goes on without its log for now: %s", error)
            self._warned = True


def mlperf_lines(event: Event) -> list[str]:
    """Return the lines of an event; none for one that MLPerf has no word for."""
    log = _Lines()
    if event.name in _INTERVALS:
        key, kind = _INTERVALS[event.name]
        log.add(kind, key, None, event)
    elif event.name in _FACTS:
        for key, value in event.data.items():
            log.add("event", key, value, event, metadata={})
    elif event.name == "evaluation":
        _add_evaluation(log, event)
    elif event.name == "test_accuracy":
        log.add("event", constants.EVAL_ACCURACY, event.data["accuracy"], event)
    elif event.name == "result":
        log.add("event", "result", event.data, event, metadata={})
    return log.lines


def _add_evaluation(log: "_Lines", event: Event) -> None:
    """Add what validation after an epoch found, and its end."""
    data = event.data
    epoch = {"epoch_num": data["epoch"], "set": "validation"}
    accuracy = {**epoch, "loss": data["validation_loss"]}
    log.add(
        "event", constants.EVAL_ACCURACY, data["validation_agreement"], event, metadata=accuracy
    )
    log.add("end", constants.EVAL_STOP, None, event, metadata=epoch)


class _Lines(logging.Handler):
    """Lines as MLPerf's own logger makes them."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        logger = logging.Logger("slstr_cloudmask.mlperf", logging.INFO)
        logger.addHandler(self)
        self._mllogger = MLLogger(logger, root_dir=str(Path(__file__).parents[1]))

    def emit(self, record: logging.LogRecord) -> None:
        """Take a line."""
        self.lines.append(record.getMessage() + "\n")

    def add(
        self,
        kind: str,
        key: str,
        value: Any,
        event: Event,
        *,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """Have a line made."""
        if metadata is None:
            metadata = {name: item for name, item in event.data.items() if name != "accuracy"}
            if "epoch" in metadata:
                metadata["epoch_num"] = metadata.pop("epoch")
        write: Callable[..., None] = getattr(self._mllogger, kind)
        write(key=key, value=value, metadata=metadata, time_ms=event.time_ns // 1_000_000)
