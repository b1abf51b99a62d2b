from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from slstr_cloudmask.errors import InputError, OutputExistsError
from slstr_cloudmask.io.map_grid import continuous_longitude, map_grid, middle
from slstr_cloudmask.io.mask_geotiff import write_mask_geotiff
from tests.masks import around_pole, make_mask, positions

pytest.importorskip("pyresample")
rasterio = pytest.importorskip("rasterio")
pyproj = pytest.importorskip("pyproj")


def value_at(path: Path, longitude_deg: float, latitude_deg: float, band: int = 1) -> int:
    """Value of the map at a place, by the map's own coordinates."""
    with rasterio.open(path) as file:
        place = pyproj.Transformer.from_crs(4326, file.crs, always_xy=True).transform(
            longitude_deg, latitude_deg
        )
        (values,) = file.sample([place])
        return int(values[band - 1])


@pytest.mark.parametrize("grid", ["auto", "latlon", "utm", "polar"])
def test_cloud_lies_where_it_was_seen(tmp_path: Path, grid: str) -> None:
    path = tmp_path / "mask.tif"
    # In the middle of a pixel of the map in latitude and longitude.
    latitude, longitude = (60.005 if grid == "polar" else 10.005), 20.005
    write_mask_geotiff(make_mask(*positions(latitude, longitude)), path, grid=grid)

    assert value_at(path, longitude, latitude) == 1
    assert value_at(path, longitude, latitude, band=2) == 80  # percent
    # Three kilometres away it is clear: 10 %.
    assert value_at(path, longitude, latitude + 0.027) == 0
    assert value_at(path, longitude, latitude + 0.027, band=2) == 10
    # Column 0, twenty kilometres west of the cloud, was not seen.
    west = longitude - 20 * 0.009 / np.cos(np.radians(latitude))
    assert value_at(path, west, latitude) == 255
    assert value_at(path, west, latitude, band=2) == 255


def test_it_is_cloud_optimised_and_says_what_it_is(tmp_path: Path) -> None:
    path = tmp_path / "mask.tif"
    latitude, longitude = np.meshgrid(
        np.linspace(10, 4, 600), np.linspace(20, 26, 600), indexing="ij"
    )
    write_mask_geotiff(make_mask(latitude, longitude), path)

    with rasterio.open(path) as file:
        assert file.crs.to_epsg() == 4326
        assert file.res == pytest.approx((0.01, 0.01))
        assert file.dtypes[0] == "uint8"
        assert file.nodata == 255
        assert file.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert file.overviews(1) == [2]
        assert file.block_shapes[0] == (512, 512)
        assert file.descriptions == (
            *("cloud_mask", "cloud_probability", "regime", "esa_summary_cloud"),
            *("esa_bayes_single_moderate", "esa_basic", "agreement"),
        )
        assert file.tags(1)["flag_meanings"] == "clear cloud"
        assert file.tags(1)["flag_values"] == "0 1"
        assert file.tags(2)["units"] == "percent"
        tags = file.tags()
        assert tags["comment"] == "Contains modified Copernicus Sentinel data 2019."
        assert tags["TIFFTAG_SOFTWARE"].startswith("slstr-cloudmask")
        assert tags["detector"] == "thresholds"
        known = file.read(1)
        # Half a pixel and the frame of one pixel round the swath are unknown.
        assert 0.95 < (known != 255).mean() < 1


def test_across_the_anti_meridian_the_map_is_as_narrow_as_the_swath(tmp_path: Path) -> None:
    path = tmp_path / "mask.tif"
    write_mask_geotiff(make_mask(*positions(10.005, -179.975)), path)

    with rasterio.open(path) as file:
        # 30 pixels of 0.009 degrees / cos(10) are 0.27 degrees wide, from 179.85 on.
        assert file.width < 35
        assert 179.8 < file.bounds.left < 180 < file.bounds.right < 180.2
        (values,) = file.sample([(360 - 179.975, 10.005)])
    assert values[0] == 1


@pytest.mark.parametrize(("sign", "epsg"), [(1, 3413), (-1, 3031)])
def test_around_a_pole_the_map_is_polar(tmp_path: Path, sign: int, epsg: int) -> None:
    path = tmp_path / "mask.tif"
    mask = make_mask(*around_pole(sign))
    write_mask_geotiff(mask, path, resolution=500)  # the pole is a corner of four pixels

    with rasterio.open(path) as file:
        assert file.crs.to_epsg() == epsg
        assert max(file.shape) < 100
    assert value_at(path, 0.0, sign * 90.0) == 1
    assert value_at(path, 90.0, sign * 89.95) == 0
    for grid in ("latlon", "utm"):
        with pytest.raises(InputError, match="map grid"):
            write_mask_geotiff(mask, tmp_path / "other.tif", grid=grid)


@pytest.mark.parametrize(
    ("latitude", "longitude", "epsg"), [(10.0, 20.0, 32634), (-33.0, 151.0, 32756)]
)
def test_utm_is_the_zone_of_the_middle(
    tmp_path: Path, latitude: float, longitude: float, epsg: int
) -> None:
    # Zone 34 is 18 to 24 E, zone 56 is 150 to 156 E.
    write_mask_geotiff(make_mask(*positions(latitude, longitude)), tmp_path / "a.tif", grid="utm")

    with rasterio.open(tmp_path / "a.tif") as file:
        assert file.crs.to_epsg() == epsg
        assert file.bounds.left % 1000 == 0


def test_a_scene_too_wide_for_utm_is_refused() -> None:
    latitude, longitude = np.meshgrid(np.linspace(0, 10, 20), np.linspace(0, 30, 30))

    with pytest.raises(InputError, match=r"reaches 1\d{3} km from the middle of its UTM zone"):
        map_grid(latitude, longitude, "utm")


def test_resolution_is_as_asked_or_as_seen(tmp_path: Path) -> None:
    place = positions()
    for mask, wanted, found in (
        (make_mask(*place), 0.05, 0.05),
        (make_mask(*place, grid="500m"), None, 0.005),
    ):
        write_mask_geotiff(mask, tmp_path / "a.tif", resolution=wanted, overwrite=True)
        with rasterio.open(tmp_path / "a.tif") as file:
            assert file.res == pytest.approx((found, found))
    with pytest.raises(InputError, match="resolution above 0"):
        write_mask_geotiff(make_mask(*place), tmp_path / "b.tif", resolution=0)
    with pytest.raises(InputError, match="coarser resolution"):
        write_mask_geotiff(make_mask(*place), tmp_path / "b.tif", resolution=1e-6)


def test_a_gap_in_the_positions_stays_unknown(tmp_path: Path) -> None:
    latitude, longitude = positions()
    latitude[:, 5:15] = np.nan
    write_mask_geotiff(make_mask(latitude, longitude), tmp_path / "a.tif")

    # Column 10 is ten kilometres west of the cloud; no column within five kilometres is placed.
    assert value_at(tmp_path / "a.tif", 20 - 10 * 0.009 / np.cos(np.radians(10)), 10.0) == 255


@pytest.mark.parametrize("missing", ["coordinates", "values"])
def test_without_positions_there_is_no_map(tmp_path: Path, missing: str) -> None:
    latitude, longitude = positions()
    latitude[:] = np.nan
    mask = make_mask() if missing == "coordinates" else make_mask(latitude, longitude)

    with pytest.raises(InputError, match=r"no latitude and longitude.*\.nc or \.zarr"):
        write_mask_geotiff(mask, tmp_path / "mask.tif")
    assert list(tmp_path.iterdir()) == []


def test_a_mask_without_a_valid_pixel_is_a_map_of_nothing(tmp_path: Path) -> None:
    write_mask_geotiff(make_mask(*positions(), seen=False), tmp_path / "mask.tif")

    with rasterio.open(tmp_path / "mask.tif") as file:
        assert (file.read(1) == 255).all()


def test_output_that_exists_is_kept(tmp_path: Path) -> None:
    (tmp_path / "mask.tif").write_text("precious")
    with pytest.raises(OutputExistsError):
        write_mask_geotiff(make_mask(*positions()), tmp_path / "mask.tif")
    with pytest.raises(InputError, match="Unknown map grid 'mercator'"):
        write_mask_geotiff(make_mask(*positions()), tmp_path / "b.tif", grid="mercator")
    with pytest.raises(InputError, match="no mask"):
        write_mask_geotiff(xr.Dataset(), tmp_path / "b.tif")
    assert [path.name for path in tmp_path.iterdir()] == ["mask.tif"]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([10, 20], [10, 20]),
        ([-170, 170], [190, 170]),
        ([179, -179, 178], [179, 181, 178]),
        ([190, 350], [-170, -10]),
        # Evenly around the globe there is no gap: as they are.
        ([0, 90, 180, -90], [0, 90, -180, -90]),
    ],
)
def test_longitudes_go_on_beyond_the_anti_meridian(given: list[Any], expected: list[Any]) -> None:
    np.testing.assert_array_equal(continuous_longitude(np.array(given, float)), expected)


def test_the_middle_is_that_of_the_sphere() -> None:
    assert middle(np.array([0.0, 0.0]), np.array([170.0, -170.0])) == pytest.approx((0, 180))
    assert middle(np.array([80.0, 80.0]), np.array([0.0, 180.0]))[0] == pytest.approx(90)
