"""Files of Keras without Keras: there and back, other networks, hostile and damaged files."""

import io
import json
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from slstr_cloudmask import errors
from slstr_cloudmask.cli.app import app
from slstr_cloudmask.errors import (
    BrokenFileError,
    InputError,
    MissingFileError,
    ModelError,
    OutputExistsError,
)
from slstr_cloudmask.network import keras_file
from slstr_cloudmask.network.keras_graph import Layer, parse_layers, trace
from slstr_cloudmask.network.keras_model import (
    convert_from_keras,
    convert_to_keras,
    read_normaliser,
)
from slstr_cloudmask.network.keras_writer import keras_bytes
from slstr_cloudmask.network.model_file import Model, ModelConfig, load_model, save_model
from slstr_cloudmask.network.normaliser import Normaliser

WIDTHS = (2, 3, 5)
CONFIG = ModelConfig(widths=WIDTHS, patch_size=64, crop_size=20)
NAMES = ["model.h5", "model.keras", "model.weights.h5"]


def make_model(config: ModelConfig = CONFIG) -> Model:
    torch.manual_seed(1)
    network = config.build()
    for parameter in network.parameters():
        if parameter.ndim == 1:
            torch.nn.init.normal_(parameter)
    return Model(network.eval(), config, "none")


@pytest.fixture(scope="module")
def model() -> Model:
    return make_model()


def same(one: Model, other: Model) -> bool:
    pairs = zip(one.network.state_dict().items(), other.network.state_dict().items(), strict=True)
    return all(a == b and torch.equal(x, y) for (a, x), (b, y) in pairs)


def changed_config(
    path: Path, change: Callable[[dict[str, dict[str, Any]], list[Any]], None]
) -> None:
    """Change the layers, by name and as a list, in a whole model's HDF5."""
    with h5py.File(path, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        layers = config["config"]["layers"]
        change({layer["name"]: layer for layer in layers}, layers)
        file.attrs["model_config"] = json.dumps(config)


# There and back


@pytest.mark.parametrize("name", NAMES)
def test_there_and_back_is_the_same_model(model: Model, tmp_path: Path, name: str) -> None:
    other = CONFIG.model_copy(
        update={
            "normaliser": Normaliser.benchmark().model_copy(update={"offset": (1.0,) * 9}),
            "thresholds": {"balanced": 0.25},
            "label": "truth",
            "training": {"epochs": 3},
        }
    )
    convert_to_keras(Model(model.network, other, "none"), tmp_path / name)

    again = convert_from_keras(tmp_path / name, tmp_path / "again")

    assert same(again, model)
    source = again.config.training["converted_from"]
    assert source["file"] == name
    assert len(source["sha256"]) == 64
    kept = again.config.model_copy(update={"training": {"epochs": 3}})
    assert kept == other
    assert again.config.training["epochs"] == 3
    assert sorted(entry.name for entry in tmp_path.iterdir()) == sorted(["again", name])


@pytest.mark.parametrize("name", NAMES)
def test_a_file_is_the_same_each_time(model: Model, tmp_path: Path, name: str) -> None:
    convert_to_keras(model, tmp_path / name)
    once = (tmp_path / name).read_bytes()
    with pytest.raises(OutputExistsError, match="exists already"):
        convert_to_keras(model, tmp_path / name)
    convert_to_keras(model, tmp_path / name, overwrite=True)
    assert (tmp_path / name).read_bytes() == once


def test_a_name_of_another_kind_is_refused(model: Model, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"model\.pt is no name .* \.weights\.h5, \.h5, \.keras"):
        convert_to_keras(model, tmp_path / "model.pt")


def test_without_our_note_it_is_the_references(model: Model, tmp_path: Path) -> None:
    path = tmp_path / "model.h5"
    convert_to_keras(model, path)
    with h5py.File(path, "r+") as file:
        del file.attrs["cloudmask"]
        file.create_group("optimizer_weights")["junk"] = np.full(3, np.nan)  # left alone

    found = convert_from_keras(path, tmp_path / "model").config

    assert found.normaliser == Normaliser.benchmark()
    assert found.thresholds == {"balanced": 0.5}
    assert (found.patch_size, found.crop_size) == (64, 20)  # 64 x 5/16
    assert found.training["converted_from"]["keras_version"] == "2.8.0"
    assert found.training["converted_from"]["form"] == "HDF5 of a whole model"


def test_the_order_of_a_joint_is_that_of_the_file(model: Model, tmp_path: Path) -> None:
    path = tmp_path / "model.h5"
    convert_to_keras(model, path)

    def turn(layers: dict[str, dict[str, Any]], _: list[Any]) -> None:
        layers["concatenate_1"]["inbound_nodes"][0].reverse()

    changed_config(path, turn)
    with h5py.File(path, "r+") as file:
        # The last joint: 3 up-sampled channels and 2 of the skip, which now come first.
        kernel = file["model_weights/conv2d_8/conv2d_8/kernel:0"]
        assert kernel.shape == (3, 3, 5, 2)
        kernel[...] = kernel[...][:, :, [3, 4, 0, 1, 2]]

    again = convert_from_keras(path, tmp_path / "again")

    assert same(again, model)
    assert again.config.training["converted_from"]["skip_first"] == [False, True]


def test_weights_alone_in_the_old_layout(model: Model, tmp_path: Path) -> None:
    path = tmp_path / "old.h5"
    convert_to_keras(model, tmp_path / "model.h5")
    with h5py.File(tmp_path / "model.h5") as whole, h5py.File(path, "w") as file:
        for name in whole["model_weights"]:
            whole.copy(f"model_weights/{name}", file)
        file.attrs.update(whole["model_weights"].attrs)
    assert same(convert_from_keras(path, tmp_path / "again"), model)


def test_layers_of_keras_3_and_activations_within(model: Model, tmp_path: Path) -> None:
    path = tmp_path / "model.h5"
    convert_to_keras(model, path)

    def tensor(node: Any) -> Any:
        if isinstance(node, list) and node and isinstance(node[0], str):
            return {"class_name": "__keras_tensor__", "config": {"keras_history": node[:3]}}
        return [tensor(item) for item in node] if isinstance(node, list) else node

    def modern(layers: dict[str, dict[str, Any]], listed: list[Any]) -> None:
        for name, layer in layers.items():
            layer["inbound_nodes"] = [
                {"args": [tensor(node)], "kwargs": {}} for node in layer["inbound_nodes"]
            ]
            if name in ("conv2d_1", "conv2d_4"):
                layer["config"]["activation"] = "relu"
        # conv2d_1 and conv2d_4 do without the layers re_lu_1 and re_lu_4.
        text = json.dumps(listed)
        for number in ("1", "4"):
            text = text.replace(f'["re_lu_{number}", 0, 0]', f'["conv2d_{number}", 0, 0]')
        kept = [x for x in json.loads(text) if x["config"]["name"] not in ("re_lu_1", "re_lu_4")]
        listed[:] = kept

    changed_config(path, modern)
    assert same(convert_from_keras(path, tmp_path / "again"), model)


def test_groups_that_are_not_counted_one_by_one(model: Model, tmp_path: Path) -> None:
    path = tmp_path / "model.keras"
    content = io.BytesIO(keras_bytes(model, "weights"))
    with h5py.File(content, "r+") as file:  # as Keras 2.12 writes them
        for number in range(10, 0, -1):
            file.move(f"layers/conv2d_{number}", f"layers/conv2d_{2 * number}")
        file.move("layers", "_layer_checkpoint_dependencies")
    rezip(path, keras_bytes(model, "keras"), {"model.weights.h5": content.getvalue()})
    assert same(convert_from_keras(path, tmp_path / "again"), model)


# Other networks


def value(name: str, key: str, new: Any) -> Callable[[dict[str, dict[str, Any]], list[Any]], None]:
    def change(layers: dict[str, dict[str, Any]], _: list[Any]) -> None:
        layers[name]["config"][key] = new

    return change


def kind(name: str, new: str) -> Callable[[dict[str, dict[str, Any]], list[Any]], None]:
    def change(layers: dict[str, dict[str, Any]], _: list[Any]) -> None:
        layers[name]["class_name"] = new

    return change


def fed_by(name: str, *sources: str) -> Callable[[dict[str, dict[str, Any]], list[Any]], None]:
    def change(layers: dict[str, dict[str, Any]], _: list[Any]) -> None:
        layers[name]["inbound_nodes"] = [[[source, 0, 0, {}] for source in sources]]

    return change


def dropped(name: str) -> Callable[[dict[str, dict[str, Any]], list[Any]], None]:
    def change(layers: dict[str, dict[str, Any]], listed: list[Any]) -> None:
        listed.remove(layers[name])

    return change


def twice(name: str) -> Callable[[dict[str, dict[str, Any]], list[Any]], None]:
    def change(layers: dict[str, dict[str, Any]], _: list[Any]) -> None:
        layers[name]["inbound_nodes"] *= 2

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (value("conv2d_3", "padding", "valid"), "'conv2d_3': expected padding same, found 'valid'"),
        (value("conv2d_3", "dilation_rate", [2, 2]), r"expected dilation_rate \[1, 1\], found \[2"),
        (value("conv2d_3", "activation", "tanh"), "'conv2d_3': expected activation relu, found t"),
        (value("conv2d_3", "kernel_size", [5, 5]), r"expected kernel_size \[3, 3\], found \[5, 5"),
        (value("conv2d_10", "activation", "linear"), "'conv2d_10': expected activation sigmoid"),
        (value("re_lu_2", "negative_slope", 0.1), "'re_lu_2': expected negative_slope 0.0, found"),
        (value("up_sampling2d", "interpolation", "bilinear"), "expected interpolation nearest"),
        (value("concatenate", "axis", 1), "'concatenate': expected axis -1, found 1"),
        (value("input_layer", "batch_input_shape", [None, 9]), "expected an input of .batch, rows"),
        (kind("re_lu_3", "BatchNormalization"), "expected Conv2D before MaxPooling2D .*Normaliz"),
        (kind("re_lu_9", "Lambda"), "expected Conv2D before Conv2D 'conv2d_10', found Lambda 're_"),
        (kind("max_pooling2d_1", "AveragePooling2D"), "expected MaxPooling2D before Conv2D 'conv2"),
        (kind("concatenate", "Add"), "expected MaxPooling2D before Conv2D 'conv2d_6', found Add"),
        (kind("up_sampling2d", "Conv2DTranspose"), "expected UpSampling2D and a skip, found Conv"),
        (fed_by("max_pooling2d", "re_lu"), "expected the skip of 're_lu', found one of 're_lu_1'"),
        (fed_by("conv2d_10", "re_lu_7"), "expected one output, found re_lu_9, conv2d_10"),
        (fed_by("conv2d", "re_lu_1"), "expected (InputLayer|one output|Conv2D)"),
        (fed_by("re_lu_8", "conv2d_8", "conv2d_7"), "'re_lu_8': expected inputs: 1, found 2"),
        (dropped("input_layer"), "expected InputLayer before Conv2D 'conv2d', found nothing"),
        (twice("conv2d_1"), "expected every layer once, found 'conv2d_1' twice"),
    ],
)
def test_another_network_is_refused_by_name(
    model: Model,
    tmp_path: Path,
    change: Callable[[dict[str, dict[str, Any]], list[Any]], None],
    message: str,
) -> None:
    path = tmp_path / "model.h5"
    convert_to_keras(model, path)
    changed_config(path, change)
    with pytest.raises(ModelError, match=message) as caught:
        convert_from_keras(path, tmp_path / "out")
    assert str(path) in str(caught.value)
    assert list(tmp_path.iterdir()) == [path]


def test_a_network_without_levels_is_refused() -> None:
    settings = {"padding": "same", "kernel_size": [3, 3], "activation": "relu"}
    head = {"padding": "same", "kernel_size": [1, 1], "activation": "sigmoid"}
    layers = [
        Layer("in", "InputLayer", {"batch_shape": [None, None, None, 9]}, ()),
        Layer("a", "Conv2D", settings, ("in",)),
        Layer("b", "Conv2D", settings, ("a",)),
        Layer("c", "Conv2D", head, ("b",)),
    ]
    with pytest.raises(ModelError, match="expected a U-Net, found a network without a level"):
        trace({layer.name: layer for layer in layers})


def test_a_sequence_of_layers_is_refused() -> None:
    with pytest.raises(ModelError, match="expected a Functional model of Keras, found Sequential"):
        parse_layers({"class_name": "Sequential", "config": {"layers": []}})


# Other weights

KERNEL = "model_weights/conv2d_2/conv2d_2/kernel:0"


def replaced(file: h5py.File, array: np.ndarray) -> None:
    del file[KERNEL]
    file[KERNEL] = array


def poisoned(file: h5py.File) -> None:
    file[KERNEL][0, 0, 0, 0] = np.nan


def linked_out(file: h5py.File) -> None:
    del file[KERNEL]
    file[KERNEL] = h5py.ExternalLink("other.h5", "/secret")


def linked_in(file: h5py.File) -> None:
    del file[KERNEL]
    file[KERNEL] = h5py.SoftLink("/model_weights/conv2d/conv2d/kernel:0")


def stored_outside(file: h5py.File) -> None:
    del file[KERNEL]
    file.create_dataset(KERNEL, (3, 3, 2, 3), "f4", external=[("/etc/passwd", 0, 216)])


def virtual(file: h5py.File) -> None:
    del file[KERNEL]
    layout = h5py.VirtualLayout((3, 3, 2, 3), "f4")
    layout[...] = h5py.VirtualSource("other.h5", "secret", (3, 3, 2, 3))
    file.create_virtual_dataset(KERNEL, layout)


def endless(file: h5py.File) -> None:
    del file[KERNEL]
    file.create_dataset(KERNEL, (3, 3, 1 << 20, 1 << 20), "f4", chunks=(3, 3, 2, 3))


@pytest.mark.parametrize(
    ("change", "kind", "message"),
    [
        (poisoned, ModelError, "'conv2d_2': expected finite weights, found 1 of 54 in its kernel"),
        (
            lambda f: replaced(f, np.zeros((3, 3, 2, 4), "f4")),
            ModelError,
            r"expected weights of shape \(3, 3, 4, 3\), found \(3, 3, 3, 3\)|conv2d_2'|conv2d_3'",
        ),
        (
            lambda f: replaced(f, np.zeros((3, 2), "f4")),
            ModelError,
            r"'conv2d_2': expected a kernel .* and a bias, found \(3, 2\), \(3,\)",
        ),
        (
            lambda f: replaced(f, np.full((3, 3, 2, 3), 1e300)),
            ModelError,
            "found 54 of 54 in its kernel",
        ),
        (
            lambda f: replaced(f, np.zeros((3, 3, 2, 3), "i4")),
            BrokenFileError,
            "expected an array of weights at /model_weights/conv2d_2.*, found int32",
        ),
        (lambda f: f.__delitem__(KERNEL), BrokenFileError, "expected kernel:0 in .*no such thing"),
        (
            lambda f: f.__delitem__("model_weights/conv2d_2"),
            BrokenFileError,
            "expected conv2d_2 in /model_weights, found no such thing",
        ),
        (
            lambda f: f["model_weights/conv2d_2"].attrs.__setitem__("weight_names", []),
            ModelError,
            "'conv2d_2': expected a kernel of four dimensions and a bias, found nothing",
        ),
        (linked_out, ModelError, "is not read: kernel:0 in its .* is a link to elsewhere"),
        (linked_in, ModelError, "is not read: kernel:0 in its .* is a link to elsewhere"),
        (stored_outside, ModelError, "is not read: its array .* lies in another file"),
        (virtual, ModelError, "is not read: its array .* lies in another file"),
        (endless, ModelError, "is not read: it declares .* weights, and 134217728 are the most"),
        (
            lambda f: f.attrs.__setitem__("model_config", "{" * 3),
            BrokenFileError,
            "cannot be read as a model of Keras: Expecting property name",
        ),
        (
            lambda f: f.attrs.__setitem__("model_config", "[" * 100_000),
            BrokenFileError,
            "cannot be read as a model of Keras",
        ),
        (
            lambda f: f.attrs.__setitem__("cloudmask", '{"widths": "x"}'),
            ModelError,
            "its own note of the model cannot be read",
        ),
    ],
)
def test_hostile_and_damaged_hdf5(
    model: Model,
    tmp_path: Path,
    change: Callable[[h5py.File], None],
    kind: type[Exception],
    message: str,
) -> None:
    path = tmp_path / "model.h5"
    convert_to_keras(model, path)
    with h5py.File(path, "r+") as file:
        change(file)
    with pytest.raises(kind, match=message) as caught:
        convert_from_keras(path, tmp_path / "out")
    assert str(path) in str(caught.value)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", NAMES)
def test_a_truncated_file_is_refused_wherever_it_ends(
    model: Model, tmp_path: Path, name: str
) -> None:
    convert_to_keras(model, tmp_path / name)
    whole = (tmp_path / name).read_bytes()
    for share in (0.0, 0.01, 0.3, 0.6, 0.9, 0.999):
        (tmp_path / name).write_bytes(whole[: int(share * len(whole))])
        with pytest.raises(BrokenFileError, match=r"expected HDF5|cannot be read as a model"):
            convert_from_keras(tmp_path / name, tmp_path / "out")
    assert [entry.name for entry in tmp_path.iterdir()] == [name]


def test_a_damaged_byte_never_gives_a_traceback(model: Model, tmp_path: Path) -> None:
    path = tmp_path / "model.h5"
    whole = keras_bytes(model, "h5")
    rng = np.random.default_rng(0)
    for number in range(60):
        content = bytearray(whole)
        # The first bytes are the structure; weights that changed a little cannot be known.
        for position in rng.integers(8, 4096, 5):
            content[position] ^= int(rng.integers(1, 256))
        path.write_bytes(content)
        with suppress(errors.CloudMaskError):
            convert_from_keras(path, tmp_path / f"out{number}")


def test_hdf5_of_something_else(tmp_path: Path) -> None:
    path = tmp_path / "scene.h5"
    with h5py.File(path, "w") as file:
        file["bts"] = np.zeros(3)
    with pytest.raises(BrokenFileError, match=r"it is HDF5, and not of Keras: .* found bts"):
        convert_from_keras(path, tmp_path / "out")


def test_what_is_no_file_of_keras(tmp_path: Path) -> None:
    (tmp_path / "pickle.h5").write_bytes(b"\x80\x04\x95rm -rf")
    with pytest.raises(BrokenFileError, match=r"no file of Keras: expected HDF5 .* starts with"):
        convert_from_keras(tmp_path / "pickle.h5", tmp_path / "out")
    with pytest.raises(MissingFileError, match="found no such file"):
        convert_from_keras(tmp_path / "nothing.h5", tmp_path / "out")
    (tmp_path / "saved").mkdir()
    with pytest.raises(BrokenFileError, match=r"is a folder: .* SavedModel .*save it again with"):
        convert_from_keras(tmp_path / "saved", tmp_path / "out")


@pytest.mark.parametrize("count", [0, 3, 6, 8])
def test_weights_alone_of_another_number_of_layers(tmp_path: Path, count: int) -> None:
    path = tmp_path / "w.weights.h5"
    with h5py.File(path, "w") as file:
        file.create_group("layers")
        for number in range(count):
            file[f"layers/conv2d_{number}/vars/0"] = np.zeros((3, 3, 1, 1), "f4")
    with pytest.raises(ModelError, match=f"expected 7, 11, 15 or so layers .* found {count}"):
        convert_from_keras(path, tmp_path / "out")


# Zips


def rezip(path: Path, content: bytes, changes: dict[str, bytes | None]) -> None:
    with zipfile.ZipFile(io.BytesIO(content)) as old:
        parts: dict[str, bytes | None] = {name: old.read(name) for name in old.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for name, part in (parts | changes).items():
            if part is not None:
                new.writestr(name, part)


def test_a_zip_that_leads_out_writes_nothing(model: Model, tmp_path: Path) -> None:
    path = tmp_path / "inner" / "model.keras"
    path.parent.mkdir()
    rezip(path, keras_bytes(model, "keras"), {"../../evil.py": b"1/0", "/evil.py": b"1/0"})
    assert same(convert_from_keras(path, tmp_path / "out"), model)
    assert {entry.name for entry in tmp_path.iterdir()} == {"inner", "out"}


def test_a_zip_bomb_is_not_unpacked(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "model.keras"
    rezip(path, keras_bytes(model, "keras"), {"config.json": b" " * 2_000_000})
    monkeypatch.setattr(keras_file, "MAX_BYTES", 1_000_000)
    with pytest.raises(ModelError, match=r"config.json in it is 2000000 bytes, and 1000000 are"):
        convert_from_keras(path, tmp_path / "out")
    path.write_bytes(path.read_bytes() + bytes(1_000_000))
    with pytest.raises(ModelError, match="bytes: expected at most 1000000"):
        convert_from_keras(path, tmp_path / "out")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"config.json": None}, "expected config.json in a model of Keras, found metadata.json"),
        ({"model.weights.h5": b"\x80\x04 a pickle"}, "cannot be read as a model of Keras"),
        ({"metadata.json": b"[]"}, "cannot be read as a model of Keras"),
        ({"config.json": b"\xff"}, "cannot be read as a model of Keras"),
    ],
)
def test_zips_of_something_else(
    model: Model, tmp_path: Path, changes: dict[str, bytes | None], message: str
) -> None:
    path = tmp_path / "model.keras"
    rezip(path, keras_bytes(model, "keras"), changes)
    with pytest.raises(BrokenFileError, match=message):
        convert_from_keras(path, tmp_path / "out")


def test_groups_that_lack_a_layer(model: Model, tmp_path: Path) -> None:
    path = tmp_path / "model.keras"
    content = io.BytesIO(keras_bytes(model, "weights"))
    with h5py.File(content, "r+") as file:
        del file["layers/conv2d_4"]
    rezip(path, keras_bytes(model, "keras"), {"model.weights.h5": content.getvalue()})
    with pytest.raises(BrokenFileError, match="expected weights of 11 layers conv2d, found 10"):
        convert_from_keras(path, tmp_path / "out")


# Normalisation and the command


def test_a_normalisation_of_its_own(tmp_path: Path) -> None:
    three = Normaliser(channels=("S7", "S8", "S9"), offset=(1, 2, 3), scale=(4, 5, 6))
    made = make_model(ModelConfig(widths=(2, 3), normaliser=three))
    path = tmp_path / "model.h5"
    convert_to_keras(made, path)
    with pytest.raises(ModelError, match="it reads 3 channels, and the normalisation is of 9"):
        convert_from_keras(path, tmp_path / "out", normaliser=Normaliser.benchmark())
    (tmp_path / "three.json").write_text(three.model_dump_json())
    save_model(made.network, made.config, tmp_path / "made")
    for source in (tmp_path / "three.json", tmp_path / "made" / "config.json"):
        assert read_normaliser(source) == three
    (tmp_path / "three.json").write_text('{"channels": ["S7"], "offset": [], "scale": []}')
    with pytest.raises(BrokenFileError, match=r"(?s)is no normalisation: .*must be equally long"):
        read_normaliser(tmp_path / "three.json")
    with pytest.raises(MissingFileError, match="Expected 'benchmark' or a JSON file"):
        read_normaliser(tmp_path / "benchmrk")


def test_the_command(model: Model, tmp_path: Path) -> None:
    save_model(model.network, model.config, tmp_path / "ours")
    keras, back = tmp_path / "new" / "model.keras", tmp_path / "back"
    runner = CliRunner()
    there = runner.invoke(app, ["convert", "--to-keras", str(tmp_path / "ours"), str(keras)])
    # Kernels of 3x3 and biases: 9-2-2 down, 2-3-3 down, 3-5-5 at the bottom, 8-3-3 and 5-2-2
    # up, and the head of 2-1:
    # 9 (18+4 + 6+9 + 15+25 + 24+9 + 10+4) + 2 + (4 + 6 + 10 + 6 + 4 + 1) = 1149.
    count = 1149
    assert (
        there.stdout == f"{keras}: U-Net 2-3-5 of S1 S2 S3 S4 S5 S6 S7 S8 S9, {count} parameters.\n"
    )
    again = runner.invoke(app, ["convert", str(keras), str(back), "--normalisation", "benchmark"])
    assert again.exit_code == 0, again.stderr
    assert same(load_model(back), model)
    twice = runner.invoke(app, ["convert", str(keras), str(back)])
    assert isinstance(twice.exception, OutputExistsError)
    other = runner.invoke(app, ["convert", str(keras), str(back), "--overwrite"])
    assert other.exit_code == 0
    wrong = ["convert", "--to-keras", str(back), str(keras), "--normalisation", "benchmark"]
    assert isinstance(runner.invoke(app, wrong).exception, InputError)
