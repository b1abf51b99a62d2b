"""The test scenes of a run: masked and scored by all processes together.

    outcome = mask_and_score(config, paths, detector, ranks, emit)
    accuracy = published_accuracy(outcome)

What came of a scene is kept in ``scores/`` of the run's folder, and found there by a later sitting.
"""

from pathlib import Path
from statistics import fmean

from slstr_cloudmask import __version__
from slstr_cloudmask.benchmark.config import BenchmarkConfig
from slstr_cloudmask.benchmark.inference import Outcome, infer_scenes, mask_path, mask_writer
from slstr_cloudmask.benchmark.scene_records import SceneRecords
from slstr_cloudmask.detectors import get_detector
from slstr_cloudmask.detectors.network import Network
from slstr_cloudmask.errors import InputError
from slstr_cloudmask.evaluation.scores import SceneScore
from slstr_cloudmask.events import Listener
from slstr_cloudmask.training.distribution import Ranks

RECORDS_NAME = "scores"


def mask_and_score(
    config: BenchmarkConfig,
    paths: list[Path],
    detector: Network,
    ranks: Ranks,
    emit: Listener,
) -> Outcome:
    """Mask the test scenes with the trained network, each process its share, and score the masks.

    Raises
    ------
    InputError
        Not one could be masked, or one could not and the run is to stop there.
    WriteError
        The operating system refused to write; what is finished is kept.
    """
    folder = config.masks_dir or config.output_dir / "masks"
    identity = {
        "version": __version__,
        "model": detector.model.checksum,
        "precision": detector.precision,
        "mode": detector.mode,
        "score_empty": config.score_empty,
    }
    outcome = infer_scenes(
        _share(paths, ranks),
        detector,
        write=mask_writer(folder, config.mask_format, overwrite=True),
        faithful=config.score_empty,
        records=SceneRecords(
            config.output_dir / RECORDS_NAME / detector.name,
            identity,
            lambda name: mask_path(folder, name, config.mask_format),
        ),
        stop_on_failure=config.on_failed_scene == "stop",
        listen=emit,
    )
    outcome = _gather(outcome, ranks)
    if not outcome.scores:
        reasons = next(iter(outcome.failed.items()))
        raise InputError(f"Not one test scene could be masked; {reasons[0]}: {reasons[1]}")
    return outcome


def baseline_scores(
    config: BenchmarkConfig, paths: list[Path], ranks: Ranks, emit: Listener
) -> list[SceneScore]:
    """Score the other detectors; their masks are not kept."""
    scores: list[SceneScore] = []
    for name in config.baselines:
        records = SceneRecords(config.output_dir / RECORDS_NAME / name, {"version": __version__})
        mine = infer_scenes(_share(paths, ranks), get_detector(name), records=records, listen=emit)
        scores += _gather(mine, ranks).scores
    return scores


def _share(paths: list[Path], ranks: Ranks) -> list[Path]:
    return paths[ranks.rank :: ranks.world_size]


def _gather(outcome: Outcome, ranks: Ranks) -> Outcome:
    """Bring together what came of the shares of all processes, in the order of the scenes."""
    parts = ranks.gather([outcome])
    return Outcome(
        scores=sorted((s for part in parts for s in part.scores), key=lambda s: s.scene),
        seconds=[scene for part in parts for scene in part.seconds],
        failed={name: why for part in parts for name, why in part.failed.items()},
        overlapped=outcome.overlapped,
        wall_seconds=sum(part.wall_seconds for part in parts),
    )


def published_accuracy(outcome: Outcome) -> float | None:
    """Return the benchmark's metric over the test scenes."""
    every = [score.every.accuracy for score in outcome.scores if score.label == "bayes"]
    return fmean(every) if every else None
