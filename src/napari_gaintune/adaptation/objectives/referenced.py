"""The error to a reference that was measured by itself: the average of pairs, or of the frames nearby."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from torch import Generator

from .base import Beside, Crop, Denoise, JudgesItself, PixelLoss


@dataclass(frozen=True)
class ErrorToReference(JudgesItself):
    """(f(y) - x)**2 where x is finite, x being the crop's reference, which takes the place of its pseudo-clean image.

    What a transfer from pairs is led and judged by (Kim et al. 2020). The paper has absolute differences (eq. 7) and
    references nearly free of noise. An average of some frames has noise left, and squares still have their least mean
    where the truth is.
    """

    name: str = field(default="error-to-reference", repr=False)

    beside: ClassVar[Beside] = "pseudo-clean"

    def pixel_loss(self, denoise: Denoise, crop: Crop, generator: Generator, every_target: bool = False) -> PixelLoss:
        if crop.pseudo_clean is None:
            raise ValueError(f"{self.name} was given no reference")
        known = crop.pseudo_clean.isfinite()
        error = denoise(crop.shown(crop.noisy)) - crop.pseudo_clean.nan_to_num()
        return PixelLoss(error.square(), crop.targets & known)


@dataclass(frozen=True)
class NextFrame(ErrorToReference):
    """The error to the average of the frames nearby, aligned with this one (Noise2Noise, Lehtinen et al. 2018).

    An unbiased estimate of the true error, up to a constant, where the scene stands still and the noise of different
    frames is independent: within a frame it may be correlated in any way. The variance of a mean of n frames is an nth, so
    that of all objectives this one is misled least. What the average shows of a scene that moves is learned, too: it must
    be made of frames that show this one's (pipeline.nearby).
    """

    name: str = field(default="next-frame", repr=False)

    beside = "frames nearby"
