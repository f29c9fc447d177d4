"""Whether frames that are aligned show the same scene, place by place, where single pixels are noise.

What is compared is structure: what is left of an image after a blur is taken away. The slope of a frame x on the structure
of an estimate f is 1 where f is right (as well as can be), and so is that of x with any noise that f knows nothing of; where
x shows another scene, or a blurred one, it is near 0. Slopes are of windows, from sums over blocks of ``BLOCK_PX``. Their
variance is taken from the scatter of these blocks, which holds for noise that neighbouring pixels share, at borders, and
where a frame is brighter at one place than at another.
"""

from __future__ import annotations

from collections.abc import Iterable
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
COARSE_PX, FINE_PX = 32.0, 8.0  # the blurs
BLOCK_PX = 8
WINDOWS_PX = (16.0, 64.0)
SURE_SE = 2.0
FOLLOWS_FROM = 0.75  # of the slope of the frame that follows best
SAME_FROM, SAME_FRAME_FROM = 0.5, 0.25


class Slope(NamedTuple):
    """In windows, block by block; its variance is infinite where nothing is seen."""

    value: Float64
    variance: Float64

    def is_below(self, share: float, other: Slope | None = None) -> Where:
        """Whether it is, by ``SURE_SE`` standard errors, below so much of another slope, or of 1."""
        value, variance = other or (1.0, 0.0)
        below: Where = self.value + SURE_SE * np.sqrt(self.variance + share**2 * variance) < share * value
        return below

    @property
    def at_least(self) -> Float64:
        return self.value - SURE_SE * np.sqrt(self.variance)


class Blocks(NamedTuple):
    """Sums over blocks: of f * f where x is known, and of f * x."""

    power: Float64
    product: Float64

    @classmethod
    def of(cls, seen: Array, frame: Array, scale_px: float) -> Blocks:
        """Of the structure of ``seen`` and of ``frame``, (h, w) each, the second NaN where it is not known."""
        known = np.isfinite(frame)
        f, x = (_structure(image, known, scale_px) for image in (seen, frame))
        power, product = (block_reduce(of, BLOCK_PX) for of in (f * f, f * x))  # type: ignore[no-untyped-call]
        return cls(power, product)

    def only(self, chosen: Where) -> Blocks:
        return Blocks(self.power * chosen, self.product * chosen)

    def slopes(self, window_px: float) -> Slope:
        """In Gaussian windows. Blocks are independent of each other, or nearly so: their residuals tell the variance."""
        sigma = window_px / BLOCK_PX
        power, product = (gaussian_filter(of, sigma, mode="constant") for of in self)
        value = np.divide(product, power, out=np.zeros_like(power), where=power > 0)
        residual = self.product - value * self.power
        # the square of a Gaussian is one of 1 / sqrt(2) of the width
        scatter = gaussian_filter(residual**2, sigma / np.sqrt(2), mode="constant") / (4 * np.pi * sigma**2)
        return Slope(value, np.divide(scatter, power**2, out=np.full_like(power, np.inf), where=power > 0))

    def slope(self) -> Slope:
        """Of all of them."""
        power, product = (np.array(of.sum()) for of in self)
        value = np.divide(product, power, out=np.zeros_like(power), where=power > 0)
        scatter = np.array(((self.product - value * self.power) ** 2).sum())
        return Slope(value, np.divide(scatter, power**2, out=np.full_like(power, np.inf), where=power > 0))


class Shown(NamedTuple):
    """An aligned frame, (h, w), NaN where it is not known; its weight in a mean; whether it judges or is learned from."""

    frame: Float32
    weight: float
    judges: bool = False


def means_of_followers(denoised: Array, frames: Iterable[Shown]) -> tuple[Float32, Float32, Float32]:
    """The means of the frames to learn from, of those that judge, and of all.

    Each frame counts only where it shows as much of a frame's structure as the best of them does. ``denoised`` (h, w) is
    what the network made of that frame. ``frames`` are the others, of its brightness and unit; an exposure twice as long
    has a weight of 2. They are gone through twice. Where a part of the scene moves or changes, some frames show it as this
    one does and some do not, and these would blur the mean: a slope below ``FOLLOWS_FROM`` of the largest one leaves its
    frame out. Against the largest and not against 1: where the network invents, no frame follows it, and all are wanted.

    Frames that were chosen for how their noise agrees with the network would lead it to believe itself. So a block of pixels
    is judged by its neighbours: black ones by white ones, white ones by black ones, as on a chess board. (h, w) float32
    each, NaN where no such frame is known.
    """
    colours = _chess_board(denoised.shape)
    slopes = [_slopes(Blocks.of(denoised, one.frame, FINE_PX), colours) for one in frames]
    surest = [reduce(_surer, of_window) for of_window in zip(*slopes, strict=True)]
    totals, weights = (np.zeros((2, *denoised.shape)) for _ in range(2))
    for one, found in zip(frames, slopes, strict=True):
        good = np.isfinite(one.frame)
        lags = [slope.is_below(FOLLOWS_FROM, best) for slope, best in zip(found, surest, strict=True)]
        for colour, judged in zip(reversed(colours), np.split(np.array(lags), 2), strict=True):
            good &= ~_in_pixels(judged.any(axis=0) & colour, denoised.shape)
        totals[int(one.judges)] += np.where(good, one.frame, 0) * one.weight
        weights[int(one.judges)] += good * one.weight
    (learned, judging), (of_learned, of_judging) = totals, weights
    return (
        _mean(learned, of_learned),
        _mean(judging, of_judging),
        _mean(learned + judging, of_learned + of_judging),
    )


def _mean(total: Float64, weight: Float64) -> Float32:
    mean: Float64 = np.divide(total, weight, out=np.full(total.shape, np.nan), where=weight > 0)
    return mean.astype(np.float32)


def _slopes(blocks: Blocks, colours: tuple[Where, Where]) -> list[Slope]:
    """All windows from blocks of the one colour, then all from those of the other."""
    return [blocks.only(colour).slopes(px) for colour in colours for px in WINDOWS_PX]


def _surer(one: Slope, other: Slope) -> Slope:
    """Place by place the one that is larger for sure."""
    first = one.at_least >= other.at_least
    return Slope(*(np.where(first, *pair) for pair in zip(one, other, strict=True)))


def _chess_board(shape: tuple[int, ...]) -> tuple[Where, Where]:
    rows, columns = (np.arange(-(-length // BLOCK_PX)) for length in shape)
    white: Where = np.add.outer(rows, columns) % 2 == 0
    return white, ~white


def _in_pixels(blocks: Where, shape: tuple[int, ...]) -> Where:
    return blocks.repeat(BLOCK_PX, 0).repeat(BLOCK_PX, 1)[: shape[0], : shape[1]]


def brightness(frame: Array, of: Array) -> float:
    """The mean of ``frame`` relative to that of another where the first is known; 1 if that says nothing."""
    known = np.isfinite(frame)
    means = [float(image[known].mean()) if known.any() else 0.0 for image in (frame, of)]
    return means[0] / means[1] if min(means) > 0 else 1.0


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

    True where the slope is, for sure, below ``SAME_FROM`` in a window, for coarse structure or for fine, and everywhere if
    that of the whole frame is below ``SAME_FRAME_FROM``. What the network invented cannot be told from what changed: both
    are left out.
    """
    another = np.zeros(average.shape, dtype=bool)
    for scale_px in (COARSE_PX, FINE_PX):
        blocks = Blocks.of(denoised, average, scale_px)
        for window_px in WINDOWS_PX:
            another |= _in_pixels(blocks.slopes(window_px).is_below(SAME_FROM), average.shape)
        another |= blocks.slope().is_below(SAME_FRAME_FROM)
    return another


def _structure(image: Array, known: Where, scale_px: float) -> Float64:
    """What is finer than a blur, 0 where it is not known."""
    share = np.maximum(gaussian_filter(known.astype(np.float64), scale_px), 1e-6)
    fine: Float64 = np.where(known, image - gaussian_filter(np.where(known, image, 0.0), scale_px) / share, 0)
    return fine
