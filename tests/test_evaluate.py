"""``cloudmask evaluate``: detectors on scenes, the page, and what goes wrong."""

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from typer.testing import CliRunner

from slstr_cloudmask.assessment import assess, contenders, make_plan
from slstr_cloudmask.assessment.contenders import HIDDEN, name_contenders, without_answers
from slstr_cloudmask.cli.app import app
from slstr_cloudmask.detectors import get_detector
from slstr_cloudmask.detectors.network import Network
from slstr_cloudmask.detectors.thresholds import Thresholds
from slstr_cloudmask.errors import InputError, MissingFileError
from slstr_cloudmask.evaluation.counts import Counts
from slstr_cloudmask.evaluation.strata import EVERY_KIND, EVERYTHING, rank, scene_strata
from slstr_cloudmask.flags import flag_variable, value_flag_variable
from slstr_cloudmask.io import open_scene
from slstr_cloudmask.io.find_scenes import find_scenes
from slstr_cloudmask.io.other_sensor import read_band_mapping
from slstr_cloudmask.io.scene_file import write_scene_file
from slstr_cloudmask.mask import build_mask
from slstr_cloudmask.network.model_file import save_model
from slstr_cloudmask.scene import build_scene
from tests.scenes import BAYES_MASKS
from tests.scenes import make_scene as make_plain_scene
from tests.test_certainty import model

SHAPE = (40, 60)


def make_scene(seed: int) -> xr.Dataset:
    """Make a scene that tells light, place, angles and its cloud's optical depth."""
    scene = make_plain_scene(seed, SHAPE)
    columns = np.broadcast_to(np.arange(SHAPE[1]), SHAPE)
    coordinates = {
        "latitude": np.linspace(59.8, 60.2, SHAPE[0])[:, np.newaxis] + 0 * columns,
        "longitude": 10 + 0.02 * columns,
        "solar_zenith_angle": 60.0 + columns,  # day to column 20, twilight to 30, then night
        "satellite_zenith_angle": 1.0 * columns,
    }
    depth = np.where(scene["truth"].values == 1, 5.0, 0.0).astype(np.float32)
    depth[0] = 0.2
    surface = value_flag_variable(np.zeros(SHAPE), {"ocean": 0, "desert": 4}, long_name="ground")
    summary = value_flag_variable(
        scene["truth"].values, {"clear": 0, "cloud": 1}, long_name="summary"
    )
    made = build_scene(
        {name: scene[name].values for name in ("S1", "S2", "S3", "S5", "S6", "S7", "S8", "S9")},
        coordinates=coordinates,
        flags={
            "bayes": flag_variable(scene["bayes"].values, BAYES_MASKS, fill=255),
            "summary_cloud": summary,
        },
        truth=scene["truth"].values,
        attributes={"start_time": "2019-10-01T10:30:00Z"},
    )
    return made.assign(optical_depth=xr.Variable(("rows", "columns"), depth), surface_kind=surface)


def write_scenes(folder: Path, count: int) -> list[Path]:
    paths = [folder / f"S3A_SL_1_RBT_{n}.nc" for n in range(count)]
    for number, path in enumerate(paths):
        write_scene_file(path, make_scene(number))
    return paths


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scenes")
    write_scenes(folder, 3)
    return folder


Cli = Callable[..., tuple[int, str, str]]


@pytest.fixture
def cli() -> Cli:
    def run(*arguments: object) -> tuple[int, str, str]:
        done = CliRunner().invoke(app, ["evaluate", *map(str, arguments)])
        error = str(done.exception) if isinstance(done.exception, InputError | OSError) else ""
        return done.exit_code, done.stdout, done.stderr + error

    return run


def test_strata_that_a_scene_tells() -> None:
    strata = scene_strata(make_scene(0), EVERY_KIND)
    assert sorted(strata, key=rank) == [
        ("regime", "day"),
        ("regime", "twilight"),
        ("regime", "night"),
        ("surface", "ocean"),
        ("latitude", "below 60"),
        ("latitude", "polar"),
        ("view zenith angle", "0 to 20"),
        ("view zenith angle", "20 to 40"),
        ("view zenith angle", "40 to 90"),
        ("optical depth", "0 to 0.01"),
        ("optical depth", "0.1 to 0.3"),
        ("optical depth", "3 to 10"),
        ("certainty", "outside 0.1 to 0.5"),
    ]
    assert int(strata["view zenith angle", "20 to 40"].sum()) == 40 * 20
    assert int(strata["optical depth", "0.1 to 0.3"].sum()) == 60
    assert int(strata["certainty", "outside 0.1 to 0.5"].sum()) == 39 * 60


def test_the_provider_is_scored_beside_detectors_and_never_against_itself(data: Path) -> None:
    plan = make_plan(["thresholds", "provider"], ["truth", "bayes"])
    result = assess(sorted(data.glob("*.nc")), plan)
    bayes, summary = "provider bayes", "provider summary_cloud"
    assert result.pool.masks("truth") == ["thresholds", bayes, summary]
    assert result.pool.masks("bayes") == ["thresholds", summary]
    # Both provider's masks are the truth itself in these scenes.
    total = result.pool[bayes, "truth", ("regime", "night")].total
    assert total.accuracy == 1
    # 30 columns of 40 rows in 3 scenes see the night, all of them known.
    assert total.total == 3 * 40 * 30
    assert result.pool[summary, "bayes", ("all", "all")].total.kuipers == 1


def test_processes_give_the_same(data: Path) -> None:
    paths = sorted(data.glob("*.nc"))
    plan = make_plan(["thresholds"], ["truth"])
    one, two = (assess(paths, plan, jobs=jobs).pool for jobs in (1, 2))
    key = ("thresholds", "truth", ("regime", "day"))
    assert one[key].counts == two[key].counts
    assert one[key].reliability == two[key].reliability


def test_a_detector_does_not_see_the_answer(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[set[str]] = []
    thresholds = get_detector("thresholds")

    class Curious:
        name = "curious"

        def predict(self, scene: xr.Dataset) -> xr.Dataset:
            seen.append({str(name) for name in scene.variables})
            return thresholds.predict(scene)

    monkeypatch.setattr(contenders, "make", lambda contender: Curious())
    assess(sorted(data.glob("*.nc"))[:1], make_plan(["thresholds"], ["truth"]))
    assert seen
    assert not seen[0] & HIDDEN
    assert {"truth", "bayes", "summary_cloud", "optical_depth", "surface_kind"} <= HIDDEN


def test_a_companion_masks_each_scene_once(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    predict = Thresholds.predict

    def counting(self: Thresholds, scene: xr.Dataset) -> xr.Dataset:
        asked.append(id(scene))
        return predict(self, scene)

    monkeypatch.setattr(Thresholds, "predict", counting)
    made = model()
    weights = dict.fromkeys(("day", "twilight", "night"), (1.0, 1.0, 0.0))
    weighed = {"companion": "thresholds", "companion_weights": weights}
    folders = [tmp_path / name for name in ("a", "b")]
    for folder in folders:
        save_model(made.network, made.config.model_copy(update=weighed), folder)
    paths = sorted(data.glob("*.nc"))[:2]
    names = [*map(str, folders), "thresholds"]
    result = assess(paths, make_plan(names, ["truth"], device="cpu"))
    assert len(asked) == 2  # by two networks and for itself, of two scenes
    # What was kept is the scene's own: a network answers as it does by itself.
    network = Network(folders[0], device="cpu")
    for path in paths:
        scene = open_scene(path)
        said = network.predict(without_answers(scene))["cloud_mask"].values
        expected = Counts.of(said == 1, scene["truth"].values == 1, said <= 1)
        assert result.pool["b", "truth", EVERYTHING].counts[path.name] == expected


def test_a_detector_that_answers_nowhere_is_left_out(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Silent:
        name = "silent"

        def predict(self, scene: xr.Dataset) -> xr.Dataset:
            return build_mask(scene, np.full(SHAPE, np.nan), threshold=0.5, detector="silent")

    monkeypatch.setattr(contenders, "make", lambda contender: Silent())
    result = assess(sorted(data.glob("*.nc"))[:1], make_plan(["thresholds", "provider"], ["truth"]))
    (why,) = result.left_out.values()
    assert why == "it answers for no pixel of a scene with S1, S2, S3, S5, S6, S7, S8, S9"
    assert result.pool.masks("truth") == ["provider bayes", "provider summary_cloud"]


def test_names_of_detectors(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Two detectors are called 'thresholds'"):
        name_contenders(["thresholds", "thresholds"])
    with pytest.raises(InputError, match="Unknown detector 'mine=nowhere'"):
        name_contenders(["mine=nowhere"])
    with pytest.raises(MissingFileError, match="is no model"):
        name_contenders([f"mine={tmp_path}"])
    shipped = name_contenders(["default", "mine=selftaught", "selftaught"])
    assert [(c.name, c.detector, c.model) for c in shipped] == [
        ("default", "network", Path("default")),
        ("mine", "network", Path("selftaught")),
        ("selftaught", "selftaught", None),
    ]


def test_the_page_and_its_files(cli: Cli, data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    wanted = ("--detectors", "thresholds,provider", "--against", "truth,bayes")
    code, said, _ = cli(data, *wanted, "-o", out)
    assert code == 0
    assert "Accuracy against the simulated truth" in said
    assert "agreement" in said
    page = (out / "evaluation.html").read_text()
    assert page.count("data:image/png;base64,") == 4  # strata and curves of both labels
    assert "http://" not in page.replace("http://www.w3.org", "")
    document = json.loads((out / "evaluation.json").read_text())
    with (out / "evaluation.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(document["scores"])
    assert float(rows[0]["kuipers"]) == document["scores"][0]["kuipers"]
    deep = next(row for row in rows if row["stratum"] == "3 to 10")
    assert deep["kuipers"] == ""  # the truth is one class there: not defined, and not 0
    code, _, err = cli(data, *wanted, "-o", out)
    assert code == 1
    assert "exists already" in err


def test_labels_that_are_nowhere_are_said(cli: Cli, data: Path, tmp_path: Path) -> None:
    table = tmp_path / "far.csv"
    table.write_text("lat,lon,time,label\n-30,0,2019-10-01T10:30:00Z,cloud\n")
    code, out, _ = cli(data, "--against", f"truth,{table}", "--json")
    assert code == 1
    document = json.loads(out)
    assert list(document["missing_labels"]) == ["far.csv"]
    assert "latitude -30.00 to -30.00" in document["missing_labels"]["far.csv"]
    assert {row["label"] for row in document["scores"]} == {"truth"}
    # Alone it leaves nothing to score.
    code, out, err = cli(data, "--against", table, "--json")
    assert code == 2
    assert len(json.loads(out)["unlabelled"]) == 3
    assert "Nothing was scored" in err


def test_scenes_without_a_point_are_no_failure(cli: Cli, data: Path, tmp_path: Path) -> None:
    scene = open_scene(find_scenes(data)[0])
    moved = scene.assign_coords(latitude=-scene["latitude"])
    (tmp_path / "scenes").mkdir()
    write_scene_file(tmp_path / "scenes" / "S3A_SL_1_RBT_far.nc", moved)
    shutil.copy(find_scenes(data)[0], tmp_path / "scenes")
    latitude, longitude = (float(scene[name].values[5, 50]) for name in ("latitude", "longitude"))
    table = tmp_path / "one.csv"
    table.write_text(f"lat,lon,label\n{latitude},{longitude},cloud\n")
    code, out, err = cli(tmp_path / "scenes", "--against", table, "--json")
    assert code == 0
    assert json.loads(out)["unlabelled"] == ["S3A_SL_1_RBT_far.nc"]
    assert "No label knows anything of 1 scenes, such as S3A_SL_1_RBT_far.nc" in err
    assert "no column of times" in err


def test_points_of_one_class_have_no_skill(cli: Cli, data: Path, tmp_path: Path) -> None:
    rows = "".join(f"60.0,{10 + 0.02 * n},2019-10-01T10:35:00Z,clear\n" for n in range(5, 50))
    table = tmp_path / "pixbox.csv"
    table.write_text("lat,lon,time,label\n" + rows)
    code, out, err = cli(data, "--against", table, "--json")
    assert code == 0
    first = json.loads(out)["scores"][0]
    assert first["meaning"] == "accuracy against labels by people or lidar (pixbox.csv)"
    assert first["pixels"] == 3 * 45
    assert first["kuipers"] is None
    assert first["roc_area"] is None
    assert "knows only one class" in err


def test_labels_of_another_meaning_are_told_and_not_guessed(cli: Cli, tmp_path: Path) -> None:
    write_scenes(tmp_path / "scenes", 1)
    label = np.where(np.arange(SHAPE[1]) < 30, -1, 1) + np.zeros(SHAPE, np.int16)
    np.savez(tmp_path / "S3A_SL_1_RBT_0_drawn.npz", label=label)
    drawn = tmp_path / "S3A_SL_1_RBT_0_drawn.npz"
    code, out, err = cli(tmp_path / "scenes", "--against", drawn, "--json")
    assert code == 2
    assert "what '-1' (1) means is not known" in json.loads(out)["failed"]["S3A_SL_1_RBT_0.nc"]
    assert "labels no pixel" not in err  # which is not what is wrong
    code, out, _ = cli(
        tmp_path / "scenes", "--against", drawn, "--label-map", "-1=unknown", "--json"
    )
    assert code == 0
    assert json.loads(out)["scores"][0]["pixels"] == 40 * 30


def test_a_scene_that_is_broken_takes_no_other_with_it(cli: Cli, tmp_path: Path) -> None:
    write_scenes(tmp_path, 2)[0].write_bytes(b"nothing")
    code, out, _ = cli(tmp_path, "--against", "truth", "--json", "--jobs", "2")
    assert code == 1
    document = json.loads(out)
    assert list(document["failed"]) == ["S3A_SL_1_RBT_0.nc"]
    assert document["scene_count"] == 1


def test_scenes_of_another_sensor(cli: Cli, tmp_path: Path) -> None:
    scene = make_scene(0)
    names = {"S1": "green", "S2": "red", "S3": "nir", "S5": "swir16", "S8": "tir"}
    counts = {name: scene[band].values for band, name in names.items()}
    label = np.where(scene["truth"].values == 255, 255, scene["truth"].values)
    np.savez(tmp_path / "other.npz", label=label, **counts)  # type: ignore[arg-type]
    bands = ",".join(f"{band}={name}" for band, name in names.items())
    code, out, _ = cli(tmp_path, "--bands", bands, "--against", f"drawn={tmp_path}", "--json")
    assert code == 0
    first = json.loads(out)["scores"][0]
    assert first["label"] == "drawn"
    assert first["pixels"] == 40 * 57
    with pytest.raises(InputError, match=r"one view and one grid: leave out --view"):
        make_plan(["thresholds"], ["truth"], bands=read_band_mapping(bands), view="oblique")
    # The provider has no mask there: nothing is scored, which is no success.
    wanted = "--detectors", "provider", "--against", f"drawn={tmp_path}", "--json"
    code, out, _ = cli(tmp_path, "--bands", bands, *wanted)
    assert code == 2
    assert json.loads(out)["missing_masks"] == {
        "provider": "no scene carries bayes or summary_cloud"
    }
    # Of a band that is not there, the words are those of what is.
    code, out, _ = cli(tmp_path, "--bands", "S9=tir12", "--against", f"drawn={tmp_path}", "--json")
    assert code == 2
    assert "holds no band 'tir12': it has label, green" in next(
        iter(json.loads(out)["failed"].values())
    )
