"""Whether frames that are aligned show the same scene, place by place, where single pixels are noise."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter
from skimage.measure import block_reduce

from ..image import Array, Float32

Float64 = npt.NDArray[np.float64]
Where = npt.NDArray[np.bool_]

MOVED_BLUR_PX = 4.0  # a change is looked for in means over some 200 px: single pixels are noise
MOVED_SD = 4.0  # of these means; white noise passes it in 6 of 100,000
COARSE_PX, FINE_PX = 32.0, 8.0  # structure is what is left after a blur of such a width is taken away
WINDOW_PX, WIDE_WINDOW_PX = 16.0, 64.0
SAME_FROM, SAME_FRAME_FROM = 0.5, 0.25
FOLLOWS_FROM = 0.75  # of the slope of the frame that follows best
BLOCK_PX = 8


def mean_of_followers(denoised: Array, frames: Sequence[Float32]) -> Float32:
    """The mean of the aligned frames, each only where it shows as much of a frame's structure as the best of them does.

    ``denoised`` (h, w) is what the network made of the frame; the others are NaN where they are not known, in its unit.
    Where a part of the scene moves or changes, some frames show it as it is in this one and some do not, and these would
    blur the mean. The slope of a frame on the structure of ``denoised`` is held against the largest one of them all, by two
    standard errors, in windows of some 50 and 200 px. Against it and not against 1: where the network invents, no frame
    follows it, and all are wanted. (h, w) float32, NaN where no frame is known.
    """
    seen = _structure(denoised, np.ones(denoised.shape, dtype=bool), FINE_PX)
    slopes = [_slopes(seen, frame, FINE_PX) for frame in frames]
    largest = [reduce(larger, of_window) for of_window in zip(*slopes, strict=True)]
    total, count = np.zeros(denoised.shape), np.zeros(denoised.shape, dtype=np.int32)
    for frame, found in zip(frames, slopes, strict=True):
        good = np.isfinite(frame)
        for slope, best in zip(found, largest, strict=True):
            good &= ~_in_pixels(slope.is_below(FOLLOWS_FROM, best), denoised.shape)
        total += np.where(good, frame, 0)
        count += good
    mean: Float64 = np.divide(total, count, out=np.full(denoised.shape, np.nan), where=count > 0)
    return mean.astype(np.float32)


class Slope(NamedTuple):
    """Of a frame on a denoised one, in windows; its variance is infinite where nothing is seen."""

    value: Float64
    variance: Float64

    @classmethod
    def of(cls, power: Float64, product: Float64, noise: float) -> Slope:
        """From windowed means of x * x and x * y, and the variance that noise gives the second, relative to the first."""
        value = np.divide(product, power, out=np.zeros_like(power), where=power > 0)
        return cls(value, np.divide(noise, power, out=np.full_like(power, np.inf), where=power > 0))

    def is_below(self, share: float, other: Slope | None = None) -> Where:
        """Whether it is, by two standard errors, below so much of another slope, or of 1."""
        value, variance = other or (1.0, 0.0)
        below: Where = self.value + 2 * np.sqrt(self.variance + share**2 * variance) < share * value
        return below


def larger(one: Slope, other: Slope) -> Slope:
    """Place by place."""
    first = one.value >= other.value
    return Slope(*(np.where(first, *pair) for pair in zip(one, other, strict=True)))


def _slopes(seen: Float64, frame: Array, scale_px: float) -> list[Slope]:
    """Of a frame on the structure that is seen, in narrow windows and in wide ones, block by block."""
    known = np.isfinite(frame)
    real = _structure(frame, known, scale_px)
    there = np.where(known, seen, 0)
    noise = float(((real - there) ** 2).sum()) / max(1, int(known.sum()))
    power, product = (_block_means(of) for of in (there**2, there * real))
    return [
        Slope.of(
            gaussian_filter(power, px / BLOCK_PX), gaussian_filter(product, px / BLOCK_PX), noise / (4 * np.pi * px**2)
        )
        for px in (WINDOW_PX, WIDE_WINDOW_PX)
    ]


def _block_means(image: Float64) -> Float64:
    """Beyond the last pixels it is 0."""
    sums: Float64 = block_reduce(image, BLOCK_PX)  # type: ignore[no-untyped-call]
    return sums / BLOCK_PX**2


def _in_pixels(blocks: Where, shape: tuple[int, ...]) -> Where:
    return blocks.repeat(BLOCK_PX, 0).repeat(BLOCK_PX, 1)[: shape[0], : shape[1]]


def as_bright(average: Float32, frame: Float32) -> Float32:
    """The average with the mean of the frame where both are known: a beam that fades is not the scene."""
    known = np.isfinite(average)
    mean = float(average[known].mean()) if known.any() else 0.0
    return average * np.float32(float(frame[known].mean()) / mean) if mean > 0 else average


def moved(frame: Float32, average: Float32) -> Where:
    """(h, w) bool: where the frame is another than the average, by more than their noise.

    Local means of the difference are held against what its local power lets expect, were its pixels independent, and where
    they are not, against the spread of the other means. Smaller than some ten pixels, or faint, a change is not seen.
    """
    known = np.isfinite(average)
    difference = np.where(known, frame - average, 0)
    mean, share = (gaussian_filter(of.astype(np.float64), MOVED_BLUR_PX) for of in (difference, known))
    power = gaussian_filter(difference.astype(np.float64) ** 2, 2 * MOVED_BLUR_PX)
    expected = np.sqrt(power * share / (4 * np.pi)) / MOVED_BLUR_PX
    deviation = np.divide(mean, expected, out=np.zeros_like(mean), where=expected > 0)
    spread = 1.4826 * float(np.median(np.abs(deviation[known]))) if known.any() else 0.0
    changed: Where = np.abs(deviation) > MOVED_SD * max(1.0, spread)
    return changed


def shows_another(denoised: Array, average: Array) -> Where:
    """(h, w) bool: where the average does not follow the structure that the network saw in the frame, (h, w) each.

    Of an image x that is estimated as well as can be, by f, the slope of x on f is 1, and so is that of x with noise that f
    knows nothing of; of another scene, or of a blurred one, it is near 0. True where it is, by two standard errors, below
    0.5 in a window of some 50 px or of 200, for coarse structure or for fine, and everywhere if it is below 0.25 in the
    whole frame.
    """
    another, known = np.zeros(average.shape, dtype=bool), np.isfinite(average)
    for scale_px in (COARSE_PX, FINE_PX):
        seen = _structure(denoised, known, scale_px)
        for slope in _slopes(seen, average, scale_px):
            another |= _in_pixels(slope.is_below(SAME_FROM), average.shape)
        real = _structure(average, known, scale_px)
        whole = Slope.of(
            np.array((seen**2).sum()), np.array((seen * real).sum()), float(((real - seen)[known] ** 2).mean())
        )
        another |= whole.is_below(SAME_FRAME_FROM)
    return another


def _structure(image: Array, known: Where, scale_px: float) -> Float64:
    """What is finer than a blur, 0 where it is not known."""
    share = np.maximum(gaussian_filter(known.astype(np.float64), scale_px), 1e-6)
    fine: Float64 = np.where(known, image - gaussian_filter(np.where(known, image, 0.0), scale_px) / share, 0)
    return fine
