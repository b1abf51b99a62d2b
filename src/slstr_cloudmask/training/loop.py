"""The one linear training loop: set up, epochs of training and validation, early stopping.

    result = train(TrainConfig(epochs=30), store, device=torch.device("cpu"))

The same loop runs in one process or in many (see ``distribution``): gradients are averaged, counts
are summed, the first process writes. Nothing random happens beside the start of the weights and
the order of the patches, and both follow from the seed, so a run that was stopped and resumed from
its checkpoint ends where an unbroken one does.

Shape legend: N patches, C channels, H rows, W columns.
"""

import copy
import logging
from collections.abc import Generator, Iterable
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from slstr_cloudmask.errors import InputError
from slstr_cloudmask.events import Event, Listener, ignore
from slstr_cloudmask.network.device import Precision, resolve_precision
from slstr_cloudmask.network.unet import UNet
from slstr_cloudmask.progress import track
from slstr_cloudmask.training.batches import (
    Batch,
    Order,
    draw,
    first,
    in_turn,
    patch_indices,
)
from slstr_cloudmask.training.checkpoint import load_checkpoint, save_checkpoint
from slstr_cloudmask.training.config import TrainConfig
from slstr_cloudmask.training.distribution import Ranks
from slstr_cloudmask.training.dropout import absent_bands
from slstr_cloudmask.training.losses import OF_TWO, PixelLoss, provider_shares
from slstr_cloudmask.training.optimiser import (
    Schedule,
    make_optimiser,
)
from slstr_cloudmask.training.ordering import Indices, Ordering, shuffled_files
from slstr_cloudmask.training.residence import Patches, place
from slstr_cloudmask.training.state import TrainState
from slstr_cloudmask.training.step import Objective, Step
from slstr_cloudmask.training.store import Store, StoreManifest
from slstr_cloudmask.training.tally import Outcome, Tally

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainResult:
    """A trained network and how it came about.

    Attributes
    ----------
    network
        With the weights that were to be kept.
    state
        Epochs, best epoch and the history of losses and agreement.
    kept_epoch
        The epoch whose weights these are, from 1.
    precision
        What it was trained in.
    resumed_after
        Epochs that an earlier, stopped run had done; 0 if there was none.
    """

    network: UNet
    state: TrainState
    kept_epoch: int
    precision: Precision
    resumed_after: int


def train(
    config: TrainConfig,
    store: Store,
    *,
    device: torch.device,
    ranks: Ranks | None = None,
    checkpoint: Path | None = None,
    listen: Listener = ignore,
) -> TrainResult:
    """Train a U-Net on a store.

    Parameters
    ----------
    config
        How.
    store
        On what.
    device
        Where.
    ranks
        This process among all; one alone by default.
    checkpoint
        A file to which the run is saved after every epoch, and from which it goes on if the file
        is there.
    listen
        Hears ``epoch_start``, ``epoch_stop``, ``evaluation_start`` and ``evaluation``; and
        ``compile_start`` and ``compile_stop`` within the first epoch, where it is compiled.

    Returns
    -------
    TrainResult
        The same on every process.

    Raises
    ------
    ConfigError
        The checkpoint belongs to another configuration or store.
    InputError
        Too few scenes to split, no labels, or a loss that is no number.
    """
    ranks = ranks or Ranks()
    precision = resolve_precision(config.precision, device)

    # -- set up -------------------------------------------------------------------------------
    patches = place(store, device, config.residence, sharing=ranks.local_world_size)
    setting = _Setting(config, store, patches, device, precision, ranks)
    streaming = torch.tensor(int(patches.residence == "streamed"), device=device)
    ordering = config.ordering(streaming=bool(ranks.sum(streaming)))  # of one, of all
    train_indices, validation_indices = setting.split()
    objective = _objective(config, store.manifest, precision, device)
    network = objective.network
    optimiser = make_optimiser(config.optimiser, trained_part(objective), config.learning_rate)
    schedule = Schedule(
        optimiser,
        config.schedule,
        steps=config.epochs * config.steps(config.drawn(len(train_indices))),
        warm_up=config.warm_up,
    )
    step = Step(
        objective,
        optimiser,
        patch_size=store.manifest.patch_size,
        batch_size=config.batch_size,
        ranks=ranks,
        compiled=config.compiled(config.drawn(len(train_indices))),
        listen=listen,
    )
    state, best_weights = TrainState(), _copy_weights(network)
    if checkpoint is not None and checkpoint.is_file():
        saved = load_checkpoint(checkpoint, setting.identity, device)
        network.load_state_dict(saved["weights"])
        if objective.companion is not None:
            objective.companion.load_state_dict(saved["companion"])
        optimiser.load_state_dict(saved["optimiser"])
        state, best_weights = TrainState(**saved["state"]), saved["best_weights"]
        ordering = ordering.resumed(saved["ordering"], config.order)
        logger.info("Going on after epoch %d from %s", state.epoch, checkpoint)

    resumed_after = state.epoch

    # -- epochs -------------------------------------------------------------------------------
    while not state.stopped(config.epochs, config.patience):
        state.epoch += 1
        listen(Event("epoch_start", {"epoch": state.epoch}))
        order = setting.order(ordering, train_indices, state.epoch)
        trained = _train_epoch(setting, step, schedule, order, state.epoch)
        listen(Event("epoch_stop", {"epoch": state.epoch}))
        listen(Event("evaluation_start", {"epoch": state.epoch, "set": "validation"}))
        checked = setting.order(ordering, validation_indices, state.epoch, learning=False)
        validated = _validate(setting, step, checked)
        if state.record(trained, validated, len(order)):
            best_weights = _copy_weights(network)
        # Before the checkpoint: what was heard of an epoch that is then repeated is void, but an
        # epoch that is kept is never unheard of.
        listen(Event("evaluation", dict(state.history[-1])))
        if checkpoint is not None and ranks.is_first:
            content = {
                "weights": network.state_dict(),
                "companion": objective.companion and objective.companion.state_dict(),
                "optimiser": optimiser.state_dict(),
                "state": asdict(state),
                "best_weights": best_weights,
                "ordering": ordering.record,
            }
            save_checkpoint(checkpoint, setting.identity, content)
        if ranks.is_first:
            logger.info("%s", state.line(config.epochs))

    # -- keep ---------------------------------------------------------------------------------
    if config.keep == "best":
        network.load_state_dict(best_weights)
    kept_epoch = state.best_epoch if config.keep == "best" else state.epoch
    return TrainResult(network.eval(), state, kept_epoch, setting.precision, resumed_after)


@dataclass(frozen=True)
class _Setting:
    """What stays the same through a run."""

    config: TrainConfig
    store: Store
    patches: Patches
    device: torch.device
    precision: Precision
    ranks: Ranks

    @property
    def identity(self) -> dict[str, Any]:
        """What a checkpoint must share with the run that goes on from it."""
        return {
            "config": self.config.identity,
            "store": self.store.manifest.model_dump(mode="json", exclude={"scenes", "skipped"}),
        }

    def split(self) -> tuple[Indices, Indices]:
        """Return the patches to train on and those to validate on, as they come to an epoch.

        Raises
        ------
        InputError
            Either part is empty, or holds no whole batch where only whole ones count.
        """
        config = self.config
        train, validation = self.store.split(config.train_split, config.seed, config.split)
        if config.order == "buffer":
            train, validation = (shuffled_files(part, config.seed) for part in (train, validation))
        train_indices, validation_indices = patch_indices(train), patch_indices(validation)
        fewest = min(len(train_indices), len(validation_indices))
        if config.drop_remainder and fewest < config.batch_size:
            raise InputError(
                f"{len(train_indices)} patches to train on and {len(validation_indices)} to "
                f"validate on do not both fill a batch of {config.batch_size}, and drop_remainder "
                "drops what does not: use a smaller batch_size, or drop_remainder=false."
            )
        return train_indices, validation_indices

    def order(
        self, ordering: Ordering, indices: Indices, epoch: int, *, learning: bool = True
    ) -> Order:
        """Return the order of an epoch of training or of validation."""
        config = self.config
        if learning:
            order = ordering.epoch(indices, config.seed, epoch, config.augment)
            order = first(order, config.drawn(len(indices)))
            if config.band_dropout:
                absent = absent_bands(len(order), config.band_dropout, config.seed, epoch)
                order = replace(order, absent=absent)
        elif config.order == "buffer":
            order = ordering.epoch(indices, config.seed, epoch)
        else:
            order = in_turn(indices)
        if not config.drop_remainder:
            return order
        return first(order, len(order) // config.batch_size * config.batch_size)

    def batches(self, order: Order) -> Generator[Batch, None, None]:
        return draw(
            self.patches,
            order,
            self.config.batch_size,
            rank=self.ranks.rank,
            world_size=self.ranks.world_size,
        )


def _train_epoch(
    setting: _Setting, step: Step, schedule: Schedule, order: Order, epoch: int
) -> Outcome:
    ranks, tally = setting.ranks, Tally(setting.device)
    steps = setting.config.steps(len(order))
    with closing(setting.batches(order)) as drawn:
        batches: Iterable[Batch] = drawn
        if ranks.is_first:
            batches = track(drawn, f"epoch {epoch}", steps)
        for number, batch in enumerate(batches, (epoch - 1) * steps):
            schedule.set(number)
            tally.add(*step.train(batch), batch)
    return tally.outcome(ranks)


def _validate(setting: _Setting, step: Step, order: Order) -> Outcome:
    tally = Tally(setting.device)
    with closing(setting.batches(order)) as batches:
        for batch in batches:
            tally.add(*step.evaluate(batch), batch)
    return tally.outcome(setting.ranks)


def _objective(
    config: TrainConfig, manifest: StoreManifest, precision: Precision, device: torch.device
) -> Objective:
    """Make what is trained: a fresh network, its loss, and a second network where that needs one.

    Raises
    ------
    InputError
        The loss needs to know what the store does not say.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        fresh = [_network(config, manifest) for _ in range(1 + (config.loss in OF_TWO))]
    if config.loss == "early_learning":  # an average, which begins where the network does
        fresh[1] = copy.deepcopy(fresh[0]).requires_grad_(False)
    forward = config.loss == "forward"
    loss = PixelLoss(
        config.loss,
        config.label_smoothing,
        provider_shares(manifest.confusion) if forward else None,
    )
    return Objective(
        fresh[0],
        precision,
        pad=device.type == "cuda",
        loss=loss,
        ignore_edges_px=config.ignore_edges_px,
        companion=fresh[1] if len(fresh) > 1 else None,
    ).to(device)


def trained_part(objective: Objective) -> nn.Module:
    """Return what the optimiser changes."""
    return objective if objective.loss.name == "co_teaching" else objective.network


def _network(config: TrainConfig, manifest: StoreManifest) -> UNet:
    network = UNet(len(manifest.normaliser.inputs), config.widths)
    if config.head_from_zero:
        nn.init.zeros_(network.head.weight)
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


def _copy_weights(network: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}
