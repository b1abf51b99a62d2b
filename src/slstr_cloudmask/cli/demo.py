"""``cloudmask demo``: the whole road in small."""

from pathlib import Path
from typing import Annotated

import typer

from slstr_cloudmask.cli.train import DeviceOption, OverwriteOption


def demo(
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for scenes, model, masks and page.")
    ] = Path("demo"),
    scenes: Annotated[int, typer.Option(help="Simulated scenes to train on.")] = 40,
    test_scenes: Annotated[int, typer.Option(help="Simulated scenes to score on.")] = 12,
    epochs: Annotated[int, typer.Option(help="Epochs of training.")] = 12,
    device: DeviceOption = "auto",
    overwrite: OverwriteOption = False,
) -> None:
    """Simulate scenes, train a U-Net, mask, score and draw a page, in a few minutes on a laptop.

    The same steps as *simulate*, *benchmark* and *report*, small enough to watch. The scenes are
    simulated, so their truth is known; the network learns from the provider's mistaken labels and
    from the truth alike in one table.
    """
