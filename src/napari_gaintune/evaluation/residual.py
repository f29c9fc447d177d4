"""What a denoiser took away: noise, and nothing else, has the variance and the whiteness that noise has."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import SettingError
from ..image import Array
from ..noise.correlation import LIMIT_SE, NoiseCorrelation, noise_correlation
from .metrics import Float64, check_same_shape

LEAST_EXPECTED = 0.05  # of the mean: no denoiser's 0, or less, is a place where no electron can arrive
LEAST_EXPECTED_E = 0.01  # per pixel, where the mean is no better


@dataclass(frozen=True)
class ResidualCheck:
    """What is left of a frame without its denoised image, against the noise that it ought to have.

    ``chi_square`` is the sum of its squares over that of the expected variances, 1 for noise alone, within ± ``limit`` at
    95 %; ``correlation`` that of neighbours.
    """

    chi_square: float
    limit: float
    correlation: NoiseCorrelation


def check_residual(noisy: Array, denoised: Array, read_noise_e: float = 0.0) -> ResidualCheck:
    """The residual ``noisy`` - ``denoised`` against the noise of counted electrons.

    Both are (h, w) in electrons per pixel, any real dtype; ``read_noise_e`` is the standard deviation of the read noise in
    electrons. A pixel's variance is its expected electrons, as ``denoised`` has them, and read_noise_e². A chi² above 1:
    part of the scene was taken away, or the detector gain is wrong; below: part of the noise is in the result, or the gain
    is wrong. Noise that pixels share shows in the correlation, whatever the denoiser did.

    A network that sees a pixel leaves a little of its noise: twice that share is what chi² of a good one lacks. Raises
    ImageError for shapes that differ or NaN, SettingError for a negative read noise, NoiseModelError for frames under 16 px
    or a residual of nothing.
    """
    check_same_shape(noisy=noisy, denoised=denoised)
    variance = expected_variance(denoised, read_noise_e)
    residual = noisy.astype(np.float64) - denoised
    # of a Poisson variable the fourth cumulant is its mean
    spread = np.sqrt(np.sum(2 * variance**2 + variance - read_noise_e**2)) / variance.sum()
    chi_square = float(np.sum(residual**2) / variance.sum())
    return ResidualCheck(chi_square, float(LIMIT_SE * spread), noise_correlation(residual))


def expected_variance(expected_e: Array, read_noise_e: float) -> Float64:
    """Of each pixel, in electrons squared, of no less than a twentieth of the mean's electrons.

    Raises SettingError for a negative read noise.
    """
    if not 0 <= read_noise_e < np.inf:
        raise SettingError(f"read noise {read_noise_e:g} electrons: it must be 0 or more")
    expected = expected_e.astype(np.float64)
    least = max(LEAST_EXPECTED_E, LEAST_EXPECTED * float(expected.mean()))
    variance: Float64 = np.maximum(expected, least) + read_noise_e**2
    return variance
