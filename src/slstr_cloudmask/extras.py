"""Libraries that only some features need: imported when used, named where they are missing.

rasterio = require("rasterio", extra="geo")
"""

from importlib import import_module
from types import ModuleType

from slstr_cloudmask.errors import MissingExtraError


def require(module: str, *, extra: str) -> ModuleType:
    """Import a library of one of the package's extras.

    Parameters
    ----------
    module
        What to import, such as ``rasterio`` or ``pystac.extensions.eo``.
    extra
        The extra that installs it.

    Raises
    ------
    MissingExtraError
        It is not installed; the message is the line that installs it.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            f"This needs {module.partition('.')[0]}, which is not installed: "
            f'pip install "slstr-cloudmask[{extra}]"'
        ) from error
