"""``cloudmask gallery``: many scenes on one page."""

from pathlib import Path
from typing import Annotated

import typer

from slstr_cloudmask.cli.options import OverwriteOption


def gallery(
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="SCENES...",
            help="Folders of scenes, benchmark files (.hdf), simulated scenes (.nc), products "
            "(.SEN3), or patterns.",
        ),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The page, .html, or a folder for it.")
    ] = Path("gallery.html"),
    scenes: Annotated[
        int, typer.Option(min=1, help="At most this many, evenly from first to last.")
    ] = 24,
    overwrite: OverwriteOption = False,
) -> None:
    """Draw scenes side by side on one page: colours, bands, the truth, the provider's errors.

    Works for the benchmark's scenes and simulated ones; what a scene lacks, such as the truth, has
    no picture. The page needs no other file.
    """
    from slstr_cloudmask.atomic import check_output
    from slstr_cloudmask.cli.inputs import each_input, expand_inputs
    from slstr_cloudmask.progress import track
    from slstr_cloudmask.report.gallery import page_path, picture_file, spread, write_gallery

    check_output(page_path(output), overwrite=overwrite)
    paths = spread(_scene_paths(expand_inputs(inputs)), scenes)
    outcome = each_input(track(paths, "Drawing"), picture_file)
    if outcome.results:
        failed = {path.name: why for path, why in outcome.failures.items()}
        rows = list(outcome.results.values())
        typer.echo(write_gallery(rows, output, failed=failed, overwrite=overwrite))
    outcome.exit()


def _scene_paths(paths: list[Path]) -> list[Path]:
    """Replace folders that are no products by the scenes in them."""
    from slstr_cloudmask.io.find_scenes import find_scenes

    found: dict[Path, None] = {}
    for path in paths:
        is_folder = path.is_dir() and path.suffix.upper() != ".SEN3"
        found |= dict.fromkeys(find_scenes(path) if is_folder else [path])
    return list(found)
