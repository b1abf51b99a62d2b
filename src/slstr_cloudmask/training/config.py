"""How a network is trained: all that a run is told, in one typed configuration.

config = TrainConfig(epochs=30, optimiser="muon", schedule="one_cycle")
"""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from slstr_cloudmask.network.model_file import Widths
from slstr_cloudmask.network.unet import REFERENCE_WIDTHS
from slstr_cloudmask.training.batches import Augment
from slstr_cloudmask.training.losses import LossName
from slstr_cloudmask.training.optimiser import OptimiserName, ScheduleName
from slstr_cloudmask.training.ordering import Ordering, OrderName
from slstr_cloudmask.training.residence import Residence
from slstr_cloudmask.training.split import SplitRule

# Patches of an epoch from which on it is worth a minute of the compiler's at the start: on two
# cores it saves an eighth to a quarter of two minutes, in every epoch (docs/log.md).
WORTH_COMPILING = 2000
# What may change when a run goes on: when it ends, and what changes rounding or speed alone.
# The order may not, but ``auto`` must be looked at more closely: `Ordering.resumed` does.
ORDER_FIELDS = {"order", "shard_patches", "window_shards"}
NOT_IDENTITY = {"epochs", "patience", "keep", "residence"} | ORDER_FIELDS


class TrainConfig(BaseModel):
    """How a network is trained. The defaults are the published runs' (batch 32, Adam, 1e-3).

    Attributes
    ----------
    epochs
        At most this many.
    batch_size
        Patches of a global batch, over all processes.
    optimiser
        ``adam``, as the reference, or ``muon``: see ``training.optimiser``.
    learning_rate
        The highest of the schedule.
    schedule
        ``constant``, as the reference, or ``one_cycle``: up, and down to zero at the last epoch.
    warm_up
        Share of the steps of ``one_cycle`` in which the rate goes up.
    train_split
        Share of the scenes that are trained on; the others validate.
    split
        Which: ``seeded`` by ``seed``; ``reference``, as the reference does, whatever the seed.
    patience
        Stop after this many epochs without a lower validation loss; ``None`` never stops.
    keep
        Weights to return: of the ``best`` epoch by validation loss, or of the ``last``.
    seed
        Of split, weights and order.
    order
        ``global``: every epoch is one permutation of all patches; ``stream``: shards of the store
        are read one after the other, and patches are drawn from a window of them; ``auto`` streams
        where patches are streamed; ``buffer``: as the reference, files in one order for all
        epochs, their patches through a buffer of a batch's size.
    shard_patches, window_shards
        Patches of a shard, and shards of a window. 200 patches of 256x256 are 250 MB.
    epoch_patches
        Train on so many patches an epoch, others each time; ``None``: on all.
    drop_remainder
        Leave out what does not fill a last batch, in training and validation, as the reference.
    widths
        Channels at each level of the U-Net.
    head_from_zero
        Start with all weights of the last layer 0, so that it first learns which way its inputs
        point. From random ones, as the reference's, one start in five never learnt with Muon
        (docs/log.md).
    precision
        ``auto``, ``fp32`` or ``bf16``.
    augment
        ``none``, as the reference; ``flips`` of rows and columns; ``d4``, all eight symmetries of
        the square. Another one for each patch and epoch.
    band_dropout
        Share of the patches from which bands are taken away, so that the network learns to do
        without them; needs data that says which are there (``reads: full``).
    loss, label_smoothing
        What a wrong probability costs: see ``losses``.
    ignore_edges_px
        Nothing is learnt within this distance of the edge of a cloud, as the label has it.
    compile
        Compile network and loss; ``auto`` does where an epoch is long enough to be worth it.
    residence
        Where the packed patches live: on the ``device``, ``pinned`` in the host's memory,
        ``mapped`` from the disk, or ``streamed``, read as they are used; ``auto`` takes the first
        that has room.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    epochs: int = Field(default=200, ge=1)
    batch_size: int = Field(default=32, ge=1)
    optimiser: OptimiserName = "adam"
    learning_rate: float = Field(default=1e-3, gt=0)
    schedule: ScheduleName = "constant"
    warm_up: float = Field(default=0.1, ge=0, lt=1)
    train_split: float = Field(default=0.8, gt=0, lt=1)
    split: SplitRule = "seeded"
    patience: int | None = Field(default=25, ge=1)
    keep: Literal["best", "last"] = "best"
    seed: int = Field(default=1234, ge=0)
    order: OrderName = "auto"
    shard_patches: int = Field(default=200, ge=1)
    window_shards: int = Field(default=10, ge=1)
    epoch_patches: int | None = Field(default=None, ge=1)
    drop_remainder: bool = False
    widths: Widths = REFERENCE_WIDTHS
    head_from_zero: bool = False
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    augment: Augment = "none"
    band_dropout: float = Field(default=0.0, ge=0, le=1)
    loss: LossName = "cross_entropy"
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    ignore_edges_px: int = Field(default=0, ge=0)
    compile: bool | Literal["auto"] = "auto"
    residence: Residence = "auto"

    def compiled(self, patches: int) -> bool:
        """Whether to compile for epochs of so many patches."""
        return patches >= WORTH_COMPILING if self.compile == "auto" else self.compile

    def drawn(self, patches: int) -> int:
        """Return how many of so many patches an epoch trains on."""
        return patches if self.epoch_patches is None else min(patches, self.epoch_patches)

    def steps(self, patches: int) -> int:
        """Return how many batches an epoch of so many patches has."""
        return patches // self.batch_size if self.drop_remainder else -(-patches // self.batch_size)

    def ordering(self, *, streaming: bool) -> Ordering:
        """Return how epochs are ordered; ``auto`` by whether patches are read as they are used."""
        if self.order == "buffer":
            return Ordering("buffer", 1, self.batch_size)
        name = ("stream" if streaming else "global") if self.order == "auto" else self.order
        return Ordering(name, self.shard_patches, self.window_shards)

    @property
    def identity(self) -> dict[str, Any]:
        """What a checkpoint must share with the run that goes on from it."""
        may_change = NOT_IDENTITY if self.schedule == "constant" else NOT_IDENTITY - {"epochs"}
        return self.model_dump(mode="json", exclude=may_change)
