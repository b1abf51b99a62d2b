"""Recipes, settings by one name, folders of a set, and the reference's file in its three forms."""

import logging
import re
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from slstr_cloudmask.benchmark.config import (
    RECIPES,
    BenchmarkConfig,
    apply_settings,
    full_key,
    load_config,
    load_recipe,
    recipe_names,
)
from slstr_cloudmask.benchmark.run import run_benchmark
from slstr_cloudmask.errors import ConfigError, InputError, MissingFileError
from slstr_cloudmask.io import open_scene
from slstr_cloudmask.io.find_scenes import find_scenes
from slstr_cloudmask.network.model_file import load_model
from slstr_cloudmask.simulate.dataset import simulate_dataset
from slstr_cloudmask.simulate.plan import DatasetConfig
from slstr_cloudmask.training.pack import pack_scenes

CPU = torch.device("cpu")
SMALL = [
    "epochs=1",
    "batch_size=4",
    "widths=[4, 8]",
    "patch_size=32",
    "crop_size=8",
    "precision=fp32",
]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four scenes to train on and two to test on."""
    folder = tmp_path_factory.mktemp("data")
    simulate_dataset(folder, DatasetConfig(scenes=6, test_scenes=2, size=(64, 80), seed=1))
    return folder


# -- recipes ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["reference", "open", "fast", "smoke"])
def test_every_recipe_runs_to_its_end(name: str, data: Path, tmp_path: Path) -> None:
    assert name in recipe_names()
    settings = [f"data.root={data}", *([] if name == "smoke" else SMALL)]
    config = load_recipe(name, settings, output=tmp_path / "run")
    document = run_benchmark(config, device=CPU)
    assert document["config"]["recipe"] == name
    assert document["data"]["training"] == str(data / "one-day")
    assert document["data"]["inference_scenes"] == 2
    assert (tmp_path / "run" / "result.json").is_file()
    # Where the scenes lay is the run's affair, not the model's.
    told = load_model(tmp_path / "run" / "model").config.training["data"]
    assert "label" in told
    assert not {"root", "store"} & set(told)


def test_the_names_are_those_of_the_files() -> None:
    assert recipe_names() == ["fast", "open", "reference", "smoke"]
    for name in recipe_names():
        text = (RECIPES / f"{name}.yaml").read_text()
        assert f"--recipe {name} data.root=" in text  # each says how it is used


def test_the_reference_is_as_published() -> None:
    """Batch 32, Adam's 1e-3, 200 epochs, patience 25, patches of 256 with 80 cropped, seed 1234."""
    config = load_recipe("reference", ["data.root=anywhere"])
    train, data = config.train, config.data
    assert (train.batch_size, train.learning_rate, train.epochs) == (32, 1e-3, 200)
    assert (train.patience, train.keep, train.seed, train.train_split) == (25, "last", 1234, 0.8)
    assert (train.split, train.order, train.drop_remainder) == ("reference", "buffer", True)
    assert (train.augment, train.precision) == ("none", "fp32")
    assert (train.optimiser, train.schedule) == ("adam", "constant")
    assert train.widths == (32, 64, 128, 256)
    assert (data.label, data.patch_size, data.crop_size) == ("bayes", 256, 80)
    assert (data.mask_empty, data.file_order) == (False, "listed")
    assert (config.inference_mode, config.score_empty) == ("patches", True)
    assert config.mask_format == "reference"


def test_switches_of_the_reference_are_off_elsewhere() -> None:
    plain = BenchmarkConfig(train_dir=Path("a"), inference_dir=Path("b"), output_dir=Path("c"))
    opened = load_recipe("open", ["data.root=anywhere"])
    for config in (plain, opened):
        assert (config.train.split, config.train.order) == ("seeded", "auto")
        assert not config.train.drop_remainder
        assert not config.score_empty
        assert (config.data.mask_empty, config.data.file_order) == (True, "sorted")


def test_a_recipe_that_is_not_there_names_those_that_are() -> None:
    with pytest.raises(MissingFileError, match="'opn': expected fast, open, reference, smoke"):
        load_recipe("opn")


def test_a_recipe_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.yaml").write_text("train: {epochs: 3}\ndata:\n")  # an empty section is none
    config = load_recipe("mine.yaml", ["data.root=set", "label=truth"])
    assert (config.train.epochs, config.data.label) == (3, "truth")
    assert (config.recipe, config.output_dir) == ("mine", Path("runs/mine"))
    assert load_recipe("mine.yaml", ["data.root=set"], output=Path("x")).output_dir == Path("x")
    # What was run, written out whole, is read as the same again.
    Path("again.yaml").write_text(yaml.safe_dump(config.model_dump(mode="json")))
    assert load_config(Path("again.yaml")) == config


# -- settings -----------------------------------------------------------------------------------


def test_a_name_that_one_section_has_is_enough() -> None:
    assert full_key("epochs") == "train.epochs"
    assert full_key("patch_size") == "data.patch_size"
    assert full_key("org") == "submission.org"
    assert full_key("output_dir") == "output_dir"
    assert full_key("train.epochs") == "train.epochs"
    content = {"train": {"epochs": 1}}
    changed = apply_settings(content, ["epochs=3", "seed = 7", "learning_rate=1e-3"])
    # YAML 1.1 reads 1e-3 as text; the typed configuration reads it as the number.
    assert changed == {"train": {"epochs": 3, "seed": 7, "learning_rate": "1e-3"}}
    assert content == {"train": {"epochs": 1}}


def test_a_name_that_no_section_has_or_two_have_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match=r"epoks: unknown key, did you mean train\.epochs"):
        full_key("epoks")
    with pytest.raises(ConfigError, match=r"zzz: unknown key$"):
        full_key("zzz")
    # No two sections share a name today, which keeps the command line short; so that this stays
    # tested, one is added.
    fields = {**BenchmarkConfig.model_fields["submission"].annotation.model_fields}  # type: ignore[union-attr]
    monkeypatch.setattr(
        BenchmarkConfig.model_fields["submission"].annotation,
        "__pydantic_fields__",
        {**fields, "seed": fields["org"]},
    )
    with pytest.raises(ConfigError, match=r"seed could be train\.seed or submission\.seed"):
        full_key("seed")


def test_no_two_sections_share_a_name() -> None:
    for section in ("train", "data", "submission"):
        model: Any = BenchmarkConfig.model_fields[section].annotation
        for name in model.model_fields:
            assert full_key(name) == f"{section}.{name}"


# -- where the scenes are -----------------------------------------------------------------------


@pytest.mark.parametrize("names", [("training", "inference"), ("one-day", "ssts")])
def test_a_root_gives_both_folders(names: tuple[str, str], tmp_path: Path) -> None:
    for name in names:
        (tmp_path / name).mkdir()
    config = load_recipe("open", [f"data.root={tmp_path}"])
    assert (config.train_dir, config.inference_dir) == tuple(tmp_path / name for name in names)
    config = load_recipe("open", [f"data.root={tmp_path}", "inference_dir=other"])
    assert (config.train_dir, config.inference_dir) == (tmp_path / names[0], Path("other"))


def test_missing_folders_say_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"train_dir is missing: .*data\.root=DIR"):
        load_recipe("open")
    config = load_recipe("open", [f"data.root={tmp_path}"], output=tmp_path / "run")
    with pytest.raises(MissingFileError, match=r"Expected a folder of scenes at .*training"):
        run_benchmark(config, device=CPU)
    assert not (tmp_path / "run").exists()


def test_the_names_that_are_there_count(tmp_path: Path) -> None:
    for name in ("one-day", "ssts", "training"):  # the last is something else
        (tmp_path / name).mkdir()
    config = load_recipe("open", [f"data.root={tmp_path}"])
    assert (config.train_dir, config.inference_dir) == (tmp_path / "one-day", tmp_path / "ssts")


@pytest.mark.parametrize(
    ("text", "settings", "message"),
    [
        ("data: {root: [1]}", [], r"data\.root: .*path"),
        ("data: {root: 5}", [], r"data\.root: .*path"),
        ("data: {root: ~nobody_of_this_name/x}", [], "nobody_of_this_name"),
        ("data: {store: ~nobody_of_this_name/x, root: a}", [], "nobody_of_this_name"),
        ("data: [1]", ["seed=1"], r"data: .*"),
        ("data: [1]", ["label=truth"], "data is no section"),
        ("train: {seed: 2001-99-99}", [], "is not YAML: month"),
        ("{data: {root: a}}", ["seed=2001-99-99"], "the value is not YAML"),
        ("{data: {root: a}}", ["seed"], "expected key=value, epochs=3 say"),
        ("{data: {root: a}}", ["data.root.x=1"], "root is no section"),
        ("{1: 2, data: {root: a}}", [], r"1.*"),
    ],
)
def test_what_is_no_recipe_is_one_clear_error(
    text: str, settings: list[str], message: str, tmp_path: Path
) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        load_recipe(path, settings)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="is not YAML"):
        load_recipe(path)


def test_a_packed_store_is_trained_on(data: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    pack_scenes(find_scenes(data / "one-day"), store, read=open_scene, patch_size=32)
    settings = [f"data.store={store}", f"inference_dir={data / 'ssts'}", *SMALL]
    config = load_recipe("open", settings, output=tmp_path / "run")
    document = run_benchmark(config, device=CPU)
    assert document["data"]["training"] == str(store)
    assert document["data"]["training_scenes"] == 4
    assert not (tmp_path / "run" / "store").exists()
    # The store's own scenes are no test scenes, wherever the files are.
    config = load_recipe(
        "open", [*settings, f"inference_dir={data / 'one-day'}"], output=tmp_path / "b"
    )
    with pytest.raises(InputError, match="4 scenes are trained on and in inference_dir"):
        run_benchmark(config, device=CPU)
    config = load_recipe("open", [*settings, "file_order=listed"], output=tmp_path / "b")
    with pytest.raises(ConfigError, match="packed with file_order sorted, and listed is asked for"):
        run_benchmark(config, device=CPU)
    config = load_recipe("open", [*settings, f"data.store={data}"], output=tmp_path / "b")
    with pytest.raises(MissingFileError, match="is no packed store"):
        run_benchmark(config, device=CPU)
    assert not (tmp_path / "b").exists()


# -- the reference's file -----------------------------------------------------------------------

COMMON: dict[str, Any] = {
    "PATCH_SIZE": 128,
    "IMAGE_H": 1200,
    "IMAGE_W": 1500,
    "N_CHANNELS": 9,
    "MIN_SST": 273.15,
    "CROP_SIZE": 40,
}
HYPERPARAMETERS: dict[str, Any] = {
    "seed": 4321,
    "learning_rate": 0.002,
    "batch_size": 16,
    "train_split": 0.7,
    "clip_offset": 15,
    "no_cache": False,
    "nodes": 1,
    "gpu": 1,
}
# Keys of mlcommons/science, benchmarks/cloudmask/cloudMaskConfig.yaml.
FLAT: dict[str, Any] = {
    **COMMON,
    **HYPERPARAMETERS,
    "epochs": 30,
    "benchmark": "CloudMask",
    "organisation": "STFC",
    "division": "SciML",
    "status": "research",
    "platform": "a cluster",
    "accelerators_per_node": 16,
    "submission": {"benchmark": "CloudMask", "org": "STFC", "version": 1.0},
    "train_dir": "data/one-day",
    "inference_dir": "data/ssts",
    "model_file": "out/cloudModel.h5",
    "output_dir": "out",
    "log_file": "out/log",
    "mlperf_logfile": "out/mlperf",
}
# Keys of laszewsk/mlcommons, benchmarks/cloudmask/target/greene_v0.5/config-rivanna.in.yaml.
SECTIONS: dict[str, Any] = {
    "name": "cloudmask-rivanna",
    "sbatch": {"time": "10:00:00", "mode": "h"},
    "ee": {"mode": "h"},
    "run": {"venvpath": "/scratch/{os.NOBODY_SETS_THIS}/ENV3", "mode": "parallel"},
    "submission": {
        "benchmark": "CloudMask",
        "submitter": "somebody",
        "org": "STFC",
        "division": "SciML",
        "status": "research",
        "github_commit_version": "TBD",
        "platform": "a cluster",
    },
    "experiment": {
        **HYPERPARAMETERS,
        "directive": "a100",
        "mem": "64GB",
        "repeat": "1",
        "epoch": "30",
        "early_stoppage": "False",
        "early_stoppage_patience": "7",
    },
    "identifier": "{experiment.directive}_{experiment.epoch}",
    "system": {"host": "rivanna", "platform": "rivanna"},
    "mask": "float",
    "training": {"loss": "binary_crossentropy", "metrics": "accuracy"},
    "data": {
        "scratch": "{os.CLOUDMASK_TEST_HOME}",
        "training": "{data.scratch}/one-day",
        "inference": "{data.scratch}/ssts",
        "model": "out/cloudModel.h5",
        "output": "out",
    },
    "log": {"file": "out/log", "mlperf": "out/mlperf"},
    "image": COMMON,
}


# Keys of laszewsk/mlcommons, benchmarks/cloudmask/target/greene/config_simple.yaml.
MIXED: dict[str, Any] = {
    **{key: SECTIONS[key] for key in ("name", "run", "submission", "system", "mask")},
    "experiment": {**HYPERPARAMETERS, "epoch": 30, "card_name": "v100"},
    **{key: FLAT[key] for key in ("train_dir", "inference_dir", "output_dir", "model_file")},
    **{key: FLAT[key] for key in ("log_file", "mlperf_logfile")},
    **COMMON,
    "training_loss": "binary_crossentropy",
    "training_metrics": "accuracy",
}


def dotted(content: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Write sections as the universities' FlatDict does: one level, names joined by dots."""
    flat = {}
    for key, value in content.items():
        inner = dotted(value, f"{prefix}{key}.") if isinstance(value, dict) else None
        flat.update(inner or {f"{prefix}{key}": value})
    return flat


def write(folder: Path, content: dict[str, Any]) -> Path:
    path = folder / "cloudMaskConfig.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


@pytest.fixture(autouse=True)
def _home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLOUDMASK_TEST_HOME", "data")


@pytest.mark.parametrize(
    "content",
    [FLAT, MIXED, SECTIONS, dotted(SECTIONS)],
    ids=["flat", "mixed", "sections", "dotted"],
)
def test_every_form_of_the_references_file_is_the_same_run(
    content: dict[str, Any], tmp_path: Path
) -> None:
    config = load_config(write(tmp_path, content))
    expected = load_recipe("reference", ["data.root=x"])
    train, data = config.train, config.data
    assert (train.epochs, train.batch_size, train.learning_rate) == (30, 16, 0.002)
    assert (train.seed, train.train_split, train.patience) == (4321, 0.7, None)
    assert (data.patch_size, data.crop_size) == (128, 40)
    assert (config.train_dir, config.inference_dir) == (Path("data/one-day"), Path("data/ssts"))
    assert (config.model_dir, config.output_dir) == (Path("out/cloudModel"), Path("out"))
    assert (config.log_file, config.mlperf_logfile) == (Path("out/log"), Path("out/mlperf"))
    assert config.masks_dir == Path("out")
    assert config.submission.model_dump() == {
        "benchmark": "CloudMask",
        "org": "STFC",
        "division": "SciML",
        "status": "research",
        "platform": "a cluster",
    }
    # What the file does not say is as in the recipe.
    for name in ("split", "order", "drop_remainder", "keep", "precision", "widths"):
        assert getattr(train, name) == getattr(expected.train, name)
    assert (data.mask_empty, data.file_order) == (False, "listed")
    assert config.score_empty


@pytest.mark.parametrize(("said", "patience"), [("True", 7), (True, 7), ("False", None), (0, None)])
def test_early_stopping_of_the_variants(said: object, patience: int | None, tmp_path: Path) -> None:
    experiment = {**SECTIONS["experiment"], "early_stoppage": said}
    config = load_config(write(tmp_path, {**SECTIONS, "experiment": experiment}))
    assert (config.train.patience, config.train.keep) == (patience, "last")


def test_what_is_lost_is_said_key_by_key(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        load_config(write(tmp_path, FLAT))
    lost = re.findall(r"yaml: (\S+) has no effect: .", caplog.text)
    assert sorted(lost) == [
        *["IMAGE_H", "IMAGE_W", "accelerators_per_node", "gpu", "no_cache", "nodes"],
        "submission.version",
    ]
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        load_config(write(tmp_path, SECTIONS))
    lost = re.findall(r"yaml: (\S+) has no effect: .", caplog.text)
    # The sections of the queue in a line each; the rest key by key. `data.scratch` was filled in.
    assert sorted(lost) == [
        *["ee.*", "experiment.directive", "experiment.gpu", "experiment.mem"],
        *["experiment.no_cache", "experiment.nodes", "experiment.repeat", "identifier"],
        *["image.IMAGE_H", "image.IMAGE_W", "name", "run.*", "sbatch.*"],
        *["submission.github_commit_version", "submission.submitter", "system.*"],
        "system.platform",
    ]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"experiment.epoch": "1,2,10"}, "holds several values, 1,2,10"),
        ({"experiment.epok": 3}, r"experiment\.epok: unknown key"),
        ({"image.PATCH_SIZ": 3}, r"image\.PATCH_SIZ: unknown key"),
        ({"experiment.early_stoppage": "maybe"}, "early_stoppage"),
        ({"training.loss": "mse"}, r"training_loss: .*binary_crossentropy"),
        ({"mask": "int"}, r"mask: .*float"),
        ({"image.N_CHANNELS": 3}, r"N_CHANNELS: .*9"),
        (
            {"data.training": "{os.NOBODY_SETS_THIS}/x"},
            "there is no environment variable NOBODY_SETS_THIS",
        ),
        ({"data.training": "{data.nowhere}/x"}, r"there is no key data\.nowhere"),
        ({"data.scratch": "{data.scratch}/x"}, "filled in from itself"),
    ],
)
def test_a_wrong_reference_file_says_what_is_wrong(
    changes: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=message):
        load_config(write(tmp_path, {**dotted(SECTIONS), **changes}))


def test_a_key_that_is_said_twice_is_refused(tmp_path: Path) -> None:
    twice = {**SECTIONS, "experiment.seed": 5}
    with pytest.raises(ConfigError, match=r"experiment\.seed is said twice, as 4321 and as 5"):
        load_config(write(tmp_path, twice))


def test_another_output_folder_takes_the_masks_along(tmp_path: Path) -> None:
    config = load_config(write(tmp_path, FLAT), ["epochs=2"], output=tmp_path / "mine")
    assert (config.output_dir, config.masks_dir) == (tmp_path / "mine", tmp_path / "mine")
    assert config.train.epochs == 2
