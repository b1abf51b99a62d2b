"""A data set looked at as a whole: how many scenes, of what values and labels, what is wrong.

    check = check_set(Path("data"), jobs=4)
    check.bands["training", "day"]["S8"].counts

Works for the published set and simulated ones. Scenes are read in processes of their own, one that
cannot be read is named, and the others go on; only sums are kept.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from slstr_cloudmask.benchmark.download_record import RECORD_NAME, DownloadRecord, read_record
from slstr_cloudmask.benchmark.published_set import PART_OF, PARTS
from slstr_cloudmask.benchmark.scene_facts import BandFacts, SceneFacts, read_facts
from slstr_cloudmask.errors import InputError
from slstr_cloudmask.io.etag import Checked, check_etag
from slstr_cloudmask.io.find_scenes import find_scenes
from slstr_cloudmask.pipeline import run_pipeline
from slstr_cloudmask.progress import track

OTHER_PART = "scenes"  # of folders with other names than the published set's
ALL_PARTS = (*PARTS, OTHER_PART)
Group = tuple[str, str]  # part, and day or night


@dataclass(slots=True)
class SetCheck:
    """What a data set holds.

    Attributes
    ----------
    root
        Its folder.
    scenes
        What was found, by path below it; histograms are in ``bands`` alone.
    bands
        Sums by part and folder, and by band.
    broken
        Why, by path, for scenes that cannot be read.
    faults
        Why, by path, for files that are not what was downloaded, and scenes that are there twice.
    """

    root: Path
    scenes: dict[str, SceneFacts] = field(default_factory=dict)
    bands: dict[Group, dict[str, BandFacts]] = field(default_factory=dict)
    broken: dict[str, str] = field(default_factory=dict)
    faults: dict[str, str] = field(default_factory=dict)

    def add(self, name: str, facts: SceneFacts) -> None:
        """Add a scene, and let its histograms go."""
        sums = self.bands.setdefault((part_of(self.root, name), facts.folder), {})
        for band, found in facts.bands.items():
            if band in sums:
                sums[band].add(found)
            else:
                sums[band] = found
        facts.bands = {}
        self.scenes[name] = facts

    @property
    def groups(self) -> dict[Group, list[SceneFacts]]:
        """The scenes of each part by day and by night, training first."""
        groups: dict[Group, list[SceneFacts]] = {
            (part, folder): [] for part in ALL_PARTS for folder in ("day", "night")
        }
        for name, facts in self.scenes.items():
            groups[part_of(self.root, name), facts.folder].append(facts)
        return {group: scenes for group, scenes in groups.items() if scenes}


def check_set(root: Path, *, jobs: int = 1, checksums: bool = False) -> SetCheck:
    """Read every scene below a folder once.

    Parameters
    ----------
    root
        The data set's folder, or any that holds scenes.
    jobs
        Processes that read at the same time.
    checksums
        Read every downloaded file whole as well, and compare it with its recorded checksum.

    Returns
    -------
    SetCheck

    Raises
    ------
    InputError
        No job.
    MissingFileError
        There is no such folder, or no scene in it.
    BrokenFileError
        ``download.json`` is there and cannot be read.
    """
    if jobs < 1:
        raise InputError(f"Expected at least one job, found {jobs} (--jobs).")
    record = read_record(root)
    paths = find_scenes(root)
    check = SetCheck(root)
    results = run_pipeline(
        paths, read_facts, _unchanged, _unchanged, depth=2 * jobs, readers=jobs, processes=True
    )
    for result in track(results, "Reading scenes", total=len(paths)):
        name = result.item.relative_to(root).as_posix()
        if result.value is None:
            check.broken[name] = " ".join(str(result.error).split())
        else:
            check.add(name, result.value)
    check.faults = _twice(paths, root) | _unlike_record(root, record)
    if checksums:
        check.faults |= _wrong_checksums(root, record)
    return check


def _unchanged(_: Path, facts: SceneFacts) -> SceneFacts:
    return facts


def part_of(root: Path, name: str) -> str:
    """Part of a scene: ``training``, ``inference``, or `OTHER_PART`, by the folders around it."""
    folders = (root.absolute().name, *Path(name).parts[:-1])
    return next((PART_OF[folder] for folder in folders if folder in PART_OF), OTHER_PART)


def _twice(paths: list[Path], root: Path) -> dict[str, str]:
    """Name scenes of which there are two: what is trained on must not be tested on."""
    counts = Counter(path.stem for path in paths)
    return {
        path.relative_to(root).as_posix(): f"there are {counts[path.stem]} scenes of this name"
        for path in paths
        if counts[path.stem] > 1
    }


def _unlike_record(root: Path, record: DownloadRecord) -> dict[str, str]:
    """Name downloaded files that are gone, or have another size."""

    def fault(name: str) -> str | None:
        path, expected = root / name, record.files[name].size
        if not path.is_file():
            return f"{RECORD_NAME} names it, and it is not here"
        size = path.stat().st_size
        return None if size == expected else f"expected {expected} bytes, found {size}"

    return _faults(record, fault)


def _wrong_checksums(root: Path, record: DownloadRecord) -> dict[str, str]:
    """Name files of the right size that are not what was downloaded."""

    def fault(name: str) -> str | None:
        path, known = root / name, record.files[name]
        if not path.is_file() or path.stat().st_size != known.size:
            return None
        checked, _ = check_etag(path, known.etag, lambda: known.part_bytes)
        return "its checksum is not the recorded one" if checked == Checked.WRONG else None

    return _faults(record, fault)


def _faults(record: DownloadRecord, fault: Callable[[str], str | None]) -> dict[str, str]:
    found = ((name, fault(name)) for name in track(record.files, "Comparing with the record"))
    return {name: why for name, why in found if why is not None}
