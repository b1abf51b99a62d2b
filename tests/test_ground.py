"""Kinds of ground: spectra that tell them apart, and where each lies."""

from typing import Any

import numpy as np
import pytest

from slstr_cloudmask.simulate.fractal import Canvas
from slstr_cloudmask.simulate.geometry import Window
from slstr_cloudmask.simulate.ground import (
    EMISSIVITY,
    FROZEN,
    REFLECTANCE,
    WATER,
    Ground,
    GroundMap,
    Kinds,
    Where,
    classify,
    is_one_of,
)

from .stages import SHAPE, full, north_up

MARCH, JULY = 74, 196
S1, S2, S3, S4, S5, S6 = range(6)


# Spectra


def test_every_kind_has_its_row() -> None:
    assert sorted(Ground) == list(range(10))
    assert REFLECTANCE.shape == (10, 6)
    assert EMISSIVITY.shape == (10, 3)
    assert (REFLECTANCE >= 0).all()
    assert (REFLECTANCE < 1).all()
    assert (EMISSIVITY > 0.8).all()
    assert (EMISSIVITY < 1).all()


def test_snow_is_bright_where_the_eye_sees_and_dark_at_16_um() -> None:
    for kind in (Ground.OLD_SNOW, Ground.FRESH_SNOW, Ground.SEA_ICE):
        visible, shortwave = REFLECTANCE[kind, [S1, S5]]
        # The normalised difference of snow and ice is above .4 (Dozier 1989).
        assert visible > 0.5
        assert (visible - shortwave) / (visible + shortwave) > 0.4
    # Larger grains, older snow: darker in every band.
    assert (REFLECTANCE[Ground.OLD_SNOW] < REFLECTANCE[Ground.FRESH_SNOW]).all()


def test_plants_have_a_red_edge_and_sand_rises_evenly() -> None:
    forest, desert = REFLECTANCE[Ground.FOREST], REFLECTANCE[Ground.DESERT]
    assert forest[S3] > 4 * forest[S2]
    assert forest[S1] > forest[S2]
    assert (np.diff(desert[[S1, S2, S3, S4, S5]]) > 0).all()


def test_water_is_dark_and_darker_at_longer_waves() -> None:
    for kind in WATER:
        assert REFLECTANCE[kind].max() < 0.05
        assert (REFLECTANCE[kind, [S4, S5, S6]] < REFLECTANCE[kind, S1] / 5).all()
    # Lakes hold more that scatters than the open sea.
    assert (REFLECTANCE[Ground.INLAND_WATER] >= REFLECTANCE[Ground.OCEAN]).all()


def test_quartz_is_grey_at_37_um_and_water_nearly_black() -> None:
    assert EMISSIVITY[:, 0].argmin() == Ground.DESERT
    assert EMISSIVITY[Ground.DESERT, 0] < 0.9
    assert (EMISSIVITY[list(WATER)] > 0.97).all()


def test_kinds_are_grouped() -> None:
    ground = np.arange(10, dtype=np.uint8)
    np.testing.assert_array_equal(np.flatnonzero(is_one_of(ground, WATER)), [0, 9])
    np.testing.assert_array_equal(np.flatnonzero(is_one_of(ground, FROZEN)), [5, 6, 7, 8])


# Where they lie


def classified(
    latitude_deg: float,
    longitude_deg: float,
    day: int,
    *,
    seed: int = 5,
    kelvin: float = 285.0,
    patches: float = 0.0,
    **parts: Any,
) -> Kinds:
    """Classify an even patch of land, in the interior unless told otherwise."""
    latitude, longitude = north_up(latitude_deg, longitude_deg)
    values = {"land": 1.0, "lake": 0.0, "glacier": 0.0, "coast_km": 64.0, "elevation_km": 0.0}
    fields = {name: np.asarray(full(1) * value) for name, value in (values | parts).items()}
    fields = {name: field.astype(np.float32) for name, field in fields.items()}
    return classify(
        Canvas(np.random.default_rng(seed), Window(500, 700, *SHAPE)),
        GroundMap(fields["land"], fields["lake"], fields["glacier"], fields["coast_km"]),
        Where(latitude, longitude, day, full(kelvin), fields["elevation_km"]),
        full(patches),
    )


def share(ground: Kinds, *kinds: Ground) -> float:
    return float(is_one_of(ground, kinds).mean())


def mean_share(places: list[Kinds], *kinds: Ground) -> float:
    return float(np.mean([share(ground, *kinds) for ground in places]))


@pytest.mark.parametrize(
    ("name", "latitude", "longitude", "patches", "kind"),
    [
        ("Sahara", 23, 10, 0, Ground.DESERT),
        ("Australia", -25, 130, 0, Ground.DESERT),
        ("Amazon", -3, -60, 0, Ground.FOREST),
        ("Amazon", -3, -60, -1, Ground.FOREST),
        ("Germany's woods", 51, 10, 1, Ground.FOREST),
        ("Germany's fields", 51, 10, -1, Ground.GRASS),
        ("Taimyr", 73, 100, 0, Ground.SHRUB),
        # Half-way across the border of a desert.
        ("Tunisia", 33.5, 10, 0, Ground.SHRUB),
    ],
)
def test_land_by_place(
    name: str, latitude: float, longitude: float, patches: float, kind: Ground
) -> None:
    ground = classified(latitude, longitude, JULY, patches=patches)
    # Ponds take a little everywhere but in deserts.
    assert share(ground, kind) > 0.9, name


def test_deserts_have_no_ponds() -> None:
    for seed in range(10):
        assert share(classified(23, 10, JULY, seed=seed), Ground.INLAND_WATER) == 0


def test_snow_lies_where_it_freezes() -> None:
    assert share(classified(51, 10, JULY, kelvin=285), *FROZEN) == 0
    assert share(classified(51, 10, MARCH, kelvin=265), Ground.OLD_SNOW) == 1
    assert share(classified(51, 10, MARCH, kelvin=255), Ground.FRESH_SNOW) == 1
    # At 285 K below, it freezes at 3 km: 285 - 18 = 267 K.
    heights = np.where(np.indices(SHAPE)[1] < 40, 0, 3)
    ground = classified(46, 10, JULY, kelvin=285, elevation_km=heights)
    assert share(ground[:, :40], *FROZEN) == 0
    assert share(ground[:, 40:], Ground.OLD_SNOW) == 1


def test_glaciers_are_ice_even_in_warm_air() -> None:
    glacier = (np.indices(SHAPE)[0] < 32).astype(np.float32)
    ground = classified(72, -40, JULY, kelvin=280, glacier=glacier)
    assert share(ground[:32], Ground.OLD_SNOW, Ground.FRESH_SNOW) == 1
    assert share(ground[32:], *FROZEN) == 0


def test_lakes_lie_where_the_map_has_them() -> None:
    lake = (np.indices(SHAPE)[1] < 30).astype(np.float32)
    ground = classified(51, 10, JULY, lake=lake)
    assert share(ground[:, :30], Ground.INLAND_WATER) == 1
    assert share(ground[:, 30:], Ground.INLAND_WATER) < 0.1
    # In winter snow lies on their ice.
    assert share(classified(51, 10, MARCH, kelvin=260, lake=lake), Ground.INLAND_WATER) == 0


def test_ponds_are_many_where_the_ice_sheets_lay() -> None:
    finland, france = (
        mean_share([classified(lat, lon, JULY, seed=n) for n in range(30)], Ground.INLAND_WATER)
        for lat, lon in ((62, 27), (47, 3))
    )
    # Three pixels of a hundred, and four of a thousand.
    assert finland == pytest.approx(0.03, abs=0.012)
    assert france == pytest.approx(0.004, abs=0.003)


def test_open_sea_stays_water() -> None:
    for name, latitude, longitude in (("Norwegian Sea", 68, 5), ("Biscay", 45, -5)):
        for seed in range(5):
            ground = classified(latitude, longitude, MARCH, seed=seed, land=0.0)
            assert share(ground, Ground.OCEAN) == 1, name


def test_the_arctic_ocean_is_ice_in_march_with_leads_and_new_ice() -> None:
    scenes = [classified(80, -150, MARCH, seed=seed, land=0.0) for seed in range(20)]
    assert mean_share(scenes, Ground.SEA_ICE, Ground.THIN_ICE) == 1
    # A closed pack with cracks.
    assert mean_share(scenes, Ground.SEA_ICE) > 0.8
    assert 0.003 < mean_share(scenes, Ground.THIN_ICE) < 0.2


def test_the_margin_of_the_ice_is_ice_and_water() -> None:
    # The median edge of March lies at 75.7 N between Bear Island and Svalbard.
    scenes = [classified(75.7, 10, MARCH, seed=seed, land=0.0) for seed in range(40)]
    ice = [share(ground, Ground.SEA_ICE, Ground.THIN_ICE) for ground in scenes]
    assert 0.1 < np.mean(ice) < 0.6
    assert np.std(ice) > 0.2
    # Farther in there is more of it.
    inside = [classified(78.5, 10, MARCH, seed=seed, land=0.0) for seed in range(20)]
    assert mean_share(inside, Ground.SEA_ICE, Ground.THIN_ICE) > np.mean(ice) + 0.2


def test_ice_of_the_sea_does_not_lie_on_land() -> None:
    land = (np.indices(SHAPE)[1] < 40).astype(np.float32)
    ground = classified(80, -150, MARCH, kelvin=255, land=land)
    assert share(ground[:, :40], Ground.FRESH_SNOW) == 1
    assert share(ground[:, 40:], Ground.SEA_ICE, Ground.THIN_ICE) == 1
