"""Settings of the test run."""

import logging
import os
from pathlib import Path

import pytest
from hypothesis import settings
from rich.logging import RichHandler

# Tests run side by side on all cores; threads of their own would only wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# The same examples in every run, however busy the machine is.
settings.register_profile("house", deadline=None, derandomize=True)
settings.load_profile("house")


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of the benchmark on a few small simulated scenes; not to be changed."""
    from slstr_cloudmask.benchmark.run import run_benchmark
    from slstr_cloudmask.simulate.dataset import simulate_dataset
    from slstr_cloudmask.simulate.plan import DatasetConfig
    from tests.test_benchmark import CPU, small_config

    data = tmp_path_factory.mktemp("scenes") / "tiny"
    simulate_dataset(data, DatasetConfig(scenes=6, test_scenes=2, size=(64, 80), seed=1))
    out = tmp_path_factory.mktemp("finished") / "run"
    run_benchmark(small_config(data, out, epochs=1), device=CPU)
    return out


@pytest.fixture(autouse=True)
def _log_as_at_first() -> None:
    """Undo what a command that was run in this process did to the log: its level, its handler.

    The handler holds the standard error of that command, which is closed by now.
    """
    logging.getLogger("slstr_cloudmask").setLevel(logging.NOTSET)
    root = logging.getLogger()
    for handler in root.handlers[:]:
        if type(handler) in (logging.StreamHandler, RichHandler):  # pytest's own are subclasses
            root.removeHandler(handler)
