"""The error of a denoised frame without a truth: by other frames of the same scene, whose noise is another."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ..errors import ImageError
from ..image import Array
from .bootstrap import BLOCK_PX, bootstrapped_means
from .metrics import Float64, check_same_shape

LIMITS_PERCENT = (2.5, 97.5)
FEWEST_FRAMES = 2  # in a pixel, for the noise to be told from the error


@dataclass(frozen=True)
class UnsupervisedError:
    """Mean squared error in the image's unit squared, and the limits within which it is at 95 % confidence."""

    mean: float
    low: float
    high: float

    def psnr_db(self, peak: float = 1.0) -> tuple[float, float, float]:
        """uPSNR with its lower and upper limit, in dB; infinite where an error of 0 cannot be excluded."""
        errors = np.maximum([self.mean, self.high, self.low], 0)
        with np.errstate(divide="ignore"):
            found, low, high = 10 * np.log10(peak**2 / errors)
        return float(found), float(low), float(high)


def unsupervised_error(
    denoised: Array, others: Iterable[Array], block_px: int = BLOCK_PX, seed: int = 0
) -> UnsupervisedError:
    """The mean squared error of ``denoised`` against the scene that it shares with ``others``.

    ``denoised`` is (h, w); ``others`` are two frames or more of that shape, aligned with it by whole pixels, NaN where they
    do not overlap, all in one unit; they are looked at one by one. In a pixel that n of them show, with the mean m and
    the variance s² (of n - 1),

        (denoised - m)² - s² / n

    is an unbiased estimate of the squared error there, if the noise of the others has the mean 0 and is independent of
    ``denoised`` (Marcos-Morales et al. 2023, uMSE, for n = 2 of their three noisy copies). That noise may be correlated from
    pixel to pixel. It is biased upwards by whatever changes in the scene, and by frames that are not well aligned; and
    downwards, towards praise, where ``denoised`` was learned from one of the ``others``: leave such frames out.

    The limits are percentiles of a block bootstrap (``bootstrapped_means``). Raises ImageError where shapes differ or no
    pixel is shown by two frames.
    """
    claimed = denoised.astype(np.float64)
    total, square, count = (np.zeros(claimed.shape) for _ in range(3))
    for other in others:
        check_same_shape(denoised=denoised, other=np.nan_to_num(other))
        seen = np.isfinite(other)
        deviation = np.where(seen, other - claimed, 0)  # small numbers, whose squares lose no digits
        total += deviation
        square += deviation**2
        count += seen
    return _error(total, square, count, block_px, seed)


def _error(total: Float64, square: Float64, count: Float64, block_px: int, seed: int) -> UnsupervisedError:
    if not (count >= FEWEST_FRAMES).any():
        raise ImageError(
            f"no pixel is shown by {FEWEST_FRAMES} other frames; give more frames of the same scene, aligned with this one"
        )
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = total / count
        variance = (square - count * mean**2) / (count - 1)
        per_pixel = np.where(count >= FEWEST_FRAMES, mean**2 - variance / count, np.nan)
    low, high = np.percentile(bootstrapped_means(per_pixel, block_px, seed), LIMITS_PERCENT)
    return UnsupervisedError(float(np.nanmean(per_pixel)), float(low), float(high))
