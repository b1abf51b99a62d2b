"""Clusters named by physics: an unsupervised mask of each scene by itself.

    mask = Clusters().predict(scene)

Pixels of one regime (day, twilight, night) are grouped by k-means on what each shows beyond clear
pixels in the same place (`gapless_scene`), and a cluster is called cloud by the mean of the physics
votes in it (`votes`): no label and no training. Several clusterings of different samples are
averaged, and a pixel's probability is half the mean of its clusters and half its own vote, so it is
soft without being calibrated. A scene whose pixels draw no vote is clear in all of its clusters:
nothing is split for the sake of splitting. Regimes with few pixels keep their votes.

The method is ClusterVote of the project's design studies; k-means is Lloyd's (1982, IEEE Trans.
Inf. Theory 28, 129) from pixels drawn at random. Thresholds are physics, worked out where they
stand. Settings that physics leaves open (numbers of clusters and of runs, windows, ends of ramps)
were compared on simulated scenes by their truth, on other scenes, of another simulated world, than
those that the published scores are of. No truth is read here.

Where it fails: where the votes do, and clusters cannot mend what is wrong throughout a scene:
veils about as thin as the limit of 0.3; overcast without a clear pixel within some hundred km; ice
cloud over snow and ice in the dark; cold ground inland at night; coasts, where the clear background
mixes land and sea. Without latitudes and surface flags, cold ground is taken for cloud more often.
"""

from collections.abc import Callable
from functools import partial

import numpy as np
import numpy.typing as npt
import xarray as xr
from scipy.cluster.vq import kmeans

from slstr_cloudmask.detectors.fields import Field, unevenness
from slstr_cloudmask.detectors.gapless_scene import GaplessScene
from slstr_cloudmask.detectors.threads import together
from slstr_cloudmask.detectors.votes import vote
from slstr_cloudmask.flags import UNKNOWN
from slstr_cloudmask.mask import build_mask
from slstr_cloudmask.scene import Regime

CLUSTERS = 24
RUNS = 2
_SAMPLE = 8000  # pixels that centres are found from
_STILL = 1e-3  # centres rest when the mean distance falls by less
_SEED = 20190901
# Points at a time: so few that BLAS takes one thread for them, as each run has one of its own.
_CHUNK = 1_000
# A vote of its own counts as much as that of its clusters.
_OWN_SHARE = np.float32(0.5)


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
        gapless = GaplessScene(scene)
        return build_mask(
            scene,
            cluster_probability(gapless, vote(gapless)),
            threshold=self.threshold,
            detector=self.name,
            attributes={
                "bands_used": " ".join(gapless.bands_used),
                "combination": "mean of a pixel's vote and of its clusters', not calibrated",
            },
        )


def cluster_probability(gapless: GaplessScene, votes: Field) -> Field:
    """Soften votes by the clusters that their pixels are in.

    Parameters
    ----------
    gapless
        The scene.
    votes
        Physics votes (rows, columns), 0 to 1, NaN where nothing can be said.

    Returns
    -------
    numpy.ndarray
        Probability of cloud (rows, columns), NaN where ``votes`` are.
    """
    result = votes.copy()
    features = describe(gapless)
    for code in (*Regime, UNKNOWN):
        group = np.flatnonzero((gapless.regime == code) & np.isfinite(votes))
        if len(group) < 4 * CLUSTERS or not features:
            continue
        points = np.stack(together(*(partial(np.take, field, group) for field in features)))
        own = votes.take(group)
        result.put(group, own + (1 - _OWN_SHARE) * (mean_votes(points, own) - own))
    return result


def describe(gapless: GaplessScene) -> list[Field]:
    """Describe each pixel by what it shows beyond clear pixels there: fields of about -1 to 1."""
    makers: list[Callable[[], Field]] = []
    if gapless.kelvin is not None:
        kelvin = gapless.kelvin
        makers = [
            lambda: _softened(gapless.anomaly_kelvin, 3.0),
            lambda: _log_of(gapless.unevenness_kelvin),
            lambda: _log_of(unevenness(kelvin, 7)),
        ]
    if gapless.split_kelvin is not None:
        makers.append(partial(_departure, gapless, gapless.split_kelvin, 0.4))
    if gapless.shortwave_kelvin is not None:
        makers.append(partial(_departure, gapless, gapless.shortwave_kelvin, 1.0))
    if gapless.lit.any():
        cosine = gapless.sun_cosine
        makers += [
            partial(_softened, excess * cosine, 0.06) for excess in gapless.brighter.values()
        ]
    return together(*makers)


def _departure(gapless: GaplessScene, values: Field, scale: float) -> Field:
    return _softened(gapless.beyond(values), scale)


def _softened(values: Field, scale: float) -> Field:
    """Squeeze values into -1 to 1, steep about 0; ``scale`` becomes one half."""
    return np.asarray(values / (np.abs(values) + np.float32(scale)), np.float32)


def _log_of(spread_kelvin: Field) -> Field:
    # From .05 K, a little more than noise, to 5 K: -1 to 1 about .5 K.
    return np.asarray(np.log10(np.clip(spread_kelvin, 0.05, 5.0) * 2), np.float32)


def mean_votes(points: Field, votes: Field) -> Field:
    """Return the mean vote of each point's cluster, averaged over clusterings.

    Parameters
    ----------
    points
        (features, points).
    votes
        Of each point.
    """
    runs = together(*(partial(_one_run, points, votes, run) for run in range(RUNS)))
    return np.asarray(np.mean(runs, axis=0), np.float32)


def _one_run(points: Field, votes: Field, run: int) -> Field:
    rng = np.random.default_rng((_SEED, run))
    count = points.shape[1]
    sample = points.take(rng.choice(count, min(_SAMPLE, count), replace=False), axis=1).T
    # Centres that no pixel is nearest to are dropped, as in a scene that is the same everywhere.
    centres, _ = kmeans(sample, sample[:CLUSTERS], thresh=_STILL)
    nearest = _nearest(points, centres)
    size = np.bincount(nearest, minlength=len(centres))
    total = np.bincount(nearest, votes, minlength=len(centres))
    return (total / np.maximum(size, 1)).astype(np.float32)[nearest]


def _nearest(points: Field, centres: Field) -> npt.NDArray[np.intp]:
    """Find the centre nearest to each point, part by part."""
    half = 0.5 * (centres**2).sum(axis=1)
    nearest = np.empty(points.shape[1], np.intp)
    for first in range(0, len(nearest), _CHUNK):
        part = slice(first, first + _CHUNK)
        nearest[part] = (half - points[:, part].T @ centres.T).argmin(axis=1)
    return nearest
