"""``cloudmask simulate``."""

import logging
import re
from dataclasses import replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

logger = logging.getLogger(__name__)


class Like(StrEnum):
    """Where and when scenes are taken."""

    TEST_SET = "test-set"
    GLOBAL = "global"
    POLAR = "polar"
    TROPICS = "tropics"
    NIGHT = "night"
    HARD = "hard"


class Format(StrEnum):
    """What files are written."""

    HDF = "hdf"
    XARRAY = "xarray"
    SEN3 = "sen3"


class WorldName(StrEnum):
    """Which constants the world has."""

    STANDARD = "standard"
    SHIFTED = "shifted"


class SetName(StrEnum):
    """Data sets by name."""

    TINY = "sim-tiny"
    SMALL = "sim-small"
    FULL = "sim-full"
    SHIFT = "sim-shift"


def simulate(
    out: Annotated[Path, typer.Argument(help="Folder of the data set; made where it is missing.")],
    named: Annotated[
        SetName | None,
        typer.Option(
            "--set",
            help="A set by name, in place of the options below but --format, --jobs and "
            "--overwrite: sim-tiny (12 scenes of 128x160, for tests), sim-small (24 full scenes), "
            "sim-full (970 + 100, like the real set; 140 GB), sim-shift (100 full test scenes of a "
            "world with other constants than any training set's).",
        ),
    ] = None,
    scenes: Annotated[int, typer.Option(help="How many, training and testing together.")] = 20,
    test_scenes: Annotated[
        int | None, typer.Option(help="How many of them are for testing; a fifth if not given.")
    ] = None,
    size: Annotated[
        str,
        typer.Option(
            help="Rows x columns of 1 km; 1200x1500 is the instrument's, less is a window "
            "somewhere in its frame: 256x320 is quick."
        ),
    ] = "1200x1500",
    seed: Annotated[int, typer.Option(help="The same seed and options give the same scenes.")] = 1,
    like: Annotated[
        Like,
        typer.Option(
            help="Where and when: the benchmark's 100 test scenes and others like them; anywhere "
            "in a year; beyond 60 degrees; within 25; in the dark; or what is hard to mask (low "
            "sun, poles, glint, fog, thin cirrus, dust and smoke)."
        ),
    ] = Like.TEST_SET,
    daytime: Annotated[
        bool | None, typer.Option("--day/--night", help="Only scenes by day, or by night.")
    ] = None,
    day: Annotated[
        datetime | None,
        typer.Option("--date", formats=["%Y-%m-%d"], help="Only this day; not for the test set."),
    ] = None,
    world: Annotated[
        WorldName,
        typer.Option(help="The standard world, or one with other optics, clouds and errors."),
    ] = WorldName.STANDARD,
    cloud_optical_depth: Annotated[
        float, typer.Option(help="Optical depth at 0.55 um from which truth is cloud.")
    ] = 0.3,
    output_format: Annotated[
        Format,
        typer.Option(
            "--format",
            help="The benchmark's HDF files, NetCDF with coordinates, or products as the ground "
            "segment makes them: .SEN3 folders with both views, 180 MB each at full size.",
        ),
    ] = Format.HDF,
    jobs: Annotated[
        int, typer.Option(help="Processes at the same time; up to 1.5 GB each at full size.")
    ] = 1,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace simulated scenes of other options.")
    ] = False,
) -> None:
    """Simulate a data set in the benchmark's layout, with the truth that real scenes lack.

    Training scenes go to OUT/one-day/{day,night}, test scenes to OUT/ssts/{day,night}, and how
    each was made to OUT/manifest.json. Every file holds the provider's mistaken label (bayes), the
    true cloud (truth), and strata such as optical depth and kinds of cloud and surface. A run that
    was stopped goes on where it was: scenes that are there are kept. Simulated scenes teach and
    test the tools; they say little about skill on real scenes.

    A quick one: **cloudmask simulate data --scenes 10 --size 256x320**
    """
    from slstr_cloudmask.errors import InputError
    from slstr_cloudmask.simulate.dataset import simulate_dataset
    from slstr_cloudmask.simulate.plan import (
        TESTING,
        TRAINING,
        DatasetConfig,
        named_set,
    )

    config = DatasetConfig(
        scenes=scenes,
        test_scenes=test_scenes,
        size=parse_size(size),
        seed=seed,
        like=like.value,
        world=world.value,
        daytime=daytime,
        day=None if day is None else day.date(),
        cloud_optical_depth=cloud_optical_depth,
        format=output_format.value,
    )
    if named is not None:
        if config != DatasetConfig(format=config.format):
            raise InputError(
                "A set by name decides everything but --format, --jobs and --overwrite: "
                "leave the other options out, or --set."
            )
        config = replace(named_set(named.value), format=config.format)
    manifest = simulate_dataset(out, config, jobs=jobs, overwrite=overwrite)
    splits = [entry["split"] for entry in manifest["scenes"]]
    logger.info(
        "%d scenes to train on in %s, %d to test on in %s: %.1f %% true cloud, "
        "%.1f %% flagged by the simulated provider",
        splits.count(TRAINING),
        out / TRAINING,
        splits.count(TESTING),
        out / TESTING,
        100 * manifest["cloud_fraction"],
        100 * manifest["provider_fraction"],
    )


def parse_size(text: str) -> tuple[int, int]:
    """Read ``ROWSxCOLUMNS``.

    Raises
    ------
    InputError
        ``text`` has another form.
    """
    from slstr_cloudmask.errors import InputError

    match = re.fullmatch(r"\s*(\d+)\s*[xX×,]\s*(\d+)\s*", text)
    if match is None:
        raise InputError(
            f"Expected a size as rows x columns, such as 1200x1500, found {text!r} (--size)."
        )
    return int(match[1]), int(match[2])
