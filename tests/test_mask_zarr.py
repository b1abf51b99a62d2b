import json
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from slstr_cloudmask.errors import (
    BrokenFileError,
    InputError,
    MissingExtraError,
    MissingFileError,
    OutputExistsError,
)
from slstr_cloudmask.io import mask_zarr
from slstr_cloudmask.io.mask_file import read_mask
from slstr_cloudmask.io.mask_zarr import write_mask_zarr
from tests.masks import CLOUD_PIXEL, make_mask, positions

pytest.importorskip("zarr")


@pytest.fixture
def mask() -> xr.Dataset:
    return make_mask(*positions())


@pytest.mark.parametrize("placed", [True, False])
def test_what_is_written_is_read_again(tmp_path: Path, placed: bool) -> None:
    mask = make_mask(*positions()) if placed else make_mask()
    write_mask_zarr(mask, tmp_path / "new" / "mask.zarr")

    found = read_mask(tmp_path / "new" / "mask.zarr")

    xr.testing.assert_equal(found, mask)
    for name in mask.variables:
        assert found[name].dtype == mask[name].dtype
        assert found[name].attrs.keys() == mask[name].attrs.keys()
        for key, value in mask[name].attrs.items():
            np.testing.assert_array_equal(found[name].attrs[key], value)
            if not isinstance(value, str):
                assert found[name].attrs[key].dtype == np.asarray(value).dtype
    assert found.attrs["comment"] == "Contains modified Copernicus Sentinel data 2019."
    assert mask.attrs.items() <= found.attrs.items()


def test_the_store_is_of_format_2_with_its_metadata_in_one_place(
    mask: xr.Dataset, tmp_path: Path
) -> None:
    write_mask_zarr(mask, tmp_path / "mask.zarr")

    metadata = json.loads((tmp_path / "mask.zarr" / ".zmetadata").read_text())["metadata"]
    assert metadata[".zgroup"] == {"zarr_format": 2}
    assert metadata["cloud_mask/.zarray"]["dtype"] == "|u1"
    assert metadata["cloud_mask/.zarray"]["fill_value"] == 255
    assert metadata["cloud_mask/.zattrs"]["flag_values"] == [0, 1]


def test_xarray_and_cf_xarray_read_it(mask: xr.Dataset, tmp_path: Path) -> None:
    pytest.importorskip("cf_xarray")
    write_mask_zarr(mask, tmp_path / "mask.zarr")

    with xr.open_dataset(tmp_path / "mask.zarr", engine="zarr", chunks=None) as found:
        cloud = found["cloud_mask"].cf == "cloud"
        assert np.argwhere(cloud.values).tolist() == [list(CLOUD_PIXEL)]
        assert found["time"].values == np.datetime64("2019-10-01T11:32:21")
        assert set(found.coords) == {"latitude", "longitude", "time"}


def test_a_store_that_exists_is_kept_unless_told(mask: xr.Dataset, tmp_path: Path) -> None:
    path = tmp_path / "mask.zarr"
    write_mask_zarr(mask, path)
    with pytest.raises(OutputExistsError, match="--overwrite"):
        write_mask_zarr(mask, path)

    fewer = mask.drop_vars(["esa_basic", "agreement"])
    write_mask_zarr(fewer, path, overwrite=True)

    assert "esa_basic" not in read_mask(path)
    assert not (path / "esa_basic").exists()
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_of_other_things_is_never_replaced(mask: xr.Dataset, tmp_path: Path) -> None:
    path = tmp_path / "mask.zarr"
    write_mask_zarr(mask, path)
    (path / "notes.txt").write_text("precious")
    with pytest.raises(OutputExistsError, match=r"also holds notes\.txt"):
        write_mask_zarr(mask, path, overwrite=True)
    assert read_mask(path).sizes == mask.sizes

    other = tmp_path / "other.zarr"
    xr.Dataset({"temperature": ("x", [1.0])}).to_zarr(other, zarr_format=2, consolidated=True)
    with pytest.raises(OutputExistsError, match="also holds temperature"):
        write_mask_zarr(mask, other, overwrite=True)


def test_what_fails_leaves_nothing(
    mask: xr.Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: xr.Dataset, store: Path, **options: object) -> None:
        Path(store).mkdir()
        (Path(store) / ".zgroup").write_text("{}")
        raise RuntimeError("killed")

    monkeypatch.setattr(xr.Dataset, "to_zarr", fail)
    with pytest.raises(RuntimeError, match="killed"):
        write_mask_zarr(mask, tmp_path / "mask.zarr")
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_read_is_named(mask: xr.Dataset, tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="no Zarr store"):
        read_mask(tmp_path)
    with pytest.raises(InputError, match="no mask"):
        write_mask_zarr(xr.Dataset(), tmp_path / "mask.zarr")
    path = tmp_path / "mask.zarr"
    write_mask_zarr(mask.drop_vars("regime").assign(regime=mask["regime"]), path)
    chunk = path / "cloud_mask" / "0.0"
    chunk.write_bytes(chunk.read_bytes()[:-8])
    with pytest.raises(BrokenFileError, match=r"mask\.zarr cannot be read"):
        read_mask(path)
    (path / ".zmetadata").write_text("{")
    with pytest.raises(BrokenFileError, match=r"mask\.zarr cannot be read"):
        read_mask(path)


def test_a_store_without_a_mask_is_no_mask(tmp_path: Path) -> None:
    xr.Dataset({"x": ("x", [1.0])}).to_zarr(tmp_path / "a.zarr", zarr_format=2, consolidated=True)

    with pytest.raises(BrokenFileError, match="it is no cloud mask"):
        read_mask(tmp_path / "a.zarr")


def test_without_zarr_the_line_that_installs_it_is_printed(
    mask: xr.Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(module: str, *, extra: str) -> None:
        raise MissingExtraError(f'pip install "slstr-cloudmask[{extra}]"')

    monkeypatch.setattr(mask_zarr, "require", missing)
    with pytest.raises(MissingExtraError, match=r"slstr-cloudmask\[zarr\]"):
        write_mask_zarr(mask, tmp_path / "mask.zarr")
