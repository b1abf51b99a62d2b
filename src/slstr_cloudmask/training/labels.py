"""What a network is taught at each pixel of a scene: which label, how sure, and where it is.

    codes = Teaching(label="agreed", masks=Path("masks")).codes(scene, path)
    labels, known, strata = Coding(levels=20, strata=1).decoded(codes)

A label is a byte: 255 where nothing is known, else the probability of cloud in steps of
``1 / levels``, and above that the number of the pixel's stratum. With one level and one stratum, as
for the labels that scenes bring, that is 0 clear and 1 cloud.

``bayes``, ``truth``
    What the scene brings.
``masks``
    The probability in a mask of the scene that a detector has made (``cloudmask predict``).
``agreed``
    The provider's label where such a mask agrees with it, else the mask's probability: of two
    witnesses with different faults, the provider calls nearly half of the clear cloud.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import xarray as xr
from scipy import ndimage

from slstr_cloudmask.errors import InputError, MissingFileError
from slstr_cloudmask.flags import UNKNOWN, BoolArray
from slstr_cloudmask.io.mask_file import read_mask
from slstr_cloudmask.io.product_name import product_stem
from slstr_cloudmask.scene import Regime, label, regime, surface_flag

LabelName = Literal["bayes", "truth", "masks", "agreed"]
OF_MASKS = ("masks", "agreed")
MASK_LEVELS = 20
# Where the provider errs differently; the light of twilight counts as the night's.
STRATA = ("night elsewhere", "night ocean", "day elsewhere", "day ocean")
_DAY, _OCEAN = 2, 1  # added up: the place in STRATA

Codes = npt.NDArray[np.uint8]
Confusion = tuple[tuple[int, int, int, int], ...]


@dataclass(frozen=True, slots=True)
class Coding:
    """How bytes stand for labels: so many steps of probability, so many strata."""

    levels: int = 1
    strata: int = 1

    def __post_init__(self) -> None:
        if self.strata * (self.levels + 1) > UNKNOWN:
            raise ValueError(f"{self.strata} strata of {self.levels} levels do not fit a byte")

    def encoded(
        self,
        probability: npt.NDArray[np.floating[Any]],
        known: BoolArray,
        stratum: npt.NDArray[np.integer[Any]] | int = 0,
    ) -> Codes:
        """Return the bytes of probabilities of cloud."""
        level = np.rint(np.where(known, probability, 0) * self.levels)
        code = level + np.asarray(stratum) * (self.levels + 1)
        return np.where(known, code, UNKNOWN).astype(np.uint8)

    def decoded(self, codes: Any) -> tuple[Any, Any, Any]:
        """Return probability of cloud, whether it is known, and stratum, of an array or tensor.

        Where it is not known the other two mean nothing.
        """
        step = self.levels + 1
        return (codes % step) / self.levels, codes != UNKNOWN, codes // step


@dataclass(frozen=True, slots=True)
class Teaching:
    """Which label a network is taught.

    Attributes
    ----------
    label
        One of `LabelName`.
    masks
        A folder of masks, named as ``cloudmask predict`` names them.
    empty_known
        Pixels that were not seen count as clear (faithful), else they have no label.
    ignore_coast_px
        Pixels within this distance of a coastline have no label, where the scene has coastlines.
    strata
        Whether bytes also tell the stratum.
    """

    label: LabelName = "bayes"
    masks: Path | None = None
    empty_known: bool = False
    ignore_coast_px: int = 0
    strata: bool = False

    @property
    def coding(self) -> Coding:
        """How the bytes are to be read."""
        return Coding(MASK_LEVELS if self.label in OF_MASKS else 1, len(STRATA) * self.strata or 1)

    def codes(self, scene: xr.Dataset, path: Path) -> Codes:
        """Return the labels of a scene as bytes (rows, columns).

        Raises
        ------
        MissingLabelError
            The scene does not bring the label.
        InputError
            There is no mask of the scene, more than one, or one of another size.
        """
        probability, known = self._probability(scene, path)
        if self.empty_known:
            probability, known = np.where(known, probability, 0), np.ones(known.shape, bool)
        if self.ignore_coast_px and (coast := surface_flag(scene, "coastline")) is not None:
            known = known & ~ndimage.binary_dilation(coast, iterations=self.ignore_coast_px)
        stratum = strata_numbers(scene) if self.strata else 0
        return self.coding.encoded(probability, known, stratum)

    def confusion(self, scene: xr.Dataset, path: Path) -> Confusion | None:
        """Count the provider's label against the masks in every stratum, without any truth.

        Returns
        -------
        tuple or None
            Of each stratum: both clear, provider's cloud alone, mask's cloud alone, both cloud.
            None where there are no masks or no strata.
        """
        if self.masks is None or not self.strata:
            return None
        flagged, known = label(scene, "bayes")
        probability, answered = _mask_probability(scene, path, self.masks)
        known = known & answered
        cell = flagged.astype(np.intp) + 2 * (probability >= 0.5)
        places = strata_numbers(scene)[known] * 4 + cell[known]
        counts = np.bincount(places, minlength=4 * len(STRATA)).reshape(-1, 4)
        return tuple((int(a), int(b), int(c), int(d)) for a, b, c, d in counts)

    def _probability(
        self, scene: xr.Dataset, path: Path
    ) -> tuple[npt.NDArray[np.floating[Any]], BoolArray]:
        if self.label not in OF_MASKS:
            cloud, known = label(scene, self.label)
            return cloud.astype(np.float32), known
        if self.masks is None:
            raise InputError(f"The label {self.label!r} needs a folder of masks.")
        probability, answered = _mask_probability(scene, path, self.masks)
        if self.label == "masks":
            return probability, answered
        flagged, known = label(scene, "bayes")
        agreed = known & (flagged == (probability >= 0.5))
        return np.where(agreed, flagged, probability), answered


def strata_numbers(scene: xr.Dataset) -> npt.NDArray[np.intp]:
    """Return the place in ``STRATA`` of each pixel of a scene (rows, columns)."""
    day = regime(scene) == Regime.DAY
    ocean = surface_flag(scene, "ocean")
    return np.asarray(day * _DAY + (0 if ocean is None else ocean * _OCEAN), np.intp)


def find_mask(folder: Path, scene_path: Path) -> Path:
    """Find the mask of a scene in a folder.

    Raises
    ------
    MissingFileError
        There is none.
    InputError
        There are several.
    """
    stem = product_stem(scene_path)
    found = sorted(folder.glob(f"{stem}*.nc"))
    if not found:
        raise MissingFileError(
            f"There is no mask of {scene_path.name} in {folder}: expected {stem}*.nc. Make it with "
            "`cloudmask predict`."
        )
    if len(found) > 1:
        raise InputError(
            f"There are {len(found)} masks of {scene_path.name} in {folder}, {found[0].name} and "
            f"{found[1].name} for two: use a folder with one of each scene."
        )
    return found[0]


def _mask_probability(
    scene: xr.Dataset, path: Path, folder: Path
) -> tuple[npt.NDArray[np.floating[Any]], BoolArray]:
    mask_path = find_mask(folder, path)
    probability = read_mask(mask_path)["cloud_probability"].values
    shape = tuple(scene.sizes.values())
    if probability.shape != shape:
        raise InputError(
            f"The mask {mask_path} has {probability.shape} pixels, and its scene {shape}."
        )
    answered = np.isfinite(probability)
    return np.where(answered, probability, 0), answered
