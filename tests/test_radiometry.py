"""The two radiometries and the way between them; every number is worked out by hand."""

import dask
import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from slstr_cloudmask.channels import REFLECTANCE_NAMES, THERMAL_NAMES
from slstr_cloudmask.errors import InputError
from slstr_cloudmask.radiometry import ADJUSTMENT, RADIOMETRIES, convert_radiometry
from slstr_cloudmask.scene import build_scene
from tests.scenes import make_scene


def small_scene(
    view: str | None = "nadir", radiometry: str | None = "as_distributed"
) -> xr.Dataset:
    """Return a scene of every band: reflectance 0.5 and no data, 280 K and no data."""
    bands = {name: [[0.5, np.nan]] for name in REFLECTANCE_NAMES}
    bands |= {name: [[280.0, np.nan]] for name in THERMAL_NAMES}
    attributes = {"view": view, "radiometry": radiometry, "source": "S3A_x.SEN3"}
    return build_scene(
        bands, attributes={key: value for key, value in attributes.items() if value is not None}
    )


@pytest.mark.parametrize(
    ("view", "expected"),
    [
        # 0.5 times .97 .98 .98 1 1.11 1.13
        ("nadir", [0.485, 0.49, 0.49, 0.5, 0.555, 0.565]),
        # 0.5 times .94 .95 .95 1 1.04 1.07
        ("oblique", [0.47, 0.475, 0.475, 0.5, 0.52, 0.535]),
    ],
)
def test_adjusting_multiplies_by_the_factors_of_the_view(view: str, expected: list[float]) -> None:
    scene = small_scene(view)
    adjusted = convert_radiometry(scene, "adjusted")
    assert adjusted.attrs == scene.attrs | {"radiometry": "adjusted"}
    found = [adjusted[name].values[0, 0] for name in REFLECTANCE_NAMES]
    assert found == pytest.approx(expected, rel=1e-6)
    for name in REFLECTANCE_NAMES:
        assert adjusted[name].dtype == np.float32
        assert adjusted[name].attrs == scene[name].attrs
        assert np.isnan(adjusted[name].values[0, 1])
    for name in THERMAL_NAMES:
        xr.testing.assert_identical(adjusted[name], scene[name])
    assert scene["S5"].values[0, 0] == 0.5  # the scene that was given is as it was
    assert scene.attrs["radiometry"] == "as_distributed"


def test_going_back_divides() -> None:
    scene = small_scene(radiometry="adjusted")
    back = convert_radiometry(scene, "as_distributed")
    # .5/.97 = .515464, .5/1.11 = .450450
    assert back["S1"].values[0, 0] == pytest.approx(0.515464, abs=1e-6)
    assert back["S5"].values[0, 0] == pytest.approx(0.450450, abs=1e-6)


@given(
    seed=st.integers(0, 2**32 - 1),
    view=st.sampled_from(sorted(ADJUSTMENT)),
    first=st.sampled_from(RADIOMETRIES),
)
def test_there_and_back_is_where_one_was(seed: int, view: str, first: str) -> None:
    scene = make_scene(seed, (3, 4), empty_columns=1).assign_attrs(view=view, radiometry=first)
    (second,) = set(RADIOMETRIES) - {first}
    there = convert_radiometry(scene, second)
    back = convert_radiometry(there, first)
    assert there.attrs["radiometry"] == second
    xr.testing.assert_allclose(back, scene, rtol=1e-6, atol=0)
    assert back.attrs == scene.attrs
    assert convert_radiometry(there, second) is there  # once is as good as twice


def test_what_needs_no_change_is_given_back() -> None:
    already = small_scene(view=None, radiometry="adjusted")
    assert convert_radiometry(already, "adjusted") is already
    unsaid = small_scene(radiometry=None)
    for to in RADIOMETRIES:
        assert convert_radiometry(unsaid, to) is unsaid


def test_a_scene_without_reflectances_changes_only_its_attribute() -> None:
    scene = small_scene(view=None).drop_vars(REFLECTANCE_NAMES)
    adjusted = convert_radiometry(scene, "adjusted")
    assert adjusted.attrs == {"source": "S3A_x.SEN3", "radiometry": "adjusted"}
    xr.testing.assert_equal(adjusted, scene)


def test_dask_arrays_stay_lazy() -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("computed")

    scene = small_scene().chunk({"rows": 1})
    with dask.config.set(scheduler=refuse):
        adjusted = convert_radiometry(scene, "adjusted")
    assert adjusted["S5"].chunks == ((1,), (2,))
    assert adjusted["S5"].dtype == np.float32
    assert adjusted["S5"].values[0, 0] == pytest.approx(0.555, rel=1e-6)


@pytest.mark.parametrize("view", [None, "", "sideways"])
def test_reflectances_of_an_unknown_view_are_refused(view: str | None) -> None:
    with pytest.raises(InputError, match=r"S3A_x\.SEN3 cannot be converted.*nadir, oblique"):
        convert_radiometry(small_scene(view), "adjusted")


def test_a_radiometry_that_does_not_exist_is_refused() -> None:
    with pytest.raises(InputError, match=r"to convert to is 'raw'.*as_distributed, adjusted"):
        convert_radiometry(small_scene(), "raw")
    with pytest.raises(InputError, match=r"of S3A_x\.SEN3 is 'raw'"):
        convert_radiometry(small_scene(radiometry="raw"), "adjusted")
