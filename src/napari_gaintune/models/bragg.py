"""A Bragg filter that learns: overlapping Fourier windows in which the coefficients that are more than noise are kept."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .layers import Conv2d

GATE_CHANNELS = 8
GATE_SLOPE = 0.1
THRESHOLD, STEEPNESS = 12.0, 4.0  # of a fresh gate: half open at so many times the noise's power, (ratio / 12)**4
FLOOR = 0.05  # of the noise: a coefficient below it is as good as zero


class BraggFilter(nn.Module):
    """The lattice of a noisy image, (b, 1, h, w) float32 -> (b, 1, h, w) float32.

    A lattice is a few sharp peaks in a Fourier window many unit cells wide, and the noise is spread over all of it. Each
    window (``window_px`` squared, square-root Hann, half overlapping) gives the power of its coefficients over that of
    the noise, which is the median over the window: so nothing need be known of dose or detector, and the filter of a
    times y is a times the filter of y. Three small convolutions over the frequencies turn the logarithm of that ratio
    into a gate from 0 to 1 for each coefficient. Past the image's edge a window holds nothing.
    """

    window: Tensor

    def __init__(self, window_px: int) -> None:
        super().__init__()
        last = Conv2d(GATE_CHANNELS, 1, 3, bias=True, slope=1.0, padding=0)
        nn.init.zeros_(last.weight)  # a fresh filter is the plain threshold
        self.window_px, self.hop_px = window_px, window_px // 2
        self.gate = nn.ModuleList(
            [
                Conv2d(1, GATE_CHANNELS, 3, bias=True, slope=GATE_SLOPE, padding=0),
                Conv2d(GATE_CHANNELS, GATE_CHANNELS, 3, bias=True, slope=GATE_SLOPE, padding=0),
                last,
            ]
        )
        ramp = torch.hann_window(window_px, periodic=True).sqrt()
        self.register_buffer("window", ramp[:, None] * ramp[None], persistent=False)

    def forward(self, noisy: Tensor, gate_dtype: torch.dtype = torch.float32) -> Tensor:
        batch, _, height, width = noisy.shape
        hop = self.hop_px
        padding = (hop, hop + -width % hop, hop, hop + -height % hop)
        inside = F.pad(torch.ones_like(noisy[:1]), padding)
        seen, weights = self._windows(F.pad(noisy, padding)), self._windows(inside) * self.window
        weights = weights.expand(batch, *weights.shape[1:])
        mean = (seen * weights * self.window).sum((-2, -1), keepdim=True)
        mean = mean / (weights * self.window).sum((-2, -1), keepdim=True).clamp_min(1e-12)
        spectrum = torch.fft.rfft2((seen - mean) * weights)
        kept = torch.fft.irfft2(spectrum * self._gates(spectrum, gate_dtype), s=(self.window_px, self.window_px))
        summed = self._overlap_add((kept + mean * self.window) * self.window, (inside.shape[-2], inside.shape[-1]))
        return summed[..., hop : hop + height, hop : hop + width]

    def _windows(self, padded: Tensor) -> Tensor:
        """(b, 1, h, w) -> (b, windows, window, window)."""
        views = padded[:, 0].unfold(1, self.window_px, self.hop_px).unfold(2, self.window_px, self.hop_px)
        return views.flatten(1, 2)

    def _gates(self, spectrum: Tensor, dtype: torch.dtype) -> Tensor:
        power = spectrum.real.square() + spectrum.imag.square()
        noise = power.flatten(2).median(dim=2).values / math.log(2)
        ratio = power / noise[..., None, None].clamp_min(1e-20)
        x = (ratio + FLOOR).log().flatten(0, 1)[:, None].to(dtype, memory_format=torch.channels_last)
        # the rows of a spectrum are periodic, and its first column stands for the one before it
        x = F.pad(F.pad(x, (0, 0, 3, 3), mode="circular"), (3, 3, 0, 0), mode="replicate")
        threshold = STEEPNESS * (x[..., 3:-3, 3:-3].float() - math.log(THRESHOLD))
        for conv in self.gate:
            x = conv(x)
        return (threshold + x.float()).sigmoid().reshape(spectrum.shape)

    def _overlap_add(self, windows: Tensor, size: tuple[int, int]) -> Tensor:
        """The squares of square-root Hann windows, half overlapping, add up to one."""
        columns = windows.flatten(2).transpose(1, 2)
        return F.fold(columns, size, self.window_px, stride=self.hop_px)
