"""Best so far, judged against the pre-trained start, pixel by pixel."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Generator, Tensor

from .crops import VALIDATION_CROPS
from .objectives import Crop, Denoise, Objective
from .parameters import State

STANDARD_ERRORS = 1.0  # how clearly a state must beat the start before it replaces it


class BestState:
    """Keeps the state with the lowest objective on the pixels of ``crops``, of those that clearly beat the start.

    At less than one electron per pixel the noise of the pixels swamps the objective. It is the same noise for every
    state, so states are compared by the pixel-wise difference to the start's loss, in which most of it cancels; and the
    start is only left for a state that beats it by ``STANDARD_ERRORS`` standard errors of that difference (the
    differences of single pixels taken as independent, which is a little too sure of itself). A frame with fewer crops to
    judge by is judged by more draws of chance.
    """

    def __init__(self, objective: Objective, crops: Sequence[Crop], denoise: Denoise, start: State, seed: int) -> None:
        self._objective, self._crops, self._denoise, self._seed = objective, crops, denoise, seed
        self._start_losses = self._losses()
        self.state, self.step, self.change = start, 0, 0.0

    def consider(self, step: int, state: State) -> float:
        """Judge the network as it stands, holding ``state``; returns the mean change against the start."""
        differences = self._losses() - self._start_losses
        change = float(differences.mean())
        uncertainty = float(differences.std()) / max(1, differences.numel()) ** 0.5
        if change < self.change and change < -STANDARD_ERRORS * uncertainty:
            self.state, self.step, self.change = state, step, change
        return change

    def _losses(self) -> Tensor:
        """The objective on every held-out pixel, always with the same draws of chance, 1-D float64 on the CPU."""
        generator = Generator().manual_seed(self._seed)
        draws = max(1, VALIDATION_CROPS // len(self._crops))
        with torch.no_grad():
            return torch.cat([self._loss(crop, draws, generator) for crop in self._crops])

    def _loss(self, crop: Crop, draws: int, generator: Generator) -> Tensor:
        losses = []
        for _ in range(draws):
            loss = self._objective.pixel_loss(self._denoise, crop, generator, every_target=True)
            losses.append(loss.values[loss.counted].double().cpu())
        return torch.stack(losses).mean(dim=0)
