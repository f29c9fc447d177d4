"""The UNet body, and the plain UNet: a wide field of view at a small price (Ronneberger et al. 2015, bias-free)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..layers import Conv2d, conv_at
from .lattice import LatticeNetwork

LEAKY_SLOPE = 0.1


class UNetBody(nn.Module):
    """Features of every pixel, (b, in_channels, h, w) -> (b, width, h, w).

    Level l works on the frame pooled 2**l times, with ``min(width * 2**l, widest)`` channels and two convolutions each on
    the way down and up.
    """

    def __init__(self, width: int, levels: int, widest: int, in_channels: int) -> None:
        super().__init__()
        self.levels = levels
        channels = [min(width << level, widest) for level in range(levels + 1)]
        self.down = nn.ModuleList(
            _pair(channels[level - 1] if level else in_channels, channels[level]) for level in range(levels + 1)
        )
        self.up = nn.ModuleList(
            _pair(channels[level + 1] + channels[level], channels[level]) for level in reversed(range(levels))
        )
        self.reach = _reach(levels)

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        x = pad_to_multiple(x, 2**self.levels)
        skips: list[Tensor] = []
        for level, pair in enumerate(self.down):
            if level:
                skips.append(x)
                x = F.avg_pool2d(x, 2)
            x = self._convolved(pair, x)
        for pair in self.up:
            x = torch.cat([F.interpolate(x, scale_factor=2, mode="nearest"), skips.pop()], dim=1)
            x = self._convolved(pair, x)
        return x[..., :height, :width]

    def _convolved(self, pair: nn.Module, x: Tensor) -> Tensor:
        for conv in pair.children():
            x = conv(x)
        return x


class UNet(LatticeNetwork):
    """``levels`` poolings, ``width`` channels at full size, doubling up to ``widest``; gives the image, not the noise.

    At half an electron per pixel the noise is nearly the whole input, and there is nothing to gain from predicting it.
    Bias-free, so that f(a y) = a f(y) for a > 0 (Mohan et al. 2020): one network serves a wide range of doses.
    The convolutions see the deviation from the local mean, and that mean as one more channel: a micrograph is a weak
    modulation of a strong mean, beside which a rectifier without bias would never switch.
    With ``fold`` 2 the four pixels of a square are four channels of one (Shi et al. 2016): nothing is lost, and micrographs
    in which an atom is many pixels wide are denoised at a third of the price.
    With ``bragg_px`` two Bragg filters go before it, with windows of that many folded pixels and of a quarter as many: the
    network starts from the lattice that the wide one finds and corrects it where there is none. ``guided``: the narrow one
    is shown what the wide one found.
    """

    def __init__(
        self, width: int = 16, levels: int = 4, widest: int = 128, fold: int = 1, bragg_px: int = 0, guided: bool = True
    ) -> None:
        super().__init__(fold, bragg_px, guided)
        self.body = UNetBody(width, levels, widest, in_channels=fold**2 + 1 + len(self.filters))
        self.head = Conv2d(width, fold**2, 1, bias=False, slope=1.0)
        self.stride = fold * 2**levels
        self.receptive_field_radius = fold * self.body.reach + fold - 1 + self.stride - 1

    @property
    def first_layer(self) -> Conv2d:
        return conv_at(self.body.down[0], 0)

    @property
    def last_layer(self) -> Conv2d:
        return self.head

    def local(self, prepared: Tensor) -> Tensor:
        height, width = prepared.shape[-2:]
        padded = pad_to_multiple(prepared, self.stride)
        channels, base = folded_channels(padded, self.stride, self.fold)
        features = self.body(self.inner(channels))
        # The last layer in float32: an image rounded to bfloat16 would have a few hundred grey values.
        out: Tensor = base + F.pixel_shuffle(self.head(features.float()), self.fold)
        return out[..., :height, :width]


def folded_channels(prepared: Tensor, mean_stride: int, fold: int) -> tuple[Tensor, Tensor]:
    """What the convolutions see, (b, c, h / fold, w / fold), and the smooth image that their answer is added to.

    That image is the lattice in wide windows, or the local mean where no Bragg filter went before. The pixels of a square
    as their deviations from it, and of the smooth images what there is: lattices, as deviations from the mean, and mean.
    """
    noisy, lattices = prepared[:, :1], prepared[:, 1:]
    mean = local_mean(noisy, mean_stride)
    base = torch.cat([lattices, mean], dim=1)[:, :1]
    folded = F.pixel_unshuffle(noisy - base, fold)
    smooth = F.avg_pool2d(torch.cat([lattices - mean, mean], dim=1), fold)
    return torch.cat([folded, smooth], dim=1), base


def local_mean(x: Tensor, stride: int) -> Tensor:
    """The mean over 2 * stride - 1 px in each direction, (b, 1, h, w), of what there is of them; float32."""
    reach = stride - 1
    rows = F.avg_pool2d(x, (1, 2 * reach + 1), 1, (0, reach), count_include_pad=False)
    return F.avg_pool2d(rows, (2 * reach + 1, 1), 1, (reach, 0), count_include_pad=False)


def _pair(in_channels: int, out_channels: int) -> nn.ModuleList:
    return nn.ModuleList(
        Conv2d(channels, out_channels, 3, bias=False, slope=LEAKY_SLOPE) for channels in (in_channels, out_channels)
    )


def pad_to_multiple(x: Tensor, multiple: int) -> Tensor:
    """Below and to the right."""
    below, right = -x.shape[-2] % multiple, -x.shape[-1] % multiple
    return F.pad(x, (0, right, 0, below), mode="replicate") if below or right else x


def _reach(levels: int) -> int:
    """The farthest input pixel along an axis: each convolution reaches one pixel of its level.

    A pooling and the upsampling back reach one pixel of the finer level each.
    """
    convs = sum((4 if level < levels else 2) << level for level in range(levels + 1))
    return convs + sum(1 << level for level in range(levels))
