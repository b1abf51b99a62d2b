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
TIE_LONGITUDE = np.array([20.0, 20.15, 20.3, 20.45])  # 16 km near the equator
TIE_LATITUDE = np.array([[10.0], [9.99], [9.98], [9.97]])
STEM_005 = NAME_005.removesuffix(".SEN3")


class ColdIsCloud:
    """A detector without a model: cloud below 285 K."""

    name = "cold"

    def __init__(self, asked: dict[str, Any]) -> None:
        self.asked = asked

    def predict(self, scene: xr.Dataset) -> xr.Dataset:
        self.asked["masked"] = self.asked.get("masked", 0) + 1
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
        "engine": "auto",
        "scenes": 1,
        "masked": 1,
    }


def test_extended_classes_are_written_when_asked_for(tmp_path: Path) -> None:
    product = write_product(tmp_path, bands=THERMAL)

    words = ("--classes", "extended", "-o", "mask.nc", "--quicklook", "mask.png")
    result = run("predict", product, *words)

    assert result.exit_code == 0, result.output
    codes = read_mask("mask.nc")["cloud_mask_extended"].values
    # All cloud is said with .9 where .5 is cloud: sure, and contaminated only at its edge.
    assert int(np.isin(codes, (1, 2)).sum()) == 59
    assert Path("mask.png").exists()
    with pytest.raises(InputError, match="'snow': expected binary or extended"):
        raise run("predict", product, "--classes", "snow").exception


@pytest.mark.parametrize("suffix", [".nc", ".zarr", ".tif"])
def test_the_ending_chooses_the_format(tmp_path: Path, suffix: str) -> None:
    if suffix != ".nc":
        pytest.importorskip("zarr" if suffix == ".zarr" else "rasterio")
        pytest.importorskip("pyresample")
    pytest.importorskip("pystac")
    product = write_product(
        tmp_path, bands=THERMAL, tie_longitude=TIE_LONGITUDE, tie_latitude=TIE_LATITUDE
    )

    for more in ([], ["--overwrite"]):
        result = run("predict", product, "-o", f"mask{suffix}", "--stac", *more)

        assert result.exit_code == 0, result.output
        assert result.stdout.endswith(f"written: mask{suffix}, mask.json\n")
        assert Path(f"mask{suffix}").exists()
        item = json.loads(Path("mask.json").read_text())
        assert item["properties"]["eo:cloud_cover"] == 49.58  # 59 of 119
        assert item["assets"]["mask"]["href"] == f"./mask{suffix}"
    assert run("predict", product, "-o", f"mask{suffix}").exit_code == 2  # kept


def test_format_of_masks_in_a_folder(tmp_path: Path) -> None:
    pytest.importorskip("zarr")
    product = write_product(tmp_path, bands=THERMAL)

    assert run("predict", product, "-o", "out", "--format", "zarr").exit_code == 0

    mask = read_mask(f"out/{STEM}_cloudmask-cold.zarr")
    # Row 0, with 29 valid pixels, is cloud to the product's own tests; row 1, with 30, also to
    # this detector.
    assert int((mask["esa_summary_cloud"] == 1).sum()) == 29
    assert int((mask["agreement"] == 1).sum()) == 29
    assert int((mask["agreement"] == 2).sum()) == 30


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
        "engine": "auto",
        "scenes": 1,
        "masked": 1,
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


def test_reading_in_processes(tmp_path: Path) -> None:
    write_product(tmp_path / "in")
    write_product(tmp_path / "in", name=NAME_005)
    broken = tmp_path / "in" / "broken.hdf"
    broken.write_text("")

    result = run("predict", "in/*", "-o", "out", "--readers", "1")

    assert result.exit_code == 1
    assert [line.split(":")[0] for line in result.stdout.splitlines()] == [NAME, NAME_005]
    assert result.stderr.startswith("failed: broken.hdf: in/broken.hdf cannot be read as HDF5")
    assert len(list(Path("out").iterdir())) == 2
    for wrong in ("-1", "0.5"):
        assert run("predict", "in/*", "-o", "new", "--readers", wrong).exit_code != 0
    assert not Path("new").exists()


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
    assert "masked" not in asked

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
        (["-o", "mask.nc"], "mask.nc is one file, and there are several inputs"),
        (["-o", "out", "--quicklook", "a.png"], "a.png is one file"),
        (["-o", "mask.png"], "give a name that ends in .nc, .zarr or .tif"),
        (["-o", "mask.nc", "--format", "tif"], "give a name that ends in .tif"),
        (["-o", "mask.zarr"], "mask.zarr is one file"),
        (["--format", "hdf"], "Unknown format 'hdf': expected nc, zarr or tif"),
        (["--map-grid", "mercator"], "Unknown map grid 'mercator': expected auto, latlon"),
        (["-o", "out", "--quicklook", "a.jpg"], "give a name that ends in .png"),
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
    assert described[0]["usable_bands"] == {"day": [f"S{number}" for number in range(1, 10)]}


def test_info_tells_which_bands_are_of_use_in_the_light_there_is(tmp_path: Path) -> None:
    write_product(tmp_path, solar_zenith_deg=85.0)

    result = run("info", "*.SEN3")

    assert result.exit_code == 0, result.output
    assert "twilight: S1 S2 S3 S4 S5 S6 S8 S9" in result.stdout


def test_info_of_a_product_without_angles_claims_no_light(tmp_path: Path) -> None:
    product = write_product(tmp_path, bands=THERMAL)
    (product / "geometry_tn.nc").unlink()

    table, document = run("info", product), run("info", product, "--json")

    rows = {line.split("│")[1].strip(): line for line in table.stdout.splitlines() if "│" in line}
    assert rows["illumination"].split("│")[2].strip() == "unknown"
    assert rows["usable bands"].split("│")[2].strip() == "unknown: S8 S9"
    described = json.loads(document.stdout)[0]
    assert described["illumination"] == {"night": None, "twilight": None, "day": None}
    assert described["usable_bands"] == {"unknown": ["S8", "S9"]}


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


def test_both_views_have_masks_of_their_own(tmp_path: Path) -> None:
    product = write_product(tmp_path, oblique=True)

    result = run("predict", product, "--view", "both", "-o", "mask.nc", "--quicklook", "q.png")

    assert result.exit_code == 0, result.output
    assert "% cloud nadir" in result.stdout
    assert "% cloud oblique" in result.stdout
    assert "where both views see: " in result.stdout
    nadir, oblique = read_mask("mask.nc"), read_mask("mask_oblique.nc")
    assert (nadir.attrs["view"], oblique.attrs["view"]) == ("nadir", "oblique")
    assert nadir.sizes["columns"] > oblique.sizes["columns"]
    assert set(np.unique(nadir["cloud_by_view"])) <= {0, 1, 2, 3, 255}
    assert "cloud_by_view" not in oblique
    assert Path("q_oblique.png").exists()


def test_files_in_a_folder_tell_view_and_grid(tmp_path: Path) -> None:
    product = write_product(tmp_path, oblique=True)

    result = run("predict", product, "--view", "both", "--grid", "500m", "-o", "masks")

    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in Path("masks").iterdir()) == [
        f"{STEM}_cloudmask-cold_500m.nc",
        f"{STEM}_cloudmask-cold_oblique_500m.nc",
    ]
    mask = read_mask(f"masks/{STEM}_cloudmask-cold_500m.nc")
    assert mask.sizes == {"rows": 8, "columns": 64}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--view", "up"], "Unknown view 'up': expected nadir, oblique or both"),
        (["--grid", "2km"], "Unknown grid '2km': expected 1km or 500m"),
        (["--regrid", "cubic"], "Unknown regrid 'cubic': expected mean or collocated"),
        (["--radiometry", "raw"], "Unknown radiometry 'raw': expected as_distributed or adjusted"),
    ],
)
def test_ways_of_reading_that_do_not_exist(
    tmp_path: Path, arguments: list[str], message: str
) -> None:
    result = run("predict", write_product(tmp_path), *arguments)

    assert isinstance(result.exception, InputError)
    assert message in str(result.exception)


def test_a_view_that_is_not_there_is_named(tmp_path: Path) -> None:
    result = run("predict", write_product(tmp_path), "--view", "oblique")

    assert result.exit_code == 2
    assert "holds no band of the oblique view" in result.stderr


def test_of_both_views_the_one_that_is_there_is_masked(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    result = run("predict", write_product(tmp_path), "--view", "both", "-o", "mask.nc")

    assert result.exit_code == 0, result.output
    assert "written: mask.nc\n" in result.stdout
    assert "Left out: " in caplog.text
    assert "no band of the oblique view" in caplog.text
