"""The error of a result by other noisy frames is the one that a truth would show."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from napari_gaintune.errors import ImageError
from napari_gaintune.evaluation.other_frames import UnsupervisedError, unsupervised_error

from .test_two_exposures import specimen

Array = np.ndarray


def frames_of(truth: Array, count: int, rng: np.random.Generator) -> Array:
    return rng.poisson(truth, (count, *truth.shape)).astype(np.float32)


@pytest.mark.parametrize("others", [2, 3, 8])
def test_it_is_unbiased_and_its_limits_hold_the_truth(others: int, rng: np.random.Generator) -> None:
    """Over 60 fields: the estimate scatters around the true error, which lies within the limits in 95 % of them."""
    off, inside, widths = [], 0, []
    for _ in range(60):
        truth = specimen(rng, 256)
        first, *rest = frames_of(truth, others + 1, rng)
        denoised = gaussian_filter(first, 3)
        error = np.mean((denoised - truth) ** 2)
        found = unsupervised_error(denoised, rest)
        off.append(found.mean - error)
        inside += int(found.low <= error <= found.high)
        widths.append(found.high - found.low)
    assert abs(np.mean(off)) < 4 * np.std(off) / np.sqrt(60)
    assert np.mean(widths) < 10 * np.std(off)  # a limit that holds everything would be none
    assert inside >= 50  # of 60 in 95 % each: 57 ± 1.7; 64 blocks know their spread to 9 %


def test_noise_that_neighbours_share_does_no_harm(rng: np.random.Generator) -> None:
    truth = specimen(rng, 256)
    first, *rest = [truth + gaussian_filter(rng.normal(size=truth.shape), 1.5) for _ in range(9)]
    error = np.mean((first - truth) ** 2)  # a denoiser that does nothing keeps all of it
    found = unsupervised_error(first, rest)
    assert found.low < error < found.high
    assert found.low > 0.8 * error


def test_pixels_that_too_few_frames_show_are_left_out(rng: np.random.Generator) -> None:
    truth = specimen(rng, 256)
    first, *rest = frames_of(truth, 5, rng)
    denoised = gaussian_filter(first, 3)
    whole = unsupervised_error(denoised[:, :192], [frame[:, :192] for frame in rest])
    for frame in rest[1:]:
        frame[:, 192:] = np.nan
    assert unsupervised_error(denoised, rest).mean == pytest.approx(whole.mean, rel=1e-9)
    for frame in rest:
        frame[:] = np.nan
    with pytest.raises(ImageError, match="no pixel is shown by 2 other frames"):
        unsupervised_error(denoised, rest)
    with pytest.raises(ImageError, match="no pixel is shown by 2 other frames"):
        unsupervised_error(denoised, [])


def test_decibels_and_their_limits() -> None:
    truth = np.full((128, 128), 3.0)
    rng = np.random.default_rng(0)
    rest = truth + rng.normal(size=(50, *truth.shape))
    found = unsupervised_error(truth + 0.1, rest)
    db, low, high = found.psnr_db(10.0)
    assert db == pytest.approx(10 * np.log10(100 / found.mean))
    assert low == pytest.approx(10 * np.log10(100 / found.high))
    assert high == pytest.approx(10 * np.log10(100 / found.low))
    assert low < db < high
    assert abs(db - 40) < 0.3  # 6 standard errors: 2 x 0.1 / sqrt(50 x 128²) of 0.01
    # an error that may be 0
    assert UnsupervisedError(-1e-4, -2e-4, 1e-4).psnr_db() == (np.inf, pytest.approx(40), np.inf)
