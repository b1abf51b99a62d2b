"""Optics of cloud, dust and smoke: the shipped Mie table, and what a layer does to light."""

import csv
import importlib
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slstr_cloudmask.errors import InputError
from slstr_cloudmask.simulate import mie
from slstr_cloudmask.simulate.optics import (
    PARTICLES,
    SOLAR_BANDS,
    Flat,
    LayerResponse,
    infrared_emissivity,
)
from slstr_cloudmask.simulate.radiation import diffuse_two_stream, two_stream

BANDS = (*SOLAR_BANDS, "S8", "S9")
CLOUDS = [name for name in PARTICLES if name.startswith(("water", "ice"))]


def full(value: float, size: int = 1) -> Flat:
    return np.full(size, value, np.float32)


# The table


def test_the_table_holds_what_the_script_makes() -> None:
    assert list(PARTICLES) == list(mie.POPULATIONS)
    assert tuple(mie.BANDS_UM) == BANDS
    assert [name for name in PARTICLES if name not in CLOUDS] == ["dust", "smoke"]
    for particles in PARTICLES.values():
        for values in (particles.albedo, particles.extinction, particles.asymmetry):
            assert tuple(values) == BANDS
        assert all(0 < albedo <= 1 for albedo in particles.albedo.values())
        assert all(extinction > 0 for extinction in particles.extinction.values())
        assert all(0 < asymmetry < 1 for asymmetry in particles.asymmetry.values())


def test_unknown_particles_are_named() -> None:
    with pytest.raises(InputError, match=r"Unknown particles hail\. Choose from: water4, "):
        infrared_emissivity("hail", "S8", full(1), full(1))
    with pytest.raises(InputError, match="Unknown particles hail"):
        LayerResponse.of("hail", full(1), None, full(1))


@pytest.mark.parametrize("name", CLOUDS)
def test_cloud_hardly_absorbs_visible_light(name: str) -> None:
    # Absorption of a large weakly absorbing sphere: 1 - omega ~ .85 k x with x = 2 pi r / lambda
    # (Twomey and Bohren 1980); k = 2e-9 and 55 um at .554 um give 1e-6.
    assert 1 - PARTICLES[name].albedo["S1"] < 4e-6


@pytest.mark.parametrize("name", CLOUDS)
def test_large_particles_take_twice_their_shadow_at_every_wavelength(name: str) -> None:
    # Extinction tends to twice the geometric cross-section, approached as 1 + 1.1 x^(-2/3)
    # (van de Hulst 1957), with x = 2 pi r / lambda: at 2.26 um and 4 um x = 11, 1.22.
    # In between lies Mie's first maximum, at x = 2 / (n - 1) ~ 7 and up to 1.5 times as high.
    radius = float(name.removeprefix("water").removeprefix("ice"))
    for band in SOLAR_BANDS:
        x = 2 * math.pi * radius / mie.BANDS_UM[band][0]
        limit = 1 + 1.1 * x ** (-2 / 3)
        assert 0.99 < PARTICLES[name].extinction[band] < limit * (1.2 if x < 20 else 1.02)


def test_larger_particles_absorb_more() -> None:
    for substance in ("water", "ice"):
        names = [name for name in CLOUDS if name.startswith(substance)]
        for band in ("S4", "S5", "S6", "S7"):
            albedo = [PARTICLES[name].albedo[band] for name in names]
            assert albedo == sorted(albedo, reverse=True)


# From an earlier calculation of our own, with water at 25 degrees C: the table's water is at 0.
# Albedo of S5 to S9, extinction of S7 to S9, asymmetry of S1, S5, S6 and S7.
EARLIER = """
water5  .9969 .9902 .952 .380 .249   1.33 .44 .55   .85 .81 .80 .76
water10 .9940 .9803 .896 .510 .373   1.11 .85 .82   .86 .85 .85 .80
water14 .9916 .9732 .866 .538 .417   1.10 1.03 .92  .87 .85 .86 .83
water20 .9885 .9620 .827 .539 .451   1.06 1.12 .99  .87 .87 .87 .86
ice15   .9725 .9841 .775 .427 .473   1.09 .93 1.12  .77 .80 .83 .87
ice25   .956  .974  .699 .468 .500   1.06 1.01 1.10 .77 .80 .83 .87
ice40   .934  .961  .632 .490 .519   1.05 1.03 1.09 .77 .80 .83 .87
"""


@pytest.mark.parametrize("line", EARLIER.split("\n")[1:-1])
def test_the_table_is_near_an_earlier_one(line: str) -> None:
    name, *words = line.split()
    numbers = np.array([float(word) for word in words])
    particles = PARTICLES[name]
    albedo = [particles.albedo[band] for band in BANDS[4:]]
    np.testing.assert_allclose(albedo[:2], numbers[:2], atol=0.002)
    np.testing.assert_allclose(albedo[2:], numbers[2:5], atol=0.042)
    extinction = [particles.extinction[band] for band in BANDS[6:]]
    np.testing.assert_allclose(extinction, numbers[5:8], atol=0.06)
    asymmetry = [particles.asymmetry[band] for band in ("S1", "S5", "S6", "S7")]
    np.testing.assert_allclose(asymmetry, numbers[8:], atol=0.011)


def test_dust_and_smoke() -> None:
    dust, smoke = PARTICLES["dust"], PARTICLES["smoke"]
    # Silicates take more at 11 than at 12 um, the reverse of water: what dust is told by.
    absorption = [dust.extinction[band] * (1 - dust.albedo[band]) for band in ("S8", "S9")]
    assert absorption[0] > 2 * absorption[1]
    assert 0.88 < dust.albedo["S1"] < dust.albedo["S3"] < 0.99
    assert dust.extinction["S3"] == pytest.approx(1, abs=0.15)
    # Particles smaller than the wavelength: extinction falls as lambda^-1.5 or faster.
    assert 0.92 < smoke.albedo["S1"] < 0.97
    assert smoke.extinction["S3"] < (0.55 / 0.868) ** 1.5
    assert smoke.extinction["S8"] < 0.01


# The script


def test_a_missing_extra_prints_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def absent(name: str) -> None:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(importlib, "import_module", absent)
    assert mie.main([str(tmp_path / "mie.csv")]) == 1
    assert "pip install 'slstr-cloudmask[mie]'" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_refractive_indices_lie_where_they_should() -> None:
    # Rowe et al. (2020) at 10.854 um and 0 degrees C: 1.1463 and .09535.
    index = mie.refractive_index({"water": 1}, 10.854)
    assert index.real == pytest.approx(1.1463, abs=2e-4)
    assert index.imag == pytest.approx(-0.09535, rel=2e-3)
    # Warren and Brandt (2008) list k = 2.69e-4 near 1.61 um.
    assert -mie.refractive_index({"ice": 1}, 1.6134).imag == pytest.approx(2.66e-4, rel=0.02)
    # By volume: (1.75 + 1.53) / 2 at .55 um.
    mixed = mie.refractive_index({"soot": 0.5, "water_soluble": 0.5}, 0.55)
    assert mixed == pytest.approx(1.64 - 0.223j)
    with pytest.raises(InputError, match=r"water is tabulated from .* not at 20 um"):
        mie.refractive_index({"water": 1}, 20.0)


@pytest.mark.parametrize(
    "sizes", [mie.Sizes(10.0, 0.1), mie.Sizes(1.7, 2.0, lognormal=True)], ids=["gamma", "lognormal"]
)
def test_sizes_have_their_effective_radius(sizes: mie.Sizes) -> None:
    # Third over second moment; the last factor of r is the logarithmic step.
    radius = np.geomspace(0.01, 100, 4000)
    numbers = sizes.numbers(radius) * radius
    effective = np.sum(numbers * radius**3) / np.sum(numbers * radius**2)
    assert effective == pytest.approx(sizes.effective_um, rel=1e-3)


def test_a_sphere_of_the_textbook() -> None:
    miepython = pytest.importorskip("miepython", reason="needs the extra mie")
    # Bohren and Huffman (1983), appendix A: n = 1.55, x = 5.213, both efficiencies 3.10543.
    extinction, scattering, _, _ = miepython.efficiencies_mx(1.55 + 0j, 5.21282)
    assert extinction == pytest.approx(3.10543, abs=1e-4)
    assert scattering == pytest.approx(3.10543, abs=1e-4)


@pytest.mark.parametrize(("name", "band"), [("water6", "S8"), ("dust", "S9"), ("smoke", "S3")])
def test_the_script_makes_the_shipped_numbers(name: str, band: str) -> None:
    pytest.importorskip("miepython", reason="needs the extra mie")
    particles = PARTICLES[name]
    shipped = (
        particles.albedo[band],
        particles.extinction[band],
        particles.asymmetry[band],
    )
    assert mie.band_optics(name, band) == pytest.approx(shipped, abs=2e-6)


def test_the_script_writes_its_table(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("miepython", reason="needs the extra mie")
    monkeypatch.setattr(mie, "POPULATIONS", {"smoke": mie.POPULATIONS["smoke"]})
    path = tmp_path / "mie.csv"
    assert mie.main([str(path)]) == 0
    rows = [line for line in path.read_text().splitlines() if not line.startswith("#")]
    assert [row[:2] for row in csv.reader(rows)] == [
        ["particles", "quantity"],
        ["smoke", "albedo"],
        ["smoke", "extinction"],
        ["smoke", "asymmetry"],
    ]


# Layers


# Plane albedo at mu = .7 from the same earlier calculation.
@pytest.mark.parametrize(
    ("particles", "band", "expected"),
    [
        ("water10", "S1", (0.027, 0.085, 0.22, 0.49, 0.75)),
        ("water10", "S5", (0.032, 0.098, 0.24, 0.49, 0.62)),
        ("water10", "S6", (0.032, 0.097, 0.23, 0.40, 0.44)),
        ("water10", "S7", (0.037, 0.098, 0.17, 0.20, 0.20)),
        ("ice25", "S1", (0.045, 0.14, 0.33, 0.62, 0.83)),
        ("ice25", "S5", (0.038, 0.11, 0.23, 0.33, 0.34)),
        ("ice25", "S6", (0.033, 0.10, 0.23, 0.38, 0.41)),
        ("ice25", "S7", (0.017, 0.037, 0.05, 0.05, 0.05)),
    ],
)
def test_albedo_of_cloud(particles: str, band: str, expected: tuple[float, ...]) -> None:
    tau = np.array([0.3, 1, 3, 10, 30], np.float32)
    response = LayerResponse.of(particles, tau, full(0.7, 5), full(0.7, 5))
    np.testing.assert_allclose(response.albedo_sun[band], expected, atol=0.035)


def test_conservative_cloud_by_hand() -> None:
    # As two streams without absorption (Meador and Weaver 1980), g = .8639, tau = 10 (.99995):
    # f = .74632, tau' = 2.5367, g' = .46349, gamma1 = 3 (1 - g') / 4 = .40238,
    # gamma3 = (2 - 3 g' .7) / 4 = .25667 and
    # R = (gamma1 tau' + (gamma3 - gamma1 .7)(1 - exp(-tau'/.7))) / (1 + gamma1 tau')
    #   = (1.02072 - .02500 * .97331) / 2.02072 = .49309.
    response = LayerResponse.of("water10", full(10), full(0.7), full(0.7))
    assert response.albedo_sun["S1"][0] == pytest.approx(0.4931, abs=1e-3)
    assert response.transmittance_sun["S1"][0] == pytest.approx(1 - 0.4931, abs=1e-3)


@pytest.mark.parametrize("particles", PARTICLES)
def test_tables_agree_with_the_formula(particles: str) -> None:
    rng = np.random.default_rng(5)
    tau = np.concatenate([rng.uniform(0, 60, 4000), np.geomspace(0.001, 290, 4000)])
    tau = tau.astype(np.float32)
    mu = rng.permutation(np.geomspace(0.03, 1, 8000)).astype(np.float32)
    response = LayerResponse.of(particles, tau, mu, np.float32(1.03) - mu)
    optics = PARTICLES[particles]
    for band in SOLAR_BANDS:
        omega, g = optics.albedo[band], optics.asymmetry[band]
        own_tau = tau * optics.extinction[band]
        albedo, transmittance = two_stream(own_tau, omega, g, mu)
        np.testing.assert_allclose(response.albedo_sun[band], albedo, atol=0.004)
        np.testing.assert_allclose(response.transmittance_sun[band], transmittance, atol=0.004)
        diffuse, _ = diffuse_two_stream(own_tau, omega, g)
        np.testing.assert_allclose(response.albedo_diffuse[band], diffuse, atol=5e-4)
        albedo, transmittance = two_stream(own_tau, omega, g, np.float32(1.03) - mu)
        np.testing.assert_allclose(response.transmittance_view[band], transmittance, atol=0.004)
    np.testing.assert_allclose(response.albedo_view["S7"], albedo, atol=0.004)


@given(
    particles=st.sampled_from(list(PARTICLES)),
    tau=st.floats(0, 1000, width=32),
    mu=st.floats(0, 1, width=32),
)
@settings(max_examples=100, deadline=None)
def test_a_layer_makes_no_light(particles: str, tau: float, mu: float) -> None:
    response = LayerResponse.of(particles, full(tau), full(mu), full(mu))
    for band in SOLAR_BANDS:
        albedo, passed = response.albedo_sun[band][0], response.transmittance_sun[band][0]
        assert -0.004 <= albedo <= 1.004
        assert -0.004 <= passed <= 1.004
        # Where nothing absorbs, all light comes out.
        least = 0.97 if band == "S1" and particles in CLOUDS else -0.004
        assert least <= albedo + passed <= 1.006


def test_a_layer_at_its_limits() -> None:
    nothing = LayerResponse.of("ice25", full(0), full(0.7), full(0.7))
    endless = LayerResponse.of("water10", full(1e6), full(0.7), full(0.7))
    for band in SOLAR_BANDS:
        assert nothing.albedo_sun[band][0] == pytest.approx(0, abs=2e-3)
        assert nothing.transmittance_view[band][0] == pytest.approx(1, abs=2e-3)
        assert nothing.albedo_diffuse[band][0] == pytest.approx(0, abs=2e-3)
        assert endless.albedo_sun[band][0] + endless.transmittance_sun[band][0] <= 1.001
    assert endless.transmittance_sun["S7"][0] == pytest.approx(0, abs=1e-4)
    assert endless.albedo_sun["S1"][0] > 0.93


def test_what_is_looked_up_by_night() -> None:
    tau, mu = full(3, 4), full(0.8, 4)
    night = LayerResponse.of("water10", tau, None, mu)
    day = LayerResponse.of("water10", tau, mu, mu)
    assert set(night.albedo_view) == set(night.transmittance_view) == {"S7"}
    for nothing in (night.albedo_sun, night.transmittance_sun, night.albedo_diffuse):
        assert not nothing
    assert set(day.albedo_view) == {"S7"}
    for values in (day.albedo_sun, day.transmittance_sun, day.transmittance_view):
        assert tuple(values) == SOLAR_BANDS
        assert all(array.dtype == np.float32 and array.shape == (4,) for array in values.values())
    np.testing.assert_array_equal(night.transmittance_view["S7"], day.transmittance_view["S7"])
    np.testing.assert_array_equal(night.albedo_view["S7"], day.albedo_sun["S7"])


# Thermal bands


def test_infrared_emissivity_by_hand() -> None:
    # Water of 10 um at 11 um: extinction .809174, albedo .472603, asymmetry .925792.
    # Absorption .809174 * .527397 = .426756; s = .472603 * .074208 / .527397 = .066498, and
    # 1.066498 ^ .25 = 1.016227; 1 - exp(-.426756 * 1.016227 * 2 / .8) = 1 - exp(-1.08420) = .66183
    assert infrared_emissivity("water10", "S8", full(2), full(0.8))[0] == pytest.approx(
        0.66183, abs=2e-4
    )


# From an adding-doubling calculation with 32 streams, Henyey and Greenstein's phase function and
# the table's numbers: 1 - reflectance - transmittance towards mu = .7 at depths of .3, 1 and 3.
@pytest.mark.parametrize(
    ("particles", "band", "expected"),
    [
        ("water5", "S8", (0.118, 0.346, 0.724)),
        ("water10", "S8", (0.169, 0.466, 0.848)),
        ("water20", "S9", (0.211, 0.550, 0.908)),
        ("ice15", "S9", (0.228, 0.584, 0.924)),
        ("ice25", "S8", (0.206, 0.540, 0.902)),
        ("ice55", "S9", (0.198, 0.525, 0.892)),
        ("dust", "S8", (0.045, 0.149, 0.398)),
        ("dust", "S9", (0.019, 0.065, 0.194)),
    ],
)
def test_infrared_emissivity_with_scattering(
    particles: str, band: str, expected: tuple[float, ...]
) -> None:
    tau = np.array([0.3, 1, 3], np.float32)
    found = infrared_emissivity(particles, band, tau, full(0.7, 3))
    np.testing.assert_allclose(found, expected, atol=0.012)


@pytest.mark.parametrize("particles", PARTICLES)
def test_thicker_and_more_slanted_layers_emit_more(particles: str) -> None:
    tau = np.geomspace(0.01, 100, 60).astype(np.float32)
    for band in ("S8", "S9"):
        steep = infrared_emissivity(particles, band, tau, full(1.0, 60))
        slanted = infrared_emissivity(particles, band, tau, full(0.55, 60))
        assert steep.dtype == np.float32
        assert np.all(np.diff(steep) >= 0)
        assert np.all(slanted >= steep)
        assert 0 <= steep[0] < 0.01
        assert slanted[-1] <= 1


def test_ice_of_small_crystals_splits_the_window_most() -> None:
    # What thin cirrus is told by: more emission at 12 than at 11 um, most so for small crystals.
    split = [
        infrared_emissivity(name, "S9", full(1), full(1))
        - infrared_emissivity(name, "S8", full(1), full(1))
        for name in ("ice12", "ice25", "ice55")
    ]
    assert split[0] > split[1] > split[2] > -0.01
