"""Files behind a URL: which file system serves it, and its many errors as one sentence.

    filesystem, path = connect("s3://eodata/Sentinel-3/.../S3A_SL_1_RBT____....SEN3")
    with reaching(url):
        content = filesystem.cat_file(path)

Any URL that fsspec knows will do. Credentials and end points are set where the backends look for
them: ``AWS_ACCESS_KEY_ID``, ``AWS_SECRET_ACCESS_KEY``, ``AWS_PROFILE``, ``AWS_ENDPOINT_URL``, or
``FSSPEC_S3`` and the files in ``~/.config/fsspec``.
"""

import io
import logging
import os
import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from slstr_cloudmask.errors import (
    BrokenFileError,
    CloudMaskError,
    InputError,
    MissingExtraError,
    MissingFileError,
)
from slstr_cloudmask.extras import require

logger = logging.getLogger(__name__)

# Enough for the header of a zip's member, and little beside what a member holds.
_ZIP_BLOCK_BYTES = 2**16
# Two letters at least: "C:" is a drive. "simplecache::s3://..." is one of fsspec's chains.
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+(::|://)")
_COLLAPSED_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/(?!/)")
_USER = re.compile(r"(?<=://)[^/@?#]*@")
_QUERY = re.compile(r"(?<=\S)\?[^\s'\")]+")
_BACKENDS = {"http": "aiohttp", "https": "aiohttp", "s3": "s3fs", "s3a": "s3fs"}
# Where botocore looks for credentials without asking the network (its user guide, "Credentials").
_AWS_VARIABLES = (
    "AWS_ACCESS_KEY_ID",
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
)
_AWS_FILES = (
    ("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials"),
    ("AWS_CONFIG_FILE", "~/.aws/config"),
)


def is_remote(path: str | Path) -> bool:
    """Tell whether ``path`` is a URL."""
    return isinstance(location_of(path), str)


def location_of(path: str | Path) -> str | Path:
    """Take a URL as text, and anything else as a local path.

    A URL that went through ``Path``, which makes one slash of two, is mended.
    """
    if isinstance(path, str):
        return path if _URL.match(path) else Path(path)
    collapsed = _COLLAPSED_URL.match(path.as_posix())
    if collapsed is None or path.exists():
        return path
    slashes = ":///" if collapsed[1] == "file" else "://"
    return collapsed[1] + slashes + path.as_posix()[collapsed.end() :]


def without_secrets(url: str) -> str:
    """URL without user, password and query, which may hold a token: for messages."""
    return _USER.sub("", without_query(url))


def without_query(url: str) -> str:
    """URL without what follows ``?`` or ``#``."""
    return re.split(r"[?#]", url, maxsplit=1)[0]


def join(path: str, name: str) -> str:
    """Path of a file in a folder of a file system; a query stays at the end."""
    if not path.startswith(("http://", "https://")):
        return f"{path.rstrip('/')}/{name}"
    folder = without_query(path)
    return f"{folder.rstrip('/')}/{name}{path[len(folder) :]}"


def connect(url: str) -> tuple[Any, str]:
    """Find the file system of a URL, and the path in it.

    S3 is asked without a signature, as public buckets are, where no credentials are set up in the
    environment, in ``~/.aws`` or in fsspec's configuration. For the role of a cloud machine, which
    is none of these, set ``FSSPEC_S3='{"anon": false}'``.

    Returns
    -------
    fsspec.AbstractFileSystem, str
        The file system, without listings of an earlier time.

    Raises
    ------
    InputError
        No file system is known for such a URL.
    MissingExtraError
        The library for it is not installed.
    """
    import fsspec
    from fsspec.core import split_protocol

    protocol = split_protocol(url.rpartition("::")[2])[0] or "file"
    if protocol in _BACKENDS:
        require(_BACKENDS[protocol], extra="remote")
    shown = without_secrets(url)
    options = {}
    if "::" not in url and protocol in ("s3", "s3a") and not _has_s3_settings(fsspec.config.conf):
        options["anon"] = True
    try:
        filesystem, path = fsspec.core.url_to_fs(url, **options)
        filesystem.invalidate_cache()
    except ImportError as error:
        raise MissingExtraError(
            f"{shown} needs a library that is not installed: {error}."
        ) from error
    except ValueError as error:
        raise InputError(
            f"{shown} is no URL that can be read: {error}. Expected one such as https://... or "
            "s3://..., or a path."
        ) from error
    return filesystem, str(path)


def _has_s3_settings(configuration: dict[str, Any]) -> bool:
    """Tell whether somebody has said how to sign in to S3, or not to."""
    settings = configuration.get("s3", {})
    if any(key in settings for key in ("anon", "key", "profile", "client_kwargs")):
        return True
    files = (Path(os.environ.get(name, default)) for name, default in _AWS_FILES)
    return any(os.environ.get(name) for name in _AWS_VARIABLES) or any(
        file.expanduser().is_file() for file in files
    )


@contextmanager
def reaching(location: str, missing: str | None = None) -> Iterator[None]:
    """Turn whatever a file system raises into one sentence.

    Parameters
    ----------
    location
        Path or URL that is read, for the message.
    missing
        What to say where there is nothing.

    Raises
    ------
    MissingFileError
        There is nothing at ``location``.
    BrokenFileError
        Access is refused, the server does not answer, or it breaks off.
    """
    shown = without_secrets(location) if _URL.match(location) else location
    try:
        yield
    except CloudMaskError:
        raise
    except Exception as error:  # every backend has errors of its own, under no common class
        original = _original(error)
        if isinstance(original, FileNotFoundError | NotADirectoryError):
            raise MissingFileError(missing or f"There is no file {shown}.") from error
        raise BrokenFileError(f"{shown} cannot be read: {_reason(original)}.") from error


def _original(error: Exception) -> Exception:
    """See through fsspec, to whom a file of which a web server does not tell the size is none."""
    cause = error.__cause__
    refused = getattr(cause, "status", 404) not in (404, 410)
    if isinstance(error, FileNotFoundError) and (refused or isinstance(cause, OSError)):
        return cause if isinstance(cause, Exception) else error
    return error


def _reason(error: Exception) -> str:
    status = getattr(error, "status", None)  # of an HTTP response
    if isinstance(error, PermissionError) or status in (401, 403):
        return "access is refused. Check its permissions, or that credentials are set"
    if isinstance(status, int) and status > 0:
        return f"the server answers with status {status}. Try again later"
    if isinstance(error, TimeoutError):
        return "the server does not answer in time. Try again later"
    what = _QUERY.sub("", _USER.sub("", " ".join(str(error).split())))
    what = what.rstrip(".") or type(error).__name__
    return f"{what}. Check the address and the connection"


@dataclass(frozen=True, slots=True)
class RemoteFolder:
    """The files of a folder of a file system, each read whole when it is opened."""

    filesystem: Any
    folder: str

    def open(self, name: str) -> BinaryIO:
        """Read one file into memory."""
        return io.BytesIO(self.filesystem.cat_file(join(self.folder, name)))

    def holds(self, name: str) -> bool:
        """Whether a file is there; what a server does not tell is taken to be."""
        try:
            self.filesystem.info(join(self.folder, name))
        except FileNotFoundError as error:
            return _original(error) is not error
        except Exception:  # whatever it is, it is said when the file is opened
            return True
        return True

    def size(self, name: str) -> int:
        """Size of one file, bytes."""
        path = join(self.folder, name)
        known = self.filesystem.size(path)  # a web server need not say
        return len(self.filesystem.cat_file(path)) if known is None else int(known)


class RemoteZip:
    """Opens a zip behind a URL, of which only what is needed is transferred.

    It stays open: each opening would fetch the zip's directory again.
    """

    def __init__(self, filesystem: Any, path: str) -> None:
        self.filesystem = filesystem
        self.path = path
        self._opened: zipfile.ZipFile | None = None

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_opened": None}  # another process opens it for itself

    @contextmanager
    def __call__(self) -> Iterator[zipfile.ZipFile]:
        """Give the open zip."""
        if self._opened is None:
            self._opened = zipfile.ZipFile(self._file())
        yield self._opened

    def _file(self) -> BinaryIO:
        file: BinaryIO = self.filesystem.open(self.path, block_size=_ZIP_BLOCK_BYTES)
        try:
            file.seek(-1, io.SEEK_END)
            file.read(1)
        except (OSError, ValueError) as error:
            if isinstance(error, FileNotFoundError | PermissionError):
                raise
            shown = without_secrets(self.path)
            logger.info("%s is fetched whole: its server cannot give parts.", shown)
            return io.BytesIO(self.filesystem.cat_file(self.path))
        return file
