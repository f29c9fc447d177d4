"""The noise of counted electrons."""

from __future__ import annotations

import torch
from torch import Tensor

from ..errors import NoiseModelError


def poisson_counts(expected_electrons: Tensor, generator: torch.Generator) -> Tensor:
    """Electrons counted where ``expected_electrons`` (any shape, >= 0) are expected: whole numbers, float32.

    The same seed of ``generator`` gives the same bits on one device. Raises NoiseModelError where an expectation is
    negative or not finite. Assumes a detector that counts single electrons, one pixel each, with no dead time.
    """
    lowest = float(expected_electrons.min())
    if not lowest >= 0 or not bool(torch.isfinite(expected_electrons).all()):
        raise NoiseModelError(
            f"expected electrons reach {lowest:g} or are not finite; counts need expectations of 0 or more: "
            "clip the clean image at 0 first"
        )
    return torch.poisson(expected_electrons.float(), generator=generator)


def log_uniform(low: float, high: float, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Random numbers between ``low`` and ``high`` whose logarithms are uniform, float32. Needs 0 < low <= high."""
    if not 0 < low <= high:
        raise NoiseModelError(f"dose range {low:g} to {high:g} electrons per pixel; give 0 < low <= high")
    return torch.empty(shape).uniform_(generator=generator).mul_(float(torch.tensor(high / low).log())).exp_().mul_(low)
