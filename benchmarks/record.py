"""The record of a bench on disk: written whole after each part, and gone on with.

    record = Record.open(path, {"plan": plan, "hardware": found}, again=False)
    record.measure("network", time_network)

A part that is there is not measured again. One that fails is named under ``failed``, with its
reason, and takes no other along; the next run tries it again.
"""

import json
import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from slstr_cloudmask.atomic import write_bytes
from slstr_cloudmask.errors import BrokenFileError, OutputExistsError

logger = logging.getLogger(__name__)

# What two runs must share for their parts to stand in one record.
IDENTITY = ("plan", "hardware", "software")

Around = Callable[[], AbstractContextManager[dict[str, Any]]]


class Record:
    """A record and its file.

    Attributes
    ----------
    content
        What is in the file: the head, the parts by name, ``quietness`` of each part, ``failed``.
    """

    def __init__(self, path: Path, content: dict[str, Any]) -> None:
        self.path = path
        self.content = content

    @classmethod
    def open(cls, path: Path, head: dict[str, Any], *, again: bool) -> "Record":
        """Go on with the record that is there, or begin one.

        Parameters
        ----------
        path
            The file.
        head
            What is known before anything is measured, ``IDENTITY`` among it.
        again
            Begin anew, whatever is there.

        Raises
        ------
        OutputExistsError
            What is there was measured by another plan, on another machine or with other software.
        BrokenFileError
            It is no record.
        """
        if again or not path.exists():
            return cls(path, {**head, "quietness": {}, "failed": {}})
        content = read_record(path)
        for key in IDENTITY:
            if content.get(key) != head[key]:
                raise OutputExistsError(
                    f"{path} holds a record of another {key} ({content.get(key)}, now "
                    f"{head[key]}). Measure anew with --again, or into another file with --out."
                )
        return cls(path, content)

    def measure(self, part: str, measure: Callable[[], Any], around: Around) -> None:
        """Measure a part that is not there yet, and write the record.

        Parameters
        ----------
        part
            Its name.
        measure
            Returns what goes into the record.
        around
            Watches the machine meanwhile; what it gives goes under ``quietness``.
        """
        if part in self.content:
            return
        try:
            with around() as watched:
                found = measure()
        except Exception as error:  # the other parts are not to blame
            logger.debug("Failed: %s", part, exc_info=True)
            reason = f"{type(error).__name__}: {error}"
            logger.warning("Not measured: %s: %s", part, reason)
            self.content["failed"][part] = reason
        else:
            self.content[part] = found
            self.content["quietness"][part] = watched
            self.content["failed"].pop(part, None)
        write_bytes(self.path, (json.dumps(self.content, indent=1) + "\n").encode(), overwrite=True)


def read_record(path: Path) -> dict[str, Any]:
    """Read what an earlier run wrote.

    Raises
    ------
    BrokenFileError
        It is no such file.
    """
    try:
        record = json.loads(path.read_text())
    except ValueError as error:
        raise BrokenFileError(f"{path} is no record of bench.py: {error}") from error
    if not isinstance(record, dict):
        raise BrokenFileError(f"{path} is no record of bench.py: expected an object.")
    return record
