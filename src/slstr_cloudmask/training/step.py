"""One step of training: loss and gradients of a batch, in parts that fit, then the optimiser.

    step = Step(objective, optimiser, patch_size=256, batch_size=32, ranks=ranks)
    loss_sum, logits_NHW = step.train(batch)

On a CPU a batch is worked through in parts that stay in its cache; their gradients are added up,
which is the gradient of the whole batch but for rounding. What goes wrong and can be mended is: on
one process a batch that does not fit into memory is halved, and a network that cannot be compiled
runs as it is; both are said once.

Shape legend: N patches, C channels, H rows, W columns.
"""

import logging
import time
import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional
from torch.nn.parallel import DistributedDataParallel

from slstr_cloudmask.errors import InputError
from slstr_cloudmask.events import Event, Listener, ignore
from slstr_cloudmask.network.compiled import COMPILER_FAILURES, first_line
from slstr_cloudmask.network.device import (
    Precision,
    autocast,
    forget_failure,
    is_out_of_memory,
)
from slstr_cloudmask.network.unet import UNet, padded_channels
from slstr_cloudmask.training.batches import Batch
from slstr_cloudmask.training.distribution import Ranks
from slstr_cloudmask.training.losses import (
    EARLY_MEMORY,
    FORGOTTEN,
    PixelLoss,
    early_learning,
    easiest,
)
from slstr_cloudmask.training.optimiser import Optimiser

logger = logging.getLogger(__name__)

# Two patches of 256×256: measured fastest on cores with 2 MB of second-level cache; a whole batch
# of 16 takes 1.45 times as long, one of 32 even 1.7 times (docs/log.md).
CPU_PART_PIXELS = 2 * 256 * 256
FIRST_WEIGHT = "encoder.0.0.weight"
PLAIN = PixelLoss()

Compute = Callable[..., tuple[Tensor, Tensor]]


class Objective(nn.Module):
    """A network with its precision and its loss: all that is differentiated, in one piece.

    Parameters
    ----------
    network
        The U-Net.
    precision
        What it runs in.
    pad
        Add channels of zeros up to a multiple of eight, for devices that multiply so.
    loss
        Of each pixel.
    ignore_edges_px
        Nothing is learnt within this distance of the edge of a cloud.
    companion
        A second network, where the loss is one of two.
    """

    def __init__(
        self,
        network: UNet,
        precision: Precision,
        *,
        pad: bool,
        loss: PixelLoss = PLAIN,
        ignore_edges_px: int = 0,
        companion: UNet | None = None,
    ) -> None:
        super().__init__()
        self.network = network
        self.companion = companion
        self.precision = precision
        self.pad = pad
        self.loss = loss
        self.ignore_edges_px = ignore_edges_px
        self.compiled_size: int | None = None  # patches of the parts that are compiled
        self._compiled: Compute | None = None

    def forward(
        self,
        x_NCHW: Tensor,
        label_NHW: Tensor,
        valid_NHW: Tensor,
        stratum_NHW: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Return the loss summed over pixels with a label, and the logits (N, H, W)."""
        # One program for the usual shape: the few batches of another one are not worth a second.
        usual = len(x_NCHW) == self.compiled_size and torch.is_grad_enabled()
        compute = self._program() if usual else self._compute
        return compute(x_NCHW, label_NHW, valid_NHW, stratum_NHW)

    @property
    def has_program(self) -> bool:
        """Whether a part has been run compiled, or tried to."""
        return self._compiled is not None

    @torch.no_grad()
    def follow(self) -> None:
        """Move the slow average a step towards the network, where the loss is of one."""
        if self.companion is None or self.loss.name != "early_learning":
            return
        pairs = zip(self.companion.parameters(), self.network.parameters(), strict=True)
        for slow, weight in pairs:
            slow.lerp_(weight, 1 - EARLY_MEMORY)

    def _program(self) -> Compute:
        if self._compiled is None:
            self._compiled = torch.compile(self._compute, dynamic=False)
        return self._compiled

    def _compute(
        self, x_NCHW: Tensor, label_NHW: Tensor, valid_NHW: Tensor, stratum_NHW: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        logits_NHW = self._answer(self.network, x_NCHW)
        if self.training and self.ignore_edges_px:
            valid_NHW = valid_NHW & ~near_edges(label_NHW, self.ignore_edges_px)
        loss_NHW = self.loss(logits_NHW, label_NHW, stratum_NHW)
        if self.training and self.companion is not None:
            loss_NHW = self._with_companion(x_NCHW, label_NHW, valid_NHW, logits_NHW, loss_NHW)
        return (loss_NHW * valid_NHW).sum(), logits_NHW.detach()

    def _with_companion(
        self,
        x_NCHW: Tensor,
        label_NHW: Tensor,
        valid_NHW: Tensor,
        logits_NHW: Tensor,
        loss_NHW: Tensor,
    ) -> Tensor:
        """Return the loss of each pixel where a second network has its say."""
        assert self.companion is not None
        if self.loss.name == "early_learning":
            with torch.no_grad():
                average_NHW = torch.sigmoid(self._answer(self.companion, x_NCHW))
            return loss_NHW + early_learning(logits_NHW, average_NHW)
        other_NHW = self.loss(self._answer(self.companion, x_NCHW), label_NHW)
        mine = easiest(other_NHW.detach(), valid_NHW, 1 - FORGOTTEN)
        others = easiest(loss_NHW.detach(), valid_NHW, 1 - FORGOTTEN)
        return loss_NHW * mine + other_NHW * others

    def _answer(self, network: UNet, x_NCHW: Tensor) -> Tensor:
        """Return a network's logits (N, H, W), float32."""
        with autocast(x_NCHW.device, self.precision):
            return self._logits(network, x_NCHW)[:, 0].float()

    def _logits(self, network: UNet, x_NCHW: Tensor) -> Tensor:
        if not self.pad:
            logits_NCHW: Tensor = network(x_NCHW)
            return logits_NCHW
        # The parameter stays what it is: zeros are added to it for this call alone.
        weight = network.get_parameter(FIRST_WEIGHT)
        replaced = {FIRST_WEIGHT: padded_channels(weight)}
        padded: Tensor = functional_call(network, replaced, (padded_channels(x_NCHW),))
        return padded


def near_edges(label_NHW: Tensor, distance_px: int) -> Tensor:
    """Return where a pixel that is labelled otherwise lies within a square of this distance."""
    cloud_N1HW = (label_NHW[:, None] >= 0.5).float()
    size = 2 * distance_px + 1
    most, least = (
        functional.max_pool2d(sign * cloud_N1HW, size, stride=1, padding=distance_px) * sign
        for sign in (1, -1)
    )
    return (most != least)[:, 0]


class Step:
    """Steps of training on batches of one size.

    Parameters
    ----------
    objective, optimiser
        What is trained, on its device.
    patch_size
        Pixels along each side of a patch.
    batch_size
        Patches of a global batch, over all processes.
    ranks
        This process among all.
    compiled
        Compile network and loss.
    listen
        Hears ``compile_start`` and ``compile_stop`` around the first step that runs compiled,
        once it is over: making the program is most of it.
    """

    def __init__(
        self,
        objective: Objective,
        optimiser: Optimiser,
        *,
        patch_size: int,
        batch_size: int,
        ranks: Ranks,
        compiled: bool = False,
        listen: Listener = ignore,
    ) -> None:
        device = next(objective.parameters()).device
        mine = -(-batch_size // ranks.world_size)
        fits = max(1, CPU_PART_PIXELS // patch_size**2) if device.type == "cpu" else mine
        self.part_patches = min(mine, fits)
        self.objective = objective
        self.objective.compiled_size = self.part_patches if compiled else None
        self._batch_size = batch_size
        self._optimiser = optimiser
        self._ranks = ranks
        self.listen = listen
        self._shared = ranks.share(self.objective, one_backward=self.part_patches == mine)

    def train(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Take a step; return the loss summed over pixels with a label, and the logits (N, H, W).

        Raises
        ------
        InputError
            The batch does not fit into memory.
        """
        had_program, started_ns = self.objective.has_program, time.time_ns()
        self._shared.train()
        labelled = self._ranks.sum(batch.valid_NHW.sum()).clamp(min=1)
        # The processes' gradients are averaged; this makes the mean one over all their pixels.
        scale = self._ranks.world_size / labelled
        while True:
            try:
                with warnings.catch_warnings():
                    if self.objective.compiled_size is not None:
                        warnings.simplefilter("ignore")  # the compiler's, about what it does itself
                    outcome = self._backward(batch, scale)
                break
            except COMPILER_FAILURES as error:
                self._mend(error)
        self._optimiser.step()
        self.objective.follow()
        if self.objective.has_program and not had_program:
            status = "aborted" if self.objective.compiled_size is None else "success"
            self.listen(Event("compile_start", time_ns=started_ns))
            self.listen(Event("compile_stop", {"status": status}))
        return outcome

    def evaluate(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return the same as `train`, and learn nothing."""
        self.objective.eval()
        with torch.inference_mode():
            return _joined([self._part(self.objective, p) for p in batch.parts(self.part_patches)])

    def _backward(self, batch: Batch, scale: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the gradients, part by part."""
        self._optimiser.zero_grad(set_to_none=True)
        outcomes = []
        parts = list(batch.parts(self.part_patches))
        for part in parts:
            with self._silent(last=part is parts[-1]):
                loss_sum, logits_NHW = self._part(self._shared, part)
                (loss_sum * scale).backward()  # type: ignore[no-untyped-call]
            outcomes.append((loss_sum.detach(), logits_NHW))
        return _joined(outcomes)

    def _part(self, module: nn.Module, part: Batch) -> tuple[Tensor, Tensor]:
        outcome: tuple[Tensor, Tensor] = module(*part.tensors)
        return outcome

    def _silent(self, *, last: bool) -> AbstractContextManager[None]:
        """Context in which processes keep their gradients to themselves, but for the last part."""
        if last or not isinstance(self._shared, DistributedDataParallel):
            return nullcontext()
        return self._shared.no_sync()

    def _mend(self, error: Exception) -> None:
        """Change what can be changed after a failure, or raise."""
        if is_out_of_memory(error):
            self._halve(error)
        elif self.objective.compiled_size is not None:
            self.objective.compiled_size = None
            said = first_line(error)
            logger.warning("The network is not compiled, and trains as it is: %s", said)
        else:
            raise error

    def _halve(self, error: Exception) -> None:
        if self.part_patches == 1 or self._ranks.world_size > 1:
            raise InputError(
                f"Out of memory with {self.part_patches} patches at once, of a batch of "
                f"{self._batch_size}: use a smaller --batch-size, or more processes."
            ) from error
        self.part_patches //= 2
        if self.objective.compiled_size is not None:
            self.objective.compiled_size = self.part_patches
        logger.warning(
            "Out of memory: batches of %d are now worked through %d patches at once. The result "
            "differs by rounding alone.",
            self._batch_size,
            self.part_patches,
        )
        forget_failure(error)


def _joined(outcomes: list[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    losses, logits = zip(*outcomes, strict=True)
    return torch.stack(losses).sum(), torch.cat(logits)
