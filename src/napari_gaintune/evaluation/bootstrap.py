"""How far the mean over the pixels of one field may be off, where neighbouring pixels err alike."""

from __future__ import annotations

import numpy as np

from ..errors import ImageError, SettingError
from .metrics import Float64

BLOCK_PX = 32
FEWEST_BLOCKS = 16
RESAMPLES = 2000


def bootstrapped_means(per_pixel: Float64, block_px: int = BLOCK_PX, seed: int = 0) -> Float64:
    """2000 means of ``per_pixel``, (h, w), each over as many blocks of it, drawn with replacement; NaN does not count.

    A block bootstrap (Künsch 1989): square blocks of ``block_px``, so that correlation of noise and of errors over less
    than a block is allowed for. Same ``seed``, same means. Raises ImageError if there are fewer than 16 whole blocks, or
    all pixels are NaN; SettingError if ``block_px`` < 1.
    """
    known = np.isfinite(per_pixel)
    sums, counts = (
        _block_sums(values, block_px) for values in (np.where(known, per_pixel, 0), known.astype(np.float64))
    )
    if not known.any():
        raise ImageError("no pixel is known of which a mean could be taken; give frames that overlap")
    sums, counts = sums[counts > 0], counts[counts > 0]
    rng = np.random.default_rng(seed)
    drawn = (rng.integers(0, sums.size, sums.size) for _ in range(RESAMPLES))
    return np.array([sums[blocks].sum() / counts[blocks].sum() for blocks in drawn])


def fits_blocks(shape: tuple[int, ...], block_px: int = BLOCK_PX) -> bool:
    """Whether a frame of this shape has enough whole blocks."""
    return len(shape) == 2 and int(np.prod([length // block_px for length in shape])) >= FEWEST_BLOCKS


def _block_sums(values: Float64, block_px: int) -> Float64:
    """The sum over each block, those cut off by the lower and right border included; 1-D."""
    if block_px < 1:
        raise SettingError(f"block_px = {block_px}: it must be 1 or more, and more than the noise is correlated over")
    if not fits_blocks(values.shape, block_px):
        raise ImageError(
            f"shape {values.shape} holds fewer than {FEWEST_BLOCKS} blocks of {block_px} x {block_px} px; "
            "give one larger frame, (height, width), or smaller blocks (block_px)"
        )
    rows, columns = (np.arange(0, length, block_px) for length in values.shape)
    sums: Float64 = np.add.reduceat(np.add.reduceat(values, rows, axis=0), columns, axis=1)
    return sums.ravel()
