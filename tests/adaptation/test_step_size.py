"""The share of a gradient that is signal, on gradients of known make."""

from __future__ import annotations

import pytest
import torch

from napari_gaintune.adaptation.step_size import SignalShare

COUNT, STEPS = 40_000, 40


def shares(signal: float, noise: float) -> list[float]:
    """The share after each step, for gradients of a constant and white noise, in two pieces."""
    chance, share, told = torch.Generator().manual_seed(0), SignalShare(), []
    for _ in range(STEPS):
        gradient = signal + noise * torch.randn(COUNT, generator=chance)
        told.append(share.update([gradient[:100], gradient[100:]]))
    return told


def test_a_steady_gradient_is_all_signal_from_the_second_step_on() -> None:
    assert shares(1.0, 0.0) == pytest.approx([0] + [1.0] * (STEPS - 1), abs=1e-5)


def test_of_noise_nothing_is_followed() -> None:
    """m**2 / v lies in 0 to 1: its mean over COUNT has a standard error below 0.5 / sqrt(COUNT), times 1 / (1 - rho).

    rho is highest, 0.501, after two steps. That v is the mean power of some ten draws only, large where m is large,
    lowers the mean, to the safe side.
    """
    assert max(shares(0.0, 1.0)) < 6 * 0.5 / COUNT**0.5 / (1 - 0.501)


@pytest.mark.parametrize("ratio", [0.5, 1.0, 2.0])
def test_between_the_two_it_is_the_power_of_the_signal(ratio: float) -> None:
    """signal**2 / (signal**2 + noise**2), to the error of a mean square over some ten gradients."""
    assert shares(ratio, 1.0)[-1] == pytest.approx(ratio**2 / (ratio**2 + 1), abs=0.05)


def test_a_fading_gradient_without_noise_is_signal_still() -> None:
    """The share is that of now, not of what was once: only the weight of the first ten steps is left of it."""
    share = SignalShare()
    told = [share.update([torch.full((10,), 1.0 if step < 10 else 0.2)]) for step in range(50)]
    assert told[9] == pytest.approx(1)
    left = 0.9**40 * (1 - 0.9**10) / (1 - 0.9**50)
    ratio, rho = (0.2 + 0.8 * left) ** 2 / (0.04 + 0.96 * left), 0.1 / 1.9
    assert told[-1] == pytest.approx((ratio - rho) / (1 - rho), abs=0.01)


def test_what_has_no_gradient_does_not_count() -> None:
    alive = SignalShare()
    assert [alive.update([torch.ones(10), torch.zeros(90)]) for _ in range(3)] == pytest.approx([0, 1, 1])
    dead = SignalShare()
    assert [dead.update([torch.zeros(90)]) for _ in range(3)] == [0, 0, 0]
