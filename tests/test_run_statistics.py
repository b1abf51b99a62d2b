"""Statistics of several runs, two sets of runs compared, and the command that prints them."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from slstr_cloudmask.benchmark.differences import differences
from slstr_cloudmask.benchmark.result_file import FORMAT_VERSION, write_result
from slstr_cloudmask.benchmark.run_sets import Target, compare_sets, find_runs, statistics_of
from slstr_cloudmask.benchmark.statistics import compare_paired, compare_unpaired, describe
from slstr_cloudmask.cli.app import app
from slstr_cloudmask.errors import InputError, MissingFileError


def test_the_spread_of_four_runs() -> None:
    spread = describe([2, 4, 4, 6])
    assert spread.mean == 4
    # Deviations -2, 0, 0, 2: squares sum to 8, through 3.
    assert spread.sd == pytest.approx(math.sqrt(8 / 3))
    # Student's t of 3 degrees of freedom at 97.5 %: 3.1824 (any table).
    half = 3.1824 * math.sqrt(8 / 3) / 2
    assert spread.ci_low == pytest.approx(4 - half, abs=1e-4)
    assert spread.ci_high == pytest.approx(4 + half, abs=1e-4)
    assert spread.mean_without_extremes == 4
    assert (spread.minimum, spread.maximum) == (2, 6)


def test_what_is_not_defined_is_none_and_never_zero() -> None:
    one = describe([0.9])
    assert (one.mean, one.minimum, one.maximum) == (0.9, 0.9, 0.9)
    assert one.sd is one.ci_low is one.ci_high is one.mean_without_extremes is None
    assert describe([1, 2]).mean_without_extremes is None
    # Two of three reached the target: their mean would flatter.
    some = describe([10, None, 20])
    assert some.values == (10, None, 20)
    assert some.mean is some.sd is some.minimum is some.maximum is None
    assert describe([]).mean is None


def test_pairs_are_compared() -> None:
    # Differences 1, 2, 3: mean 2, sd 1, t = 2·√3 = 3.4641 of 2 degrees of freedom. For two degrees
    # p = 1 − t/√(t² + 2) = 1 − 3.4641/√14 = 0.07418; t at 97.5 % is 4.3027.
    found = compare_paired([2, 4, 6], [1, 2, 3])
    assert (found.kind, found.runs, found.difference) == ("paired", (3, 3), 2)
    assert found.p_t == pytest.approx(0.07418, abs=1e-5)
    assert found.ci_low == pytest.approx(2 - 4.3027 / math.sqrt(3), abs=1e-4)
    # All three up: 2 of the 8 equally likely signs are as one-sided.
    assert found.p_sign == pytest.approx(0.25)
    assert found.p_wilcoxon == pytest.approx(0.25)
    assert found.verdict == "not told apart"
    assert compare_paired([2.1, 2, 1.9], [1, 1, 1]).verdict == "higher"
    assert compare_paired([1, 1, 1], [2.1, 2, 1.9]).verdict == "lower"


def test_sets_are_compared_by_welch() -> None:
    # Means 2 and 5, variances 1 and 1, three each: t = −3/√(2/3) = −3.6742 of 4 degrees of freedom;
    # p = 0.02131 (Student's distribution function); t at 97.5 % is 2.7764.
    found = compare_unpaired([1, 2, 3], [4, 5, 6])
    assert (found.kind, found.difference) == ("unpaired", -3)
    assert found.p_t == pytest.approx(0.02131, abs=1e-5)
    assert found.ci_high == pytest.approx(-3 + 2.7764 * math.sqrt(2 / 3), abs=1e-4)
    assert found.p_wilcoxon is None
    assert found.verdict == "lower"


@pytest.mark.parametrize(
    ("first", "second", "difference"),
    [
        ([2.0], [1.0], 1.0),  # one pair
        ([2, 3], [1, 2], 1),  # every difference the same: no chance to measure it by
        ([0.92, 0.94, 0.95], [0.90, 0.92, 0.93], pytest.approx(0.02)),  # but for rounding
        ([1, 2], [1, 2], 0),
        ([1, None], [1, 2], None),
        ([], [], None),
    ],
)
def test_no_verdict_without_a_spread(
    first: list[float | None], second: list[float | None], difference: float | None
) -> None:
    for compare in (compare_paired, compare_unpaired):
        found = compare(first, second)
        if compare is compare_paired or difference is None or len(first) == 1:
            assert found.verdict == "undefined"
            assert found.p_t is None
        assert found.difference == difference


def history(*agreements: float) -> list[dict[str, Any]]:
    return [
        {
            "epoch": number,
            "train_seconds": 3.0,
            "validation_seconds": 1.0,
            "validation_agreement": agreement,
            "validation_loss": 1 - agreement,
            "validation_kuipers": None,
        }
        for number, agreement in enumerate(agreements, start=1)
    ]


def test_the_time_to_a_target() -> None:
    epochs = history(0.8, 0.91, 0.85, 0.95)
    assert Target().reached(epochs) == (2, 8)  # two epochs of 3 + 1 seconds
    assert Target(0.95).reached(epochs) == (4, 16)
    assert Target(0.99).reached(epochs) is None
    # A loss falls to its target; what is not defined reaches none.
    assert Target(0.1, "validation_loss").reached(epochs) == (2, 8)
    assert Target(0.0, "validation_kuipers").reached(epochs) is None
    with pytest.raises(InputError, match=r"no measure 'agreement': expected one of .*validation_"):
        Target(0.9, "agreement").reached(epochs)


def make_run(
    folder: Path, seed: int, value: float, *, scenes: tuple[str, ...] = ("a", "b"), **train: object
) -> Path:
    row = {"name": "network: accuracy", "value": value, "unit": "1", "label": "agreement"}
    document = {
        "format_version": FORMAT_VERSION,
        "config": {"output_dir": str(folder), "train": {"seed": seed, "epochs": 2, **train}},
        "training": {"epochs": 2, "history": history(0.8, value)},
        "measurements": [{**row, "data": "ssts"}],
        "scenes": [{"scene": name} for name in scenes],
    }
    write_result(document, folder)
    return folder


def make_set(folder: Path, first_seed: int, *values: float) -> Path:
    for number, value in enumerate(values, start=1):
        make_run(folder / f"run-{number}", first_seed + number - 1, value)
    return folder


def by_name(rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in rows}


def test_a_set_of_runs(tmp_path: Path) -> None:
    runs = find_runs([make_set(tmp_path / "a", 1, *([0.90] * 9), 0.95, 0.85)])
    assert [run.seed for run in runs] == list(range(1, 12))  # run-10 after run-9
    rows = by_name(statistics_of(runs))
    assert rows["network: accuracy"]["mean"] == pytest.approx((9 * 0.9 + 0.95 + 0.85) / 11)
    assert rows["network: accuracy"]["label"] == "agreement"
    reached = rows["epochs until validation agreement 0.9"]
    # The last run never got there.
    assert reached["values"] == [*[2] * 10, None]
    assert (reached["mean"], reached["undefined"]) == (None, 1)


def test_runs_of_different_scenes_or_no_runs_are_refused(tmp_path: Path) -> None:
    one, other = make_run(tmp_path / "a", 1, 0.9), make_run(tmp_path / "b", 2, 0.9, scenes=("c",))
    with pytest.raises(InputError, match="masked different scenes"):
        find_runs([one, other])
    with pytest.raises(InputError, match="masked different scenes"):
        compare_sets(find_runs([one]), find_runs([other]))
    with pytest.raises(InputError, match="named twice"):
        find_runs([one, tmp_path / "b" / ".." / "a"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(MissingFileError, match="holds no finished run"):
        find_runs([tmp_path / "empty"])


def test_a_set_of_two_configurations_is_said_to_be(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    find_runs([make_set(tmp_path / "a", 1, 0.9, 0.9)])
    assert not caplog.records
    find_runs([make_run(tmp_path / "b", 1, 0.9), make_run(tmp_path / "c", 2, 0.9, batch_size=9)])
    assert "differ in train.batch_size: the spread is not" in caplog.text


def test_pairs_are_of_one_seed(tmp_path: Path) -> None:
    first = find_runs([make_set(tmp_path / "a", 1, 0.91, 0.92, 0.94)])
    # Seeds 2, 3, 4 against 1, 2, 3: 0.92 − 0.90 and 0.94 − 0.91.
    second = find_runs([make_set(tmp_path / "b", 2, 0.90, 0.91, 0.50)])
    row = by_name(compare_sets(first, second))["network: accuracy"]
    assert (row["kind"], row["runs"]) == ("paired", (2, 2))
    assert row["difference"] == pytest.approx(0.025)
    # No seed, or but one, in common; or a seed twice.
    for seed, values in ((7, (0.90, 0.91)), (3, (0.90, 0.91))):
        other = find_runs([make_set(tmp_path / f"c{seed}", seed, *values)])
        row = by_name(compare_sets(first, other))["network: accuracy"]
        assert (row["kind"], row["runs"]) == ("unpaired", (3, 2))
    twice = find_runs([make_run(tmp_path / f"d{n}", seed, 0.9) for n, seed in enumerate((1, 2, 2))])
    assert compare_sets(first, twice)[0]["kind"] == "unpaired"


def test_differences_of_configurations() -> None:
    first = {"train": {"seed": 1, "epochs": 2}, "data": {"store": "a", "label": "bayes"}, "x": 1}
    second = {"train": {"seed": 2, "epochs": 2}, "data": {"store": "b", "label": "bayes"}, "y": 1}
    assert differences(first, second) == ["train.seed", "x", "y"]
    assert differences(first, second, ignoring={"train", "x"}) == ["data.store", "y"]


def test_the_command(tmp_path: Path) -> None:
    runner = CliRunner()
    first, second = make_set(tmp_path / "a", 1, 0.91, 0.93), make_set(tmp_path / "b", 1, 0.80, 0.81)
    shown = runner.invoke(app, ["runs", str(first)], catch_exceptions=False)
    assert shown.exit_code == 0
    assert "network: accuracy" in shown.output
    assert "0.92" in shown.output
    compared = runner.invoke(app, ["runs", str(first), "--against", str(second)])
    assert "2 runs less 2, paired by seed" in compared.output
    # Differences 0.11 and 0.12: t = 0.115 / 0.005 = 23 of one degree, p = 2/π·atan(1/23) = 0.0277.
    assert "0.02766" in compared.output
    assert "higher" in compared.output
    told = runner.invoke(app, ["runs", str(first), "-a", str(second), "--json"])
    assert by_name(json.loads(told.output))["network: accuracy"]["difference"] == pytest.approx(
        0.115  # (0.11 + 0.12) / 2
    )
    one = runner.invoke(app, ["runs", str(first / "run-1"), "--target", "0.95"])
    assert "(1 undefined)" in one.output
