"""Two ways to see the globe: from above one place, and all of it.

    world, globe = EqualEarth(), Globe(60.0, -10.0)
    for x, y in world.rings(latitude_deg, longitude_deg): ...

Rings are closed and may cross the anti-meridian or go around a pole. A projection gives them back
in parts that lie in its own plane; what it cannot show is left out.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from slstr_cloudmask.simulate.orbit import Float64

_STEP_DEG = 2.0  # of points along what is straight on the globe and bent on the map
# Savric, Patterson and Jenny (2018), The Equal Earth map projection: coefficients A1 ... A4.
_A1, _A2, _A3, _A4 = 1.340264, -0.081106, 0.000893, 0.003796

Ring = tuple[Float64, Float64]


class EqualEarth:
    """The whole globe, areas kept; Greenwich in the middle."""

    def project(self, latitude_deg: Float64, longitude_deg: Float64) -> Ring:
        """Turn positions, longitude within 180 degrees or a little beyond, into x and y."""
        theta = np.arcsin(math.sqrt(3) / 2 * np.sin(np.radians(latitude_deg)))
        slope = 9 * _A4 * theta**8 + 7 * _A3 * theta**6 + 3 * _A2 * theta**2 + _A1
        x = 2 * math.sqrt(3) / 3 * np.radians(longitude_deg) * np.cos(theta) / slope
        y = _A4 * theta**9 + _A3 * theta**7 + _A2 * theta**3 + _A1 * theta
        return np.asarray(x), np.asarray(y)

    def rings(self, latitude_deg: Float64, longitude_deg: Float64) -> Iterator[Ring]:
        """Project a ring: once, or once on each side of the map where it crosses its edge.

        What lies beyond the edge is to be cut off by `outline`.
        """
        latitude, longitude = densified(*without_jumps(latitude_deg, longitude_deg))
        first = math.floor((longitude.min() + 180) / 360)
        last = math.ceil((longitude.max() - 180) / 360)
        for turn in range(first, last + 1):
            yield self.project(latitude, longitude - 360 * turn)

    def outline(self) -> Ring:
        """Edge of the map."""
        up = np.arange(-90.0, 90.1, _STEP_DEG)
        side = np.full(up.size, 180.0)
        latitude = np.concatenate([up, up[::-1], up[:1]])
        return self.project(latitude, np.concatenate([-side, side, -side[:1]]))


@dataclass(frozen=True, slots=True)
class Globe:
    """Half of the globe, seen from far above a place (orthographic)."""

    latitude_deg: float
    longitude_deg: float

    def project(self, latitude_deg: Float64, longitude_deg: Float64) -> tuple[Float64, ...]:
        """Turn positions into x, y, and z, which is below 0 on the far side."""
        latitude, turn = np.radians(latitude_deg), np.radians(longitude_deg - self.longitude_deg)
        sine, cosine = (
            math.sin(math.radians(self.latitude_deg)),
            math.cos(math.radians(self.latitude_deg)),
        )
        x = np.cos(latitude) * np.sin(turn)
        y = cosine * np.sin(latitude) - sine * np.cos(latitude) * np.cos(turn)
        z = sine * np.sin(latitude) + cosine * np.cos(latitude) * np.cos(turn)
        return x, y, z

    def rings(self, latitude_deg: Float64, longitude_deg: Float64) -> Iterator[Ring]:
        """Project a ring if any of it is on the near side; the rest is drawn to the edge."""
        x, y, z = self.project(*densified(*without_jumps(latitude_deg, longitude_deg)))
        if (z > 0).any():
            yield to_edge(x, y, z)

    def outline(self) -> Ring:
        """Edge of the globe."""
        turn = np.linspace(0, 2 * math.pi, 361)
        return np.cos(turn), np.sin(turn)


def to_edge(x: Float64, y: Float64, z: Float64) -> Ring:
    """Move what is on the far side of a globe to its edge."""
    radius = np.maximum(np.hypot(x, y), 1e-9)
    stretch = np.where(z < 0, 1 / radius, 1.0)
    return x * stretch, y * stretch


def without_jumps(latitude_deg: Float64, longitude_deg: Float64) -> Ring:
    """Let longitude run on across 180 degrees; a ring around a pole is closed there."""
    longitude = np.unwrap(longitude_deg, period=360.0)
    if abs(longitude[-1] - longitude[0]) < 180:
        return latitude_deg, longitude
    pole = math.copysign(90.0, float(latitude_deg.mean()))
    return (
        np.concatenate([latitude_deg, [pole, pole, latitude_deg[0]]]),
        np.concatenate([longitude, longitude[[-1, 0, 0]]]),
    )


def densified(latitude_deg: Float64, longitude_deg: Float64) -> Ring:
    """Put points on long edges."""
    length = np.maximum(np.abs(np.diff(latitude_deg)), np.abs(np.diff(longitude_deg)))
    pieces = np.ceil(length / _STEP_DEG).astype(int).clip(1)
    place = np.repeat(np.arange(pieces.size), pieces).astype(float)
    starts = np.cumsum(pieces) - pieces
    place += (np.arange(place.size) - np.repeat(starts, pieces)) / np.repeat(pieces, pieces)
    place = np.append(place, latitude_deg.size - 1)
    index = np.arange(latitude_deg.size)
    return np.interp(place, index, latitude_deg), np.interp(place, index, longitude_deg)
