"""The small UNet of Mohan et al. (2020 and 2021): one pooling, and dilated convolutions in the place of further ones."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..layers import Conv2d, conv_at
from .base import Network
from .unet import pad_to_multiple

REACH_PX = 23  # through the half-size path, from the worse of the two places in a period


class DilatedUNet(Network):
    """Nine convolutions with ReLU between; gives the image, not the noise. Its authors' weights load into it.

    Two at full size, 5 x 5 and 3 x 3; one with stride 2; three at half size with twice the ``width``, of dilation 1, 2 and
    4; a transposed one back to full size; beside what the second gave, two more, the last 5 x 5 and never with a bias.
    Without biases the network is homogeneous of degree one, f(a y) = a f(y) for a > 0.
    """

    def __init__(self, width: int = 32, bias: bool = True) -> None:
        super().__init__()
        wide = 2 * width
        self.convs = nn.ModuleList(
            [
                Conv2d(1, width, 5, bias=bias, slope=0.0),
                Conv2d(width, width, 3, bias=bias, slope=0.0),
                Conv2d(width, wide, 3, bias=bias, slope=0.0, stride=2),
                Conv2d(wide, wide, 3, bias=bias, slope=0.0),
                Conv2d(wide, wide, 3, bias=bias, slope=0.0, dilation=2),
                Conv2d(wide, wide, 3, bias=bias, slope=0.0, dilation=4),
                Conv2d(wide, wide, 4, bias=bias, slope=0.0, stride=2, padding=1, transposed=True),
                Conv2d(wide + width, width, 3, bias=bias, slope=0.0),
                Conv2d(width, 1, 5, bias=False, slope=1.0),
            ]
        )
        self.stride = 2
        self.receptive_field_radius = REACH_PX

    @property
    def first_layer(self) -> Conv2d:
        return conv_at(self.convs, 0)

    @property
    def last_layer(self) -> Conv2d:
        return conv_at(self.convs, -1)

    def local(self, prepared: Tensor) -> Tensor:
        height, width = prepared.shape[-2:]
        features = self.inner(pad_to_multiple(prepared, 2))
        for conv in self.convs[:2]:
            features = conv(features)
        full_size = features
        for conv in self.convs[2:7]:
            features = conv(features)
        features = self.convs[7](torch.cat([features, full_size], dim=1))
        # the last layer in float32: an image rounded to bfloat16 would have a few hundred grey values
        out: Tensor = self.convs[8](features.float())[..., :height, :width]
        return out
