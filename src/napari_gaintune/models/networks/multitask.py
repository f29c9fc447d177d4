"""The multi-task network: it denoises, and from the result it tells the noisy image again (Gunawan et al. 2022)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from ..layers import Conv2d, conv_at
from .base import Network
from .unet import LEAKY_SLOPE, UNetBody, folded_channels, pad_to_multiple

MASK_CHANNELS, MASK_BLOCKS = 32, 3


class Tasks(NamedTuple):
    """What the network gives for a noisy image, (b, 1, h, w) each; ``mask`` from 0 to 1 weighs the second task's pixels."""

    clean: Tensor
    noisy_again: Tensor
    mask: Tensor


class MaskGenerator(nn.Module):
    """Which pixels are worth telling again: a convolution, three residual blocks with PReLU, a convolution, a sigmoid."""

    def __init__(self) -> None:
        super().__init__()
        channels = MASK_CHANNELS
        self.first = Conv2d(1, channels, 3, bias=True, slope=1.0)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                Conv2d(channels, channels, 3, bias=True, slope=1.0),
                nn.PReLU(),
                Conv2d(channels, channels, 3, bias=True, slope=1.0),
            )
            for _ in range(MASK_BLOCKS)
        )
        self.last = Conv2d(channels, 1, 3, bias=True, slope=1.0)

    def forward(self, noisy: Tensor) -> Tensor:
        features = self.first(noisy)
        for block in self.blocks:
            features = features + block(features)
        mask: Tensor = self.last(features).sigmoid()
        return mask


class MultiTaskNetwork(Network):
    """A convolution and a UNet body; a primary head that gives clean minus noisy; an auxiliary head behind both of these.

    The auxiliary head sees the clean image and the residual, so that what it is asked moves the primary head, too. A mask
    generator of its own says which pixels of the second task count. Bias-free but for that, and given the deviation from
    the local mean and that mean as the UNet is: f(a y) = a f(y) for a > 0.
    """

    def __init__(self, width: int = 16, levels: int = 3, widest: int = 64) -> None:
        super().__init__()
        self.entry = Conv2d(2, width, 3, bias=False, slope=LEAKY_SLOPE)
        self.body = UNetBody(width, levels, widest, in_channels=width)
        self.primary = _head(width, width)
        self.auxiliary = _head(2, width)
        self.mask = MaskGenerator()
        self.stride = 2**levels
        self.receptive_field_radius = 1 + self.body.reach + 2 + self.stride - 1

    @property
    def first_layer(self) -> Conv2d:
        return self.entry

    @property
    def last_layer(self) -> Conv2d:
        return conv_at(self.primary, -1)

    @property
    def heads(self) -> tuple[nn.Module, ...]:
        return self.primary, self.auxiliary

    @property
    def aside(self) -> tuple[nn.Module, ...]:
        return self.auxiliary, self.mask

    def local(self, prepared: Tensor) -> Tensor:
        return prepared + self._residual(prepared)

    def tasks(self, noisy: Tensor) -> Tasks:
        """All that the network gives, for the objective that compares the noisy image with itself."""
        residual = self._residual(noisy)
        clean = noisy + residual
        again = _through(self.auxiliary, self.inner(torch.cat([clean, residual], dim=1)))
        return Tasks(clean, again, self.mask(noisy))

    def _residual(self, noisy: Tensor) -> Tensor:
        height, width = noisy.shape[-2:]
        channels, _ = folded_channels(pad_to_multiple(noisy, self.stride), self.stride, 1)
        features = self.body(self.entry(self.inner(channels)))
        return _through(self.primary, features)[..., :height, :width]


def _head(in_channels: int, width: int) -> nn.ModuleList:
    return nn.ModuleList(
        [
            Conv2d(in_channels, width, 3, bias=False, slope=LEAKY_SLOPE),
            Conv2d(width, 1, 3, bias=False, slope=1.0),
        ]
    )


def _through(head: nn.ModuleList, features: Tensor) -> Tensor:
    """The last layer in float32: an image rounded to bfloat16 would have a few hundred grey values."""
    out: Tensor = head[1](head[0](features).float())
    return out
