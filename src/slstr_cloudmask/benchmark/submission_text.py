"""What a submission says in words: its README, and the script that runs it again."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from slstr_cloudmask.benchmark.board_sets import (
    PUBLISHED,
    RunSet,
    beside,
    published_reference,
    run_set,
    whole_results,
)
from slstr_cloudmask.benchmark.run_sets import Run, find_runs
from slstr_cloudmask.benchmark.scene_sets import is_simulated, scored_scenes
from slstr_cloudmask.benchmark.statistics import describe
from slstr_cloudmask.benchmark.submission_folder import TABLE_HEAD, log_name
from slstr_cloudmask.network.unet import UNet

if TYPE_CHECKING:
    from slstr_cloudmask.benchmark.submission import Claim

_AUGMENTATION = {
    "none": "None.",
    "flips": "Each patch is mirrored or not along both axes, anew in every epoch.",
    "d4": "Each patch is turned and mirrored in one of the eight ways of a square, anew in every "
    "epoch.",
}


def readme(
    runs: Sequence[Run],
    claim: "Claim",
    config: dict[str, Any],
    *,
    reference: Path | None,
    filled: Sequence[str],
) -> str:
    """Return the README.

    Parameters
    ----------
    runs, claim, config
        What is submitted, by whom, and ``config.yaml``.
    reference
        Runs of the reference, if there are any.
    filled
        Keys of the logs that were filled in.
    """
    own = run_set("submitted", runs)
    other = _reference(reference)
    chosen = _best(own) if claim.best else None
    document = runs[0].document
    rows = _measurements(own, other, chosen)
    differences = [row["difference"] for row in rows if row["difference"] is not None]
    return (
        _environment()
        .get_template("submission.md.j2")
        .render(
            claim=claim,
            config=config,
            document=document,
            filled=filled,
            table_head=TABLE_HEAD,
            rows=rows,
            average=sum(differences) / len(differences) if differences else None,
            chosen=f"best of {len(runs)}" if claim.best else f"mean of {len(runs)}",
            reference=other,
            compared=any(row["reference"] != "–" for row in rows),
            runs=[_run_row(number, run, own) for number, run in enumerate(runs, 1)],
            all_cloud=_all_cloud(runs),
            simulated=is_simulated(document),
            scenes=scored_scenes(document),
            parameters=parameters(document["config"]["train"]["widths"]),
            augmentation=_AUGMENTATION.get(document["config"]["train"]["augment"], ""),
        )
    )


def run_script(runs: Sequence[Run], config: dict[str, Any]) -> str:
    """Return the shell script that runs it again."""
    hardware = runs[0].document["hardware"]
    command = "cloudmask"
    if hardware["ranks"] > 1:
        per_node = hardware["ranks"] // hardware["nodes"]
        where = "--standalone" if hardware["nodes"] == 1 else f"--nnodes {hardware['nodes']}"
        command = f"torchrun {where} --nproc-per-node {per_node} -m slstr_cloudmask"
    github = {key: shlex.quote(str(value)) for key, value in config["github"].items()}
    return (
        _environment()
        .get_template("submission.sh.j2")
        .render(command=command, github=github, seeds=config["seeds"])
    )


def parameters(widths: Sequence[int]) -> int:
    """Return the number of parameters of the network."""
    return sum(weights.numel() for weights in UNet(widths=tuple(widths)).parameters())


def _reference(folder: Path | None) -> RunSet:
    if folder is None:
        return published_reference()
    with whole_results([folder]):
        return run_set(folder.resolve().name, find_runs([folder]))


def _best(own: RunSet) -> int:
    """Return which run scores best in the published metric."""
    (scores,) = (found for (measure, _), found in own.values.items() if measure == PUBLISHED)
    known = [(score, -place) for place, score in enumerate(scores) if score is not None]
    return -max(known)[1] if known else 0


def _measurements(own: RunSet, other: RunSet, chosen: int | None) -> list[dict[str, Any]]:
    """Return a row for each measurement: the reference's where it is on the same data."""
    rows = []
    for key, values in own.values.items():
        measure, data = key
        spread, theirs = describe(values), describe(other.values.get(key, ()))
        value = spread.mean if chosen is None else values[chosen]
        known = value is not None and theirs.mean is not None and measure.by == "accuracy"
        rows.append(
            {
                "name": f"{measure.words}{'' if measure.unit == '1' else f' ({measure.unit})'}",
                "data": data.words,
                "reference": _number(theirs.mean, theirs.sd, measure.digits),
                "value": _number(value, None if chosen is not None else spread.sd, measure.digits),
                "difference": value - theirs.mean if known else None,  # type: ignore[operator]
            }
        )
    return rows


def _number(value: float | None, sd: float | None, digits: int) -> str:
    if value is None:
        return "–"
    return f"{value:.{digits}f}" + ("" if sd is None else f" ± {sd:.{digits}f}")


def _run_row(number: int, run: Run, own: RunSet) -> dict[str, Any]:
    scores = [found for (measure, _), found in own.values.items() if measure == PUBLISHED]
    score = scores[0][number - 1] if scores else None
    return {
        "file": log_name(number),
        "seed": run.seed,
        "epochs": own.epochs[number - 1],
        "accuracy": _number(score, None, 6),
    }


def _all_cloud(runs: Sequence[Run]) -> str:
    for runset in beside(runs):
        for (measure, _), found in runset.values.items():
            if runset.name == "all cloud" and measure == PUBLISHED:
                return _number(found[0], None, 6)
    return "–"


def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("slstr_cloudmask.benchmark", "."),
        autoescape=False,  # Markdown and shell: what users say is checked or quoted
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
