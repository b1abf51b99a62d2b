"""``cloudmask export``: a model as one file that runs without this package."""

from pathlib import Path
from typing import Annotated

import typer

from slstr_cloudmask.cli.options import OverwriteOption


def export(
    model: Annotated[Path, typer.Argument(help="Folder of a trained model.")],
    output: Annotated[
        Path,
        typer.Option("--output", "-o", help="A file: .onnx, or .xml with a .bin beside it."),
    ],
    file_format: Annotated[
        str | None,
        typer.Option("--format", help="onnx or openvino. [default: as the file's name ends]"),
    ] = None,
    overwrite: OverwriteOption = False,
) -> None:
    """Write a model for ONNX Runtime or OpenVINO, and check that it is the same function.

    The file takes normalised channels and gives logits, float32, for any number of scenes and any
    size; its metadata names the channels, their normalisation and the thresholds.

    **cloudmask export runs/train/model -o model.onnx**
    """
    from slstr_cloudmask.atomic import check_output
    from slstr_cloudmask.network.export import export_onnx, export_openvino, format_of
    from slstr_cloudmask.network.model_file import load_model

    write = {"onnx": export_onnx, "openvino": export_openvino}[format_of(output, file_format)]
    check_output(output, overwrite=overwrite)
    found = write(load_model(model), output, overwrite=overwrite)
    typer.echo(f"{output}: against PyTorch, {found} (random input of {found.shape}, float32).")
