"""An estimate of the error for Gaussian noise whose level nobody knows."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Generator

from .base import Crop, Denoise, PixelLoss
from .sure import FINITE_DIFFERENCE, Sure, signs

SMALLEST_FREEDOM = 1e-3  # of 1 - d: a network that passes all noise on has a large loss, not an infinite one


@dataclass(frozen=True, kw_only=True)
class Unsure(Sure):
    """(f(y) - y)**2 / (1 - d)**2 with d the mean of df_j/dy_j: SURE with the noise level eliminated.

    UNSURE (Tachella et al. 2024) puts a multiplier in the place of the unknown variance, min_f max_eta
    (f(y) - y)**2 + 2 eta df_j/dy_j. Where the residual may be rescaled, y + c (f(y) - y), the saddle point is known in
    closed form: c = 1 / (1 - d), and eta, the value there, is this loss: generalised cross-validation (Golub, Heath and
    Wahba 1979). It estimates error plus noise variance up to a factor near 1 for a denoiser that averages many pixels; its
    minimum lies where that of the error does. Takes the noise as white; ``scale`` (the image's unit) sets the size of
    the finite difference and nothing else. A blind network has d = 0.
    """

    scale: float = field(repr=False)
    name: str = field(default="unsure", repr=False)

    def pixel_loss(self, denoise: Denoise, crop: Crop, generator: Generator, every_target: bool = False) -> PixelLoss:
        if self.is_blind:
            return PixelLoss((denoise(crop.shown(crop.noisy)) - crop.noisy).square(), crop.targets)
        probe = signs(crop.noisy, generator)
        step = self.scale * FINITE_DIFFERENCE[self.compute_dtype]
        both = torch.cat([crop.noisy, crop.noisy + step * probe])
        denoised, shifted = denoise(crop.shown(both)).chunk(2)
        passed_on = PixelLoss(probe * (shifted - denoised) / step, crop.targets).mean()
        freedom = (1 - passed_on).clamp_min(SMALLEST_FREEDOM)
        return PixelLoss((denoised - crop.noisy).square() / freedom.square(), crop.targets)
