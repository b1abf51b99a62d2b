import json
import warnings
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import xarray as xr

from slstr_cloudmask.errors import (
    BrokenFileError,
    InputError,
    MissingFileError,
    OutputExistsError,
    WriteError,
)
from slstr_cloudmask.io.mask_file import read_mask, write_mask
from slstr_cloudmask.mask import build_mask
from slstr_cloudmask.scene import build_scene
from tests.masks import CLOUD_PIXEL, make_mask, positions


@pytest.fixture
def mask() -> xr.Dataset:
    bt_kelvin = np.array([[250.0, 290.0, np.nan], [290.0, 290.0, 250.0]])
    position = np.arange(6.0).reshape(2, 3)
    scene = build_scene(
        {"S8": bt_kelvin},
        coordinates={
            "latitude": position,
            "longitude": np.where(position == 5, np.nan, position),
            "solar_zenith_angle": np.full((2, 3), 85.0),
        },
        attributes={"platform": "Sentinel-3A", "cycle": 50},
    )
    probability = np.array([[0.9, 0.1, 0.5], [0.2, np.nan, 0.75]])
    return build_mask(
        scene,
        probability,
        threshold=0.5,
        detector="test",
        attributes={"model_sha256": None, "calibrated": True},
    )


def test_what_is_written_is_read_again(mask: xr.Dataset, tmp_path: Path) -> None:
    write_mask(mask, tmp_path / "new" / "mask.nc")

    found = read_mask(tmp_path / "new" / "mask.nc")

    xr.testing.assert_equal(found, mask)
    for name in mask.variables:
        assert found[name].dtype == mask[name].dtype
        assert found[name].attrs.keys() == mask[name].attrs.keys()
    assert set(found.coords) == {"latitude", "longitude"}
    # NetCDF has neither nothing nor truth values: one is left out, the other is a word.
    assert "model_sha256" not in found.attrs
    assert found.attrs["calibrated"] == "true"
    assert found.attrs["threshold"] == 0.5


def test_a_mask_that_was_read_can_be_written(mask: xr.Dataset, tmp_path: Path) -> None:
    write_mask(mask, tmp_path / "first.nc")
    first = read_mask(tmp_path / "first.nc")

    write_mask(first, tmp_path / "second.nc")

    xr.testing.assert_identical(read_mask(tmp_path / "second.nc"), first)


def test_file_follows_cf(mask: xr.Dataset, tmp_path: Path) -> None:
    write_mask(mask, tmp_path / "mask.nc")

    with h5py.File(tmp_path / "mask.nc") as file:
        assert file.attrs["Conventions"] == "CF-1.11"
        flag = file["cloud_mask"]
        assert flag.dtype == np.uint8
        assert flag.attrs["_FillValue"] == 255
        np.testing.assert_array_equal(flag.attrs["flag_values"], [0, 1])
        assert flag.attrs["flag_meanings"] == "clear cloud"
        assert flag.attrs["standard_name"] == "cloud_binary_mask"
        assert flag.attrs["coordinates"] == "latitude longitude"
        assert flag.compression == "gzip"
        assert np.isnan(file["cloud_probability"].attrs["_FillValue"])
        assert file["latitude"].attrs["units"] == "degrees_north"
        assert "coordinates" not in file["latitude"].attrs


def test_xarray_sees_unknown_as_nan(mask: xr.Dataset, tmp_path: Path) -> None:
    write_mask(mask, tmp_path / "mask.nc")

    with xr.open_dataset(tmp_path / "mask.nc", engine="h5netcdf") as found:
        np.testing.assert_array_equal(found["cloud_mask"], [[1, 0, np.nan], [0, np.nan, 1]])


def test_file_says_what_it_is(tmp_path: Path) -> None:
    write_mask(make_mask(*positions()), tmp_path / "mask.nc")

    with xr.open_dataset(tmp_path / "mask.nc", engine="h5netcdf") as found:
        assert found.attrs["comment"] == "Contains modified Copernicus Sentinel data 2019."
        assert found.attrs["references"].startswith("CloudMask, slstr-cloudmask ")
        assert "Saunders and Kriebel" in found.attrs["references"]
        assert found.attrs["history"].endswith("cloud mask by thresholds")
        assert found.attrs["institution"].startswith("ESA and EUMETSAT")
        assert found.attrs["time_coverage_end"] == "2019-10-01T11:35:21Z"
        assert found["time"].values == np.datetime64("2019-10-01T11:32:21")
        assert found["cloud_mask"].attrs["ancillary_variables"] == (
            "cloud_probability regime agreement"
        )
        np.testing.assert_array_equal(found["cloud_probability"].attrs["valid_range"], [0, 1])
    # Time and those words belong to the file; the Mask is the same as before.
    assert "time" not in read_mask(tmp_path / "mask.nc").coords


def test_a_simulated_scene_is_no_copernicus_data(tmp_path: Path) -> None:
    write_mask(make_mask(platform="Sentinel-3A (simulated)"), tmp_path / "mask.nc")

    found = read_mask(tmp_path / "mask.nc")
    assert found.attrs["comment"] == "Made of a simulated scene: contains no measurements."
    assert "institution" not in found.attrs
    assert "provider_summary_cloud" in found
    assert not [name for name in found if str(name).startswith("esa_")]


@pytest.mark.parametrize("kind", ["placed", "nowhere", "empty"])
def test_cf_checker_has_nothing_to_say(tmp_path: Path, kind: str) -> None:
    runner = pytest.importorskip("compliance_checker.runner")
    made = make_mask() if kind == "nowhere" else make_mask(*positions(), seen=kind != "empty")
    write_mask(made, tmp_path / "mask.nc")
    assert ("latitude" in made.coords) == (kind != "nowhere")

    problems = _complaints(runner, tmp_path / "mask.nc")

    assert problems == []


def _complaints(runner: Any, path: Path) -> list[str]:
    """Everything that the checker has to say by the newest conventions it knows, strictly."""
    runner.CheckSuite.load_all_available_checkers()
    report = path.with_suffix(".json")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        runner.ComplianceChecker.run_checker(
            str(path), ["cf:1.11"], 0, "strict", output_filename=str(report), output_format="json"
        )
    found = json.loads(report.read_text())["cf:1.11"]
    kinds = ("high_priorities", "medium_priorities", "low_priorities")
    assert found["possible_points"] > 0
    return [text for kind in kinds for check in found[kind] for text in check["msgs"]]


def test_the_cf_checker_is_heard(tmp_path: Path) -> None:
    runner = pytest.importorskip("compliance_checker.runner")
    wrong = make_mask(*positions())
    wrong["cloud_mask"].attrs["standard_name"] = "cloudiness"
    write_mask(wrong, tmp_path / "mask.nc")

    assert any("cloudiness" in text for text in _complaints(runner, tmp_path / "mask.nc"))


def test_cf_xarray_reads_flags_by_their_meanings(tmp_path: Path) -> None:
    pytest.importorskip("cf_xarray")
    write_mask(make_mask(*positions()), tmp_path / "mask.nc")

    with xr.open_dataset(tmp_path / "mask.nc", engine="h5netcdf") as found:
        cloud = found.cf["cloud_binary_mask"]
        # 20 rows of 30 columns, one column unknown, one cloud.
        assert int((cloud.cf == "cloud").sum()) == 1
        assert int((cloud.cf == "clear").sum()) == 20 * 29 - 1
        assert int((found["esa_summary_cloud"].cf == "cloud").sum()) == 1
        assert int((found["agreement"].cf == "both_cloud").sum()) == 1
        assert found.cf.coordinates["latitude"] == ["latitude"]
    # Bit fields want their integers.
    with xr.open_dataset(tmp_path / "mask.nc", engine="h5netcdf", mask_and_scale=False) as found:
        tests = found["esa_cloud_tests"]
        known = tests != tests.attrs["_FillValue"]
        assert int(((tests.cf == "fog_low_stratus") & known).sum()) == 1
        assert int(((tests.cf == "gross_cloud") & known).sum()) == 0


# The reader and what it stands on warn of their own future.
@pytest.mark.filterwarnings("ignore")
def test_satpy_reads_it_under_the_name_that_it_wants(tmp_path: Path) -> None:
    satpy = pytest.importorskip("satpy")
    path = tmp_path / "Sentinel-3A-slstr-20191001113221-20191001113521.nc"
    write_mask(make_mask(*positions()), path)

    scene = satpy.Scene([str(path)], reader="satpy_cf_nc")
    scene.load(["cloud_mask", "cloud_probability", "agreement"])

    mask = scene["cloud_mask"]
    assert mask.attrs["standard_name"] == "cloud_binary_mask"
    assert int((mask == 1).sum()) == 1
    assert int(mask.isnull().sum()) == 20
    longitude, latitude = mask.attrs["area"].get_lonlats()
    assert float(latitude[CLOUD_PIXEL]) == pytest.approx(10.0, abs=1e-5)
    assert float(longitude[CLOUD_PIXEL]) == pytest.approx(20.0, abs=1e-5)


def test_output_that_exists_is_kept(mask: xr.Dataset, tmp_path: Path) -> None:
    path = tmp_path / "mask.nc"
    path.write_text("precious")

    with pytest.raises(OutputExistsError, match="--overwrite"):
        write_mask(mask, path)
    assert path.read_text() == "precious"

    write_mask(mask, path, overwrite=True)
    assert read_mask(path).attrs["detector"] == "test"
    assert list(tmp_path.iterdir()) == [path]


def test_unwritable_place(mask: xr.Dataset, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(WriteError, match=r"Could not write .*mask\.nc"):
        write_mask(mask, tmp_path / "file" / "mask.nc")


def test_only_masks_are_written(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"expected cloud_probability, cloud_mask.*found nothing"):
        write_mask(xr.Dataset(), tmp_path / "mask.nc")


def test_what_cannot_be_read_is_named(mask: xr.Dataset, tmp_path: Path) -> None:
    path = tmp_path / "mask.nc"
    with pytest.raises(MissingFileError, match=r"no mask file .*mask\.nc"):
        read_mask(path)
    write_mask(mask, path)
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(BrokenFileError, match=r"mask\.nc cannot be read"):
        read_mask(path)
    path.write_text("no NetCDF")
    with pytest.raises(BrokenFileError, match=r"mask\.nc cannot be read"):
        read_mask(path)


def test_another_netcdf_is_no_mask(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "other.nc", "w") as file:
        file.attrs["title"] = "other"

    with pytest.raises(BrokenFileError, match="it is no cloud mask"):
        read_mask(tmp_path / "other.nc")
