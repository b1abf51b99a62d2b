"""Where things lie that were made once and are made again when they are gone."""

import hashlib
import os
from pathlib import Path


def cache_path(depends_on: tuple[object, ...], suffix: str) -> Path:
    """Name a file by all that it depends on, whether it is there or not.

    In ``$CLOUDMASK_CACHE``, else ``$XDG_CACHE_HOME/slstr-cloudmask``, else
    ``~/.cache/slstr-cloudmask``.
    """
    general = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache"))
    cache = Path(os.environ.get("CLOUDMASK_CACHE", general / "slstr-cloudmask"))
    digest = hashlib.sha256(repr(depends_on).encode()).hexdigest()[:32]
    return cache.expanduser() / f"{digest}{suffix}"
