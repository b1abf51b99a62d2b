"""Ground without cloud: glint, foam, shadows and emission, against numbers worked out by hand."""

from dataclasses import replace

import numpy as np
import pytest

from slstr_cloudmask.simulate.atmosphere import DUST_COOLING_KELVIN
from slstr_cloudmask.simulate.clear import (
    fresnel_normal,
    glint_factor,
    glint_reflectance,
    surface_radiances,
    surface_reflectances,
)
from slstr_cloudmask.simulate.fractal import Field
from slstr_cloudmask.simulate.geometry import Geometry
from slstr_cloudmask.simulate.ground import EMISSIVITY, REFLECTANCE, Ground
from slstr_cloudmask.simulate.radiation import THERMAL_WAVELENGTH_UM, planck_radiance

from .stages import air_of, full, geometry_at, stage_of, surface_of

DOT = (1, 1)
NOTHING = {name: full(0, DOT) for name in THERMAL_WAVELENGTH_UM}


def dot(sun_deg: float, view_deg: float, cos_azimuth: float) -> Geometry:
    return geometry_at(
        solar_zenith_deg=sun_deg, view_zenith_deg=view_deg, cos_azimuth=cos_azimuth, shape=DOT
    )


# Glint


def test_glint_of_a_mirror_by_hand() -> None:
    # Sun and satellite at 30 degrees opposite each other: every level facet is seen. At 5 m/s
    # the mean square slope is .003 + .0256 = .0286 and the density 1 / (pi * .0286) = 11.130.
    # Fresnel at 30 degrees: .020478 + .97952 * (1 - .86603) ** 5 = .02052. All in all
    # pi * .02052 * 11.130 / (4 * .75) = .2392.
    glint = glint_factor(dot(30, 30, -1), full(5, DOT))
    assert glint == pytest.approx(0.2392, abs=2e-4)


def test_glint_off_a_slope_by_hand() -> None:
    # Sun and satellite overhead and 40 degrees: facets are tilted by 20 degrees, tan2 = .13247,
    # and light meets them at 20 degrees. At 10 m/s: .003 + .0512 = .0542,
    # exp(-.13247 / .0542) = .0868; / (pi * .0542) = .5099; cos(20 deg) ** 4 = .77976; so
    # pi * .020479 * .5099 / (4 * .76604 * .77976) = .01373.
    for cos_azimuth in (-1, 0, 1):  # an overhead sun is on no side
        glint = glint_factor(dot(0, 40, cos_azimuth), full(10, DOT))
        assert glint == pytest.approx(0.01373, abs=3e-5)


def test_glint_is_where_mirrors_reflect() -> None:
    opposite, same_side = (glint_factor(dot(30, 30, side), full(5, DOT)) for side in (-1, 1))
    assert opposite > 0.1
    assert same_side < 1e-4


def test_wind_dims_and_widens_the_glint() -> None:
    calm, windy = (
        [float(glint_factor(dot(30, view, -1), full(wind, DOT))[0, 0]) for view in (30, 0)]
        for wind in (2, 12)
    )
    assert calm[0] > 2 * windy[0]
    assert calm[1] < windy[1] / 2


def test_glint_is_finite_at_the_horizon() -> None:
    for sun in (85, 89.9, 90, 95):
        for view in (0, 55, 89):
            glint = glint_factor(dot(sun, view, -1), full(1, DOT))
            assert 0 <= glint <= 1.2


def test_there_is_no_glint_on_land_or_by_night() -> None:
    mirror, night = dot(30, 30, -1), dot(120, 30, -1)
    for ground in Ground:
        glint = glint_reflectance(stage_of(ground, 285, geometry=mirror))
        assert (glint > 0.05) == (ground in (Ground.OCEAN, Ground.INLAND_WATER)), ground
        assert glint_reflectance(stage_of(ground, 285, geometry=night)) == 0


def test_reflectance_of_a_mirror_by_its_index() -> None:
    # ((1.5 - 1) / (1.5 + 1)) ** 2 = .04: glass; sea water at 1.334: (.334 / 2.334) ** 2 = .02048.
    assert fresnel_normal(1.5) == pytest.approx(0.04)
    assert fresnel_normal(1.334) == pytest.approx(0.02048, abs=1e-5)


# Reflectances


def reflectances(ground: Ground, geometry: Geometry, wind_m_s: float = 6.0) -> dict[str, Field]:
    surface = surface_of(ground, shape=DOT, wind_m_s=full(wind_m_s, DOT))
    stage = stage_of(geometry=geometry, surface=surface, air=air_of(0, shape=DOT))
    return surface_reflectances(stage, full(2.5, DOT), 1.0)


# Sun at 70 and satellite at 50 degrees on the same side: facets would have to be tilted by 60
# degrees, of which there are none, so there is no glint.
NO_GLINT = dot(70, 50, 1)


def test_without_wind_the_spectra_are_the_grounds() -> None:
    for ground in Ground:
        bands = reflectances(ground, NO_GLINT, wind_m_s=0.5)
        assert list(bands) == ["S1", "S2", "S3", "S4", "S5", "S6", "S7"]
        for index, name in enumerate(("S1", "S2", "S3", "S4", "S5", "S6")):
            assert bands[name] == pytest.approx(REFLECTANCE[ground, index], abs=1e-5)
        # What is not emitted is reflected (Kirchhoff).
        assert bands["S7"] == pytest.approx(1 - EMISSIVITY[ground, 0], abs=1e-6)


def test_foam_by_hand() -> None:
    # 2.95e-6 * 15 ** 3.52 = .0407 of the sea is foam, of reflectance .40, .35, .25 and .006.
    calm, storm = (reflectances(Ground.OCEAN, NO_GLINT, wind) for wind in (0.5, 15))
    for name, white in (("S1", 0.40), ("S2", 0.35), ("S3", 0.25), ("S5", 0.006), ("S6", 0)):
        assert storm[name] - calm[name] == pytest.approx(0.0407 * white, abs=3e-5)
    land = reflectances(Ground.GRASS, NO_GLINT, 15)
    assert land["S1"] == pytest.approx(REFLECTANCE[Ground.GRASS, 0], abs=1e-6)


def test_glint_is_nearly_white() -> None:
    bands = reflectances(Ground.OCEAN, dot(30, 30, -1), 5)
    # Refractive indices of 1.341 and 1.374: (.341 / 2.341) ** 2 = .02122, (.374 / 2.374) ** 2
    # = .02482, over .02048 at 1.334: 1.036 and 1.212 times .2392.
    below = REFLECTANCE[Ground.OCEAN]
    assert bands["S1"] - below[0] == pytest.approx(1.036 * 0.2392, abs=1e-3)
    assert bands["S3"] - below[2] == pytest.approx(0.2392, abs=1e-3)
    emitted = EMISSIVITY[Ground.OCEAN, 0]
    assert bands["S7"] - (1 - emitted) == pytest.approx(1.212 * 0.2392, abs=1e-3)


def test_shadow_and_texture_dim_the_ground() -> None:
    # Texture of one standard deviation: 1.12 times as bright; in half the light half of that.
    surface = surface_of(Ground.GRASS, shape=DOT, texture=full(1, DOT))
    stage = stage_of(geometry=NO_GLINT, surface=surface, air=air_of(0, shape=DOT))
    shaded = surface_reflectances(replace(stage, light=full(0.5, DOT)), full(2.5, DOT), 1.0)
    assert shaded["S3"] == pytest.approx(0.5 * 1.12 * REFLECTANCE[Ground.GRASS, 2], rel=1e-4)


def test_there_is_no_glint_in_the_shade() -> None:
    lit = stage_of(Ground.OCEAN, 290, geometry=dot(30, 30, -1), air=air_of(0, shape=DOT))
    shaded = replace(lit, light=full(0.25, DOT))
    one, quarter = (surface_reflectances(stage, full(2.5, DOT), 1.0) for stage in (lit, shaded))
    for name in one:
        assert quarter[name] == pytest.approx(0.25 * one[name], rel=1e-5)


def test_the_worlds_factor_brightens_reflectances_alone() -> None:
    stage = stage_of(Ground.GRASS, geometry=NO_GLINT, air=air_of(0, shape=DOT))
    one, other = (surface_reflectances(stage, full(2.5, DOT), factor) for factor in (1.0, 0.88))
    for name in ("S1", "S3", "S5", "S6"):
        assert other[name] == pytest.approx(0.88 * one[name], rel=1e-5)
    assert other["S7"] == one["S7"]


def test_vapour_hides_the_ground_at_1375() -> None:
    stage = stage_of(Ground.OLD_SNOW, geometry=NO_GLINT, air=air_of(2, shape=DOT))
    dry = surface_reflectances(stage, full(2.5, DOT), 1.0)
    # exp(-.72 * 5 ** .68) = .116
    assert dry["S4"] == pytest.approx(0.116 * REFLECTANCE[Ground.OLD_SNOW, 3], abs=1e-3)


# Emission


def test_emission_by_hand() -> None:
    # What the ground does not emit it reflects of the sky, a share .2 + .012 * 10 = .32 of a black
    # body; not so in S7, where the sky is cold.
    stage = stage_of(Ground.DESERT, 320, geometry=NO_GLINT, air=air_of(10, shape=DOT))
    radiance = surface_radiances(stage, NOTHING)
    for index, (name, wavelength) in enumerate(THERMAL_WAVELENGTH_UM.items()):
        emitted = EMISSIVITY[Ground.DESERT, index]
        sky = 0.0 if name == "S7" else 0.32
        black = planck_radiance(wavelength, np.array(320.0))
        assert radiance[name] / black == pytest.approx(emitted + (1 - emitted) * sky, rel=1e-4)


def test_air_and_dust_cool_what_is_seen() -> None:
    dusty = air_of(10, dust=1.5, shape=DOT)
    stage = stage_of(Ground.OCEAN, 300, geometry=NO_GLINT, air=dusty)
    clear = stage_of(Ground.OCEAN, 300, geometry=NO_GLINT, air=air_of(10, shape=DOT))
    deficits = {name: full(2, DOT) for name in THERMAL_WAVELENGTH_UM}
    for name, wavelength in THERMAL_WAVELENGTH_UM.items():
        # 2 K of vapour and so many of dust.
        kelvin = 300 - 2 - 1.5 * DUST_COOLING_KELVIN[name]
        expected = float(
            planck_radiance(wavelength, np.array(kelvin))
            / planck_radiance(wavelength, np.array(300.0))
        )
        ratio = surface_radiances(stage, deficits)[name] / surface_radiances(clear, NOTHING)[name]
        assert ratio == pytest.approx(expected, rel=1e-4)
