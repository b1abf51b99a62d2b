"""What a network is taught: bytes of labels, masks as labels, and training on them."""

from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr

from slstr_cloudmask.errors import ConfigError, InputError, MissingFileError
from slstr_cloudmask.flags import UNKNOWN, flag_variable
from slstr_cloudmask.io.mask_file import write_mask
from slstr_cloudmask.mask import build_mask
from slstr_cloudmask.scene import build_scene
from slstr_cloudmask.training.config import TrainConfig
from slstr_cloudmask.training.labels import Coding, Teaching, find_mask
from slstr_cloudmask.training.loop import train
from slstr_cloudmask.training.losses import LossName, provider_shares
from slstr_cloudmask.training.pack import pack_scenes
from slstr_cloudmask.training.run import DataConfig
from slstr_cloudmask.training.store import Store
from slstr_cloudmask.validation import validated
from tests.scenes import BAYES_MASKS, make_scene, touch_scenes

CONFIDENCE = {"coastline": 1, "ocean": 2}


def four_pixels(path: Path = Path("0.hdf")) -> xr.Dataset:
    """A row of clear, clear, cloud, cloud by the provider; a coast at the left, sea at the right.

    Day, day, night, and a pixel that was not seen.
    """
    return build_scene(
        {"S8": [[280.0, 280.0, 280.0, np.nan]]},
        coordinates={"solar_zenith_angle": [[30.0, 30.0, 100.0, 100.0]]},
        flags={
            "bayes": flag_variable([[0, 0, 2, UNKNOWN]], BAYES_MASKS, fill=UNKNOWN, long_name="b"),
            "confidence": flag_variable([[1, 0, 2, 2]], CONFIDENCE, long_name="c"),
        },
        attributes={"source": str(path)},
    )


def mask_of(scene: xr.Dataset, probability: list[list[float]], path: Path) -> None:
    write_mask(build_mask(scene, probability, threshold=0.5, detector="tests"), path)


@pytest.fixture
def masks(tmp_path: Path) -> Path:
    folder = tmp_path / "masks"
    folder.mkdir()
    mask_of(four_pixels(), [[0.2, 0.9, 1.0, 0.4]], folder / "0_cloudmask-tests.nc")
    return folder


def test_bytes_go_there_and_back() -> None:
    coding = Coding(levels=20, strata=4)
    probability = np.array([[0.0, 0.5, 1.0, 0.72]])
    known = np.array([[True, True, True, False]])
    codes = coding.encoded(probability, known, np.array([[0, 1, 3, 2]]))
    # Steps of a twentieth, 21 bytes a stratum: 0, 21 + 10, 63 + 20.
    assert codes.tolist() == [[0, 31, 83, 255]]
    label, valid, stratum = coding.decoded(torch.from_numpy(codes))
    assert label[0, :3].tolist() == [0.0, 0.5, 1.0]
    assert valid.tolist() == known.tolist()
    assert stratum[0, :3].tolist() == [0, 1, 3]
    with pytest.raises(ValueError, match="do not fit a byte"):
        Coding(levels=100, strata=4)


def test_the_providers_labels_are_as_they_were() -> None:
    assert Teaching().codes(four_pixels(), Path("0.hdf")).tolist() == [[0, 0, 1, 255]]
    empty = Teaching(empty_known=True).codes(four_pixels(), Path("0.hdf"))
    assert empty.tolist() == [[0, 0, 1, 0]]


def test_coasts_are_left_out() -> None:
    codes = Teaching(ignore_coast_px=1).codes(four_pixels(), Path("0.hdf"))
    assert codes.tolist() == [[255, 255, 1, 255]]


def test_masks_and_agreement(masks: Path) -> None:
    scene, path = four_pixels(), Path("0.hdf")
    by_mask = Teaching("masks", masks).codes(scene, path)
    assert by_mask.tolist() == [[4, 18, 20, 255]]  # twentieths; what was not seen is unknown
    agreed = Teaching("agreed", masks).codes(scene, path)
    # Agreed clear, the mask's own .9, agreed cloud.
    assert agreed.tolist() == [[0, 18, 20, 255]]


def test_strata_and_the_providers_errors(masks: Path) -> None:
    teaching = Teaching("bayes", masks, strata=True)
    # Day elsewhere is the third stratum, night ocean the second; two bytes each.
    assert teaching.codes(four_pixels(), Path("0.hdf")).tolist() == [[4, 4, 3, 255]]
    confusion = teaching.confusion(four_pixels(), Path("0.hdf"))
    assert confusion == ((0, 0, 0, 0), (0, 0, 0, 1), (1, 0, 1, 0), (0, 0, 0, 0))


def test_a_mask_is_found_by_the_scenes_name(masks: Path) -> None:
    assert find_mask(masks, Path("a/0.hdf")).name == "0_cloudmask-tests.nc"
    with pytest.raises(MissingFileError, match=r"no mask of 7\.hdf"):
        find_mask(masks, Path("7.hdf"))
    mask_of(four_pixels(), [[0.2, 0.9, 1.0, 0.4]], masks / "0_other.nc")
    with pytest.raises(InputError, match=r"2 masks of 0\.hdf"):
        find_mask(masks, Path("0.hdf"))
    (masks / "0_other.nc").unlink()
    with pytest.raises(InputError, match=r"\(1, 4\) pixels"):
        Teaching("masks", masks).codes(make_scene(0), Path("0.hdf"))


def test_labels_of_masks_need_masks() -> None:
    with pytest.raises(ConfigError, match="needs masks"):
        validated(DataConfig, {"label": "agreed"}, "test")


def read_with_light(path: Path) -> xr.Dataset:
    """Scenes by number whose light is known: even ones of the day."""
    scene = make_scene(int(path.stem), (32, 32))
    zenith_deg = 100.0 if int(path.stem) % 2 else 30.0
    return scene.assign_coords(
        solar_zenith_angle=(("rows", "columns"), np.full((32, 32), zenith_deg, np.float32))
    )


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Provider's labels that call a third of the clear cloud, and masks that do not."""
    folder = tmp_path_factory.mktemp("taught")
    paths, masks = touch_scenes(folder / "in", 8), folder / "masks"
    masks.mkdir()
    for path in paths:
        scene = read_with_light(path)
        truth = (scene["truth"].values == 1) * 0.9 + 0.05
        mask_of(scene, truth.tolist(), masks / f"{path.stem}_cloudmask-tests.nc")
    teaching = Teaching("bayes", masks, strata=True)
    return pack_scenes(
        paths, folder / "s", read=read_over_flagged, teaching=teaching, patch_size=16, reads="full"
    )


def read_over_flagged(path: Path) -> xr.Dataset:
    scene = read_with_light(path)
    rng = np.random.default_rng(int(path.stem))
    seen = scene["bayes"].values != UNKNOWN
    wrong = (rng.random(seen.shape) < 1 / 3) & seen
    flags = np.where(wrong, 2, scene["bayes"].values).astype(np.uint8)
    return scene.assign(
        bayes=flag_variable(flags, BAYES_MASKS, fill=UNKNOWN, long_name="over-flagged")
    )


@pytest.mark.parametrize(
    "loss", ["generalised", "symmetric", "bootstrapped", "forward", "early_learning", "co_teaching"]
)
def test_every_loss_trains_and_resumes(loss: LossName, taught: Store, tmp_path: Path) -> None:
    config = TrainConfig(
        epochs=3, batch_size=2, widths=(4, 8), learning_rate=0.005, precision="fp32", loss=loss,
        band_dropout=0.5, epoch_patches=16, patience=None,
    )  # fmt: skip
    device = torch.device("cpu")
    whole = train(config, taught, device=device)
    checkpoint = tmp_path / "checkpoint.pt"
    train(config.model_copy(update={"epochs": 2}), taught, device=device, checkpoint=checkpoint)
    resumed = train(config, taught, device=device, checkpoint=checkpoint)
    for name, tensor in whole.network.state_dict().items():
        torch.testing.assert_close(tensor, resumed.network.state_dict()[name], rtol=0, atol=0)
    fresh = train(config.model_copy(update={"learning_rate": 1e-12}), taught, device=device)
    assert not torch.equal(fresh.network.head.weight, whole.network.head.weight)


def test_a_store_counts_how_often_the_provider_differs(taught: Store) -> None:
    """Where the masks are clear a third is flagged; where they are cloud all is."""
    assert taught.manifest.confusion is not None
    clear, flagged, missed, found = np.sum(taught.manifest.confusion, axis=0)
    assert flagged / (clear + flagged) == pytest.approx(1 / 3, abs=0.02)
    assert missed == 0 < found
    shares = provider_shares(taught.manifest.confusion)
    assert shares.shape == (2, 4)
    # No scene has a map of the sea: its strata take the shares of all.
    torch.testing.assert_close(shares[:, 1], shares[:, 3])
