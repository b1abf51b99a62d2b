"""Two views of the same ground, paired by where their grids lie."""

from typing import Any

import numpy as np
import pytest
import xarray as xr

from slstr_cloudmask.errors import InputError
from slstr_cloudmask.evaluation.views import compare_views
from slstr_cloudmask.flags import DIMS


def mask(cloud: Any, *, start: float = 100, track: float = 3, grid: str = "1km") -> xr.Dataset:
    attributes = {"grid": grid, "start_offset": start, "track_offset": track, "source": "made"}
    return xr.Dataset({"cloud_mask": (DIMS, np.asarray(cloud, np.uint8))}, attrs=attributes)


def test_pixels_are_paired_from_the_track_and_the_start_of_the_orbit() -> None:
    # Columns of nadir are 3, 2, 1, 0 from the track at column 3; those of oblique 1, 0 from the
    # track at 1: oblique columns 0, 1 are nadir's 2, 3. Its row 0 is nadir's row 1.
    nadir = mask([[0, 0, 0, 0], [1, 1, 1, 0], [0, 0, 255, 1]])
    oblique = mask([[1, 1], [0, 0]], start=101, track=1)

    both = compare_views(nadir, oblique)

    np.testing.assert_array_equal(
        both.seen_by.values, [[255] * 4, [255, 255, 1, 3], [255, 255, 255, 2]]
    )
    assert both.counts == {"neither": 0, "both": 1, "nadir_only": 1, "oblique_only": 1}


def test_neither_sees_cloud() -> None:
    assert compare_views(mask([[0]]), mask([[0]])).counts["neither"] == 1


@pytest.mark.parametrize("shift", [{"start": 90}, {"start": 900}, {"track": 50}, {"track": -50}])
def test_views_that_do_not_meet_know_nothing_together(shift: dict[str, Any]) -> None:
    both = compare_views(mask(np.ones((4, 4))), mask(np.ones((3, 2)), **shift))

    assert set(both.counts.values()) == {0}
    assert (both.seen_by.values == 255).all()


def test_larger_second_view_is_cut() -> None:
    both = compare_views(mask([[1]]), mask(np.ones((5, 5)), start=98, track=5))

    assert both.counts["both"] == 1


def test_masks_of_different_grids_are_refused() -> None:
    with pytest.raises(InputError, match="different grids, 1km and 500m"):
        compare_views(mask([[0]]), mask([[0]], grid="500m"))


def test_masks_of_two_products_are_refused() -> None:
    other = mask([[0]]).assign_attrs(source="other")
    with pytest.raises(InputError, match="different products, made and other"):
        compare_views(mask([[0]]), other)
    del other.attrs["source"]
    assert compare_views(mask([[0]]), other).counts["neither"] == 1


def test_masks_that_xarray_decoded() -> None:
    nadir = mask([[0, 1, 255]])
    decoded = nadir.copy(data={"cloud_mask": np.array([[0, 1, np.nan]], np.float32)})
    decoded["cloud_mask"].attrs["flag_values"] = [0, 1]

    both = compare_views(decoded, mask([[1, 1, 1]]))

    np.testing.assert_array_equal(both.seen_by, [[3, 1, 255]])


def test_a_mask_without_its_place_is_refused() -> None:
    placeless = mask([[0]])
    del placeless.attrs["track_offset"]
    with pytest.raises(InputError, match="made has no attribute track_offset"):
        compare_views(placeless, mask([[0]]))
