"""How far a training run has come; with the weights, all that a checkpoint holds."""

import math
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from slstr_cloudmask.errors import InputError
from slstr_cloudmask.training.tally import Outcome


@dataclass
class TrainState:
    """How far a run has come.

    Attributes
    ----------
    epoch, best_epoch
        The last whole epoch and the one with the lowest validation loss, from 1.
    best_loss
        That loss.
    history
        Loss, agreement, speed and seconds, epoch by epoch.
    """

    epoch: int = 0
    best_epoch: int = 0
    best_loss: float = math.inf
    history: list[dict[str, Any]] = field(default_factory=list)

    def stopped(self, epochs: int, patience: int | None) -> bool:
        """Whether the run is at its end."""
        waited = self.epoch - self.best_epoch
        return self.epoch >= epochs or (patience is not None and waited >= patience)

    def record(self, trained: Outcome, validated: Outcome, patches: int) -> bool:
        """Note an epoch's outcome; return whether it is the best so far.

        Raises
        ------
        InputError
            A loss is no number.
        """
        if not math.isfinite(trained.loss + validated.loss):
            raise InputError(
                f"Training diverged in epoch {self.epoch}: loss {trained.loss:g} in training "
                f"and {validated.loss:g} in validation. Use a smaller learning rate."
            )
        self.history.append(
            {
                "epoch": self.epoch,
                "train_loss": trained.loss,
                "train_agreement": trained.counts.accuracy,
                "validation_loss": validated.loss,
                "validation_agreement": validated.counts.accuracy,
                "validation_kuipers": validated.counts.scores()["kuipers"],
                "patches_per_s": patches / trained.seconds,
                "train_seconds": trained.seconds,
                "validation_seconds": validated.seconds,
            }
        )
        best = validated.loss < self.best_loss
        if best:
            self.best_loss, self.best_epoch = validated.loss, self.epoch
        return best

    def line(self, epochs: int) -> str:
        """Return the last epoch in one line, with the time that is left at most."""
        last = self.history[-1]
        recent = [e["train_seconds"] + e["validation_seconds"] for e in self.history[-5:]]
        left = timedelta(seconds=round((epochs - self.epoch) * sum(recent) / len(recent)))
        best = " (best)" if self.best_epoch == self.epoch else ""
        return (
            f"epoch {self.epoch}/{epochs}  loss {last['train_loss']:.4f}  "
            f"agreement {last['train_agreement']:.4f}  "
            f"validation loss {last['validation_loss']:.4f}  "
            f"agreement {last['validation_agreement']:.4f}{best}  "
            f"{last['patches_per_s']:.1f} patches/s  at most {left} left"
        )
