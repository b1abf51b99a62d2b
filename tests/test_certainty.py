"""Calibration, thresholds and ranges: what is fitted after training, and what a mask says."""

from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr
from scipy import special

from slstr_cloudmask.detectors.network import Network
from slstr_cloudmask.errors import BrokenFileError, InputError, ModelError
from slstr_cloudmask.network.certainty import (
    Places,
    calibrated,
    companion_logits,
    outside_ranges,
    regime_places,
    weighed,
)
from slstr_cloudmask.network.model_file import (
    Model,
    ModelConfig,
    load_model,
    save_config,
    save_model,
)
from slstr_cloudmask.network.normaliser import Normaliser
from slstr_cloudmask.scene import build_scene
from slstr_cloudmask.training.calibration import calibrate, fit_thresholds, fit_weights
from tests.scenes import make_scene, read_made_scene, touch_scenes


def three_lights() -> Places:
    scene = build_scene(
        {"S8": [[280.0, 280.0, 280.0]], "S1": [[0.5, np.nan, np.nan]]},
        coordinates={"solar_zenith_angle": [[30.0, 85.0, 120.0]]},
    )
    return regime_places(scene)


def test_logits_are_stretched_by_light() -> None:
    logits = np.array([[1.0, 1.0, 1.0]], np.float32)
    found = calibrated(logits, three_lights(), {"day": (2.0, 0.5), "night": (0.5, -1.0)})
    assert found.tolist() == [[2.5, 1.0, -0.5]]
    assert logits.tolist() == [[1.0, 1.0, 1.0]]


def test_a_companion_is_weighed_where_it_answers() -> None:
    own = np.array([[1.0, 1.0, 1.0]], np.float32)
    other = companion_logits(np.array([[0.5, np.nan, 1.0]]))
    assert other[0, 0] == 0
    assert other[0, 2] == pytest.approx(7.0, abs=1e-4)  # it may not be surer
    weights = {"day": (2.0, 3.0, 0.5), "twilight": (1.0, 1.0, 1.0), "night": (1.0, 0.5, 0.0)}
    found = weighed(own, other, three_lights(), weights, {"twilight": (4.0, 0.0)})
    # 2 + 3 * 0 + .5; no answer by twilight: 4; 1 + .5 * 7.
    assert found[0].tolist() == pytest.approx([2.5, 4.0, 4.5], abs=1e-4)


def test_two_kinds_of_evidence_are_weighed_as_they_deserve() -> None:
    rng = np.random.default_rng(0)
    truth = rng.random(100_000) < 0.5
    # Two independent normal measurements about +-1: their log odds are 2 x / sigma^2 each.
    good, poor = (np.where(truth, 1, -1) + rng.normal(0, s, truth.size) for s in (1.0, 2.0))
    found = fit_weights(np.stack([good, poor, np.ones_like(good)], 1), truth)
    assert found == pytest.approx((2.0, 0.5, 0.0), abs=0.06)


def test_what_is_unlike_training_is_told() -> None:
    x_HWC = np.array([[[0.0, 5.0], [0.0, 0.0], [2.0, 0.0]]], np.float32)
    ranges = {"day": {"S1": (-1.0, 1.0), "S8": (-1.0, 1.0)}, "night": {"S8": (-1.0, 1.0)}}
    outside = outside_ranges(x_HWC, three_lights(), ("S1", "S8"), ranges)
    # S8 above by day; no twilight in training; by night S1 is not looked at.
    assert outside.tolist() == [[True, True, False]]


def test_the_fit_finds_what_made_the_labels() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 3, 200_000).astype(np.float32)
    cloud = rng.random(logits.size) < special.expit(0.4 * logits + 1.0)
    scale, offset = fit_weights(np.stack([logits, np.ones_like(logits)], 1), cloud)
    assert scale == pytest.approx(0.4, abs=0.02)
    assert offset == pytest.approx(1.0, abs=0.02)


def test_thresholds_by_hand() -> None:
    # Clear at .1 (98 pixels) and .6 (2), cloud at .3 (2) and .9 (98).
    probability = np.repeat(np.array([0.1, 0.6, 0.3, 0.9], np.float32), [98, 2, 2, 98])
    cloud = np.repeat([False, False, True, True], [98, 2, 2, 98])
    found = fit_thresholds(probability, cloud)
    # From .101 to .3 the skill is .98 - 0; above .6 it is 1 - .02, too: the first counts.
    assert 0.1 < found["balanced"] <= 0.3
    # Up to .9 two clouds are among 102 called clear: 1.96 %; one more level and all are.
    assert found["sst"] == pytest.approx(0.9, abs=0.002)
    # 100 of 200 at 1: never; 2 of 100 below .6: 2 %; so .9 again.
    assert found["lst"] == found["sst"]


def model(seed: int = 0) -> Model:
    torch.manual_seed(seed)
    config = ModelConfig(
        widths=(4, 8), normaliser=Normaliser.benchmark(reads="full"), patch_size=32, crop_size=8
    )
    return Model(config.build(), config, "0")


def read_by_day(path: Path) -> xr.Dataset:
    zenith_deg = np.full((64, 80), 30.0, np.float32)
    scene = read_made_scene(path).assign_coords(
        solar_zenith_angle=(("rows", "columns"), zenith_deg)
    )
    return scene.assign_attrs(radiometry="as_distributed")


def test_a_calibrated_model_means_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("slstr_cloudmask.training.calibration.FEWEST", 100)
    made = model()
    save_model(made.network, made.config, tmp_path / "model")
    paths = touch_scenes(tmp_path / "in", 12)
    fitted = calibrate(Network(tmp_path / "model", device="cpu"), paths, read=read_by_day)
    save_config(fitted.config, tmp_path / "model")
    assert list(fitted.config.calibration) == ["day"]
    network = Network(load_model(tmp_path / "model"), device="cpu")
    scenes = [read_by_day(path) for path in paths]
    masks = [network.predict(scene) for scene in scenes]
    truth = np.concatenate([scene["truth"].values.ravel() for scene in scenes])
    said = np.concatenate([mask["cloud_probability"].values.ravel() for mask in masks])
    known = truth <= 1
    # Whatever an untrained network says, the mean of its probabilities is the share of cloud.
    assert said[known].mean() == pytest.approx(truth[known].mean(), abs=0.02)
    outside = np.concatenate([mask["outside_training"].values.ravel() for mask in masks])
    assert (outside[~known] == 255).all()
    assert (outside[known] == 1).mean() < 0.01


def test_a_scene_unlike_training_is_said_to_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("slstr_cloudmask.training.calibration.FEWEST", 100)
    paths = touch_scenes(tmp_path / "in", 4)
    made = model()
    fitted = calibrate(Network(made, device="cpu"), paths, read=read_by_day)
    network = Network(Model(made.network, fitted.config, "0"), device="cpu")
    hot = read_by_day(paths[0])
    hot["S8"] = hot["S8"] + 60
    assert (network.predict(hot)["outside_training"].values[:, 3:] == 1).mean() > 0.9
    night = hot.assign_coords(solar_zenith_angle=hot["solar_zenith_angle"] + 90)
    assert (network.predict(night)["outside_training"].values[:, 3:] == 1).all()


def test_what_is_unlike_is_told_by_the_scenes_that_were_learnt_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("slstr_cloudmask.training.calibration.FEWEST", 100)
    held_out, learnt = touch_scenes(tmp_path / "in", 2), touch_scenes(tmp_path / "learnt", 2)

    def read(path: Path) -> xr.Dataset:
        scene = read_by_day(path)
        return scene.assign(S8=scene["S8"] + 60) if path in learnt else scene

    made = model()
    fitted = calibrate(Network(made, device="cpu"), held_out, read=read, trained_on=learnt)
    network = Network(Model(made.network, fitted.config, "0"), device="cpu")
    unlike = [network.predict(read(paths[0]))["outside_training"] for paths in (learnt, held_out)]
    assert (unlike[0].values == 1).mean() < 0.01
    assert (unlike[1].values == 1).mean() > 0.5


def test_a_scene_that_was_learnt_from_and_cannot_be_read_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("slstr_cloudmask.training.calibration.FEWEST", 100)
    held_out, learnt = touch_scenes(tmp_path / "in", 2), touch_scenes(tmp_path / "learnt", 2)

    def read(path: Path) -> xr.Dataset:
        if path in broken:
            raise BrokenFileError(f"{path} is cut short.")
        return read_by_day(path)

    network, broken = Network(model(), device="cpu"), learnt[:1]
    fitted = calibrate(network, held_out, read=read, trained_on=learnt)
    assert fitted.failed == {learnt[0]: f"{learnt[0]} is cut short."}
    assert fitted.scenes == 2
    assert set(fitted.config.ranges) == {"day"}
    broken = learnt
    with pytest.raises(InputError, match="None of the 2 scenes that were trained on"):
        calibrate(network, held_out, read=read, trained_on=learnt)


def test_a_companion_is_fitted_and_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("slstr_cloudmask.training.calibration.FEWEST", 100)
    paths, made = touch_scenes(tmp_path / "in", 4), model()
    network = Network(made, device="cpu")
    fitted = calibrate(network, paths, read=read_by_day, companion="thresholds")
    own, other, _ = fitted.config.companion_weights["day"]
    assert other > own > 0  # the classical tests see this scene's cloud, the network knows nothing
    both = Network(Model(made.network, fitted.config, "0"), device="cpu")
    scene = read_by_day(paths[0])
    mask = both.predict(scene)
    truth, said = scene["truth"].values, mask["cloud_probability"].values
    assert said[truth == 1].mean() > said[truth == 0].mean() + 0.1
    assert mask.attrs["companion"] == "thresholds"
    with pytest.raises(InputError, match="Unknown companion 'oracle': expected a detector without"):
        calibrate(network, paths, read=read_by_day, companion="oracle")
    unknown = fitted.config.model_copy(update={"companion": "oracle"})
    with pytest.raises(ModelError, match="does not have"):
        Network(Model(made.network, unknown, "0"), device="cpu").predict(scene)


def test_scenes_without_both_kinds_cannot_calibrate(tmp_path: Path) -> None:
    paths = touch_scenes(tmp_path / "in", 1)
    with pytest.raises(InputError, match="Nothing to calibrate on"):
        calibrate(Network(model(), device="cpu"), paths, read=read_by_day)
    with pytest.raises(InputError, match="Nothing to calibrate on"):
        calibrate(Network(model(), device="cpu"), paths, read=read_by_day, label_name="confidence")


def test_full_models_do_without_bands_but_s8() -> None:
    scene = make_scene(0).assign_attrs(radiometry="as_distributed")
    network = Network(model(), device="cpu")
    alone = network.predict(scene[["S8"]])
    assert np.isfinite(alone["cloud_probability"].values[:, 3:]).all()
    assert alone.attrs["bands_used"] == "S8"
    with pytest.raises(ModelError, match="lacks S8"):
        network.predict(scene[["S9", "S7"]])
