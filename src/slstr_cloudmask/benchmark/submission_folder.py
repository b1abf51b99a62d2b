"""The folder of a submission, as the Science policy asks for it, and how to read one.

{organisation}/cloudmask/{system}/{descriptor}/
    README.md                     what is claimed, of which model, how it came about
    config.yaml                   everything the runs were told, where the code and the data are
    run.sh                        does it again
    result-1.txt … result-n.txt   MLPerf logs of the runs
    result-1.json … result-n.json their results, scene by scene
    sientific_contribution.pdf    the submitter's own (the policy spells it so)

submission = read_submission(Path("results/ACME/cloudmask/laptop/open"))
"""

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from slstr_cloudmask.errors import MissingFileError

APPLICATION = "cloudmask"
README_NAME, CONFIG_NAME, SCRIPT_NAME = "README.md", "config.yaml", "run.sh"
CONTRIBUTION_NAME = "sientific_contribution.pdf"  # mlcommons/science, submit.adoc
TABLE_HEAD = "| Measurement name | Reference model value | Submitted model value |"
RESULT_FILE = re.compile(r"result-([1-9]\d*)\.(txt|json)")
_MLLOG = ":::MLLOG "


@dataclass(frozen=True)
class Submission:
    """What a folder holds, as far as it can be read.

    Attributes
    ----------
    logs, results
        Lines of each MLPerf log, and each result, by number.
    config
        Of ``config.yaml``.
    readme
        Text of ``README.md``.
    unreadable
        What could not be read, and why.
    """

    folder: Path
    logs: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    results: dict[int, dict[str, Any]] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)
    readme: str = ""
    unreadable: list[str] = field(default_factory=list)


def log_name(number: int) -> str:
    """Name of the log of the n-th run."""
    return f"result-{number}.txt"


def result_name(number: int) -> str:
    """Name of the result of the n-th run."""
    return f"result-{number}.json"


def read_log(text: str) -> list[dict[str, Any]]:
    """Read the lines of an MLPerf log.

    Raises
    ------
    ValueError
        A line is not JSON.
    """
    lines = [line for line in text.splitlines() if line.startswith(_MLLOG)]
    return [json.loads(line.removeprefix(_MLLOG)) for line in lines]


def with_value(text: str, key: str, value: str) -> str:
    """Return a log in which the lines of a key have another value."""
    lines = []
    for line in text.splitlines(keepends=True):
        entry = json.loads(line.removeprefix(_MLLOG)) if line.startswith(_MLLOG) else {}
        if entry.get("key") == key:
            line = f"{_MLLOG}{json.dumps({**entry, 'value': value})}\n"
        lines.append(line)
    return "".join(lines)


def values_of(log: list[dict[str, Any]], key: str) -> list[Any]:
    """Return the values of a key in a log, in order."""
    return [line.get("value") for line in log if line.get("key") == key]


def read_submission(folder: Path) -> Submission:
    """Read a folder as far as it can be read.

    Raises
    ------
    MissingFileError
        There is no such folder.
    """
    if not folder.is_dir():
        raise MissingFileError(f"There is no folder {folder}: expected that of a submission.")
    submission = Submission(folder)
    for path in sorted(folder.iterdir()):
        if found := RESULT_FILE.fullmatch(path.name):
            _read_one(submission, path, int(found[1]))
    config = _text(submission, CONFIG_NAME)
    try:
        content = yaml.safe_load(config)
    except (yaml.YAMLError, ValueError) as error:
        submission.unreadable.append(f"{CONFIG_NAME} is not YAML: {error}")
    else:
        submission.config.update(content if isinstance(content, dict) else {})
    return Submission(**{**vars(submission), "readme": _text(submission, README_NAME)})


def _read_one(submission: Submission, path: Path, number: int) -> None:
    text = _text(submission, path.name)
    try:
        if path.suffix == ".txt":
            submission.logs[number] = read_log(text)
        else:
            submission.results[number] = dict(json.loads(text))
    except (ValueError, TypeError) as error:
        submission.unreadable.append(f"{path.name} cannot be read: {error}")


def _text(submission: Submission, name: str) -> str:
    path = submission.folder / name
    try:
        return path.read_text(encoding="utf-8") if path.is_file() else ""
    except (OSError, ValueError) as error:
        submission.unreadable.append(f"{name} cannot be read: {error}")
        return ""
