"""The architectural blind-spot UNet of Laine et al. 2019, in the bias-free form of the GainTuning authors."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..layers import Conv2d
from .base import Network

LEAKY_SLOPE = 0.1


class BlindSpotUNet(Network):
    """An output pixel sees every neighbour within reach, and never the input pixel at its own place.

    One half-plane UNet looks only at the rows above a pixel. It runs on the frame in four rotations, and 1 x 1
    convolutions combine the four answers. Rotations by 0/180 and by 90/270 degrees are two batches, so that a frame
    need not be padded to a square. ``width`` channels on the way down, ``2 * width`` on the way up, ``levels`` poolings.
    """

    is_blind = True

    def __init__(self, width: int = 48, levels: int = 3) -> None:
        super().__init__()
        self.half_plane = HalfPlaneUNet(width, levels)
        wide = 4 * 2 * width
        self.head = nn.ModuleList(
            [
                Conv2d(wide, wide, 1, bias=False, slope=LEAKY_SLOPE),
                Conv2d(wide, 2 * width, 1, bias=False, slope=LEAKY_SLOPE),
                Conv2d(2 * width, 1, 1, bias=False, slope=1.0),
            ]
        )
        self.stride = 2**levels
        self.receptive_field_radius = self.half_plane.reach + 1

    def forward(self, noisy: Tensor) -> Tensor:
        features = self.inner(noisy)
        views: list[Tensor] = [features] * 4
        for turns in (0, 1):  # quarter turns; each batch holds a view and its opposite, which have one shape
            pair = torch.cat([features.rot90(turns, (2, 3)), features.rot90(turns + 2, (2, 3))])
            one, other = self.half_plane(pair).chunk(2)
            views[turns], views[turns + 2] = one.rot90(-turns, (2, 3)), other.rot90(-turns - 2, (2, 3))
        combined = torch.cat(views, dim=1).contiguous(memory_format=torch.channels_last)
        combined = self.head[1](self.head[0](combined))
        out: Tensor = self.head[2](combined.float())  # the image itself is never rounded to bfloat16
        return out


class HalfPlaneUNet(nn.Module):
    """A UNet whose output row r sees the input rows above r and no other. (b, 1, h, w) -> (b, 2 * width, h, w)."""

    def __init__(self, width: int, levels: int) -> None:
        super().__init__()
        self.levels = levels
        self.entry = nn.ModuleList([_conv(1, width), _conv(width, width)])
        self.down = nn.ModuleList(_conv(width, width) for _ in range(levels))
        self.up = nn.ModuleList()
        below = width
        for level in reversed(range(levels)):
            skip = width if level else 1
            self.up.append(nn.ModuleList([_conv(below + skip, 2 * width), _conv(2 * width, 2 * width)]))
            below = 2 * width
        self.reach = _reach(levels)

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        x = _pad_to_multiple(x, 2**self.levels)
        skips = [x]
        for conv in self.entry:
            x = conv(_pad_above(x))
        for conv in self.down:
            x = F.max_pool2d(_shift_down(x), 2)
            skips.append(x)
            x = conv(_pad_above(x))
        skips.pop()
        for pair in self.up:
            x = torch.cat([F.interpolate(x, scale_factor=2, mode="nearest"), skips.pop()], dim=1)
            for conv in pair.children():
                x = conv(_pad_above(x))
        return _shift_down(x)[..., :height, :width]


def _conv(in_channels: int, out_channels: int) -> Conv2d:
    return Conv2d(in_channels, out_channels, 3, bias=False, slope=LEAKY_SLOPE, padding=0)


def _pad_above(x: Tensor) -> Tensor:
    """Zeros so that a 3 x 3 convolution ends at its own row instead of being centred on it."""
    return F.pad(x, (1, 1, 2, 0))


def _shift_down(x: Tensor) -> Tensor:
    return F.pad(x, (0, 0, 1, -1))


def _pad_to_multiple(x: Tensor, multiple: int) -> Tensor:
    """Below and to the right only: a copy of a pixel there lies in its own row or under it, and stays unseen by it."""
    below, right = -x.shape[-2] % multiple, -x.shape[-1] % multiple
    return F.pad(x, (0, right, 0, below), mode="replicate") if below or right else x


def _reach(levels: int) -> int:
    """Rows above a pixel that can change it: 2 a convolution, 1 a pooling and 1 an upsampling, each times its scale."""
    entry = 2 * 2
    scales = [1 << level for level in range(levels)]
    down = sum(scale + 2 * (2 * scale) for scale in scales)
    up = sum(scale + 2 * 2 * scale for scale in scales)
    return entry + down + up
