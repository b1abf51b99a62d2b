"""The air: vapour, gases, molecules and aerosol, against numbers worked out by hand."""

import math

import numpy as np
import pytest

from slstr_cloudmask.simulate import atmosphere
from slstr_cloudmask.simulate.atmosphere import Air, SunPath
from slstr_cloudmask.simulate.fractal import Canvas, Field
from slstr_cloudmask.simulate.geometry import Window

from .stages import air_of, full

ONE = (1, 1)


def at(*values: float) -> Field:
    return np.array(values, np.float32)


def canvas(seed: int = 5) -> Canvas:
    return Canvas(np.random.default_rng(seed), Window(500, 700, 64, 80))


# Thermal bands


def test_deficits_by_hand() -> None:
    # A surface .35 * x / 8 = .1, x = 2.286 K warmer than the air has a factor of .9 + .1 = 1.
    # 50 mm: .15 + 1.5 + 2.75 = 4.4 K and .2 + 2.25 + 3.5 = 5.95 K; 5 mm: .15 + .15 + .0275 and
    # .2 + .225 + .035.
    lapse = at(2.2857, 2.2857)
    deficits = atmosphere.infrared_deficits_kelvin(at(50, 5), at(1, 1), lapse)
    np.testing.assert_allclose(deficits["S8"], [4.4, 0.3275], rtol=1e-4)
    np.testing.assert_allclose(deficits["S9"], [5.95, 0.460], rtol=1e-4)
    # At 60 degrees the way is longer: 2 ** .9 = 1.866 times as much.
    slanted = atmosphere.infrared_deficits_kelvin(at(50, 5), at(0.5, 0.5), lapse)
    np.testing.assert_allclose(slanted["S8"], [8.211, 0.6112], rtol=1e-3)


def test_moist_air_cools_12_um_most_and_37_um_least() -> None:
    deficits = atmosphere.infrared_deficits_kelvin(at(30, 60), at(0.9, 0.9), at(1, 1))
    assert (deficits["S9"] > deficits["S8"] + 0.3).all()
    assert (deficits["S8"] > deficits["S7"] + 0.3).all()


def test_cool_air_over_a_warm_surface_makes_the_deficit_larger() -> None:
    vapour, mu = at(20, 20, 20), at(1, 1, 1)
    cold, even, warm = atmosphere.infrared_deficits_kelvin(vapour, mu, at(-8, 0, 8))["S8"]
    # .9 - .35, .9 and .9 + .35 times as large.
    assert warm / even == pytest.approx(1.25 / 0.9, rel=1e-4)
    assert cold / even == pytest.approx(0.55 / 0.9, rel=1e-4)


# 1.375 um


def test_moist_air_hides_the_ground_at_1375_but_not_cirrus() -> None:
    # (10 mm * 2.5) ^ .68 = 8.925; exp(-.72 * 8.925) = .00162
    through = atmosphere.cirrus_band_transmittance(10.0, 2.5)
    assert through == pytest.approx(0.00162, abs=2e-5)
    # 15 mm * exp(-10 / 2.1) = .1283 mm; (.1283 * 2.5) ^ .68 = .4616; exp(-.72 * .4616) = .717
    above = atmosphere.vapour_above_mm(at(15.0), 10.0)
    assert above == pytest.approx(0.1283, abs=1e-4)
    assert atmosphere.cirrus_band_transmittance(above, 2.5) == pytest.approx(0.717, abs=1e-3)
    # Dry polar air of 2 mm: 5 ^ .68 = 2.988; exp(-.72 * 2.988) = .116, so snow shows.
    assert atmosphere.cirrus_band_transmittance(2.0, 2.5) == pytest.approx(0.116, abs=1e-3)


# Sunlight


def test_scattering_angles() -> None:
    # Sun and satellite 60 degrees from the zenith: on the same side light comes straight back;
    # opposite each other it is bent by 60 degrees; at right angles by acos(-.25).
    half = at(0.5, 0.5, 0.5)
    cosine = atmosphere.scattering_cosine(half, half, at(1, -1, 0))
    np.testing.assert_allclose(cosine, [-1, 0.5, -0.25], atol=1e-6)


def test_molecules_scatter_as_the_fourth_power_of_the_wavelength() -> None:
    # (.868 / .555) ** 4 = 5.98, (1.613 / .659) ** 4 = 35.9
    depth = atmosphere.RAYLEIGH
    assert depth["S1"] / depth["S3"] == pytest.approx(5.98, rel=0.05)
    assert depth["S2"] / depth["S5"] == pytest.approx(35.9, rel=0.35)


def test_clear_air_over_a_black_ground_by_hand() -> None:
    # Sun and satellite overhead: light turns back, phase .75 * 2 = 1.5, and
    # .095 * 1.5 / 4 = .0356 in S1, .016 * 1.5 / 4 = .0060 in S3.
    sun = SunPath.of(at(1), at(1), at(0))
    air = air_of(15, haze=0, shape=ONE)
    for band, expected in (("S1", 0.0356), ("S3", 0.0060)):
        seen = atmosphere.add_air(band, full(0, ONE), air, sun, full(1, ONE))
        assert seen == pytest.approx(expected, abs=1e-4)


def test_a_bright_ground_through_clear_air_by_hand() -> None:
    # As above, and of .5 exp(-.5 * .095 * 2) * .985 = .8957 comes through: .4479.
    sun = SunPath.of(at(1), at(1), at(0))
    air = air_of(15, haze=0, shape=ONE)
    seen = atmosphere.add_air("S1", full(0.5, ONE), air, sun, full(1, ONE))
    assert seen == pytest.approx(0.0356 + 0.4479, abs=2e-4)


def test_gases_take_more_on_a_longer_way() -> None:
    # At 2.256 um .965 at an air mass of 2, .965 ** 2 = .931 at 4; molecules and haze do not count.
    air = air_of(15, haze=0, shape=ONE)
    for mu, expected in ((1.0, 0.965), (0.5, 0.931)):
        sun = SunPath.of(at(mu), at(mu), at(0))
        seen = atmosphere.add_air("S6", full(1, ONE), air, sun, full(1, ONE))
        assert seen == pytest.approx(expected, abs=1e-3)


def test_an_air_mass_ends_at_the_horizon() -> None:
    sun = SunPath.of(at(0.02, 0.5), at(1, 1), at(0, 0))
    np.testing.assert_allclose(sun.airmass, [12, 3])


def test_aerosol_by_angstrom_exponents() -> None:
    # 1.613 / .55 = 2.9327: haze 1 / 2.9327 = .3410, dust ** -.2 = .8064, smoke ** -1.8 = .1442.
    one = full(1, ONE)
    for name, expected in (("haze", 0.3410), ("dust", 0.8064), ("smoke", 0.1442)):
        parts = {"haze": 0 * one, "dust": 0 * one, "smoke": 0 * one} | {name: one}
        air = Air(15 * one, parts["haze"], parts["dust"], parts["smoke"])
        assert atmosphere.aerosol_depth("S5", air) == pytest.approx(expected, abs=1e-4)
        assert atmosphere.aerosol_depth("S1", air) == pytest.approx(1, abs=0.02)


def test_cloud_hides_the_aerosol_and_the_air_below_it() -> None:
    sun = SunPath.of(at(1), at(1), at(0))
    hazy, clean = air_of(15, haze=0.5, shape=ONE), air_of(15, haze=0, shape=ONE)
    black, above = full(0, ONE), atmosphere.air_pressure_share(8.0)
    # Above 8 km lies 1 / e of the air.
    assert above == pytest.approx(math.exp(-1), abs=1e-6)
    clear = [atmosphere.add_air("S1", black, air, sun, full(1, ONE)) for air in (hazy, clean)]
    high = [atmosphere.add_air("S1", black, air, sun, above) for air in (hazy, clean)]
    assert clear[0] - clear[1] > 0.02
    # 1 / e ** 4 = .018 of the aerosol, 1 / e of the molecules.
    assert (high[0] - high[1]) / (clear[0] - clear[1]) == pytest.approx(0.018, abs=2e-3)
    assert high[1] / clear[1] == pytest.approx(0.368, abs=1e-3)


def test_moist_air_hides_aerosol_at_1375() -> None:
    sun = SunPath.of(at(1), at(1), at(0))
    moist, dry = air_of(30, haze=0.5, shape=ONE), air_of(1, haze=0.5, shape=ONE)
    black, one = full(0, ONE), full(1, ONE)
    seen = [atmosphere.add_air("S4", black, air, sun, one) for air in (moist, dry)]
    # Molecules alone: .002 * 1.5 / 4 = .00075.
    assert seen[0] == pytest.approx(0.00075, abs=1e-5)
    assert seen[1] > 0.005


# What is drawn


def test_warm_air_holds_more_vapour() -> None:
    means = []
    for kelvin in (245, 275, 300):
        drawn = [
            atmosphere.draw_air(
                canvas(seed), full(kelvin), dust_share=0, smoke_share=0
            ).vapour_mm.mean()
            for seed in range(40)
        ]
        assert min(drawn) >= 1
        assert max(drawn) <= 60
        means.append(np.mean(drawn))
    # Polar, temperate and tropical air: about 4, 6-8 and 40-55 mm.
    assert 2 < means[0] < 6
    assert means[0] + 1 < means[1] < 12
    assert 35 < means[2] < 58


def test_the_factor_multiplies_vapour() -> None:
    one, more = (
        atmosphere.draw_air(
            canvas(), full(275), dust_share=0, smoke_share=0, vapour_factor=factor
        ).vapour_mm
        for factor in (1.0, 1.2)
    )
    np.testing.assert_allclose(more, np.float32(1.2) * one, rtol=1e-5)


def test_haze_is_thin() -> None:
    depths = [
        atmosphere.draw_air(canvas(seed), full(280), dust_share=0, smoke_share=0).haze_depth
        for seed in range(40)
    ]
    assert 0.05 < np.median(depths) < 0.2
    assert np.min(depths) > 0


def test_plumes_come_by_chance() -> None:
    never = atmosphere.draw_air(canvas(), full(280), dust_share=0, smoke_share=0)
    assert not never.dust_depth.any()
    assert not never.smoke_depth.any()
    always = [
        atmosphere.draw_air(canvas(seed), full(280), dust_share=1, smoke_share=1)
        for seed in range(40)
    ]
    for air in always:
        assert air.dust_depth.min() >= 0
        assert air.dust_depth.max() + air.smoke_depth.max() < 4
    # A window of 64 km lies beside a plume in about half of the cases.
    dusty = np.mean([air.dust_depth.max() > 0.1 for air in always])
    assert 0.25 < dusty < 0.9
    # Chances are those of scenes: about half of them.
    sometimes = [
        atmosphere.draw_air(canvas(seed), full(280), dust_share=0.5, smoke_share=0)
        for seed in range(40)
    ]
    assert not any(air.smoke_depth.any() for air in sometimes)
    assert 0.1 < np.mean([air.dust_depth.max() > 0.1 for air in sometimes]) / dusty < 0.9
