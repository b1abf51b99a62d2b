"""Which trial comes next, and which one is hopeless: the study that Optuna keeps.

    study = Study.open(plan, "sqlite:///sweep/optuna.db", folder)
    number, values = study.claim()
    if study.report(number, {1: 0.61, 2: 0.58}):
        ...  # worse than most at the same epoch: stop it
    study.tell(number, "done", 0.55)

One mechanism for grids and searches: the storage numbers the trials, which is atomic with any
number of machines; a grid's point follows from the number, a search's is drawn by TPE. The study
can be lost: trials that have folders are put back from them. While the storage does not answer,
runs go on and their results wait in their folders.
"""

import logging
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self, TypeVar

from slstr_cloudmask.errors import ConfigError, WriteError
from slstr_cloudmask.extras import require
from slstr_cloudmask.sweep.plan import SweepPlan
from slstr_cloudmask.sweep.sampler import (
    EXTRA,
    distributions,
    drawing_sampler,
    given_sampler,
    suggest,
    typed_values,
)
from slstr_cloudmask.sweep.trial import TRIAL_NAME, Ending, Trial, trial_folder

logger = logging.getLogger(__name__)

STORAGE_NAME = "optuna.db"
OWNER, RETRY = "owner", "retry_of"  # attributes of Optuna's trials
PATIENCE_S = 600.0  # for a storage that does not answer
# Before a run is judged: so many others have ended, and so many epochs are done.
PRUNE_AFTER_TRIALS, PRUNE_AFTER_EPOCHS = 5, 2

Answer = TypeVar("Answer")


class Study:
    """The study of a sweep in Optuna's storage.

    Parameters
    ----------
    plan
        What the sweep is to do.
    url
        Any URL of SQLAlchemy.
    folder
        The sweep's; trials that this study gives out are run there.
    """

    def __init__(self, plan: SweepPlan, url: str, folder: Path) -> None:
        self._optuna = require("optuna", extra=EXTRA)
        self._optuna.logging.set_verbosity(self._optuna.logging.WARNING)
        self._plan, self._url, self._folder = plan, url, folder.absolute()
        self._distributions = distributions(plan.parsed_space)
        self._study = self._patiently(self._opened)

    @classmethod
    def open(cls, plan: SweepPlan, url: str, folder: Path, trials: list[Trial]) -> Self:
        """Open a study, or make it, and put back trials that it has lost.

        Raises
        ------
        ConfigError
            The storage holds another sweep under this name, or cannot be opened at all.
        WriteError
            The storage does not answer.
        """
        study = cls(plan, url, folder)
        study._patiently(lambda: study._restore(trials))
        return study

    def claim(self) -> tuple[int, dict[str, Any]] | None:
        """Take the next trial: its number and the values of its point; None when all are taken."""
        return self._patiently(self._claimed)

    def report(self, number: int, losses: Mapping[int, float]) -> bool:
        """Note validation losses by epoch; say whether the run is worse than most."""
        return self._patiently(lambda: self._reported(number, losses))

    def tell(self, number: int, ending: Ending, value: float | None = None) -> None:
        """Note how a trial ended; to say it again changes nothing."""
        self._patiently(lambda: self._told(number, ending, value))

    # -- what is done once the storage answers ---------------------------------------------------

    def _opened(self) -> Any:
        direction = self._plan.goal.direction.replace("imise", "imize")
        study = self._optuna.create_study(
            storage=_storage(self._optuna, self._url),
            study_name=self._plan.study,
            direction=direction,
            pruner=self._optuna.pruners.MedianPruner(PRUNE_AFTER_TRIALS, PRUNE_AFTER_EPOCHS),
            load_if_exists=True,
        )
        described = {"space": list(self._plan.space), "objective": self._plan.objective}
        there = study.user_attrs.get("sweep")
        if there is None:
            study.set_user_attr("sweep", described)
        elif there != described or study.direction.name.lower() != direction:
            raise ConfigError(
                f"The storage holds another sweep under the name {self._plan.study!r}: of "
                f"{there}. Choose another --study."
            )
        return study

    def _given_out(self) -> list[Any]:
        """Optuna's trials by our number; those that note a retry are not given out."""
        trials = self._study.get_trials(deepcopy=False)
        return [trial for trial in trials if RETRY not in trial.user_attrs]

    def _restore(self, trials: list[Trial]) -> None:
        """Add the trials that have folders and that the storage does not know."""
        known, folders = len(self._given_out()), {trial.number: trial for trial in trials}
        states = self._optuna.trial.TrialState
        for number in range(known, max(folders, default=-1) + 1):
            values = folders[number].values if number in folders else {}
            typed = typed_values(self._plan.parsed_space, values)
            frozen = self._optuna.trial.create_trial(
                state=states.RUNNING if number in folders else states.FAIL,
                params=typed,
                distributions={key: self._distributions[key] for key in typed},
                user_attrs={OWNER: str(self._folder)},
            )
            self._study.add_trial(frozen)
        if known < len(self._given_out()):
            logger.info("%d trials are known from their folders.", len(folders))

    def _claimed(self) -> tuple[int, dict[str, Any]] | None:
        given_out = self._given_out()
        number = next(
            filter(lambda n: self._was_lost(n, given_out[n]), range(len(given_out))), None
        )
        if number is not None:
            trial = self._trial(given_out[number])
        elif len(given_out) >= self._plan.runs:
            return None
        else:
            trial = self._study.ask()
            number = [one.number for one in self._given_out()].index(trial.number)
        if number >= self._plan.runs:  # another machine took the last one
            self._study.tell(trial, state=self._optuna.trial.TrialState.FAIL)
            return None
        trial.set_user_attr(OWNER, str(self._folder))
        self._study.sampler = self._sampler(number)
        return number, suggest(trial, self._plan.parsed_space)

    def _sampler(self, number: int) -> Any:
        space, first = self._plan.parsed_space, self._plan.first_of(number)
        if (point := self._plan.point(number)) is not None:
            return given_sampler(typed_values(space, point))
        if number != first:
            return given_sampler(self._given_out()[first].params)
        return drawing_sampler(self._plan.seed, number)

    def _was_lost(self, number: int, frozen: Any) -> bool:
        """Whether a trial was given out to us, and we were killed before it was written down."""
        mine = frozen.user_attrs.get(OWNER, str(self._folder)) == str(self._folder)
        folder = trial_folder(self._folder, number)
        return mine and not frozen.state.is_finished() and not (folder / TRIAL_NAME).is_file()

    def _reported(self, number: int, losses: Mapping[int, float]) -> bool:
        frozen = self._given_out()[number]
        if frozen.state.is_finished():
            return False
        trial = self._trial(frozen)
        # Optuna compares in the study's direction, and of losses the smaller one is better.
        sign = 1.0 if self._plan.goal.direction == "minimise" else -1.0
        for epoch in losses.keys() - frozen.intermediate_values.keys():
            trial.report(sign * losses[epoch], epoch)
        return bool(self._plan.prune and losses and trial.should_prune())

    def _told(self, number: int, ending: Ending, value: float | None) -> None:
        frozen, states = self._given_out()[number], self._optuna.trial.TrialState
        if not frozen.state.is_finished():
            state = {"done": states.COMPLETE, "pruned": states.PRUNED, "failed": states.FAIL}
            self._study.tell(frozen.number, value, state=state[ending])
        elif frozen.state == states.FAIL and ending == "done":
            self._note_retry(number, frozen, value)

    def _note_retry(self, number: int, failed: Any, value: float | None) -> None:
        """Add the result of a trial that failed before: what has ended cannot be changed."""
        trials = self._study.get_trials(deepcopy=False)
        if any(trial.user_attrs.get(RETRY) == number for trial in trials):
            return
        retried = self._optuna.trial.create_trial(
            value=value,
            params=failed.params,
            distributions=failed.distributions,
            user_attrs={RETRY: number},
        )
        self._study.add_trial(retried)

    def _trial(self, frozen: Any) -> Any:
        return self._optuna.trial.Trial(self._study, frozen._trial_id)

    def _patiently(self, call: Callable[[], Answer]) -> Answer:
        """Call the storage, and again while it does not answer."""
        sqlalchemy = require("sqlalchemy.exc", extra=EXTRA)
        silent = (self._optuna.exceptions.StorageInternalError, sqlalchemy.DBAPIError)
        until, pause = time.monotonic() + PATIENCE_S, 0.5
        while True:
            try:
                return call()
            except silent as error:
                reason = str(error.__cause__ or error).splitlines()[0]
                if time.monotonic() + pause > until:
                    raise WriteError(
                        f"The storage {hidden(self._url)} does not answer: {reason}. Nothing that "
                        "is finished is lost: run the same command again when it does."
                    ) from error
                logger.warning("The storage does not answer: %s. Waiting %g s.", reason, pause)
            time.sleep(pause)
            pause = min(2 * pause, 30.0)


def hidden(url: str) -> str:
    """Return a URL of SQLAlchemy without its password."""
    engine = require("sqlalchemy.engine", extra=EXTRA)
    try:
        return str(engine.make_url(url).render_as_string(hide_password=True))
    except require("sqlalchemy.exc", extra=EXTRA).ArgumentError as error:
        raise ConfigError(
            f"The storage is no URL of SQLAlchemy: {error}. Expected sqlite:///FILE or "
            "postgresql+psycopg://USER:PASSWORD@HOST/DATABASE, say."
        ) from error


def storage_url(plan: SweepPlan, said: str | None, folder: Path) -> str:
    """Return the URL of a sweep's study: the one that is said, or the file in its folder.

    Raises
    ------
    ConfigError
        The sweep began with another one.
    """
    if plan.storage != (None if said is None else hidden(said)):
        where = f"say --storage {plan.storage}" if plan.storage else "leave --storage out"
        raise ConfigError(f"The sweep in {folder} began with another storage: {where}.")
    return own_storage(folder) if said is None else said


def own_storage(folder: Path) -> str:
    """Return the URL of the storage in a sweep's folder."""
    return f"sqlite:///{(folder / STORAGE_NAME).absolute()}"


def _storage(optuna: Any, url: str) -> Any:
    """Open the storage behind a URL."""
    shown = hidden(url)
    try:
        # Connections that died while nothing was said are noticed and made anew.
        return optuna.storages.RDBStorage(url, engine_kwargs={"pool_pre_ping": True})
    except (ImportError, require("sqlalchemy.exc", extra=EXTRA).NoSuchModuleError) as error:
        raise ConfigError(
            f"The storage {shown} needs a library that is not installed: {error}"
        ) from error
