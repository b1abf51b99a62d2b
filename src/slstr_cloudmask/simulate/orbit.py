"""Sentinel-3A's orbit, simple enough to compute anywhere and true to a kilometre.

    overpass = overpass_at(cycle=50, relative_orbit=23, frame=1980, reflective=True)
    up, along, left = ground_track(seconds, overpass.relative_orbit)

The orbit repeats itself after 385 orbits in 27 days and keeps its local time, so a place on it is
known by two numbers: the relative orbit, and the seconds since the satellite crossed the equator
northwards (the frame number in a product's name). Positions are Earth-fixed: x to longitude 0,
y to 90 degrees east, z to the north pole.

Four constants are fitted to the published bounding boxes of the benchmark's 100 test scenes, which
they meet to 0.07 degrees; the others are quoted from memory.
"""

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt

Float64 = npt.NDArray[np.float64]

FRAME_SECONDS = 180
# Sentinel-3A repeats after 385 orbits in 27 days (ESA, Sentinel-3 mission guide).
ORBITS_PER_CYCLE, DAYS_PER_CYCLE = 385, 27
DAY_SECONDS = 86400
ORBIT_SECONDS = DAYS_PER_CYCLE * DAY_SECONDS / ORBITS_PER_CYCLE
# Nominally 98.65 degrees; fitted to the test scenes' bounding boxes.
INCLINATION_RAD = math.radians(98.622)
# Longitude of the ascending node of relative orbit 1; fitted to the same.
NODE_LONGITUDE_DEG = 0.628
# When orbit 1 of cycle 1 would have crossed its node; fitted to the same scenes' start times.
FIRST_NODE = datetime(2016, 2, 14, 21, 57, 38, 560000, tzinfo=UTC)
# The orbit is frozen, lowest over the north: eccentricity; fitted to the same.
ECCENTRICITY = 0.001143
# WGS84: equatorial radius and squared eccentricity.
EQUATOR_KM, _E2 = 6378.137, 0.00669437999014
# Distance from the Earth's centre at the node: manifest of a product of August 2021.
NODE_RADIUS_KM = 7183.4
# The flattened Earth lifts and lowers the orbit by J2 * Re**2 * sin(i)**2 / (4 * a), twice a turn:
# Vallado, Fundamentals of Astrodynamics and Applications, short-period variation of the radius.
FLATTENING_WAVE_KM = 1.5

_CREATED = datetime(2021, 1, 16, 10, 30, 11, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Overpass:
    """One frame of one orbit.

    Attributes
    ----------
    start
        When the satellite passes over row 0, UTC.
    cycle
        Repeat cycle, from 1.
    relative_orbit
        Orbit within the cycle, 1 to 385.
    frame
        Seconds from the ascending node to row 0, as in the names of products (1980 for example).
    reflective
        Whether the reflective bands S1 to S6 are operated.
    """

    start: datetime
    cycle: int
    relative_orbit: int
    frame: int
    reflective: bool


def overpass_at(cycle: int, relative_orbit: int, frame: int, *, reflective: bool) -> Overpass:
    """Make an overpass; it starts at a whole second, as names of products do."""
    start = node_time(cycle, relative_orbit) + timedelta(seconds=frame + 0.5)
    return Overpass(start.replace(microsecond=0), cycle, relative_orbit, frame, reflective)


def node_time(cycle: int, relative_orbit: int) -> datetime:
    """When an orbit crosses the equator northwards, UTC; within 6 s in 2019 to 2021."""
    days = (cycle - 1) * DAYS_PER_CYCLE
    return FIRST_NODE + timedelta(days=days, seconds=(relative_orbit - 1) * ORBIT_SECONDS)


def orbits_before(time: datetime) -> int:
    """Count the orbits, from the first of cycle 1, that begin before ``time``."""
    return math.ceil((time - FIRST_NODE).total_seconds() / ORBIT_SECONDS)


def ground_track(
    seconds: npt.ArrayLike, relative_orbit: npt.ArrayLike
) -> tuple[Float64, Float64, Float64]:
    """Follow the point below the satellite.

    Parameters
    ----------
    seconds
        Since the ascending node, any shape.
    relative_orbit
        1 to 385, a number or the shape of ``seconds``.

    Returns
    -------
    up, along, left
        Unit vectors (shape of ``seconds``, 3), Earth-fixed: from the Earth's centre to the
        satellite, along the track on the ground, and to the left of it.
    """
    t = np.asarray(seconds, np.float64)
    mean_argument = 2 * math.pi / ORBIT_SECONDS * t
    # Equation of the centre to first order, 2 e sin(M), with the perigee 90 degrees after the node.
    u = mean_argument + 2 * ECCENTRICITY * (1 - np.cos(mean_argument))
    u_rate = 2 * math.pi / ORBIT_SECONDS * (1 + 2 * ECCENTRICITY * np.sin(mean_argument))
    # In a sun-synchronous orbit the Earth turns below the node once in a mean solar day.
    node_rate = -2 * math.pi / DAY_SECONDS
    node = np.radians(_node_longitude_deg(relative_orbit)) + node_rate * t
    cos_u, sin_u, cos_n, sin_n = np.cos(u), np.sin(u), np.cos(node), np.sin(node)
    cos_i, sin_i = math.cos(INCLINATION_RAD), math.sin(INCLINATION_RAD)
    x = cos_n * cos_u - sin_n * cos_i * sin_u
    y = sin_n * cos_u + cos_n * cos_i * sin_u
    z = sin_i * sin_u
    velocity = np.stack(
        [
            u_rate * (-cos_n * sin_u - sin_n * cos_i * cos_u) - node_rate * y,
            u_rate * (-sin_n * sin_u + cos_n * cos_i * cos_u) + node_rate * x,
            u_rate * sin_i * cos_u,
        ],
        axis=-1,
    )
    up = np.stack([x, y, z], axis=-1)
    along = velocity / np.linalg.norm(velocity, axis=-1, keepdims=True)
    return up, along, np.cross(up, along)


def satellite_radius_km(seconds: npt.ArrayLike) -> Float64:
    """Distance of the satellite from the Earth's centre, km, ``seconds`` after the node."""
    u = 2 * math.pi / ORBIT_SECONDS * np.asarray(seconds, np.float64)
    flattening = FLATTENING_WAVE_KM * (np.cos(2 * u) - 1)
    return NODE_RADIUS_KM * (1 - ECCENTRICITY * np.sin(u)) + flattening


def vertical(latitude_deg: npt.ArrayLike, longitude_deg: npt.ArrayLike) -> Float64:
    """Point straight up at geodetic positions: Earth-fixed unit vectors (..., 3)."""
    latitude, longitude = np.radians(latitude_deg), np.radians(longitude_deg)
    x, y = np.cos(latitude) * np.cos(longitude), np.cos(latitude) * np.sin(longitude)
    return np.stack([x, y, np.sin(latitude)], axis=-1)


def position_deg(upward: Float64) -> tuple[Float64, Float64]:
    """Geodetic latitude and longitude of places whose vertical is known (..., 3)."""
    x, y, z = np.moveaxis(upward, -1, 0)
    return np.degrees(np.arctan2(z, np.hypot(x, y))), np.degrees(np.arctan2(y, x))


def geodetic(direction: Float64) -> Float64:
    """Verticals of the places on the ellipsoid that lie in directions from the Earth's centre."""
    # Standard formula: tan(geodetic latitude) = tan(geocentric latitude) / (1 - e**2).
    stretched = direction / [1, 1, 1 - _E2]
    return np.asarray(stretched / np.linalg.norm(stretched, axis=-1, keepdims=True))


def geocentric(upward: Float64) -> Float64:
    """Directions from the Earth's centre to places with these verticals; undoes `geodetic`."""
    squeezed = upward * [1, 1, 1 - _E2]
    return np.asarray(squeezed / np.linalg.norm(squeezed, axis=-1, keepdims=True))


def surface_radius_km(direction: Float64) -> Float64:
    """Distance from the Earth's centre to the ellipsoid in a direction (..., 3)."""
    # The ellipse x**2 + z**2 / (1 - e**2) = a**2, solved along the direction.
    return np.asarray(EQUATOR_KM / np.sqrt(1 + direction[..., 2] ** 2 * _E2 / (1 - _E2)))


def product_name(overpass: Overpass, centre: str = "SI0", number: int = 0) -> str:
    """Name a product of this overpass, without an ending.

    Parameters
    ----------
    overpass
        What the product shows.
    centre
        Where it was made: ``SI0`` or ``SI1`` for a simulated one.
    number
        Tells products of one overpass apart: seconds by which the time of creation is later.

    Returns
    -------
    str
        As in the Sentinel-3 PDGS File Naming Convention (EUM/LEO-SEN3/SPE/10/0070), section 4.
    """
    stop = overpass.start + timedelta(seconds=FRAME_SECONDS)
    created = _CREATED + timedelta(seconds=number)
    times = "_".join(f"{time:%Y%m%dT%H%M%S}" for time in (overpass.start, stop, created))
    return (
        f"S3A_SL_1_RBT____{times}_0179_{overpass.cycle:03d}_{overpass.relative_orbit:03d}"
        f"_{overpass.frame:04d}_{centre}_D_NT_004"
    )


def _node_longitude_deg(relative_orbit: npt.ArrayLike) -> npt.NDArray[Any]:
    """Longitude of an orbit's ascending node: each orbit lies 25.25 degrees west of the last."""
    step = 360 * DAYS_PER_CYCLE / ORBITS_PER_CYCLE
    return np.asarray(NODE_LONGITUDE_DEG - (np.asarray(relative_orbit) - 1) * step)
