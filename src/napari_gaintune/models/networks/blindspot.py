"""The architectural blind-spot UNet of Laine et al. 2019, bias-free as the GainTuning authors have it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..layers import Conv2d
from .lattice import LatticeNetwork
from .unet import LEAKY_SLOPE, UNetBody, local_mean, shift_down


class BlindSpotUNet(LatticeNetwork):
    """An output pixel sees every neighbour within reach, and never the input pixel at its own place.

    One half-plane UNet looks only at the rows above a pixel. It runs on the frame in four rotations, and 1 x 1
    convolutions combine the four answers. Rotations by 0/180 and by 90/270 degrees are two batches, so that a frame
    need not be padded to a square. With ``bragg_px`` the lattice at the pixel itself, found from others, joins the four
    answers, and the network starts from it. ``width`` channels at full size, doubling at each of ``levels`` poolings up to
    ``widest``.
    """

    is_blind = True

    def __init__(self, width: int = 16, levels: int = 4, widest: int = 96, bragg_px: int = 0) -> None:
        super().__init__(fold=2, bragg_px=bragg_px)
        self.half_plane = UNetBody(width, levels, widest, half_plane=True, in_channels=2)
        self.head = nn.ModuleList(
            [
                Conv2d(4 * width + len(self.filters), 4 * width, 1, bias=False, slope=LEAKY_SLOPE),
                Conv2d(4 * width, 2 * width, 1, bias=False, slope=LEAKY_SLOPE),
                Conv2d(2 * width, 1, 1, bias=False, slope=1.0),
            ]
        )
        self.stride = 2**levels
        self.receptive_field_radius = self.half_plane.reach + 1 + self.stride - 1

    def local(self, prepared: Tensor) -> Tensor:
        noisy, lattices = prepared[:, :1], prepared[:, 1:]
        views: list[Tensor] = [noisy] * 4
        means = torch.zeros_like(noisy)
        for turns in (0, 1):  # quarter turns; each batch holds a view and its opposite, which have one shape
            pair = torch.cat([noisy.rot90(turns, (2, 3)), noisy.rot90(turns + 2, (2, 3))])
            mean = local_mean(pair, self.stride, half_plane=True)
            features = self.half_plane(self.inner(torch.cat([pair - mean, mean], dim=1)))
            one, other = features.chunk(2)
            views[turns], views[turns + 2] = one.rot90(-turns, (2, 3)), other.rot90(-turns - 2, (2, 3))
            above, below = shift_down(mean).chunk(2)
            means = means + (above.rot90(-turns, (2, 3)) + below.rot90(-turns - 2, (2, 3))) / 4
        # the lattice goes in where only 1 x 1 convolutions follow: that of a neighbour was found from this pixel, too
        base = lattices[:, :1] if self.filters else means
        combined = torch.cat([*views, self.inner(lattices - means)], dim=1).contiguous(
            memory_format=torch.channels_last
        )
        combined = self.head[1](self.head[0](combined))
        # the image itself is never rounded to bfloat16
        out: Tensor = base + self.head[2](combined.float())
        return out
