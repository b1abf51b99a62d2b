"""Options that several commands share."""

from typing import Annotated

import typer

DeviceOption = Annotated[
    str, typer.Option(help="auto, cpu, cuda or mps; auto takes the fastest that is there.")
]
PrecisionOption = Annotated[
    str, typer.Option(help="auto, fp32 or bf16; auto takes bf16 where the hardware multiplies it.")
]
OverwriteOption = Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")]
