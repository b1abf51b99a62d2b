"""Options that several commands share."""

from typing import Annotated

import typer

DeviceOption = Annotated[
    str, typer.Option(help="auto, cpu, cuda or mps; auto takes the fastest that is there.")
]
PrecisionOption = Annotated[
    str, typer.Option(help="auto, fp32 or bf16; auto takes bf16 where the hardware multiplies it.")
]
EngineOption = Annotated[
    str,
    typer.Option(
        help="auto, eager, compiled, onnx or openvino; the last two are extras. auto takes "
        "openvino on a processor where it is installed, and else compiles where that repays."
    ),
]
OverwriteOption = Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")]
ViewOption = Annotated[str, typer.Option(help="nadir or oblique; both are in a .SEN3 product.")]
GridOption = Annotated[
    str, typer.Option(help="1km, the thermal bands' own, or 500m, the reflective bands' own.")
]
RadiometryOption = Annotated[
    str | None,
    typer.Option(help="as_distributed or adjusted. [default: what the product holds]"),
]
