"""The drift-corrected average of a series, without the frame it is compared with.

Shifts are whole pixels: interpolation would correlate the noise of neighbouring pixels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import fft
from scipy.signal.windows import tukey

from ..errors import ImageError
from ..image import Array, Float32, FrameSeries

DRIFT_STEP_PX = 2.0


@dataclass(frozen=True)
class Reference:
    """The average of all other frames as frame ``frame_index`` sees the scene, and every frame's drift.

    ``image`` is (h, w) float32 in the input's unit, 0 where no other frame overlaps. ``drifts_px`` is (n, 2) int64:
    what lies at (y, x) of frame 0 lies at (y, x) + drifts_px[i] of frame i.
    """

    image: Float32
    drifts_px: npt.NDArray[np.int64]


def averaged_reference(
    series: FrameSeries, frame_index: int, drift_step_px: float = DRIFT_STEP_PX, without_nearby: int = 0
) -> Reference:
    """The reference of one frame, from all others of the series; one frame is in memory at a time.

    ``without_nearby`` frames before it and as many after it are left out, too: what ``next-frame`` has learned from (its
    ``nearby_frames``) is no independent check of what it gave. Raises ImageError if no other frame is left.
    """
    near = [i for i in range(frame_index - without_nearby, frame_index + without_nearby + 1) if 0 <= i < len(series)]
    if len(near) == len(series) > 1:
        raise ImageError(
            f"{series.name}: no frame of {len(series)} is farther than {without_nearby} from frame {frame_index}; "
            "leave fewer out"
        )
    running = RunningReference(series.shape[-2:], drift_step_px)
    for index in range(len(series)):
        running.add(series.frame(index))
    for index in near:
        if index != frame_index:
            running.remove(index, series.frame(index))
    image = running.without(frame_index, series.frame(frame_index))
    return Reference(image, np.array(running.drifts_px, dtype=np.int64))


class RunningReference:
    """Sum and count of aligned frames on a canvas that grows with the drift.

    Add frames in the order they were taken: each is registered against the average of those before it, from the place
    of its predecessor. The shift is the most probable one under white noise, given the average's Fourier coefficients
    that stand out of its noise, and a normal prior of ``drift_step_px`` for the drift between two frames: at low dose
    the lattice alone leaves the shift open by lattice vectors, and the nearest one is taken. Strong evidence outweighs
    the prior. A detector pattern that stays in place counts as evidence for no drift: correct it before. A pixel that
    is NaN or infinite in a frame is left out of the sum.
    """

    def __init__(self, shape: tuple[int, ...], drift_step_px: float = DRIFT_STEP_PX) -> None:
        self.shape = (int(shape[0]), int(shape[1]))
        self.drift_step_px = drift_step_px
        self.drifts_px: list[tuple[int, int]] = []
        self._sum = np.zeros(self.shape)
        self._count = np.zeros(self.shape, dtype=np.int32)
        self._origin = (0, 0)  # of frame 0 on the canvas
        self._taper = np.outer(*(tukey(length, 0.25) for length in self.shape))

    def add(self, frame: Array) -> tuple[int, int]:
        """Registers ``frame``, (h, w), adds it to the sum, and returns its drift (y, x) in px against frame 0."""
        drift = self._register(frame) if self.drifts_px else (0, 0)
        self._grow(drift)
        total, count = self._at(drift)
        good = np.isfinite(frame)
        total += np.where(good, frame, 0)
        count += good
        self.drifts_px.append(drift)
        return drift

    def remove(self, index: int, frame: Array) -> None:
        """Takes ``frame``, the ``index``-th that was added, out of the sum; its drift stays."""
        total, count = self._at(self.drifts_px[index])
        good = np.isfinite(frame)
        total -= np.where(good, frame, 0)
        count -= good

    def without(self, index: int, frame: Array, unknown: float = 0.0) -> Float32:
        """The average of all added frames but ``frame``, the ``index``-th, in its coordinates: (h, w) float32.

        ``unknown`` where no other frame overlaps. Raises ImageError if no other frame was added.
        """
        if len(self.drifts_px) < 2:
            raise ImageError(f"a reference needs at least 2 frames, the series has {len(self.drifts_px)}")
        total, count = self._at(self.drifts_px[index])
        good = np.isfinite(frame)
        others = count - good
        out = np.full(self.shape, unknown)
        mean: npt.NDArray[np.float64] = np.divide(total - np.where(good, frame, 0), others, out=out, where=others > 0)
        return mean.astype(np.float32)

    def locate(self, frame: Array, near: tuple[int, int]) -> tuple[float, float]:
        """The drift (y, x) of a frame, (h, w), that is not added, to parts of pixels; expected to be about ``near``."""
        evidence = self._evidence(frame, near)
        row, column = np.unravel_index(int(evidence.argmax()), self.shape)
        across = np.roll(evidence, (1 - row, 1 - column), (0, 1))  # the peak at (1, 1)
        y, x = (fft.fftfreq(length, 1 / length) for length in self.shape)
        return near[0] + y[row] + _vertex(across[:3, 1]), near[1] + x[column] + _vertex(across[1, :3])

    def _register(self, frame: Array) -> tuple[int, int]:
        before = self.drifts_px[-1]
        evidence = self._evidence(frame, before)
        row, column = np.unravel_index(int(evidence.argmax()), self.shape)
        y, x = (fft.fftfreq(length, 1 / length) for length in self.shape)
        return before[0] + round(y[row]), before[1] + round(x[column])

    def _evidence(self, frame: Array, before: tuple[int, int]) -> npt.NDArray[np.float64]:
        """Log-probability of every shift of ``frame`` from the place of another, (h, w), zero shift first."""
        self._grow(before)
        total, count = self._at(before)
        mean = np.divide(total, count, out=np.full(self.shape, np.nan), where=count > 0)
        evidence = shift_log_likelihood(self._spectrum(mean), self._spectrum(frame), self.shape)
        y, x = (fft.fftfreq(length, 1 / length) for length in self.shape)
        evidence -= np.add.outer(y**2, x**2) / (2 * self.drift_step_px**2)
        return evidence

    def _spectrum(self, image: Array) -> npt.NDArray[np.complex128]:
        """Fourier coefficients without mean and borders: an edge must not be what is aligned."""
        good = np.isfinite(image)
        mean = np.average(image[good], weights=self._taper[good]) if self._taper[good].any() else 0.0
        spectrum: npt.NDArray[np.complex128] = fft.rfft2((np.where(good, image, mean) - mean) * self._taper)
        return spectrum

    def _at(self, drift: tuple[int, int]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int32]]:
        """Views of sum and count under a frame of the given drift."""
        top, left = self._origin[0] - drift[0], self._origin[1] - drift[1]
        where = (slice(top, top + self.shape[0]), slice(left, left + self.shape[1]))
        return self._sum[where], self._count[where]

    def _grow(self, drift: tuple[int, int]) -> None:
        starts = [origin - moved for origin, moved in zip(self._origin, drift, strict=True)]
        before = [max(0, -start) for start in starts]
        ends = [start + length for start, length in zip(starts, self.shape, strict=True)]
        after = [max(0, end - size) for end, size in zip(ends, self._sum.shape, strict=True)]
        if any(before) or any(after):
            margins = list(zip(before, after, strict=True))
            self._sum, self._count = np.pad(self._sum, margins), np.pad(self._count, margins)
            self._origin = (self._origin[0] + before[0], self._origin[1] + before[1])


def shift_log_likelihood(
    average: npt.NDArray[np.complex128], frame: npt.NDArray[np.complex128], shape: tuple[int, int]
) -> npt.NDArray[np.float64]:
    """Log-likelihood, up to a constant, of every circular shift of ``average`` to ``frame``, (h, w), zero shift first.

    Both are half spectra (``rfft2``) of scene plus white noise. The noise powers are taken from the medians, the
    scene's from the average's coefficients above the greatest one that noise alone is expected to show.
    """
    noise, average_noise = (np.median(np.abs(f) ** 2) / np.log(2) for f in (frame, average))
    power = np.abs(average) ** 2
    scene = np.where(power > np.log(average.size) * average_noise, power - average_noise, 0)
    known = scene / np.maximum(scene + average_noise, np.finfo(float).tiny)
    spread = np.maximum(noise + average_noise * known, np.finfo(float).tiny)
    product: npt.NDArray[np.float64] = fft.irfft2(np.conj(average) * known * frame / spread, s=shape)
    return product * (shape[0] * shape[1])


def _vertex(values: npt.NDArray[np.float64]) -> float:
    """Where a parabola through three values at -1, 0 and 1, the middle one the largest, has its peak."""
    before, at, after = (float(value) for value in values)
    bend = before - 2 * at + after
    return (before - after) / (2 * bend) if bend < 0 else 0.0


class ReferenceStack:
    """Every frame's own reference as a read-only stack of the series' shape, each computed when it is looked at.

    Has what viewers and numpy ask of an array: ``shape``, ``dtype``, indexing by integers and slices, ``__array__``.
    """

    def __init__(self, series: FrameSeries, running: RunningReference) -> None:
        self._series, self._running = series, running
        self.shape = series.shape
        self.ndim = len(series.shape)
        self.size = math.prod(series.shape)
        self.dtype = np.dtype(np.float32)

    def __getitem__(self, where: Any) -> Float32:
        """Integers, slices and ``...``; whole frames are computed, then cut."""
        keys = where if isinstance(where, tuple) else (where,)
        after = keys[keys.index(...) + 1 :] if ... in keys else ()
        before = keys[: keys.index(...)] if ... in keys else keys
        keys = (*before, *(slice(None),) * (self.ndim - len(before) - len(after)), *after)
        every = np.arange(len(self._series)).reshape(self.shape[:-2])
        indices = np.asarray(every[keys[:-2]])
        frames = [self._running.without(int(i), self._series.frame(int(i))) for i in indices.flat]
        stack = np.reshape(np.array(frames, dtype=np.float32), (*indices.shape, *self.shape[-2:]))
        return stack[..., keys[-2], keys[-1]]

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> Array:
        """All references at once."""
        if copy is False:
            raise ValueError("a reference is computed when it is asked for: there is nothing to share")
        whole: Array = self[(slice(None),) * self.ndim]
        return whole if dtype is None else whole.astype(dtype)
