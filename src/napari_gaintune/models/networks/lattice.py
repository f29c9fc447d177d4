"""What a network may have before its convolutions: the lattice of the whole frame, found by Bragg filters."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...errors import ModelError
from ..bragg import BraggFilter
from .base import Network

SMALLEST_WINDOW_PX = 16  # of the wide filter: the narrow one's are a quarter of it, and overlap by half
NARROWER = 4  # the second filter's windows, for particles that are small in the first one's


class LatticeNetwork(Network):
    """``whole_frame`` adds two channels, the lattice in wide windows and in narrow ones; none if ``bragg_px`` is 0.

    The filters work on squares of ``fold`` x ``fold`` pixels averaged: the window of ``bragg_px`` is as many squares wide,
    and what a square loses is finer than any lattice that the noise leaves to be seen.
    """

    def __init__(self, fold: int, bragg_px: int, guided: bool) -> None:
        super().__init__()
        if bragg_px % SMALLEST_WINDOW_PX:
            raise ModelError(
                f"bragg_px is {bragg_px}; give a multiple of {SMALLEST_WINDOW_PX}, or 0 for no Bragg filter"
            )
        self.fold = fold
        self.frame_window_px = fold * bragg_px
        windows = (bragg_px, bragg_px // NARROWER) if bragg_px else ()
        self.filters = nn.ModuleList(
            BraggFilter(window_px, guided=guided and index > 0) for index, window_px in enumerate(windows)
        )

    def whole_frame(self, noisy: Tensor) -> Tensor:
        if not self.filters:
            return noisy
        height, width = noisy.shape[-2:]
        squares = F.avg_pool2d(pad_to_squares(noisy, self.fold), self.fold)
        lattices = F.interpolate(self._lattices(squares), scale_factor=self.fold, mode="bicubic")
        return torch.cat([noisy, lattices[..., :height, :width]], dim=1)

    def _lattices(self, squares: Tensor) -> Tensor:
        found: list[Tensor] = []
        for bragg in self.filters:  # from the widest windows to the narrowest
            guide = found[-1] if bragg.guided else None
            found.append(bragg(squares, guide, gate_dtype=self.compute_dtype))
        return torch.cat(found, dim=1)


def pad_to_squares(x: Tensor, side: int) -> Tensor:
    """Whole squares, mirrored below and to the right: what is added repeats the pixel two places before."""
    mode = "reflect" if min(x.shape[-2:]) >= side else "constant"
    return F.pad(x, (0, -x.shape[-1] % side, 0, -x.shape[-2] % side), mode=mode)
