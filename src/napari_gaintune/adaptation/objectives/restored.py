"""Restore-from-Restored: noise resampling that turns the image besides, for all weights (Lee et al. 2020)."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Generator, Tensor

from ...noise.models import NoiseModel
from .base import Crop, Denoise, Objective, PixelLoss, Steady


@dataclass(frozen=True)
class Restored(Steady):
    """(f(T(x + n)) - T(x))**2 with x = f_pretrained(y), fresh n from ``noise`` and a random turn T (Lee 2020, algorithm 1).

    T is one of the eight flips and quarter turns of a square. What recurs in the image is averaged, its remaining noise
    with it, so long as n is like the noise of y. It looks at the frame through x only: ``judge`` looks at the frame.
    """

    noise: NoiseModel
    judge: Objective
    name: str = field(default="restored", repr=False)

    beside = "pseudo-clean"
    looks_at_frame = False

    def pixel_loss(self, denoise: Denoise, crop: Crop, generator: Generator, every_target: bool = False) -> PixelLoss:
        if crop.pseudo_clean is None:
            raise ValueError("restore-from-restored was given no pseudo-clean crop")
        noisy = crop.shown(self.noise.sample(crop.pseudo_clean, generator))
        which = int(torch.randint(8, (1,), generator=generator))
        clean = turned(crop.pseudo_clean, which)
        return PixelLoss((denoise(turned(noisy, which)) - clean).square(), turned(crop.targets, which))


def turned(image: Tensor, which: int) -> Tensor:
    """``which % 4`` quarter turns of (..., h, w), and a flip from 4 on; 0 leaves it."""
    quarter = image.rot90(which % 4, (-2, -1))
    return quarter.flip(-1) if which >= 4 else quarter
