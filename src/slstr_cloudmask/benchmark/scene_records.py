"""What came of each test scene, kept so that a run that goes on does not mask it again.

    records = SceneRecords(folder / "scores" / "network", {"model": checksum})
    records.keep(path, record)
    records.find(path)  # None where the scene's file or the identity has changed

A small JSON file for each scene, written by the process that masked it.
"""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from slstr_cloudmask.atomic import write_bytes
from slstr_cloudmask.evaluation.scores import SceneScore


class SceneRecord(BaseModel):
    """What came of a scene.

    Attributes
    ----------
    scores
        One for each label.
    seconds
        By stage.
    wall_seconds
        From the end of the scene before to the end of this one.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    scores: list[SceneScore]
    seconds: dict[str, float]
    wall_seconds: float


class _Kept(BaseModel):
    """A record on disk, with what must be the same for it to hold."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    identity: dict[str, Any]
    source: tuple[int, int]
    record: SceneRecord


class SceneRecords:
    """The records of one detector in one run.

    Parameters
    ----------
    folder
        Where they lie.
    identity
        What the scores depend on beside the scene: model, version, mode; anything that JSON holds.
    mask
        Where a scene's mask is to be; without the mask a record does not hold.
    """

    def __init__(
        self, folder: Path, identity: dict[str, Any], mask: Callable[[str], Path] | None = None
    ) -> None:
        self._folder = folder
        self._identity = identity
        self._mask = mask

    def find(self, path: Path) -> SceneRecord | None:
        """Return what came of a scene, if it is known and still holds."""
        if self._mask is not None and not self._mask(path.name).is_file():
            return None
        with suppress(OSError, ValidationError):
            kept = _Kept.model_validate_json(self._file(path).read_bytes())
            if (kept.identity, kept.source) == (self._identity, _source(path)):
                return kept.record
        return None

    def keep(self, path: Path, record: SceneRecord) -> None:
        """Write down what came of a scene.

        Raises
        ------
        WriteError
            The operating system refused to write.
        """
        kept = _Kept(identity=self._identity, source=_source(path), record=record)
        write_bytes(self._file(path), kept.model_dump_json().encode(), overwrite=True)

    def _file(self, path: Path) -> Path:
        return self._folder / f"{path.name}.json"


def _source(path: Path) -> tuple[int, int]:
    """Size and time of change of a scene's file."""
    found = path.stat()
    return found.st_size, found.st_mtime_ns
