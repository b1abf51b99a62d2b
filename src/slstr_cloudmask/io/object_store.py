"""A bucket of an object store that anybody may read: what is in it, and its bytes, patiently.

    store = ObjectStore("https://s3.echo.stfc.ac.uk", "sciml-datasets")
    for item in store.objects("es/cloud_slstr_ds1/inference"):
        head = store.read(item.key, 0, min(item.size, 512))

What passes by itself (a connection that breaks off, a server that is busy) is tried again, each
time after a longer wait; then it is an error, in words.
"""

import errno
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from slstr_cloudmask.errors import InputError
from slstr_cloudmask.extras import require
from slstr_cloudmask.io.remote import join, reaching

logger = logging.getLogger(__name__)

Answer = TypeVar("Answer")

# A minute in all, so that a server may be started again meanwhile.
READING_WAITS_S = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
LISTING_WAITS_S = (0.5, 1.0, 2.0)  # somebody waits for it
_CONNECT_TIMEOUT_S, _READ_TIMEOUT_S = 15, 60
# What trying again does not mend: nothing there, not allowed, and a request that cannot be.
_LASTING = (FileNotFoundError, PermissionError, ValueError)
_LASTING_CODES = (errno.EINVAL, errno.EPERM, errno.ENAMETOOLONG)


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object as the store lists it; the ETag is without its quotes."""

    key: str
    size: int
    etag: str


class ObjectStore:
    """A bucket, asked without a signature.

    Parameters
    ----------
    endpoint
        Address of the store, ``https://...``.
    bucket
        Name of the bucket.
    reading_waits_s, listing_waits_s
        Seconds before each further try.

    Raises
    ------
    InputError
        The address or the name has a form that cannot be.
    MissingExtraError
        The extra ``remote`` is not installed.
    """

    def __init__(
        self,
        endpoint: str,
        bucket: str,
        *,
        reading_waits_s: tuple[float, ...] = READING_WAITS_S,
        listing_waits_s: tuple[float, ...] = LISTING_WAITS_S,
    ) -> None:
        s3fs = require("s3fs", extra="remote")
        if not endpoint.startswith(("https://", "http://")) or not bucket or "/" in bucket:
            raise InputError(
                "Expected an end point such as https://s3.echo.stfc.ac.uk and the name of a "
                f"bucket, found {endpoint!r} and {bucket!r} (--endpoint, --bucket)."
            )
        self.endpoint, self.bucket = endpoint.rstrip("/"), bucket
        self._waits_s = {"read": reading_waits_s, "list": listing_waits_s}
        self._stopped = threading.Event()
        self._filesystem = s3fs.S3FileSystem(
            anon=True,
            skip_instance_cache=True,
            use_listings_cache=False,
            client_kwargs={"endpoint_url": self.endpoint},
            config_kwargs={
                "s3": {"addressing_style": "path"},  # whatever name the machine has
                "retries": {"total_max_attempts": 1},  # tries are counted here alone
                # Some stores send the whole object's checksum with a part; the ETag is compared.
                "response_checksum_validation": "when_required",
                "connect_timeout": _CONNECT_TIMEOUT_S,
                "read_timeout": _READ_TIMEOUT_S,
            },
        )
        self._filesystem.retries = 1

    def address(self, key: str) -> str:
        """Where an object is, for messages."""
        return join(f"{self.endpoint}/{self.bucket}", key)

    def objects(self, prefix: str) -> list[StoredObject]:
        """List all objects in a folder and below, sorted; none where there is no such folder.

        Raises
        ------
        MissingFileError
            There is no such bucket.
        BrokenFileError
            The store refuses, or does not answer.
        """
        found = self._patiently(
            "list", prefix, lambda: self._filesystem.find(f"{self.bucket}/{prefix}", detail=True)
        )
        items = [
            StoredObject(name.partition("/")[2], int(info["size"]), _bare(info.get("ETag")))
            for name, info in found.items()
        ]
        return sorted(items, key=lambda item: item.key)

    def read(self, key: str, start: int, end: int) -> bytes:
        """Read the bytes of an object from ``start`` to before ``end``.

        Raises
        ------
        MissingFileError
            There is no such object.
        BrokenFileError
            The store refuses, does not answer, or sends less, however often it is asked.
        """

        def fetch() -> bytes:
            path = f"{self.bucket}/{key}"
            content: bytes = self._filesystem.cat_file(path, start=start, end=end)
            if len(content) != end - start:
                raise OSError(f"{len(content)} bytes came, {end - start} were asked for")
            return content

        return self._patiently("read", key, fetch)

    def object_at(self, key: str) -> StoredObject:
        """Look at an object as it is now; errors as `read`."""
        head = self._head(key)
        return StoredObject(key, int(head["ContentLength"]), _bare(head.get("ETag")))

    def part_bytes(self, key: str) -> int | None:
        """Size of the first of the parts in which an object was put there, where the store tells.

        Raises
        ------
        MissingFileError, BrokenFileError
            As `read`.
        """
        head = self._head(key, PartNumber=1)
        told = head.get("PartsCount") is not None
        return int(head["ContentLength"]) if told else None

    def stop(self) -> None:
        """Let nothing be tried again any more."""
        self._stopped.set()

    def _head(self, key: str, **options: int) -> dict[str, Any]:
        def ask() -> dict[str, Any]:
            head: dict[str, Any] = self._filesystem.call_s3(
                "head_object", Bucket=self.bucket, Key=key, **options
            )
            return head

        return self._patiently("read", key, ask)

    def _patiently(self, kind: str, key: str, ask: Callable[[], Answer]) -> Answer:
        """Ask until there is an answer or an error that stays."""
        with reaching(self.address(key)):
            for wait_s in self._waits_s[kind]:
                try:
                    return ask()
                except Exception as error:  # botocore and aiohttp have no common class of errors
                    if isinstance(error, _LASTING) or getattr(error, "errno", 0) in _LASTING_CODES:
                        raise
                    words = " ".join(str(error).split()) or type(error).__name__
                    name = key.rpartition("/")[2]
                    logger.info("%s: %s; trying again in %g s", name, words, wait_s)
                if self._stopped.wait(wait_s):
                    break
            return ask()


def _bare(etag: object) -> str:
    return str(etag or "").strip('"')
