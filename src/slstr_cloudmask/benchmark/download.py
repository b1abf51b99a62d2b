"""Download the published data set: several files at a time, what is here already left alone.

    plan = plan_download(store, "es/cloud_slstr_ds1", ("training", "inference"), Path("data"))
    outcome = run_download(store, plan, jobs=4)

A file is compared with the size and the checksum that the store lists, and written down in
``download.json`` when it is right. A run that was stopped, by whatever, is taken up by the same
call, in the middle of a file.
"""

import logging
import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from slstr_cloudmask.atomic import claim
from slstr_cloudmask.benchmark.download_plan import DownloadPlan, Here, PlannedScene, check_space
from slstr_cloudmask.benchmark.download_record import FileRecord, read_record, write_record
from slstr_cloudmask.errors import BrokenFileError, InputError, WriteError
from slstr_cloudmask.io.etag import Checked, check_etag
from slstr_cloudmask.io.object_download import Advance, download_object
from slstr_cloudmask.io.object_store import ObjectStore
from slstr_cloudmask.pipeline import Result, run_pipeline
from slstr_cloudmask.progress import track_bytes

logger = logging.getLogger(__name__)

MOST_FAILURES = 10  # one after the other: then it is not for the files
_AHEAD = 4  # files waited for at a time, for each job: a slow one does not hold up the others


@dataclass(slots=True)
class DownloadOutcome:
    """How it went.

    Attributes
    ----------
    fetched
        Scenes that came.
    kept
        Scenes that were here, by the record.
    found
        Scenes that were here without a record of this version, and are right.
    by_size_alone
        How many of those fetched and found have a checksum that cannot be computed.
    failures
        Why, by path or key, for each that failed.
    """

    fetched: int = 0
    kept: int = 0
    found: int = 0
    by_size_alone: int = 0
    failures: dict[str, str] = field(default_factory=dict)

    def fail(self, name: str, why: str) -> None:
        """Note a failure, and say it at once: a download may go on for hours."""
        self.failures[name] = " ".join(why.split())
        logger.warning("failed: %s: %s", name, self.failures[name])


@dataclass(frozen=True, slots=True)
class _Fetched:
    record: FileRecord
    was_here: bool


def run_download(store: ObjectStore, plan: DownloadPlan, *, jobs: int = 4) -> DownloadOutcome:
    """Fetch what is not here.

    Parameters
    ----------
    store
        Where the set is kept.
    plan
        Of `plan_download`.
    jobs
        Files fetched at the same time.

    Returns
    -------
    DownloadOutcome
        One file that fails does not keep the others from coming.

    Raises
    ------
    InputError
        No job.
    OutputExistsError
        Another process downloads into the same folder.
    WriteError
        There is no room for it, or the folder cannot be made.
    BrokenFileError
        Ten files failed one after the other.
    """
    if jobs < 1:
        raise InputError(f"Expected at least one job, found {jobs} (--jobs).")
    outcome = DownloadOutcome()
    for key in plan.refused:
        outcome.fail(key, "its name leads out of the data set's folder, and it is not fetched.")
    todo = [scene for scene in plan.scenes if scene.here != Here.WHOLE]
    outcome.kept = len(plan.scenes) - len(todo)
    if not todo:
        return outcome
    check_space(plan.root, plan.missing_bytes)
    with _claimed(plan.root), track_bytes("Downloading", plan.missing_bytes) as advance:
        record = read_record(plan.root)

        def fetch(scene: PlannedScene) -> _Fetched:
            return _fetch(store, scene, plan.root, advance)

        def note(scene: PlannedScene, fetched: _Fetched) -> _Fetched:
            record.files[scene.wanted.path] = fetched.record
            write_record(plan.root, record)
            return fetched

        ahead = _AHEAD * jobs
        results = run_pipeline(todo, fetch, lambda _, it: it, note, depth=ahead, readers=jobs)
        try:
            with closing(results):
                _count(results, outcome)
        except BaseException:
            store.stop()
            raise
    return outcome


def _count(results: Iterator[Result[PlannedScene, _Fetched]], outcome: DownloadOutcome) -> None:
    failures_in_a_row = 0
    for result in results:
        if result.value is None:
            outcome.fail(result.item.wanted.path, str(result.error))
            failures_in_a_row += 1
            if failures_in_a_row == MOST_FAILURES:
                raise BrokenFileError(
                    f"{MOST_FAILURES} scenes failed one after the other, at last "
                    f"{result.item.wanted.path}: {result.error} What has arrived is kept; run the "
                    "command again when that is mended."
                )
            continue
        failures_in_a_row = 0
        outcome.found += result.value.was_here
        outcome.fetched += not result.value.was_here
        outcome.by_size_alone += result.value.record.checked == Checked.SIZE


def _fetch(store: ObjectStore, scene: PlannedScene, root: Path, advance: Advance) -> _Fetched:
    """Fetch a scene, or find that the file that is here is right."""
    item, path = scene.wanted.item, root / scene.wanted.path
    checked, part_bytes, was_here = Checked.WRONG, None, False
    if scene.here == Here.UNPROVEN:
        checked, part_bytes = check_etag(path, item.etag, lambda: store.part_bytes(item.key))
        was_here = checked != Checked.WRONG
    elif scene.here == Here.CHANGED:
        logger.warning("%s has changed in the store, and is fetched again", scene.wanted.path)
    if not was_here:
        checked, part_bytes = download_object(store, item, path, advance=advance)
    record = FileRecord(
        url=store.address(item.key),
        size=item.size,
        etag=item.etag,
        checked=checked,
        part_bytes=part_bytes,
    )
    return _Fetched(record, was_here)


@contextmanager
def _claimed(root: Path) -> Iterator[None]:
    """Make the folder, and let one process at a time work in it."""
    try:
        root.mkdir(parents=True, exist_ok=True)
        folder = os.open(root, os.O_RDONLY)
    except OSError as error:
        raise WriteError(
            f"Could not make {root}: {error.strerror}. Choose another folder."
        ) from error
    try:
        claim(folder, f"Another process is downloading into {root}: wait for it.")
        yield
    finally:
        os.close(folder)
