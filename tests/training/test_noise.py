"""Counting statistics, with tolerances from their own standard errors."""

from __future__ import annotations

import pytest
import torch

from napari_gaintune.errors import NoiseModelError
from napari_gaintune.training.noise import log_uniform, poisson_counts


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("dose", [0.05, 0.45, 2.0, 30.0])
def test_counts_have_the_mean_and_the_variance_of_poisson(dose: float) -> None:
    n = 200_000
    counts = poisson_counts(torch.full((n,), dose), generator()).double()
    assert torch.equal(counts, counts.round())
    assert counts.mean().item() == pytest.approx(dose, abs=5 * (dose / n) ** 0.5)
    # the variance of the sample variance: (mu4 - sigma^4) / n with mu4 = dose + 3 dose^2
    assert counts.var().item() == pytest.approx(dose, abs=5 * ((dose + 2 * dose**2) / n) ** 0.5)


def test_neighbouring_counts_are_independent() -> None:
    counts = poisson_counts(torch.full((400, 400), 0.45), generator()).double() - 0.45
    for shift in ((0, 1), (1, 0)):
        product = (counts * counts.roll(shift, (0, 1))).mean().item() / 0.45
        assert abs(product) < 5 / 400


def test_one_seed_one_noise() -> None:
    clean = torch.rand(50, 50)
    assert torch.equal(poisson_counts(clean, generator(1)), poisson_counts(clean, generator(1)))
    assert not torch.equal(poisson_counts(clean, generator(1)), poisson_counts(clean, generator(2)))


@pytest.mark.parametrize("bad", [-0.1, float("nan"), float("inf")])
def test_an_impossible_expectation_is_refused(bad: float) -> None:
    with pytest.raises(NoiseModelError, match="expected electrons"):
        poisson_counts(torch.tensor([0.4, bad]), generator())


def test_log_uniform_doses_have_uniform_logarithms() -> None:
    doses = log_uniform(0.2, 2.0, (100_000,), generator())
    assert 0.2 <= doses.min() < 0.201
    assert 1.99 < doses.max() <= 2.0 + 1e-6
    below = (doses < (0.2 * 2.0) ** 0.5).double().mean().item()
    assert below == pytest.approx(0.5, abs=5 * 0.5 / 100_000**0.5)
    with pytest.raises(NoiseModelError, match="dose range 2 to 1"):
        log_uniform(2, 1, (1,), generator())
