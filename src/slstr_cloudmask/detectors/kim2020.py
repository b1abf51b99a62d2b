"""Differentiable feature clustering: a small network trained on one scene alone, without labels.

    mask = Kim2020().predict(scene)  # half a minute or so for a full scene

The literature's baseline for `clusters`. Kim, Kanezaki and Tanaka (2020), "Unsupervised Learning of
Image Segmentation Based on Differentiable Feature Clustering", IEEE Transactions on Image
Processing 29, 8055. A few convolutions give each pixel a response in each of some channels; its
label is the channel with the largest. The network learns to be surer of its own labels (cross
entropy) and to respond alike in neighbours (L1 norm of differences), so that labels merge. Each
segment that is left is called cloud by the mean of the physics votes in it (`votes`).

Of the paper's settings: two components of 3 x 3 filters and one of 1 x 1, batch normalisation,
gradient descent with rate 0.1 and momentum 0.9, and at least 3 labels. Its 100 channels are 32 here
and its hundreds of iterations 40, to end in bearable time; its weight of continuity, 5 for
photographs, is 1: larger ones merge cloud with its surroundings. The network learns on the scene
averaged to some 100,000 pixels, and is then run on every pixel.

Where it fails: segments are few and large, so thin edges and small cloud go with what is around;
where votes fail, so does it. A segment has one probability.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import xarray as xr

from slstr_cloudmask.detectors.clusters import describe
from slstr_cloudmask.detectors.fields import Field
from slstr_cloudmask.detectors.gapless_scene import GaplessScene
from slstr_cloudmask.detectors.votes import vote
from slstr_cloudmask.mask import build_mask
from slstr_cloudmask.progress import track

if TYPE_CHECKING:
    import torch

CHANNELS = 32
ITERATIONS = 40
CONTINUITY = 1.0
FEWEST_LABELS = 3
_RATE, _MOMENTUM = 0.1, 0.9
_LEARN_PX = 100_000
_STRIP_ROWS, _MARGIN_ROWS = 128, 2  # two 3 x 3 filters see two rows to either side
_SEED = 2020
_FEWEST_PIXELS = 64  # where there are fewer, the votes stay as they are


class Kim2020:
    """Mask a scene by differentiable feature clustering.

    Parameters
    ----------
    threshold
        Cloud where the probability, the mean vote of a pixel's segment, is at least this.
    """

    name = "kim2020"

    def __init__(self, threshold: float = 0.5) -> None:
        self.threshold = threshold

    def predict(self, scene: xr.Dataset) -> xr.Dataset:
        """Return the Mask of a Scene with any of the bands."""
        gapless = GaplessScene(scene)
        votes = vote(gapless)
        known = np.isfinite(votes)
        probability = votes
        features = describe(gapless)
        if features and np.count_nonzero(known) >= _FEWEST_PIXELS:
            labels = segment(np.stack(features))
            count = np.bincount(labels[known], minlength=CHANNELS)
            total = np.bincount(labels[known], votes[known], minlength=CHANNELS)
            named = (total / np.maximum(count, 1)).astype(np.float32)
            probability = np.where(known, named[labels], np.float32(np.nan))
        return build_mask(
            scene,
            probability,
            threshold=self.threshold,
            detector=self.name,
            attributes={"combination": "mean physics vote of the pixel's segment, not calibrated"},
        )


def segment(fields: Field) -> npt.NDArray[np.int64]:
    """Label each pixel of (fields, rows, columns) by its segment."""
    import torch

    scale = fields.std(axis=(1, 2), keepdims=True)
    image = torch.from_numpy((fields - fields.mean(axis=(1, 2), keepdims=True)) / (scale + 1e-3))
    step = max(1, int(np.sqrt(image[0].numel() / _LEARN_PX)))
    small = torch.nn.functional.avg_pool2d(image[None], step, ceil_mode=True)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(_SEED)
        network = _network(len(fields))
        _learn(network, small)
    network.eval()
    with torch.no_grad():
        return np.concatenate(
            [network(strip)[0, :, keep].argmax(dim=0).numpy() for strip, keep in _strips(image)]
        )


def _network(fields: int) -> "torch.nn.Sequential":
    from torch import nn

    layers: list[nn.Module] = []
    for inputs in (fields, CHANNELS):
        layers += [nn.Conv2d(inputs, CHANNELS, 3, padding=1), nn.ReLU(), nn.BatchNorm2d(CHANNELS)]
    return nn.Sequential(*layers, nn.Conv2d(CHANNELS, CHANNELS, 1), nn.BatchNorm2d(CHANNELS))


def _learn(network: "torch.nn.Sequential", image: "torch.Tensor") -> None:
    """Train until few labels are left, or the iterations are done."""
    import torch

    optimiser = torch.optim.SGD(network.parameters(), lr=_RATE, momentum=_MOMENTUM)
    for _ in track(range(ITERATIONS), "clustering"):
        response = network(image)
        labels = response.argmax(dim=1)
        if len(labels.unique()) <= FEWEST_LABELS:
            return
        down = (response[:, :, 1:] - response[:, :, :-1]).abs().mean() if image.shape[2] > 1 else 0
        across = (response[..., 1:] - response[..., :-1]).abs().mean() if image.shape[3] > 1 else 0
        loss = torch.nn.functional.cross_entropy(response, labels) + CONTINUITY * (down + across)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()


def _strips(image: "torch.Tensor") -> Iterator[tuple["torch.Tensor", slice]]:
    """Cut an image into strips of rows, each with the rows beside it that the filters see."""
    rows = image.shape[1]
    for first in range(0, rows, _STRIP_ROWS):
        top = max(0, first - _MARGIN_ROWS)
        end = min(rows, first + _STRIP_ROWS)
        yield image[None, :, top : end + _MARGIN_ROWS], slice(first - top, end - top)
