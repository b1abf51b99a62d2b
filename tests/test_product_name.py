from datetime import UTC, datetime
from pathlib import Path

import pytest

from slstr_cloudmask.io.product_name import (
    EXAMPLE,
    parse_product_name,
    product_folder_name,
    product_stem,
)

NRT = (
    "S3B_SL_1_RBT____20210827T074336_20210827T074636_20210827T094954_0179_075_320_3060_LN2_O_NR_004"
)
BLANK_FRAME = (
    "S3A_SL_1_RBT____20170602T090746_20170602T091046_20181003T205946_0179_018_207______LR1_R_NT_003"
)


def test_every_part_of_a_name_is_read() -> None:
    name = parse_product_name(NRT + ".SEN3")

    assert name is not None
    assert name.stem == NRT
    assert name.platform == "Sentinel-3B"
    assert name.start == datetime(2021, 8, 27, 7, 43, 36, tzinfo=UTC)
    assert name.stop == datetime(2021, 8, 27, 7, 46, 36, tzinfo=UTC)
    assert name.created == datetime(2021, 8, 27, 9, 49, 54, tzinfo=UTC)
    assert (name.duration_s, name.cycle, name.relative_orbit) == (179, 75, 320)
    assert (name.frame, name.centre, name.disposition) == ("3060", "LN2", "O")
    assert (name.timeliness, name.baseline) == ("NR", "004")


def test_a_blank_frame_is_read() -> None:
    name = parse_product_name(BLANK_FRAME)

    assert name is not None
    assert (name.relative_orbit, name.frame, name.centre) == (207, "____", "LR1")
    assert (name.timeliness, name.baseline) == ("NT", "003")


@pytest.mark.parametrize("ending", ["", ".SEN3", ".hdf", ".zip", ".SEN3.zip", ".SEN3/", ".sen3"])
def test_every_ending_leaves_the_same_stem(ending: str) -> None:
    name = parse_product_name(NRT + ending)

    assert name is not None
    assert name.stem == NRT


def test_a_manifest_names_the_product_that_it_is_in() -> None:
    manifest = Path("somewhere") / EXAMPLE / "xfdumanifest.xml"

    name = parse_product_name(manifest)

    assert name is not None
    assert name.stem + ".SEN3" == EXAMPLE
    assert product_stem(manifest) + ".SEN3" == EXAMPLE


@pytest.mark.parametrize(
    "name",
    [
        "",
        "scene.hdf",
        "my_" + EXAMPLE,
        EXAMPLE.replace("SL_1_RBT", "SL_2_LST"),
        EXAMPLE.replace("20191001T113221", "20191301T113221"),  # month 13
        EXAMPLE.replace(".SEN3", "_copy.SEN3"),
    ],
)
def test_another_name_is_no_error(name: str) -> None:
    assert parse_product_name(name) is None


def test_stem_of_a_renamed_product() -> None:
    assert product_stem("folder/lakes.SEN3") == "lakes"
    assert product_stem("folder/scene.hdf") == "scene"


@pytest.mark.parametrize("mission", ["A", "B", "C", "D"])
@pytest.mark.parametrize(
    "ending",
    [
        "LR1_R_NT_003",
        "LN2_O_NR_004",
        "MAR_O_NR_005",
        "ESA_O_ST_004",
        "LN2_D_NT_002",
        "PS1_F_NT_005",
    ],
)
@pytest.mark.parametrize("frame", ["1980", "____"])
def test_every_form_of_name_is_read(mission: str, ending: str, frame: str) -> None:
    stem = (
        f"S3{mission}_SL_1_RBT____20210827T074336_20210827T074636_20210827T094954_0179_075_320_"
        f"{frame}_{ending}"
    )

    name = parse_product_name(f"{stem}.SEN3")

    assert name is not None
    assert (name.stem, name.platform, name.frame) == (stem, f"Sentinel-3{mission}", frame)
    assert (name.disposition, name.timeliness, name.baseline) == tuple(ending.split("_")[1:])


@pytest.mark.parametrize("root", ["s3://eodata/SLSTR/", "https://me:pw@example.org/a/", "far/a/"])
@pytest.mark.parametrize("ending", [".SEN3", ".SEN3/", ".SEN3/xfdumanifest.xml", ".zip"])
def test_a_url_names_its_product(root: str, ending: str) -> None:
    queries = ["", "?token=a/b.zip", "#part"] if "://" in root else [""]
    for query in queries:
        name = parse_product_name(root + NRT + ending + query)

        assert name is not None
        assert name.stem == NRT
        assert product_stem(root + NRT + ending + query) == NRT


def test_last_part_of_a_path_or_url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / EXAMPLE / "below"
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder.parent)
    assert product_folder_name(".") == product_folder_name("xfdumanifest.xml") == EXAMPLE
    monkeypatch.chdir(folder)
    assert product_folder_name("..") == EXAMPLE
    assert product_folder_name(Path(f"s3://bucket/{EXAMPLE}/xfdumanifest.xml")) == EXAMPLE
    assert product_folder_name("https://h/lakes.zip?name=rivers.zip") == "lakes.zip"
    assert product_stem("https://h/lakes.zip?name=rivers.zip") == "lakes"
