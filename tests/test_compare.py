"""``cloudmask compare`` as a user types it, and the picture that it draws."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
import xarray as xr
from matplotlib.patches import Rectangle
from typer.testing import CliRunner

import slstr_cloudmask.detectors
from slstr_cloudmask.cli.compare import compare
from slstr_cloudmask.cli.info import info
from slstr_cloudmask.errors import InputError, MissingFileError
from slstr_cloudmask.evaluation.comparison import compare_masks
from slstr_cloudmask.evaluation.strata import scene_strata
from slstr_cloudmask.flags import UNKNOWN, flag_variable, value_flag_variable
from slstr_cloudmask.io.mask_file import write_mask
from slstr_cloudmask.io.scene_file import write_scene_file
from slstr_cloudmask.mask import build_mask
from slstr_cloudmask.report.comparison_figure import comparison_figure
from slstr_cloudmask.report.masks import masks_of
from slstr_cloudmask.scene import build_scene

SHAPE = (6, 10)
EXCLUSIVE = {"clear": 0, "cloud": 1}

app = typer.Typer()
app.command()(compare)
app.command()(info)  # one command alone would have no name

Run = Callable[..., Any]


def make_scene() -> xr.Dataset:
    """Colder from left to right; true cloud from column 5; land in the upper half, sea below.

    The summary finds cloud from column 4 on, the Bayesian mask from column 6 on, and the last
    column was not seen.
    """
    rows, columns = np.indices(SHAPE)
    bt_kelvin = np.where(columns == 9, np.nan, 290.0 - 5 * columns)
    bayes = np.where(columns == 9, UNKNOWN, np.where(columns >= 6, 2, 0)).astype(np.uint8)
    surface = np.where(rows < 3, 8, 2).astype(np.uint16)
    summary = np.where(columns == 9, UNKNOWN, columns >= 4)
    return build_scene(
        {"S8": bt_kelvin, "S9": bt_kelvin - 1},
        coordinates={"solar_zenith_angle": np.full(SHAPE, 120.0)},
        flags={
            "bayes": flag_variable(bayes, {"single_moderate": 2}, fill=UNKNOWN),
            "confidence": flag_variable(surface, {"ocean": 2, "land": 8}),
            "summary_cloud": value_flag_variable(summary, EXCLUSIVE, long_name="summary"),
        },
        truth=np.where(columns == 9, UNKNOWN, columns >= 5),
        attributes={
            "platform": "Sentinel-3A (simulated)",
            "start_time": "2019-10-01T11:32:21Z",
            "view": "nadir",
            "grid": "1km",
        },
    )


def make_mask(scene: xr.Dataset, from_column: int) -> xr.Dataset:
    probability = (np.indices(SHAPE)[1] >= from_column) * 0.8 + 0.1
    return build_mask(scene, probability, threshold=0.5, detector="test")


class FromColumnThree:
    """A detector without a model: cloud from column 3 on."""

    name = "three"

    def predict(self, scene: xr.Dataset) -> xr.Dataset:
        return make_mask(scene, 3)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        slstr_cloudmask.detectors, "get_detector", lambda *_, **__: FromColumnThree()
    )
    scene = make_scene()
    write_scene_file("scene.nc", scene)
    write_mask(make_mask(scene, 7), "seven.nc")

    def run(*arguments: str) -> Any:
        return CliRunner().invoke(app, ["compare", *arguments])

    return run


def test_confusion_is_printed_by_illumination_and_surface(run: Run) -> None:
    result = run("scene.nc", "--masks", "ours,summary_cloud")

    assert result.exit_code == 0, result.output
    assert "ours against provider_summary_cloud" in result.stdout
    rows = {line.split("│")[1].strip(): line for line in result.stdout.splitlines() if "│ " in line}
    # Of 9 columns: 0 to 2 clear in both, 3 only ours, 4 to 8 cloud in both.
    for name, pixels in (("all pixels", 54), ("night", 54), ("land", 27), ("ocean", 27)):
        cells = [cell.strip() for cell in rows[name].split("│")[2:-1]]
        assert cells == [str(pixels), "33.3%", "55.6%", "11.1%", "0.0%", "88.9%"]
    assert "day" not in rows
    assert "not accuracy" in result.stdout


def test_truth_brings_scores_and_the_trivial_masks(run: Run) -> None:
    result = run("scene.nc", "--masks", "truth,ours")

    assert result.exit_code == 0, result.output
    rows = {line.split("│")[1].strip(): line for line in result.stdout.splitlines() if "│ " in line}
    # Truth is cloud in columns 5 to 8 of 9, ours in 3 to 8: 4 hits, 2 false alarms, 3 clear.
    # F1 8/10, Kuipers 1 − 2/5, bias 2/9; all clear is right on 5/9.
    cells = [cell.strip() for cell in rows["all pixels"].split("│")[2:-1]]
    assert cells[5:] == ["77.8%", "0.800", "0.600", "+22.2%", "55.6%"]
    cells = [cell.strip() for cell in rows["(all cloud)"].split("│")[2:-1]]
    assert cells[5:] == ["44.4%", "0.615", "0.000", "+55.6%", "55.6%"]


def test_json_holds_counts_of_every_pair(run: Run) -> None:
    result = run(
        "scene.nc", "--masks", "esa_summary_cloud,bayes_single_moderate,seven.nc", "--json"
    )

    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert list(document["masks"]) == [
        "provider_summary_cloud",
        "provider_bayes_single_moderate",
        "seven",
    ]
    everything = [row for row in document["comparisons"] if row["by"] == "all"]
    # Cloud from columns 4, 6 and 7 on: the pairs differ by 2, 3 and 1 columns of 6 pixels.
    assert [row["only_first"] for row in everything] == [12, 18, 6]
    assert [row["only_second"] for row in everything] == [0, 0, 0]
    assert "scores" not in everything[0]


@pytest.mark.parametrize("against", ["summary_cloud", "provider_summary_cloud"])
@pytest.mark.parametrize("masks", ["summary_cloud,truth,seven.nc", "truth,seven.nc"])
def test_each_is_compared_with_one(run: Run, masks: str, against: str) -> None:
    result = run("scene.nc", "--masks", masks, "--against", against, "--json")

    assert result.exit_code == 0, result.output
    rows = [row for row in json.loads(result.stdout)["comparisons"] if row["by"] == "all"]
    assert [(row["first"], row["second"]) for row in rows] == [
        ("provider_summary_cloud", "truth"),
        ("seven", "provider_summary_cloud"),
    ]
    # Cloud from columns 5, 7 and 4 on.
    assert [(row["only_first"], row["only_second"]) for row in rows] == [(6, 0), (0, 18)]


def test_what_is_compared_with_must_be_there(run: Run) -> None:
    result = run("scene.nc", "--against", "bayes_dual")

    assert isinstance(result.exception, InputError)
    assert "There is no mask 'bayes_dual'" in str(result.exception)


def test_mask_files_are_named_shortly_and_apart(run: Run) -> None:
    mask = make_mask(make_scene(), 7)
    write_mask(mask, "S3A_SL_1_RBT_cloudmask-thresholds.nc")
    write_mask(mask, "new/seven.nc")

    result = run(
        *("scene.nc", "--json", "--masks"),
        "seven.nc,new/seven.nc,S3A_SL_1_RBT_cloudmask-thresholds.nc",
    )

    assert list(json.loads(result.stdout)["masks"]) == ["seven", "new/seven.nc", "thresholds"]


def test_picture_is_drawn(run: Run) -> None:
    result = run("scene.nc", "--masks", "ours,seven.nc", "-o", "new/compare.png", "--json")

    assert result.exit_code == 0, result.output
    assert Path("new/compare.png").read_bytes().startswith(b"\x89PNG")
    json.loads(result.stdout)
    assert "Drawn: new/compare.png" in result.stderr


def test_picture_that_exists_is_kept_before_any_work(run: Run) -> None:
    Path("compare.png").write_text("precious")

    result = run("scene.nc", "-o", "compare.png")

    assert "exists already" in str(result.exception)
    assert Path("compare.png").read_text() == "precious"


@pytest.mark.parametrize(
    ("masks", "message"),
    [
        ("ours,nonsense", "no mask 'nonsense': expected any of ours, provider_summary_cloud, "),
        ("ours", "Two masks or more are compared, and 1 was named"),
        (",", "and none was named"),
        ("ours,ours", "'ours' is named twice"),
        ("seven.nc,seven.nc", "'seven' is named twice"),
        ("summary_cloud,provider_summary_cloud", "'provider_summary_cloud' is named twice"),
        ("ours,small.nc", "small.nc has 6 x 9 pixels and the scene 6 x 10"),
        ("ours,later.nc", "later.nc is of another scene"),
        ("ours,unknown.nc", "know no pixel in common"),
    ],
)
def test_masks_that_do_not_fit_are_named(run: Run, masks: str, message: str) -> None:
    scene = make_scene()
    mask = make_mask(scene, 4)
    write_mask(mask.isel(columns=slice(9)), "small.nc")
    write_mask(mask.assign_attrs(start_time="2019-10-01T11:35:21Z"), "later.nc")
    write_mask(build_mask(scene, np.full(SHAPE, np.nan), threshold=0.5, detector="x"), "unknown.nc")

    result = run("scene.nc", "--masks", masks)

    assert isinstance(result.exception, InputError)
    assert message in str(result.exception)


def test_mask_file_that_is_not_there(run: Run) -> None:
    result = run("scene.nc", "--masks", "ours,gone.nc")

    assert isinstance(result.exception, MissingFileError)
    assert "There is no mask file gone.nc" in str(result.exception)


@pytest.mark.parametrize(
    ("lacks", "other"),
    [
        ([], "provider_summary_cloud"),
        (["summary_cloud"], "provider_bayes_single_moderate"),
        (["summary_cloud", "bayes"], "truth"),
    ],
)
def test_by_default_ours_is_compared_with_what_is_there(
    run: Run, lacks: list[str], other: str
) -> None:
    write_scene_file("less.nc", make_scene().drop_vars(lacks))

    result = run("less.nc", "--json")

    assert result.exit_code == 0, result.output
    assert list(json.loads(result.stdout)["masks"]) == ["ours", other]


def test_nothing_to_compare_with(run: Run) -> None:
    bare = make_scene().drop_vars(["summary_cloud", "bayes", "truth"])
    write_scene_file("bare.nc", bare)

    result = run("bare.nc")

    assert isinstance(result.exception, InputError)
    assert "There is nothing to compare with" in str(result.exception)


def test_several_products_are_refused(run: Run) -> None:
    result = run("*.nc")

    assert isinstance(result.exception, InputError)
    assert "matches 2 products" in str(result.exception)


def test_bars_are_as_long_as_the_shares() -> None:
    scene = make_scene()
    masks = masks_of(scene)
    chosen = {name: masks[name] for name in ("provider_summary_cloud", "truth")}
    rows = compare_masks({name: mask.values for name, mask in chosen.items()}, scene_strata(scene))

    figure = comparison_figure(scene, chosen, rows)

    chart, bars = figure.axes
    assert chart.get_title("left") == "provider_summary_cloud against truth"
    assert chart.get_title("right") == "88.9% agree"
    # All, night, land, ocean; clear in both 4 of 9, cloud in both 4, only the first 1.
    assert len(rows) == 4
    widths = [bar.get_width() for bar in bars.patches if isinstance(bar, Rectangle)]
    assert widths == pytest.approx([4 / 9] * 8 + [1 / 9] * 4 + [0] * 4)
    labels = [label.get_text() for label in bars.get_yticklabels()]
    assert labels == ["all pixels\n54", "night\n54", "land\n27", "ocean\n27"]
    entries = [text.get_text() for box in figure.legends for text in box.get_texts()]
    assert "cloud only in truth" in entries


def test_several_pairs_share_one_legend() -> None:
    scene = make_scene()
    masks = masks_of(scene)
    rows = compare_masks({name: mask.values for name, mask in masks.items()}, {})

    figure = comparison_figure(scene, masks, rows)

    assert len(masks) == 3
    assert len(figure.axes) == 6
    entries = [text.get_text() for box in figure.legends for text in box.get_texts()]
    assert entries == [
        "both clear",
        "both cloud",
        "cloud only in the first",
        "cloud only in the second",
        "unknown, no data",
    ]


def test_many_pairs_are_maps_side_by_side() -> None:
    scene = make_scene()
    masks = {f"mask-{number}": masks_of(scene)["truth"] for number in range(5)}
    values = {name: mask.values for name, mask in masks.items()}
    rows = compare_masks(values, scene_strata(scene), "mask-0")

    figure = comparison_figure(scene, masks, rows)

    titles = [axes.get_title("left") for axes in figure.axes]
    assert titles == [f"mask-{number} against mask-0" for number in range(1, 5)]
    places = [axes.get_position() for axes in figure.axes]
    assert places[0].y0 == places[2].y0 > places[3].y1
    assert places[0].x0 == places[3].x0 < places[1].x0
