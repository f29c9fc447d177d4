"""Frames of pixels finer than a model knows: binned for it, and the result brought back to their own grid."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch.nn import functional as F

from ..image import Array, Float32
from ..models.card import ModelCard

ROUNDING = 1.01  # a pixel size within 1 % of the card's limit is inside


def binning_for(pixel_size_nm: tuple[float, float] | None, card: ModelCard) -> int:
    """How many pixels along each axis make one that ``card`` knows; 1 where it knows them, or nothing is known of them."""
    if pixel_size_nm is None or card.pixel_size_range_nm is None:
        return 1
    low, high = card.pixel_size_range_nm
    binning = max(1, math.ceil(low / (min(pixel_size_nm) * ROUNDING)))
    return binning if max(pixel_size_nm) * binning <= high * ROUNDING else 1


def binned(frame: Array, binning: int) -> Float32:
    """Means of ``binning`` x ``binning`` pixels of (h, w), float32; the last ones are filled up by mirroring."""
    if binning == 1:
        return frame.astype(np.float32)
    fill = [(0, -length % binning) for length in frame.shape]
    whole = np.pad(frame.astype(np.float64), fill, mode="symmetric")
    rows, columns = (length // binning for length in whole.shape)
    means: Float32 = whole.reshape(rows, binning, columns, binning).mean(axis=(1, 3)).astype(np.float32)
    return means


def unbinned(frame: Float32, binning: int, shape: tuple[int, int]) -> Float32:
    """A binned frame on the grid of ``shape`` again, by cubic interpolation; the pixels' means stay nearly the same."""
    if binning == 1:
        return frame
    size = [length * binning for length in frame.shape]
    whole = F.interpolate(torch.from_numpy(frame)[None, None], size=size, mode="bicubic", align_corners=False)
    result: Float32 = whole[0, 0, : shape[0], : shape[1]].contiguous().numpy()
    return result
