"""The ways to run a network agree, and what cannot be compiled runs all the same."""

import logging
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from slstr_cloudmask.errors import InputError
from slstr_cloudmask.network import compiled
from slstr_cloudmask.network import engine as engine_module
from slstr_cloudmask.network.compiled import Compiled, program_path
from slstr_cloudmask.network.engine import Eager, Engine, make_engine
from slstr_cloudmask.network.inference import InferenceMode, predict_logits, strips
from slstr_cloudmask.network.model_file import Model, ModelConfig
from slstr_cloudmask.network.normaliser import Normaliser
from slstr_cloudmask.network.unet import UNet, join_upsampled, receptive_reach

CPU = torch.device("cpu")
WIDTHS = (4, 8, 8)
SHAPE = (1, 9, 32, 48)


def random_network(widths: tuple[int, ...] = WIDTHS) -> UNet:
    torch.manual_seed(3)
    network = UNet(9, widths)
    for parameter in network.parameters():
        if parameter.ndim == 1:
            torch.nn.init.normal_(parameter)  # zero biases would hide what padding does
    return network


@pytest.fixture
def eager() -> Eager:
    return Eager(random_network(), CPU, "fp32")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CLOUDMASK_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


# The decoder's identity


def test_joined_upsampling_is_the_convolution_of_what_it_does_not_make() -> None:
    torch.manual_seed(0)
    convolution = torch.nn.Conv2d(5 + 3, 4, 3, padding=1)
    coarse, skip = torch.randn(2, 5, 6, 7), torch.randn(2, 3, 12, 14)
    doubled = functional.interpolate(coarse, scale_factor=2.0, mode="nearest")

    joined = join_upsampled(convolution, coarse, skip)

    torch.testing.assert_close(joined, convolution(torch.cat([doubled, skip], 1)))


def test_gradients_of_joined_upsampling_are_those_of_the_convolution() -> None:
    torch.manual_seed(0)
    convolution = torch.nn.Conv2d(5 + 3, 4, 3, padding=1).double()
    coarse, skip = torch.randn(1, 5, 4, 4).double(), torch.randn(1, 3, 8, 8).double()
    doubled = functional.interpolate(coarse, scale_factor=2.0, mode="nearest")
    weights = torch.randn(1, 4, 8, 8).double()

    plain = torch.autograd.grad(
        (convolution(torch.cat([doubled, skip], 1)) * weights).sum(), list(convolution.parameters())
    )
    joined = torch.autograd.grad(
        (join_upsampled(convolution, coarse, skip) * weights).sum(), list(convolution.parameters())
    )

    for one, two in zip(plain, joined, strict=True):
        torch.testing.assert_close(one, two)


# Strips


@given(
    rows=st.integers(1, 60).map(lambda n: 8 * n),
    kept_rows=st.integers(1, 300),
    halo=st.integers(0, 80),
)
def test_strips_keep_every_row_once_and_see_far_enough(
    rows: int, kept_rows: int, halo: int
) -> None:
    kept_so_far = 0
    heights = set()
    for seen, kept in strips(rows, kept_rows, halo, 8):
        assert kept.start == kept_so_far
        kept_so_far = kept.stop
        assert 0 <= seen.start <= kept.start < kept.stop <= seen.stop <= rows
        assert seen.start == 0 or kept.start - seen.start >= halo
        assert seen.stop == rows or seen.stop - kept.stop >= halo
        assert seen.start % 8 == seen.stop % 8 == 0
        heights.add(seen.stop - seen.start)
    assert kept_so_far == rows
    assert len(heights) == 1  # so that one program is enough


def test_strips_by_hand() -> None:
    # 32 rows, 8 kept of each strip, halo 6 rounded up to 8: strips of 24 rows.
    assert list(strips(32, 8, 6, 4)) == [
        (slice(0, 24), slice(0, 8)),
        (slice(0, 24), slice(8, 16)),
        (slice(8, 32), slice(16, 24)),
        (slice(8, 32), slice(24, 32)),
    ]


@pytest.mark.parametrize("strip_rows", [1, 16, 40, 200])
def test_a_scene_in_strips_is_the_scene_at_once(eager: Eager, strip_rows: int) -> None:
    x_HWC = np.random.default_rng(0).normal(size=(117, 61, 9)).astype(np.float32)
    eager.strip_rows = None
    whole = predict_logits(eager, x_HWC)

    eager.strip_rows = strip_rows
    stripped = predict_logits(eager, x_HWC)

    np.testing.assert_allclose(stripped, whole, rtol=1e-5, atol=1e-5)
    # A halo shorter than what a pixel sees would show.
    eager.halo = 0
    if strip_rows < 117:
        assert np.abs(predict_logits(eager, x_HWC) - whole).max() > 1e-3


def test_the_halo_is_what_a_pixel_can_see(eager: Eager) -> None:
    assert eager.halo == receptive_reach(WIDTHS)


# Programs


@pytest.mark.slow
def test_a_program_says_what_the_network_says_and_is_kept(
    eager: Eager, caplog: pytest.LogCaptureFixture, cache: Path
) -> None:
    x_NCHW = torch.randn(SHAPE)
    with caplog.at_level(logging.INFO):
        made = Compiled(eager, "abc", make=True)
        logits = made.run(x_NCHW)
    assert "Compiling the network" in caplog.text
    assert made.name == "compiled"
    torch.testing.assert_close(logits, eager.run(x_NCHW), rtol=1e-4, atol=1e-4)
    assert [path.suffix for path in cache.iterdir()] == [".pt2"]

    caplog.clear()
    with caplog.at_level(logging.INFO):
        again = Compiled(eager, "abc", make=False).run(x_NCHW)
    assert not caplog.text
    torch.testing.assert_close(again, logits)
    assert program_path(eager, "abc", SHAPE).is_file()


def test_nothing_is_compiled_unless_it_repays(eager: Eager, cache: Path) -> None:
    engine = Compiled(eager, "abc", make=False)

    x_NCHW = torch.randn(SHAPE)
    torch.testing.assert_close(engine.run(x_NCHW), eager.run(x_NCHW))

    assert engine.name == "eager"
    assert not cache.exists()


def test_without_a_compiler_the_network_runs_as_it_is(
    eager: Eager, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, cache: Path
) -> None:
    def no_compiler(*_: object) -> None:
        raise RuntimeError("No working C++ compiler found\nand a long story")

    monkeypatch.setattr(compiled, "make_program", no_compiler)
    engine = Compiled(eager, "abc", make=True)

    for _ in range(2):
        x_NCHW = torch.randn(SHAPE)
        torch.testing.assert_close(engine.run(x_NCHW), eager.run(x_NCHW))
    engine.run(torch.randn(1, 9, 16, 16))

    assert caplog.messages == [
        "The network is not compiled, and runs as it is: No working C++ compiler found"
    ]
    assert not cache.exists()


def test_a_damaged_program_is_not_run(
    eager: Eager, caplog: pytest.LogCaptureFixture, cache: Path
) -> None:
    cache.mkdir()
    program_path(eager, "abc", SHAPE).write_bytes(b"no program")
    x_NCHW = torch.randn(SHAPE)

    logits = Compiled(eager, "abc", make=False).run(x_NCHW)

    torch.testing.assert_close(logits, eager.run(x_NCHW))
    assert "runs as it is" in caplog.text


def test_a_program_belongs_to_weights_shape_and_precision(eager: Eager) -> None:
    rough = Eager(random_network(), CPU, "bf16")
    paths = {
        program_path(eager, "abc", SHAPE),
        program_path(eager, "abd", SHAPE),
        program_path(eager, "abc", (1, 9, 32, 40)),
        program_path(rough, "abc", SHAPE),
    }
    assert len(paths) == 4


# Choosing


def model() -> Model:
    config = ModelConfig(normaliser=Normaliser.benchmark(), widths=WIDTHS, label="bayes")
    return Model(random_network(), config, "abc")


def made(engine: str, scenes: int = 1) -> Engine:
    return make_engine(model(), engine=engine, device=CPU, precision="fp32", scenes=scenes)


@pytest.fixture
def no_openvino(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_module, "find_spec", lambda library: library != "openvino")


@pytest.mark.usefixtures("no_openvino")
def test_an_engine_is_made_by_name() -> None:
    assert isinstance(made("eager"), Eager)
    for engine, scenes, makes in (("auto", 1, False), ("auto", 1000, True), ("compiled", 1, True)):
        chosen = made(engine, scenes)
        assert isinstance(chosen, Compiled)
        assert chosen.make is makes
    with pytest.raises(InputError, match="Unknown engine 'steam': expected one of auto, eager"):
        made("steam")


@pytest.mark.skipif(not find_spec("openvino"), reason="the extra openvino is not installed")
def test_openvino_is_chosen_on_a_processor_where_it_is_installed(cache: Path) -> None:
    chosen = made("auto")
    assert chosen.name == "openvino"
    x_NCHW = torch.randn(SHAPE)
    torch.testing.assert_close(chosen.run(x_NCHW), made("eager").run(x_NCHW), rtol=1e-4, atol=1e-4)
    assert not cache.exists()  # it starts at once


def test_an_openvino_that_cannot_be_loaded_is_passed_over_with_a_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "openvino.py").write_text("raise ImportError('libopenvino.so: wrong ELF class')")
    monkeypatch.syspath_prepend(tmp_path)
    for name in [name for name in sys.modules if name.partition(".")[0] == "openvino"]:
        monkeypatch.delitem(sys.modules, name)

    assert isinstance(made("auto"), Compiled)

    assert caplog.messages == [
        "OpenVINO cannot be used, and PyTorch runs the network: libopenvino.so: wrong ELF class"
    ]


def test_padded_channels_change_nothing() -> None:
    network = random_network()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    plain, padded = (Eager(network, CPU, "fp32", pad=pad) for pad in (False, True))
    x_NCHW = torch.randn(SHAPE)

    torch.testing.assert_close(padded.run(x_NCHW), plain.run(x_NCHW))

    assert padded.network.encoder[0][0].weight.shape == (4, 16, 3, 3)
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())


# Memory that is full


class Small(Eager):
    """Holds so many pixels at once, and no more."""

    def __init__(self, holds: int, error: Exception) -> None:
        super().__init__(random_network(), CPU, "fp32")
        self.holds, self.error = holds, error
        self.strip_rows = None

    def run(self, x_NCHW: torch.Tensor) -> torch.Tensor:
        if x_NCHW[:, 0].numel() > self.holds:
            raise self.error
        return super().run(x_NCHW)


FULL = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"),
    RuntimeError("Exception from src/inference: std::bad_alloc"),
    MemoryError("Unable to allocate 64. MiB"),
]


@pytest.mark.parametrize("error", FULL, ids=lambda error: str(error)[:9])
@pytest.mark.parametrize(("mode", "said"), [("scene", "strips of 30"), ("patches", "passes of 2")])
def test_what_does_not_fit_is_run_in_smaller_parts(
    eager: Eager,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
    mode: InferenceMode,
    said: str,
) -> None:
    x_HWC = np.random.default_rng(0).normal(size=(240, 64, 9)).astype(np.float32)
    options = {"patch_size": 64, "crop_size": 16}
    # A pixel sees 23 rows, so 24 around a strip. 240 rows, 120 + 48 and 60 + 48 are too many; 30
    # are 32, a multiple of 4, and with 48 they fit. Two patches of 64 x 64 pixels do, four do not.
    runs = Small(90 * 64, error) if mode == "scene" else Small(2 * 64 * 64, error)

    found = predict_logits(runs, x_HWC, mode=mode, **options)
    again = predict_logits(runs, x_HWC, mode=mode, **options)

    assert len(caplog.messages) == 1  # for both scenes
    assert said in caplog.text
    expected = predict_logits(eager, x_HWC, mode=mode, **options)
    for logits in (found, again):
        np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-4)


def test_what_does_not_fit_in_the_smallest_part_is_refused() -> None:
    x_HWC = np.zeros((64, 64, 9), np.float32)
    with pytest.raises(InputError, match=r"memory, even in strips of 4 rows\. End other"):
        predict_logits(Small(0, FULL[0]), x_HWC)
    with pytest.raises(InputError, match="even in passes of 1 patches"):
        predict_logits(Small(0, FULL[0]), x_HWC, mode="patches", patch_size=32, crop_size=8)


def test_other_failures_are_not_taken_for_full_memory() -> None:
    with pytest.raises(RuntimeError, match="shapes do not fit"):
        predict_logits(Small(0, RuntimeError("shapes do not fit")), np.zeros((8, 8, 9), np.float32))


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="limits of memory are Linux's here")
def test_a_real_limit_of_memory_is_kept_within() -> None:
    program = """
import logging, resource
import numpy as np, torch
from slstr_cloudmask.network.engine import Eager
from slstr_cloudmask.network.inference import predict_logits
from slstr_cloudmask.network.unet import UNet
logging.basicConfig()
torch.set_num_threads(1)
engine = Eager(UNet(9, (8, 8)), torch.device("cpu"), "fp32")
engine.strip_rows = None
x_HWC = np.random.default_rng(0).normal(size=(8192, 128, 9)).astype(np.float32)
predict_logits(engine, x_HWC[:64])
# A map of eight channels is 34 MB, and the channels themselves 38 MB: room for one and two.
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 100_000_000, -1))
found = predict_logits(engine, x_HWC)
resource.setrlimit(resource.RLIMIT_AS, (-1, -1))
engine.strip_rows = None
np.testing.assert_allclose(found, predict_logits(engine, x_HWC), rtol=1e-4, atol=1e-4)
"""
    ended = subprocess.run(
        [sys.executable, "-c", program], check=False, capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stderr
    assert "Out of memory: the network is now run in strips of" in ended.stderr


def test_a_program_that_fails_gives_way_to_the_network_as_it_is(
    eager: Eager, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(_: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("run_func_ failed at model_container_runner.cpp")

    engine = Compiled(eager, "abc", make=False)
    engine._programs[SHAPE] = fails

    for _ in range(2):
        x_NCHW = torch.randn(SHAPE)
        torch.testing.assert_close(engine.run(x_NCHW), eager.run(x_NCHW))

    assert caplog.messages == [
        "The network is not compiled, and runs as it is: "
        "run_func_ failed at model_container_runner.cpp"
    ]
    assert engine.name == "eager"
