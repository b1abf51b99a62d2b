"""A run as it stands after an epoch, on disk: tensors and plain values, opened safely."""

import io
from pathlib import Path
from typing import Any

import torch

from slstr_cloudmask.atomic import write_bytes
from slstr_cloudmask.errors import BrokenFileError, ConfigError


def save_checkpoint(path: Path, identity: dict[str, Any], content: dict[str, Any]) -> None:
    """Replace the checkpoint by this one, whole or not at all.

    Parameters
    ----------
    path
        The file.
    identity
        What a run must share to go on from here.
    content
        Tensors and plain values.
    """
    buffer = io.BytesIO()
    torch.save({"identity": identity, **content}, buffer)
    write_bytes(path, buffer.getbuffer(), overwrite=True)


def load_checkpoint(path: Path, identity: dict[str, Any], device: torch.device) -> dict[str, Any]:
    """Read a checkpoint of a run with the same ``identity``.

    Raises
    ------
    BrokenFileError
        The file cannot be read.
    ConfigError
        It belongs to another run.
    """
    try:
        content: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
        saved = content["identity"]
    except Exception as error:  # whatever the bytes in the file led the reader to
        raise BrokenFileError(
            f"The checkpoint {path} cannot be read: {error}. Remove it to start anew."
        ) from error
    if saved != identity:
        differing = [key for key in identity if saved.get(key) != identity[key]]
        raise ConfigError(
            f"The checkpoint {path} belongs to another run: {', '.join(differing)} differ. "
            "Remove it to start anew, or go on with the settings it was made with."
        )
    return content
