"""The oracle blur finds the width that theory says is best; the flat image is a mean."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from scipy.optimize import minimize_scalar

from napari_gaintune.errors import ImageError
from napari_gaintune.evaluation import baselines
from napari_gaintune.evaluation.baselines import (
    NLM_STRENGTHS,
    SIGMA_TOLERANCE_PX,
    TV_WEIGHTS,
    best_bragg_filter,
    best_gaussian_blur,
    best_non_local_means,
    best_total_variation,
    blurred,
    flat_mean,
)


def waves(edge_px: int, period_px: float, amplitude: float) -> np.ndarray:
    """Cosine rows whose mirrored continuation is the same cosine: a blur only lowers their amplitude."""
    x = np.arange(edge_px) + 0.5
    return np.broadcast_to(amplitude * np.cos(2 * np.pi * x / period_px), (edge_px, edge_px))


def test_the_best_sigma_is_the_one_of_theory(rng: np.random.Generator) -> None:
    edge_px, period_px, amplitude, noise_sd = 256, 32, 0.5, 1.0

    def expected_error(sigma_px: float) -> float:
        lost = 1 - np.exp(-((2 * np.pi / period_px * sigma_px) ** 2) / 2)
        # near a mirrored border pixels are counted twice: on average this much more noise along each axis
        mirrored = 1 + np.sqrt(np.pi) * sigma_px / edge_px
        return amplitude**2 / 2 * lost**2 + noise_sd**2 / (4 * np.pi * sigma_px**2) * mirrored**2

    best_px = minimize_scalar(expected_error, bounds=(1, 8), method="bounded").x
    truth = waves(edge_px, period_px, amplitude)
    found_px = [best_gaussian_blur(truth + noise_sd * rng.normal(size=truth.shape), truth)[1] for _ in range(12)]
    standard_error = np.std(found_px, ddof=1) / np.sqrt(len(found_px))
    assert 2 < best_px < 6
    assert abs(np.mean(found_px) - best_px) < 6 * standard_error + SIGMA_TOLERANCE_PX


def test_no_other_width_is_better(rng: np.random.Generator) -> None:
    truth = waves(96, 24, 0.5)
    noisy = rng.poisson(0.6 + truth) - 0.6
    image, sigma_px = best_gaussian_blur(noisy, truth)
    error = np.mean((image - truth) ** 2)
    np.testing.assert_array_equal(image, blurred(noisy, sigma_px))
    for other_px in np.arange(0.3, 48, 0.1):
        change = np.mean((blurred(noisy, other_px) - truth) ** 2) - error
        # at a minimum, being off by the tolerance costs next to nothing
        assert change > -1e-4 * error, other_px


def test_the_blur_is_the_sampled_gaussian_mirrored_at_the_borders(rng: np.random.Generator) -> None:
    frames = rng.random((2, 40, 56))
    expected = gaussian_filter(frames, (0, 2.5, 2.5), mode="reflect", truncate=8)
    # a sampled Gaussian of 2.5 px aliases by exp(-2 π² 2.5²) = 1e-54; what is left is float32
    np.testing.assert_allclose(blurred(frames, 2.5), expected, rtol=1e-6)


def test_one_sigma_serves_a_series_and_frames_do_not_mix(rng: np.random.Generator) -> None:
    truth = np.stack([waves(64, 32, 0.5), waves(64, 16, 0.5)])
    noisy = truth + rng.normal(size=truth.shape)
    image, sigma_px = best_gaussian_blur(noisy, truth)
    assert image.shape == truth.shape
    assert image.dtype == np.float32
    np.testing.assert_array_equal(image[1], blurred(noisy[1], sigma_px))


def test_a_clean_image_is_not_blurred(rng: np.random.Generator) -> None:
    truth = rng.random((32, 40)).astype(np.float32)
    image, sigma_px = best_gaussian_blur(truth, truth)
    assert sigma_px == 0
    np.testing.assert_array_equal(image, truth)
    assert image is not truth


def test_integer_counts_are_blurred_as_numbers(rng: np.random.Generator) -> None:
    counts = rng.poisson(200, size=(32, 32)).astype(np.uint8)
    image, sigma_px = best_gaussian_blur(counts, np.full((32, 32), 200.0))
    assert sigma_px > 4
    # sd of the blurred counts: sqrt(200 / (4 π)) / sigma, times 2 where the mirror repeats pixels
    assert np.abs(image - 200).max() < 6 * 2 * np.sqrt(200 / (4 * np.pi)) / sigma_px


def test_flat_mean_is_each_frames_mean(rng: np.random.Generator) -> None:
    noisy = rng.poisson(3, size=(2, 5, 7)).astype(np.uint16)
    flat = flat_mean(noisy)
    assert flat.dtype == np.float32
    assert flat.flags.writeable
    np.testing.assert_allclose(flat, noisy.mean(axis=(1, 2), keepdims=True) + np.zeros_like(noisy), rtol=1e-6)


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(ImageError, match="shapes differ"):
        best_gaussian_blur(np.zeros((8, 8)), np.zeros((8, 9)))
    with pytest.raises(ImageError, match="rows and columns"):
        best_gaussian_blur(np.zeros(8), np.zeros(8))


@pytest.mark.parametrize("method", [best_total_variation, best_non_local_means])
@pytest.mark.parametrize("scale", [1.0, 300.0])
def test_an_edge_preserving_method_beats_the_noise_in_any_unit(
    method: Callable[..., tuple[np.ndarray, float]], scale: float
) -> None:
    rng = np.random.default_rng(4)  # its own: the same noise in both units
    truth = np.where(np.arange(64) < 32, 1.0, 2.0) * np.ones((64, 1))
    noisy = truth + 0.3 * rng.normal(size=truth.shape)
    image, strength = method(scale * noisy, scale * truth)
    assert image.dtype == np.float32
    assert np.mean((image / scale - truth) ** 2) < 0.25 * np.mean((noisy - truth) ** 2)
    assert method(noisy, truth)[1] == strength


@pytest.mark.parametrize(
    ("best", "method", "strongest"),
    [
        (best_total_variation, baselines._total_variation, TV_WEIGHTS[-1]),
        (best_non_local_means, baselines._non_local_means, NLM_STRENGTHS[-1]),
    ],
)
def test_no_stronger_strength_would_have_been_better_at_a_low_dose(
    best: Callable[..., tuple[np.ndarray, float]],
    method: Callable[..., np.ndarray],
    strongest: float,
    rng: np.random.Generator,
) -> None:
    """Else the method would be sold under its worth; 1 % of an error is 0.04 dB."""
    truth = 0.1 * (1 + waves(256, 80, 0.05))
    noisy = rng.poisson(truth)
    image, strength = best(noisy, truth)
    error = np.mean((image - truth) ** 2)
    assert strength >= strongest / 32
    for stronger in (2 * strongest, 4 * strongest):
        image = noisy.std() * method(noisy / noisy.std(), stronger)
        assert error < 1.01 * np.mean((image - truth) ** 2)


@pytest.mark.parametrize("best", [best_total_variation, best_non_local_means])
def test_no_method_is_sold_under_a_flat_image(best: Callable[..., tuple[np.ndarray, float]]) -> None:
    """Of a faint object at a tenth of an electron per pixel neither comes so near to the truth as its mean does."""
    rng = np.random.default_rng(6)
    truth = np.full((96, 96), 0.1)
    truth[40:56, 40:56] = 0.098
    noisy = rng.poisson(truth).astype(float)
    image, strength = best(noisy, truth)
    assert strength == np.inf
    np.testing.assert_allclose(image, noisy.mean(), rtol=1e-6)


@pytest.mark.parametrize("scale", [1.0, 300.0])
def test_a_bragg_filter_sees_a_lattice_that_a_blur_does_not_in_any_unit(scale: float) -> None:
    """Of 512 x 512 px some twenty coefficients are kept for each of four spots: their noise is 1e-4 of the pixels'."""
    rng = np.random.default_rng(4)  # its own: the same noise in both units
    y, x = np.mgrid[:512, :512]
    truth = 0.45 * (1 + 0.3 * np.cos(2 * np.pi * x / 12) * np.cos(2 * np.pi * y / 14))
    noisy = rng.poisson(truth).astype(float)
    image, _ = best_bragg_filter(scale * noisy, scale * truth)
    blurred_error = np.mean((best_gaussian_blur(noisy, truth)[0] - truth) ** 2)
    assert image.dtype == np.float32
    assert np.mean((image / scale - truth) ** 2) < 0.1 * blurred_error
    shuffled = rng.permutation(noisy.ravel()).reshape(noisy.shape)  # the same counts and no lattice
    flat = np.full_like(truth, truth.mean())
    assert np.mean((best_bragg_filter(shuffled, flat)[0] - flat) ** 2) < 0.01 * noisy.var()
