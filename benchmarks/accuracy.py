"""How near every engine and precision is to PyTorch in float32, on fresh and on trained weights.

    rows = measure_accuracy(folder, engines=("eager", "onnx", "openvino"))

Two networks, one of fresh weights at full width and one of half width that was trained for a
minute on simulated windows; two inputs, fresh random numbers and windows that were not trained on.
Fresh weights have no margin: their logits lie about the threshold everywhere, which is the worst
case for pixels that change their class.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, get_args

import torch
from torch import Tensor

from benchmarks import material
from slstr_cloudmask.errors import MissingExtraError
from slstr_cloudmask.io import open_scene
from slstr_cloudmask.network.device import Precision
from slstr_cloudmask.network.engine import Engine, make_engine
from slstr_cloudmask.network.export import agreement
from slstr_cloudmask.network.model_file import Model
from slstr_cloudmask.network.normaliser import Normaliser

RANDOM, SCENES = "random", "simulated windows"


def measure_accuracy(folder: Path, device: torch.device, engines: Sequence[str]) -> dict[str, Any]:
    """Compare engines with PyTorch in float32 on the CPU.

    Returns
    -------
    dict
        ``trained``: how the trained network came about; ``rows``: ``weights``, ``input``,
        ``engine``, ``relative_error`` of the logits, ``flipped`` share of the pixels.
    """
    trained = material.trained_model(folder)
    windows_NCHW = _channels(material.unseen_windows(folder))
    random_NCHW = torch.randn(windows_NCHW.shape)
    rows = [
        {
            "weights": weights,
            "input": what,
            "engine": name,
            "relative_error": found.relative_error,
            "flipped": found.flipped,
        }
        for weights, model in (("fresh", material.fresh_model(folder)), ("trained", trained))
        for name, engine in _engines(model, device, engines)
        for what, x_NCHW in ((RANDOM, random_NCHW), (SCENES, windows_NCHW))
        for found in [agreement(engine, model, x_NCHW=x_NCHW)]
    ]
    return {"trained": trained.config.training, "shape": list(windows_NCHW.shape), "rows": rows}


def _engines(
    model: Model, device: torch.device, names: Sequence[str]
) -> Iterator[tuple[str, Engine]]:
    """Give every engine in every precision that it has, but for what is compared with."""
    for name in names:
        for precision in get_args(Precision):
            if (name, precision) == ("onnx", "bf16"):  # it multiplies float32 alone
                continue
            if (name, precision, device.type) == ("eager", "fp32", "cpu"):
                continue
            try:
                engine = make_engine(model, engine=name, device=device, precision=precision)
            except MissingExtraError:
                continue
            yield f"{name} {precision}", engine


def _channels(paths: Sequence[Path]) -> Tensor:
    """Return normalised channels (N, C, H, W) of windows."""
    normaliser = Normaliser.benchmark()
    windows = [torch.from_numpy(normaliser.apply(open_scene(path))) for path in paths]
    return torch.stack(windows).permute(0, 3, 1, 2)
