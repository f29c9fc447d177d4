"""Comparing denoisers on a real field without a truth: by a second exposure of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..image import Array
from .bootstrap import BLOCK_PX, bootstrapped_means
from .metrics import check_same_shape


@dataclass(frozen=True)
class PairedDifference:
    """Mean squared error of one denoised image minus that of another, in the image's unit squared; below 0: better."""

    mean: float
    standard_error: float

    def __str__(self) -> str:
        return f"{self.mean:+.3g} ± {self.standard_error:.2g}"


def paired_difference(
    denoised: Array, other: Array, exposure2: Array, block_px: int = BLOCK_PX, seed: int = 0
) -> PairedDifference:
    """How much less (below 0) or more (above 0) ``denoised`` errs than ``other``, judged by a second exposure.

    ``denoised`` and ``other`` are two results, (height, width) in one unit, both made from the FIRST exposure alone;
    ``exposure2`` is the second one, raw. With zero-mean noise in it that is independent of the first exposure's noise,

        mean((d1 - d2) (d1 + d2 - 2 exposure2)) = MSE(d1, exposure2) - MSE(d2, exposure2)

    is an unbiased estimate of MSE(d1, truth) - MSE(d2, truth): the noise of the second exposure cancels in the mean.
    The error of each result by itself, MSE(d, exposure2) minus the noise variance, is far less certain (on a low-dose
    pair its standard error is as large as itself), so only differences are given. Scene and gain must be the same in
    both exposures: no shift, no bleaching.

    The standard error is that of a block bootstrap (``bootstrapped_means``). Same ``seed``, same figure.
    Raises ImageError if the shapes are not one (height, width), a value is not finite or there are fewer than
    16 whole blocks; SettingError if ``block_px`` < 1.
    """
    check_same_shape(denoised=denoised, other=other, exposure2=exposure2)
    d1, d2, second = (np.asarray(image, dtype=np.float64) for image in (denoised, other, exposure2))
    per_pixel = (d1 - d2) * (d1 + d2 - 2 * second)
    means = bootstrapped_means(per_pixel, block_px, seed)
    return PairedDifference(float(per_pixel.mean()), float(means.std(ddof=1)))
