"""Stein's unbiased risk estimate for Gaussian noise (Stein 1981; Mohan 2021, eq. 5)."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Generator, Tensor

from ...errors import NoiseModelError
from .base import Crop, Denoise, PixelLoss

FINITE_DIFFERENCE = {torch.float32: 1e-2, torch.bfloat16: 1e-1}  # in units of sigma


def sure_gaussian(denoise: Denoise, noisy: Tensor, sigma: float, probe: Tensor, step: float) -> Tensor:
    """Stein's unbiased estimate of the squared error, pixel by pixel; its mean estimates the mean squared error.

    (f(y) - y)**2 - sigma**2 + 2 sigma**2 b (f(y + step b) - f(y)) / step, with a random probe b of mean 0 and variance 1.
    Unbiased for additive white Gaussian noise of standard deviation ``sigma``, known independently of y, when ``denoise``
    is weakly differentiable and step is small; single pixels are not unbiased for their own error. ``noisy`` and
    ``probe`` are (b, 1, h, w), ``sigma`` and ``step`` in the unit of ``noisy``; returns (b, 1, h, w) in that unit
    squared. Raises NoiseModelError if sigma <= 0. Stein 1981; Monte-Carlo divergence of Ramani et al. 2008, eq. 13.
    """
    _check(sigma)
    denoised, shifted = denoise(torch.cat([noisy, noisy + step * probe])).chunk(2)
    divergence = probe * (shifted - denoised) / step
    return (denoised - noisy).square() - sigma**2 + 2 * sigma**2 * divergence


@dataclass(frozen=True)
class SureGaussian:
    """SURE with one Rademacher probe a step: of all probes of variance 1 the one with the least spread.

    A blind network's divergence is zero, pixel by pixel: it is left out, and with it the spread of its estimate.
    """

    sigma: float
    is_blind: bool = field(default=False, repr=False)
    compute_dtype: torch.dtype = field(default=torch.float32, repr=False)
    name: str = field(default="sure", repr=False)
    needs_pseudo_clean: bool = field(default=False, repr=False)

    def pixel_loss(self, denoise: Denoise, crop: Crop, generator: Generator, every_target: bool = False) -> PixelLoss:
        if self.is_blind:
            _check(self.sigma)
            return PixelLoss((denoise(crop.noisy) - crop.noisy).square() - self.sigma**2, crop.targets)
        signs = torch.randint(0, 2, crop.noisy.shape, generator=generator) * 2 - 1
        probe = signs.to(crop.noisy.device, crop.noisy.dtype)
        step = self.sigma * FINITE_DIFFERENCE[self.compute_dtype]
        return PixelLoss(sure_gaussian(denoise, crop.noisy, self.sigma, probe, step), crop.targets)


def _check(sigma: float) -> None:
    if not sigma > 0:
        raise NoiseModelError(f"noise_sd = {sigma}: SURE needs a noise level above 0; give one, or let it be estimated")
