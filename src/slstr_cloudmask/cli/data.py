"""``cloudmask data``: the published data set, downloaded, looked at, put on a map."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from slstr_cloudmask.benchmark.download import DownloadOutcome
    from slstr_cloudmask.benchmark.download_plan import DownloadPlan

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
    from slstr_cloudmask.io.object_store import ObjectStore

    place = prefix_of(named) if prefix is None else prefix
    store = ObjectStore(endpoint or ENDPOINT, bucket or BUCKET)
    plan = plan_download(store, place, parts_of(part.value), root, limit)
    if dry_run:
        _print_plan(plan)
        return
    outcome = run_download(store, plan, jobs=jobs)
    typer.echo(_in_words(outcome))
    if outcome.failures:
        raise typer.Exit(1)


def _print_plan(plan: "DownloadPlan") -> None:
    from rich import filesize
    from rich.table import Table

    from slstr_cloudmask.cli.tables import table_console

    table = Table(title=f"To be downloaded into {plan.root}", title_justify="left")
    table.add_column("folder")
    for name in ("scenes", "size", "here", "to fetch"):
        table.add_column(name, justify="right")
    folders = sorted({scene.wanted.path.rpartition("/")[0] for scene in plan.scenes})
    for folder in (*folders, ""):
        scenes = [scene for scene in plan.scenes if scene.wanted.path.startswith(folder)]
        table.add_row(
            folder or "all",
            str(len(scenes)),
            filesize.decimal(sum(scene.wanted.item.size for scene in scenes)),
            str(sum(scene.is_here for scene in scenes)),
            filesize.decimal(sum(scene.missing_bytes for scene in scenes)),
        )
    table_console().print(table)
    for key in plan.refused:
        typer.echo(
            f"{key}: its name leads out of the folder, and it would not be fetched", err=True
        )


def _in_words(outcome: "DownloadOutcome") -> str:
    """Say how a download went."""
    if not (outcome.fetched or outcome.found or outcome.failures):
        return f"All {outcome.kept} scenes are here already: nothing was downloaded."
    words = [f"{outcome.fetched} scenes downloaded", f"{outcome.kept} were here"]
    if outcome.found:
        words.append(f"{outcome.found} were here without a record and are right")
    if outcome.by_size_alone:
        words.append(f"{outcome.by_size_alone} could be compared by size alone")
    if outcome.failures:
        words.append(f"{len(outcome.failures)} failed")
    return "; ".join(words) + "."
