"""Bands taken away from patches in training, so that a network learns to do without them.

    absent = absent_bands(len(order), share=0.5, seed=1, epoch=3)
    x_NCHW = without_bands(x_NCHW, absent, normaliser)

What is taken away is what real scenes lack: all reflectances (a product of thermal bands, or night
as day), S7 (it saturates, and by twilight holds sunlight), S4, one band at random, or each band
with a chance of 0.3. S8 is never taken: no scene worth masking lacks it.

Shape legend: N patches, C channels, H rows, W columns.
"""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from slstr_cloudmask.channels import NAMES, REFLECTANCE_NAMES
from slstr_cloudmask.network.normaliser import Normaliser

Absent = npt.NDArray[np.uint16]

_RANDOM_SHARE = 0.3


def _bits(*names: str) -> int:
    return sum(1 << NAMES.index(name) for name in names)


_KEPT = _bits("S8")
_LACKING = (_bits(*REFLECTANCE_NAMES), _bits("S7"), _bits("S4"), _bits(*REFLECTANCE_NAMES, "S7"))


def absent_bands(count: int, share: float, seed: int, epoch: int) -> Absent:
    """Draw which bands are taken away from patches: bit i is the i-th of ``channels.NAMES``.

    Parameters
    ----------
    count
        Of patches.
    share
        Of the patches from which something is taken away.
    seed, epoch
        What the draw follows from.
    """
    rng = np.random.default_rng((seed, epoch, 1))
    one = 1 << rng.integers(len(NAMES), size=count)
    some = (rng.random((count, len(NAMES))) < _RANDOM_SHARE) @ (1 << np.arange(len(NAMES)))
    choices = np.stack([*(np.full(count, bits) for bits in _LACKING), one, some])
    chosen = choices[rng.integers(len(choices), size=count), np.arange(count)]
    taken = np.where(rng.random(count) < share, chosen & ~_KEPT, 0)
    return taken.astype(np.uint16)


def without_bands(x_NCHW: Tensor, absent: Absent, normaliser: Normaliser) -> Tensor:
    """Return normalised channels in which the absent ones are what stands for no data."""
    places = [NAMES.index(name) for name in normaliser.channels]
    gone = torch.from_numpy((absent[:, None] >> np.array(places, np.uint16)) & 1 == 1)
    missing = torch.tensor(normaliser.missing, dtype=x_NCHW.dtype, device=x_NCHW.device)
    gone_NC11 = gone.to(x_NCHW.device)[:, :, None, None]
    return torch.where(gone_NC11, missing.view(1, -1, 1, 1), x_NCHW)
