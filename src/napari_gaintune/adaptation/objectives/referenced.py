"""The error to a reference: what a transfer from pairs is led and judged by (Kim et al. 2020)."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Generator

from .base import Crop, Denoise, JudgesItself, PixelLoss


@dataclass(frozen=True)
class ErrorToReference(JudgesItself):
    """(f(y) - x)**2, x being the crop's reference, which takes the place of its pseudo-clean image.

    The paper has absolute differences (eq. 7) and references nearly free of noise. An average of some frames has noise
    left, and squares still have their least mean where the truth is.
    """

    name: str = field(default="error-to-reference", repr=False)
    needs_pseudo_clean: bool = field(default=True, repr=False)

    def pixel_loss(self, denoise: Denoise, crop: Crop, generator: Generator, every_target: bool = False) -> PixelLoss:
        if crop.pseudo_clean is None:
            raise ValueError("the error to a reference was given no reference")
        return PixelLoss((denoise(crop.shown(crop.noisy)) - crop.pseudo_clean).square(), crop.targets)
