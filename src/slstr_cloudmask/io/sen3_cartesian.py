"""Where the measurements of a product lie on the ground, for `collocation`.

    places = Places(product, layout)
    # Four of 500 m for each pixel of 1 km.
    neighbours = places.neighbours("a", "i", count=4, grid=grid)
    values = places.mean(neighbours, "a", radiance)

``cartesian_*.nc`` tells for every measurement, those in the image and the orphans, its distance
across and along the track in metres.
"""

from dataclasses import replace

import numpy as np

from slstr_cloudmask.errors import InputError
from slstr_cloudmask.flags import BoolArray
from slstr_cloudmask.io.collocation import Neighbours, find_neighbours
from slstr_cloudmask.io.geolocation import Grid
from slstr_cloudmask.io.product_store import Product
from slstr_cloudmask.io.regrid import fit_to_grid
from slstr_cloudmask.io.sen3_file import ProductFile
from slstr_cloudmask.io.sen3_layout import Layout
from slstr_cloudmask.io.sen3_measurement import Measurement
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
        # By letter, of the grids that neighbours were searched on: rows and columns, and orphans.
        self._searched: dict[str, tuple[tuple[int, int], FloatArray]] = {}

    def check(self, *letters: str) -> None:
        """Refuse grids of which the product does not tell where their measurements lie.

        Raises
        ------
        InputError
            A file is not there; it is named.
        """
        for letter in letters:
            if not self.known(letter):
                raise InputError(
                    f"{self.product.location} holds no "
                    f"{self.layout.on('cartesian', letter)}.nc, which tells where the measurements "
                    "lie: read it with regrid='mean'."
                )

    def known(self, letter: str) -> bool:
        """Whether the product tells where the measurements of a grid lie."""
        return self.layout.has(self.layout.on("cartesian", letter))

    def neighbours(
        self,
        source: str,
        target: str,
        *,
        count: int,
        grid: Grid,
        where: BoolArray | None = None,
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
        grid
            Where values are wanted; none where the product's own file has no pixel.
        where
            Pixels of it that are wanted, boolean (rows, columns); all by default.

        Raises
        ------
        InputError
            The product does not tell where they lie.
        """
        self.check(source, target)
        wanted = self._targets_m(target, grid)
        wanted = wanted.reshape(-1, 2) if where is None else wanted[where]
        image, orphans = self._measured_m(source)
        image[self._copies(source, image.shape[:2])] = np.nan
        self._searched[source] = image.shape[:2], orphans
        measured = np.concatenate([image.reshape(-1, 2), orphans.reshape(-1, 2)])
        return find_neighbours(measured, wanted, count=count, reach_m=REACH_M)

    def mean(self, neighbours: Neighbours, source: str, measurement: Measurement) -> FloatArray:
        """Mean of the nearest measurements, one-dimensional.

        Parameters
        ----------
        neighbours
            Made by `neighbours`.
        source
            Letter of the grid that they were found on.
        measurement
            On that grid, with its orphans.
        """
        (rows, columns), placed = self._searched[source]
        image = replace(measurement.grid, rows=rows, columns=columns)
        values = fit_to_grid(measurement.values, image, np.nan, measurement.path)
        orphans = measurement.orphans
        if orphans is None or orphans.shape != placed.shape[:2]:
            orphans = np.full(placed.shape[:2], np.nan, np.float32)
        return neighbours.mean(np.concatenate([values.ravel(), orphans.ravel()]))

    def _targets_m(self, letter: str, grid: Grid) -> FloatArray:
        """Across and along the track (rows, columns, 2) of a grid's pixels, metres."""
        stem = self.layout.on("cartesian", letter)
        with ProductFile(self.product, stem) as file:
            own = file.grid(f"x_{stem[-2:]}")
            across_along = np.moveaxis(_pair(file, "", stem), -1, 0)
            fitted = [fit_to_grid(part, grid, np.nan, file.path, own) for part in across_along]
        return np.stack(fitted, axis=-1)

    def _measured_m(self, letter: str) -> tuple[FloatArray, FloatArray]:
        """Likewise of measurements: in the image, and of the orphans, of which may be none."""
        stem = self.layout.on("cartesian", letter)
        orphan = f"x_orphan_{stem[-2:]}"
        with ProductFile(self.product, stem) as file:
            image = _pair(file, "", stem)
            if orphan not in file or file.size(orphan) == 0:
                return image, np.empty((0, 0, 2))
            return image, _pair(file, "orphan_", stem)

    def _copies(self, letter: str, shape: tuple[int, ...]) -> BoolArray:
        """Pixels of an image that repeat a measurement."""
        stem = self.layout.on("flags", letter)
        variable = f"confidence_{stem[-2:]}"
        if self.layout.has(stem):
            with ProductFile(self.product, stem) as file:
                if variable in file:
                    mask = file.flag_masks(variable).get("cosmetic", 0)
                    return np.asarray((file.unsigned(variable, shape) & mask) != 0)
        return np.zeros(shape, bool)


def _pair(file: ProductFile, kind: str, stem: str) -> FloatArray:
    across = file.unpacked(f"x_{kind}{stem[-2:]}")
    return np.stack([across, file.unpacked(f"y_{kind}{stem[-2:]}", across.shape)], axis=-1)
