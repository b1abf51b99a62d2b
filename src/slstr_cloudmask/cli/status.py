"""``cloudmask status``."""

import json
from pathlib import Path
from typing import Annotated

import typer


def status(
    folder: Annotated[Path, typer.Argument(help="A sweep, a trial of one, or a run.")],
    json_output: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say how a sweep or a run stands: queued, running, done, failed and why.

    Reads its files alone, from whatever machine and while it goes on.
    """
    from slstr_cloudmask.cli.sweep_tables import print_status
    from slstr_cloudmask.sweep.standing import status as find_status

    document = find_status(folder)
    if json_output:
        typer.echo(json.dumps(document, indent=1))
    else:
        print_status(document)
