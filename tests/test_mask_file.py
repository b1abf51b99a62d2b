from pathlib import Path

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
        assert file.attrs["Conventions"] == "CF-1.8"
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
