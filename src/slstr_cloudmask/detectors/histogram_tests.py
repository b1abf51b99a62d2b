"""Cloud tests that find their threshold in the scene: histograms of boxes with a clear peak.

Over the sea clear pixels are alike and make a peak; cloud makes a tail on one side of it, and the
valley between is the threshold. Where a box has no clear peak the tests say nothing (NaN), as in a
full overcast, and so do they on land, or where no map tells the sea.

After the histogram tests of ATSR: Zavody, Mutlow and Llewellyn-Jones (2000), J. Atmos. Oceanic
Technol. 17, 595. What was not published, such as how deep a valley must be, is derived, as said at
each number.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from slstr_cloudmask.detectors.cloud_tests import Array, Guard, Support, ramp
from slstr_cloudmask.flags import BoolArray

SMALL_BOX_PX, LARGE_BOX_PX = 32, 256
_FEWEST = 0.05  # of a box's pixels, below which there is no histogram to speak of
_PEAK_SHARE = 0.10  # of the histogram, that a clear peak holds
_VALLEY = 0.25  # of the peak, to which the histogram must fall


@dataclass(frozen=True, slots=True)
class Bins:
    """Equal bins of a histogram, from ``low`` in steps of ``width``."""

    low: float
    width: float
    count: int


# Reflectance: the noise of the sea is .005, and clear sea without glint is darker than .05.
_REFLECTANCE = Bins(-0.01, 0.005, 40)
_DARKEST_PEAK = 0.05
# 12 um, K, in half kelvins; 11 - 12 um likewise, in tenths.
_KELVIN = Bins(260.0, 0.5, 100)


def reflectance_histogram(
    reflectance: Array, sea: Guard | None, glint: Guard, box_px: int
) -> Support:
    """1.6 or 2.25 um brighter than the valley behind the clear peak of its box.

    Parameters
    ----------
    reflectance
        S5 or S6.
    sea
        Where the surface is known to be sea; None if nothing is known.
    glint
        Where sunglint may be: such pixels are neither counted nor judged.
    box_px
        Side of the boxes, pixels.
    """
    if sea is None:
        return np.full(reflectance.shape, np.nan, np.float32)
    counted = sea & ~glint & np.isfinite(reflectance)
    boxes = _Boxes.of(reflectance, counted, box_px, _REFLECTANCE)
    peak, is_peak = boxes.first_peak()
    valley, is_valley = boxes.valley_above(peak)
    middle = _REFLECTANCE.low + (peak + 0.5) * _REFLECTANCE.width
    found = is_peak & is_valley & (middle < _DARKEST_PEAK)
    limit = _REFLECTANCE.low + (valley + 0.5) * _REFLECTANCE.width
    limit_px = boxes.to_pixels(np.where(found, limit, np.nan))
    support = ramp(reflectance, limit_px - _REFLECTANCE.width, limit_px + _REFLECTANCE.width)
    return np.where(counted, support, np.float32(np.nan))


def thermal_histogram(s8: Array, s9: Array, sea: Guard | None) -> Support:
    """11 - 12 um other than that of the warm peak of its box, and 12 um colder than that peak.

    The clear sea of a box has one temperature and, with the air above, one difference. Cloud is
    colder, and its difference larger (thin ice) or smaller (water, thick cloud).
    """
    if sea is None:
        return np.full(s8.shape, np.nan, np.float32)
    difference = s8 - s9
    counted = sea & np.isfinite(difference)
    boxes = _Boxes.of(s9, counted, LARGE_BOX_PX // 2, _KELVIN)
    peak, is_peak = boxes.last_peak()
    kelvin = np.where(is_peak, _KELVIN.low + (peak + 0.5) * _KELVIN.width, np.nan)
    kelvin_px = boxes.to_pixels(kelvin)
    at_peak = counted & (np.abs(s9 - kelvin_px) < _KELVIN.width)
    usual = boxes.to_pixels(boxes.mean_of(difference, at_peak))
    # Derived: within 128 km clear sea varies by 1 K and the difference by .2 K of moisture.
    support = np.minimum(ramp(np.abs(difference - usual), 0.3, 0.7), ramp(s9 - kelvin_px, -1, -3))
    return np.where(counted, support, np.float32(np.nan))


@dataclass(frozen=True, slots=True)
class _Boxes:
    """Histograms (boxes, bins) of the boxes that a scene is cut into."""

    counts: npt.NDArray[np.float64]
    enough: BoolArray
    box: npt.NDArray[np.intp]  # of each pixel (rows, columns)

    @classmethod
    def of(cls, values: Array, counted: BoolArray, box_px: int, bins: Bins) -> "_Boxes":
        rows, columns = values.shape
        across = -(-columns // box_px)
        box = (np.arange(rows) // box_px)[:, np.newaxis] * across + np.arange(columns) // box_px
        number = -(-rows // box_px) * across
        place = (values[counted] - bins.low) / bins.width
        inside = (place >= 0) & (place < bins.count)
        cell = box[counted][inside] * bins.count + place[inside].astype(np.intp)
        counts = np.bincount(cell, minlength=number * bins.count).reshape(number, bins.count)
        # Smoothed by 1, 2, 1, so that a peak between two bins is one.
        padded = np.pad(counts.astype(np.float64), ((0, 0), (1, 1)))
        smooth = (padded[:, :-2] + 2 * padded[:, 1:-1] + padded[:, 2:]) / 4
        pixels = np.bincount(box.ravel(), minlength=number)
        return cls(smooth, smooth.sum(axis=1) >= np.maximum(_FEWEST * pixels, 20), box)

    def first_peak(self) -> tuple[npt.NDArray[np.intp], BoolArray]:
        """Lowest bin that is a peak, and whether there is one."""
        is_peak = self._peaks()
        return np.argmax(is_peak, axis=1), np.asarray(is_peak.any(axis=1))

    def last_peak(self) -> tuple[npt.NDArray[np.intp], BoolArray]:
        """Highest bin that is a peak, and whether there is one."""
        is_peak = self._peaks()
        last = is_peak.shape[1] - 1 - np.argmax(is_peak[:, ::-1], axis=1)
        return last, np.asarray(is_peak.any(axis=1))

    def _peaks(self) -> BoolArray:
        """No lower than their neighbours, and with enough of all pixels."""
        counts = self.counts
        below = np.pad(counts, ((0, 0), (1, 0)))[:, :-1]
        above = np.pad(counts, ((0, 0), (0, 1)))[:, 1:]
        total = np.maximum(counts.sum(axis=1, keepdims=True), 1)
        tall = counts * 2 >= _PEAK_SHARE * total
        return np.asarray(tall & (counts >= below) & (counts > above) & self.enough[:, np.newaxis])

    def valley_above(self, peak: npt.NDArray[np.intp]) -> tuple[npt.NDArray[np.intp], BoolArray]:
        """First bin beyond each peak that is low enough, and whether there is one."""
        number = np.arange(self.counts.shape[1])
        height = np.take_along_axis(self.counts, peak[:, np.newaxis], axis=1)
        low = (number > peak[:, np.newaxis]) & (self.counts <= _VALLEY * height)
        return np.argmax(low, axis=1), np.asarray(low.any(axis=1))

    def mean_of(self, values: Array, counted: BoolArray) -> Array:
        """Mean of some pixels of each box; NaN where there is none."""
        size = len(self.counts)
        total = np.bincount(self.box[counted], values[counted], size)
        count = np.bincount(self.box[counted], minlength=size)
        return np.where(count > 0, total / np.maximum(count, 1), np.nan)

    def to_pixels(self, values: Array) -> Array:
        """Give each pixel its box's value."""
        return np.asarray(values[self.box], np.float32)
