"""What the instrument adds: noise as large as specified, blur, saturation, rounding, gaps."""

import math

import numpy as np
import numpy.typing as npt
import pytest

from slstr_cloudmask.simulate.fractal import Field
from slstr_cloudmask.simulate.geometry import Window
from slstr_cloudmask.simulate.instrument import Gaps, blurred, draw_gaps, fill_gaps, measured

from .stages import full

LARGE = (240, 300)


def generator(seed: int = 5) -> np.random.Generator:
    return np.random.default_rng(seed)


def noise_of(band: str, value: float, mu_sun: float = 1.0, factor: float = 1.0) -> float:
    """Standard deviation of what is measured of an even scene."""
    bands = {band: full(value, LARGE)}
    seen = measured(generator(), bands, full(mu_sun, LARGE), noise_factor=factor)[band]
    assert seen.dtype == np.float32
    return float(seen.std(dtype=np.float64))


# Noise; 72 000 pixels tell a standard deviation to 1 / sqrt(144 000) = .3 %


@pytest.mark.parametrize(("band", "kelvin"), [("S7", 0.045), ("S8", 0.013), ("S9", 0.018)])
def test_noise_at_270_kelvin_is_as_specified(band: str, kelvin: float) -> None:
    # Rounding to .01 K adds .01 / sqrt(12) = .0029 K.
    assert noise_of(band, 270) == pytest.approx(math.hypot(kelvin, 0.0029), rel=0.04)


def test_noise_at_37_um_grows_in_the_cold() -> None:
    # Noise is constant in radiance, whose slope is proportional to exp(-3844.9 K / T) / T^2:
    # between 230 and 270 K exp(3844.9 * (1/230 - 1/270)) * (230/270)^2 = 11.90 * .7257 = 8.6.
    assert noise_of("S7", 230) / 0.045 == pytest.approx(8.6, rel=0.06)
    # At 10.854 um exp(1325.6 * 6.441e-4) * .7257 = 1.70.
    assert noise_of("S8", 230) / noise_of("S8", 270) == pytest.approx(1.70, rel=0.05)


@pytest.mark.parametrize(
    ("reflectance", "mu_sun", "expected"),
    [
        (0.5, 1.0, 0.00209),  # .5 / 250 = .002, and .0006: sqrt(4e-6 + 3.6e-7)
        (0.0, 1.0, 0.0006),
        (0.0, 0.5, 0.0012),  # reflectances are divided by the cosine
        (0.0, 0.02, 0.03),
        (0.0, -0.05, 0.0006),  # but not below the horizon
    ],
)
def test_noise_of_reflectances(reflectance: float, mu_sun: float, expected: float) -> None:
    assert noise_of("S3", reflectance, mu_sun) == pytest.approx(expected, rel=0.02)


def test_the_worlds_factor_multiplies_noise() -> None:
    assert noise_of("S1", 0.5, factor=2) == pytest.approx(2 * noise_of("S1", 0.5), rel=0.02)
    assert noise_of("S7", 270, factor=2) == pytest.approx(0.09, rel=0.04)
    assert noise_of("S1", 0.5, factor=0) == 0
    assert noise_of("S8", 270, factor=0) == 0


def test_noise_is_its_own_in_every_band_and_pixel() -> None:
    bands = {name: full(270, LARGE) for name in ("S7", "S8", "S9")}
    seen = [values.ravel() for values in measured(generator(), bands, full(1, LARGE)).values()]
    np.testing.assert_allclose(np.corrcoef(seen), np.eye(3), atol=0.02)
    assert abs(np.corrcoef(seen[0][:-1], seen[0][1:])[0, 1]) < 0.02


# Range


def test_37_um_saturates_at_312_kelvin() -> None:
    bands = {name: full(320, LARGE) for name in ("S7", "S8")}
    seen = measured(generator(), bands, full(1, LARGE))
    assert seen["S7"].max() == pytest.approx(312)
    assert seen["S7"].min() == pytest.approx(312)
    assert seen["S8"].mean() == pytest.approx(320, abs=0.01)


def test_brightness_temperatures_are_hundredths() -> None:
    for band in ("S7", "S8", "S9"):
        seen = measured(generator(), {band: full(283.456, LARGE)}, full(1, LARGE))[band]
        hundredths = seen.astype(np.float64) * 100
        np.testing.assert_allclose(hundredths, np.rint(hundredths), atol=2e-3)
        assert np.unique(seen).size > 5


def test_nothing_is_colder_than_can_be_measured() -> None:
    # At 200 K a tenth of a kelvin's noise in radiance is as large as the signal in S7.
    seen = measured(generator(), {"S7": full(200, LARGE)}, full(1, LARGE))["S7"]
    assert np.isfinite(seen).all()
    assert seen.min() == pytest.approx(195, abs=0.01)


# Blur


def test_blur_keeps_means_and_spreads_a_pixel() -> None:
    point = full(0, (15, 17))
    point[7, 8] = 1
    spread = blurred(point)
    assert spread.sum() == pytest.approx(1, abs=1e-5)
    # Of a Gaussian of .42 pixels erf(.5 / (.42 sqrt(2))) = .7661 lies within the pixel, either
    # way; .1168 in each neighbour.
    assert spread[7, 8] == pytest.approx(0.7661**2, abs=1e-3)
    assert spread[7, 9] == pytest.approx(0.7661 * 0.1168, abs=1e-3)
    np.testing.assert_allclose(spread, spread[::-1, ::-1], atol=1e-6)
    np.testing.assert_allclose(blurred(full(3, (9, 9))), 3, rtol=1e-6)


def test_half_a_pixel_off_two_pixels_mix() -> None:
    ramp = np.tile(np.arange(20, dtype=np.float32), (12, 1))
    inner = (slice(3, -3), slice(3, -3))
    right = blurred(ramp, 0.0, 0.5)
    np.testing.assert_allclose(right[inner], (ramp + 0.5)[inner], atol=1e-4)
    down = blurred(ramp.T.copy(), 0.5, 0.0)
    np.testing.assert_allclose(down[inner], (ramp.T + 0.5)[inner], atol=1e-4)
    # A pixel's light is seen by two evenly.
    point = full(0, (15, 17))
    point[7, 8] = 1
    seen = blurred(point, 0.0, 0.5)
    assert seen[7, 7] == pytest.approx(seen[7, 8], rel=1e-4)
    assert seen[7, 7:9].sum() > 0.7


def edge_place(values: Field) -> float:
    """Column at which a step from the left's value to the right's lies."""
    left, right = values[:, :4].mean(), values[:, -4:].mean()
    return float(((right - values) / (right - left)).sum(axis=1).mean())


def test_visible_bands_lie_up_to_half_a_pixel_off_the_thermal_ones() -> None:
    step = np.where(np.indices((12, 24))[1] < 12, 0.0, 1.0).astype(np.float32)
    bands = {"S1": step, "S5": step, "S8": 285 - step, "S9": 285 - step}
    shifts = []
    for seed in range(60):
        seen = measured(generator(seed), bands, full(1, (12, 24)), noise_factor=0)
        for name in ("S8", "S9"):
            assert edge_place(seen[name]) == pytest.approx(12, abs=0.03)
        assert edge_place(seen["S1"]) == pytest.approx(edge_place(seen["S5"]), abs=1e-4)
        shifts.append(edge_place(seen["S1"]) - 12)
    # Evenly between -.5 and .5: a deviation of 1 / sqrt(12) = .289.
    assert np.abs(shifts).max() < 0.51
    assert np.std(shifts) == pytest.approx(0.289, abs=0.06)
    assert np.mean(shifts) == pytest.approx(0, abs=0.12)


def test_thermal_bands_are_blurred_in_radiance() -> None:
    # Beside a step from 250 to 300 K pixels get .1168 of the other side's light. At 3.742 um
    # B(300) is exp(3844.9 * (1/250 - 1/300)) = 12.98 times B(250), so .8832 + .1168 * 12.98 = 2.399
    # and .8832 * 12.98 + .1168 = 11.58 times B(250) are seen, as of
    # 1 / (1/250 - ln(2.399) / 3844.9) = 265.1 K, not 255.8, and 297.4 K.
    step = np.where(np.indices((12, 24))[1] < 12, 250.0, 300.0).astype(np.float32)
    seen = measured(generator(), {"S7": step}, full(1, (12, 24)), noise_factor=0)["S7"]
    assert seen[6, 11] == pytest.approx(265.1, abs=0.1)
    assert seen[6, 12] == pytest.approx(297.4, abs=0.1)


# Gaps


def gaps_of(seed: int, first_column: int = 0, shape: tuple[int, int] = (40, 1500)) -> Gaps:
    inside = np.ones(shape, bool)
    inside[:, :20] = False
    return draw_gaps(generator(seed), inside, Window(0, first_column, *shape))


def test_copies_are_few_and_lie_far_from_the_track() -> None:
    shares, outer = [], []
    for seed in range(20):
        gaps = gaps_of(seed)
        shares.append(gaps.cosmetic.mean())
        outer.append(gaps.cosmetic[:, 20:220].mean())
        assert not gaps.cosmetic[:, 498:].any()
    assert max(shares) <= 0.02
    assert np.mean(shares) > 0.001
    assert 0.005 < np.mean(outer) < 0.04


def test_a_copy_is_of_a_pixel_that_was_seen() -> None:
    copies = 0
    for seed in range(20):
        gaps = gaps_of(seed, shape=(40, 300))
        row, column = np.nonzero(gaps.cosmetic)
        copies += row.size
        assert gaps.seen[row, column].all()
        assert gaps.seen[row, column - 1].all()
        assert not gaps.cosmetic[row, column - 1].any()
    assert copies > 500


def test_copies_equal_their_left_neighbour() -> None:
    gaps = gaps_of(3, shape=(40, 300))
    bands = {
        name: generator(n).random((40, 300), np.float32) for n, name in enumerate(("S1", "S8"))
    }
    filled = fill_gaps(bands, gaps)
    row, column = np.nonzero(gaps.cosmetic)
    assert row.size > 20
    for name, values in bands.items():
        np.testing.assert_array_equal(filled[name][row, column], filled[name][row, column - 1])
        others = gaps.seen & ~gaps.cosmetic
        np.testing.assert_array_equal(filled[name][others], values[others])
        assert np.isnan(filled[name][~gaps.seen]).all()
        # What was handed in is left as it was.
        assert np.isfinite(values).all()


def test_some_scenes_have_lost_lines() -> None:
    inside = np.ones((1200, 20), bool)
    lost = []
    for seed in range(300):
        gaps = draw_gaps(generator(seed), inside, Window(0, 990, 1200, 20))
        rows: npt.NDArray[np.bool_] = np.logical_not(gaps.seen.any(axis=1))
        # Lines are lost as a whole.
        assert (gaps.seen | rows[:, np.newaxis]).all()
        lost.append(int(rows.sum()))
    # One scene in ten, 30 give or take 5, one to three lines in each.
    assert 15 <= np.count_nonzero(lost) <= 45
    assert max(lost) == 3
    assert inside.all()


def test_a_window_has_its_share_of_lost_lines() -> None:
    # A tenth of the frame's rows has a tenth of its lines: .1 * 2 * .1 = .02 a scene, 6 of 300.
    inside = np.ones((120, 20), bool)
    lost = 0
    for seed in range(300):
        gaps = draw_gaps(generator(seed), inside, Window(600, 990, 120, 20))
        lost += int((~gaps.seen.any(axis=1)).sum())
    assert 1 <= lost <= 14
