"""Products through xarray's own words: the engine and the accessor."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import slstr_cloudmask as cm
from slstr_cloudmask.errors import InputError, MissingFileError
from slstr_cloudmask.xarray_engine import SlstrBackendEntrypoint
from tests.sen3_product import NAME, write_product


@pytest.fixture
def product(tmp_path: Path) -> Path:
    return write_product(tmp_path)


def test_engine_opens_what_open_scene_opens(product: Path) -> None:
    xr.testing.assert_identical(
        xr.open_dataset(product, engine="slstr").load(), cm.open_scene(product).load()
    )


def test_engine_is_found_without_the_package_being_imported(product: Path) -> None:
    program = (
        "import sys, xarray; scene = xarray.open_dataset(sys.argv[1], engine='slstr'); "
        "scene.slstr; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", program, str(product)], check=True)


def test_variables_that_are_dropped_are_not_read(product: Path) -> None:
    (product / "S8_BT_in.nc").write_bytes(b"no longer a file of NetCDF")

    scene = xr.open_dataset(product, engine="slstr", drop_variables=["S8", "nonsense"]).load()

    assert "S8" not in scene
    assert "S9" in scene
    assert "S9" not in xr.open_dataset(product, engine="slstr", drop_variables="S9")


def test_values_come_in_chunks(product: Path) -> None:
    pytest.importorskip("dask")
    scene = xr.open_dataset(product, engine="slstr", chunks={"rows": 3})

    assert scene["S3"].chunks == ((3, 1), (32,))
    np.testing.assert_array_equal(scene["S3"].values, cm.open_scene(product)["S3"].values)


def test_options_of_the_engine_are_those_of_open_scene(product: Path) -> None:
    scene = xr.open_dataset(product, engine="slstr", grid="500m", radiometry="adjusted")

    assert scene.sizes == {"rows": 8, "columns": 64}
    assert scene.attrs["radiometry"] == "adjusted"
    with pytest.raises(InputError, match="Unknown view 'sideways': expected nadir or oblique"):
        xr.open_dataset(product, engine="slstr", view="sideways")


def test_a_product_is_known_by_its_name(product: Path, tmp_path: Path) -> None:
    packed = shutil.make_archive(str(product), "zip", product.parent, product.name)
    guess = SlstrBackendEntrypoint().guess_can_open

    assert guess(product)
    assert guess(packed)
    assert guess(f"s3://bucket/{NAME}/")
    assert guess(product / "xfdumanifest.xml")
    assert not guess(tmp_path / "mask.nc")
    assert not guess(tmp_path / "other.SEN3")
    assert not guess(b"CDF")
    assert "S8" in xr.open_dataset(product)  # no engine named


def test_what_is_not_there_is_said_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="There is no product at"):
        xr.open_dataset(tmp_path / NAME, engine="slstr")


def test_accessor_masks_and_draws(product: Path, tmp_path: Path) -> None:
    scene = cm.open_scene(product)

    mask = scene.slstr.cloud_mask(threshold=0.7)

    assert mask.attrs["threshold"] == 0.7
    xr.testing.assert_equal(mask["cloud_mask"], cm.predict(scene, threshold=0.7)["cloud_mask"])
    scene.slstr.quicklook(tmp_path / "scene.png")
    scene.slstr.quicklook(tmp_path / "scene.png", mask=mask, overwrite=True)
    assert (tmp_path / "scene.png").read_bytes().startswith(b"\x89PNG")
    figure = scene.slstr.quicklook(panels=["thermal"])
    assert len(figure.axes) >= 1


def test_a_scene_made_by_hand_has_the_accessor(product: Path) -> None:
    assert product.exists()
    scene = cm.build_scene({"S8": np.full((8, 8), 280.0), "S9": np.full((8, 8), 279.0)})

    assert set(scene.slstr.cloud_mask()["cloud_mask"].values.ravel()) <= {0, 1, 255}


def test_decoders_of_xarray_change_nothing(product: Path) -> None:
    plain = xr.open_dataset(product, engine="slstr").load()
    for options in (
        {"mask_and_scale": False, "decode_times": True},
        {"decode_cf": False},
        {"decode_coords": "all", "concat_characters": True, "decode_timedelta": False},
    ):
        scene = xr.open_dataset(product, engine="slstr", **options)
        xr.testing.assert_identical(scene.load(), plain)


@pytest.mark.filterwarnings("ignore:Consolidated metadata")
@pytest.mark.parametrize("kind", ["nc", "zarr"])
def test_a_scene_that_xarray_wrote_and_decoded_is_a_scene(
    product: Path, tmp_path: Path, kind: str
) -> None:
    scene = xr.open_dataset(product, engine="slstr")
    place = tmp_path / f"scene.{kind}"
    if kind == "nc":
        scene.to_netcdf(place, engine="h5netcdf")
    else:
        pytest.importorskip("zarr")
        scene.to_zarr(place)

    again = xr.open_dataset(place, engine="h5netcdf" if kind == "nc" else "zarr")

    assert again["bayes"].dtype.kind == "f"
    expected, mask = scene.slstr.cloud_mask(), again.slstr.cloud_mask()
    for name, variable in expected.data_vars.items():
        np.testing.assert_array_equal(mask[name], variable)
        assert mask[name].dtype == variable.dtype
    # Nothing is known of bayes in row 3 and beyond column 29, which NaN must not hide.
    assert (mask["esa_bayes_single_moderate"].values[3] == 255).all()
    assert "esa_summary_cloud" in mask
    drawn = again.slstr.quicklook(tmp_path / "scene.png", mask=mask, panels=["operational"])
    assert "cloud" in drawn.axes[0].get_title("right")


def test_pictures_are_png_and_of_bands(product: Path, tmp_path: Path) -> None:
    scene = cm.open_scene(product)

    with pytest.raises(InputError, match=r"expected a name that ends in .png, found .*scene.jpg"):
        scene.slstr.quicklook(tmp_path / "scene.jpg")
    assert not (tmp_path / "scene.jpg").exists()
    with pytest.raises(InputError, match="The scene holds no SLSTR band"):
        scene[["bayes"]].slstr.quicklook()
    with pytest.raises(InputError, match=r"Band S8 has dims"):
        scene[["S8"]].rename(rows="y").slstr.quicklook()
