"""``cloudmask predict``: products in, masks out."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from slstr_cloudmask.cli.options import (
    DeviceOption,
    EngineOption,
    GridOption,
    OverwriteOption,
    PrecisionOption,
    RadiometryOption,
)

if TYPE_CHECKING:
    from slstr_cloudmask.cli.inputs import Input


def predict(
    products: Annotated[
        list[str],
        typer.Argument(
            metavar="PRODUCT...",
            help="Products (.SEN3, .zip, or a URL of these), scenes (.hdf, .nc), or patterns.",
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="A file (.nc, .zarr, .tif) for one product, else a folder. [default: here]",
        ),
    ] = None,
    mask_format: Annotated[
        str | None,
        typer.Option("--format", help="Masks in a folder: nc, zarr or tif. [default: nc]"),
    ] = None,
    map_grid: Annotated[
        str, typer.Option(help="Map of a .tif: auto, latlon, utm or polar.")
    ] = "auto",
    stac: Annotated[
        bool, typer.Option("--stac", help="Write a STAC item (.json) beside each mask.")
    ] = False,
    quicklook: Annotated[
        Path | None,
        typer.Option(help="A picture (.png) for one product, or a folder for pictures."),
    ] = None,
    detector: Annotated[
        str,
        typer.Option(help="network, selftaught, clusters, bayesian, thresholds, scda or kim2020."),
    ] = "default",
    model: Annotated[
        Path | None, typer.Option(help="Folder of a trained model, or name of a shipped one.")
    ] = None,
    threshold: Annotated[
        str, typer.Option(help="Cloud from this probability: a number, or a name.")
    ] = "balanced",
    classes: Annotated[
        str,
        typer.Option(
            help="binary: cloud or clear; extended: also snow and ice, contaminated pixels, and "
            "cloud shadow."
        ),
    ] = "binary",
    view: Annotated[
        str, typer.Option(help="nadir, oblique, or both, each with a mask of its own.")
    ] = "nadir",
    grid: GridOption = "1km",
    regrid: Annotated[
        str,
        typer.Option(
            help="Bands onto the other grid: mean (of 2x2 pixels), or collocated (the nearest "
            "measurements on the ground; slower)."
        ),
    ] = "mean",
    radiometry: RadiometryOption = None,
    device: DeviceOption = "auto",
    precision: PrecisionOption = "auto",
    engine: EngineOption = "auto",
    readers: Annotated[
        int, typer.Option(help="Processes that read ahead of a fast GPU; 0 reads in a thread.")
    ] = 0,
    verify: Annotated[
        bool, typer.Option("--verify", help="Refuse a product that is not as its manifest says.")
    ] = False,
    overwrite: OverwriteOption = False,
) -> None:
    """Find the cloud in products, and write a mask for each.

    **cloudmask predict PRODUCT.SEN3 -o mask.nc --quicklook mask.png**

    **cloudmask predict PRODUCT.SEN3 --classes extended -o mask.nc**

    **cloudmask predict PRODUCT.SEN3 --view both --format tif --stac -o masks/**

    Prints one line for each product. A product that fails is one line on stderr, and the others
    go on: exit code 1 then, 2 if all fail. While one is masked, the next is read and the last one
    written.
    """
    from contextlib import closing

    from slstr_cloudmask.cli.inputs import Input, Outcome, expand_products
    from slstr_cloudmask.cli.predict_job import plan_jobs, run_jobs
    from slstr_cloudmask.cli.predict_options import Reading, Writing
    from slstr_cloudmask.detectors import get_detector
    from slstr_cloudmask.errors import CloudMaskError

    paths = expand_products(products)
    made = get_detector(
        detector,
        model=model,
        threshold=threshold,
        device=device,
        precision=precision,
        engine=engine,
        scenes=len(paths),
    )
    writing = Writing(mask_format, map_grid, stac, overwrite, classes)
    reading = Reading(view, grid, regrid, radiometry, verify)
    jobs = plan_jobs(paths, output, quicklook, made.name, reading, writing)
    outcome: Outcome[Input, str] = Outcome()
    ready = []
    for job in jobs:
        try:
            job.check()
            ready.append(job)
        except CloudMaskError as error:
            outcome.fail(job.product, error)
    with closing(run_jobs(ready, made, readers=readers, say_absent=_say_absent)) as results:
        for result in results:
            product = result.item.product
            if result.error is not None:
                outcome.fail(product, result.error)
            else:
                outcome.results[product] = result.value or ""
                typer.echo(result.value)
    outcome.exit()


def _say_absent(product: "Input", absent: list[str]) -> None:
    """Name a product's files that are not there."""
    from slstr_cloudmask.io.product_name import product_folder_name

    typer.echo(f"{product_folder_name(product)}: absent: {', '.join(absent)}", err=True)
