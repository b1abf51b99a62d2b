"""The ways to run a network agree, and what cannot be compiled runs all the same."""

import logging
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from slstr_cloudmask.errors import InputError
from slstr_cloudmask.network import compiled
from slstr_cloudmask.network.compiled import Compiled, program_path
from slstr_cloudmask.network.engine import Eager, make_engine
from slstr_cloudmask.network.inference import predict_logits, strips
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


def test_an_engine_is_made_by_name() -> None:
    def made(engine: str, scenes: int = 1) -> object:
        return make_engine(model(), engine=engine, device=CPU, precision="fp32", scenes=scenes)

    assert isinstance(made("eager"), Eager)
    for engine, scenes, makes in (("auto", 1, False), ("auto", 1000, True), ("compiled", 1, True)):
        chosen = made(engine, scenes)
        assert isinstance(chosen, Compiled)
        assert chosen.make is makes
    with pytest.raises(InputError, match="Unknown engine 'steam': expected one of auto, eager"):
        made("steam")
