"""``cloudmask benchmark`` and ``cloudmask report``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from slstr_cloudmask.cli.options import DeviceOption, OverwriteOption

if TYPE_CHECKING:
    from slstr_cloudmask.benchmark.config import BenchmarkConfig

REFERENCE_FILE = Path("cloudMaskConfig.yaml")  # read where neither --recipe nor --config is given


def benchmark(
    settings: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="KEY=VALUE",
            help="Settings applied last: **train.epochs=3**, or **epochs=3** where only one "
            "section has the key.",
        ),
    ] = None,
    recipe: Annotated[
        str | None,
        typer.Option(
            "--recipe", "-r", help="reference, open, fast or smoke; or a YAML file of one's own."
        ),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            "--config",
            "-c",
            help="YAML: our own fields, or the reference's file. [default: cloudMaskConfig.yaml, "
            "without --recipe]",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder of the run. [default: runs/NAME OF RECIPE]"),
    ] = None,
    device: DeviceOption = "auto",
    resume: Annotated[
        Path | None,
        typer.Option(help="Go on with the run in this folder as it was begun; nothing else."),
    ] = None,
    overwrite: OverwriteOption = False,
) -> None:
    """Run the MLCommons Science CloudMask benchmark: train, mask, score, write down.

    A **recipe** says how: **reference** as the published runs, **open** our best, **fast** the same
    with fewer epochs, **smoke** everything once on a tiny set. **data.root** says on what: a folder
    with training/ and inference/, or one-day/ and ssts/.

        cloudmask benchmark --recipe reference data.root=DIR
        cloudmask benchmark --recipe open -o runs/mine data.root=DIR seed=7 epochs=50

    To try it: **cloudmask simulate tiny --set sim-tiny**, then **--recipe smoke data.root=tiny**.

    The reference's cloudMaskConfig.yaml keeps its meaning, and so do its variants in sections:

        cloudmask benchmark --config cloudMaskConfig.yaml

    The run's folder gets result.json, the MLPerf log, the reference's two log lines, the model, the
    masks and a page. A run that was stopped goes on with the same command. All keys:
    docs/benchmark.md.
    """
    from slstr_cloudmask.benchmark.run import resume_benchmark, run_benchmark
    from slstr_cloudmask.cli.tables import print_scores
    from slstr_cloudmask.report.page import write_page
    from slstr_cloudmask.training.distribution import launched, launched_device

    if resume is not None:
        if recipe or config or output or settings or overwrite:
            raise typer.BadParameter("--resume goes on with a run as it was: give nothing else.")
        folder = resume
        document = resume_benchmark(folder, device=launched_device(device))
    else:
        loaded = _loaded(recipe, config, output, settings or [])
        folder = loaded.output_dir
        document = run_benchmark(loaded, device=launched_device(device), overwrite=overwrite)
    if not launched().is_first:
        return
    page = write_page(folder, overwrite=True)
    print_scores(document["scores"])
    typer.echo(f"Result: {folder / 'result.json'}\nPage:   {page}")
    if document["data"]["inference_failed"] or document["data"]["training_skipped"]:
        raise typer.Exit(1)


def _loaded(
    recipe: str | None, config: Path | None, output: Path | None, settings: list[str]
) -> "BenchmarkConfig":
    from slstr_cloudmask.benchmark.config import load_config, load_recipe

    if recipe is not None and config is not None:
        raise typer.BadParameter("--recipe and --config are two ways to say it: give one of them.")
    if recipe is not None:
        return load_recipe(recipe, settings, output=output)
    return load_config(config or REFERENCE_FILE, settings, output=output)


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
