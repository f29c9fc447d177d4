"""Noise that can be drawn: what resampling adds to a denoised frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Generator, Tensor

from ..errors import NoiseModelError


class NoiseModel(Protocol):
    """Draws a noisy image for a clean one."""

    def sample(self, clean: Tensor, generator: Generator) -> Tensor:
        """A noisy copy of ``clean``, any shape, in the same unit; the same generator state gives the same bits."""
        ...


@dataclass(frozen=True)
class Gaussian:
    """Additive white Gaussian noise of standard deviation ``sd``, in the image's unit."""

    sd: float

    def __post_init__(self) -> None:
        if not self.sd > 0:
            raise NoiseModelError(f"noise_sd = {self.sd}: Gaussian noise needs a standard deviation above 0")

    def sample(self, clean: Tensor, generator: Generator) -> Tensor:
        return clean + self.sd * torch.randn(clean.shape, generator=generator).to(clean.device)


@dataclass(frozen=True)
class Poisson:
    """Counting noise: ``clean`` is the expected number of electrons per pixel; negative values count as none."""

    def sample(self, clean: Tensor, generator: Generator) -> Tensor:
        return torch.poisson(clean.clamp_min(0).cpu(), generator=generator).to(clean.device)
