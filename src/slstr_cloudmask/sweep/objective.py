"""What a sweep makes small or large: one number of a finished run's ``result.json``.

objective = get_objective("validation_loss")
objective.value(read_result(folder))
"""

import difflib
from dataclasses import dataclass
from typing import Any, Literal

from slstr_cloudmask.errors import ConfigError, InputError
from slstr_cloudmask.evaluation.scores import LABEL_MEANING

Direction = Literal["minimise", "maximise"]


@dataclass(frozen=True)
class Objective:
    """One measurement.

    Attributes
    ----------
    name
        As it is typed.
    measurement
        Its name in ``result.json``.
    direction
        Which way is better.
    on_test_scenes
        Whether it is measured on the test scenes: what is chosen by them is no longer tested by
        them.
    """

    name: str
    measurement: str
    direction: Direction
    on_test_scenes: bool = False

    def value(self, document: dict[str, Any]) -> float:
        """Return the number of a result.

        Raises
        ------
        InputError
            The result does not hold it.
        """
        rows = [row for row in document["measurements"] if row["name"] == self.measurement]
        # Where a mask is scored against several labels, the provider's counts: real scenes have it.
        rows.sort(key=lambda row: row["label"] != LABEL_MEANING["bayes"])
        values = [float(row["value"]) for row in rows if row["value"] is not None]
        if not values:
            known = sorted({row["name"] for row in document["measurements"]})
            raise InputError(
                f"The result has no {self.measurement!r}: expected one of {', '.join(known)}."
            )
        return values[0]

    def better(self, first: float, second: float) -> bool:
        """Whether the first is better than the second."""
        return first < second if self.direction == "minimise" else first > second


OBJECTIVES = {
    objective.name: objective
    for objective in (
        Objective("validation_loss", "validation loss", "minimise"),
        Objective("validation_agreement", "validation agreement", "maximise"),
        Objective("training_time", "training time", "minimise"),
        Objective("time_per_scene", "time per scene", "minimise"),
        Objective("accuracy", "network: accuracy", "maximise", on_test_scenes=True),
        Objective("kuipers", "network: kuipers", "maximise", on_test_scenes=True),
        Objective("published_accuracy", "network: published_accuracy", "maximise", True),
    )
}


def get_objective(name: str, direction: str | None = None) -> Objective:
    """Return an objective by its name.

    Parameters
    ----------
    name
        One of `OBJECTIVES`, or the name of any measurement of ``result.json``.
    direction
        ``minimise`` or ``maximise``; needed for a name that is not in `OBJECTIVES`.

    Raises
    ------
    ConfigError
        The name is not known and no direction is given, or the direction is no direction.
    """
    if direction not in (None, "minimise", "maximise"):
        raise ConfigError(f"Direction {direction!r}: expected minimise or maximise.")
    known = OBJECTIVES.get(name)
    if known is not None and direction in (None, known.direction):
        return known
    if direction is None:
        close = difflib.get_close_matches(name, OBJECTIVES, n=1)
        hint = f" Did you mean {close[0]}?" if close else ""
        raise ConfigError(
            f"Objective {name!r}: expected one of {', '.join(OBJECTIVES)}, or another measurement "
            f"of result.json together with --direction.{hint}"
        )
    way: Direction = "minimise" if direction == "minimise" else "maximise"
    if known is not None:
        return Objective(name, known.measurement, way, known.on_test_scenes)
    return Objective(name, name, way, name.startswith("network: "))
