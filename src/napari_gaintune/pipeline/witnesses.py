"""Other frames of a scene, which tell what is in a denoised frame: their noise is another."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..image import Array, Float32, FrameSeries
from ..models.prediction import Halt
from ..noise.intensity import IntensityScale
from .nearby import AlignedFrames, is_in_time
from .provenance import Made

REACH = 20  # frames on either side: farther ones tell little more, and the scene goes on changing
ALIKE = 0.3, 3.0  # brightness of frames that can witness for one another


@dataclass(frozen=True)
class Witnesses:
    """Other frames of the scene in electrons, aligned with the one in question, read anew at each look.

    ``bright`` says of each how bright it is, as a multiple of that one.
    """

    aligned: AlignedFrames | None
    bright: dict[int, float]
    scale: IntensityScale

    @classmethod
    def of(cls, series: FrameSeries, made: Made, scale: IntensityScale, seen: Float32, halt: Halt) -> Witnesses:
        """Frames of a blanked beam, or another magnification, are no witnesses."""
        if not is_in_time(series):
            return cls(None, {}, scale)
        aligned = AlignedFrames.around(series, made.frame, REACH, halt)
        bright = {
            number: _mean_of(shown) / _mean_of(seen[np.isfinite(shown)])
            for number, shown in ((number, scale.to_model(one)) for number, one in aligned)
            if abs(number - made.frame) > made.learned_nearby
            and np.isfinite(shown).any()
            and _mean_of(seen[np.isfinite(shown)]) > 0
        }
        return cls(aligned, {n: b for n, b in bright.items() if ALIKE[0] < b < ALIKE[1]}, scale)

    @property
    def count(self) -> int:
        return len(self.bright)

    def __iter__(self) -> Iterator[Float32]:
        """Each made as bright."""
        for number, one in self.aligned or ():
            if number in self.bright:
                yield self.scale.to_model(one) / np.float32(self.bright[number])

    def mean(self, unknown: Float32) -> tuple[Array, Array]:
        """Of all, (h, w), and of how many as bright as the one in question, in each pixel; ``unknown`` where of none."""
        total, number = np.zeros(unknown.shape), np.zeros(unknown.shape)
        for one, bright in zip(self, self.bright.values(), strict=True):
            known = np.isfinite(one)
            total += bright * np.where(known, one, 0)  # a frame half as bright tells half as much
            number += bright * known
        return np.divide(total, number, out=unknown.astype(np.float64), where=number > 0), number


def _mean_of(pixels: Array) -> float:
    return float(np.nanmean(pixels, dtype=np.float64))
