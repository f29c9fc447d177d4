"""The frames near one frame of a series, aligned with it, and what they show of its scene: the reference of next-frame."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from scipy.ndimage import shift
from torch import Tensor

from ..errors import GaintuneError, SettingError
from ..image import Array, Float32, FrameSeries
from ..noise.intensity import IntensityScale
from .binning import binned
from .reference import RunningReference
from .same_scene import Shown, brightness, means_of_followers, moved, shows_another

LEAST_KNOWN = 0.1  # of a frame
JUDGES_EVERY = 4  # the so-many-th frames of a series judge what is learned from the others


def check_frames_nearby(series: FrameSeries, objective: str) -> None:
    """Raises SettingError where the objective needs other frames, and there is none."""
    if objective == "next-frame" and len(window(series.shape, 0, 1)) < 2:
        raise SettingError(
            f"objective = 'next-frame': {series.name} is one frame, and it learns from those before and after; give the "
            "series, or choose objective resampling"
        )


@dataclass(frozen=True)
class Nearby:
    """What up to ``reach`` frames on either side of a frame show of its scene, binned as the network sees it.

    ``halt`` is called before each frame that is read, and raises where nobody wants the result any more.
    """

    series: FrameSeries
    reach: int
    binning: int
    halt: Callable[[], None] = lambda: None

    def of(self, index: int, scale: IntensityScale, noisy: Tensor, denoised: Tensor) -> References | None:
        """References (h, w) in the model's unit; None if next to nothing is shown.

        ``noisy`` and ``denoised`` are frame ``index`` as the network sees it and what it makes of it, (h, w), in that unit.
        Where the others show another scene or nothing, a reference is ``denoised``: what is learned at other places must
        not change it there, where nobody would notice.
        """
        frame, seen = noisy.numpy(), denoised.numpy()
        aligned = AlignedFrames.around(self.series, index, self.reach, self.halt)
        means = means_of_followers(seen, _AsBright(aligned, scale, self.binning, frame))
        rest = (aligned.rest_px[0] / self.binning, aligned.rest_px[1] / self.binning)
        learned, judging, every = (moved_by(mean, rest) for mean in means)
        if np.isfinite(every).mean() < LEAST_KNOWN:
            return None
        is_shown = np.isfinite(every) & ~moved(frame, every) & ~shows_another(seen, every)
        if is_shown.mean() < LEAST_KNOWN:
            return None
        return References(
            *(
                torch.from_numpy(np.where(is_shown & np.isfinite(of), of, seen)) if np.isfinite(of).any() else None
                for of in (learned, judging, every)
            )
        )


class References(NamedTuple):
    """The averages of the frames to learn from, of those that judge, and of all; None where there is no such frame."""

    learned: Tensor | None
    judging: Tensor | None
    every: Tensor | None


@dataclass(frozen=True)
class AlignedFrames:
    """Frames of a series, each moved by whole pixels to lie on one of them; read anew whenever they are gone through.

    ``rest_px`` (y, x) is what all of them are still to be moved by, less than a pixel.
    """

    series: FrameSeries
    shifts_px: dict[int, tuple[int, int]]
    rest_px: tuple[float, float]
    halt: Callable[[], None]

    @classmethod
    def around(
        cls, series: FrameSeries, index: int, reach: int, halt: Callable[[], None] = lambda: None
    ) -> AlignedFrames:
        """Up to ``reach`` frames before and after frame ``index``.

        That one is placed last, on the average of all others: an error of its place is common to them all, and would be
        learned. Constant frames and those that cannot be read are left out, and the series ends where its last axis of
        frames does: what follows there is another place.
        """
        running, drifts = RunningReference(series.shape[-2:]), {}
        for number in window(series.shape, index, reach):
            halt()
            frame = readable(series, number) if number != index else None
            if frame is not None and has_content(frame):
                drifts[number] = running.add(frame)
        if not drifts:
            return cls(series, {}, (0.0, 0.0), halt)
        nearest = sorted(drifts, key=lambda number: abs(number - index))[:2]
        y, x = (round(float(np.mean([drifts[number][axis] for number in nearest]))) for axis in (0, 1))
        home = running.locate(series.frame(index), (y, x))
        whole = (round(home[0]), round(home[1]))
        shifts = {number: (whole[0] - y, whole[1] - x) for number, (y, x) in drifts.items()}
        return cls(series, shifts, (home[0] - whole[0], home[1] - whole[1]), halt)

    def __iter__(self) -> Iterator[tuple[int, Float32]]:
        """Its number, and (h, w) float32 in the input's unit, NaN where it does not overlap."""
        for number, shift_px in self.shifts_px.items():
            self.halt()
            yield number, shifted(self.series.frame(number), *shift_px)


@dataclass(frozen=True)
class _AsBright:
    """Aligned frames in the model's unit, binned, as bright as ``frame``, and how bright they were: a beam may fade."""

    aligned: AlignedFrames
    scale: IntensityScale
    binning: int
    frame: Float32

    def __iter__(self) -> Iterator[Shown]:
        for number, one in self.aligned:
            shown = self.scale.to_model(binned(one, self.binning))
            weight = brightness(shown, self.frame)
            yield Shown(shown / np.float32(weight), weight, number % JUDGES_EVERY == 0)


def readable(series: FrameSeries, number: int) -> Array | None:
    """The frame, None where it cannot be read: that is told when its own turn comes, and must not cost its neighbours."""
    try:
        return series.frame(number)
    except (GaintuneError, OSError):
        return None


def has_content(frame: Array) -> bool:
    """Whether two of its pixels are known and differ."""
    return bool(np.isfinite(frame).any()) and bool(np.nanmin(frame) < np.nanmax(frame))


def shifted(frame: Array, down: int, right: int) -> Float32:
    """(h, w) float32: what lies at (y, x) of ``frame`` at (y + down, x + right), NaN where nothing comes to lie."""
    result = np.full(frame.shape, np.nan, dtype=np.float32)
    to, of = zip(*(_overlap(by, length) for by, length in zip((down, right), frame.shape, strict=True)), strict=True)
    result[to] = frame[of]
    return result


def moved_by(mean: Float32, rest_px: tuple[float, float]) -> Float32:
    """An average moved by a part of a pixel (cubic splines), (h, w); NaN where it was, or where next to nothing is known.

    Its noise becomes correlated, which a target's may be.
    """
    known = np.isfinite(mean)
    if not known.any():
        return mean
    filled = np.where(known, mean, mean[known].mean())
    result: Float32 = shift(filled, rest_px, order=3, mode="nearest")
    return np.where(known, result, np.nan).astype(np.float32)


def _overlap(by: int, length: int) -> tuple[slice, slice]:
    """Where a line that is moved by so much still lies, there and in itself."""
    return slice(max(0, by), max(0, length + min(0, by))), slice(max(0, -by), max(0, length - max(0, by)))


def is_in_time(series: FrameSeries) -> bool:
    """Whether there are frames before or after one another: not the planes of a volume, nor one frame."""
    axis = frame_axis(series.shape)
    return axis is not None and series.calibration.axes[axis] == "T"


def window(shape: tuple[int, ...], index: int, reach: int) -> range:
    """The frames from ``reach`` before to ``reach`` after ``index``, along the axis of frames."""
    axis = frame_axis(shape)
    length = 1 if axis is None else shape[axis]
    first = index - index % length
    return range(max(first, index - reach), min(first + length, index + reach + 1))


def frame_axis(shape: tuple[int, ...]) -> int | None:
    """The last axis before y and x that is longer than 1."""
    return next((axis for axis in reversed(range(len(shape) - 2)) if shape[axis] > 1), None)
