"""Packing, batches, the loop, resuming, and several processes against one."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr

from slstr_cloudmask.errors import (
    BrokenFileError,
    ConfigError,
    InputError,
    MissingFileError,
    MissingLabelError,
    OutputExistsError,
)
from slstr_cloudmask.events import Event
from slstr_cloudmask.radiometry import convert_radiometry
from slstr_cloudmask.training.batches import draw, in_turn, patch_indices, shuffled
from slstr_cloudmask.training.config import TrainConfig
from slstr_cloudmask.training.keras_adam import KerasAdam
from slstr_cloudmask.training.labels import Teaching
from slstr_cloudmask.training.loop import TrainResult, train
from slstr_cloudmask.training.pack import pack_scenes
from slstr_cloudmask.training.residence import place
from slstr_cloudmask.training.run import DataConfig, run_training
from slstr_cloudmask.training.state import TrainState
from slstr_cloudmask.training.store import Store, open_store
from tests.scenes import make_scene, read_made_scene, touch_scenes

CPU = torch.device("cpu")
CONFIG = TrainConfig(
    epochs=4, batch_size=5, widths=(4, 8), learning_rate=0.01, precision="fp32", seed=7
)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    folder = tmp_path_factory.mktemp("pack")
    return pack_scenes(
        touch_scenes(folder / "in", 6), folder / "store", read=read_made_scene, patch_size=32
    )


def weights(result: TrainResult) -> dict[str, torch.Tensor]:
    return result.network.state_dict()


def assert_equal_weights(a: TrainResult, b: TrainResult) -> None:
    for name, tensor in weights(a).items():
        torch.testing.assert_close(tensor, weights(b)[name], rtol=0, atol=0)


def test_a_store_holds_the_central_patches(store: Store) -> None:
    # 64×80 pixels hold 2×2 patches of 32; 80 % 32 // 2 = 8 columns are dropped at the left.
    assert store.manifest.patches == 24
    scene = read_made_scene(Path("0.hdf"))
    s8 = (scene["S8"].values[:32, 8:40] - 270) / 22
    np.testing.assert_allclose(store.inputs_NHWC[0, ..., 7], s8, atol=2e-3)
    np.testing.assert_array_equal(store.labels_NHW[0], scene["truth"].values[:32, 8:40])


def test_empty_pixels_have_no_label_unless_faithful(tmp_path: Path) -> None:
    paths = touch_scenes(tmp_path / "in", 1)

    def read(path: Path) -> object:
        return make_scene(0, (32, 32), empty_columns=4)

    options = {"read": read, "patch_size": 32}
    masked = pack_scenes(paths, tmp_path / "a", **options)  # type: ignore[arg-type]
    faithful = pack_scenes(paths, tmp_path / "b", teaching=Teaching(empty_known=True), **options)  # type: ignore[arg-type]
    assert np.unique(masked.labels_NHW[0, :, :4]).tolist() == [255]
    assert np.unique(faithful.labels_NHW[0, :, :4]).tolist() == [0]


def test_a_store_is_kept_and_one_of_other_scenes_is_not_replaced(tmp_path: Path) -> None:
    paths = touch_scenes(tmp_path / "in", 2)
    folder = tmp_path / "store"
    pack_scenes(paths, folder, read=read_made_scene, patch_size=32)
    before = (folder / "inputs.f16").stat().st_mtime_ns
    pack_scenes(list(reversed(paths)), folder, read=read_made_scene, patch_size=32)
    assert (folder / "inputs.f16").stat().st_mtime_ns == before
    with pytest.raises(OutputExistsError):
        pack_scenes(paths[:1], folder, read=read_made_scene, patch_size=32)
    pack_scenes(paths[:1], folder, read=read_made_scene, patch_size=32, overwrite=True)
    assert open_store(folder).manifest.patches == 4


def read_said_scene(path: Path, radiometry: str = "as_distributed") -> xr.Dataset:
    """Return the scene of this number; the odd ones are of the oblique view."""
    view = ("nadir", "oblique")[int(path.stem) % 2]
    scene = read_made_scene(path).assign_attrs(view=view, radiometry="as_distributed")
    return convert_radiometry(scene, radiometry)


def test_scenes_are_packed_in_the_radiometry_that_was_asked_for(tmp_path: Path) -> None:
    paths = touch_scenes(tmp_path / "in", 2)

    def read_mixed(path: Path) -> xr.Dataset:
        return read_said_scene(path, "adjusted" if path.stem == "1" else "as_distributed")

    plain = pack_scenes(paths, tmp_path / "plain", read=read_said_scene, patch_size=32)
    mixed = pack_scenes(paths, tmp_path / "mixed", read=read_mixed, patch_size=32)
    # Half a step of float16 near 0.5 is 2**-12.
    np.testing.assert_allclose(mixed.inputs_NHWC, plain.inputs_NHWC, rtol=0, atol=2**-11)
    adjusted = pack_scenes(
        paths, tmp_path / "adjusted", read=read_mixed, patch_size=32, radiometry="adjusted"
    )
    assert adjusted.manifest.radiometry == "adjusted"
    # Columns 8 to 39; S5 nadir is 1.11 times what was distributed, oblique 1.04 times.
    for i, factor in ((0, 1.11), (1, 1.04)):
        s5 = read_made_scene(paths[i])["S5"].values[:32, 8:40] * factor - 0.5
        np.testing.assert_allclose(adjusted.inputs_NHWC[4 * i, ..., 4], s5, rtol=0, atol=2**-10)


def test_a_store_of_another_or_no_radiometry_is_not_gone_on_with(tmp_path: Path) -> None:
    paths, folder = touch_scenes(tmp_path / "in", 1), tmp_path / "store"
    pack_scenes(paths, folder, read=read_said_scene, patch_size=32)
    with pytest.raises(OutputExistsError, match="other settings"):
        pack_scenes(paths, folder, read=read_said_scene, patch_size=32, radiometry="adjusted")
    pack_scenes(paths, folder, read=read_said_scene, patch_size=32)
    manifest = json.loads((folder / "store.json").read_text())
    assert manifest.pop("radiometry") == "as_distributed"
    (folder / "store.json").write_text(json.dumps(manifest))  # as earlier versions wrote it
    assert open_store(folder).manifest.radiometry is None
    with pytest.raises(OutputExistsError, match="other settings"):
        pack_scenes(paths, folder, read=read_said_scene, patch_size=32)


def test_scenes_that_do_not_say_their_radiometry_are_warned_about_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    paths = touch_scenes(tmp_path / "in", 3)
    pack_scenes(paths, tmp_path / "said", read=read_said_scene, patch_size=32)
    assert caplog.messages == []
    store = pack_scenes(paths, tmp_path / "store", read=read_made_scene, patch_size=32)
    (message,) = caplog.messages
    assert message.startswith("In 3 of the scenes, 0.hdf for one, nothing says which radiometry")
    assert store.manifest.patches == 12


def test_a_scene_that_cannot_be_converted_is_skipped(tmp_path: Path) -> None:
    def read(path: Path) -> xr.Dataset:
        scene = read_said_scene(path, "adjusted")
        return scene.assign_attrs(view="sideways") if path.stem == "1" else scene

    store = pack_scenes(
        touch_scenes(tmp_path / "in", 2), tmp_path / "store", read=read, patch_size=32
    )
    assert list(store.manifest.skipped) == ["1.hdf"]
    assert "cannot be converted" in store.manifest.skipped["1.hdf"]


@pytest.mark.parametrize("radiometry", ["as_distributed", "adjusted"])
def test_the_model_file_records_the_radiometry(tmp_path: Path, radiometry: str) -> None:
    data = DataConfig.model_validate({"patch_size": 32, "crop_size": 8, "radiometry": radiometry})
    described = run_training(
        CONFIG.model_copy(update={"epochs": 1}),
        data,
        touch_scenes(tmp_path / "in", 3),
        tmp_path / "run",
        read=read_said_scene,
        device=CPU,
    )
    assert open_store(tmp_path / "run" / "store").manifest.radiometry == radiometry
    assert described.radiometry == radiometry
    assert described.training["data"]["radiometry"] == radiometry
    written = json.loads((tmp_path / "run" / "model" / "config.json").read_text())
    assert written["radiometry"] == radiometry


def test_a_radiometry_that_does_not_exist_is_no_setting() -> None:
    with pytest.raises(ValueError, match="radiometry"):
        DataConfig.model_validate({"radiometry": "raw"})


def test_bad_stores_and_scenes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="no packed store"):
        open_store(tmp_path)
    with pytest.raises(InputError, match="no scene to pack"):
        pack_scenes([], tmp_path / "store", read=read_made_scene)
    twice = [*touch_scenes(tmp_path / "a", 1), *touch_scenes(tmp_path / "b", 1)]
    with pytest.raises(InputError, match=r"share the name 0\.hdf"):
        pack_scenes(twice, tmp_path / "store", read=read_made_scene)
    paths = touch_scenes(tmp_path / "in", 1)
    with pytest.raises(InputError, match="holds no patch of 256"):
        pack_scenes(paths, tmp_path / "store", read=read_made_scene)
    with pytest.raises(MissingLabelError):
        pack_scenes(
            paths,
            tmp_path / "store",
            read=lambda path: read_made_scene(path).drop_vars("bayes"),
            patch_size=32,
        )
    assert not (tmp_path / "store").exists()
    pack_scenes(paths, tmp_path / "store", read=read_made_scene, patch_size=32)
    with (tmp_path / "store" / "inputs.f16").open("r+b") as file:
        file.truncate(100)
    with pytest.raises(BrokenFileError, match="not whole"):
        pack_scenes(paths, tmp_path / "store", read=read_made_scene, patch_size=32)
    pack_scenes(paths, tmp_path / "store", read=read_made_scene, patch_size=32, overwrite=True)


def test_the_split_is_by_scene_and_seeded(store: Store) -> None:
    train_scenes, validation = store.split(0.67, seed=1)
    assert (len(train_scenes), len(validation)) == (4, 2)
    assert {s.name for s in train_scenes} & {s.name for s in validation} == set()
    assert store.split(0.67, seed=1) == (train_scenes, validation)
    assert any(store.split(0.67, seed=seed)[1] != validation for seed in range(2, 6))
    with pytest.raises(InputError, match="cannot be split"):
        store.split(0.95, seed=1)


def test_every_epoch_draws_every_patch_once_in_a_new_order(store: Store) -> None:
    indices = patch_indices(store.manifest.scenes)
    first, second = shuffled(indices, 1, epoch=1), shuffled(indices, 1, epoch=2)
    assert sorted(first.indices) == sorted(second.indices) == list(range(24))
    assert first.indices.tolist() != second.indices.tolist()
    assert first.indices.tolist() == shuffled(indices, 1, epoch=1).indices.tolist()


def test_processes_share_a_global_batch(store: Store) -> None:
    patches, order = place(store, CPU), in_turn(np.arange(24))
    whole = list(draw(patches, order, 7))
    assert [len(b.label_NHW) for b in whole] == [7, 7, 7, 3]
    parts = [list(draw(patches, order, 7, rank=r, world_size=4)) for r in range(4)]
    # The last batch has 3 patches for 4 processes: the fourth takes an empty one.
    assert [len(part[-1].label_NHW) for part in parts] == [1, 1, 1, 0]
    for i, batch in enumerate(whole):
        shared = torch.cat([part[i].x_NCHW for part in parts])
        assert sorted(shared.flatten(1).sum(1)) == sorted(batch.x_NCHW.flatten(1).sum(1))


def test_training_learns_and_says_what_happened(store: Store) -> None:
    events: list[Event] = []
    result = train(CONFIG, store, device=CPU, listen=events.append)
    names = [event.name for event in events]
    assert names == ["epoch_start", "epoch_stop", "evaluation_start", "evaluation"] * 4
    history = result.state.history
    assert history[-1]["train_loss"] < 0.5 * history[0]["train_loss"]
    assert history[-1]["validation_agreement"] > 0.9
    assert [event.time_ns for event in events] == sorted(event.time_ns for event in events)


@pytest.mark.parametrize("zero", [True, False])
def test_a_head_from_zero_starts_with_even_odds(store: Store, zero: bool) -> None:
    config = TrainConfig(
        epochs=1, widths=(4, 8), learning_rate=1e-12, head_from_zero=zero, batch_size=4
    )
    network = train(config, store, device=CPU).network
    odds = network(torch.randn(1, 9, 16, 16))
    assert (odds.abs().max() < 1e-6) == zero


def test_two_runs_are_equal_to_the_bit(store: Store) -> None:
    a, b = (train(CONFIG, store, device=CPU) for _ in range(2))
    assert_equal_weights(a, b)
    other = train(CONFIG.model_copy(update={"seed": 8}), store, device=CPU)
    assert any((weights(a)[n] != weights(other)[n]).any() for n in weights(a))


def test_a_resumed_run_ends_where_an_unbroken_one_does(store: Store, tmp_path: Path) -> None:
    checkpoint = tmp_path / "checkpoint.pt"
    whole = train(CONFIG, store, device=CPU)
    train(CONFIG.model_copy(update={"epochs": 2}), store, device=CPU, checkpoint=checkpoint)
    resumed = train(CONFIG, store, device=CPU, checkpoint=checkpoint)
    assert_equal_weights(whole, resumed)
    losses = [[epoch["validation_loss"] for epoch in r.state.history] for r in (whole, resumed)]
    assert losses[0] == losses[1]


def test_a_run_killed_within_an_epoch_goes_on_from_the_last_one(
    store: Store, tmp_path: Path
) -> None:
    checkpoint = tmp_path / "checkpoint.pt"

    def die_in_the_third_epoch(event: Event) -> None:
        if event.name == "epoch_stop" and event.data["epoch"] == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(CONFIG, store, device=CPU, checkpoint=checkpoint, listen=die_in_the_third_epoch)
    resumed = train(CONFIG, store, device=CPU, checkpoint=checkpoint)
    assert_equal_weights(train(CONFIG, store, device=CPU), resumed)


def test_a_checkpoint_of_another_run_or_a_broken_one_is_refused(
    store: Store, tmp_path: Path
) -> None:
    checkpoint = tmp_path / "checkpoint.pt"
    short = CONFIG.model_copy(update={"epochs": 1})
    train(short, store, device=CPU, checkpoint=checkpoint)
    with pytest.raises(ConfigError, match="another run"):
        train(short.model_copy(update={"seed": 9}), store, device=CPU, checkpoint=checkpoint)
    for content in (checkpoint.read_bytes()[:1000], b"hello", b""):
        checkpoint.write_bytes(content)
        with pytest.raises(BrokenFileError, match="cannot be read"):
            train(short, store, device=CPU, checkpoint=checkpoint)


def test_a_checkpoint_of_another_label_is_refused(store: Store, tmp_path: Path) -> None:
    short = CONFIG.model_copy(update={"epochs": 1})
    train(short, store, device=CPU, checkpoint=tmp_path / "checkpoint.pt")
    other = pack_scenes(
        touch_scenes(tmp_path / "in", 6),
        tmp_path / "store",
        read=read_made_scene,
        patch_size=32,
        teaching=Teaching("truth"),
    )
    with pytest.raises(ConfigError, match="another run: store"):
        train(short, other, device=CPU, checkpoint=tmp_path / "checkpoint.pt")


def test_scenes_without_any_label_are_refused(tmp_path: Path) -> None:
    def read(path: Path) -> xr.Dataset:
        return make_scene(int(path.stem), (32, 32), empty_columns=32)

    empty = pack_scenes(
        touch_scenes(tmp_path / "in", 6), tmp_path / "store", read=read, patch_size=32
    )
    with pytest.raises(InputError, match="No pixel has a label"):
        train(CONFIG, empty, device=CPU)


def test_one_absurd_value_is_no_data(tmp_path: Path) -> None:
    def read(path: Path) -> xr.Dataset:
        scene = make_scene(int(path.stem), (32, 32))
        scene["S1"].values[5, 5] = 1e6
        scene["S8"].values[6, 6] = np.inf
        return scene

    store = pack_scenes(
        touch_scenes(tmp_path / "in", 6), tmp_path / "store", read=read, patch_size=32
    )
    assert np.isfinite(store.inputs_NHWC).all()
    assert store.inputs_NHWC[0, 5, 5, 0] == -0.5


def test_early_stopping_restores_the_best_weights(store: Store) -> None:
    config = CONFIG.model_copy(update={"epochs": 40, "patience": 2, "learning_rate": 0.05})
    result = train(config, store, device=CPU)
    assert result.state.epoch < 40
    assert result.state.epoch == result.state.best_epoch + 2
    assert result.kept_epoch == result.state.best_epoch
    upto_best = train(
        config.model_copy(update={"epochs": result.state.best_epoch, "keep": "last"}),
        store,
        device=CPU,
    )
    assert_equal_weights(result, upto_best)


def test_when_a_run_stops() -> None:
    assert not TrainState(epoch=5, best_epoch=3).stopped(epochs=10, patience=3)
    assert TrainState(epoch=6, best_epoch=3).stopped(epochs=10, patience=3)
    assert TrainState(epoch=10, best_epoch=10).stopped(epochs=10, patience=3)
    assert not TrainState(epoch=9, best_epoch=1).stopped(epochs=10, patience=None)


def test_divergence_is_said(store: Store) -> None:
    config = CONFIG.model_copy(update={"learning_rate": 1e9})
    with pytest.raises(InputError, match="smaller learning rate"):
        train(config, store, device=CPU)


RANKED = """
import sys, torch
from pathlib import Path
from slstr_cloudmask.training import step
from slstr_cloudmask.training.distribution import joined
from slstr_cloudmask.training.config import TrainConfig
from slstr_cloudmask.training.loop import train
from slstr_cloudmask.training.store import open_store
step.CPU_PART_PIXELS = int(sys.argv[4]) * 32 * 32
device = torch.device("cpu")
with joined(device) as ranks:
    config = TrainConfig.model_validate_json(sys.argv[2])
    result = train(config, open_store(Path(sys.argv[1])), device=device, ranks=ranks)
    if ranks.is_first:
        torch.save([result.network.state_dict(), result.state.history], sys.argv[3])
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("part_patches", "options"),
    [
        (100, {}),
        (4, {}),
        (100, {"residence": "streamed", "shard_patches": 3, "window_shards": 2}),
    ],
    ids=["whole", "in parts", "streamed"],
)
def test_two_processes_train_as_one_does(
    store: Store, tmp_path: Path, part_patches: int, options: dict[str, object]
) -> None:
    # 20 training patches in batches of 19 leave 1 for the last: the second process has none.
    config = CONFIG.model_copy(update={"batch_size": 19, "epochs": 2, **options})
    script, out = tmp_path / "ranked.py", tmp_path / "out.pt"
    script.write_text(RANKED)
    folder = Path(store.inputs_NHWC.filename).parent  # type: ignore[attr-defined]
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    arguments = [str(script), str(folder), config.model_dump_json(), str(out), str(part_patches)]
    subprocess.run(
        [*torchrun, *arguments],
        check=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        timeout=180,
    )
    shared_weights, shared_history = torch.load(out, weights_only=True)
    alone = train(config, store, device=CPU)
    # The sums run in another order, so only float32 rounding may differ.
    for name, tensor in weights(alone).items():
        torch.testing.assert_close(tensor, shared_weights[name], rtol=1e-3, atol=1e-5)
    for one, two in zip(alone.state.history, shared_history, strict=True):
        assert one["validation_loss"] == pytest.approx(two["validation_loss"], rel=1e-4)
        assert one["train_loss"] == pytest.approx(two["train_loss"], rel=1e-4)


def test_adam_by_hand_is_that_of_keras() -> None:
    # First step: m/(1 - β1) = g and v = (1 - β2) g², so it is lr·g/(g + ε/√(1 - β2)); a gradient of
    # ε/√(1 - β2) = 1e-7/√.001 = 3.1623e-6 goes half of lr. PyTorch's own form would go 97 % of it.
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimiser = KerasAdam([parameter], 1e-3)
    parameter.grad = torch.full((1,), 3.1623e-6)
    optimiser.step()
    assert parameter.item() == pytest.approx(-5e-4, rel=1e-4)
    # Of the same gradient again: the same m/v, √(1 - β2²) instead: g/(g + 1e-7/√.001999).
    other = torch.nn.Parameter(parameter.detach().clone())
    resumed = KerasAdam([other], 1e-3)
    resumed.load_state_dict(optimiser.state_dict())
    other.grad = parameter.grad.clone()
    before = other.item()
    resumed.step()
    assert before - other.item() == pytest.approx(1e-3 * 3.1623 / (3.1623 + 2.23663), rel=1e-3)
