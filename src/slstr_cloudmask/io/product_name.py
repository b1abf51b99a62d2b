"""What the name of a product tells: satellite, time, orbit, baseline.

    name = parse_product_name("S3A_SL_1_RBT____20191001T113221_...LR1_R_NT_004.SEN3")
    name.platform, name.start, name.baseline

The benchmark's files keep the product's name with another ending. People rename files, so a name
that does not fit is no error: ``parse_product_name`` then returns None.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from slstr_cloudmask.io.remote import location_of, without_secrets

MANIFEST = "xfdumanifest.xml"
EXAMPLE = (
    "S3A_SL_1_RBT____20191001T113221_20191001T113521_20210116T103011_0179_050_023_1980"
    "_LR1_R_NT_004.SEN3"
)
# No centre of the ground segment: such a product was made by ``cloudmask simulate``.
SIMULATED_CENTRES = ("SI0", "SI1")

# Sentinel-3 PDGS File Naming Convention (EUM/LEO-SEN3/SPE/10/0070), section 4.
_PATTERN = re.compile(
    r"(?P<mission>S3[A-D])_SL_1_RBT____"
    r"(?P<start>\d{8}T\d{6})_(?P<stop>\d{8}T\d{6})_(?P<created>\d{8}T\d{6})_"
    r"(?P<duration>\d{4})_(?P<cycle>\d{3})_(?P<orbit>\d{3})_(?P<frame>\d{4}|_{4})_"
    r"(?P<centre>[A-Z0-9]{3})_(?P<disposition>[A-Z])_(?P<timeliness>[A-Z]{2})_"
    r"(?P<baseline>[A-Z0-9]{3})"
    r"(?P<suffix>(\.SEN3|\.hdf|\.h5|\.hdf5|\.zip|\.nc|\.tar)*)",
    re.IGNORECASE,
)
_TIME_FORMAT = "%Y%m%dT%H%M%S%z"


@dataclass(frozen=True, slots=True)
class ProductName:
    """The parts of a product's name.

    Attributes
    ----------
    stem
        The name without its ending.
    platform
        ``Sentinel-3A`` and so on; ``Sentinel-3A (simulated)`` where the centre is ``SI0`` or
        ``SI1``.
    start, stop, created
        First and last measurement, and when the product was made, UTC.
    duration_s
        Nominal length, seconds.
    cycle, relative_orbit
        Repeat cycle of 27 days, and orbit within it.
    frame
        Along-track coordinate of the frame, or ``____``.
    centre
        Where it was made: ``LN2``, ``MAR``, ``LR1``, ...
    disposition
        ``O`` operational, ``R`` reprocessed, ``F`` reference, ``D`` development.
    timeliness
        ``NR`` near real time, ``ST`` short, ``NT`` not time critical.
    baseline
        Baseline collection, ``004`` for example.
    """

    stem: str
    platform: str
    start: datetime
    stop: datetime
    created: datetime
    duration_s: int
    cycle: int
    relative_orbit: int
    frame: str
    centre: str
    disposition: str
    timeliness: str
    baseline: str


def parse_product_name(path: str | Path) -> ProductName | None:
    """Read the name of a product or of a benchmark file.

    Parameters
    ----------
    path
        The product's folder, its manifest, a ``.hdf`` or ``.zip`` file, the URL of one of these,
        or the bare name.

    Returns
    -------
    ProductName or None
        None where the name does not have the form of an SLSTR Level-1 product.
    """
    name = product_folder_name(path)
    match = _PATTERN.fullmatch(name)
    if match is None:
        return None
    try:
        start, stop, created = (_time(match[key]) for key in ("start", "stop", "created"))
    except ValueError:  # digits in the right places, but no date
        return None
    simulated = " (simulated)" if match["centre"].upper() in SIMULATED_CENTRES else ""
    return ProductName(
        stem=name.removesuffix(match["suffix"]),
        platform=f"Sentinel-3{match['mission'][2].upper()}{simulated}",
        start=start,
        stop=stop,
        created=created,
        duration_s=int(match["duration"]),
        cycle=int(match["cycle"]),
        relative_orbit=int(match["orbit"]),
        frame=match["frame"],
        centre=match["centre"],
        disposition=match["disposition"],
        timeliness=match["timeliness"],
        baseline=match["baseline"],
    )


def product_stem(path: str | Path) -> str:
    """Name of the product at ``path`` without its ending, whatever its form."""
    parsed = parse_product_name(path)
    return parsed.stem if parsed else Path(product_folder_name(path)).stem


def product_folder_name(path: str | Path) -> str:
    """Last part of the product's path or URL; the folder's name where its manifest is given."""
    location = location_of(path)
    if isinstance(location, str):
        *folders, name = without_secrets(location).rstrip("/").split("/")
        return folders[-1] if name == MANIFEST and folders else name
    if location.name == MANIFEST:
        location = location.parent
    return location.name if location.name not in ("", "..") else location.resolve().name


def _time(text: str) -> datetime:
    return datetime.strptime(f"{text.upper()}+0000", _TIME_FORMAT).astimezone(UTC)
