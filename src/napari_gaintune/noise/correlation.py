"""How far a pixel's noise tells that of its neighbours, and whether whole rows or columns share an offset."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import lambertw

from ..errors import NoiseModelError
from ..image import Array

LAGS = 5
SMALLEST_PX = 16
SLOWEST = 3  # what varies more slowly than so many times over a frame is its scene
TAPERED = 0.66  # of the frequencies are independent under a Hann taper
LIMIT_SE = 1.96  # 95 % of white noise lies within


@dataclass(frozen=True)
class NoiseCorrelation:
    """Autocorrelation of the noise at lags 1 to 5 along x and y, and what rows and columns have in common.

    White noise stays within ± ``limit`` at 95 % of the lags. Standard deviations, ``noise_sd`` of all of it, are in the
    noise's unit; those of rows and columns 0 where they differ no more than white noise makes them.
    """

    along_x: tuple[float, ...]
    along_y: tuple[float, ...]
    limit: float
    row_noise_sd: float
    column_noise_sd: float
    noise_sd: float

    @property
    def shared_by_lines(self) -> tuple[float, float]:
        """The share of the noise's variance that whole rows have in common, and whole columns; 0 to 1."""
        return (self.row_noise_sd / self.noise_sd) ** 2, (self.column_noise_sd / self.noise_sd) ** 2


def noise_correlation(noise: Array) -> NoiseCorrelation:
    """Of a map of noise without scene, (h, w) in any unit, such as the difference of two frames over √2.

    The limit is 1.96 / √pixels (Bartlett 1946). Row noise is what the two halves of a row have in common, over most of the
    spectrum: a lattice along the rows, of which a denoiser has left some, is a few peaks in it and counts for nothing.
    Raises NoiseModelError if the map is constant or smaller than 16 px in a direction.
    """
    if min(noise.shape) < SMALLEST_PX:
        raise NoiseModelError(
            f"noise of {noise.shape} px: lags up to {LAGS} need {SMALLEST_PX} px; give a larger frame"
        )
    centred = noise.astype(np.float64) - np.mean(noise, dtype=np.float64)
    variance = float(np.mean(centred**2))
    if not variance > 0:
        raise NoiseModelError("no noise found: the frames are equal; give frames of separate exposures")
    return NoiseCorrelation(
        along_x=_autocorrelation(centred.T, variance),
        along_y=_autocorrelation(centred, variance),
        limit=LIMIT_SE / float(np.sqrt(centred.size)),
        row_noise_sd=_common_sd(centred),
        column_noise_sd=_common_sd(centred.T),
        noise_sd=variance**0.5,
    )


def _autocorrelation(centred: Array, variance: float) -> tuple[float, ...]:
    """Along the first axis."""
    return tuple(float(np.mean(centred[lag:] * centred[:-lag]) / variance) for lag in range(1, LAGS + 1))


def _common_sd(centred: Array) -> float:
    """Standard deviation of what a row shares, 0 within 3 standard errors.

    Of the Fourier transforms L and R of the means of both halves of the rows, pixels apart that neighbours share noise with,
    c = Re(L R*) has the mean rho s, s being the power of either and rho s that which they share, and the median
    (1 + rho) ln(1 + rho) s / 2: c of correlated normal variables is distributed as an asymmetric Laplace variable.
    """
    rows, width = centred.shape
    near, far = centred[:, : width // 2 - LAGS], centred[:, width // 2 + LAGS :]
    taper = np.hanning(rows + 2)[
        1:-1
    ]  # else what is left of a scene, slow and not periodic, leaks into all frequencies
    taper /= np.sqrt(np.mean(taper**2))
    left, right = (np.fft.rfft(taper * half.mean(axis=1))[SLOWEST : (rows + 1) // 2] for half in (near, far))
    power = np.sqrt(np.median(np.abs(left) ** 2) * np.median(np.abs(right) ** 2)) / np.log(2)
    shared = np.median((left * right.conj()).real)
    if not shared > 0:
        return 0.0
    rho = float(np.exp(lambertw(2 * shared / power).real)) - 1
    return float(np.sqrt(rho * power / rows)) if rho > 3 / np.sqrt(TAPERED * left.size) else 0.0
