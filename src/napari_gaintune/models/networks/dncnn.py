"""DnCNN: a plain stack of convolutions that predicts the noise (Zhang et al. 2017), with or without biases."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from ..layers import Conv2d, conv_at
from .lattice import LatticeNetwork
from .unet import folded_channels, pad_to_multiple

MEAN_STRIDE = 16  # the local mean is over 2 * 16 - 1 px


class DnCNN(LatticeNetwork):
    """``depth`` 3 x 3 convolutions of ``width`` channels, ReLU between, zero padding; output = input - residual.

    Without biases the network is homogeneous of degree one, f(a y) = a f(y) for a > 0 (Mohan et al. 2020). Batch
    normalisation, where a network was trained with it, has to be folded into the convolutions. With ``fold`` 2 the four
    pixels of a square are four channels, at a quarter of the price (Zhang et al. 2018, FFDNet). With ``bragg_px`` the
    residual is that of the lattice which the Bragg filters find, and the convolutions see what they leave.
    """

    def __init__(
        self, depth: int = 20, width: int = 64, bias: bool = True, fold: int = 1, bragg_px: int = 0, guided: bool = True
    ) -> None:
        super().__init__(fold, bragg_px, guided)
        inputs = fold**2 + (len(self.filters) + 1 if self.filters else 0)
        channels = [inputs] + [width] * (depth - 1) + [fold**2]
        self.convs = nn.ModuleList(
            Conv2d(channels[i], channels[i + 1], 3, bias=bias, slope=0.0 if i < depth - 1 else 1.0)
            for i in range(depth)
        )
        self.stride = fold
        self.receptive_field_radius = fold * depth + fold - 1 + (MEAN_STRIDE - 1 if self.filters else 0)

    @property
    def first_layer(self) -> Conv2d:
        return conv_at(self.convs, 0)

    @property
    def last_layer(self) -> Conv2d:
        return conv_at(self.convs, -1)

    def local(self, prepared: Tensor) -> Tensor:
        height, width = prepared.shape[-2:]
        padded = pad_to_multiple(prepared, self.fold)
        if self.filters:
            channels, base = folded_channels(padded, MEAN_STRIDE, self.fold)
        else:
            channels, base = F.pixel_unshuffle(padded, self.fold), padded
        features = self.inner(channels)
        for conv in self.convs[:-1]:
            features = conv(features)
        # A residual rounded to bfloat16 would leave a few hundred grey values of the result.
        residual = F.pixel_shuffle(self.convs[-1](features.float()), self.fold)
        out: Tensor = (base - residual)[..., :height, :width]
        return out
