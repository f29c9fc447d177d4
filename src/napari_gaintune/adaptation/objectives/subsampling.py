"""Two images out of one: neighbours show nearly the same and have noise of their own."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from .base import Crop, Denoise, Objective, PixelLoss, Steady

GROWTH = 2.0  # of Neighbor2Neighbor's weight over a run, as its authors have it
NEIGHBOURS = torch.tensor([(0, 1), (1, 0), (2, 3), (3, 2), (0, 2), (2, 0), (1, 3), (3, 1)])  # in a square, row by row


@dataclass(frozen=True)
class ZeroShotNoise2Noise(Steady):
    """ZS-N2N (Mansour and Heckel 2023): one half of the image predicts the other, and agrees with the whole.

    With D1 and D2 the means over the two diagonals of each square of 2 x 2 px, half of the sum over both halves of
    (f(D1 y) - D2 y)**2 + (f(D1 y) - D1 f(y))**2. The first term is an unbiased estimate of the squared error of f(D1 y)
    against D2 x up to the noise variance, for noise of mean zero that is independent from pixel to pixel. A pair counts
    where both pixels are targets. It says how f does on half-size images: states are judged by ``judge``, on held-out
    pixels.
    """

    judge: Objective
    name: str = field(default="zs-n2n", repr=False)

    looks_at_frame = True

    def pixel_loss(self, denoise: Denoise, crop: Crop, generator: Generator, every_target: bool = False) -> PixelLoss:
        seen = crop.shown(crop.noisy)
        halves, whole = denoise(torch.cat(diagonals(seen))), denoise(seen)
        measured = torch.cat(diagonals(crop.noisy)[::-1])  # each half is compared with the other one
        both_targets = torch.cat(diagonals(crop.targets.float())[::-1]) == 1
        agreement = halves - torch.cat(diagonals(whole))
        return PixelLoss((halves - measured).square() + agreement.square(), both_targets)


@dataclass(frozen=True)
class Neighbor2Neighbor(Steady):
    """Neighbor2Neighbor (Huang et al. 2021): of each square of 2 x 2 px one pixel predicts the one beside it.

    With g1 and g2 two random pixels of each square that share an edge, (f(g1 y) - g2 y)**2 + w (f(g1 y) - g2 y -
    (g1 f(y) - g2 f(y)))**2: the second term takes out that the two pixels do not show quite the same; no gradient goes
    through its f(y). ``weight`` w rises from 0 to 2 over the run. Noise as for ZS-N2N; judged as there.
    """

    judge: Objective
    weight: float = 0.0
    name: str = field(default="neighbor2neighbor", repr=False)

    looks_at_frame = True

    def at(self, progress: float) -> Neighbor2Neighbor:
        return replace(self, weight=GROWTH * progress)

    def pixel_loss(self, denoise: Denoise, crop: Crop, generator: Generator, every_target: bool = False) -> PixelLoss:
        seen = crop.shown(crop.noisy)
        with torch.no_grad():
            whole = denoise(seen)
        drawn = draw_neighbours(crop.noisy, generator)
        difference = denoise(pick(seen, drawn[0])) - pick(crop.noisy, drawn[1])
        expected = pick(whole, drawn[0]) - pick(whole, drawn[1])
        values = difference.square() + self.weight * (difference - expected).square()
        return PixelLoss(values, pick(crop.targets, drawn[1]))


def squares(image: Tensor) -> Tensor:
    """(b, 1, h, w) -> (b, 4, h // 2, w // 2): the pixels of each square of 2 x 2, row by row."""
    height, width = (length // 2 * 2 for length in image.shape[-2:])
    return F.pixel_unshuffle(image[..., :height, :width], 2)


def diagonals(image: Tensor) -> tuple[Tensor, Tensor]:
    """The means over the rising and the falling diagonal of each square, (b, 1, h // 2, w // 2) each."""
    upper_left, upper_right, lower_left, lower_right = squares(image).chunk(4, dim=1)
    return (upper_right + lower_left) / 2, (upper_left + lower_right) / 2


def draw_neighbours(like: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
    """For each square two places in it that share an edge, (b, 1, h // 2, w // 2) of 0 to 3 each."""
    shape = (len(like), 1, like.shape[-2] // 2, like.shape[-1] // 2)
    first, second = NEIGHBOURS[torch.randint(len(NEIGHBOURS), shape, generator=generator)].unbind(-1)
    return first.to(like.device), second.to(like.device)


def pick(image: Tensor, places: Tensor) -> Tensor:
    """The pixel at the drawn place of each square, (b, 1, h // 2, w // 2)."""
    return squares(image).gather(1, places)
