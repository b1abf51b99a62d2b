"""What a quicklook is made of: a scene, a mask, or both, and the masks beside it.

subject = subject_of(scene, mask, against="esa_bayes_single_moderate")
subject.bands("S7", "S8")          # thinned, as a Scene
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from slstr_cloudmask.channels import THERMAL_NAMES
from slstr_cloudmask.errors import InputError
from slstr_cloudmask.flags import integer_flags
from slstr_cloudmask.operational import agreement, reference_name
from slstr_cloudmask.report.drawing import Array, step_of
from slstr_cloudmask.report.masks import TRUTH, check_of_scene, masks_of, match_name
from slstr_cloudmask.scene import Regime, bands_present, check_layout, regime


@dataclass(frozen=True, slots=True)
class Subject:
    """A scene, a mask of it, or both.

    Attributes
    ----------
    scene, mask
        Either may be None, not both.
    others
        Masks beside ours, by name: operational ones, and the truth of simulated scenes.
    against
        The one that ours is compared with; None where there is none.
    """

    scene: xr.Dataset | None
    mask: xr.Dataset | None
    others: Mapping[str, xr.Variable]
    against: str | None

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the full grid."""
        grid = self.scene if self.scene is not None else self.mask
        assert grid is not None
        return grid.sizes["rows"], grid.sizes["columns"]

    @property
    def attributes(self) -> dict[Any, Any]:
        """What is known of time, platform, view and detector."""
        scene = {} if self.scene is None else self.scene.attrs
        mask = {} if self.mask is None else self.mask.attrs
        return {**mask, **scene}

    def coordinate(self, name: str) -> Array | None:
        """Values of ``latitude`` or ``longitude`` (rows, columns), degrees; None if unknown."""
        for grid in (self.scene, self.mask):
            if grid is not None and name in grid.coords:
                return grid[name].values
        return None

    def lacks(self, *names: str) -> str:
        """Name what the scene lacks of these bands; nothing where it holds all of them."""
        held = () if self.scene is None else bands_present(self.scene)
        return ", ".join(name for name in names if name not in held)

    def bands(self, *names: str) -> xr.Dataset:
        """Take some bands, and the thermal ones, which tell what was seen, as a thinned Scene."""
        assert self.scene is not None
        wanted = [
            name for name in bands_present(self.scene) if name in names or name in THERMAL_NAMES
        ]
        every = slice(None, None, step_of(self.shape))
        needless = set(self.scene.coords) - {"solar_zenith_angle"}
        # Whole rows are read faster than some pixels of each.
        chosen = self.scene[wanted].drop_vars(needless).load()
        return chosen.isel(rows=every, columns=every)

    def regimes(self, *names: str) -> set[int]:
        """Day, twilight, night that there are, by the Sun or by where these bands have values."""
        return {int(value) for value in np.unique(regime(self.bands(*names)))}

    def is_sunlit(self, *names: str) -> bool:
        """Tell whether there is day anywhere."""
        return Regime.DAY in self.regimes(*names)

    def agreement(self) -> Array:
        """Where ours and ``against`` agree, as `slstr_cloudmask.operational.AGREEMENT_VALUES`."""
        assert self.mask is not None
        assert self.against is not None
        ours, other = self.mask["cloud_mask"].variable, self.others[self.against]
        return agreement(ours, other, self.against).values


def subject_of(
    scene: xr.Dataset | None, mask: xr.Dataset | None, against: str | None = None
) -> Subject:
    """Gather what a quicklook is made of.

    Parameters
    ----------
    scene, mask
        A Scene, a Mask, or both.
    against
        Name of the mask that ours is compared with, with or without its prefix; by default the
        product's own verdict.

    Raises
    ------
    InputError
        Neither is given, the scene is none, they are not of one scene, or there is no mask
        ``against``.
    """
    if scene is None and mask is None:
        raise InputError("There is nothing to draw: expected a scene, a mask, or both.")
    scene = None if scene is None else check_layout(scene)
    mask = None if mask is None else integer_flags(mask)
    if scene is not None and mask is not None:
        check_of_scene(mask, scene, "The mask")
    others = masks_of(scene, mask)
    if against is None:
        return Subject(scene, mask, others, _verdict(scene, others))
    found = match_name(against, others)
    if found is None:
        there = ", ".join(others) or "none"
        raise InputError(f"There is no mask {against!r} to compare with; there are: {there}.")
    return Subject(scene, mask, others, found)


def _verdict(scene: xr.Dataset | None, others: dict[str, xr.Variable]) -> str | None:
    own = {name: variable for name, variable in others.items() if name != TRUTH}
    if scene is not None:
        return reference_name(scene, own)
    return next(iter(own), None)
