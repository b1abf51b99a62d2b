"""``cloudmask evaluate``: detectors on labelled scenes, scored in every stratum."""

from pathlib import Path
from typing import Annotated

import typer

from slstr_cloudmask.cli.options import (
    DeviceOption,
    GridOption,
    OverwriteOption,
    PrecisionOption,
)


def evaluate(
    scenes: Annotated[
        Path, typer.Argument(metavar="DATA", help="Folder of scenes, searched recursively.")
    ],
    detectors: Annotated[
        str | None,
        typer.Option(
            help="What is scored, with commas between: detectors by name, a model by its name or "
            "folder, or NAME=FOLDER, and provider, the product's own masks. [default: network, "
            "thresholds, and provider where there is one]"
        ),
    ] = None,
    model: Annotated[
        list[Path] | None,
        typer.Option("--model", "-m", help="Score this model too; may be repeated."),
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(
            help="Labels, with commas between: truth (accuracy), bayes and summary_cloud "
            "(agreement) of the scenes; tables of points (.csv, .parquet); images of labels (.tif, "
            ".nc, .npz) or a folder of them; NAME=PATH. [default: truth and bayes, as far as "
            "scenes have them]"
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="Folder for evaluation.html, .json and .csv: every stratum."
        ),
    ] = None,
    threshold: Annotated[
        str, typer.Option(help="Cloud from this probability: a number, or a name.")
    ] = "balanced",
    bands: Annotated[
        str | None,
        typer.Option(
            help="DATA holds images of another sensor (.nc, .tif, .npz), whose bands stand in for "
            "SLSTR's: S1=green,S5=1610nm,S8=B10*0.01+150, by name or wavelength."
        ),
    ] = None,
    view: Annotated[
        str,
        typer.Option(
            help="nadir or oblique of .SEN3 products; or both: nadir, masked with what the oblique "
            "view shows too."
        ),
    ] = "nadir",
    grid: GridOption = "1km",
    label_map: Annotated[
        str, typer.Option(help="What labels mean: shadow=clear,haze=cloud,fractional=unknown.")
    ] = "",
    columns: Annotated[
        str, typer.Option(help="Columns of a table: latitude=Y,label=CLASS,optical_depth=COD.")
    ] = "",
    max_km: Annotated[float, typer.Option(help="From a point to its pixel.", min=0)] = 2.0,
    max_minutes: Annotated[
        float, typer.Option(help="From a point to its scene, before and after.", min=0)
    ] = 15.0,
    json_output: Annotated[
        bool, typer.Option("--json", help="Print JSON: every stratum, scene by scene too.")
    ] = False,
    jobs: Annotated[int, typer.Option(help="Scenes at the same time, in processes.")] = 1,
    device: DeviceOption = "auto",
    precision: PrecisionOption = "auto",
    overwrite: OverwriteOption = False,
) -> None:
    """Score masks against labels: by day, twilight and night, by surface and by cloud.

    Accuracy is told against truth; against a provider's mask there is only agreement. The trivial
    masks, all cloud and all clear, always stand beside. Intervals (95 %) are over scenes.

    **cloudmask evaluate DATA --detectors thresholds,provider,mine=runs/first/model --against
    truth,bayes**
    """
    import json

    from slstr_cloudmask.assessment import assess, make_plan
    from slstr_cloudmask.assessment.document import make_document
    from slstr_cloudmask.assessment.labels import DEFAULT_LABELS, LabelOptions
    from slstr_cloudmask.cli.evaluate_tables import print_evaluation
    from slstr_cloudmask.io.find_scenes import find_scenes
    from slstr_cloudmask.io.label_words import read_label_map, read_pairs
    from slstr_cloudmask.io.other_sensor import find_images, read_band_mapping

    if output is not None:
        from slstr_cloudmask.report.evaluation_page import check_folder

        check_folder(output, overwrite=overwrite)
    named = _words(detectors) if detectors is not None else ["network", "thresholds", "provider"]
    plan = make_plan(
        [*named, *map(str, model or [])],
        _words(against) if against is not None else DEFAULT_LABELS,
        options=LabelOptions(read_pairs(columns), read_label_map(label_map), max_km, max_minutes),
        bands=read_band_mapping(bands) if bands is not None else None,
        view=view,
        grid=grid,
        threshold=threshold,
        device=device,
        precision=precision,
    )
    paths = find_scenes(scenes) if bands is None else find_images(scenes)
    result = assess(paths, plan, jobs=jobs)
    document = make_document(result, str(scenes))
    if output is not None and document["scores"]:
        from slstr_cloudmask.report.evaluation_page import write_evaluation

        page = write_evaluation(document, output, overwrite=overwrite)
        typer.echo(f"Page: {page}", err=True)
    if json_output:
        typer.echo(json.dumps(document, indent=1, allow_nan=False))
    else:
        print_evaluation(document)
    if not document["scores"]:
        typer.echo("Nothing was scored.", err=True)
        raise typer.Exit(2)
    named_but_missing = (result.missing_labels if against is not None else {}) | (
        result.missing_masks if detectors is not None else {}
    )
    if result.failed or result.left_out or named_but_missing:
        raise typer.Exit(1)


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]
