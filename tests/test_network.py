"""The U-Net, its normalisation, tiling, inference and model file."""

import json
import logging
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from slstr_cloudmask.detectors import get_detector
from slstr_cloudmask.errors import BrokenFileError, InputError, MissingFileError, ModelError
from slstr_cloudmask.network.device import Precision, resolve_device, resolve_precision
from slstr_cloudmask.network.engine import Eager
from slstr_cloudmask.network.inference import predict_logits
from slstr_cloudmask.network.model_file import ModelConfig, load_model, save_model
from slstr_cloudmask.network.normaliser import Normaliser
from slstr_cloudmask.network.tiling import (
    TilingAxis,
    centre_patches,
    centre_starts,
    join_patches,
    overlapping_patches,
)
from slstr_cloudmask.network.unet import UNet, receptive_reach
from slstr_cloudmask.radiometry import convert_radiometry
from slstr_cloudmask.scene import build_scene
from tests.scenes import make_scene


def test_the_reference_network_has_the_published_number_of_parameters() -> None:
    assert sum(p.numel() for p in UNet().parameters()) == 1_948_609


def test_weights_start_he_normal_and_biases_at_zero() -> None:
    torch.manual_seed(0)
    second = UNet().bottom[2]
    assert isinstance(second, torch.nn.Conv2d)
    # fan_in = 256·3·3 = 2304, so the standard deviation is sqrt(2/2304) = 0.029463.
    assert second.weight.std().item() == pytest.approx(0.029463, rel=0.01)
    # Cut at two sigma of the uncut distribution: 2·0.029463/0.87963 = 0.066990.
    assert second.weight.abs().max().item() <= 0.066990 + 1e-6
    assert second.bias is not None
    assert torch.count_nonzero(second.bias) == 0


def test_the_receptive_reach_is_what_gradients_show() -> None:
    network = UNet(channels=1, widths=(4, 4, 4)).double()
    reach = 0
    for position in range(32, 36):  # every phase of the pooling cells
        x = torch.randn(1, 1, 68, 8, dtype=torch.float64, requires_grad=True)
        network(x)[0, 0, position, 4].backward()
        assert x.grad is not None
        touched = x.grad.abs().sum((0, 1, 3)).nonzero().flatten()
        reach = max(reach, position - int(touched.min()), int(touched.max()) - position)
    assert reach == receptive_reach((4, 4, 4))


def test_benchmark_normalisation() -> None:
    scene = build_scene({"S1": [[0.75, np.nan]], "S8": [[292.0, 248.0]]})
    x_HWC = Normaliser.benchmark(("S1", "S8", "S9")).apply(scene)
    # S1: 0.75−0.5 = 0.25, and NaN is 0 before: −0.5. S8: ±22/22. S9 is absent: −270/22.
    assert x_HWC[0, 0].tolist() == pytest.approx([0.25, 1.0, -270 / 22])
    assert x_HWC[0, 1].tolist() == pytest.approx([-0.5, -1.0, -270 / 22])


@pytest.mark.parametrize(
    "change",
    [{"channels": ("S1", "T9")}, {"offset": (1.0,)}, {"scale": (1.0, 0.0)}, {"surprise": 1}],
)
def test_an_impossible_normaliser_is_refused(change: dict[str, object]) -> None:
    good = {"channels": ("S1", "S8"), "offset": (0.5, 270.0), "scale": (1.0, 22.0)}
    with pytest.raises(ValueError, match=r"T9|equally long|divided|surprise"):
        Normaliser.model_validate({**good, **change})


def test_tiling_of_a_benchmark_scene() -> None:
    rows, columns = TilingAxis(1200, 256, 80), TilingAxis(1500, 256, 80)
    assert (rows.count, rows.padding, rows.offset) == (7, (56, 56), 16)
    assert (columns.count, columns.padding, columns.offset) == (9, (82, 82), 42)
    assert centre_starts(1200, 256) == [88, 344, 600, 856]
    assert centre_starts(1500, 256) == [110, 366, 622, 878, 1134]


@given(
    height=st.integers(1, 70),
    width=st.integers(1, 70),
    patch=st.integers(2, 24),
    half_crop=st.integers(0, 8),
)
def test_patches_join_to_the_scene_they_were_cut_from(
    height: int, width: int, patch: int, half_crop: int
) -> None:
    crop = min(2 * half_crop, 2 * ((patch - 1) // 2))
    x_HWC = np.arange(height * width, dtype=np.float32).reshape(height, width, 1)
    patches = overlapping_patches(x_HWC, patch, crop)
    joined = join_patches(patches[..., 0], (height, width), patch, crop)
    np.testing.assert_array_equal(joined, x_HWC[..., 0])


def test_training_patches_are_the_centre() -> None:
    patches = centre_patches(np.arange(7 * 5).reshape(7, 5), 2)
    assert patches.shape == (6, 2, 2)
    # 7 % 2 // 2 = 0 rows are dropped at the top, 5 % 2 // 2 = 0 columns at the left.
    assert patches[0].tolist() == [[0, 1], [5, 6]]
    with pytest.raises(InputError, match="holds no patch of 8"):
        centre_patches(np.zeros((7, 9)), 8)


@pytest.mark.parametrize("crop", [16, 3, -2])
def test_a_crop_that_does_not_fit_is_refused(crop: int) -> None:
    with pytest.raises(InputError, match="does not fit patch size 16"):
        TilingAxis(40, 16, crop)


def _random_network(widths: tuple[int, ...] = (4, 8, 8)) -> UNet:
    torch.manual_seed(3)
    network = UNet(channels=9, widths=widths).eval()
    for parameter in network.parameters():
        if parameter.ndim == 1:
            torch.nn.init.normal_(parameter)  # zero biases would hide what padding does
    return network


def eager(network: UNet, precision: Precision = "fp32") -> Eager:
    return Eager(network, torch.device("cpu"), precision)


def test_scene_and_patches_agree_where_neither_sees_a_border() -> None:
    patch, crop, height, width = 64, 24, 110, 131
    network, reach = _random_network(), receptive_reach((4, 8, 8))
    assert crop // 2 < reach < patch // 2
    rng = np.random.default_rng(0)
    x_HWC = rng.normal(size=(height, width, 9)).astype(np.float32)
    options = {"patch_size": patch, "crop_size": crop}
    whole = predict_logits(eager(network), x_HWC, mode="scene", **options)
    tiled = predict_logits(eager(network), x_HWC, mode="patches", **options)
    rows = _far_from_borders(TilingAxis(height, patch, crop), reach)
    columns = _far_from_borders(TilingAxis(width, patch, crop), reach)
    same = np.ix_(rows, columns)
    assert whole[same].size > 500
    np.testing.assert_allclose(whole[same], tiled[same], rtol=1e-4, atol=1e-4)
    assert np.abs(whole - tiled).max() > 1e-3  # and elsewhere they do not


def _far_from_borders(axis: TilingAxis, reach: int) -> list[int]:
    """Pixels that lie farther than ``reach`` from the border of scene and of their patch."""
    result = []
    for pixel in range(reach, axis.length - reach):
        within = (pixel + axis.offset) % axis.stride + axis.crop // 2
        if reach <= within < axis.patch - reach:
            result.append(pixel)
    return result


@pytest.mark.parametrize("shape", [(1, 1), (5, 130), (64, 64)])
def test_any_shape_is_predicted(shape: tuple[int, int]) -> None:
    x_HWC = np.zeros((*shape, 9), np.float32)
    for mode in ("scene", "patches"):
        logits = predict_logits(
            eager(_random_network()),
            x_HWC,
            mode=mode,
            patch_size=32,
            crop_size=8,
        )
        assert logits.shape == shape
        assert logits.dtype == np.float32


def test_bf16_stays_near_fp32() -> None:
    network = _random_network()
    x_HWC = np.random.default_rng(1).normal(size=(64, 64, 9)).astype(np.float32)
    exact = predict_logits(eager(network), x_HWC)
    rough = predict_logits(eager(network, "bf16"), x_HWC)
    # bf16 keeps 8 bits: about 2**-8 relative an operation.
    assert np.abs(rough - exact).max() < 0.05 * np.abs(exact).max()
    assert np.abs(rough - exact).max() > 0


def test_devices_and_precisions() -> None:
    assert resolve_device("cpu").type == "cpu"
    assert resolve_precision("fp32", torch.device("cpu")) == "fp32"
    with pytest.raises(InputError, match="Unknown device 'tpu'"):
        resolve_device("tpu")
    with pytest.raises(InputError, match="not understood"):
        resolve_device("cpu:x")
    with pytest.raises(InputError, match="Unknown precision 'int3'"):
        resolve_precision("int3", torch.device("cpu"))


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_a_device_that_is_not_there_is_refused() -> None:
    with pytest.raises(InputError, match="this machine has none"):
        resolve_device("cuda")


def test_a_gpu_that_cannot_be_used_is_told_with_pytorchs_reason(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    reason = (
        "CUDA initialization: The NVIDIA driver on your system is too old (found version 11040)"
    )

    def too_old() -> bool:
        warnings.warn(reason, stacklevel=2)
        return False

    monkeypatch.setattr(torch.cuda, "is_available", too_old)
    with pytest.raises(InputError, match=r"for and it cannot be used: CUDA .* Use"):
        resolve_device("cuda")
    assert not caplog.messages
    assert resolve_device("auto").type != "cuda"
    assert caplog.messages == [f"The GPU is not used: {reason}"]


CONFIG = ModelConfig(widths=(4, 8), label="truth", thresholds={"balanced": 0.5, "strict": 0.9})


def test_a_model_comes_back_as_it_was_written(tmp_path: Path) -> None:
    network = CONFIG.build().eval()
    save_model(network, CONFIG, tmp_path / "model")
    model = load_model(tmp_path / "model")
    assert model.config == CONFIG
    x = torch.randn(1, 9, 8, 8)
    torch.testing.assert_close(model.network(x), network(x), rtol=0, atol=0)
    assert len(model.checksum) == 64


def test_a_broken_model_says_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="is no model"):
        load_model(tmp_path / "nothing")
    folder = tmp_path / "model"
    save_model(CONFIG.build(), CONFIG, folder)
    weights = folder / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BrokenFileError, match="cannot be read"):
        load_model(folder)
    weights.write_bytes(whole)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "widths": [4, 16]}))
    with pytest.raises(ModelError, match="do not fit"):
        load_model(folder)
    for change in (
        {"surprise": 1},
        {"widths": [4]},
        {"thresholds": {"balanced": 7}},
        {"radiometry": "raw"},
        {"normaliser": {**config["normaliser"], "scale": [float("nan")] * 9}},
    ):
        (folder / "config.json").write_text(json.dumps({**config, **change}))
        with pytest.raises(BrokenFileError, match=next(iter(change))):
            load_model(folder)
    (folder / "config.json").write_bytes(b"\xff\xfe")
    with pytest.raises(BrokenFileError, match="cannot be read"):
        load_model(folder)


def test_the_network_detector(tmp_path: Path) -> None:
    save_model(CONFIG.build(), CONFIG, tmp_path / "model")
    scene = make_scene(1)
    mask = get_detector(model=tmp_path / "model", device="cpu", precision="fp32").predict(scene)
    assert mask.attrs["label"] == "truth"
    assert mask.attrs["threshold"] == 0.5
    assert set(np.unique(mask["cloud_mask"].values[:, :3])) == {255}
    assert set(np.unique(mask["cloud_mask"].values[:, 3:])) <= {0, 1}
    strict = get_detector(model=tmp_path / "model", threshold="strict", device="cpu")
    assert strict.predict(scene).attrs["threshold"] == 0.9
    with pytest.raises(ModelError, match="no threshold 'loose'"):
        get_detector(model=tmp_path / "model", threshold="loose", device="cpu")
    with pytest.raises(ModelError, match="lacks S9"):
        strict.predict(scene.drop_vars("S9"))
    with pytest.raises(InputError, match=r"Threshold 1\.5 is no probability"):
        get_detector(threshold=1.5)
    with pytest.raises(InputError, match="takes no model"):
        get_detector("thresholds", model=tmp_path / "model")
    with pytest.raises(InputError, match="Unknown detector 'magic'"):
        get_detector("magic")


def test_a_sunlit_scene_without_reflectances_is_warned_about(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    save_model(CONFIG.build(), CONFIG, tmp_path / "model")
    scene = make_scene(1).drop_vars(["S1", "S2"])
    scene = scene.assign_coords(solar_zenith_angle=(("rows", "columns"), np.full((64, 80), 40.0)))
    mask = get_detector(model=tmp_path / "model", device="cpu").predict(scene)
    assert "lacks S1, S2" in caplog.text
    assert mask.attrs["bands_missing"] == "S1 S2"


def test_a_model_that_does_not_say_its_radiometry_is_of_the_benchmarks(tmp_path: Path) -> None:
    save_model(CONFIG.build(), CONFIG, tmp_path / "model")
    path = tmp_path / "model" / "config.json"
    config = json.loads(path.read_text())
    assert config.pop("radiometry") == "as_distributed"
    path.write_text(json.dumps(config))
    assert load_model(tmp_path / "model").config.radiometry == "as_distributed"


def test_a_scene_is_converted_to_the_radiometry_of_the_model(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    save_model(CONFIG.build(), CONFIG, tmp_path / "model")
    detector = get_detector(model=tmp_path / "model", device="cpu", precision="fp32")
    scene = make_scene(1).assign_attrs(view="oblique", radiometry="as_distributed")
    adjusted = convert_radiometry(scene, "adjusted")
    plain = detector.predict(scene)
    assert "adiometry" not in caplog.text
    mask = detector.predict(adjusted)
    assert caplog.messages == [
        "Reflectances of scene 1 are adjusted; converted to as_distributed, "
        "which the model was trained on."
    ]
    np.testing.assert_allclose(mask["cloud_probability"], plain["cloud_probability"], atol=1e-6)
    assert mask.attrs["radiometry"] == "adjusted"
    assert mask.attrs["model_radiometry"] == "as_distributed"
    # Taken for what they are not, the same reflectances give another answer.
    wrong = detector.predict(adjusted.assign_attrs(radiometry="as_distributed"))
    assert np.abs(wrong - plain)["cloud_probability"].max() > 1e-4


def test_a_model_of_adjusted_reflectances_adjusts(tmp_path: Path) -> None:
    config = CONFIG.model_copy(update={"radiometry": "adjusted"})
    torch.manual_seed(5)
    network = CONFIG.build()
    save_model(network, config, tmp_path / "adjusted")
    save_model(network, CONFIG, tmp_path / "plain")
    scene = make_scene(1).assign_attrs(view="nadir", radiometry="as_distributed")
    by_hand = scene.assign(S1=scene["S1"] * 0.97, S2=scene["S2"] * 0.98, S3=scene["S3"] * 0.98)
    by_hand = by_hand.assign(S5=scene["S5"] * 1.11, S6=scene["S6"] * 1.13)
    mask, expected = (
        get_detector(model=tmp_path / name, device="cpu", precision="fp32").predict(given)
        for name, given in (("adjusted", scene), ("plain", by_hand))
    )
    np.testing.assert_allclose(mask["cloud_probability"], expected["cloud_probability"], atol=1e-6)
    assert mask.attrs["model_radiometry"] == "adjusted"


def test_a_scene_of_unknown_radiometry_is_used_as_it_is_with_one_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    save_model(CONFIG.build(), CONFIG, tmp_path / "model")
    detector = get_detector(model=tmp_path / "model", device="cpu", precision="fp32")
    scene = make_scene(1)
    mask = detector.predict(scene)
    (message,) = caplog.messages
    assert "Nothing says in which radiometry the reflectances of scene 1 are" in message
    assert "Set scene.attrs['radiometry'] to one of as_distributed, adjusted." in message
    assert "radiometry" not in mask.attrs
    said = detector.predict(scene.assign_attrs(radiometry="as_distributed"))
    np.testing.assert_array_equal(mask["cloud_probability"], said["cloud_probability"])
    caplog.clear()
    detector.predict(scene.drop_vars(["S1", "S2", "S3", "S4", "S5", "S6"]))
    assert caplog.messages == []  # brightness temperatures are the same in both


@pytest.mark.parametrize("change", [{"view": "sideways"}, {"radiometry": "raw"}, {}])
def test_a_scene_that_cannot_be_converted_is_refused(
    tmp_path: Path, change: dict[str, str]
) -> None:
    save_model(CONFIG.build(), CONFIG, tmp_path / "model")
    scene = make_scene(1).assign_attrs({"radiometry": "adjusted"} | change)
    with pytest.raises(ModelError, match=r"expected .* The model was trained on as_distributed"):
        get_detector(model=tmp_path / "model", device="cpu").predict(scene)


def test_a_model_without_reflectances_asks_for_no_radiometry(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    names = ("S7", "S8", "S9")
    config = CONFIG.model_copy(update={"normaliser": Normaliser.benchmark(names)})
    save_model(config.build(), config, tmp_path / "model")
    get_detector(model=tmp_path / "model", device="cpu").predict(make_scene(1))
    assert caplog.messages == []
