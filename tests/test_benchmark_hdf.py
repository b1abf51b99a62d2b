"""The benchmark's files: what zeros mean, round trips, and errors that say what is wrong."""

from pathlib import Path

import h5py
import numpy as np
import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from slstr_cloudmask import channels
from slstr_cloudmask.errors import (
    BrokenFileError,
    InputError,
    MissingFileError,
    MissingLabelError,
    OutputExistsError,
)
from slstr_cloudmask.flags import DIMS, decode_flag, flag_variable, value_flag_variable
from slstr_cloudmask.io.benchmark_hdf import (
    BAYES_MASKS,
    day_or_night,
    read_scene,
    write_scene,
)
from slstr_cloudmask.io.find_scenes import find_scenes
from slstr_cloudmask.scene import STRATUM_NAMES, Regime, build_scene, label, regime

NAME = (
    "S3A_SL_1_RBT____20191001T113221_20191001T113521_20210116T103011_0179_050_023_1980"
    "_LR1_R_NT_004.hdf"
)


def write_raw(path: Path, **layers: object) -> Path:
    """Write a file as the data set has it: 3 x 4 pixels, all of them seen, half of them flagged."""
    shape = (3, 4)
    content: dict[str, object] = {
        "refs": np.full((*shape, 6), 0.25, np.float32),
        "bts": np.full((*shape, 3), 280.0, np.float32),
        "rads": np.zeros((*shape, 6), np.float32),
        "bayes": np.repeat(np.array([0, 2, 0, 1], np.uint8)[np.newaxis], 3, 0)[..., np.newaxis],
        "summary": np.zeros((*shape, 1), np.uint8),
    }
    content.update(layers)
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        for name, values in content.items():
            if values is not None:
                file[name] = values
    return path


def test_bands_come_in_the_instruments_order(tmp_path: Path) -> None:
    refs = np.zeros((3, 4, 6), np.float64) + np.arange(1, 7) / 10
    bts = np.zeros((3, 4, 3)) + np.array([281.0, 282.0, 283.0])
    scene = read_scene(write_raw(tmp_path / NAME, refs=refs, bts=bts))
    assert scene["S1"].values[0, 0] == pytest.approx(0.1)
    assert scene["S6"].values[2, 3] == pytest.approx(0.6)
    assert [float(scene[name][1, 1]) for name in ("S7", "S8", "S9")] == [281, 282, 283]
    assert all(scene[name].dtype == np.float32 for name in channels.NAMES)


def test_attributes_come_from_the_name(tmp_path: Path) -> None:
    scene = read_scene(write_raw(tmp_path / NAME))
    assert scene.attrs["source"] == NAME
    assert scene.attrs["platform"] == "Sentinel-3A"
    assert scene.attrs["start_time"] == "2019-10-01T11:32:21Z"
    assert (scene.attrs["view"], scene.attrs["grid"]) == ("nadir", "1km")
    assert scene.attrs["baseline"] == "004"
    assert scene.attrs["radiometry"] == "as_distributed"


def test_a_renamed_file_is_read_too(tmp_path: Path) -> None:
    assert "start_time" not in read_scene(write_raw(tmp_path / "renamed.hdf")).attrs


@pytest.mark.parametrize("empty", [0.0, np.nan, -1.0, np.inf])
def test_a_pixel_without_any_temperature_is_no_data(tmp_path: Path, empty: float) -> None:
    bts = np.full((3, 4, 3), 280.0, np.float32)
    bts[0, 1] = empty
    truth = np.ones((3, 4, 1), np.uint8)
    scene = read_scene(write_raw(tmp_path / NAME, bts=bts, truth=truth))
    for name in channels.NAMES:
        assert np.isnan(scene[name].values[0, 1]), name
        assert np.isfinite(scene[name].values).sum() == 11, name
    for name in ("bayes", "summary_cloud", "truth"):
        assert scene[name].values[0, 1] == 255, name
        assert (scene[name].values == 255).sum() == 1, name


def test_one_missing_temperature_leaves_the_others(tmp_path: Path) -> None:
    bts = np.full((3, 4, 3), 280.0, np.float32)
    bts[0, 1, 0] = 0
    scene = read_scene(write_raw(tmp_path / NAME, bts=bts))
    assert np.isnan(scene["S7"].values[0, 1])
    assert scene["S8"].values[0, 1] == 280
    assert scene["S1"].values[0, 1] == 0.25
    assert scene["bayes"].values[0, 1] == 2


def test_six_zero_reflectances_are_darkness(tmp_path: Path) -> None:
    refs = np.full((3, 4, 6), 0.25, np.float32)
    refs[0, 0] = 0  # no sunlight
    refs[0, 1, 3] = 0  # a dark S4 is nothing unusual
    refs[0, 2, 1] = np.nan
    scene = read_scene(write_raw(tmp_path / NAME, refs=refs))
    assert np.isnan(scene["S1"].values[0, 0])
    assert scene["S8"].values[0, 0] == 280
    assert scene["S4"].values[0, 1] == 0
    assert np.isnan(scene["S2"].values[0, 2])
    assert scene["S1"].values[0, 2] == 0.25


def test_night_has_no_reflectance_bands(tmp_path: Path) -> None:
    scene = read_scene(write_raw(tmp_path / NAME, refs=np.zeros((3, 4, 6), np.float32)))
    assert [name for name in channels.NAMES if name in scene] == ["S7", "S8", "S9"]
    assert scene.attrs["illumination"] == "night"
    assert (regime(scene) == Regime.NIGHT).all()
    assert "illumination" not in read_scene(write_raw(tmp_path / NAME)).attrs


def test_what_cannot_be_measured_is_no_data(tmp_path: Path) -> None:
    refs, bts = np.full((3, 4, 6), 0.25), np.full((3, 4, 3), 280.0)
    refs[0, 0, 1], refs[0, 1, 1], refs[0, 2, 1] = 3.4e38, -101, 1e300
    bts[1, 0, 1], bts[1, 1, 1], bts[1, 2, 1] = 1000.5, 3.4e38, 1e300
    scene = read_scene(write_raw(tmp_path / NAME, refs=refs, bts=bts))
    np.testing.assert_array_equal(np.isnan(scene["S2"].values[0]), [True, True, True, False])
    np.testing.assert_array_equal(np.isnan(scene["S8"].values[1]), [True, True, True, False])
    assert np.isfinite(scene["S1"].values).all()
    assert np.isfinite(scene["S7"].values).all()


def test_infinities_are_written_as_no_data(tmp_path: Path) -> None:
    values = np.array([[0.5, np.inf, -np.inf]])
    scene = build_scene({"S1": values, "S8": values + 280})
    write_scene(tmp_path / NAME, scene)
    with h5py.File(tmp_path / NAME) as file:
        np.testing.assert_array_equal(file["refs"][0, :, 0], [0.5, 0, 0])
        np.testing.assert_array_equal(file["bts"][0, :, 1], [280.5, 0, 0])
        assert np.isfinite(file["rads"][...]).all()


@pytest.mark.parametrize("layer", ["refs", "bts", "bayes", "summary", "truth"])
@pytest.mark.parametrize("kind", ["group", "external", "soft", "type"])
def test_a_layer_that_is_no_data_set_is_named(tmp_path: Path, layer: str, kind: str) -> None:
    path = write_raw(tmp_path / NAME, **{layer: None})
    with h5py.File(path, "r+") as file:
        if kind == "group":
            file.create_group(layer)
        elif kind == "type":
            file[layer] = np.dtype("f4")
        else:
            link = h5py.ExternalLink("gone.hdf", "/x") if kind == "external" else "/gone"
            file[layer] = link if kind == "external" else h5py.SoftLink(str(link))
    with pytest.raises(BrokenFileError, match=rf"expected a data set '{layer}'"):
        read_scene(path)


def test_any_bit_is_cloud_and_bits_have_names(tmp_path: Path) -> None:
    scene = read_scene(write_raw(tmp_path / NAME))
    cloud, known = label(scene)
    assert known.all()
    np.testing.assert_array_equal(cloud[0], [False, True, False, True])
    moderate, _ = decode_flag(scene["bayes"], "single_moderate")
    np.testing.assert_array_equal(moderate[0], [False, True, False, False])


@pytest.mark.parametrize("dtype", ["u1", "i2", "i8", "f4", "f8", "?"])
def test_bayes_of_any_type(tmp_path: Path, dtype: str) -> None:
    bayes = np.array([[0, 1, 1, 0]] * 3, dtype)  # without the last axis, too
    scene = read_scene(write_raw(tmp_path / NAME, bayes=bayes))
    np.testing.assert_array_equal(scene["bayes"].values, bayes.astype("u1"))


def test_a_label_that_is_not_a_number_is_unknown(tmp_path: Path) -> None:
    bayes = np.array([[0, 2, np.nan, -1]] * 3)[..., np.newaxis]
    scene = read_scene(write_raw(tmp_path / NAME, bayes=bayes))
    np.testing.assert_array_equal(scene["bayes"].values[0], [0, 2, 255, 255])
    np.testing.assert_array_equal(label(scene)[1][0], [True, True, False, False])


def test_a_file_without_labels(tmp_path: Path) -> None:
    scene = read_scene(write_raw(tmp_path / NAME, bayes=None, summary=None))
    with pytest.raises(MissingLabelError, match="bayes"):
        label(scene)
    unlabelled = read_scene(write_raw(tmp_path / NAME), labels=False)
    assert "bayes" not in unlabelled
    assert "summary_cloud" not in unlabelled


def test_labels_are_not_touched_when_not_wanted(tmp_path: Path) -> None:
    # Wrong shapes would be an error if they were read.
    path = write_raw(tmp_path / NAME, bayes=np.zeros(5), rads=np.zeros(2))
    assert "bayes" not in read_scene(path, labels=False)
    with pytest.raises(BrokenFileError, match=r"\(3, 4, 1\) in bayes.*\(5,\)"):
        read_scene(path)


def test_errors_name_the_file_and_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="no such file"):
        read_scene(tmp_path / "nothing.hdf")
    text = tmp_path / "text.hdf"
    text.write_text("not HDF5")
    with pytest.raises(BrokenFileError, match=r"text\.hdf cannot be read as HDF5"):
        read_scene(text)
    with pytest.raises(BrokenFileError, match=r"expected a data set 'refs', found bayes, bts"):
        read_scene(write_raw(tmp_path / "a.hdf", refs=None))
    with pytest.raises(BrokenFileError, match=r"bts of shape \(rows, columns, 3\).*\(3, 4, 2\)"):
        read_scene(write_raw(tmp_path / "b.hdf", bts=np.ones((3, 4, 2))))
    with pytest.raises(BrokenFileError, match=r"one grid, found \(3, 4\) and \(3, 5\)"):
        read_scene(write_raw(tmp_path / "c.hdf", bts=np.full((3, 5, 3), 280.0)))
    with pytest.raises(BrokenFileError, match="expected numbers in refs"):
        read_scene(write_raw(tmp_path / "d.hdf", refs=np.full((3, 4, 6), b"x")))
    with pytest.raises(InputError, match=r"e\.hdf: Band S7 has median 20"):
        read_scene(write_raw(tmp_path / "e.hdf", bts=np.full((3, 4, 3), 20.0)))


@pytest.mark.parametrize("share", [0.3, 0.9])
def test_a_truncated_file_is_broken(tmp_path: Path, share: float) -> None:
    path = write_raw(tmp_path / NAME)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(BrokenFileError, match="truncated"):
        read_scene(path)


def test_scenes_are_found_sorted_at_any_depth(tmp_path: Path) -> None:
    names = ["one-day/night/S3A_b.hdf", "one-day/day/S3B_a.hdf", "one-day/day/S3A_z.hdf"]
    for name in [*names, "one-day/day/other.hdf", "one-day/day/S3A_z.txt"]:
        write_raw(tmp_path / name)
    found = [path.relative_to(tmp_path).as_posix() for path in find_scenes(tmp_path)]
    assert found == ["one-day/day/S3A_z.hdf", "one-day/day/S3B_a.hdf", "one-day/night/S3A_b.hdf"]


def test_what_is_hidden_is_not_found(tmp_path: Path) -> None:
    root = tmp_path / ".data"  # what lies above the folder does not matter
    write_raw(root / "day" / "S3A_a.hdf")
    for name in (".partial/S3A_b.hdf", "day/.old/deep/S3A_c.hdf"):
        write_raw(root / name)
    assert find_scenes(root) == [root / "day" / "S3A_a.hdf"]


def test_no_scene_says_what_was_expected(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"found nothing.*one-day/\{day,night\}"):
        find_scenes(tmp_path / "missing")
    with pytest.raises(MissingFileError, match=r"no scene in.*S3\*\.hdf"):
        find_scenes(tmp_path)


def test_the_folder_decides_between_day_and_night(tmp_path: Path) -> None:
    scene = read_scene(write_raw(tmp_path / NAME))
    assert day_or_night(tmp_path / "night" / NAME, scene) == "night"
    assert day_or_night(tmp_path / NAME, scene) == "day"
    dark = read_scene(write_raw(tmp_path / NAME, refs=np.zeros((3, 4, 6))))
    assert day_or_night(tmp_path / NAME, dark) == "night"
    empty = read_scene(write_raw(tmp_path / NAME, bts=np.zeros((3, 4, 3))))
    assert day_or_night(tmp_path / NAME, empty) == "day"


def test_radiances_are_those_of_the_reflectances(tmp_path: Path) -> None:
    ones = np.ones((1, 2), np.float32)
    scene = build_scene(
        {"S1": ones * 0.5, "S8": ones * 280},
        coordinates={"solar_zenith_angle": np.array([[60.0, 95.0]])},
    )
    write_scene(tmp_path / NAME, scene)
    with h5py.File(tmp_path / NAME) as file:
        # .5 * 1837.39 * cos(60 deg) / pi = 146.2149; the sun below the horizon counts as 1.
        np.testing.assert_allclose(file["rads"][0, :, 0], [146.2149, 292.4298], rtol=1e-5)
        assert file["refs"].dtype == np.float32
        assert (file["bts"][0, 0, 0], file["bts"][0, 0, 1]) == (0, 280)


def test_writing_refuses_what_readers_would_take_for_empty(tmp_path: Path) -> None:
    scene = build_scene({"S1": np.ones((2, 2)) * 0.3})
    with pytest.raises(InputError, match="S7, S8, S9"):
        write_scene(tmp_path / NAME, scene)
    assert not list(tmp_path.iterdir())


def test_nothing_is_replaced_without_being_told(tmp_path: Path) -> None:
    scene = build_scene({"S8": np.full((2, 2), 280.0)})
    write_scene(tmp_path / NAME, scene)
    with pytest.raises(OutputExistsError):
        write_scene(tmp_path / NAME, scene)
    write_scene(tmp_path / NAME, scene, overwrite=True)


def test_strata_are_stored_small(tmp_path: Path) -> None:
    def number(values: list[float], units: str = "1") -> xr.Variable:
        return xr.Variable(DIMS, np.array([values], np.float32), {"units": units})

    kinds = {"ocean": 0, "sea_ice": 8}
    scene = build_scene({"S8": np.full((1, 4), 280.0)}).assign(
        optical_depth=number([0, 1e9, np.nan, np.inf]),
        glint_reflectance=number([0.1, 0, 0, np.nan]),
        coast_distance=number([0.4, 63.6, np.nan, 1000], "km"),
        surface_kind=value_flag_variable([[0, 8, 255, 8]], kinds, long_name="surface"),
    )
    write_scene(tmp_path / NAME, scene)
    with h5py.File(tmp_path / NAME) as file:
        assert {name: file[name].dtype for name in STRATUM_NAMES if name in file} == {
            "optical_depth": np.float16,
            "glint_reflectance": np.float16,
            "coast_distance": np.uint8,
            "surface_kind": np.uint8,
        }
        np.testing.assert_array_equal(file["coast_distance"][0], [0, 64, 255, 254])
        assert file["surface_kind"].attrs["flag_meanings"] == "ocean sea_ice"
    found = read_scene(tmp_path / NAME, strata=True)
    # 60000 is 1875 steps of 32, those of float16 there.
    np.testing.assert_array_equal(found["optical_depth"].values, [[0, 6e4, np.nan, 6e4]])
    np.testing.assert_array_equal(found["coast_distance"].values, [[0, 64, np.nan, 254]])
    # Eleven bits: 0.1 is kept to within 0.1 / 2048 / 2.
    assert found["glint_reflectance"].values[0, 0] == pytest.approx(0.1, abs=0.1 / 2048)
    assert found["glint_reflectance"].dtype == np.float32
    assert found["coast_distance"].attrs == {"units": "km"}
    assert found["surface_kind"].dtype == np.uint8
    xr.testing.assert_identical(found["surface_kind"].variable, scene["surface_kind"].variable)
    assert set(read_scene(tmp_path / NAME)) == {"S8", "S7", "S9"}


def test_strata_that_do_not_fit_are_named(tmp_path: Path) -> None:
    path = write_raw(tmp_path / NAME, coast_distance=np.zeros((3, 5), np.uint8))
    assert "coast_distance" not in read_scene(path)
    with pytest.raises(BrokenFileError, match=r"\(3, 4, 1\) in coast_distance.*\(3, 5\)"):
        read_scene(path, strata=True)
    assert set(read_scene(write_raw(tmp_path / "x.hdf"), strata=True)) == set(
        read_scene(tmp_path / "x.hdf")
    )


SHAPES = hnp.array_shapes(min_dims=2, max_dims=2, max_side=5)
KELVIN = st.one_of(st.just(np.nan), st.floats(200, 310, width=32))
REFLECTANCE = st.one_of(st.just(np.nan), st.floats(0.015625, 1, width=32))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data(), shape=SHAPES)
def test_what_is_written_is_read_again(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, shape: tuple[int, int]
) -> None:
    bts = data.draw(hnp.arrays(np.float32, (3, *shape), elements=KELVIN))
    # Sunlight or not is decided for all six bands of a pixel at once.
    light = data.draw(hnp.arrays(np.float32, shape, elements=REFLECTANCE))
    seen = np.isfinite(bts).any(axis=0)
    light[~seen] = np.nan
    bayes = data.draw(hnp.arrays(np.uint8, shape, elements=st.integers(0, 15)))
    bayes[~seen] = 255
    truth = np.where(seen, bayes > 3, 255)
    bands = dict(zip(channels.THERMAL_NAMES, bts, strict=True))
    if np.isfinite(light).any():
        bands |= dict.fromkeys(channels.REFLECTANCE_NAMES, light)
    scene = build_scene(
        bands, flags={"bayes": flag_variable(bayes, BAYES_MASKS, fill=255)}, truth=truth
    )
    path = tmp_path_factory.mktemp("round") / NAME
    write_scene(path, scene)
    again = read_scene(path)
    assert set(again.data_vars) == set(scene.data_vars)
    for name in scene.data_vars:
        np.testing.assert_array_equal(again[name].values, scene[name].values, err_msg=str(name))
