"""``cloudmask data``: the published data set, downloaded, looked at, put on a map."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from slstr_cloudmask.cli.options import OverwriteOption

data = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="The published data set: download it, look at what is in it, see where it lies.",
)


class Part(StrEnum):
    """Parts of the data set."""

    TRAINING = "training"
    INFERENCE = "inference"
    ALL = "all"


@data.command()
def download(
    root: Annotated[Path, typer.Argument(help="Folder for the set; made where it is missing.")],
    named: Annotated[str, typer.Option("--set", help="ds1, the benchmark's 1,070 scenes.")] = "ds1",
    part: Annotated[
        Part, typer.Option(help="training (163 GB), inference (17 GB), or all of it.")
    ] = Part.ALL,
    limit: Annotated[
        int | None,
        typer.Option(
            min=1, help="Only so many scenes of each part: the first, by day and night in turn."
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what there is, and what would be fetched.")
    ] = False,
    jobs: Annotated[int, typer.Option(min=1, help="Files fetched at the same time.")] = 4,
    endpoint: Annotated[
        str | None, typer.Option(help="S3 end point. [default: https://s3.echo.stfc.ac.uk]")
    ] = None,
    bucket: Annotated[str | None, typer.Option(help="Bucket. [default: sciml-datasets]")] = None,
    prefix: Annotated[
        str | None,
        typer.Option(help="Folder that holds training and inference. [default: the set's own]"),
    ] = None,
) -> None:
    """Download the benchmark's scenes from where they are published; no account is needed.

    Every file is compared with its size and checksum and written down in ROOT/download.json. A run
    that was stopped goes on with the same command, in the middle of a file; a second run fetches
    what has changed, and nothing else. Nothing half-written ever has a scene's name.

    A look at it first: **cloudmask data download data --limit 4**
    """
    from slstr_cloudmask.benchmark.download import run_download
    from slstr_cloudmask.benchmark.download_plan import plan_download
    from slstr_cloudmask.benchmark.published_set import BUCKET, ENDPOINT, parts_of, prefix_of
    from slstr_cloudmask.cli.data_tables import in_words, print_plan
    from slstr_cloudmask.io.object_store import ObjectStore

    place = prefix_of(named) if prefix is None else prefix
    store = ObjectStore(endpoint or ENDPOINT, bucket or BUCKET)
    plan = plan_download(store, place, parts_of(part.value), root, limit)
    if dry_run:
        print_plan(plan)
        return
    outcome = run_download(store, plan, jobs=jobs)
    typer.echo(in_words(outcome))
    if outcome.failures:
        raise typer.Exit(1)


@data.command()
def verify(
    root: Annotated[Path, typer.Argument(help="Folder of the set, or any folder of scenes.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The page, .html, or its histograms, .png.")
    ] = Path("data.html"),
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON with every number, in place of tables.")
    ] = False,
    checksums: Annotated[
        bool,
        typer.Option("--checksums", help="Compare downloaded files with their checksums too."),
    ] = False,
    jobs: Annotated[int, typer.Option(min=1, help="Processes that read scenes.")] = 2,
    overwrite: OverwriteOption = False,
) -> None:
    """Look at a whole data set: counts, sizes, values, labels, borders, and what is broken.

    Works for the published set and for simulated ones; every scene is read once. Exit code 1 if a
    scene cannot be read, is there twice, or is not what ROOT/download.json says. Counts are set
    beside the published ones (970 and 100; 55 by day, 45 by night), and judged by you.

    As a test in a script: **cloudmask data verify data --checksums --json > data.json**
    """
    import json

    from slstr_cloudmask.atomic import check_output
    from slstr_cloudmask.benchmark.set_check import check_set
    from slstr_cloudmask.benchmark.set_summary import summarise
    from slstr_cloudmask.cli.data_tables import print_document
    from slstr_cloudmask.report.data_page import page_place, write_data_page

    place = page_place(output)
    check_output(place, overwrite=overwrite)
    check = check_set(root, jobs=jobs, checksums=checksums)
    document = summarise(check)
    write_data_page(check, document, place, overwrite=overwrite)
    if as_json:
        typer.echo(json.dumps(document, indent=1))
    else:
        print_document(document)
    typer.echo(f"Page: {place}", err=as_json)
    for name, why in (check.broken | check.faults).items():
        typer.secho("failed: ", fg="red", bold=True, nl=False, err=True)
        typer.echo(f"{name}: {why}", err=True)
    if check.broken or check.faults:
        raise typer.Exit(1)


@data.command(name="map")
def draw_map(
    root: Annotated[
        Path | None,
        typer.Argument(
            help="Folder of scenes. [default: the benchmark's 100 test scenes, as published]"
        ),
    ] = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The picture, .png, or a folder for it.")
    ] = Path("map.png"),
    overwrite: OverwriteOption = False,
) -> None:
    """Draw where scenes lie, by day and by night, on the globe and on a map of the world.

    Nothing is downloaded: where the published test scenes lie, and the coastlines, come with the
    package. The benchmark's files are placed by their names, which tell the orbit, as the full
    frame around them; products and NetCDF scenes by their coordinates. Exit code 1 if some scenes
    could not be placed.

    The benchmark's test scenes: **cloudmask data map -o map.png**
    """
    from slstr_cloudmask.atomic import check_output
    from slstr_cloudmask.cli.outputs import PICTURE_SUFFIXES, place_output
    from slstr_cloudmask.report.scene_map import write_scene_map
    from slstr_cloudmask.report.scene_places import find_places, published_places

    place = place_output(output, "map", PICTURE_SUFFIXES, several=False)
    check_output(place, overwrite=overwrite)
    unplaced: dict[str, str] = {}
    if root is None:
        places, title = published_places(), "The benchmark's test scenes, October 2019"
    else:
        places, unplaced = find_places(root)
        title = f"Scenes of {root}"
    for name, why in unplaced.items():
        typer.secho("not placed: ", fg="red", bold=True, nl=False, err=True)
        typer.echo(f"{name}: {why}", err=True)
    write_scene_map(places, title, place, overwrite=overwrite)
    typer.echo(f"{place}: {len(places)} scenes")
    if unplaced:
        raise typer.Exit(1)
