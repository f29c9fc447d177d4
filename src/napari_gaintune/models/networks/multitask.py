"""The multi-task network: it denoises, and from the result it tells the noisy image again (Gunawan et al. 2022)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..layers import Conv2d, conv_at
from .base import Network
from .unet import LEAKY_SLOPE, UNetBody, folded_channels, local_mean, pad_to_multiple

MASK_CHANNELS, MASK_BLOCKS = 32, 3


class Tasks(NamedTuple):
    """What the network gives for a noisy image, (b, 1, h, w) each; ``mask`` from 0 to 1 weighs the second task's pixels."""

    clean: Tensor
    noisy_again: Tensor
    mask: Tensor


class MaskGenerator(nn.Module):
    """Which pixels are worth telling again: a convolution, three residual blocks with PReLU, a convolution, a sigmoid.

    It sees the deviation from the local mean over the local standard deviation, which is the same at every dose.
    """

    def __init__(self, window_px: int) -> None:
        super().__init__()
        self.window_px = window_px
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
        deviation = noisy - local_mean(noisy, self.window_px)
        variance = local_mean(deviation.square(), self.window_px)
        features = self.first(deviation * variance.clamp_min(torch.finfo(noisy.dtype).tiny).rsqrt())
        for block in self.blocks:
            features = features + block(features)
        mask: Tensor = self.last(features).sigmoid()
        return mask


class Head(nn.ModuleList):
    """Two convolutions, the last in float32: an image rounded to bfloat16 would have a few hundred grey values."""

    def __init__(self, in_channels: int, width: int, out_channels: int) -> None:
        super().__init__(
            [
                Conv2d(in_channels, width, 3, bias=False, slope=LEAKY_SLOPE),
                Conv2d(width, out_channels, 3, bias=False, slope=1.0),
            ]
        )

    def forward(self, features: Tensor) -> Tensor:
        out: Tensor = self[1](self[0](features).float())
        return out


class MultiTaskNetwork(Network):
    """A convolution and a UNet body; a primary head that gives the clean image; an auxiliary head behind it.

    The auxiliary head sees the clean image and the residual, so that what it is asked moves the primary head, too. A mask
    generator of its own says which pixels of the second task count. Bias-free but for that: f(a y) = a f(y) for a > 0.
    As in the UNet, and other than in the paper, what is predicted is the image, as its deviation from the local mean, and
    not the noise, which at half an electron per pixel is nearly the whole input; and ``fold`` is the UNet's.
    """

    def __init__(self, width: int = 16, levels: int = 3, widest: int = 64, fold: int = 1) -> None:
        super().__init__()
        self.fold = fold
        self.entry = Conv2d(fold**2 + 1, width, 3, bias=False, slope=LEAKY_SLOPE)
        self.body = UNetBody(width, levels, widest, in_channels=width)
        self.primary = Head(width, width, fold**2)
        self.auxiliary = Head(2, width, 1)
        self.stride = fold * 2**levels
        self.mask = MaskGenerator(self.stride)
        self.receptive_field_radius = fold * (1 + self.body.reach + 2) + fold - 1 + self.stride - 1

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
        features, base = self.features(prepared)
        return self.clean(self.primary(features), base)

    def tasks(self, noisy: Tensor) -> Tasks:
        """All that the network gives, for the objective that compares the noisy image with itself."""
        clean = self.local(noisy)
        return Tasks(clean, self.auxiliary(self.second_input(clean, noisy)), self.mask(noisy))

    def features(self, noisy: Tensor) -> tuple[Tensor, Tensor]:
        """What the primary head sees, (b, width, h / fold, w / fold), and what it adds to, (b, 1, h, w)."""
        height, width = noisy.shape[-2:]
        channels, base = folded_channels(pad_to_multiple(noisy, self.stride), self.stride, self.fold)
        features: Tensor = self.body(self.entry(self.inner(channels)))
        return features, base[..., :height, :width]

    def clean(self, predicted: Tensor, base: Tensor) -> Tensor:
        """The first task's image, from what the primary head gives and what it adds to."""
        height, width = base.shape[-2:]
        return base + F.pixel_shuffle(predicted, self.fold)[..., :height, :width]

    def second_input(self, clean: Tensor, noisy: Tensor) -> Tensor:
        """What the auxiliary head sees, (b, 2, h, w): the result, and what was added to the noisy image for it."""
        return self.inner(torch.cat([clean, clean - noisy], dim=1))
