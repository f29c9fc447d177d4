"""Noise resampling: learn to remove fresh noise from the pre-trained network's own result (Mohan 2021, eq. 7)."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Generator

from ...noise.models import NoiseModel
from .base import Crop, Denoise, Objective, PixelLoss, Steady


@dataclass(frozen=True)
class NoiseResampling(Steady):
    """(f(x + n) - x)**2 with x = f_pretrained(y) and fresh n from ``noise`` at every step (Vaksman et al. 2020).

    Needs the noise's distribution and a start that is right in the main; it cannot bring back what x has lost. It looks at
    the frame through x only and cannot see harm, so that states are judged by ``judge``, an estimate of the true error.
    """

    noise: NoiseModel
    judge: Objective
    name: str = field(default="resampling", repr=False)

    beside = "pseudo-clean"
    looks_at_frame = False

    def pixel_loss(self, denoise: Denoise, crop: Crop, generator: Generator, every_target: bool = False) -> PixelLoss:
        if crop.pseudo_clean is None:
            raise ValueError("noise resampling was given no pseudo-clean crop")
        resampled = self.noise.sample(crop.pseudo_clean, generator)
        return PixelLoss((denoise(crop.shown(resampled)) - crop.pseudo_clean).square(), crop.targets)
