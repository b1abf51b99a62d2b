"""Which scenes a number is of, so that numbers of different data never stand in one column.

    scored = scored_scenes(document)       # of a result
    scored == PUBLISHED_TEST_SCENES        # the benchmark's own 100?
    faults = data_faults(document)         # and if not, why not

Test scenes are told by their names and by their labels: by a digest of the names, and by the mean
over scenes of the share that the label calls cloud, which is what a mask scores that says cloud
everywhere. Both are known of the published scenes.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import fmean
from typing import Any

from slstr_cloudmask.benchmark.published_runs import (
    TRAINING_PATCHES,
    TRAINING_SCENES,
    published_all_cloud,
)
from slstr_cloudmask.benchmark.published_set import INFERENCE_SCENES, PART_OF
from slstr_cloudmask.io.product_name import SIMULATED_CENTRES, parse_product_name
from slstr_cloudmask.simulate.published_scenes import published_scenes

PUBLISHED_NAME = "ds1"
LABEL, MASK = "bayes", "network"
PIXELS = 1200 * 1500
# A pixel less in one of 100 scenes is 6e-9 of the mean; labels read in another way are far off.
SAME_SHARE = 1e-6
# As the published files are named: S3A_SL_1_RBT____…_LN2_O_NT_003.hdf.
_PUBLISHED_END = "LN2 003"


@dataclass(frozen=True)
class SceneSet:
    """A set of scenes.

    Attributes
    ----------
    name
        What to call it; two sets of one name are still two.
    scenes, patches
        How many, and how many patches were cut from them; of test scenes no patches.
    digest
        Of the names of the scenes; empty where they are not known.
    cloud_share
        Mean over scenes of the share of all pixels that the label calls cloud.
    place
        Folder, where names are not known.
    scored_on
        Of training scenes, the test scenes of a time that covers both.
    simulated
        Whether the scenes are no real ones.
    """

    name: str = field(compare=False)
    scenes: int
    patches: int = 0
    digest: str = ""
    cloud_share: float | None = None
    place: str = ""
    scored_on: str = ""
    simulated: bool = False

    @property
    def words(self) -> str:
        """All that tells it from others."""
        parts = [f"{self.name}: {self.scenes:,} scene{'s' if self.scenes != 1 else ''}"]
        parts += ["simulated"] if self.simulated else []
        parts += [f"{self.patches:,} patches"] if self.patches else []
        parts += [f"names {self.digest}"] if self.digest else []
        parts += [f"in {self.place}"] if self.place else []
        parts += [f"cloud {self.cloud_share:.8f}"] if self.cloud_share is not None else []
        masked = [f"masks of {self.scored_on}"] if self.scored_on else []
        return "; ".join([", ".join(parts), *masked])


def scored_scenes(document: dict[str, Any]) -> SceneSet:
    """Tell which scenes a run was scored on, from its result."""
    rows = _labelled(document)
    digest = _digest(_key(row["scene"]) for row in rows)
    share = round(fmean(map(_cloud_share, rows)), 8) if rows else None
    published = PUBLISHED_TEST_SCENES
    if share is not None and digest == published.digest and _same_share(share):
        return published
    return SceneSet(
        name=_name(Path(document["data"]["inference"])),
        scenes=len(rows),
        digest=digest,
        cloud_share=share,
        simulated=is_simulated(document),
    )


def training_scenes(document: dict[str, Any]) -> SceneSet:
    """Tell which scenes a run was trained on: by their number and folder, no result names them."""
    data = document["data"]
    counts = (int(data["training_scenes"]), int(data["training_patches"]))
    published = PUBLISHED_TRAINING_SCENES
    real = scored_scenes(document) == PUBLISHED_TEST_SCENES
    if real and counts == (published.scenes, published.patches):
        return published
    place = Path(data["training"])
    simulated = is_simulated(document)
    return SceneSet(_name(place), *counts, place=str(place), simulated=simulated)


def with_scored(training: SceneSet, test: SceneSet) -> SceneSet:
    """Return the data of what took training and inference."""
    return replace(training, scored_on=test.words)


def is_simulated(document: dict[str, Any]) -> bool:
    """Whether the test scenes are simulated: they have a truth, or say so in their names."""
    names = (parse_product_name(row["scene"]) for row in document["scenes"])
    return bool(document["data"]["simulated"]) or any(
        name is not None and name.centre in SIMULATED_CENTRES for name in names
    )


def data_faults(document: dict[str, Any]) -> list[str]:
    """Say in which ways a run's test data are not the published ones; nothing where they are."""
    if is_simulated(document):
        return [
            "the test scenes are simulated, and their labels a simulated provider's: the policy "
            f"fixes the test data, the {PUBLISHED_TEST_SCENES.scenes} published scenes"
        ]
    rows = _labelled(document)
    faults = [f"test scene {name} failed: {why}" for name, why in _failed(document).items()]
    faults += _name_faults(row["scene"] for row in rows)
    parts = Counter(row["part"] for row in rows)
    if parts != INFERENCE_SCENES:
        expected, found = (
            ", ".join(f"{n} by {part}" for part, n in sorted(counts.items()))
            for counts in (INFERENCE_SCENES, parts)
        )
        faults.append(f"expected test scenes {expected}; found {found or 'none'}")
    if odd := [row["scene"] for row in rows if sum(row["every_pixel"].values()) != PIXELS]:
        faults.append(f"{len(odd)} test scenes are not of 1200 × 1500 pixels, such as {odd[0]}")
    if rows and not faults and not _same_share(share := fmean(map(_cloud_share, rows))):
        faults.append(
            f"the labels are altered: they call {share:.8f} of the pixels cloud, the published "
            f"ones {published_all_cloud()[0]:.8f}"
        )
    return faults


def _name_faults(names: Iterable[str]) -> list[str]:
    found, published = Counter(map(_key, names)), set(_published_keys())
    counts = {
        "of the 100 published test scenes are missing": len(published - set(found)),
        "test scenes are none of the published ones": sum((found - Counter(published)).values()),
    }
    return [f"{count} {words}" for words, count in counts.items() if count]


def _labelled(document: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a row of each scene that was scored against the benchmark's label."""
    return [row for row in document["scenes"] if (row["mask"], row["label"]) == (MASK, LABEL)]


def _failed(document: dict[str, Any]) -> dict[str, str]:
    return dict(document["data"]["inference_failed"])


def _cloud_share(row: dict[str, Any]) -> float:
    counts = row["every_pixel"]
    return float((counts["tp"] + counts["fn"]) / sum(counts.values()))


def _same_share(share: float) -> bool:
    return abs(share - published_all_cloud()[0]) < SAME_SHARE


def _key(name: str) -> str:
    """Return what tells a scene, however its file ends: time, orbit, frame, centre, baseline."""
    parsed = parse_product_name(name)
    if parsed is None:
        return Path(name).stem
    return (
        f"{parsed.platform} {parsed.start:%Y%m%dT%H%M%S} {parsed.cycle:03} "
        f"{parsed.relative_orbit:03} {parsed.frame} {parsed.centre} {parsed.baseline}"
    )


def _published_keys() -> Iterable[str]:
    for scene in published_scenes():
        at = scene.overpass
        yield (
            f"Sentinel-3A {at.start:%Y%m%dT%H%M%S} {at.cycle:03} {at.relative_orbit:03} "
            f"{at.frame:04} {_PUBLISHED_END}"
        )


def _digest(keys: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(sorted(keys)).encode()).hexdigest()[:8]


def _name(folder: Path) -> str:
    """Name a set by its folder: ``tiny`` for ``tiny/ssts``."""
    return folder.parent.name if folder.name in PART_OF and folder.parent.name else folder.name


PUBLISHED_TEST_SCENES = SceneSet(
    PUBLISHED_NAME,
    sum(INFERENCE_SCENES.values()),
    digest=_digest(_published_keys()),
    cloud_share=published_all_cloud()[0],
)
PUBLISHED_TRAINING_SCENES = SceneSet(PUBLISHED_NAME, TRAINING_SCENES, TRAINING_PATCHES)
