"""A submission to the MLCommons Science working group, made from finished runs.

    claim = Claim(organisation="ACME", system="laptop", platform="8 cores")
    place, verdict = write_submission([Path("runs/open")], claim, Path("results"))

The folder gets its name only if `submission_check` finds no fault in it; else nothing is written,
and the verdict says everything that is wrong. Runs are never changed; the lines of a log that say
who submits, where the run did not know, are filled in and named in the README.
"""

import re
import shutil
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from slstr_cloudmask.atomic import check_output, replacing
from slstr_cloudmask.benchmark.board_sets import whole_results
from slstr_cloudmask.benchmark.differences import PLACES
from slstr_cloudmask.benchmark.environment import repository
from slstr_cloudmask.benchmark.run_folder import RECORD_NAME, read_record
from slstr_cloudmask.benchmark.run_log import MLPERF_NAME
from slstr_cloudmask.benchmark.run_sets import Run, find_runs
from slstr_cloudmask.benchmark.scene_sets import PUBLISHED_TEST_SCENES, scored_scenes
from slstr_cloudmask.benchmark.submission_check import UNKNOWN, Verdict, check_submission
from slstr_cloudmask.benchmark.submission_folder import (
    APPLICATION,
    CONFIG_NAME,
    CONTRIBUTION_NAME,
    README_NAME,
    RESULT_FILE,
    SCRIPT_NAME,
    log_name,
    read_log,
    result_name,
    values_of,
    with_value,
)
from slstr_cloudmask.benchmark.submission_text import readme, run_script
from slstr_cloudmask.errors import BrokenFileError, InputError, MissingFileError

# The commands of docs/data.md, and of the reference's README.
RETRIEVAL = (
    "cloudmask data download data",
    "aws s3 --no-sign-request --endpoint-url https://s3.echo.stfc.ac.uk sync "
    "s3://sciml-datasets/es/cloud_slstr_ds1 data",
)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,99}")
_NO_TEXT = re.compile(r"[\x00-\x1f\x7f|`]")


@dataclass(frozen=True)
class Claim:
    """Who submits what.

    Attributes
    ----------
    organisation, system, descriptor
        The folders' names; the descriptor is the recipe's name where it is empty.
    platform
        What it ran on, in words; the logs' own where it is empty.
    user, email
        Who is to be asked.
    repo, branch, tag
        Where the code is; as git tells where they are empty.
    data
        Commands that retrieve the data; known of the published set.
    best
        Claim the best of the runs; else their mean.
    """

    organisation: str
    system: str
    descriptor: str = ""
    platform: str = ""
    user: str = ""
    email: str = ""
    repo: str = ""
    branch: str = ""
    tag: str = ""
    data: tuple[str, ...] = ()
    best: bool = False

    def check(self) -> None:
        """Refuse names that make no folder, and words that would break a table.

        Raises
        ------
        InputError
            One is such.
        """
        for name in ("organisation", "system", "descriptor"):
            if not _NAME.fullmatch(value := getattr(self, name)):
                raise InputError(
                    f"The {name} names a folder: expected letters, digits, dots, dashes and "
                    f"underscores, found {value!r}."
                )
        for value in (*vars(self).values(), *self.data):
            if isinstance(value, str) and _NO_TEXT.search(value):
                raise InputError(f"Expected one line without | or `, found {value!r}.")


class _Refused(Exception):
    """The folder is not to get its name."""


def write_submission(
    folders: Sequence[Path],
    claim: Claim,
    out: Path,
    *,
    reference: Path | None = None,
    contribution: Path | None = None,
    simulated_ok: bool = False,
    overwrite: bool = False,
) -> tuple[Path | None, Verdict]:
    """Write the folder of a submission, or say why there is none.

    Parameters
    ----------
    folders
        Finished runs, or folders of repeats, of one configuration.
    claim
        Who submits what.
    out
        Folder of all submissions, ``results`` say.
    reference
        Runs of the reference on the same scenes; else the published ones, where scenes are theirs.
    contribution
        The PDF that the policy asks for.
    simulated_ok
        Write a rehearsal on simulated scenes.
    overwrite
        Replace an earlier one; a contribution that lies there stays.

    Returns
    -------
    Path or None, Verdict
        The folder, None if it was refused; what is wrong and what is left to do.

    Raises
    ------
    MissingFileError, BrokenFileError
        A folder holds no finished run, or none that can be read; there is no such contribution.
    InputError
        A name makes no folder; runs are of different scenes.
    OutputExistsError
        The folder exists and ``overwrite`` is false, or holds other things.
    WriteError
        The operating system refused to write.
    """
    with whole_results(folders):
        runs = find_runs(folders)
        recipe = str(runs[0].document["config"].get("recipe") or APPLICATION)
    claim = replace(claim, descriptor=claim.descriptor or Path(recipe).stem)
    claim.check()
    if contribution is not None and not contribution.is_file():
        raise MissingFileError(f"There is no {contribution}: expected a PDF file (--contribution).")
    place = out / claim.organisation / APPLICATION / claim.system / claim.descriptor
    check_output(place, overwrite=overwrite)
    kept = place / CONTRIBUTION_NAME
    if contribution is None and kept.is_file():
        contribution = kept
    verdict = Verdict((), ())
    try:
        with replacing(place, overwrite=overwrite, may_hold=_ours(place)) as temporary:
            temporary.mkdir()
            with whole_results(folders):
                faults = _fill(temporary, runs, claim, reference)
            if contribution is not None:
                shutil.copyfile(contribution, temporary / CONTRIBUTION_NAME)
            found = check_submission(temporary, simulated_ok=simulated_ok)
            verdict = replace(found, faults=(*dict.fromkeys([*faults, *found.faults]),))
            if verdict.faults:
                raise _Refused
    except _Refused:
        return None, verdict
    return place, verdict


def _ours(place: Path) -> Collection[str]:
    """Return what an earlier submission may hold that this one does not."""
    names = [path.name for path in place.iterdir()] if place.is_dir() else []
    return {CONTRIBUTION_NAME, *filter(RESULT_FILE.fullmatch, names)}


def _fill(folder: Path, runs: Sequence[Run], claim: Claim, reference: Path | None) -> list[str]:
    """Write all files but the contribution; return the faults that they do not show."""
    faults: list[str] = []
    filled: set[str] = set()
    for number, run in enumerate(runs, 1):
        log = run.folder / MLPERF_NAME
        if log.is_file():
            text, wrong = _named(log.read_text(encoding="utf-8"), claim, filled)
            (folder / log_name(number)).write_text(text, encoding="utf-8")
            faults += [f"{log}: {fault}" for fault in wrong]
        shutil.copyfile(run.folder / "result.json", folder / result_name(number))
        faults += _sitting_faults(run)
    config = _config(runs, claim)
    text = yaml.safe_dump(config, sort_keys=False, allow_unicode=True, width=100)
    (folder / CONFIG_NAME).write_text(text, encoding="utf-8")
    script = folder / SCRIPT_NAME
    script.write_text(run_script(runs, config), encoding="utf-8")
    script.chmod(0o755)
    text = readme(runs, claim, config, reference=reference, filled=sorted(filled))
    (folder / README_NAME).write_text(text, encoding="utf-8")
    return faults


def _named(text: str, claim: Claim, filled: set[str]) -> tuple[str, list[str]]:
    """Fill in who submits where a log does not know; say where it knows otherwise."""
    faults = []
    try:
        log = read_log(text)
    except ValueError:
        return text, []  # the check says so
    for key, wanted in (
        ("submission_org", claim.organisation),
        ("submission_platform", claim.platform),
    ):
        told = {str(value) for value in values_of(log, key)}
        if wanted and told == {UNKNOWN}:
            text = with_value(text, key, wanted)
            filled.add(key)
        elif wanted and told - {wanted}:
            faults.append(f"says {key} {', '.join(sorted(told))}, and not {wanted}")
    return text, faults


def _sitting_faults(run: Run) -> list[str]:
    """Say whether a run that was gone on with changed its code meanwhile."""
    if not (run.folder / RECORD_NAME).is_file():
        return []
    try:
        sittings = read_record(run.folder)["sittings"]
        commits = {str(sitting["software"]["commit"]) for sitting in sittings}
    except (BrokenFileError, KeyError, TypeError) as error:
        return [f"{run.folder / RECORD_NAME} cannot be read: {error}"]
    if len(commits) > 1:
        return [f"{run.folder} was run with several commits: {', '.join(sorted(commits))}"]
    return []


def _config(runs: Sequence[Run], claim: Claim) -> dict[str, Any]:
    """Return what config.yaml holds."""
    document = runs[0].document
    commit = document["software"]["commit"]
    told = repository(commit)
    real = scored_scenes(document) == PUBLISHED_TEST_SCENES
    configuration = _without_places(document["config"])
    submission = configuration["submission"]
    return {
        "identification": {
            "name": "CloudMask",
            "user": claim.user or None,
            "e-mail": claim.email or None,
            "organisation": claim.organisation,
            "division": submission["division"],
            "status": submission["status"],
            "platform": claim.platform or submission["platform"],
        },
        "program": {
            "package": "slstr-cloudmask",
            "version": document["software"]["slstr-cloudmask"],
            "run": f"./{SCRIPT_NAME}",
        },
        "github": {
            "repo": claim.repo or told["repo"],
            "branch": claim.branch or told["branch"],
            "version": commit,
            "tag": claim.tag or told["tag"],
        },
        "data": list(claim.data or (RETRIEVAL if real else ())),
        "data_location": {key: document["data"][key] for key in ("training", "inference")},
        "seeds": [run.seed for run in runs],
        "configuration": configuration,
    }


def _without_places(config: dict[str, Any]) -> dict[str, Any]:
    """Return a configuration that can be run elsewhere."""
    places = PLACES - {"recipe", "submission"}
    return {
        key: {name: item for name, item in value.items() if f"{key}.{name}" not in places}
        if isinstance(value, dict)
        else value
        for key, value in config.items()
        if key not in places
    }
