"""The one place where counts, grey values and floats become a model's unit, and come back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import NoiseModelError
from ..image import Float32
from .level import noise_variance_and_mean

TYPICAL_DOSE_E_PER_PX = 0.45
NOISE_BELOW_ZERO_SD = 3.0  # read noise on few electrons goes below zero; a subtracted mean goes farther


@dataclass(frozen=True)
class IntensityScale:
    """model = (input - offset) / per_unit: the detector's offset, and its counts per electron (or per grey unit)."""

    offset: float
    per_unit: float

    def __post_init__(self) -> None:
        if not (np.isfinite(self.offset) and np.isfinite(self.per_unit) and self.per_unit > 0):
            raise NoiseModelError(
                f"intensity scale: offset {self.offset}, {self.per_unit} counts per unit; both must be finite and the "
                "second above 0: give the detector gain and offset by hand"
            )

    def to_model(self, frame: Float32) -> Float32:
        """Input unit -> model unit, float32, a copy."""
        return ((frame.astype(np.float64) - self.offset) / self.per_unit).astype(np.float32)

    def to_input(self, frame: Float32) -> Float32:
        """Model unit -> input unit, float32, a copy."""
        return (frame.astype(np.float64) * self.per_unit + self.offset).astype(np.float32)


def electron_scale(
    frame: Float32, dose_range_e_per_px: tuple[float, float] | None, offset: float = 0.0
) -> IntensityScale:
    """The scale under which the frame's mean and noise are those of counted electrons.

    For counts above a known offset, variance = detector gain * mean, so that the dose is mean**2 / variance. An ``offset``
    other than 0 is taken as known. With an offset of 0, where that dose is not in the range the model knows, or values
    lie farther below 0 than noise explains, there must be a pedestal or a subtracted mean: then the frame is moved to the
    nearest dose of the range, at which a Poisson variable has this frame's mean and noise variance. ``frame`` is (h, w)
    and not constant. Raises NoiseModelError if no noise is found, or the mean is not above a given offset.
    """
    variance, mean = noise_variance_and_mean(frame - np.float32(offset))
    if not variance > 0:
        raise NoiseModelError(
            "no noise found: neighbouring pixels hardly differ, the frame seems denoised, interpolated or constant "
            "already; give the detector gain by hand to go on"
        )
    if offset != 0:
        if not mean > 0:
            raise NoiseModelError(
                f"detector_offset = {offset:g} lies above the frame's mean, {offset + mean:g}; give the counts of an "
                "unexposed pixel"
            )
        return IntensityScale(offset, variance / mean)
    low, high = dose_range_e_per_px or (0.0, np.inf)
    counted = mean > 0 and float(np.quantile(frame, 0.01)) >= -NOISE_BELOW_ZERO_SD * np.sqrt(variance)
    dose = mean**2 / variance if counted else TYPICAL_DOSE_E_PER_PX
    if counted and low <= dose <= high:
        return IntensityScale(0.0, variance / mean)
    dose = float(np.clip(dose, low, high))
    per_electron = float(np.sqrt(variance / dose))
    return IntensityScale(mean - dose * per_electron, per_electron)


def unit_scale(frame: Float32, dtype: np.dtype[np.generic]) -> IntensityScale:
    """Grey values to 0..1: by the type's range for 8-bit integers, else by the frame's 0.1 and 99.9 percentiles."""
    if dtype == np.uint8:
        return IntensityScale(0.0, 255.0)
    low, high = (float(v) for v in np.percentile(frame, (0.1, 99.9)))
    return IntensityScale(low, high - low if high > low else 1.0)
