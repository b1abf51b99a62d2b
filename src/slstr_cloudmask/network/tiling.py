"""The benchmark's patches: where they lie on a scene, for training and for inference.

Training takes whole patches from the centre of the scene and drops what is left at the sides.
Inference lays overlapping patches over the padded scene and keeps the middle of each. Both follow
mlcommons/science, benchmarks/cloudmask, data loader.

Along one axis of length n, with patch size p and kept middle s (the stride), "same" tiling has
k = ceil(n / s) patches and covers (k − 1)·s + p pixels; what is over is padded on both sides, the
smaller half first. For 1200×1500, p = 256, s = 176: 7×9 patches, padding 56/56 and 82/82, middles
tiled to 1232×1584, of which the scene starts at (16, 42).

Shape legend: H rows, W columns, C channels, K patches, P patch size.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from slstr_cloudmask.errors import InputError

Float32Array = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class TilingAxis:
    """Overlapping patches along one axis.

    Attributes
    ----------
    length, patch, crop
        Pixels of the scene, of a patch, and of what is cut from a patch (both sides together).
    """

    length: int
    patch: int
    crop: int

    def __post_init__(self) -> None:
        if not 0 <= self.crop < self.patch or self.crop % 2:
            raise InputError(
                f"Crop {self.crop} does not fit patch size {self.patch}: "
                "expected an even number of pixels, smaller than the patch."
            )

    @property
    def stride(self) -> int:
        """Pixels of a patch that are kept."""
        return self.patch - self.crop

    @property
    def count(self) -> int:
        """Number of patches."""
        return -(-self.length // self.stride)

    @property
    def padding(self) -> tuple[int, int]:
        """Zero pixels before and after the scene."""
        total = max((self.count - 1) * self.stride + self.patch - self.length, 0)
        return total // 2, total - total // 2

    @property
    def starts(self) -> list[int]:
        """First pixel of each patch, counted on the padded scene."""
        return [i * self.stride for i in range(self.count)]

    @property
    def offset(self) -> int:
        """Where the scene starts among the tiled middles."""
        return (self.count * self.stride - self.length) // 2


def centre_starts(length: int, patch: int) -> list[int]:
    """First pixels of the whole patches in the centre of an axis.

    For 1200 and 1500 with patches of 256: from 88 and 110, 4 and 5 patches.

    Raises
    ------
    InputError
        The axis is shorter than a patch.
    """
    count = length // patch
    if count == 0:
        raise InputError(
            f"A scene of {length} pixels along one side holds no patch of {patch}: "
            "use larger scenes or a smaller patch size."
        )
    offset = (length % patch) // 2
    return [offset + i * patch for i in range(count)]


def centre(length: int, patch: int) -> slice:
    """Return the pixels of an axis that its whole patches in the centre cover; errors as there."""
    starts = centre_starts(length, patch)
    return slice(starts[0], starts[-1] + patch)


def centre_patches(array: npt.NDArray[np.generic], patch: int) -> npt.NDArray[np.generic]:
    """Cut an array (H, W, ...) into its whole central patches (K, P, P, ...), row by row.

    However the array lies in memory, the patches lie there one after the other.
    """
    rows = centre_starts(array.shape[0], patch)
    columns = centre_starts(array.shape[1], patch)
    patches = [array[r : r + patch, c : c + patch] for r in rows for c in columns]
    return np.ascontiguousarray(np.stack(patches))


def overlapping_patches(x_HWC: Float32Array, patch: int, crop: int) -> Float32Array:
    """Cut normalised channels (H, W, C) into overlapping, zero-padded patches (K, P, P, C)."""
    rows, columns = _axes(x_HWC.shape[0], x_HWC.shape[1], patch, crop)
    padded = np.pad(x_HWC, (rows.padding, columns.padding, (0, 0)))
    return np.stack(
        [padded[r : r + patch, c : c + patch] for r in rows.starts for c in columns.starts]
    )


def join_patches(
    patches_KPP: Float32Array, shape: tuple[int, int], patch: int, crop: int
) -> Float32Array:
    """Put the middles of patches (K, P, P) together to a scene (H, W) of ``shape``."""
    rows, columns = _axes(shape[0], shape[1], patch, crop)
    half, stride = crop // 2, rows.stride
    middles = patches_KPP[:, half : half + stride, half : half + stride]
    grid = middles.reshape(rows.count, columns.count, stride, stride)
    tiled = grid.transpose(0, 2, 1, 3).reshape(rows.count * stride, columns.count * stride)
    top, left = rows.offset, columns.offset
    return tiled[top : top + shape[0], left : left + shape[1]]


def _axes(height: int, width: int, patch: int, crop: int) -> tuple[TilingAxis, TilingAxis]:
    return TilingAxis(height, patch, crop), TilingAxis(width, patch, crop)
