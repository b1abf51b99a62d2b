"""Values of a product are read when they are first looked at, once, and belong to their scene."""

import copy
import pickle
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from slstr_cloudmask.errors import BrokenFileError, MissingFileError
from slstr_cloudmask.io import open_scene, product_store
from slstr_cloudmask.io.lazy import lazy_variable
from tests.sen3_product import Make, mark, number, write_views


class Source:
    """Numbers from 0, and how often they were asked for."""

    def __init__(self, shape: tuple[int, int] = (5, 7)) -> None:
        self.shape = shape
        self.calls = 0

    def load(self) -> Any:
        self.calls += 1
        return np.arange(np.prod(self.shape), dtype=np.float64).reshape(self.shape)

    def variable(self) -> xr.Variable:
        return lazy_variable(self.shape, np.float32, self.load, {"units": "K"})


def test_shape_type_and_attributes_are_known_without_reading() -> None:
    source = Source()

    variable = source.variable()

    assert (variable.shape, variable.dtype, variable.attrs) == ((5, 7), np.float32, {"units": "K"})
    assert variable.dims == ("rows", "columns")
    assert "float32" in repr(variable)
    part = variable[1:3].transpose()[::-1]
    assert part.shape == (7, 2)
    assert source.calls == 0
    np.testing.assert_array_equal(variable.values, source.load())
    assert variable.values.dtype == np.float32
    np.testing.assert_array_equal(part.values, source.load()[1:3].T[::-1])


def test_read_once_for_all_that_is_cut_from_it() -> None:
    source = Source()
    scene = xr.Dataset({"S8": source.variable()})
    parts = [scene.isel(rows=row) for row in range(5)]

    for part in parts:
        part["S8"].load()
    scene.load()
    scene.copy(deep=True).load()

    assert source.calls == 1


def test_an_error_is_not_kept() -> None:
    tries = iter([OSError("away"), np.ones((2, 2))])

    def load() -> Any:
        found = next(tries)
        if isinstance(found, OSError):
            raise found
        return found

    variable = lazy_variable((2, 2), np.float32, load, {})

    with pytest.raises(OSError, match="away"):
        _ = variable.values
    np.testing.assert_array_equal(variable.values, 1)


# -- as numpy -------------------------------------------------------------------------------------

steps = st.sampled_from([-3, -2, -1, 1, 2, 3])
# xarray misreads a start before the first element, in every array that it slices lazily.
ends = st.one_of(st.none(), st.integers(-5, 8))
slices = st.builds(slice, ends, ends, steps)
indexers = st.one_of(slices, st.integers(-5, 4), st.lists(st.integers(-5, 4), max_size=6))


@given(indexers, indexers, st.booleans())
def test_indexing_equals_numpys(rows: Any, columns: Any, transposed: bool) -> None:
    source = Source()
    whole = source.load().astype(np.float32)
    scene = xr.Dataset({"S8": source.variable()})
    scene = scene.transpose("columns", "rows") if transposed else scene

    found = scene["S8"].isel(rows=rows, columns=columns)

    expected = whole[rows][..., columns]
    if transposed and expected.ndim == 2:
        expected = expected.T
    assert found.shape == expected.shape
    np.testing.assert_array_equal(found.values, expected)


def test_pointwise_and_boolean_indexing() -> None:
    scene = xr.Dataset({"S8": Source().variable()})
    rows, columns = np.array([4, 0, 2]), np.array([1, 1, 6])
    pick = {"rows": xr.DataArray(rows, dims="p"), "columns": xr.DataArray(columns, dims="p")}

    np.testing.assert_array_equal(scene["S8"].isel(pick), 7 * rows + columns)
    assert float(scene["S8"].where(scene["S8"] > 30).min()) == 31
    assert float(scene["S8"][:, ::-1][0, 0]) == 6


# -- changes --------------------------------------------------------------------------------------


def test_two_scenes_do_not_share_changes(tmp_path: Path) -> None:
    product = write_views(tmp_path)
    one, other = open_scene(product), open_scene(product)

    one["S8"].values[...] = 0
    one["S9"][0, 0] = 1
    one["confidence"].values[...] = 0
    one.load()["S7"].values[...] = 2

    assert (one["S8"].values == 0).all()
    assert one["S9"].values[0, 0] == 1
    for name in ("S7", "S8", "S9"):
        np.testing.assert_allclose(other[name], 283.73, atol=0.005)
    assert (other["confidence"].values == 2).all()


@pytest.mark.parametrize(
    "part",
    [
        lambda scene: scene.isel(rows=slice(0, 2)),
        lambda scene: scene.transpose("columns", "rows"),
        lambda scene: scene.copy(deep=True),
        lambda scene: copy.deepcopy(scene),
        lambda scene: scene.isel(rows=slice(None)),
    ],
)
@pytest.mark.parametrize("looked_at", [False, True])
@pytest.mark.parametrize("how", ["values", "item"])
def test_a_part_does_not_change_the_whole(part: Any, looked_at: bool, how: str) -> None:
    scene = xr.Dataset({"S8": Source().variable()})
    cut = part(scene)
    if looked_at:
        _ = scene["S8"].values, cut["S8"].values

    if how == "values":
        cut["S8"].values[0, 0] = -1
    else:
        cut["S8"][0, 0] = -1

    assert float(cut["S8"].values[0, 0]) == -1
    assert float(scene["S8"].values[0, 0]) == 0


def test_what_is_changed_in_one_flag_is_not_changed_in_what_is_made_of_it(tmp_path: Path) -> None:
    scene = open_scene(write_views(tmp_path))

    scene["confidence"].values[...] = 16384 | 32

    assert (scene["summary_cloud"].values == 0).all()
    assert scene["S8"].notnull().all()


# -- a product ------------------------------------------------------------------------------------


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each file was opened."""
    counter: Counter[str] = Counter()
    original = product_store.Product.open

    def counting(self: product_store.Product, name: str) -> Any:
        counter[name] += 1
        return original(self, name)

    monkeypatch.setattr(product_store.Product, "open", counting)
    return counter


OPTIONS: list[dict[str, Any]] = [
    {},
    {"view": "oblique"},
    {"grid": "500m"},
    {"regrid": "collocated"},
    {"regrid": "collocated", "grid": "500m", "stripe": "b"},
]


@pytest.mark.parametrize("options", OPTIONS)
def test_each_file_is_read_once(
    tmp_path: Path, opened: Counter[str], options: dict[str, Any]
) -> None:
    product = write_views(tmp_path, Make(irradiance=(900.0, 1100.0, 1000.0, 1000.0)))
    mark(product, "S7_BT_in", {(0, 0): 16})

    scene = open_scene(product, **options)

    # What places the grid, and what flags there are.
    assert sum(opened.values()) == 2
    assert any(name.startswith("flags_") for name in opened)
    opened.clear()
    scene.load()
    _ = scene["S8"].values, scene["latitude"].values
    # Positions are wanted of the scene's pixels, again for each grid of measurements.
    own = {f"cartesian_{letter}n.nc" for letter in "iab"}
    assert {name for name, times in opened.items() if times > 1} <= own
    assert all(times <= 2 for name, times in opened.items() if name in own)


def test_only_what_is_looked_at_is_read(tmp_path: Path, opened: Counter[str]) -> None:
    scene = open_scene(write_views(tmp_path))
    opened.clear()

    _ = scene["S8"].values
    assert set(opened) == {"S8_BT_in.nc", "flags_in.nc"}
    opened.clear()
    _ = scene["bayes"].values, scene["cloud"].values
    assert not opened  # the flags came together
    _ = scene["solar_zenith_angle"].values, scene["longitude"].values
    assert set(opened) == {"geometry_tn.nc", "geodetic_tx.nc"}


@pytest.mark.parametrize(
    ("file", "names"),
    [
        ("S8_BT_in", ["S8"]),
        ("S7_BT_in", ["S7", "S7_source"]),
        ("S4_radiance_an", ["S4"]),
        ("S4_quality_an", ["S4"]),
        ("geodetic_tx", ["latitude", "longitude"]),
        ("geometry_tn", ["solar_zenith_angle", "satellite_zenith_angle", "S1"]),
        ("flags_in", ["bayes", "cloud", "confidence", "summary_cloud", "S8"]),
    ],
)
def test_what_is_damaged_is_said_when_it_is_looked_at(
    tmp_path: Path, file: str, names: list[str]
) -> None:
    product = write_views(tmp_path)
    scene = open_scene(product)
    path = product / f"{file}.nc"
    path.write_bytes(path.read_bytes()[:900])

    for name in names:
        with pytest.raises(BrokenFileError, match=rf"{file}\.nc .*truncated or damaged"):
            _ = scene[name].values
    if file != "flags_in":  # without which it is not known which pixels are filled
        assert scene["S9"].notnull().all()


def test_a_band_that_is_damaged_from_the_first_is_said_when_it_is_looked_at(tmp_path: Path) -> None:
    product = write_views(tmp_path)
    for stem in ("S8_BT_in", "S1_radiance_an", "cartesian_an", "geodetic_tx", "viscal"):
        (product / f"{stem}.nc").write_bytes(b"nothing of the kind")

    scene = open_scene(product)

    np.testing.assert_allclose(scene["S9"], 283.73, atol=0.005)
    with pytest.raises(BrokenFileError, match=r"S8_BT_in\.nc .*found another format"):
        _ = scene["S8"].values
    with pytest.raises(BrokenFileError, match=r"S1_radiance_an\.nc .*found another format"):
        scene.load()


def test_a_file_that_goes_away_is_said_when_it_is_looked_at(tmp_path: Path) -> None:
    product = write_views(tmp_path)
    scene = open_scene(product)
    (product / "S8_BT_in.nc").unlink()

    with pytest.raises((MissingFileError, BrokenFileError), match=r"S8_BT_in\.nc"):
        _ = scene["S8"].values


# -- dask, threads, processes ---------------------------------------------------------------------


@pytest.mark.parametrize("options", OPTIONS)
def test_chunks_and_threads_give_the_same_values(tmp_path: Path, options: dict[str, Any]) -> None:
    dask = pytest.importorskip("dask")
    product = write_views(tmp_path, Make(rows=7))
    number(product, "S1_radiance_an", 20, 2, 1)
    mark(product, "S7_BT_in", {(0, 0): 16})
    whole = open_scene(product, **options).load()

    chunked = open_scene(product, **options).chunk({"rows": 2})

    assert chunked["S1"].chunks is not None
    with dask.config.set(scheduler="threads", num_workers=8):
        xr.testing.assert_identical(chunked.compute(), whole)
        mean = chunked["S1"].mean().compute()
    assert float(mean) == pytest.approx(float(whole["S1"].mean()), rel=1e-6)


def test_many_threads_read_once(tmp_path: Path, opened: Counter[str]) -> None:
    scene = open_scene(write_views(tmp_path), regrid="collocated")
    opened.clear()
    start = threading.Barrier(8)

    def look(name: str) -> Any:
        start.wait()
        return scene[name].isel(rows=0).values

    names = ["S1", "S2", "S8", "S8", "latitude", "longitude", "S1", "summary_cloud"]
    with ThreadPoolExecutor(8) as pool:
        found = dict(zip(names, pool.map(look, names), strict=True))

    assert opened["S8_BT_in.nc"] == opened["S1_radiance_an.nc"] == 1
    np.testing.assert_allclose(found["S1"], 10 * np.pi / 500, rtol=1e-4)


def test_a_scene_goes_to_another_process(tmp_path: Path) -> None:
    product = write_views(tmp_path)
    scene = open_scene(product)

    again = pickle.loads(pickle.dumps(scene))

    xr.testing.assert_identical(again.load(), scene.load())
