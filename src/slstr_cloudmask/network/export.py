"""A model as one file that runs without this package, checked against PyTorch before it is kept.

agreement = export_onnx(model, Path("model.onnx"))
agreement = export_openvino(model, Path("model.xml"))  # and model.bin beside it
"""

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from slstr_cloudmask.atomic import check_output, replacing
from slstr_cloudmask.errors import InputError, ModelError
from slstr_cloudmask.network.engine import Eager, Engine
from slstr_cloudmask.network.model_file import Model
from slstr_cloudmask.network.onnx_engine import OnnxRuntime
from slstr_cloudmask.network.onnx_graph import onnx_bytes
from slstr_cloudmask.network.openvino_engine import OpenVino, openvino

Format = Literal["onnx", "openvino"]
SUFFIXES: dict[Format, str] = {"onnx": ".onnx", "openvino": ".xml"}

# Of float32 against float32 in another order of summation; seen are some 3e-7.
LARGEST_RELATIVE_ERROR = 1e-4


@dataclass(frozen=True)
class Agreement:
    """How far an engine is from PyTorch in float32.

    Attributes
    ----------
    relative_error
        Of the logits: root mean square of the difference over that of PyTorch's.
    flipped
        Share of the pixels that are cloud (probability at least 0.5) for one and not the other.
    shape
        Of the input (N, C, H, W).
    """

    relative_error: float
    flipped: float
    shape: tuple[int, ...]

    def __str__(self) -> str:
        """Return it as a phrase."""
        return (
            f"relative error of the logits {self.relative_error:.1e}, "
            f"{100 * self.flipped:.3g} % of pixels another class"
        )


def agreement(
    engine: Engine, model: Model, *, x_NCHW: Tensor | None = None, seed: int | None = None
) -> Agreement:
    """Compare an engine with PyTorch in float32.

    Parameters
    ----------
    engine
        What is to be the same function as the model.
    model
        The model.
    x_NCHW
        The input; standard normal numbers by default.
    seed
        Of those; a fresh one by default.
    """
    if x_NCHW is None:
        x_NCHW = _random_input(engine, model, seed)
    reference = Eager(copy.deepcopy(model.network), torch.device("cpu"), "fp32")
    expected = reference.run(x_NCHW)
    found = engine.run(x_NCHW)
    error = (found - expected).norm() / expected.norm()
    flipped = ((found >= 0) != (expected >= 0)).float().mean()
    return Agreement(float(error), float(flipped), tuple(x_NCHW.shape))


def _random_input(engine: Engine, model: Model, seed: int | None) -> Tensor:
    random = torch.Generator()
    if seed is None:
        random.seed()
    else:
        random.manual_seed(seed)
    shape = (2, len(model.config.normaliser.inputs), 8 * engine.stride, 12 * engine.stride)
    return torch.randn(shape, generator=random)


def format_of(path: Path, name: str | None = None) -> Format:
    """Return the format a file's name asks for.

    Raises
    ------
    InputError
        ``name`` is no format, or the file's name does not end as files of it do.
    """
    if name is not None and name not in SUFFIXES:
        raise InputError(f"Unknown format {name!r}: expected one of {', '.join(SUFFIXES)}.")
    possible = {known: end for known, end in SUFFIXES.items() if name in (None, known)}
    for known, suffix in possible.items():
        if path.suffix == suffix:
            return known
    expected = " or ".join(f"{suffix} ({known})" for known, suffix in possible.items())
    raise InputError(f"{path.name} is no name for an exported model: expected {expected}.")


def export_onnx(model: Model, path: Path, *, overwrite: bool = False) -> Agreement:
    """Write a model as an ONNX file (``onnx_graph`` says what is in it).

    Returns
    -------
    Agreement
        Of ONNX Runtime, with the file as written, with PyTorch.

    Raises
    ------
    OutputExistsError
        The file exists and ``overwrite`` is false.
    ModelError
        The file does not do what the model does; it is not kept.
    MissingExtraError
        The extra ``onnx`` is not installed.
    """
    with replacing(path, overwrite=overwrite) as temporary:
        temporary.write_bytes(onnx_bytes(model))
        return _checked(OnnxRuntime(model, temporary), model, path)


def export_openvino(model: Model, path: Path, *, overwrite: bool = False) -> Agreement:
    """Write a model in OpenVINO's own form: the graph (.xml), its weights beside it (.bin).

    Returns and raises as `export_onnx`, of OpenVINO in float32 and the extra ``openvino``.
    """
    weights_path = path.with_suffix(".bin")
    for one in (path, weights_path):
        check_output(one, overwrite=overwrite)
    ov = openvino()
    # It brings the metadata along, as runtime information named "framework".
    graph = ov.Core().read_model(onnx_bytes(model, extra="openvino"))
    with (
        replacing(path, overwrite=overwrite) as temporary,
        replacing(weights_path, overwrite=overwrite) as temporary_weights,
    ):
        ov.serialize(graph, temporary, temporary_weights)
        engine = OpenVino(model, (temporary, temporary_weights), "fp32")
        return _checked(engine, model, path)


def _checked(engine: Engine, model: Model, path: Path) -> Agreement:
    found = agreement(engine, model)
    if not found.relative_error <= LARGEST_RELATIVE_ERROR:
        raise ModelError(
            f"{path} was not written: run by {engine.name}, the model differs from itself in "
            f"PyTorch by more than {LARGEST_RELATIVE_ERROR:.0e} ({found})."
        )
    return found
