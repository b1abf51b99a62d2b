"""Whole data sets looked at: sums derived by hand, files that are broken, the command."""

import json
from pathlib import Path

import h5py
import numpy as np
import pytest

from slstr_cloudmask.benchmark.download_record import (
    RECORD_NAME,
    DownloadRecord,
    FileRecord,
    write_record,
)
from slstr_cloudmask.benchmark.scene_facts import read_facts
from slstr_cloudmask.benchmark.set_check import check_set, part_of
from slstr_cloudmask.benchmark.set_summary import summarise
from slstr_cloudmask.errors import BrokenFileError, InputError, MissingFileError
from slstr_cloudmask.io.etag import Checked
from slstr_cloudmask.report.data_page import page_place
from slstr_cloudmask.simulate.dataset import simulate_dataset
from slstr_cloudmask.simulate.plan import DatasetConfig
from tests.test_cli import Cli, cli  # noqa: F401

SHAPE = (10, 20)
# The first published test scene, and one that is none.
TEST_SCENE = (
    "S3A_SL_1_RBT____20191001T113221_20191001T113521_20191002T000000_0179_050_023_1980"
    "_LN2_O_NT_003.hdf"
)
OTHER = TEST_SCENE.replace("20191001T113221", "20190901T113221")


def write_file(
    path: Path, *, day: bool = True, bayes: int = 2, flagged_columns: int = 10
) -> dict[str, np.ndarray]:
    """Write ten rows of twenty columns: three empty at the left, one at the right; 1 ... 3 flagged.

    The flagged columns are the first ones of those that were seen.
    """
    refs = np.full((*SHAPE, 6), 0.25 if day else 0.0, np.float32)
    bts = np.full((*SHAPE, 3), 280.0, np.float32)
    label = np.zeros((*SHAPE, 1), np.uint8)
    label[:, 3 : 3 + flagged_columns] = bayes
    for values in (refs, bts, label):
        values[:, :3] = 0
        values[:, -1:] = 0
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        for name, values in (("refs", refs), ("bts", bts), ("bayes", label)):
            file[name] = values
    return {"refs": refs, "bts": bts, "bayes": label}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two training scenes and one of the published test scenes."""
    write_file(tmp_path / "data/training/day" / OTHER)
    write_file(tmp_path / "data/training/night" / OTHER.replace("0901", "0902"), day=False, bayes=1)
    write_file(tmp_path / "data/inference/day" / TEST_SCENE, flagged_columns=4)
    return tmp_path / "data"


def test_the_facts_of_a_scene(tmp_path: Path) -> None:
    path = tmp_path / "day" / OTHER
    layers = write_file(path)
    layers["bts"][0, 5, 1] = np.nan
    layers["bts"][0, 6, 1] = 0
    layers["bayes"][0, 0, 0] = 2
    with h5py.File(path, "r+") as file:
        file["bts"][...] = layers["bts"]
        file["bayes"][...] = layers["bayes"]

    facts = read_facts(path)

    assert (facts.folder, facts.rows, facts.columns, facts.pixels) == ("day", 10, 20, 200)
    # Four of twenty columns are empty: 160 pixels were seen, 100 of them in flagged columns.
    assert (facts.empty_left, facts.empty_right, facts.empty_columns) == (3, 1, 4)
    assert (facts.seen, facts.labelled, facts.flagged) == (160, 160, 100)
    assert facts.labels == {0: 60, 2: 100}
    assert facts.flagged_empty == 1
    assert facts.not_finite == {name: int(name == "S8") for name in facts.bands}
    assert facts.layout["bts"] == "float32 10×20×3, contiguous"
    eight, one = facts.bands["S8"], facts.bands["S1"]
    assert (eight.values, eight.missing, eight.lowest, eight.highest) == (158, 2, 280.0, 280.0)
    assert eight.total == 158 * 280
    # 280 K is in bin (280 - 150) / 0.5 = 260, and 0.25 in bin 0.5 / 0.005 = 100.
    assert np.flatnonzero(eight.counts).tolist() == [260]
    assert np.flatnonzero(one.counts).tolist() in ([99], [100])
    assert one.counts.sum() == 160


def test_a_set_is_summed(root: Path) -> None:
    check = check_set(root, jobs=2)
    document = summarise(check)

    assert [(r["part"], r["scenes"], r["day"], r["night"]) for r in document["counts"]] == [
        ("training", 2, 1, 1),
        ("inference", 1, 1, 0),
    ]
    assert document["counts"][0]["published"] == 970
    assert document["counts"][1]["published_night"] == 45
    assert document["test_scenes"]["present"] == 1
    assert len(document["test_scenes"]["absent_starts"]) == 99
    assert not document["simulated"]
    assert (document["broken"], document["faults"]) == ({}, {})
    shares = {(row["part"], row["folder"]): row for row in document["shares"]}
    # 40 of 200 pixels are flagged, of 160 that were seen; four of twenty columns are empty.
    tested = shares["inference", "day"]
    assert (tested["flagged_frame"], tested["flagged_seen"]) == (0.2, 0.25)
    assert (tested["empty_columns"], tested["empty_pixels"]) == (0.2, 0.2)
    bands = {(row["part"], row["folder"], row["band"]): row for row in document["bands"]}
    assert ("training", "night", "S1") not in bands
    row = bands["training", "night", "S8"]
    assert [row[k] for k in ("lowest", "percent_1", "median", "highest")] == [280.0] * 4
    assert document["labels"][1]["pixels_by_value"] == {"0": 60, "1": 100}
    assert document["layouts"][0]["scenes"] == 3
    json.dumps(document, allow_nan=False)


def test_sums_add_over_scenes(root: Path) -> None:
    second = root / "training/day" / OTHER.replace("0901", "0903")
    layers = write_file(second)
    with h5py.File(second, "r+") as file:
        file["bts"][...] = np.where(layers["bts"] > 0, 300, 0)
    band = check_set(root).bands["training", "day"]["S9"]
    assert (band.scenes, band.values, band.lowest, band.highest) == (2, 320, 280.0, 300.0)
    assert band.total / band.values == 290
    # 300 K is in bin (300 - 150) / 0.5.
    assert {int(i): int(band.counts[i]) for i in np.flatnonzero(band.counts)} == {
        260: 160,
        300: 160,
    }


def test_broken_files_are_named_and_the_others_go_on(root: Path) -> None:
    broken = root / "training/day" / OTHER.replace("0901", "0904")
    broken.write_bytes((root / "training/day" / OTHER).read_bytes()[:3000])
    wrong = root / "training/day" / OTHER.replace("0901", "0905")
    with h5py.File(wrong, "w") as file:
        file["refs"] = np.zeros((10, 20, 5))
        file["bts"] = np.zeros((10, 20, 3))
    empty = root / "training/day" / OTHER.replace("0901", "0906")
    write_file(empty)
    with h5py.File(empty, "r+") as file:
        file["bts"][...] = 0

    check = check_set(root)

    assert set(check.broken) == {p.relative_to(root).as_posix() for p in (broken, wrong)}
    assert "cannot be read as HDF5" in check.broken[broken.relative_to(root).as_posix()]
    assert "expected bts" in check.broken[wrong.relative_to(root).as_posix()] or (
        "expected refs" in check.broken[wrong.relative_to(root).as_posix()]
    )
    facts = check.scenes[empty.relative_to(root).as_posix()]
    assert (facts.seen, facts.empty_columns) == (0, 20)
    document = summarise(check)
    assert document["counts"][0]["broken"] == 2
    json.dumps(document, allow_nan=False)


def test_a_scene_in_both_parts_is_a_fault(root: Path) -> None:
    write_file(root / "training/day" / TEST_SCENE)
    assert set(check_set(root).faults) == {
        f"training/day/{TEST_SCENE}",
        f"inference/day/{TEST_SCENE}",
    }


def test_files_that_are_not_what_was_downloaded(root: Path) -> None:
    name = f"training/day/{OTHER}"
    size = (root / name).stat().st_size
    known = FileRecord(url="u", size=size, etag="0" * 32, checked=Checked.MD5)
    record = DownloadRecord(
        files={
            name: known,
            "training/day/S3A_gone.hdf": known,
            f"inference/day/{TEST_SCENE}": known.model_copy(update={"size": size + 1}),
        }
    )
    write_record(root, record)

    faults = check_set(root).faults
    assert "it is not here" in faults["training/day/S3A_gone.hdf"]
    assert f"expected {size + 1} bytes" in faults[f"inference/day/{TEST_SCENE}"]
    assert name not in faults
    assert "its checksum is not" in check_set(root, checksums=True).faults[name]
    (root / RECORD_NAME).write_text("{")
    with pytest.raises(BrokenFileError, match="cannot be read as the record"):
        check_set(root)


def test_parts_are_told_by_the_folders_around() -> None:
    assert part_of(Path("/x/data"), "ssts/day/a.hdf") == "inference"
    assert part_of(Path("/x/one-day"), "day/a.hdf") == "training"
    assert part_of(Path("/training/mine"), "day/a.hdf") == "scenes"


def test_what_cannot_be_checked(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError):
        check_set(tmp_path)
    with pytest.raises(InputError, match="--jobs"):
        check_set(tmp_path, jobs=0)
    with pytest.raises(InputError, match=r"expected a page, \.html, or \.png"):
        page_place(tmp_path / "a.pdf")
    assert page_place(tmp_path) == tmp_path / "data.html"


def test_the_command(root: Path, cli: Cli, tmp_path: Path) -> None:  # noqa: F811
    page = tmp_path / "page.html"
    code, out, err = cli("data", "verify", root, "-o", page, "--json")
    assert code == 0, err
    assert json.loads(out)["scenes"] == 3
    text = page.read_text("utf-8")
    assert text.count("data:image/png;base64") == 2
    assert "970" in text
    code, _, err = cli("data", "verify", root, "-o", page)
    assert code == 2
    assert "--overwrite" in err

    (root / "training/day" / OTHER.replace("0901", "0904")).write_bytes(b"no HDF5")
    code, out, err = cli("data", "verify", root, "-o", tmp_path / "page.png")
    assert code == 1
    assert "3 of 970" in out
    assert "failed: training/day/S3A_SL_1_RBT____20190904" in err
    assert (tmp_path / "page.png").read_bytes().startswith(b"\x89PNG")


def test_simulated_scenes_in_one_file_each(cli: Cli, tmp_path: Path) -> None:  # noqa: F811
    config = DatasetConfig(scenes=2, test_scenes=1, size=(32, 40), seed=3, format="xarray")
    simulate_dataset(tmp_path / "sim", config)
    document = summarise(check_set(tmp_path / "sim"))
    assert document["simulated"]
    assert [row["scenes"] for row in document["counts"]] == [1, 1]
    assert document["bands"]
