"""What a network reads of normalised channels: the bands alone, or all that they tell.

    x_NCHW = network_inputs(normalised_NCHW, normaliser)

``bands``: as in the benchmark, the channels as they are; a band that is missing looks as if it had
measured 0.

``full``: the channels, then differences of thermal bands, then for each channel whether it is
there. A difference of 1 K, which tells fog from sea at night, is 0.05 of a normalised channel, and
bf16 would round it away; as an input of its own it is 0.9. What is missing is 0 in all of them, and
said to be missing: a network that is trained so can do without bands that are not there.

Shape legend: N scenes or patches, C channels, H rows, W columns.
"""

import torch
from torch import Tensor

from slstr_cloudmask.network.normaliser import DIFFERENCES, Normaliser


def network_inputs(x_NCHW: Tensor, normaliser: Normaliser) -> Tensor:
    """Return the network's inputs (N, ``len(normaliser.inputs)``, H, W), float32.

    Parameters
    ----------
    x_NCHW
        Normalised channels, as `Normaliser.apply` and a packed store have them.
    normaliser
        What they were normalised with.
    """
    if normaliser.reads == "bands":
        return x_NCHW.float()
    x_NCHW = x_NCHW.float()
    codes_C = torch.tensor(normaliser.seen_above, device=x_NCHW.device)
    seen_NCHW = x_NCHW > codes_C.view(1, -1, 1, 1)
    differences = [_difference(x_NCHW, seen_NCHW, normaliser, *named) for named in DIFFERENCES]
    return torch.cat([x_NCHW * seen_NCHW, *differences, seen_NCHW.float()], dim=1)


def _difference(
    x_NCHW: Tensor, seen_NCHW: Tensor, normaliser: Normaliser, one: str, other: str, size: float
) -> Tensor:
    """Return asinh of a difference in units of ``size``: linear where small, short where large."""
    places = [normaliser.channels.index(name) for name in (one, other)]
    kelvin = [
        x_NCHW[:, place] * normaliser.scale[place] + normaliser.offset[place] for place in places
    ]
    seen_NHW = seen_NCHW[:, places[0]] & seen_NCHW[:, places[1]]
    return (torch.asinh((kelvin[0] - kelvin[1]) / size) * seen_NHW)[:, None]
