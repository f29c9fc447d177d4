"""Unbiased estimates of the squared error, for Gaussian noise (Stein 1981; Mohan 2021, eq. 5) and for Poisson noise."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Generator, Tensor

from ...errors import NoiseModelError
from .base import Crop, Denoise, JudgesItself, PixelLoss

FINITE_DIFFERENCE = {torch.float32: 1e-2, torch.bfloat16: 1e-1}  # in units of the noise's standard deviation


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


def sure_poisson(denoise: Denoise, counts: Tensor, probe: Tensor, step: float) -> Tensor:
    """The same for Poisson noise: ``counts`` (b, 1, h, w) in electrons, ``probe`` as there, ``step`` in noise deviations.

    (f(y) - y)**2 - y + 2 sqrt(y) b (f(y + step sqrt(y) b) - f(y)) / step: the variance of a count is estimated by the count
    itself, and the output's change on taking one electron away, y (f(y) - f(y - 1)), by its derivative (Hudson 1978;
    Le Montagner et al. 2014). That is exact for a denoiser that is linear in each single electron, which any is that
    averages many; without noise to average it is not. A negative value, as a detector's offset leaves some, counts as 0.
    """
    variance = counts.clamp_min(0)
    change = variance.sqrt() * probe
    denoised, shifted = denoise(torch.cat([counts, counts + step * change])).chunk(2)
    return (denoised - counts).square() - variance + 2 * change * (shifted - denoised) / step


def sure_poisson_gaussian(
    denoise: Denoise, noisy: Tensor, detector_gain: float, read_noise_sd: float, probe: Tensor, step: float
) -> Tensor:
    """The same for counted electrons read out with noise: y = gain * Poisson(x / gain) + read noise, both in y's unit.

    v = gain y + read_noise_sd**2 estimates the variance of a pixel without bias, and the error is (f(y) - y)**2 - v +
    2 v b (f(y + step b) - f(y)) / step, with ``probe`` b and ``step`` in the unit of y (Le Montagner et al. 2014, to the
    first order of the derivative: exact for a denoiser that is linear in each single electron). v may be negative where
    read noise is: cut off at 0 it would be biased. Raises NoiseModelError for a gain or a read noise below 0, or both 0.
    """
    _check_read_out(detector_gain, read_noise_sd)
    variance = detector_gain * noisy + read_noise_sd**2
    denoised, shifted = denoise(torch.cat([noisy, noisy + step * probe])).chunk(2)
    return (denoised - noisy).square() - variance + 2 * variance * probe * (shifted - denoised) / step


@dataclass(frozen=True, kw_only=True)
class Sure(JudgesItself):
    """What all kinds of noise have in common; ``is_blind`` leaves the derivative out."""

    is_blind: bool = field(default=False, repr=False)
    compute_dtype: torch.dtype = field(default=torch.float32, repr=False)
    name: str = field(default="sure", repr=False)


@dataclass(frozen=True)
class SurePoisson(Sure):
    """SURE for counted electrons, with one Rademacher probe a step. A blind network's derivative term is zero."""

    def pixel_loss(self, denoise: Denoise, crop: Crop, generator: Generator, every_target: bool = False) -> PixelLoss:
        if self.is_blind:
            values = (denoise(crop.shown(crop.noisy)) - crop.noisy).square() - crop.noisy.clamp_min(0)
        else:
            probe, step = signs(crop.noisy, generator), FINITE_DIFFERENCE[self.compute_dtype]
            values = sure_poisson(lambda y: denoise(crop.shown(y)), crop.noisy, probe, step)
        return PixelLoss(values, crop.targets)


@dataclass(frozen=True)
class SureGaussian(Sure):
    """SURE with one Rademacher probe a step: of all probes of variance 1 the one with the least spread.

    A blind network's divergence is zero, pixel by pixel: it is left out, and with it the spread of its estimate.
    """

    sigma: float

    def pixel_loss(self, denoise: Denoise, crop: Crop, generator: Generator, every_target: bool = False) -> PixelLoss:
        if self.is_blind:
            _check(self.sigma)
            return PixelLoss((denoise(crop.shown(crop.noisy)) - crop.noisy).square() - self.sigma**2, crop.targets)
        probe = signs(crop.noisy, generator)
        step = self.sigma * FINITE_DIFFERENCE[self.compute_dtype]
        values = sure_gaussian(lambda y: denoise(crop.shown(y)), crop.noisy, self.sigma, probe, step)
        return PixelLoss(values, crop.targets)


@dataclass(frozen=True)
class SurePoissonGaussian(Sure):
    """SURE for electrons counted and read out, with one Rademacher probe a step, as long as a mean pixel's noise is."""

    detector_gain: float
    read_noise_sd: float

    def pixel_loss(self, denoise: Denoise, crop: Crop, generator: Generator, every_target: bool = False) -> PixelLoss:
        gain, read_sd = self.detector_gain, self.read_noise_sd
        _check_read_out(gain, read_sd)
        if self.is_blind:
            values = (denoise(crop.shown(crop.noisy)) - crop.noisy).square() - gain * crop.noisy - read_sd**2
            return PixelLoss(values, crop.targets)
        typical = (gain * float(crop.noisy.mean().clamp_min(0)) + read_sd**2) ** 0.5 or gain
        probe, step = signs(crop.noisy, generator), typical * FINITE_DIFFERENCE[self.compute_dtype]
        values = sure_poisson_gaussian(lambda y: denoise(crop.shown(y)), crop.noisy, gain, read_sd, probe, step)
        return PixelLoss(values, crop.targets)


def signs(like: Tensor, generator: Generator) -> Tensor:
    """A Rademacher probe: +1 or -1 for every pixel, of the shape, device and dtype of ``like``."""
    drawn = torch.randint(0, 2, like.shape, generator=generator) * 2 - 1
    return drawn.to(like.device, like.dtype)


def _check(sigma: float) -> None:
    if not sigma > 0:
        raise NoiseModelError(f"noise_sd = {sigma}: SURE needs a noise level above 0; give one, or let it be estimated")


def _check_read_out(detector_gain: float, read_noise_sd: float) -> None:
    if not (detector_gain >= 0 and read_noise_sd >= 0 and detector_gain + read_noise_sd > 0):
        raise NoiseModelError(
            f"detector gain {detector_gain}, read noise {read_noise_sd}: both must be 0 or more, and one of them above 0"
        )
