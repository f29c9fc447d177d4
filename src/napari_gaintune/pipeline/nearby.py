"""What the frames nearby in a series show of the scene of one frame: the reference of objective next-frame."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter

from ..image import Array, Float32, FrameSeries
from .reference import RunningReference

MOVED_BLUR_PX = 4.0  # a change is looked for in means over some 200 px: single pixels are noise
MOVED_SD = 4.0  # of these means; white noise passes it in 6 of 100,000
SCENE_PX = 32.0  # structure is what is left after a blur of this width is taken away
SAME_FROM = 0.5


def nearby_average(series: FrameSeries, index: int, reach: int) -> Float32:
    """The mean of up to ``reach`` frames before and after frame ``index``, aligned with it by whole pixels.

    (h, w) float32 in the input's unit, NaN where none of them overlaps. Constant frames are left out, and the series ends
    where its last axis of frames does: what follows there is another place. All NaN where no other frame is left.
    """
    running, place = RunningReference(series.shape[-2:]), 0
    for number in window(series.shape, index, reach):
        frame = series.frame(number)
        if number == index:
            place = len(running.drifts_px)
        elif not np.nanmin(frame) < np.nanmax(frame):
            continue
        running.add(frame)
    if len(running.drifts_px) < 2:
        return np.full(series.shape[-2:], np.nan, dtype=np.float32)
    return running.without(place, series.frame(index), unknown=np.nan)


def window(shape: tuple[int, ...], index: int, reach: int) -> range:
    """The frames from ``reach`` before to ``reach`` after ``index``, along the last axis that has more than one."""
    length = next((count for count in reversed(shape[:-2]) if count > 1), 1)
    first = index - index % length
    return range(max(first, index - reach), min(first + length, index + reach + 1))


def as_bright(average: Float32, frame: Float32) -> Float32:
    """The average with the mean of the frame where both are known: a beam that fades is not the scene."""
    known = np.isfinite(average)
    mean = float(average[known].mean()) if known.any() else 0.0
    return average * np.float32(float(frame[known].mean()) / mean) if mean > 0 else average


def moved(frame: Float32, average: Float32) -> npt.NDArray[np.bool_]:
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
    changed: npt.NDArray[np.bool_] = np.abs(deviation) > MOVED_SD * max(1.0, spread)
    return changed


def shows_the_same(denoised: Array, average: Array) -> bool:
    """Whether the average follows the structure that the network saw in the frame, (h, w) each.

    Of an image x that is estimated as well as can be, by f, the slope of x on f is 1, and so is that of x with noise that f
    knows nothing of; of another scene it is 0. False where it is below 0.5 by two standard errors.
    """
    known = np.isfinite(average)
    if not known.any():
        return False
    share = np.maximum(gaussian_filter(known.astype(np.float64), SCENE_PX), 1e-6)
    seen, real = (
        np.where(known, image - gaussian_filter(np.where(known, image, 0).astype(np.float64), SCENE_PX) / share, 0)
        for image in (denoised, average)
    )
    power = float((seen**2).sum())
    if power == 0:
        return True  # nothing is seen that could be another thing
    slope = float((seen * real).sum()) / power
    residual = float(((real - slope * seen) ** 2).sum()) / int(known.sum())
    return bool(slope + 2 * (residual / power) ** 0.5 >= SAME_FROM)
