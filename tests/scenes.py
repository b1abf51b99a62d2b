"""Small scenes for tests: random but learnable, without the simulator."""

from pathlib import Path

import numpy as np
import xarray as xr

from slstr_cloudmask.channels import NAMES, REFLECTANCE_NAMES
from slstr_cloudmask.flags import UNKNOWN, flag_variable
from slstr_cloudmask.scene import build_scene

BAYES_MASKS = {"single_low": 1, "single_moderate": 2, "dual_low": 4, "dual_moderate": 8}


def make_scene(
    seed: int = 0, shape: tuple[int, int] = (64, 80), *, empty_columns: int = 3
) -> xr.Dataset:
    """Half-planes of cloud, cold and bright, over a warm dark sea; empty columns at the left."""
    rng = np.random.default_rng(seed)
    rows, columns = np.indices(shape)
    angle, place = rng.uniform(0, np.pi), rng.uniform(0.3, 0.7)
    across = np.cos(angle) * (rows / shape[0] - place) + np.sin(angle) * (columns / shape[1] - 0.5)
    cloud = across > 0
    bands = {}
    for name in NAMES:
        clear, cloudy, noise = (0.05, 0.6, 0.02) if name in REFLECTANCE_NAMES else (290, 260, 1.0)
        values = np.where(cloud, cloudy, clear) + rng.normal(0, noise, shape)
        values[:, :empty_columns] = np.nan
        bands[name] = values
    truth = cloud.astype(np.uint8)
    truth[:, :empty_columns] = UNKNOWN
    bayes = np.where(cloud, 3, 0).astype(np.uint8)
    bayes[:, :empty_columns] = UNKNOWN
    return build_scene(
        bands,
        flags={"bayes": flag_variable(bayes, BAYES_MASKS, fill=UNKNOWN)},
        truth=truth,
        attributes={"source": f"scene {seed}"},
    )


def read_made_scene(path: Path) -> xr.Dataset:
    """Read a scene by its number, ``17.hdf``, as a reader of files would."""
    return make_scene(int(path.stem))


def touch_scenes(folder: Path, count: int) -> list[Path]:
    """Make empty files that `read_made_scene` understands."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{number}.hdf" for number in range(count)]
    for path in paths:
        path.touch()
    return paths
