"""What is known of model and noise before an objective is chosen, and the noises that can be reckoned with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from ...errors import NoiseModelError
from ...noise.models import Gaussian, GaussianOfAnyLevel, NoiseModel, Poisson, PoissonGaussian
from ..config import NoiseName
from .base import Objective
from .blindspot import ArchitecturalBlindSpot
from .resampling import NoiseResampling
from .restored import Restored
from .sure import SureGaussian, SurePoisson, SurePoissonGaussian
from .unsure import Unsure

HIGHEST_UNKNOWN_SD = 50 / 255  # of the grey range: what Lee et al. 2020 draw up to where no level is told


@dataclass(frozen=True)
class Situation:
    """``noise_sd`` of all noise taken as Gaussian, and ``read_noise_sd`` of that beside counted electrons; model's unit.

    ``is_correlated``: the noise of a pixel tells that of its neighbours.
    """

    is_blind: bool
    intensity_unit: str
    noise: NoiseName
    noise_sd: float
    compute_dtype: torch.dtype = torch.float32
    read_noise_sd: float = 0.0
    is_correlated: bool = False

    @property
    def noise_kind(self) -> str:
        """The entry of ``NOISES`` that is meant."""
        return self.noise if self.noise != "auto" else "poisson" if self.intensity_unit == "electrons" else "gaussian"

    def noise_model(self) -> NoiseModel:
        return NOISES[self.noise_kind].drawn(self)

    def automatic(self) -> Objective:
        """A blind spot that neighbours can look into is none."""
        return ArchitecturalBlindSpot() if self.is_blind and not self.is_correlated else self.resampling()

    def sure(self) -> Objective:
        return NOISES[self.noise_kind].sure(self)

    def unsure(self) -> Objective:
        return Unsure(scale=self.noise_sd, is_blind=self.is_blind, compute_dtype=self.compute_dtype)

    def resampling(self) -> Objective:
        return NoiseResampling(self.noise_model(), self.sure())

    def restored(self) -> Objective:
        return Restored(self.noise_model(), self.sure())


@dataclass(frozen=True)
class Noise:
    """One kind of noise: how it is drawn, and the unbiased estimate of the error that goes with it."""

    drawn: Callable[[Situation], NoiseModel]
    sure: Callable[[Situation], Objective]


def _gaussian(now: Situation) -> Objective:
    return SureGaussian(now.noise_sd, is_blind=now.is_blind, compute_dtype=now.compute_dtype)


def _poisson(now: Situation) -> Objective:
    _needs_electrons(now)
    return SurePoisson(is_blind=now.is_blind, compute_dtype=now.compute_dtype)


def _poisson_gaussian(now: Situation) -> Objective:
    _needs_electrons(now)
    return SurePoissonGaussian(1.0, now.read_noise_sd, is_blind=now.is_blind, compute_dtype=now.compute_dtype)


def _electrons(now: Situation) -> NoiseModel:
    _needs_electrons(now)
    return Poisson()


def _read_out_electrons(now: Situation) -> NoiseModel:
    _needs_electrons(now)
    return PoissonGaussian(detector_gain=1.0, read_noise_sd=now.read_noise_sd)


def _needs_electrons(now: Situation) -> None:
    if now.intensity_unit != "electrons":
        raise NoiseModelError(
            f"noise = {now.noise!r}: this model's unit is {now.intensity_unit!r}, in which the detector gain is not known; "
            "choose a model that counts electrons, or noise gaussian"
        )


def _any_level(now: Situation) -> NoiseModel:
    if now.intensity_unit == "electrons":
        raise NoiseModelError(
            "noise = 'unknown' draws levels of the grey range, and this model counts electrons, whose noise is known; "
            "choose noise poisson or poisson-gaussian"
        )
    return GaussianOfAnyLevel(HIGHEST_UNKNOWN_SD)


NOISES: dict[str, Noise] = {
    "poisson": Noise(_electrons, _poisson),
    "gaussian": Noise(lambda now: Gaussian(now.noise_sd), _gaussian),
    "poisson-gaussian": Noise(_read_out_electrons, _poisson_gaussian),
    "unknown": Noise(_any_level, Situation.unsure),
}
