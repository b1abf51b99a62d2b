"""Packing timed against plainly reading the same files, from the page cache and with it dropped.

    samples = time_packing(files, scratch, repeats=3)
    print(describe_packing(files, samples))

Subjects run in turn, seconds a scene. ``read`` reads whole files in blocks, as fast as one thread
can; ``pack 2`` is the package's own `pack_scenes` with so many jobs, from the files to a whole
store, starting its processes included. Few files are packed under several names each, so that the
start does not count for more than it does in a set of hundreds; where their pages are dropped,
every file is read from the disk once, by its first name.

What others do on the machine falls on reading and packing alike, but not equally: packing works on
all cores, reading waits for the disk. ``processor`` is therefore beside it: seconds of processor
time a scene, whoever else was at work.
"""

import os
import resource
import shutil
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import h5py

from benchmarks.timing import Sample, Subject, take_turns
from slstr_cloudmask.io import open_scene
from slstr_cloudmask.training.pack import pack_scenes
from slstr_cloudmask.training.store import PackedScene, Store

BLOCK_BYTES = 1 << 23
NEEDED = ("refs", "bts", "bayes")  # data sets that inputs and labels are made of
FULL_SET_SCENES = 970  # of the benchmark's training part
CACHES = {"page cache": False, "pages dropped": True}


def time_packing(
    files: Sequence[Path],
    scratch: Path,
    *,
    repeats: int,
    jobs: Sequence[int] = (1, 2),
    names: int = 4,
) -> dict[str, Sample]:
    """Time reading and packing; seconds a scene by subject, after a first turn that counts not.

    Subjects are ``read, CACHE``, ``pack JOBS, CACHE`` and ``processor, pack JOBS, CACHE``, where
    CACHE is ``page cache`` or, where the system can do it, ``pages dropped``.

    Parameters
    ----------
    files
        Scenes of full size, each of another name.
    scratch
        A folder on the disk in question; what is made there is removed.
    repeats
        Turns that count.
    jobs
        Processes of packing.
    names
        Under how many names each file is packed.
    """
    scenes = _linked(files, scratch / "packing-scenes", names)
    caches = {n: d for n, d in CACHES.items() if not d or hasattr(os, "posix_fadvise")}
    processor = {f"processor, pack {n}, {c}": Sample() for n in jobs for c in caches}
    subjects: dict[str, Subject] = {}
    for cache, drop in caches.items():
        subjects[f"read, {cache}"] = _timed(partial(_read, files), files, len(files), drop)
        for count in jobs:
            pack = partial(_pack, scenes, scratch / "packing-store", count)
            note = processor[f"processor, pack {count}, {cache}"]
            subjects[f"pack {count}, {cache}"] = _timed(pack, files, len(scenes), drop, note)
    try:
        samples = take_turns(subjects, repeats=repeats, warm_up=1)
    finally:
        for made in ("packing-scenes", "packing-store"):
            shutil.rmtree(scratch / made, ignore_errors=True)
    for sample in processor.values():
        sample.warm_up_seconds.append(sample.seconds.pop(0))
    return samples | processor


def describe_packing(files: Sequence[Path], samples: dict[str, Sample]) -> dict[str, Any]:
    """Return what goes into the record: bytes of a scene, shares of the rates of reading."""
    with h5py.File(files[0]) as scene:
        needed = sum(scene[name].nbytes for name in NEEDED)
    shares = {}
    for subject, sample in samples.items():
        kind, cache = subject.rsplit(", ", 1)
        if kind.startswith("pack"):
            shares[subject] = samples[f"read, {cache}"].median / sample.median
    return {
        "file_bytes": files[0].stat().st_size,
        "needed_bytes": needed,
        "share_of_reading_whole_files": shares,
        "seconds_a_scene": {name: sample.describe() for name, sample in samples.items()},
    }


def full_store_bytes(store: Store, scenes: int = FULL_SET_SCENES) -> int:
    """Return how large a store of so many scenes like those of this one is."""
    first: PackedScene = store.manifest.scenes[0]
    a_patch = (store.inputs_NHWC.nbytes + store.labels_NHW.nbytes) // store.manifest.patches
    return a_patch * first.count * scenes


def _timed(
    run: Callable[[], object],
    files: Sequence[Path],
    scenes: int,
    drop: bool,
    processor: Sample | None = None,
) -> Subject:
    """Return a subject that gives the seconds a scene of ``run``."""

    def timed() -> float:
        if drop:
            _drop_pages(files)
        used, started = _processor_seconds(), time.perf_counter()
        run()
        elapsed = time.perf_counter() - started
        if processor is not None:
            processor.seconds.append((_processor_seconds() - used) / scenes)
        return elapsed / scenes

    return timed


def _read(files: Sequence[Path]) -> None:
    buffer = memoryview(bytearray(BLOCK_BYTES))
    for path in files:
        with path.open("rb", buffering=0) as file:
            while file.readinto(buffer):
                pass


def _pack(scenes: Sequence[Path], folder: Path, jobs: int) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    pack_scenes(scenes, folder, read=open_scene, jobs=jobs)


def _drop_pages(files: Sequence[Path]) -> None:
    for path in files:
        with path.open("rb") as file:
            os.fsync(file.fileno())  # only clean pages can be dropped
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _processor_seconds() -> float:
    """Return the processor time of this process and of its children that have ended."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def _linked(files: Sequence[Path], folder: Path, names: int) -> list[Path]:
    """Link to files under several names each, in a folder of their own."""
    shutil.rmtree(folder, ignore_errors=True)
    links = []
    for number in range(names):
        for path in files:
            links.append(folder / str(number) / f"{path.stem}-{number}{path.suffix}")
            links[-1].parent.mkdir(parents=True, exist_ok=True)
            links[-1].symlink_to(path.resolve())
    return links
