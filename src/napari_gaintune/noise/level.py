"""How noisy one frame is, from the frame alone."""

from __future__ import annotations

import numpy as np

from ..image import Float32

BLOCK_PX = 16


def noise_sd(frame: Float32) -> float:
    """Standard deviation of the pixel noise, in the frame's unit, (h, w) -> float.

    Assumes noise independent from pixel to pixel and smooth detail in at least half of the frame: the variance of the
    diagonal Haar detail (a - b - c + d) / 2 in blocks of 16 px, the median over the blocks, corrected for the median of
    a chi-squared variable. Returns 0 for a constant frame.
    """
    variances, _ = _blocks(frame)
    return float(np.sqrt(np.median(variances) / _median_of_chi2(frame)))


def read_noise_sd(electrons: Float32) -> float:
    """Standard deviation of what is noise beside that of counting, in electrons; (h, w) in electrons -> float.

    Counts alone have a variance equal to their mean. In each block of ``noise_sd`` the variance less the block's own mean
    is read noise squared; the median over the blocks counts, which blocks full of detail do not move, and 0 where it is
    below 0. Of counts alone its square has a standard error of a fifth of the dose over the square root of the number of
    blocks, and below 1 electron per pixel comes out 1 % of the dose too large, because counts are whole.
    Assumes noise independent from pixel to pixel; a detector gain found from the same noise leaves nothing to find.
    """
    variances, means = _blocks(electrons)
    return float(np.sqrt(max(0.0, float(np.median(variances / _median_of_chi2(electrons) - means)))))


def noise_variance_and_mean(frame: Float32) -> tuple[float, float]:
    """Mean noise variance and mean intensity over the same pixels of a frame (h, w).

    Their ratio is the detector gain for counts without an offset. Of the 16 px blocks the noisiest 2 % are left out (hot
    pixels, cosmic rays), and the calmest 2 % to even it.
    """
    variances, means = _blocks(frame)
    low, high = np.quantile(variances, (0.02, 0.98))
    kept = (variances >= low) & (variances <= high)
    return float(variances[kept].mean()), float(means[kept].mean())


def _median_of_chi2(frame: Float32) -> float:
    """Of the mean square of a block's details over its expectation (Wilson and Hilferty 1931)."""
    values_per_block = (BLOCK_PX // 2) ** 2 if min(frame.shape) >= BLOCK_PX else max(1, frame.size // 4)
    return float((1 - 2 / (9 * values_per_block)) ** 3)


def _blocks(frame: Float32) -> tuple[Float32, Float32]:
    """Mean square of the diagonal Haar detail and mean of the frame, per block; at least one block."""
    height, width = (n // 2 * 2 for n in frame.shape)
    even = frame[:height, :width].astype(np.float64)
    a, b, c, d = even[::2, ::2], even[::2, 1::2], even[1::2, ::2], even[1::2, 1::2]
    detail, level = (a - b - c + d) / 2, (a + b + c + d) / 4
    size = BLOCK_PX // 2
    if min(detail.shape) < size:
        return np.array([np.mean(detail**2)], np.float32), np.array([level.mean()], np.float32)
    rows, columns = (n // size for n in detail.shape)
    cut = (slice(0, rows * size), slice(0, columns * size))
    tiled = (rows, size, columns, size)
    variance = (detail[cut] ** 2).reshape(tiled).mean(axis=(1, 3))
    mean = level[cut].reshape(tiled).mean(axis=(1, 3))
    return variance.ravel().astype(np.float32), mean.ravel().astype(np.float32)
