"""``cloudmask demo``: the whole road in small."""

import logging
import os
import time
from pathlib import Path
from typing import Annotated

import typer

from slstr_cloudmask.cli.options import DeviceOption, OverwriteOption

logger = logging.getLogger(__name__)

# Small enough to watch: 2×2 patches of a scene, cropped in the benchmark's proportion, and a
# network of half the benchmark's width, which sees more scenes in the same time.
SIZE, PATCH_SIZE, CROP_SIZE, SEED = (256, 320), 128, 40, 1
BATCH_SIZE, WIDTHS = 4, (16, 32, 64, 128)


def demo(
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for scenes, model, masks and page.")
    ] = Path("demo"),
    scenes: Annotated[
        int, typer.Option(min=5, help="Simulated scenes, a fifth of them for scores.")
    ] = 300,
    epochs: Annotated[int, typer.Option(min=1, help="Epochs of training.")] = 7,
    device: DeviceOption = "auto",
    overwrite: OverwriteOption = False,
) -> None:
    """Simulate scenes, train a U-Net, mask, score and draw a page, all in small.

    Under three minutes on two cores. The network has half the benchmark's width. It learns from
    the simulated provider's mistaken labels, as the benchmark's does; since the scenes are
    simulated their truth is known too, and both scores are printed, beside the classical tests and
    the trivial masks.
    """
    from slstr_cloudmask.atomic import check_output
    from slstr_cloudmask.benchmark.config import BenchmarkConfig, BenchmarkData
    from slstr_cloudmask.benchmark.result_file import RESULT_NAME
    from slstr_cloudmask.benchmark.run import run_benchmark
    from slstr_cloudmask.cli.tables import print_scores
    from slstr_cloudmask.network.device import resolve_device
    from slstr_cloudmask.report.page import write_page
    from slstr_cloudmask.simulate.dataset import simulate_dataset
    from slstr_cloudmask.simulate.plan import TESTING, TRAINING, DatasetConfig
    from slstr_cloudmask.training.config import TrainConfig

    started = time.perf_counter()
    data, run = output / "scenes", output / "run"
    config = BenchmarkConfig(
        train_dir=data / TRAINING,
        inference_dir=data / TESTING,
        output_dir=run,
        train=TrainConfig(epochs=epochs, batch_size=BATCH_SIZE, widths=WIDTHS, seed=SEED),
        data=BenchmarkData(patch_size=PATCH_SIZE, crop_size=CROP_SIZE),
    )
    check_output(run / RESULT_NAME, overwrite=overwrite)
    logger.info("1/3 Simulating %d scenes into %s", scenes, data)
    jobs = os.cpu_count() or 1
    simulated = DatasetConfig(scenes=scenes, size=SIZE, seed=SEED)
    simulate_dataset(data, simulated, jobs=jobs, overwrite=overwrite)
    logger.info("2/3 Training, masking and scoring into %s", run)
    document = run_benchmark(config, device=resolve_device(device), overwrite=overwrite)
    logger.info("3/3 Drawing the page")
    page = write_page(run, overwrite=True)
    print_scores(document["scores"])
    typer.echo(
        "The network learnt from the provider's labels, mistakes included: the first table shows "
        "what it learnt, the second what that is worth."
    )
    typer.echo(f"Page: {page}   ({time.perf_counter() - started:.0f} s in all)")
