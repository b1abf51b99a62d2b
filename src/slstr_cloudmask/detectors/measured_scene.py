"""A scene as it was measured: its bands, NaN where missing, and what single pixels tell by them.

    measured = MeasuredScene(scene)
    measured["S8"], measured.secant  # arrays (rows, columns); each is made once

For tests on each pixel. `gapless_scene` is for what looks at the pixels around.
"""

from functools import cached_property

import numpy as np
import xarray as xr

from slstr_cloudmask.detectors import cloud_tests as tests
from slstr_cloudmask.detectors.cloud_tests import Array, Guard
from slstr_cloudmask.detectors.surroundings import gross_limit, local_spread, warm_background
from slstr_cloudmask.flags import BoolArray
from slstr_cloudmask.scene import regime, surface_flag

# Secant of the view zenith angle where it is not known: 48 degrees, between the swath's middle
# and its edge, where clear air already shows a large 11 - 12 um difference.
DEFAULT_SECANT = 1.5


class MeasuredScene:
    """A scene's bands, and what is derived from them, each made once."""

    def __init__(self, scene: xr.Dataset) -> None:
        self._scene = scene
        self.regime = regime(scene)

    def __getitem__(self, band: str) -> Array:
        """Return one band's array."""
        return np.asarray(self._scene[band].values, np.float32)

    @cached_property
    def background_kelvin(self) -> Array:
        """Warmth of what is likely clear within 150 km, from S8."""
        return warm_background(self["S8"])

    @cached_property
    def secant(self) -> Array:
        """1 / cos(view zenith angle), or the default as a scalar array."""
        if "satellite_zenith_angle" not in self._scene.coords:
            return np.asarray(DEFAULT_SECANT)
        zenith_deg = np.nan_to_num(self._scene["satellite_zenith_angle"].values, nan=48.0)
        return np.asarray(1.0 / np.cos(np.radians(np.clip(zenith_deg, 0.0, 75.0))))

    @cached_property
    def sea(self) -> BoolArray | None:
        """Where the surface is known to be sea; None where the scene does not say."""
        return surface_flag(self._scene, "ocean")

    @cached_property
    def latitude_deg(self) -> Array | None:
        """Latitude, absolute; None where the scene has none."""
        if "latitude" not in self._scene.coords:
            return None
        return np.abs(np.asarray(self._scene["latitude"].values, np.float32))

    @cached_property
    def glint(self) -> Guard:
        """Where sunglint may be: by look, and by geometry where the angles are known."""
        look = tests.glint_like(self["S3"], self["S5"], self["S8"], self.background_kelvin)
        coords = self._scene.coords
        if "solar_zenith_angle" in coords and "satellite_zenith_angle" in coords:
            sun, view = coords["solar_zenith_angle"].values, coords["satellite_zenith_angle"].values
            # MOD35: glint within 36 degrees of the mirror direction, so the zenith angles cannot
            # differ by more.
            look &= ~(np.abs(sun - view) > 36.0)
        return look

    @cached_property
    def gross_limit_kelvin(self) -> Array:
        """Temperature below which a surface is colder than any clear one there."""
        return gross_limit(self.background_kelvin, self.latitude_deg, self.sea)

    @cached_property
    def spread_kelvin(self) -> Array:
        """Standard deviation of S8 in 3 x 3 pixels; NaN where one of them is missing."""
        return local_spread(self["S8"])
