"""What a run writes down as it goes on, and at its end.

    with run_log(config, environment, ranks) as log:
        log(Event("run_start"))
        ...
        log.finish(document)

Events, and the MLPerf log made from them, are kept up at every event. The result comes last of
all: where it is, nothing is missing.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from slstr_cloudmask.atomic import replacing
from slstr_cloudmask.benchmark.config import BenchmarkConfig
from slstr_cloudmask.benchmark.event_log import EventLog
from slstr_cloudmask.benchmark.mlperf_log import MlperfLog
from slstr_cloudmask.benchmark.result import reference_log_lines
from slstr_cloudmask.benchmark.result_file import write_result
from slstr_cloudmask.benchmark.run_folder import sitting
from slstr_cloudmask.errors import WriteError
from slstr_cloudmask.events import Event
from slstr_cloudmask.training.distribution import Ranks

MLPERF_NAME, REFERENCE_NAME = "mlperf.log", "cloudmask.log"


@contextmanager
def run_log(
    config: BenchmarkConfig, environment: dict[str, Any], ranks: Ranks, *, overwrite: bool
) -> Iterator["RunLog"]:
    """Hold the run's folder in the first process, and write down what happens; errors as `sitting`.

    The other processes only remember.
    """
    if not ranks.is_first:
        yield RunLog(config)
        return
    with sitting(config, environment, overwrite=overwrite) as events:
        yield RunLog(config, events)


class RunLog:
    """Listens to a run.

    Attributes
    ----------
    events
        All that happened, in earlier sittings too.
    """

    def __init__(self, config: BenchmarkConfig, log: EventLog | None = None) -> None:
        self.events: list[Event] = [] if log is None else log.events
        self._config = config
        self._log = log
        if log is not None:
            self._mlperf = MlperfLog(config.output_dir / MLPERF_NAME, log.events)

    def __call__(self, event: Event) -> None:
        """Take an event in."""
        if self._log is None:
            self.events.append(event)
            return
        self._log(event)
        self._mlperf(event)

    def finish(self, document: dict[str, Any]) -> None:
        """Write what is written at the end: logs that the user named, and the result.

        Raises
        ------
        WriteError
            The operating system refused to write.
        """
        if self._log is None:
            return
        out, config = self._config.output_dir, self._config
        self._log.settle()
        self._mlperf.settle()
        lines = "".join(line + "\n" for line in reference_log_lines(document))
        if config.log_file is None:
            with replacing(out / REFERENCE_NAME, overwrite=True) as temporary:
                temporary.write_text(lines)
        else:
            _add(lines, config.log_file)
        if config.mlperf_logfile is not None:
            _add(self._mlperf.text, config.mlperf_logfile)
        write_result(document, out, overwrite=True)


def _add(text: str, path: Path) -> None:
    """Add to a file of the user's, unless a sitting that was then killed had done so."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a+", encoding="utf-8") as file:
            file.seek(0)
            if not file.read().endswith(text):
                file.write(text)
    except OSError as error:
        raise WriteError(
            f"The log {path} cannot be written: {error.strerror or error}. All else is finished; "
            "run the command again when it can."
        ) from error
