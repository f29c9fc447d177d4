"""Noise that is drawn has the mean, the variance and the correlation its model says; tolerances from standard errors."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_gaintune.errors import NoiseModelError
from napari_gaintune.noise.models import Correlated, Gaussian, KnownNoise, Poisson, PoissonGaussian

SIDE = 600
MODELS: dict[str, tuple[KnownNoise, float, float]] = {  # model, clean value, variance
    "Gaussian": (Gaussian(0.2), 0.5, 0.04),
    "Poisson, 0.05": (Poisson(), 0.05, 0.05),
    "Poisson, 0.45": (Poisson(), 0.45, 0.45),
    "Poisson, 30": (Poisson(), 30.0, 30.0),
    "Poisson-Gaussian": (PoissonGaussian(100.0, 50.0, 20.0), 50.0 + 100 * 0.45, 100 * 100 * 0.45 + 400),
    "Poisson-Gaussian, no read noise": (PoissonGaussian(2.0, -3.0), 5.0, 2 * 8.0),
}


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def drawn(model: KnownNoise, clean: float, seed: int = 0) -> np.ndarray:
    return model.sample(torch.full((SIDE, SIDE), clean), generator(seed)).double().numpy() - clean


@pytest.mark.parametrize("name", MODELS)
def test_noise_has_its_mean_and_variance(name: str) -> None:
    model, clean, variance = MODELS[name]
    noise = drawn(model, clean)
    assert abs(noise.mean()) < 5 * np.sqrt(variance) / SIDE
    # the variance of a sample variance is (fourth moment - variance squared) / n; the moments are those found
    spread = np.sqrt((np.mean(noise**4) - variance**2) / SIDE**2)
    assert noise.var() == pytest.approx(variance, abs=5 * spread)


@pytest.mark.parametrize("name", MODELS)
def test_pixels_are_independent_unless_said_otherwise(name: str) -> None:
    model, clean, variance = MODELS[name]
    noise = drawn(model, clean)
    for axis in (0, 1):
        assert abs((noise * np.roll(noise, 1, axis)).mean()) < 5 * variance / SIDE


@pytest.mark.parametrize("name", MODELS)
def test_one_seed_one_noise(name: str) -> None:
    model, clean, _ = MODELS[name]
    assert np.array_equal(drawn(model, clean, 1), drawn(model, clean, 1))
    assert not np.array_equal(drawn(model, clean, 1), drawn(model, clean, 2))


@pytest.mark.parametrize("name", MODELS)
def test_a_point_spread_correlates_neighbours_and_keeps_the_mean(name: str) -> None:
    model, clean, variance = MODELS[name]
    sd_px = 0.8
    noise = drawn(Correlated(model, point_spread_px=sd_px), clean)
    assert abs(noise.mean()) < 6 * np.sqrt(variance) / SIDE
    reach = np.arange(-5, 6)
    kernel = np.exp(-0.5 * (reach / sd_px) ** 2)
    kernel[np.abs(reach) > 3] = 0  # four standard deviations, rounded: 3 px
    kernel /= kernel.sum()
    along = [np.sum(kernel[: len(kernel) - lag] * kernel[lag:]) for lag in (0, 1, 2)]
    # noise of independent pixels, each estimate's relative error about the width of the kernel over the side
    tolerance = 6 * 3 * sd_px / SIDE * np.sqrt(np.mean(drawn(model, clean) ** 4)) / variance
    for lag in (0, 1, 2):
        found = (noise * np.roll(noise, lag, 1)).mean() / variance
        assert found == pytest.approx(along[0] * along[lag], abs=tolerance * along[0] ** 2)


def test_row_noise_is_one_number_for_a_whole_row() -> None:
    clean = torch.zeros(400, 300)
    noise = Correlated(Gaussian(1e-6), row_noise_sd=0.5).sample(clean, generator()).double().numpy()
    assert np.ptp(noise, axis=1).max() < 1e-4
    assert noise[:, 0].std() == pytest.approx(0.5, abs=5 * 0.5 / np.sqrt(2 * 400))


def test_correlated_noise_is_drawn_for_a_batch_as_for_one_image() -> None:
    noisy = Correlated(Gaussian(0.1), 0.5, 0.1).sample(torch.ones(3, 1, 32, 40), generator())
    assert noisy.shape == (3, 1, 32, 40)
    assert not torch.equal(noisy[0], noisy[1])


def test_negative_expectations_count_as_none() -> None:
    assert torch.equal(Poisson().sample(torch.full((10, 10), -1.0), generator()), torch.zeros(10, 10))


def test_impossible_noise_is_refused() -> None:
    with pytest.raises(NoiseModelError, match="noise_sd = 0"):
        Gaussian(0.0)
    with pytest.raises(NoiseModelError, match="detector_gain = 0"):
        PoissonGaussian(detector_gain=0.0)
    with pytest.raises(NoiseModelError, match="row_noise_sd = -1"):
        Correlated(Poisson(), row_noise_sd=-1)


@pytest.mark.parametrize("name", MODELS)
def test_the_variance_told_in_advance_is_the_models(name: str) -> None:
    model, clean, variance = MODELS[name]
    torch.testing.assert_close(model.variance(torch.full((3, 4), clean)), torch.full((3, 4), variance))


def test_the_variance_told_of_correlated_noise_is_that_of_what_is_drawn() -> None:
    """In two halves of two doses, away from the border; many draws, as the noise of neighbours is not independent."""
    clean = torch.ones(200, 24, 24)
    clean[..., 12:] = 4.0
    model = Correlated(PoissonGaussian(read_noise_sd=0.5), point_spread_px=0.6, row_noise_sd=0.3)
    told, noise = model.variance(clean[0]), model.sample(clean, generator()) - clean
    found = noise.var(dim=0)
    for columns in (slice(4, 8), slice(16, 20)):
        # 200 draws of some 16 * 4 / 3 pixels that are independent: a relative error of sqrt(2 / 4000), 2 %; rows less
        assert float(found[4:20, columns].mean()) == pytest.approx(float(told[10, columns].mean()), rel=0.1)
    assert float(told[10, 18]) > 2 * float(told[10, 6])


def test_where_no_electron_is_expected_there_is_read_noise_alone() -> None:
    model, clean = PoissonGaussian(2.0, 3.0, 0.5), torch.full((400, 400), -3.0)
    assert torch.equal(model.variance(clean), torch.full_like(clean, 0.25))
    # five standard errors of the variance of 160,000 Gaussian draws
    assert float(model.sample(clean, generator()).var()) == pytest.approx(0.25, rel=5 * (2 / 400**2) ** 0.5)
