"""``cloudmask pack``."""

import os
from pathlib import Path
from typing import Annotated

import typer

from slstr_cloudmask.cli.options import OverwriteOption


def pack(
    scenes: Annotated[
        Path | None,
        typer.Argument(help="Folder of scenes (S3*.hdf, S3*.nc), searched recursively."),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="KEY=VALUE",
            help="Further settings, applied last: **reads=full**, **label=agreed masks=DIR**. All "
            "keys: docs/training.md, section data.",
        ),
    ] = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The store, a folder that train takes.")
    ] = Path("store"),
    patch_size: Annotated[int, typer.Option(help="Pixels along each side of a patch.")] = 256,
    label: Annotated[str, typer.Option(help="bayes, or truth of simulated scenes.")] = "bayes",
    radiometry: Annotated[
        str, typer.Option(help="Reflectances to learn from: as_distributed or adjusted.")
    ] = "as_distributed",
    mask_empty: Annotated[
        bool, typer.Option(help="Leave pixels that nobody saw without a label; else clear.")
    ] = True,
    file_order: Annotated[
        str, typer.Option(help="sorted by name, or listed: as the file system has them.")
    ] = "sorted",
    jobs: Annotated[
        int, typer.Option(help="Processes that read scenes, at most. [default: one a core]", min=0)
    ] = 0,
    verify: Annotated[
        bool, typer.Option("--verify", help="Read the store again and compare its checksums.")
    ] = False,
    overwrite: OverwriteOption = False,
) -> None:
    """Pack scenes once for training: normalised patches in one flat store.

    A run that was stopped goes on with the same command. Without SCENES, **--verify** looks at a
    store that is there.
    """
    from slstr_cloudmask.benchmark.settings import with_settings
    from slstr_cloudmask.errors import BrokenFileError, InputError
    from slstr_cloudmask.io import open_scene
    from slstr_cloudmask.io.find_scenes import find_scenes
    from slstr_cloudmask.training.distribution import Ranks
    from slstr_cloudmask.training.run import DataConfig, prepare_store
    from slstr_cloudmask.training.store import broken_scenes, open_store
    from slstr_cloudmask.validation import validated

    if scenes is None and not verify:
        raise InputError("There is nothing to do: name a folder of scenes, or pass --verify.")
    jobs = jobs or os.cpu_count() or 1
    if scenes is None:
        store = open_store(output)
    else:
        fields = {
            "patch_size": patch_size,
            "crop_size": 0,
            "label": label,
            "radiometry": radiometry,
            "mask_empty": mask_empty,
            "file_order": file_order,
        }
        store = prepare_store(
            find_scenes(scenes, listed=file_order == "listed"),
            output,
            validated(DataConfig, with_settings(DataConfig, fields, settings or []), "pack"),
            read=open_scene,
            ranks=Ranks(),
            jobs=jobs,
            overwrite=overwrite,
        )
    if verify and (broken := broken_scenes(store, jobs)):
        raise BrokenFileError(
            f"{len(broken)} of {len(store.manifest.scenes)} scenes in {output} are not what was "
            f"packed, {broken[0]} for one: pack again with --overwrite."
        )
    checked = ", every checksum right" if verify else ""
    typer.echo(
        f"{store.manifest.patches} patches of {len(store.manifest.scenes)} scenes in {output}"
        f"{checked}."
    )
    if store.manifest.skipped:
        raise typer.Exit(1)
