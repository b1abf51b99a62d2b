"""Extended classes: snow and ice, contaminated pixels, and shadow beside them, in every output."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import xarray as xr

import slstr_cloudmask as cm
from slstr_cloudmask.channels import NAMES
from slstr_cloudmask.detectors.extended import check_classes, extend
from slstr_cloudmask.errors import InputError
from slstr_cloudmask.flags import flag_masks, flag_variable
from slstr_cloudmask.io.mask_file import read_mask
from slstr_cloudmask.io.mask_geotiff import byte_layers
from slstr_cloudmask.io.mask_output import write_mask_output
from slstr_cloudmask.mask import build_mask
from slstr_cloudmask.report.quicklook import FOUR_EXTENDED, default_panels, draw_quicklook
from slstr_cloudmask.report.subject import subject_of
from slstr_cloudmask.scene import build_scene
from slstr_cloudmask.simulate.scene import simulate_scene
from tests.test_shadow_mask import BLOCK, shaded_scene

SURFACES = ("ocean", "land", "inland_water", "coastline")
DAY, TWILIGHT, NIGHT = 40.0, 85.0, 120.0
# By the numbers of the test below: S1, S3, S5 and S8.
SNOW, WATER = (0.8, 0.7, 0.1, 265.0), (0.08, 0.02, 0.01, 285.0)


def scene_of(
    pixels: list[tuple[float, ...]], zenith_deg: float | None = DAY, surface: str | None = None
) -> xr.Dataset:
    """Build one row of pixels: S1, S3, S5, S8."""
    bands = dict(zip(("S1", "S3", "S5", "S8"), np.array(pixels).T[:, np.newaxis], strict=True))
    words = {"ocean": 2, "land": 8}
    shape = (1, len(pixels))
    flags = {}
    if surface is not None:
        flags["confidence"] = flag_variable(np.full(shape, words[surface], np.uint16), words)
    angles = {} if zenith_deg is None else {"solar_zenith_angle": np.full(shape, zenith_deg)}
    return build_scene(bands, coordinates=angles, flags=flags)


def classes(scene: xr.Dataset, probability: Any = 0.0, threshold: float = 0.5) -> npt.NDArray[Any]:
    """Codes of the extended mask, of a detector that says this."""
    values = np.broadcast_to(np.asarray(probability, float), scene["S8"].shape)
    mask = build_mask(scene, values, threshold=threshold, detector="test")
    return np.asarray(extend(mask, scene)["cloud_mask_extended"].values)


# Snow and ice


@pytest.mark.parametrize(
    ("pixel", "code"),
    [
        (SNOW, 3),  # index .7 / .9 = .78
        (WATER, 0),
        ((0.8, 0.7, 0.1, 280.5), 0),  # too warm
        ((0.2, 0.10, 0.02, 265.0), 0),  # index .82, but dark in S3
        ((0.7, 0.6, 0.30, 265.0), 0),  # index .4: no more than the limit
        ((0.7, 0.6, 0.29, 265.0), 3),  # index .414
        ((0.8, np.nan, 0.1, 265.0), 0),  # of land that has no S3 nothing is said
    ],
)
@pytest.mark.parametrize("zenith", [DAY, TWILIGHT])
def test_snow_is_bright_but_not_in_s5_and_cold(
    pixel: tuple[float, ...], code: int, zenith: float
) -> None:
    assert classes(scene_of([pixel], zenith)).item() == code


def test_sea_that_is_colder_than_sea_is_ice() -> None:
    cold, mild = (np.nan, np.nan, np.nan, 269.5), (np.nan, np.nan, np.nan, 270.5)
    for light in (NIGHT, None):
        np.testing.assert_array_equal(classes(scene_of([cold, mild], light, "ocean")), [[3, 0]])
        # By night nobody tells snow from cold land, or what a pixel is that no flag tells.
        assert not classes(scene_of([cold, mild], light, "land")).any()
        assert not classes(scene_of([cold, mild], light)).any()
    # By day its colour is asked first: a cold pixel of sea that is not white is no ice.
    grey = (0.3, 0.3, 0.3, 260.0)
    assert classes(scene_of([grey], DAY, "ocean")).item() == 0
    assert classes(scene_of([grey], DAY, "ocean").drop_vars("S5")).item() == 3


def test_what_is_cloud_or_unknown_stays_so() -> None:
    scene = scene_of([SNOW, SNOW, SNOW, (np.nan,) * 4])
    found = classes(scene, [[0.1, 0.99, np.nan, 0.1]])
    assert found[0, 0] == 3
    assert found[0, 1] in (1, 2)
    np.testing.assert_array_equal(found[0, 2:], [255, 255])


# Contaminated


def cloudy_scene(s1: float, s8: float, s9: float) -> tuple[xr.Dataset, npt.NDArray[Any]]:
    """A square of cloud, 5 x 5, on dark ground of 290 K; and its probability."""
    probability = np.zeros((15, 15))
    probability[5:10, 5:10] = 1
    values = {"S1": (0.1, s1), "S8": (290.0, s8), "S9": (289.5, s9)}
    bands = {name: np.where(probability, cloud, clear) for name, (clear, cloud) in values.items()}
    angles = {"solar_zenith_angle": np.full((15, 15), DAY)}
    return build_scene(bands, coordinates=angles), probability


def test_edges_of_cloud_are_contaminated() -> None:
    scene, probability = cloudy_scene(0.6, 250.0, 249.9)
    expected = np.zeros((15, 15), np.uint8)
    expected[5:10, 5:10] = 2
    expected[6:9, 6:9] = 1  # nothing clear beside it
    np.testing.assert_array_equal(classes(scene, probability), expected)


@pytest.mark.parametrize(
    ("s1", "s8", "s9", "code"),
    [
        (0.60, 285.0, 284.5, 1),  # low but bright
        (0.19, 285.0, 284.5, 2),  # .09 brighter than the ground, 5 K colder
        (0.21, 285.0, 284.5, 1),
        (0.19, 279.0, 278.5, 1),  # 11 K colder
        # SK88 allows 2.18 K at 285 K times 1.5 ^ .6 = 1.275: 2.78 K.
        (0.60, 285.0, 282.0, 2),
        (0.60, 285.0, 282.5, 1),
        (0.60, 250.0, 244.0, 1),  # a thick ice cloud's edge
    ],
)
def test_thin_cloud_is_contaminated(s1: float, s8: float, s9: float, code: int) -> None:
    scene, probability = cloudy_scene(s1, s8, s9)
    assert classes(scene, probability)[7, 7] == code


def test_thin_cloud_at_night_lets_more_through_at_37_um() -> None:
    scene, probability = cloudy_scene(np.nan, 285.0, 284.0)
    night = scene.drop_vars("S1").assign_coords(
        solar_zenith_angle=scene["solar_zenith_angle"] + 100
    )
    # Medium and high cloud: more than 4.2 K at 284 K.
    for s7, code in ((289.0, 2), (287.0, 1)):
        seen = night.assign(S7=(scene["S8"].dims, np.full((15, 15), s7, np.float32)))
        assert classes(seen, probability)[7, 7] == code
        day = seen.assign_coords(solar_zenith_angle=scene["solar_zenith_angle"])
        assert classes(day, probability)[7, 7] == 1  # S7 is sunlit


def test_what_the_detector_is_not_sure_of_is_contaminated() -> None:
    # Half way from .4 to 1 is .7.
    scene, probability = cloudy_scene(0.6, 250.0, 249.9)
    assert classes(scene, 0.69 * probability, 0.4)[7, 7] == 2
    assert classes(scene, 0.71 * probability, 0.4)[7, 7] == 1


# Together


def test_any_band_alone_and_any_size_will_do() -> None:
    for name in ("S1", "S5", "S7", "S8", "S9"):
        for shape in ((1, 1), (2, 3)):
            scene = build_scene({name: np.full(shape, 0.3 if name < "S7" else 280.0)})
            for probability, codes in ((0.0, {0}), (0.99, {1}), (np.nan, {255})):
                mask = build_mask(
                    scene, np.full(shape, probability), threshold=0.5, detector="test"
                )
                found = extend(mask, scene)
                assert set(found["cloud_mask_extended"].values.flat) == codes
                assert "cloud_shadow" not in found


def test_nothing_is_learnt_from_labels_or_truth() -> None:
    scene = simulate_scene(3, (64, 80), like="polar", daytime=True)
    probability = np.where(scene["S8"].values < 255, 0.8, 0.2)
    mask = build_mask(scene, probability, threshold=0.5, detector="test")
    bare = scene[[name for name in scene.data_vars if str(name) in (*NAMES, "confidence")]]
    masks = flag_masks(scene["confidence"].attrs)
    surface = sum(bit for name, bit in masks.items() if name in SURFACES)
    bare = bare.assign(confidence=scene["confidence"] & np.uint16(surface))
    bare["confidence"].attrs = scene["confidence"].attrs
    xr.testing.assert_identical(extend(mask, scene), extend(mask, bare))


def test_extended_classes_go_wherever_masks_go(tmp_path: Path) -> None:
    scene, cloud = shaded_scene()
    mask = extend(build_mask(scene, 0.9 * cloud, threshold=0.5, detector="test"), scene)
    shadow, codes = mask["cloud_shadow"], mask["cloud_mask_extended"]
    assert int((shadow == 1).sum()) == 32  # 4 rows of 8 pixels
    assert set(codes.values[BLOCK].flat) == {1, 2}
    assert codes.attrs["flag_meanings"] == "cloud_free cloudy cloud_contaminated snow_ice"

    for name in ("mask.nc", "mask.zarr", "mask.tif"):
        write_mask_output(mask, tmp_path / name, stac=True, overwrite=True)
        item = (tmp_path / "mask.json").read_text()
        assert '"cloud_mask_extended"' in item
        assert '"snow_ice"' in item
        if name != "mask.tif":
            for variable in ("cloud_mask_extended", "cloud_shadow"):
                read = read_mask(tmp_path / name)[variable].variable
                xr.testing.assert_identical(read, mask[variable].variable)
    assert {"cloud_mask_extended", "cloud_shadow"} <= set(byte_layers(mask))
    draw_quicklook(scene, mask, tmp_path / "mask.png", panels=FOUR_EXTENDED)
    assert (tmp_path / "mask.png").stat().st_size > 10_000
    assert "extended" in default_panels(subject_of(None, mask))
    assert "extended" not in default_panels(subject_of(None, mask.drop_vars("cloud_mask_extended")))


def test_classes_from_python() -> None:
    scene, _ = shaded_scene()
    plain, extended = cm.predict(scene), cm.predict(scene, classes="extended")
    assert set(extended) - set(plain) == {"cloud_mask_extended", "cloud_shadow"}
    xr.testing.assert_equal(extended[list(plain)], plain)
    with pytest.raises(InputError, match="'snow': expected binary or extended"):
        cm.predict("nowhere.SEN3", classes="snow")
    assert check_classes("extended") == "extended"
