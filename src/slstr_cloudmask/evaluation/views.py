"""Cloud that one view of the instrument sees and the other does not.

    both = compare_views(nadir_mask, oblique_mask)
    both.counts["nadir_only"], both.seen_by

The oblique view looks backwards at 55 degrees, so a cloud at height h stands up to 1.4 h farther
along the track there: 14 km for cirrus at 10 km. Where the views differ there is high cloud, an
edge, cloud too thin for the shorter path of nadir, or a mistake of either. Both images count
columns from the sub-satellite track and rows from the start of the orbit, so pixels are paired by
place on the ground.
"""

from dataclasses import dataclass

import numpy as np
import xarray as xr

from slstr_cloudmask.errors import InputError
from slstr_cloudmask.flags import UNKNOWN, integer_flags, paired, value_flag_variable
from slstr_cloudmask.scene import shared_ground

# As `paired` numbers them.
SEEN_BY_VALUES = {"neither": 0, "both": 1, "nadir_only": 2, "oblique_only": 3}


@dataclass(frozen=True, slots=True)
class ViewComparison:
    """What two views see of the same ground.

    Attributes
    ----------
    counts
        Pixels by name of `SEEN_BY_VALUES`, of those that both views know.
    seen_by
        `SEEN_BY_VALUES` on the nadir grid, 255 where either view knows nothing.
    """

    counts: dict[str, int]
    seen_by: xr.Variable


def compare_views(nadir: xr.Dataset, oblique: xr.Dataset) -> ViewComparison:
    """Compare the masks of both views of one product.

    Parameters
    ----------
    nadir, oblique
        Masks on the same grid spacing, with the attributes ``start_offset`` and ``track_offset``
        that scenes of products have.

    Raises
    ------
    InputError
        The masks do not say where their grids lie, or are of different products or grids.
    """
    nadir, oblique = integer_flags(nadir), integer_flags(oblique)
    sources = [mask.attrs.get("source") for mask in (nadir, oblique)]
    if None not in sources and sources[0] != sources[1]:
        raise InputError(
            f"The masks are of different products, {sources[0]} and {sources[1]}: "
            "expected the two views of one."
        )
    if nadir.attrs.get("grid") != oblique.attrs.get("grid"):
        raise InputError(
            f"The masks are of different grids, {nadir.attrs.get('grid')} and "
            f"{oblique.attrs.get('grid')}: mask both views on the same."
        )
    first, second = nadir["cloud_mask"].values, oblique["cloud_mask"].values
    here, there = shared_ground(nadir, oblique)
    placed = np.full(first.shape, UNKNOWN, np.uint8)
    placed[here] = second[there]
    code = paired(first, placed)
    counts = {name: int((code == value).sum()) for name, value in SEEN_BY_VALUES.items()}
    return ViewComparison(
        counts, value_flag_variable(code, SEEN_BY_VALUES, long_name="views that see cloud")
    )
