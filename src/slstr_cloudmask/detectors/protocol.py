"""What every detector is: something with a name that turns a Scene into a Mask."""

from typing import Protocol, runtime_checkable

import xarray as xr


@runtime_checkable
class Detector(Protocol):
    """A way to mask a scene.

    Attributes
    ----------
    name
        Written into the mask.
    """

    name: str

    def predict(self, scene: xr.Dataset) -> xr.Dataset:
        """Return the Mask of a Scene, on its grid."""
        ...
