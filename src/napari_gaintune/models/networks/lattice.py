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
    A blind network may take the lattice at a pixel only from others. The pixels of a frame are the fields of a chessboard:
    the lattice at the white ones is found from the black ones alone, and the other way round.
    """

    def __init__(self, fold: int, bragg_px: int) -> None:
        super().__init__()
        if bragg_px % SMALLEST_WINDOW_PX:
            raise ModelError(
                f"bragg_px is {bragg_px}; give a multiple of {SMALLEST_WINDOW_PX}, or 0 for no Bragg filter"
            )
        self.fold = fold
        windows = (bragg_px, bragg_px // NARROWER) if bragg_px else ()
        self.filters = nn.ModuleList(BraggFilter(window_px) for window_px in windows)

    def whole_frame(self, noisy: Tensor) -> Tensor:
        if not self.filters:
            return noisy
        height, width = noisy.shape[-2:]
        even = pad_to_even_squares(noisy, self.fold)
        if self.is_blind:
            white, black = chessboard_means(even)
            lattice = torch.where(is_white(even), self._lattices(black), self._lattices(white))
        else:
            lattice = self._lattices(F.avg_pool2d(even, self.fold))
        return torch.cat([noisy, lattice[..., :height, :width]], dim=1)

    def _lattices(self, squares: Tensor) -> Tensor:
        found = torch.cat([bragg(squares, self.compute_dtype) for bragg in self.filters], dim=1)
        return F.interpolate(found, scale_factor=self.fold, mode="bicubic")


def pad_to_even_squares(x: Tensor, side: int) -> Tensor:
    """Reflected below and to the right: what is added repeats the pixel two places before, of the same colour."""
    mode = "reflect" if min(x.shape[-2:]) >= side else "constant"
    return F.pad(x, (0, -x.shape[-1] % side, 0, -x.shape[-2] % side), mode=mode)


def is_white(x: Tensor) -> Tensor:
    """(h, w) bool: the fields of a chessboard with the colour of the upper left one."""
    rows, columns = (torch.arange(length, device=x.device) for length in x.shape[-2:])
    return (rows[:, None] + columns[None]) % 2 == 0


def chessboard_means(x: Tensor) -> tuple[Tensor, Tensor]:
    """(b, 1, h, w) -> the mean of the two white and of the two black pixels of each square, both (b, 1, h / 2, w / 2)."""
    first, second, third, fourth = F.pixel_unshuffle(x, 2).chunk(4, dim=1)
    return (first + fourth) / 2, (second + third) / 2
