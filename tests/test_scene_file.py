"""Scene files: nothing is lost but what is documented, and other files are told apart."""

import json
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from slstr_cloudmask import channels
from slstr_cloudmask.benchmark.inference import infer_scenes
from slstr_cloudmask.cli.app import main
from slstr_cloudmask.detectors import get_detector
from slstr_cloudmask.errors import (
    BrokenFileError,
    CloudMaskError,
    InputError,
    MissingFileError,
    OutputExistsError,
)
from slstr_cloudmask.flags import DIMS, flag_variable, value_flag_variable
from slstr_cloudmask.io import open_scene
from slstr_cloudmask.io.benchmark_hdf import write_scene
from slstr_cloudmask.io.find_scenes import find_scenes
from slstr_cloudmask.io.mask_file import write_mask
from slstr_cloudmask.io.scene_file import read_scene_file, write_scene_file
from slstr_cloudmask.io.scene_packing import STRATUM_BITS, pack, unpack
from slstr_cloudmask.mask import build_mask
from slstr_cloudmask.scene import LABEL_NAMES, STRATUM_NAMES, build_scene
from slstr_cloudmask.training.pack import pack_scenes
from tests.scenes import BAYES_MASKS, make_scene

NAME = (
    "S3A_SL_1_RBT____20191001T113221_20191001T113521_20210116T103011_0179_050_001_1980"
    "_SI0_D_NT_004.nc"
)
GRID = np.arange(12.0).reshape(3, 4)


def number(values: object, units: str = "1") -> xr.Variable:
    return xr.Variable(DIMS, np.asarray(values, np.float32), {"long_name": "some", "units": units})


@pytest.fixture
def scene() -> xr.Dataset:
    """3 x 4 pixels with everything that a Scene can hold; pixel (0, 0) was not seen."""
    bands = {name: 0.1 + GRID / 7 for name in channels.REFLECTANCE_NAMES}
    # As float32 arithmetic leaves whole hundredths.
    kelvin = np.rint((270 + GRID / 3).astype(np.float32) / 0.01) * 0.01
    bands |= dict.fromkeys(channels.THERMAL_NAMES, kelvin)
    bayes = np.full((3, 4), 255, np.uint8)
    bayes[1:] = [[0, 1, 2, 3], [4, 8, 12, 0]]
    made = build_scene(
        {name: np.where(GRID == 0, np.nan, values) for name, values in bands.items()},
        coordinates={
            "latitude": -60 + GRID,
            "longitude": np.where(GRID == 3, np.nan, 170.12345 + GRID),
            "solar_zenith_angle": 85 + GRID,
            "satellite_zenith_angle": GRID,
        },
        flags={
            "bayes": flag_variable(bayes, BAYES_MASKS, fill=255, long_name="Bayesian cloud flags"),
            "cloud": flag_variable(GRID.astype(np.uint16) * 700, {"visible": 1, "gross": 4096}),
            "confidence": flag_variable(GRID.astype(np.uint16), {"coastline": 1, "ocean": 2}),
            "summary_cloud": value_flag_variable(
                bayes > 0, {"clear": 0, "cloud": 1}, long_name="summary"
            ),
        },
        truth=np.where(bayes == 255, 255, bayes > 2),
        attributes={
            "platform": "Sentinel-3A (simulated)",
            "start_time": "2019-10-01T11:32:21Z",
            "source": "simulated, seed 3",
            "cycle": 50,
            "world": "standard",
        },
    )
    kinds = {"clear": 0, "cumulus": 1}
    return made.assign(
        optical_depth=number(np.where(GRID == 5, np.nan, GRID**3)),
        cloud_kind=value_flag_variable(GRID % 2, kinds, long_name="kind of cloud"),
        surface_kind=value_flag_variable(GRID % 3, {"ocean": 0, "forest": 2}, long_name="surface"),
        glint_reflectance=number(GRID / 90),
        coast_distance=number(GRID * 5.7, "km"),
        dust_optical_depth=number(GRID / 11),
        smoke_optical_depth=number(GRID / 13),
        cloud_shadow=number(GRID / 17),
        cloud_probability_provider=number(GRID / 11),
    )


def test_what_is_written_is_read_again(scene: xr.Dataset, tmp_path: Path) -> None:
    write_scene_file(tmp_path / "new" / NAME, scene)

    found = read_scene_file(tmp_path / "new" / NAME)

    assert list(found.data_vars) == list(scene.data_vars)
    assert list(found.coords) == list(scene.coords)
    assert found.attrs == scene.attrs
    for name, variable in scene.variables.items():
        assert found[name].dtype == variable.dtype, name
        assert found[name].attrs.keys() == variable.attrs.keys(), name
        for key, value in variable.attrs.items():
            np.testing.assert_array_equal(found[name].attrs[key], value)
        if variable.dtype.kind == "u":
            np.testing.assert_array_equal(found[name].values, variable.values)
        # Half a step, and half a unit in the last place of float32 where numbers are large.
        steps = {"S": 5.1e-6, "l": 6e-5, "s": 6e-5}
        tolerance = 2e-5 if name in channels.THERMAL_NAMES else steps.get(str(name)[0], 0)
        relative = 2.0**-11 if name in STRATUM_NAMES else 1e-7
        np.testing.assert_allclose(
            found[name].values, variable.values, rtol=relative, atol=tolerance, err_msg=str(name)
        )
    write_scene_file(tmp_path / "again.nc", found)
    xr.testing.assert_identical(read_scene_file(tmp_path / "again.nc"), found)


def test_packed_numbers_are_those_of_the_products(scene: xr.Dataset, tmp_path: Path) -> None:
    scene["S8"].values[1, 1] = 280.01
    scene["S1"].values[1, 1] = 0.123454
    write_scene_file(tmp_path / NAME, scene)

    with h5py.File(tmp_path / NAME) as file:
        # (280.01 - 283.73) / 0.01 = -372; 0.123454 / 1e-5 = 12345.4; (-60 + 5) / 1e-4.
        assert file["S8"].dtype == np.int16
        assert (file["S8"][1, 1], file["S8"][0, 0]) == (-372, -32768)
        assert (file["S1"][1, 1], file["latitude"][1, 1]) == (12345, -550000)
        assert file["S8"].attrs["_FillValue"] == -32768
        assert (file["S8"].attrs["scale_factor"], file["S8"].attrs["add_offset"]) == (0.01, 283.73)
        assert file["S8"].attrs["standard_name"] == "toa_brightness_temperature"
        assert file["S8"].attrs["units"] == "K"
        assert set(file["S8"].attrs["coordinates"].split()) == set(scene.coords)
        assert file["S8"].compression == "gzip"
        assert file["S8"].shuffle
        assert file.attrs["Conventions"] == "CF-1.9"
        np.testing.assert_array_equal(file["bayes"].attrs["flag_masks"], [1, 2, 4, 8])
        assert file["surface_kind"].attrs["flag_meanings"] == "ocean forest"


def test_xarray_opens_it_as_numbers(scene: xr.Dataset, tmp_path: Path) -> None:
    write_scene_file(tmp_path / NAME, scene)

    with xr.open_dataset(tmp_path / NAME) as found:
        assert set(found.coords) == set(scene.coords)
        np.testing.assert_allclose(found["S8"], scene["S8"], atol=2e-5)
        np.testing.assert_allclose(found["S3"], scene["S3"], atol=5.1e-6)
        np.testing.assert_array_equal(np.isnan(found["truth"]), scene["truth"] == 255)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("S8", [280.004, 281]),  # between two steps
        ("S8", [700, 280]),  # beyond int16
        ("S1", [30000, 0.5]),  # beyond int32
        ("S1", [np.inf, 0.5]),
        ("latitude", [-np.inf, 3]),
    ],
)
def test_what_does_not_fit_stays_as_it_is(name: str, values: list[float]) -> None:
    variable = xr.Variable(DIMS, np.array([[*values, np.nan]], np.float32), {"units": "1"})

    stored = pack(name, variable)

    assert stored.dtype == np.float32
    xr.testing.assert_identical(unpack(stored), variable)


def test_strata_keep_ten_bits() -> None:
    step = 2.0**-STRATUM_BITS
    largest = np.finfo(np.float32).max
    # Halfway between two numbers of ten bits, the even one is taken.
    values = [1 + step / 2, 1 + 1.5 * step, -(1 + 0.6 * step), np.inf, largest, 0, np.nan]
    expected = [1, 1 + 2 * step, -(1 + step), np.inf, largest, 0, np.nan]

    stored = pack("optical_depth", xr.Variable(DIMS, np.array([values], np.float32)))

    np.testing.assert_array_equal(stored.values, np.array([expected], np.float32))
    other = pack("elevation", xr.Variable(DIMS, np.array([values], np.float32)))
    np.testing.assert_array_equal(other.values, np.array([values], np.float32))


FLOATS = hnp.arrays(
    np.float32, (2, 3), elements=st.floats(width=32, allow_subnormal=False) | st.just(np.nan)
)


@settings(max_examples=200)
@given(values=FLOATS, name=st.sampled_from([*channels.NAMES, "latitude", *STRATUM_NAMES]))
def test_packing_twice_changes_nothing_more(values: np.ndarray, name: str) -> None:
    once = unpack(pack(name, xr.Variable(DIMS, values)))
    again = unpack(pack(name, once))

    xr.testing.assert_identical(again, once)
    np.testing.assert_array_equal(np.isnan(once.values), np.isnan(values))
    np.testing.assert_allclose(once.values, values, rtol=2.0**-11, atol=1.1e-4)


def test_labels_and_strata_are_read_when_wanted(scene: xr.Dataset, tmp_path: Path) -> None:
    write_scene_file(tmp_path / NAME, scene)

    bare = read_scene_file(tmp_path / NAME, labels=False, strata=False)

    assert set(scene.data_vars) - set(bare.data_vars) == {*LABEL_NAMES, *STRATUM_NAMES}
    assert set(open_scene(tmp_path / NAME).data_vars) & {*STRATUM_NAMES} == set()
    assert "optical_depth" in open_scene(tmp_path / NAME, strata=True)


def test_a_scene_may_be_small(tmp_path: Path) -> None:
    night = build_scene({"S8": [[280.0]]})
    night["elevation"] = (DIMS, np.array([[1.123456789]]), {"units": "m"})
    write_scene_file(tmp_path / NAME, night)
    xr.testing.assert_identical(read_scene_file(tmp_path / NAME), night)


def test_nothing_is_replaced_without_being_told(scene: xr.Dataset, tmp_path: Path) -> None:
    write_scene_file(tmp_path / NAME, scene)
    with pytest.raises(OutputExistsError):
        write_scene_file(tmp_path / NAME, scene)
    write_scene_file(tmp_path / NAME, scene, overwrite=True)
    assert list(tmp_path.iterdir()) == [tmp_path / NAME]


def test_what_cannot_be_stored_is_named(scene: xr.Dataset, tmp_path: Path) -> None:
    path = tmp_path / NAME
    with pytest.raises(InputError, match="holds no SLSTR band"):
        write_scene_file(path, xr.Dataset())
    with pytest.raises(InputError, match=r"Cannot write .*height on dims .*'level'"):
        write_scene_file(path, scene.assign(height=("level", [1.0])))
    with pytest.raises(InputError, match=r"Cannot write .*bayes .*without flag_masks"):
        write_scene_file(path, scene.assign(bayes=(DIMS, np.zeros((3, 4), np.uint8))))
    with pytest.raises(InputError, match=r"attribute seeds of the scene: .*found \{'a': 1\}"):
        write_scene_file(path, scene.assign_attrs(seeds={"a": 1}))
    assert not list(tmp_path.iterdir())
    write_scene_file(path, scene.assign_attrs(world=None))
    assert "world" not in read_scene_file(path).attrs


def change(path: Path, name: str, values: object, attributes: dict[str, object]) -> None:
    """Put another data set in place of one of a file's."""
    with h5py.File(path, "r+") as file:
        old = dict(file[name].attrs)
        del file[name]
        made = file.create_dataset(name, data=values)
        wanted = {"scale_factor", "add_offset", "flag_masks", "flag_meanings", "units"} & set(old)
        made.attrs.update({key: old[key] for key in wanted} | attributes)
        for axis, dimension in enumerate(DIMS[: made.ndim]):
            if made.shape[axis] == file[dimension].shape[0]:
                made.dims[axis].attach_scale(file[dimension])


ZEROS = np.zeros((3, 4), np.int16)


@pytest.mark.parametrize(
    ("name", "values", "attributes", "message"),
    [
        ("S8", np.zeros((3, 5), np.int16), {}, "malformed variable S8"),
        ("S8", np.zeros(3, np.int16), {}, r"expected S8 on dims .*\(3,\)"),
        ("latitude", np.zeros(3), {}, r"expected latitude on dims \('rows', 'columns'\)"),
        ("S8", np.full((3, 4), b"x"), {}, "expected numbers in S8, found "),
        ("S8", ZEROS, {"scale_factor": "x"}, "cannot be read as a scene: could not convert"),
        ("S8", ZEROS, {"_FillValue": "x"}, "cannot be read as a scene: could not convert"),
        ("S8", ZEROS, {"units": "degree_Celsius"}, "expected units 'K' of S8, found 'degree_C"),
        ("S8", ZEROS, {"add_offset": 10.0}, r"Band S8 has median 10: expected kelvin"),
        ("S1", ZEROS, {"add_offset": 50.0}, r"Band S1 has median 50: expected reflectance"),
        ("bayes", np.zeros((3, 4)), {}, "expected bayes as unsigned integers .*float64"),
        ("truth", ZEROS, {}, "expected 8-bit flags in truth, found int16"),
        ("cloud_kind", ZEROS, {}, "expected 8-bit flags in cloud_kind"),
    ],
)
def test_a_file_that_is_no_scene_says_why(
    scene: xr.Dataset,
    tmp_path: Path,
    name: str,
    values: object,
    attributes: dict[str, object],
    message: str,
) -> None:
    path = tmp_path / NAME
    write_scene_file(path, scene)
    change(path, name, values, attributes)
    with pytest.raises(CloudMaskError, match=message) as caught:
        read_scene_file(path)
    assert str(path) in str(caught.value)
    assert isinstance(caught.value, BrokenFileError | InputError)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.99])
def test_a_truncated_file_is_broken(scene: xr.Dataset, tmp_path: Path, share: float) -> None:
    path = tmp_path / NAME
    write_scene_file(path, scene)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(BrokenFileError, match=r"cannot be read as a scene.*truncated"):
        open_scene(path)
    assert find_scenes(tmp_path) == [path]  # so that whoever works on the folder hears of it


def test_damage_never_ends_in_a_traceback(scene: xr.Dataset, tmp_path: Path) -> None:
    path = tmp_path / NAME
    write_scene_file(path, scene)
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(100):
        damaged = bytearray(whole)
        for place in rng.integers(0, len(whole), 8):
            damaged[place] ^= int(rng.integers(1, 256))
        path.write_bytes(damaged)
        try:
            read_scene_file(path)
        except CloudMaskError:
            continue


def test_other_files_are_told_apart(scene: xr.Dataset, tmp_path: Path) -> None:
    mask = tmp_path / "S3A_scene_cloudmask-thresholds.nc"
    write_mask(build_mask(scene, GRID / 12, threshold=0.5, detector="test"), mask)
    with pytest.raises(InputError, match=r"thresholds\.nc is a cloud mask, not a scene"):
        open_scene(mask)
    export = tmp_path / f"{NAME[:-3]}.SEN3.nc"
    export.write_bytes(b"CDF\x02" + bytes(60))
    with pytest.raises(InputError, match=r"before version 4.*Give the product's \.SEN3 folder"):
        open_scene(export)
    band = tmp_path / "S3A.SEN3" / "S8_BT_in.nc"
    band.parent.mkdir()
    with h5py.File(band, "w") as file:
        file["S8_BT_in"] = np.zeros((2, 2))
    with pytest.raises(BrokenFileError, match=r"is no scene.*found S8_BT_in.*\.SEN3 folder"):
        open_scene(band)
    (tmp_path / "S3A_text.txt").write_text("")
    with pytest.raises(MissingFileError, match="no scene in"):
        find_scenes(tmp_path)
    with pytest.raises(MissingFileError, match="no such file"):
        open_scene(tmp_path / NAME)


def test_a_scene_is_found_once(scene: xr.Dataset, tmp_path: Path) -> None:
    both, alone = tmp_path / "day" / "S3A_b", tmp_path / "night" / "S3B_a"
    write_scene(both.with_suffix(".hdf"), scene)
    write_scene_file(both.with_suffix(".nc"), scene)
    write_scene_file(alone.with_suffix(".nc"), scene)
    write_scene_file(tmp_path / ".old" / "S3A_c.nc", scene)
    write_scene_file(tmp_path / "day" / "S3_radiance_an.nc", scene)
    assert find_scenes(tmp_path) == [both.with_suffix(".hdf"), alone.with_suffix(".nc")]


def test_training_and_scoring_take_both_kinds(tmp_path: Path) -> None:
    made = make_scene(3)
    hdf, netcdf = tmp_path / "hdf" / "S3A_x.hdf", tmp_path / "nc" / "S3A_x.nc"
    write_scene(hdf, made)
    write_scene_file(netcdf, made)

    stores = [
        pack_scenes(find_scenes(path.parent), path.parent / "store", read=open_scene, patch_size=32)
        for path in (hdf, netcdf)
    ]
    # float16 of reflectances to about 0.6 has steps of 5e-4; those of the files differ by 5e-6.
    np.testing.assert_allclose(stores[0].inputs_NHWC, stores[1].inputs_NHWC, atol=5e-4)
    np.testing.assert_array_equal(stores[0].labels_NHW, stores[1].labels_NHW)

    outcome = infer_scenes([hdf, netcdf], get_detector("thresholds"))
    assert outcome.failed == {}
    scores = {(score.scene, score.label): score.valid for score in outcome.scores}
    assert set(scores) == {(p.name, kind) for p in (hdf, netcdf) for kind in ("bayes", "truth")}
    assert scores[hdf.name, "truth"] == scores[netcdf.name, "truth"]


def test_the_command_line_takes_it(
    scene: xr.Dataset,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_scene_file(tmp_path / NAME, scene)

    def cloudmask(*arguments: object) -> str:
        monkeypatch.setattr(sys, "argv", ["cloudmask", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            main()
        assert stop.value.code == 0
        return capsys.readouterr().out

    described = json.loads(cloudmask("info", tmp_path / NAME, "--json"))[0]
    assert described["platform"] == "Sentinel-3A (simulated)"
    assert described["valid_share"] == pytest.approx(11 / 12)
    assert described["latitude_range"] == [-59, -49]
    said = cloudmask("predict", tmp_path / NAME, "-o", tmp_path / "out", "--detector", "thresholds")
    assert "bands missing: none" in said
    assert [path.suffix for path in (tmp_path / "out").iterdir()] == [".nc"]
    assert find_scenes(tmp_path) == [tmp_path / NAME]
