"""``cloudmask benchmark`` and ``cloudmask report``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

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
    repeats: Annotated[
        int | None,
        typer.Option(min=1, help="Run it so often, with seeds from the configuration's upwards."),
    ] = None,
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

    The run's folder gets result.json, the MLPerf log, the reference's two log lines, timers,
    samples of energy and memory, the model, the masks and a page. A run that was stopped, killed
    even, goes on with the same command, or from its folder alone. **--repeats** runs it several
    times and gives the spread (see **runs**). All keys: docs/benchmark.md.

        cloudmask benchmark --resume runs/mine
        cloudmask benchmark --recipe open --repeats 5 data.root=DIR
    """
    from slstr_cloudmask.benchmark.repeats import resume_repeats, run_repeats
    from slstr_cloudmask.benchmark.run import resume_benchmark, run_benchmark
    from slstr_cloudmask.training.distribution import launched_device

    place = launched_device(device)
    if resume is not None:
        if recipe or config or output or settings or repeats or overwrite:
            raise typer.BadParameter("--resume goes on with a run as it was: give nothing else.")
        if (several := resume_repeats(resume, device=place)) is not None:
            _show_repeats(several, resume)
        else:
            _show(resume_benchmark(resume, device=place), resume)
        return
    loaded = _loaded(recipe, config, output, settings or [])
    if repeats is not None:
        several = run_repeats(loaded, repeats, device=place, overwrite=overwrite)
        _show_repeats(several, loaded.output_dir)
    else:
        _show(run_benchmark(loaded, device=place, overwrite=overwrite), loaded.output_dir)


def _show(document: dict[str, Any], folder: Path) -> None:
    from slstr_cloudmask.cli.tables import print_resources, print_scores, print_timers
    from slstr_cloudmask.report.page import write_page
    from slstr_cloudmask.training.distribution import launched

    if not launched().is_first:
        return
    page = write_page(folder, overwrite=True)
    print_scores(document["scores"])
    print_timers(document.get("timers", []), document["config"]["submission"]["platform"])
    print_resources(document.get("resources", []))
    typer.echo(f"Result: {folder / 'result.json'}\nPage:   {page}")
    if document["data"]["inference_failed"] or document["data"]["training_skipped"]:
        raise typer.Exit(1)


def _show_repeats(document: dict[str, Any], folder: Path) -> None:
    from slstr_cloudmask.cli.runs import headlines, statistics_table
    from slstr_cloudmask.cli.tables import table_console
    from slstr_cloudmask.report.page import write_page
    from slstr_cloudmask.training.distribution import launched

    if not launched().is_first:
        return
    failed = [row for row in document["runs"] if row["error"] is not None]
    for row in document["runs"]:
        if row not in failed:
            write_page(folder / row["folder"], overwrite=True)
    table_console().print(statistics_table(headlines(document["statistics"])))
    typer.echo(f"All numbers: {folder / 'repeats.json'}, and cloudmask runs {folder} --all")
    for row in failed:
        typer.echo(f"Failed: {row['folder']}, seed {row['seed']}: {row['error']}", err=True)
    if failed:
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
