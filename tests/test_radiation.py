"""Planck's law and the two-stream solution, against numbers worked out by hand."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slstr_cloudmask.simulate import radiation


def number(value: float) -> radiation.Array:
    return np.array(value)


# Planck


def test_planck_by_hand() -> None:
    # 14387.77 / (10.854 * 300) = 4.41857; exp - 1 = 81.977; 1.191043e8 / 10.854^5 = 790.62;
    # the quotient is 9.644 W m-2 sr-1 um-1.
    assert radiation.planck_radiance(10.854, number(300)) == pytest.approx(9.644, abs=0.003)


def test_all_wavelengths_together_give_the_law_of_stefan_and_boltzmann() -> None:
    # pi times the integral over wavelength is 5.6704e-8 * 300^4 = 459.3 W m-2.
    wavelengths = np.linspace(2, 400, 40_000)
    radiance = [radiation.planck_radiance(float(w), number(300)) for w in wavelengths]
    assert math.pi * np.trapezoid(radiance, wavelengths) == pytest.approx(459.3, rel=2e-3)


@given(kelvin=st.floats(180, 340), wavelength=st.sampled_from([3.742, 10.854, 12.0225]))
def test_brightness_temperature_undoes_planck(kelvin: float, wavelength: float) -> None:
    radiance = radiation.planck_radiance(wavelength, number(kelvin))
    assert radiation.brightness_temperature(wavelength, radiance) == pytest.approx(kelvin)


@pytest.mark.parametrize(
    ("reflectance", "kelvin"), [(0.03, 290.6), (0.10, 300.3), (0.15, 305.6), (0.25, 314.0)]
)
def test_sunlit_cloud_at_37_um(reflectance: float, kelvin: float) -> None:
    # A cloud of 285 K under a sun of cosine .7: B(285 K) = .22456, and for a reflectance of .1
    # .9 * .22456 + .1 * 11 * .7 / pi = .44720, which is B(300.3 K).
    emitted = (1 - reflectance) * radiation.planck_radiance(3.742, number(285))
    solar = reflectance * radiation.SOLAR_IRRADIANCE_S7 * 0.7 / math.pi
    seen = radiation.brightness_temperature(3.742, emitted + solar)
    assert seen == pytest.approx(kelvin, abs=0.06)


# Two streams


def test_two_streams_without_absorption_by_hand() -> None:
    # g = .85: f = .7225, tau' = .2775 * 10 = 2.775, g' = .85 / 1.85 = .459459,
    # gamma1 = 3 (1 - g') / 4 = .405405, gamma3 = (2 - 3 g' * .7) / 4 = .258784 and
    # R = (gamma1 tau' + (gamma3 - gamma1 mu)(1 - exp(-tau'/mu))) / (1 + gamma1 tau')
    #   = (1.125 - .025 * .98101) / 2.125 = .51787 (Meador and Weaver 1980, conservative case).
    albedo, transmittance = radiation.two_stream(number(10), 1.0, 0.85, number(0.7))
    assert albedo == pytest.approx(0.51787, abs=2e-4)
    assert transmittance == pytest.approx(1 - 0.51787, abs=2e-4)


def test_a_thin_layer_scatters_once() -> None:
    # tau = .001, omega = .9, g = 0: of the .9 * .001 / .5 = .0018 of the beam that is scattered,
    # half goes up; .002 is taken from the beam and half of the scattered goes on down.
    albedo, transmittance = radiation.two_stream(number(1e-3), 0.9, 0.0, number(0.5))
    assert albedo == pytest.approx(0.0009, rel=0.01)
    assert 1 - transmittance == pytest.approx(0.0020 - 0.0009, rel=0.01)


def test_a_black_layer_only_takes_away() -> None:
    # exp(-2 / .5) = .018316
    albedo, transmittance = radiation.two_stream(number(2.0), 0.0, 0.0, number(0.5))
    assert albedo == pytest.approx(0, abs=1e-9)
    assert transmittance == pytest.approx(0.018316, abs=1e-6)


@given(
    tau=st.floats(0, 200),
    omega=st.floats(0.4, 1),
    g=st.floats(0.7, 0.9),
    mu=st.floats(0.05, 1),
)
@settings(max_examples=60)
def test_two_streams_make_no_light(tau: float, omega: float, g: float, mu: float) -> None:
    albedo, transmittance = radiation.two_stream(number(tau), omega, g, number(mu))
    assert albedo >= 0
    assert transmittance >= 0
    assert albedo + transmittance <= 1 + 1e-3


@given(tau=st.floats(0, 100), g=st.floats(0.7, 0.9), mu=st.floats(0.05, 1))
@settings(max_examples=60)
def test_two_streams_lose_no_light_without_absorption(tau: float, g: float, mu: float) -> None:
    albedo, transmittance = radiation.two_stream(number(tau), 1.0, g, number(mu))
    assert albedo + transmittance == pytest.approx(1, abs=1e-3)


def test_two_streams_at_their_limits() -> None:
    nothing = radiation.two_stream(number(0), 0.9, 0.85, number(0.7))
    np.testing.assert_allclose(nothing, (0, 1), atol=1e-9)
    # Without absorption a layer without end returns everything.
    albedo, _ = radiation.two_stream(number(1e5), 1.0, 0.85, number(0.7))
    assert albedo == pytest.approx(1, abs=0.02)


def test_diffuse_light_is_the_mean_over_all_directions() -> None:
    # A black layer lets 2 E3(tau) of diffuse light through: E3(1) = .10969 (tables), twice that.
    albedo, transmittance = radiation.diffuse_two_stream(np.array([0.0, 1.0]), 0.0, 0.0)
    np.testing.assert_allclose(albedo, 0, atol=1e-9)
    np.testing.assert_allclose(transmittance, [1, 0.21938], atol=2e-4)
    # Without absorption all of it comes out on one side or the other.
    albedo, transmittance = radiation.diffuse_two_stream(np.array([0.5, 5.0, 50.0]), 1.0, 0.85)
    np.testing.assert_allclose(albedo + transmittance, 1, atol=1e-3)
    assert (np.diff(albedo) > 0.1).all()
