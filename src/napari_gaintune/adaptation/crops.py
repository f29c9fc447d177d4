"""Random crops for the loss, fixed crops for validation, and the pixels held out from the first for the second."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Generator, Tensor

from ..models.networks import Network
from .objectives import Crop, Window

HELD_OUT_FRACTION = 0.1
HELD_OUT_BLOCKS = 0.2  # the share of blocks, where it is blocks that are held out
BLOCK_PX = 32  # wider than noise is correlated, and so many of them that no part of the scene decides
VALIDATION_CROPS = 4
OWN_CROP_PX = 256


@dataclass(frozen=True)
class Frames:
    """Noisy frames (h, w) in the model's unit on the CPU, what the untouched network made of them, and held-out pixels.

    ``judging`` takes the place of ``pseudo_clean`` in what states are judged by, where it has other noise: no pixel has to
    be held out then.
    """

    noisy: Sequence[Tensor]
    pseudo_clean: Sequence[Tensor] | None
    held_out: Sequence[Tensor]
    margin_px: int
    judging: Sequence[Tensor] | None = None

    @classmethod
    def build(
        cls, noisy: Sequence[Tensor], pseudo_clean: Sequence[Tensor] | None, margin_px: int, generator: Generator
    ) -> Frames:
        """Draws the held-out pixels, ``HELD_OUT_FRACTION`` of each frame."""
        held_out = [torch.rand(frame.shape, generator=generator) < HELD_OUT_FRACTION for frame in noisy]
        return cls(noisy, pseudo_clean, held_out, margin_px)

    @classmethod
    def of_one_place(
        cls, noisy: Sequence[Tensor], references: Sequence[Tensor], margin_px: int, generator: Generator
    ) -> Frames:
        """Frames of one size that show one place, with references that share their noise.

        The same blocks are held out of all of them, so that what one may not learn from no other may, but for drift.
        """
        return cls(noisy, references, [held_out_blocks(noisy[0].shape, generator)] * len(noisy), margin_px)

    @classmethod
    def judged_by(
        cls, judging: Sequence[Tensor], noisy: Sequence[Tensor], references: Sequence[Tensor], margin_px: int
    ) -> Frames:
        """Frames with references to learn from, and others, of independent noise, to judge by, on every pixel."""
        return cls(
            noisy, references, [torch.zeros(frame.shape, dtype=torch.bool) for frame in noisy], margin_px, judging
        )

    def random_crops(self, size_px: int, count: int, generator: Generator, device: torch.device, fold: int = 1) -> Crop:
        """``count`` crops from frames and places drawn at random; their targets are the pixels not held out.

        A frame that is no larger than a crop begins at any of the places it can have on squares of ``fold`` pixels, so
        that noise is not learned by heart as a pattern of these; it is cut to whole squares then, so that a crop turned
        round has all of its places too.
        """
        rows, columns = (self._beginning(axis, size_px, generator, fold) for axis in (0, 1))
        windows = []
        for _ in range(count):
            index = _draw(len(self.noisy), generator)
            cut = [
                slice_at(first + _draw(max(1, n - size_px + 1), generator), length, n)
                for n, (first, length) in zip(self.noisy[index].shape, (rows, columns), strict=True)
            ]
            windows.append(Window(index, *cut))
        return self._cut(windows, device, held_out=False, fold=fold)

    def _beginning(self, axis: int, size_px: int, generator: Generator, fold: int) -> tuple[int, int]:
        """Where on the squares the crops of one step begin along an axis, and how long they are: of one batch all alike."""
        shortest = min(frame.shape[axis] for frame in self.noisy)
        if fold == 1 or size_px < shortest:
            return 0, size_px
        first = _draw(fold, generator)
        return first, max(1, (shortest - first) // fold * fold)

    def validation_crops(
        self, size_px: int, generator: Generator, device: torch.device, held_out: bool = True
    ) -> list[Crop]:
        """At most ``VALIDATION_CROPS`` crops drawn once; where two overlap, a pixel is a target in the first only.

        Targets are the held-out pixels, or all of them for a judge other than the loss, or with another reference.
        """
        if self.judging is not None:
            judged = replace(self, pseudo_clean=self.judging, judging=None)
            return judged.validation_crops(size_px, generator, device, held_out=False)
        places = [
            Window(index, slice_at(y, size_px, frame.shape[0]), slice_at(x, size_px, frame.shape[1]))
            for index, frame in enumerate(self.noisy)
            for y in range(0, frame.shape[0], size_px)
            for x in range(0, frame.shape[1], size_px)
        ]
        seen = [torch.zeros_like(pixels) for pixels in self.held_out]
        crops: list[Crop] = []
        for place in torch.randperm(len(places), generator=generator).tolist():
            index, rows, columns = places[place]
            crop = self._cut([places[place]], device, held_out=True if held_out else None)
            fresh = crop.targets & ~seen[index][rows, columns].to(device)
            if not fresh.any():  # where blocks are held out, a crop may have none of them
                continue
            seen[index][rows, columns] |= crop.targets[0, 0].cpu()
            crops.append(replace(crop, targets=fresh))
            if len(crops) == VALIDATION_CROPS:
                break
        return crops

    def _cut(self, windows: Sequence[Window], device: torch.device, held_out: bool | None, fold: int = 1) -> Crop:
        noisy = torch.stack([self.noisy[i][rows, columns] for i, rows, columns in windows])[:, None]
        pseudo = None
        if self.pseudo_clean is not None:
            pseudo = torch.stack([self.pseudo_clean[i][rows, columns] for i, rows, columns in windows])[:, None].to(
                device
            )
        targets = torch.stack([self._inner(i, rows, columns, fold) for i, rows, columns in windows])[:, None]
        if held_out is not None:
            chosen = [self.held_out[i][rows, columns] == held_out for i, rows, columns in windows]
            targets &= torch.stack(chosen)[:, None]
        return Crop(noisy.to(device), targets.to(device), pseudo, windows)

    def _inner(self, index: int, rows: slice, columns: slice, fold: int) -> Tensor:
        """False near a cut edge, where the network misses neighbours that the frame has; True at the frame's own edge.

        Less than a square of ``fold`` pixels cut off at the frame's own edge is not missed.
        """
        height, width = self.noisy[index].shape
        inner = torch.ones(rows.stop - rows.start, columns.stop - columns.start, dtype=torch.bool)
        margin = max(1, min(self.margin_px, min(inner.shape) // 8))  # a small crop keeps half of its pixels and more
        if rows.start >= fold:
            inner[:margin] = False
        if rows.stop <= height - fold:
            inner[-margin:] = False
        if columns.start >= fold:
            inner[:, :margin] = False
        if columns.stop <= width - fold:
            inner[:, -margin:] = False
        return inner


def held_out_blocks(shape: tuple[int, ...], generator: Generator) -> Tensor:
    """(h, w) bool, true in about ``HELD_OUT_BLOCKS`` of the blocks that a frame is divided into, in one at least."""
    side = max(1, min(BLOCK_PX, min(shape) // 4))
    rows, columns = (-(-length // side) for length in shape)
    chosen = torch.zeros(rows * columns, dtype=torch.bool)
    count = max(1, round(HELD_OUT_BLOCKS * rows * columns))
    chosen[torch.randperm(rows * columns, generator=generator)[:count]] = True
    whole = chosen.view(rows, columns).repeat_interleave(side, 0).repeat_interleave(side, 1)
    return whole[: shape[0], : shape[1]].contiguous()


def crop_size(wished_px: int, network: Network) -> int:
    """The side of a crop: the one wished for, or, for 0, one that shows the network as much at once as a frame does.

    In a smaller crop the filters that look at the whole frame find less of a lattice than they will in the frame, and what
    is tuned learns to make up for that.
    """
    return wished_px or max(OWN_CROP_PX, network.frame_window_px)


def slice_at(start: int, size_px: int, length: int) -> slice:
    """``size_px`` long from ``start``, moved back where it would leave the frame, shorter where the frame is."""
    start = max(0, min(start, length - size_px))
    return slice(start, min(start + size_px, length))


def _draw(count: int, generator: Generator) -> int:
    return int(torch.randint(count, (1,), generator=generator))
