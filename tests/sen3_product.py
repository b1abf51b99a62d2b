"""A tiny but real ``.SEN3`` folder: right names, packing, fill values, exceptions and tie points.

The image has 4 rows and 32 columns of 1 km, the tie points 4 rows and 4 columns of 16 km, and
image column 16 lies on tie column 1, so that image column 8 is half way between tie columns 0
and 1.

`write_product` writes one view with a few pixels that are special; `write_views` writes whole
products of any baseline, plain, for tests to put their own values in (`put`, `mark`, `number`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
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
    oblique: bool = False,
) -> Path:
    """Write a product and return its folder.

    The 500 m grid begins ``shift`` rows and columns of 500 m before the 1 km grid. The oblique
    view, where it is wanted, is as `write_views` makes it.

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
    if oblique:
        make = Make(bands=bands, solar_zenith_deg=solar_zenith_deg, stripes="a", cartesian=False)
        _write_view(folder, make, "o")
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
    track_column: int | None = None,
) -> None:
    """Write one file of a product, with the global attributes that place its grid."""
    factor = 1000 // resolution_m
    with h5py.File(path, "w") as file:
        file.attrs["product_name"] = np.bytes_(path.parent.name)
        file.attrs["start_time"] = np.bytes_("2019-10-01T11:32:21.123456Z")
        track = (track_column or (1 if tie else 16)) * factor + shift[1]
        file.attrs["track_offset"] = np.array([track], np.int32)
        file.attrs["start_offset"] = np.array([START_OFFSET * factor - shift[0]], np.int32)
        across_m = 16000 if tie else resolution_m
        file.attrs["resolution"] = np.bytes_(f"[ {across_m} {resolution_m} ]")
        for name, values in variables.items():
            file[name] = values
            for key, value in (attributes or {}).get(name, {}).items():
                plain = isinstance(value, np.ndarray | bytes)
                file[name].attrs[key] = value if plain else np.array([value])


# -- whole products: two views, all grids ---------------------------------------------------------

NAMES = {
    "002": (
        "S3A_SL_1_RBT____20170313T110343_20170313T110643_20170314T172757_0179_015_208_2520"
        "_LN2_O_NT_002.SEN3"
    ),
    "003": (
        "S3A_SL_1_RBT____20180313T110343_20180313T110643_20180314T172757_0179_029_037_____"
        "_LR1_R_NT_003.SEN3"
    ),
    "004": NAME,
    "004_NR": (
        "S3A_SL_1_RBT____20210827T074336_20210827T074636_20210827T094954_0179_075_320_3060"
        "_LN2_O_NR_004.SEN3"
    ),
    "005": NAME_005,
}
VIEWS = ("n", "o")
# Of the 1 km grids. Oblique column 6 and nadir column 16 are both on the track: oblique column c
# shows the ground of nadir column c + 10.
VIEW_COLUMNS = {"n": COLUMNS, "o": 16}
TRACK_COLUMN = {"n": 16, "o": 6}
RADIANCE = {"a": 10.0, "b": 20.0, "c": 15.0}  # mW m-2 sr-1 nm-1
BT_KELVIN, FIRE_KELVIN = 283.73, 290.0
ORPHANS = 2  # in each row
NO_PLACE_M = -1_000_000  # of an orphan that there is not
COSMETIC = 256
NOT_SEEN = 255  # detector of a pixel without a measurement


@dataclass(frozen=True)
class Make:
    """What `write_views` writes."""

    baseline: str = "004"
    rows: int = ROWS
    views: tuple[str, ...] = VIEWS
    bands: tuple[str, ...] = REFLECTIVE + THERMAL
    stripes: str = "ab"
    odd: bool = False  # the 500 m grids lack their last row and column
    shift: tuple[int, int] = (0, 0)  # 500 m grids begin so many rows and columns of 500 m before
    solar_zenith_deg: float = 60.0
    cartesian: bool = True
    indices: bool = True
    irradiance: tuple[float, ...] = (1000.0,) * 4  # by detector
    signed: bool = False

    @property
    def fire(self) -> str:
        """Grid of F1: the first products keep it on that of the others."""
        return "i" if self.baseline == "002" else "f"

    def shape(self, suffix: str) -> tuple[int, int]:
        letter, view = suffix[0], suffix[1]
        if letter in "if":
            return self.rows, VIEW_COLUMNS[view]
        return 2 * self.rows - self.odd, 2 * VIEW_COLUMNS[view] - self.odd

    def grids(self) -> str:
        """Letters of the grids of measurements."""
        return "".join(dict.fromkeys(f"{self.stripes}i{self.fire}"))


def write_views(parent: Path, make: Make | None = None) -> Path:
    """Write a whole product, the same everywhere, and return its folder.

    Radiance is `RADIANCE` by stripe, brightness temperature `BT_KELVIN`, that of F1 `FIRE_KELVIN`.
    Positions are those of the grids, and there are no orphans until `put` makes some. All is clear
    ocean by ``cloud`` and ``confidence``, and by ``bayes`` but in baseline 002, which leaves it
    empty.
    """
    make = make or Make()
    folder = parent / NAMES[make.baseline]
    folder.mkdir(parents=True)
    (folder / "xfdumanifest.xml").write_text("<?xml version='1.0'?>")
    for view in make.views:
        _write_view(folder, make, view)
    place = {
        "latitude_tx": np.full((make.rows, TIE_COLUMNS), 10.0),
        "longitude_tx": np.tile(20 + 0.15 * np.arange(TIE_COLUMNS), (make.rows, 1)),
    }
    write_file(folder / "geodetic_tx.nc", place, tie=True)
    return folder


def put(folder: Path, stem: str, values: Mapping[Any, Any], variable: str | None = None) -> None:
    """Put values in a variable, in its unit, by index; NaN is fill."""
    with h5py.File(folder / f"{stem}.nc", "r+") as file:
        data = file[variable or stem]
        scale, offset = (
            data.attrs.get(name, [value])[0]
            for name, value in (("scale_factor", 1), ("add_offset", 0))
        )
        fill = data.attrs.get("_FillValue", [0])[0]
        for index, value in values.items():
            raw = np.round((np.asarray(value, float) - offset) / scale)
            data[index] = np.where(np.isnan(raw), fill, raw).astype(data.dtype)


def mark(folder: Path, stem: str, exceptions: Mapping[Any, int]) -> None:
    """Set exceptions of a measurement by index."""
    band, _, suffix = stem.split("_")
    with h5py.File(folder / f"{stem}.nc", "r+") as file:
        data = file[f"{band}_exception_{suffix}"]
        for index, value in exceptions.items():
            data[index] = np.asarray(value, np.uint8).astype(data.dtype)


def number(folder: Path, stem: str, first: float, row: float, column: float) -> None:
    """Fill a measurement with ``first + row * its row + column * its column``."""
    with h5py.File(folder / f"{stem}.nc") as file:
        rows, columns = np.indices(file[stem].shape)
    put(folder, stem, {...: first + row * rows + column * columns})


def set_flags(folder: Path, name: str, suffix: str, values: Mapping[Any, int]) -> None:
    """Set ``bayes``, ``cloud`` or ``confidence`` of a grid by index."""
    with h5py.File(folder / f"flags_{suffix}.nc", "r+") as file:
        data = file[f"{name}_{suffix}"]
        unsigned = np.dtype(f"u{data.dtype.itemsize}")
        for index, value in values.items():
            data[index] = np.asarray(value, unsigned).astype(data.dtype)


def place_orphan(
    folder: Path, stem: str, index: tuple[int, int], xy_m: tuple[float, float], value: float
) -> None:
    """Make a measurement that found no place in the image."""
    band, kind, suffix = stem.split("_")
    put(folder, stem, {index: value}, f"{band}_{kind}_orphan_{suffix}")
    mark_orphan = {index: 0}
    with h5py.File(folder / f"{stem}.nc", "r+") as file:
        for where, exception in mark_orphan.items():
            file[f"{band}_exception_orphan_{suffix}"][where] = exception
    for axis, metres in zip("xy", xy_m, strict=True):
        put(folder, f"cartesian_{suffix}", {index: metres}, f"{axis}_orphan_{suffix}")


def _write_view(folder: Path, make: Make, view: str) -> None:
    for band in (*make.bands, "F1"):
        if band in REFLECTIVE:
            own = [letter for letter in make.stripes if letter == "a" or band in REFLECTIVE[3:]]
            for letter in own:
                _write_band(folder, make, f"{band}_radiance_{letter}{view}", RADIANCE[letter])
                irradiance = {f"{band}_solar_irradiance_{letter}{view}": np.array(make.irradiance)}
                write_file(folder / f"{band}_quality_{letter}{view}.nc", irradiance)
        elif band == "F1":
            _write_band(folder, make, f"F1_BT_{make.fire}{view}", FIRE_KELVIN)
        else:
            _write_band(folder, make, f"{band}_BT_i{view}", BT_KELVIN)
    angle = np.full((make.rows, TIE_COLUMNS), make.solar_zenith_deg)
    angles = {f"solar_zenith_t{view}": angle, f"sat_zenith_t{view}": np.full_like(angle, 20)}
    write_file(folder / f"geometry_t{view}.nc", angles, tie=True)
    for letter in make.grids():
        _write_view_flags(folder, make, f"{letter}{view}")
        if make.cartesian:
            _write_cartesian(folder, make, f"{letter}{view}")
        if make.indices:
            _write_indices(folder, make, f"{letter}{view}")


def _write_band(folder: Path, make: Make, stem: str, value: float) -> None:
    band, kind, suffix = stem.split("_")
    shape = make.shape(suffix)
    offset = 283.73 if kind == "BT" else 0.0
    packing = {"scale_factor": 0.01, "add_offset": offset, "_FillValue": np.int16(FILL)}
    bits = _bits(EXCEPTIONS, np.dtype(np.uint8), make.signed)
    exception, orphan = f"{band}_exception_{suffix}", f"{band}_{kind}_orphan_{suffix}"
    count = np.int16(round((value - offset) / 0.01))
    kind_of = np.int8 if make.signed else np.uint8
    unseen = np.array(128, np.uint8).astype(kind_of)
    _write_on(
        folder,
        make,
        stem,
        {
            stem: np.full(shape, count),
            exception: np.zeros(shape, kind_of),
            orphan: np.full((shape[0], ORPHANS), FILL, np.int16),
            f"{band}_exception_orphan_{suffix}": np.full((shape[0], ORPHANS), unseen),
        },
        {
            stem: packing,
            orphan: packing,
            exception: bits,
            f"{band}_exception_orphan_{suffix}": bits,
        },
    )


def _write_view_flags(folder: Path, make: Make, suffix: str) -> None:
    kinds = {"bayes": (BAYES, 0), "cloud": (CLOUD, 0), "confidence": (CONFIDENCE, OCEAN)}
    if make.baseline == "002":
        kinds["bayes"] = BAYES, 255
    variables, attributes = {}, {}
    for name, (meanings, value) in kinds.items():
        unsigned = np.dtype(np.uint8 if name == "bayes" else np.uint16)
        attributes[f"{name}_{suffix}"] = _bits(meanings, unsigned, make.signed)
        values = np.full(make.shape(suffix), value, unsigned)
        variables[f"{name}_{suffix}"] = (
            values.view(f"i{unsigned.itemsize}") if make.signed else values
        )
    _write_on(folder, make, f"flags_{suffix}", variables, attributes)


def _write_cartesian(folder: Path, make: Make, suffix: str) -> None:
    rows, columns = np.indices(make.shape(suffix))
    track = TRACK_COLUMN[suffix[1]]
    if suffix[0] in "if":
        x, y = -(columns - track) * 1000, rows * 1000
    else:  # four to a pixel of 1 km, 250 m from its middle
        x = -(columns - make.shift[1] - 2 * track) * 500 + 250
        y = (rows - make.shift[0]) * 500 - 250
    packing = {"scale_factor": 1.0, "add_offset": 0.0, "_FillValue": np.int32(NO_PLACE_M)}
    beside = np.full((rows.shape[0], ORPHANS), NO_PLACE_M, np.int32)
    names = [f"{axis}_{kind}{suffix}" for axis in "xy" for kind in ("", "orphan_")]
    values = (x.astype(np.int32), beside, y.astype(np.int32), beside)
    _write_on(
        folder,
        make,
        f"cartesian_{suffix}",
        dict(zip(names, values, strict=True)),
        dict.fromkeys(names, packing),
    )


def _write_indices(folder: Path, make: Make, suffix: str) -> None:
    """Detectors by row, in turn; none of the orphans has one until it is put there."""
    shape = make.shape(suffix)
    detectors = 2 if suffix[0] in "if" else 4
    numbers = np.repeat(np.arange(shape[0])[:, np.newaxis] % detectors, shape[1], axis=1)
    fill = {"_FillValue": np.uint8(NOT_SEEN)}
    names = f"detector_{suffix}", f"detector_orphan_{suffix}"
    beside = np.full((shape[0], ORPHANS), NOT_SEEN, np.uint8)
    values = dict(zip(names, (numbers.astype(np.uint8), beside), strict=True))
    _write_on(folder, make, f"indices_{suffix}", values, dict.fromkeys(names, fill))


def _bits(meanings: str, unsigned: np.dtype[Any], signed: bool) -> dict[str, Any]:
    attributes = flags(meanings, unsigned.type)
    if signed:
        attributes["flag_masks"] = attributes["flag_masks"].view(f"i{unsigned.itemsize}")
    return attributes


def _write_on(
    folder: Path,
    make: Make,
    stem: str,
    variables: Mapping[str, Array],
    attributes: Mapping[str, Mapping[str, Any]],
) -> None:
    """Write a file on its grid, in its view."""
    letter, view = stem[-2], stem[-1]
    fine = letter not in "if"
    write_file(
        folder / f"{stem}.nc",
        variables,
        attributes,
        resolution_m=500 if fine else 1000,
        shift=make.shift if fine else (0, 0),
        track_column=TRACK_COLUMN[view],
    )
