"""Labels by others: tables of points, images on a scene's grid or on a map."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import xarray as xr

from slstr_cloudmask.assessment.labels import LabelOptions, name_labels
from slstr_cloudmask.errors import BrokenFileError, CloudMaskError, InputError, MissingFileError
from slstr_cloudmask.evaluation.pool import Labelled
from slstr_cloudmask.flags import UNKNOWN
from slstr_cloudmask.io.image_file import read_image
from slstr_cloudmask.io.label_image import labels_of
from slstr_cloudmask.io.label_table import read_label_points
from slstr_cloudmask.io.label_words import label_codes, read_label_map
from slstr_cloudmask.scene import build_scene

SHAPE = (3, 4)
START = "2019-10-01T10:30:00Z"


def placed_scene(west_deg: float = 179.98, **attributes: str) -> xr.Dataset:
    """Three rows north to south and four columns east, 0.01 degrees apart, at the equator."""
    rows, columns = np.indices(SHAPE)
    longitude_deg = (west_deg + 0.01 * columns + 180) % 360 - 180  # across the anti-meridian
    return build_scene(
        {"S8": np.full(SHAPE, 280.0)},
        coordinates={"latitude": 0.01 * (1 - rows), "longitude": longitude_deg},
        attributes={"start_time": START, **attributes},
    )


def write_table(path: Path, rows: list[dict[str, Any]], delimiter: str = ",") -> Path:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)
    return path


# 1.11 km are 0.01 degrees. The first is 0.2 km east of pixel (1, 2), across the anti-meridian and
# called by its longitude in the other half; the second beside (0, 0); the third 20 km away; the
# fourth two hours late; the fifth is a word that says nothing.
POINTS = [
    {"LAT": 0.0, "Lon.": -179.998, "date_time": "2019-10-01T10:20:00Z", "class": "Clear"},
    {"LAT": 0.01, "Lon.": 179.98, "date_time": "2019-10-01 10:40", "class": "semi-transparent"},
    {"LAT": 0.2, "Lon.": 179.98, "date_time": START, "class": "cloud"},
    {"LAT": 0.0, "Lon.": 179.98, "date_time": "2019-10-01T12:34:00Z", "class": "cloud"},
    {"LAT": 0.0, "Lon.": 179.98, "date_time": START, "class": "fractional"},
]


def found_in(scene: xr.Dataset, path: Path, **options: Any) -> Labelled | None:
    (source,) = name_labels([str(path)], LabelOptions(**options))
    return source.find(Path("scene.nc"), scene)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_points_are_found_at_their_nearest_pixel(tmp_path: Path, delimiter: str) -> None:
    table = write_table(tmp_path / "points.csv", POINTS, delimiter)

    labelled = found_in(placed_scene(), table, max_km=1.0, max_minutes=15)

    assert labelled is not None
    assert labelled.places is not None
    # The first, the second and the fifth, which is not known.
    assert [p.tolist() for p in labelled.places] == [[1, 0, 1], [2, 0, 0]]
    assert labelled.cloud.tolist() == [False, True, False]
    assert labelled.known.tolist() == [True, True, False]


def test_time_and_distance_are_bounds(tmp_path: Path) -> None:
    table = write_table(tmp_path / "points.csv", POINTS)
    points = read_label_points(table)
    scene = placed_scene()

    def numbers(max_km: float, max_minutes: float) -> list[int]:
        found, _ = points.pixels(scene, max_km=max_km, max_minutes=max_minutes)
        return [int(number) for number in found]

    assert numbers(0.1, 15) == [1, 4]  # the first is 0.22 km away
    # 20 degrees/1000 north is 21 km from the northernmost row.
    assert numbers(21.5, 15) == [0, 1, 2, 4]
    # The frame ends at 10:33, and the fourth is at 12:34: 121 minutes.
    assert numbers(1.0, 120) == [0, 1, 4]
    assert numbers(1.0, 121) == [0, 1, 3, 4]


def test_parquet_is_read_as_csv_is(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    table = {name: [row[name] for row in POINTS] for name in POINTS[0]}
    parquet.write_table(pyarrow.table(table), tmp_path / "points.parquet")
    write_table(tmp_path / "points.csv", POINTS)

    one, other = (read_label_points(tmp_path / f"points.{s}") for s in ("csv", "parquet"))

    assert one.cloud.tolist() == other.cloud.tolist() == [0, 1, 1, 1, UNKNOWN]
    np.testing.assert_array_equal(one.time_s, other.time_s)
    np.testing.assert_array_equal(one.longitude_deg, other.longitude_deg)


def test_a_lidar_s_optical_depth_is_a_label_and_a_stratum(tmp_path: Path) -> None:
    rows = [
        {"latitude": 0.0, "longitude": 179.98, "time": START, "COD": depth}
        for depth in (0.05, 0.3, 2.0, "")
    ]
    labelled = found_in(placed_scene(), write_table(tmp_path / "caliop.csv", rows))
    assert labelled is not None
    assert labelled.cloud.tolist() == [False, True, True, False]
    assert labelled.known.tolist() == [True, True, True, False]
    strata = {name: where.tolist() for name, where in labelled.strata.items()}
    assert strata["optical depth", "0.01 to 0.1"] == [True, False, False, False]
    # 0.3 lies between 0.1 and 0.5, where nobody is sure.
    assert strata["certainty", "outside 0.1 to 0.5"] == [True, False, True, False]


ROW = {"latitude": 0.0, "longitude": 0.0, "time": START, "label": "clear"}


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"label": "smurf"}, r"what 'smurf' \(1\) means is not known.*'smurf=cloud'"),
        ({"label": "unknown"}, "none of 1 rows has a place and a label"),
        ({"latitude": "nan"}, "none of 1 rows has a place"),
        ({"latitude": 91}, "none of 1 rows has a place"),
        ({"time": "yesterday"}, "cannot read the time 'yesterday' of row 1: expected ISO 8601"),
        ({"label": None}, "none of 1 rows"),
    ],
)
def test_tables_that_say_nothing_are_refused(
    tmp_path: Path, row: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        read_label_points(write_table(tmp_path / "t.csv", [ROW | row]))


def test_depths_below_0_are_unknown_and_a_table_without_times_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rows = [
        {"latitude": 0.0, "longitude": 0.0, "Profile_UTC_Time": "190901.4", "COD": depth}
        for depth in (-9999.0, 0.0, 1.0)
    ]
    points = read_label_points(write_table(tmp_path / "t.csv", rows))
    assert points.cloud.tolist() == [UNKNOWN, 0, 1]
    assert np.isnan(points.optical_depth[0])
    assert "1 of 3 optical depths are below 0" in caplog.text
    assert "no column of times that is known" in caplog.text
    assert "Profile_UTC_Time" in caplog.text


def test_columns_by_other_names(tmp_path: Path) -> None:
    table = write_table(tmp_path / "t.csv", [{"y": 1, "x": 2, "what": "clear"}])
    with pytest.raises(InputError, match=r"no column of latitude, longitude, label.*has y, x, wh"):
        read_label_points(table)
    columns = {"latitude": "y", "longitude": "x", "label": "what"}
    assert len(read_label_points(table, columns=columns)) == 1
    with pytest.raises(InputError, match="no column 'z'"):
        read_label_points(table, columns={"latitude": "z"})
    with pytest.raises(InputError, match="Unknown column 'height'"):
        read_label_points(table, columns={"height": "y"})


def test_broken_and_empty_tables(tmp_path: Path) -> None:
    (tmp_path / "e.csv").write_text("")
    with pytest.raises(InputError, match="it has no columns"):
        read_label_points(tmp_path / "e.csv")
    (tmp_path / "b.csv").write_bytes(b"latitude,longitude\xff\xfe\n")
    with pytest.raises(BrokenFileError, match=r"b\.csv cannot be read as CSV"):
        read_label_points(tmp_path / "b.csv")
    pytest.importorskip("pyarrow")
    (tmp_path / "b.parquet").write_bytes(b"PAR1nothing")
    with pytest.raises(BrokenFileError, match="cannot be read as Parquet"):
        read_label_points(tmp_path / "b.parquet")


def test_points_elsewhere_are_nowhere_and_said_so(tmp_path: Path) -> None:
    (source,) = name_labels([str(write_table(tmp_path / "t.csv", [ROW | {"latitude": 50}]))])
    assert source.find(Path("scene.nc"), placed_scene()) is None
    assert "1 points, latitude 50.00 to 50.00" in source.nowhere()
    (near,) = name_labels([str(write_table(tmp_path / "n.csv", [ROW]))])
    with pytest.raises(InputError, match="start_time 'noon' is no ISO"):
        near.find(Path("scene.nc"), placed_scene(start_time="noon"))
    bare = placed_scene().drop_vars(["latitude", "longitude"])
    assert source.find(Path("scene.nc"), bare) is None


def test_words_numbers_and_what_is_given() -> None:
    words = [
        "Totally Cloudy",
        "cloud-free",
        1,
        0.0,
        "1.0",
        None,
        float("nan"),
        "SNOW/ICE",
        np.int8(1),
    ]
    assert label_codes(words).tolist() == [1, 0, 1, 0, 1, 255, 255, 0, 1]
    for sentinel in (-1, "-1", "-1.0", -9999.0, "0.37"):  # none of which is 1, 9999 or 37
        with pytest.raises(InputError, match=f"'{float(sentinel):g}' \\(1\\) means is not known"):
            label_codes([sentinel])
    assert label_codes(["-1", "1"], {"-1": "unknown"}).tolist() == [255, 1]
    given = read_label_map("haze = cloud, 2=clear,1=unknown")
    assert label_codes(["Haze", 2, 1], given).tolist() == [1, 0, 255]
    with pytest.raises(InputError, match="'haze' cannot mean 'mist'"):
        read_label_map("haze=mist")
    with pytest.raises(InputError, match="Cannot read 'haze'"):
        read_label_map("haze")


LABELS = np.array([[0, 1, 1, 255], [0, 0, 1, 1], [255, 255, 0, 0]], np.uint8)


def write_netcdf(path: Path, values: npt.NDArray[Any], **attributes: Any) -> Path:
    variable = xr.Variable(("y", "x"), values, attributes)
    xr.Dataset({"mask": variable, "other": variable}).to_netcdf(path, engine="h5netcdf")
    return path


def test_images_on_the_scene_s_grid(tmp_path: Path) -> None:
    scene = placed_scene()
    np.savez(tmp_path / "a.npz", drawn=LABELS)
    assert (labels_of(read_image(tmp_path / "a.npz"), scene) == LABELS).all()
    # Cloud is 7 here, and the file says so; 255 is its fill value.
    values = np.where(LABELS == 1, 7, LABELS).astype(np.uint8)
    told = {"flag_values": np.array([0, 7], np.uint8), "flag_meanings": "clear cloud"}
    image = read_image(write_netcdf(tmp_path / "b.nc", values, _FillValue=np.uint8(255), **told))
    assert (labels_of(image, scene) == LABELS).all()
    image = read_image(write_netcdf(tmp_path / "c.nc", values))
    with pytest.raises(InputError, match=r"what '7' \(1\) means is not known"):
        labels_of(image, scene)
    assert (labels_of(image, scene, label_map={"7": "cloud"}) == LABELS).all()


def test_images_that_cannot_be(tmp_path: Path) -> None:
    scene = placed_scene()
    np.savez(tmp_path / "a.npz", mask=LABELS[:2])
    with pytest.raises(InputError, match=r"has \(2, 4\) pixels and the scene \(3, 4\)"):
        labels_of(read_image(tmp_path / "a.npz"), scene)
    np.savez(tmp_path / "b.npz", one=LABELS, two=LABELS)
    with pytest.raises(InputError, match="holds no array of labels"):
        labels_of(read_image(tmp_path / "b.npz"), scene)
    np.savez(tmp_path / "c.npz", one=np.zeros(3))
    with pytest.raises(InputError, match="holds no image"):
        read_image(tmp_path / "c.npz")
    np.savez(tmp_path / "d.npz", one=np.array([{"code": "runs"}], object))
    for name in ("d.npz", "e.npz", "e.nc", "e.tif"):
        (tmp_path / name).touch() if name[0] == "e" else None
        with pytest.raises(BrokenFileError, match=f"{name} cannot be read as an image"):
            read_image(tmp_path / name)
    with pytest.raises(CloudMaskError, match="There is no image"):
        read_image(tmp_path / "f.npz")


def test_a_map_is_looked_up_by_place(tmp_path: Path) -> None:
    rasterio = pytest.importorskip("rasterio")
    # Pixels of 0.01 degrees; its second column lies under the scene's first, its first row north
    # of the scene. Columns 2 and 3 of the scene are beyond its eastern edge.
    values = np.array([[9, 9, 9], [9, 0, 1], [9, 1, 0], [9, 255, 1]], np.uint8)
    transform = rasterio.Affine(0.01, 0, 9.985, 0, -0.01, 0.025)
    path = tmp_path / "map.tif"
    profile = {"driver": "GTiff", "height": 4, "width": 3, "count": 1, "dtype": "uint8"}
    with rasterio.open(path, "w", crs="EPSG:4326", transform=transform, **profile) as file:
        file.write(values, 1)

    codes = labels_of(read_image(path), placed_scene(west_deg=10.0))

    assert codes.tolist() == [[0, 1, 255, 255], [1, 0, 255, 255], [255, 1, 255, 255]]
    (source,) = name_labels([f"drawn={path}"])
    assert source.name == "drawn"
    assert source.find(Path("anything.nc"), placed_scene(west_deg=60.0)) is None


def test_images_belong_to_scenes_by_name(tmp_path: Path) -> None:
    folder = tmp_path / "drawn"
    folder.mkdir()
    np.savez(folder / "S3A_one_labels.npz", mask=LABELS)
    (source,) = name_labels([str(folder)])
    found = source.find(Path("S3A_one.nc"), placed_scene())
    assert found is not None
    assert found.known.tolist() == (LABELS != 255).tolist()
    assert source.find(Path("S3A_two.nc"), placed_scene()) is None
    assert "is called as its scene" in source.nowhere()


def test_names_of_labels() -> None:
    with pytest.raises(InputError, match="nothing to score against"):
        name_labels([])
    with pytest.raises(InputError, match="Unknown label 'guess'"):
        name_labels(["guess"])
    with pytest.raises(MissingFileError, match=r"There is no table of labels nowhere\.csv"):
        name_labels(["nowhere.csv"])
    assert [source.name for source in name_labels(["truth", "bayes", "truth"])] == [
        "truth",
        "bayes",
    ]
