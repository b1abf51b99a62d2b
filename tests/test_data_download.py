"""The published set from an object store that stands on this machine, with all that goes wrong."""

import json
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from slstr_cloudmask.atomic import claim
from slstr_cloudmask.benchmark.download import MOST_FAILURES, DownloadOutcome, run_download
from slstr_cloudmask.benchmark.download_plan import Here, plan_download
from slstr_cloudmask.benchmark.download_record import RECORD_NAME, read_record
from slstr_cloudmask.benchmark.published_set import PARTS, parts_of
from slstr_cloudmask.errors import (
    BrokenFileError,
    ConfigError,
    InputError,
    MissingExtraError,
    MissingFileError,
    OutputExistsError,
    WriteError,
)
from slstr_cloudmask.io.etag import Checked
from slstr_cloudmask.io.object_download import BLOCK_BYTES, part_path
from slstr_cloudmask.io.object_store import ObjectStore
from tests.store_server import BUCKET, PREFIX, Line, Store, serving_store
from tests.test_cli import Cli, cli  # noqa: F401

MIB = 2**20


def scene(number: int, size: int = 3000) -> bytes:
    return np.random.default_rng(number).bytes(size)


@pytest.fixture(scope="module")
def server() -> Iterator[Store]:
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
            patch.setenv(name, os.devnull)
        with serving_store() as started:
            yield started


@pytest.fixture
def store(server: Store) -> Iterator[Store]:
    yield server
    server.clear()


@pytest.fixture
def filled(store: Store) -> Store:
    """Put six training and four test scenes into the store."""
    for number in range(6):
        folder = "day" if number < 4 else "night"
        store.put(f"training/{folder}/S3A_{number}.hdf", scene(number))
    for number in range(4):
        folder = "day" if number % 2 else "night"
        store.put(f"inference/{folder}/S3A_{10 + number}.hdf", scene(10 + number))
    return store


@pytest.fixture
def line(filled: Store) -> Iterator[Line]:
    started = Line(filled.endpoint)
    yield started
    started.close()


def fetch(
    endpoint: str,
    root: Path,
    *,
    limit: int | None = None,
    parts: tuple[str, ...] = PARTS,
    jobs: int = 2,
) -> DownloadOutcome:
    """Download, with hardly a wait between tries."""
    waits = (0.01, 0.01)
    store = ObjectStore(endpoint, BUCKET, reading_waits_s=waits, listing_waits_s=waits)
    plan = plan_download(store, PREFIX, parts, root, limit)
    return run_download(store, plan, jobs=jobs)


def files(root: Path) -> dict[str, bytes]:
    """Read every file below a folder, hidden ones too, but the record."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and path.name != RECORD_NAME
    }


EXPECTED = {
    **{f"training/{'day' if n < 4 else 'night'}/S3A_{n}.hdf": scene(n) for n in range(6)},
    **{
        f"inference/{'day' if n % 2 else 'night'}/S3A_{10 + n}.hdf": scene(10 + n) for n in range(4)
    },
}


def test_everything_comes_once(filled: Store, tmp_path: Path) -> None:
    outcome = fetch(filled.endpoint, tmp_path / "data")

    assert outcome == DownloadOutcome(fetched=10)
    assert files(tmp_path / "data") == EXPECTED
    record = read_record(tmp_path / "data")
    assert list(record.files) == sorted(EXPECTED)
    known = record.files["training/day/S3A_1.hdf"]
    assert known.url == f"{filled.endpoint}/{BUCKET}/{PREFIX}/training/day/S3A_1.hdf"
    assert (known.size, known.checked) == (3000, Checked.MD5)

    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    assert fetch(filled.endpoint, tmp_path / "data") == DownloadOutcome(kept=10)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_the_older_names_of_the_folders(store: Store, tmp_path: Path) -> None:
    store.put("one-day/day/S3A_1.hdf", scene(1))
    store.put("ssts/night/S3A_2.hdf", scene(2))

    assert fetch(store.endpoint, tmp_path).fetched == 2
    assert set(files(tmp_path)) == {"one-day/day/S3A_1.hdf", "ssts/night/S3A_2.hdf"}

    # The store takes the newer names: nothing is fetched anew, and new scenes join the old ones.
    for folder in ("one-day/day/S3A_1.hdf", "ssts/night/S3A_2.hdf"):
        store.client.delete_object(Bucket=BUCKET, Key=f"{PREFIX}/{folder}")
    store.put("training/day/S3A_1.hdf", scene(1))
    store.put("inference/night/S3A_2.hdf", scene(2))
    store.put("inference/night/S3A_3.hdf", scene(3))
    assert fetch(store.endpoint, tmp_path) == DownloadOutcome(fetched=1, kept=2)
    assert "ssts/night/S3A_3.hdf" in files(tmp_path)


def test_a_limit_is_the_same_scenes_each_time_by_day_and_by_night(
    filled: Store, tmp_path: Path
) -> None:
    assert fetch(filled.endpoint, tmp_path / "a", limit=3).fetched == 6
    found = set(files(tmp_path / "a"))
    # One by day, one by night, in turn: days 0 ... 3, nights 4 and 5; days 11, 13, nights 10, 12.
    assert {name for name in found if name.startswith("training")} == {
        "training/day/S3A_0.hdf",
        "training/night/S3A_4.hdf",
        "training/day/S3A_1.hdf",
    }
    fetch(filled.endpoint, tmp_path / "b", limit=3, jobs=1)
    assert set(files(tmp_path / "b")) == found
    assert fetch(filled.endpoint, tmp_path / "a", limit=4) == DownloadOutcome(fetched=2, kept=6)


def test_parts_of_the_set(filled: Store, tmp_path: Path) -> None:
    assert fetch(filled.endpoint, tmp_path, parts=("inference",)).fetched == 4
    assert not (tmp_path / "training").exists()


@pytest.mark.parametrize("fault", ["drop", "503", "short"])
def test_what_passes_is_tried_again(line: Line, tmp_path: Path, fault: str) -> None:
    line.faults = [fault, fault, "", fault]
    assert fetch(line.endpoint, tmp_path).fetched == 10
    assert files(tmp_path) == EXPECTED
    assert len(line.reads) == 10 + 3


@pytest.mark.parametrize(
    ("fault", "words"),
    [("drop", "cannot be read"), ("503", "slow"), ("short", "1500 bytes came, 3000 were asked")],
)
def test_what_does_not_pass_is_named_and_leaves_nothing_half(
    line: Line, tmp_path: Path, fault: str, words: str
) -> None:
    line.faults = [fault] * 3  # a reading and two more: the first of one job
    outcome = fetch(line.endpoint, tmp_path, jobs=1)
    assert outcome.fetched == 9
    ((name, why),) = outcome.failures.items()
    assert words in why
    assert f"{line.endpoint}/{BUCKET}/{PREFIX}/{name}" in why
    assert {n: c for n, c in EXPECTED.items() if n != name} == {
        n: c for n, c in files(tmp_path).items() if not n.endswith(".part")
    }
    assert name not in read_record(tmp_path).files
    assert fetch(line.endpoint, tmp_path) == DownloadOutcome(fetched=1, kept=9)
    assert files(tmp_path) == EXPECTED


def test_a_store_that_is_gone_is_not_asked_for_every_scene(
    filled: Store, line: Line, tmp_path: Path
) -> None:
    for number in range(20, 40):
        filled.put(f"training/day/S3A_{number}.hdf", scene(number))
    line.always = "503"
    with pytest.raises(BrokenFileError, match=f"{MOST_FAILURES} scenes failed one after the other"):
        fetch(line.endpoint, tmp_path, jobs=1)
    assert len(line.reads) < 30 * 3


def test_bytes_that_are_not_the_listed_ones(line: Line, tmp_path: Path) -> None:
    line.faults = ["wrong"]  # once: fetched again
    assert fetch(line.endpoint, tmp_path / "a").fetched == 10
    assert files(tmp_path / "a") == EXPECTED
    line.faults = ["wrong", "wrong"]
    outcome = fetch(line.endpoint, tmp_path / "b", jobs=1)
    ((name, why),) = outcome.failures.items()
    assert "does not have the checksum that it is listed with" in why
    assert files(tmp_path / "b") == {n: c for n, c in EXPECTED.items() if n != name}


def test_objects_that_were_put_in_parts(store: Store, tmp_path: Path) -> None:
    large = scene(1, 12 * MIB + 5)
    store.put_in_parts("inference/day/S3A_1.hdf", large, 5 * MIB)
    store.put_in_parts("inference/day/S3A_2.hdf", large, 7_000_000)  # nobody guesses that
    assert fetch(store.endpoint, tmp_path, parts=("inference",)).fetched == 2
    record = read_record(tmp_path).files
    assert {(known.checked, known.part_bytes) for known in record.values()} == {
        (Checked.PARTS, 5 * MIB),
        (Checked.PARTS, 7_000_000),
    }


def test_files_without_a_record_are_compared_and_not_fetched(line: Line, tmp_path: Path) -> None:
    fetch(line.endpoint, tmp_path)
    (tmp_path / RECORD_NAME).unlink()
    (tmp_path / "training/day/S3A_0.hdf").write_bytes(scene(99))
    (tmp_path / "training/day/S3A_1.hdf").write_bytes(b"short")
    line.reads.clear()

    assert fetch(line.endpoint, tmp_path) == DownloadOutcome(fetched=2, found=8)
    assert files(tmp_path) == EXPECTED
    assert len(line.reads) == 2


def test_what_changed_in_the_store_comes_again(
    filled: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    fetch(filled.endpoint, tmp_path)
    filled.put("training/day/S3A_0.hdf", scene(50))
    filled.put("training/day/S3A_1.hdf", scene(51, 4000))
    caplog.clear()

    assert fetch(filled.endpoint, tmp_path) == DownloadOutcome(fetched=2, kept=8)
    assert files(tmp_path)["training/day/S3A_0.hdf"] == scene(50)
    assert files(tmp_path)["training/day/S3A_1.hdf"] == scene(51, 4000)
    assert caplog.text.count("has changed in the store") == 2


def test_names_that_lead_elsewhere_are_refused(filled: Store, tmp_path: Path) -> None:
    names = [
        "training/day/../../../S3A_evil.hdf",
        "training//S3A_evil.hdf",
        "training/.hidden/S3A_evil.hdf",
        "training/day/./S3A_evil.hdf",
        "training/a\\b/S3A_evil.hdf",
    ]
    for name in names:
        filled.put(name, b"evil")
    filled.put("training/README.md", b"no scene")
    root = tmp_path / "deep" / "data"

    outcome = fetch(filled.endpoint, root)

    assert outcome.fetched == 10
    assert set(outcome.failures) == {f"{PREFIX}/{name}" for name in names}
    assert files(root) == EXPECTED
    assert [path.name for path in tmp_path.rglob("*") if "evil" in path.name] == []


def test_an_object_without_content(filled: Store, tmp_path: Path) -> None:
    filled.put("training/day/S3A_1.hdf", b"")
    outcome = fetch(filled.endpoint, tmp_path)
    assert list(outcome.failures) == ["training/day/S3A_1.hdf"]
    assert "holds nothing" in outcome.failures["training/day/S3A_1.hdf"]
    assert not (tmp_path / "training/day/S3A_1.hdf").exists()


def test_a_part_that_was_left_is_continued(filled: Store, line: Line, tmp_path: Path) -> None:
    store = ObjectStore(line.endpoint, BUCKET)
    large = scene(7, BLOCK_BYTES + MIB)
    filled.put("inference/day/S3A_11.hdf", large)
    plan = plan_download(store, PREFIX, ("inference",), tmp_path)
    item = next(s.wanted.item for s in plan.scenes if s.wanted.item.size == len(large))
    part = part_path(tmp_path / "inference/day/S3A_11.hdf", item)
    part.parent.mkdir(parents=True)
    part.write_bytes(large[:BLOCK_BYTES])
    (part.parent / ".S3A_11.hdf.0123456789ab.part").write_bytes(b"of an earlier version")

    assert plan_download(store, PREFIX, ("inference",), tmp_path).missing_bytes == MIB + 3 * 3000
    assert fetch(line.endpoint, tmp_path, parts=("inference",)).fetched == 4
    ranges = [span for path, span in line.reads if "S3A_11" in path]
    assert ranges == [f"bytes={BLOCK_BYTES}-{len(large) - 1}"]
    assert files(tmp_path)["inference/day/S3A_11.hdf"] == large
    assert not list(tmp_path.rglob("*.part"))


@pytest.mark.parametrize("left", [b"\0" * 3000, b"\0" * 5000, b"\0" * 100])
def test_a_part_that_was_left_wrong_is_fetched_again(
    filled: Store, tmp_path: Path, left: bytes
) -> None:
    plan = plan_download(ObjectStore(filled.endpoint, BUCKET), PREFIX, PARTS, tmp_path)
    part = part_path(tmp_path / plan.scenes[0].wanted.path, plan.scenes[0].wanted.item)
    part.parent.mkdir(parents=True)
    part.write_bytes(left)  # as after a loss of power

    assert fetch(filled.endpoint, tmp_path).fetched == 10
    assert files(tmp_path) == EXPECTED


def command(endpoint: str, root: Path, *more: object) -> list[str]:
    arguments = ["data", "download", root, "--endpoint", endpoint, *more]
    return [sys.executable, "-m", "slstr_cloudmask", *map(str, arguments)]


def test_a_download_that_was_killed_goes_on(filled: Store, line: Line, tmp_path: Path) -> None:
    large = scene(8, 3 * BLOCK_BYTES)
    filled.put("training/day/S3A_0.hdf", large)
    line.faults = ["", "slow"]  # the second block takes minutes
    killed = subprocess.Popen(
        command(line.endpoint, tmp_path, "--part", "training", "--limit", 1),
        stderr=subprocess.DEVNULL,
    )
    try:
        until = time.monotonic() + 120
        while time.monotonic() < until and len(line.reads) < 2:
            time.sleep(0.05)
    finally:
        killed.send_signal(signal.SIGKILL)
        killed.wait()
    assert len(line.reads) == 2
    (name,) = files(tmp_path)
    assert name.startswith("training/day/.S3A_0.hdf.")
    assert files(tmp_path)[name] == large[:BLOCK_BYTES]

    line.reads.clear()
    line.faults = []
    assert fetch(line.endpoint, tmp_path).fetched == 10
    assert files(tmp_path)["training/day/S3A_0.hdf"] == large
    assert [span for path, span in line.reads if "S3A_0.hdf" in path] == [
        f"bytes={BLOCK_BYTES}-{2 * BLOCK_BYTES - 1}",
        f"bytes={2 * BLOCK_BYTES}-{3 * BLOCK_BYTES - 1}",
    ]


def test_the_command(filled: Store, cli: Cli, tmp_path: Path) -> None:  # noqa: F811
    arguments = ["data", "download", tmp_path / "data", "--endpoint", filled.endpoint]
    code, out, _ = cli(*arguments, "--dry-run")
    assert code == 0
    assert "30.0 kB" in out
    assert not (tmp_path / "data").exists()

    code, out, err = cli(*arguments, "--limit", 2)
    assert (code, out) == (0, "4 scenes downloaded; 0 were here.\n")
    assert "lists 6 scenes: 970 are published" in err
    code, out, _ = cli(*arguments, "--limit", 2)
    assert (code, out) == (0, "All 4 scenes are here already: nothing was downloaded.\n")

    filled.put("training/day/S3A_2.hdf", b"")
    code, out, err = cli(*arguments)
    assert code == 1
    assert out == "5 scenes downloaded; 4 were here; 1 failed.\n"
    assert "failed: training/day/S3A_2.hdf" in err


def test_the_disk_is_too_small(line: Line, tmp_path: Path) -> None:
    line.listed_size = 10**18
    with pytest.raises(WriteError, match=r"6\.0 EB are to be downloaded, and .* are free"):
        fetch(line.endpoint, tmp_path / "data", parts=("training",))
    assert not (tmp_path / "data").exists()


def test_the_disk_fills_up(filled: Store, tmp_path: Path) -> None:
    filled.put("training/day/S3A_0.hdf", scene(0, 100_000))
    done = subprocess.run(
        command(filled.endpoint, tmp_path, "--part", "training", "--limit", 2),
        check=False,
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000)),
    )
    assert done.returncode == 1
    assert "File too large. What has arrived is kept; free some space" in done.stderr
    assert "1 scenes downloaded; 0 were here; 1 failed." in done.stdout
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "training/day/S3A_0.hdf").exists()
    assert fetch(filled.endpoint, tmp_path, parts=("training",)) == DownloadOutcome(
        fetched=5, kept=1
    )


def test_places_that_cannot_be_written(filled: Store, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(InputError, match="found the file"):
        fetch(filled.endpoint, tmp_path / "file")
    with pytest.raises(WriteError, match="Could not make"):
        fetch(filled.endpoint, tmp_path / "file" / "data")
    # A folder where a scene belongs.
    (tmp_path / "data/training/day/S3A_0.hdf/x").mkdir(parents=True)
    outcome = fetch(filled.endpoint, tmp_path / "data")
    assert outcome.fetched == 9
    assert "Could not write" in outcome.failures["training/day/S3A_0.hdf"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_only_be_read(filled: Store, tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(WriteError, match="Could not make"):
            fetch(filled.endpoint, tmp_path / "data")
    finally:
        tmp_path.chmod(0o700)


def test_a_second_process_waits(filled: Store, tmp_path: Path) -> None:
    folder = os.open(tmp_path, os.O_RDONLY)
    claim(folder, "first")
    with pytest.raises(OutputExistsError, match="Another process is downloading into"):
        fetch(filled.endpoint, tmp_path)
    os.close(folder)
    assert fetch(filled.endpoint, tmp_path).fetched == 10


def test_a_record_that_cannot_be_read(filled: Store, tmp_path: Path) -> None:
    fetch(filled.endpoint, tmp_path)
    (tmp_path / RECORD_NAME).write_text(json.dumps({"files": {"a": 1}}))
    with pytest.raises(BrokenFileError, match="cannot be read as the record of a download"):
        fetch(filled.endpoint, tmp_path)


def test_where_there_is_nothing(filled: Store, tmp_path: Path) -> None:
    waits = {"reading_waits_s": (0.01,), "listing_waits_s": (0.01,)}
    store = ObjectStore(filled.endpoint, BUCKET, **waits)
    with pytest.raises(MissingFileError, match="training or one-day, found nothing"):
        plan_download(store, "es/elsewhere", PARTS, tmp_path)
    with pytest.raises(MissingFileError, match=r"There is no file .*nobucket"):
        plan_download(ObjectStore(filled.endpoint, "nobucket", **waits), PREFIX, PARTS, tmp_path)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(BrokenFileError, match="Could not connect"):
        plan_download(ObjectStore(nobody, BUCKET, **waits), PREFIX, PARTS, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_words_that_cannot_be(
    filled: Store,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    cli: Cli,  # noqa: F811
) -> None:
    with pytest.raises(InputError, match="Expected an end point"):
        ObjectStore("s3.echo.stfc.ac.uk", BUCKET)
    with pytest.raises(InputError, match="--limit"):
        plan_download(ObjectStore(filled.endpoint, BUCKET), PREFIX, PARTS, tmp_path, 0)
    code, _, err = cli("data", "download", tmp_path, "--set", "ds2")
    assert code == 2
    assert "Expected a set of ds1, found 'ds2'" in err
    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(MissingExtraError, match=r"slstr-cloudmask\[remote\]"):
        ObjectStore(filled.endpoint, BUCKET)


def test_a_plan_says_what_is_here(filled: Store, tmp_path: Path) -> None:
    fetch(filled.endpoint, tmp_path, limit=1, parts=("training",))
    plan = plan_download(ObjectStore(filled.endpoint, BUCKET), PREFIX, ("training",), tmp_path)
    assert [scene.here for scene in plan.scenes] == [Here.WHOLE, *[Here.ABSENT] * 5]
    assert plan.missing_bytes == 5 * 3000


def test_a_part_that_is_none() -> None:
    with pytest.raises(ConfigError, match="Expected one of training, inference, all"):
        parts_of("testing")
