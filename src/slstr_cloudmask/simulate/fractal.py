"""Random fields that look like cloud, sea surface and land: power-law spectra and cells.

    canvas = Canvas(rng, Window(0, 0, 1200, 1500))
    moisture = canvas.fractal(slope=3.2, outer_km=900)

A canvas is a window of the instrument's frame, one pixel a kilometre. Structures larger than the
window are drawn on the whole frame and cut out, so that a small scene is like a piece of a large
one: it may lie wholly inside one cloud. Every field is float32 of the window's (rows, columns).

The method is quoted from memory, not checked against the source named.
"""

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import fft, ndimage, sparse
from scipy.spatial import cKDTree
from scipy.special import ndtri

from slstr_cloudmask.simulate.geometry import FULL_COLUMNS, FULL_ROWS, Window

Field = npt.NDArray[np.float32]
Matrix = npt.NDArray[np.floating[Any]]

# Waves longer than _SPLIT_KM are drawn on the frame, on every _COARSE_KM-th pixel; shorter ones on
# the window. A Fourier field repeats at its edges, so both are drawn larger and cut.
_SPLIT_KM, _COARSE_KM = 64, 8
_COARSE_PADDING = 1.3
_CELL_STEP_KM = 3  # cells are drawn on every third pixel, then interpolated


class Canvas:
    """Where random fields are drawn.

    Parameters
    ----------
    rng
        Source of randomness; every field takes from it.
    window
        The part of the frame.
    """

    def __init__(self, rng: np.random.Generator, window: Window) -> None:
        self.rng = rng
        self.window = window
        self.shape = (window.rows, window.columns)
        # The coarse grid covers the frame and the window.
        starts = (min(0, window.row), min(0, window.column))
        stops = (
            max(FULL_ROWS, window.row + window.rows),
            max(FULL_COLUMNS, window.column + window.columns),
        )
        nodes = [
            (stop - start) // _COARSE_KM + 4 for start, stop in zip(starts, stops, strict=True)
        ]
        self._coarse = tuple(_fast(math.ceil(n * _COARSE_PADDING)) for n in nodes)
        self._to_rows = _cubic(window.row - starts[0], window.rows, nodes[0])
        self._to_columns = _cubic(window.column - starts[1], window.columns, nodes[1])

    def fractal(
        self,
        *,
        slope: float,
        outer_km: float = 1000.0,
        anisotropy: float = 1.0,
        angle_rad: float = 0.0,
        smooth: bool = False,
    ) -> Field:
        """Draw a Gaussian field whose power spectrum falls with wavenumber as ``k ** -slope``.

        Parameters
        ----------
        slope
            Of the two-dimensional power spectrum: 2 is rough, 3 is like stratiform cloud.
        outer_km
            Structures larger than this gain no more power.
        anisotropy
            Length over width of the structures; 1 is the same in all directions.
        angle_rad
            Direction of their length, from the columns' axis towards the rows'.
        smooth
            Leave out waves shorter than 64 km; much faster.

        Returns
        -------
        numpy.ndarray
            float32 (rows, columns). Mean 0 and standard deviation 1 over many scenes; a scene's own
            differ, as it may lie in one large structure.
        """
        law = _Law(slope, outer_km, anisotropy, angle_rad)
        coarse, variance = law.draw(self.rng, self._coarse, _COARSE_KM, long=True)
        rows, columns = self._to_rows.shape[1], self._to_columns.shape[1]
        wide = (self._to_columns @ coarse[:rows, :columns].T).T
        field = self._to_rows @ np.ascontiguousarray(wide)
        if not smooth:
            padded = tuple(_fast(n + _SPLIT_KM) for n in self.shape)
            fine, more = law.draw(self.rng, padded, 1, long=False)
            field += fine[: self.shape[0], : self.shape[1]]
            variance += more
        field *= np.float32(1 / math.sqrt(variance))
        return np.asarray(field, np.float32)

    def cells(self, spacing_km: float) -> Field:
        """Draw the cells of mesoscale convection.

        Parameters
        ----------
        spacing_km
            Mean distance of cell centres.

        Returns
        -------
        numpy.ndarray
            Distance to the nearest centre over distance to the second nearest: 0 at a centre, 1 on
            the border of two cells. Closed cells have cloud where it is small, open cells where
            it is large.
        """
        step = _CELL_STEP_KM
        rows, columns = (-(-n // step) + 1 for n in self.shape)
        centres = _scattered_centres(self.rng, self.shape, spacing_km)
        # Bent coordinates make the straight borders of the cells look like cloud.
        reach = np.float32(0.3 * spacing_km)
        bend = [
            self.fractal(slope=3.0, outer_km=6 * spacing_km)[::step, ::step] * reach
            for _ in range(2)
        ]
        row, column = np.meshgrid(np.arange(rows), np.arange(columns), indexing="ij")
        points = np.stack(
            [
                row * step + _edge_padded(bend[0], (rows, columns)),
                column * step + _edge_padded(bend[1], (rows, columns)),
            ],
            axis=-1,
        )
        distances = np.asarray(cKDTree(centres).query(points.reshape(-1, 2), k=2)[0])
        ratio = (distances[:, 0] / np.maximum(distances[:, 1], 1e-9)).reshape(rows, columns)
        zoomed = ndimage.zoom(ratio.astype(np.float32), step, order=1, grid_mode=False)
        return np.ascontiguousarray(zoomed[: self.shape[0], : self.shape[1]])


class _Law:
    """A power spectrum: by slope, outer scale, anisotropy and direction."""

    def __init__(self, slope: float, outer_km: float, anisotropy: float, angle_rad: float) -> None:
        self._exponent = np.float32(-slope / 2)
        self._floor = np.float32(outer_km**-2.0)
        stretch = math.sqrt(anisotropy)
        cosine, sine = math.cos(angle_rad), math.sin(angle_rad)
        self._along = np.float32(cosine * stretch), np.float32(sine * stretch)
        self._across = np.float32(-sine / stretch), np.float32(cosine / stretch)

    def draw(
        self, rng: np.random.Generator, shape: tuple[int, ...], step_km: int, *, long: bool
    ) -> tuple[Field, float]:
        """Draw the waves longer or shorter than the split; return them and their variance."""
        rows, columns = shape
        k_row = fft.fftfreq(rows, step_km).astype(np.float32)[:, np.newaxis]
        k_column = fft.rfftfreq(columns, step_km).astype(np.float32)[np.newaxis, :]
        along = self._along[0] * k_column + self._along[1] * k_row
        across = self._across[0] * k_column + self._across[1] * k_row
        # Power spectrum k^-slope by filtering white noise: e.g. Voss, in The Science of Fractal
        # Images (Peitgen and Saupe, 1988).
        power = (along**2 + across**2 + self._floor) ** self._exponent
        is_long = k_row**2 + k_column**2 < np.float32(_SPLIT_KM**-2.0)
        power[is_long != long] = 0
        power[0, 0] = 0
        # A mode stands for its share of the plane; all but the first and last column count twice.
        power *= np.float32(1 / (rows * columns * step_km**2))
        variance = 2 * float(power.sum(dtype=np.float64)) - float(power[:, 0].sum())
        noise = rng.standard_normal((*power.shape, 2), dtype=np.float32)
        spectrum = noise.view(np.complex64)[..., 0]
        spectrum *= np.sqrt(power) * np.float32(rows * columns / math.sqrt(2))
        spectrum[:, 0] *= np.float32(math.sqrt(2))  # the transform takes half of this column
        return np.asarray(fft.irfft2(spectrum, s=(rows, columns)), np.float32), variance


def gaussian_level(fraction: float) -> float:
    """Level that ``fraction`` of a Gaussian field of mean 0 and standard deviation 1 exceeds."""
    return float(ndtri(1.0 - min(max(fraction, 1e-6), 1 - 1e-6)))


def _fast(length: int) -> int:
    return int(fft.next_fast_len(length, real=True))


def _cubic(first_px: int, count: int, nodes: int) -> Any:
    """Matrix (count, nodes) that interpolates from the coarse grid: Catmull and Rom's cubic.

    Sparse: a product with it is the same however many threads there are, unlike one of BLAS.
    """
    position = (first_px + np.arange(count)) / _COARSE_KM + 1  # one node before the first pixel
    node = np.minimum(position.astype(np.intp), nodes - 3)
    t = position - node
    weights = (
        (-t + 2 * t**2 - t**3) / 2,
        (2 - 5 * t**2 + 3 * t**3) / 2,
        (t + 4 * t**2 - 3 * t**3) / 2,
        (-(t**2) + t**3) / 2,
    )
    matrix = np.zeros((count, nodes), np.float32)
    for offset, weight in zip((-1, 0, 1, 2), weights, strict=True):
        matrix[np.arange(count), node + offset] = weight
    return sparse.csr_array(matrix)


def _edge_padded(values: Field, shape: tuple[int, int]) -> Field:
    return np.pad(values, [(0, n - m) for n, m in zip(shape, values.shape, strict=True)], "edge")


def _scattered_centres(
    rng: np.random.Generator, shape: tuple[int, int], spacing_km: float
) -> npt.NDArray[np.float64]:
    """Points (n, 2) that cover a grid and beyond: a hexagonal pattern, turned and shaken."""
    reach = math.hypot(*shape) / 2 / spacing_km + 3
    steps = np.arange(-math.ceil(reach / 0.8), math.ceil(reach / 0.8) + 1)
    u, v = np.meshgrid(steps * math.sqrt(0.75), steps.astype(float), indexing="ij")
    v[::2] += 0.5
    points = np.stack([u.ravel(), v.ravel()], axis=-1)
    points += rng.uniform(-0.33, 0.33, points.shape)
    angle = rng.uniform(0, math.pi)
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    return np.asarray(points @ turn * spacing_km + np.array(shape) / 2)
