"""What a wrong probability costs, for labels that can be trusted and for those that cannot.

    loss = PixelLoss("generalised")
    loss_NHW = loss(logits_NHW, label_NHW)

The provider's label is wrong in one direction: nearly half of what is clear it calls cloud. Each of
these losses is a published answer to wrong labels; `recipes/label_noise.py` compares them.

``cross_entropy``
    As the reference; for labels that are probabilities too.
``generalised``
    (1 - p^q) / q of the probability p of the label, q = 0.7: between cross-entropy and absolute
    error (Zhang and Sabuncu 2018, arXiv 1805.07836).
``symmetric``
    0.1 cross-entropy + 1 of it with label and probability exchanged, where log 0 is -4 (Wang et
    al. 2019, arXiv 1908.06112).
``bootstrapped``
    The label counts 0.8 and the network's own answer 0.2 (Reed et al. 2015, arXiv 1412.6596).
``forward``
    Of the probability that the provider would call the pixel cloud, given how often it errs on
    such a surface in such light (Patrini et al. 2017, arXiv 1609.03683): what is learnt is the
    probability of cloud itself. How often it errs is counted against label-free masks.
``early_learning``
    Cross-entropy + 3 log(1 - p.t), where t is what a slow average of the network says: keeps it at
    what it learnt before it memorises faults (Liu et al. 2020, arXiv 2007.00151).
``co_teaching``
    Two networks; each learns where the other finds the label easiest, all but a tenth of the
    pixels (Han et al. 2018, arXiv 1804.06872). The first is kept.

The last two need a second network, which `step.Objective` has.

Shape legend: N patches, H rows, W columns.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from slstr_cloudmask.errors import InputError
from slstr_cloudmask.training.labels import STRATA, Confusion

LossName = Literal[
    "cross_entropy",
    "generalised",
    "symmetric",
    "bootstrapped",
    "forward",
    "early_learning",
    "co_teaching",
]
OF_TWO = ("early_learning", "co_teaching")

POWER = 0.7  # of the generalised cross-entropy
SYMMETRIC_CE, SYMMETRIC_RCE, LOG_OF_ZERO = 0.1, 1.0, -4.0
TRUST = 0.8  # in the label, bootstrapped
EARLY_WEIGHT, EARLY_MEMORY = 3.0, 0.99
FORGOTTEN = 0.1  # share of pixels that each of two networks leaves out for the other
_EPSILON = 1e-4


@dataclass(frozen=True)
class PixelLoss:
    """The loss of each pixel.

    Attributes
    ----------
    name
        See above; that of a loss of two networks is cross-entropy.
    smoothing
        Labels are drawn so far towards one half (Szegedy et al. 2016).
    flagged_KS
        Share that the provider calls cloud of what is clear (0) and of what is cloud (1), by
        stratum; for ``forward``.
    """

    name: LossName = "cross_entropy"
    smoothing: float = 0.0
    flagged_KS: Tensor | None = None

    def __call__(
        self, logits_NHW: Tensor, label_NHW: Tensor, stratum_NHW: Tensor | None = None
    ) -> Tensor:
        """Return the loss (N, H, W) of logits of cloud where the label is this probability."""
        if self.smoothing:
            label_NHW = label_NHW + self.smoothing * (0.5 - label_NHW)
        if self.name == "generalised":
            return _expected(_generalised(logits_NHW), _generalised(-logits_NHW), label_NHW)
        if self.name == "symmetric":
            away_NHW = (torch.sigmoid(logits_NHW) - label_NHW).abs()
            cross_NHW = cross_entropy(logits_NHW, label_NHW)
            return SYMMETRIC_CE * cross_NHW - SYMMETRIC_RCE * LOG_OF_ZERO * away_NHW
        if self.name == "bootstrapped":
            own_NHW = torch.sigmoid(logits_NHW.detach())
            return cross_entropy(logits_NHW, TRUST * label_NHW + (1 - TRUST) * own_NHW)
        if self.name == "forward":
            return self._forward(logits_NHW, label_NHW, stratum_NHW)
        return cross_entropy(logits_NHW, label_NHW)

    def _forward(self, logits_NHW: Tensor, label_NHW: Tensor, stratum_NHW: Tensor | None) -> Tensor:
        assert self.flagged_KS is not None
        assert stratum_NHW is not None
        flagged_KS = self.flagged_KS.to(logits_NHW.device)
        of_clear_NHW, of_cloud_NHW = flagged_KS[:, stratum_NHW.long()]
        cloud_NHW = torch.sigmoid(logits_NHW)
        flagged_NHW = of_clear_NHW + (of_cloud_NHW - of_clear_NHW) * cloud_NHW
        flagged_NHW = flagged_NHW.clamp(_EPSILON, 1 - _EPSILON)
        return _expected(-flagged_NHW.log(), -(1 - flagged_NHW).log(), label_NHW)


def cross_entropy(logits_NHW: Tensor, label_NHW: Tensor) -> Tensor:
    """Return the binary cross-entropy of each pixel."""
    return functional.binary_cross_entropy_with_logits(logits_NHW, label_NHW, reduction="none")


def early_learning(logits_NHW: Tensor, average_NHW: Tensor) -> Tensor:
    """Return what is added to the cross-entropy, where a slow average says this probability."""
    cloud_NHW = torch.sigmoid(logits_NHW)
    alike_NHW = cloud_NHW * average_NHW + (1 - cloud_NHW) * (1 - average_NHW)
    return EARLY_WEIGHT * (1 - alike_NHW).clamp(min=_EPSILON).log()


def easiest(loss_NHW: Tensor, valid_NHW: Tensor, share: float) -> Tensor:
    """Return where that share of the pixels with a label lies whose loss is least."""
    known = loss_NHW[valid_NHW]
    kept = int(share * known.numel())
    if not kept:
        return torch.zeros_like(valid_NHW)
    return valid_NHW & (loss_NHW <= known.kthvalue(kept).values)


def provider_shares(confusion: Confusion | None) -> Tensor:
    """Return what `PixelLoss` needs for ``forward``: (2, strata).

    A stratum that the masks hardly know takes the shares of all.

    Raises
    ------
    InputError
        The store does not say how far the provider differs from masks.
    """
    if confusion is None:
        raise InputError(
            "The loss 'forward' needs to know how often the provider errs: pack with masks of a "
            "label-free detector and strata=true."
        )
    counts = torch.tensor(confusion, dtype=torch.float64).view(len(STRATA), 2, 2)
    total = counts.sum(0)
    enough = counts.sum(2) >= 1000  # pixels
    by_stratum = counts[..., 1] / counts.sum(2).clamp(min=1)
    overall = total[:, 1] / total.sum(1).clamp(min=1)
    return torch.where(enough, by_stratum, overall).T.float()


def _generalised(logits_NHW: Tensor) -> Tensor:
    """Return (1 - p^q) / q of a probability given as its logit."""
    return (1 - torch.exp(POWER * functional.logsigmoid(logits_NHW))) / POWER


def _expected(cloud_NHW: Tensor, clear_NHW: Tensor, label_NHW: Tensor) -> Tensor:
    """Return the mean of what a label of cloud and one of clear cost."""
    return label_NHW * cloud_NHW + (1 - label_NHW) * clear_NHW
