"""Random fields that look like cloud, sea surface and land: power-law spectra and cells.

    moisture = fractal_field(rng, (1200, 1500), slope=3.2)

Lengths are in pixels. Every field is float32 of shape (rows, columns).

The method is quoted from memory, not checked against the source named.
"""

import math

import numpy as np
import numpy.typing as npt
from scipy import fft, ndimage
from scipy.spatial import cKDTree

Field = npt.NDArray[np.float32]

_PADDING = 1.15  # a Fourier field repeats at its edges; this much of it is cut off
_CELL_STEP = 3  # cells are drawn on every third pixel, then interpolated
_SAMPLE_STEP = 5  # quantiles are taken from every fifth pixel in both directions


def fractal_field(
    rng: np.random.Generator,
    shape: tuple[int, int],
    *,
    slope: float,
    outer_scale_px: float = math.inf,
    anisotropy: float = 1.0,
    angle_rad: float = 0.0,
) -> Field:
    """Draw a Gaussian field whose power spectrum falls with wavenumber as ``k ** -slope``.

    Parameters
    ----------
    rng
        Source of randomness.
    shape
        Rows and columns.
    slope
        Of the two-dimensional power spectrum: 2 is rough, 3 is like stratiform cloud.
    outer_scale_px
        Structures larger than this gain no more power.
    anisotropy
        Length over width of the structures; 1 is the same in all directions.
    angle_rad
        Direction of their length, from the columns' axis.

    Returns
    -------
    numpy.ndarray
        float32 of ``shape``, mean 0, standard deviation 1.
    """
    rows, columns = (int(fft.next_fast_len(math.ceil(n * _PADDING), real=True)) for n in shape)
    k_row = fft.fftfreq(rows).astype(np.float32)[:, np.newaxis]
    k_column = fft.rfftfreq(columns).astype(np.float32)[np.newaxis, :]
    cosine, sine = np.float32(math.cos(angle_rad)), np.float32(math.sin(angle_rad))
    stretch = np.float32(math.sqrt(anisotropy))
    along = (cosine * k_column + sine * k_row) * stretch
    across = (cosine * k_row - sine * k_column) / stretch
    k_squared = along**2 + across**2 + np.float32(outer_scale_px**-2.0)
    k_squared[0, 0] = np.inf
    # Power spectrum k^-slope by filtering white noise: e.g. Voss, in The Science of Fractal
    # Images (Peitgen and Saupe, 1988).
    amplitude = k_squared ** np.float32(-slope / 4)
    noise = rng.standard_normal((*amplitude.shape, 2), dtype=np.float32)
    spectrum = amplitude * noise.view(np.complex64)[..., 0]
    field = fft.irfft2(spectrum, s=(rows, columns))[: shape[0], : shape[1]]
    return normalised(np.asarray(field, np.float32))


def normalised(field: Field) -> Field:
    """Shift and scale a field to mean 0 and standard deviation 1."""
    spread = max(float(field.std()), 1e-12)
    return np.asarray((field - field.mean()) / np.float32(spread), np.float32)


def cell_field(rng: np.random.Generator, shape: tuple[int, int], *, spacing_px: float) -> Field:
    """Draw the cells of mesoscale convection.

    Parameters
    ----------
    rng
        Source of randomness.
    shape
        Rows and columns.
    spacing_px
        Mean distance of cell centres.

    Returns
    -------
    numpy.ndarray
        Distance to the nearest centre over distance to the second nearest: 0 at a centre, 1 on
        the border of two cells. Closed cells have cloud where it is small, open cells where large.
    """
    coarse = tuple(-(-n // _CELL_STEP) + 1 for n in shape)
    centres = _scattered_centres(rng, shape, spacing_px)
    rows, columns = np.meshgrid(*(np.arange(n) * _CELL_STEP for n in coarse), indexing="ij")
    # Bent coordinates make the straight borders of the cells look like cloud.
    bend = [fractal_field(rng, (coarse[0], coarse[1]), slope=3.0) for _ in range(2)]
    points = np.stack([rows + bend[0] * spacing_px * 0.35, columns + bend[1] * spacing_px * 0.35])
    distances = np.asarray(cKDTree(centres).query(points.reshape(2, -1).T, k=2)[0])
    ratio = (distances[:, 0] / np.maximum(distances[:, 1], 1e-9)).reshape(coarse)
    zoomed = ndimage.zoom(ratio.astype(np.float32), _CELL_STEP, order=1, grid_mode=False)
    return np.asarray(zoomed[: shape[0], : shape[1]], np.float32)


def _scattered_centres(
    rng: np.random.Generator, shape: tuple[int, int], spacing_px: float
) -> npt.NDArray[np.float64]:
    """Points (n, 2) that cover a grid and beyond: a hexagonal pattern, turned and shaken."""
    reach = math.hypot(*shape) / 2 / spacing_px + 3
    steps = np.arange(-math.ceil(reach / 0.8), math.ceil(reach / 0.8) + 1)
    u, v = np.meshgrid(steps * math.sqrt(0.75), steps.astype(float), indexing="ij")
    v[::2] += 0.5
    points = np.stack([u.ravel(), v.ravel()], axis=-1)
    points += rng.uniform(-0.33, 0.33, points.shape)
    angle = rng.uniform(0, math.pi)
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    return np.asarray(points @ turn * spacing_px + np.array(shape) / 2)


def exceedance_level(field: Field, fraction: float) -> float:
    """Level that ``fraction`` of a field's pixels exceed."""
    sample = field[::_SAMPLE_STEP, ::_SAMPLE_STEP]
    return float(np.quantile(sample, 1.0 - min(max(fraction, 0.0), 1.0)))
