"""A study in a real PostgreSQL, which goes away in the middle of a sweep."""

import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from slstr_cloudmask.errors import WriteError
from slstr_cloudmask.sweep.standing import status
from tests.sweeps import AtOnce, by_rate, plan_of, run

pytest.importorskip("optuna")
pytest.importorskip("pg8000")
pytestmark = pytest.mark.slow

READY_S = 60


class Server:
    """PostgreSQL on the loopback, which can be killed and started again."""

    def __init__(self, folder: Path, port: int) -> None:
        self.url = f"postgresql+pg8000://me@127.0.0.1:{port}/postgres"
        self._folder, self._port = folder, port
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        options = ("-c", "listen_addresses=127.0.0.1", "-c", "fsync=off")
        command = ("postgres", "-D", "data", "-p", str(self._port), "-k", str(self._folder))
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                as_user(*command, *options), cwd=self._folder, stdout=log, stderr=log
            )
        until = time.monotonic() + READY_S
        while True:
            with socket.socket() as client:
                if client.connect_ex(("127.0.0.1", self._port)) == 0:
                    return
            assert time.monotonic() < until, (self._folder / "log").read_text()
            time.sleep(0.1)

    def stop(self) -> None:
        """End it at once, with its connections."""
        subprocess.run(
            as_user("pg_ctl", "-D", "data", "-m", "immediate", "stop"),
            cwd=self._folder,
            check=False,
            capture_output=True,
        )
        if self._process is not None:
            self._process.wait(READY_S)
            self._process = None


def as_user(*command: str) -> list[str]:
    """PostgreSQL does not run as root."""
    return ["runuser", "-u", "nobody", "--", *command] if os.geteuid() == 0 else list(command)


@pytest.fixture
def server() -> Iterator[Server]:
    if missing := [name for name in ("initdb", "pg_ctl", "postgres") if shutil.which(name) is None]:
        pytest.skip(f"PostgreSQL is not installed: no {', '.join(missing)}")
    folder = Path(tempfile.mkdtemp(prefix="postgres-"))  # short: a socket's path is
    folder.chmod(0o777)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = int(listener.getsockname()[1])
    made = as_user("initdb", "-D", "data", "-A", "trust", "-U", "me", "--no-sync")
    subprocess.run(made, cwd=folder, check=True, capture_output=True)
    one = Server(folder, port)
    try:
        one.start()
        yield one
    finally:
        one.stop()
        shutil.rmtree(folder, ignore_errors=True)


def test_a_server_that_comes_back_is_waited_for(server: Server, tmp_path: Path) -> None:
    def fate(folder: Path) -> bool:
        if folder.name == "trial-0002":
            server.stop()
            threading.Timer(1.0, server.start).start()
        return by_rate(folder)

    launcher = AtOnce(fate)
    run(tmp_path, plan_of("batch_size=1,2,3"), launcher, storage=server.url)
    assert launcher.started == ["trial-0001", "trial-0002", "trial-0003"]
    assert status(tmp_path)["counts"]["done"] == 3


def test_nothing_is_lost_with_a_server_that_stays_away(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("slstr_cloudmask.sweep.study.PATIENCE_S", 1.0)

    def fate(folder: Path) -> bool:
        if folder.name == "trial-0002":
            server.stop()
        return by_rate(folder)

    plan, launcher = plan_of("batch_size=1,2,3"), AtOnce(fate)
    with pytest.raises(WriteError, match=r"does not answer.*run the same command again"):
        run(tmp_path, plan, launcher, storage=server.url)
    assert status(tmp_path)["counts"]["done"] == 2
    server.start()
    launcher.fate = by_rate
    run(tmp_path, plan, launcher, storage=server.url)
    assert launcher.started == ["trial-0001", "trial-0002", "trial-0003"]
    assert status(tmp_path)["counts"]["done"] == 3
