"""Noise that can be drawn: what training and resampling add to a clean frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from ..errors import NoiseModelError

POINT_SPREAD_REACH = 4.0  # a Gaussian is cut off at so many standard deviations, where it holds 1e-4 of itself


class NoiseModel(Protocol):
    """Draws a noisy image for a clean one."""

    def sample(self, clean: Tensor, generator: Generator) -> Tensor:
        """A noisy copy of ``clean``, any shape, in the same unit; the same generator state gives the same bits."""
        ...


class KnownNoise(NoiseModel, Protocol):
    """One that can be told in advance at each pixel."""

    def variance(self, clean: Tensor) -> Tensor:
        """Of the noise that ``sample`` adds, of the shape of ``clean`` and in its unit squared."""
        ...


@dataclass(frozen=True)
class Gaussian:
    """Additive white Gaussian noise of standard deviation ``sd``, in the image's unit."""

    sd: float

    def __post_init__(self) -> None:
        if not self.sd > 0:
            raise NoiseModelError(f"noise_sd = {self.sd}: Gaussian noise needs a standard deviation above 0")

    def sample(self, clean: Tensor, generator: Generator) -> Tensor:
        return clean + self.sd * _normal(clean, generator)

    def variance(self, clean: Tensor) -> Tensor:
        return torch.full_like(clean, self.sd**2)


@dataclass(frozen=True)
class GaussianOfAnyLevel:
    """White Gaussian noise whose standard deviation is drawn for each image, from 0 to ``highest_sd``; (b, ...)."""

    highest_sd: float

    def __post_init__(self) -> None:
        if not self.highest_sd > 0:
            raise NoiseModelError(f"highest_sd = {self.highest_sd}: the highest standard deviation must be above 0")

    def sample(self, clean: Tensor, generator: Generator) -> Tensor:
        shape = (len(clean), *[1] * (clean.ndim - 1))
        sd = self.highest_sd * torch.rand(shape, generator=generator, device=generator.device).to(clean.device)
        return clean + sd * _normal(clean, generator)


@dataclass(frozen=True)
class Poisson:
    """Counting noise: ``clean`` is the expected number of electrons per pixel; negative values count as none."""

    def sample(self, clean: Tensor, generator: Generator) -> Tensor:
        return torch.poisson(clean.clamp_min(0).to(generator.device), generator=generator).to(clean.device)

    def variance(self, clean: Tensor) -> Tensor:
        return clean.clamp_min(0)


@dataclass(frozen=True)
class PoissonGaussian:
    """Counted electrons read out as counts: gain * Poisson((clean - offset) / gain) + offset + read noise.

    ``detector_gain`` in counts per electron, ``detector_offset`` and ``read_noise_sd`` in counts; ``clean`` is in
    counts, too, its expectation. Variance = gain * (clean - offset) + read_noise_sd**2 (Foi et al. 2008, eq. 3).
    """

    detector_gain: float = 1.0
    detector_offset: float = 0.0
    read_noise_sd: float = 0.0

    def __post_init__(self) -> None:
        if not (self.detector_gain > 0 and self.read_noise_sd >= 0):
            raise NoiseModelError(
                f"detector_gain = {self.detector_gain}, read_noise_sd = {self.read_noise_sd}: "
                "the first must be above 0, the second 0 or more"
            )

    def sample(self, clean: Tensor, generator: Generator) -> Tensor:
        electrons = (clean - self.detector_offset) / self.detector_gain
        counts = self.detector_gain * Poisson().sample(electrons, generator) + self.detector_offset
        return counts + self.read_noise_sd * _normal(clean, generator) if self.read_noise_sd else counts

    def variance(self, clean: Tensor) -> Tensor:
        return self.detector_gain * (clean - self.detector_offset).clamp_min(0) + self.read_noise_sd**2


@dataclass(frozen=True)
class Correlated:
    """Noise of ``model`` after the detector's point spread, and an offset of its own for every row.

    ``clean`` is the expectation of what is read out, so the point spread (a Gaussian of standard deviation
    ``point_spread_px``) acts on the noise alone. ``row_noise_sd`` in the image's unit. Images are (..., h, w).
    """

    model: KnownNoise
    point_spread_px: float = 0.0
    row_noise_sd: float = 0.0

    def __post_init__(self) -> None:
        if not (self.point_spread_px >= 0 and self.row_noise_sd >= 0):
            raise NoiseModelError(
                f"point_spread_px = {self.point_spread_px}, row_noise_sd = {self.row_noise_sd}: both must be 0 or more"
            )

    def sample(self, clean: Tensor, generator: Generator) -> Tensor:
        noise = self.model.sample(clean, generator) - clean
        if self.point_spread_px:
            noise = _spread(noise, self.point_spread_px)
        if self.row_noise_sd:
            noise = noise + self.row_noise_sd * _normal(clean[..., :1], generator)
        return clean + noise

    def variance(self, clean: Tensor) -> Tensor:
        """A sum of independent pixels times weights has the sum of their variances times the weights squared.

        Of the mirrored border, where a pixel counts twice, it says too little.
        """
        variance = self.model.variance(clean)
        if self.point_spread_px:
            variance = _convolved(variance, _point_spread(self.point_spread_px, clean.device).square())
        return variance + self.row_noise_sd**2


def _normal(like: Tensor, generator: Generator) -> Tensor:
    return torch.randn(like.shape, generator=generator, device=generator.device).to(like.device)


def _spread(noise: Tensor, sd_px: float) -> Tensor:
    """Convolved with a Gaussian of sum 1, mirrored at the border; (..., h, w)."""
    return _convolved(noise, _point_spread(sd_px, noise.device))


def _point_spread(sd_px: float, device: torch.device) -> Tensor:
    """One axis of it, (n,), of sum 1."""
    reach = max(1, round(POINT_SPREAD_REACH * sd_px))
    kernel = torch.exp(-0.5 * (torch.arange(-reach, reach + 1, device=device) / sd_px) ** 2)
    return kernel / kernel.sum()


def _convolved(image: Tensor, kernel: Tensor) -> Tensor:
    """(..., h, w) with ``kernel`` (n,) along both axes, mirrored at the border."""
    flat = F.pad(image.reshape(-1, 1, *image.shape[-2:]), (len(kernel) // 2,) * 4, mode="reflect")
    spread = F.conv2d(F.conv2d(flat, kernel.view(1, 1, 1, -1)), kernel.view(1, 1, -1, 1))
    return spread.reshape(image.shape)
