"""Makes the provider's tables of what cloud and clear sky look like, from simulated scenes.

    python -m slstr_cloudmask.simulate.provider_tables

writes ``data/provider_tables.npz``. The scenes are others than any that a data set holds. To be
run again whenever the simulator's clouds, surfaces or forecast change.
"""

from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from slstr_cloudmask.atomic import write_bytes
from slstr_cloudmask.progress import track
from slstr_cloudmask.simulate.catalogue import KIND_NUMBERS
from slstr_cloudmask.simulate.clouds import column_optical_depth, thickest_kind
from slstr_cloudmask.simulate.forecast import draw_forecast
from slstr_cloudmask.simulate.fractal import Canvas
from slstr_cloudmask.simulate.instrument import measured
from slstr_cloudmask.simulate.likelihood import (
    EDGES,
    FEATURES,
    LIGHTS,
    TABLES,
    evidence_of,
    log_texture,
    table_index,
)
from slstr_cloudmask.simulate.observe import observe
from slstr_cloudmask.simulate.places import draw_overpass
from slstr_cloudmask.simulate.provider import light_of
from slstr_cloudmask.simulate.recipe import CLOUD_OPTICAL_DEPTH
from slstr_cloudmask.simulate.staging import draw_stage, draw_window
from slstr_cloudmask.simulate.worlds import WORLDS

SCENES, SIZE, SALT = 240, (300, 375), 77
_BLUR_BINS = 0.7  # smooths the tables, as a small sample must be
_FLOOR = 2e-7  # nothing is impossible: density per unit where no cloud was met
# Clear is what has no cloud to speak of.
_CLEAR_OPTICAL_DEPTH = 0.02

Counts = dict[str, npt.NDArray[np.float64]]


def make_tables(scenes: int = SCENES) -> dict[str, npt.NDArray[np.float16]]:
    """Count what scenes look like; logarithms of densities, each (2: sea and solid, bins...)."""
    counts: Counts = {}
    for number in track(list(range(scenes)), "Counting"):
        for name, shape, cells in _cells(number):
            table = counts.setdefault(name, np.zeros((2, int(np.prod(shape)))))
            for solid in (0, 1):
                table[solid] += np.bincount(cells[solid], minlength=table.shape[1])
    return {name: _log_density(name, counts[name]) for name in sorted(counts)}


def _cells(number: int) -> Iterator[tuple[str, tuple[int, ...], list[npt.NDArray[np.intp]]]]:
    """Which cells of which tables a scene's pixels count to, at sea and on solid ground."""
    rng = np.random.default_rng([number, SALT])
    world = WORLDS["standard"]
    overpass = draw_overpass(rng, ("test-set", "global")[number % 2], number)
    window = draw_window(rng, SIZE)
    canvas = Canvas(rng, window)
    stage = draw_stage(canvas, overpass, window, world)
    bands = measured(rng, observe(stage, reflective=overpass.reflective), stage.geometry.mu_sun)
    forecast = draw_forecast(canvas, stage)
    depth = column_optical_depth(stage.layers, SIZE).ravel()
    # The tables know no fog, so the provider misses it.
    fog = thickest_kind(stage.layers, SIZE).ravel() == KIND_NUMBERS["fog"]
    cloud = (depth >= CLOUD_OPTICAL_DEPTH) & ~fog
    clear = depth < _CLEAR_OPTICAL_DEPTH
    light = light_of(stage, reflective="S3" in bands).ravel()
    solid, texture = forecast.solid.ravel(), log_texture(bands).ravel()
    for name, chosen in (("texture_cloud", cloud), ("texture_clear", clear)):
        cell = table_index([texture], ("texture",))
        yield name, _shape(("texture",)), [cell[chosen & ~solid], cell[chosen & solid]]
    for index, name in enumerate(LIGHTS):
        where = np.flatnonzero(cloud & (light == index))
        if where.size == 0:
            continue
        seen = evidence_of(bands, forecast, where, name)
        cell = table_index([seen.features[key] for key in FEATURES[name]], FEATURES[name])
        yield f"{name}_cloud", _shape(FEATURES[name]), [cell[~seen.solid], cell[seen.solid]]


def _shape(names: tuple[str, ...]) -> tuple[int, ...]:
    return tuple(len(EDGES[name]) - 1 for name in names)


def _log_density(name: str, counts: npt.NDArray[np.float64]) -> npt.NDArray[np.float16]:
    light, _ = name.split("_")
    names = ("texture",) if light == "texture" else FEATURES[light]
    table = counts.reshape(2, *_shape(names))
    table = ndimage.gaussian_filter(table, (0, *[_BLUR_BINS] * len(names)), mode="nearest")
    volume: Any = 1.0
    for axis, key in enumerate(names, start=1):
        shape = [1] * table.ndim
        shape[axis] = -1
        volume = volume * np.diff(EDGES[key].astype(float)).reshape(shape)
    total = np.maximum(table.sum(axis=tuple(range(1, table.ndim)), keepdims=True), 1)
    return np.asarray(np.log(np.maximum(table / (total * volume), _FLOOR)), np.float16)


def main() -> None:
    """Make the tables and put them into the package's data."""
    import io

    content = io.BytesIO()
    provenance = f"slstr_cloudmask.simulate.provider_tables: {SCENES} scenes of {SIZE}, salt {SALT}"
    np.savez_compressed(
        content,
        provenance=np.array(provenance),
        **make_tables(),  # type: ignore[arg-type]
    )
    target = Path(str(files("slstr_cloudmask.simulate") / "data" / TABLES))
    write_bytes(target, content.getbuffer(), overwrite=True)


if __name__ == "__main__":
    main()
