"""How well a network denoises held-out specimens, beside the two figures that any result has to beat."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor

from ..models.networks import Network
from .dataset import SimulatedSet
from .noise import poisson_counts

VALIDATION_DOSE_E_PER_PX = 0.45
VALIDATION_CROP_PX = 256


def psnr_db(image: Tensor, clean: Tensor) -> float:
    """Peak signal-to-noise ratio with the peak at 1, unclamped, from the squared error pooled over all images."""
    return float(-10 * torch.log10(torch.mean((image.double() - clean.double()) ** 2)))


@dataclass(frozen=True)
class ValidationSet:
    """One crop of every held-out specimen, (n, 1, 256, 256) float32 electrons per pixel, with one fixed noise."""

    clean: Tensor
    noisy: Tensor

    @classmethod
    def draw(cls, data: SimulatedSet, seed: int = 0) -> ValidationSet:
        """The same crops and the same noise for the same data and seed."""
        rng = np.random.default_rng([seed, 2**31])
        crops = []
        for stack in data.held_out:
            image = stack[rng.integers(len(stack))]
            side = min(VALIDATION_CROP_PX, *image.shape)
            y, x = (int(rng.integers(0, length - side + 1)) for length in image.shape)
            crops.append(np.asarray(image[y : y + side, x : x + side], dtype=np.float32))
        clean = VALIDATION_DOSE_E_PER_PX * torch.from_numpy(np.stack(crops))[:, None]
        return cls(clean, poisson_counts(clean, torch.Generator().manual_seed(seed)))

    def baselines(self) -> dict[str, float]:
        """PSNR of the counts themselves, of each image's mean, and of the one best Gaussian blur for the set."""
        blurs = {sigma: psnr_db(self._blurred(sigma), self.clean) for sigma in np.arange(1.0, 16.0, 0.5)}
        sigma = max(blurs, key=lambda s: blurs[s])
        flat = self.noisy.mean(dim=(2, 3), keepdim=True).expand_as(self.noisy)
        return {
            "noisy": psnr_db(self.noisy, self.clean),
            "flat": psnr_db(flat, self.clean),
            f"gaussian blur, sigma {sigma:g} px": blurs[sigma],
        }

    def _blurred(self, sigma_px: float) -> Tensor:
        return torch.from_numpy(gaussian_filter(self.noisy.numpy(), (0, 0, sigma_px, sigma_px), mode="reflect"))

    @torch.no_grad()
    def score(self, network: Network) -> float:
        """PSNR of the network's output, dB; one image at a time."""
        return psnr_db(torch.cat([network(image[None]) for image in self.noisy]), self.clean)
