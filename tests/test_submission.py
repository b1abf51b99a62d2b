"""Submissions: what is written, what is refused and why, what is left alone."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from slstr_cloudmask.benchmark.config import load_config
from slstr_cloudmask.benchmark.result_file import read_result
from slstr_cloudmask.benchmark.submission import Claim, write_submission
from slstr_cloudmask.benchmark.submission_check import check_submission
from slstr_cloudmask.benchmark.submission_folder import (
    CONTRIBUTION_NAME,
    TABLE_HEAD,
    read_log,
    values_of,
    with_value,
)
from slstr_cloudmask.cli.app import app
from slstr_cloudmask.errors import InputError, MissingFileError, OutputExistsError
from tests.published_runs import COMMIT, edit, published_run

CLAIM = Claim(
    organisation="ACME",
    system="laptop",
    descriptor="small",
    platform="two cores",
    repo="https://example.org/code.git",
    branch="main",
    tag="v1",
)


@pytest.fixture(scope="module")
def runs(finished_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs as if on the published scenes, of seeds 1 and 2."""
    folder = tmp_path_factory.mktemp("published") / "two"
    published_run(finished_run, folder / "run-1", seed=1, accuracy=0.91)
    published_run(finished_run, folder / "run-2", seed=2, accuracy=0.93)
    return folder


@pytest.fixture(scope="module")
def submitted(runs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What came of them."""
    place, verdict = write_submission([runs], CLAIM, tmp_path_factory.mktemp("results"))
    assert verdict.faults == ()
    assert place is not None
    return place


def refused(folder: Path, out: Path, claim: Claim = CLAIM) -> tuple[str, ...]:
    place, verdict = write_submission([folder], claim, out)
    assert place is None
    assert not out.exists()  # nothing is left behind
    return verdict.faults


def found(faults: tuple[str, ...], words: str) -> bool:
    return any(words in fault for fault in faults)


def test_the_folder_is_as_the_policy_has_it(submitted: Path) -> None:
    assert submitted.parts[-4:] == ("ACME", "cloudmask", "laptop", "small")
    assert {path.name for path in submitted.iterdir()} == {
        *("README.md", "config.yaml", "run.sh"),
        *("result-1.txt", "result-2.txt", "result-1.json", "result-2.json"),
    }
    config = yaml.safe_load((submitted / "config.yaml").read_text())
    assert config["github"] == {
        "repo": "https://example.org/code.git",
        "branch": "main",
        "version": COMMIT,
        "tag": "v1",
    }
    assert config["data"][0] == "cloudmask data download data"
    assert config["seeds"] == [1, 2]


def test_the_readme_begins_with_the_table(submitted: Path) -> None:
    lines = (submitted / "README.md").read_text().splitlines()
    table = [line for line in lines if line.startswith("|")]
    assert table[0] == TABLE_HEAD
    # The reference: 35 published runs. Ours: 0.91 and 0.93, mean 0.92, sd √(2 · 0.01²) = 0.0141.
    assert table[2].startswith("| Published metric")
    assert table[2].endswith("| 0.8900 ± 0.0042 | 0.9200 ± 0.0141 |")
    text = "\n".join(lines)
    # 0.92 less 0.89004; nothing else was counted in the same way.
    assert "submitted less reference: +0.0300." in text
    assert "**mean of 2** runs" in text
    assert "in the published metric" in text
    assert "submission_org and submission_platform of the logs" in text


def test_only_who_submits_is_filled_in(submitted: Path, runs: Path) -> None:
    before = read_log((runs / "run-1" / "mlperf.log").read_text())
    after = read_log((submitted / "result-1.txt").read_text())
    assert values_of(after, "submission_org") == ["ACME"]
    assert values_of(after, "submission_platform") == ["two cores"]
    changed = [old["key"] for old, new in zip(before, after, strict=True) if old != new]
    assert sorted(changed) == ["submission_org", "submission_platform"]


def test_the_script_runs_what_was_run(submitted: Path, runs: Path, tmp_path: Path) -> None:
    """With a command that prints what it is given in place of ours."""
    stub = tmp_path / "bin" / "cloudmask"
    stub.parent.mkdir()
    stub.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    stub.chmod(0o755)
    environment = {**os.environ, "PATH": f"{stub.parent}:{os.environ['PATH']}"}
    script = [str(submitted / "run.sh")]
    answer = subprocess.run(
        [*script, "a folder", "b"], env=environment, capture_output=True, text=True, check=True
    )
    _, _, config, _, output, *settings = answer.stdout.splitlines()[:8]
    assert (output, settings[:2]) == ("runs/seed-1", ["train_dir=a folder", "inference_dir=b"])
    said = load_config(Path(config), settings).model_dump(mode="json")
    told = read_result(runs / "run-1")["config"]
    assert said["train"] == {**said["train"], **told["train"]}
    assert "train.seed=2" in answer.stdout.splitlines()
    short = subprocess.run(script, capture_output=True, text=True, check=False)
    assert "expected the folder of training scenes" in short.stderr


def test_the_best_run_is_said_to_be_the_best_of_two(runs: Path, tmp_path: Path) -> None:
    claim = Claim(**{**vars(CLAIM), "best": True})
    place, _ = write_submission([runs], claim, tmp_path / "out")
    assert place is not None
    text = (place / "README.md").read_text()
    assert "| 0.9300 |" in text
    assert "**best of 2** runs" in text


def test_all_that_is_wrong_is_said_at_once(finished_run: Path, tmp_path: Path) -> None:
    first = published_run(finished_run, tmp_path / "r" / "run-1", commit=f"{COMMIT}-dirty")
    second = published_run(finished_run, tmp_path / "r" / "run-2", seed=2, commit="b" * 40)
    third = published_run(finished_run, tmp_path / "r" / "run-3", seed=3)
    # The first: another submitter, another division, no accuracy. The second: another
    # configuration, an end that is missing. The third: no log, and labels that are altered.
    log = first / "mlperf.log"
    text = with_value(
        with_value(log.read_text(), "submission_org", "Other"), "submission_division", "closed"
    )
    log.write_text("".join(x for x in text.splitlines(True) if '"key": "result"' not in x))
    document = json.loads((second / "result.json").read_text())
    document["config"]["train"]["epochs"] = 77
    edit(second / "result.json", config=document["config"])
    log = second / "mlperf.log"
    kept = [x for x in log.read_text().splitlines(True) if '"key": "run_stop"' not in x]
    log.write_text("".join(kept))
    (third / "mlperf.log").unlink()
    document = json.loads((third / "result.json").read_text())
    document["scenes"][0]["every_pixel"] = {"tp": 0, "fp": 0, "tn": 1_800_000, "fn": 0}
    edit(third / "result.json", scenes=document["scenes"])

    place, verdict = write_submission(
        [tmp_path / "r" / f"run-{number}" for number in (1, 2)], CLAIM, tmp_path / "out"
    )
    assert place is None
    assert not (tmp_path / "out").exists()
    for words in (
        "result-1.json: the run was made from a changed tree",
        "says submission_org Other, and not ACME",
        "expected submission_division open, found closed",
        "holds no accuracy of the test scenes",
        "result-2.json is of another configuration than the first: train.epochs",
        "result-2.json is of another commit than the first",
        "result-2.txt, compliance checker: Required EXACTLY_ONE occurrence of 'run_stop'",
    ):
        assert found(verdict.faults, words), (words, verdict.faults)
    faults = refused(third, tmp_path / "out")
    for words in ("result-1.txt is missing", "the labels are altered"):
        assert found(faults, words), (words, faults)


def test_simulated_scenes_are_refused_unless_it_is_a_rehearsal(
    finished_run: Path, tmp_path: Path
) -> None:
    shutil.copytree(finished_run, tmp_path / "run", ignore=shutil.ignore_patterns("store"))
    document = json.loads((finished_run / "result.json").read_text())
    software = {**document["software"], "commit": COMMIT}
    edit(tmp_path / "run" / "result.json", software=software)
    log = tmp_path / "run" / "mlperf.log"
    log.write_text(with_value(log.read_text(), "submission_github_commit_version", COMMIT))
    faults = refused(tmp_path / "run", tmp_path / "out")
    assert len(faults) == 1
    assert "the test scenes are simulated" in faults[0]
    place, verdict = write_submission(
        [tmp_path / "run"], CLAIM, tmp_path / "out", simulated_ok=True
    )
    assert place is not None
    assert found(verdict.left_to_do, "the test scenes are simulated")
    assert "A rehearsal, no submission." in (place / "README.md").read_text()
    assert found(check_submission(place).faults, "the test scenes are simulated")


def _cut(name: str) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        path = folder / name
        path.write_bytes(path.read_bytes()[:200])

    return spoil


def _write(name: str, text: str) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        (folder / name).write_text(text)

    return spoil


def test_a_folder_that_was_spoilt_is_found_out(submitted: Path, tmp_path: Path) -> None:
    """Each kind of damage; all of them in one folder, so that the checker runs once."""
    folder = tmp_path / "spoilt"
    shutil.copytree(submitted, folder)
    _cut("result-1.json")(folder)
    (folder / "result-1.txt").rename(folder / "result-3.txt")
    (folder / "run.sh").unlink()
    _write("README.md", "# Ours\n\n| run | value |\n")(folder)
    _write(CONTRIBUTION_NAME, "no PDF")(folder)
    config = yaml.safe_load((folder / "config.yaml").read_text())
    config["configuration"]["train"]["learning_rate"] = 0.5
    config["github"] |= {"repo": None, "version": "c" * 40}
    _write("config.yaml", yaml.safe_dump(config))(folder)
    faults = check_submission(folder).faults
    for words in (
        "result-1.json cannot be read",
        "result-1.txt is missing",
        "result-3.json is missing",
        "run.sh is missing",
        "the first table of README.md does not begin with",
        f"{CONTRIBUTION_NAME} is no PDF",
        "github.repo is not told (--repo)",
        f"github.version is {'c' * 40}",
        "config.yaml does not say what was run: train.learning_rate",
    ):
        assert found(faults, words), (words, faults)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (_write("config.yaml", "github: ["), "config.yaml is not YAML"),
        (_write("config.yaml", "a: 1"), "github must hold repo, branch, version, tag"),
        (_write("result-1.json", '{"scores": 3, "scenes": [1]}'), "not of the form"),
        (_write("result-1.json", "[]"), "is no result of this version"),
    ],
)
def test_hostile_files_are_faults_and_no_tracebacks(
    submitted: Path, tmp_path: Path, spoil: Callable[[Path], None], words: str
) -> None:
    folder = tmp_path / "one"
    shutil.copytree(submitted, folder, ignore=shutil.ignore_patterns("result-*.txt"))
    spoil(folder)
    verdict = check_submission(folder)
    assert found(verdict.faults, words), verdict.faults


def test_an_empty_folder_is_no_submission(tmp_path: Path) -> None:
    faults = check_submission(tmp_path).faults
    assert found(faults, "not one run")
    with pytest.raises(MissingFileError):
        check_submission(tmp_path / "nowhere")


def test_an_earlier_submission_is_kept_unless_overwritten(runs: Path, tmp_path: Path) -> None:
    contribution = tmp_path / "ours.pdf"
    contribution.write_bytes(b"%PDF-1.7\n")
    out = tmp_path / "out"
    place, verdict = write_submission([runs], CLAIM, out, contribution=contribution)
    assert place is not None
    assert not found(verdict.left_to_do, CONTRIBUTION_NAME)
    with pytest.raises(OutputExistsError):
        write_submission([runs / "run-1"], CLAIM, out)
    # One run less, and no contribution named: that of before stays, the second run goes.
    write_submission([runs / "run-1"], CLAIM, out, overwrite=True)
    names = {path.name for path in place.iterdir()}
    assert CONTRIBUTION_NAME in names
    assert "result-2.txt" not in names
    (place / "notebook.ipynb").touch()
    with pytest.raises(OutputExistsError, match=r"also holds notebook\.ipynb"):
        write_submission([runs / "run-1"], CLAIM, out, overwrite=True)
    assert (place / "notebook.ipynb").is_file()


@pytest.mark.parametrize(
    "words",
    [{"system": "../.."}, {"organisation": ""}, {"system": ".hidden"}, {"platform": "a | b"}],
)
def test_names_that_lead_elsewhere_are_refused(
    runs: Path, tmp_path: Path, words: dict[str, str]
) -> None:
    with pytest.raises(InputError):
        write_submission([runs], Claim(**{**vars(CLAIM), **words}), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_command(submitted: Path, tmp_path: Path) -> None:
    command = CliRunner()
    good = command.invoke(app, ["submit", "--check", str(submitted)])
    assert (good.exit_code, "is what the policy asks for" in good.stdout) == (0, True)
    assert "Left to do:" in good.stderr
    bad = command.invoke(app, ["submit", "--check", str(tmp_path)])
    assert (bad.exit_code, bad.stdout) == (1, "")
    assert "README.md is missing" in bad.stderr
    assert command.invoke(app, ["submit"]).exit_code == 2
    assert command.invoke(app, ["submit", str(tmp_path)]).exit_code == 2
    assert command.invoke(app, ["submit", str(tmp_path), "--check", str(tmp_path)]).exit_code == 2
