"""Where the measurements of a product lie on the ground, for `collocation`.

    places = Places(product, layout)
    neighbours = places.neighbours("a", "i", count=4)     # of 500 m, for each pixel of 1 km
    values = places.mean(neighbours, "a", radiance, orphans)

``cartesian_*.nc`` tells for every measurement, those in the image and the orphans, its distance
across and along the track in metres.
"""

import numpy as np

from slstr_cloudmask.errors import InputError
from slstr_cloudmask.flags import BoolArray
from slstr_cloudmask.io.collocation import Neighbours, find_neighbours
from slstr_cloudmask.io.product_store import Product
from slstr_cloudmask.io.sen3_file import ProductFile
from slstr_cloudmask.io.sen3_flags import bit, flag_attributes
from slstr_cloudmask.io.sen3_layout import Layout
from slstr_cloudmask.scene import FloatArray

# A 1 km pixel is measured where four of 500 m are; those that surround it are nearer than this.
REACH_M = 1500.0


class Places:
    """Positions of the measurements of one view.

    Parameters
    ----------
    product
        Where the files lie.
    layout
        Which view.
    """

    def __init__(self, product: Product, layout: Layout) -> None:
        self.product = product
        self.layout = layout

    def known(self, letter: str) -> bool:
        """Whether the product tells where the measurements of a grid lie."""
        return self.layout.has(self.layout.on("cartesian", letter))

    def neighbours(
        self, source: str, target: str, *, count: int, where: BoolArray | None = None
    ) -> Neighbours:
        """Find the measurements nearest to each pixel.

        Copies of measurements, with which the product fills gaps in its image (``cosmetic``), are
        left out; measurements that found no place in the image, the orphans, are not.

        Parameters
        ----------
        source, target
            Letters of the grids: where the measurements are, and where they are wanted.
        count
            How many for each pixel.
        where
            Pixels that are wanted, boolean (rows, columns); all by default.

        Raises
        ------
        InputError
            The product does not tell where they lie.
        """
        for letter in (source, target):
            if not self.known(letter):
                raise InputError(
                    f"{self.product.location} holds no "
                    f"{self.layout.on('cartesian', letter)}.nc, which tells where the measurements "
                    "lie: read it with regrid='mean'."
                )
        wanted = self._image_m(target)
        wanted = wanted.reshape(-1, 2) if where is None else wanted[where]
        image = self._image_m(source)
        image[self._copies(source, image.shape[:2])] = np.nan
        parts = [image.reshape(-1, 2)]
        if (orphans := self._orphans_m(source)) is not None:
            parts.append(orphans.reshape(-1, 2))
        return find_neighbours(np.concatenate(parts), wanted, count=count, reach_m=REACH_M)

    def mean(
        self, neighbours: Neighbours, source: str, values: FloatArray, orphans: FloatArray | None
    ) -> FloatArray:
        """Mean of the nearest measurements, one-dimensional.

        Parameters
        ----------
        neighbours
            Made by `neighbours`.
        source
            Letter of the grid that they were found on.
        values, orphans
            Measurements in the image and beside it.
        """
        placed = self._orphans_m(source)
        parts = [values.ravel()]
        if placed is not None:
            fits = orphans is not None and orphans.shape == placed.shape[:2]
            parts.append(
                orphans.ravel()
                if fits and orphans is not None
                else np.full(placed[..., 0].size, np.nan, np.float32)
            )
        return neighbours.mean(np.concatenate(parts))

    def _image_m(self, letter: str) -> FloatArray:
        """Across and along the track (rows, columns, 2), metres."""
        stem = self.layout.on("cartesian", letter)
        with ProductFile(self.product, stem) as file:
            return _pair(file, "", stem)

    def _orphans_m(self, letter: str) -> FloatArray | None:
        stem = self.layout.on("cartesian", letter)
        with ProductFile(self.product, stem) as file:
            return _pair(file, "orphan_", stem) if f"x_orphan_{stem[-2:]}" in file else None

    def _copies(self, letter: str, shape: tuple[int, ...]) -> BoolArray:
        stem = self.layout.on("flags", letter)
        if not self.layout.has(stem) or "confidence" not in (
            flags := flag_attributes(self.product, stem)
        ):
            return np.zeros(shape, bool)
        with ProductFile(self.product, stem) as file:
            confidence = file.unsigned(f"confidence_{stem[-2:]}", shape)
        return bit(confidence, flags["confidence"], "cosmetic")


def _pair(file: ProductFile, kind: str, stem: str) -> FloatArray:
    across = file.unpacked(f"x_{kind}{stem[-2:]}")
    return np.stack([across, file.unpacked(f"y_{kind}{stem[-2:]}", across.shape)], axis=-1)
