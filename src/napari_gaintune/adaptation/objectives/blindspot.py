"""Blind-spot objectives: predict a pixel from its neighbours alone (Batson and Royer 2019; Mohan 2021, eq. 4)."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from ...models.networks import Network
from .base import Crop, Denoise, JudgesItself, PixelLoss

MASKED_FRACTION = 0.1
DONOR_REACH_PX = 2


@dataclass(frozen=True)
class ArchitecturalBlindSpot(JudgesItself):
    """(f(y)_j - y_j)**2 for a network f whose output j does not depend on y_j (Laine et al. 2019).

    Up to the noise variance an unbiased estimate of the squared error, for noise of any distribution with mean zero that
    is independent from pixel to pixel. A step looks at the part of the pixels that the network gives in one go, on the crop
    as it is or flipped, at random; with ``every_target`` all pixels are looked at.
    """

    name: str = field(default="blind-spot", repr=False)

    def pixel_loss(self, denoise: Denoise, crop: Crop, generator: Generator, every_target: bool = False) -> PixelLoss:
        if every_target or not isinstance(denoise, Network):
            return PixelLoss((denoise(crop.shown(crop.noisy)) - crop.noisy).square(), crop.targets)
        axes = tuple(axis for axis in (-2, -1) if torch.rand((), generator=generator) < 0.5)
        noisy, targets, part = crop.noisy.flip(axes), crop.targets.flip(axes), denoise.trained
        seen = crop.shown(crop.noisy).flip(axes)
        return PixelLoss((part(seen) - part.part_of(noisy)).square(), part.part_of(targets))


@dataclass(frozen=True)
class MaskedBlindSpot(JudgesItself):
    """(f(y with the pixels J replaced)_j - y_j)**2, j in J, for any network (Noise2Self; Krull et al. 2019).

    ``fraction`` of the targets is replaced, each by a random neighbour within 2 px that is not itself replaced: no
    value of J is anywhere in the input. Same assumption as the architectural form; the network sees its centre replaced,
    for which it was not trained.
    """

    fraction: float = MASKED_FRACTION
    name: str = field(default="blind-spot", repr=False)

    def pixel_loss(self, denoise: Denoise, crop: Crop, generator: Generator, every_target: bool = False) -> PixelLoss:
        masked = crop.targets
        if not every_target:
            drawn = torch.rand(crop.noisy.shape, generator=generator) < self.fraction
            masked = masked & drawn.to(masked.device)
        hidden = replace_by_neighbours(crop.noisy, masked, generator)
        return PixelLoss((denoise(crop.shown(hidden)) - crop.noisy).square(), masked)


def replace_by_neighbours(noisy: Tensor, masked: Tensor, generator: Generator) -> Tensor:
    """``noisy`` (b, 1, h, w) with each ``masked`` pixel replaced by a random unmasked one of the 24 around it.

    Where all 24 are masked or outside, by 0 (no electrons): never by a masked value.
    """
    reach, size = DONOR_REACH_PX, 2 * DONOR_REACH_PX + 1
    batch, _, row, column = masked.nonzero(as_tuple=True)
    values = F.pad(noisy, (reach,) * 4)
    allowed = F.pad(~masked, (reach,) * 4)
    offsets = torch.arange(size, device=noisy.device)
    rows, columns = row[:, None, None] + offsets[:, None], column[:, None, None] + offsets
    where = (batch[:, None, None], torch.zeros_like(rows), rows, columns)
    scores = torch.rand((len(row), size, size), generator=generator).to(noisy.device) * allowed[where]
    donor = scores.flatten(1).argmax(dim=1, keepdim=True)
    candidates = (values[where] * allowed[where]).flatten(1)
    replaced = noisy.clone()
    replaced[masked] = candidates.gather(1, donor)[:, 0]
    return replaced
