"""The bench of packing and of streaming: what it times, counts and leaves behind."""

from pathlib import Path

import pytest

from benchmarks.packing import describe_packing, full_store_bytes, time_packing
from benchmarks.streaming import mixing
from slstr_cloudmask.io import open_scene
from slstr_cloudmask.simulate.dataset import simulate_dataset
from slstr_cloudmask.simulate.plan import DatasetConfig
from slstr_cloudmask.training.ordering import Ordering
from slstr_cloudmask.training.pack import pack_scenes


def test_packing_is_timed_against_reading_the_same_files(tmp_path: Path) -> None:
    simulate_dataset(tmp_path / "in", DatasetConfig(scenes=2, test_scenes=1, size=(256, 256)))
    files = sorted((tmp_path / "in").rglob("S3*.hdf"))
    (tmp_path / "scratch").mkdir()
    samples = time_packing(files, tmp_path / "scratch", repeats=2, jobs=(1,), names=2)
    caches = ("page cache", "pages dropped")
    kinds = ("read", "pack 1", "processor, pack 1")
    assert set(samples) == {f"{kind}, {cache}" for kind in kinds for cache in caches}
    for sample in samples.values():
        assert (len(sample.seconds), len(sample.warm_up_seconds)) == (2, 1)
        assert min(sample.seconds) > 0
    assert list((tmp_path / "scratch").iterdir()) == []
    found = describe_packing(files, samples)
    # 256×256 pixels of nine float32 and one uint8.
    assert found["needed_bytes"] == 65536 * 37
    shares = found["share_of_reading_whole_files"]
    expected = samples["read, page cache"].median / samples["pack 1, page cache"].median
    assert shares["pack 1, page cache"] == pytest.approx(expected)
    # One patch a scene: nine float16 and one uint8 a pixel.
    store = pack_scenes(files, tmp_path / "store", read=open_scene)
    assert full_store_bytes(store, scenes=10) == 10 * 65536 * 19


def test_a_wider_window_mixes_better_and_a_global_shuffle_best() -> None:
    narrow, wide, whole = (
        mixing(Ordering(name, 200, window))  # type: ignore[arg-type]
        for name, window in (("stream", 1), ("stream", 10), ("global", 1))
    )
    assert narrow["scenes"] < wide["scenes"] < whole["scenes"]
    assert narrow["shards"] < wide["shards"] < whole["shards"]
    # 776 × (1 − (1 − 1/776)^32) = 31.4 scenes, and a third of the epoch, with perfect mixing.
    assert whole["scenes"] == pytest.approx(31.4, abs=0.05)
    assert whole["moved"] == pytest.approx(1 / 3, abs=0.01)
