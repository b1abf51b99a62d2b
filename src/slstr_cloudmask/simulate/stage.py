"""A scene before it is seen: drawn by `staging`, seen by `observe`."""

from dataclasses import dataclass, fields, is_dataclass, replace
from typing import TypeVar

import numpy as np

from slstr_cloudmask.simulate.atmosphere import Air
from slstr_cloudmask.simulate.clouds import CloudLayer
from slstr_cloudmask.simulate.fractal import Field
from slstr_cloudmask.simulate.geometry import Geometry
from slstr_cloudmask.simulate.surface import Surface

Part = TypeVar("Part")


@dataclass(frozen=True, slots=True)
class Stage:
    """Everything that decides what is seen; all fields (rows, columns) of one shape."""

    geometry: Geometry
    surface: Surface
    air: Air
    layers: list[CloudLayer]
    light: Field  # sunlight that reaches the ground past the clouds beside it, 0 to 1

    def rows(self, first: int, last: int) -> "Stage":
        """Cut some rows out, as views."""
        block = slice(first, last)
        return Stage(
            geometry=_cut(self.geometry, block),
            surface=_cut(self.surface, block),
            air=_cut(self.air, block),
            layers=[_cut(layer, block) for layer in self.layers],
            light=self.light[block],
        )


def _cut(part: Part, block: slice) -> Part:
    assert is_dataclass(part)
    arrays = {
        member.name: value[block]
        for member in fields(part)
        if isinstance(value := getattr(part, member.name), np.ndarray)
    }
    return replace(part, **arrays)  # type: ignore[type-var]
