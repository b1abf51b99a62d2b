"""What is measured on: simulated scenes, models of fresh and of trained weights, a packed store.

All of it is made in one folder and found there by the next run. Weights and pixels do not change
how long a convolution takes, so timings take fresh ones; how near engines are to each other is
measured on trained ones too.
"""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from slstr_cloudmask.io import open_scene
from slstr_cloudmask.network.model_file import Model, ModelConfig, load_model, save_model
from slstr_cloudmask.network.normaliser import Normaliser
from slstr_cloudmask.network.unet import UNet
from slstr_cloudmask.simulate.dataset import simulate_dataset
from slstr_cloudmask.simulate.plan import DatasetConfig
from slstr_cloudmask.training.config import TrainConfig
from slstr_cloudmask.training.run import MODEL_NAME, DataConfig, run_training
from slstr_cloudmask.training.store import (
    INPUTS_NAME,
    LABELS_NAME,
    MANIFEST_NAME,
    PackedScene,
    Store,
    StoreManifest,
    open_store,
)

PATCH = 256

# Of the network that is trained: half the reference's widths, and windows of daylight, which a
# minute of training is enough for.
TRAINED = TrainConfig(
    epochs=12, batch_size=4, widths=(16, 32, 64, 128), augment="d4", precision="fp32"
)
WINDOWS = DatasetConfig(scenes=28, test_scenes=4, size=(256, 320), seed=71, daytime=True)


def scene_files(folder: Path, count: int, jobs: int) -> list[Path]:
    """Return ``count`` files of simulated day scenes of 1200x1500 pixels, made where needed."""
    data = folder / f"scenes-{count}"
    config = DatasetConfig(scenes=count, test_scenes=1, daytime=True)
    simulate_dataset(data, config, jobs=jobs)
    return sorted(data.rglob("S3*.hdf"))


def normalised(path: Path) -> npt.NDArray[np.float32]:
    """Return a scene's normalised channels (H, W, C)."""
    return Normaliser.benchmark().apply(open_scene(path))


def fresh_model(folder: Path) -> Model:
    """Return the benchmark's network with fresh weights, saved in ``folder/model``."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1234)
        network = UNet()
    save_model(network, ModelConfig(), folder / "model", overwrite=True)
    return load_model(folder / "model")


def trained_model(folder: Path) -> Model:
    """Return a network that was trained on simulated windows, ``folder/trained``."""
    out = folder / "trained"
    if not (out / MODEL_NAME).is_dir():
        simulate_dataset(folder / "windows", WINDOWS, jobs=1)
        paths = sorted((folder / "windows" / "one-day").rglob("S3*.hdf"))
        data = DataConfig(patch_size=128, crop_size=40)
        run_training(TRAINED, data, paths, out, read=open_scene, device=torch.device("cpu"))
    return load_model(out / MODEL_NAME)


def unseen_windows(folder: Path) -> list[Path]:
    """Return the windows that `trained_model` was not trained on."""
    return sorted((folder / "windows" / "ssts").rglob("S3*.hdf"))


def random_store(folder: Path, patches: int) -> Store:
    """Return a store of two scenes of ``patches`` random patches each."""
    rng = np.random.default_rng(0)
    manifest = StoreManifest(
        patch_size=PATCH,
        normaliser=Normaliser.benchmark(),
        label="bayes",
        empty_pixels="masked",
        scenes=tuple(
            PackedScene(name=name, first=first, count=patches)
            for name, first in (("a", 0), ("b", patches))
        ),
        sources_digest="",
    )
    store = folder / f"store-{patches}"
    store.mkdir(parents=True, exist_ok=True)
    with (store / INPUTS_NAME).open("wb") as inputs, (store / LABELS_NAME).open("wb") as labels:
        for _ in range(2 * patches):
            x_HWC = rng.standard_normal((PATCH, PATCH, 9), np.float32)
            inputs.write(x_HWC.astype(np.float16).data)
            labels.write(rng.integers(0, 2, (PATCH, PATCH), np.uint8).data)
    (store / MANIFEST_NAME).write_text(manifest.model_dump_json())
    return open_store(store)
