"""What an epoch of training or validation came to: loss and counts, over all processes."""

import time
from dataclasses import dataclass

import torch
from torch import Tensor

from slstr_cloudmask.errors import InputError
from slstr_cloudmask.evaluation.counts import Counts
from slstr_cloudmask.training.batches import Batch
from slstr_cloudmask.training.distribution import Ranks


@dataclass(frozen=True)
class Outcome:
    """Mean loss and counts over all pixels with a label, and how long they took in seconds."""

    loss: float
    counts: Counts
    seconds: float


class Tally:
    """Adds losses and counts on the device, so that no step waits for the host."""

    def __init__(self, device: torch.device) -> None:
        self._loss_sum = torch.zeros((), dtype=torch.float64, device=device)
        self._tp_fp_tn_fn = torch.zeros(4, dtype=torch.int64, device=device)
        self._started = time.perf_counter()

    def add(self, loss_sum: Tensor, logits_NHW: Tensor, batch: Batch) -> None:
        """Add a batch: its summed loss, and its mask (cloud where the logit is above 0)."""
        cloud, label, valid = logits_NHW > 0, batch.label_NHW >= 0.5, batch.valid_NHW
        cells = (cloud & label, cloud & ~label, ~cloud & ~label, ~cloud & label)
        self._tp_fp_tn_fn += torch.stack([(cell & valid).sum() for cell in cells])
        self._loss_sum += loss_sum.detach()

    def outcome(self, ranks: Ranks) -> Outcome:
        """Sum up over all processes.

        Raises
        ------
        InputError
            Not one pixel had a label.
        """
        tp, fp, tn, fn = ranks.sum(self._tp_fp_tn_fn).tolist()
        counts = Counts(tp=tp, fp=fp, tn=tn, fn=fn)
        if not counts.total:
            raise InputError(
                "No pixel has a label, in training or in validation: "
                "use scenes that were seen and are labelled."
            )
        loss = float(ranks.sum(self._loss_sum)) / counts.total
        return Outcome(loss, counts, time.perf_counter() - self._started)
