"""DnCNN: a plain stack of convolutions that predicts the noise (Zhang et al. 2017), with or without biases."""

from __future__ import annotations

from torch import Tensor, nn

from ..layers import Conv2d
from .base import Network


class DnCNN(Network):
    """``depth`` 3 x 3 convolutions of ``width`` channels, ReLU between, zero padding; output = input - residual.

    Without biases the network is homogeneous of degree one, f(a y) = a f(y) for a > 0 (Mohan et al. 2020). Batch
    normalisation, where a network was trained with it, has to be folded into the convolutions.
    """

    def __init__(self, depth: int = 20, width: int = 64, bias: bool = True) -> None:
        super().__init__()
        channels = [1] + [width] * (depth - 1) + [1]
        self.convs = nn.ModuleList(
            Conv2d(channels[i], channels[i + 1], 3, bias=bias, slope=0.0 if i < depth - 1 else 1.0)
            for i in range(depth)
        )
        self.receptive_field_radius = depth

    def forward(self, noisy: Tensor) -> Tensor:
        features = self.inner(noisy)
        for conv in self.convs[:-1]:
            features = conv(features)
        # A residual rounded to bfloat16 would leave a few hundred grey values of the result.
        noise: Tensor = self.convs[-1](features.float())
        return noisy - noise
