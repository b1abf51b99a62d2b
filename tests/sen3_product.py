"""A tiny but real ``.SEN3`` folder: right names, packing, fill values, exceptions and tie points.

The image has 4 rows and 32 columns of 1 km, the tie points 4 rows and 4 columns of 16 km, and
image column 16 lies on tie column 1, so that image column 8 is half way between tie columns 0
and 1.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

NAME = (
    "S3A_SL_1_RBT____20191001T113221_20191001T113521_20210116T103011_0179_050_023_1980"
    "_LR1_R_NT_004.SEN3"
)
NAME_005 = (
    "S3B_SL_1_RBT____20260401T003221_20260401T003521_20260401T103011_0179_050_023_1980"
    "_ESA_O_NT_005.SEN3"
)
ROWS, COLUMNS = 4, 32
TIE_COLUMNS = 4
START_OFFSET = 100
UNFILLED_COLUMNS = slice(30, 32)  # outside the swath
FILL = -32768
EXCEPTIONS = (
    "ISP_absent pixel_absent not_decompressed no_signal saturation invalid_radiance "
    "no_parameters unfilled_pixel"
)
CLOUD = (
    "visible 1.37_threshold 1.6_small_histogram 1.6_large_histogram 2.25_small_histogram "
    "2.25_large_histogram 11_spatial_coherence gross_cloud thin_cirrus medium_high "
    "fog_low_stratus 11_12_view_difference 3.7_11_view_difference thermal_histogram spare spare"
)
CONFIDENCE = (
    "coastline ocean tidal land inland_water unfilled spare spare cosmetic duplicate day twilight "
    "sun_glint snow summary_cloud summary_pointing"
)
BAYES = "single_low single_moderate dual_low dual_moderate spare spare spare spare"
OCEAN, UNFILLED, SUMMARY_CLOUD = 2, 32, 16384
REFLECTIVE = ("S1", "S2", "S3", "S4", "S5", "S6")
THERMAL = ("S7", "S8", "S9")

Array = npt.NDArray[Any]


def write_product(
    parent: Path,
    *,
    name: str = NAME,
    bands: tuple[str, ...] = REFLECTIVE + THERMAL,
    solar_zenith_deg: float = 60.0,
    tie_latitude: npt.ArrayLike = 10.0,
    tie_longitude: npt.ArrayLike = 20.0,
    geodetic: bool = False,
    empty: bool = False,
    odd: bool = False,
    quality: bool = True,
    shift: tuple[int, int] = (0, 0),
) -> Path:
    """Write a product and return its folder.

    The 500 m grid begins ``shift`` rows and columns of 500 m before the 1 km grid.

    Brightness temperature is 283.73 K + 1 K for each row, radiance is 10 mW m-2 sr-1 nm-1 and
    solar irradiance 1000 mW m-2 nm-1 in every band, but for the pixels that `bt_counts` and
    `radiance_counts` name.
    """
    folder = parent / name
    folder.mkdir(parents=True)
    (folder / "xfdumanifest.xml").write_text("<?xml version='1.0'?>")
    for band in bands:
        if band in THERMAL:
            _write_thermal(folder, band, empty)
        else:
            _write_radiance(folder, band, empty, odd, shift)
            if quality:
                _write_quality(folder, band)
    shape = (ROWS, TIE_COLUMNS)
    position = {
        "latitude_tx": np.broadcast_to(np.asarray(tie_latitude, float), shape),
        "longitude_tx": np.broadcast_to(np.asarray(tie_longitude, float), shape),
    }
    angles = {
        "solar_zenith_tn": np.full(shape, solar_zenith_deg),
        "sat_zenith_tn": np.full(shape, 20.0),
    }
    write_file(folder / "geodetic_tx.nc", position, tie=True)
    write_file(folder / "geometry_tn.nc", angles, tie=True)
    if geodetic:
        _write_geodetic(folder)
    _write_flags(folder, empty)
    return folder


def bt_counts() -> tuple[Array, Array]:
    """Counts and exceptions of a thermal band, int16 and uint8."""
    counts = np.repeat(np.arange(ROWS, dtype=np.int16)[:, np.newaxis] * 100, COLUMNS, axis=1)
    exceptions = np.zeros((ROWS, COLUMNS), np.uint8)
    exceptions[0, :4] = 2, 16, 32, 8  # pixel_absent, saturation, invalid_radiance, no_signal
    counts[:, UNFILLED_COLUMNS], exceptions[:, UNFILLED_COLUMNS] = FILL, 128
    return counts, exceptions


def radiance_counts(odd: bool = False) -> tuple[Array, Array]:
    """Counts and exceptions of a reflective band at 500 m; one row and column less where odd."""
    shape = (2 * ROWS - odd, 2 * COLUMNS - odd)
    counts = np.full(shape, 1000, np.int16)
    exceptions = np.zeros(shape, np.uint8)
    counts[0:2, 0:2] = [[1000, 2000], [3000, FILL]]  # 1 km pixel (0, 0)
    exceptions[1, 1] = 128
    exceptions[0:2, 2:4] = 8  # 1 km pixel (0, 1): no signal in any of the four
    counts[0:2, 4:6] = -100  # 1 km pixel (0, 2): noise below zero
    return counts, exceptions


def _write_thermal(folder: Path, band: str, empty: bool) -> None:
    counts, exceptions = bt_counts()
    if empty:
        counts[:], exceptions[:] = FILL, 128
    packing = {"scale_factor": 0.01, "add_offset": 283.73, "_FillValue": np.int16(FILL)}
    write_file(
        folder / f"{band}_BT_in.nc",
        {f"{band}_BT_in": counts, f"{band}_exception_in": exceptions},
        {f"{band}_BT_in": packing, f"{band}_exception_in": flags(EXCEPTIONS, np.uint8)},
    )


def _write_radiance(
    folder: Path, band: str, empty: bool, odd: bool, shift: tuple[int, int]
) -> None:
    counts, exceptions = radiance_counts(odd)
    if empty:
        counts[:], exceptions[:] = FILL, 128
    packing = {"scale_factor": 0.01, "add_offset": 0.0, "_FillValue": np.int16(FILL)}
    write_file(
        folder / f"{band}_radiance_an.nc",
        {f"{band}_radiance_an": counts, f"{band}_exception_an": exceptions},
        {f"{band}_radiance_an": packing, f"{band}_exception_an": flags(EXCEPTIONS, np.uint8)},
        resolution_m=500,
        shift=shift,
    )


def _write_quality(folder: Path, band: str) -> None:
    irradiance = np.array([990.0, 1010.0, np.nan, 1000.0])  # the mean of the known is 1000
    write_file(folder / f"{band}_quality_an.nc", {f"{band}_solar_irradiance_an": irradiance})


def _write_geodetic(folder: Path) -> None:
    packing = {"scale_factor": 1e-6, "add_offset": 0.0, "_FillValue": np.int32(-2147483648)}
    latitude = np.full((ROWS, COLUMNS), 51_500_000, np.int32)
    longitude = np.full((ROWS, COLUMNS), -1_250_000, np.int32)
    latitude[:, UNFILLED_COLUMNS] = -2147483648
    write_file(
        folder / "geodetic_in.nc",
        {"latitude_in": latitude, "longitude_in": longitude},
        {"latitude_in": packing, "longitude_in": packing},
    )


def _write_flags(folder: Path, empty: bool) -> None:
    """Cloud by all three flags in row 0; nothing known of ``bayes`` in row 3."""
    bayes = np.zeros((ROWS, COLUMNS), np.uint8)
    cloud = np.zeros((ROWS, COLUMNS), np.uint16)
    confidence = np.full((ROWS, COLUMNS), OCEAN, np.uint16)
    bayes[0], bayes[3] = 2, 255
    cloud[0] = 128  # gross_cloud
    confidence[0] |= SUMMARY_CLOUD
    outside = slice(None) if empty else UNFILLED_COLUMNS
    confidence[:, outside] |= UNFILLED
    write_file(
        folder / "flags_in.nc",
        {"bayes_in": bayes, "cloud_in": cloud, "confidence_in": confidence},
        {
            "bayes_in": flags(BAYES, np.uint8),
            "cloud_in": flags(CLOUD, np.uint16),
            "confidence_in": flags(CONFIDENCE, np.uint16),
        },
    )


def flags(meanings: str, dtype: type[np.unsignedinteger[Any]]) -> dict[str, Any]:
    """CF attributes of a bit field, one bit for each word."""
    bits = [1 << bit for bit in range(len(meanings.split()))]
    return {"flag_masks": np.array(bits, dtype), "flag_meanings": np.bytes_(meanings)}


def write_file(
    path: Path,
    variables: Mapping[str, Array],
    attributes: Mapping[str, Mapping[str, Any]] | None = None,
    *,
    resolution_m: int = 1000,
    tie: bool = False,
    shift: tuple[int, int] = (0, 0),
) -> None:
    """Write one file of a product, with the global attributes that place its grid."""
    factor = 1000 // resolution_m
    with h5py.File(path, "w") as file:
        file.attrs["product_name"] = np.bytes_(path.parent.name)
        file.attrs["start_time"] = np.bytes_("2019-10-01T11:32:21.123456Z")
        file.attrs["track_offset"] = np.array([1 if tie else 16 * factor + shift[1]], np.int32)
        file.attrs["start_offset"] = np.array([START_OFFSET * factor - shift[0]], np.int32)
        across_m = 16000 if tie else resolution_m
        file.attrs["resolution"] = np.bytes_(f"[ {across_m} {resolution_m} ]")
        for name, values in variables.items():
            file[name] = values
            for key, value in (attributes or {}).get(name, {}).items():
                plain = isinstance(value, np.ndarray | bytes)
                file[name].attrs[key] = value if plain else np.array([value])
