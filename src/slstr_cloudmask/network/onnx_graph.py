"""A network as an ONNX graph: what ONNX Runtime and OpenVINO read.

    content = onnx_bytes(model, extra=extra)

Logits of normalised channels in float32, for any number of scenes and any size that is a multiple
of the stride. The 4×4 kernels of the decoder are worked out once and stored. The metadata holds
all that is needed to use it without this package.
"""

import copy
import json
import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
from torch._inductor.constant_folding import constant_fold

from slstr_cloudmask import __version__
from slstr_cloudmask.atomic import write_bytes
from slstr_cloudmask.errors import BrokenFileError, WriteError
from slstr_cloudmask.extras import require
from slstr_cloudmask.network.cache import cache_path
from slstr_cloudmask.network.model_file import Model
from slstr_cloudmask.network.unet import receptive_reach

logger = logging.getLogger(__name__)

# Opset 18 is what torch's exporter writes without converting, and runtimes of 2023 read it.
OPSET = 18
INPUT, OUTPUT = "normalised_channels", "logits"

T = TypeVar("T")


def metadata(model: Model) -> dict[str, str]:
    """Return what a user of an exported file needs to know, as short texts.

    ``channels``, ``offset``, ``scale``, ``thresholds`` and ``widths`` are JSON.
    """
    config = model.config
    normaliser = config.normaliser
    stride = model.network.stride
    return {
        "producer": f"slstr-cloudmask {__version__}",
        "input": f"{INPUT} (N, C, H, W) float32: (value - offset) / scale of each channel, where "
        f"value is 0 where nothing was measured; H and W are multiples of {stride}",
        "output": f"{OUTPUT} (N, 1, H, W) float32: cloud probability is 1 / (1 + exp(-logit))",
        "channels": json.dumps(normaliser.channels),
        "offset": json.dumps(normaliser.offset),
        "scale": json.dumps(normaliser.scale),
        "radiometry": config.radiometry,
        "label": config.label,
        "thresholds": json.dumps(config.thresholds),
        "architecture": config.architecture,
        "widths": json.dumps(config.widths),
        "stride": str(stride),
        "halo": str(receptive_reach(config.widths)),
        "model_checksum_sha256": model.checksum,
        "model_version": config.version,
    }


def onnx_bytes(model: Model, *, extra: str = "onnx") -> bytes:
    """Return a model as the content of an ONNX file.

    Parameters
    ----------
    model
        What it is made of.
    extra
        Which extra to name where the exporter is not installed: both have it.

    Raises
    ------
    MissingExtraError
        The exporter is not installed.
    """
    for library in ("onnx", "onnxscript"):
        require(library, extra=extra)
    network = copy.deepcopy(model.network).cpu().eval()
    channels, stride = len(model.config.normaliser.channels), network.stride
    example_NCHW = torch.zeros(2, channels, 4 * stride, 6 * stride)
    any_size = torch.export.Dim.DYNAMIC
    sizes = ({0: any_size, 2: any_size, 3: any_size},)
    with torch.no_grad(), _silence():
        traced = torch.export.export(network, (example_NCHW,), dynamic_shapes=sizes).module()
        # By PyTorch itself: the exporter drops avg_pool2d's divisor (onnxscript 0.7.2).
        constant_fold(traced)
        program = torch.onnx.export(
            traced,
            (example_NCHW,),
            dynamo=True,
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_shapes=sizes,
            opset_version=OPSET,
            verbose=False,
        )
    assert program is not None
    return _described(program.model_proto, metadata(model))


def kept_onnx(model: Model, load: Callable[[bytes], T], *, extra: str = "onnx") -> T:
    """Load a model's graph from the user's cache, where it is put when it is not there.

    Parameters
    ----------
    model
        Of what.
    load
        Makes something of the file's content; raises `BrokenFileError` if it cannot, and the graph
        is then made again.
    extra
        As in `onnx_bytes`.
    """
    path = cache_path((__version__, model.checksum, torch.__version__, OPSET), ".onnx")
    if path.is_file():
        try:
            return load(path.read_bytes())
        except BrokenFileError:
            logger.info("%s is damaged, and is made again.", path)
    content = onnx_bytes(model, extra=extra)
    made = load(content)
    try:
        write_bytes(path, content, overwrite=True)
    except WriteError as error:
        logger.warning("The network's graph is not kept: %s", error)
    return made


@contextmanager
def _silence() -> Iterator[None]:
    """Keep the exporter from telling of its own deprecations and of what is not installed."""
    chatter = logging.getLogger("torch.onnx")
    level = chatter.level
    chatter.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        chatter.setLevel(level)


def _described(proto: Any, texts: dict[str, str]) -> bytes:
    """Put metadata into a graph in place of the exporter's, which names places on this machine."""
    graph = proto.graph
    for part in (proto, graph, *graph.node, *graph.input, *graph.output, *graph.value_info):
        del part.metadata_props[:]
    for node in graph.node:
        node.ClearField("doc_string")
    del graph.value_info[:]  # sizes in between, which the exporter named after its variables
    for tensor in (graph.input[0], graph.output[0]):
        for size, dimension in zip("NCHW", tensor.type.tensor_type.shape.dim, strict=True):
            if not dimension.dim_value:
                dimension.dim_param = size
    for key, value in texts.items():
        proto.metadata_props.add(key=key, value=value)
    return bytes(proto.SerializeToString(deterministic=True))
