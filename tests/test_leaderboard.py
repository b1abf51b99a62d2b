"""The leaderboard: what was published, and that numbers of different data or metrics never meet."""

import csv
import io
import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from slstr_cloudmask.benchmark.board import Board, Table, make_board
from slstr_cloudmask.benchmark.board_sets import (
    EPOCH,
    OVERLAPPED,
    PUBLISHED,
    TRUE,
    VALID,
    WHOLE,
    published_reference,
)
from slstr_cloudmask.benchmark.board_table import board_csv
from slstr_cloudmask.benchmark.published_runs import (
    published_all_cloud,
    published_machines,
    published_runs,
    published_scaling,
)
from slstr_cloudmask.benchmark.scaling_curves import published_curve, read_curves
from slstr_cloudmask.benchmark.scene_sets import (
    PUBLISHED_TEST_SCENES,
    PUBLISHED_TRAINING_SCENES,
    data_faults,
    scored_scenes,
)
from slstr_cloudmask.benchmark.statistics import describe
from slstr_cloudmask.cli.app import app
from slstr_cloudmask.errors import BrokenFileError, MissingFileError, OutputExistsError
from slstr_cloudmask.report.board_page import write_board
from tests.published_runs import edit, published_run, scene_rows


def table(board: Board, measure: object, *, published: bool) -> Table:
    (found,) = (
        one
        for one in board.tables
        if one.measure == measure and (one.data.name == PUBLISHED_TEST_SCENES.name) == published
    )
    return found


def test_the_published_tables_are_whole_and_name_their_sources() -> None:
    runs = published_runs()
    assert len(runs) == 5 + 30 + 19
    for rows in (runs, published_machines(), published_scaling()):
        assert all(row.source for row in rows)
    assert published_all_cloud()[0] == 0.80914554
    # The statistics that the source's own notebook leads to: 35 runs, 0.89004 ± 0.00416.
    greene = [run.test_accuracy for run in runs if run.series.startswith("Greene")]
    spread = describe(greene)
    assert len(greene) == 35
    assert (spread.mean, spread.sd) == pytest.approx((0.89004, 0.00416), abs=5e-6)
    assert (spread.minimum, spread.maximum) == (0.872865, 0.896051)


def test_the_time_of_an_epoch_divides_by_the_epochs_that_were_run() -> None:
    second = published_runs()[1]
    # Printed: 98.75 s, through 200 epochs; 147 were run: 98.75 · 200 / 147.
    assert second.seconds_per_epoch == pytest.approx(134.3537, abs=1e-4)
    # And 1.46 s for each of 100 scenes: 98.75 · 200 + 146.
    assert second.seconds == 19896
    rivanna = next(run for run in published_runs() if run.total_seconds is not None)
    assert (rivanna.seconds_per_epoch, rivanna.seconds) == (None, 647.1)


def test_the_published_curve() -> None:
    curve = published_curve()
    # 530 s alone and 45 s on 32: 530 / 45 = 11.78 times as fast, 36.8 % of 32.
    assert curve.speed_up(32) == pytest.approx(530 / 45)
    assert curve.efficiency(32) == pytest.approx(0.368, abs=5e-4)
    assert curve.efficiency(1) == 1


def test_simulated_scenes_never_stand_beside_the_published_ones(finished_run: Path) -> None:
    board = make_board([finished_run])
    keys = [(one.measure, one.data) for one in board.tables]
    assert len(set(keys)) == len(keys)
    for one in board.tables:
        competing = {row.runs.published for row in one.rows if row.runs.competes}
        assert len(competing) == 1, one.title
    for measure in (PUBLISHED, VALID, TRUE, EPOCH, OVERLAPPED):
        (row,) = (r for r in table(board, measure, published=False).rows if r.runs.competes)
        assert (row.rank, row.runs.name) == (1, "run")
    own = table(board, PUBLISHED, published=False)
    assert own.data.simulated
    assert "simulated" in own.title
    # The masks beside the network are there to compare with, without a rank.
    beside = {row.runs.name: row.rank for row in own.rows if not row.runs.competes}
    assert beside == {"all cloud": None, "all clear": None, "thresholds": None}


def test_no_column_of_the_csv_holds_both(finished_run: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(board_csv(make_board([finished_run])))))
    columns = [name for name in rows[0] if "_" in name and not name.startswith("sd of")]
    assert len([name for name in columns if name.startswith("published_accuracy")]) == 2
    for name in columns:
        if name != "mean_epochs":
            assert len({row["published"] for row in rows if row[name]}) == 1, name


def test_runs_on_the_published_scenes_join_them(finished_run: Path, tmp_path: Path) -> None:
    published_run(finished_run, tmp_path / "two" / "run-1", seed=1, accuracy=0.91)
    published_run(finished_run, tmp_path / "two" / "run-2", seed=2, accuracy=0.93)
    board = make_board([tmp_path / "two"])
    accuracy = table(board, PUBLISHED, published=True)
    first = accuracy.rows[0]
    # Mean 0.92; deviations ±0.01: sd = √(2 · 0.01²) = 0.01414.
    assert (first.rank, first.runs.name, len(first.spread.values)) == (1, "two", 2)
    assert (first.spread.mean, first.spread.sd) == pytest.approx((0.92, 0.014142), abs=1e-6)
    assert accuracy.rows[1].runs.published
    epoch = table(board, EPOCH, published=True)
    assert epoch.data == PUBLISHED_TRAINING_SCENES
    assert {row.runs.published for row in epoch.rows} == {True, False}
    # Fewer epochs take less time: nobody is better for that.
    whole = table(board, WHOLE, published=True)
    assert {row.rank for row in whole.rows} == {None}
    means = [row.spread.mean for row in whole.rows if row.spread.mean is not None]
    assert means == sorted(means)


@pytest.mark.parametrize("change", ["label", "name", "fewer"])
def test_altered_test_data_are_other_data(change: str) -> None:
    rows = scene_rows()
    document = {
        "scenes": rows,
        "data": {"simulated": False, "inference": "ds1/inference", "inference_failed": {}},
    }
    assert scored_scenes(document) == PUBLISHED_TEST_SCENES
    assert data_faults(document) == []
    if change == "label":  # 2000 of 180 million pixels: 1.1e-5
        rows[3]["every_pixel"]["tn"] -= 2000
        rows[3]["every_pixel"]["fn"] += 2000
        words = "labels are altered"
    elif change == "name":
        rows[3]["scene"] = rows[3]["scene"].replace("LN2_O_NT_003", "LR1_R_NT_004")
        words = "1 of the 100 published test scenes are missing"
    else:
        rows.pop()
        words = "found 55 by day, 44 by night"
    assert scored_scenes(document) != PUBLISHED_TEST_SCENES
    assert any(words in fault for fault in data_faults(document)), data_faults(document)


def test_the_reference_is_35_runs_of_which_five_tell_times() -> None:
    values = published_reference().values
    assert len(values[PUBLISHED, PUBLISHED_TEST_SCENES]) == 35
    assert len(values[EPOCH, PUBLISHED_TRAINING_SCENES]) == 5


def scaling_folder(folder: Path) -> Path:
    rows = [(1, 50.0), (2, 80.0), (4, 120.0)]
    training = [{"mode": "strong", "ranks": n, "patches_per_second": r} for n, r in rows]
    folder.mkdir()
    document = {"training": training, "settings": {"machine": "a laptop"}}
    (folder / "scaling.json").write_text(json.dumps(document))
    return folder


def test_measured_scaling_is_read(tmp_path: Path) -> None:
    folder = scaling_folder(tmp_path / "scaled")
    published, own = make_board([folder]).curves
    assert published.published
    assert own.name == "scaled, a laptop"
    # 120 / 50 = 2.4 times as fast on four: 60 %.
    assert (own.speed_up(4), own.efficiency(4)) == pytest.approx((2.4, 0.6))
    for broken in ("{", "[]", '{"training": [{"mode": "strong"}]}'):
        (folder / "scaling.json").write_text(broken)
        with pytest.raises(BrokenFileError, match=r"scaling\.json cannot be read"):
            read_curves(folder)


def test_what_is_no_run_is_said(finished_run: Path, tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="holds no finished run"):
        make_board([tmp_path])
    shutil.copy(finished_run / "result.json", tmp_path)
    edit(tmp_path / "result.json", scenes=None)
    with pytest.raises(BrokenFileError, match="is not whole"):
        make_board([tmp_path])


def test_the_page_is_one_file_and_is_not_replaced(finished_run: Path, tmp_path: Path) -> None:
    board = make_board([finished_run, scaling_folder(tmp_path / "scaled")])
    page = write_board(board, tmp_path / "out")
    text = page.read_text()
    names = {path.name for path in page.parent.iterdir()}
    assert names == {
        *("leaderboard.html", "leaderboard.json", "leaderboard.csv"),
        *("accuracy.png", "scaling.png"),
    }
    assert text.count('src="data:image/png;base64,') == 2
    assert "https://" not in text
    assert "nothing here says how a mask does on real ones" in text
    for flaw in board.flaws:
        assert flaw.replace("'", "&#39;") in text
    with pytest.raises(OutputExistsError):
        write_board(board, tmp_path / "out")
    page.unlink()
    with pytest.raises(OutputExistsError):  # one that is left is enough, and none is written
        write_board(board, tmp_path / "out")
    assert not page.exists()


def test_the_command(finished_run: Path) -> None:
    command = CliRunner()
    shown = command.invoke(app, ["leaderboard", str(finished_run)])
    assert shown.exit_code == 0
    assert "Greene, five runs, 200 epochs" in shown.stdout
    assert "What to know of the published numbers" in shown.stdout
    told = json.loads(command.invoke(app, ["leaderboard", "--json"]).stdout)
    assert {row["by"] for row in told["tables"]} == {"accuracy", "time"}
    assert command.invoke(app, ["leaderboard", "--json", "--csv"]).exit_code == 2
