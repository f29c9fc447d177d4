"""Masked reconstruction: a network with two heads tells the noisy image again from its own result (Gunawan et al. 2022)."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Generator

from ...models.networks import MultiTaskNetwork
from .base import Crop, Denoise, Objective, PixelLoss, Steady

WEIGHT = 10.0  # of the loss; under Adam it changes nothing, and the figures are then the authors'


@dataclass(frozen=True)
class MaskedReconstruction(Steady):
    """10 m |g(f(y), f(y) - y) - y| with the network's own mask m, which stays as it was trained (Gunawan 2022, eq. 2).

    g is the auxiliary head. The loss looks for a better telling of the noise; that it brings a better image with it is what
    the network learned in its training, and no property of the loss. States are judged by ``judge``, on held-out pixels.
    """

    judge: Objective
    name: str = field(default="masked-reconstruction", repr=False)

    looks_at_frame = True

    def pixel_loss(self, denoise: Denoise, crop: Crop, generator: Generator, every_target: bool = False) -> PixelLoss:
        if not isinstance(denoise, MultiTaskNetwork):
            raise TypeError(f"masked reconstruction was given a {type(denoise).__name__}, which has no second task")
        tasks = denoise.tasks(crop.shown(crop.noisy))
        return PixelLoss(WEIGHT * tasks.mask.detach() * (tasks.noisy_again - crop.noisy).abs(), crop.targets)
