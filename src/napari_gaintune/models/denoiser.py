"""A pre-trained denoiser: a network and its card."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from .card import ModelCard
from .networks import Network


@dataclass(frozen=True)
class Denoiser:
    """Borrowed by an adaptation and given back bit-exact; computes in the unit its card names."""

    card: ModelCard
    network: Network

    @property
    def smallest_frame_px(self) -> int:
        """A frame needs one whole receptive field in each direction, or half a crop of the training.

        Half a crop is where the networks behind Bragg filters still beat a blur on average; of less they know too little.
        """
        field_px = 2 * self.network.receptive_field_radius + 1
        return min(field_px, self.card.crop_px // 2 if self.card.crop_px else field_px)

    def place(self, device: torch.device, compute_dtype: torch.dtype) -> Denoiser:
        """Moves the network to ``device`` and sets the precision of its inner layers."""
        self.network.to(device)
        self.network.compute_dtype = compute_dtype
        return self
