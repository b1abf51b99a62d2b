"""Which scenes a data set consists of: where and when, their seeds, their names; and sets by name.

plans = plan_dataset(DatasetConfig(scenes=20, like="polar"))
"""

from dataclasses import dataclass, replace
from datetime import date

import numpy as np

from slstr_cloudmask.errors import InputError
from slstr_cloudmask.simulate.orbit import product_name
from slstr_cloudmask.simulate.places import LIKE, draw_overpass
from slstr_cloudmask.simulate.recipe import CLOUD_OPTICAL_DEPTH, Recipe, check_recipe
from slstr_cloudmask.simulate.staging import FULL_SIZE
from slstr_cloudmask.simulate.worlds import find_world

TRAINING, TESTING = "one-day", "ssts"
TEST_SHARE = 0.2
FORMATS = {"hdf": ".hdf", "xarray": ".nc", "sen3": ".SEN3"}
# Test scenes take the hundred real overpasses of the benchmark's test set; training scenes others.
_REAL_OVERPASSES = 100


@dataclass(frozen=True, slots=True)
class DatasetConfig:
    """What a data set consists of.

    ``scenes`` counts training and testing together; without ``test_scenes`` a fifth is for
    testing. ``like`` is any of `places.LIKE`, ``world`` of `worlds.WORLDS`; ``daytime`` asks for
    day or night alone, ``day`` for one day of a year. ``cloud_optical_depth`` is where truth
    begins. ``format`` is ``hdf``, the benchmark's files, ``xarray``, one NetCDF file a scene, or
    ``sen3``, a product's folder a scene, with both views.
    """

    scenes: int = 20
    test_scenes: int | None = None
    size: tuple[int, int] = FULL_SIZE
    seed: int = 1
    like: str = "test-set"
    world: str = "standard"
    daytime: bool | None = None
    day: date | None = None
    cloud_optical_depth: float = CLOUD_OPTICAL_DEPTH
    format: str = "hdf"


# Sets by name. No seed of one is used by another, and the shifted world shares nothing.
NAMED_SETS: dict[str, DatasetConfig] = {
    "sim-tiny": DatasetConfig(scenes=12, test_scenes=4, size=(128, 160), seed=101),
    "sim-small": DatasetConfig(scenes=24, test_scenes=8, seed=102),
    "sim-full": DatasetConfig(scenes=1070, test_scenes=100, seed=103),
    "sim-shift": DatasetConfig(scenes=100, test_scenes=100, seed=104, world="shifted"),
}


@dataclass(frozen=True, slots=True)
class Plan:
    """One scene to make: its file below the data set's folder, and its recipe."""

    path: str
    split: str
    recipe: Recipe

    @property
    def folder(self) -> str:
        """``day`` where the reflective bands are operated, else ``night``."""
        return "day" if self.recipe.overpass.reflective else "night"


def named_set(name: str) -> DatasetConfig:
    """Look a set up.

    Raises
    ------
    InputError
        There is no such set.
    """
    if name not in NAMED_SETS:
        raise InputError(f"Expected a set of {', '.join(NAMED_SETS)}, found {name!r} (--set).")
    return NAMED_SETS[name]


def plan_dataset(config: DatasetConfig) -> list[Plan]:
    """List the scenes of a data set, training first.

    Each scene depends on the data set's seed, the split and its number in it alone, so a larger
    data set begins with the scenes of a smaller one.

    Raises
    ------
    InputError
        No scene, more test scenes than scenes, a negative seed, an unknown name, a size that cannot
        be, or daylight asked for where there is none.
    """
    testing = config.test_scenes
    if testing is None:
        testing = max(1, round(config.scenes * TEST_SHARE))
    if config.scenes < 1 or not 0 <= testing <= config.scenes or config.seed < 0:
        raise InputError(
            "Expected at least 1 scene, 0 or more of them for testing, and a seed of 0 or more; "
            f"found {config.scenes} scenes, {testing} for testing, seed {config.seed}."
        )
    if config.like not in LIKE:
        raise InputError(f"Expected scenes like {', '.join(LIKE)}, found {config.like!r} (--like).")
    if config.format not in FORMATS:
        raise InputError(f"Expected a format of {', '.join(FORMATS)}, found {config.format!r}.")
    counts = {TRAINING: config.scenes - testing, TESTING: testing}
    return [
        _plan(config, split, index, number)
        for number, split in enumerate(counts)
        for index in range(counts[split])
    ]


def _plan(config: DatasetConfig, split: str, index: int, split_number: int) -> Plan:
    sequence = np.random.SeedSequence([config.seed, split_number, index])
    seed = int(sequence.generate_state(1, np.uint32)[0])
    rng = np.random.default_rng([seed, find_world(config.world).salt, 0])
    place = index if split == TESTING else index + _REAL_OVERPASSES
    overpass = draw_overpass(rng, config.like, place, daytime=config.daytime, day=config.day)
    recipe = Recipe(
        seed=seed,
        overpass=overpass,
        size=config.size,
        like=config.like,
        world=config.world,
        cloud_optical_depth=config.cloud_optical_depth,
    )
    check_recipe(recipe)
    plan = Plan("", split, recipe)
    # The number in the time of creation makes the name unique.
    name = product_name(overpass, centre=f"SI{split_number}", number=index)
    return replace(plan, path=f"{split}/{plan.folder}/{name}{FORMATS[config.format]}")
