"""Blurs and local statistics."""

import math

import numpy as np
import pytest
from scipy import ndimage

from slstr_cloudmask.simulate.fractal import Canvas
from slstr_cloudmask.simulate.geometry import Window
from slstr_cloudmask.simulate.smoothing import displaced, local_spread, smoothed, smoothed_apart

from .stages import SHAPE, full

# Blurs


@pytest.mark.parametrize("sigma_px", [0.8, 3, 9, 25])
def test_the_coarse_blur_is_nearly_the_exact_one(sigma_px: float) -> None:
    field = Canvas(np.random.default_rng(5), Window(300, 400, 157, 203)).fractal(slope=2.4)
    exact = ndimage.gaussian_filter(field, sigma_px, mode="nearest")
    blurred = smoothed(field, sigma_px)
    assert blurred.shape == field.shape
    assert blurred.dtype == np.float32
    inner = (slice(25, -25), slice(25, -25))
    # Blocks of up to a quarter of sigma hardly count.
    np.testing.assert_allclose(blurred[inner], exact[inner], atol=0.06 * float(field.std()))


def test_smoothing_keeps_a_slope_and_its_place() -> None:
    slope = np.tile(np.arange(200, dtype=np.float32), (120, 1))
    np.testing.assert_allclose(smoothed(slope, 14)[:, 60:140], slope[:, 60:140], atol=0.05)
    np.testing.assert_allclose(smoothed(slope.T.copy(), 14)[60:140], slope.T[60:140], atol=0.05)


@pytest.mark.parametrize("shape", [(64, 80), (33, 47), (3, 5), (1, 7)])
@pytest.mark.parametrize("sigma_px", [2, 30])
def test_smoothing_keeps_a_constant(shape: tuple[int, int], sigma_px: float) -> None:
    np.testing.assert_allclose(smoothed(full(7, shape), sigma_px), full(7, shape), rtol=1e-5)


def test_sides_of_a_border_are_not_mixed() -> None:
    side = np.indices(SHAPE)[1] < 30
    values = np.where(side, 280, 300).astype(np.float32)
    apart = smoothed_apart(values, side, 10)
    np.testing.assert_allclose(apart, values, rtol=1e-4)
    # Which a plain blur does.
    assert smoothed(values, 10)[32, 29] == pytest.approx(290, abs=2)
    # On one side alone it is the plain blur.
    noise = np.random.default_rng(5).random(SHAPE, np.float32)
    for all_or_none in (np.ones(SHAPE, bool), np.zeros(SHAPE, bool)):
        np.testing.assert_array_equal(smoothed_apart(noise, all_or_none, 5), smoothed(noise, 5))


def test_each_side_is_blurred_by_itself() -> None:
    side = np.indices(SHAPE)[1] < 40
    noise = np.random.default_rng(5).random(SHAPE, np.float32)
    apart = smoothed_apart(noise, side, 6)
    assert apart[side].std() < noise[side].std() / 5
    # What the other side holds makes no difference.
    other = np.where(side, noise, 1000).astype(np.float32)
    np.testing.assert_allclose(smoothed_apart(other, side, 6)[side], apart[side], rtol=1e-3)


def test_a_lone_pixel_keeps_its_value() -> None:
    side = np.zeros(SHAPE, bool)
    side[32, 40] = True
    values = np.where(side, 250, 290).astype(np.float32)
    apart = smoothed_apart(values, side, 25)
    assert apart[32, 40] == pytest.approx(250, rel=1e-4)
    np.testing.assert_allclose(apart[~side], 290, rtol=1e-4)


# Spread


def test_local_spread_by_hand() -> None:
    values = np.full((5, 5), 280, np.float32)
    values[2, 2] = 289
    # Eight at 0 and one at 9: mean 1, mean square 9, deviation sqrt(8).
    spread = local_spread(values)
    assert spread[0, 0] == 0
    assert spread[2, 2] == pytest.approx(math.sqrt(8), rel=1e-4)
    assert spread[1, 3] == pytest.approx(math.sqrt(8), rel=1e-4)


def test_local_spread_of_hundredths_of_a_kelvin() -> None:
    # Columns .03 K apart: -.03, 0 and .03, a deviation of .03 * sqrt(2/3) = .0245; at the edge,
    # which is repeated, 0, 0 and .03: .03 * sqrt(2) / 3 = .0141.
    values = np.tile((290 + 0.03 * np.arange(12)).astype(np.float32), (9, 1))
    spread = local_spread(values)
    np.testing.assert_allclose(spread[:, 1:-1], 0.0245, atol=1e-4)
    np.testing.assert_allclose(spread[:, [0, -1]], 0.0141, atol=1e-4)


def test_local_spread_is_that_of_numpy() -> None:
    values = np.random.default_rng(5).normal(280, 2, SHAPE).astype(np.float32)
    windows = np.lib.stride_tricks.sliding_window_view(values.astype(np.float64), (3, 3))
    np.testing.assert_allclose(
        local_spread(values)[1:-1, 1:-1], windows.std(axis=(2, 3)), rtol=1e-3
    )


# Shifts


@pytest.mark.parametrize(
    ("down", "right", "expected"),
    [
        (0, 0, [[1, 2, 3], [4, 5, 6]]),
        (1, 0, [[1, 2, 3], [1, 2, 3]]),
        (0, -1, [[2, 3, 3], [5, 6, 6]]),
        (-5, 9, [[4, 4, 4], [4, 4, 4]]),
    ],
)
def test_what_comes_in_repeats_the_edge(down: int, right: int, expected: list[list[int]]) -> None:
    for kind in (np.uint8, np.float32, np.bool_):
        values = np.array([[1, 2, 3], [4, 5, 6]]).astype(kind)
        moved = displaced(values, down, right)
        assert moved.dtype == kind
        np.testing.assert_array_equal(moved, np.array(expected).astype(kind))
