"""From a Scene to the network's input, and nothing else: one fixed shift and scale per channel.

What is missing is 0 before normalisation, as in the benchmark's files, where reflectances are 0 at
night and empty pixels are 0 in every band. For a network that is told which bands are there (see
``inputs``) it is -1, which nothing measured is.
"""

from typing import Literal

import numpy as np
import numpy.typing as npt
import xarray as xr
from pydantic import BaseModel, ConfigDict, FiniteFloat, model_validator

from slstr_cloudmask.channels import NAMES, THERMAL_NAMES
from slstr_cloudmask.scene import bands_present

# The benchmark's constants (mlcommons/science, benchmarks/cloudmask, data loader):
# refs − 0.5 and (bts − 270) / 22.
REFLECTANCE_OFFSET, REFLECTANCE_SCALE = 0.5, 1.0
LARGEST = 1e4  # nothing measured is larger, in either unit; beyond is no data
BT_OFFSET_KELVIN, BT_SCALE_KELVIN = 270.0, 22.0

Reads = Literal["bands", "full"]
# Differences that a network of ``full`` inputs reads, and the kelvins in which it counts them:
# low cloud by night shows in the first, thin cirrus in the second (see ``detectors.cloud_tests``).
DIFFERENCES = (("S7", "S8", 1.0), ("S8", "S9", 0.5))
MISSING: dict[Reads, float] = {
    "bands": 0.0,
    "full": -1.0,
}  # what stands for no data, in either unit

BLOCK_ROWS = 16  # of a full scene: one band of them stays in a core's own cache


class Normaliser(BaseModel):
    """``(value − offset) / scale`` for each channel, in order.

    Attributes
    ----------
    channels
        Band names in the order of the network's input.
    offset, scale
        One number a channel, in the channel's unit.
    reads
        ``bands``: the network reads the channels alone; ``full``: also differences and which
        channels are there: see ``inputs``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    channels: tuple[str, ...]
    offset: tuple[FiniteFloat, ...]
    scale: tuple[FiniteFloat, ...]
    reads: Reads = "bands"

    @model_validator(mode="after")
    def _check(self) -> "Normaliser":
        unknown = set(self.channels) - set(NAMES)
        if unknown:
            raise ValueError(f"unknown channels: {', '.join(sorted(unknown))}")
        if not len(self.channels) == len(self.offset) == len(self.scale):
            raise ValueError("channels, offset and scale must be equally long")
        if 0 in self.scale:
            raise ValueError("a scale of 0 cannot be divided by")
        needed = {name for *pair, _ in DIFFERENCES for name in pair}
        if self.reads == "full" and not needed <= set(self.channels):
            raise ValueError(f"full inputs need {', '.join(sorted(needed))}")
        return self

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the network's inputs, in order."""
        if self.reads == "bands":
            return self.channels
        differences = tuple(f"{one}-{other}" for one, other, _ in DIFFERENCES)
        return (*self.channels, *differences, *(f"{name} seen" for name in self.channels))

    @property
    def missing(self) -> tuple[float, ...]:
        """What stands for no data in each channel, normalised."""
        value = MISSING[self.reads]
        return tuple((value - o) / s for o, s in zip(self.offset, self.scale, strict=True))

    @property
    def seen_above(self) -> tuple[float, ...]:
        """What every measurement of each channel is above, normalised, and no data is not."""
        value = MISSING["full"] / 2
        return tuple((value - o) / s for o, s in zip(self.offset, self.scale, strict=True))

    @classmethod
    def benchmark(cls, names: tuple[str, ...] = NAMES, reads: Reads = "bands") -> "Normaliser":
        """Return the benchmark's fixed normalisation of the channels ``names``."""
        thermal = [name in THERMAL_NAMES for name in names]
        return cls(
            channels=names,
            offset=tuple(BT_OFFSET_KELVIN if t else REFLECTANCE_OFFSET for t in thermal),
            scale=tuple(BT_SCALE_KELVIN if t else REFLECTANCE_SCALE for t in thermal),
            reads=reads,
        )

    def apply(self, scene: xr.Dataset) -> npt.NDArray[np.float32]:
        """Return normalised channels (rows, columns, channels), without any NaN.

        In memory one channel comes after the other.
        """
        rows, columns = scene[bands_present(scene)[0]].shape
        x_CHW = np.empty((len(self.channels), rows, columns), np.float32)
        for x_HW, name, *numbers in zip(x_CHW, self.channels, self.offset, self.scale, strict=True):
            offset, scale = map(np.float32, numbers)
            missing = (np.float32(MISSING[self.reads]) - offset) / scale
            if name not in scene:
                x_HW[:] = missing
                continue
            values = scene[name].values
            for start in range(0, rows, BLOCK_ROWS):
                block, x_block = (array[start : start + BLOCK_ROWS] for array in (values, x_HW))
                with np.errstate(over="ignore"):  # of what is replaced below
                    np.subtract(block, offset, out=x_block)
                    x_block /= scale
                # NaN is not less.
                np.copyto(x_block, missing, where=~(np.abs(block) < LARGEST))
        return np.moveaxis(x_CHW, 0, -1)
