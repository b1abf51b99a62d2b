import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from slstr_cloudmask.errors import InputError, OutputExistsError
from slstr_cloudmask.io.footprint import footprint
from slstr_cloudmask.io.mask_file import read_mask
from slstr_cloudmask.io.mask_output import write_mask_output
from slstr_cloudmask.io.stac import stac_item, write_stac_item
from tests.masks import around_pole, make_mask, positions

pystac = pytest.importorskip("pystac")
shapely = pytest.importorskip("shapely")

NC = Path("S3A_cloudmask.nc")


def item_of(**options: Any) -> dict[str, Any]:
    return stac_item(make_mask(*positions(), **options), NC)


def test_item_says_when_where_and_how_cloudy() -> None:
    item = item_of()

    properties = item["properties"]
    assert item["id"] == "S3A_cloudmask"
    # One of 20 x 29 known pixels: 0.1724 %.
    assert properties["eo:cloud_cover"] == 0.17
    assert properties["datetime"] == "2019-10-01T11:32:21Z"
    assert properties["start_datetime"] == "2019-10-01T11:32:21Z"
    assert properties["end_datetime"] == "2019-10-01T11:35:21Z"
    assert properties["platform"] == "sentinel-3a"
    assert properties["instruments"] == ["slstr"]
    assert properties["gsd"] == 1000
    assert properties["sat:relative_orbit"] == 23
    assert properties["processing:level"] == "L2"
    assert list(properties["processing:software"]) == ["slstr-cloudmask"]
    assert "S3A_SL_1_RBT" in properties["processing:lineage"]
    # Columns 1 to 29 and rows 0 to 19 round the cloud at (10, 20).
    across = 0.009 / np.cos(np.radians(10))
    west, south, east, north = item["bbox"]
    assert (west, east) == pytest.approx((20 - 19 * across, 20 + 9 * across), abs=1e-4)
    assert (south, north) == pytest.approx((10 - 9 * 0.009, 10 + 10 * 0.009), abs=1e-4)


def test_a_simulated_scene_has_no_platform() -> None:
    properties = item_of(platform="Sentinel-3A (simulated)")["properties"]

    assert "platform" not in properties
    assert "no measurements" in properties["processing:lineage"]


@pytest.mark.parametrize(
    ("suffix", "media_type", "probability"),
    [
        (".nc", "application/netcdf", {"data_type": "float32", "nodata": "nan", "unit": "1"}),
        (
            ".zarr",
            "application/vnd.zarr; version=2",
            {"data_type": "float32", "nodata": "nan", "unit": "1"},
        ),
        (
            ".tif",
            "image/tiff; application=geotiff; profile=cloud-optimized",
            {"data_type": "uint8", "nodata": 255, "unit": "%"},
        ),
    ],
)
def test_asset_lists_its_bands_with_their_classes(
    suffix: str, media_type: str, probability: dict[str, Any]
) -> None:
    item = stac_item(make_mask(*positions()), NC.with_suffix(suffix))

    asset = item["assets"]["mask"]
    assert asset["href"] == f"./S3A_cloudmask{suffix}"
    assert asset["type"] == media_type
    classes = [(one["value"], one["name"]) for one in asset["classification:classes"]]
    assert classes == [(0, "clear"), (1, "cloud"), (255, "unknown")]
    bands = {band["name"]: band for band in asset["bands"]}
    assert probability.items() <= bands["cloud_probability"].items()
    assert [one["name"] for one in bands["regime"]["classification:classes"]] == [
        *("night", "twilight", "day", "unknown")
    ]
    assert ("esa_cloud_tests" in bands) == (suffix != ".tif")
    if suffix == ".tif":
        assert list(bands)[:2] == ["cloud_mask", "cloud_probability"]
    else:
        fields = bands["esa_cloud_tests"]["classification:bitfields"]
        assert [(field["offset"], field["name"]) for field in fields] == [
            *((0, "gross_cloud"), (1, "1_6_small_histogram"), (5, "fog_low_stratus"))
        ]


@pytest.mark.parametrize("place", ["plain", "anti-meridian", "pole"])
def test_item_is_valid(place: str) -> None:
    pytest.importorskip("jsonschema")
    where = {
        "plain": positions(),
        "anti-meridian": positions(10.0, 179.99),
        "pole": around_pole(),
    }[place]
    item = json.loads(json.dumps(stac_item(make_mask(*where), NC)))

    validate_core(item)
    # What is missing is seen.
    del item["properties"]["datetime"]
    with pytest.raises(pystac.STACValidationError):
        validate_core(item)


def validate_core(item: dict[str, Any]) -> None:
    """Validate against the core schema that pystac holds; those of extensions are on the web."""
    validation = pytest.importorskip("pystac.validation")
    validation.validate_dict(item | {"stac_extensions": []})


def test_a_mask_without_a_valid_pixel_has_a_place_and_no_cloud_cover() -> None:
    item = item_of(seen=False)

    assert "eo:cloud_cover" not in item["properties"]
    assert not [name for name in item["stac_extensions"] if "/eo/" in name]
    assert item["bbox"][0] < 20 < item["bbox"][2]


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (make_mask(), "no latitude and longitude"),
        (make_mask(*positions(), start_time="once"), "attribute start_time"),
        (xr.Dataset(), "no mask"),
    ],
)
def test_what_cannot_be_catalogued_is_named(mask: xr.Dataset, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        write_mask_output(mask, tmp_path / "mask.nc", stac=True)
    assert list(tmp_path.iterdir()) == []


def test_item_is_written_beside_the_mask(tmp_path: Path) -> None:
    written = write_mask_output(make_mask(*positions()), tmp_path / "mask.nc", stac=True)

    assert written == [tmp_path / "mask.nc", tmp_path / "mask.json"]
    item = pystac.Item.from_file(tmp_path / "mask.json")
    assert item.id == "mask"
    assert item.ext.eo.cloud_cover == 0.17
    assert item.ext.sat.relative_orbit == 23
    assert [one.name for one in item.assets["mask"].ext.classification.classes] == [
        *("clear", "cloud", "unknown")
    ]
    assert Path(item.assets["mask"].get_absolute_href()) == tmp_path / "mask.nc"
    with pytest.raises(OutputExistsError, match=r"mask\.json exists"):
        write_stac_item(make_mask(*positions()), tmp_path / "mask.nc")


def test_a_mask_that_was_read_has_the_same_item(tmp_path: Path) -> None:
    made = make_mask(*positions())
    write_mask_output(made, tmp_path / "mask.nc")
    times = ("created", "processing:datetime")

    items = [stac_item(mask, NC) for mask in (made, read_mask(tmp_path / "mask.nc"))]

    for item in items:
        for name in times:
            del item["properties"][name]
    assert json.dumps(items[0]) == json.dumps(items[1])


def test_an_unknown_ending_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"expected any of \.nc, \.zarr, \.tif"):
        write_mask_output(make_mask(), tmp_path / "mask.hdf")


def outline(latitude: Any, longitude: Any, known: Any = None) -> tuple[Any, list[float]]:
    known = np.ones(latitude.shape, bool) if known is None else known
    geometry, bbox = footprint(latitude, longitude, known)
    shape = shapely.geometry.shape(geometry)
    assert shape.is_valid
    assert all(piece.exterior.is_ccw for piece in getattr(shape, "geoms", [shape])), (
        "RFC 7946 3.1.6"
    )
    assert len(shapely.get_coordinates(shape)) <= 48
    west, south, east, north = shape.bounds
    assert -180 <= west <= east <= 180
    assert -90 <= south <= north <= 90
    return shape, bbox


def test_outline_across_the_anti_meridian_is_cut_there() -> None:
    latitude, longitude = np.meshgrid(
        np.linspace(10, -4, 140), np.linspace(172, 187, 150), indexing="ij"
    )
    shape, bbox = outline(latitude, (longitude + 180) % 360 - 180)

    assert shape.geom_type == "MultiPolygon"
    # 14 degrees high, 8 wide to the west of the anti-meridian and 7 to its east.
    assert sorted(piece.area for piece in shape.geoms) == pytest.approx([98, 112], rel=1e-3)
    assert bbox == [172, -4, -173, 10]


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("flip", [1, -1])
def test_outline_around_a_pole_holds_it(sign: int, flip: int) -> None:
    x, y = np.meshgrid(np.linspace(-700, 700, 141), np.linspace(-600, 600, 121)[::flip])
    distance_deg = np.degrees(np.hypot(x, y) / 6371)
    shape, bbox = outline(sign * (90 - distance_deg), np.degrees(np.arctan2(y, x)))

    for longitude in (-179, -90, 0, 90, 179):
        assert shape.contains(shapely.Point(longitude, sign * 88))
        assert not shape.contains(shapely.Point(longitude, sign * 80))
    assert bbox[0::2] == [-180, 180]
    assert bbox[3 if sign > 0 else 1] == sign * 90


def test_outline_follows_what_is_known() -> None:
    latitude, longitude = np.meshgrid(np.arange(50, 30, -1.0), np.arange(0, 30.0), indexing="ij")
    known = np.zeros(latitude.shape, bool)
    known[5:11, 10:21] = True  # 45 to 40 N, 10 to 20 E

    shape, bbox = outline(latitude, longitude, known)

    assert bbox == [10, 40, 20, 45]
    assert shape.area == pytest.approx(50)


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 1)])
def test_outline_of_a_line_is_a_narrow_polygon(shape: tuple[int, int]) -> None:
    rows, columns = np.indices(shape)

    polygon, _ = outline(10 - 0.01 * rows, 20 + 0.01 * columns)

    assert polygon.geom_type == "Polygon"
    assert polygon.covers(shapely.Point(20, 10))
    # About 0.01 degrees wide, and as long as the line.
    assert polygon.area == pytest.approx(0.01 * 0.01 * max(shape), rel=0.6)
