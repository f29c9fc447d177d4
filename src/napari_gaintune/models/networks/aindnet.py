"""AINDNet: a network that estimates the noise level, and one that denoises by it (Kim et al. 2020), for one channel."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..layers import Conv2d
from .base import Network
from .normalisation import LEAKY_SLOPE, AdaptiveBlock, AdaptiveInstanceNorm, InstanceNorm
from .unet import local_mean, pad_to_multiple

MEAN_STRIDE = 16  # local mean and deviation are over 2 * 16 - 1 px
SMALLEST_DEVIATION = 1e-6  # where nothing arrived
ESTIMATOR_WIDTH = 32
COARSE_SHARE = 0.8  # lambda_ms, eq. 1 of the paper
COARSE = 4
QUIET = 0.1
STATISTICS_PX = 1024  # of a larger frame the normalisation looks at the middle only


class NoiseLevels(NamedTuple):
    """Estimated standard deviations of the noise: ``full`` (b, 1, h, w), and ``coarse`` (b, 1, h / 4, w / 4)."""

    full: Tensor
    coarse: Tensor

    def combined(self) -> Tensor:
        """The one that the network denoises by, (b, 1, h, w); Kim 2020, eq. 1."""
        upsampled = F.interpolate(self.coarse, scale_factor=COARSE, mode="bilinear")
        return COARSE_SHARE * upsampled + (1 - COARSE_SHARE) * self.full


class NoiseLevelEstimator(nn.Module):
    """(b, c, h, w) -> the noise levels, h and w multiples of 4: down by pooling, up by transposed convolutions."""

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        width = ESTIMATOR_WIDTH
        self.down = nn.ModuleList(
            Conv2d(channels, width, 3, bias=True, slope=LEAKY_SLOPE) for channels in (in_channels, width, width)
        )
        self.up = nn.ModuleList(_upward(width, width) for _ in range(2))
        self.coarse = Conv2d(width, 1, 3, bias=True, slope=1.0)
        self.full = Conv2d(width, 1, 3, bias=True, slope=1.0)
        for head in (self.coarse, self.full):  # a fresh one takes all that deviates from the local mean for noise
            head.weight.data.mul_(QUIET)
            nn.init.ones_(head.get_parameter("bias"))

    def forward(self, x: Tensor) -> NoiseLevels:
        skips: list[Tensor] = []
        for conv in self.down:
            x = conv(F.avg_pool2d(x, 2) if skips else x)
            skips.append(x)
        coarse = self.coarse(skips.pop())
        for conv in self.up:
            x = conv(x) + skips.pop()
        return NoiseLevels(self.full(x), coarse)


class AINDNet(Network):
    """A UNet over three sizes, of ``blocks`` adaptive residual blocks at each on the way down and up.

    It has ``width`` channels at full size, 2 and 4 times as many at the next; ``condition_width`` are those from which an
    adaptive normalisation computes gamma and beta. The paper has 64, 128, 256 and 64.
    The convolutions see the deviation from the local mean, in units of the local standard deviation, and the share of that
    deviation in mean and deviation; what they give is taken back to the image's unit and added to the mean. So
    f(a y) = a f(y) for a > 0, biases or not, and a dose is as good as another; in the paper, for pictures of grey values,
    the input is given as it is. With ``fold`` 2 the four pixels of a square are four channels of one (Shi et al. 2016).
    """

    def __init__(self, width: int = 64, blocks: int = 2, condition_width: int = 64, fold: int = 1) -> None:
        super().__init__()
        inputs, widths = fold**2 + 1, [width, 2 * width, 4 * width]
        self.fold = fold
        self.entry = Conv2d(inputs, width, 3, bias=True, slope=LEAKY_SLOPE)
        self.estimator = NoiseLevelEstimator(inputs)
        self.down = nn.ModuleList(_blocks(channels, blocks, condition_width) for channels in widths)
        self.widen = nn.ModuleList(Conv2d(a, b, 3, bias=True, slope=LEAKY_SLOPE) for a, b in pairwise(widths))
        self.narrow = nn.ModuleList(_upward(channels, channels // 2) for channels in reversed(widths[1:]))
        self.up = nn.ModuleList(_blocks(channels, blocks, condition_width) for channels in reversed(widths[:-1]))
        self.last = Conv2d(width, fold**2, 3, bias=True, slope=1.0)
        self.stride = COARSE * fold
        self.receptive_field_radius = fold * _reach(blocks) + fold - 1

    @property
    def first_layer(self) -> Conv2d:
        return self.entry

    @property
    def last_layer(self) -> Conv2d:
        return self.last

    @property
    def noise_parts(self) -> tuple[nn.Module, ...]:
        norms = [module for module in self.modules() if isinstance(module, AdaptiveInstanceNorm)]
        return *norms, self.estimator, self.last

    @property
    def aside(self) -> tuple[nn.Module, ...]:
        """The normalisation after them undoes any gain of theirs."""
        return tuple(module.convs for module in self.modules() if isinstance(module, AdaptiveBlock))

    def whole_frame(self, noisy: Tensor) -> Tensor:
        """The image, its local mean, and its local standard deviation, (b, 3, h, w)."""
        mean = local_mean(noisy, MEAN_STRIDE)
        variance = local_mean((noisy - mean).square(), MEAN_STRIDE)
        return torch.cat([noisy, mean, variance.clamp_min(SMALLEST_DEVIATION**2).sqrt()], dim=1)

    def local(self, prepared: Tensor) -> Tensor:
        height, width = prepared.shape[-2:]
        padded = pad_to_multiple(prepared, self.stride)
        _, mean, deviation = padded.chunk(3, dim=1)
        seen = self._seen(padded)
        features = self._reconstructed(self.entry(seen), self.estimator(seen).combined())
        # the last layer in float32: an image rounded to bfloat16 would have a few hundred grey values
        residual = F.pixel_shuffle(self.last(features.float()), self.fold)
        out: Tensor = (mean + deviation * residual)[..., :height, :width]
        return out

    def noise_levels(self, prepared: Tensor) -> NoiseLevels:
        """Of what ``whole_frame`` prepared, in the image's unit, float32; its h and w are multiples of ``stride``.

        ``full`` is (b, 1, h / fold, w / fold).
        """
        deviation = F.avg_pool2d(prepared[:, 2:], self.fold)
        levels = self.estimator(self._seen(prepared))
        return NoiseLevels(levels.full.float() * deviation, levels.coarse.float() * F.avg_pool2d(deviation, COARSE))

    @contextmanager
    def as_parts_of(self, prepared: Tensor) -> Iterator[None]:
        """Within it the normalisations have the statistics of this image, of the middle of a large one."""
        norms = [module for module in self.modules() if isinstance(module, InstanceNorm)]
        hooks = [norm.register_forward_pre_hook(InstanceNorm.hold) for norm in norms]
        try:
            with torch.no_grad():
                self.local(_middle(prepared, STATISTICS_PX, self.stride))
            for hook in hooks:
                hook.remove()
            yield
        finally:
            for hook, norm in zip(hooks, norms, strict=True):
                hook.remove()
                norm.held = None

    def _seen(self, padded: Tensor) -> Tensor:
        noisy, mean, deviation = padded.chunk(3, dim=1)
        relative = F.pixel_unshuffle((noisy - mean) / deviation, self.fold)
        share = F.avg_pool2d(deviation / (mean.abs() + deviation), self.fold)
        return self.inner(torch.cat([relative, share], dim=1))

    def _reconstructed(self, x: Tensor, noise_level: Tensor) -> Tensor:
        skips: list[Tensor] = []
        for level, blocks in enumerate(self.down):
            if level:
                skips.append(x)
                x = self.widen[level - 1](F.avg_pool2d(x, 2))
            x = _through(blocks, x, noise_level)
        for conv, blocks in zip(self.narrow, self.up, strict=True):
            x = _through(blocks, conv(x) + skips.pop(), noise_level)
        return x


def _blocks(channels: int, count: int, condition_width: int) -> nn.ModuleList:
    return nn.ModuleList(AdaptiveBlock(channels, condition_width) for _ in range(count))


def _through(blocks: nn.Module, x: Tensor, noise_level: Tensor) -> Tensor:
    for block in blocks.children():
        x = block(x, noise_level)
    return x


def _upward(channels: int, out_channels: int) -> Conv2d:
    return Conv2d(channels, out_channels, 2, bias=True, slope=LEAKY_SLOPE, padding=0, stride=2, transposed=True)


def _middle(image: Tensor, size_px: int, multiple: int) -> Tensor:
    """At most ``size_px`` squared of (b, c, h, w), from a multiple of ``multiple`` on."""
    starts = [max(0, length - size_px) // 2 // multiple * multiple for length in image.shape[-2:]]
    rows, columns = (slice(start, start + size_px) for start in starts)
    return image[..., rows, columns]


def _reach(blocks: int) -> int:
    """The farthest input pixel along an axis, by the longest way: past the first normalisation and the coarse noise level.

    Walked back from each place in a period, ``low`` to ``high`` being what it depends on: 3 x 3 convolutions at a size,
    then a pixel's parent in the smaller size, or a pixel's two children in the larger.
    """
    farthest = 0
    for place in range(COARSE):
        low = high = place
        for convs in (1 + 2 * blocks, 2 * blocks):
            low, high = (low - convs) // 2, (high + convs) // 2
        for convs in (2 * blocks + 1, 2 * blocks + 1):
            low, high = 2 * (low - convs), 2 * (high + convs) + 1
        past_first = 2 * blocks - 1 + 3  # of the condition one is 5 x 5 and one 3 x 3
        low, high = (2 * (low - past_first) - 3) // 8, (2 * (high + past_first) - 3) // 8 + 1  # linear interpolation
        for convs in (2, 1):
            low, high = 2 * (low - convs), 2 * (high + convs) + 1
        farthest = max(farthest, place - (low - 1), high + 1 - place)
    return farthest
