"""The surface: kinds of ground at real places, heights, wind, and temperatures by day and night."""

import numpy as np
import numpy.typing as npt
import pytest

from slstr_cloudmask.simulate import climate
from slstr_cloudmask.simulate.coast import coast_distance_km, layer_fraction
from slstr_cloudmask.simulate.fractal import Canvas
from slstr_cloudmask.simulate.geometry import Geometry, Window
from slstr_cloudmask.simulate.ground import Ground, GroundMap
from slstr_cloudmask.simulate.surface import MELTING_KELVIN, Surface, draw_surface

from .stages import KM_PER_DEGREE, SHAPE, full, geometry_at

MARCH, JULY = 74, 196
Vector = npt.NDArray[np.float64]


def real_map(geometry: Geometry) -> GroundMap:
    """The map's coast and lakes on the pixels of `stages.north_up`."""
    rows, columns = geometry.latitude_deg.shape
    latitude = float(geometry.latitude_deg[rows // 2, columns // 2])
    longitude = float(geometry.longitude_deg[rows // 2, columns // 2])

    def position(latitude_deg: Vector, longitude_deg: Vector) -> tuple[Vector, Vector]:
        across = KM_PER_DEGREE * np.cos(np.radians(latitude))
        row = rows // 2 + (latitude - latitude_deg) * KM_PER_DEGREE
        return row, columns // 2 + (longitude_deg - longitude) * across

    land, lakes = (
        layer_fraction(layer, position, (latitude, longitude), 120, (rows, columns))
        for layer in ("land", "lakes")
    )
    coast = coast_distance_km(land)
    ice = climate.ice_sheet(geometry.latitude_deg, geometry.longitude_deg, coast)
    return GroundMap(land, lakes, ice, coast)


def even_map(*, land: float, glacier: float = 0.0, lake: float = 0.0) -> GroundMap:
    return GroundMap(full(land), full(lake), full(glacier), full(64))


def drawn(
    latitude_deg: float,
    longitude_deg: float,
    day: int,
    *,
    seed: int = 5,
    solar_zenith_deg: float = 50.0,
    ground_map: GroundMap | None = None,
) -> Surface:
    geometry = geometry_at(latitude_deg, longitude_deg, solar_zenith_deg=solar_zenith_deg)
    canvas = Canvas(np.random.default_rng(seed), Window(500, 700, *SHAPE))
    return draw_surface(canvas, geometry, ground_map or real_map(geometry), day=day)


# Real places


def test_greenland_lies_under_ice_and_iceland_does_not() -> None:
    greenland, iceland = (
        [drawn(latitude, longitude, JULY, seed=seed) for seed in range(6)]
        for latitude, longitude in ((72, -40), (64.8, -18.5))
    )
    for surface in greenland:
        assert surface.land.all()
        assert surface.frozen.all()
        assert surface.elevation_km.min() > 1.5
    assert all(surface.land.all() for surface in iceland)
    # Snow lies on its heights alone; a tenth of Iceland is glaciers.
    assert np.mean([surface.frozen for surface in iceland]) < 0.25
    assert np.mean([surface.elevation_km for surface in iceland]) < 1


def test_the_sahara_is_desert_and_siberia_is_not() -> None:
    assert (drawn(23, 10, JULY).ground == Ground.DESERT).mean() > 0.8
    assert not (drawn(62, 100, JULY).ground == Ground.DESERT).any()


def test_the_arctic_freezes_and_the_norwegian_sea_does_not() -> None:
    arctic, norwegian = drawn(82, -150, MARCH), drawn(68, 3, MARCH)
    assert not arctic.land.any()
    assert not norwegian.land.any()
    assert arctic.frozen.all()
    assert not arctic.water.any()
    assert norwegian.water.all()
    assert not norwegian.frozen.any()


def test_a_lake_is_inland_water_and_counts_as_land() -> None:
    victoria = drawn(-1, 33, JULY)
    assert (victoria.ground == Ground.INLAND_WATER).mean() > 0.95
    assert victoria.land.all()
    assert victoria.water.mean() > 0.95


def test_a_coast_has_both() -> None:
    # Dover: the strait is 33 km wide.
    dover = drawn(51.0, 1.5, JULY)
    assert 0.1 < dover.land.mean() < 0.9
    np.testing.assert_array_equal(dover.land, dover.ground != Ground.OCEAN)
    assert not dover.elevation_km[~dover.land].any()
    assert dover.coast_distance_km.min() == 0.5
    # The sun heats the land, not the sea beside it.
    usual = climate.sea_kelvin(full(51), full(1.5), JULY).mean()
    scenes = [drawn(51.0, 1.5, JULY, seed=seed, solar_zenith_deg=30) for seed in range(8)]
    sea = np.concatenate([scene.skin_kelvin[~scene.land] for scene in scenes])
    assert sea.mean() == pytest.approx(usual, abs=1.5)


# What is drawn, at places of all kinds


PLACES = {
    "Sahara": (23, 10, even_map(land=1)),
    "Germany": (51, 10, even_map(land=1)),
    "Siberia": (66, 100, even_map(land=1)),
    "Greenland": (72, -40, even_map(land=1, glacier=1)),
    "Antarctica": (-80, 60, even_map(land=1, glacier=1)),
    "Arctic Ocean": (80, -150, even_map(land=0)),
    "Norwegian Sea": (68, 3, even_map(land=0)),
    "Southern Ocean": (-60, 0, even_map(land=0)),
    "Indian Ocean": (-5, 75, even_map(land=0)),
    "Lake Victoria": (-1, 33, even_map(land=1, lake=1)),
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("solar_zenith_deg", [35, 120])
def test_everything_is_bounded(place: str, solar_zenith_deg: float) -> None:
    latitude, longitude, ground_map = PLACES[place]
    for seed, day in ((1, MARCH), (2, JULY), (3, 17)):
        surface = drawn(
            latitude,
            longitude,
            day,
            seed=seed,
            solar_zenith_deg=solar_zenith_deg,
            ground_map=ground_map,
        )
        # The coldest and hottest ground seen from space: 175 K on Antarctica, 344 K in Iran.
        assert surface.skin_kelvin.min() > 175
        assert surface.skin_kelvin.max() < 344
        assert surface.air_kelvin.min() > 195
        assert surface.air_kelvin.max() < 325
        assert surface.wind_m_s.min() >= 0.5
        assert surface.wind_m_s.max() <= 25
        assert surface.elevation_km.min() >= 0
        assert surface.elevation_km.max() <= 4
        assert surface.mean_latitude_deg == pytest.approx(latitude, abs=0.1)
        fields = (surface.skin_kelvin, surface.air_kelvin, surface.wind_m_s, surface.texture)
        for field in fields:
            assert field.dtype == np.float32
            assert field.shape == SHAPE
        if surface.frozen.any():
            assert surface.skin_kelvin[surface.frozen].max() <= MELTING_KELVIN
        sea = surface.ground == Ground.OCEAN
        if sea.any():
            # Sea water freezes at -1.8 C.
            assert surface.skin_kelvin[sea].min() >= 271.3


def mean_warming(latitude: float, longitude: float, solar_zenith_deg: float, land: float) -> float:
    """Skin less air at the ground's own height, over many scenes of July."""
    differences = []
    for seed in range(12):
        surface = drawn(
            latitude,
            longitude,
            JULY,
            seed=seed,
            solar_zenith_deg=solar_zenith_deg,
            ground_map=even_map(land=land),
        )
        # The air cools by 6 K per km.
        air = surface.air_kelvin - 6 * surface.elevation_km
        differences.append(float((surface.skin_kelvin - air).mean()))
    return float(np.mean(differences))


def test_the_sun_heats_the_ground_and_night_cools_it() -> None:
    day, night = (mean_warming(51, 10, zenith, land=1) for zenith in (30, 120))
    assert 3 < day < 20
    assert -12 < night < -1
    # Deserts most of all, by 12 K under an overhead sun: 10 K at 30 degrees.
    assert 6 < mean_warming(23, 10, 30, land=1) - day < 15


def test_day_turns_to_night_without_a_step() -> None:
    # The same scene under a sun that sinks by a degree a step, which changes its cosine by .0175:
    # heating of 18 K by .3 K, and cooling of 9 + 3 K, which comes within .3 of the cosine, by .7 K.
    skins = [
        drawn(51, 10, JULY, solar_zenith_deg=zenith, ground_map=even_map(land=1)).skin_kelvin
        for zenith in range(74, 100)
    ]
    steps = np.diff(np.mean(skins, axis=(1, 2)))
    assert (steps > -1).all()
    assert (steps[:16] < 0).all()
    np.testing.assert_allclose(steps[17:], 0, atol=1e-3)


def test_the_sea_hardly_knows_day_from_night() -> None:
    day, night = (mean_warming(45, -30, zenith, land=0) for zenith in (30, 120))
    # The day's and the night's scenes are different ones, with winds of their own.
    assert abs(day - night) < 2.5


def test_snow_heats_a_quarter_as_much() -> None:
    # Siberia in January, far below melting. The cosines of 50 and 72 degrees differ by .334: that
    # heats ground by 4 to 18 K times that, 3.7 K on average, and snow by .9 K.
    skins = [
        [
            drawn(
                68, 100, 17, seed=seed, solar_zenith_deg=zenith, ground_map=even_map(land=1)
            ).skin_kelvin.mean()
            for seed in range(12)
        ]
        for zenith in (50, 72)
    ]
    assert 0.3 < np.mean(skins[0]) - np.mean(skins[1]) < 1.9


def test_thin_ice_is_warmed_by_the_sea_below() -> None:
    surfaces = [
        drawn(80, -150, MARCH, seed=seed, solar_zenith_deg=100, ground_map=even_map(land=0))
        for seed in range(12)
    ]
    thick, thin = (
        np.concatenate([s.skin_kelvin[s.ground == kind] for s in surfaces])
        for kind in (Ground.SEA_ICE, Ground.THIN_ICE)
    )
    assert thin.mean() > thick.mean() + 2
    assert thin.max() <= climate.SEA_FREEZES_KELVIN + 0.5


def test_lakes_are_cooler_than_land_by_day_and_warmer_by_night() -> None:
    lake = (np.indices(SHAPE)[1] < 40).astype(np.float32)
    ground_map = GroundMap(full(1), lake, full(0), full(64))
    for zenith, sign in ((30, -1), (120, 1)):
        contrast = []
        for seed in range(12):
            surface = drawn(51, 10, JULY, seed=seed, solar_zenith_deg=zenith, ground_map=ground_map)
            water = surface.ground == Ground.INLAND_WATER
            level = surface.skin_kelvin + 6 * surface.elevation_km
            contrast.append(float(level[water].mean() - level[~water].mean()))
        assert sign * np.mean(contrast) > 1


def test_land_rises_from_the_coast() -> None:
    distance = np.minimum(np.abs(np.indices(SHAPE)[1] - 19.5), 64).astype(np.float32)
    ground_map = GroundMap(full(1), full(0), full(0), distance)
    profile = np.mean(
        [drawn(51, 10, JULY, seed=seed, ground_map=ground_map).elevation_km for seed in range(15)],
        axis=(0, 1),
    )
    # 1 - exp(-d / 25 km): .02 next to the coast, .9 at 60 km.
    assert profile[19] < 0.05
    assert profile[-1] > 0.2
    assert profile[20] < profile[40] < profile[79]


def test_winds_are_those_of_the_open_sea() -> None:
    winds = [drawn(45, -30, JULY, seed=n, ground_map=even_map(land=0)).wind_m_s for n in range(24)]
    # A mean of 4.5 * 1.7 = 7.65 m/s, about what scatterometers see.
    assert np.mean(winds) == pytest.approx(7.65, abs=1.5)
    assert np.mean(winds, axis=(1, 2)).std() > 2


def test_the_same_seed_draws_the_same_surface() -> None:
    first, second = drawn(51, 1.5, JULY), drawn(51, 1.5, JULY)
    np.testing.assert_array_equal(first.skin_kelvin, second.skin_kelvin)
    np.testing.assert_array_equal(first.ground, second.ground)
    other = drawn(51, 1.5, JULY, seed=6)
    assert not np.array_equal(first.skin_kelvin, other.skin_kelvin)
