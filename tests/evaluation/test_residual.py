"""What a perfect denoiser takes away looks like noise; what another one takes away does not."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from napari_gaintune.errors import ImageError, SettingError
from napari_gaintune.evaluation.residual import check_residual

from .test_two_exposures import specimen

Array = np.ndarray


@pytest.mark.parametrize("dose", [0.1, 2.0, 50.0])
@pytest.mark.parametrize("read_noise_e", [0.0, 0.7])
def test_noise_alone_stays_within_the_limits(dose: float, read_noise_e: float, rng: np.random.Generator) -> None:
    inside = white = 0
    for _ in range(100):
        truth = dose * specimen(rng, 64) / 2
        noisy = rng.poisson(truth) + read_noise_e * rng.normal(size=truth.shape)
        found = check_residual(noisy, truth, read_noise_e)
        inside += int(abs(found.chi_square - 1) < found.limit)
        white += int(abs(found.correlation.along_x[0]) < found.correlation.limit)
    assert inside >= 87  # of 100 in 95 % each: 95 ± 2.2
    assert white >= 87


def test_pixels_denoised_to_nothing_do_not_decide(rng: np.random.Generator) -> None:
    truth = np.full((128, 128), 0.3)
    noisy, denoised = rng.poisson(truth).astype(float), truth.copy()
    denoised.flat[::10] = -0.02
    # a tenth of the pixels is 0.32 too low, which adds its square to the variance of 0.3
    found = check_residual(noisy, denoised)
    assert found.chi_square == pytest.approx((0.3 + 0.1 * 0.32**2) / (0.9 * 0.3 + 0.1 * 0.0134), rel=0.05)


def test_a_wrong_gain_and_a_lost_scene_show(rng: np.random.Generator) -> None:
    truth = 20 * specimen(rng)
    noisy = rng.poisson(truth).astype(float)
    twice = check_residual(2 * noisy, 2 * truth)
    assert twice.chi_square == pytest.approx(2, rel=0.1)
    flat = check_residual(noisy, np.full_like(noisy, noisy.mean()))
    assert flat.chi_square > 1 + 6 * flat.limit
    assert flat.correlation.along_x[0] > 6 * flat.correlation.limit


def test_noise_that_was_kept_shows(rng: np.random.Generator) -> None:
    truth = 20 * specimen(rng)
    noisy = rng.poisson(truth).astype(float)
    kept = check_residual(noisy, truth + 0.1 * (noisy - truth))
    assert kept.chi_square == pytest.approx(0.81, abs=2 * kept.limit)


def test_noise_that_rows_share_shows_whatever_the_denoiser(rng: np.random.Generator) -> None:
    truth = 20 * specimen(rng)
    spread = gaussian_filter(rng.poisson(truth) - truth, (0, 0.6))
    found = check_residual(truth + spread, truth)
    assert found.correlation.along_x[0] > 0.2
    assert abs(found.correlation.along_y[0]) < 2 * found.correlation.limit


def test_what_cannot_be_checked_is_refused(rng: np.random.Generator) -> None:
    frame = rng.poisson(2, (32, 32)).astype(float)
    with pytest.raises(ImageError, match="shapes differ"):
        check_residual(frame, frame[1:])
    with pytest.raises(SettingError, match="read noise -1"):
        check_residual(frame, frame + 1, -1.0)
