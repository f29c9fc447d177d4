"""Adaptive instance normalisation: features made alike from image to image, then scaled by what the noise is (Kim 2020)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..layers import Conv2d, rectify_

EPSILON = 1e-5  # eq. 4 of the paper
LEAKY_SLOPE = 0.1


class InstanceNorm(nn.Module):
    """(x - mean) / sd of each channel of each image, (b, c, h, w); no parameters (Kim 2020, eq. 2 to 4).

    While ``held`` is set, mean and 1 / sd are those, (1, c, 1, 1) float32, of the image that a tile was cut from.
    """

    def __init__(self) -> None:
        super().__init__()
        self.held: tuple[Tensor, Tensor] | None = None

    def forward(self, x: Tensor) -> Tensor:
        mean, factor = self.held or _moments(x)
        return ((x.float() - mean) * factor).to(x.dtype)

    def hold(self, seen: tuple[Tensor]) -> None:
        """From now on the mean and sd of what is ``seen``."""
        self.held = _moments(*seen)


class AdaptiveInstanceNorm(nn.Module):
    """normalised * (1 + gamma) + beta, gamma and beta computed at each pixel from the noise level there.

    A 5 x 5 convolution of ``condition_width`` channels with ReLU is common to both, a 3 x 3 one each follows. Features are
    (b, channels, h, w); the noise level, (b, 1, h * s, w * s), is averaged to their size.
    """

    def __init__(self, channels: int, condition_width: int) -> None:
        super().__init__()
        self.norm = InstanceNorm()
        self.condition = Conv2d(1, condition_width, 5, bias=True, slope=0.0)
        self.gamma = Conv2d(condition_width, channels, 3, bias=True, slope=1.0)
        self.beta = Conv2d(condition_width, channels, 3, bias=True, slope=1.0)

    def forward(self, features: Tensor, noise_level: Tensor) -> Tensor:
        scale = noise_level.shape[-1] // features.shape[-1]
        condition = self.condition(F.avg_pool2d(noise_level, scale) if scale > 1 else noise_level)
        out: Tensor = self.norm(features) * (1 + self.gamma(condition)) + self.beta(condition)
        return out


class AdaptiveBlock(nn.Module):
    """x + two times (convolution, adaptive normalisation, LeakyReLU), (b, c, h, w) -> (b, c, h, w).

    The convolutions have no bias: the normalisation takes it away again, and beta is one.
    """

    def __init__(self, channels: int, condition_width: int) -> None:
        super().__init__()
        self.convs = nn.ModuleList(Conv2d(channels, channels, 3, bias=False, slope=1.0) for _ in range(2))
        self.norms = nn.ModuleList(AdaptiveInstanceNorm(channels, condition_width) for _ in range(2))

    def forward(self, x: Tensor, noise_level: Tensor) -> Tensor:
        branch = x
        for conv, norm in zip(self.convs, self.norms, strict=True):
            branch = rectify_(norm(conv(branch), noise_level), LEAKY_SLOPE)
        return x + branch


def _moments(x: Tensor) -> tuple[Tensor, Tensor]:
    variance, mean = torch.var_mean(x.float(), dim=(2, 3), correction=0, keepdim=True)
    return mean, (variance + EPSILON).rsqrt()
