"""Points that people or a lidar labelled: a table with latitude, longitude, time and label.

    points = read_label_points("pixbox.csv")
    numbers, (rows, columns) = points.pixels(scene, max_km=1.5, max_minutes=15)

``label_table`` reads them; here they are found in a scene, each at its nearest pixel.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt
import xarray as xr

from slstr_cloudmask.errors import InputError
from slstr_cloudmask.io.collocation import find_neighbours
from slstr_cloudmask.io.label_words import Codes
from slstr_cloudmask.scene import FloatArray

FRAME_S = 180.0  # from a product's start to its end
EARTH_RADIUS_KM = 6371.0

Places = tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]


@dataclass(frozen=True)
class LabelPoints:
    """Labelled points, one-dimensional arrays of one length.

    Attributes
    ----------
    latitude_deg, longitude_deg
        Where.
    time_s
        When, seconds since 1970 UTC; NaN where the table does not say.
    cloud
        0 clear, 1 cloud, 255 unknown.
    optical_depth
        NaN where the table has none.
    """

    latitude_deg: FloatArray
    longitude_deg: FloatArray
    time_s: FloatArray
    cloud: Codes
    optical_depth: FloatArray

    def __len__(self) -> int:
        return len(self.cloud)

    def pixels(
        self, scene: xr.Dataset, *, max_km: float, max_minutes: float
    ) -> tuple[npt.NDArray[np.intp], Places]:
        """Find the nearest pixel of each point that is near enough, in place and time.

        Parameters
        ----------
        scene
            A Scene with ``latitude`` and ``longitude``. Where it or a point has no time, only the
            place counts.
        max_km
            From the pixel's middle.
        max_minutes
            Before the scene's start or after its end.

        Returns
        -------
        numpy.ndarray, tuple
            Numbers of the points, and rows and columns of their pixels.

        Raises
        ------
        InputError
            The scene does not say where its pixels lie.
        """
        if "latitude" not in scene.coords or "longitude" not in scene.coords:
            raise InputError(
                "the scene has no latitude and longitude, so points cannot be placed in it: "
                "use products or scenes in NetCDF."
            )
        candidates = np.flatnonzero(self._in_time(scene, max_minutes))
        shape = scene["latitude"].shape
        if candidates.size:
            pixels = _cartesian_km(scene["latitude"].values, scene["longitude"].values)
            wanted = _cartesian_km(self.latitude_deg, self.longitude_deg)[candidates]
            found = find_neighbours(1000 * pixels, 1000 * wanted, count=1, reach_m=1000 * max_km)
            index = found.index[:, 0]
            candidates, index = candidates[index < len(pixels)], index[index < len(pixels)]
        else:
            index = candidates
        rows, columns = np.unravel_index(index, shape)
        return candidates, (rows, columns)

    def _in_time(self, scene: xr.Dataset, max_minutes: float) -> npt.NDArray[np.bool_]:
        start = str(scene.attrs.get("start_time", ""))
        if not start:
            return np.ones(len(self), bool)
        try:
            start_s = seconds_of(start)
        except ValueError as error:
            raise InputError(f"the scene's start_time {start!r} is no ISO 8601 time") from error
        before, after = start_s - 60 * max_minutes, start_s + FRAME_S + 60 * max_minutes
        return ~((self.time_s < before) | (self.time_s > after))

    def extent(self) -> str:
        """Say in words where and when the points lie."""
        places = [
            f"{name} {values.min():.2f} to {values.max():.2f}"
            for name, values in (("latitude", self.latitude_deg), ("longitude", self.longitude_deg))
        ]
        times = self.time_s[np.isfinite(self.time_s)]
        if times.size:
            first, last = (datetime.fromtimestamp(t, UTC) for t in (times.min(), times.max()))
            places.append(f"{first:%Y-%m-%dT%H:%MZ} to {last:%Y-%m-%dT%H:%MZ}")
        return f"{len(self)} points, {', '.join(places)}"


def seconds_of(value: str | datetime) -> float:
    """Return seconds since 1970 of an ISO time or a datetime; without a zone it is UTC.

    Raises
    ------
    ValueError
        The text is no ISO time.
    """
    time = value if isinstance(value, datetime) else datetime.fromisoformat(str(value).strip())
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()


def _cartesian_km(latitude_deg: FloatArray, longitude_deg: FloatArray) -> FloatArray:
    """Place on a sphere, kilometres (points, 3), where no line is crossed."""
    latitude, longitude = (
        np.radians(np.asarray(v, np.float64).ravel()) for v in (latitude_deg, longitude_deg)
    )
    across = np.cos(latitude)
    unit = [across * np.cos(longitude), across * np.sin(longitude), np.sin(latitude)]
    return EARTH_RADIUS_KM * np.stack(unit, axis=1)
