"""The scripts in ``recipes/``: tables and scores of the study."""

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from slstr_cloudmask.detectors.network import Network
from slstr_cloudmask.network.model_file import ModelConfig, load_model, save_model
from slstr_cloudmask.network.normaliser import Normaliser
from slstr_cloudmask.network.unet import UNet
from slstr_cloudmask.simulate.dataset import simulate_dataset
from slstr_cloudmask.simulate.plan import DatasetConfig
from slstr_cloudmask.training.labels import Teaching
from slstr_cloudmask.training.pack import pack_scenes
from tests.scenes import make_scene, read_made_scene, touch_scenes

RECIPES = Path(__file__).parents[1] / "recipes"


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, RECIPES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class ColdIsCloud(torch.nn.Module):
    """Sure of cloud where S8 is below 275 K, as no U-Net is at once."""

    def forward(self, x_NCHW: torch.Tensor) -> torch.Tensor:
        return -20 * (x_NCHW[:, 7:8] * 22 - 5)


def test_a_network_is_scored_on_packed_patches(tmp_path: Path) -> None:
    store = pack_scenes(
        touch_scenes(tmp_path / "in", 3), tmp_path / "s", read=read_made_scene, patch_size=32,
        teaching=Teaching("truth"), reads="full",
    )  # fmt: skip
    found = script("label_noise").scores(ColdIsCloud(), store)
    # Cloud is about 260 K and clear about 290 K in these scenes.
    assert found == {"kuipers": 1.0, "accuracy": 1.0, "best_kuipers": 1.0}


def test_the_table_of_losses() -> None:
    module = script("label_noise")
    name = module.METHODS[0][0]
    rows = [
        {"method": name, "seed": seed, "kuipers": k, "accuracy": 0.9, "best_kuipers": 0.8}
        for seed, k in ((1, 0.5), (2, 0.7))
    ]
    # The deviation of .5 and .7 is .1414.
    line = f"| {name} | 2 | 0.600 ± 0.141 | 0.900 ± 0.000 | 0.800 ± 0.000 |"
    assert module.table(rows).splitlines()[2:] == [line]


def test_the_tables_of_the_study(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    row = {
        "label": "truth", "by": "all", "stratum": "all", "mask": "ours", "pixels": 10,
        "kuipers": 0.5, "accuracy": 0.75, "recall": 0.9, "false_detection_rate": 0.4,
        "clear_retention_5": None, "calibration_error": 0.01,
        "intervals": {"kuipers": [0.4, 0.6], "accuracy": None},
    }  # fmt: skip
    path = tmp_path / "evaluation.json"
    path.write_text(json.dumps({"scores": [row, {**row, "label": "bayes", "kuipers": 0.1}]}))
    monkeypatch.setattr(sys, "argv", ["study_tables.py", str(path)])
    script("study_tables").main()
    said = capsys.readouterr().out
    assert "| ours | **0.500** (0.400–0.600) | **0.750** | 0.900 | 0.400 | – | **0.010** |" in said
    assert "| all | 100.0% | 0.500 |" in said
    assert "0.100" not in said  # agreement is not in a table of accuracy


def test_both_alike_looks_at_no_label(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    simulate_dataset(tmp_path / "d", DatasetConfig(scenes=2, test_scenes=0, size=(48, 64), seed=3))
    config = ModelConfig(widths=(4, 8), normaliser=Normaliser.benchmark(reads="full"))
    save_model(UNet(20, (4, 8)), config, tmp_path / "model")
    arguments = ["weigh_alike.py", str(tmp_path / "model"), "thresholds", str(tmp_path / "d")]
    monkeypatch.setattr(sys, "argv", arguments)
    script("weigh_alike").main()
    found = load_model(tmp_path / "model").config
    assert found.companion == "thresholds"
    assert found.companion_weights["day"] == (0.5, 0.5, 0.0)
    assert found.ranges
    low, high = next(iter(found.ranges.values()))["S8"]
    assert low < high
    assert np.isfinite([low, high]).all()
    assert Network(tmp_path / "model", device="cpu").threshold == 0.5
    arguments[2] = "none"
    script("weigh_alike").main()
    found = load_model(tmp_path / "model").config
    assert (found.companion, found.companion_weights) == (None, {})


def test_who_is_right_is_told_and_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    make = script("right_and_wrong")
    scene = make_scene(shape=(2, 4))
    scene["S8"].values[:] = 280
    scene["truth"].values[:] = [[0, 0, 0, 0], [1, 1, 1, 255]]
    scene["bayes"].values[:] = [[0, 0, 2, 2], [0, 0, 4, 4]]  # any bit is cloud
    mask = np.array([[0, 1, 0, 1], [0, 1, 255, 1]], np.uint8)
    found = make.who_is_right(scene, mask)
    wanted = [[make.BOTH, make.PROVIDER, make.DETECTOR, make.NEITHER]]
    np.testing.assert_array_equal(found, [*wanted, [make.NEITHER, make.DETECTOR, 255, 255]])

    plan = DatasetConfig(scenes=1, test_scenes=0, size=(48, 64), seed=3, format="xarray")
    simulate_dataset(tmp_path / "d", plan)
    path = next((tmp_path / "d").rglob("S3*.nc"))
    arguments = ["x", str(path), "-o", str(tmp_path / "x.png"), "--detector", "thresholds"]
    monkeypatch.setattr(sys, "argv", arguments)
    make.main()
    assert (tmp_path / "x.png").read_bytes().startswith(b"\x89PNG")
    assert "only thresholds right" in capsys.readouterr().out


def test_half_a_kilometre_has_thermal_bands_of_one() -> None:
    scene = make_scene(shape=(3, 4))
    nan = np.nan
    scene["S8"].values[:] = [[280, 282, 290, nan], [284, 286, nan, nan], [270, 272, nan, nan]]
    fine = script("half_kilometre").halved(scene)
    means = [[283, 283, 290, 290], [283, 283, 290, 290], [271, 271, nan, nan]]
    np.testing.assert_array_equal(fine["S8"], means)
    np.testing.assert_array_equal(fine["S3"], scene["S3"])
    assert fine.attrs["grid"] == "500m"
    assert scene["S8"].values[0, 0] == 280


def test_seeds_are_told_together() -> None:
    row = {"by": "all", "stratum": "all", "accuracy": 0.9, "calibration_error": None}
    rows = [
        {**row, "mask": mask, "kuipers": kuipers}
        for mask, kuipers in (("ours-1", 0.5), ("ours-2", 0.8), ("clusters", 0.1))
    ]
    table = script("study_tables").over_seeds(rows, ["ours-1", "ours-2", "clusters"])
    last = table.splitlines()[2:]
    assert len(last) == 1
    said = "| ours | 2 | 0.650 (0.500 to 0.800) | 0.900 (0.900 to 0.900) | – |"
    assert last[0].startswith(said)
    assert script("study_tables").over_seeds(rows, ["clusters"]) == ""
