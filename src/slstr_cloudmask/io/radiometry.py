"""From the radiances of a product to reflectances on the 1 km grid.

irradiance = solar_irradiance(folder, channel, start)
reflectance = radiance_to_reflectance(
    to_kilometre(radiance, fine_grid, grid), irradiance, solar_zenith_deg
)

The factor for the distance from the Sun is in the irradiance, not in the reflectance.
"""

import logging
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from slstr_cloudmask.channels import Channel
from slstr_cloudmask.io.geolocation import Grid, first_pixel
from slstr_cloudmask.io.sen3_file import ProductFile
from slstr_cloudmask.scene import FloatArray

logger = logging.getLogger(__name__)

NADIR = 0  # index of the nadir view in viscal.nc


def radiance_to_reflectance(
    radiance: FloatArray, irradiance: float, solar_zenith_deg: FloatArray
) -> FloatArray:
    """Turn radiance into top-of-atmosphere reflectance.

    Parameters
    ----------
    radiance
        mW m-2 sr-1 nm-1 (rows, columns), NaN = no data.
    irradiance
        Of the Sun on the day, mW m-2 nm-1.
    solar_zenith_deg
        Degrees (rows, columns). From 90 degrees on the cosine is taken as 1, as in the
        benchmark's files.

    Returns
    -------
    numpy.ndarray
        Reflectance with unit 1, float32; NaN where either input is.
    """
    cosine = np.cos(np.radians(solar_zenith_deg))
    cosine = np.where(solar_zenith_deg >= 90.0, 1.0, cosine)
    # R = pi L / (E0 cos theta0): Sentinel-3 SLSTR User Guide, "Radiometric Measurements".
    return (np.pi * radiance / (irradiance * cosine)).astype(np.float32)


def to_kilometre(values: FloatArray, fine: Grid, grid: Grid) -> FloatArray:
    """Average 2 x 2 pixels of 500 m to one of 1 km, over those that are valid.

    Parameters
    ----------
    values
        (rows, columns) on ``fine``, NaN = no data.
    fine
        Where the 500 m grid lies; it may begin half a 1 km pixel before or after the other.
    grid
        The 1 km grid that is wanted.

    Returns
    -------
    numpy.ndarray
        (rows, columns) of ``grid``, NaN where none of the four is valid.
    """
    top, left = first_pixel(fine, grid)
    aligned = np.full((2 * grid.rows, 2 * grid.columns), np.nan, values.dtype)
    inside = values[max(top, 0) : top + 2 * grid.rows, max(left, 0) : left + 2 * grid.columns]
    down, across = max(-top, 0), max(-left, 0)
    aligned[down : down + inside.shape[0], across : across + inside.shape[1]] = inside
    corners = [aligned[row::2, column::2] for row in (0, 1) for column in (0, 1)]
    valid = [np.isfinite(corner) for corner in corners]
    count = np.sum(valid, axis=0, dtype=np.float32)
    total = sum(np.where(ok, corner, 0) for ok, corner in zip(valid, corners, strict=True))
    return np.divide(total, count, out=np.full_like(count, np.nan), where=count > 0)


def solar_irradiance(folder: Path, channel: Channel, day: datetime | None) -> float:
    """Irradiance of the Sun in one band on the day of the product, mW m-2 nm-1.

    From the band's quality file, else from the calibration record ``viscal.nc``; both hold it for
    the day. Where neither does, the default at 1 au is brought to the day's distance, with a
    warning.
    """
    name = channel.name
    sources: tuple[tuple[str, str, tuple[Any, ...]], ...] = (
        (f"{name}_quality_an.nc", f"{name}_solar_irradiance_an", (...,)),
        ("viscal.nc", f"{name}_solar_irradiances", (..., NADIR)),
    )
    for file_name, variable, view in sources:
        if (folder / file_name).is_file():
            with ProductFile(folder / file_name) as file:
                known = variable in file
                values = file.unpacked(variable, shape=None)[view] if known else np.array([])
            if (values > 0).any():
                return float(values[values > 0].mean())
    default = channel.solar_irradiance or np.nan
    irradiance = default / (sun_distance_au(day) ** 2 if day else 1.0)
    logger.warning(
        "%s: no solar irradiance for %s in the product; the default %.6g mW m-2 nm-1 is used.",
        folder.name,
        name,
        irradiance,
    )
    return irradiance


def sun_distance_au(day: datetime) -> float:
    """Distance from the Sun to the Earth, astronomical units, to about 0.0003."""
    # Spencer-type first term: eccentricity 0.01672, perihelion about 4 January (The Astronomical
    # Almanac, low-precision Sun).
    return float(1 - 0.01672 * np.cos(2 * np.pi / 365.256 * (day.timetuple().tm_yday - 4)))
