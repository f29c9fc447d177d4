"""Prediction of a frame of any size in tiles, equal to prediction in one piece."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext

import torch
from torch import Tensor

from .networks import Network

TILE_PX = 512
Halt = Callable[[], None]  # asked before each tile; it raises what is to end a prediction


def go_on() -> None:
    """Nothing ends it."""


def predict(network: Network, frame: Tensor, tile_px: int = TILE_PX, halt: Halt = go_on) -> Tensor:
    """The denoised frame, (h, w) float32 in the network's unit, on the frame's device; no gradients.

    What the network does with the whole frame at once it does first. Then tiles of at most ``tile_px`` squared are read
    with a halo of one receptive-field radius, at places where the network's pooling falls as it does in the whole frame,
    so that the result differs from a prediction in one piece only by the rounding of a different order of sums; with an
    AINDNet, which normalises, this holds up to 1024 px, and of a larger frame its middle says how.
    """
    out = torch.empty_like(frame)
    with torch.no_grad():
        prepared = network.whole_frame(frame.to(network.device)[None, None])
        is_one_tile = max(frame.shape) <= tile_px
        with nullcontext() if is_one_tile else network.as_parts_of(prepared):
            _fill_in_tiles(out, network, prepared, tile_px, halt)
    return out


def predict_shifted(network: Network, frame: Tensor, tile_px: int = TILE_PX, halt: Halt = go_on) -> Tensor:
    """The mean of the predictions with the frame at each place it can have on the network's squares; as ``predict``.

    A network that gives squares of ``fold`` pixels as channels of one treats them alike only as far as it was trained to:
    what it makes of noise, and what is tuned to one frame, differs between them, as a faint grid. Shifted by a pixel the
    grid is the other way round, and is averaged away (cycle spinning; Coifman and Donoho 1995), but in the first row and
    column, which a shift leaves out. Of a network without squares it is the one prediction, to the bit.
    """
    if network.fold == 1:
        return predict(network, frame, tile_px, halt)
    total, count = torch.zeros_like(frame), torch.zeros_like(frame)
    for down in range(network.fold):
        for right in range(network.fold):
            total[down:, right:] += predict(network, frame[down:, right:].contiguous(), tile_px, halt)
            count[down:, right:] += 1
    return total / count


def predict_turned(network: Network, frame: Tensor, tile_px: int = TILE_PX, halt: Halt = go_on) -> Tensor:
    """The mean of the eight predictions of ``frame`` turned by 90 degrees and mirrored, each turned back; as ``predict``.

    Turning the frame turns this result, as it need not turn a single one, and what a network makes of the noise in one
    orientation only is averaged away (self-ensemble; Timofte et al. 2016).
    """
    total = torch.zeros_like(frame)
    for quarter_turns in range(4):
        for mirrored in (False, True):
            turned = frame.rot90(quarter_turns)
            turned = turned.flip(1) if mirrored else turned
            denoised = predict(network, turned.contiguous(), tile_px, halt)
            total += (denoised.flip(1) if mirrored else denoised).rot90(-quarter_turns)
    return total / 8


AVERAGING = {"shifts": predict_shifted, "orientations": predict_turned, "none": predict}


def _fill_in_tiles(out: Tensor, network: Network, prepared: Tensor, tile_px: int, halt: Halt) -> None:
    halo_px, stride = network.receptive_field_radius, network.stride
    for rows, read_rows in spans(out.shape[0], tile_px, halo_px, stride):
        for columns, read_columns in spans(out.shape[1], tile_px, halo_px, stride):
            halt()
            denoised = network.local(prepared[..., read_rows, read_columns])[0, 0]
            out[rows, columns] = denoised[_within(rows, read_rows), _within(columns, read_columns)].to(out.device)


def spans(length: int, tile_px: int, halo_px: int, stride: int) -> Iterator[tuple[slice, slice]]:
    """Pairs (written, read) along one axis.

    A read span starts a multiple of ``stride`` after the frame's start and ends a multiple before its end: a network
    that pools a flipped frame counts from the far edge too.
    """
    for start in range(0, length, tile_px):
        end = min(start + tile_px, length)
        read_start = max(0, start - halo_px) // stride * stride
        read_end = length - max(0, length - end - halo_px) // stride * stride
        yield slice(start, end), slice(read_start, read_end)


def _within(written: slice, read: slice) -> slice:
    return slice(written.start - read.start, written.stop - read.start)
