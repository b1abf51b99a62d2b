"""What is known of a sweep's trials: in their folders, which count, and in the study.

ledger = Ledger(sweep, plan, own_storage(sweep))
folder = ledger.take()          # the next trial, written down
ledger.settle(folder)           # told to the study, however it ended
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from slstr_cloudmask.atomic import claim
from slstr_cloudmask.benchmark.result_file import RESULT_NAME, read_result
from slstr_cloudmask.sweep.plan import SweepPlan
from slstr_cloudmask.sweep.stores import Stores
from slstr_cloudmask.sweep.study import Study
from slstr_cloudmask.sweep.trial import (
    JOB_NAME,
    OUTCOME_NAME,
    Outcome,
    Trial,
    follow,
    read_outcome,
    read_trial,
    trial_folder,
    trial_folders,
    write_record,
    write_trial,
)

logger = logging.getLogger(__name__)

LOCK_NAME = "sweep.lock"


@contextmanager
def locked(sweep: Path) -> Iterator[None]:
    """Hold a sweep's folder for the length of the block.

    Raises
    ------
    OutputExistsError
        Another process has it.
    """
    with (sweep / LOCK_NAME).open("a+b") as file:
        claim(file, f"Another process runs the sweep in {sweep}: see cloudmask status {sweep}.")
        yield


class Ledger:
    """The trials of a sweep.

    Parameters
    ----------
    sweep
        Its folder.
    plan
        What it is to do.
    storage
        URL of the study.
    """

    def __init__(self, sweep: Path, plan: SweepPlan, storage: str) -> None:
        self.plan = plan
        self._sweep = sweep
        trials = [read_trial(folder) for folder in trial_folders(sweep)]
        self._study = Study.open(plan, storage, sweep, trials)
        self._stores = Stores(plan, sweep)
        self._reported: dict[Path, int] = {}  # epochs that the study knows

    def open_trials(self, *, retry_failed: bool = False) -> list[Path]:
        """Return the trials that are begun and have not ended; tell the study of those that have.

        Parameters
        ----------
        retry_failed
            Count those that failed as not ended.
        """
        unfinished = []
        for folder in trial_folders(self._sweep):
            outcome = read_outcome(folder)
            if outcome and outcome.state == "failed" and retry_failed:
                for name in (OUTCOME_NAME, JOB_NAME):
                    (folder / name).unlink(missing_ok=True)
            if not self.settle(folder):
                unfinished.append(folder)
        return unfinished

    def take(self) -> Path | None:
        """Write down the next trial; None when all are taken."""
        claimed = self._study.claim()
        if claimed is None:
            return None
        number, values = claimed
        folder = trial_folder(self._sweep, number)
        content = self._stores.given(self.plan.content(number, values, folder.absolute()))
        write_trial(Trial(folder, number, values, self.plan.repeat(number), content))
        return folder

    def settle(self, folder: Path) -> bool:
        """Tell the study how a trial ended; say whether it has."""
        outcome = read_outcome(folder)
        if outcome is None and (folder / RESULT_NAME).is_file():
            outcome = Outcome("done")  # killed after the last thing that it had to do
            write_record(folder, outcome)
        if outcome is None:
            return False
        number = read_trial(folder).number
        value = self.plan.goal.value(read_result(folder)) if outcome.state == "done" else None
        self._study.report(number, _losses(folder))
        self._study.tell(number, outcome.state, value)
        words = f", {self.plan.objective} {value:.6g}" if value is not None else ""
        reason = f": {outcome.message.splitlines()[0]}" if outcome.message else ""
        logger.info("%s: %s%s%s", folder.name, outcome.state, words, reason)
        return True

    def end(self, folder: Path, outcome: Outcome) -> None:
        """Note how a trial ended that did not say so itself, and tell the study."""
        if not (folder / RESULT_NAME).is_file() and read_outcome(folder) is None:
            write_record(folder, outcome)
        self.settle(folder)

    def is_hopeless(self, folder: Path) -> bool:
        """Tell the study the epochs that are new to it, and ask whether to stop the trial."""
        losses = _losses(folder)
        if len(losses) == self._reported.get(folder, 0):
            return False
        self._reported[folder] = len(losses)
        return self._study.report(read_trial(folder).number, losses)


def _losses(folder: Path) -> dict[int, Any]:
    """Return the validation losses of a run so far, by epoch."""
    return {event.data["epoch"]: event.data["validation_loss"] for event in follow(folder)}
