"""Networks as files for ONNX Runtime and OpenVINO, and these as engines: the same function."""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from slstr_cloudmask.cli.export import export as export_command
from slstr_cloudmask.errors import (
    BrokenFileError,
    InputError,
    MissingExtraError,
    ModelError,
    OutputExistsError,
)
from slstr_cloudmask.network import export, onnx_graph
from slstr_cloudmask.network.device import Precision
from slstr_cloudmask.network.engine import Eager, Engine, make_engine
from slstr_cloudmask.network.export import agreement, export_onnx, export_openvino, format_of
from slstr_cloudmask.network.inference import predict_logits
from slstr_cloudmask.network.model_file import Model, ModelConfig, load_model, save_model
from slstr_cloudmask.network.onnx_engine import OnnxRuntime
from slstr_cloudmask.network.onnx_graph import onnx_bytes
from slstr_cloudmask.network.openvino_engine import OpenVino, openvino
from slstr_cloudmask.network.unet import receptive_reach

CPU = torch.device("cpu")
WIDTHS = (4, 8, 8)
CONFIG = ModelConfig(widths=WIDTHS, thresholds={"balanced": 0.5, "careful": 0.25})


def needs(extra: str, *libraries: str) -> pytest.MarkDecorator:
    there = all(find_spec(library) for library in libraries)
    return pytest.mark.skipif(not there, reason=f"the extra {extra} is not installed")


ONNX = pytest.param("onnx", "fp32", marks=needs("onnx", "onnx", "onnxruntime"))
# Looked for and not imported, which would report it to its makers.
WITH_OPENVINO = needs("openvino", "onnx", "openvino")
OPENVINO = pytest.param("openvino", "fp32", marks=WITH_OPENVINO)
OPENVINO_BF16 = pytest.param("openvino", "bf16", marks=WITH_OPENVINO)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(3)
    network = CONFIG.build()
    for parameter in network.parameters():
        if parameter.ndim == 1:
            torch.nn.init.normal_(parameter)  # zero biases would hide what padding does
    folder = tmp_path_factory.mktemp("model") / "model"
    save_model(network, CONFIG, folder)
    return folder


@pytest.fixture(scope="module")
def model(folder: Path) -> Model:
    return load_model(folder)


@pytest.fixture
def made(model: Model) -> Callable[[str, Precision], Engine]:
    def make(engine: str, precision: Precision) -> Engine:
        return make_engine(model, engine=engine, device=CPU, precision=precision)

    return make


@pytest.fixture
def without(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Make a library look as if it was not installed."""

    def hide(library: str) -> None:
        for name in list(sys.modules):
            if name.partition(".")[0] == library:
                monkeypatch.delitem(sys.modules, name)
        monkeypatch.setitem(sys.modules, library, None)

    return hide


# The same function


@pytest.mark.parametrize(("engine", "precision"), [ONNX, OPENVINO])
@pytest.mark.parametrize("shape", [(1, 9, 4, 4), (1, 9, 32, 48), (3, 9, 20, 8), (2, 9, 128, 64)])
def test_an_engine_in_float32_is_pytorch(
    made: Callable[[str, Precision], Engine],
    model: Model,
    engine: str,
    precision: Precision,
    shape: tuple[int, ...],
) -> None:
    # As channels lie in memory when they come from a scene.
    x_NCHW = torch.randn(shape).contiguous(memory_format=torch.channels_last)
    before = {name: tensor.clone() for name, tensor in model.network.state_dict().items()}

    runs = made(engine, precision)
    logits_N1HW = runs.run(x_NCHW)

    expected = Eager(model.network, CPU, "fp32").run(x_NCHW)
    assert logits_N1HW.dtype == torch.float32
    torch.testing.assert_close(logits_N1HW, expected, rtol=1e-4, atol=1e-4)
    assert (runs.name, runs.stride, runs.halo) == (engine, 4, receptive_reach(WIDTHS))
    for name, tensor in model.network.state_dict().items():
        assert torch.equal(tensor, before[name])


@pytest.mark.parametrize(("engine", "precision"), [ONNX, OPENVINO])
def test_a_second_run_leaves_the_first_ones_logits_alone(
    made: Callable[[str, Precision], Engine], engine: str, precision: Precision
) -> None:
    runs = made(engine, precision)
    first = runs.run(torch.randn(1, 9, 16, 16))
    kept = first.clone()
    runs.run(torch.randn(1, 9, 16, 16))
    assert torch.equal(first, kept)


@pytest.mark.parametrize(("engine", "precision"), [ONNX, OPENVINO])
def test_a_scene_in_strips_is_the_scene_at_once(
    made: Callable[[str, Precision], Engine], engine: str, precision: Precision
) -> None:
    x_HWC = np.random.default_rng(0).normal(size=(117, 61, 9)).astype(np.float32)
    runs = made(engine, precision)
    runs.strip_rows = None
    whole = predict_logits(runs, x_HWC)
    runs.strip_rows = 16
    np.testing.assert_allclose(predict_logits(runs, x_HWC), whole, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("engine", "precision"), [OPENVINO_BF16])
def test_bf16_is_near_float32(
    made: Callable[[str, Precision], Engine], model: Model, engine: str, precision: Precision
) -> None:
    found = agreement(made(engine, precision), model)
    # bf16 keeps 8 bits: each layer rounds by up to 2^-9 = .2 %; 11 layers add up to about 1 %.
    assert found.relative_error < 0.03
    assert found.flipped < 0.02


def test_agreement_by_hand(model: Model) -> None:
    class Doubled(Eager):
        def run(self, x_NCHW: torch.Tensor) -> torch.Tensor:
            return -2 * super().run(x_NCHW)

    found = agreement(Doubled(model.network, CPU, "fp32"), model)

    # The difference is -3 times what it is compared with, and every sign is the other.
    assert found.relative_error == pytest.approx(3)
    assert found.flipped == 1
    assert found.shape == (2, 9, 32, 48)
    assert str(found) == "relative error of the logits 3.0e+00, 100 % of pixels another class"


def test_input_of_an_agreement_is_fresh_unless_seeded(model: Model) -> None:
    rough = Eager(model.network, CPU, "bf16")
    once, again = (agreement(rough, model, seed=1) for _ in range(2))
    assert once == again
    assert agreement(rough, model) != agreement(rough, model)


# Files


def test_a_graph_holds_kernels_and_no_work_on_them(model: Model) -> None:
    onnx = pytest.importorskip("onnx")

    content = onnx_bytes(model)

    proto = onnx.load_from_string(content)
    onnx.checker.check_model(proto, full_check=True)
    # Two pairs down, one at the bottom, two up of which each first is split in two; the head.
    assert Counter(node.op_type for node in proto.graph.node) == {
        "Conv": 4 + 2 + 4 + 1,
        "Relu": 4 + 2 + 4,
        "MaxPool": 2,
        "ConvTranspose": 2,
        "Add": 2,
    }
    stored = {tensor.name: tuple(tensor.dims) for tensor in proto.graph.initializer}
    kernels = [n.input[1] for n in proto.graph.node if n.op_type == "ConvTranspose"]
    assert [stored[name] for name in kernels] == [(8, 8, 4, 4), (8, 4, 4, 4)]
    sizes = [d.dim_param or d.dim_value for d in proto.graph.input[0].type.tensor_type.shape.dim]
    assert sizes == ["N", 9, "H", "W"]
    assert str(Path(torch.__file__).parents[1]).encode() not in content
    assert content == onnx_bytes(model)


def check_metadata(found: dict[str, str], model: Model) -> None:
    assert json.loads(found["channels"]) == [f"S{i}" for i in range(1, 10)]
    assert json.loads(found["offset"]) == [0.5] * 6 + [270.0] * 3
    assert json.loads(found["scale"]) == [1.0] * 6 + [22.0] * 3
    assert json.loads(found["thresholds"]) == {"balanced": 0.5, "careful": 0.25}
    assert found["label"] == "bayes"
    assert found["radiometry"] == "as_distributed"
    assert found["stride"] == "4"
    assert "multiples of 4" in found["input"]
    assert found["model_checksum_sha256"] == model.checksum


def test_an_onnx_file_is_enough_by_itself(model: Model, tmp_path: Path) -> None:
    runtime = pytest.importorskip("onnxruntime")
    path = tmp_path / "new" / "model.onnx"

    found = export_onnx(model, path)

    assert 0 <= found.relative_error < 1e-5
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    check_metadata(session.get_modelmeta().custom_metadata_map, model)
    x_NCHW = torch.randn(1, 9, 8, 12)
    (logits,) = session.run(["logits"], {"normalised_channels": x_NCHW.numpy()})
    expected = Eager(model.network, CPU, "fp32").run(x_NCHW).numpy()
    np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-4)
    with pytest.raises(OutputExistsError, match="exists already"):
        export_onnx(model, path)
    export_onnx(model, path, overwrite=True)
    assert list(path.parent.iterdir()) == [path]


@WITH_OPENVINO
def test_openvinos_files_are_enough_by_themselves(model: Model, tmp_path: Path) -> None:
    path = tmp_path / "model.xml"

    found = export_openvino(model, path)

    assert 0 <= found.relative_error < 1e-5
    graph = openvino().Core().read_model(path)
    keys = onnx_graph.metadata(model)
    check_metadata({key: graph.get_rt_info(["framework", key]).value for key in keys}, model)
    run = openvino().compile_model(graph, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    x_NCHW = torch.randn(1, 9, 8, 12)
    expected = Eager(model.network, CPU, "fp32").run(x_NCHW).numpy()
    np.testing.assert_allclose(run(x_NCHW.numpy())["logits"], expected, rtol=1e-4, atol=1e-4)
    assert {entry.name for entry in tmp_path.iterdir()} == {"model.xml", "model.bin"}
    path.unlink()  # the weights alone are in the way too
    with pytest.raises(OutputExistsError, match=r"model\.bin exists already"):
        export_openvino(model, path)
    export_openvino(model, path, overwrite=True)


@pytest.mark.parametrize(("engine", "precision"), [ONNX, OPENVINO])
def test_a_file_that_does_something_else_is_not_kept(
    model: Model,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    engine: str,
    precision: Precision,
) -> None:
    other = onnx_bytes(Model(CONFIG.build(), CONFIG, "other"))
    monkeypatch.setattr(export, "onnx_bytes", lambda *_, **__: other)
    write, name = {
        "onnx": (export_onnx, "model.onnx"),
        "openvino": (export_openvino, "model.xml"),
    }[engine]

    with pytest.raises(ModelError, match=f"was not written: run by {engine}, the model differs"):
        write(model, tmp_path / name)

    assert not list(tmp_path.iterdir())


def test_names_of_files_say_their_format() -> None:
    assert format_of(Path("a/model.onnx")) == "onnx"
    assert format_of(Path("model.xml"), "openvino") == "openvino"
    with pytest.raises(InputError, match=r"model.pt is .*: expected .onnx \(onnx\) or .xml"):
        format_of(Path("model.pt"))
    with pytest.raises(InputError, match=r"model.onnx is .*: expected .xml \(openvino\)\.$"):
        format_of(Path("model.onnx"), "openvino")
    with pytest.raises(InputError, match="Unknown format 'steam': expected one of onnx, openvino"):
        format_of(Path("model.onnx"), "steam")


def test_the_command(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("onnxruntime")
    path = tmp_path / "model.onnx"

    export_command(folder, path)

    assert "against PyTorch, relative error of the logits" in capsys.readouterr().out
    assert path.is_file()
    with pytest.raises(OutputExistsError):
        export_command(folder, path)


# Engines


@pytest.mark.parametrize(("engine", "precision"), [ONNX, OPENVINO])
def test_a_damaged_graph_is_refused(
    model: Model, tmp_path: Path, engine: str, precision: Precision
) -> None:
    whole = onnx_bytes(model)
    torn = tmp_path / "torn.onnx"
    torn.write_bytes(whole[: len(whole) // 2])
    load: Callable[[], Engine] = (
        partial(OnnxRuntime, model, torn)
        if engine == "onnx"
        else partial(OpenVino, model, torn.read_bytes(), precision)
    )
    with pytest.raises(BrokenFileError, match=r"cannot be run by (ONNX Runtime|OpenVINO):"):
        load()


def test_what_an_engine_cannot_do_is_said(model: Model) -> None:
    for engine in ("onnx", "openvino"):
        with pytest.raises(
            InputError, match=f"'{engine}' runs on the processor: pass --device cpu"
        ):
            make_engine(model, engine=engine, device=torch.device("cuda"), precision="fp32")
    with pytest.raises(InputError, match="float32 alone: pass --precision fp32"):
        make_engine(model, engine="onnx", device=CPU, precision="bf16")


@pytest.mark.parametrize(
    ("write", "library", "extra"),
    [
        (export_onnx, "onnx", "onnx"),
        (export_onnx, "onnxruntime", "onnx"),
        (export_openvino, "openvino", "openvino"),
    ],
)
def test_a_missing_extra_is_named(
    model: Model,
    tmp_path: Path,
    without: Callable[[str], None],
    write: Callable[..., Any],
    library: str,
    extra: str,
) -> None:
    without(library)
    install = rf'needs {library}, which is not installed: pip install "slstr-cloudmask\[{extra}\]"'
    with pytest.raises(MissingExtraError, match=install):
        write(model, tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


@WITH_OPENVINO
def test_openvino_does_not_report_to_its_makers() -> None:
    program = (
        "import sys; from slstr_cloudmask.network.openvino_engine import openvino; openvino(); "
        "sys.exit(any(name.startswith('openvino_telemetry') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
