"""Random fields: spectra, spread, direction, cells, and windows that are pieces of a frame."""

import itertools
import math

import numpy as np
import pytest
from scipy import ndimage

from slstr_cloudmask.simulate.fractal import Canvas, Field, _Law, gaussian_level
from slstr_cloudmask.simulate.geometry import Window

FRAME = Window(0, 0, 1200, 1500)
PIECE = Window(510, 730, 64, 80)


def canvas(seed: int = 5, window: Window = PIECE) -> Canvas:
    return Canvas(np.random.default_rng(seed), window)


@pytest.mark.parametrize("slope", [2.0, 3.0])
def test_a_field_has_the_power_spectrum_that_was_asked_for(slope: float) -> None:
    size = 512
    k = np.hypot(np.fft.fftfreq(size)[:, np.newaxis], np.fft.rfftfreq(size))
    # A cosine window keeps the cut edges from leaking power into high wavenumbers.
    taper = np.hanning(size)[:, np.newaxis] * np.hanning(size)
    power = np.zeros(k.shape)
    for seed in range(6):
        field = canvas(seed, Window(300, 400, size, size)).fractal(slope=slope)
        power += np.abs(np.fft.rfft2(field * taper)) ** 2
    # Times k ** slope it is the same everywhere, also where waves of 64 km, at .0156, pass from
    # those drawn on the frame to those drawn on the window. A ring of n modes in 6 fields is
    # known to about 1 / sqrt(6 n / 2), a tenth where there are fewest.
    edges = [0.009, 0.0125, 0.0156, 0.019, 0.025, 0.05, 0.1, 0.2, 0.4]
    rings = [(k >= low) & (k < high) for low, high in itertools.pairwise(edges)]
    means = np.array([(power * k**slope)[ring].mean() for ring in rings])
    np.testing.assert_allclose(means / means[-1], 1, atol=0.2)


def test_beyond_the_outer_scale_there_is_no_more_power() -> None:
    # A spectrum (k^2 + L^-2)^-1.5 with L = 20 km has fallen to 2^-1.5 of its flat part at 20 km
    # wavelength, and has lost 3 % of it at 20 * 7 km: (1 + 1/49)^-1.5 = .970. So waves of 64 to
    # 96 km, at (1 + 1/16)^-1.5 = .91, have little less than those of 96 to 192 km, at about .97.
    k = np.hypot(np.fft.fftfreq(256)[:, np.newaxis], np.fft.rfftfreq(256))
    totals = np.zeros(2)
    for seed in range(12):
        field = canvas(seed, Window(300, 400, 256, 256)).fractal(slope=3, outer_km=20)
        power = np.abs(np.fft.rfft2(field)) ** 2
        rings = (k > 1 / 192) & (k < 1 / 96), (k > 1 / 96) & (k < 1 / 64)
        totals += [power[ring].mean() for ring in rings]
    assert totals[1] / totals[0] == pytest.approx(0.94, abs=0.2)


@pytest.mark.parametrize(
    ("slope", "outer_km", "anisotropy", "smooth"),
    [(3.2, 1000, 1, True), (3.0, 300, 4, False), (2.1, 16, 1, False)],
)
def test_over_many_scenes_a_field_has_mean_0_and_deviation_1(
    slope: float, outer_km: float, anisotropy: float, smooth: bool
) -> None:
    fields = [
        canvas(seed, Window(600, 700, 32, 40)).fractal(
            slope=slope, outer_km=outer_km, anisotropy=anisotropy, angle_rad=0.6, smooth=smooth
        )
        for seed in range(250)
    ]
    # 250 independent scenes give a mean to 1 / sqrt(250) = .063, a variance to sqrt(2/250) = .09.
    assert np.mean(fields) == pytest.approx(0, abs=0.19)
    assert np.mean(np.square(fields)) == pytest.approx(1, abs=0.27)


def test_waves_along_every_direction_count_the_same() -> None:
    # Few and long waves, of 32 to 64 km on 64 pixels, so that a fifth of them runs along the
    # rows: those the transform treats apart. 200 draws of some 20 waves tell a variance to 2 %.
    law = _Law(6.0, 1000.0, 1.0, 0.0)
    draws = [law.draw(np.random.default_rng(n), (64, 64), 1, long=False) for n in range(200)]
    fields = np.array([field for field, _ in draws])
    assert np.mean(np.square(fields)) == pytest.approx(draws[0][1], rel=0.06)
    down, right = (np.mean(np.square(np.diff(fields, axis=axis))) for axis in (1, 2))
    assert down == pytest.approx(right, rel=0.08)


@pytest.mark.parametrize("angle_deg", [0, 45, 90, 135])
def test_structures_are_long_in_the_direction_asked_for(angle_deg: int) -> None:
    # Anisotropy 4 halves distances along and doubles them across. With a slope of 3 the mean
    # squared difference of two pixels grows as their distance: 4 times as much across as along.
    # 45 degrees is from the columns' axis towards the rows': down to the right.
    lag = 6
    down, right = {0: (0, lag), 45: (lag, lag), 90: (lag, 0), 135: (lag, -lag)}[angle_deg]
    ratio = 0.0
    for seed in range(4):
        field = canvas(seed, Window(300, 400, 200, 200)).fractal(
            slope=3, anisotropy=4, angle_rad=math.radians(angle_deg)
        )
        along, across = (difference(field, *step) for step in ((down, right), (-right, down)))
        ratio += across / along / 4
    assert ratio == pytest.approx(4, rel=0.2)


def difference(field: Field, down: int, right: int) -> float:
    """Mean squared difference of pixels this far apart."""
    moved = np.roll(field, (-down, -right), (0, 1))
    inner = (slice(8, -8), slice(8, -8))
    return float(np.mean((moved[inner] - field[inner]) ** 2))


def test_a_window_is_a_piece_of_the_frame() -> None:
    whole = canvas(5, FRAME).fractal(slope=3.2, smooth=True)
    piece = canvas(5, PIECE).fractal(slope=3.2, smooth=True)
    np.testing.assert_allclose(piece, whole[510:574, 730:810], atol=2e-6)


def test_a_small_scene_may_lie_within_one_large_structure() -> None:
    fields = np.array([canvas(seed).fractal(slope=3.2) for seed in range(40)])
    # A window of 64 km holds little of the variance of waves of up to 1000 km.
    assert fields.mean(axis=(1, 2)).std() > 0.7
    assert fields.std(axis=(1, 2)).max() < 0.8


def test_smooth_leaves_short_waves_out() -> None:
    field = canvas(5, Window(300, 400, 256, 256)).fractal(slope=2, smooth=True)
    full = canvas(5, Window(300, 400, 256, 256)).fractal(slope=2)
    taper = np.hanning(256)[:, np.newaxis] * np.hanning(256)
    k = np.hypot(np.fft.fftfreq(256)[:, np.newaxis], np.fft.rfftfreq(256))
    for values, is_smooth in ((field, True), (full, False)):
        power = np.abs(np.fft.rfft2(values * taper)) ** 2
        # The taper widens lines by two of 256 waves: 1/64 + 2/256 = 1/43 is all there can be.
        share = power[k > 1 / 40].sum() / power.sum()
        assert (share < 1e-3) == is_smooth, share


def test_no_two_fields_of_a_canvas_are_alike_but_a_seed_repeats_them() -> None:
    first, second = canvas(5), canvas(5)
    for _ in range(2):
        np.testing.assert_array_equal(first.fractal(slope=3), second.fractal(slope=3))
        np.testing.assert_array_equal(first.cells(20), second.cells(20))
    again = canvas(5)
    one, two = again.fractal(slope=3), again.fractal(slope=3)
    assert np.abs(one - two).mean() > 0.3
    assert np.abs(one - canvas(6).fractal(slope=3)).mean() > 0.3


@pytest.mark.parametrize(
    "window",
    [
        Window(-900, -750, 3000, 3000),
        Window(-40, 1470, 64, 80),
        Window(1180, -30, 33, 47),
        Window(0, 0, 32, 3000),
    ],
)
def test_windows_may_reach_beyond_the_frame(window: Window) -> None:
    field = canvas(5, window).fractal(slope=3.0, smooth=True)
    assert field.dtype == np.float32
    assert field.shape == (window.rows, window.columns)
    assert np.isfinite(field).all()
    # It goes on to the last row and column, without a step: a slope of 3 below 64 km has none.
    for axis in (0, 1):
        steps = np.abs(np.diff(field, axis=axis))
        assert steps.max() < 0.2
        assert steps.max(axis=1 - axis).min() > 0


def test_rough_fields_and_cells_beyond_the_frame() -> None:
    outside = canvas(5, Window(-40, 1470, 65, 81))
    for field in (outside.fractal(slope=2.1), outside.cells(20)):
        assert field.dtype == np.float32
        assert field.shape == (65, 81)
        assert np.isfinite(field).all()


# Cells


def test_cells_range_from_centre_to_border() -> None:
    cells = canvas(5, Window(100, 100, 91, 113)).cells(15)
    assert cells.shape == (91, 113)
    assert 0 <= cells.min() < 0.15
    assert 0.9 < cells.max() <= 1


@pytest.mark.parametrize("spacing_km", [20, 30])
def test_cells_are_as_far_apart_as_asked_for(spacing_km: int) -> None:
    # Centres on a hexagonal pattern, rows sqrt(3/4) of the spacing apart: 240 x 300 km hold
    # 240 * 300 / (.866 * spacing ** 2) of them, 208 or 92.
    cells = canvas(5, Window(100, 100, 240, 300)).cells(spacing_km)
    calm = ndimage.gaussian_filter(cells, spacing_km / 6)  # without the ragged borders
    count = (ndimage.minimum_filter(calm, size=spacing_km // 2 + 1) == calm).sum()
    assert count == pytest.approx(240 * 300 / (0.866 * spacing_km**2), rel=0.2)


# Levels


@pytest.mark.parametrize(("fraction", "level"), [(0.5, 0.0), (0.158655, 1.0), (0.97725, -2.0)])
def test_levels_of_a_normal_distribution(fraction: float, level: float) -> None:
    # A sixth of it lies beyond one standard deviation, a fortieth beyond two.
    assert gaussian_level(fraction) == pytest.approx(level, abs=1e-4)


def test_levels_of_nothing_and_everything_are_finite() -> None:
    # One in a million: 4.753 standard deviations.
    assert gaussian_level(0) == pytest.approx(4.753, abs=1e-3)
    assert gaussian_level(1) == pytest.approx(-4.753, abs=1e-3)


def test_a_level_is_exceeded_by_its_share() -> None:
    shares = [
        (canvas(seed).fractal(slope=2.1, outer_km=16) > gaussian_level(0.3)).mean()
        for seed in range(20)
    ]
    assert np.mean(shares) == pytest.approx(0.3, abs=0.03)
