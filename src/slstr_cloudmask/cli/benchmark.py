"""``cloudmask benchmark`` and ``cloudmask report``."""

from pathlib import Path
from typing import Annotated

import typer

from slstr_cloudmask.cli.options import DeviceOption, OverwriteOption


def benchmark(
    settings: Annotated[
        list[str] | None,
        typer.Argument(help="key=value pairs applied last, train.epochs=3 for one."),
    ] = None,
    config: Annotated[
        Path,
        typer.Option("--config", "-c", help="YAML: our own fields, or the reference's file."),
    ] = Path("cloudMaskConfig.yaml"),
    device: DeviceOption = "auto",
    overwrite: OverwriteOption = False,
) -> None:
    """Run the MLCommons Science CloudMask benchmark: train, mask, score, write down.

    Takes the reference's cloudMaskConfig.yaml with its meaning, or the fields of our own
    configuration (docs/benchmark.md). Writes result.json, the MLPerf log, the reference's two log
    lines, timers, samples of energy and memory, the model, the masks and a page into the output
    folder. A run that was stopped goes on
    with the same command.
    """
    from slstr_cloudmask.benchmark.config import load_config
    from slstr_cloudmask.benchmark.run import run_benchmark
    from slstr_cloudmask.cli.tables import print_resources, print_scores, print_timers
    from slstr_cloudmask.report.page import write_page
    from slstr_cloudmask.training.distribution import launched, launched_device

    loaded = load_config(config, settings or [])
    document = run_benchmark(loaded, device=launched_device(device), overwrite=overwrite)
    if not launched().is_first:
        return
    page = write_page(loaded.output_dir, overwrite=True)
    print_scores(document["scores"])
    print_timers(document["timers"], loaded.submission.platform)
    print_resources(document["resources"])
    typer.echo(f"Result: {loaded.output_dir / 'result.json'}\nPage:   {page}")
    if document["data"]["inference_failed"] or document["data"]["training_skipped"]:
        raise typer.Exit(1)


def report(
    run: Annotated[Path, typer.Argument(help="Output folder of a benchmark run.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The page; by default RUN/report.html.")
    ] = None,
    overwrite: OverwriteOption = False,
) -> None:
    """Draw one self-contained HTML page of a benchmark run."""
    from slstr_cloudmask.report.page import write_page

    typer.echo(write_page(run, output, overwrite=overwrite))
