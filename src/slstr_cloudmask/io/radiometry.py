"""From the radiances of a product to reflectances.

irradiance = solar_irradiance(product, "S1_radiance_an", start)
reflectance = radiance_to_reflectance(radiance, irradiance.mean(), solar_zenith_deg)

The factor for the distance from the Sun is in the irradiance, not in the reflectance.
"""

import logging
from datetime import datetime
from typing import Any

import numpy as np

from slstr_cloudmask.channels import BY_NAME
from slstr_cloudmask.io.product_store import Product
from slstr_cloudmask.io.sen3_file import ProductFile
from slstr_cloudmask.scene import FloatArray

logger = logging.getLogger(__name__)

VIEW_INDEX = {"n": 0, "o": 1}  # index of the view in viscal.nc


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


def solar_irradiance(product: Product, stem: str, day: datetime | None) -> FloatArray:
    """Irradiance of the Sun in one band on the day of the product, by detector.

    From the band's quality file, else from the calibration record ``viscal.nc``; both hold it for
    the day. Where neither does, the default at 1 au is brought to the day's distance, with a
    warning.

    Parameters
    ----------
    product
        Where the files lie.
    stem
        The radiance's file without ``.nc``, such as ``S5_radiance_bo``.
    day
        When it was measured.

    Returns
    -------
    numpy.ndarray
        mW m-2 nm-1 (detectors,), or one value for all. A detector without one has the others'
        mean.
    """
    band, _, suffix = stem.split("_")
    sources: tuple[tuple[str, str, tuple[Any, ...]], ...] = (
        (f"{band}_quality_{suffix}", f"{band}_solar_irradiance_{suffix}", (...,)),
        ("viscal", f"{band}_solar_irradiances", (..., VIEW_INDEX[suffix[1]])),
    )
    for file_stem, variable, view in sources:
        if f"{file_stem}.nc" in product.names:
            with ProductFile(product, file_stem) as file:
                known = variable in file
                values = file.unpacked(variable, shape=None)[view] if known else np.array([])
            if (values > 0).any():
                return np.where(values > 0, values, values[values > 0].mean())
    irradiance = BY_NAME[band].solar_irradiance or np.nan
    irradiance /= sun_distance_au(day) ** 2 if day else 1.0
    logger.warning(
        "%s: no solar irradiance for %s in the product; the default %.6g mW m-2 nm-1 is used.",
        product.name,
        band,
        irradiance,
    )
    return np.array([irradiance])


def sun_distance_au(day: datetime) -> float:
    """Distance from the Sun to the Earth, astronomical units, to about 0.0003."""
    # Spencer-type first term: eccentricity 0.01672, perihelion about 4 January (The Astronomical
    # Almanac, low-precision Sun).
    return float(1 - 0.01672 * np.cos(2 * np.pi / 365.256 * (day.timetuple().tm_yday - 4)))
