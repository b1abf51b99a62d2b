"""``cloudmask scaling``."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from slstr_cloudmask.cli.options import DeviceOption, OverwriteOption


class ScalingMode(StrEnum):
    """Kinds of scaling."""

    STRONG = "strong"
    WEAK = "weak"
    BOTH = "both"


def scaling(
    source: Annotated[
        Path | None,
        typer.Argument(
            metavar="[STORE_OR_SCENES]",
            help="A packed store (cloudmask pack), or a folder of scenes to pack. Without one "
            "nothing is measured.",
        ),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Argument(metavar="KEY=VALUE", help="Settings of the recipe: **precision=fp32**."),
    ] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the result.")] = Path(
        "runs/scaling"
    ),
    ranks: Annotated[
        str, typer.Option(help="Numbers of ranks: processes on a CPU, GPUs otherwise.")
    ] = "1,2",
    mode: Annotated[
        ScalingMode,
        typer.Option(help="strong: one batch among all ranks; weak: a batch for each; both."),
    ] = ScalingMode.BOTH,
    batches: Annotated[int, typer.Option(min=1, help="Steps of an epoch, at most.")] = 16,
    repeats: Annotated[int, typer.Option(min=1, help="Epochs that count, after a warm-up.")] = 3,
    batch_size: Annotated[
        int | None, typer.Option(min=1, help="Patches of a batch. [default: the recipe's, 32]")
    ] = None,
    scenes: Annotated[
        Path | None,
        typer.Option(help="Scenes to mask, for inference. [default: those that are packed]"),
    ] = None,
    recipe: Annotated[
        str, typer.Option("--recipe", "-r", help="What is trained: a recipe, or a YAML file.")
    ] = "open",
    predict: Annotated[
        str | None,
        typer.Option(help="A machine to predict for: h200-infiniband, two-cores, or a YAML file."),
    ] = None,
    device: DeviceOption = "auto",
    overwrite: OverwriteOption = False,
) -> None:
    """Measure how training and inference scale over ranks, and predict it for other machines.

    Each number of ranks is one launch of **torchrun** on the same packed store. Their losses are
    compared, for all have to train the same function. What was measured is kept, and a second run
    measures only what is missing.

        cloudmask scaling STORE -o OUT --ranks 1,2,4 --predict h200-infiniband
        cloudmask scaling -o OUT --predict machine.yaml

    Tables on stdout; OUT gets scaling.json and scaling.png, beside the published curve. Exit code 1
    if a launch failed or trained something else. How the model works, and what a machine's file
    holds: docs/scaling.md.
    """
    from slstr_cloudmask.atomic import write_bytes
    from slstr_cloudmask.benchmark.scaling_plan import Request, rank_counts
    from slstr_cloudmask.benchmark.scaling_run import run_scaling, scaling_config
    from slstr_cloudmask.cli.scaling_tables import print_scaling
    from slstr_cloudmask.report.scaling_figure import draw_scaling

    request = config = None
    if source is not None:
        config = scaling_config(recipe, source, settings or [], batch_size=batch_size)
        request = Request(
            source=source,
            scenes=scenes,
            ranks=rank_counts(ranks),
            mode=mode.value,
            batches=batches,
            repeats=repeats,
        )
    document = run_scaling(
        output,
        request=request,
        config=config,
        machine=predict,
        batch_size=batch_size or 32,
        device=device,
        overwrite=overwrite,
    )
    picture = output / "scaling.png"
    write_bytes(picture, draw_scaling(document), overwrite=True)
    print_scaling(document)
    typer.echo(f"Result: {output / 'scaling.json'}\nFigure: {picture}")
    if document.get("failed") or document.get("same_function", {}).get("same") is False:
        raise typer.Exit(1)
