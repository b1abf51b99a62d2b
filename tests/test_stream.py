"""Stores larger than memory: the order of shards and window, and patches read ahead of use."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from slstr_cloudmask.errors import BrokenFileError, ConfigError, InputError
from slstr_cloudmask.network.normaliser import Normaliser
from slstr_cloudmask.training import reader, residence
from slstr_cloudmask.training.batches import Batch, Order, draw, in_turn, patch_indices
from slstr_cloudmask.training.config import TrainConfig
from slstr_cloudmask.training.loop import TrainResult, train
from slstr_cloudmask.training.ordering import Ordering, _drawn
from slstr_cloudmask.training.pack import pack_scenes
from slstr_cloudmask.training.reader import Reader, held_at_most
from slstr_cloudmask.training.residence import place
from slstr_cloudmask.training.store import PackedScene, Store, StoreManifest, open_store
from tests.scenes import read_made_scene, touch_scenes

CPU = torch.device("cpu")
WHERE: tuple[residence.Residence, ...] = ("mapped", "streamed")
CONFIG = TrainConfig(
    epochs=3,
    batch_size=5,
    widths=(4, 8),
    precision="fp32",
    seed=7,
    augment="d4",
    residence="streamed",
    shard_patches=3,
    window_shards=2,
)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    scenes = touch_scenes(tmp_path / "in", 6)
    return pack_scenes(scenes, tmp_path / "store", read=read_made_scene, patch_size=32)


@pytest.fixture(scope="module", autouse=True)
def _tight() -> Iterator[None]:
    """Read patch by patch, and none ahead of what the order asks for."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(reader, "AHEAD_BYTES", 0)
        patched.setattr(reader, "BLOCK_BYTES", 1)
        yield


@pytest.fixture(scope="module")
def numbered(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Return a store of 24 patches of 4×4, all of whose labels are the patch's number."""
    return numbered_store(tmp_path_factory.mktemp("numbered"), 24, 4)


def numbered_store(folder: Path, patches: int, patch_size: int) -> Store:
    manifest = StoreManifest(
        patch_size=patch_size,
        normaliser=Normaliser.benchmark(),
        label="bayes",
        empty_pixels="masked",
        scenes=(PackedScene(name="a", first=0, count=patches),),
        sources_digest="",
    )
    pixels = patch_size**2
    numbers = np.arange(patches)
    np.repeat(numbers, 9 * pixels).astype(np.float16).tofile(folder / "inputs.f16")
    np.repeat(numbers, pixels).astype(np.uint8).tofile(folder / "labels.u8")
    (folder / "store.json").write_text(manifest.model_dump_json())
    return open_store(folder)


def reading_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "patches"]


def assert_equal_weights(a: TrainResult, b: TrainResult) -> None:
    theirs = b.network.state_dict()
    for name, tensor in a.network.state_dict().items():
        torch.testing.assert_close(tensor, theirs[name], rtol=0, atol=0)


# -- the order --------------------------------------------------------------------------------

sizes = st.integers(1, 9)


@given(st.lists(st.integers(0, 300), min_size=1, unique=True), sizes, sizes, st.integers(0, 5))
def test_an_epoch_draws_every_patch_once_from_its_window(
    patches: list[int], shard: int, window_shards: int, epoch: int
) -> None:
    indices = np.array(sorted(patches))
    ordering = Ordering("stream", shard, window_shards)
    order = ordering.epoch(indices, 3, epoch, "d4")
    assert order.arrivals is not None
    assert sorted(order.indices) == sorted(order.arrivals) == indices.tolist()
    again = ordering.epoch(indices, 3, epoch, "d4")
    assert order.indices.tolist() == again.indices.tolist()
    assert order.symmetries.tolist() == again.symmetries.tolist()
    # A patch is drawn when it has arrived: at step t the window and what replaced t draws.
    position = {index: at for at, index in enumerate(order.arrivals.tolist())}
    assert all(position[i] < shard * window_shards + t for t, i in enumerate(order.indices))
    # Shards are whole: within one, patches come in the order of the store.
    rank = {index: at for at, index in enumerate(indices.tolist())}
    for before, after in pairwise(rank[i] for i in order.arrivals.tolist()):
        assert after == before + 1 or after % shard == 0


def test_a_draw_is_replaced_by_the_next_to_arrive() -> None:
    # Window [0 1]: 1 is drawn, 2 comes; [0 2]: 0, 3 comes; [3 2]: 2, 4 comes; [3 4]: 4; [3]: 3.
    assert _drawn([0, 1, 2, 3, 4], [1, 0, 1, 1, 0], 2) == [1, 0, 2, 4, 3]
    # Nothing comes: the last one, 2, moves to where 0 was; then [2 1].
    assert _drawn([0, 1, 2], [0, 0, 0], 3) == [0, 2, 1]


def test_epochs_and_seeds_differ_and_a_window_of_all_is_a_global_shuffle() -> None:
    indices = np.arange(100)
    orders = [
        Ordering("stream", 10, 4).epoch(indices, seed, epoch).indices.tolist()
        for seed, epoch in ((1, 1), (1, 2), (2, 1))
    ]
    assert orders[0] != orders[1] != orders[2] != orders[0]
    whole = Ordering("stream", 10, 100).epoch(indices, 1, 1).indices
    # Mean distance of neighbours in a random permutation of n is (n + 1) / 3 = 33.7.
    assert abs(np.abs(np.diff(whole)).mean() - 33.7) < 5


def test_patches_held_at_most() -> None:
    assert held_at_most(np.array([4, 7]), np.array([4, 7])) == 1
    assert held_at_most(np.array([2, 0, 1]), np.array([0, 1, 2])) == 3  # all before the first
    assert held_at_most(np.array([0, 3, 1, 2]), np.array([0, 1, 2, 3])) == 3  # 1 2 3 before 3
    assert held_at_most(np.empty(0, np.int64), np.empty(0, np.int64)) == 0


# -- the reader -------------------------------------------------------------------------------


def drawn(store: Store, order: Order, where: residence.Residence, ranks: int) -> list[list[Batch]]:
    patches = place(store, CPU, where)
    return [list(draw(patches, order, 7, rank=r, world_size=ranks)) for r in range(ranks)]


@pytest.mark.parametrize("ranks", [1, 2, 3])
@pytest.mark.parametrize("window", [1, 2, 100])
def test_streamed_batches_are_those_of_a_mapped_store(
    store: Store, ranks: int, window: int
) -> None:
    indices = patch_indices(store.manifest.scenes)
    for order in (Ordering("stream", 4, window).epoch(indices, 1, 1, "d4"), in_turn(indices)):
        mapped, read = (drawn(store, order, where, ranks) for where in WHERE)
        for mine, theirs in zip(mapped, read, strict=True):
            for a, b in zip(mine, theirs, strict=True):
                torch.testing.assert_close(a.x_NCHW, b.x_NCHW, rtol=0, atol=0)
                torch.testing.assert_close(a.label_NHW, b.label_NHW, rtol=0, atol=0)
                torch.testing.assert_close(a.valid_NHW, b.valid_NHW)
    assert reading_threads() == []


@given(
    st.permutations(range(24)), st.permutations(range(24)), st.integers(0, 24), st.integers(1, 24)
)
def test_any_two_orders_meet_without_waiting_for_each_other(
    numbered: Store, uses: list[int], arrivals: list[int], count: int, size: int
) -> None:
    mine = np.array(uses[:count], np.int64)
    shares = [mine[start : start + size] for start in range(0, count, size)]
    with Reader(numbered, shares, np.array(arrivals)) as ahead:
        seen = [(x[:, 3, 3, 8].tolist(), labels[:, 0, 0].tolist()) for x, labels in ahead]
    assert seen == [(share.tolist(), share.tolist()) for share in shares]


def test_a_process_holds_its_part_of_a_window_and_no_more(numbered: Store) -> None:
    order = Ordering("stream", 4, 2).epoch(np.arange(24), 1, 1)
    whole = Reader(numbered, [order.indices[:3], order.indices[3:6]], order.arrivals)
    # 6 patches are used in all, and never more than those are held.
    assert whole.room <= 6
    singly = [order.indices[at : at + 1] for at in range(24)]
    # A window of 8, the patch that is used and the one that is read.
    assert Reader(numbered, singly, order.arrivals).room == 8 + 2
    assert Reader(numbered, singly[::4], order.arrivals).room <= 8 // 2 + 2
    # In turn: nothing but the patch that is used and the one that is read, and one to spare.
    assert Reader(numbered, [np.array([at]) for at in range(24)]).room == 3


def test_memory_stays_bounded_however_large_the_store_is(tmp_path: Path) -> None:
    # 96 patches of 256×256 are 120 MB; a window of 8 and what is read ahead are 12 MB.
    (tmp_path / "store").mkdir()
    store = numbered_store(tmp_path / "store", 96, 256)
    order = Ordering("stream", 4, 2).epoch(np.arange(96), 1, 1)
    grown = {}
    for where in ("streamed", "mapped"):
        before = psutil.Process().memory_info().rss
        for _ in draw(place(store, CPU, where), order, 1):
            pass
        grown[where] = psutil.Process().memory_info().rss - before
    assert grown["streamed"] < 40e6
    assert grown["mapped"] > 100e6  # the pages of a mapped file count


def test_to_stop_early_stops_the_thread(numbered: Store) -> None:
    order = Ordering("stream", 4, 2).epoch(np.arange(24), 1, 1)
    batches = draw(place(numbered, CPU, "streamed"), order, 2)
    next(batches)
    assert reading_threads() == ["patches"]
    batches.close()
    assert reading_threads() == []


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (lambda folder: os.truncate(folder / "labels.u8", 200), r"labels\.u8 ends within patch 12"),
        (lambda folder: os.truncate(folder / "inputs.f16", 0), r"inputs\.f16 ends within patch 0"),
        (lambda folder: (folder / "inputs.f16").unlink(), "No such file"),
    ],
    ids=["cut short", "empty", "gone"],
)
def test_a_store_that_breaks_is_an_error_with_its_name(
    tmp_path: Path, harm: Callable[[Path], None], words: str
) -> None:
    store = numbered_store(tmp_path, 24, 4)  # 16 bytes of labels a patch: 200 end in patch 12
    harm(tmp_path)
    with pytest.raises(BrokenFileError, match=f"{tmp_path} cannot be read: .*{words}") as found:
        list(draw(place(store, CPU, "streamed"), in_turn(np.arange(24)), 5))
    assert isinstance(found.value.__cause__, OSError)
    assert reading_threads() == []


def test_a_window_that_memory_does_not_hold_is_refused(
    numbered: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Memory:
        available = 1000  # a patch of 4×4 has 304 bytes

    monkeypatch.setattr(psutil, "virtual_memory", Memory)
    with pytest.raises(InputError, match=r"fewer train\.window_shards"):
        list(draw(place(numbered, CPU, "streamed"), in_turn(np.arange(24)), 5))


# -- the loop ---------------------------------------------------------------------------------


def test_a_streamed_run_is_that_of_the_same_order_in_memory(store: Store) -> None:
    read = train(CONFIG, store, device=CPU)
    for where in ("mapped", "device"):
        held = CONFIG.model_copy(update={"residence": where, "order": "stream"})
        assert_equal_weights(read, train(held, store, device=CPU))
    shuffled = CONFIG.model_copy(update={"order": "global"})
    theirs = train(shuffled, store, device=CPU).network.state_dict()
    assert any((t != theirs[name]).any() for name, t in read.network.state_dict().items())
    assert reading_threads() == []


def test_a_store_that_memory_does_not_hold_is_streamed_by_itself(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = store.inputs_NHWC.nbytes + store.labels_NHW.nbytes

    class Memory:
        available = 1.2 * size  # 1.2 × 0.8 = 0.96 stores

    monkeypatch.setattr(psutil, "virtual_memory", Memory)
    config = CONFIG.model_copy(update={"residence": "auto", "epochs": 1})
    train(config, store, device=CPU, checkpoint=tmp_path / "checkpoint.pt")
    saved = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    assert saved["ordering"] == {"name": "stream", "shard_patches": 3, "window_shards": 2}


def test_a_run_goes_on_with_the_order_it_began_with(store: Store, tmp_path: Path) -> None:
    checkpoint = tmp_path / "checkpoint.pt"
    train(CONFIG.model_copy(update={"epochs": 1}), store, device=CPU, checkpoint=checkpoint)
    saved = checkpoint.read_bytes()
    # Elsewhere there is room enough: ``auto`` streams on, and ends where the first machine would.
    roomy = CONFIG.model_copy(update={"residence": "mapped"})
    resumed = train(roomy, store, device=CPU, checkpoint=checkpoint)
    assert_equal_weights(resumed, train(CONFIG, store, device=CPU))
    for other in ({"order": "global"}, {"window_shards": 3}, {"shard_patches": 4}):
        checkpoint.write_bytes(saved)
        with pytest.raises(ConfigError, match=r"order stream \(2 shards of 3 patches\), and"):
            train(CONFIG.model_copy(update=other), store, device=CPU, checkpoint=checkpoint)


KILLED = """
import sys, time
from pathlib import Path
import torch
from slstr_cloudmask.training.config import TrainConfig
from slstr_cloudmask.training.loop import train
from slstr_cloudmask.training.store import open_store
def listen(event):
    if event.name == "epoch_stop" and event.data["epoch"] == 2:
        print("here", flush=True)
        time.sleep(60)
config = TrainConfig.model_validate_json(sys.argv[2])
folder, checkpoint = Path(sys.argv[1]), Path(sys.argv[3])
train(config, open_store(folder), device=torch.device("cpu"), checkpoint=checkpoint, listen=listen)
"""


def test_a_streamed_run_that_was_killed_ends_where_an_unbroken_one_does(
    store: Store, tmp_path: Path
) -> None:
    checkpoint = tmp_path / "checkpoint.pt"
    arguments = [str(store.folder), CONFIG.model_dump_json(), str(checkpoint)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, *arguments], stdout=subprocess.PIPE, env=environment
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"here\n"
        process.send_signal(signal.SIGKILL)
    resumed = train(CONFIG, store, device=CPU, checkpoint=checkpoint)
    assert resumed.resumed_after == 1
    assert_equal_weights(resumed, train(CONFIG, store, device=CPU))


def test_a_run_that_fails_leaves_no_thread(store: Store) -> None:
    os.truncate(store.folder / "inputs.f16", 32 * 32 * 9 * 2 * 20)  # of 24 patches
    with pytest.raises(BrokenFileError, match="goes on from its checkpoint"):
        train(CONFIG, store, device=CPU)
    assert reading_threads() == []
