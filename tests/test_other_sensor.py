"""Scenes of other sensors: their bands in the place of SLSTR's."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from slstr_cloudmask.errors import InputError, MissingFileError
from slstr_cloudmask.io.other_sensor import find_images, read_band_mapping, read_other_scene

SHAPE = (4, 5)


def test_a_mapping_in_words() -> None:
    found = read_band_mapping("S1=green, S2=B4*0.0001-0.1,S8=11.0um*1e-2+150,S5=1610nm*1e-3,S6=B-7")
    assert {band: (s.name, s.factor, s.constant) for band, s in found.items()} == {
        "S1": ("green", 1.0, 0.0),
        "S2": ("B4", 0.0001, -0.1),
        "S8": ("11.0um", 0.01, 150.0),
        "S5": ("1610nm", 0.001, 0.0),
        "S6": ("B-7", 1.0, 0.0),
    }


@pytest.mark.parametrize("text", ["S1", "S0=a", "S1=", "S1=a,S1=b", "green=S1", "S1=a*b", "S1=a*"])
def test_mappings_that_cannot_be(text: str) -> None:
    with pytest.raises(InputError, match="Cannot read the band"):
        read_band_mapping(text)


def test_no_mapping() -> None:
    with pytest.raises(InputError, match="No band is named"):
        read_band_mapping(" ,")


def write_bands(path: Path) -> Path:
    """Write three bands in counts; two tell their wavelength, one in nanometres."""
    dims = ("y", "x")
    bands = {
        "B3": xr.Variable(dims, np.full(SHAPE, 2500, np.uint16), {"wavelength": 560.0}),
        "SWIR": xr.Variable(dims, np.full(SHAPE, 1000, np.uint16), {"wavelength_um": 1.65}),
        "B10": xr.Variable(dims, np.full(SHAPE, 28000, np.uint16)),
        "latitude": xr.Variable(dims, np.full(SHAPE, 60.0)),
        "truth": xr.Variable(dims, np.array([[0, 1, 2, 255, 1]] * 4, np.uint8)),
    }
    xr.Dataset(bands).to_netcdf(path, engine="h5netcdf")
    return path


def test_bands_by_name_and_by_wavelength(tmp_path: Path) -> None:
    path = write_bands(tmp_path / "a.nc")
    text = "S1=green*0.0001,S5=1610nm*0.0001,S8=b10*0.01"
    scene = read_other_scene(path, read_band_mapping(text))
    assert set(scene.data_vars) == {"S1", "S5", "S8", "truth"}
    # 2500/10000 = 0.25; 1.65 um is within 6 % of 1.61 (2.5 %); 28000/100 = 280 K.
    assert scene["S1"].values[0, 0] == pytest.approx(0.25)
    assert scene["S5"].values[0, 0] == pytest.approx(0.1)
    assert scene["S8"].values[0, 0] == pytest.approx(280)
    assert scene["latitude"].values[0, 0] == 60
    assert scene["truth"].values[0].tolist() == [0, 1, 255, 255, 1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("S2=red*0.0001", r"holds no band 'red': it has B3 \(0.56 um\), SWIR \(1.65 um\), B10"),
        ("S6=2.2um", "holds no band '2.2um'"),
        ("S2=B4", "holds no band 'B4'"),
        ("S1=B3", "Band S1 has median 2500: expected reflectance.*Scale it, such as"),
        ("S8=B10", "Band S8 has median 28000: expected kelvin"),
    ],
)
def test_bands_that_are_not_there_or_in_other_units(
    tmp_path: Path, text: str, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        read_other_scene(write_bands(tmp_path / "a.nc"), read_band_mapping(text))


def test_a_geotiff_knows_where_it_lies(tmp_path: Path) -> None:
    rasterio = pytest.importorskip("rasterio")
    path = tmp_path / "a.tif"
    profile = {"driver": "GTiff", "height": 4, "width": 5, "count": 2, "dtype": "uint16"}
    # UTM zone 31 at the equator: easting 500 km is 3 degrees east.
    transform = rasterio.Affine(30, 0, 500_000 - 15, 0, -30, 15)
    with rasterio.open(path, "w", crs="EPSG:32631", transform=transform, nodata=0, **profile) as f:
        f.write(np.full((2, *SHAPE), 3000, np.uint16))
        f.write(np.zeros(SHAPE, np.uint16), 2)
        f.set_band_description(1, "red")

    scene = read_other_scene(path, read_band_mapping("S2=red*0.0001,S3=2*0.0001"))

    assert scene["S2"].values[0, 0] == pytest.approx(0.3)
    assert np.isnan(scene["S3"].values).all()  # 0 is no data
    assert scene["longitude"].values[0, 0] == pytest.approx(3.0, abs=1e-6)
    assert scene["latitude"].values[0, 0] == pytest.approx(0.0, abs=1e-6)
    # 30 m south are 30 / 110574 degrees, times 1 / 0.9996 of the projection's scale.
    assert scene["latitude"].values[1, 0] == pytest.approx(-30 / 110574 / 0.9996, rel=1e-3)


def test_images_are_found(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="Found no image"):
        find_images(tmp_path)
    path = write_bands(tmp_path / "a.nc")
    (tmp_path / "b.txt").touch()
    assert find_images(tmp_path) == find_images(path) == [path]
