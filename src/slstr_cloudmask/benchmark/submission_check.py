"""Whether a submission's folder is what the Science policy asks for, and what is left to do.

    verdict = check_submission(Path("results/ACME/cloudmask/laptop/open"))
    verdict.faults, verdict.left_to_do

All faults are found at once. The same check runs before a folder gets its name.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from slstr_cloudmask.benchmark.compliance import compliance_faults
from slstr_cloudmask.benchmark.config import load_config
from slstr_cloudmask.benchmark.differences import differences, flat
from slstr_cloudmask.benchmark.result_file import FORMAT_VERSION
from slstr_cloudmask.benchmark.run_sets import WITHIN_A_SET
from slstr_cloudmask.benchmark.scene_sets import (
    LABEL,
    MASK,
    data_faults,
    is_simulated,
    scored_scenes,
)
from slstr_cloudmask.benchmark.submission_folder import (
    APPLICATION,
    CONFIG_NAME,
    CONTRIBUTION_NAME,
    README_NAME,
    SCRIPT_NAME,
    TABLE_HEAD,
    Submission,
    log_name,
    read_submission,
    result_name,
    values_of,
)
from slstr_cloudmask.errors import CloudMaskError

DIVISION = "open"
UNKNOWN = "unknown"
# Of an accuracy that is written twice; what rounding of a mean may differ by.
ROUNDING = 1e-9
GITHUB_KEYS = ("repo", "branch", "version", "tag")
_MALFORMED = (KeyError, TypeError, ValueError, AttributeError, IndexError)


@dataclass(frozen=True)
class Verdict:
    """What was found.

    Attributes
    ----------
    faults
        Why it is no submission; nothing where it is one.
    left_to_do
        What the submitter has yet to add or to know.
    """

    faults: tuple[str, ...]
    left_to_do: tuple[str, ...]


def check_submission(folder: Path, *, simulated_ok: bool = False) -> Verdict:
    """Check the folder of a submission.

    Parameters
    ----------
    folder
        ``…/{organisation}/cloudmask/{system}/{descriptor}``.
    simulated_ok
        Take simulated test scenes as something that is left to do: a rehearsal.

    Raises
    ------
    MissingFileError
        There is no such folder.
    """
    submission = read_submission(folder)
    faults = list(submission.unreadable)
    left: list[str] = []
    for check in (_files, _logs, _config, _runs_alike):
        faults += _guarded(check, submission)
    target = left if simulated_ok and _guarded(_simulated, submission) else faults
    target += _guarded(_data, submission)
    left += _guarded(_left_to_do, submission)
    return Verdict(tuple(dict.fromkeys(faults)), tuple(dict.fromkeys(left)))


def _guarded(check: Callable[[Submission], Iterator[str]], submission: Submission) -> list[str]:
    """Run a check; what it stumbles over is a fault too."""
    found: list[str] = []
    try:
        found.extend(check(submission))
    except _MALFORMED as error:
        found.append(f"a file is not of the form it should be ({type(error).__name__}: {error})")
    return found


def _files(submission: Submission) -> Iterator[str]:
    """Look for what must be there."""
    for name in (README_NAME, CONFIG_NAME, SCRIPT_NAME):
        if not (submission.folder / name).is_file():
            yield f"{name} is missing"
    if submission.readme and _first_table(submission.readme) != TABLE_HEAD:
        yield f"the first table of {README_NAME} does not begin with {TABLE_HEAD}"
    numbers = {*submission.logs, *submission.results}
    if not numbers:
        yield f"there is no {log_name(1)}: not one run"
    for number in range(1, max(numbers, default=0) + 1):
        for name in (log_name(number), result_name(number)):
            if not (submission.folder / name).is_file():
                yield f"{name} is missing"
    contribution = submission.folder / CONTRIBUTION_NAME
    if contribution.is_file() and not contribution.read_bytes().startswith(b"%PDF-"):
        yield f"{CONTRIBUTION_NAME} is no PDF"


def _first_table(text: str) -> str | None:
    return next((line.strip() for line in text.splitlines() if line.startswith("|")), None)


def _logs(submission: Submission) -> Iterator[str]:
    """Have the logs checked, and compare them with the results."""
    seen: dict[bytes, int] = {}
    for number, log in sorted(submission.logs.items()):
        name = log_name(number)
        path = submission.folder / name
        yield from (f"{name}, compliance checker: {fault}" for fault in compliance_faults(path))
        yield from (
            f"{name}: {fault}" for fault in _log_faults(log, submission.results.get(number))
        )
        content = path.read_bytes()
        if content in seen:
            yield f"{name} is {log_name(seen[content])} once more"
        seen.setdefault(content, number)


def _log_faults(log: Sequence[dict[str, Any]], document: dict[str, Any] | None) -> Iterator[str]:
    lines = list(log)
    for key, wanted in (("submission_division", DIVISION), ("submission_benchmark", APPLICATION)):
        found = values_of(lines, key)
        if [str(value).lower() for value in found] != [wanted]:
            yield f"expected {key} {wanted}, found {', '.join(map(str, found)) or 'none'}"
    for key in ("submission_org", "submission_platform", "submission_status"):
        if not all(value not in ("", None, UNKNOWN) for value in values_of(lines, key) or [None]):
            yield f"{key} is not told"
    results = values_of(lines, "result")
    accuracy = results[-1]["inference"]["avg_accuracy"] if results else None
    if accuracy is None:
        yield "holds no accuracy of the test scenes (the key result)"
    if document is not None:
        yield from _log_against_result(lines, accuracy, document)


def _log_against_result(
    log: list[dict[str, Any]], accuracy: float | None, document: dict[str, Any]
) -> Iterator[str]:
    told = published_accuracy(document)
    if told is None or accuracy is None or abs(told - accuracy) > ROUNDING:
        yield f"says accuracy {accuracy}, and its result {told}"
    commit = values_of(log, "submission_github_commit_version")
    if commit != [document["software"]["commit"]]:
        yield f"is of commit {commit}, and its result of {document['software']['commit']}"


def published_accuracy(document: dict[str, Any]) -> float | None:
    """Return what a run scores in the published metric; None where it has no such score."""
    for row in document["scores"]:
        if (row["mask"], row["label"], row["part"]) == (MASK, LABEL, "all"):
            return float(row["published_accuracy"])
    return None


def _runs_alike(submission: Submission) -> Iterator[str]:
    """Compare the runs: one configuration but for the seed, one clean commit, one set of scenes."""
    documents = sorted(submission.results.items())
    for number, document in documents:
        name = result_name(number)
        if document.get("format_version") != FORMAT_VERSION:
            yield f"{name} is no result of this version of the package"
        commit = document["software"]["commit"]
        if not commit:
            yield f"{name}: the run was not made from a git checkout, so its code has no commit"
        elif commit.endswith("-dirty"):
            yield f"{name}: the run was made from a changed tree ({commit}): commit, and run again"
    for number, document in documents[1:]:
        first, name = documents[0][1], result_name(number)
        if differing := differences(first["config"], document["config"], ignoring=WITHIN_A_SET):
            yield f"{name} is of another configuration than the first: {', '.join(differing)}"
        if document["software"]["commit"] != first["software"]["commit"]:
            yield f"{name} is of another commit than the first"
        if scored_scenes(document) != scored_scenes(first):
            yield f"{name} is of other test scenes than the first"


def _config(submission: Submission) -> Iterator[str]:
    """Check config.yaml: that it says where all is, and what was run."""
    if not submission.config:
        return
    github, data = submission.config.get("github"), submission.config.get("data")
    if not isinstance(github, dict) or set(github) != set(GITHUB_KEYS):
        yield f"{CONFIG_NAME}: github must hold {', '.join(GITHUB_KEYS)}"
    else:
        yield from (
            f"{CONFIG_NAME}: github.{key} is not told (--{key})"
            for key in ("repo", "branch")
            if not github[key]
        )
    if not isinstance(data, list) or not all(isinstance(line, str) and line for line in data):
        yield f"{CONFIG_NAME}: data must list the commands that retrieve it"
    if submission.results:
        first = submission.results[min(submission.results)]
        yield from _config_against_result(submission, github, first)


def _config_against_result(
    submission: Submission, github: Any, document: dict[str, Any]
) -> Iterator[str]:
    commit = document["software"]["commit"]
    if isinstance(github, dict) and github.get("version") != commit:
        yield f"{CONFIG_NAME}: github.version is {github.get('version')}, the runs are of {commit}"
    try:
        settings = ["train_dir=training", "inference_dir=inference"]
        said = load_config(submission.folder / CONFIG_NAME, settings).model_dump(mode="json")
    except CloudMaskError as error:
        yield f"{CONFIG_NAME} cannot be run: {error}"
        return
    run = flat(document["config"])  # a later version of the package may have more settings
    if differing := [
        key for key in differences(said, document["config"], WITHIN_A_SET) if key in run
    ]:
        yield f"{CONFIG_NAME} does not say what was run: {', '.join(differing)}"


def _data(submission: Submission) -> Iterator[str]:
    """Say what is wrong with the test data, and in which results."""
    found: dict[str, list[str]] = {}
    for number, document in sorted(submission.results.items()):
        for fault in data_faults(document):
            found.setdefault(fault, []).append(result_name(number))
    yield from (f"{', '.join(names)}: {fault}" for fault, names in found.items())


def _simulated(submission: Submission) -> Iterator[str]:
    """Name the results on simulated scenes, if all are."""
    documents = submission.results
    if all(is_simulated(document) for document in documents.values()):
        yield from map(result_name, documents)


def _left_to_do(submission: Submission) -> Iterator[str]:
    if not (submission.folder / CONTRIBUTION_NAME).is_file():
        yield f"{CONTRIBUTION_NAME}: write down what is new in it (--contribution FILE)"
    github = submission.config.get("github")
    tag = github.get("tag") if isinstance(github, dict) else None
    if not tag:
        yield "tag the commit in the repository, and say so (--tag)"
    if submission.config and not submission.config.get("data"):
        yield "say how the data are retrieved (--data COMMAND)"
    for key, option in (("user", "--user"), ("e-mail", "--email")):
        if submission.config and not submission.config.get("identification", {}).get(key):
            yield f"say who submits ({option})"
    if any(False in values_of(log, "cache_clear") for log in submission.logs.values()):
        yield "the rules ask for caches flushed before each run (cache_cleared=true); say why not"
