"""What the frames nearby in a series show of the scene of one frame: the reference of objective next-frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor

from ..errors import SettingError
from ..image import Array, Float32, FrameSeries
from ..noise.intensity import IntensityScale
from .binning import binned
from .reference import RunningReference

Float64 = npt.NDArray[np.float64]

MOVED_BLUR_PX = 4.0  # a change is looked for in means over some 200 px: single pixels are noise
MOVED_SD = 4.0  # of these means; white noise passes it in 6 of 100,000
STRUCTURES_PX = (32.0, 8.0)  # structure is what is left after a blur of such a width is taken away
WINDOW_PX = 16.0
SAME_FROM, SAME_FRAME_FROM = 0.5, 0.25
LEAST_KNOWN = 0.1  # of a frame


def check_frames_nearby(series: FrameSeries, objective: str) -> None:
    """Raises SettingError where the objective needs other frames, and there is none."""
    if objective == "next-frame" and len(window(series.shape, 0, 1)) < 2:
        raise SettingError(
            f"objective = 'next-frame': {series.name} is one frame, and it learns from those before and after; give the "
            "series, or choose objective resampling"
        )


@dataclass(frozen=True)
class Nearby:
    """What up to ``reach`` frames on either side of a frame show of its scene, binned as the network sees it."""

    series: FrameSeries
    reach: int
    binning: int

    def of(self, index: int, scale: IntensityScale, noisy: Tensor, denoised: Tensor) -> Tensor | None:
        """(h, w) in the model's unit, NaN where it is not known; None if that is nearly everywhere.

        ``noisy`` and ``denoised`` are frame ``index`` as the network sees it and what it makes of it, (h, w), in that unit.
        """
        counts = nearby_average(self.series, index, self.reach)
        frame = noisy.numpy()
        average = as_bright(scale.to_model(binned(counts, self.binning)), frame)
        average[moved(frame, average) | shows_another(denoised.numpy(), average)] = np.nan
        return torch.from_numpy(average) if np.isfinite(average).mean() >= LEAST_KNOWN else None


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
        elif not np.isfinite(frame).any() or not np.nanmin(frame) < np.nanmax(frame):
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


def shows_another(denoised: Array, average: Array) -> npt.NDArray[np.bool_]:
    """(h, w) bool: where the average does not follow the structure that the network saw in the frame, (h, w) each.

    Of an image x that is estimated as well as can be, by f, the slope of x on f is 1, and so is that of x with noise that f
    knows nothing of; of another scene, or of a blurred one, it is near 0. True where it is, by two standard errors, below
    0.5 in a window of some 50 px, for coarse structure or for fine, and everywhere if it is below 0.25 in the whole frame.
    """
    another, known = np.zeros(average.shape, dtype=bool), np.isfinite(average)
    for scale_px in STRUCTURES_PX:
        seen, real = (_structure(image, known, scale_px) for image in (denoised, average))
        noise = float(((real - seen) ** 2).sum()) / max(1, int(known.sum()))
        in_window = noise / (4 * np.pi * WINDOW_PX**2)  # its pixels are worth so many
        another |= _is_below(
            SAME_FROM, gaussian_filter(seen**2, WINDOW_PX), gaussian_filter(seen * real, WINDOW_PX), in_window
        )
        another |= _is_below(SAME_FRAME_FROM, np.array((seen**2).sum()), np.array((seen * real).sum()), noise)
    return another


def _structure(image: Array, known: npt.NDArray[np.bool_], scale_px: float) -> Float64:
    """What is finer than a blur, 0 where it is not known."""
    share = np.maximum(gaussian_filter(known.astype(np.float64), scale_px), 1e-6)
    fine: Float64 = np.where(known, image - gaussian_filter(np.where(known, image, 0.0), scale_px) / share, 0)
    return fine


def _is_below(limit: float, power: Float64, product: Float64, noise: float) -> npt.NDArray[np.bool_]:
    """Whether the slope ``product / power`` is; where nothing is seen, nothing is contradicted."""
    slope, variance = (
        np.divide(of, power, out=np.full_like(power, np.inf), where=power > 0) for of in (product, noise)
    )
    too_small: npt.NDArray[np.bool_] = slope + 2 * np.sqrt(variance) < limit
    return too_small
