"""Objectives by name: what tunes the gains, computed from the noisy image alone. A new one is one entry more."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from ...noise.models import Gaussian, NoiseModel, Poisson
from ..config import NoiseName, ObjectiveName
from .base import Crop, Denoise, Objective, PixelLoss
from .blindspot import ArchitecturalBlindSpot, MaskedBlindSpot
from .resampling import NoiseResampling
from .sure import SureGaussian, SurePoisson


@dataclass(frozen=True)
class Situation:
    """What is known before an objective is chosen; ``noise_sd`` in the model's unit."""

    is_blind: bool
    intensity_unit: str
    noise: NoiseName
    noise_sd: float
    compute_dtype: torch.dtype = torch.float32

    @property
    def counts(self) -> bool:
        """Whether the noise is that of counted electrons."""
        return self.intensity_unit == "electrons" if self.noise == "auto" else self.noise == "poisson"

    def noise_model(self) -> NoiseModel:
        return Poisson() if self.counts else Gaussian(self.noise_sd)

    def resampling(self) -> Objective:
        return NoiseResampling(self.noise_model(), self.sure())

    def sure(self) -> Objective:
        if self.counts:
            return SurePoisson(is_blind=self.is_blind, compute_dtype=self.compute_dtype)
        return SureGaussian(self.noise_sd, is_blind=self.is_blind, compute_dtype=self.compute_dtype)


OBJECTIVES: dict[str, Callable[[Situation], Objective]] = {
    "auto": lambda now: ArchitecturalBlindSpot() if now.is_blind else now.resampling(),
    "blind-spot": lambda now: ArchitecturalBlindSpot() if now.is_blind else MaskedBlindSpot(),
    "sure": lambda now: now.sure(),
    "resampling": lambda now: now.resampling(),
}


def build_objective(name: ObjectiveName, situation: Situation) -> Objective:
    """The objective ``name`` for this model and noise. Raises NoiseModelError where its noise level cannot be."""
    return OBJECTIVES[name](situation)


__all__ = ["OBJECTIVES", "Crop", "Denoise", "Objective", "PixelLoss", "Situation", "build_objective"]
