"""The paired score of two denoisers against a second exposure."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from napari_gaintune.errors import ImageError, SettingError
from napari_gaintune.evaluation.two_exposures import paired_difference

Array = np.ndarray


def specimen(rng: np.random.Generator, edge_px: int = 128) -> Array:
    """Expected counts of a random stationary texture, around 2 per pixel."""
    texture = gaussian_filter(rng.normal(size=(edge_px, edge_px)), 4, mode="wrap")
    return np.clip(2 + 0.5 * texture / texture.std(), 0.1, None)


def two_results(exposure1: Array) -> tuple[Array, Array]:
    return tuple(gaussian_filter(exposure1, sigma_px, mode="wrap") for sigma_px in (2.5, 5.0))


def test_it_is_the_difference_of_the_errors_against_the_second_exposure(rng: np.random.Generator) -> None:
    d1, d2, exposure2 = rng.normal(size=(3, 100, 130))
    expected = np.mean((d1 - exposure2) ** 2) - np.mean((d2 - exposure2) ** 2)
    found = paired_difference(d1, d2, exposure2, block_px=16)
    assert found.mean == pytest.approx(expected, abs=1e-12)
    assert paired_difference(d2, d1, exposure2, block_px=16).mean == pytest.approx(-expected, abs=1e-12)


def test_it_is_unbiased_for_the_difference_of_the_true_errors(rng: np.random.Generator) -> None:
    truth = specimen(rng)
    d1, d2 = two_results(rng.poisson(truth).astype(float))
    expected = np.mean((d1 - truth) ** 2) - np.mean((d2 - truth) ** 2)
    draws = [paired_difference(d1, d2, rng.poisson(truth)).mean for _ in range(20)]
    # given d1 and d2 only the Poisson noise of the second exposure is left: variance = truth
    standard_error = np.sqrt(np.sum(4 * (d1 - d2) ** 2 * truth)) / truth.size / np.sqrt(len(draws))
    assert abs(np.mean(draws) - expected) < 6 * standard_error
    assert abs(expected) > 6 * standard_error  # the test can tell a bias of this size


def test_the_standard_error_is_that_of_independent_fields(rng: np.random.Generator) -> None:
    """Over fields of one kind the estimates scatter as much as the bootstrap of one field says."""
    found = []
    for _ in range(150):
        truth = specimen(rng)
        found.append(paired_difference(*two_results(rng.poisson(truth).astype(float)), rng.poisson(truth), seed=3))
    scatter = np.std([result.mean for result in found], ddof=1)
    said = np.sqrt(np.mean([result.standard_error**2 for result in found]))
    # sd of a ratio of sd's: 1/sqrt(2·149) = 6 %; with 16 blocks the bootstrap misses a factor sqrt(15/16), and
    # correlation across block borders (5 of 32 px) up to some 10 %
    assert abs(said / scatter - 1) < 6 * 0.06


def test_single_pixels_as_blocks_call_a_correlated_difference_too_certain(rng: np.random.Generator) -> None:
    truth = specimen(rng)
    d1, d2 = two_results(rng.poisson(truth).astype(float))
    exposure2 = truth + 3 * gaussian_filter(rng.normal(size=truth.shape), 4, mode="wrap")
    blocks = paired_difference(d1, d2, exposure2, block_px=32).standard_error
    pixels = paired_difference(d1, d2, exposure2, block_px=1).standard_error
    assert blocks > 2 * pixels


def test_equal_results_do_not_differ_and_the_same_seed_gives_the_same_figure(rng: np.random.Generator) -> None:
    d1, d2, exposure2 = rng.normal(size=(3, 70, 65))
    same = paired_difference(d1, d1, exposure2, block_px=16)
    assert (same.mean, same.standard_error) == (0, 0)
    once, again = (paired_difference(d1, d2, exposure2, block_px=16, seed=5) for _ in range(2))
    assert once == again
    assert once != paired_difference(d1, d2, exposure2, block_px=16, seed=6)
    assert "±" in str(once)


def test_unsigned_exposures_do_not_wrap() -> None:
    high, low, exposure2 = (np.full((64, 64), value, np.uint16) for value in (100, 50, 60))
    assert paired_difference(low, high, exposure2, block_px=16).mean == 10**2 - 40**2


def test_what_cannot_be_judged_is_refused() -> None:
    frame = np.zeros((64, 64))
    with pytest.raises(ImageError, match="shapes differ"):
        paired_difference(frame, frame, np.zeros((64, 65)))
    with pytest.raises(ImageError, match="16 blocks"):
        paired_difference(frame, frame, frame, block_px=17)
    with pytest.raises(ImageError, match="blocks"):
        paired_difference(*np.zeros((3, 2, 64, 64)), block_px=4)
    with pytest.raises(SettingError, match="block_px = 0"):
        paired_difference(frame, frame, frame, block_px=0)


def test_the_real_pair_ranks_a_fitting_blur_above_a_wide_one(shared_data: object) -> None:
    """512 x 512 px, about 1.7 e⁻/px: sigma 7 px is near the best width, 20 px loses much more than it is uncertain."""
    import tifffile

    folder = shared_data / "data" / "em"  # type: ignore[operator]
    first, second = (tifffile.imread(folder / f"lowdose_tem_exposure{i}.tif").astype(float) for i in (1, 2))
    found = paired_difference(gaussian_filter(first, 7), gaussian_filter(first, 20), second)
    assert found.mean < -3 * found.standard_error < 0
