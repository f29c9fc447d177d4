"""What a frame and the settings say of the noise, in the model's unit."""

from __future__ import annotations

import torch
from torch import Tensor

from ..adaptation.objectives import Situation
from ..errors import NoiseModelError
from ..models.denoiser import Denoiser
from ..noise.correlation import noise_correlation
from ..noise.level import noise_sd, read_noise_sd
from .config import DenoiseConfig

# Of neighbours, along x or y. What a network leaves of independent noise stayed below 0.012 on simulated frames of 0.1 to
# 10 e-/px; a real camera has 0.09, a scan 0.14, a point spread of half a pixel 0.4.
CORRELATED_FROM = 0.05


def neighbours_correlation(noisy: Tensor, denoised: Tensor) -> tuple[float, float]:
    """That of neighbouring pixels' noise along x and y, from what the network took away; (h, w) each.

    The scene is gone from it in the main, which no filter would achieve without correlating the noise. (0, 0) where nothing
    was taken away, or the frame is too small to tell.
    """
    try:
        found = noise_correlation((noisy - denoised).numpy())
    except NoiseModelError:
        return 0.0, 0.0
    return found.along_x[0], found.along_y[0]


def is_correlated(neighbours: tuple[float, float]) -> bool:
    """Whether neighbours share so much of their noise, along x or y, that they cannot be taken as independent."""
    return max(map(abs, neighbours)) > CORRELATED_FROM


def situation_of(
    noisy: Tensor, input_per_unit: float, neighbours: tuple[float, float], config: DenoiseConfig, denoiser: Denoiser,
    compute_dtype: torch.dtype,
) -> Situation:  # fmt: skip
    """The situation of a frame (h, w) in the model's unit; a noise level that was given is one in the input's.

    ``input_per_unit`` is how much of the input's noise level is one of the model's unit.
    """
    given, frame = config.noise_sd / input_per_unit, noisy.numpy()
    return Situation(
        is_blind=denoiser.network.is_blind,
        intensity_unit=denoiser.card.intensity_unit,
        noise=config.noise,
        noise_sd=given or noise_sd(frame),
        compute_dtype=compute_dtype,
        read_noise_sd=given or read_noise_sd(frame),
        is_correlated=is_correlated(neighbours),
    )
