"""CloudMask: how likely cloud is at every pixel of a Sentinel-3 SLSTR scene.

>>> import slstr_cloudmask as cm
>>> scene = cm.open_scene("S3A_SL_1_RBT____….SEN3")  # doctest: +SKIP
>>> mask = cm.predict(scene)  # doctest: +SKIP
>>> mask.to_netcdf("mask.nc")  # doctest: +SKIP
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from slstr_cloudmask.api import predict
    from slstr_cloudmask.detectors import list_detectors
    from slstr_cloudmask.scene import build_scene
    from slstr_cloudmask.xarray_engine import open_scene

__version__ = "0.1.0"

__all__ = ["__version__", "build_scene", "list_detectors", "open_scene", "predict"]

_HOMES = {
    "build_scene": "slstr_cloudmask.scene",
    "list_detectors": "slstr_cloudmask.detectors",
    "open_scene": "slstr_cloudmask.xarray_engine",  # and with it the accessor ``scene.slstr``
    "predict": "slstr_cloudmask.api",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that the command line starts at once."""
    if name not in _HOMES:
        raise AttributeError(f"module 'slstr_cloudmask' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
