"""Detector gain, offset and read noise from how the noise grows with the mean (photon transfer)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.ndimage import uniform_filter
from scipy.optimize import brentq

from ..errors import NoiseModelError
from ..image import Array

BLOCK_PX = 8
REACH_PX = 4  # charge of a point spread of 1 px is correlated no farther: 99.7 % of its covariance lies within
SHARED_FROM_SE = 5.0  # neighbours less correlated than that many standard errors count as independent
MOST_SHARED = 1e-3  # the least share of the variance that a pixel keeps, at a point spread of 9 px
COUNTED_WITHIN = 0.1  # of 1, variance over mean: a scene's detail adds to it
SMALLEST_FRAME_PX = 4 * BLOCK_PX + 2 * REACH_PX

Float64 = npt.NDArray[np.float64]


@dataclass(frozen=True)
class PhotonTransfer:
    """What a detector makes of electrons: counts = gain * electrons + offset + read noise.

    ``detector_gain`` in counts per electron, corrected for charge sharing; offset, read noise and mean in counts; the dose
    in e⁻/px is the mean's. ``variance_share`` is the part of the counting variance that a pixel keeps after charge
    sharing (1: none is shared). ``gain_se`` is the standard error of the gain before that correction, in counts per
    electron, ``offset_se`` and ``dose_se`` those of offset and dose, which the gain's error enters. ``block_means`` and
    ``block_variances`` are (n,), the points of the fitted line ``intercept + slope * mean``.
    """

    detector_gain: float
    detector_offset: float
    read_noise_sd: float
    dose_e_per_px: float
    mean: float
    variance_share: float
    gain_se: float
    offset_se: float
    dose_se: float
    slope: float
    intercept: float
    block_means: Float64
    block_variances: Float64

    def as_counts(self, gain_within: float) -> PhotonTransfer | None:
        """The exact detector, if the noise is that of electrons counted one by one: gain 1, offset 0, no read noise.

        That is where the variance is the mean, and the measured gain is 1 within ``gain_within``. None where it is not.
        Values that are no whole numbers are no counts, which this cannot see.
        """
        over_mean = (self.intercept + self.slope * self.mean) / self.mean if self.mean > 0 else 0.0
        if abs(over_mean - 1) > COUNTED_WITHIN or abs(self.slope - 1) > gain_within:
            return None
        return replace(
            self,
            detector_gain=1.0,
            detector_offset=0.0,
            read_noise_sd=0.0,
            dose_e_per_px=self.mean,
            variance_share=1.0,
            offset_se=0.0,
            dose_se=0.0,
        )


class PhotonTransferCurve:
    """Frames in, photon transfer out; three frames and four small maps are in memory, however long the series.

    Noise is taken from d = (a - 2b + c)/√6 of neighbouring frames: what stays, and what changes evenly, cancels. Its
    variance is gain * share * (mean - offset) + read noise² (Janesick 2007, ch. 5), its third cumulant, times -√6, is
    gain² * (mean - offset) without sharing, which tells the offset from the read noise: a Gaussian has none. The sum of
    d's covariances over neighbours is gain * (mean - offset) + read noise² whatever is shared. Assumes white read noise,
    a Gaussian point spread and a scene that moves by less than its detail between frames.
    """

    def __init__(self) -> None:
        self._recent: list[Float64] = []
        self._sums: Float64 | None = None  # (5, blocks): mean, variance, covariance sum, third cumulant, next pixel's
        self._triples = 0

    def add(self, frame: Array) -> None:
        """Takes the next frame, (h, w) in counts, finite; at least 4 blocks wide and high."""
        _check_size(frame, SMALLEST_FRAME_PX)
        self._recent = [*self._recent[-2:], frame.astype(np.float64)]
        if len(self._recent) == 3:
            sums = _block_moments(*self._recent)
            self._sums = sums if self._sums is None else self._sums + sums
            self._triples += 1

    def fit(self) -> PhotonTransfer:
        """The detector, from all frames so far. NoiseModelError below 3 frames, or if noise does not grow with the mean."""
        if self._sums is None:
            raise NoiseModelError("fewer than 3 frames: noise is told from the scene by three neighbours; add frames")
        return _detector(self._sums / self._triples)


def photon_transfer_of_frame(frame: Array) -> PhotonTransfer:
    """The detector from one frame, (h, w) in counts: every third column stands for a frame of a series.

    Assumes a scene that is nearly straight over 3 px, and noise independent from pixel to pixel; else the gain comes out
    wrong (too large for detail, too small for charge sharing). Row offsets cancel. Raises NoiseModelError as the curve.
    """
    _check_size(frame, SMALLEST_FRAME_PX, 3 * SMALLEST_FRAME_PX)
    curve = PhotonTransferCurve()
    width = frame.shape[1] // 3 * 3
    for start in range(3):
        curve.add(frame[:, start:width:3])
    return curve.fit()


def _check_size(frame: Array, height_px: int, width_px: int = 0) -> None:
    needed = height_px, width_px or height_px
    if any(size < least for size, least in zip(frame.shape, needed, strict=True)):
        raise NoiseModelError(
            f"frame of {frame.shape[0]} x {frame.shape[1]} px: a photon transfer curve needs {needed[0]} x {needed[1]} px "
            f"or more{' of a single frame' if width_px else ''}; give a larger frame"
        )


def _block_moments(a: Float64, b: Float64, c: Float64) -> Float64:
    """Of three frames (h, w): (5, n) block averages of the mean, d², d * its neighbourhood's sum, -√6 d³, d * right."""
    d = (a - 2 * b + c) / np.sqrt(6)
    around = uniform_filter(d, 2 * REACH_PX + 1, mode="constant") * (2 * REACH_PX + 1) ** 2
    maps = (a + b + c) / 3, d**2, d * around, -np.sqrt(6) * d**3, d * np.roll(d, -1, axis=1)
    height, width = ((n - 2 * REACH_PX) // BLOCK_PX for n in d.shape)
    inner = (slice(REACH_PX, REACH_PX + height * BLOCK_PX), slice(REACH_PX, REACH_PX + width * BLOCK_PX))
    tiled = (height, BLOCK_PX, width, BLOCK_PX)
    return np.stack([m[inner].reshape(tiled).mean(axis=(1, 3)).ravel() for m in maps])


def _detector(moments: Float64) -> PhotonTransfer:
    means, variances, covariance_sums, thirds, neighbours = moments
    slope, intercept, slope_se = _line(means, variances)
    if slope < -2 * slope_se:
        raise NoiseModelError(
            f"the noise falls where it is brighter, by {-slope:.3g} ± {slope_se:.2g} per count: these are no counts of "
            "electrons (a bright-field scan, or scaled, inverted or filtered values), or the scene moves between frames. "
            "The detector gain cannot be told; give it by hand, or leave it to be estimated"
        )
    if not slope > 2 * slope_se:
        raise NoiseModelError(
            f"noise grows by {slope:.3g} ± {slope_se:.2g} per count: without bright and dark places, or with corrected "
            "counts, the detector gain cannot be told; give it by hand"
        )
    correlated = abs(neighbours.mean()) > SHARED_FROM_SE * neighbours.std() / np.sqrt(neighbours.size)
    integrated = _line(means, covariance_sums)[0] if correlated else slope
    share = float(np.clip(slope / integrated, MOST_SHARED, 1.0)) if integrated > 0 else 1.0
    gain = slope / share
    above_offset = thirds.mean() / (gain**2 * _third_share(share))
    third_error = thirds.std() / np.sqrt(thirds.size) / abs(thirds.mean())
    gain_error = slope_se / slope
    read_variance = variances.mean() - slope * above_offset
    return PhotonTransfer(
        detector_gain=gain,
        detector_offset=float(means.mean() - above_offset),
        read_noise_sd=float(np.sqrt(max(0.0, read_variance))),
        dose_e_per_px=float(above_offset / gain),
        mean=float(means.mean()),
        variance_share=share,
        gain_se=slope_se,
        offset_se=float(abs(above_offset) * np.hypot(third_error, 2 * gain_error)),
        dose_se=float(abs(above_offset / gain) * np.hypot(third_error, 3 * gain_error)),
        slope=slope,
        intercept=intercept,
        block_means=means,
        block_variances=variances,
    )


def _line(x: Float64, y: Float64) -> tuple[float, float, float]:
    """Slope, intercept and the slope's standard error; y's spread is taken as proportional to its fitted value."""
    weight = np.ones_like(x)
    for _ in range(3):
        centre = np.average(x, weights=weight)
        scatter = np.sum(weight * (x - centre) ** 2)
        if not scatter > 0:
            return 0.0, float(np.mean(y)), float("inf")
        slope = np.sum(weight * (x - centre) * y) / scatter
        intercept = np.average(y, weights=weight) - slope * centre
        fitted = intercept + slope * x
        residual = np.average((y - fitted) ** 2, weights=weight)
        slope_se = np.sqrt(residual * np.sum(weight) / scatter / max(1, x.size - 2))
        weight = 1 / np.maximum(fitted, 0.1 * max(float(np.mean(y)), np.finfo(float).tiny)) ** 2
    return float(slope), float(intercept), float(slope_se)


def _third_share(variance_share: float) -> float:
    """Sum of the cubes of a Gaussian point spread's weights whose squares add up to ``variance_share``."""

    def power_sum(sd_px: float, power: int) -> float:
        weights = np.exp(-0.5 * (np.arange(-60, 61) / sd_px) ** 2)
        return float(np.sum((weights / weights.sum()) ** power) ** 2)

    if variance_share > 0.999:
        return 1.0
    sd_px = brentq(lambda s: power_sum(s, 2) - variance_share, 0.1, 12.0)
    return power_sum(float(sd_px), 3)
