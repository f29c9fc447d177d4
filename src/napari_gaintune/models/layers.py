"""The one convolution every network is built of: filters, an optional bias, an optional channel gain, a rectifier."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.grad import conv2d_input

SMALLEST_CHANNEL_GAIN = 1e-4  # below it the gain's gradient is read with this divisor: a dead channel stays finite


class Geometry(NamedTuple):
    """How a convolution goes over the image; ``transposed``: from the coarse grid to the fine one."""

    padding: int
    stride: int = 1
    dilation: int = 1
    transposed: bool = False

    def convolve(self, x: Tensor, filters: Tensor, bias: Tensor | None = None) -> Tensor:
        """``filters`` are (out, in, h, w), also where ``transposed``."""
        if self.transposed:
            return F.conv_transpose2d(x, filters.transpose(0, 1), bias, self.stride, self.padding)
        return F.conv2d(x, filters, bias, self.stride, self.padding, self.dilation)

    def input_gradient(self, grad: Tensor, filters: Tensor, shape: torch.Size) -> Tensor:
        """The gradient of an input of ``shape``, from that of the output."""
        if self.transposed:
            return F.conv2d(grad, filters.transpose(0, 1), None, self.stride, self.padding)
        if self.stride == self.dilation == 1:
            return _input_gradient(grad, filters, self.padding)
        return conv2d_input(shape, filters, grad, self.stride, self.padding, self.dilation)  # type: ignore[no-untyped-call,no-any-return]


class Conv2d(nn.Module):
    """r = rectify(channel_gain * conv(x, weight) + bias); the bias is never scaled (Mohan 2021, eq. 2).

    ``slope`` is the rectifier's slope below zero: 0 is ReLU, 0.1 LeakyReLU, 1 none. Filters are (out, in, h, w), also of a
    ``transposed`` convolution. Computes in the dtype of its
    input, with the weights stored in float32. ``channel_gain`` (out_channels,) is ``None`` in a pre-trained network; at
    gains of exactly 1 the output is bit-identical to the output without gains, because the gain multiplies the weights.
    """

    channel_gain: Tensor | None

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        *,
        bias: bool,
        slope: float,
        padding: int | None = None,
        stride: int = 1,
        dilation: int = 1,
        transposed: bool = False,
    ) -> None:
        super().__init__()
        filters = torch.empty(out_channels, in_channels, kernel_size, kernel_size)
        nn.init.kaiming_normal_(
            filters, a=slope if slope < 1 else 0, nonlinearity="leaky_relu" if slope < 1 else "linear"
        )
        self.weight = nn.Parameter(filters.contiguous(memory_format=torch.channels_last))
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None
        self.slope = slope
        padding = dilation * (kernel_size // 2) if padding is None else padding
        self.geometry = Geometry(padding, stride, dilation, transposed)
        self.channel_gain = None

    def forward(self, x: Tensor) -> Tensor:
        bias = None if self.bias is None else self.bias.to(x.dtype)
        if self.channel_gain is not None and self.channel_gain.requires_grad and torch.is_grad_enabled():
            filters = self.weight.detach()
            out: Tensor = _GainConv.apply(x, filters, bias, self.channel_gain, self.slope, self.geometry)  # type: ignore[no-untyped-call]
            return out
        filters = self.weight if self.channel_gain is None else scale_filters(self.weight, self.channel_gain)
        return rectify_(self.geometry.convolve(x, filters.to(x.dtype), bias), self.slope)


def conv_at(layers: nn.Module, index: int) -> Conv2d:
    """The convolution at ``index`` of a list of them; negative ones count from the end."""
    conv = list(layers.children())[index]
    assert isinstance(conv, Conv2d)
    return conv


def scale_filters(weight: Tensor, channel_gain: Tensor) -> Tensor:
    """Each output channel's filters times its gain; exact (bit-identical) at a gain of 1."""
    return weight * channel_gain.view(-1, 1, 1, 1)


def rectify_(x: Tensor, slope: float) -> Tensor:
    """max(x, slope * x), elementwise, in the place of ``x``, a sum just made that nobody else holds."""
    if slope == 1:
        return x
    return F.relu_(x) if slope == 0 else F.leaky_relu_(x, slope)


class _GainConv(torch.autograd.Function):
    """Convolution, bias and rectifier in one, whose backward pass needs no weight-gradient convolution.

    With y = g * conv(x, W) + b, dL/dg = sum(dL/dy * conv(x, W)) = sum(dL/dy * (y - b)) / g. The rectifier need not be
    undone: it is linear on either side of zero, so dL/dy * y = dL/dr * r with its output r, for any slope. So r is all
    that is kept, and the next layer keeps nothing of its own of it.
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        filters: Tensor,
        bias: Tensor | None,
        channel_gain: Tensor,
        slope: float,
        geometry: Geometry,
    ) -> Tensor:
        scaled = scale_filters(filters, channel_gain).to(x.dtype)
        out = rectify_(geometry.convolve(x, scaled, bias), slope)
        ctx.save_for_backward(out, scaled, bias, channel_gain)
        ctx.slope, ctx.geometry, ctx.shape = slope, geometry, x.shape
        return out

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, ...]:
        out, scaled, bias, channel_gain = ctx.saved_tensors
        grad = unrectify_gradient(grad_outputs[0], out, ctx.slope)
        total = _sum_per_channel(grad_outputs[0] * out)
        if bias is not None:
            total = total - bias.float() * _sum_per_channel(grad)
        grad_gain = total / _away_from_zero(channel_gain.detach())
        grad_x = None
        if ctx.needs_input_grad[0]:
            grad_x = ctx.geometry.input_gradient(grad, scaled, ctx.shape)
        return grad_x, None, None, grad_gain, None, None


def unrectify_gradient(grad: Tensor, out: Tensor, slope: float) -> Tensor:
    """The gradient before the rectifier, from the gradient after it and the rectifier's output."""
    if slope == 1:
        return grad
    if slope == 0:
        return torch.ops.aten.threshold_backward(grad, out, 0)  # type: ignore[no-any-return]
    return torch.ops.aten.leaky_relu_backward(grad, out, slope, True)  # type: ignore[no-any-return]


def _away_from_zero(channel_gain: Tensor) -> Tensor:
    return torch.copysign(channel_gain.abs().clamp_min(SMALLEST_CHANNEL_GAIN), channel_gain)


def _sum_per_channel(x: Tensor) -> Tensor:
    """Sum over all but the channels: a product with ones, which accumulates in float32 without a float32 copy of x."""
    rows = x.permute(0, 2, 3, 1).reshape(-1, x.shape[1])
    return (torch.ones(1, len(rows), dtype=x.dtype, device=x.device) @ rows)[0].float()


def _input_gradient(grad: Tensor, scaled: Tensor, padding: int) -> Tensor:
    """The transposed convolution, written as a convolution with flipped filters: the faster kernel on a CPU."""
    flipped = scaled.flip(2, 3).transpose(0, 1).contiguous(memory_format=torch.channels_last)
    return F.conv2d(grad, flipped, padding=scaled.shape[-1] - 1 - padding)
