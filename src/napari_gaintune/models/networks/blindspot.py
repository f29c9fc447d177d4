"""A blind-spot UNet: it leaves out one place of each square of pixels, and gives what belongs there."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional as F

from ..layers import Conv2d
from .base import Network
from .lattice import pad_to_squares
from .unet import UNet

SIDE = 2  # of a square, in pixels
FLIPS: tuple[tuple[int, ...], ...] = ((), (3,), (2,), (2, 3))  # bring each place of a square to its upper left


class OnePlaceUNet(Network):
    """A UNet that gives the upper left pixel of each square of 2 x 2, (b, 1, h, w) -> (b, 1, h / 2, w / 2), rounded up.

    Before anything else it puts the mean of the four neighbours, which belong to other places, in the stead of each such
    pixel. It never sees one, and is left with three quarters of the electrons.
    """

    def __init__(self, width: int, levels: int, widest: int, bragg_px: int, guided: bool) -> None:
        super().__init__()
        self.unet = UNet(width, levels, widest, fold=SIDE, bragg_px=bragg_px, guided=guided)
        self.stride = self.unet.stride
        self.frame_window_px = self.unet.frame_window_px
        self.receptive_field_radius = self.unet.receptive_field_radius + 1

    def whole_frame(self, noisy: Tensor) -> Tensor:
        return torch.cat([noisy, self.unet.whole_frame(without_first_place(noisy))[:, 1:]], dim=1)

    def local(self, prepared: Tensor) -> Tensor:
        seen = torch.cat([without_first_place(prepared[:, :1]), prepared[:, 1:]], dim=1)
        return self.part_of(self.unet.local(seen))

    def part_of(self, image: Tensor) -> Tensor:
        return image[..., ::SIDE, ::SIDE]


class BlindSpotUNet(Network):
    """An output pixel depends on pixels of the three other places of the squares, and never on the input pixel at its own.

    One UNet gives the upper left pixels of all squares; on the frame flipped it gives the other three. After the
    asymmetric blind spot of Lee et al. 2022 and the invariance of Batson and Royer 2019, in the stead of four half planes
    (Laine et al. 2019): a quarter of the electrons is lost, and an ordinary UNet does the rest. ``width``, ``levels``,
    ``widest``, ``bragg_px`` and ``guided`` are the UNet's; lattices, too, are found without the place they are used at.
    """

    is_blind = True

    def __init__(
        self, width: int = 32, levels: int = 3, widest: int = 128, bragg_px: int = 0, guided: bool = True
    ) -> None:
        super().__init__()
        self.one_place = OnePlaceUNet(width, levels, widest, bragg_px, guided)
        self.fold = SIDE
        self.stride = self.one_place.stride
        self.frame_window_px = self.one_place.frame_window_px
        self.receptive_field_radius = self.one_place.receptive_field_radius

    @property
    def trained(self) -> Network:
        """The four places share their weights: what learns one has learnt all."""
        return self.one_place

    @property
    def first_layer(self) -> Conv2d:
        return self.one_place.unet.first_layer

    @property
    def last_layer(self) -> Conv2d:
        return self.one_place.unet.last_layer

    def whole_frame(self, noisy: Tensor) -> Tensor:
        """The frame, and for each place the lattices found without it."""
        even = pad_to_squares(noisy, SIDE)
        lattices = [flip(self.one_place.whole_frame(flip(even, dims))[:, 1:], dims) for dims in FLIPS]
        return torch.cat([even, *lattices], dim=1)[..., : noisy.shape[-2], : noisy.shape[-1]]

    def local(self, prepared: Tensor) -> Tensor:
        even = pad_to_squares(prepared, SIDE)
        flipped = torch.cat([flip(place, dims) for place, dims in zip(self._places(even), FLIPS, strict=True)])
        upper_left = self.one_place.local(flipped).chunk(len(FLIPS))
        squares = torch.cat([flip(part, dims) for part, dims in zip(upper_left, FLIPS, strict=True)], dim=1)
        return F.pixel_shuffle(squares, SIDE)[..., : prepared.shape[-2], : prepared.shape[-1]]

    def _places(self, prepared: Tensor) -> Iterator[Tensor]:
        """The frame with the lattices of each place."""
        noisy, lattices = prepared[:, :1], prepared[:, 1:]
        for own in lattices.chunk(len(FLIPS), dim=1) if lattices.shape[1] else [lattices] * len(FLIPS):
            yield torch.cat([noisy, own], dim=1)


def flip(x: Tensor, dims: tuple[int, ...]) -> Tensor:
    """Along ``dims``, of which there may be none."""
    return x.flip(dims) if dims else x


def without_first_place(noisy: Tensor) -> Tensor:
    """The upper left pixel of each square replaced by the mean of its four neighbours; past the edge the frame is mirrored.

    A mirrored pixel has the place of its original, so that none of the first place gets in there.
    """
    around = F.pad(noisy, (1, 1, 1, 1), mode="reflect")
    rows, columns = around[..., :-2, 1:-1] + around[..., 2:, 1:-1], around[..., 1:-1, :-2] + around[..., 1:-1, 2:]
    filled = noisy.clone()
    filled[..., ::SIDE, ::SIDE] = (rows + columns)[..., ::SIDE, ::SIDE] / 4
    return filled
