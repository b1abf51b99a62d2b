"""``cloudmask simulate``."""

import logging
import re
from pathlib import Path
from typing import Annotated

import typer

logger = logging.getLogger(__name__)


def simulate(
    out: Annotated[Path, typer.Argument(help="Folder of the data set; made where it is missing.")],
    scenes: Annotated[
        int, typer.Option(help="How many, training and testing together; 55 of 100 are by day.")
    ] = 20,
    test_scenes: Annotated[
        int | None, typer.Option(help="How many of them are for testing; a fifth if not given.")
    ] = None,
    size: Annotated[
        str, typer.Option(help="Rows x columns; 1200x1500 is the instrument's, 256x320 is quick.")
    ] = "1200x1500",
    seed: Annotated[int, typer.Option(help="The same seed and size give the same scenes.")] = 1,
    jobs: Annotated[
        int, typer.Option(help="Processes at the same time; up to 1 GB each at full size.")
    ] = 1,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace scenes of another seed, size or number.")
    ] = False,
) -> None:
    """Simulate a data set in the benchmark's layout, with the truth that real scenes lack.

    Training scenes go to OUT/one-day/{day,night}, test scenes to OUT/ssts/{day,night}, and how
    each was made to OUT/manifest.json. Every file holds the provider's mistaken label (bayes) and
    the true cloud (truth). A run that was stopped goes on where it was: scenes that are there are
    kept. Simulated scenes teach and test the tools; they say little about skill on real scenes.

    A quick one: **cloudmask simulate data --scenes 10 --size 256x320**
    """
    from slstr_cloudmask.simulate.dataset import simulate_dataset
    from slstr_cloudmask.simulate.plan import TESTING, TRAINING

    manifest = simulate_dataset(
        out,
        scenes=scenes,
        test_scenes=test_scenes,
        size=parse_size(size),
        seed=seed,
        jobs=jobs,
        overwrite=overwrite,
    )
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
