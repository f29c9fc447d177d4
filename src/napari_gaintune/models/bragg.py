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

    A narrow window holds too few unit cells to tell a peak from the noise. With ``guided`` the filter takes the lattice that
    a wider one found, shows its power at the same frequencies to the convolutions, and opens the gates there: what was
    found far and wide is weighed anew in each small window (as a Wiener filter with a pilot estimate, Ghael et al. 1997).
    """

    window: Tensor

    def __init__(self, window_px: int, guided: bool = False) -> None:
        super().__init__()
        last = Conv2d(GATE_CHANNELS, 1, 3, bias=True, slope=1.0, padding=0)
        nn.init.zeros_(last.weight)  # a fresh filter is the plain threshold
        self.window_px, self.hop_px, self.guided = window_px, window_px // 2, guided
        self.gate = nn.ModuleList(
            [
                Conv2d(2 if guided else 1, GATE_CHANNELS, 3, bias=True, slope=GATE_SLOPE, padding=0),
                Conv2d(GATE_CHANNELS, GATE_CHANNELS, 3, bias=True, slope=GATE_SLOPE, padding=0),
                last,
            ]
        )
        ramp = torch.hann_window(window_px, periodic=True).sqrt()
        self.register_buffer("window", ramp[:, None] * ramp[None], persistent=False)

    def forward(self, noisy: Tensor, guide: Tensor | None = None, *, gate_dtype: torch.dtype = torch.float32) -> Tensor:
        """``guide`` is the wider filter's answer, of the shape of ``noisy``; a guided filter needs it."""
        batch, _, height, width = noisy.shape
        hop = self.hop_px
        padding = (hop, hop + -width % hop, hop, hop + -height % hop)
        inside = F.pad(torch.ones_like(noisy[:1]), padding)
        weights = self._windows(inside) * self.window
        weights = weights.expand(batch, *weights.shape[1:])
        spectrum, mean = self._spectra(F.pad(noisy, padding), weights)
        shown = None if guide is None else power(self._spectra(F.pad(guide, padding), weights)[0])
        gates = self._gates(power(spectrum), shown, gate_dtype)
        kept = torch.fft.irfft2(spectrum * gates, s=(self.window_px, self.window_px))
        summed = self._overlap_add((kept + mean * self.window) * self.window, (inside.shape[-2], inside.shape[-1]))
        return summed[..., hop : hop + height, hop : hop + width]

    def _windows(self, padded: Tensor) -> Tensor:
        """(b, 1, h, w) -> (b, windows, window, window)."""
        views = padded[:, 0].unfold(1, self.window_px, self.hop_px).unfold(2, self.window_px, self.hop_px)
        return views.flatten(1, 2)

    def _spectra(self, padded: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
        """Each window's Fourier transform, its mean taken out, and that mean."""
        seen = self._windows(padded)
        mean = (seen * weights * self.window).sum((-2, -1), keepdim=True)
        mean = mean / (weights * self.window).sum((-2, -1), keepdim=True).clamp_min(1e-12)
        return torch.fft.rfft2((seen - mean) * weights), mean

    def _gates(self, seen: Tensor, shown: Tensor | None, dtype: torch.dtype) -> Tensor:
        """From the power of the coefficients, and of the guide's; in the shape of either."""
        noise = (seen.flatten(2).median(dim=2).values / math.log(2))[..., None, None].clamp_min(1e-20)
        ratios = [(each / noise + FLOOR).log().flatten(0, 1) for each in (seen, shown) if each is not None]
        opening = STEEPNESS * (ratios[0] - math.log(THRESHOLD))
        if shown is not None:
            opening = torch.logaddexp(opening, ratios[1])  # a Wiener gate, s / (s + 1), where the guide is above it
        x = torch.stack(ratios, dim=1).to(dtype, memory_format=torch.channels_last)
        # the rows of a spectrum are periodic, and its first column stands for the one before it
        x = F.pad(F.pad(x, (0, 0, 3, 3), mode="circular"), (3, 3, 0, 0), mode="replicate")
        for conv in self.gate:
            x = conv(x)
        return (opening + x[:, 0].float()).sigmoid().reshape(seen.shape)

    def _overlap_add(self, windows: Tensor, size: tuple[int, int]) -> Tensor:
        """The squares of square-root Hann windows, half overlapping, add up to one."""
        columns = windows.flatten(2).transpose(1, 2)
        return F.fold(columns, size, self.window_px, stride=self.hop_px)


def power(spectrum: Tensor) -> Tensor:
    """|spectrum|**2."""
    return spectrum.real.square() + spectrum.imag.square()
