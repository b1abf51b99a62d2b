"""ONNX Runtime as an engine, of the extra ``onnx``: float32 on any processor.

engine = OnnxRuntime(model, kept_or_exported)
"""

from pathlib import Path

import torch
from torch import Tensor

from slstr_cloudmask.errors import BrokenFileError
from slstr_cloudmask.extras import require
from slstr_cloudmask.network.engine import PATCHES_AT_ONCE
from slstr_cloudmask.network.model_file import Model
from slstr_cloudmask.network.unet import receptive_reach


class OnnxRuntime:
    """Runs a network with ONNX Runtime, in float32, on as many threads as PyTorch.

    Parameters
    ----------
    model
        What the graph was made of.
    graph
        An ONNX file or its content.

    Raises
    ------
    BrokenFileError
        It is no graph that ONNX Runtime can run.
    MissingExtraError
        The extra ``onnx`` is not installed.
    """

    name = "onnx"
    # A granule at once, which is quicker than in parts; what is longer in parts, for memory.
    strip_rows: int | None = 1600
    patches_at_once = PATCHES_AT_ONCE

    def __init__(self, model: Model, graph: Path | bytes) -> None:
        runtime = require("onnxruntime", extra="onnx")
        options = runtime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        options.log_severity_level = 3  # errors alone
        self.stride = model.network.stride
        self.halo = receptive_reach(model.network.widths)
        try:
            self._session = runtime.InferenceSession(
                graph if isinstance(graph, bytes) else str(graph),
                options,
                providers=["CPUExecutionProvider"],
            )
        except Exception as error:  # it has many, that share no other class
            where = graph if isinstance(graph, Path) else "A graph"
            raise BrokenFileError(f"{where} cannot be run by ONNX Runtime: {error}") from error
        self._input = self._session.get_inputs()[0].name

    def run(self, x_NCHW: Tensor) -> Tensor:
        """Return logits (N, 1, H, W), float32, on the CPU, of normalised channels."""
        (logits_N1HW,) = self._session.run(None, {self._input: x_NCHW.contiguous().cpu().numpy()})
        return torch.from_numpy(logits_N1HW)
