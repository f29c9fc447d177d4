"""Objectives by name: what a network is tuned by, computed from the noisy image alone. A new one is one entry more."""

from __future__ import annotations

from collections.abc import Callable

from ..config import ObjectiveName
from .base import Crop, Denoise, Objective, PixelLoss, Window
from .blindspot import ArchitecturalBlindSpot, MaskedBlindSpot
from .masked import MaskedReconstruction
from .referenced import NextFrame
from .situation import NOISES, Situation
from .subsampling import Neighbor2Neighbor, ZeroShotNoise2Noise

OBJECTIVES: dict[str, Callable[[Situation], Objective]] = {
    "auto": lambda now: now.automatic(),
    "blind-spot": lambda now: ArchitecturalBlindSpot() if now.is_blind else MaskedBlindSpot(),
    "blind-spot-architectural": lambda now: ArchitecturalBlindSpot(),
    "blind-spot-masked": lambda now: MaskedBlindSpot(),
    "sure": lambda now: now.sure(),
    "unsure": lambda now: now.unsure(),
    "resampling": lambda now: now.resampling(),
    "restored": lambda now: now.restored(),
    "zs-n2n": lambda now: ZeroShotNoise2Noise(now.sure()),
    "neighbor2neighbor": lambda now: Neighbor2Neighbor(now.sure()),
    "next-frame": lambda now: NextFrame(),
    "masked-reconstruction": lambda now: MaskedReconstruction(now.sure()),
}


def build_objective(name: ObjectiveName, situation: Situation) -> Objective:
    """The objective ``name`` for this model and noise. Raises NoiseModelError where its noise level cannot be."""
    return OBJECTIVES[name](situation)


__all__ = [
    "NOISES",
    "OBJECTIVES",
    "Crop",
    "Denoise",
    "Objective",
    "PixelLoss",
    "Situation",
    "Window",
    "build_objective",
]
