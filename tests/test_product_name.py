from datetime import UTC, datetime
from pathlib import Path

import pytest

from slstr_cloudmask.io.product_name import EXAMPLE, parse_product_name, product_stem

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
