"""Where patches live, how they are gathered and turned, and steps in parts."""

import logging

import numpy as np
import psutil
import pytest
import torch

from slstr_cloudmask.errors import InputError
from slstr_cloudmask.events import Event
from slstr_cloudmask.network.unet import UNet
from slstr_cloudmask.training import residence
from slstr_cloudmask.training.batches import Batch, Order, draw, in_turn, shuffled, turned
from slstr_cloudmask.training.config import TrainConfig
from slstr_cloudmask.training.distribution import Ranks
from slstr_cloudmask.training.loop import train
from slstr_cloudmask.training.pack import pack_scenes
from slstr_cloudmask.training.residence import Residence, place
from slstr_cloudmask.training.step import Objective, Step
from slstr_cloudmask.training.store import Store
from tests.scenes import read_made_scene, touch_scenes

CPU = torch.device("cpu")
CONFIG = TrainConfig(epochs=2, batch_size=5, widths=(4, 8), precision="fp32", seed=7)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    folder = tmp_path_factory.mktemp("pack")
    return pack_scenes(
        touch_scenes(folder / "in", 6), folder / "store", read=read_made_scene, patch_size=32
    )


@pytest.mark.parametrize("where", ["device", "pinned", "mapped", "auto"])
def test_every_residence_gives_the_same_batches(
    store: Store, where: Residence, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(residence, "PIECE", 7)  # 24 patches: three pieces and a rest of 3
    patches = place(store, CPU, where)
    assert patches.residence == ("mapped" if where == "auto" else where)
    indices = np.array([3, 23, 3, 0])
    inputs_NHWC, labels_NHW = patches.gather(indices)
    np.testing.assert_array_equal(inputs_NHWC.numpy(), store.inputs_NHWC[indices])
    np.testing.assert_array_equal(labels_NHW.numpy(), store.labels_NHW[indices])


@pytest.mark.parametrize(
    ("device_bytes", "host_bytes", "sharing", "expected"),
    [
        (1.3, 9.0, 1, "device"),  # 1.3 × 0.8 = 1.04 sets
        (1.2, 2.1, 1, "pinned"),  # 1.2 × 0.8 = 0.96; 2.1 × 0.5 = 1.05
        (1.2, 1.9, 1, "mapped"),
        (1.2, 2.1, 2, "mapped"),  # two processes hold two sets
    ],
)
def test_a_set_lives_where_it_fits(
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
    device_bytes: float,
    host_bytes: float,
    sharing: int,
    expected: str,
) -> None:
    size = store.inputs_NHWC.nbytes + store.labels_NHW.nbytes

    class Memory:
        available = host_bytes * size

    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (device_bytes * size, 99 * size))
    monkeypatch.setattr(psutil, "virtual_memory", Memory)
    assert residence._roomiest(store, torch.device("cuda"), sharing) == expected


def test_the_eight_symmetries_turn_inputs_and_labels_alike() -> None:
    square = torch.arange(9).reshape(1, 3, 3)
    maps = square.repeat(8, 1, 1)
    seen = turned(maps, np.arange(8, dtype=np.uint8))
    expected = {tuple(torch.rot90(m, k, (0, 1)).flatten().tolist())
                for m in (square[0], square[0].flip(0)) for k in range(4)}  # fmt: skip
    assert {tuple(m.flatten().tolist()) for m in seen} == expected
    # Rows first, then columns, then transposed: 7 turns [0, 0] into [2, 2], which stays.
    assert seen[1].tolist() == [[6, 7, 8], [3, 4, 5], [0, 1, 2]]
    assert seen[4].tolist() == [[0, 3, 6], [1, 4, 7], [2, 5, 8]]
    assert seen[7].tolist() == [[8, 5, 2], [7, 4, 1], [6, 3, 0]]
    with_channels = turned(maps[..., None].repeat(1, 1, 1, 2), np.arange(8, dtype=np.uint8))
    torch.testing.assert_close(with_channels[..., 1], seen)


def test_turned_batches_stay_channels_last(store: Store) -> None:
    order = Order(np.arange(8), np.arange(8, dtype=np.uint8))
    (batch,) = draw(place(store, CPU), order, 8)
    assert batch.x_NCHW.is_contiguous(memory_format=torch.channels_last)


def test_symmetries_follow_from_the_seed_and_do_not_change_the_order() -> None:
    indices = np.arange(1000)
    plain, turns = shuffled(indices, 1, 1), shuffled(indices, 1, 1, "d4")
    assert plain.indices.tolist() == turns.indices.tolist()
    assert plain.symmetries.max() == 0
    assert sorted(set(turns.symmetries)) == list(range(8))
    assert turns.symmetries.tolist() == shuffled(indices, 1, 1, "d4").symmetries.tolist()
    assert shuffled(indices, 1, 1, "flips").symmetries.max() == 3


def random_batch(count: int = 5) -> Batch:
    generator = torch.Generator().manual_seed(0)
    x_NCHW = torch.randn(count, 9, 16, 16, generator=generator)
    label_NHW = (x_NCHW[:, 0] > 0).float()
    return Batch(x_NCHW, label_NHW, x_NCHW[:, 1] > -1)


def fresh_step(**options: object) -> Step:
    torch.manual_seed(3)
    network = UNet(9, (4, 8))
    optimiser = torch.optim.SGD(network.parameters(), 0.1)
    given = {"patch_size": 16, "batch_size": 5, "ranks": Ranks(), **options}
    objective = Objective(network, "fp32", pad=False)
    return Step(objective, optimiser, **given)  # type: ignore[arg-type]


def weights(step: Step) -> dict[str, torch.Tensor]:
    return step.objective.network.state_dict()


def test_a_batch_in_parts_has_the_gradient_of_the_whole() -> None:
    whole, parts = fresh_step(), fresh_step()
    parts.part_patches = 2
    (loss, logits), (loss_parts, logits_parts) = (s.train(random_batch()) for s in (whole, parts))
    torch.testing.assert_close(loss, loss_parts)
    torch.testing.assert_close(logits, logits_parts)
    for name, tensor in weights(whole).items():
        torch.testing.assert_close(tensor, weights(parts)[name])


def test_parts_on_a_cpu_hold_two_patches_of_256() -> None:
    sizes = [fresh_step(patch_size=p, batch_size=32).part_patches for p in (512, 256, 128, 16)]
    assert sizes == [1, 2, 8, 32]


def test_padded_channels_change_neither_logits_nor_gradients() -> None:
    torch.manual_seed(3)
    network, batch = UNet(9, (4, 8)), random_batch()
    outcomes = []
    for pad in (False, True):
        network.zero_grad()
        loss, logits = Objective(network, "fp32", pad=pad)(*batch.tensors)
        loss.backward()
        gradient = network.get_parameter("encoder.0.0.weight").grad
        assert gradient is not None
        assert gradient.shape == (4, 9, 3, 3)
        outcomes.append((loss.detach(), logits, gradient.clone()))
    for plain, padded in zip(*outcomes, strict=True):
        torch.testing.assert_close(plain, padded)


class FailsOnce:
    """Fails at large parts as a device that is out of memory does."""

    def __init__(self, step: Step, largest: int, error: Exception) -> None:
        self.largest, self.error = largest, error
        self.compute = step.objective._compute
        step.objective._compute = self  # type: ignore[method-assign, assignment]

    def __call__(self, x_NCHW: torch.Tensor, *rest: torch.Tensor) -> object:
        if len(x_NCHW) > self.largest:
            raise self.error
        return self.compute(x_NCHW, *rest)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory"),
    ],
)
def test_a_batch_that_does_not_fit_is_halved(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    step, whole = fresh_step(), fresh_step()
    FailsOnce(step, 2, error)
    step.train(random_batch())
    whole.train(random_batch())
    assert step.part_patches == 2
    assert "batches of 5 are now worked through 2 patches at once" in caplog.text
    for name, tensor in weights(whole).items():
        torch.testing.assert_close(tensor, weights(step)[name])


def test_one_patch_that_does_not_fit_is_said_with_the_batch_size() -> None:
    step = fresh_step()
    FailsOnce(step, 0, torch.OutOfMemoryError("CUDA out of memory"))
    with pytest.raises(InputError, match="1 patches at once, of a batch of 5"):
        step.train(random_batch())


def test_other_failures_are_not_hidden() -> None:
    step = fresh_step()
    FailsOnce(step, 0, RuntimeError("shapes do not fit"))
    with pytest.raises(RuntimeError, match="shapes do not fit"):
        step.train(random_batch())


def test_without_a_compiler_the_network_trains_as_it_is(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_compiler(self: Objective) -> object:
        raise RuntimeError("No working C++ compiler found\nand much more")

    monkeypatch.setattr(Objective, "_program", no_compiler)
    step, plain = fresh_step(compiled=True), fresh_step()
    for _ in range(2):
        step.train(random_batch())
        plain.train(random_batch())
    assert [r.message for r in caplog.records] == [
        "The network is not compiled, and trains as it is: No working C++ compiler found"
    ]
    for name, tensor in weights(plain).items():
        torch.testing.assert_close(tensor, weights(step)[name], rtol=0, atol=0)


@pytest.mark.slow
def test_a_compiled_step_is_the_same_but_for_rounding(caplog: pytest.LogCaptureFixture) -> None:
    step, plain = fresh_step(compiled=True), fresh_step()
    heard: list[Event] = []
    step.listen = heard.append
    for count in (5, 3):  # the last batch is smaller, and runs as it is
        step.train(random_batch(count))
        plain.train(random_batch(count))
    assert caplog.messages == []
    # The first step alone makes the program, and it takes its time.
    assert [event.name for event in heard] == ["compile_start", "compile_stop"]
    assert heard[1].time_ns - heard[0].time_ns > 1e8
    for name, tensor in weights(plain).items():
        torch.testing.assert_close(tensor, weights(step)[name], rtol=1e-4, atol=1e-5)


def test_short_epochs_are_not_compiled_unless_asked() -> None:
    assert not CONFIG.compiled(1999)
    assert CONFIG.compiled(2000)
    assert TrainConfig.model_validate({"compile": "yes"}).compiled(1)
    assert not TrainConfig.model_validate({"compile": False}).compiled(10**6)


def test_residence_does_not_change_a_run_and_turning_does(store: Store) -> None:
    plain = train(CONFIG, store, device=CPU).network.state_dict()
    held = CONFIG.model_copy(update={"residence": "device"})
    for name, tensor in train(held, store, device=CPU).network.state_dict().items():
        torch.testing.assert_close(tensor, plain[name], rtol=0, atol=0)
    turns = CONFIG.model_copy(update={"augment": "d4"})
    first, second = (train(turns, store, device=CPU).network.state_dict() for _ in range(2))
    assert any((first[name] != plain[name]).any() for name in plain)
    assert all((first[name] == second[name]).all() for name in plain)


def test_validation_is_in_turn_and_never_turned() -> None:
    order = in_turn(np.array([4, 2]))
    assert (order.indices.tolist(), order.symmetries.tolist()) == ([4, 2], [0, 0])


@pytest.fixture(autouse=True)
def _heard(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
