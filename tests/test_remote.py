import logging
import pickle
import re
import socket
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest

from slstr_cloudmask.errors import (
    BrokenFileError,
    InputError,
    MissingExtraError,
    MissingFileError,
)
from slstr_cloudmask.io.product_store import open_product
from slstr_cloudmask.io.remote import connect, is_remote, location_of, reaching, without_secrets
from tests.product_places import (
    MANIFEST,
    check_same,
    listed_product,
    packed_product,
)
from tests.sen3_product import NAME


@pytest.fixture
def product(tmp_path: Path) -> Path:
    return listed_product(tmp_path / "local")


@pytest.fixture
def memory() -> Iterator[Any]:
    filesystem = fsspec.filesystem("memory")
    yield filesystem
    filesystem.store.clear()
    filesystem.pseudo_dirs[:] = [""]


def put(filesystem: Any, product: Path, folder: str) -> None:
    for path in product.iterdir():
        filesystem.pipe_file(f"{folder}/{path.name}", path.read_bytes())


@pytest.mark.parametrize("ending", ["", "/", f"/{MANIFEST}"])
def test_a_folder_behind_a_url(product: Path, memory: Any, ending: str) -> None:
    put(memory, product, f"/far/{NAME}")
    url = f"memory://far/{NAME}{ending}"

    opened = open_product(url)

    assert opened.location == url
    check_same(opened, product)


def test_a_zip_behind_a_url(product: Path, memory: Any, tmp_path: Path) -> None:
    memory.put(str(packed_product(product, tmp_path / "a.zip")), "/far/a.zip")

    opened = open_product("memory://far/a.zip")

    check_same(opened, product)
    check_same(pickle.loads(pickle.dumps(opened)), product)


def test_a_url_that_went_through_a_path(product: Path, memory: Any) -> None:
    put(memory, product, f"/far/{NAME}")
    check_same(open_product(Path(f"memory://far/{NAME}")), product)
    check_same(open_product(Path(product.as_uri())), product)


def test_what_is_no_product_behind_a_url(memory: Any) -> None:
    with pytest.raises(MissingFileError, match=r"There is no product at memory://far/gone\.SEN3"):
        open_product("memory://far/gone.SEN3")
    with pytest.raises(MissingFileError, match=r"There is no product at memory://far/gone\.zip"):
        open_product("memory://far/gone.zip")
    memory.pipe_file("/far/notes.txt", b"hello")
    with pytest.raises(InputError, match=r"found a folder with notes\.txt"):
        open_product("memory://far")
    with pytest.raises(InputError, match=r"notes\.txt is no SLSTR Level-1 product.*found a file"):
        open_product("memory://far/notes.txt")
    memory.pipe_file("/far/a.zip", b"PK")
    with pytest.raises(BrokenFileError, match=r"a\.zip is damaged"):
        open_product("memory://far/a.zip")


def test_a_protocol_that_nobody_knows() -> None:
    with pytest.raises(InputError, match=r"nonsense://a is no URL that can be read.*https://"):
        open_product("nonsense://a")


def test_a_library_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "s3fs", None)
    with pytest.raises(MissingExtraError, match=r'pip install "slstr-cloudmask\[remote\]"'):
        open_product("s3://bucket/a.zip")


def test_a_library_that_no_extra_installs(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(url: str) -> None:
        raise ImportError("Please install gcsfs to access Google Storage")

    monkeypatch.setattr(fsspec.core, "url_to_fs", missing)
    with pytest.raises(MissingExtraError, match=r"gs://bucket/a needs a library.*install gcsfs"):
        open_product("gs://bucket/a")


def test_urls_and_paths_are_told_apart() -> None:
    for url in ("s3://b/x", "https://h/x.zip", "memory://x", "simplecache::s3://b/x"):
        assert is_remote(url)
        assert location_of(url) == url
    for path in ("x.zip", "C:/x", "c:\\x", "/a/b", "a/b://c", ""):
        assert not is_remote(path)
    assert location_of(Path("s3://b/x")) == "s3://b/x"
    assert location_of(Path("file:///b/x")) == "file:///b/x"
    assert location_of(Path("/b/x")) == Path("/b/x")


def test_secrets_are_not_shown() -> None:
    assert without_secrets("https://me:pw@h/a.zip?token=1#x") == "https://h/a.zip"
    with (
        pytest.raises(BrokenFileError) as caught,
        reaching("https://me:pw@h/a.zip?token=1"),
    ):
        raise ValueError("no luck with\nhttps://me:pw@h/a.zip?token=1, sorry.")
    assert str(caught.value) == (
        "https://h/a.zip cannot be read: no luck with https://h/a.zip sorry. "
        "Check the address and the connection."
    )


# -- on a web server ------------------------------------------------------------------------------


class Server:
    """A web server on this machine that serves a folder and keeps what it was asked for."""

    def __init__(self, folder: Path, *, ranges: bool) -> None:
        self.requests: list[str] = []
        self.sent_bytes = 0
        self.status = 0  # that it answers whatever it is asked, where not 0
        handler = partial(_Handler, self, ranges, directory=str(folder))
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        self.thread = threading.Thread(target=self.http.serve_forever, args=(0.01,))
        self.thread.start()

    def close(self) -> None:
        self.http.shutdown()
        self.thread.join()
        self.http.server_close()


class _Handler(SimpleHTTPRequestHandler):
    def __init__(self, server: Server, ranges: bool, *arguments: Any, **options: Any) -> None:
        self.served, self.ranges = server, ranges
        super().__init__(*arguments, **options)

    def do_GET(self) -> None:
        self.served.requests.append(f"{self.command} {self.path}")
        if self.served.status:
            self.send_error(self.served.status)
            return
        span = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        path = Path(self.translate_path(self.path))
        if not (self.ranges and span and path.is_file() and self.command == "GET"):
            if self.command == "GET" and path.is_file():
                self.served.sent_bytes += path.stat().st_size
            getattr(super(), f"do_{self.command}")()
            return
        content = path.read_bytes()
        begin, end = int(span[1]), min(int(span[2] or len(content)), len(content) - 1)
        self.send_response(206)
        self.send_header("Content-Range", f"bytes {begin}-{end}/{len(content)}")
        self.send_header("Content-Length", str(end + 1 - begin))
        self.end_headers()
        self.wfile.write(content[begin : end + 1])
        self.served.sent_bytes += end + 1 - begin

    def do_HEAD(self) -> None:
        self.do_GET()

    def log_message(self, *arguments: Any) -> None:
        pass


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    pytest.importorskip("aiohttp")
    (tmp_path / "www").mkdir()
    servers = []

    def start(*, ranges: bool = True) -> Server:
        servers.append(Server(tmp_path / "www", ranges=ranges))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.mark.parametrize("ending", ["", "/", f"/{MANIFEST}", f"/{MANIFEST}?token=1", "?token=1"])
def test_a_folder_on_a_web_server(
    product: Path, serve: Callable[..., Server], tmp_path: Path, ending: str
) -> None:
    server = serve()
    product = product.rename(tmp_path / "www" / NAME)

    opened = open_product(f"{server.url}/{NAME}{ending}")

    token = "?token=1" * ("token" in ending)
    assert server.requests[0] == f"GET /{NAME}/{MANIFEST}{token}"
    # Of the other files it is only asked whether they are there.
    assert {request.split()[0] for request in server.requests[1:]} <= {"HEAD"}
    check_same(opened, product)
    assert "token" not in opened.location
    assert server.requests[-1] == f"GET /{NAME}/S8_BT_in.nc{token}"


def test_a_file_that_a_web_server_has_not(
    product: Path, serve: Callable[..., Server], tmp_path: Path
) -> None:
    server = serve()
    product = product.rename(tmp_path / "www" / NAME)
    (product / "S8_BT_in.nc").unlink()

    opened = open_product(f"{server.url}/{NAME}")

    assert "S8_BT_in.nc" not in opened.names  # though the manifest says so
    assert "S9_BT_in.nc" in opened.names
    for ask in (opened.open, opened.size):
        with pytest.raises(MissingFileError, match=r"no file S8_BT_in\.nc in http://127"):
            ask("S8_BT_in.nc")


def test_only_what_is_asked_for_of_a_zip_on_a_web_server(
    product: Path, serve: Callable[..., Server], tmp_path: Path
) -> None:
    server = serve()
    noise = np.random.default_rng(0).bytes(2_000_000)
    (product / "large.nc").write_bytes(noise)
    packed_product(product, tmp_path / "www" / "a.zip")

    opened = open_product(f"{server.url}/a.zip?token=1")
    check_same(opened, product)

    assert server.sent_bytes < 500_000
    assert server.requests.count("HEAD /a.zip?token=1") == 1
    assert opened.read("large.nc") == noise


def test_a_zip_on_a_web_server_that_cannot_give_parts(
    product: Path,
    serve: Callable[..., Server],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "slstr_cloudmask")
    server = serve(ranges=False)
    packed_product(product, tmp_path / "www" / "a.zip")

    check_same(open_product(f"{server.url}/a.zip?token=1"), product)
    assert "a.zip is fetched whole" in caplog.text
    assert "token" not in caplog.text


def test_nothing_on_a_web_server(serve: Callable[..., Server]) -> None:
    url = serve().url
    with pytest.raises(MissingFileError, match=r"no product at .*: expected xfdumanifest\.xml"):
        open_product(f"{url}/{NAME}")
    with pytest.raises(MissingFileError, match=r"There is no product at .*gone\.zip\.$"):
        open_product(f"{url}/gone.zip")


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (403, "access is refused"),
        (401, "access is refused"),
        (500, "the server answers with status 500"),
    ],
)
@pytest.mark.parametrize("name", [NAME, "a.zip"])
def test_a_web_server_that_refuses(
    serve: Callable[..., Server], status: int, message: str, name: str
) -> None:
    server = serve()
    server.status = status

    with pytest.raises(BrokenFileError, match=rf"{re.escape(name)} cannot be read: {message}"):
        open_product(f"{server.url}/{name}?token=1")


def test_a_web_server_that_is_not_there() -> None:
    pytest.importorskip("aiohttp")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/{NAME}?token=1"
    with pytest.raises(BrokenFileError, match="cannot be read: Cannot connect") as caught:
        open_product(url)
    assert "token" not in str(caught.value)
    assert "\n" not in str(caught.value)


# -- in object storage ----------------------------------------------------------------------------


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Any]:
    """Put files into an S3 bucket on this machine, which anybody may read."""
    s3fs = pytest.importorskip("s3fs")
    moto = pytest.importorskip("moto.server")
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    filesystem = s3fs.S3FileSystem(key="k", secret="s", skip_instance_cache=True)
    filesystem.mkdir("bucket", acl="public-read")
    yield filesystem
    s3fs.S3FileSystem.clear_instance_cache()  # they know the address of this server
    filesystem.rm("bucket", recursive=True)  # servers of one process share what they keep
    server.stop()


@pytest.mark.parametrize("ending", ["", "/", f"/{MANIFEST}"])
def test_a_folder_in_object_storage(product: Path, bucket: Any, ending: str) -> None:
    put(bucket, product, f"bucket/far/{NAME}")
    check_same(open_product(f"s3://bucket/far/{NAME}{ending}"), product)


def test_a_zip_in_object_storage(product: Path, bucket: Any, tmp_path: Path) -> None:
    bucket.put_file(str(packed_product(product, tmp_path / "a.zip")), "bucket/far/a.zip")
    check_same(open_product("s3://bucket/far/a.zip"), product)


def test_nothing_in_object_storage(bucket: Any) -> None:
    for name in ("gone.SEN3", "gone.zip", f"gone.SEN3/{MANIFEST}"):
        url = f"s3://bucket/{name}"
        with pytest.raises(MissingFileError, match=f"There is no product at {url}"):
            open_product(url)
    with pytest.raises(MissingFileError, match="There is no product at s3://nobucket/"):
        open_product("s3://nobucket/gone.SEN3")


def test_a_product_that_arrives_later(product: Path, bucket: Any) -> None:
    url = f"s3://bucket/far/{NAME}"
    with pytest.raises(MissingFileError):
        open_product(url)
    bucket.pipe_file(f"bucket/far/{NAME}/S8_BT_in.nc", b"")
    assert open_product(url).names == {"S8_BT_in.nc"}
    put(bucket, product, f"bucket/far/{NAME}")
    check_same(open_product(url), product)


def test_object_storage_is_asked_as_configured(
    bucket: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert connect("s3://bucket/a")[0].anon
    monkeypatch.setitem(fsspec.config.conf, "s3", {"anon": False})
    assert not connect("s3://bucket/a")[0].anon
    monkeypatch.setitem(fsspec.config.conf, "s3", {"requester_pays": True})
    assert connect("s3://bucket/a")[0].anon
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "k")
    assert not connect("s3://bucket/a")[0].anon
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    (tmp_path / "none").write_text("[default]\n")
    assert not connect("s3://bucket/a")[0].anon


def test_object_storage_that_is_not_there(bucket: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free.getsockname()[1]}")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.setattr("s3fs.core.S3FileSystem.retries", 1)
    bucket.clear_instance_cache()
    with pytest.raises(BrokenFileError, match=r"cannot be read: .*Could not connect") as caught:
        open_product(f"s3://bucket/{NAME}")
    assert "\n" not in str(caught.value)
