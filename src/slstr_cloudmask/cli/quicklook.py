"""``cloudmask quicklook``: a picture of a scene, of a mask, or of both."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from slstr_cloudmask.cli.options import (
    DeviceOption,
    GridOption,
    OverwriteOption,
    PrecisionOption,
    RadiometryOption,
    ViewOption,
)

if TYPE_CHECKING:
    import xarray as xr

    from slstr_cloudmask.cli.inputs import Input
    from slstr_cloudmask.detectors import Detector


def quicklook(
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="INPUT...",
            help="Products (.SEN3, .zip, or a URL of these), scenes (.hdf, .nc), masks "
            "(.nc, .zarr), or patterns.",
        ),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="A picture (.png), or a folder for pictures.")
    ] = Path(),
    mask: Annotated[
        Path | None, typer.Option(help="A mask file of the one input, drawn beside it.")
    ] = None,
    detector: Annotated[
        str | None,
        typer.Option(help="Make a mask and draw it: network, clusters, ... as of predict."),
    ] = None,
    model: Annotated[
        Path | None,
        typer.Option(
            help="Folder of a trained model, or name of a shipped one; makes a mask and draws it."
        ),
    ] = None,
    threshold: Annotated[
        str, typer.Option(help="Cloud from this probability: a number, or a name.")
    ] = "balanced",
    panels: Annotated[
        str | None,
        typer.Option(help="Names with commas between, in order. [default: what there is]"),
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(help="Operational mask, or truth, of the panels operational, disagreement."),
    ] = None,
    view: ViewOption = "nadir",
    grid: GridOption = "1km",
    radiometry: RadiometryOption = None,
    device: DeviceOption = "auto",
    precision: PrecisionOption = "auto",
    overwrite: OverwriteOption = False,
) -> None:
    """Draw scenes and masks: colours, temperature, what each mask says, where two differ.

    Without a mask the scene and its operational mask are drawn, and no detector is run. Panels:
    scene, natural, false-colour, thermal, difference-3.7 (also night-fog), mask, extended,
    probability, regime, operational, disagreement, views, and any operational mask by its name.

    A scene: **cloudmask quicklook PRODUCT.SEN3 -o scene.png**

    With a mask, choosing panels: **cloudmask quicklook PRODUCT.SEN3 --mask mask.nc --panels
    false-colour,mask,esa_bayes_single_moderate,disagreement --against bayes_single_moderate**
    """
    from slstr_cloudmask.atomic import check_output
    from slstr_cloudmask.cli.inputs import Input, each_input, expand_products
    from slstr_cloudmask.cli.outputs import place_pictures
    from slstr_cloudmask.errors import InputError
    from slstr_cloudmask.io.product_name import product_folder_name

    paths = expand_products(inputs)
    if mask is not None and (len(paths) > 1 or detector is not None or model is not None):
        raise InputError(
            "--mask is a mask of one input, in place of a detector's: give one input, and neither "
            "--detector nor --model."
        )
    places = place_pictures(paths, output, "_quicklook")
    made = None
    if detector is not None or model is not None:
        from slstr_cloudmask.detectors import get_detector

        made = get_detector(
            detector or "default",
            model=model,
            threshold=threshold,
            device=device,
            precision=precision,
        )
    names = [name.strip() for name in panels.split(",")] if panels else None

    reading = {"view": view, "grid": grid, "radiometry": radiometry}

    def draw(path: Input) -> str:
        from slstr_cloudmask.report.quicklook import draw_quicklook

        check_output(places[path], overwrite=overwrite)
        scene, drawn_mask = _read(path, mask, made, reading)
        draw_quicklook(scene, drawn_mask, places[path], overwrite, panels=names, against=against)
        return f"{product_folder_name(path)}: {places[path]}"

    outcome = each_input(paths, draw)
    for line in outcome.results.values():
        typer.echo(line)
    outcome.exit()


def _read(
    path: "Input", mask: Path | None, detector: "Detector | None", reading: dict[str, Any]
) -> "tuple[xr.Dataset | None, xr.Dataset | None]":
    """Read a scene, with the mask that goes with it, or a mask alone."""
    from slstr_cloudmask.io import open_scene
    from slstr_cloudmask.report.masks import holds_mask, read_mask_of

    if holds_mask(path):
        return None, read_mask_of(Path(path))
    scene = open_scene(path, **reading)
    if mask is not None:
        return scene, read_mask_of(mask)
    return scene, None if detector is None else detector.predict(scene)
