"""Where scenes lie: outlines from orbits and coordinates, projections, the picture."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from slstr_cloudmask.errors import InputError
from slstr_cloudmask.io.product_name import parse_product_name
from slstr_cloudmask.report.map_projection import EqualEarth, Globe, densified, without_jumps
from slstr_cloudmask.report.scene_map import write_scene_map
from slstr_cloudmask.report.scene_places import find_places, published_places
from slstr_cloudmask.simulate.dataset import simulate_dataset
from slstr_cloudmask.simulate.frame_outline import frame_outline, overpass_of
from slstr_cloudmask.simulate.plan import DatasetConfig
from slstr_cloudmask.simulate.published_scenes import published_scenes
from tests.test_cli import Cli, cli  # noqa: F401

NAME = (
    "S3A_SL_1_RBT____20191001T113221_20191001T113521_20191002T000000_0179_050_023_1980"
    "_LN2_O_NT_003.hdf"
)


def test_outlines_are_where_the_scenes_were_published() -> None:
    assert len(published_scenes()) == 100
    for scene in published_scenes():
        latitude, longitude = frame_outline(scene.overpass)
        south, north, west, east = scene.box_deg
        found = [latitude.min(), latitude.max(), longitude.min(), longitude.max()]
        np.testing.assert_allclose(found, [south, north, west, east], atol=0.25)
        assert (latitude[0], longitude[0]) == pytest.approx((latitude[-1], longitude[-1]))


def test_a_name_tells_the_overpass_of_this_satellite_alone() -> None:
    def found(name: str) -> object:
        parsed = parse_product_name(name)
        assert parsed is not None
        return overpass_of(parsed, reflective=True)

    assert found(NAME) == published_scenes()[0].overpass
    assert found(NAME.replace("S3A", "S3B")) is None
    assert found(NAME.replace("_1980_", "______")) is None
    assert found(NAME.replace("_050_023_", "_050_024_")) is None  # an orbit later
    assert found(NAME.replace("_050_023_", "_000_023_")) is None
    assert found(NAME.replace("_050_023_", "_050_999_")) is None


def test_equal_earth_keeps_areas() -> None:
    # The globe of radius 1 has the area 4 pi; so has the map, by the shoelace formula.
    x, y = EqualEarth().outline()
    area = abs(np.sum(x[:-1] * y[1:] - x[1:] * y[:-1])) / 2
    assert area == pytest.approx(4 * np.pi, rel=1e-3)
    # Half a map is as wide as published: 2.7066 (Savric and others 2018).
    assert x.max() == pytest.approx(2.70663, abs=1e-4)


def test_a_ring_across_the_anti_meridian_is_on_both_sides_of_the_map() -> None:
    latitude = np.array([0.0, 0.0, 10.0, 10.0, 0.0])
    longitude = np.array([175.0, -175.0, -175.0, 175.0, 175.0])
    rings = list(EqualEarth().rings(latitude, longitude))
    assert len(rings) == 2
    for x, y in rings:
        assert np.ptp(x) < 0.21  # ten degrees, not the map's width of 5.4
        assert np.ptp(y) < 0.21
    assert {np.sign(x.mean()) for x, _ in rings} == {-1.0, 1.0}
    assert len(list(EqualEarth().rings(latitude, longitude - 180))) == 1
    # On a globe that looks there it is whole; on one that looks away it is not seen.
    assert len(list(Globe(0.0, 180.0).rings(latitude, longitude))) == 1
    assert list(Globe(0.0, 0.0).rings(latitude, longitude)) == []


def test_a_ring_around_a_pole_is_closed_there() -> None:
    longitude = np.array([0.0, 90.0, 180.0, -90.0, 0.0])
    latitude, on = without_jumps(np.full(5, 80.0), longitude)
    assert latitude.tolist() == [80, 80, 80, 80, 80, 90, 90, 80]
    assert on.tolist() == [0, 90, 180, 270, 360, 360, 0, 0]
    assert without_jumps(np.full(5, -80.0), longitude)[0].min() == -90
    ((x, y),) = Globe(90.0, 0.0).rings(np.full(5, 80.0), longitude)
    assert np.hypot(x, y).max() == pytest.approx(np.cos(np.radians(80)), abs=1e-6)


def test_points_are_put_on_long_edges() -> None:
    latitude, longitude = densified(np.array([0.0, 0.0, 1.0]), np.array([0.0, 6.0, 6.0]))
    assert longitude.tolist() == pytest.approx([0, 2, 4, 6, 6])
    assert latitude.tolist() == pytest.approx([0, 0, 0, 0, 1])


def test_what_is_behind_a_globe_is_drawn_to_its_edge() -> None:
    longitude = np.array([80.0, 100.0, 100.0, 80.0, 80.0])
    latitude = np.array([-5.0, -5.0, 5.0, 5.0, -5.0])
    ((x, y),) = Globe(0.0, 0.0).rings(latitude, longitude)
    assert np.hypot(x, y).max() == pytest.approx(1.0)
    assert x.min() == pytest.approx(np.sin(np.radians(80)) * np.cos(np.radians(5)))


def test_scenes_of_a_folder(tmp_path: Path) -> None:
    for folder, name in (("day", NAME), ("night", "S3_renamed.hdf")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / name).write_bytes(b"not looked into")
    (tmp_path / "S3_broken.hdf").write_bytes(b"looked into: no folder says day or night")
    config = DatasetConfig(scenes=1, test_scenes=0, size=(32, 40), seed=3, format="xarray")
    simulate_dataset(tmp_path / "sim", config)

    places, unplaced = find_places(tmp_path)

    assert len(places) == 2
    assert set(unplaced) == {"night/S3_renamed.hdf", "S3_broken.hdf"}
    assert "no coordinates" in unplaced["night/S3_renamed.hdf"]
    assert "cannot be read as HDF5" in unplaced["S3_broken.hdf"]
    extents = sorted(np.ptp(place.latitude_deg) for place in places)
    assert extents[0] < 1  # 32 km of a simulated scene, by its coordinates
    assert extents[1] == pytest.approx(62.92 - 49.37, abs=0.3)


def test_the_command(cli: Cli, tmp_path: Path) -> None:  # noqa: F811
    picture = tmp_path / "map.png"
    code, out, _ = cli("data", "map", "-o", picture)
    assert (code, out) == (0, f"{picture}: 100 scenes\n")
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert cli("data", "map", "-o", picture)[0] == 2

    (tmp_path / "data/day").mkdir(parents=True)
    with h5py.File(tmp_path / "data/day" / "S3_renamed.hdf", "w"):
        pass
    code, _, err = cli("data", "map", tmp_path / "data", "-o", tmp_path / "two.png")
    assert code == 2
    assert "not placed: day/S3_renamed.hdf" in err
    assert "found none to draw" in err


def test_nothing_to_draw(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="at least one scene"):
        write_scene_map([], "Nothing", tmp_path / "map.png")
    assert len(published_places()) == 100
