"""``result.json``, written and read; needs no network code, so that reports open at once."""

import json
from pathlib import Path
from typing import Any

from slstr_cloudmask.atomic import replacing
from slstr_cloudmask.errors import BrokenFileError, MissingFileError

RESULT_NAME = "result.json"
FORMAT_VERSION = 1


def write_result(document: dict[str, Any], folder: Path, *, overwrite: bool = False) -> Path:
    """Write ``result.json``, whole or not at all."""
    path = folder / RESULT_NAME
    with replacing(path, overwrite=overwrite) as temporary:
        temporary.write_text(json.dumps(document, indent=1, allow_nan=False) + "\n")
    return path


def read_result(folder: Path) -> dict[str, Any]:
    """Read the result of a run.

    Raises
    ------
    MissingFileError
        The folder holds no result.
    BrokenFileError
        It cannot be read.
    """
    path = folder / RESULT_NAME
    if not path.is_file():
        raise MissingFileError(
            f"{folder} holds no {RESULT_NAME}: expected the output folder of a finished benchmark."
        )
    try:
        document: dict[str, Any] = json.loads(path.read_text())
    except ValueError as error:
        raise BrokenFileError(f"{path} cannot be read: {error}") from error
    if not isinstance(document, dict) or document.get("format_version") != FORMAT_VERSION:
        raise BrokenFileError(
            f"{path} is no result of this version: expected format_version {FORMAT_VERSION}."
        )
    return document
