"""How well a network denoises held-out objects, beside what any result has to beat."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..evaluation.baselines import best_gaussian_blur
from ..models.networks import Network
from ..noise.models import Gaussian, NoiseModel, Poisson
from .dataset import SMALLEST_SD, SimulatedSet
from .recipe import TrainingRecipe

DOSES_E_PER_PX = (0.45, 0.1, 2.0, 10.0)  # the first one is watched during the training
SDS_OF_255 = (30.0, 15.0, 50.0)
CROP_PX = 256


@dataclass(frozen=True)
class Level:
    """A noise level to validate at: its name, what relative intensities are multiplied by, and the noise."""

    name: str
    dose: float
    noise: NoiseModel


def levels(recipe: TrainingRecipe) -> list[Level]:
    """The levels within the recipe's range, the one that is watched first."""
    limits = recipe.noise.dose_range_e_per_px
    if limits is None:
        lowest, highest = (255 * max(sd, SMALLEST_SD) for sd in recipe.noise.sd_range)
        sds = [sd for sd in SDS_OF_255 if lowest <= sd <= highest] or [highest]
        return [Level(f"sigma {sd:.3g}/255", 1.0, Gaussian(sd / 255)) for sd in sds]
    within = [dose for dose in DOSES_E_PER_PX if limits[0] <= dose <= limits[1]] or [limits[0]]
    return [Level(f"{dose:g} e⁻/px", dose, Poisson()) for dose in within]


def psnr_db(image: Tensor, clean: Tensor) -> float:
    """Peak signal-to-noise ratio, unclamped, in dB, of images (n, 1, h, w) in 0..1: the mean of each one's figure."""
    return float(-10 * torch.log10(_errors(image, clean)).mean())


@dataclass(frozen=True)
class ValidationSet:
    """One crop of every held-out object, (n, 1, 256, 256) float32 in the network's unit, with one fixed noise."""

    level: Level
    clean: Tensor
    noisy: Tensor

    @classmethod
    def draw(cls, data: SimulatedSet, level: Level, seed: int = 0) -> ValidationSet:
        """The same crops and the same noise for the same data, level and seed."""
        rng = np.random.default_rng([seed, 2**31])
        crops = []
        for entry in data.held_out:
            image = entry.images[rng.integers(len(entry.images))]
            side = min(CROP_PX, *image.shape)
            y, x = (int(rng.integers(0, length - side + 1)) for length in image.shape)
            crops.append(np.asarray(image[y : y + side, x : x + side], dtype=np.float32))
        clean = level.dose * torch.from_numpy(np.stack(crops))[:, None]
        return cls(level, clean, level.noise.sample(clean, torch.Generator().manual_seed(seed)))

    def baselines(self) -> dict[str, float]:
        """PSNR (dB; peak 1 electron per pixel) of the noisy images, their means, and each one's own best Gaussian blur."""
        pairs = zip(self.noisy[:, 0].numpy(), self.clean[:, 0].numpy(), strict=True)
        blurred = torch.from_numpy(np.stack([best_gaussian_blur(noisy, clean)[0] for noisy, clean in pairs]))[:, None]
        flat = self.noisy.mean(dim=(2, 3), keepdim=True).expand_as(self.noisy)
        return {
            "noisy": psnr_db(self.noisy, self.clean),
            "flat mean": psnr_db(flat, self.clean),
            "best Gaussian blur": psnr_db(blurred, self.clean),
        }

    @torch.no_grad()
    def score(self, network: Network) -> float:
        """PSNR of the network's output, dB; one image at a time."""
        device = next(network.parameters()).device
        return psnr_db(torch.cat([network(image[None].to(device)).cpu() for image in self.noisy]), self.clean)


def validation_table(data: SimulatedSet, recipe: TrainingRecipe, network: Network) -> dict[str, float]:
    """Every level's figures, named ``LEVEL, WHAT``: the network's and those it has to beat."""
    table: dict[str, float] = {}
    for level in levels(recipe):
        held_out = ValidationSet.draw(data, level)
        figures = {"network": held_out.score(network)} | held_out.baselines()
        table |= {f"{level.name}, {what}": round(value, 2) for what, value in figures.items()}
    return table


def _errors(image: Tensor, clean: Tensor) -> Tensor:
    return (image.double() - clean.double()).square().mean(dim=(1, 2, 3))
