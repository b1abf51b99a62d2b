import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
import xarray as xr
from typer.testing import CliRunner

import slstr_cloudmask.detectors
from slstr_cloudmask.cli.info import info
from slstr_cloudmask.cli.inputs import expand_inputs
from slstr_cloudmask.cli.predict import predict
from slstr_cloudmask.errors import InputError, MissingFileError
from slstr_cloudmask.io.mask_file import read_mask
from slstr_cloudmask.mask import build_mask
from tests.sen3_product import NAME, NAME_005, THERMAL, write_product

app = typer.Typer()
app.command()(predict)
app.command()(info)
runner = CliRunner()

STEM = NAME.removesuffix(".SEN3")
STEM_005 = NAME_005.removesuffix(".SEN3")


class ColdIsCloud:
    """A detector without a model: cloud below 285 K."""

    name = "cold"

    def __init__(self, asked: dict[str, Any]) -> None:
        self.asked = asked

    def predict(self, scene: xr.Dataset) -> xr.Dataset:
        self.asked["scenes"] = self.asked.get("scenes", 0) + 1
        probability = np.where(scene["S8"].values < 285, 0.9, 0.1)
        return build_mask(scene, probability, threshold=0.5, detector="cold")


@pytest.fixture(autouse=True)
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    """What the command asked the detectors for; run in an empty folder."""
    asked: dict[str, Any] = {}

    def get_detector(name: str, **options: Any) -> ColdIsCloud:
        asked.update(options, name=name)
        return ColdIsCloud(asked)

    monkeypatch.setattr(slstr_cloudmask.detectors, "get_detector", get_detector)
    monkeypatch.chdir(tmp_path)
    return asked


def run(*arguments: str | Path) -> Any:
    return runner.invoke(app, [str(argument) for argument in arguments])


def test_one_product_to_a_file_and_a_picture(tmp_path: Path, asked: dict[str, Any]) -> None:
    product = write_product(tmp_path, bands=THERMAL)

    result = run("predict", product, "-o", "mask.nc", "--quicklook", "mask.png")

    assert result.exit_code == 0, result.output
    # Rows 0 and 1 are below 285 K: 29 and 30 of 119 valid pixels.
    assert result.stdout == (
        f"{NAME}: 49.6% cloud, bands missing: S1 S2 S3 S4 S5 S6, written: mask.nc, mask.png\n"
    )
    assert int((read_mask("mask.nc")["cloud_mask"] == 1).sum()) == 59
    assert Path("mask.png").read_bytes().startswith(b"\x89PNG")
    assert asked == {
        "name": "default",
        "model": None,
        "threshold": "balanced",
        "device": "auto",
        "precision": "auto",
        "scenes": 1,
    }


def test_options_reach_the_detector(tmp_path: Path, asked: dict[str, Any]) -> None:
    product = write_product(tmp_path)

    result = run(
        *("predict", product, "--detector", "network", "--model", "m", "--threshold", "0.3"),
        *("--device", "cpu", "--precision", "fp32"),
    )

    assert result.exit_code == 0, result.output
    assert asked == {
        "name": "network",
        "model": Path("m"),
        "threshold": "0.3",
        "device": "cpu",
        "precision": "fp32",
        "scenes": 1,
    }
    assert Path(f"{STEM}_cloudmask-cold.nc").is_file()  # in the current folder


def test_several_products_to_a_folder(tmp_path: Path) -> None:
    write_product(tmp_path / "in")
    write_product(tmp_path / "in", name=NAME_005)

    result = run("predict", "in/S3?_*.SEN3", "-o", "out", "--quicklook", "pictures")

    assert result.exit_code == 0, result.output
    assert [line.split(":")[0] for line in result.stdout.splitlines()] == [NAME, NAME_005]
    assert sorted(path.name for path in Path("out").iterdir()) == [
        f"{STEM}_cloudmask-cold.nc",
        f"{STEM_005}_cloudmask-cold.nc",
    ]
    assert sorted(path.name for path in Path("pictures").iterdir()) == [
        f"{STEM}_cloudmask-cold.png",
        f"{STEM_005}_cloudmask-cold.png",
    ]


def test_a_product_that_fails_does_not_keep_the_others_from_it(tmp_path: Path) -> None:
    broken = write_product(tmp_path / "in")
    (broken / "S8_BT_in.nc").write_text("")
    write_product(tmp_path / "in", name=NAME_005)

    result = run("predict", "in/*", "in/gone.SEN3", "-o", "out")

    assert result.exit_code == 1
    assert NAME_005 in result.stdout
    lines = result.stderr.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("failed: gone.SEN3: There is no product at in/gone.SEN3.")
    assert lines[1].startswith(f"failed: {NAME}: ")
    assert "S8_BT_in.nc" in lines[1]
    assert len(list(Path("out").iterdir())) == 1


def test_exit_code_2_when_everything_fails(tmp_path: Path) -> None:
    result = run("predict", "gone.SEN3", tmp_path)

    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 2
    assert result.stdout == ""


def test_output_that_exists_is_kept_and_no_work_is_done(
    tmp_path: Path, asked: dict[str, Any]
) -> None:
    product = write_product(tmp_path)
    Path("mask.nc").write_text("precious")

    result = run("predict", product, "-o", "mask.nc")

    assert result.exit_code == 2
    assert "mask.nc exists already. Pass --overwrite to replace it." in result.stderr
    assert Path("mask.nc").read_text() == "precious"
    assert "scenes" not in asked

    assert run("predict", product, "-o", "mask.nc", "--overwrite").exit_code == 0
    assert read_mask("mask.nc").attrs["detector"] == "cold"


def test_a_picture_that_exists_is_kept_before_the_mask_is_made(tmp_path: Path) -> None:
    product = write_product(tmp_path)
    Path("mask.png").write_text("precious")

    assert run("predict", product, "-o", "mask.nc", "--quicklook", "mask.png").exit_code == 2
    assert not Path("mask.nc").exists()


def test_a_pattern_without_a_match_is_an_error() -> None:
    result = run("predict", "nowhere/*.SEN3")

    assert isinstance(result.exception, MissingFileError)
    assert "No file or folder matches 'nowhere/*.SEN3'" in str(result.exception)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-o", "mask.nc"], "mask.nc is one file, and there are several products"),
        (["-o", "out", "--quicklook", "a.png"], "a.png is one file"),
        (["-o", "mask.tif"], "give a name that ends in .nc"),
    ],
)
def test_outputs_that_do_not_fit_are_refused(
    tmp_path: Path, arguments: list[str], message: str
) -> None:
    write_product(tmp_path)
    write_product(tmp_path, name=NAME_005)

    result = run("predict", "*.SEN3", *arguments)

    assert isinstance(result.exception, InputError)
    assert message in str(result.exception)


def test_two_products_of_one_name_do_not_share_an_output(tmp_path: Path) -> None:
    write_product(tmp_path / "a")
    write_product(tmp_path / "b")

    result = run("predict", "*/*.SEN3", "-o", "out")

    assert isinstance(result.exception, InputError)
    assert "would both be written" in str(result.exception)


def test_the_same_product_twice_is_done_once(tmp_path: Path) -> None:
    product = write_product(tmp_path)

    result = run("predict", product, f"{product}/", "-o", "out")

    assert result.exit_code == 0, result.output
    assert len(result.stdout.splitlines()) == 1


def test_info_as_a_table(tmp_path: Path) -> None:
    write_product(tmp_path, bands=THERMAL)

    result = run("info", "*.SEN3")

    assert result.exit_code == 0, result.output
    for words in (NAME, "S1, S2, S3, S4, S5, S6", "relative orbit 23", "93.0%", "gross_cloud"):
        assert words in result.stdout


def test_info_as_json(tmp_path: Path) -> None:
    product = write_product(tmp_path)
    empty = tmp_path / "empty"
    empty.mkdir()

    result = run("info", product, empty, "--json")

    assert result.exit_code == 1
    assert "no SLSTR Level-1 product" in result.stderr
    described = json.loads(result.stdout)
    assert [product["name"] for product in described] == [NAME]
    assert described[0]["bands_missing"] == []


def test_info_of_a_benchmark_file(tmp_path: Path) -> None:
    from slstr_cloudmask.io import open_scene
    from slstr_cloudmask.io.benchmark_hdf import write_scene

    write_scene(tmp_path / f"{STEM}.hdf", open_scene(write_product(tmp_path)))

    result = run("info", f"{STEM}.hdf", "--json")

    assert result.exit_code == 0, result.output
    described = json.loads(result.stdout)[0]
    assert described["platform"] == "Sentinel-3A"
    assert described["valid_share"] == pytest.approx(119 / 128)


@pytest.mark.parametrize("pattern", ["data/**.hdf", "**.SEN3"])
def test_a_pattern_that_cannot_be_is_named(pattern: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(folder: Path, pattern: str) -> None:
        raise ValueError("Invalid pattern: '**' can only be an entire path component")

    # Python 3.13 understands such a pattern; earlier versions refuse it in these words.
    monkeypatch.setattr(Path, "glob", refuse)
    with pytest.raises(InputError, match=r"Invalid pattern.*\*\*/\*\.hdf"):
        expand_inputs([pattern])
