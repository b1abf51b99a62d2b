"""The models that ship: they are what they say, and mask whatever bands are there."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import slstr_cloudmask as cm
from slstr_cloudmask.channels import NAMES, THERMAL_NAMES
from slstr_cloudmask.detectors import NETWORKS, get_detector
from slstr_cloudmask.errors import BrokenFileError, MissingFileError
from slstr_cloudmask.evaluation.counts import Counts
from slstr_cloudmask.network import shipped
from slstr_cloudmask.network.model_file import WEIGHTS_NAME, load_model
from slstr_cloudmask.scene import label
from slstr_cloudmask.simulate.scene import simulate_scene

MAX_BYTES = 8_000_000  # of a model in the wheel


@pytest.fixture(scope="module")
def by_day() -> xr.Dataset:
    return simulate_scene(3, (160, 192), daytime=True)  # 54 % cloud


@pytest.mark.parametrize("name", shipped.model_names())
def test_every_model_is_small_checked_and_described(name: str) -> None:
    folder = shipped.find_model(name)
    assert sum(path.stat().st_size for path in folder.iterdir()) < MAX_BYTES
    card = (folder / shipped.CARD_NAME).read_text()
    config = load_model(folder).config
    for word in ("simulated", "Kuipers", config.label, "Limits", "recipes/"):
        assert word in card


@pytest.mark.parametrize("name", ["default", "selftaught"])
def test_models_for_masks_have_presets_and_a_companion(name: str) -> None:
    config = load_model(shipped.find_model(name)).config
    assert {"balanced", "sst", "lst"} <= set(config.thresholds)
    assert set(config.companion_weights) == {"day", "twilight", "night"}


def test_the_reference_is_the_benchmarks() -> None:
    model = load_model(shipped.find_model("reference"))
    config = model.config
    assert sum(weight.numel() for weight in model.network.parameters()) == 1_948_609
    assert config.normaliser.inputs == NAMES
    assert (config.label, config.thresholds, config.companion) == ("bayes", {"balanced": 0.5}, None)
    assert (config.patch_size, config.crop_size) == (256, 80)


def test_every_network_has_its_model() -> None:
    assert {"default", *NETWORKS} - {"network"} <= set(shipped.model_names())


@pytest.mark.parametrize("name", NETWORKS)
def test_shipped_networks_find_cloud_by_day(name: str, by_day: xr.Dataset) -> None:
    mask = cm.predict(by_day, detector=name, device="cpu")
    cloud, known = label(by_day, "truth")
    counts = Counts.of(mask["cloud_mask"].values == 1, cloud, known)
    assert mask.attrs["detector"] == name
    assert counts.kuipers > 0.6


def test_the_default_does_with_what_is_there(by_day: xr.Dataset) -> None:
    thermal = by_day[list(THERMAL_NAMES)].isel(rows=slice(3, 90), columns=slice(0, 71))
    mask = cm.predict(thermal, device="cpu")
    known = np.isfinite(thermal["S8"].values)
    assert np.isfinite(mask["cloud_probability"].values[known]).all()
    assert mask.attrs["bands_missing"] == "S1 S2 S3 S4 S5 S6"
    alone = cm.predict(thermal[["S8"]], device="cpu")
    assert np.isfinite(alone["cloud_probability"].values[known]).all()


@pytest.mark.parametrize("name", shipped.model_names())
def test_nothing_is_said_without_s8(name: str, by_day: xr.Dataset) -> None:
    hole = np.zeros(by_day["S8"].shape, bool)
    hole[60:100, 60:120] = True
    seen = np.isfinite(by_day["S8"].values) & ~hole
    scene = by_day.assign(S8=by_day["S8"].where(~hole))
    mask = cm.predict(scene, model=name, device="cpu")
    np.testing.assert_array_equal(mask["cloud_mask"].values != 255, seen)


def test_thresholds_are_in_their_order() -> None:
    found = load_model(shipped.find_model("default")).config.thresholds
    assert found["sst"] <= found["lst"]


def test_a_model_that_was_changed_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(shipped.MODELS, tmp_path / "models")
    monkeypatch.setattr(shipped, "MODELS", tmp_path / "models")
    path = tmp_path / "models" / "default" / WEIGHTS_NAME
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(BrokenFileError, match="install the package again"):
        get_detector(device="cpu")


def test_a_model_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="expected default"):
        get_detector(model=tmp_path / "nowhere")
