"""A frame of a series, read, checked, binned and scaled for the network."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from ..image import Float32, FrameSeries, check_frame, count_nonfinite
from ..models.denoiser import Denoiser
from ..noise.intensity import IntensityScale, electron_scale, unit_scale
from ..noise.level import noise_sd
from .binning import binned
from .config import DenoiseConfig
from .range_check import dose_notes, hot_pixel_notes, objective_notes


@dataclass
class Loaded:
    """A frame read and scaled; ``noisy`` (h, w) in the model's unit on the CPU. ``notes`` are what is to be said of it."""

    index: int
    position: int
    scale: IntensityScale
    noisy: Tensor
    notes: list[str] = field(default_factory=list)


@dataclass
class Constant:
    """A frame whose pixels are all the same, (h, w) in the input's unit: it is its own best estimate."""

    index: int
    position: int
    counts: Float32
    notes: list[str]


@dataclass(frozen=True)
class Loader:
    """How the frames of one job are read."""

    series: FrameSeries
    config: DenoiseConfig
    denoiser: Denoiser
    binning: int

    def load(self, index: int, position: int) -> Loaded | Constant:
        """Frame ``index`` of the series, the ``position``-th of the job. Raises ImageError if it cannot be denoised."""
        name = f"{self.series.name}, frame {index}" if len(self.series) > 1 else self.series.name
        stored = self.series.frame(index)
        counts = check_frame(stored, name, self.config.nonfinite, self.denoiser.smallest_frame_px * self.binning)
        filled = count_nonfinite(stored)
        notes = [f"{filled} NaN or infinite pixels were filled from their neighbours"] if filled else []
        if counts.min() == counts.max():
            notes.append(f"every pixel is {counts.flat[0]:g}; there is nothing to denoise")
            return Constant(index, position, counts, notes)
        seen = binned(counts, self.binning)
        scale = self._scale(seen, stored.dtype)
        noisy = torch.from_numpy(scale.to_model(seen))
        card, dose = self.denoiser.card, float(noisy.mean())
        notes += dose_notes(dose, scale, self.config.detector_offset, card)
        notes += objective_notes(self.config, self.denoiser.network.is_blind, dose, card)
        notes += hot_pixel_notes(counts, noise_sd(counts))
        return Loaded(index, position, scale, noisy, notes)

    def _scale(self, counts: Float32, dtype: np.dtype[np.generic]) -> IntensityScale:
        card, config = self.denoiser.card, self.config
        if config.detector_gain > 0:
            return IntensityScale(config.detector_offset, config.detector_gain / self.binning**2)
        if card.intensity_unit == "electrons":
            return electron_scale(counts, card.dose_range_e_per_px, config.detector_offset)
        return unit_scale(counts, dtype)
