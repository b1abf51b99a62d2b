"""Clusters, named by physics: an unsupervised mask of each scene by itself.

    mask = Clusters().predict(scene)

Pixels of one regime (day, twilight, night) are grouped by k-means on what each shows beyond clear
pixels in the same place, and a cluster is called cloud by the mean of the physics votes inside it
(`votes`): no label, no training. A pixel's probability is between the mean of its cluster, over
several clusterings, and its own vote.
"""

import numpy as np
import xarray as xr
from scipy.cluster.vq import kmeans2

from slstr_cloudmask.detectors.fields import Field, unevenness
from slstr_cloudmask.detectors.look import Look
from slstr_cloudmask.detectors.votes import vote
from slstr_cloudmask.flags import BoolArray
from slstr_cloudmask.mask import build_mask

_CLUSTERS = 24
_RUNS = 2
_SAMPLE = 8000
_SEED = 20190901


class Clusters:
    """Mask a scene by clusters of its own pixels.

    Parameters
    ----------
    threshold
        Cloud where the probability is at least this.
    """

    name = "clusters"

    def __init__(self, threshold: float = 0.5) -> None:
        self.threshold = threshold

    def predict(self, scene: xr.Dataset) -> xr.Dataset:
        """Return the Mask of a Scene with any of the bands."""
        look = Look(scene)
        probability = cluster(look, vote(look))
        return build_mask(scene, probability, threshold=self.threshold, detector=self.name)


def cluster(look: Look, votes: Field) -> Field:
    """Return the probability of cloud (rows, columns); NaN where nothing can be said."""
    result = votes.copy()
    features = describe(look)
    for code in np.unique(look.regime):
        group = (look.regime == code) & np.isfinite(votes)
        if np.count_nonzero(group) < 4 * _CLUSTERS:
            continue
        points = np.stack([field[group] for field in features], axis=1)
        result[group] = 0.5 * (result[group] + named(points, votes[group]))
    return result


def describe(look: Look) -> list[Field]:
    """What is clustered: departures from the clear background, each about 1 where it matters."""
    fields = []
    if look.kelvin is not None:
        fields.append(np.arcsinh(look.anomaly_kelvin))
        fields.append(np.log(look.unevenness_kelvin + 0.05))
        fields.append(np.log(unevenness(look.kelvin, 7) + 0.05))
    if look.split_kelvin is not None:
        fields.append(np.arcsinh(look.beyond(look.split_kelvin) / 0.2))
    if look.shortwave_kelvin is not None:
        fields.append(np.arcsinh(look.beyond(look.shortwave_kelvin) / 0.5))
    if look.lit.any():
        for excess in look.brighter.values():
            fields.append(np.arcsinh(excess * look.sun_cosine / np.float32(0.03)))
    return [np.asarray(field, np.float32) for field in fields]


def named(points: Field, votes: Field) -> Field:
    """Mean vote of each point's cluster, over several clusterings."""
    total = np.zeros(len(votes), np.float32)
    for run in range(_RUNS):
        rng = np.random.default_rng((_SEED, run))
        sample = rng.choice(len(points), min(_SAMPLE, len(points)), replace=False)
        centres, _ = kmeans2(points[sample], _CLUSTERS, iter=12, minit="++", rng=rng)
        nearest = _nearest(points, centres)
        count = np.bincount(nearest, minlength=_CLUSTERS)
        mean = np.bincount(nearest, votes, minlength=_CLUSTERS) / np.maximum(count, 1)
        total += mean[nearest].astype(np.float32)
    return total / _RUNS


def _nearest(points: Field, centres: Field) -> np.ndarray:
    half = 0.5 * (centres**2).sum(axis=1)
    nearest = np.empty(len(points), np.intp)
    for first in range(0, len(points), 50_000):
        part = slice(first, first + 50_000)
        nearest[part] = (half - points[part] @ centres.T).argmin(axis=1)
    return nearest
