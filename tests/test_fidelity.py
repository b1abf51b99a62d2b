"""The recipe ``reference`` does what the reference does: a test for each line of docs/fidelity.md.

What the reference does is written again here, plainly, from its description, and compared.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from slstr_cloudmask.benchmark.config import load_recipe
from slstr_cloudmask.benchmark.inference import Masked
from slstr_cloudmask.benchmark.result import reference_log_lines
from slstr_cloudmask.benchmark.run import run_benchmark
from slstr_cloudmask.errors import InputError
from slstr_cloudmask.evaluation.counts import Counts
from slstr_cloudmask.evaluation.scores import SceneScore, summarise
from slstr_cloudmask.flags import UNKNOWN
from slstr_cloudmask.io import open_scene
from slstr_cloudmask.io.find_scenes import find_scenes
from slstr_cloudmask.mask import build_mask
from slstr_cloudmask.network.model_file import load_model
from slstr_cloudmask.network.unet import UNet
from slstr_cloudmask.simulate.dataset import simulate_dataset
from slstr_cloudmask.simulate.plan import DatasetConfig
from slstr_cloudmask.training.batches import Batch, patch_indices
from slstr_cloudmask.training.config import TrainConfig
from slstr_cloudmask.training.distribution import Ranks
from slstr_cloudmask.training.labels import Teaching
from slstr_cloudmask.training.loop import train
from slstr_cloudmask.training.optimiser import make_optimiser
from slstr_cloudmask.training.ordering import Ordering, shuffled_files
from slstr_cloudmask.training.pack import pack_scenes
from slstr_cloudmask.training.split import split_scenes
from slstr_cloudmask.training.state import TrainState
from slstr_cloudmask.training.step import Objective, Step
from slstr_cloudmask.training.store import PackedScene, Store
from slstr_cloudmask.training.tally import Tally
from tests.scenes import make_scene, read_made_scene, touch_scenes

CPU = torch.device("cpu")
EMPTY_COLUMNS = 5
PATCH, CROP = 32, 8
DOCUMENT = Path(__file__).parents[1] / "docs" / "fidelity.md"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six scenes to train on and two to test on, with empty columns at both sides."""
    folder = tmp_path_factory.mktemp("data")
    simulate_dataset(folder, DatasetConfig(scenes=8, test_scenes=2, size=(64, 80), seed=1))
    for path in find_scenes(folder):
        with h5py.File(path, "r+") as file:
            for side in (slice(None, EMPTY_COLUMNS), slice(-EMPTY_COLUMNS, None)):
                for name in ("bts", "refs", "rads", "bayes", "summary"):
                    file[name][:, side] = 0
                file["truth"][:, side] = UNKNOWN
    return folder


@pytest.fixture(scope="module")
def run(data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A finished run of the recipe, in small, and its result."""
    out = tmp_path_factory.mktemp("runs") / "run"
    settings = [
        f"data.root={data}",
        *["epochs=2", "batch_size=4", "widths=[4, 8]"],
        *[f"patch_size={PATCH}", f"crop_size={CROP}"],
    ]
    config = load_recipe("reference", settings, output=out)
    return out, run_benchmark(config, device=CPU)


def reference_channels(path: Path) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """Nine channels and the label of a file, as the reference's loader makes them."""
    with h5py.File(path) as file:
        refs, bts = (np.nan_to_num(file[name][...].astype(float)) for name in ("refs", "bts"))
        cloud = np.nan_to_num(file["bayes"][..., 0]) > 0
    return np.concatenate([refs - 0.5, (bts - 270.0) / 22.0], axis=-1), cloud


# -- files and split ----------------------------------------------------------------------------


def test_files_are_split_in_the_order_that_the_file_system_lists(tmp_path: Path) -> None:
    names = [f"S3A_{number:02}.hdf" for number in np.random.default_rng(1).permutation(40)]
    for folder in ("day", "night"):
        (tmp_path / folder).mkdir()
        for name in names:
            (tmp_path / folder / f"{folder}_{name}").touch()
            (tmp_path / folder / f"{folder}_{name}").rename(tmp_path / folder / f"{name}")
    found = find_scenes(tmp_path, listed=True)
    listed = [
        Path(entry.path)
        for folder in os.scandir(tmp_path)
        for entry in os.scandir(folder.path)  # never sorted
    ]
    assert found == listed
    assert sorted(found) == find_scenes(tmp_path)


def test_a_store_keeps_the_order_of_files_only_where_asked(tmp_path: Path) -> None:
    paths = touch_scenes(tmp_path / "in", 3)
    given_order = [paths[2], paths[0], paths[1]]
    options: dict[str, Any] = {"read": read_made_scene, "patch_size": PATCH}
    listed = pack_scenes(given_order, tmp_path / "l", file_order="listed", **options)
    assert [scene.name for scene in listed.manifest.scenes] == ["2.hdf", "0.hdf", "1.hdf"]
    by_name = pack_scenes(given_order, tmp_path / "s", **options)
    assert [scene.name for scene in by_name.manifest.scenes] == ["0.hdf", "1.hdf", "2.hdf"]
    # The same listing finds its store again.
    again = pack_scenes(given_order, tmp_path / "l", file_order="listed", **options)
    assert again.manifest == listed.manifest


def test_the_split_is_scikit_learns() -> None:
    """``train_test_split(…, random_state=42)`` of scikit-learn 1.7.2, whatever the run's seed."""
    for seed in (1, 2):
        # Its own documentation's example: five items, train [2, 0, 3], test [1, 4].
        train, validation = split_scenes(5, 0.6, rule="reference", seed=seed)
        assert (train.tolist(), validation.tolist()) == ([0, 2, 3], [1, 4])
    # train_size is rounded down: of 12, 9.6 are 9.
    train, validation = split_scenes(12, 0.8, rule="reference", seed=1)
    assert validation.tolist() == [0, 9, 10]
    assert len(train) == 9
    # The whole set: 776 and 194, and the first that scikit-learn puts aside.
    train, validation = split_scenes(970, 0.8, rule="reference", seed=1)
    assert (len(train), len(validation)) == (776, 194)
    assert {575, 259, 388, 495, 70, 906, 785, 485} <= set(validation.tolist())
    assert {723, 192, 948, 568, 451, 554, 959, 109} <= set(train.tolist())
    with pytest.raises(InputError, match="1 scenes cannot be split"):
        split_scenes(1, 0.8, rule="reference", seed=1)


# -- patches ------------------------------------------------------------------------------------


def test_patches_are_the_references(data: Path, tmp_path: Path) -> None:
    """Crop to whole patches, row by row; borders are 0 before normalisation and clear."""
    (path, *_) = find_scenes(data / "one-day")
    store = pack_scenes(
        [path],
        tmp_path / "s",
        read=open_scene,
        patch_size=PATCH,
        teaching=Teaching(empty_known=True),
    )
    x_HWC, cloud = reference_channels(path)
    top, left = (64 % PATCH) // 2, (80 % PATCH) // 2  # 0 and 8
    corners = [(top + PATCH * i, left + PATCH * j) for i in range(2) for j in range(2)]
    assert store.manifest.patches == len(corners) == 4
    for number, (row, column) in enumerate(corners):
        mine = slice(row, row + PATCH), slice(column, column + PATCH)
        # Within half a step of float16 between 8 and 16, where the border's −12.27 lies: 2**-8.
        np.testing.assert_allclose(store.inputs_NHWC[number], x_HWC[mine], atol=2**-8)
        np.testing.assert_array_equal(store.labels_NHW[number], cloud[mine])
    edge = pack_scenes(
        [path], tmp_path / "e", read=open_scene, patch_size=16, teaching=Teaching(empty_known=True)
    ).inputs_NHWC[0, 0, 0]
    np.testing.assert_allclose(edge, [-0.5] * 6 + [-270 / 22] * 3, atol=2**-8)


@given(count=st.integers(1, 120), size=st.integers(1, 40), epoch=st.integers(1, 3))
def test_patches_pass_a_buffer_of_a_batch(count: int, size: int, epoch: int) -> None:
    """Each once, none more than the buffer's size less one early; TensorFlow's does the same."""
    order = Ordering("buffer", 1, size).epoch(np.arange(count), 7, epoch)
    assert sorted(order.indices.tolist()) == list(range(count))
    assert (order.indices - np.arange(count)).max() <= size - 1
    again = Ordering("buffer", 1, size).epoch(np.arange(count), 7, epoch)
    assert order.indices.tolist() == again.indices.tolist()


def test_the_buffer_draws_another_order_in_every_epoch_and_uses_all_its_places() -> None:
    orders = [Ordering("buffer", 1, 32).epoch(np.arange(400), 7, epoch) for epoch in range(1, 30)]
    assert len({tuple(order.indices) for order in orders}) == len(orders)
    # First comes each of the first 32 with the same chance: 29 draws of 32 are of 19 or so kinds
    # (32·(1 − (31/32)²⁹) = 19.3); 10 would be a fault.
    firsts = [int(order.indices[0]) for order in orders]
    assert max(firsts) < 32
    assert len(set(firsts)) > 10
    # One place off, the buffer's size early is seen.
    assert max((order.indices - np.arange(400)).max() for order in orders) == 31


def test_files_come_in_one_order_for_all_epochs() -> None:
    scenes = [PackedScene(name=f"{i}", first=20 * i, count=20) for i in range(12)]
    files = shuffled_files(scenes, seed=1234)
    assert files != scenes
    assert sorted(files, key=lambda scene: scene.first) == scenes
    assert files == shuffled_files(scenes, seed=1234)
    # Patches of a file follow each other, and so the first batch of every epoch is of the first
    # files: with a buffer of 32 no patch of the fifth (80 and on) is among its 32 (up to 32 + 31).
    indices = patch_indices(files)
    firsts = {scene.first for scene in files[:4]}
    for epoch in range(1, 6):
        batch = Ordering("buffer", 1, 32).epoch(indices, 1234, epoch).indices[:32]
        assert {int(index) // 20 * 20 for index in batch} <= firsts


def test_what_does_not_fill_a_batch_is_dropped() -> None:
    """Of 776 and 194 scenes with 20 patches each: 485 batches, and 121 with 8 patches over."""
    config = TrainConfig(batch_size=32, drop_remainder=True)
    assert config.steps(776 * 20) * 32 == 485 * 32 == 15_520
    assert config.steps(194 * 20) * 32 == 121 * 32 == 3_872


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Six scenes of four patches."""
    folder = tmp_path_factory.mktemp("pack")
    return pack_scenes(
        touch_scenes(folder / "in", 6), folder / "store", read=read_made_scene, patch_size=PATCH
    )


SMALL = TrainConfig(epochs=2, batch_size=4, widths=(4, 8), precision="fp32", train_split=0.67)


def weight_sum(config: TrainConfig, store: Store, **options: Any) -> float:
    result = train(config, store, device=CPU, **options)
    return sum(float(tensor.sum()) for tensor in result.network.state_dict().values())


def test_dropping_changes_a_run_only_where_something_is_over(store: Store) -> None:
    # 4 scenes train and 2 validate: 16 and 8 patches. Batches of 4 leave nothing over, of 5 one.
    dropping = SMALL.model_copy(update={"drop_remainder": True})
    assert weight_sum(dropping, store) == weight_sum(SMALL, store)
    five = {"batch_size": 5}
    assert weight_sum(dropping.model_copy(update=five), store) != weight_sum(
        SMALL.model_copy(update=five), store
    )
    with pytest.raises(InputError, match="16 patches to train on and 8 to validate on do not both"):
        train(dropping.model_copy(update={"batch_size": 9}), store, device=CPU)


def test_a_run_in_the_references_order_goes_on_as_if_unbroken(store: Store, tmp_path: Path) -> None:
    config = SMALL.model_copy(
        update={"order": "buffer", "split": "reference", "drop_remainder": True, "batch_size": 3}
    )
    unbroken = weight_sum(config, store)
    assert unbroken != weight_sum(config.model_copy(update={"order": "global"}), store)
    checkpoint = tmp_path / "checkpoint.pt"
    train(config.model_copy(update={"epochs": 1}), store, device=CPU, checkpoint=checkpoint)
    assert weight_sum(config, store, checkpoint=checkpoint) == unbroken


# -- training -----------------------------------------------------------------------------------


def random_batch(count: int = 4, size: int = 16, seed: int = 0) -> Batch:
    generator = torch.Generator().manual_seed(seed)
    x_NCHW = torch.randn(count, 9, size, size, generator=generator)
    return Batch(x_NCHW, (x_NCHW[:, 0] > 0).float(), torch.ones(count, size, size) > 0)


def test_the_loss_is_the_mean_cross_entropy_of_all_pixels() -> None:
    """``binary_crossentropy`` of sigmoid outputs, averaged over every pixel of the batch."""
    torch.manual_seed(1)
    network = UNet(9, (4, 8))
    batch = random_batch()
    probability = torch.sigmoid(network(batch.x_NCHW)[:, 0])
    label = batch.label_NHW
    entropy = -(label * probability.log() + (1 - label) * (1 - probability).log())
    entropy.mean().backward()  # type: ignore[no-untyped-call]
    expected = {n: p.detach() - p.grad for n, p in network.named_parameters() if p.grad is not None}
    step = Step(
        Objective(network, "fp32", pad=False),
        torch.optim.SGD(network.parameters(), 1.0),
        patch_size=16,
        batch_size=4,
        ranks=Ranks(),
    )
    loss_sum, _ = step.train(batch)
    assert float(loss_sum) / label.numel() == pytest.approx(
        float(entropy.detach().mean()), rel=1e-5
    )
    for name, parameter in network.named_parameters():
        torch.testing.assert_close(parameter.detach(), expected[name], rtol=1e-4, atol=1e-6)


def test_adam_steps_as_keras_does() -> None:
    """Ten steps against Keras' formula (Kingma and Ba 2015, the form before section 2.1).

    Keras adds epsilon to the square root before its bias is corrected, PyTorch after: at gradients
    of 1e-6 and the first step, where the correction is largest (1/√0.001 = 32), 32e-7 is three
    times the root itself.
    """
    gradients = np.random.default_rng(2).normal(0, 1e-6, (10, 5))
    layer = torch.nn.Linear(5, 1, bias=False, dtype=torch.float64)
    torch.nn.init.zeros_(layer.weight)
    optimiser = make_optimiser("adam", layer, 1e-3)
    weight, mean, square = np.zeros(5), np.zeros(5), np.zeros(5)
    for number, gradient in enumerate(gradients, start=1):
        mean = 0.9 * mean + 0.1 * gradient
        square = 0.999 * square + 0.001 * gradient**2
        rate = 1e-3 * np.sqrt(1 - 0.999**number) / (1 - 0.9**number)
        weight = weight - rate * mean / (np.sqrt(square) + 1e-7)
        layer.weight.grad = torch.from_numpy(gradient[np.newaxis])
        optimiser.step()
    np.testing.assert_allclose(layer.weight[0].detach().numpy(), weight, rtol=1e-6)


def test_figures_of_an_epoch_are_keras_means_over_batches() -> None:
    """Of equal batches, the mean of their means is the mean over all pixels."""
    tally, losses, accuracies = Tally(CPU), [], []
    for seed in (1, 2, 3):
        batch = random_batch(seed=seed)
        logits = torch.randn(batch.label_NHW.shape, generator=torch.Generator().manual_seed(seed))
        loss = functional.binary_cross_entropy_with_logits(logits, batch.label_NHW)
        tally.add(loss * logits.numel(), logits, batch)
        losses.append(float(loss))
        # BinaryAccuracy: an output above 0.5 is cloud.
        accuracies.append(
            float(((torch.sigmoid(logits) > 0.5) == (batch.label_NHW > 0)).double().mean())
        )
    outcome = tally.outcome(Ranks())
    assert outcome.loss == pytest.approx(np.mean(losses), rel=1e-6)
    assert outcome.counts.accuracy == pytest.approx(np.mean(accuracies), rel=1e-12)


@pytest.mark.parametrize(("best", "last"), [(122, 147), (137, 162), (158, 183)])
def test_a_run_stops_where_the_published_ones_did(best: int, last: int) -> None:
    """Best validation loss and last epoch of runs 2, 3 and 5 of arXiv 2401.08636, patience 25."""
    assert not TrainState(epoch=last - 1, best_epoch=best).stopped(200, 25)
    assert TrainState(epoch=last, best_epoch=best).stopped(200, 25)


def test_the_last_weights_are_kept_whatever_was_best(store: Store) -> None:
    config = SMALL.model_copy(
        update={"epochs": 40, "patience": 2, "learning_rate": 0.05, "keep": "last"}
    )
    result = train(config, store, device=CPU)
    assert result.kept_epoch == result.state.epoch == result.state.best_epoch + 2 < 40


# -- inference and metric -----------------------------------------------------------------------


def test_masks_are_joined_from_patches_as_the_reference_joins_them(
    run: tuple[Path, dict[str, Any]], data: Path
) -> None:
    """Zeros around the normalised scene, patches that overlap, their middles side by side."""
    out, _ = run
    network = load_model(out / "model").network.eval()
    path = find_scenes(data / "ssts")[0]
    x_HWC, _ = reference_channels(path)
    stride = PATCH - CROP  # 24: 3 × 4 patches for 64 × 80
    counts = -(-64 // stride), -(-80 // stride)
    over = [(k - 1) * stride + PATCH - n for k, n in zip(counts, (64, 80), strict=True)]
    before = [total // 2 for total in over]  # "SAME": the smaller half first
    sides = [(b, total - b) for b, total in zip(before, over, strict=True)]
    padded = np.pad(x_HWC, (*sides, (0, 0)))
    joined = np.zeros([k * stride for k in counts])
    for i in range(counts[0]):
        for j in range(counts[1]):
            row, column = i * stride, j * stride
            patch = padded[row : row + PATCH, column : column + PATCH].transpose(2, 0, 1)
            with torch.inference_mode():
                logits = network(torch.from_numpy(patch[np.newaxis]).float())[0, 0]
            middle = slice(CROP // 2, CROP // 2 + stride)
            joined[row : row + stride, column : column + stride] = torch.sigmoid(logits)[
                middle, middle
            ]
    top, left = (joined.shape[0] - 64) // 2, (joined.shape[1] - 80) // 2
    with h5py.File(out / "masks" / f"{path.name}.h5") as file:
        assert file["mask"].shape == (1, 64, 80, 1)
        mask = file["mask"][0, ..., 0]
    np.testing.assert_allclose(mask, joined[top : top + 64, left : left + 80], atol=1e-5)


def test_the_published_accuracy_is_that_of_the_written_masks_borders_included(
    run: tuple[Path, dict[str, Any]], data: Path
) -> None:
    """The reference's scoring, from the files alone: mask above 0.5 against bayes above 0."""
    out, document = run
    shares = []
    for path in find_scenes(data / "ssts"):
        _, cloud = reference_channels(path)
        with h5py.File(out / "masks" / f"{path.name}.h5") as file:
            shares.append(np.mean((file["mask"][0, ..., 0] > 0.5) == cloud))
    result = next(
        row
        for row in document["scores"]
        if (row["mask"], row["label"], row["part"]) == ("network", "bayes", "all")
    )
    assert result["published_accuracy"] == pytest.approx(np.mean(shares), abs=1e-12)
    # All pixels of the scenes count, the 2 × 5 empty columns too.
    counts = [
        row["every_pixel"]
        for row in document["scenes"]
        if (row["mask"], row["label"]) == ("network", "bayes")
    ]
    assert [sum(every.values()) for every in counts] == [64 * 80] * 2


def test_the_published_accuracy_is_the_plain_mean_of_scenes() -> None:
    """As accuracy_score of scikit-learn 1.7.2, scene by scene: 0.54 and 0.50, together 0.52."""
    rng = np.random.default_rng(0)
    scores = []
    for rows in (10, 30):  # a mean over pixels would be (0.54·10 + 0.50·30)/40 = 0.51
        label, probability = rng.integers(0, 16, (rows, 20)), rng.random((rows, 20))
        every = Counts.of(probability > 0.5, label > 0)
        assert every.total == rows * 20
        scores.append(SceneScore(f"{rows}", "day", "network", "bayes", Counts(), every))
    assert [score.every.accuracy for score in scores] == [0.54, 0.5]
    row = next(row for row in summarise(scores) if row["mask"] == "network")
    assert row["published_accuracy"] == pytest.approx(0.52, abs=1e-12)


def test_by_hand_every_score_of_a_scene() -> None:
    """Eight pixels, one of them empty: label 1 1 1 0 0 0 1 –, mask 1 1 0 0 1 0 1 1."""
    label = np.array([1, 1, 1, 0, 0, 0, 1, 0], bool)
    mask = np.array([1, 1, 0, 0, 1, 0, 1, 1], bool)
    seen = np.array([1, 1, 1, 1, 1, 1, 1, 0], bool)
    valid, every = Counts.of(mask, label, seen), Counts.of(mask, label)
    assert valid == Counts(tp=3, fp=1, tn=2, fn=1)
    assert every.accuracy == 5 / 8  # the empty pixel is wrong: mask 1, label clear
    assert valid.accuracy == 5 / 7
    assert valid.f1 == 6 / 8
    assert valid.iou == 3 / 5
    assert valid.kuipers == pytest.approx(3 / 4 - 1 / 3)
    assert valid.balanced_accuracy == pytest.approx((3 / 4 + 2 / 3) / 2)


def test_one_half_is_clear_in_the_published_metric() -> None:
    """The reference cuts above 0.5; our masks cut at it."""
    scene = make_scene(0, (10, 20), empty_columns=0)
    probability = np.full((10, 20), 0.5, np.float32)
    mask = build_mask(scene, probability, threshold=0.5, detector="network")
    assert not Masked(mask, probability).cloud_everywhere.any()
    assert (mask["cloud_mask"].values == 1).all()


# -- what was mended ----------------------------------------------------------------------------


def test_time_per_epoch_is_of_the_epochs_that_ran(run: tuple[Path, dict[str, Any]]) -> None:
    _, document = run
    document = {
        **document,
        "config": {**document["config"], "train": {**document["config"]["train"], "epochs": 200}},
        "seconds": {**document["seconds"], "training": 10.0},
    }
    line, _ = reference_log_lines(document)
    assert "epochs=2," in line
    assert line.endswith("time_per_epoch=5.00")  # 10 s by the 2 that ran, not by 200


# -- the document -------------------------------------------------------------------------------


def defined_tests() -> Iterator[str]:
    for path in Path(__file__).parent.glob("test_*.py"):
        yield from re.findall(r"^def (test_\w+)", path.read_text(), re.MULTILINE)


def test_the_document_names_tests_that_are_there() -> None:
    lines = DOCUMENT.read_text().splitlines()
    rows = [line for line in lines if line.count("|") == 4 and re.match(r"\| [^-]", line)]
    named = {name for row in rows for name in re.findall(r"`(test_\w+)`", row)}
    assert len(named) > 20
    assert not named - set(defined_tests())
    # Each of the three columns' rows has a test, or says that it has none.
    bare = [row for row in rows if "`test_" not in row and not row.endswith("test |")]
    assert all(row.endswith("not tested |") for row in bare), bare
