"""Energy, memory and load of a run, sampled in the background into ``samples.csv``.

    with Sampler(run / SAMPLES_NAME, meters) as sampler:
        sampler(Event("staging_start"))  # from here on a sample is of the phase "staging"
        ...
    summary = summarise_samples(run / SAMPLES_NAME)

A row is an interval: the phase it lies in, its length, the energy spent in it, and memory and load
at its end. Rows end at the bounds of phases, so the energy of a phase is the sum over its rows, of
all sittings of a run. Whatever fails here is said once and takes nothing else with it.
"""

import csv
import logging
import threading
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from slstr_cloudmask.benchmark.meters import Meter
from slstr_cloudmask.events import Event

logger = logging.getLogger(__name__)

SAMPLES_NAME = "samples.csv"
INTERVAL_S = 1.0
ENERGIES = {"processor": "processor_j", "gpu": "gpu_j"}
PEAKS = ("process_bytes", "system_bytes", "gpu_bytes")
LOADS = ("cpu_percent", "gpu_percent")
# `time_s` since 1970, at the row's end; `cost_s` is what reading the meters took.
COLUMNS = ("time_s", "phase", "seconds", "cost_s", *ENERGIES.values(), *PEAKS, *LOADS)
# Events at which a phase begins; everything else is of the phase `OTHER`.
PHASES = {
    "staging_start": "staging",
    "run_start": "training",
    "inference_start": "inference",
}
OTHER = "other"
PHASE_ENDS = ("staging_stop", "inference_stop", "run_stop")

Row = dict[str, Any]


class Sampler:
    """Reads meters every second, and at the bounds of phases; an event listener.

    Parameters
    ----------
    path
        Rows are added to what the file holds.
    meters
        What is read.
    interval_s
        Seconds from one row to the next.
    """

    def __init__(
        self, path: Path, meters: Sequence[Meter], *, interval_s: float = INTERVAL_S
    ) -> None:
        self._path = path
        self._meters = list(meters)
        self._interval_s = interval_s
        self._phase = OTHER
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._file: IO[str] | None = None
        self._last = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="sampler", daemon=True)

    def __enter__(self) -> Self:
        try:
            self._file = _opened(self._path)
        except OSError as error:
            _give_up(self._path, error)
            return self
        self._last = time.monotonic()
        self._read_meters()  # what was spent before is not of this run
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._sample()
        with self._lock:
            self._close()

    def __call__(self, event: Event) -> None:
        """End a row, and begin another phase, where an event does."""
        if event.name in PHASES or event.name in PHASE_ENDS:
            self._sample()
            self._phase = PHASES.get(event.name, OTHER)

    def _run(self) -> None:
        while not self._ended.wait(self._interval_s):
            self._sample()

    def _sample(self) -> None:
        """Write a row; after a failure to write, none any more."""
        with self._lock:
            if self._file is None:
                return
            started = time.monotonic()
            values = self._read_meters()
            row = {
                "time_s": round(time.time(), 3),
                "phase": self._phase,
                "seconds": started - self._last,
                "cost_s": time.monotonic() - started,
                **values,
            }
            self._last = started
            try:
                csv.DictWriter(self._file, COLUMNS, restval="").writerow(row)
                self._file.flush()
            except OSError as error:
                _give_up(self._path, error)
                self._close()

    def _read_meters(self) -> dict[str, float]:
        values: dict[str, float] = {}
        for meter in tuple(self._meters):
            try:
                values |= meter.read()
            except Exception as error:  # whatever it is, the run is worth more
                logger.warning("%s is read no more: %s", meter.about, error)
                self._meters.remove(meter)
        return values

    def _close(self) -> None:
        """Close the file; called with the lock held."""
        if self._file is not None:
            file, self._file = self._file, None
            with suppress(OSError):  # what could not be written has been said
                file.close()


def _opened(path: Path) -> IO[str]:
    """Open the file to be added to; a line that a killed process left unfinished is ended."""
    path.parent.mkdir(parents=True, exist_ok=True)
    there = path.read_bytes() if path.is_file() else b""
    file = path.open("a", encoding="utf-8", newline="")
    if not there:
        csv.writer(file).writerow(COLUMNS)
    elif not there.endswith(b"\n"):
        file.write("\r\n")
    return file


def _give_up(path: Path, error: OSError) -> None:
    reason = error.strerror or error
    logger.warning("%s cannot be written: %s. The run goes on unsampled.", path, reason)


def read_samples(path: Path) -> list[Row]:
    """Read the rows of a file; numbers are floats, and None where they are not known.

    A file that is not there or is damaged has the rows that can be read.
    """
    try:
        with path.open(encoding="utf-8", errors="replace", newline="") as file:
            return [row for line in csv.DictReader(file) if (row := _numbers(line)) is not None]
    except OSError:
        return []


def _numbers(line: dict[str, str]) -> Row | None:
    """Return a line's values, or None of one that is not whole."""
    try:
        numbers = {
            name: float(line[name]) if line[name] else None for name in COLUMNS if name != "phase"
        }
        row: Row = {**numbers, "phase": line["phase"]}
    except (KeyError, TypeError, ValueError):
        return None
    return None if row["seconds"] is None else row


def summarise_samples(path: Path) -> dict[str, Any] | None:
    """Sum up the rows of a run; None where there is none.

    Returns
    -------
    dict
        ``samples`` counts rows; ``cost`` is the share of the time that sampling took; ``phases``
        holds by phase ``seconds``, and by what spends it ``energy_j``, ``energy_kwh`` and
        ``mean_power_w``, None where not every row of the phase tells it, and mean loads;
        ``peak`` the most memory in use.
    """
    rows = read_samples(path)
    spent = sum(row["seconds"] for row in rows)
    if not spent:
        return None
    phases = list(dict.fromkeys(row["phase"] for row in rows))
    return {
        "samples": len(rows),
        "cost": sum(row["cost_s"] or 0.0 for row in rows) / spent,
        "phases": {phase: _phase([r for r in rows if r["phase"] == phase]) for phase in phases},
        "peak": {name: max(_known(rows, name), default=None) for name in PEAKS},
    }


def _phase(rows: list[Row]) -> dict[str, Any]:
    seconds = sum(row["seconds"] for row in rows)
    energies: dict[str, float | None] = {}
    for source, name in ENERGIES.items():
        told = _known(rows, name)
        energies[source] = sum(told) if len(told) == len(rows) else None
    return {
        "seconds": seconds,
        "energy_j": energies,
        "energy_kwh": {key: None if j is None else j / 3.6e6 for key, j in energies.items()},
        "mean_power_w": {
            key: None if j is None or not seconds else j / seconds for key, j in energies.items()
        },
        **{name: _mean_load(rows, name) for name in LOADS},
    }


def _mean_load(rows: list[Row], name: str) -> float | None:
    """Mean over time of a load; None where no row tells it."""
    pairs = [(row["seconds"], row[name]) for row in rows if row[name] is not None]
    spent = sum(seconds for seconds, _ in pairs)
    return sum(seconds * load for seconds, load in pairs) / spent if spent else None


def _known(rows: Iterable[Row], name: str) -> list[float]:
    return [row[name] for row in rows if row[name] is not None]
