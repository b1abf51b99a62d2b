"""How a trial or a run stands, read from its files alone, by whomever and whenever.

stand = standing_of(Path("SWEEP/trial-0001"))
stand.state, stand.epoch, stand.loss     # ("running", 12, 0.083)
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from slstr_cloudmask.benchmark.event_log import read_events
from slstr_cloudmask.benchmark.result_file import RESULT_NAME, read_result
from slstr_cloudmask.errors import MissingFileError
from slstr_cloudmask.sweep.objective import Objective
from slstr_cloudmask.sweep.plan_file import is_sweep, read_plan
from slstr_cloudmask.sweep.trial import (
    TRIAL_NAME,
    State,
    find_state,
    follow,
    log_tail,
    read_outcome,
    read_trial,
    sitting_state,
    trial_folders,
)

STATES: tuple[State, ...] = ("queued", "running", "stopped", "done", "failed", "pruned")


@dataclass(frozen=True)
class Standing:
    """How a run stands.

    Attributes
    ----------
    name
        Of its folder.
    state
        See `slstr_cloudmask.sweep.trial.find_state`.
    values, repeat, seed
        What it tries; empty for a run that is no trial.
    epoch, epochs
        Done, and at most.
    loss
        Of the last validation, nat/pixel.
    seconds
        Of training and validation so far.
    objective
        The sweep's, of a run that is done.
    message
        Why it failed, or the end of what it said.
    """

    name: str
    state: State
    values: dict[str, Any]
    repeat: int
    seed: int | None
    epoch: int
    epochs: int | None
    loss: float | None
    seconds: float
    objective: float | None
    message: str

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain values."""
        return asdict(self)


def standing_of(folder: Path, goal: Objective | None = None) -> Standing:
    """Say how a trial stands.

    Parameters
    ----------
    folder
        The trial's.
    goal
        The sweep's objective.
    """
    trial, state, events = read_trial(folder), find_state(folder), follow(folder)
    train = trial.config["train"]
    last = events[-1].data if events else {}
    return Standing(
        name=folder.name,
        state=state,
        values=trial.values,
        repeat=trial.repeat,
        seed=train["seed"],
        epoch=last.get("epoch", 0),
        epochs=train["epochs"],
        loss=last.get("validation_loss"),
        seconds=sum(e.data["train_seconds"] + e.data["validation_seconds"] for e in events),
        objective=goal.value(read_result(folder)) if goal and state == "done" else None,
        message=_message(folder, state),
    )


def standings(sweep: Path) -> list[Standing]:
    """Say how the trials of a sweep stand, those that were begun, in their order."""
    goal = read_plan(sweep).goal
    return [standing_of(folder, goal) for folder in trial_folders(sweep)]


def status(folder: Path) -> dict[str, Any]:
    """Say how a sweep, a trial or a run stands.

    Returns
    -------
    dict
        ``folder``, ``runs``, ``counts`` by state and ``trials``.

    Raises
    ------
    MissingFileError
        The folder is none of these.
    """
    if is_sweep(folder):
        plan, stands = read_plan(folder), standings(folder)
        runs = plan.runs
    elif (folder / TRIAL_NAME).is_file():
        stands, runs = [standing_of(folder)], 1
    else:
        stands, runs = [_run_standing(folder)], 1
    counts = {state: sum(stand.state == state for stand in stands) for state in STATES}
    counts["queued"] += runs - len(stands)
    return {
        "folder": str(folder),
        "runs": runs,
        "counts": counts,
        "trials": [stand.to_dict() for stand in stands],
    }


def _run_standing(folder: Path) -> Standing:
    """Say how a run stands that is no trial of a sweep."""
    events = follow(folder)
    done = (folder / RESULT_NAME).is_file()
    if not events and not done:
        raise MissingFileError(
            f"{folder} is neither a sweep nor a run: expected sweep.yaml, events.jsonl or "
            "result.json in it."
        )
    last = events[-1].data if events else read_result(folder)["training"]["history"][-1]
    return Standing(
        name=folder.name,
        state="done" if done else sitting_state(read_events(folder)),
        values={},
        repeat=1,
        seed=None,
        epoch=last["epoch"],
        epochs=None,
        loss=last["validation_loss"],
        seconds=sum(e.data["train_seconds"] + e.data["validation_seconds"] for e in events),
        objective=None,
        message="",
    )


def _message(folder: Path, state: State) -> str:
    """Return why a trial failed, and for one that says nothing of it the end of its log."""
    outcome = read_outcome(folder)
    if outcome and outcome.message:
        return outcome.message
    return log_tail(folder) if state == "stopped" else ""
