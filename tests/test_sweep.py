"""Sweeps without training: spaces, plans, the study, and what becomes of trials that go wrong."""

import csv
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from slstr_cloudmask.benchmark.event_log import EVENTS_NAME, EventLog
from slstr_cloudmask.cli.app import app
from slstr_cloudmask.errors import (
    BrokenFileError,
    ConfigError,
    InputError,
    MissingFileError,
    OutputExistsError,
    WriteError,
)
from slstr_cloudmask.events import Event
from slstr_cloudmask.report.sweep_figure import draw_sweep
from slstr_cloudmask.sweep.launch import GPUS, THREADS, LocalLauncher, visible_gpus
from slstr_cloudmask.sweep.ledger import locked
from slstr_cloudmask.sweep.objective import get_objective
from slstr_cloudmask.sweep.plan_file import read_plan, settle_plan
from slstr_cloudmask.sweep.profile import Profile, load_profile, profile_names
from slstr_cloudmask.sweep.results import ranked_points, write_csv
from slstr_cloudmask.sweep.run import MAX_ATTEMPTS, prepare_script
from slstr_cloudmask.sweep.space import parse_space, split_settings
from slstr_cloudmask.sweep.standing import standings, status
from slstr_cloudmask.sweep.study import Study, hidden, own_storage, storage_url
from slstr_cloudmask.sweep.trial import Job, Outcome, read_job, write_record
from tests.sweeps import DATA, AtOnce, by_rate, finish, plan_of, run, train_for

pytest.importorskip("optuna")


# -- spaces ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "values"),
    [
        ("a=16,32,64", (16, 32, 64)),
        ("a=1..4", (1, 2, 3, 4)),
        ("a=-1..1", (-1, 0, 1)),
        ("a=10..50:step=20", (10, 30, 50)),
        ("a=10..49:step=20", (10, 30)),
        ("a=0.1..0.3:step=0.1", (0.1, 0.2, 0.3)),
        ("a=1e-3,1e-4", (0.001, 0.0001)),
        ("a=[4,8],[8,16]", ([4, 8], [8, 16])),
        ("a=null,3", (None, 3)),
        ("a='x,y',z", ("x,y", "z")),
    ],
)
def test_values_that_can_be_counted(typed: str, values: tuple[Any, ...]) -> None:
    space = parse_space([typed])
    assert space.is_grid
    assert space.dimensions[0].values == values
    assert split_settings([typed]) == ([], [typed])


@pytest.mark.parametrize(
    "typed", ["a=3", "a=../data", "a='x,y'", "a=", "a=x..y", "a=[4,8]", "a=/tmp/1..x"]
)
def test_one_value_is_fixed(typed: str) -> None:
    assert split_settings([typed]) == ([typed], [])


def test_ranges_without_an_end_of_values() -> None:
    rate, share, count = parse_space(["r=1e-4..1e-2:log", "s=0.1..0.5", "c=1..100:log"]).dimensions
    assert (rate.low, rate.high, rate.log, rate.values) == (1e-4, 1e-2, True, ())
    assert (share.log, share.is_integer) == (False, False)
    assert count.is_integer
    assert not parse_space(["r=1e-4..1e-2:log", "b=1,2"]).is_grid


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("a", "expected key=value"),
        ("=3", "expected key=value"),
        ("a=5..1", "smaller number first"),
        ("a=1...5", "smaller number first"),
        ("a=0..1:log", "starts above 0"),
        ("a=1..9:log:step=2", "has no step"),
        ("a=1..9:stap=2", ":log or :step=NUMBER"),
        ("a=0..1:step=0", "above 0"),
        ("a=0..1:step=1e-9", "larger step"),
        ("a=1,1", "twice"),
        ("a=[1,2", "not YAML"),
        ("repeat=5", "repeat=1..5"),
        ("repeat=0..2", "from 1 on"),
    ],
)
def test_what_is_no_space_is_said(typed: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        parse_space([typed])


# -- plans -------------------------------------------------------------------------------------


def test_a_grid_with_repeats(tmp_path: Path) -> None:
    plan = plan_of("batch_size=4,8", "epochs=1..3", "repeat=1..2")
    assert (plan.points, plan.runs, plan.prune) == (6, 12, False)
    # Two runs a point, the last key fastest: run 3 is the second repeat of the second point.
    assert plan.point(3) == {"batch_size": 4, "epochs": 2}
    assert [plan.repeat(number) for number in range(4)] == [1, 2, 1, 2]
    content = plan.content(3, {"batch_size": 4, "epochs": 2}, tmp_path)
    assert content["train"]["epochs"] == 2
    assert content["train"]["seed"] == 1234 + 1
    assert content["output_dir"] == str(tmp_path)
    assert content["data"]["store"] == str(Path("store").absolute())


def test_points_drawn_from_a_grid_are_distinct_and_stay_with_more() -> None:
    few, more = (plan_of("batch_size=1..50", trials=trials) for trials in (5, 20))
    drawn = [few.point(number) for number in range(few.runs)]
    assert drawn == [more.point(number) for number in range(5)]
    assert len({str(point) for point in drawn}) == 5
    assert drawn != [plan_of("batch_size=1..50").point(number) for number in range(5)]


@pytest.mark.parametrize(
    ("settings", "options", "words"),
    [
        (["batch_sise=4,8"], {}, "did you mean train.batch_size"),
        (["batch_size=4,0"], {}, "greater than or equal to 1"),
        (["learning_rate=-1..1"], {}, "greater than 0"),
        (["learning_rate=1e-4..1e-2:log"], {}, "--trials"),
        (["seed=1,2", "repeat=1..2"], {}, "both set the seed"),
        (["batch_size=4,8", "train.batch_size=1,2"], {}, "twice"),
        (["output_dir=a,b"], {}, "the sweep's own"),
        (["batch_size=4,8"], {"objective": "validation_los"}, "Did you mean validation_loss"),
        (["batch_size=4,8"], {"direction": "up"}, "minimise or maximise"),
    ],
)
def test_what_cannot_be_is_said_before_anything_runs(
    settings: list[str], options: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        plan_of(*settings, **options)


def test_a_folder_belongs_to_one_sweep(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="no sweep"):
        settle_plan(tmp_path, None)
    plan = settle_plan(tmp_path, plan_of("batch_size=1..9", trials=3))
    assert settle_plan(tmp_path, None) == read_plan(tmp_path) == plan
    assert settle_plan(tmp_path, plan_of("batch_size=1..9", trials=5)).runs == 5
    with pytest.raises(ConfigError, match="5 points, and 3"):
        settle_plan(tmp_path, plan_of("batch_size=1..9", trials=3))
    with pytest.raises(ConfigError, match="another space"):
        settle_plan(tmp_path, plan_of("batch_size=1..8", trials=5))
    (tmp_path / "sweep.yaml").write_text("recipe: [")
    with pytest.raises(BrokenFileError, match="cannot be read"):
        read_plan(tmp_path)


def test_objectives(tmp_path: Path) -> None:
    rows = [
        {"name": "network: accuracy", "label": "accuracy against the simulated truth", "value": 1},
        {
            "name": "network: accuracy",
            "label": "agreement with the provider's Bayesian mask",
            "value": 0.5,
        },
        {"name": "energy", "label": None, "value": 3.0},
        {"name": "nothing", "label": None, "value": None},
    ]
    assert get_objective("accuracy").value({"measurements": rows}) == 0.5
    assert get_objective("accuracy").on_test_scenes
    assert get_objective("energy", "minimise").value({"measurements": rows}) == 3.0
    with pytest.raises(InputError, match="no 'nothing': expected one of energy"):
        get_objective("nothing", "minimise").value({"measurements": rows})


# -- trials that end at once ---------------------------------------------------------------------


def test_a_grid_is_run_once_and_kept(tmp_path: Path) -> None:
    plan, launcher = plan_of("learning_rate=1e-4,1e-3,1e-2", "repeat=1..2"), AtOnce(by_rate)
    run(tmp_path, plan, launcher)
    assert launcher.started == [f"trial-000{number}" for number in range(1, 7)]
    run(tmp_path, plan, launcher)
    assert len(launcher.started) == 6
    stands = standings(tmp_path)
    assert [one.values["learning_rate"] for one in stands] == [1e-4, 1e-4, 1e-3, 1e-3, 1e-2, 1e-2]
    assert [one.seed for one in stands] == [1234, 1235] * 3
    points = ranked_points(stands, plan.goal)
    # Distances in decades: 1e-3 is the best, and two equal repeats have no spread.
    assert points[0].values == {"learning_rate": 1e-3}
    assert (points[0].objective, points[0].deviation) == ((0.0, 0.0), 0.0)
    text = write_csv(stands, tmp_path, plan.goal).read_text()
    rows = list(csv.DictReader(text.splitlines()))
    assert [row["trial"] for row in rows[:2]] == ["trial-0003", "trial-0004"]
    assert rows[0]["seconds"] == "3.0"  # two epochs of 1 s and 0.5 s
    assert status(tmp_path)["counts"]["done"] == 6
    draw_sweep(
        [(one.values, one.objective or 0) for one in stands],
        "loss",
        "minimise",
        path := tmp_path / "a.png",
    )
    assert path.stat().st_size > 5000


def test_a_search_draws_again_what_it_would_have_drawn(tmp_path: Path) -> None:
    """Broken off after three of eight points, it ends with the points of an unbroken one."""
    search = ("learning_rate=1e-5..1e-1:log", "batch_size=1..8", "repeat=1..2")
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    for folder, parts in ((whole, [8]), (broken, [3, 8])):
        folder.mkdir()
        for trials in parts:
            run(folder, plan_of(*search, trials=trials, prune=False), AtOnce(by_rate))
    values = [[one.values for one in standings(folder)] for folder in (whole, broken)]
    assert values[0] == values[1]
    assert len(values[0]) == 16
    assert values[0][0::2] == values[0][1::2]  # the repeats of a point
    assert len({one["learning_rate"] for one in values[0]}) == 8
    assert all(1e-5 <= one["learning_rate"] <= 1e-1 for one in values[0])


def test_a_killed_trial_is_started_again_and_given_up_at_last(tmp_path: Path) -> None:
    def fate(folder: Path) -> bool:
        if folder.name == "trial-0001":  # killed after each epoch, until the third
            train_for(folder, [0.5])
            if (folder / EVENTS_NAME).read_text().count("evaluation") == 5:
                finish(folder, 0.5)
        elif folder.name == "trial-0002":  # killed before it ends its first one
            (folder / "trial.log").write_text("so far\nso good\n")
        else:
            by_rate(folder)
        return False

    launcher = AtOnce(fate)
    run(tmp_path, plan_of("batch_size=1,2,3"), launcher)
    assert launcher.started.count("trial-0001") == 5
    assert launcher.started.count("trial-0002") == MAX_ATTEMPTS == 3
    first, second, third = standings(tmp_path)
    assert (first.state, second.state, third.state) == ("done", "failed", "done")
    assert "killed 3 times" in second.message
    assert "so good" in second.message


def test_failed_trials_are_named_and_retried_when_asked(tmp_path: Path) -> None:
    def fail(folder: Path) -> bool:
        write_record(folder, Outcome("failed", "The disk is full.\nmore"))
        return False

    plan, failing = plan_of("batch_size=1,2"), AtOnce(fail)
    run(tmp_path, plan, failing)
    run(tmp_path, plan, failing)
    assert len(failing.started) == 2  # not again unasked
    assert status(tmp_path)["counts"] | {"failed": 2} == status(tmp_path)["counts"]
    mended = AtOnce(by_rate)
    run(tmp_path, plan, mended, retry_failed=True)
    assert mended.started == ["trial-0001", "trial-0002"]
    run(tmp_path, plan, mended)
    import optuna

    study = optuna.load_study(study_name="sweep", storage=own_storage(tmp_path))
    states = [trial.state.name for trial in study.get_trials()]
    assert states == ["FAIL", "FAIL", "COMPLETE", "COMPLETE"]
    assert study.get_trials()[2].params == {"batch_size": 1}


def test_a_hopeless_trial_is_pruned_by_its_validation_loss(tmp_path: Path) -> None:
    """Five end with losses of 1 to 5 in hundredths; the sixth stands at 0.9, the seventh at 0."""

    def fate(folder: Path) -> bool:
        number = int(folder.name[-1])
        if number <= 5:
            train_for(folder, [number / 100] * 3)
            finish(folder, number / 100)
            return False
        train_for(folder, [0.9] * 3 if number == 6 else [0.0] * 3)
        if number == 7:
            finish(folder, 0.0)
        return number == 6

    launcher = AtOnce(fate)
    run(tmp_path, plan_of("batch_size=1..7", prune=True), launcher)
    assert launcher.stopped == ["trial-0006"]
    states = [one.state for one in standings(tmp_path)]
    assert states == ["done"] * 5 + ["pruned", "done"]
    assert "after 3 epochs" in standings(tmp_path)[5].message
    # Where the objective is made large, a small loss is still the better one.
    again = AtOnce(fate)
    other = tmp_path / "again"
    other.mkdir()
    plan = plan_of("batch_size=1..7", prune=True, objective="validation loss", direction="maximise")
    run(other, plan, again)
    assert again.stopped == ["trial-0006"]


def test_a_study_that_was_lost_is_made_again_from_the_folders(tmp_path: Path) -> None:
    plan = plan_of("batch_size=1..4", "learning_rate=1e-3..1e-2:log", trials=4, prune=False)
    run(tmp_path, plan.model_copy(update={"trials": 3}), AtOnce(by_rate))
    before = [one.values for one in standings(tmp_path)]
    (tmp_path / "optuna.db").unlink()
    launcher = AtOnce(by_rate)
    run(tmp_path, plan, launcher)
    assert launcher.started == ["trial-0004"]
    assert [one.values for one in standings(tmp_path)][:3] == before
    import optuna

    study = optuna.load_study(study_name="sweep", storage=own_storage(tmp_path))
    assert [trial.state.name for trial in study.get_trials()] == ["COMPLETE"] * 4
    assert study.best_value == min(one.objective or 0 for one in standings(tmp_path))


def test_a_trial_that_was_taken_and_not_written_down_is_taken_again(tmp_path: Path) -> None:
    plan = settle_plan(tmp_path, plan_of("batch_size=1,2,3"))
    taken = Study.open(plan, own_storage(tmp_path), tmp_path, []).claim()
    assert taken == (0, {"batch_size": 1})
    launcher = AtOnce(by_rate)
    run(tmp_path, plan, launcher)
    assert [one.values["batch_size"] for one in standings(tmp_path)] == [1, 2, 3]


def test_two_machines_share_a_storage(tmp_path: Path) -> None:
    """Each has its folder; what one has taken the other leaves alone."""
    storage, plan = own_storage(tmp_path), plan_of("batch_size=1..6")
    studies = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        studies.append(Study.open(plan, storage, tmp_path / name, []))
        (tmp_path / name / "trial-0001").mkdir()
        (tmp_path / name / "trial-0001" / "trial.json").write_text("{}")
    taken = [studies[number % 2].claim() for number in (0, 1)]
    assert taken == [(0, {"batch_size": 1}), (1, {"batch_size": 2})]
    # Killed before it wrote the second down, b takes that one again; a does not touch it.
    assert studies[1].claim() == (1, {"batch_size": 2})
    assert studies[0].claim() == (2, {"batch_size": 3})
    with pytest.raises(ConfigError, match="another sweep"):
        Study.open(plan_of("batch_size=1..7"), storage, tmp_path, [])


def test_one_sweep_at_a_time(tmp_path: Path) -> None:
    with locked(tmp_path), pytest.raises(OutputExistsError, match="Another process runs"):
        run(tmp_path, plan_of("batch_size=1,2"), AtOnce(by_rate))


def test_a_job_of_another_launcher_is_not_started_twice(tmp_path: Path) -> None:
    plan = plan_of("batch_size=1,2")

    def stand_still(folder: Path) -> bool:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, plan, AtOnce(stand_still))
    write_record(tmp_path / "trial-0001", Job("slurm", "12_0", host="login"))
    with pytest.raises(InputError, match="--launcher slurm, or, if it has ended, remove"):
        run(tmp_path, plan, AtOnce(by_rate))
    assert status(tmp_path)["counts"]["queued"] == 2


# -- the storage -------------------------------------------------------------------------------


def test_a_storage_that_does_not_answer_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database becomes a file of something else in the middle, and comes back."""
    monkeypatch.setattr("slstr_cloudmask.sweep.study.PATIENCE_S", 0.5)
    path, whole = tmp_path / "optuna.db", tmp_path / "whole.db"

    def fate(folder: Path) -> bool:
        by_rate(folder)
        if folder.name == "trial-0002" and not whole.exists():
            path.rename(whole)
            path.write_text("no database at all")
        return False

    plan, launcher = plan_of("batch_size=1..4"), AtOnce(fate)
    with pytest.raises(WriteError, match=r"does not answer.*run the same command again"):
        run(tmp_path, plan, launcher)
    assert [one.state for one in standings(tmp_path)] == ["done", "done"]
    whole.replace(path)
    whole.touch()
    run(tmp_path, plan, launcher)
    assert launcher.started == [f"trial-000{number}" for number in (1, 2, 3, 4)]
    assert status(tmp_path)["counts"]["done"] == 4


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("nonsense", "no URL of SQLAlchemy"),
        ("nosuch://host/x", "not installed"),
        ("mysql+nosuch://host/x", "not installed"),
    ],
)
def test_a_storage_that_cannot_be_is_said(tmp_path: Path, url: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        run(tmp_path, plan_of("batch_size=1,2"), AtOnce(by_rate), storage=url)


def test_a_password_is_not_shown() -> None:
    assert hidden("postgresql://me:secret@host/db") == "postgresql://me:***@host/db"


def test_a_sweep_stays_with_its_storage(tmp_path: Path) -> None:
    url = "postgresql://me:secret@host/db"
    shared, alone = plan_of("epochs=1,2", storage=hidden(url)), plan_of("epochs=1,2")
    assert storage_url(shared, url, tmp_path) == url
    assert storage_url(alone, None, tmp_path) == own_storage(tmp_path)
    with pytest.raises(ConfigError, match=r"say --storage postgresql://me:\*\*\*@host/db"):
        storage_url(shared, None, tmp_path)
    with pytest.raises(ConfigError, match="leave --storage out"):
        storage_url(alone, url, tmp_path)


# -- machines ----------------------------------------------------------------------------------


def test_profiles_that_ship_can_be_read(tmp_path: Path) -> None:
    assert profile_names() == ["lsf-gpu", "slurm-gpu", "slurm-nodes"]
    for name in profile_names():
        assert load_profile(name).launcher in ("slurm", "lsf")
    path = tmp_path / "mine.yaml"
    path.write_text("launcher: slurm\npartion: gpu\n")
    with pytest.raises(ConfigError, match="did you mean partition"):
        load_profile(path)
    with pytest.raises(MissingFileError, match="slurm-gpu"):
        load_profile("nowhere")


def test_the_command_of_a_trial() -> None:
    one = Profile(device="cpu").command("F")
    assert one == [sys.executable, "-m", "slstr_cloudmask", "trial", "F", "--device", "cpu"]
    four = Profile(gpus=4, python="singularity exec i.sif python").command("F")
    assert four[:6] == ["singularity", "exec", "i.sif", "python", "-m", "torch.distributed.run"]
    assert four[6:11] == ["--nnodes", "1", "--nproc-per-node", "4", "--standalone"]
    many = Profile(gpus=4, nodes=2).command("F", meeting_at="n1")
    assert "n1:29500" in many


def test_a_script_for_lsf(tmp_path: Path) -> None:
    text, command = prepare_script(
        tmp_path,
        settle_plan(tmp_path, plan_of("batch_size=1,2,3")),
        load_profile("lsf-gpu"),
        own_storage(tmp_path),
    )
    assert command == f"bsub < {tmp_path / 'trials.lsf'}"
    lines = text.splitlines()
    assert f'#BSUB -J "{tmp_path.name}[1-3]%8"' in lines
    assert "#BSUB -W 2:00" in lines
    assert "#BSUB -q gpu" in lines
    assert "module load cuda" in lines
    assert f"  {tmp_path / 'trial-0002'}" in lines
    assert subprocess.run(["bash", "-n"], input=text, text=True, check=False).returncode == 0
    assert status(tmp_path)["counts"]["queued"] == 3


def test_the_script_runs_the_trial_of_its_element(tmp_path: Path) -> None:
    """Run by the shell itself, as an element of the array would be."""
    profile = Profile(launcher="slurm", python="echo", setup=("first=1",))
    plan = settle_plan(tmp_path, plan_of("batch_size=1,2"))
    text, _ = prepare_script(tmp_path, plan, profile, own_storage(tmp_path))
    environment = os.environ | {"SLURM_ARRAY_TASK_ID": "2"}
    subprocess.run(["bash"], input=text, text=True, check=True, env=environment)
    said = (tmp_path / "trial-0002" / "trial.log").read_text()
    assert said == f"-m slstr_cloudmask trial {tmp_path}/trial-0002 --device auto\n"


def test_a_script_needs_a_queue(tmp_path: Path) -> None:
    plan = settle_plan(tmp_path, plan_of("batch_size=1,2"))
    with pytest.raises(ConfigError, match="launcher is here"):
        prepare_script(tmp_path, plan, Profile(), own_storage(tmp_path))
    with pytest.raises(ConfigError, match="set nodes to 1"):
        prepare_script(tmp_path, plan, Profile(launcher="lsf", nodes=2), own_storage(tmp_path))


def test_a_machine_is_shared_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(THREADS, raising=False)
    monkeypatch.setattr("slstr_cloudmask.sweep.launch._processors", lambda: 8)
    two = LocalLauncher(Profile(workers=2), ["0", "1", "2"])
    assert two.share(0) == {THREADS: "4", GPUS: "0,2"}
    assert two.share(1) == {THREADS: "4", GPUS: "1"}
    crowded = LocalLauncher(Profile(workers=3), ["7"])
    assert [crowded.share(slot)[GPUS] for slot in range(3)] == ["7", "7", "7"]
    monkeypatch.setenv(GPUS, "4,6")
    assert visible_gpus(2) == ["4", "6"]


# -- real processes, which need no network ---------------------------------------------------------


@pytest.fixture
def sleeper() -> Iterator["subprocess.Popen[bytes]"]:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    yield process
    process.kill()
    process.wait()


def test_status_knows_a_process_that_is_gone(
    tmp_path: Path, sleeper: "subprocess.Popen[bytes]"
) -> None:
    settle_plan(tmp_path, plan_of("batch_size=1,2"))
    plan = read_plan(tmp_path)
    prepare_script(tmp_path, plan, Profile(launcher="lsf"), own_storage(tmp_path))
    trial = tmp_path / "trial-0001"
    train_for(trial, [0.25])
    write_record(trial, Job("local", str(sleeper.pid)))
    (trial / "trial.log").write_text("last words\n")
    document = status(tmp_path)
    assert document["counts"] == {
        **dict.fromkeys(("stopped", "done", "failed", "pruned"), 0),
        "queued": 1,
        "running": 1,
    }
    assert document["trials"][0]["loss"] == 0.25
    os.kill(sleeper.pid, signal.SIGKILL)
    sleeper.wait()
    stopped = status(trial)["trials"][0]
    assert (stopped["state"], stopped["message"]) == ("stopped", "last words")
    assert json.loads(json.dumps(status(tmp_path)))["counts"]["stopped"] == 1
    job = read_job(trial)
    assert job is not None
    # The number of a process that began later is another's.
    write_record(trial, Job("local", str(os.getpid()), started=job.started - 1e6))
    assert status(tmp_path)["counts"]["stopped"] == 1


def test_status_of_a_folder_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="neither a sweep nor a run"):
        status(tmp_path)
    train_for(tmp_path, [0.5, 0.4])
    assert status(tmp_path)["trials"][0]["epoch"] == 2


def test_a_run_whose_process_is_gone_was_stopped(
    tmp_path: Path, sleeper: "subprocess.Popen[bytes]"
) -> None:
    log = EventLog(tmp_path / EVENTS_NAME)
    log(Event("sitting_start", {"pid": sleeper.pid, "host": socket.gethostname()}))
    log.close()
    train_for(tmp_path, [0.5])
    assert status(tmp_path)["trials"][0]["state"] == "running"
    sleeper.kill()
    sleeper.wait()
    assert status(tmp_path)["trials"][0]["state"] == "stopped"


def test_a_plan_says_all(tmp_path: Path) -> None:
    """What a shared machine needs to go on is in the file, and no more than was typed."""
    plan = settle_plan(tmp_path, plan_of("batch_size=1,2"))
    content = yaml.safe_load((tmp_path / "sweep.yaml").read_text())
    assert content["space"] == ["batch_size=1,2"]
    assert content["base"]["train"]["epochs"] == 2
    assert plan.recipe == "smoke"


# -- the commands --------------------------------------------------------------------------------


def test_a_sweep_of_nothing_is_said(tmp_path: Path) -> None:
    answer = CliRunner().invoke(app, ["sweep", "-o", str(tmp_path)])
    assert isinstance(answer.exception, InputError)
    assert "Say what is tried" in str(answer.exception)


def test_a_script_is_shown_and_more_trials_are_taken_later(tmp_path: Path) -> None:
    sweep = tmp_path / "s"
    begin = ["sweep", "-r", "smoke", "-o", str(sweep), *DATA, "batch_size=1..4", "--trials", "2"]
    shown = CliRunner().invoke(app, [*begin, "--launcher", "lsf"])
    assert shown.exit_code == 0, shown.output
    assert "[1-2]" in shown.stdout
    assert f"bsub < {sweep / 'trials.lsf'}" in shown.stderr
    more = CliRunner().invoke(
        app, ["sweep", "-o", str(sweep), "--trials", "9", "--launcher", "slurm", "--print"]
    )
    assert "#SBATCH --array=1-4" in more.stdout.splitlines()


def test_status_shows_the_reason_of_a_failure(tmp_path: Path) -> None:
    def fate(folder: Path) -> bool:
        if folder.name == "trial-0001":
            write_record(folder, Outcome("failed", "Scene [x] cannot be read."))
            return False
        return by_rate(folder)

    run(tmp_path, plan_of("learning_rate=1e-3,1e-2"), AtOnce(fate))
    said = CliRunner().invoke(app, ["status", str(tmp_path)]).stdout
    assert "2 runs: 1 done, 1 failed" in said
    assert "trial-0001 failed: Scene [x] cannot be read." in said
    document = json.loads(CliRunner().invoke(app, ["status", str(tmp_path), "--json"]).stdout)
    assert [one["state"] for one in document["trials"]] == ["failed", "done"]
