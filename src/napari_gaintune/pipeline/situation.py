"""What a frame and the settings say of the noise, in the model's unit."""

from __future__ import annotations

from torch import Tensor

from ..adaptation.objectives import Situation
from ..models.denoiser import Denoiser
from ..noise.level import noise_sd, read_noise_sd
from .config import DenoiseConfig


def situation_of(noisy: Tensor, input_per_unit: float, config: DenoiseConfig, denoiser: Denoiser) -> Situation:
    """The situation of a frame (h, w) in the model's unit; a noise level that was given is one in the input's.

    ``input_per_unit`` is how much of the input's noise level is one of the model's unit.
    """
    given, frame = config.noise_sd / input_per_unit, noisy.numpy()
    return Situation(
        is_blind=denoiser.network.is_blind,
        intensity_unit=denoiser.card.intensity_unit,
        noise=config.noise,
        noise_sd=given or noise_sd(frame),
        compute_dtype=denoiser.network.compute_dtype,
        read_noise_sd=given or read_noise_sd(frame),
    )
