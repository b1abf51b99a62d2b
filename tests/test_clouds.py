"""Kinds of cloud and their weathers, and the layers that are drawn of them."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from slstr_cloudmask.simulate import staging
from slstr_cloudmask.simulate.catalogue import (
    CATALOGUE,
    CLIMATES,
    KIND_NUMBERS,
    WEATHERS,
    Deck,
    climate_of,
)
from slstr_cloudmask.simulate.clouds import (
    CloudLayer,
    column_optical_depth,
    draw_clouds,
    thickest_kind,
)
from slstr_cloudmask.simulate.fractal import Canvas
from slstr_cloudmask.simulate.geometry import Window
from slstr_cloudmask.simulate.ground import Ground
from slstr_cloudmask.simulate.optics import PARTICLES
from slstr_cloudmask.simulate.surface import Surface
from slstr_cloudmask.simulate.worlds import WORLDS, find_world

from .stages import SHAPE, full, layer_of, surface_of

STANDARD = find_world("standard")
SEA = surface_of(Ground.OCEAN, 288)


# The catalogue


@pytest.mark.parametrize("kind", CATALOGUE.values(), ids=list(CATALOGUE))
def test_a_kind_can_be_drawn(kind: object) -> None:
    assert isinstance(kind, type(CATALOGUE["fog"]))
    assert set(kind.particles) <= set(PARTICLES)
    for low, high in (kind.top_km, kind.anisotropy, kind.cells_km or (1, 1)):
        assert 0 < low <= high
    # Clouds reach from the ground to the tropical tropopause, at 16 to 18 km.
    assert kind.top_km[1] <= 17
    assert 0.1 < kind.optical_depth < 100
    assert min(kind.log_sigma, kind.softness, kind.slope, kind.outer_km) > 0
    # Water cannot be liquid below -38 C: 7 km in temperate air.
    assert all(name.startswith("water" if kind.top_km[1] < 7 else "ice") for name in kind.particles)


def test_kinds_are_numbered_from_clear() -> None:
    assert KIND_NUMBERS["clear"] == 0
    assert list(KIND_NUMBERS.values()) == list(range(len(CATALOGUE) + 1))
    assert list(KIND_NUMBERS)[1:] == list(CATALOGUE)


def test_weathers_are_of_kinds_that_exist() -> None:
    assert "fair" in WEATHERS
    for name, (alike, decks) in WEATHERS.items():
        assert 0 <= alike <= 1, name
        # There is no weather without cloud.
        assert any(deck.chance == 1 for deck in decks), name
        for deck in decks:
            assert deck.kind in CATALOGUE, name
            assert 0 < deck.cover[0] <= deck.cover[1] <= 1, name
            assert 0 < deck.chance <= 1, name
        # Decks are listed from the lowest up, so that they are easy to read.
        assert len({deck.kind for deck in decks}) == len(decks)


def test_every_kind_is_in_some_weather() -> None:
    used = {deck.kind for _, decks in WEATHERS.values() for deck in decks}
    assert used | {"contrails"} == set(CATALOGUE)


def test_climates_share_out_weathers_that_exist() -> None:
    for name, shares in CLIMATES.items():
        assert set(shares) <= set(WEATHERS) - {"fair"}, name
        assert min(shares.values()) > 0
        assert sum(shares.values()) <= 1, name


def test_every_weather_is_in_some_climate() -> None:
    assert {name for shares in CLIMATES.values() for name in shares} | {"fair"} == set(WEATHERS)


def test_other_worlds_name_what_exists() -> None:
    for world in WORLDS.values():
        assert set(world.weathers) <= set(WEATHERS)
        assert set(world.particles) | set(world.particles.values()) <= set(PARTICLES)
        for seen, instead in world.particles.items():
            assert seen.rstrip("0123456789") == instead.rstrip("0123456789")
    assert set(staging._HARD_WEATHERS) <= set(WEATHERS)


@pytest.mark.parametrize(
    ("latitude", "land", "desert", "climate"),
    [
        (0, False, False, "tropical"),
        (-25, True, False, "subtropical"),
        (23, True, True, "desert"),
        (50, False, False, "temperate"),
        (-50, True, False, "temperate_land"),
        (78, False, False, "polar"),
        (-80, True, True, "polar"),
    ],
)
def test_climates_by_place(latitude: float, land: bool, desert: bool, climate: str) -> None:
    assert climate_of(latitude, land=land, desert=desert) == climate
    assert climate in CLIMATES


# Layers


def drawn(
    seed: int,
    climate: str,
    *,
    surface: Surface = SEA,
    world: str = "standard",
    factors: dict[str, float] | None = None,
    depth_factor: float = 1.0,
) -> list[CloudLayer]:
    canvas = Canvas(np.random.default_rng(seed), Window(500, 700, *SHAPE))
    changed = replace(find_world(world), depth_factor=depth_factor)
    return draw_clouds(canvas, climate, surface, changed, factors or {})


@pytest.fixture
def only(monkeypatch: pytest.MonkeyPatch) -> "Only":
    return Only(monkeypatch)


class Only:
    """Makes a climate, ``only``, of a single weather of some decks."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch

    def __call__(self, *decks: Deck, alike: float = 0.0) -> None:
        self._monkeypatch.setitem(CLIMATES, "only", {"only": 1.0})
        self._monkeypatch.setitem(WEATHERS, "only", (alike, decks))


def deck_of(layers: list[CloudLayer], kind: str) -> CloudLayer:
    return next(layer for layer in layers if layer.kind == kind)


@pytest.mark.parametrize(
    ("kind", "cover"),
    [("cirrus", 0.7), ("closed_cells", 0.7), ("open_cells", 0.3), ("cumulus", 0.2), ("fog", 0.5)],
)
def test_cover_is_as_asked_for(only: Only, kind: str, cover: float) -> None:
    # A small window may be overcast or clear; 30 of them tell the mean to .45 / sqrt(30) = .08.
    only(Deck(kind, (cover, cover), 1))
    covers = [(deck_of(drawn(seed, "only"), kind).optical_depth > 0).mean() for seed in range(30)]
    assert np.mean(covers) == pytest.approx(cover, abs=0.16)


def test_optical_depth_is_about_the_kinds(only: Only) -> None:
    only(Deck("stratus", (0.9999, 0.9999), 1))
    medians = [
        np.median(deck_of(drawn(seed, "only"), "stratus").optical_depth) for seed in range(40)
    ]
    # Deep inside the median is the kind's times exp(-sigma^2 / 2), and scenes vary by a quarter.
    kind = CATALOGUE["stratus"]
    expected = kind.optical_depth * np.exp(-(kind.log_sigma**2) / 2)
    assert np.median(medians) == pytest.approx(expected, rel=0.3)


def test_the_world_decides_optical_depths_and_particles() -> None:
    for seed in range(4):
        thick, thin = (drawn(seed, "polar", depth_factor=factor) for factor in (1.0, 0.8))
        for one, other in zip(thick, thin, strict=True):
            if one.kind != "contrails":
                expected = np.float32(0.8) * one.optical_depth
                np.testing.assert_allclose(other.optical_depth, expected, rtol=1e-4, atol=1e-6)
    replaced = find_world("shifted").particles
    for seed in range(8):
        # Without the shifted world's mixture of weathers the draws are the same.
        standard, shifted = (drawn(seed, "polar", world=name) for name in ("standard", "shifted"))
        for one, other in zip(standard, shifted, strict=True):
            assert other.particles == replaced.get(one.particles, one.particles)


def test_layers_are_sorted_and_their_own_height() -> None:
    for seed in range(16):
        layers = drawn(seed, "temperate")
        heights = [float(layer.top_km.mean()) for layer in layers]
        assert heights == sorted(heights)
        for layer in layers:
            low, high = CATALOGUE[layer.kind].top_km
            assert low * 0.5 <= layer.top_km.min()
            assert layer.top_km.max() <= high * 1.2001
            for field in (layer.optical_depth, layer.top_km, layer.top_kelvin):
                assert field.dtype == np.float32
                assert field.shape == SHAPE
                assert np.isfinite(field).all()
            assert layer.optical_depth.min() >= 0


@pytest.mark.parametrize(
    ("latitude", "climate"), [(0, "tropical"), (50, "temperate"), (75, "polar")]
)
def test_tops_are_colder_than_the_air_below_except_in_inversions(
    latitude: float, climate: str
) -> None:
    surface = replace(surface_of(Ground.OCEAN, 300 - 0.4 * latitude), mean_latitude_deg=latitude)
    warmer = []
    for seed in range(16):
        for layer in drawn(seed, climate, surface=surface):
            colder = surface.air_kelvin - layer.top_kelvin
            # The lapse rate of moist air is 5 to 7 K / km in the mean; inversions lie below 2 km
            # and are of no more than ten kelvin.
            high = layer.top_km > 3
            assert (colder[high] > 10).all()
            assert colder.min() > -10
            # No air is colder than the tropopause: 190 K over the tropics, 215 K over the poles.
            assert layer.top_kelvin.min() > 190
            assert colder.max() < 7.1 * layer.top_km.max()
            warmer.append(bool((colder < 0).any()))
    # Now and then a low deck is warmer than the air below it, over the Arctic.
    assert any(warmer) or climate != "polar"
    assert not all(warmer)


def test_weathers_can_be_made_rare_or_frequent() -> None:
    # Without its other weathers a climate is fair: cumulus always, fog and cirrus at times.
    none = dict.fromkeys(WEATHERS, 0.0) | {"fair": 1.0}
    for seed in range(10):
        kinds = {layer.kind for layer in drawn(seed, "temperate", factors=none)}
        assert "cumulus" in kinds
        assert kinds <= {"cumulus", "fog", "cirrus", "contrails"}
    often = {"fog": 1e6}
    assert all(
        "fog" in {layer.kind for layer in drawn(n, "polar", factors=often)} for n in range(8)
    )


def test_decks_may_lie_over_one_another(only: Only) -> None:
    decks = Deck("stratus", (0.4, 0.4), 1), Deck("cirrus", (0.4, 0.4), 1)
    only(*decks, alike=1.0)
    for seed in range(6):
        layers = drawn(seed, "only")
        low, high = (deck_of(layers, kind).optical_depth > 0 for kind in ("stratus", "cirrus"))
        np.testing.assert_array_equal(low, high)
    only(*decks, alike=0.0)
    both = []
    for seed in range(40):
        layers = drawn(seed, "only")
        low, high = (deck_of(layers, kind).optical_depth > 0 for kind in ("stratus", "cirrus"))
        both.append((low & high).mean())
    # Independent: .4 * .4.
    assert np.mean(both) == pytest.approx(0.16, abs=0.1)


def test_fog_keeps_to_valleys_and_the_sea(only: Only) -> None:
    only(Deck("fog", (0.5, 0.5), 1))
    heights = np.where(np.indices(SHAPE)[1] < 40, 0, 1.5).astype(np.float32)
    surface = replace(SEA, elevation_km=heights)
    low, high = np.mean(
        [
            [(depth[:, :40] > 0).mean(), (depth[:, 40:] > 0).mean()]
            for depth in (
                deck_of(drawn(n, "only", surface=surface), "fog").optical_depth for n in range(20)
            )
        ],
        axis=0,
    )
    assert low > 0.3
    assert high < 0.02


def test_closed_cells_have_cloud_in_their_middles_and_open_ones_on_their_rims(
    only: Only, monkeypatch: pytest.MonkeyPatch
) -> None:
    # One cell: its middle at the left, its rim at the right.
    ramp = np.tile(np.linspace(0, 1, SHAPE[1], dtype=np.float32), (SHAPE[0], 1))
    monkeypatch.setattr(Canvas, "cells", lambda self, spacing_km: ramp)
    for kind, side in (("closed_cells", slice(0, 40)), ("open_cells", slice(40, 80))):
        only(Deck(kind, (0.4, 0.4), 1))
        cloud = [deck_of(drawn(n, "only"), kind).optical_depth > 0 for n in range(15)]
        assert np.mean(cloud) > 0.15
        assert np.mean(np.array(cloud)[:, :, side]) > 1.5 * np.mean(cloud)


def test_contrails_are_thin_narrow_lines_in_some_scenes(only: Only) -> None:
    only(Deck("stratus", (0.5, 0.5), 1))
    trails = [layer for n in range(120) for layer in drawn(n, "only") if layer.kind == "contrails"]
    # .15 of 120 scenes: 18, give or take 4.
    assert 8 <= len(trails) <= 30
    for trail in trails:
        assert trail.particles == "ice15"
        assert np.unique(trail.top_km).size == 1
        assert trail.optical_depth.max() < 4
        # No wider than a few kilometres, even where lines cross.
        covered = trail.optical_depth > 0.1
        assert not ndimage.binary_erosion(covered, np.ones((15, 15), np.uint8)).any()
    assert np.mean([(trail.optical_depth > 0.1).mean() for trail in trails]) < 0.35
    # Few of the frame's lines cross a window so small.
    crossed = [trail.optical_depth.max() > 0.1 for trail in trails]
    assert 0 < np.mean(crossed) < 0.7


def test_the_same_seed_draws_the_same_clouds() -> None:
    for one, other in zip(drawn(3, "polar"), drawn(3, "polar"), strict=True):
        assert one.kind == other.kind
        np.testing.assert_array_equal(one.optical_depth, other.optical_depth)


# Columns


def test_depths_of_a_column_add_up() -> None:
    layers = [layer_of("water10", 2, 1, 280), layer_of("ice25", 0.5, 10, 225)]
    np.testing.assert_array_equal(column_optical_depth(layers, SHAPE), full(2.5))
    np.testing.assert_array_equal(column_optical_depth([], SHAPE), full(0))


def test_the_thickest_layer_names_the_kind() -> None:
    column = np.indices(SHAPE)[1]
    low = layer_of("water10", np.where(column < 40, 2, 0).astype(np.float32), 1, 280, kind="fog")
    high_depth = np.select([column < 20, column < 60], [5, 1], 0.01).astype(np.float32)
    high = layer_of("ice25", high_depth, 10, 225, kind="cirrus")
    expected = np.select([column < 20, column < 40, column < 60], [9, 2, 9], 0)
    assert (KIND_NUMBERS["fog"], KIND_NUMBERS["cirrus"]) == (2, 9)
    for layers in ([low, high], [high, low]):
        # The last twenty columns have but a trace, .01, which is clear.
        np.testing.assert_array_equal(thickest_kind(layers, SHAPE), expected)
    assert not thickest_kind([], SHAPE).any()
