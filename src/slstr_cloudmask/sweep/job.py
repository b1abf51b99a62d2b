"""One trial, from its folder to its result, in this process: what every launcher starts.

    run_trial(Path("SWEEP/trial-0001"), device=torch.device("cpu"))

The run itself is that of ``cloudmask benchmark``; beside it stands how it ended. A process that is
killed leaves nothing of that, and so the trial goes on when it is started again.
"""

import logging
from pathlib import Path
from typing import Any

import torch

from slstr_cloudmask.benchmark.config import BenchmarkConfig
from slstr_cloudmask.benchmark.result_file import RESULT_NAME, read_result
from slstr_cloudmask.benchmark.run import run_benchmark
from slstr_cloudmask.errors import CloudMaskError, OutputExistsError
from slstr_cloudmask.sweep.trial import TRIAL_NAME, Outcome, read_trial, write_record
from slstr_cloudmask.training.distribution import launched
from slstr_cloudmask.validation import validated

logger = logging.getLogger(__name__)


def run_trial(folder: Path, *, device: torch.device) -> dict[str, Any]:
    """Run a trial, or go on with it; note how it ended.

    Parameters
    ----------
    folder
        The trial's.
    device
        Where.

    Returns
    -------
    dict
        The result document.

    Raises
    ------
    CloudMaskError
        The run failed; its outcome is noted.
    """
    trial = read_trial(folder)
    config = validated(BenchmarkConfig, trial.config, str(folder / TRIAL_NAME))
    config = config.model_copy(update={"output_dir": folder})
    try:
        if (folder / RESULT_NAME).is_file():
            document = read_result(folder)
        else:
            document = run_benchmark(config, device=device)
    except OutputExistsError:  # another process works on it, and will say how it ended
        raise
    except Exception as error:
        words = (
            str(error) if isinstance(error, CloudMaskError) else f"{type(error).__name__}: {error}"
        )
        _note(folder, Outcome("failed", words))
        raise
    _note(folder, Outcome("done"))
    return document


def _note(folder: Path, outcome: Outcome) -> None:
    if launched().is_first:
        write_record(folder, outcome)
