"""How long a step may be: as long as the gradient can be told from noise."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import torch
from torch import Tensor

MEMORY = 0.9  # as long as that of Adam's first average


class Pace(Protocol):
    """How much of Adam's step is walked: the root of a share from 0 to 1, for the gradients of each step."""

    def update(self, gradients: Sequence[Tensor]) -> float: ...


class Plain:
    """Adam as it is, as the papers other than GainTuning have it."""

    def update(self, gradients: Sequence[Tensor]) -> float:
        return 1.0


class SignalShare:
    """The part of a gradient's power that is signal, 0 to 1: one figure for everything that moves.

    Of the squared average of gradients m**2 noise alone makes up the share rho of their mean square v, rho being the sum
    of the squared weights in the averages; the signal is what is above, (m**2 / v - rho) / (1 - rho) (Balles and Hennig
    2018, variance adaptation of M-SVAG). 0 until two gradients were seen. Takes the noise of the steps as independent: what
    lasts from step to step, the noise of a frame that every crop shows, passes for signal.
    """

    def __init__(self) -> None:
        self._steps = 0
        self._mean = self._square = torch.zeros(())

    def update(self, gradients: Sequence[Tensor]) -> float:
        """The share after one more gradient, given as the tensors it consists of, the same ones each time."""
        gradient = torch.cat([part.detach().flatten() for part in gradients])
        self._steps += 1
        self._mean = MEMORY * self._mean.to(gradient) + (1 - MEMORY) * gradient
        self._square = MEMORY * self._square.to(gradient) + (1 - MEMORY) * gradient.square()
        alive = self._square > torch.finfo(gradient.dtype).tiny  # a rectifier that never passes has no gradient at all
        if self._steps < 2 or not alive.any():
            return 0.0
        weight = 1 - MEMORY**self._steps
        rho = (1 - MEMORY) * (1 + MEMORY**self._steps) / ((1 + MEMORY) * weight)
        ratio = float((self._mean[alive].square() / self._square[alive]).mean()) / weight
        return min(1.0, max(0.0, (ratio - rho) / (1 - rho)))


PACES: dict[str, Callable[[], Pace]] = {"clear": SignalShare, "plain": Plain}
