"""Training timed: patches per second at equal batch, our loop and the twin's step in turn.

Ours is the package's own loop with all that it does: batches drawn from a packed store, loss,
Adam's step, agreement counted; compiled, as it is for epochs as long as the benchmark's, and as it
is. The twin trains on one batch that is in memory already. The loop's events say when an epoch
begins and ends; after each, the twin has its turn.
"""

import time

import torch

from benchmarks.peer import Twin
from benchmarks.timing import Sample, synchronise
from slstr_cloudmask.events import Event
from slstr_cloudmask.network.device import Precision
from slstr_cloudmask.training.config import TrainConfig
from slstr_cloudmask.training.loop import train
from slstr_cloudmask.training.store import Store

BATCH = 32
EPOCH_PATCHES = 15_520  # 776 of the benchmark's 970 scenes, 20 patches each


class Turns:
    """Hears the loop's events, times its epochs and lets the twin run between them.

    Attributes
    ----------
    ours
        Name of what is trained.
    samples
        Seconds a patch, by subject. The first epoch of each is the warm-up.
    """

    def __init__(
        self, patches: int, device: torch.device, twin: Twin | None, variants: list[str]
    ) -> None:
        self.ours = "ours"
        self.samples: dict[str, Sample] = {}
        self._patches, self._device = patches, device
        self._twin, self._variants = twin, variants
        self._started = 0.0

    def __call__(self, event: Event) -> None:
        """Take note of an event of the training loop."""
        if event.name == "epoch_start":
            synchronise(self._device)
            self._started = time.perf_counter()
        elif event.name == "epoch_stop":
            synchronise(self._device)
            self._note(self.ours, (time.perf_counter() - self._started) / self._patches)
        elif event.name == "evaluation" and self._twin is not None:
            for variant in self._variants:
                steps = self._patches // BATCH
                answer = self._twin.ask("train", batch=BATCH, steps=steps, variant=variant)
                self._note(f"twin {variant}", answer["seconds"] / answer["patches"])

    def _note(self, subject: str, seconds: float) -> None:
        if subject in self.samples:
            self.samples[subject].seconds.append(seconds)
        else:
            self.samples[subject] = Sample(warm_up_seconds=[seconds])


def time_training(
    store: Store,
    device: torch.device,
    precision: Precision,
    twin: Twin | None,
    *,
    repeats: int,
    variants: list[str],
    ways: tuple[str, ...] = ("compiled", "eager"),
) -> dict[str, Sample]:
    """Time training; seconds a patch by subject.

    Subjects are ``compiled PRECISION``, ``eager PRECISION`` and ``twin VARIANT``.

    Parameters
    ----------
    store
        Of two scenes of equally many patches, a multiple of 32: one is trained on.
    device, precision
        Where and how ours runs.
    twin
        The peer, if it is there.
    repeats
        Epochs that count, after one that does not.
    variants
        Of the twin.
    ways
        Of ours.
    """
    turns = Turns(store.manifest.scenes[0].count, device, twin, variants)
    for name in ways:
        turns.ours = f"{name} {precision}"
        config = TrainConfig(
            epochs=repeats + 1,
            batch_size=BATCH,
            train_split=0.5,
            patience=None,
            precision=precision,
            compile=name == "compiled",
        )
        train(config, store, device=device, listen=turns)
    return turns.samples
