"""Where the sun stands: a low-precision almanac, good to 0.01 degrees from 1950 to 2050.

    zenith_deg, azimuth_deg = solar_angles(seconds_since_2000(time), latitude_deg, longitude_deg)

Formulas: The Astronomical Almanac, low-precision formulas for the sun, as given by Michalsky
(1988), Solar Energy 40, 227; quoted from memory. Without refraction, which the product's angles
do not have either.
"""

from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt

Field = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]

# J2000.0, the almanac's epoch; the minute between UTC and terrestrial time moves the sun by 3".
EPOCH = datetime(2000, 1, 1, 12, tzinfo=UTC)


def seconds_since_2000(time: datetime) -> float:
    """Seconds from noon of 1 January 2000 to ``time``, which knows its time zone."""
    return (time - EPOCH).total_seconds()


def sun_direction(seconds: npt.ArrayLike) -> Float64:
    """Point to the sun.

    Parameters
    ----------
    seconds
        Since noon of 1 January 2000 UTC, any shape.

    Returns
    -------
    numpy.ndarray
        Unit vectors (shape of ``seconds``, 3), Earth-fixed: x to longitude 0, z to the north pole.
    """
    days = np.asarray(seconds, np.float64) / 86400
    mean_longitude_deg = 280.460 + 0.9856474 * days
    anomaly = np.radians(357.528 + 0.9856003 * days)
    centre_deg = 1.915 * np.sin(anomaly) + 0.020 * np.sin(2 * anomaly)
    longitude = np.radians(mean_longitude_deg + centre_deg)
    obliquity = np.radians(23.439 - 0.0000004 * days)
    right_ascension = np.arctan2(np.cos(obliquity) * np.sin(longitude), np.cos(longitude))
    declination = np.arcsin(np.sin(obliquity) * np.sin(longitude))
    # Greenwich mean sidereal time: 18.697374558 h at the epoch, 24.06570982441908 h a day.
    sidereal_deg = 15 * (18.697374558 + 24.06570982441908 * days)
    east = right_ascension - np.radians(sidereal_deg % 360)
    horizontal = np.cos(declination)
    return np.stack(
        [horizontal * np.cos(east), horizontal * np.sin(east), np.sin(declination)], axis=-1
    )


def solar_angles(
    seconds: npt.ArrayLike, latitude_deg: npt.ArrayLike, longitude_deg: npt.ArrayLike
) -> tuple[Field, Field]:
    """Find the sun in the sky.

    Parameters
    ----------
    seconds
        Since noon of 1 January 2000 UTC.
    latitude_deg, longitude_deg
        Geodetic position; all three of one shape, or broadcast to it.

    Returns
    -------
    zenith_deg, azimuth_deg
        Angle from the vertical, and direction from north, clockwise, -180 to 180; float32.
    """
    x, y, z = np.moveaxis(sun_direction(seconds), -1, 0)
    latitude, longitude = np.radians(latitude_deg), np.radians(longitude_deg)
    # The sun in local axes; towards the meridian's point on the equator, then turned to the zenith.
    equatorial = x * np.cos(longitude) + y * np.sin(longitude)
    east = y * np.cos(longitude) - x * np.sin(longitude)
    north = z * np.cos(latitude) - equatorial * np.sin(latitude)
    up = z * np.sin(latitude) + equatorial * np.cos(latitude)
    zenith = np.degrees(np.arctan2(np.hypot(east, north), up))
    azimuth = np.degrees(np.arctan2(east, north))
    return np.asarray(zenith, np.float32), np.asarray(azimuth, np.float32)
