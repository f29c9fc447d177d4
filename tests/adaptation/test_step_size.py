"""The share of a gradient that is signal, on gradients of known make."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from napari_gaintune.adaptation.step_size import signal_share

COUNT, STEPS = 40_000, 25


def shares(signal: float, noise: float) -> list[float]:
    """The share before each step, for gradients of a constant and white noise."""
    chance = torch.Generator().manual_seed(0)
    moved = torch.zeros(COUNT, requires_grad=True)
    optimiser, told = torch.optim.Adam([moved]), []
    for _ in range(STEPS):
        told.append(signal_share(optimiser))
        gradient: Tensor = signal + noise * torch.randn(COUNT, generator=chance)
        moved.grad = gradient
        optimiser.step()
    return told


def test_a_steady_gradient_is_all_signal_from_the_third_step_on() -> None:
    assert shares(1.0, 0.0) == pytest.approx([0, 0] + [1.0] * (STEPS - 2), abs=1e-5)


def test_of_noise_nothing_is_followed() -> None:
    """m**2 / v has at most mean and standard deviation 1: its mean over COUNT has an error below 1 / sqrt(COUNT).

    The ratio of two averages over t steps is not the ratio of their means; the difference falls with t.
    """
    told = shares(0.0, 1.0)
    assert max(told) < 0.05
    assert max(told[10:]) < 0.02


@pytest.mark.parametrize("ratio", [0.5, 1.0, 2.0])
def test_between_the_two_it_is_the_power_of_the_signal(ratio: float) -> None:
    """signal**2 / (signal**2 + noise**2), to the error of a mean square over STEPS gradients."""
    expected = ratio**2 / (ratio**2 + 1)
    assert shares(ratio, 1.0)[-1] == pytest.approx(expected, abs=0.05)


def test_two_steps_are_needed_to_tell() -> None:
    assert shares(1.0, 1.0)[:2] == [0, 0]
