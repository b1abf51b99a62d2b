"""Which scenes a data set consists of: their seeds, their kinds, their names."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

from slstr_cloudmask.errors import InputError
from slstr_cloudmask.simulate.scene import scene_overpass

TRAINING, TESTING = "one-day", "ssts"
TEST_SHARE = 0.2
DAY_SHARE = 0.55  # of the benchmark's test scenes

_CREATED = datetime(2021, 1, 16, 10, 30, 11, tzinfo=UTC)
_FIRST_CYCLE, _ORBITS_PER_CYCLE = 50, 385


@dataclass(frozen=True, slots=True)
class Plan:
    """One scene to make: its file below the data set's folder, its seed, its kind."""

    path: str
    seed: int
    split: str
    night: bool


def plan_dataset(scenes: int, test_scenes: int | None, seed: int) -> list[Plan]:
    """List the scenes of a data set, training first.

    Each scene's seed depends on the data set's seed, the split and its number in it alone, so a
    larger data set begins with the scenes of a smaller one.

    Raises
    ------
    InputError
        No scene, more test scenes than scenes, or a negative seed.
    """
    testing = max(1, round(scenes * TEST_SHARE)) if test_scenes is None else test_scenes
    if scenes < 1 or not 0 <= testing <= scenes or seed < 0:
        raise InputError(
            "Expected at least 1 scene, 0 or more of them for testing, and a seed of 0 or more; "
            f"found {scenes} scenes, {testing} for testing, seed {seed}."
        )
    counts = {TRAINING: scenes - testing, TESTING: testing}
    return [
        _plan(split, index, number, seed)
        for number, split in enumerate(counts)
        for index in range(counts[split])
    ]


def _plan(split: str, index: int, split_number: int, seed: int) -> Plan:
    # Day scenes are spread evenly: the running count is the floor of the share.
    night = int((index + 1) * DAY_SHARE + 0.5) == int(index * DAY_SHARE + 0.5)
    sequence = np.random.SeedSequence([seed, split_number, index])
    scene_seed = int(sequence.generate_state(1, np.uint32)[0])
    folder = "night" if night else "day"
    name = _product_name(scene_seed, night, split_number, index)
    return Plan(f"{split}/{folder}/{name}", scene_seed, split, night)


def _product_name(scene_seed: int, night: bool, split_number: int, index: int) -> str:
    """Name a scene as a product; cycle, orbit and centre make it unique."""
    start = scene_overpass(scene_seed, night=night).start
    stop = start + timedelta(minutes=3)
    cycle, orbit = divmod(index, _ORBITS_PER_CYCLE)
    times = "_".join(f"{time:%Y%m%dT%H%M%S}" for time in (start, stop, _CREATED))
    frame = 360 if night else 1980
    return (
        f"S3A_SL_1_RBT____{times}_0179_{_FIRST_CYCLE + cycle:03d}_{orbit + 1:03d}_{frame:04d}"
        f"_SI{split_number}_D_NT_004.hdf"
    )
