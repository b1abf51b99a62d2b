"""The folder command held against its slowest stage alone.

    found = measure_stages(detector, paths, scratch, repeats=3)

What ``cloudmask predict FOLDER`` does with every scene: read it, mask it, write the mask. Once one
stage after the other, each timed with nothing beside it; once as the command does it, the next
scene being read and the last one written meanwhile. The command cannot be quicker than its slowest
stage alone, and is as quick where the other two cost nothing: where they run on cores that the
slowest leaves idle. Starting Python is in neither.
"""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.timing import Sample
from slstr_cloudmask.cli.predict_job import Job, plan_jobs, run_jobs
from slstr_cloudmask.cli.predict_options import Reading, Writing
from slstr_cloudmask.detectors import Detector

STAGES = ("read", "work", "write")
ROUNDS = 3  # so often the files are gone through, that the first and the last scene weigh little


def measure_stages(
    detector: Detector, paths: Sequence[Path], scratch: Path, *, repeats: int
) -> dict[str, Any]:
    """Time the stages alone and together, in turn; seconds a scene.

    Returns
    -------
    dict
        ``read``, ``work``, ``write`` and ``together``, each as `Sample.describe`.
    """
    jobs = [
        job
        for turn in range(ROUNDS)
        for job in plan_jobs(
            list(paths),
            scratch / f"masks-{turn}",
            None,
            detector.name,
            Reading(),
            Writing(overwrite=True),
        )
    ]
    samples = {name: Sample() for name in (*STAGES, "together")}
    for turn in range(1 + repeats):
        alone = [_alone(job, detector) for job in jobs[: len(paths)]]
        seconds = {name: sum(one[name] for one in alone) / len(alone) for name in STAGES}
        started = time.perf_counter()
        for result in run_jobs(jobs, detector, say_absent=lambda *_: None):
            if result.error is not None:
                raise result.error
        seconds["together"] = (time.perf_counter() - started) / len(jobs)
        for name, sample in samples.items():
            (sample.seconds if turn else sample.warm_up_seconds).append(seconds[name])
    return {name: sample.describe() for name, sample in samples.items()}


def _alone(job: Job, detector: Detector) -> dict[str, float]:
    started = time.perf_counter()
    opened = job.read()
    read = time.perf_counter()
    masked = job.mask(detector, opened.scenes)
    worked = time.perf_counter()
    job.write(masked)
    written = time.perf_counter()
    return dict(zip(STAGES, (read - started, worked - read, written - worked), strict=True))


def share(found: dict[str, Any]) -> tuple[str, float]:
    """Return the slowest stage, and the command's rate as a share of that stage's alone."""
    slowest = max(STAGES, key=lambda name: float(found[name]["median_s"]))
    return slowest, found[slowest]["median_s"] / found["together"]["median_s"]
