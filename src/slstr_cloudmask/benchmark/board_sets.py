"""Sets of runs as a leaderboard takes them: published ones and one's own, each with its measures.

for runs in published_sets() + own_sets([Path("runs/open")]):
    runs.values[MEASURES[0], PUBLISHED_TEST_SCENES]    # of each run
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path
from typing import Any

from slstr_cloudmask.benchmark.published_runs import (
    ALL_CLOUD,
    PublishedRun,
    published_all_cloud,
    published_runs,
)
from slstr_cloudmask.benchmark.run_sets import Run, find_runs
from slstr_cloudmask.benchmark.scene_sets import (
    LABEL,
    MASK,
    PUBLISHED_TEST_SCENES,
    PUBLISHED_TRAINING_SCENES,
    SceneSet,
    scored_scenes,
    training_scenes,
    with_scored,
)
from slstr_cloudmask.errors import BrokenFileError, CloudMaskError


@dataclass(frozen=True)
class Measure:
    """What is measured: numbers of two measures are never compared.

    Attributes
    ----------
    key, words, unit
        Its name, in one word and in several.
    by
        ``accuracy`` or ``time``.
    higher_is_better
        Which way the order goes.
    digits
        To be shown after the point.
    ranked
        Whether the order says who does better.
    """

    key: str
    by: str
    words: str
    unit: str
    higher_is_better: bool = False
    digits: int = 4
    ranked: bool = True


PUBLISHED = Measure(
    "published_accuracy",
    "accuracy",
    "Published metric: mean over scenes of the share of right pixels among all, empty ones "
    "included, against the provider's mask",
    "1",
    higher_is_better=True,
)
VALID = Measure(
    "valid_agreement",
    "accuracy",
    "Agreement with the provider's mask, of the pixels that were seen, all scenes together",
    "1",
    higher_is_better=True,
)
TRUE = Measure(
    "valid_accuracy",
    "accuracy",
    "Accuracy against the simulated truth, of the pixels that were seen, all scenes together",
    "1",
    higher_is_better=True,
)
EPOCH = Measure(
    "seconds_per_epoch",
    "time",
    "Time per epoch, training and validation, through the epochs that were run",
    "s",
    digits=1,
)
WHOLE = Measure(
    "seconds",
    "time",
    "Time of training and inference, of as many epochs as were run",
    "s",
    digits=1,
    ranked=False,
)
IN_TURN = Measure(
    "seconds_per_scene",
    "time",
    "Time per test scene, one after the other: read, mask, write",
    "s",
    digits=2,
)
OVERLAPPED = Measure(
    "seconds_per_scene_overlapped",
    "time",
    "Time per test scene, read and written beside others: all of it through their number",
    "s",
    digits=2,
)
MEASURES = (PUBLISHED, VALID, TRUE, EPOCH, WHOLE, IN_TURN, OVERLAPPED)
# Of a result's scores: (label, field) by measure.
_SCORES = {
    PUBLISHED: (LABEL, "published_accuracy"),
    VALID: (LABEL, "accuracy"),
    TRUE: ("truth", "accuracy"),
}

Values = dict[tuple[Measure, SceneSet], tuple[float | None, ...]]


@dataclass(frozen=True, eq=False)
class RunSet:
    """Runs of one configuration.

    Attributes
    ----------
    name, series, machine
        What to call it, and the series that it is of, if any; and where it ran.
    epochs
        Of each run.
    values
        Of each run, by measure and by the scenes that it is of.
    source, note
        Where the numbers stand, and what is to be known of them.
    published
        Whether others published it.
    competes
        Whether it is ranked: trivial masks and detectors beside the network are not.
    """

    name: str
    series: str = ""
    machine: str = ""
    epochs: tuple[int, ...] = ()
    values: Values = field(default_factory=dict)
    source: str = ""
    note: str = ""
    published: bool = False
    competes: bool = True


def published_sets() -> list[RunSet]:
    """Return the published runs, set by set, and the trivial mask."""
    sets = [
        _published_set(f"{series}, {epochs} epochs", list(runs))
        for (series, epochs), runs in groupby(
            published_runs(), key=lambda run: (run.series, run.epochs_configured)
        )
    ]
    score, source = published_all_cloud()
    values: Values = {(PUBLISHED, PUBLISHED_TEST_SCENES): (score,)}
    return [*sets, RunSet(ALL_CLOUD, values=values, source=source, published=True, competes=False)]


def _published_set(name: str, runs: Sequence[PublishedRun]) -> RunSet:
    test, training = PUBLISHED_TEST_SCENES, PUBLISHED_TRAINING_SCENES
    values: Values = {
        (PUBLISHED, test): tuple(run.test_accuracy for run in runs),
        (EPOCH, training): tuple(run.seconds_per_epoch for run in runs),
        (WHOLE, with_scored(training, test)): tuple(run.seconds for run in runs),
        (IN_TURN, test): tuple(run.seconds_per_scene for run in runs),
    }
    return RunSet(
        name,
        series=runs[0].series,
        machine=runs[0].machine,
        epochs=tuple(run.epochs for run in runs),
        values={key: found for key, found in values.items() if any(x is not None for x in found)},
        source=runs[0].source,
        note=runs[0].note,
        published=True,
    )


def own_sets(folders: Iterable[Path]) -> list[RunSet]:
    """Read finished runs, a set of each folder, with the other masks that they scored.

    Raises
    ------
    MissingFileError
        A folder holds no finished run.
    BrokenFileError
        A result cannot be read.
    InputError
        The runs in one folder masked different scenes.
    """
    sets: list[RunSet] = []
    for folder in folders:
        with whole_results([folder]):
            runs = find_runs([folder])
            sets += [run_set(folder.resolve().name, runs), *beside(runs)]
    return sets


@contextmanager
def whole_results(folders: Sequence[Path]) -> Iterator[None]:
    """Name the folders whose results turn out not to be whole within the block.

    Raises
    ------
    BrokenFileError
        A result lacks something, or holds something else than it should.
    """
    try:
        yield
    except CloudMaskError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, ZeroDivisionError) as error:
        raise BrokenFileError(
            f"A result in {', '.join(map(str, folders))} is not whole ({type(error).__name__}: "
            f"{error}): run the benchmark again with --overwrite."
        ) from error


def run_set(name: str, runs: Sequence[Run]) -> RunSet:
    """Gather runs of one configuration."""
    return RunSet(
        name,
        machine=_machine(runs[0].document["hardware"]),
        epochs=tuple(int(run.document["training"]["epochs"]) for run in runs),
        values=_gathered([_score_values(run, MASK) | _time_values(run) for run in runs]),
        source=", ".join(dict.fromkeys(str(run.folder) for run in runs)),
    )


def published_reference() -> RunSet:
    """Return the 35 runs of the reference on Greene, of which five tell times, as one set."""
    greene = [run for run in published_runs() if run.series.startswith("Greene")]
    whole, timed = (
        _published_set("the reference, 35 published runs", greene),
        [run for run in greene if run.printed_seconds_per_epoch is not None],
    )
    times = _published_set("", timed).values
    values = {key: found for key, found in whole.values.items() if key[0] == PUBLISHED}
    values |= {key: found for key, found in times.items() if key[0] != PUBLISHED}
    return replace(
        whole, values=values, machine="V100", source=f"{timed[0].source}; {greene[-1].source}"
    )


def _machine(hardware: dict[str, Any]) -> str:
    name = str(hardware["accelerator"] or hardware["processor"])
    return name if hardware["ranks"] == 1 else f"{name}, {hardware['ranks']} processes"


def beside(runs: Sequence[Run]) -> list[RunSet]:
    """Return the other masks of the first run's scenes; they are the same for every seed."""
    masks = dict.fromkeys(row["mask"] for row in runs[0].document["scores"])
    return [
        RunSet(
            mask,
            values=_gathered([_score_values(runs[0], mask)]),
            source=str(runs[0].folder),
            competes=False,
        )
        for mask in masks
        if mask != MASK
    ]


def _gathered(runs: Sequence[dict[tuple[Measure, SceneSet], float | None]]) -> Values:
    return {key: tuple(run.get(key) for run in runs) for key in runs[0]}


def _score_values(run: Run, mask: str) -> dict[tuple[Measure, SceneSet], float | None]:
    data = scored_scenes(run.document)
    values: dict[tuple[Measure, SceneSet], float | None] = {}
    for row in run.document["scores"]:
        if (row["mask"], row["part"]) == (mask, "all"):
            for measure, (label, name) in _SCORES.items():
                if row["label"] == label:
                    values[measure, data] = row[name]
    return values


def _time_values(run: Run) -> dict[tuple[Measure, SceneSet], float | None]:
    document: dict[str, Any] = run.document
    training, test = training_scenes(document), scored_scenes(document)
    seconds, epochs = document["seconds"], len(document["training"]["history"])
    per_scene = OVERLAPPED if document["scenes_overlapped"] else IN_TURN
    return {
        (EPOCH, training): seconds["training"] / epochs,
        (WHOLE, with_scored(training, test)): seconds["training"] + seconds["inference"],
        (per_scene, test): document["seconds_per_scene"],
    }
