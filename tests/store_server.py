"""An object store on this machine, and a connection to it that fails as it is told to."""

import http.client
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

BUCKET, PREFIX = "sciml-datasets", "es/cloud_slstr_ds1"


class Store:
    """A bucket with scenes, as its keeper sees it."""

    def __init__(self, client: Any, endpoint: str) -> None:
        self.client, self.endpoint = client, endpoint

    def put(self, name: str, content: bytes, *, prefix: str = PREFIX) -> None:
        """Put an object below the prefix."""
        self.client.put_object(Bucket=BUCKET, Key=f"{prefix}/{name}", Body=content)

    def clear(self) -> None:
        """Take every object away."""
        for item in self.client.list_objects_v2(Bucket=BUCKET).get("Contents", []):
            self.client.delete_object(Bucket=BUCKET, Key=item["Key"])

    def put_in_parts(self, name: str, content: bytes, part_bytes: int) -> None:
        """Put an object in parts, so that its ETag is that of the parts."""
        where = {"Bucket": BUCKET, "Key": f"{PREFIX}/{name}"}
        upload = where | {"UploadId": self.client.create_multipart_upload(**where)["UploadId"]}
        parts = []
        for number, start in enumerate(range(0, len(content), part_bytes), start=1):
            part = content[start : start + part_bytes]
            etag = self.client.upload_part(**upload, PartNumber=number, Body=part)["ETag"]
            parts.append({"PartNumber": number, "ETag": etag})
        self.client.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})


@contextmanager
def serving_store() -> Iterator[Store]:
    """Start an S3 server with an empty bucket that anybody may read."""
    boto3 = pytest.importorskip("boto3")
    pytest.importorskip("s3fs")
    moto = pytest.importorskip("moto.server")
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    client = boto3.client(
        "s3",
        endpoint_url=endpoint,
        aws_access_key_id="k",
        aws_secret_access_key="s",
        region_name="us-east-1",
    )
    client.create_bucket(Bucket=BUCKET, ACL="public-read")
    store = Store(client, endpoint)
    yield store
    store.clear()
    client.delete_bucket(Bucket=BUCKET)  # servers of one process share what they keep
    client.close()
    server.stop()


class Line:
    """A connection to a store.

    ``faults`` are used up, one by each reading of an object; ``always`` is for those after:
    ``drop`` (the connection breaks off in the middle), ``503``, ``short`` (less than was asked
    for), ``wrong`` (other bytes), ``slow`` (50 kB/s). ``listed_size`` is what listings say.
    """

    def __init__(self, endpoint: str) -> None:
        self.faults: list[str] = []
        self.always = ""
        self.listed_size: int | None = None
        self.reads: list[tuple[str, str]] = []  # key and range
        self.heads: list[str] = []
        self.target = endpoint.removeprefix("http://")
        line = self

        class Handler(_Handler):
            connection_to_store = line

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.endpoint = f"http://127.0.0.1:{self.http.server_port}"
        self.thread = threading.Thread(target=self.http.serve_forever, args=(0.01,))
        self.thread.start()

    def close(self) -> None:
        self.http.shutdown()
        self.thread.join()
        self.http.server_close()


class _Handler(BaseHTTPRequestHandler):
    connection_to_store: Line

    def do_GET(self) -> None:
        line = self.connection_to_store
        status, headers, body = self._ask()
        if "list-type" in self.path:
            if line.listed_size is not None:
                sized = f"<Size>{line.listed_size}</Size>".encode()
                body = re.sub(rb"<Size>\d+</Size>", sized, body)
            self._answer(status, headers, body, len(body))
            return
        line.reads.append((self.path, self.headers.get("Range", "")))
        fault = line.faults.pop(0) if line.faults else line.always
        if fault == "503":
            busy = b"<Error><Code>SlowDown</Code><Message>Please slow down</Message></Error>"
            self._answer(503, {"Content-Type": "application/xml"}, busy, len(busy))
        elif fault == "drop":
            self._answer(status, headers, body[: len(body) // 2], len(body))
        elif fault == "short":
            self._answer(status, headers, body[: len(body) // 2], len(body) // 2)
        elif fault == "wrong":
            self._answer(status, headers, bytes(len(body)), len(body))
        else:
            self._answer(status, headers, body, len(body), slowly=fault == "slow")

    def do_HEAD(self) -> None:
        self.connection_to_store.heads.append(self.path)
        status, headers, _ = self._ask()
        self._answer(status, headers, b"", int(headers.get("content-length", 0)))

    def _ask(self) -> tuple[int, dict[str, str], bytes]:
        store = http.client.HTTPConnection(self.connection_to_store.target, timeout=20)
        sent = {name: value for name, value in self.headers.items() if name.lower() != "host"}
        store.request(self.command, self.path, headers=sent)
        answer = store.getresponse()
        headers = {name.lower(): value for name, value in answer.getheaders()}
        body = answer.read()
        store.close()
        return answer.status, headers, body

    def _answer(
        self, status: int, headers: dict[str, str], body: bytes, length: int, slowly: bool = False
    ) -> None:
        self.send_response(status)
        for name, value in headers.items():
            if name not in ("content-length", "connection", "transfer-encoding", "date", "server"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(length))
        self.send_header("Connection", "close")
        self.end_headers()
        step = 5_000 if slowly else max(len(body), 1)
        try:
            for start in range(0, len(body), step):
                self.wfile.write(body[start : start + step])
                self.wfile.flush()
                if slowly:
                    time.sleep(0.1)
        except OSError:  # who asked is gone
            return

    def log_message(self, *arguments: Any) -> None:
        pass
