"""What of the published set is here, from where, and how it was checked: ``download.json``.

record = read_record(root)
record.files["ssts/day/S3A_SL_1_RBT____....hdf"].etag
"""

import json
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from slstr_cloudmask.atomic import write_bytes
from slstr_cloudmask.errors import BrokenFileError
from slstr_cloudmask.io.etag import Checked

RECORD_NAME = "download.json"


class FileRecord(BaseModel):
    """One file: the object it came from, and how it was compared with its checksum."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str
    size: int = Field(gt=0)
    etag: str
    checked: Checked
    part_bytes: int | None = None


class DownloadRecord(BaseModel):
    """Every file that was fetched, by its path below the data set's folder."""

    model_config = ConfigDict(extra="forbid")

    format: Literal[1] = 1
    files: dict[str, FileRecord] = {}


def read_record(root: Path) -> DownloadRecord:
    """Read the record of a folder; an empty one where there is none.

    Raises
    ------
    BrokenFileError
        It cannot be read.
    """
    path = root / RECORD_NAME
    try:
        return DownloadRecord.model_validate_json(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return DownloadRecord()
    except (OSError, ValueError) as error:
        raise BrokenFileError(
            f"{path} cannot be read as the record of a download. Remove it; the files that are "
            "here are then compared with their checksums."
        ) from error


def write_record(root: Path, record: DownloadRecord) -> None:
    """Write the record, whole; errors as `slstr_cloudmask.atomic.replacing`."""
    content = record.model_dump(mode="json")
    content["files"] = dict(sorted(content["files"].items()))
    text = json.dumps(content, indent=1) + "\n"
    write_bytes(root / RECORD_NAME, text.encode(), overwrite=True)
