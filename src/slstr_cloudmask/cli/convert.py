"""``cloudmask convert``: a model of the reference, saved by Keras, as one of ours, and back."""

from pathlib import Path
from typing import Annotated

import typer

from slstr_cloudmask.cli.options import OverwriteOption


def convert(
    source: Annotated[
        Path,
        typer.Argument(
            help="A file of Keras (.h5, .keras, .weights.h5); a folder with --to-keras."
        ),
    ],
    output: Annotated[
        Path,
        typer.Argument(help="Folder of the model; a file of Keras with --to-keras."),
    ],
    to_keras: Annotated[
        bool, typer.Option("--to-keras", help="The other way: a model of ours for Keras.")
    ] = False,
    normalisation: Annotated[
        str | None,
        typer.Option(
            help="benchmark (reflectance - 0.5, (kelvin - 270)/22), or a JSON file with channels, "
            "offset and scale. [default: what the file says if we wrote it, else benchmark]"
        ),
    ] = None,
    overwrite: OverwriteOption = False,
) -> None:
    """Convert a network that the reference saved with Keras, or give Keras one of ours.

    Keras is not needed, and nothing in the file is run. The layers must be those of the
    reference's U-Net, of any width and depth; what differs is named.

    **cloudmask convert cloudModel.h5 runs/reference/model**

    **cloudmask predict PRODUCT.SEN3 --model runs/reference/model -o mask.nc**

    **cloudmask convert --to-keras runs/train/model cloudModel.keras**
    """
    from slstr_cloudmask.errors import InputError
    from slstr_cloudmask.network.keras_model import (
        convert_from_keras,
        convert_to_keras,
        read_normaliser,
    )
    from slstr_cloudmask.network.model_file import load_model
    from slstr_cloudmask.network.normaliser import Normaliser

    if to_keras:
        if normalisation is not None:
            raise InputError("--normalisation is for models from Keras; leave it out.")
        model = load_model(source)
        convert_to_keras(model, output, overwrite=overwrite)
    else:
        normaliser = None
        if normalisation == "benchmark":
            normaliser = Normaliser.benchmark()
        elif normalisation is not None:
            normaliser = read_normaliser(Path(normalisation))
        model = convert_from_keras(source, output, normaliser=normaliser, overwrite=overwrite)
    weights = sum(parameter.numel() for parameter in model.network.parameters())
    widths = "-".join(map(str, model.config.widths))
    channels = " ".join(model.config.normaliser.channels)
    typer.echo(f"{output}: U-Net {widths} of {channels}, {weights} parameters.")
