"""OpenVINO as an engine, of the extra ``openvino``: float32 or bf16 on processors of Intel's kind.

engine = OpenVino(model, kept_or_exported, "bf16")
"""

import sys
from pathlib import Path
from types import ModuleType

import torch
from torch import Tensor

from slstr_cloudmask.errors import BrokenFileError
from slstr_cloudmask.extras import require
from slstr_cloudmask.network.device import Precision
from slstr_cloudmask.network.engine import PATCHES_AT_ONCE
from slstr_cloudmask.network.model_file import Model
from slstr_cloudmask.network.unet import receptive_reach

# What OpenVINO calls our precisions
# (docs.openvino.ai, ov::hint::inference_precision).
HINTS: dict[Precision, str] = {"fp32": "f32", "bf16": "bf16"}


def openvino() -> ModuleType:
    """Import OpenVINO, without its reports to its makers.

    On import it tells Google Analytics so from a process of its own, if its module for that is
    there, which is installed with it; where it is not, it goes without.

    Raises
    ------
    MissingExtraError
        The extra ``openvino`` is not installed.
    """
    reports = "openvino_telemetry"
    if "openvino" in sys.modules or reports in sys.modules:
        return require("openvino", extra="openvino")
    sys.modules[reports] = None  # type: ignore[assignment]  # "it cannot be imported"
    try:
        return require("openvino", extra="openvino")
    finally:
        del sys.modules[reports]


class OpenVino:
    """Runs a network with OpenVINO, on as many threads as PyTorch.

    Parameters
    ----------
    model
        What the graph was made of.
    graph
        An ONNX file's content, or OpenVINO's own two files (.xml, .bin).
    precision
        In which it multiplies; a hint, as OpenVINO calls it.

    Raises
    ------
    BrokenFileError
        It is no graph that OpenVINO can run.
    MissingExtraError
        The extra ``openvino`` is not installed.
    """

    name = "openvino"
    # A granule at once, which is quicker than in parts; what is longer in parts, for memory.
    strip_rows: int | None = 1600
    patches_at_once = PATCHES_AT_ONCE

    def __init__(
        self, model: Model, graph: bytes | tuple[Path, Path], precision: Precision
    ) -> None:
        core = openvino().Core()
        self.stride = model.network.stride
        self.halo = receptive_reach(model.network.widths)
        options = {
            "INFERENCE_PRECISION_HINT": HINTS[precision],
            "INFERENCE_NUM_THREADS": torch.get_num_threads(),
            "NUM_STREAMS": 1,
        }
        try:
            read = core.read_model(*graph) if isinstance(graph, tuple) else core.read_model(graph)
            self._compiled = core.compile_model(read, "CPU", options)
        except RuntimeError as error:
            where = graph[0] if isinstance(graph, tuple) else "A graph"
            raise BrokenFileError(f"{where} cannot be run by OpenVINO: {error}") from error

    def run(self, x_NCHW: Tensor) -> Tensor:
        """Return logits (N, 1, H, W), float32, on the CPU, of normalised channels."""
        logits_N1HW = self._compiled(x_NCHW.contiguous().cpu().numpy())[0]
        return torch.from_numpy(logits_N1HW)
